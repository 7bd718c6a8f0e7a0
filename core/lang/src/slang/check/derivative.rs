//! Derivatives as the language sees them: which types differentiate, and the signatures of `fwd_diff` and `bwd_diff`.

use super::call::FunctionSet;
use super::context::Context;
use super::differential_pointer::INCOMPLETE_POINTER_PAIR;
use super::hir::{self, Expr, ExprKind};
use super::infer::in_order;
use super::member::Item;
use super::program::{AliasId, Field, FnId, Param, Program, Role, Signature, Symbol};
use super::types::{Arg, Elem, Pairing, Subst, Ty};
use super::{Checker, done};
use crate::slang::ast;
use pullback_base::{Code, Diagnostic, Scalar, Span};
use pullback_ir::MatrixOrder;
use pullback_ir::{DerivativeMode, Direction};
use std::sync::Arc;

impl From<ast::DerivativeMode> for DerivativeMode {
    fn from(mode: ast::DerivativeMode) -> Self {
        match mode {
            ast::DerivativeMode::Forward => DerivativeMode::Forward,
            ast::DerivativeMode::Backward => DerivativeMode::Backward,
        }
    }
}

fn tangent_pair(of: &Ty) -> Ty {
    Ty::Pair(Pairing::Tangent, of.clone().into())
}

impl Program<'_> {
    /// The type of tangents of a type, where it has one.
    pub fn differential(&self, ty: &Ty) -> Option<Ty> {
        match ty {
            Ty::Error => Some(Ty::Error),
            Ty::Number(Elem::Scalar(scalar), _) => scalar.is_float().then(|| ty.clone()),
            Ty::Number(Elem::Param(_), _) | Ty::Assoc(..) => self.differential_of_abstract(ty),
            Ty::Array(element, count) => Some(Ty::Array(self.differential(element)?.into(), count.clone())),
            Ty::Pair(Pairing::Tangent, of) => Some(tangent_pair(&self.differential(of)?)),
            Ty::Differential(of) => self.differential(of).map(|_| ty.clone()),
            // A value that is there has a tangent; `none` has none.
            Ty::Struct(..) if let Some(held) = self.held(ty) => self.optional_of(&self.differential(held)?),
            Ty::Struct(..) => self.is_differentiable_struct(ty).then(|| self.differential_of_struct(ty)),
            Ty::Interface(interface) => {
                let is_differentiable = self.interfaces[interface.id].bound.differentiable;
                is_differentiable.then(|| Ty::Differential(ty.clone().into()))
            }
            Ty::Void
            | Ty::Enum(_)
            | Ty::Buffer(..)
            | Ty::Pointer(..)
            | Ty::Atomic(_)
            | Ty::Pair(Pairing::Pointer, _) => None,
        }
    }

    fn differential_of_abstract(&self, ty: &Ty) -> Option<Ty> {
        let bound = match ty {
            Ty::Number(Elem::Param(param), _) => self.bound(*param),
            Ty::Assoc(_, requirement) => self.requirement_bound(*requirement),
            _ => return None,
        };
        if bound.is_float() {
            return Some(ty.clone());
        }
        if let Some(stated) = self.stated_equal(&Ty::Differential(ty.clone().into())) {
            return Some(stated);
        }
        let promises =
            || self.promised(ty).iter().any(|promise| self.interfaces[promise.id].bound.differentiable);
        (ty.is_abstract() && (bound.differentiable || promises()))
            .then(|| Ty::Differential(ty.clone().into()))
    }

    /// Whether a struct says that it is `IDifferentiable`, itself, by an interface or by an extension.
    fn is_differentiable_struct(&self, ty: &Ty) -> bool {
        self.differentiable.iter().any(|&members| self.members_subst(members, ty).is_some())
            || self.conformances.iter().any(|conformance| {
                self.interfaces[conformance.interface.id].bound.differentiable
                    && self.members_subst(conformance.members, ty).is_some()
            })
    }

    /// The alias by which a struct tells its tangents' type.
    pub fn differential_alias(&self, ty: &Ty) -> Option<AliasId> {
        match self.member_of(ty, "Differential") {
            Some(Symbol::Alias(id)) => Some(id),
            _ => None,
        }
    }

    /// What a type itself says that its `Differential` is.
    pub fn declared_differential(&self, ty: &Ty) -> Option<Ty> {
        match self.member_of(ty, "Differential") {
            Some(Symbol::Alias(id)) => {
                let alias = &self.aliases[id];
                let subst = alias.owner.and_then(|owner| self.members_subst(owner, ty));
                Some(match (done(&alias.ty), subst) {
                    (Some(alias), Some(subst)) => alias.subst(self, &subst),
                    _ => Ty::Error,
                })
            }
            Some(Symbol::Struct(id)) => {
                let decl = &self.structs[id];
                let subst = decl.owner.and_then(|owner| self.members_subst(owner, ty));
                let this = &self.members[decl.members].this;
                Some(subst.map_or(Ty::Error, |subst| this.subst(self, &subst)))
            }
            _ => None,
        }
    }

    fn differential_of_struct(&self, ty: &Ty) -> Ty {
        if let Some(declared) = self.declared_differential(ty) {
            return declared;
        }
        // A struct all of whose fields are their own tangents is its own.
        let fields = self.fields_of(ty);
        let is_own = |field: &Field| {
            !field.no_diff && (field.ty == *ty || self.differential(&field.ty).as_ref() == Some(&field.ty))
        };
        if fields.iter().all(is_own) { ty.clone() } else { Ty::Differential(ty.clone().into()) }
    }

    /// The field of a struct's tangents that holds those of its field: of the same name, or as `[DerivativeMember]` says.
    pub fn tangent_field(&self, ty: &Ty, field: &Arc<str>) -> Arc<str> {
        let Ty::Struct(id, _) = ty else { return field.clone() };
        let members = &self.structs[*id].ast.members;
        let is_field =
            |decl: &&ast::Decl| matches!(&decl.kind, ast::DeclKind::Var(var) if var.name.text == *field);
        let attributes = members.iter().find(is_field).into_iter().flat_map(|decl| &decl.attributes);
        let mut named = attributes.filter(|attribute| &*attribute.name.text == "DerivativeMember");
        match named.next().and_then(|attribute| attribute.args.first()).map(|arg| &arg.kind) {
            Some(ast::ExprKind::Member { name, .. }) => name.text.clone(),
            _ => field.clone(),
        }
    }

    /// The fields of the tangents' type that a struct gets: those of its fields that have tangents.
    pub fn differential_fields(&self, of: &Ty) -> Arc<[Field]> {
        if let Ty::Interface(interface) = of {
            return self.tangents_inside(interface);
        }
        let fields = self.fields_of(of);
        let tangents = fields.iter().filter(|field| !field.no_diff).filter_map(|field| {
            let ty = self.differential(&field.ty)?;
            Some(Field { name: field.name.clone(), ty, no_diff: false, order: field.order })
        });
        tangents.collect()
    }

    pub fn pair_fields(&self, pairing: Pairing, of: &Ty) -> Arc<[Field]> {
        let field =
            |name: &str, ty: Ty| Field { name: name.into(), ty, no_diff: false, order: MatrixOrder::Rows };
        let dual = self.dual(pairing, of).unwrap_or(Ty::Error);
        Arc::new([field("p", of.clone()), field("d", dual)])
    }

    /// A member of a pair or of a synthesized type of tangents.
    pub fn dual_member(&self, ty: &Ty, name: &str) -> Option<Symbol> {
        let index = match ty {
            Ty::Pair(..) => {
                ["p", "d"].iter().position(|field| *field == if name == "v" { "p" } else { name })
            }
            // Which one is inside is told by the value alone.
            Ty::Differential(of) if matches!(**of, Ty::Interface(_)) => None,
            Ty::Differential(of) => {
                self.differential_fields(of).iter().position(|field| &*field.name == name)
            }
            _ => None,
        };
        index.map(|index| Symbol::Field(index as u32))
    }

    /// `this` as the first parameter of a method, where it is one.
    pub fn this_param(&self, id: FnId) -> Option<Param> {
        let function = &self.functions[id];
        let Role::Method { mutating } = function.role else { return None };
        let ty = self.members[function.owner?].this.clone();
        let no_diff = function.decl.attributes.iter().any(|attribute| &*attribute.name.text == "NoDiffThis");
        let direction = if mutating { Direction::InOut } else { Direction::In };
        Some(Param {
            name: "this".into(),
            ty,
            direction,
            no_diff,
            default: None,
            span: function.ast.name.span,
        })
    }

    /// The signature of a derivative; `this` is a parameter like others.
    pub fn derivative_signature(&self, of: &Signature, mode: DerivativeMode) -> Signature {
        let tangent = |ty: &Ty, no_diff: bool| if no_diff { None } else { self.differential(ty) };
        // What has no tangents is passed on as it is, and a pointer with where its derivatives are.
        let constant = |ty: &Ty, no_diff: bool| match self.pairing(ty) {
            Some(Pairing::Pointer) if !no_diff => Ty::Pair(Pairing::Pointer, ty.clone().into()),
            _ => ty.clone(),
        };
        let mut params: Vec<Param> = Vec::new();
        for param in &of.params {
            let pair = || if param.ty.is_error() { Ty::Error } else { tangent_pair(&param.ty) };
            let same = || constant(&param.ty, param.no_diff);
            let (ty, direction) = match (tangent(&param.ty, param.no_diff), mode, param.direction) {
                (Some(_), DerivativeMode::Forward, direction) => (pair(), direction),
                (None, DerivativeMode::Forward, direction) => (same(), direction),
                (Some(tangent), DerivativeMode::Backward, Direction::Out) => (tangent, Direction::In),
                (None, DerivativeMode::Backward, Direction::Out) => continue,
                (Some(_), DerivativeMode::Backward, _) => (pair(), Direction::InOut),
                (None, DerivativeMode::Backward, _) => (same(), Direction::In),
            };
            params.push(Param { ty, direction, default: None, ..param.clone() });
        }
        let (mut result, mut result_no_diff) = (Ty::Void, false);
        match (mode, tangent(&of.result, of.result_no_diff)) {
            (DerivativeMode::Forward, None) => {
                result = constant(&of.result, of.result_no_diff);
                result_no_diff = of.result_no_diff;
            }
            (DerivativeMode::Forward, Some(_)) => result = tangent_pair(&of.result),
            (DerivativeMode::Backward, Some(ty)) => params.push(Param {
                name: "dOut".into(),
                ty,
                direction: Direction::In,
                no_diff: false,
                default: None,
                span: Span::NONE,
            }),
            (DerivativeMode::Backward, None) => {}
        }
        Signature {
            generics: of.generics.clone(),
            outer: of.outer,
            params,
            result,
            result_no_diff,
            broken: of.broken,
        }
    }
}

impl Checker<'_> {
    /// A function's signature with `this` as a parameter like others.
    pub fn flat_signature(&mut self, id: FnId) -> Signature {
        let declared = self.signature(id);
        let this = self.program.this_param(id);
        Signature {
            generics: declared.generics.clone(),
            params: this.iter().chain(&declared.params).cloned().collect(),
            result: declared.result.clone(),
            ..*declared
        }
    }

    /// A function as the calls of a set see it: as declared, or as its derivative.
    pub fn signature_in(&mut self, set: &FunctionSet, id: FnId) -> Arc<Signature> {
        let declared = self.signature(id);
        if set.derivatives.is_empty() {
            return declared;
        }
        let (seen, known) = self.program.seen_in(set, id).unwrap_or_default();
        let mut signature = self.flat_signature(id).subst(&self.program, &seen);
        for &mode in &set.derivatives {
            signature = self.program.derivative_signature(&signature, mode);
        }
        Arc::new(signature.subst(&self.program, &known))
    }
}

impl Context<'_, '_> {
    /// `fwd_diff(f)` and `bwd_diff(f)`, to be called.
    pub fn derivative(&mut self, mode: ast::DerivativeMode, function: &ast::Expr) -> Item {
        let item = match &function.kind {
            ast::ExprKind::Derivative { mode, function: inner } => self.derivative(*mode, inner),
            _ => self.function_item(function),
        };
        self.derivative_of(item, mode, function.span)
    }

    /// The derivative of what an expression names.
    pub fn derivative_of(&mut self, item: Item, mode: ast::DerivativeMode, span: Span) -> Item {
        match item {
            Item::Functions(mut set) => {
                let is_this =
                    |receiver: &Expr| matches!(receiver.kind, ExprKind::Local(id) if self.this == Some(id));
                let is_static =
                    |id: &FnId| !matches!(self.checker.program.functions[*id].role, Role::Method { .. });
                if set.receiver.as_deref().is_some_and(|receiver| matches!(receiver.ty, Ty::Interface(_)))
                    && set.candidates.iter().all(is_static)
                {
                    // The object tells which function is meant, and is no argument of it.
                    set.derivatives.push(mode.into());
                    return Item::Functions(set);
                }
                if set.receiver.as_deref().is_some_and(|receiver| !is_this(receiver)) {
                    return Item::Value(self.error(
                        Code::TypeMismatch,
                        "the derivative of a method takes its object as the first argument",
                        span,
                        "name the method by its type",
                    ));
                }
                set.receiver = None;
                set.derivatives.push(mode.into());
                Item::Functions(set)
            }
            Item::Value(value) if value.is_error() => Item::Value(self.silent_error(span)),
            _ => Item::Value(self.error(
                Code::TypeMismatch,
                "only functions have derivatives",
                span,
                "not a function",
            )),
        }
    }

    pub fn call_derivative(
        &mut self,
        set: &FunctionSet,
        function: FnId,
        subst: &Subst,
        args: Vec<Expr>,
        span: Span,
    ) -> Expr {
        let signature = self.checker.signature_in(set, function);
        self.checker.want(function);
        let Some(args) = self.arguments(&signature, subst, args, span) else {
            return self.silent_error(span);
        };
        let ty = signature.result.subst(&self.checker.program, subst);
        let generics = in_order(&self.checker.program, function, subst);
        if let Some(report) = self.checker.program.not_given(function, &generics, set.derivatives[0], span) {
            self.report(report);
            return Expr::error(span);
        }
        let object = set.receiver.as_deref().filter(|object| self.is_object_of(function, object)).cloned();
        let by_object = object.is_some() || self.checker.program.this_param(function).is_some();
        let args = object.into_iter().chain(args).collect();
        let mut callee = self.callee(function, generics, by_object);
        for &mode in &set.derivatives {
            callee = hir::Callee::Derivative { mode, of: Box::new(callee) };
        }
        let call = hir::Call { callee, args, detached: false };
        Expr { kind: ExprKind::Call(call), ty, span }
    }

    /// `ty.Differential`
    pub fn differential_type(&mut self, ty: &Ty, span: Span) -> Ty {
        self.settle_differential(ty, span);
        if let Some(differential) = self.checker.program.any_differential(ty) {
            return differential;
        }
        self.not_differentiable(Pairing::Tangent, ty, span);
        Ty::Error
    }

    /// The type of what stands beside a value in a pair.
    pub fn dual_type(&mut self, pairing: Pairing, ty: &Ty, span: Span) -> Ty {
        self.settle_differential(ty, span);
        match self.checker.program.dual(pairing, ty) {
            Some(dual) => dual,
            None => {
                self.not_differentiable(pairing, ty, span);
                Ty::Error
            }
        }
    }

    fn settle_differential(&mut self, ty: &Ty, span: Span) {
        if let Some(alias) = self.checker.program.differential_alias(ty) {
            self.checker.alias(alias, span);
        }
    }

    fn not_differentiable(&mut self, pairing: Pairing, ty: &Ty, span: Span) {
        let shown = self.show(ty);
        let (message, help) = match pairing {
            Pairing::Tangent => (
                format!("`{shown}` has no tangents"),
                "float types, arrays of them and structs that are `IDifferentiable` have them",
            ),
            Pairing::Pointer => (
                format!("`{shown}` is no differentiable pointer"),
                "structs that are `IDifferentiablePtrType`, and arrays of them, are",
            ),
        };
        self.report(
            Diagnostic::error(Code::NotDifferentiable, message).at(span, "asked for here").help(help),
        );
    }

    /// `DifferentialPair<T>`, `DifferentialPtrPair<T>`
    pub fn pair_type(&mut self, pairing: Pairing, args: &[ast::GenericArg], span: Span) -> Ty {
        let [arg] = args else {
            let name = pairing.name();
            let message = format!("`{name}` takes one generic argument");
            return self.error(Code::TypeMismatch, message, span, format!("write `{name}<T>`")).ty;
        };
        match self.generic_arg(arg) {
            Some(Arg::Type(ty)) => {
                let dual = self.dual_type(pairing, &ty, span);
                if dual.is_error() { Ty::Error } else { Ty::Pair(pairing, ty.into()) }
            }
            _ => Ty::Error,
        }
    }

    /// `DifferentialPair<T>(p, d)`: the tangent is zero where it is left out. A pointer's second part is never left out.
    pub fn pair(&mut self, pairing: Pairing, of: &Ty, mut args: Vec<Expr>, span: Span) -> Expr {
        if args.iter().any(Expr::is_error) {
            return self.silent_error(span);
        }
        let tangent = self.dual_type(pairing, of, span);
        let (least, message) = match pairing {
            Pairing::Tangent => (1, "a pair is made of a value and its tangent"),
            Pairing::Pointer => (2, INCOMPLETE_POINTER_PAIR),
        };
        if !(least..=2).contains(&args.len()) {
            return self.error(Code::TypeMismatch, message, span, "here");
        }
        let dual = match args.len() {
            2 => args.pop(),
            _ => None,
        };
        let dual = match dual {
            Some(dual) => self.coerce(dual, &tangent, "the tangent"),
            None => Expr { kind: ExprKind::Zero, ty: tangent, span },
        };
        let Some(primal) = args.pop() else { return self.silent_error(span) };
        let primal = self.coerce(primal, of, "the value");
        if primal.is_error() || dual.is_error() {
            return self.silent_error(span);
        }
        Expr { kind: ExprKind::Construct(vec![primal, dual]), ty: Ty::Pair(pairing, of.clone().into()), span }
    }

    /// `diffPair(p, d)`: the pair type follows from the value.
    pub fn diff_pair(&mut self, args: &[ast::Expr], span: Span) -> Expr {
        let [first, rest @ ..] = args else {
            return self.error(Code::TypeMismatch, "a pair is made of a value and its tangent", span, "here");
        };
        let first = self.expr(first);
        if first.is_error() {
            return self.silent_error(span);
        }
        let mut of = first.ty.clone();
        if of.known_scalar().is_some_and(Scalar::is_integer) {
            let (_, shape) = of.number().unwrap_or((Elem::Scalar(Scalar::F32), super::types::Shape::Scalar));
            of = Ty::Number(Elem::Scalar(Scalar::F32), shape);
        }
        let tangent = self.dual_type(Pairing::Tangent, &of, span);
        let rest = rest.iter().map(|arg| self.expr_for(arg, &tangent));
        let args = std::iter::once(first).chain(rest).collect();
        self.pair(Pairing::Tangent, &of, args, span)
    }
}

impl Context<'_, '_> {
    /// Calls of what the language itself declares of pairs and tangents; `None` when it is another call.
    pub fn dual_call(&mut self, callee: &ast::Expr, args: &[ast::Expr], span: Span) -> Option<Expr> {
        match &callee.kind {
            ast::ExprKind::Name(name) if &*name.text == "diffPair" && self.lookup(&name.text).is_none() => {
                Some(self.diff_pair(args, span))
            }
            ast::ExprKind::Generic { base, args: generics }
                if matches!(&base.kind, ast::ExprKind::Name(name)
                    if &*name.text == "diffPair" && self.lookup(&name.text).is_none()) =>
            {
                let ty = self.pair_type(Pairing::Tangent, generics, span);
                Some(self.construct(&ty, args, span))
            }
            ast::ExprKind::Member { base, name } => {
                let field = match &*name.text {
                    "getPrimal" => Some(0),
                    "getDifferential" => Some(1),
                    "dzero" | "dadd" | "dmul" => None,
                    _ => return None,
                };
                match (self.item(base), field) {
                    (Item::Value(pair), Some(field))
                        if matches!(pair.ty, Ty::Pair(..)) && args.is_empty() =>
                    {
                        Some(self.field(pair, field, span))
                    }
                    (Item::Type(ty), None) if self.checker.program.member_of(&ty, &name.text).is_none() => {
                        let tangent = self.dual_type(Pairing::Tangent, &ty, base.span);
                        Some(self.tangent_call(&name.text, tangent, args, span))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// `T.dzero()`, `T.dadd(a, b)`, `T.dmul(s, a)` of a type that does not declare them.
    fn tangent_call(&mut self, name: &str, tangent: Ty, args: &[ast::Expr], span: Span) -> Expr {
        let args: Vec<Expr> = args.iter().map(|arg| self.expr_for(arg, &tangent)).collect();
        if tangent.is_error() || args.iter().any(Expr::is_error) {
            return self.silent_error(span);
        }
        let kind = match (name, &args[..]) {
            ("dzero", []) => ExprKind::Zero,
            ("dadd", [a, b]) => {
                let [a, b] = [a, b].map(|arg| self.coerce(arg.clone(), &tangent, "a tangent"));
                ExprKind::Tangent(hir::TangentOp::Add, Box::new([a, b]))
            }
            ("dmul", [factor, a]) => {
                let a = self.coerce(a.clone(), &tangent, "a tangent");
                ExprKind::Tangent(hir::TangentOp::Scale, Box::new([factor.clone(), a]))
            }
            _ => {
                let message = format!("`{name}` takes other arguments");
                return self.error(Code::NoOverload, message, span, "called here");
            }
        };
        Expr { kind, ty: tangent, span }
    }
}
