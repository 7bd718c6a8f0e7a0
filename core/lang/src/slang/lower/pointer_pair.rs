//! Differentiable pointers in what `fwd_diff` and `bwd_diff` differentiate. There each value of such a type is a pair: the
//! pointer, and where the derivatives are of what it leads to. What the program does with the pointer it does with the first
//! part; copies, fields and calls take the pair along. A pointer that the program makes of parts has no second part that could be
//! told: `unpaired` stands there, and differentiation refuses to give it to a derivative.

use super::Lowerer;
use super::function::FunctionLowerer;
use super::view::View;
use crate::slang::check::Instance;
use crate::slang::check::hir::{Expr, Pick};
use crate::slang::check::program::FnId;
use crate::slang::check::types::{Pairing, Subst, Ty};
use crate::ssa::Var;
use pullback_base::bug;
use pullback_ir::{Field, FuncId, Function, FunctionKind, Op, Type, Value};

/// The IR's struct of both parts.
const PAIR: &str = "DifferentialPtrPair";
const PRIMAL: u32 = 0;
const DUAL: u32 = 1;

/// The pair of pointers of these types.
pub fn pair_type(primal: Type, dual: Type) -> Type {
    let field = |name: &str, ty| Field { name: name.into(), ty, no_diff: false };
    Type::structure(PAIR, vec![field("p", primal), field("d", dual)])
}

/// The types of both parts.
fn parts(ty: &Type) -> Option<(&Type, &Type)> {
    match ty {
        Type::Struct(structure) if &*structure.name == PAIR => match &structure.fields[..] {
            [primal, dual] => Some((&primal.ty, &dual.ty)),
            _ => None,
        },
        _ => None,
    }
}

fn holds_pairs(ty: &Type) -> bool {
    match ty {
        Type::Struct(structure) => {
            parts(ty).is_some() || structure.fields.iter().any(|field| holds_pairs(&field.ty))
        }
        Type::Array(element, _) => holds_pairs(element),
        _ => false,
    }
}

impl Lowerer<'_> {
    /// The type of a value where pointers stand alone: in memory, in globals, behind interfaces.
    pub fn stored_ty(&mut self, ty: &Ty, subst: &Subst) -> Type {
        let view = View { pairs: false, ..self.view };
        self.viewing(view, |this| this.ty(ty, subst))
    }

    /// Whether values of the type are pairs here.
    pub fn is_paired(&self, ty: &Ty, subst: &Subst) -> bool {
        self.view.pairs && self.program.is_pointer(&ty.subst(self.program, subst))
    }

    pub fn paired(&mut self, pointer: &Ty) -> Type {
        let dual = self.program.pointer_differential(pointer).unwrap_or(Ty::Error);
        let none = Subst::default();
        pair_type(self.stored_ty(pointer, &none), self.stored_ty(&dual, &none))
    }

    /// Whether values of the type have pointers inside, of which pairs would be made.
    pub fn has_pointer(&mut self, ty: &Ty, subst: &Subst) -> bool {
        if *ty == Ty::Void || !self.program.has_pointers() {
            return false;
        }
        let stored = self.stored_ty(ty, subst);
        let view = View { pairs: true, ..self.view };
        stored != self.viewing(view, |this| this.ty(ty, subst))
    }

    /// What derivatives of the function do with pointers.
    pub fn passed_pointers(&self, (id, args): &Instance) -> PassedPointers {
        let signature = self.signature(*id);
        let own: Subst = signature.generics.iter().copied().zip(args.iter().cloned()).collect();
        let is_pointer =
            |ty: &Ty| self.program.pairing(&ty.subst(self.program, &own)) == Some(Pairing::Pointer);
        let this = self.program.this_param(*id);
        let params = this.iter().chain(&signature.params);
        let mut pointers = params.filter(|param| !param.no_diff && is_pointer(&param.ty)).peekable();
        let result = !signature.result_no_diff && is_pointer(&signature.result);
        PassedPointers {
            passed: result || pointers.peek().is_some(),
            given: result || pointers.any(|param| param.direction.writes()),
        }
    }
}

pub struct PassedPointers {
    /// Some are in their signatures.
    pub passed: bool,
    /// They give some.
    pub given: bool,
}

/// A function that gives pointers, as its author's forward derivative gives them: in pairs. Numbers have no tangents here.
pub fn formed(lowerer: &mut Lowerer<'_>, of: FuncId, forward: FuncId, id: FnId, name: &str) -> Function {
    let derivatives = lowerer.derivatives(of);
    let span = lowerer.program.functions[id].ast.name.span;
    let mut function = super::entry::start(lowerer, name, FunctionKind::Plain, span);
    let mut args = Vec::new();
    for param in derivatives.params.iter().filter(|param| param.direction.reads()) {
        let value = function.ssa.param(param.value.ty.clone(), "");
        args.push(match &param.value.tangent {
            Some(tangent) => {
                let zero = function.ssa.zero(&tangent.ty);
                function.ssa.op(Op::Construct(param.value.pair()), &[value, zero])
            }
            None => value,
        });
    }
    let given = function.ssa.call(forward, &derivatives.forward_signature().1, &args);
    let written = derivatives.params.iter().filter(|param| param.direction.writes());
    let values = derivatives.result.iter().chain(written.map(|param| &param.value));
    let mut results: Vec<Var> = Vec::new();
    for (value, given) in values.zip(given) {
        let primal = if value.tangent.is_some() { function.ssa.extract(given, PRIMAL) } else { given };
        results.push(function.ssa.declare_with(primal, None));
    }
    function.ssa.finish(&results)
}

impl FunctionLowerer<'_, '_> {
    /// Whether values of the type are pairs here.
    pub fn is_paired(&self, ty: &Ty) -> bool {
        self.lowerer.is_paired(ty, &self.subst)
    }

    pub fn stored_ty(&mut self, ty: &Ty) -> Type {
        self.lowerer.stored_ty(ty, &self.subst)
    }

    /// The value as values of that type are here.
    pub fn in_form(&mut self, value: Value, ty: &Ty) -> Value {
        if !self.lowerer.view.pairs {
            return value;
        }
        let ty = self.ty(ty);
        self.fitted(value, &ty)
    }

    /// The value with its pointers alone or in pairs, and its matrices by rows or by columns, as in that type.
    pub fn fitted(&mut self, value: Value, to: &Type) -> Value {
        let from = self.ssa.ty(value).clone();
        if from == *to {
            return value;
        }
        match (parts(&from), parts(to)) {
            (Some((primal, _)), _) if primal == to => return self.ssa.extract(value, PRIMAL),
            (_, Some((primal, dual))) if *primal == from => {
                let none = self.ssa.zero(dual);
                let none = self.ssa.op(Op::Unpaired, &[none]);
                return self.ssa.op(Op::Construct(to.clone()), &[value, none]);
            }
            // Pairs of arrays are arrays of pairs.
            (Some((primals, duals)), None) => {
                let [p, d] = [PRIMAL, DUAL].map(|part| self.ssa.extract(value, part));
                let (Some(primal), Some(dual)) = (primals.element(0), duals.element(0)) else {
                    return self.ssa.zero(to);
                };
                let pair = pair_type(primal, dual);
                return self.each_element(to, |this, index| {
                    let parts = [p, d].map(|part| this.ssa.extract(part, index));
                    this.ssa.op(Op::Construct(pair.clone()), &parts)
                });
            }
            (None, Some((primals, duals))) => {
                let (Some(primal), Some(dual)) = (primals.element(0), duals.element(0)) else {
                    return self.ssa.zero(to);
                };
                let pair = pair_type(primal, dual);
                let halves = [(PRIMAL, primals), (DUAL, duals)].map(|(part, half)| {
                    self.each_element(half, |this, index| {
                        let element = this.ssa.extract(value, index);
                        let element = this.fitted(element, &pair);
                        this.ssa.extract(element, part)
                    })
                });
                return self.ssa.op(Op::Construct(to.clone()), &halves);
            }
            _ => {}
        }
        if from.element_count() != to.element_count() || to.element_count() == 0 {
            bug!("lower", "a value of type {from} where one of {to} is needed");
        }
        self.each_element(to, |this, index| this.ssa.extract(value, index))
    }

    /// An aggregate of elements in any form.
    pub fn each_element(&mut self, ty: &Type, element: impl Fn(&mut Self, u32) -> Value) -> Value {
        let mut elements = Vec::new();
        for index in 0..ty.element_count() {
            let value = element(self, index);
            elements.push(self.as_element(value, ty, index));
        }
        self.ssa.op(Op::Construct(ty.clone()), &elements)
    }

    /// The value as the element of an aggregate of that type.
    pub fn as_element(&mut self, value: Value, whole: &Type, index: u32) -> Value {
        match whole.element(index) {
            Some(ty) => self.fitted(value, &ty),
            None => value,
        }
    }

    /// The values as what a function takes.
    pub fn fit_all(&mut self, values: &mut [Value], types: &[Type]) {
        for (value, ty) in values.iter_mut().zip(types) {
            *value = self.fitted(*value, ty);
        }
    }

    /// Zero that the program asks for: a pointer made of parts.
    pub fn blank(&mut self, ty: &Type) -> Value {
        let zero = self.ssa.zero(ty);
        self.unpaired(zero)
    }

    /// A variable without a value yet: a pointer that it is, and whose parts are then set, is made of parts. Arrays and optional values
    /// get theirs whole.
    pub fn declare(&mut self, ty: Type, name: Option<&str>) -> Var {
        if parts(&ty).is_none() {
            return self.ssa.declare(ty, name);
        }
        let blank = self.blank(&ty);
        self.ssa.declare_with(blank, name)
    }

    /// The value with its pointers alone: the second parts of pairs are lost.
    pub fn unpaired(&mut self, value: Value) -> Value {
        let ty = self.ssa.ty(value).clone();
        if !holds_pairs(&ty) {
            return value;
        }
        if parts(&ty).is_none() {
            return self.each_element(&ty, |this, index| {
                let element = this.ssa.extract(value, index);
                this.unpaired(element)
            });
        }
        let [primal, dual] = [PRIMAL, DUAL].map(|part| self.ssa.extract(value, part));
        let dual = self.ssa.op(Op::Unpaired, &[dual]);
        self.ssa.op(Op::Construct(ty), &[primal, dual])
    }

    /// The first part of what is a pair here, or stands alone.
    pub fn primal_part(&mut self, value: Value) -> Value {
        let is_pair = parts(self.ssa.ty(value)).is_some();
        if is_pair { self.ssa.extract(value, PRIMAL) } else { value }
    }

    /// What is a pair here, or stands alone, with its first part changed: where its derivatives are is not known any more.
    pub fn with_primal_part(&mut self, value: Value, primal: Value) -> Value {
        let ty = self.ssa.ty(value).clone();
        if parts(&ty).is_none() { primal } else { self.fitted(primal, &ty) }
    }

    /// What an expression picks of a pointer in a pair: of its first part, and of both where it is a pointer itself.
    pub fn pick_of_pointer(&mut self, base: &Expr, pick: &Pick, ty: &Ty) -> Value {
        let pair = self.expr(base);
        let Pick::Element { index, detached } = pick else { return self.pick(pair, pick) };
        let primal = self.primal_part(pair);
        let part = self.pick(primal, pick);
        let dual_field =
            if self.is_paired(ty) && !detached { self.dual_field(&base.ty, *index, ty) } else { None };
        match dual_field {
            Some(index) => {
                let dual = self.ssa.extract(pair, DUAL);
                let dual = self.ssa.extract(dual, index);
                let ty = self.ty(ty);
                self.ssa.op(Op::Construct(ty), &[part, dual])
            }
            None => part,
        }
    }

    /// Where the second part of a pointer has that of a field of its: in the field of the same name.
    fn dual_field(&self, pointer: &Ty, index: u32, field: &Ty) -> Option<u32> {
        let program = self.lowerer.program;
        let pointer = pointer.subst(program, &self.subst);
        let wanted = program.pointer_differential(&field.subst(program, &self.subst))?;
        let name = program.fields_of(&pointer).get(index as usize)?.name.clone();
        let duals = program.fields_of(&program.pointer_differential(&pointer)?);
        let at = duals.iter().position(|dual| dual.name == name && dual.ty == wanted)?;
        u32::try_from(at).ok()
    }
}
