//! What only effects can do: atomics, barriers, what a wave's lanes compute together.

use super::function::FunctionLowerer;
use crate::slang::check::hir::{Action, Expr};
use pullback_base::{Scalar, bug};
use pullback_ir::{Effect, Op, Type, Value, WaveOp};

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
            Action::AllEqual => {
                let [value] = args else { bug!("lower", "all of nothing is equal") };
                let value = self.expr(value);
                let first = self.wave(Effect::Wave(WaveOp::ReadFirst), &[value]);
                let same = self.ssa.op(Op::Eq, &[value, first]);
                let same = self.all_true(same);
                let same = self.ssa.convert(same, Scalar::U32);
                let same = self.wave(Effect::Wave(WaveOp::And), &[same]);
                Some(self.ssa.convert(same, Scalar::Bool))
            }
        }
    }

    /// Whether all components are true.
    fn all_true(&mut self, bools: Value) -> Value {
        let count = self.ssa.ty(bools).element_count();
        if count == 0 {
            return bools;
        }
        let mut all = self.ssa.bool(true);
        for index in 0..count {
            let element = self.ssa.extract(bools, index);
            let element = self.all_true(element);
            all = self.ssa.op(Op::And, &[all, element]);
        }
        all
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
