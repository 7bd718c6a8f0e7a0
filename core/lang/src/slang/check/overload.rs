//! Which function a call means: the candidate whose arguments convert at the least cost.

use super::call::FunctionSet;
use super::context::Context;
use super::convert::{SPLAT_COST, implicit_cost};
use super::hir::Expr;
use super::infer::infer;
use super::program::{FnId, Role, Signature};
use super::types::{Subst, Ty};
use super::written::Declared;
use pullback_base::{Code, Diagnostic, Span};
use pullback_ir::Direction;
use std::sync::Arc;

/// A candidate that takes the arguments.
pub struct Fit {
    function: FnId,
    subst: Subst,
    /// Lower is better: the conversions; then functions of users before the library's; plain before generic ones;
    /// those without packs before others; members of one type before those of a generic one; then fewer defaults.
    rank: (u32, bool, bool, bool, bool, usize),
}

/// How many candidates a report lists.
const LISTED: usize = 6;

impl Context<'_, '_> {
    /// The function to call and what its generic parameters stand for; an error and `None` when there is none, or
    /// more than one.
    pub fn choose(&mut self, set: &FunctionSet, args: &[Expr], span: Span) -> Option<(FnId, Subst)> {
        if self.refuse_hidden_functions(set, span) {
            return None;
        }
        let mut fits: Vec<Fit> = Vec::new();
        let mut misfits: Vec<(FnId, String)> = Vec::new();
        for &function in &set.candidates {
            if let Some(limit) = self.limit(function) {
                misfits.push((function, limit));
                continue;
            }
            if self.checker.program.functions[function].length.is_some() {
                match self.fit_written(set, function, args) {
                    Ok(fit) => fits.push(fit),
                    Err(why) => misfits.push((function, why)),
                }
                continue;
            }
            let signature = self.checker.signature_in(set, function);
            if signature.broken && signature.params.iter().any(|param| param.ty.is_error()) {
                self.broken = true;
                return None;
            }
            match self.fit(set, function, &signature, args) {
                Ok(fit) => fits.push(fit),
                Err(why) => misfits.push((function, why)),
            }
        }
        let Some(best) = fits.iter().map(|fit| fit.rank).min() else {
            self.no_overload(set, args, &misfits, span);
            return None;
        };
        let mut best_fits = fits.into_iter().filter(|fit| fit.rank == best);
        let chosen = best_fits.next()?;
        let rivals: Vec<FnId> = best_fits.map(|fit| fit.function).collect();
        if !rivals.is_empty() {
            self.ambiguous(set, args, chosen.function, &rivals, span);
            return None;
        }
        Some((chosen.function, chosen.subst))
    }

    pub fn fit(
        &self,
        set: &FunctionSet,
        id: FnId,
        signature: &Arc<Signature>,
        args: &[Expr],
    ) -> Result<Fit, String> {
        let program = &self.checker.program;
        let function = &program.functions[id];
        let needs_object = matches!(function.role, Role::Method { .. }) && set.derivatives.is_empty();
        if needs_object && set.receiver.is_none() {
            return Err("needs an object".into());
        }
        // Within a type in a type, `this` is no object of the outer one.
        if needs_object
            && let (None, Some(this), Some(owner)) = (&set.of, &set.receiver, function.owner)
            && program.members_subst(owner, &this.ty).is_none()
        {
            return Err("needs an object of another type".into());
        }
        let least = signature.params.iter().filter(|param| param.default.is_none()).count();
        let most = signature.params.len();
        if !(least..=most).contains(&args.len()) {
            let plural = if least == 1 { "" } else { "s" };
            let count = if least == most { format!("{least}") } else { format!("{least} to {most}") };
            return Err(format!("takes {count} argument{plural}"));
        }
        let types: Vec<Ty> = args.iter().map(|arg| arg.ty.clone()).collect();
        let outer = self.outer_of(set, id).ok_or("is a member of another type")?;
        let subst = infer(program, signature, outer, set.generics.as_deref(), &types)?;
        if let Some(why) = program.unmet_demand(id, &subst) {
            return Err(why);
        }
        if set.generics.is_some() && signature.generics.len() == signature.outer {
            return Err("is not generic".into());
        }
        if let Some(why) = self.wrong_pack(Declared::Function(id), &subst) {
            return Err(why);
        }
        // Of the library alone: `[__noSplat]`.
        let splats = !function.decl.attributes.iter().any(|attribute| &*attribute.name.text == "__noSplat");
        let mut cost = 0;
        for (param, arg) in signature.params.iter().zip(args) {
            let wanted = param.ty.subst(program, &subst);
            let fits = match param.direction {
                Direction::In => implicit_cost(program, &arg.ty, &wanted),
                _ => (arg.ty == wanted).then_some(0),
            };
            let Some(arg_cost) = fits.filter(|&cost| splats || cost < SPLAT_COST) else {
                let (given, wanted) = (program.show(&arg.ty), program.show(&wanted));
                let exactly = if param.direction.writes() { "exactly " } else { "" };
                return Err(format!("`{}` needs {exactly}`{wanted}`, not `{given}`", param.name));
            };
            cost += arg_cost;
        }
        let defaults = most - args.len();
        Ok(Fit {
            function: id,
            subst,
            rank: (
                cost,
                function.is_std,
                signature.generics.len() > signature.outer,
                function.length.is_some(),
                signature.outer > 0,
                defaults,
            ),
        })
    }

    /// What the generic parameters of the type whose member a candidate is stand for.
    pub fn outer_of(&self, set: &FunctionSet, id: FnId) -> Option<Subst> {
        let program = &self.checker.program;
        let owner = program.functions[id].owner;
        let within = || owner.filter(|&owner| !self.encloses(owner)).and_then(|_| self.self_ty());
        program.outer_subst(id, set.of.clone().or_else(within).as_ref())
    }

    /// Whether a function takes these arguments.
    /// As [`Context::choose`], where some candidate takes the arguments; else nothing is said.
    pub fn chosen_quietly(&mut self, set: &FunctionSet, args: &[Expr]) -> Option<(FnId, Subst)> {
        let takes = |&&id: &&FnId| {
            let signature = self.checker.signature_in(set, id);
            !signature.broken && self.fit(set, id, &signature, args).is_ok()
        };
        let span = set.receiver.as_ref().map_or(Span::NONE, |receiver| receiver.span);
        let taking: Vec<FnId> = set.candidates.iter().filter(takes).copied().collect();
        if taking.is_empty() { None } else { self.choose(set, args, span) }
    }

    pub fn takes(&mut self, function: FnId, args: &[Expr]) -> bool {
        let signature = self.checker.signature(function);
        let set = FunctionSet::named("".into());
        self.fit(&set, function, &signature, args).is_ok()
    }

    fn show_args(&self, args: &[Expr]) -> String {
        let types: Vec<String> = args.iter().map(|arg| self.show(&arg.ty)).collect();
        format!("({})", types.join(", "))
    }

    fn no_overload(&mut self, set: &FunctionSet, args: &[Expr], misfits: &[(FnId, String)], span: Span) {
        let given = self.show_args(args);
        let message = format!("no `{}` takes {given}", set.name);
        let mut diagnostic = Diagnostic::error(Code::NoOverload, message).at(span, "called here");
        for (function, why) in misfits.iter().take(LISTED) {
            let shown = self.checker.program.show_function(*function, &Subst::default());
            let declared = &self.checker.program.functions[*function];
            if declared.is_std {
                diagnostic = diagnostic.note(format!("`{shown}`: {why}"));
            } else {
                diagnostic = diagnostic.also(declared.ast.name.span, format!("`{shown}`: {why}"));
            }
        }
        if misfits.len() > LISTED {
            diagnostic = diagnostic.note(format!("and {} more", misfits.len() - LISTED));
        }
        self.report(diagnostic.help("convert the arguments, or declare a function that takes them"));
    }

    fn ambiguous(&mut self, set: &FunctionSet, args: &[Expr], first: FnId, rivals: &[FnId], span: Span) {
        let given = self.show_args(args);
        let message = format!("several functions `{}` take {given} equally well", set.name);
        let mut diagnostic = Diagnostic::error(Code::AmbiguousOverload, message).at(span, "called here");
        for &function in std::iter::once(&first).chain(rivals).take(LISTED) {
            let shown = self.checker.program.show_function(function, &Subst::default());
            let declared = &self.checker.program.functions[function];
            if declared.is_std {
                diagnostic = diagnostic.note(format!("`{shown}`"));
            } else {
                diagnostic = diagnostic.also(declared.ast.name.span, format!("`{shown}`"));
            }
        }
        self.report(diagnostic.help("convert an argument to the type you mean"));
    }
}
