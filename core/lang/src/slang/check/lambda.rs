//! Lambdas: each is a value of a struct of its own, which holds copies of what it captures and can be called.

use super::context::Context;
use super::done;
use super::hir::{Body, Expr, ExprKind, Local, LocalId, Pick, Stmt, StmtKind};
use super::program::{Field, Function, Lazy, Members, Program, Role, Signature, Struct, StructId, Symbol};
use super::resolve::MAX_LEAVES;
use super::types::{Subst, Ty};
use super::visibility::Visibility;
use crate::slang::ast;
use pullback_base::{Code, IdVec, Span, ids::Id};
use pullback_ir::MatrixOrder;
use smallvec::SmallVec;
use std::sync::Arc;

/// The name that `this` of the function around goes by.
const THIS: &str = "this";

/// What a lambda sees of the function around it, and what it names there.
pub struct Outer {
    /// The variables in scope around it, the innermost last.
    visible: Vec<Visible>,
    /// Those that it names, and the locals that stand for them within it.
    named: Vec<(Arc<str>, LocalId)>,
}

#[derive(Clone)]
struct Visible {
    name: Arc<str>,
    ty: Ty,
    span: Span,
    constant: Option<Arc<Expr>>,
}

impl Outer {
    fn find(&self, name: &str) -> Option<&Visible> {
        self.visible.iter().rfind(|visible| &*visible.name == name)
    }

    /// Where a variable of the function around is declared.
    pub fn span_of(&self, name: &str) -> Option<Span> {
        self.find(name).map(|visible| visible.span)
    }

    /// Whether the local is a copy of a variable around.
    pub fn is_copy(&self, local: LocalId) -> bool {
        self.named.iter().any(|(_, named)| *named == local)
    }

    /// The local that stands for a variable of the function around.
    pub fn local(&mut self, name: &str, locals: &mut IdVec<LocalId, Local>) -> Option<LocalId> {
        if let Some((_, known)) = self.named.iter().find(|(known, _)| &**known == name) {
            return Some(*known);
        }
        let Visible { name, ty, span, constant } = self.find(name)?.clone();
        let local = locals.push(Local { name: name.clone(), ty, span, mutable: false, constant });
        self.named.push((name, local));
        Some(local)
    }
}

impl Context<'_, '_> {
    /// The lambda of that number in the function around.
    pub fn lambda(&mut self, number: usize, span: Span) -> Expr {
        let around = self.function.map(|id| (id, self.checker.program.functions[id].clone()));
        let lambda = around.as_ref().and_then(|(_, function)| function.ast.lambdas.get(number));
        let (Some((id, function)), Some(lambda)) = (&around, lambda) else { return self.silent_error(span) };
        let ast::DeclKind::Function(call) = &lambda.call.kind else { return self.silent_error(span) };
        let own = self.checker.signature(*id).generics.clone();
        let generics = [own, self.counters.clone()].concat();
        let program = &mut self.checker.program;
        let args = generics.iter().map(|&param| program.generic_as_arg(param)).collect();
        let shape = StructId::from_index(program.structs.len());
        let ty = Ty::Struct(shape, args);
        let members =
            program.members.push(Members { interface: None, generics: generics.clone(), this: ty.clone() });
        let scope = program.new_scope(Some(self.scope));
        program.structs.push(Struct {
            name: lambda.shape.name.text.clone(),
            ast: &lambda.shape,
            scope,
            members,
            length: None,
            owner: None,
            visibility: Visibility::Everywhere,
            field_visibility: Vec::new(),
            fields: Lazy::Done(Arc::default()),
            initials: Lazy::Pending,
            leaves: 0,
            is_std: function.is_std,
            broken: false,
            lambda: None,
            span,
        });
        let callee = program.functions.push(Function {
            name: call.name.text.clone(),
            qualified: format!("{}.lambda", function.qualified).into(),
            decl: &lambda.call,
            ast: call,
            scope: self.scope,
            generics,
            owner: Some(members),
            visibility: Visibility::Everywhere,
            length: None,
            packs: Vec::new(),
            role: Role::Method { mutating: false },
            is_std: function.is_std,
            op: None,
            requirement: None,
            sets_through: None,
            given: Vec::new(),
            signature: Lazy::Pending,
        });
        program.structs[shape].lambda = Some(callee);
        // Its body is checked here, and never by itself.
        self.checker.bodies.insert(callee, None);
        let program = &mut self.checker.program;
        let names = &mut program.scopes[scope].names;
        names.insert(call.name.text.clone(), Symbol::Functions(SmallVec::from_slice(&[callee])));

        let signature = self.checker.signature(callee);
        let outer = self.seen_by_lambdas();
        let turn = self.turn;
        let mut inside = Context::of_function(self.checker, callee, &signature);
        inside.turn = turn;
        let inside = call.body.as_ref().and_then(|block| inside.lambda_body(outer, block));
        let Some(Inside { body, result, named }) = inside.filter(|_| !signature.broken) else {
            return self.silent_error(span);
        };
        // Constants are known within: they are named, and not captured.
        let captured = named.into_iter().filter_map(|name| Some((self.captured(&name, span)?, name)));
        let (values, fields): (Vec<Expr>, Vec<Field>) = captured
            .map(|(value, name)| {
                let field = Field { name, ty: value.ty.clone(), no_diff: false, order: MatrixOrder::Rows };
                (value, field)
            })
            .unzip();
        let signature = Arc::new(Signature { result, ..Signature::clone(&signature) });
        self.checker.program.functions[callee].signature = Lazy::Done(signature.clone());
        self.checker.claim_function_interfaces(members, &signature, span);
        let program = &mut self.checker.program;
        let leaves = fields.iter().fold(0u64, |sum, field| sum.saturating_add(program.leaves(&field.ty)));
        let is_endless = fields.iter().any(|field| program.may_hold(&field.ty, &ty, &mut Vec::new()));
        program.structs[shape].fields = Lazy::Done(fields.into());
        program.structs[shape].leaves = leaves;
        self.checker.bodies.insert(callee, Some(Arc::new(body)));
        if leaves > MAX_LEAVES {
            let message = "what this lambda captures is too large for a value";
            return self.error(
                Code::UnsupportedFeature,
                message,
                span,
                format!("more than {MAX_LEAVES} numbers"),
            );
        }
        if is_endless {
            let message = "what this lambda captures may hold another such lambda, without end";
            let label = "through a value of an interface's type";
            let help = "take what is captured as a generic parameter, `<F : IFunc<...>>`";
            return self.error_advised(Code::RecursiveCall, message, span, label, help);
        }
        Expr { kind: ExprKind::Construct(values), ty, span }
    }

    /// The variables that a lambda here can name.
    fn seen_by_lambdas(&self) -> Outer {
        let mut visible = self.outer.as_ref().map_or_else(Vec::new, |outer| outer.visible.clone());
        let this = self.this.map(|this| (THIS, this));
        let visible_here = this.into_iter().chain(self.named_locals());
        let visible_here = visible_here.filter(|(_, id)| self.elements_of(*id).is_none());
        visible.extend(visible_here.map(|(name, id)| {
            let Local { ty, span, constant, .. } = &self.locals[id];
            Visible { name: name.into(), ty: ty.clone(), span: *span, constant: constant.clone() }
        }));
        Outer { visible, named: Vec::new() }
    }

    /// The value of a variable that a lambda names, where it captures it.
    fn captured(&mut self, name: &str, span: Span) -> Option<Expr> {
        let local = if name == THIS { self.this } else { self.used_local(name) }?;
        let is_captured = self.locals[local].constant.is_none();
        is_captured.then(|| self.local_value(local, span))
    }

    /// The body of a lambda, in the context of its `operator()`: what it names of the function around comes from its fields.
    fn lambda_body(mut self, outer: Outer, block: &ast::Block) -> Option<Inside> {
        let closure = self.this.take()?;
        self.outer = Some(outer);
        self.this = self.used_local(THIS);
        self.infers_result = true;
        let stmts = self.body_stmts(block);
        let named = self.outer.take().map_or_else(Vec::new, |outer| outer.named);
        let captured = named.iter().filter(|(_, local)| self.locals[*local].constant.is_none());
        let ty = self.locals[closure].ty.clone();
        let copies = (0..).zip(captured).map(|(index, &(_, local))| {
            let span = block.span;
            let of = Box::new(Expr { kind: ExprKind::Local(closure), ty: ty.clone(), span });
            let pick = Pick::Element { index, detached: false };
            let value = Expr { kind: ExprKind::Pick(of, pick), ty: self.locals[local].ty.clone(), span };
            Stmt { kind: StmtKind::Let(local, Some(value)), span }
        });
        let stmts = copies.collect::<Vec<_>>().into_iter().chain(stmts).collect();
        let result = self.result.clone();
        let body = self.into_body(stmts)?;
        Some(Inside { body, result, named: named.into_iter().map(|(name, _)| name).collect() })
    }

    /// The first `return` of a lambda, which tells what it gives.
    pub fn first_return(&mut self, value: Option<&ast::Expr>, span: Span) -> StmtKind {
        self.infers_result = false;
        let Some(value) = value else { return StmtKind::Return(None) };
        let value = self.expr(value);
        self.result = value.ty.clone();
        if value.ty != Ty::Void {
            return StmtKind::Return(Some(value));
        }
        StmtKind::Block(vec![
            Stmt { kind: StmtKind::Expr(value), span },
            Stmt { kind: StmtKind::Return(None), span },
        ])
    }
}

impl Program<'_> {
    /// `(float) => float`, where the type is a lambda's.
    pub fn show_lambda(&self, ty: &Ty) -> Option<String> {
        let Ty::Struct(id, args) = ty else { return None };
        let signature = done(&self.functions[self.structs[*id].lambda?].signature)?;
        let subst: Subst = signature.generics.iter().copied().zip(args.iter().cloned()).collect();
        let signature = signature.subst(self, &subst);
        let params: Vec<String> = signature.params.iter().map(|param| self.show(&param.ty)).collect();
        Some(format!("({}) => {}", params.join(", "), self.show(&signature.result)))
    }
}

/// A lambda's body, checked.
struct Inside {
    body: Body,
    result: Ty,
    /// The variables of the function around that it names.
    named: Vec<Arc<str>>,
}
