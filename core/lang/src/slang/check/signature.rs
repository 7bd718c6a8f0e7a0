//! What declarations say before any body is read: fields, signatures, constants.

use super::bounding::Bounding;
use super::context::Context;
use super::count::Count;
use super::hir::Expr;
use super::pack::{PackParam, numbered};
use super::program::{
    ConstId, Fact, Field, FnId, Generic, GenericKind, Lazy, Param, Role, ScopeId, Signature, StructId, Symbol,
};
use super::resolve::{MAX_LEAVES, UNSIZED};
use super::types::{Bound, ParamId, Subst, Ty};
use super::written::{Declared, own_count, written_params};
use super::{Checker, attribute, done};
use crate::slang::ast::{self, GenericParamKind, ModifierKind};
use pullback_base::{Code, Diagnostic, Span, ids::Id};
use pullback_ir::Direction;
use pullback_ir::MatrixOrder;
use std::ops::Range;
use std::sync::Arc;

impl<'a> Checker<'a> {
    /// The fields of a struct, found when first asked for. `used` is where a struct within itself is seen.
    pub fn fields(&mut self, id: StructId, used: Span) -> Arc<[Field]> {
        let decl = &self.program.structs[id];
        if let Some(fields) = done(&decl.fields) {
            return fields;
        }
        let (ast, scope, name, span) = (decl.ast, decl.scope, decl.name.clone(), decl.span);
        if matches!(decl.fields, Lazy::Busy) {
            self.circle(&format!("struct `{name}`"), span, used);
            self.program.structs[id].broken = true;
            return Arc::from([]);
        }
        self.program.structs[id].fields = Lazy::Busy;
        let mut fields = Vec::new();
        let mut broken = false;
        for member in &ast.members {
            let ast::DeclKind::Var(var) = &member.kind else { continue };
            if !is_field(member) {
                continue;
            }
            let mut context = Context::of_scope(self, scope);
            let (ty, order) = match &var.ty {
                Some(written) => {
                    let ty = context.resolve_stored_type(written);
                    let order = context.declared_order(&member.modifiers, written, &ty);
                    (ty, order)
                }
                None => {
                    context.error(Code::TypeMismatch, "a field needs a type", var.name.span, "here");
                    (Ty::Error, MatrixOrder::Rows)
                }
            };
            let ty = context.sized(ty, var.name.span);
            broken |= context.broken;
            let no_diff = member.modifiers.has(ModifierKind::NoDiff);
            fields.push(Field { name: var.name.text.clone(), ty, no_diff, order });
        }
        let leaves =
            fields.iter().fold(0u64, |sum, field| sum.saturating_add(self.program.leaves(&field.ty)));
        if leaves > MAX_LEAVES {
            let message = format!("`{name}` is too large for a value");
            self.error(Code::UnsupportedFeature, message, span, format!("more than {MAX_LEAVES} numbers"));
            fields.clear();
        }
        let fields: Arc<[Field]> = fields.into();
        self.program.structs[id].broken |= broken || leaves > MAX_LEAVES;
        self.program.structs[id].leaves = if leaves > MAX_LEAVES { 0 } else { leaves };
        self.program.structs[id].fields = Lazy::Done(fields.clone());
        fields
    }

    /// The fields of a struct at its arguments.
    pub fn fields_of(&mut self, ty: &Ty, used: Span) -> Arc<[Field]> {
        if let Ty::Struct(id, _) = ty {
            self.fields(*id, used);
        }
        self.program.fields_of(ty)
    }

    pub fn signature(&mut self, id: FnId) -> Arc<Signature> {
        let function = &self.program.functions[id];
        match &function.signature {
            Lazy::Done(signature) => return signature.clone(),
            Lazy::Busy => {
                let signature = Signature {
                    generics: Vec::new(),
                    outer: 0,
                    params: Vec::new(),
                    result: Ty::Error,
                    result_no_diff: false,
                    broken: true,
                };
                return Arc::new(signature);
            }
            Lazy::Pending => {}
        }
        let function = function.clone();
        self.program.functions[id].signature = Lazy::Busy;
        let before = self.program.assumed.replace(id);
        let mut broken = attribute::check_function(self, function.decl, function.is_std);
        let (ast, ids) = (&function.ast.generics, &function.generics);
        broken |= !self.resolve_generics(ast, ids, function.scope, function.length);
        broken |= !self.count_packs(Declared::Function(id), ast, function.scope);
        let mut context = Context::of_scope(self, function.scope);
        context.function = Some(id);
        let result = match (&function.ast.result, function.role, function.owner) {
            (_, Role::Constructor, Some(owner)) => context.checker.program.members[owner].this.clone(),
            (Some(ty), ..) => {
                let resolved = context.resolve_type(ty);
                if function.decl.modifiers.has(ModifierKind::ColumnMajor) {
                    context.refuse_pointer_to_columns(MatrixOrder::Columns, &resolved, ty.span);
                }
                let resolved = context.refuse_atomic(resolved, ty.span);
                context.sized(resolved, ty.span)
            }
            (None, ..) => Ty::Void,
        };
        let mut generics = function.generics;
        let outer = generics.len() - own_count(&function.ast.generics, function.length);
        let (mut params, mut packs) = (Vec::new(), Vec::new());
        for param in &function.ast.params {
            let Some(turns) = context.turns_of_type(&param.ty) else {
                params.push(context.param(param, &mut generics));
                continue;
            };
            let name = param.name.as_ref().map_or_else(|| "".into(), |name| name.text.clone());
            packs.push(PackParam { name, span: param.span, first: params.len(), count: turns.len() });
            for (turn, ty) in turns.into_iter().enumerate() {
                let name = param.name.as_ref();
                let name = name.map(|it| ast::Name { text: numbered(&it.text, turn), span: it.span });
                params.push(context.param(&ast::Param { name, ty, ..param.clone() }, &mut generics));
            }
        }
        context.refuse_gaps_in_defaults(&params);
        broken |= context.broken;
        let result_no_diff = function.decl.modifiers.has(ModifierKind::NoDiff);
        let signature = Arc::new(Signature { generics, outer, params, result, result_no_diff, broken });
        self.program.assumed = before;
        self.program.functions[id].packs = packs;
        self.program.functions[id].signature = Lazy::Done(signature.clone());
        signature
    }

    /// The bounds and defaults of generic parameters, which end the list `ids`; whether they are right.
    pub fn resolve_generics(
        &mut self,
        generics: &ast::Generics,
        ids: &[ParamId],
        scope: ScopeId,
        length: Option<usize>,
    ) -> bool {
        let mut right = true;
        let written = written_params(generics, length);
        let own = &ids[ids.len() - written.len()..];
        for ((param, turn), &id) in written.into_iter().zip(own) {
            let mut context = Context::of_scope(self, scope);
            context.turn = turn;
            let kind = match &param.kind {
                GenericParamKind::Type { bounds, default } => {
                    let (bound, interfaces) = context.checker.bounds(bounds, scope);
                    let default = default.as_ref().map(|ty| context.resolve_type(ty));
                    GenericKind::Type { bound, interfaces, default }
                }
                GenericParamKind::Value { ty, default } => {
                    let resolved = context.resolve_type(ty);
                    let whole = resolved.known_scalar().is_some_and(|scalar| !scalar.is_float());
                    if !(resolved.is_error()
                        || resolved.is_scalar() && whole
                        || matches!(resolved, Ty::Enum(_)))
                    {
                        context.unsupported("generic values other than integers, `bool` and enums", ty.span);
                    }
                    let default = default.as_ref().and_then(|value| context.generic_value(value));
                    GenericKind::Count { ty: resolved, default }
                }
            };
            right &= !context.broken;
            self.program.generics[id].kind = kind;
        }
        for constraint in &generics.constraints {
            right &= match self.pack_of(&constraint.subject, scope) {
                Some(pack) => (0..pack.len()).all(|turn| self.constrain(constraint, scope, own, Some(turn))),
                None => self.constrain(constraint, scope, own, None),
            };
        }
        right
    }

    /// `where T : IFloat`, `where T.Element == float`; what is said is kept with the parameter that tells the type.
    pub fn constrain(
        &mut self,
        constraint: &ast::Constraint,
        scope: ScopeId,
        own: &[ParamId],
        turn: Option<usize>,
    ) -> bool {
        let mut context = Context::of_scope(self, scope);
        context.turn = turn;
        let equals = match &constraint.kind {
            ast::ConstraintKind::Counts(_) | ast::ConstraintKind::NonEmpty if turn.is_some() => return true,
            ast::ConstraintKind::Counts(_) | ast::ConstraintKind::NonEmpty => {
                context.no_pack::<()>(constraint.subject.span);
                return false;
            }
            ast::ConstraintKind::Equals(ty) => Some(context.element_type(ty)),
            ast::ConstraintKind::Conforms(_) => None,
        };
        let subject = context.element_type(&constraint.subject);
        if context.broken {
            return false;
        }
        if equals.as_ref() == Some(&subject) {
            return true;
        }
        if let (Some(param), ast::ConstraintKind::Conforms(bounds), Some(id)) =
            (subject.as_param().filter(|param| !own.contains(param)), &constraint.kind, self.program.assumed)
        {
            self.demand(id, param, bounds);
            return true;
        }
        let Some(head) = subject.head().filter(|head| own.contains(head)) else {
            let what = "constraints of other than a declaration's own generic parameters";
            self.unsupported(what, constraint.span);
            return false;
        };
        if equals.as_ref().is_some_and(|equals| equals.contains(&subject)) {
            let shown = self.program.show(&subject);
            let message = format!("`{shown}` is to be a type that holds it");
            self.error(Code::RecursiveCall, message, constraint.span, "no type is part of itself");
            return false;
        }
        let mut interfaces = Vec::new();
        if let ast::ConstraintKind::Conforms(bounds) = &constraint.kind {
            let (bound, asked) = self.bounds(bounds, scope);
            if subject.as_param().is_some()
                && let GenericKind::Type { bound: own, interfaces, .. } =
                    &mut self.program.generics[head].kind
            {
                *own = own.and(bound);
                interfaces.extend(asked);
                return true;
            }
            // Interfaces tell by themselves whether their types have tangents or are pointers.
            let told = asked.iter().map(|interface| self.program.interfaces[interface.id].bound);
            if bound.scalars.is_some() || bound != told.fold(Bound::ANY, Bound::and) {
                self.unsupported("constraints of associated types by interfaces of numbers", constraint.span);
                return false;
            }
            interfaces = asked;
        }
        self.program.generics[head].facts.push(Fact { subject, interfaces, equals });
        true
    }

    /// The value of a `static const`.
    pub fn constant(&mut self, id: ConstId, used: Span) -> Arc<Expr> {
        let decl = &self.program.constants[id];
        if let Some(value) = done(&decl.value) {
            return value;
        }
        let (ast, scope, linked) = (decl.ast, decl.scope, decl.linked);
        if matches!(decl.value, Lazy::Busy) {
            self.circle(&format!("constant `{}`", ast.name.text), ast.name.span, used);
            return Arc::new(Expr::error(used));
        }
        self.program.constants[id].value = Lazy::Busy;
        let mut context = Context::of_scope(self, scope);
        let value = match (linked, &ast.init) {
            (Some(linked), _) => context.linked_constant(ast, linked),
            (None, Some(init)) => context.initializer(ast.ty.as_ref(), init, ast.name.span),
            (None, None) => context.no_value(ast),
        };
        let broken = context.broken;
        let value = match self.value_of(&value) {
            Ok(tree) if !broken => Arc::new(tree.into_expr(&self.program, &value.ty, value.span)),
            Ok(_) => Arc::new(Expr::error(value.span)),
            Err(_) if broken => Arc::new(Expr::error(value.span)),
            // Not a compile-time number, but fixed all the same: each use computes it.
            Err(_) => Arc::new(value),
        };
        self.program.constants[id].value = Lazy::Done(value.clone());
        value
    }

    /// Drops declarations without a body that a definition completes, and finds functions defined twice.
    pub fn merge_prototypes(&mut self, functions: Range<usize>) {
        let mut seen: Vec<FnId> = Vec::new();
        for id in functions.map(FnId::from_index) {
            let twin = seen.iter().copied().find(|&other| self.same_signature(id, other));
            let Some(twin) = twin else {
                seen.push(id);
                continue;
            };
            let has_body = |checker: &Self, id: FnId| checker.program.functions[id].ast.body.is_some();
            match (has_body(self, twin), has_body(self, id)) {
                (true, true) => {
                    let name = self.program.functions[id].qualified.clone();
                    let span = |checker: &Self, id: FnId| checker.program.functions[id].ast.name.span;
                    let (first, second) = (span(self, twin), span(self, id));
                    self.duplicate(&name, second, first);
                    self.complete(id, twin);
                }
                (false, true) => {
                    self.complete(twin, id);
                    seen.retain(|other| *other != twin);
                    seen.push(id);
                }
                (_, false) => self.complete(id, twin),
            }
        }
        for id in seen {
            // What nobody calls of a type's methods may be missing.
            if self.lacks_body(id) && self.program.functions[id].owner.is_none() {
                let report = self.missing_body(id);
                self.diagnostics.push(report);
            }
        }
    }

    fn lacks_body(&self, id: FnId) -> bool {
        let function = &self.program.functions[id];
        function.ast.body.is_none() && function.op.is_none() && function.requirement.is_none()
    }

    fn missing_body(&self, id: FnId) -> Diagnostic {
        let function = &self.program.functions[id];
        let message = format!("`{}` has no body", function.qualified);
        let is_extern = function.decl.modifiers.has(ModifierKind::Extern);
        let help = if is_extern { "link a module that defines it: `link=[...]`" } else { "give it a body" };
        Diagnostic::error(Code::UnsupportedFeature, message)
            .at(function.ast.name.span, "declared here, and defined nowhere in the module")
            .help(help)
    }

    /// Refuses calls of methods that have no body.
    pub fn refuse_missing_methods(&mut self) {
        let called =
            self.bodies.values().flatten().flat_map(|body| super::recursion::calls(&self.program, body));
        let is_missing = |id: FnId| self.lacks_body(id) && self.program.functions[id].owner.is_some();
        let mut missing: Vec<(FnId, Span)> = called.filter(|(id, _)| is_missing(*id)).collect();
        missing.sort_by_key(|(id, call)| (*id, call.start));
        missing.dedup_by_key(|(id, _)| *id);
        for (id, call) in missing {
            let report = self.missing_body(id).also(call, "called here");
            self.diagnostics.push(report);
        }
    }

    fn same_signature(&self, a: FnId, b: FnId) -> bool {
        let (fa, fb) = (&self.program.functions[a], &self.program.functions[b]);
        if fa.length != fb.length {
            return false;
        }
        let postfix =
            |function: &super::program::Function<'_>| function.decl.modifiers.has(ModifierKind::Postfix);
        if fa.qualified != fb.qualified || fa.owner != fb.owner || postfix(fa) != postfix(fb) {
            return false;
        }
        let (Some(sa), Some(sb)) = (done(&fa.signature), done(&fb.signature)) else { return false };
        if sa.generics.len() != sb.generics.len() || sa.params.len() != sb.params.len() {
            return false;
        }
        let rename: Subst = sb
            .generics
            .iter()
            .zip(&sa.generics)
            .map(|(&from, &to)| (from, self.program.generic_as_arg(to)))
            .collect();
        sa.params
            .iter()
            .zip(&sb.params)
            .all(|(a, b)| a.ty == b.ty.subst(&self.program, &rename) && !a.ty.is_error())
    }

    /// A declaration means its definition, be that of another module.
    fn complete(&mut self, declaration: FnId, definition: FnId) {
        let name = self.program.functions[declaration].name.clone();
        for (_, scope) in self.program.scopes.iter_mut() {
            if let Some(Symbol::Functions(functions)) = scope.names.get_mut(&name)
                && let Some(at) = functions.iter().position(|id| *id == declaration)
            {
                if functions.contains(&definition) {
                    functions.remove(at);
                } else {
                    functions[at] = definition;
                }
            }
        }
        self.bodies.insert(declaration, None);
    }
}

/// A declaration that gives its struct a field.
pub fn is_field(member: &ast::Decl) -> bool {
    matches!(member.kind, ast::DeclKind::Var(_)) && !member.modifiers.has(ModifierKind::Static)
}

impl Context<'_, '_> {
    /// `IFoo x` is one more generic parameter, to be told by the argument.
    fn interface_param(&mut self, ty: &ast::TypeExpr, generics: &mut Vec<ParamId>) -> Ty {
        let Some(Bounding::Interface(interface)) = self.bounding(ty) else { return Ty::Error };
        let program = &mut self.checker.program;
        let bound = program.interfaces[interface.id].bound;
        let name = program.show_interface(&interface).into();
        let kind = GenericKind::Type { bound, interfaces: vec![interface], default: None };
        let id = program.generics.push(Generic { name, kind, facts: Vec::new(), span: ty.span });
        generics.push(id);
        Ty::param(id)
    }

    /// `int values[]`: a generic number is the size, which the argument tells.
    fn array_param(&mut self, element: Arc<Ty>, span: Span, generics: &mut Vec<ParamId>) -> Ty {
        let kind = GenericKind::Count { ty: Ty::INT, default: None };
        let name = "a size".into();
        let id = self.checker.program.generics.push(Generic { name, kind, facts: Vec::new(), span });
        generics.push(id);
        Ty::Array(element, Count::param(id))
    }

    fn param(&mut self, param: &ast::Param, generics: &mut Vec<ParamId>) -> Param {
        let modifiers = &param.modifiers;
        let direction = match (modifiers.has(ModifierKind::In), modifiers.has(ModifierKind::Out)) {
            _ if modifiers.has(ModifierKind::InOut) || modifiers.has(ModifierKind::Ref) => Direction::InOut,
            (true, true) => Direction::InOut,
            (false, true) => Direction::Out,
            _ => Direction::In,
        };
        // What whoever launches gives is a value of the interface's type; other parameters are of any type that conforms.
        let launched =
            self.function.is_some_and(|id| super::entry::is_launched(&self.checker.program.functions[id]));
        let ty = if direction == Direction::In && !launched && self.names_open_interface(&param.ty) {
            self.interface_param(&param.ty, generics)
        } else {
            let ty = self.resolve_value_type(&param.ty);
            match ty {
                Ty::Array(element, UNSIZED) if !launched => {
                    self.array_param(element, param.ty.span, generics)
                }
                ty => self.sized(ty, param.ty.span),
            }
        };
        if modifiers.has(ModifierKind::ColumnMajor) {
            self.refuse_pointer_to_columns(MatrixOrder::Columns, &ty, param.ty.span);
        }
        let name = param.name.as_ref().map_or_else(|| "".into(), |name| name.text.clone());
        let default = param.default.as_ref().map(|default| {
            let value = self.initializer(Some(&param.ty), default, param.span);
            if direction != Direction::In {
                let message = format!("`{name}` is {} and cannot have a default", direction.name());
                return Arc::new(self.error(Code::NotAssignable, message, default.span, "not allowed here"));
            }
            match self.checker.value_of(&value) {
                Ok(tree) => Arc::new(tree.into_expr(&self.checker.program, &value.ty, value.span)),
                Err(_) if value.is_error() => Arc::new(value),
                Err(at) => Arc::new(self.not_constant("a default argument", at)),
            }
        });
        let no_diff = modifiers.has(ModifierKind::NoDiff);
        Param { name, ty, direction, no_diff, default, span: param.span }
    }

    /// Arguments are left out at the end alone.
    fn refuse_gaps_in_defaults(&mut self, params: &[Param]) {
        let Some(first) = params.iter().position(|param| param.default.is_some()) else { return };
        let Some(bare) = params[first..].iter().find(|param| param.default.is_none()) else { return };
        let (with, name) = (&params[first], &bare.name);
        self.report(
            Diagnostic::error(
                Code::SyntaxError,
                format!("`{name}` has no default, but `{}` before it has one", with.name),
            )
            .at(bare.span, "needs a default too")
            .also(with.span, "can be left out")
            .help(format!("give `{name}` a default, or move it to the front")),
        );
    }

    /// A type that something can have: not `void`, nor what stands in memory only.
    pub fn resolve_value_type(&mut self, ty: &ast::TypeExpr) -> Ty {
        let resolved = self.resolve_stored_type(ty);
        self.refuse_atomic(resolved, ty.span)
    }

    /// A type that something in memory can have: not `void`.
    pub fn resolve_stored_type(&mut self, ty: &ast::TypeExpr) -> Ty {
        let resolved = self.resolve_type(ty);
        if resolved == Ty::Void {
            self.error(Code::TypeMismatch, "nothing can have type `void`", ty.span, "only results can");
            return Ty::Error;
        }
        resolved
    }

    /// Refuses arrays without a size.
    pub fn sized(&mut self, ty: Ty, span: Span) -> Ty {
        if matches!(ty, Ty::Array(_, UNSIZED)) {
            return self.unsupported("arrays of unknown size", span).ty;
        }
        ty
    }
}
