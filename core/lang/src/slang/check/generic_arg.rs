//! Generic arguments: types and numbers, written, by default, or from the type around; and sizes, which are numbers too.

use super::constant::Tree;
use super::context::Context;
use super::count::{Count, Fault, counted, in_range};
use super::hir::{Expr, ExprKind};
use super::interface::Obligation;
use super::pack::declared_name;
use super::program::{MembersId, Symbol};
use super::recursion::walk;
use super::resolve::Named;
use super::stages::Stage;
use super::types::{Arg, ParamId, Subst, Ty};
use crate::slang::ast::{self, GenericArg, TypeExpr, TypeExprKind};
use pullback_base::{Code, Span};

impl Context<'_, '_> {
    /// A constant integer, or a generic one.
    pub fn count(&mut self, expr: &ast::Expr) -> Option<Count> {
        let value = self.expr(expr);
        let value = self.unscoped(value);
        let integer = value.ty.known_scalar().is_some_and(|scalar| scalar.is_integer());
        if integer { self.whole(&value) } else { self.constant_int(&value).map(Count::Known) }
    }

    /// What a generic value stands for: an integer, a `bool` or a case of an enum, which are numbers all.
    pub fn generic_value(&mut self, expr: &ast::Expr) -> Option<Count> {
        let value = self.expr(expr);
        self.generic_number(&value)
    }

    fn generic_number(&mut self, value: &Expr) -> Option<Count> {
        let whole = self.checker.program.scalar_of(&value.ty).is_some_and(|scalar| !scalar.is_float());
        if whole { self.whole(value) } else { self.constant_int(value).map(Count::Known) }
    }

    /// The number that an expression of whole numbers is; an error and `None` where it is none.
    fn whole(&mut self, value: &Expr) -> Option<Count> {
        let program = &self.checker.program;
        let found = counted(program, value, &mut |part| {
            let Ok(Tree::Leaf(number)) = self.checker.value_of(part) else { return None };
            Some(number.as_i64())
        });
        let scalar = program.scalar_of(&value.ty);
        let fault = match &found {
            Ok(Count::Wrong(fault)) => Some(*fault),
            Ok(Count::Known(n)) if !scalar.is_some_and(|scalar| in_range(*n, scalar)) => {
                Some(Fault::Overflow)
            }
            _ => None,
        };
        match (found, fault) {
            (_, Some(fault)) => {
                self.error(Code::TypeMismatch, fault.describe(), value.span, "computed here");
                None
            }
            (Ok(count), None) => Some(count),
            (Err(at), None) => {
                let mut is_generic = false;
                walk(value, &mut |part| {
                    is_generic |= matches!(part.kind, ExprKind::Param(_) | ExprKind::Required(..));
                });
                match is_generic {
                    true => self.unsupported("generic numbers computed like this", at),
                    false => self.not_constant("this", at),
                };
                None
            }
        }
    }

    /// What the generic parameters of a type stand for: those of what it is a member of, and the type of that it was asked of, then
    /// `own` of its own, which the arguments and defaults tell. Within the type itself its bare name means what it is there.
    pub fn generic_args(
        &mut self,
        name: &str,
        generics: &[ParamId],
        own: usize,
        of: Option<(MembersId, Option<&Ty>)>,
        args: &[GenericArg],
        span: Span,
    ) -> Option<Vec<Arg>> {
        let (outer, own) = generics.split_at(generics.len() - own);
        let mut values = self.outer_args(outer, of)?;
        if args.is_empty() && own.iter().any(|&param| self.is_visible(param)) {
            values.extend(own.iter().map(|&param| self.checker.program.generic_as_arg(param)));
            return Some(values);
        }
        if args.len() > own.len() {
            let takes = match own.len() {
                0 => "no generic arguments".into(),
                1 => "one generic argument".into(),
                n => format!("{n} generic arguments"),
            };
            let message = format!("`{name}` takes {takes}");
            self.error(Code::TypeMismatch, message, span, format!("{} given", args.len()));
            return None;
        }
        let mut subst: Subst = outer.iter().copied().zip(values.iter().cloned()).collect();
        for (index, &param) in own.iter().enumerate() {
            let value = match args.get(index) {
                Some(arg) => self.declared_arg(arg)?,
                None => match self.checker.program.default_of(param, &subst) {
                    Some(value) => value,
                    None => {
                        let missing = self.checker.program.generics[param].name.clone();
                        let message = format!("`{name}` needs a generic argument for `{missing}`");
                        let help = format!("write `{name}<...>`");
                        self.error_advised(Code::TypeMismatch, message, span, "not told here", help);
                        return None;
                    }
                },
            };
            subst.insert(param, value.clone());
            values.push(value);
        }
        // A bound may name parameters behind it.
        own.iter().try_for_each(|&param| self.check_generic_arg(param, &subst, span))?;
        Some(values)
    }

    /// Whether a generic parameter is one of those around.
    fn is_visible(&self, param: ParamId) -> bool {
        let name = &self.checker.program.generics[param].name;
        match self.lookup(declared_name(name)) {
            Some(Symbol::Generic(found)) => found == param,
            Some(Symbol::Pack(elements)) => elements.contains(&param),
            _ => false,
        }
    }

    /// Reports an argument that its parameter does not admit.
    fn check_generic_arg(&mut self, param: ParamId, subst: &Subst, span: Span) -> Option<()> {
        if self.checker.stage < Stage::Headers {
            self.checker.obligations.push(Obligation { param, subst: subst.clone(), span });
            return Some(());
        }
        match self.checker.program.misfit(param, subst) {
            None => Some(()),
            Some(why) => {
                self.error(Code::TypeMismatch, why, span, "in these generic arguments");
                None
            }
        }
    }

    /// The generic arguments of the type around a member: those of the type it was asked of; from within, of the type itself.
    fn outer_args(&self, outer: &[ParamId], of: Option<(MembersId, Option<&Ty>)>) -> Option<Vec<Arg>> {
        let program = &self.checker.program;
        let identity = || outer.iter().map(|&param| program.generic_as_arg(param)).collect();
        let Some((owner, asked)) = of else { return Some(identity()) };
        let subst = match asked {
            Some(ty) => program.members_subst(owner, ty)?,
            None if self.encloses(owner) => return Some(identity()),
            None => program.members_subst(owner, &self.self_ty()?)?,
        };
        outer.iter().map(|param| subst.get(param).cloned()).collect()
    }

    pub fn generic_count(&mut self, arg: &GenericArg, span: Span) -> Option<Count> {
        match self.generic_arg(arg) {
            Some(Arg::Count(count)) => Some(count),
            Some(Arg::Type(Ty::Error)) | None => None,
            Some(Arg::Type(ty)) => {
                let shown = self.show(&ty);
                let message = format!("type `{shown}` where a number is needed");
                self.error(Code::TypeMismatch, message, span, "in these arguments");
                None
            }
        }
    }

    /// A generic argument; a plain name may be a type or a number.
    pub fn generic_arg(&mut self, arg: &GenericArg) -> Option<Arg> {
        match arg {
            GenericArg::Value(expr) => self.generic_value(expr).map(Arg::Count),
            GenericArg::Type(TypeExpr { kind: TypeExprKind::Path(path), span }) => {
                if let [segment] = &path[..]
                    && let Some(local) = self.used_local(&segment.name.text)
                {
                    let value = self.local_value(local, *span);
                    return self.generic_number(&value).map(Arg::Count);
                }
                match self.named(path, *span) {
                    Some(Named::Number(value)) => self.generic_number(&value).map(Arg::Count),
                    Some(Named::Type(ty)) => Some(Arg::Type(ty)),
                    Some(Named::Namespace(_)) => {
                        let name = path.last().map_or("", |segment| &segment.name.text);
                        Some(Arg::Type(self.not_a_type(name, *span)))
                    }
                    None => Some(Arg::Type(Ty::Error)),
                }
            }
            GenericArg::Type(TypeExpr { kind: TypeExprKind::Each(of), span }) => {
                self.picks = true;
                let arg = self.generic_arg(&GenericArg::Type(TypeExpr::clone(of)));
                if std::mem::take(&mut self.picks) { self.no_pack(*span) } else { arg }
            }
            GenericArg::Type(TypeExpr { kind: TypeExprKind::Turn(expansion, turn), .. }) => {
                let of = GenericArg::Type(expansion.of.clone());
                self.in_turn(*turn, |context| context.generic_arg(&of))
            }
            GenericArg::Type(ty) => Some(Arg::Type(self.resolve_type(ty))),
        }
    }
}
