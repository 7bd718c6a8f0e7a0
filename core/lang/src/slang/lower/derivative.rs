//! Derivatives: what the IR says of how a function differentiates, calls of derivatives, sums of tangents.

use super::function::FunctionLowerer;
use super::view::View;
use super::{Lowerer, Task};
use crate::slang::check::hir::{Call, Callee, Expr, TangentOp};
use crate::slang::check::program::{FnId, GlobalId, GlobalKind};
use crate::slang::check::types::{Arg, Subst, Ty};
use crate::ssa::Var;
use pullback_base::{Scalar, bug, ids::Id};
use pullback_ir::{
    DerivativeMode, DerivativeParam, Derivatives, Derived, Differentiable, Direction, FuncId, Function,
    FunctionBuilder, FunctionKind, Op, Tangent, Type, Value,
};

impl Lowerer<'_> {
    /// The IR function that is a derivative of another one.
    pub fn derived(&mut self, of: FuncId, mode: DerivativeMode) -> FuncId {
        let derived = Derived { of, mode };
        if let Some(&known) = self.derived.get(&derived) {
            return known;
        }
        let name = format!("{}.{}", self.queue[of.index()].1, mode.name());
        let id = self.enqueue(Task::Derived(derived), &name);
        self.derived.insert(derived, id);
        self.derivatives(of);
        id
    }

    /// A function whose body differentiation gives.
    pub fn shell(&mut self, derived: Derived, name: &str) -> Function {
        let (params, results) = self.derivatives(derived.of).signature(derived.mode);
        let mut b = FunctionBuilder::new(name, FunctionKind::Plain);
        for ty in params {
            b.param(ty, "");
        }
        let mut function = b.finish(Vec::new());
        function.results = results;
        function.derived = Some(derived);
        function
    }

    /// How a function differentiates.
    pub fn derivatives(&mut self, id: FuncId) -> Derivatives {
        if let Some(known) = self.derivatives.get(&id) {
            return known.clone();
        }
        let derivatives = match self.queue[id.index()].0.clone() {
            Task::Instance(instance, view) => self.viewing(view, |this| {
                let mut derivatives = this.derivatives_of(instance.0, &instance.1);
                this.note_given(id, &instance, &mut derivatives);
                derivatives
            }),
            Task::Derived(derived) => self.derivatives(derived.of).of_derivative(derived.mode),
            Task::Outermost(..) | Task::Kernel(_) | Task::Adapter(_) => bug!("lower", "nothing calls {id}"),
        };
        self.derivatives.insert(id, derivatives.clone());
        derivatives
    }

    fn derivatives_of(&mut self, id: FnId, args: &[Arg]) -> Derivatives {
        let signature = self.signature(id);
        let subst: Subst = signature.generics.iter().copied().zip(args.iter().cloned()).collect();
        let (seen, _) = self.program.seen_as(id, args).unwrap_or_default();
        let this = self.program.this_param(id);
        let dispatch = self.dispatched(id, args);
        // Where only an object tells which static function is meant, it comes first, and is no argument.
        let teller = dispatch.filter(|dispatch| this.is_none() && dispatch.is_by_object());
        let teller = teller.map(|dispatch| {
            let value = Differentiable::constant(self.ty(&dispatch.object_ty(), &Subst::default()));
            DerivativeParam { direction: Direction::In, value }
        });
        let mut params: Vec<DerivativeParam> = teller.into_iter().collect();
        let declared = this.iter().chain(&signature.params).map(|param| DerivativeParam {
            direction: param.direction,
            value: self.differentiable(&param.ty, param.no_diff, &seen, &subst),
        });
        params.extend(declared);
        let result = (signature.result != Ty::Void)
            .then(|| self.differentiable(&signature.result, signature.result_no_diff, &seen, &subst));
        let globals: Vec<DerivativeParam> =
            self.globals_of(id, args).iter().filter_map(|&global| self.hidden(global)).collect();
        let hidden = globals.len();
        params.extend(globals);
        Derivatives {
            params,
            result,
            hidden,
            forward: None,
            backward: None,
            substitute: None,
            given_only: false,
        }
    }

    /// A global as a parameter that nobody wrote.
    fn hidden(&mut self, id: GlobalId) -> Option<DerivativeParam> {
        let direction = match self.global_kind(id) {
            GlobalKind::Shared => return None,
            GlobalKind::Static => Direction::InOut,
            _ => Direction::In,
        };
        Some(DerivativeParam { direction, value: Differentiable::constant(self.global_type(id)) })
    }

    fn differentiable(&mut self, ty: &Ty, no_diff: bool, seen: &Subst, subst: &Subst) -> Differentiable {
        let known = ty.subst(self.program, subst);
        let primal = self.ty(&known, &Subst::default());
        // Whether it differentiates is told by what the function says of the type.
        let seen = ty.subst(self.program, seen);
        let differential = self.program.differential(&seen).and_then(|_| self.program.differential(&known));
        let tangent = match differential {
            Some(differential) if !no_diff => {
                let mut leaves = Vec::new();
                self.push_tangents(&known, Some((&differential, 0)), &mut leaves);
                Some(Tangent { ty: self.ty(&differential, &Subst::default()), leaves })
            }
            _ => None,
        };
        Differentiable { ty: primal, tangent }
    }

    fn leaf_count(&mut self, ty: &Ty) -> u32 {
        self.ty(ty, &Subst::default()).leaves().len() as u32
    }

    /// For each leaf of `ty` its place among the leaves of a tangent, of a part of type `at.0` that starts at `at.1`.
    fn push_tangents(&mut self, ty: &Ty, at: Option<(&Ty, u32)>, out: &mut Vec<Option<u32>>) {
        let count = self.leaf_count(ty);
        let Some((dual, start)) = at else {
            return out.extend((0..count).map(|_| None));
        };
        match (ty, dual) {
            (Ty::Array(element, n), Ty::Array(dual, _)) => {
                let step = self.leaf_count(dual);
                for index in 0..super::known(n) {
                    self.push_tangents(element, Some((dual, start + index * step)), out);
                }
            }
            (Ty::Interface(interface), Ty::Differential(_)) => {
                // The tag has no tangent.
                out.push(None);
                let rooms = self.program.fields_of(dual);
                let mut next = start;
                for (inside, room) in self.program.conforming(interface).iter().zip(rooms.iter()) {
                    self.push_tangents(inside, Some((&room.ty, next)), out);
                    next += self.leaf_count(&room.ty);
                }
            }
            (Ty::Struct(..), _) if let Some(held) = self.program.held(ty) => {
                let Some(dual) = self.program.held(dual) else {
                    bug!("lower", "tangents {dual:?} of {ty:?}")
                };
                self.push_tangents(held, Some((dual, start)), out);
                // Whether there is a value, there is a tangent.
                out.push(Some(start + self.leaf_count(dual)));
            }
            (Ty::Struct(..) | Ty::Pair(..) | Ty::Differential(_), _) => {
                let duals = self.program.fields_of(dual);
                let starts: Vec<u32> = duals
                    .iter()
                    .scan(start, |next, field| {
                        let start = *next;
                        *next += self.leaf_count(&field.ty);
                        Some(start)
                    })
                    .collect();
                for field in self.program.fields_of(ty).iter() {
                    let name = self.program.tangent_field(ty, &field.name);
                    let wanted = (!field.no_diff).then(|| self.program.differential(&field.ty)).flatten();
                    let index =
                        duals.iter().position(|dual| dual.name == name && Some(&dual.ty) == wanted.as_ref());
                    let at = index.map(|index| (&duals[index].ty, starts[index]));
                    self.push_tangents(&field.ty, at, out);
                }
            }
            (Ty::Number(..), _) if ty == dual => out.extend((0..count).map(|leaf| Some(start + leaf))),
            _ => out.extend((0..count).map(|_| None)),
        }
    }
}

impl FunctionLowerer<'_, '_> {
    /// The function of a callee.
    fn callee_function(&mut self, callee: &Callee) -> FuncId {
        match callee {
            Callee::Derivative { mode, of } => {
                let of = self.callee_function(of);
                self.lowerer.derived(of, *mode)
            }
            _ => {
                let (id, generics) = self.lowerer.callee(callee, &self.subst);
                self.lowerer.viewing(View::DIFFERENTIATED, |this| this.instance(id, generics))
            }
        }
    }

    /// A call of a derivative.
    pub fn call_derivative(&mut self, call: &Call) -> Option<Value> {
        let callee = self.callee_function(&call.callee);
        let derivatives = self.lowerer.derivatives(callee);
        let (written, hidden) = derivatives.params.split_at(derivatives.params.len() - derivatives.hidden);
        let directions: Vec<Direction> = written.iter().map(|param| param.direction).collect();
        let writing = derivatives.params.iter().filter(|param| param.direction.writes());
        let given: Vec<&Differentiable> =
            derivatives.result.iter().chain(writing.map(|param| &param.value)).collect();
        let results: Vec<Type> = given.iter().map(|value| value.ty.clone()).collect();
        let args = self.arguments(&call.args, &directions);
        let mut values = self.argument_values(&args);
        let read = written.iter().filter(|param| param.direction.reads());
        for (value, taken) in values.iter_mut().zip(read) {
            *value = self.fitted(*value, &taken.value.ty);
            *value = self.without_tangents(*value, &taken.value);
        }
        let vars = self.hidden_args(call, &mut values);
        let mut results = self.ssa.call(callee, &results, &values);
        let vars = vars.into_iter().zip(hidden).filter(|(_, param)| param.direction.writes());
        let vars: Vec<Var> = vars.map(|(var, _)| var).collect();
        let globals = results.split_off(results.len() - vars.len());
        for (value, given) in results.iter_mut().zip(given) {
            *value = self.without_tangents(*value, given);
        }
        vars.into_iter().zip(globals).for_each(|(var, value)| self.ssa.write(var, value));
        self.take_results(call.detached, derivatives.result.is_some(), &args, results)
    }

    /// What a derivative takes or gives, without the tangents that its type does not have.
    fn without_tangents(&mut self, value: Value, shape: &Differentiable) -> Value {
        let is_cut = self.lowerer.view.tracks && shape.tangent.is_none();
        if is_cut { self.detached(value) } else { value }
    }

    /// Adds the globals that the primal uses to the arguments; where they are.
    fn hidden_args(&mut self, call: &Call, values: &mut Vec<Value>) -> Vec<Var> {
        let (id, generics) = self.lowerer.callee(&call.callee, &self.subst);
        let globals = self.lowerer.globals_of(id, &generics);
        let taken = globals.iter().filter(|&&global| self.lowerer.global_kind(global) != GlobalKind::Shared);
        let vars: Vec<Var> = taken.map(|&global| self.global(global)).collect();
        values.extend(vars.iter().map(|&var| self.ssa.read(var)));
        vars
    }

    /// The sum of two tangents, or a number times a tangent, leaf by leaf.
    pub fn tangent(&mut self, op: TangentOp, args: &[Expr; 2]) -> Value {
        let [a, b] = [&args[0], &args[1]].map(|arg| self.expr(arg));
        self.linear(op, a, b)
    }

    fn linear(&mut self, op: TangentOp, a: Value, b: Value) -> Value {
        let ty = self.ssa.ty(b).clone();
        if let Some(scalar) = ty.scalar() {
            match op {
                // One of two tangents of a value that may be missing is there.
                TangentOp::Add if scalar == Scalar::Bool => return self.ssa.op(Op::Or, &[a, b]),
                _ if !scalar.is_float() => return b,
                _ => {}
            }
            return match op {
                TangentOp::Add => self.ssa.op(Op::Add, &[a, b]),
                TangentOp::Scale => {
                    let factor = self.convert(a, &ty);
                    self.ssa.op(Op::Mul, &[factor, b])
                }
            };
        }
        let elements: Vec<Value> = (0..ty.element_count())
            .map(|index| {
                let inner = self.ssa.extract(b, index);
                let other = match op {
                    TangentOp::Add => self.ssa.extract(a, index),
                    TangentOp::Scale => a,
                };
                self.linear(op, other, inner)
            })
            .collect();
        if elements.is_empty() && ty.element_count() > 0 {
            bug!("lower", "a tangent of type {ty}");
        }
        self.ssa.op(Op::Construct(ty), &elements)
    }
}
