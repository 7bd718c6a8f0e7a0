//! Statements.

use super::context::{Around, Context};
use super::global::GlobalType;
use super::hir::{Expr, ExprKind, Local, Loop, Stmt, StmtKind};
use super::program::{Global, GlobalKind, Lazy};
use super::types::Ty;
use super::visibility::Visibility;
use crate::slang::ast::{self, DeclKind, ModifierKind, StmtKind as Ast};
use pullback_base::{Code, Diagnostic, Span};
use pullback_ir::MatrixOrder;
use std::sync::Arc;

impl Context<'_, '_> {
    pub fn block(&mut self, block: &ast::Block) -> Vec<Stmt> {
        let mut out = Vec::with_capacity(block.stmts.len());
        for stmt in &block.stmts {
            self.stmt(stmt, &mut out);
        }
        out
    }

    /// A statement in a block of its own: the arm of an `if`, the body of a loop.
    pub fn nested(&mut self, stmt: &ast::Stmt) -> Vec<Stmt> {
        self.scoped(|context| match &stmt.kind {
            Ast::Block(block) => context.block(block),
            _ => {
                let mut out = Vec::new();
                context.stmt(stmt, &mut out);
                out
            }
        })
    }

    pub fn stmt(&mut self, stmt: &ast::Stmt, out: &mut Vec<Stmt>) {
        let span = stmt.span;
        let kind = match &stmt.kind {
            Ast::Block(block) => StmtKind::Block(self.scoped(|context| context.block(block))),
            Ast::Decl(decls) => return decls.iter().for_each(|decl| self.local_decl(decl, out)),
            Ast::Expr(expr) if let Some(turns) = self.turns_of(expr) => {
                StmtKind::Block(self.written_out(&turns))
            }
            Ast::Expr(expr) => StmtKind::Expr(self.expr(expr)),
            Ast::If { condition, then, otherwise } => {
                self.branch_attributes(&stmt.attributes);
                if let ast::Condition::Let(decl) = condition {
                    let stmts = self.if_let(decl, then, otherwise.as_deref(), span);
                    return out.push(Stmt { kind: StmtKind::Block(stmts), span });
                }
                let condition = self.condition_of(condition);
                let then = self.nested(then);
                let otherwise = otherwise.as_ref().map_or_else(Vec::new, |stmt| self.nested(stmt));
                StmtKind::If(condition, then, otherwise)
            }
            Ast::For { init, condition, step, body } => {
                let hints = self.loop_hints(&stmt.attributes);
                let stmts = self.scoped(|context| {
                    let mut out = Vec::new();
                    context.stmt(init, &mut out);
                    let condition = condition.as_ref().map(|condition| {
                        let condition = context.expr(condition);
                        context.condition(condition)
                    });
                    let step = step.as_ref().map(|step| context.expr(step));
                    let body = context.loop_body(body);
                    let kind =
                        StmtKind::Loop(Box::new(Loop { condition, test_last: false, body, step, hints }));
                    out.push(Stmt { kind, span });
                    out
                });
                self.check_ends(&stmts, span);
                StmtKind::Block(stmts)
            }
            Ast::CompileTimeFor { counter, from, to, body } => {
                self.compile_time_for(counter, from.as_ref(), to, body)
            }
            Ast::While { condition, body } => {
                let hints = self.loop_hints(&stmt.attributes);
                let condition = Some(self.condition_of(condition));
                let body = self.loop_body(body);
                StmtKind::Loop(Box::new(Loop { condition, test_last: false, body, step: None, hints }))
            }
            Ast::DoWhile { body, condition } => {
                let hints = self.loop_hints(&stmt.attributes);
                let body = self.loop_body(body);
                let condition = self.expr(condition);
                let condition = Some(self.condition(condition));
                StmtKind::Loop(Box::new(Loop { condition, test_last: true, body, step: None, hints }))
            }
            Ast::Switch { value, cases } => {
                self.branch_attributes(&stmt.attributes);
                self.switch(value, cases)
            }
            Ast::Defer(body) => self.defer(body),
            Ast::DoCatch { body, catches } => self.do_catch(body, catches),
            Ast::Throw(error) => self.throw(error, span),
            Ast::TargetSwitch(switch) => self.target_switch(switch, span),
            Ast::Labelled(label, inner) => return self.labelled(label, inner, out),
            Ast::Break(label) => match self.break_(label.as_ref(), span) {
                Some(kind) => kind,
                None => return,
            },
            Ast::Continue if let Some(around) = self.around.iter().rfind(|around| around.is_loop) => {
                let is_written_out = around.is_written_out;
                if self.leaves_written_out("continue", is_written_out, span) {
                    return;
                }
                StmtKind::Continue
            }
            Ast::Continue => {
                let message = "`continue` outside of a loop";
                self.error(Code::InvalidControlFlow, message, span, "nothing to leave here");
                return;
            }
            Ast::Return(value) => self.return_(value.as_ref(), span),
            Ast::Discard => {
                self.unsupported("`discard` statements", span);
                return;
            }
            Ast::Empty => return,
            Ast::Error => {
                self.broken = true;
                return;
            }
        };
        let stmt = Stmt { kind, span };
        self.check_ends(std::slice::from_ref(&stmt), span);
        out.push(stmt);
    }

    /// `defer ...`: no jump leaves it.
    fn defer(&mut self, body: &ast::Stmt) -> StmtKind {
        let around = std::mem::take(&mut self.around);
        let is_outer = std::mem::replace(&mut self.is_deferred, true);
        let body = self.nested(body);
        self.is_deferred = is_outer;
        self.around = around;
        StmtKind::Defer(body.into())
    }

    fn condition_of(&mut self, condition: &ast::Condition) -> Expr {
        match condition {
            ast::Condition::Expr(expr) => {
                let expr = self.expr(expr);
                self.condition(expr)
            }
            ast::Condition::Let(decl) => self.unsupported("`while (let ...)` loops", decl.span),
        }
    }

    fn loop_body(&mut self, body: &ast::Stmt) -> Vec<Stmt> {
        // `break` in the loop means the loop, whatever switch is around it.
        self.enter(true);
        let body = self.nested(body);
        self.around.pop();
        body
    }

    /// Begins what `break` can leave, under the label before it.
    pub fn enter(&mut self, is_loop: bool) {
        let label = self.label.take();
        self.around.push(Around { is_loop, is_written_out: false, label, catches: None });
    }

    /// `outer: for (...) ...`
    fn labelled(&mut self, label: &ast::Name, stmt: &ast::Stmt, out: &mut Vec<Stmt>) {
        use Ast::{DoWhile, For, Switch, While};
        if !matches!(stmt.kind, For { .. } | While { .. } | DoWhile { .. } | Switch { .. }) {
            let message = format!("label `{}` stands before no loop or `switch`", label.text);
            let help = "put it before what `break` is to leave";
            self.error_advised(Code::InvalidControlFlow, message, label.span, "means nothing here", help);
        }
        let taken = self.around.iter().filter_map(|around| around.label.as_ref());
        if let Some(first) = taken.clone().find(|taken| taken.text == label.text) {
            let first = first.span;
            self.broken = true;
            self.checker.duplicate(&label.text, label.span, first);
        }
        self.label = Some(label.clone());
        self.stmt(stmt, out);
        self.label = None;
    }

    /// `break;` and `break outer;`
    fn break_(&mut self, label: Option<&ast::Name>, span: Span) -> Option<StmtKind> {
        let Some(label) = label else {
            let mut around = self.around.iter().rev().filter(|around| around.catches.is_none());
            let Some(innermost) = around.next() else {
                let message = "`break` outside of a loop";
                self.error(Code::InvalidControlFlow, message, span, "nothing to leave here");
                return None;
            };
            let is_written_out = innermost.is_written_out;
            if self.leaves_written_out("break", is_written_out, span) {
                return None;
            }
            let mut left = self.around.iter().rev().filter(|around| !around.is_written_out);
            return left.position(|around| around.catches.is_none()).map(StmtKind::Break);
        };
        let is_meant = |around: &Around| around.label.as_ref().is_some_and(|it| it.text == label.text);
        let left = self.around.iter().rev().filter(|around| !around.is_written_out);
        let further_out = left.clone().position(is_meant);
        if further_out.is_none() {
            let message = format!("no loop or `switch` around this is labelled `{}`", label.text);
            let help = format!("write `{}:` before the one to leave", label.text);
            self.error_advised(Code::InvalidControlFlow, message, label.span, "not a label here", help);
        }
        further_out.map(StmtKind::Break)
    }

    /// A loop that nothing ends would hang the device.
    fn check_ends(&mut self, stmts: &[Stmt], span: Span) {
        let Some(Stmt { kind: StmtKind::Loop(looped), .. }) = stmts.last() else { return };
        if super::flow::is_endless(looped) && !super::flow::leaves_loop(&looped.body) && !self.broken {
            self.report(
                Diagnostic::error(Code::InvalidControlFlow, "this loop never ends")
                    .at(span, "no condition, `break` or `return` ends it")
                    .help("give it a condition"),
            );
        }
    }

    fn return_(&mut self, value: Option<&ast::Expr>, span: Span) -> StmtKind {
        if self.is_deferred {
            let message = "`return` in what is deferred";
            self.error(Code::InvalidControlFlow, message, span, "control leaves the block already");
        }
        if let (Some(value), Some(setter)) = (value, self.function)
            && self.checker.program.functions[setter].sets_through.is_some()
        {
            return self.set_returned(value, span);
        }
        if self.infers_result {
            return self.first_return(value, span);
        }
        let result = self.result.clone();
        match value {
            None if matches!(result, Ty::Void | Ty::Error) => StmtKind::Return(None),
            None => {
                let shown = self.show(&result);
                self.error_advised(
                    Code::TypeMismatch,
                    format!("`return` without a `{shown}`"),
                    span,
                    "needs a value",
                    "write the value behind `return`",
                );
                StmtKind::Return(None)
            }
            Some(value) if result == Ty::Void => {
                let value = self.expr(value);
                if value.ty == Ty::Void {
                    return StmtKind::Block(vec![
                        Stmt { kind: StmtKind::Expr(value), span },
                        Stmt { kind: StmtKind::Return(None), span },
                    ]);
                }
                if !value.is_error() {
                    let shown = self.show(&value.ty);
                    self.error_advised(
                        Code::TypeMismatch,
                        "a function without a result returns a value",
                        value.span,
                        format!("is `{shown}`"),
                        format!("declare the function with the result `{shown}`, or write `return;`"),
                    );
                }
                StmtKind::Return(None)
            }
            Some(value) => {
                let value = self.expr_for(value, &result);
                StmtKind::Return(Some(self.coerce(value, &result, "the result")))
            }
        }
    }

    /// In the writing half of `ref { return place; }`: the place takes the new value.
    fn set_returned(&mut self, place: &ast::Expr, span: Span) -> StmtKind {
        let place = self.target(place);
        let Some(value) = self.new_value() else { return StmtKind::Return(None) };
        if !self.assignable(&place) {
            return StmtKind::Return(None);
        }
        let ty = place.ty.clone();
        let local = Expr { kind: ExprKind::Local(value), ty: self.locals[value].ty.clone(), span };
        let value = Box::new(self.coerce(local, &ty, "the place returned"));
        let assign = Expr { kind: ExprKind::Assign { place: Box::new(place), value }, ty, span };
        StmtKind::Block(vec![
            Stmt { kind: StmtKind::Expr(assign), span },
            Stmt { kind: StmtKind::Return(None), span },
        ])
    }

    /// `static T x = e;`: one variable for all calls that a lane makes, which begins with its value.
    fn local_static(&mut self, var: &ast::Var) {
        let name = &var.name;
        let value = var.init.as_ref().map(|init| self.initializer(var.ty.as_ref(), init, name.span));
        let ty = match (&value, &var.ty) {
            (Some(value), _) => value.ty.clone(),
            (None, Some(ty)) => {
                let resolved = self.resolve_value_type(ty);
                self.sized(resolved, ty.span)
            }
            (None, None) => {
                let message = format!("`{}` has neither a type nor a value", name.text);
                self.error(Code::TypeMismatch, message, name.span, "needs one of them").ty
            }
        };
        let generic = self.function.is_some_and(|id| !self.checker.signature(id).generics.is_empty());
        if generic {
            self.unsupported("static variables of generic functions", name.span);
        } else if !self.counters.is_empty() {
            self.unsupported("static variables in a `$for`", name.span);
        }
        let value = value.filter(|value| !value.is_error());
        let value = match value.map(|value| (self.checker.value_of(&value), value)) {
            Some((Ok(tree), value)) => Some(Arc::new(tree.into_expr(&self.checker.program, &ty, value.span))),
            Some((Err(at), _)) => {
                self.not_constant("the value a static variable begins with", at);
                None
            }
            None => None,
        };
        let id = self.checker.program.globals.push(Global {
            name: format!("{}.{}", self.function_name(), name.text).into(),
            source: None,
            scope: self.scope,
            visibility: Visibility::Everywhere,
            kind: GlobalKind::Static,
            declared: Lazy::Done(GlobalType { ty: ty.clone(), init: value, order: MatrixOrder::Rows }),
            span: name.span,
        });
        let stands_for = Expr { kind: ExprKind::Global(id), ty: ty.clone(), span: name.span };
        let constant = Some(Arc::new(stands_for));
        self.declare(Local { name: name.text.clone(), ty, span: name.span, mutable: true, constant });
    }

    fn local_decl(&mut self, decl: &ast::Decl, out: &mut Vec<Stmt>) {
        let DeclKind::Var(var) = &decl.kind else {
            self.unsupported("declarations other than of variables inside of functions", decl.span);
            return;
        };
        let name = &var.name;
        let is_static = decl.modifiers.has(ModifierKind::Static);
        let is_const = decl.modifiers.has(ModifierKind::Const) || var.keyword == ast::VarKeyword::Let;
        if decl.modifiers.has(ModifierKind::GroupShared) {
            self.unsupported("`groupshared` variables", name.span);
        }
        if is_static && !is_const {
            return self.local_static(var);
        }
        let init = match (&var.init, &var.ty) {
            (Some(init), ty) => Some(self.initializer(ty.as_ref(), init, name.span)),
            (None, _) if is_const => {
                self.error(
                    Code::NotConstant,
                    format!("`{}` has no value", name.text),
                    name.span,
                    "needs one",
                );
                None
            }
            _ => None,
        };
        if let Some(call) = init.as_ref().filter(|init| init.ty == Ty::Void) {
            // A variable of what gives no value is never read: the call is a statement.
            return out.push(Stmt { kind: StmtKind::Expr(call.clone()), span: decl.span });
        }
        let ty = match (&init, &var.ty) {
            (Some(init), _) => init.ty.clone(),
            (None, Some(ty)) => {
                let resolved = self.resolve_value_type(ty);
                self.sized(resolved, ty.span)
            }
            (None, None) => {
                self.error(
                    Code::TypeMismatch,
                    format!("`{}` has neither a type nor a value", name.text),
                    name.span,
                    "needs one of them",
                );
                Ty::Error
            }
        };
        let init = match init {
            None if !ty.is_error() => Some(self.default_of(&ty, name.span)),
            init => init,
        };
        let init = init.filter(|init| !matches!(init.kind, ExprKind::Zero) || init.ty.is_open());
        let constant = match &init {
            Some(value) if is_const => self
                .checker
                .value_of(value)
                .ok()
                .map(|tree| Arc::new(tree.into_expr(&self.checker.program, &ty, value.span))),
            _ => None,
        };
        let local = Local { name: name.text.clone(), ty, span: name.span, mutable: !is_const, constant };
        let id = self.declare(local);
        out.push(Stmt { kind: StmtKind::Let(id, init), span: decl.span });
    }
}
