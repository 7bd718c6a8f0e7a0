//! Calls: of functions, methods, and types (conversions and constructors).

use super::assertion;
use super::context::Context;
use super::hir::{self, Expr, ExprKind};
use super::infer::in_order;
use super::member::Item;
use super::program::{FnId, Role, Signature};
use super::types::{Arg, Subst, Ty};
use crate::slang::ast;
use pullback_base::{Code, Diagnostic, Span};
use pullback_ir::{DerivativeMode, Direction};
use std::sync::Arc;

/// The functions a name may mean in a call.
pub struct FunctionSet {
    pub name: Arc<str>,
    pub candidates: Vec<FnId>,
    /// `object` of `object.name(...)`, or `this`.
    pub receiver: Option<Box<Expr>>,
    /// `name<...>(...)`
    pub generics: Option<Vec<Arg>>,
    /// The type it was asked of: that of the receiver, or `S` of `S.name(...)`.
    pub of: Option<Ty>,
    /// What is called is this derivative of it, innermost first.
    pub derivatives: Vec<DerivativeMode>,
}

impl FunctionSet {
    /// The constructors of a type, to be called like functions.
    pub fn constructors(name: Arc<str>, candidates: &[FnId], of: &Ty) -> Self {
        Self { candidates: candidates.to_vec(), of: Some(of.clone()), ..Self::named(name) }
    }

    /// No functions yet.
    pub fn named(name: Arc<str>) -> Self {
        Self {
            name,
            candidates: Vec::new(),
            receiver: None,
            generics: None,
            of: None,
            derivatives: Vec::new(),
        }
    }
}

impl Context<'_, '_> {
    pub fn call(&mut self, callee: &ast::Expr, args: &[ast::Expr], span: Span) -> Expr {
        if let Some(value) = self.dual_call(callee, args, span) {
            return value;
        }
        if let ast::ExprKind::Name(name) = &callee.kind
            && &*name.text == assertion::NAME
            && self.lookup(&name.text).is_none()
        {
            return self.static_assert(args, span);
        }
        if let ast::ExprKind::Name(name) = &callee.kind
            && &*name.text == "countof"
            && self.lookup(&name.text).is_none()
        {
            return match args {
                [operand] => self.count_of(operand, span),
                _ => self.wrong_count("countof", "one pack", span),
            };
        }
        // What is tried is this call, not one that tells what is called.
        let tried = self.tried.take();
        let item = self.item(callee);
        self.tried = tried;
        match item {
            Item::Type(ty) => self.construct(&ty, args, span),
            Item::Functions(set) => self.call_function(set, args, span),
            Item::Builtin(builtin) => self.call_builtin(builtin, args, span),
            Item::Value(value) if value.is_error() => {
                args.iter().for_each(|arg| {
                    self.expr(arg);
                });
                self.silent_error(span)
            }
            Item::Value(value) => {
                if let Some(set) = self.call_operator_of(&value) {
                    return self.call_function(set, args, span);
                }
                let shown = self.show(&value.ty);
                self.error_advised(
                    Code::TypeMismatch,
                    format!("`{shown}` cannot be called"),
                    callee.span,
                    "a value, not a function",
                    "multiply by `*`, or call a function",
                )
            }
            Item::Namespace(_) => {
                self.error(Code::TypeMismatch, "a namespace cannot be called", callee.span, "not a function")
            }
        }
    }

    fn call_function(&mut self, set: FunctionSet, args: &[ast::Expr], span: Span) -> Expr {
        let Some(thrown) = self.thrown_argument(&set.candidates, span) else { return Expr::error(span) };
        let outer = self.tried.take();
        let mut args = self.arguments_of(&set, args);
        self.tried = outer;
        args.extend(thrown);
        if args.iter().any(Expr::is_error) {
            return self.silent_error(span);
        }
        match self.choose(&set, &args, span) {
            Some((function, subst)) if !set.derivatives.is_empty() => {
                self.call_derivative(&set, function, &subst, args, span)
            }
            Some((function, subst)) => self.call_of(function, &subst, set.receiver, args, span),
            None => self.silent_error(span),
        }
    }

    /// The arguments of a call. An initializer list takes the parameter's type, where one candidate alone tells it: lists are of arrays
    /// and structs before they are of vectors.
    pub fn arguments_of(&mut self, set: &FunctionSet, args: &[ast::Expr]) -> Vec<Expr> {
        let mut argument = |(index, arg): (usize, &ast::Expr)| {
            if let ast::ExprKind::InitList(_) = arg.kind {
                let candidates = set.candidates.iter();
                let mut wanted: Vec<Ty> =
                    candidates.filter_map(|&id| self.wanted(set, id, index, args.len())).collect();
                if wanted.len() > 1 {
                    wanted.retain(|ty| ty.number().is_none());
                }
                if let [ty] = &wanted[..] {
                    return self.expr_for(arg, ty);
                }
            }
            self.expr(arg)
        };
        args.iter().enumerate().map(&mut argument).collect()
    }

    /// The type of a candidate's parameter, where it takes so many arguments.
    fn wanted(&mut self, set: &FunctionSet, id: FnId, index: usize, count: usize) -> Option<Ty> {
        let signature = self.checker.signature_in(set, id);
        let most = signature.params.len();
        let param = signature.params.get(index).filter(|_| count <= most)?;
        let of = self.checker.program.outer_subst(id, set.of.as_ref()).unwrap_or_default();
        Some(param.ty.subst(&self.checker.program, &of))
    }

    /// The call of a chosen function: converts the arguments and adds the defaults.
    pub fn call_of(
        &mut self,
        function: FnId,
        subst: &Subst,
        receiver: Option<Box<Expr>>,
        args: Vec<Expr>,
        span: Span,
    ) -> Expr {
        let signature = self.checker.signature(function);
        self.checker.want(function);
        let generics = in_order(&self.checker.program, function, subst);
        let role = self.checker.program.functions[function].role;
        let mut values = Vec::with_capacity(args.len() + 1);
        let object = receiver.filter(|receiver| self.is_object_of(function, receiver));
        let by_object = object.is_some();
        if let Some(object) = object {
            if role == (Role::Method { mutating: true }) && !self.mutable_receiver(&object, function) {
                return self.silent_error(span);
            }
            values.push(*object);
        }
        let Some(args) = self.arguments(&signature, subst, args, span) else {
            return self.silent_error(span);
        };
        values.extend(args);
        let ty = signature.result.subst(&self.checker.program, subst);
        self.broken |= ty.is_error();
        let callee = self.callee(function, generics, by_object);
        if let hir::Callee::Requirement { this: Ty::Interface(interface), requirement, .. } = &callee
            && let Some(why) = self.checker.program.undispatchable(*requirement, by_object)
        {
            let report = self.checker.program.report_undispatchable(interface, *requirement, span, why);
            self.report(report);
            return Expr::error(span);
        }
        let call = hir::Call { callee, args: values, detached: false };
        Expr { kind: ExprKind::Call(call), ty, span }
    }

    /// The arguments as the parameters take them, defaults added; `None` when something is wrong.
    pub fn arguments(
        &mut self,
        signature: &Signature,
        subst: &Subst,
        args: Vec<Expr>,
        span: Span,
    ) -> Option<Vec<Expr>> {
        let mut values = Vec::with_capacity(args.len());
        let mut args = args.into_iter();
        for param in &signature.params {
            let value = match (args.next(), &param.default) {
                (Some(arg), _) if param.direction == Direction::In => {
                    let wanted = param.ty.subst(&self.checker.program, subst);
                    self.coerce(arg, &wanted, &format!("parameter `{}`", param.name))
                }
                (Some(arg), _) => {
                    if !self.assignable(&arg) {
                        return None;
                    }
                    arg
                }
                (None, Some(default)) => Expr { span, ..Expr::clone(default) },
                (None, None) => return None,
            };
            if value.is_error() {
                return None;
            }
            values.push(value);
        }
        Some(values)
    }

    /// A function of an interface is a requirement: the type that conforms, the last parameter of the interface, tells what is called.
    pub fn callee(&self, function: FnId, generics: Vec<Arg>, by_object: bool) -> hir::Callee {
        let program = &self.checker.program;
        let decl = &program.functions[function];
        let Some((requirement, owner)) = decl.requirement.zip(decl.owner) else {
            return hir::Callee::Function { id: function, generics };
        };
        match generics.get(program.members[owner].generics.len() - 1).cloned() {
            Some(Arg::Type(this)) => hir::Callee::Requirement { this, requirement, generics, by_object },
            _ => hir::Callee::Function { id: function, generics },
        }
    }

    /// Whether a function that was asked of a value takes it: methods do, and what an interface asks for where only the value
    /// tells the type.
    pub fn is_object_of(&self, function: FnId, receiver: &Expr) -> bool {
        let function = &self.checker.program.functions[function];
        let tells = function.requirement.is_some() && matches!(receiver.ty, Ty::Interface(_));
        tells || matches!(function.role, Role::Method { .. })
    }

    fn mutable_receiver(&mut self, receiver: &Expr, function: FnId) -> bool {
        use ExprKind::{Global, Local, Memory, Pick};
        let is_place = matches!(receiver.kind, Local(_) | Pick(..) | Memory(_) | Global(_));
        if is_place {
            return self.assignable(receiver);
        }
        let name = self.checker.program.functions[function].name.clone();
        self.report(
            Diagnostic::error(Code::NotAssignable, format!("`{name}` changes its object"))
                .at(receiver.span, "a constant or a computed value: the change would be lost")
                .help("put the object into a variable first"),
        );
        false
    }

    /// `T(args)`
    pub fn construct(&mut self, ty: &Ty, args: &[ast::Expr], span: Span) -> Expr {
        if ty.is_error() {
            return self.silent_error(span);
        }
        if let Ty::Pair(pairing, of) = ty {
            let tangent = self.dual_type(*pairing, of, span);
            let of = Ty::clone(of);
            let mut values: Vec<Expr> = Vec::new();
            for (arg, ty) in args.iter().zip([&of, &tangent]) {
                values.push(self.expr_for(arg, ty));
            }
            return self.pair(*pairing, &of, values, span);
        }
        let is_struct = matches!(ty, Ty::Struct(..) | Ty::Differential(_));
        if is_struct || ty.is_abstract() {
            let constructors = self.checker.program.member_of(ty, "__init");
            if let Some(super::program::Symbol::Functions(candidates)) = constructors {
                let name = self.show(ty).into();
                let set = FunctionSet::constructors(name, &candidates, ty);
                return self.call_function(set, args, span);
            }
            if is_struct {
                return self.init_list(args, ty, span);
            }
        }
        if let (Ty::Array(..), _) | (_, []) = (ty, args) {
            return self.init_list(args, ty, span);
        }
        let args: Vec<Expr> = args.iter().map(|arg| self.expr_for(arg, ty)).collect();
        if args.iter().any(Expr::is_error) {
            return self.silent_error(span);
        }
        if let [arg] = &args[..] {
            return self.cast(arg.clone(), ty, span);
        }
        self.compose(ty, args, span)
    }
}
