//! Entry points: which functions are launched as they are, and what the system gives to their parameters.

use super::context::Context;
use super::count::Count;
use super::hir::{Action, Expr, ExprKind};
use super::program::{FnId, Function, GlobalKind, StructId};
use super::recursion::each_expr;
use super::types::{Arg, Elem, Shape, Subst, Ty};
use super::{Checker, Instance};
use crate::entry::{MAX_GROUP_LANES, SystemValue};
use crate::slang::ast;
use pullback_base::{Code, Diagnostic, GROUP_LANES, Scalar, Span};

/// A function that can be launched.
#[derive(Clone, Debug)]
pub struct Entry {
    pub function: FnId,
    pub generics: Vec<Arg>,
    /// `[numthreads(x, y, z)]`; one lane without it.
    pub group: [u32; 3],
    /// What each parameter is given.
    pub params: Vec<Source>,
}

/// Where the value of an entry point's parameter comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// From whoever launches, as for a global.
    Uniform,
    System(SystemValue),
    /// A struct, field by field.
    Fields(Vec<Source>),
}

fn system_value(semantic: &str) -> Option<SystemValue> {
    Some(match semantic.to_ascii_lowercase().as_str() {
        "sv_dispatchthreadid" => SystemValue::DispatchThreadId,
        "sv_groupid" => SystemValue::GroupId,
        "sv_groupthreadid" => SystemValue::GroupThreadId,
        "sv_groupindex" => SystemValue::GroupIndex,
        _ => return None,
    })
}

impl Checker<'_> {
    /// Notes the function if it is an entry point: a generic one for each of its instances that were asked for. Whether it is one
    /// that cannot be launched, which was reported.
    pub fn note_entry_point(&mut self, id: FnId, instances: &[Instance]) -> bool {
        let function = self.program.functions[id].clone();
        let named =
            |name: &str| function.decl.attributes.iter().find(|a| a.name.text.eq_ignore_ascii_case(name));
        let (shader, threads) = (named("shader"), named("numthreads"));
        let span = function.ast.name.span;
        if let Some(shader) = shader
            && !is_compute(shader)
        {
            self.unsupported("entry points of stages other than `compute`", shader.span);
            return true;
        }
        if shader.is_none() && threads.is_none() {
            return false;
        }
        let mut context = Context::of_scope(self, function.scope);
        let group = match threads {
            Some(threads) => context.group_size(threads),
            None => Some([1, 1, 1]),
        };
        let Some(group) = group else { return true };
        let signature = self.signature(id);
        if !matches!(signature.result, Ty::Void | Ty::Error) {
            self.unsupported("results of entry points", span);
            return true;
        }
        let asked = instances.iter().filter(|(asked, _)| *asked == id).map(|(_, args)| args.clone());
        let plain = signature.generics.is_empty().then(Vec::new);
        for generics in plain.into_iter().chain(asked) {
            let subst: Subst = signature.generics.iter().copied().zip(generics.iter().cloned()).collect();
            let mut params = Vec::new();
            for (param, ast) in signature.params.iter().zip(&function.ast.params) {
                if param.direction.writes() {
                    self.unsupported("`out` parameters of entry points", param.span);
                    return true;
                }
                let ty = param.ty.subst(&self.program, &subst);
                match self.source(&ty, &ast.semantics, param.span) {
                    Some(source) => params.push(source),
                    None => return true,
                }
            }
            self.program.entries.push(Entry { function: id, generics, group, params });
        }
        signature.broken
    }

    /// Lanes that meet are at most as many as every device can hold at once.
    pub fn refuse_large_meetings(&mut self) {
        let meets = |expr: &Expr| match &expr.kind {
            ExprKind::Action(Action::Barrier | Action::Wave(_), _) => true,
            ExprKind::Global(id) => self.program.globals[*id].kind == GlobalKind::Shared,
            _ => false,
        };
        let mut found = None;
        for body in self.bodies.values().flatten() {
            each_expr(&body.block, &mut |expr| {
                if meets(expr) {
                    found = Some(expr.span);
                }
            });
        }
        let Some(meeting) = found else { return };
        for entry in self.program.entries.clone() {
            if entry.group.iter().product::<u32>() <= GROUP_LANES {
                continue;
            }
            let function = &self.program.functions[entry.function];
            let message = format!("the workgroups of `{}` are too large for lanes that meet", function.name);
            self.diagnostics.push(
                Diagnostic::error(Code::UnsupportedFeature, message)
                    .at(function.ast.name.span, format!("has more than {GROUP_LANES} lanes"))
                    .also(meeting, "here lanes of a workgroup meet")
                    .help(format!("use at most {GROUP_LANES} lanes")),
            );
            self.bodies.insert(entry.function, None);
        }
    }

    /// Where a parameter or field of that type and those semantics comes from.
    fn source(&mut self, ty: &Ty, semantics: &[ast::Semantic], span: Span) -> Option<Source> {
        // `register` and `packoffset` choose places of binding, which we have none of.
        let bound = |semantic: &&ast::Semantic| {
            !matches!(&*semantic.name.text.to_ascii_lowercase(), "register" | "packoffset")
        };
        let Some(semantic) = semantics.iter().find(bound) else {
            let Ty::Struct(id, _) = ty else { return Some(Source::Uniform) };
            return self.field_sources(ty, *id, span);
        };
        match system_value(&semantic.name.text) {
            Some(system) if counts_lanes(ty) => Some(Source::System(system)),
            Some(_) => {
                let shown = self.program.show(ty);
                let message = format!("`{}` cannot be `{shown}`", semantic.name.text);
                self.error(Code::TypeMismatch, message, semantic.span, "needs `uint3`, `uint2` or `uint`");
                None
            }
            None => {
                self.unsupported(&format!("semantics like `{}`", semantic.name.text), semantic.span);
                None
            }
        }
    }

    /// A struct is uniform, unless a field has a semantic.
    fn field_sources(&mut self, ty: &Ty, id: StructId, span: Span) -> Option<Source> {
        let fields = self.program.fields_of(ty);
        let ast = self.program.structs[id].ast;
        let declared = ast.members.iter().filter(|member| super::signature::is_field(member));
        let mut sources = Vec::new();
        for (field, member) in fields.iter().zip(declared) {
            let ast::DeclKind::Var(var) = &member.kind else { continue };
            sources.push(self.source(&field.ty, &var.semantics, span)?);
        }
        let is_uniform = sources.iter().all(|source| matches!(source, Source::Uniform));
        Some(if is_uniform { Source::Uniform } else { Source::Fields(sources) })
    }
}

/// Integers, one or up to three of them.
fn counts_lanes(ty: &Ty) -> bool {
    let small = matches!(ty, Ty::Number(_, Shape::Scalar | Shape::Vector(Count::Known(1..=3))));
    small && matches!(ty, Ty::Number(Elem::Scalar(Scalar::I32 | Scalar::U32), _))
}

/// Whether the function is declared as an entry point.
pub fn is_launched(function: &Function<'_>) -> bool {
    let names = |attribute: &ast::Attribute, name: &str| attribute.name.text.eq_ignore_ascii_case(name);
    function.decl.attributes.iter().any(|it| names(it, "shader") || names(it, "numthreads"))
}

fn is_compute(shader: &ast::Attribute) -> bool {
    matches!(shader.args.first().map(|arg| &arg.kind), Some(ast::ExprKind::String(stage)) if &**stage == "compute")
}

impl Context<'_, '_> {
    /// `numthreads(x, y, z)`; sizes left out are 1.
    fn group_size(&mut self, threads: &ast::Attribute) -> Option<[u32; 3]> {
        let mut group = [1u32; 3];
        for (size, arg) in group.iter_mut().zip(&threads.args) {
            let value = self.expr(arg);
            if value.is_error() {
                return None;
            }
            let known = self.constant_int(&value)?;
            *size = match u32::try_from(known) {
                Ok(known @ 1..=1024) => known,
                _ => {
                    let message = format!("a workgroup cannot have {known} lanes along an axis");
                    self.error(Code::TypeMismatch, message, arg.span, "1 to 1024 are possible");
                    return None;
                }
            };
        }
        if threads.args.is_empty() || threads.args.len() > 3 {
            self.error(Code::TypeMismatch, "`numthreads` takes three sizes", threads.span, "here");
            return None;
        }
        let lanes = group.iter().try_fold(1u32, |product, &size| product.checked_mul(size));
        if lanes.is_none_or(|lanes| lanes > MAX_GROUP_LANES) {
            self.error(
                Code::UnsupportedFeature,
                "this workgroup has too many lanes",
                threads.span,
                format!("at most {} are possible", MAX_GROUP_LANES),
            );
            return None;
        }
        Some(group)
    }
}
