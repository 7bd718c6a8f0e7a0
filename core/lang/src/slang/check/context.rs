//! Where expressions and statements are checked: the scope, the locals, the function around them.

use super::Checker;
use super::hir::{Body, Expr, ExprKind, Local, LocalId, Stmt, StmtKind};
use super::lambda::Outer;
use super::locals::Names;
use super::program::{FnId, Role, ScopeId, Signature};
use super::thrown::{Catches, Tried};
use super::types::{ParamId, Ty};
use crate::slang::ast;
use pullback_base::{Code, Diagnostic, IdVec, Span};
use std::sync::Arc;

/// What `break` can leave.
pub struct Around {
    pub is_loop: bool,
    /// A `$for`, of which no loop is left: it is only here to refuse that.
    pub is_written_out: bool,
    pub label: Option<ast::Name>,
    /// It is the body of a `do ... catch`, which errors leave, and no `break`.
    pub catches: Option<Catches>,
}

pub struct Context<'c, 'a> {
    pub checker: &'c mut Checker<'a>,
    pub scope: ScopeId,
    pub function: Option<FnId>,
    pub this: Option<LocalId>,
    pub result: Ty,
    pub locals: IdVec<LocalId, Local>,
    params: Vec<LocalId>,
    pub names: Names,
    /// In a lambda, the function around it.
    pub outer: Option<Outer>,
    /// The first `return` tells the result.
    pub infers_result: bool,
    /// Which element `each` picks here.
    pub turn: Option<usize>,
    /// A pack that is named next stands for its element.
    pub picks: bool,
    /// The variables that are packs, and their elements.
    pub packs: Vec<(LocalId, Vec<LocalId>)>,
    /// The counters of the `$for`s around this place: generic numbers to what is in them.
    pub counters: Vec<ParamId>,
    /// The loops and switches around this place, the innermost last.
    pub around: Vec<Around>,
    /// This is right behind a `try`.
    pub tried: Option<Tried>,
    /// This is in a `defer`.
    pub is_deferred: bool,
    /// The label of the statement that is being checked, for the loop or `switch` it is.
    pub label: Option<ast::Name>,
    /// Something here was wrong, and reported: no code is made of it.
    pub broken: bool,
}

impl<'c, 'a> Context<'c, 'a> {
    /// Outside of any function.
    pub fn of_scope(checker: &'c mut Checker<'a>, scope: ScopeId) -> Self {
        Self {
            checker,
            scope,
            function: None,
            this: None,
            result: Ty::Void,
            locals: IdVec::new(),
            params: Vec::new(),
            names: Names::default(),
            outer: None,
            infers_result: false,
            turn: None,
            picks: false,
            packs: Vec::new(),
            counters: Vec::new(),
            around: Vec::new(),
            tried: None,
            is_deferred: false,
            label: None,
            broken: false,
        }
    }

    pub fn of_function(checker: &'c mut Checker<'a>, id: FnId, signature: &Signature) -> Self {
        let function = checker.program.functions[id].clone();
        let mut context = Self::of_scope(checker, function.scope);
        context.function = Some(id);
        context.result = signature.result.clone();
        if let (Some(owner), Role::Method { .. } | Role::Constructor) = (function.owner, function.role) {
            let this_ty = context.checker.program.members[owner].this.clone();
            if let Ty::Struct(id, _) = this_ty {
                context.broken |= context.checker.program.structs[id].broken;
            }
            let mutable = function.role != Role::Method { mutating: false };
            let this = Local {
                name: "this".into(),
                ty: this_ty,
                span: function.ast.name.span,
                mutable,
                constant: None,
            };
            let this = context.locals.push(this);
            context.this = Some(this);
            context.params.push(this);
            if function.role == Role::Constructor {
                context.result = Ty::Void;
            }
        }
        for (index, param) in signature.params.iter().enumerate() {
            let (name, ty) = (param.name.clone(), param.ty.clone());
            let local = Local { name, ty, span: param.span, mutable: true, constant: None };
            let in_pack = function.packs.iter().any(|pack| pack.range().contains(&index));
            let local = if in_pack { context.locals.push(local) } else { context.declare_given(local) };
            context.params.push(local);
        }
        for pack in &function.packs {
            let at = context.params.len() - signature.params.len();
            let elements = context.params[at..][pack.range()].to_vec();
            context.declare_pack(pack, elements);
        }
        context
    }

    pub fn check_function_body(mut self, block: &ast::Block) -> Option<Body> {
        let mut stmts = self.initial_this(block.span);
        stmts.extend(self.body_stmts(block));
        self.into_body(stmts)
    }

    /// The statements of the body, at whose end everything is known of the function's variables.
    pub fn body_stmts(&mut self, block: &ast::Block) -> Vec<Stmt> {
        let stmts = self.block(block);
        // Where something else is wrong, what is missing may be what was not understood.
        if self.result != Ty::Void && !self.broken && super::flow::falls_through(&stmts) {
            let name = self.function_name();
            let end = match block.span.file() {
                Some(file) => Span::new(file, block.span.end.saturating_sub(1), block.span.end),
                None => block.span,
            };
            let message = format!("`{name}` can end without a value");
            let result = self.show(&self.result.clone());
            self.report(
                Diagnostic::error(Code::MissingReturn, message)
                    .at(end, format!("some path gets here without a `{result}`"))
                    .help("return a value at the end of the function"),
            );
        }
        self.leave_all();
        stmts
    }

    pub fn into_body(self, stmts: Vec<Stmt>) -> Option<Body> {
        let Self { locals, params, broken, .. } = self;
        (!broken).then_some(Body { locals, params, block: stmts })
    }

    /// A constructor begins with the fields' initial values.
    fn initial_this(&mut self, span: Span) -> Vec<Stmt> {
        let Some(this) = self.this.filter(|_| self.in_constructor()) else { return Vec::new() };
        let ty = self.locals[this].ty.clone();
        if !self.checker.has_initials(&ty, span) {
            return Vec::new();
        }
        let value = Box::new(self.initial(&ty, span));
        let place = Box::new(Expr { kind: ExprKind::Local(this), ty: ty.clone(), span });
        let assign = Expr { kind: ExprKind::Assign { place, value }, ty, span };
        vec![Stmt { kind: StmtKind::Expr(assign), span }]
    }

    pub fn function_name(&self) -> Arc<str> {
        match self.function {
            Some(id) => self.checker.program.functions[id].qualified.clone(),
            None => "".into(),
        }
    }

    // ---- Reports ----

    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.broken |= diagnostic.is_error();
        self.checker.diagnostics.push(diagnostic);
    }

    pub fn error(
        &mut self,
        code: Code,
        message: impl Into<String>,
        span: Span,
        label: impl Into<String>,
    ) -> Expr {
        self.report(Diagnostic::error(code, message).at(span, label));
        Expr::error(span)
    }

    /// An error, and what to do about it.
    pub fn error_advised(
        &mut self,
        code: Code,
        message: impl Into<String>,
        span: Span,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> Expr {
        self.report(Diagnostic::error(code, message).at(span, label).help(help));
        Expr::error(span)
    }

    /// A construct that is not there yet; `what` is plural.
    pub fn unsupported(&mut self, what: &str, span: Span) -> Expr {
        self.broken = true;
        self.checker.unsupported(what, span);
        Expr::error(span)
    }

    /// Stands for something wrong that was reported before.
    pub fn silent_error(&mut self, span: Span) -> Expr {
        self.broken = true;
        Expr::error(span)
    }

    pub fn show(&self, ty: &Ty) -> String {
        self.checker.program.show(ty)
    }

    /// The parameter of a setter that takes the new value.
    pub fn new_value(&self) -> Option<LocalId> {
        self.params.last().copied()
    }
}
