//! What a type gives for an interface without declaring it: an accessor that one of its fields is, and a method of the types asked for
//! that calls another one, where arguments and result convert by themselves.

use super::call::FunctionSet;
use super::context::Context;
use super::convert::implicit_cost;
use super::hir::{Body, Expr, ExprKind, Local, LocalId, Pick, Stmt, StmtKind};
use super::program::{
    Field, FnId, Function, InterfaceRef, Lazy, Param, RequirementId, RequirementKind, Role, Signature,
    StructId, Symbol,
};
use super::types::Ty;
use super::{Checker, done};
use pullback_base::IdVec;
use std::sync::Arc;

impl<'a> Checker<'a> {
    /// The method that calls another one of its name where an interface asks for it; whether there is one now.
    pub fn give_by_call(&mut self, this: &Ty, interface: &InterfaceRef, requirement: RequirementId) -> bool {
        let RequirementKind::Function(asked) = self.program.requirements[requirement].kind else {
            return false;
        };
        let (Ty::Struct(id, _), Some(wanted)) = (this, done(&self.program.functions[asked].signature)) else {
            return false;
        };
        let (scope, owner) = (self.program.structs[*id].scope, self.program.structs[*id].members);
        let declared = &self.program.members[owner].this;
        let asked = self.program.functions[asked].clone();
        let Role::Method { mutating } = asked.role else { return false };
        if declared != this || wanted.generics.len() != wanted.outer {
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
        self.give(*id, asked, params, result, wanted.result_no_diff, body);
        true
    }

    /// The accessor that a field is where an interface asks for a property of its name and type; whether there is one now.
    pub fn give_by_field(&mut self, this: &Ty, interface: &InterfaceRef, requirement: RequirementId) -> bool {
        let RequirementKind::Function(asked) = self.program.requirements[requirement].kind else {
            return false;
        };
        let (Ty::Struct(id, _), Some(wanted)) = (this, done(&self.program.functions[asked].signature)) else {
            return false;
        };
        let asked = self.program.functions[asked].clone();
        let Some((name, accessor)) = asked.name.split_once('.') else { return false };
        let is_it = |field: &Field| &*field.name == name;
        let Some(index) = self.program.fields_of(this).iter().position(is_it) else { return false };
        let subst = self.program.interface_subst(interface, this);
        let asked_ty = wanted.params.first().map_or(&wanted.result, |param| &param.ty);
        let (scope, owner) = (self.program.structs[*id].scope, self.program.structs[*id].members);
        let is_known = self.program.scopes[scope].names.contains_key(&asked.name);
        if is_known || asked_ty.subst(&self.program, &subst) != self.program.fields_of(this)[index].ty {
            return false;
        }

        let this = self.program.members[owner].this.clone();
        let field = self.program.fields_of(&this)[index].clone();
        let span = asked.ast.name.span;
        let mut locals = IdVec::new();
        let local = |name: &str, ty: &Ty, mutable| Local {
            name: name.into(),
            ty: ty.clone(),
            span,
            mutable,
            constant: None,
        };
        let object = locals.push(local("this", &this, asked.role == Role::Method { mutating: true }));
        let value = |local, ty: &Ty| Expr { kind: ExprKind::Local(local), ty: ty.clone(), span };
        let pick = Pick::Element { index: index as u32, detached: field.no_diff };
        let kind = ExprKind::Pick(Box::new(value(object, &this)), pick);
        let place = Expr { kind, ty: field.ty.clone(), span };
        let (params, result, kind) = match accessor {
            "get" => (vec![object], field.ty.clone(), StmtKind::Return(Some(place))),
            _ => {
                let new = locals.push(local("newValue", &field.ty, true));
                let (place, value) = (Box::new(place), Box::new(value(new, &field.ty)));
                let assign = Expr { kind: ExprKind::Assign { place, value }, ty: field.ty.clone(), span };
                (vec![object, new], Ty::Void, StmtKind::Expr(assign))
            }
        };
        let taken = wanted.params.iter().map(|param| Param { ty: field.ty.clone(), ..param.clone() });
        let body = Body { locals, params, block: vec![Stmt { kind, span }] };
        self.give(*id, asked, taken.collect(), result, wanted.result_no_diff, body);
        true
    }

    /// Gives the struct a function like the one that is asked for, of that body.
    fn give(
        &mut self,
        id: StructId,
        asked: Function<'a>,
        params: Vec<Param>,
        result: Ty,
        result_no_diff: bool,
        body: Body,
    ) {
        let (scope, owner) = (self.program.structs[id].scope, self.program.structs[id].members);
        let generics = self.program.members[owner].generics.clone();
        let (outer, broken) = (generics.len(), false);
        let signature =
            Signature { generics: generics.clone(), outer, params, result, result_no_diff, broken };
        let given = self.program.functions.push(Function {
            qualified: format!("{}.{}", self.program.structs[id].name, asked.name).into(),
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
