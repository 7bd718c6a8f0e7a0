//! Constants that interfaces ask for: what declares them, and what a type gives.

use super::Checker;
use super::collect::Place;
use super::context::Context;
use super::count::counted;
use super::hir::{Callee, Expr, ExprKind, Pick};
use super::program::{
    ConstId, Constant, InterfaceId, InterfaceRef, Lazy, Linkage, Program, RequirementId, RequirementKind,
    Symbol,
};
use super::recursion::walk;
use super::types::{Arg, ParamId, Ty};
use crate::slang::ast;
use pullback_base::{Code, Diagnostic, Span};

/// What generic parameters stand for, in order.
pub type Bindings = Vec<(ParamId, Arg)>;

impl<'a> Checker<'a> {
    /// `static const int N;` in an interface; a value is the default.
    pub fn require_constant(&mut self, interface: InterfaceId, ast: &'a ast::Var, place: Place<'_>) {
        let default = ast.init.is_some().then(|| {
            self.program.constants.push(Constant {
                ast,
                scope: place.scope,
                owner: place.owner,
                visibility: place.visibility,
                linkage: Linkage::Own,
                linked: None,
                value: Lazy::Pending,
            })
        });
        let kind = RequirementKind::Constant { ast, ty: Lazy::Pending, default };
        let requirement = self.require(interface, ast.name.text.clone(), kind, ast.name.span);
        self.declare(place.scope, &ast.name, Symbol::Requirement(requirement));
    }

    /// The type of a constant that an interface asks for, in terms of the interface's generic parameters.
    pub fn required_type(&mut self, id: RequirementId, used: Span) -> Ty {
        let requirement = &mut self.program.requirements[id];
        let RequirementKind::Constant { ast, ty, .. } = &mut requirement.kind else { return Ty::Error };
        let ast = *ast;
        match ty {
            Lazy::Done(ty) => return ty.clone(),
            Lazy::Busy => {
                self.circle(&format!("the type of `{}`", ast.name.text), ast.name.span, used);
                return Ty::Error;
            }
            Lazy::Pending => *ty = Lazy::Busy,
        }
        let scope = self.program.interfaces[requirement.interface].scope;
        let mut context = Context::of_scope(self, scope);
        let found = match &ast.ty {
            Some(ty) => {
                let resolved = context.resolve_value_type(ty);
                context.sized(resolved, ty.span)
            }
            None => context.needs_a_type(&ast.name),
        };
        self.headers_broken |= found.is_error();
        if let RequirementKind::Constant { ty, .. } = &mut self.program.requirements[id].kind {
            *ty = Lazy::Done(found.clone());
        }
        found
    }

    /// What is wrong with the constant that a type gives; `None` inside where it gives none.
    pub fn unmet_constant(
        &mut self,
        this: &Ty,
        interface: &InterfaceRef,
        requirement: RequirementId,
    ) -> Option<Option<String>> {
        let span = self.program.requirements[requirement].span;
        let subst = self.program.interface_subst(interface, this);
        let wanted = self.required_type(requirement, span).subst(&self.program, &subst);
        let Some((id, bindings)) = self.program.given_constant(this, requirement) else { return Some(None) };
        let value = self.constant(id, span);
        let given = value.ty.subst(&self.program, &bindings.into_iter().collect());
        if wanted.is_error() || given.is_error() {
            self.headers_broken = true;
            return None;
        }
        if given != wanted {
            let (given, wanted) = (self.program.show(&given), self.program.show(&wanted));
            return Some(Some(format!("is `{given}`, not `{wanted}`")));
        }
        let whole = self.program.scalar_of(&wanted).is_some_and(|scalar| !scalar.is_float());
        let constant = match whole {
            true => counted(&self.program, &value, &mut |_| None).is_ok(),
            false => self.program.is_fixed(&value),
        };
        (!constant).then(|| Some("is not known at compile time".into()))
    }
}

impl Expr {
    /// The expression where these generic parameters, of another declaration, stand for that.
    pub fn under(self, program: &Program<'_>, bindings: Bindings) -> Expr {
        if bindings.is_empty() {
            return self;
        }
        let ty = self.ty.subst(program, &bindings.iter().cloned().collect());
        let span = self.span;
        Expr { kind: ExprKind::Under(bindings, Box::new(self)), ty, span }
    }
}

impl Context<'_, '_> {
    /// A constant that an interface asks for, of the type `of`; without one, of the type whose members are being declared.
    pub fn required(&mut self, requirement: RequirementId, of: Option<&Ty>, span: Span) -> Expr {
        let Some(this) = of.cloned().or_else(|| self.self_ty()) else { return self.silent_error(span) };
        let ty = self.checker.required_type(requirement, span);
        self.broken |= ty.is_error();
        let interface = self.checker.program.requirements[requirement].interface;
        let Some(asked) = self.checker.program.conformance(&this, interface) else {
            return self.silent_error(span);
        };
        let subst = self.checker.program.interface_subst(&asked, &this);
        let ty = ty.subst(&self.checker.program, &subst);
        if let Ty::Interface(interface) = &this {
            let diagnostic = self.checker.program.report_hidden_constant(interface, requirement, span);
            self.report(diagnostic);
            return Expr::error(span);
        }
        Expr { kind: ExprKind::Required(this, requirement), ty, span }
    }

    fn needs_a_type(&mut self, name: &ast::Name) -> Ty {
        let help = "write its type in front of its name";
        self.error_advised(
            Code::TypeMismatch,
            "a constant of an interface needs a type",
            name.span,
            "here",
            help,
        )
        .ty
    }
}

impl Program<'_> {
    /// The constant by which a known type gives what a requirement asks, and what generic parameters stand for in it.
    pub fn given_constant(&self, this: &Ty, requirement: RequirementId) -> Option<(ConstId, Bindings)> {
        let RequirementKind::Constant { default, .. } = self.requirements[requirement].kind else {
            return None;
        };
        let own = match self.member_of(this, &self.requirements[requirement].name) {
            Some(Symbol::Constant(id)) => Some(id),
            _ => None,
        };
        let id = own.or(default)?;
        Some((id, self.constant_bindings(id, this)?))
    }

    /// The same as an expression.
    pub fn given_for_constant(&self, this: &Ty, requirement: RequirementId, span: Span) -> Option<Expr> {
        let (id, bindings) = self.given_constant(this, requirement)?;
        let Lazy::Done(value) = &self.constants[id].value else { return None };
        let plain = Expr { kind: ExprKind::Constant(id), ty: value.ty.clone(), span };
        Some(plain.under(self, bindings))
    }

    pub fn asks_constant(&self, requirement: RequirementId) -> bool {
        matches!(self.requirements[requirement].kind, RequirementKind::Constant { .. })
    }

    /// A value of an interface's type does not tell its constants: sizes hang on them.
    pub fn report_hidden_constant(
        &self,
        interface: &InterfaceRef,
        requirement: RequirementId,
        span: Span,
    ) -> Diagnostic {
        let (name, shown) = (&self.requirements[requirement].name, self.show_interface(interface));
        Diagnostic::error(
            Code::TypeMismatch,
            format!("`{name}` cannot be asked of a value of type `{shown}`"),
        )
        .at(span, "the type inside is not known at compile time")
        .also(self.requirements[requirement].span, "asked for here")
        .help("ask it in a function with a generic parameter, `<T : IName>`, and pass the value there")
    }

    /// What generic parameters stand for in a constant that is asked of a type.
    pub fn constant_bindings(&self, id: ConstId, of: &Ty) -> Option<Bindings> {
        let bindings = self.members_subst(self.constants[id].owner?, of)?;
        let mut bindings: Bindings = bindings.into_iter().collect();
        bindings.sort_by_key(|(param, _)| *param);
        Some(bindings)
    }

    /// Whether the same value comes out whoever computes it, and no function of the program has a part in it.
    fn is_fixed(&self, expr: &Expr) -> bool {
        let mut fixed = true;
        walk(expr, &mut |part| {
            fixed &= match &part.kind {
                ExprKind::Literal(_)
                | ExprKind::Param(_)
                | ExprKind::Required(..)
                | ExprKind::SizeOf(_)
                | ExprKind::Op(..)
                | ExprKind::Convert(_)
                | ExprKind::Construct(_)
                | ExprKind::Compose(_)
                | ExprKind::Conditional { .. }
                | ExprKind::And(..)
                | ExprKind::Or(..) => true,
                ExprKind::Pick(_, pick) => !matches!(pick, Pick::Property(_)),
                ExprKind::Zero => !part.ty.is_open(),
                ExprKind::Under(_, inner) => self.is_fixed(inner),
                ExprKind::Constant(id) => {
                    matches!(&self.constants[*id].value, Lazy::Done(value) if self.is_fixed(value))
                }
                ExprKind::Call(call) => {
                    matches!(call.callee, Callee::Function { id, .. } if self.functions[id].op.is_some())
                }
                _ => false,
            }
        });
        fixed
    }
}
