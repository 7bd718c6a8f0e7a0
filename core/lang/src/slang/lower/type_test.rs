//! `is` and `as`: known when the types are, and asked of the tag of a value of an interface's type.

use super::function::FunctionLowerer;
use crate::slang::check::hir::Expr;
use crate::slang::check::types::Ty;
use pullback_base::Scalar;
use pullback_ir::{Constant, Op, Value};

impl FunctionLowerer<'_, '_> {
    pub fn is(&mut self, value: Option<&Expr>, of: &Ty, ty: &Ty) -> Value {
        let program = self.lowerer.program;
        let (of, ty) = (of.subst(program, &self.subst), ty.subst(program, &self.subst));
        let value = value.map(|value| self.expr(value));
        let fits = |other: &Ty| match &ty {
            Ty::Interface(interface) => program.conforms(other, interface),
            ty => other == ty,
        };
        let (Ty::Interface(interface), Some(value)) = (&of, value) else {
            return self.ssa.constant(Constant::bool(fits(&of)));
        };
        let mut found = self.ssa.constant(Constant::bool(false));
        for number in (1..).zip(program.conforming(interface)).filter(|(_, ty)| fits(ty)).map(|(n, _)| n) {
            let is_it = self.has_tag(value, number);
            found = self.ssa.op(Op::Or, &[found, is_it]);
        }
        found
    }

    /// The value as one of the type that `optional` holds, or none.
    pub fn as_(&mut self, value: &Expr, optional: &Ty) -> Value {
        let program = self.lowerer.program;
        let of = value.ty.subst(program, &self.subst);
        let optional = optional.subst(program, &self.subst);
        let whole = self.ty(&optional);
        let value = self.expr(value);
        let held = program.held(&optional);
        let (part, has_value) = match &of {
            of if Some(of) == held => (value, self.ssa.constant(Constant::bool(true))),
            Ty::Interface(interface) => {
                let at = program.conforming(interface).iter().position(|ty| Some(ty) == held);
                let Some(number) = at.map(|at| at as u32 + 1) else { return self.blank(&whole) };
                (self.ssa.extract(value, number), self.has_tag(value, number))
            }
            _ => return self.blank(&whole),
        };
        let part = self.as_element(part, &whole, 0);
        self.ssa.op(Op::Construct(whole), &[part, has_value])
    }

    /// Whether a value of an interface's type has one of its types inside, by that type's number.
    fn has_tag(&mut self, value: Value, number: u32) -> Value {
        let tag = self.ssa.extract(value, 0);
        let number = self.ssa.constant(Constant::int(Scalar::U32, number.into()));
        self.ssa.op(Op::Eq, &[tag, number])
    }
}
