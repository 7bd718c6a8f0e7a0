//! What only effects can do: atomics, barriers, what a wave's lanes compute together.

use super::function::FunctionLowerer;
use crate::slang::check::hir::{Action, Expr};
use pullback_base::bug;
use pullback_ir::{Effect, Op, Type, Value};

impl FunctionLowerer<'_, '_> {
    /// The value of an action; `None` where it has none.
    pub fn action(&mut self, action: Action, args: &[Expr]) -> Option<Value> {
        match action {
            Action::Barrier => self.ssa.effect(Effect::Barrier, &[]),
            Action::Atomic(op) => {
                let [place, values @ ..] = args else { bug!("lower", "an atomic operation of nothing") };
                let place = self.place(place);
                let values: Vec<Value> = values.iter().map(|value| self.expr(value)).collect();
                Some(self.atomic_place(&place, op, &values))
            }
            Action::Wave(op) => {
                let args: Vec<Value> = args.iter().map(|arg| self.expr(arg)).collect();
                Some(self.wave(Effect::Wave(op), &args))
            }
        }
    }

    /// Components of vectors and matrices go each on its own; further operands are the same for all.
    fn wave(&mut self, effect: Effect, args: &[Value]) -> Value {
        let ty = self.ssa.ty(args[0]).clone();
        if ty.is_scalar() {
            return match self.ssa.effect(effect, args) {
                Some(value) => value,
                None => bug!("lower", "{effect} gives nothing"),
            };
        }
        let elements: Vec<Value> = (0..ty.element_count())
            .map(|index| {
                let element = self.ssa.extract(args[0], index);
                let args: Vec<Value> = [element].into_iter().chain(args[1..].iter().copied()).collect();
                self.wave(effect, &args)
            })
            .collect();
        let ty = match (&ty, self.ssa.ty(elements[0])) {
            (Type::Struct(_) | Type::Array(..), _) => ty,
            (_, element) => element.scalar().and_then(|scalar| ty.with_scalar(scalar)).unwrap_or(ty),
        };
        self.ssa.op(Op::Construct(ty), &elements)
    }
}
