//! What a type gives for an interface by a method that takes and gives other types: a method of the types asked for that calls it,
//! where arguments and result convert by themselves.

use super::call::FunctionSet;
use super::context::Context;
use super::convert::implicit_cost;
use super::hir::{Body, Expr, ExprKind, Local, LocalId, Stmt, StmtKind};
use super::program::{FnId, Function, InterfaceRef, Lazy, Members, Param, RequirementId, RequirementKind};
use super::program::{Role, Signature, Symbol};
use super::types::Ty;
use super::{Checker, done};
use std::sync::Arc;

impl Checker<'_> {
    /// The method that calls another one of its name where an interface asks for it; whether there is one now.
    pub fn give_by_call(&mut self, this: &Ty, interface: &InterfaceRef, requirement: RequirementId) -> bool {
        let RequirementKind::Function(asked) = self.program.requirements[requirement].kind else {
            return false;
        };
        let (Ty::Struct(id, _), Some(wanted)) = (this, done(&self.program.functions[asked].signature)) else {
            return false;
        };
        let (scope, owner) = (self.program.structs[*id].scope, self.program.structs[*id].members);
        let Members { generics, this: declared, .. } = self.program.members[owner].clone();
        let asked = self.program.functions[asked].clone();
        let Role::Method { mutating } = asked.role else { return false };
        if declared != *this || wanted.generics.len() != wanted.outer {
            return false;
        }
        let subst = self.program.interface_subst(interface, this);
        let known = |param: &Param| Param { ty: param.ty.subst(&self.program, &subst), ..param.clone() };
        let params: Vec<Param> = wanted.params.iter().map(known).collect();
        let result = wanted.result.subst(&self.program, &subst);
        let candidates = self.methods(this, &asked.name, mutating);

        let Some(span) = candidates.first().map(|&id| self.program.functions[id].ast.name.span) else {
            return false;
        };
        let mut context = Context::of_scope(self, scope);
        let mut local = |name: &str, ty: &Ty, mutable| {
            let local = Local { name: name.into(), ty: ty.clone(), span, mutable, constant: None };
            context.locals.push(local)
        };
        let object = local("this", this, mutating);
        let taken: Vec<LocalId> = params.iter().map(|param| local(&param.name, &param.ty, true)).collect();
        let value = |local, ty: &Ty| Expr { kind: ExprKind::Local(local), ty: ty.clone(), span };
        let args: Vec<Expr> =
            taken.iter().zip(&params).map(|(&local, param)| value(local, &param.ty)).collect();
        let set = FunctionSet {
            candidates,
            receiver: Some(Box::new(value(object, this))),
            of: Some(this.clone()),
            ..FunctionSet::named(asked.name.clone())
        };
        let Some((called, bindings)) = context.chosen_quietly(&set, &args) else { return false };
        let call = context.call_of(called, &bindings, set.receiver, args, span);
        if call.is_error() || implicit_cost(&context.checker.program, &call.ty, &result).is_none() {
            return false;
        }
        let kind = match result {
            Ty::Void => StmtKind::Expr(call),
            ref result => StmtKind::Return(Some(context.converted(call, result))),
        };
        let params_of_body = [object].into_iter().chain(taken).collect();
        let block = vec![Stmt { kind, span }];
        let body = Body { locals: context.locals, params: params_of_body, block };
        let signature = Signature {
            outer: generics.len(),
            generics: generics.clone(),
            params,
            result,
            result_no_diff: wanted.result_no_diff,
            broken: false,
        };
        let given = self.program.functions.push(Function {
            qualified: format!("{}.{}", self.program.structs[*id].name, asked.name).into(),
            scope,
            generics,
            owner: Some(owner),
            requirement: None,
            given: Vec::new(),
            signature: Lazy::Done(Arc::new(signature)),
            ..asked
        });
        self.name_function(given, scope);
        self.bodies.insert(given, Some(Arc::new(body)));
        true
    }

    /// The methods of that name that a type has itself, or by an extension.
    fn methods(&self, this: &Ty, name: &str, mutating: bool) -> Vec<FnId> {
        let Some(Symbol::Functions(found)) = self.program.member_of(this, name) else { return Vec::new() };
        let fits = |id: &FnId| {
            let function = &self.program.functions[*id];
            let is_method =
                matches!(function.role, Role::Method { mutating: changes } if mutating || !changes);
            is_method && function.requirement.is_none()
        };
        found.into_iter().filter(fits).collect()
    }
}
