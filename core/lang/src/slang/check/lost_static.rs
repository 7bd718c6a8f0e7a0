//! Static variables that a backward derivative writes. Where a derivative runs backwards there is no order in which it could leave
//! them: it gives cotangents alone, so what its author has it write there is refused.

use super::Checker;
use super::hir::{Callee, Expr, ExprKind};
use super::program::{FnId, GivenPart, GlobalId, GlobalKind, Program, RequirementKind};
use super::recursion::{callees, each_expr};
use super::types::{Pairing, Ty};
use pullback_base::{Code, Diagnostic, Span};
use pullback_ir::DerivativeMode;
use rustc_hash::FxHashSet;

impl Checker<'_> {
    /// Reports each write of a static variable in a given backward derivative, or in what that calls.
    pub fn refuse_lost_statics(&mut self) {
        let backward: GivenPart = DerivativeMode::Backward.into();
        let functions = self.program.functions.values().flat_map(|function| &function.given);
        let given: Vec<(FnId, Span)> = functions
            .filter(|given| given.part.role() == backward)
            .filter_map(|given| match &given.by {
                Callee::Function { id, .. } => Some((*id, given.span)),
                _ => None,
            })
            .collect();
        for (by, span) in given {
            let Some((global, written)) = self.static_written_by(by) else { continue };
            let (name, derivative) =
                (&self.program.globals[global].name, &self.program.functions[by].qualified);
            let message = format!("`{derivative}` writes the static variable `{name}`, which would be lost");
            self.diagnostics.push(
                Diagnostic::error(Code::UnsupportedFeature, message)
                    .at(written, "written here")
                    .also(
                        span,
                        format!("`{derivative}` is a backward derivative, which gives cotangents alone"),
                    )
                    .help("use a variable of the function, or memory"),
            );
            self.bodies.insert(by, None);
        }
    }

    /// The first static variable that a function writes, or one that it calls, and where.
    fn static_written_by(&self, by: FnId) -> Option<(GlobalId, Span)> {
        let (mut open, mut seen) = (vec![by], FxHashSet::default());
        while let Some(id) = open.pop() {
            let Some(Some(body)) = self.bodies.get(&id).filter(|_| seen.insert(id)) else { continue };
            let mut found = None;
            each_expr(&body.block, &mut |expr| {
                if found.is_none() {
                    found = written_static(&self.program, expr).map(|global| (global, expr.span));
                }
            });
            if found.is_some() {
                return found;
            }
            open.extend(callees(&self.program, body));
        }
        None
    }
}

/// The static variable that an expression itself writes, in whole or in part.
fn written_static(program: &Program<'_>, expr: &Expr) -> Option<GlobalId> {
    match &expr.kind {
        ExprKind::Assign { place, .. } | ExprKind::Modify { place, .. } | ExprKind::Update { place, .. } => {
            static_of(program, place)
        }
        ExprKind::Call(call) => {
            let id = match &call.callee {
                Callee::Derivative { .. } => {
                    let pairs =
                        call.args.iter().filter(|arg| matches!(arg.ty, Ty::Pair(Pairing::Tangent, _)));
                    return pairs.into_iter().find_map(|arg| static_of(program, arg));
                }
                Callee::Function { id, .. } => *id,
                Callee::Requirement { requirement, .. } => match program.requirements[*requirement].kind {
                    RequirementKind::Function(id) => id,
                    RequirementKind::Type { .. } | RequirementKind::Constant { .. } => return None,
                },
            };
            let signature = super::done(&program.functions[id].signature)?;
            let this = program.this_param(id);
            let params = this.iter().chain(&signature.params);
            let written = params.zip(&call.args).filter(|(param, _)| param.direction.writes());
            written.into_iter().find_map(|(_, arg)| static_of(program, arg))
        }
        _ => None,
    }
}

/// The static variable that a place is, or is in.
fn static_of(program: &Program<'_>, place: &Expr) -> Option<GlobalId> {
    match &place.kind {
        ExprKind::Global(id) => (program.globals[*id].kind == GlobalKind::Static).then_some(*id),
        ExprKind::Pick(base, _) => static_of(program, base),
        _ => None,
    }
}
