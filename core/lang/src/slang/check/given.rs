//! Custom derivatives: which functions authors give for the derivatives of others, and whether their signatures are those of
//! derivatives.

use super::call::FunctionSet;
use super::context::Context;
use super::hir::Callee;
use super::infer::{in_order, infer, matches_args};
use super::member::Item;
use super::program::{FnId, Function, Given, GivenPart, Param, Program, Role, Signature, Symbol};
use super::types::{Arg, Subst, Ty};
use super::{Checker, Instance, claims_derivative, done};
use crate::slang::ast;
use pullback_base::{Code, Diagnostic, Span, ids::Id};
use pullback_ir::{DerivativeMode, Direction};
use std::ops::Range;

/// What an attribute says of derivatives.
struct Clause<'a> {
    part: GivenPart,
    /// It stands on the derivative, and names the function that this is one of.
    is_of: bool,
    attribute: &'a ast::Attribute,
    /// The function it stands on.
    on: FnId,
}

impl<'a> Clause<'a> {
    fn of(attribute: &'a ast::Attribute, on: FnId) -> Option<Self> {
        let (part, is_of) = match &*attribute.name.text {
            "ForwardDerivative" => (GivenPart::Derivative(DerivativeMode::Forward), false),
            "BackwardDerivative" => (GivenPart::Derivative(DerivativeMode::Backward), false),
            "PrimalSubstitute" => (GivenPart::Substitute, false),
            "ForwardDerivativeOf" => (GivenPart::Derivative(DerivativeMode::Forward), true),
            "BackwardDerivativeOf" => (GivenPart::Derivative(DerivativeMode::Backward), true),
            "PrimalSubstituteOf" => (GivenPart::Substitute, true),
            "__apply" => (GivenPart::Apply, true),
            _ => return None,
        };
        Some(Self { part, is_of, attribute, on })
    }

    /// Where the other function is named.
    fn span(&self) -> Span {
        self.attribute.args.first().map_or(self.attribute.span, |arg| arg.span)
    }
}

impl From<DerivativeMode> for GivenPart {
    fn from(mode: DerivativeMode) -> Self {
        GivenPart::Derivative(mode)
    }
}

impl GivenPart {
    /// What it is given for.
    pub fn role(self) -> GivenPart {
        match self {
            GivenPart::Apply | GivenPart::Context => DerivativeMode::Backward.into(),
            part => part,
        }
    }

    /// `forward derivative`
    pub fn name(self) -> &'static str {
        match self.role() {
            GivenPart::Derivative(DerivativeMode::Forward) => "forward derivative",
            GivenPart::Derivative(DerivativeMode::Backward) => "backward derivative",
            _ => "substitute",
        }
    }
}

impl Function<'_> {
    /// The functions that are given for its derivatives. What types give for interfaces is not among them.
    pub fn given_functions(&self) -> impl Iterator<Item = FnId> {
        self.given.iter().filter_map(|given| match &given.by {
            Callee::Function { id, .. } => Some(*id),
            _ => None,
        })
    }
}

impl Program<'_> {
    /// What is given for the derivatives of an instance.
    pub fn given_for(&self, id: FnId, args: &[Arg]) -> Vec<(GivenPart, Instance)> {
        let given = self.functions[id].given.iter().filter_map(|given| {
            let subst = matches_args(self, &given.generics, &given.of, args)?;
            let known = |generics: &[Arg]| generics.iter().map(|arg| arg.subst(self, &subst)).collect();
            let by = match &given.by {
                Callee::Function { id, generics } => (*id, known(generics)),
                Callee::Requirement { this, requirement, generics, .. } => {
                    let generics: Vec<Arg> = known(generics);
                    self.witness(&this.subst(self, &subst), *requirement, &generics)?
                }
                Callee::Derivative { .. } => return None,
            };
            Some((given.part, by))
        });
        given.collect()
    }

    /// What to say where a derivative of an instance is asked for, and its author gave the other one alone.
    pub fn not_given(&self, id: FnId, args: &[Arg], mode: DerivativeMode, asked: Span) -> Option<Diagnostic> {
        let function = &self.functions[id];
        let fits = |given: &&Given| matches_args(self, &given.generics, &given.of, args).is_some();
        let other = function.given.iter().find(fits)?;
        let tells = |given: &Given| given.part == GivenPart::Substitute || given.part.role() == mode.into();
        if claims_derivative(function.decl, mode) || function.given.iter().filter(fits).any(tells) {
            return None;
        }
        let (name, lacks) = (&function.qualified, mode.name());
        Some(
            Diagnostic::error(Code::NoDerivative, format!("`{name}` has no {lacks} derivative"))
                .at(asked, "asked for here")
                .also(other.span, format!("its author gave a {} alone", other.part.name()))
                .help(format!(
                    "give it a {lacks} derivative too, or mark it `[Differentiable]` to have that derived"
                )),
        )
    }

    /// What an instance's generic parameters stand for where it is told which types differentiate: they are looked at as what
    /// is given for its derivatives does. Behind it what the generic parameters in that stand for.
    pub fn seen_as(&self, id: FnId, args: &[Arg]) -> Option<(Subst, Subst)> {
        let function = &self.functions[id];
        let fit = |given: &Given| {
            let subst = matches_args(self, &given.generics, &given.of, args)?;
            let generics = &done(&function.signature)?.generics;
            Some((generics.iter().copied().zip(given.of.iter().cloned()).collect(), subst))
        };
        function.given.iter().find_map(fit)
    }

    /// The generic arguments of a candidate, where its name tells them all.
    fn named_args(&self, set: &FunctionSet, id: FnId) -> Option<Vec<Arg>> {
        let signature = done(&self.functions[id].signature)?;
        let own = &signature.generics[signature.outer..];
        let mut subst = match &set.of {
            Some(of) => self.outer_subst(id, Some(of))?,
            None => Subst::default(),
        };
        subst.extend(own.iter().copied().zip(set.generics.iter().flatten().cloned()));
        signature.generics.iter().map(|param| subst.get(param).cloned()).collect()
    }

    /// As the derivatives of a candidate of these arguments see it.
    pub fn seen_in(&self, set: &FunctionSet, id: FnId) -> Option<(Subst, Subst)> {
        if self.functions[id].given.is_empty() {
            return None;
        }
        self.seen_as(id, &self.named_args(set, id)?)
    }

    /// The signature of a context's `operator()`, and the context's type, of a function of signature `of` for which something
    /// is given that gives `result`.
    fn context_signature(&self, of: &Signature, result: &Ty) -> Result<(Signature, Ty), String> {
        let elements = self.tuple_elements(result);
        let Some([value, context]) = elements.as_deref() else {
            let (shown, needed) = (self.show(result), self.show(&of.result));
            return Err(format!("gives `{shown}`, not a `Tuple` of `{needed}` and a context"));
        };
        if *value != of.result {
            let (has, needs) = (self.show(value), self.show(&of.result));
            return Err(format!("gives `{has}`, not `{needs}`, as the first element"));
        }
        let param = |name: &str, ty: Ty, direction| {
            let (name, span) = (name.into(), Span::NONE);
            Param { name, ty, direction, no_diff: false, default: None, span }
        };
        let mut params = Vec::new();
        for given in &of.params {
            if given.direction != Direction::In {
                return Err(format!("contexts tell nothing of `{}`, which is written", given.name));
            }
            let tangent = self.differential(&given.ty).filter(|_| !given.no_diff);
            params.extend(tangent.map(|ty| param(&given.name, ty, Direction::Out)));
        }
        let seed = self.differential(&of.result).filter(|_| !of.result_no_diff);
        params.extend(seed.map(|ty| param("dOut", ty, Direction::In)));
        let (generics, broken) = (Vec::new(), false);
        let signature =
            Signature { generics, outer: 0, params, result: Ty::Void, result_no_diff: false, broken };
        Ok((signature, context.clone()))
    }

    /// The signature of what is given for a function of this signature.
    fn wanted(&self, of: &Signature, part: GivenPart) -> Signature {
        match part {
            GivenPart::Derivative(mode) => self.derivative_signature(of, mode),
            _ => of.subst(self, &Subst::default()),
        }
    }
}

impl Checker<'_> {
    /// Notes what attributes say of the derivatives of functions.
    pub fn note_given_derivatives(&mut self, functions: Range<usize>) {
        let mut wrong = Vec::new();
        for on in functions.map(FnId::from_index) {
            for attribute in &self.program.functions[on].decl.attributes {
                let Some(clause) = Clause::of(attribute, on) else { continue };
                if !self.note_clause(&clause) {
                    wrong.push(on);
                }
            }
        }
        self.bodies.extend(wrong.into_iter().map(|on| (on, None)));
    }

    /// Whether the clause is right.
    fn note_clause(&mut self, clause: &Clause<'_>) -> bool {
        if self.program.functions[clause.on].length.is_some() {
            self.unsupported("derivatives given to functions with packs", clause.attribute.span);
            return false;
        }
        if self.bodies.contains_key(&clause.on) {
            self.diagnostics.push(
                Diagnostic::error(
                    Code::UnsupportedFeature,
                    "derivatives given to a declaration are not supported yet",
                )
                .at(clause.attribute.span, "the function is defined elsewhere")
                .help("move the attribute to the definition"),
            );
            return false;
        }
        let mut context = Context::of_scope(self, self.program.functions[clause.on].scope);
        context.function = Some(clause.on);
        let Some((of, all)) = context.given(clause) else { return false };
        let given = &all[0];
        let twin = self.program.functions[of].given.iter().find(|other| {
            let either = |a: &Given, b: &Given| matches_args(&self.program, &a.generics, &a.of, &b.of);
            other.part.role() == given.part.role()
                && (either(other, given).is_some() || either(given, other).is_some())
        });
        if let Some(twin) = twin {
            let name = &self.program.functions[of].qualified;
            let message = format!("`{name}` has two {}s", given.part.name());
            self.diagnostics.push(
                Diagnostic::error(Code::DuplicateName, message)
                    .at(given.span, "given again")
                    .also(twin.span, "first given here")
                    .help("remove one of them"),
            );
            return false;
        }
        self.program.functions[of].given.extend(all);
        true
    }
}

impl Context<'_, '_> {
    /// What a clause gives, and to which function; `None` when something is wrong, and reported.
    fn given(&mut self, clause: &Clause<'_>) -> Option<(FnId, Vec<Given>)> {
        let set = self.named_functions(clause)?;
        if self.refuse_hidden_functions(&set, clause.span()) {
            return None;
        }
        let mut fits: Vec<(FnId, Vec<Given>)> = Vec::new();
        let mut misfits: Vec<(FnId, String)> = Vec::new();
        for &other in set.candidates.iter().filter(|&&other| other != clause.on) {
            if self.checker.program.functions[other].length.is_some() {
                self.unsupported("derivatives given to functions with packs", clause.span());
                return None;
            }
            if self.checker.signature(other).broken || self.checker.signature(clause.on).broken {
                return None;
            }
            let fit = match (self.limit(other), clause.is_of) {
                (Some(limit), _) => Err(limit),
                (None, false) => self.given_by(clause, &set, other).map(|given| (clause.on, vec![given])),
                (None, true) => self.given_to(clause, &set, other).map(|given| (other, given)),
            };
            match fit {
                Ok(fit) => fits.push(fit),
                Err(why) => misfits.push((other, why)),
            }
        }
        let found = fits.pop();
        match found.filter(|_| fits.is_empty()) {
            Some(fit) => return Some(fit),
            None if fits.is_empty() => self.report_misfits(clause, &misfits),
            None => {
                let message = format!("several functions `{}` can be meant", set.name);
                let mut report =
                    Diagnostic::error(Code::AmbiguousOverload, message).at(clause.span(), "named here");
                for &other in &set.candidates {
                    let shown = self.checker.program.show_function(other, &Subst::default());
                    let span = self.checker.program.functions[other].ast.name.span;
                    report = report.also(span, format!("`{shown}`"));
                }
                self.report(report.help("give the functions different names"));
            }
        }
        None
    }

    fn named_functions(&mut self, clause: &Clause<'_>) -> Option<FunctionSet> {
        let [named] = &clause.attribute.args[..] else {
            let name = &clause.attribute.name.text;
            let (message, help) = (format!("`{name}` names one function"), format!("write `[{name}(f)]`"));
            self.error_advised(Code::SyntaxError, message, clause.attribute.span, "names none", help);
            return None;
        };
        match self.function_item(named) {
            Item::Functions(set) if set.derivatives.is_empty() => Some(set),
            Item::Value(value) if value.is_error() => None,
            _ => {
                let message = format!("`{}` names a function", clause.attribute.name.text);
                let help = "name the function alone: `f`, `Type.f` or `f<T>`";
                self.error_advised(Code::TypeMismatch, message, named.span, "not a function", help);
                None
            }
        }
    }

    /// The clause's function is given `other`.
    fn given_by(&mut self, clause: &Clause<'_>, set: &FunctionSet, other: FnId) -> Result<Given, String> {
        let of = self.checker.flat_signature(clause.on);
        let given = self.checker.flat_signature(other);
        let program = &self.checker.program;
        let wanted = program.wanted(&of, clause.part);
        let outer = self.outer_of(set, other).ok_or("is a member of another type")?;
        let types: Vec<Ty> = wanted.params.iter().map(|param| param.ty.clone()).collect();
        let explicit = set.generics.clone().or_else(|| same_generics(program, &given, &of));
        let subst = infer(program, &given, outer, explicit.as_deref(), &types)?;
        agree(program, &given.subst(program, &subst), &wanted)?;
        self.checker.want(other);
        let by_object = self.checker.program.this_param(other).is_some();
        let by = self.callee(other, in_order(&self.checker.program, other, &subst), by_object);
        let itself = of.generics.iter().map(|&param| self.checker.program.generic_as_arg(param)).collect();
        Ok(Given { part: clause.part, generics: of.generics, of: itself, by, span: clause.attribute.span })
    }

    /// The clause's function is given to `other`.
    fn given_to(
        &mut self,
        clause: &Clause<'_>,
        set: &FunctionSet,
        other: FnId,
    ) -> Result<Vec<Given>, String> {
        let of = self.checker.flat_signature(other);
        let given = self.checker.flat_signature(clause.on);
        let program = &self.checker.program;
        let outer = self.outer_of(set, other).ok_or("is a member of another type")?;
        let types = primal_types(program, &of, &given, clause.part);
        let explicit = set.generics.clone().or_else(|| same_generics(program, &of, &given));
        let subst = infer(program, &of, outer, explicit.as_deref(), &types)?;
        let mut wanted = program.wanted(&of.subst(program, &subst), clause.part);
        let mut context = None;
        if clause.part == GivenPart::Apply {
            let (answers, ty) = program.context_signature(&wanted, &given.result)?;
            context = Some(self.context_of(&ty, &answers)?);
            wanted.result = given.result.clone();
        }
        let program = &self.checker.program;
        agree(program, &given, &wanted)?;
        let of = in_order(program, other, &subst);
        let itself: Vec<Arg> = given.generics.iter().map(|&param| program.generic_as_arg(param)).collect();
        let told = matches_args(program, &given.generics, &of, &of).unwrap_or_default();
        if let Some(untold) = given.generics.iter().find(|param| !told.contains_key(param)) {
            return Err(format!("nothing tells `{}`", program.generics[*untold].name));
        }
        let by_object = self.checker.program.this_param(clause.on).is_some();
        let by = self.callee(clause.on, itself, by_object);
        let (generics, span) = (given.generics, clause.attribute.span);
        let given = |part, by| Given { part, generics: generics.clone(), of: of.clone(), by, span };
        let context = context.map(|context| given(GivenPart::Context, context));
        Ok(std::iter::once(given(clause.part, by)).chain(context).collect())
    }

    /// The `operator()` of a context, which has that signature.
    fn context_of(&mut self, ty: &Ty, wanted: &Signature) -> Result<Callee, String> {
        let shown = self.show(ty);
        let Some(Symbol::Functions(candidates)) = self.checker.program.member_of(ty, "operator()") else {
            return Err(format!("`{shown}` has no `operator()`"));
        };
        let mut why = String::new();
        for id in candidates {
            let given = self.checker.signature(id);
            let program = &self.checker.program;
            if program.functions[id].role != (Role::Method { mutating: false }) {
                why = format!("`{shown}.operator()` changes its object");
                continue;
            }
            let outer = program.outer_subst(id, Some(ty)).unwrap_or_default();
            let types: Vec<Ty> = wanted.params.iter().map(|param| param.ty.clone()).collect();
            let fit = infer(program, &given, outer, None, &types)
                .and_then(|subst| agree(program, &given.subst(program, &subst), wanted).map(|()| subst));
            match fit {
                Ok(subst) => {
                    self.checker.want(id);
                    return Ok(self.callee(id, in_order(&self.checker.program, id, &subst), true));
                }
                Err(misfit) => why = format!("`{shown}.operator()`: {misfit}"),
            }
        }
        Err(why)
    }

    fn report_misfits(&mut self, clause: &Clause<'_>, misfits: &[(FnId, String)]) {
        let on = &self.checker.program.functions[clause.on];
        let (on_name, on_span) = (on.qualified.clone(), on.ast.name.span);
        let Some((other, _)) = misfits.first() else {
            let message = format!("`{on_name}` cannot be its own {}", clause.part.name());
            self.error(Code::TypeMismatch, message, clause.span(), "names no other function");
            return;
        };
        let (other, name) = (*other, self.checker.program.functions[*other].qualified.clone());
        let (derivative, of) = if clause.is_of { (&on_name, &name) } else { (&name, &on_name) };
        let message = format!("`{derivative}` has not the signature of the {} of `{of}`", clause.part.name());
        let mut report = Diagnostic::error(Code::TypeMismatch, message).at(clause.span(), "named here");
        for (id, why) in misfits {
            let shown = self.checker.program.show_function(*id, &Subst::default());
            let declared = &self.checker.program.functions[*id];
            let label = match clause.is_of {
                false => format!("`{shown}`: {why}"),
                true => format!("as that of `{shown}`: {why}"),
            };
            report = match declared.is_std {
                true => report.note(label),
                false => report.also(declared.ast.name.span, label),
            };
        }
        let (derivative, of) = if clause.is_of { (clause.on, other) } else { (other, clause.on) };
        // A function extension stands where it names the other function.
        if on_span.to(clause.span()) != on_span {
            report = report.also(on_span, if clause.is_of { "this function" } else { "of this function" });
        }
        let wanted = self.wanted_declaration(derivative, of, clause.part);
        self.report(report.help(format!("declare `{wanted}`")));
    }

    /// The same for `__apply`, of a function of that signature.
    fn wanted_apply(&self, of: &Signature, shown: &[String]) -> String {
        let program = &self.checker.program;
        let answers = of.params.iter().filter(|param| !param.no_diff).filter_map(|param| {
            Some(format!("out {} d_{}", program.show(&program.differential(&param.ty)?), param.name))
        });
        let seed = program.differential(&of.result).map(|ty| format!("{} dOut", program.show(&ty)));
        let answers: Vec<String> = answers.chain(seed).collect();
        let result = program.show(&of.result);
        format!(
            "__apply(...)({}) -> Tuple<{result}, Context>` with `void operator()({})` in `Context",
            shown.join(", "),
            answers.join(", ")
        )
    }

    /// How a function would have to be declared to be given to another one.
    fn wanted_declaration(&mut self, derivative: FnId, of: FnId, part: GivenPart) -> String {
        let flat = self.checker.flat_signature(of);
        let program = &self.checker.program;
        let wanted = program.wanted(&flat, part);
        let mut params = &wanted.params[..];
        let mut prefix = "";
        if let (Role::Method { .. }, [this, rest @ ..]) = (program.functions[of].role, params) {
            prefix = match (&this.ty, this.direction) {
                (Ty::Pair(..), _) => "static ",
                (_, Direction::In) => "",
                _ => "[mutating] ",
            };
            if prefix != "static " {
                params = rest;
            }
        }
        let show = |param: &Param| {
            let direction = match param.direction {
                Direction::In => "",
                Direction::Out => "out ",
                Direction::InOut => "inout ",
            };
            let name = if &*param.name == "this" { "self" } else { &param.name };
            format!("{direction}{} {name}", program.show(&param.ty))
        };
        let params: Vec<String> = params.iter().map(show).collect();
        if part == GivenPart::Apply {
            return self.wanted_apply(&flat, &params);
        }
        let name = &program.functions[derivative].name;
        format!("{prefix}{} {name}({})", program.show(&wanted.result), params.join(", "))
    }
}

/// The generic arguments of a function whose own generic parameters are those of the other one.
fn same_generics(program: &Program<'_>, a: &Signature, b: &Signature) -> Option<Vec<Arg>> {
    let (own, others) = (&a.generics[a.outer..], &b.generics[b.outer..]);
    let args: Vec<Arg> = others.iter().map(|&param| program.generic_as_arg(param)).collect();
    let same_kinds = || own.iter().zip(&args).all(|(&param, arg)| program.same_kind(param, arg).is_ok());
    (own.len() == args.len() && same_kinds()).then_some(args)
}

/// The types of a function's parameters, as far as what is given for it tells them: those in its pairs.
fn primal_types(program: &Program<'_>, of: &Signature, given: &Signature, part: GivenPart) -> Vec<Ty> {
    let mut params = given.params.iter();
    let is_left_out = |param: &Param| {
        part == GivenPart::Derivative(DerivativeMode::Backward)
            && param.direction == Direction::Out
            && (param.no_diff || program.differential(&param.ty).is_none())
    };
    let types = of.params.iter().map(|param| {
        let given = if is_left_out(param) { None } else { params.next() };
        match given.map(|given| &given.ty) {
            Some(Ty::Pair(_, inner)) if !matches!(param.ty, Ty::Pair(..)) => Ty::clone(inner),
            Some(ty) => ty.clone(),
            None => param.ty.clone(),
        }
    });
    types.collect()
}

/// Why a signature is not the one that is wanted.
fn agree(program: &Program<'_>, given: &Signature, wanted: &Signature) -> Result<(), String> {
    if given.params.len() != wanted.params.len() {
        let (has, needs) = (given.params.len(), wanted.params.len());
        let plural = if has == 1 { "" } else { "s" };
        return Err(format!("takes {has} parameter{plural}, not {needs}"));
    }
    for (given, wanted) in given.params.iter().zip(&wanted.params) {
        if given.ty != wanted.ty {
            let (has, needs) = (program.show(&given.ty), program.show(&wanted.ty));
            return Err(format!("`{}` is `{has}`, not `{needs}`", given.name));
        }
        if given.direction != wanted.direction {
            let (has, needs) = (given.direction.name(), wanted.direction.name());
            return Err(format!("`{}` is `{has}`, not `{needs}`", given.name));
        }
    }
    if given.result != wanted.result {
        let (has, needs) = (program.show(&given.result), program.show(&wanted.result));
        return Err(format!("gives `{has}`, not `{needs}`"));
    }
    Ok(())
}
