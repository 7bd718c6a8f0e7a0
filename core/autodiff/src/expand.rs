//! Gives functions that are derivatives of others their bodies, innermost first.
//!
//! A derivative's body takes pairs apart into leaves, runs the flat derivative of the function, and packs what comes
//! out as the language's signature wants it.

use crate::activity::Activity;
use crate::calls::not_given;
use crate::{Convention, JvpRequest, Primal, VjpRequest, requested_jvp, vjp};
use pullback_base::{Code, Diagnostic, Diagnostics, Span};
use pullback_ir::visit::each_stmt;
use pullback_ir::{
    DerivativeMode, Derivatives, Derived, Differentiable, FuncId, Function, FunctionBuilder, FunctionKind,
    Module, Op, StmtKind, Type, Value,
};
use pullback_passes::primal;
use rustc_hash::FxHashSet;

/// Derives every function that is a derivative of another one, by this convention. Beside the module stand warnings, of derivatives
/// that types without tangents end.
///
/// # Errors
/// A diagnostic for each construct that hides a derivative.
pub fn expand(module: Module, convention: Convention) -> Result<(Module, Diagnostics), Diagnostics> {
    let derived: Vec<FuncId> =
        module.functions.iter().filter(|(_, f)| f.derived.is_some()).map(|f| f.0).collect();
    if derived.is_empty() {
        return Ok((module, Diagnostics::new()));
    }
    let (problems, cut) = (Diagnostics::new(), Vec::new());
    let mut expander = Expander { module, convention, active: Vec::new(), problems, cut };
    for id in derived {
        expander.derive(id, Span::NONE);
    }
    if expander.problems.has_errors() {
        return Err(expander.problems);
    }
    let mut cut = expander.cut;
    cut.sort_by_key(|span| (span.file(), span.start, span.end));
    cut.dedup();
    let mut warnings = Diagnostics::new();
    for span in cut {
        let ty = expander.module.cut_types.get(&span).map_or("its type", |ty| ty);
        warnings.push(
            Diagnostic::warning(Code::NotDifferentiable, format!("a derivative ends here: `{ty}` has no tangents"))
                .at(span, "what `fwd_diff` and `bwd_diff` give is without what comes through here")
                .help("declare the type `: IDifferentiable`, or write `no_diff` or `detach` where no derivative is wanted"),
        );
    }
    Ok((expander.module, warnings))
}

struct Expander {
    module: Module,
    convention: Convention,
    /// The derivatives being derived, those that wait for others first.
    active: Vec<FuncId>,
    problems: Diagnostics,
    /// Where derivatives end for want of tangents.
    cut: Vec<Span>,
}

impl Expander {
    fn derive(&mut self, id: FuncId, span: Span) {
        let Some(derived) = self.module.functions[id].derived else { return };
        if self.active.contains(&id) {
            let name = self.module.functions[derived.of].shown_name();
            self.problems.push(
                Diagnostic::error(Code::RecursiveCall, format!("a derivative of `{name}` needs itself"))
                    .at(span, "this call closes the circle")
                    .also(self.module.functions[derived.of].span, "declared here")
                    .help("write the recursion as a loop"),
            );
            return;
        }
        self.active.push(id);
        for (below, span) in self.derivatives_below(derived.of) {
            self.derive(below, span);
        }
        self.active.pop();
        if self.problems.has_errors() {
            return;
        }
        let of = &self.module.functions[derived.of];
        if of.derivatives.as_ref().is_some_and(|of| of.given_only && of.custom(derived.mode).is_none()) {
            self.problems.push(not_given(of, derived.mode));
            return;
        }
        match body(&self.module, id, derived, self.convention) {
            Ok((function, cut)) => {
                self.module.functions[id] = function;
                self.cut.extend(cut.into_iter().filter(|span| !span.is_none()));
            }
            Err(problems) => self.problems.extend(problems),
        }
    }

    /// The derivatives that a function calls, directly or not, and itself if it is one.
    fn derivatives_below(&self, of: FuncId) -> Vec<(FuncId, Span)> {
        let mut seen = FxHashSet::default();
        let mut open = vec![(of, self.module.functions[of].span)];
        let mut found = Vec::new();
        while let Some((id, span)) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            let function = &self.module.functions[id];
            if function.derived.is_some() {
                found.push((id, span));
            }
            each_stmt(&function.body, &mut |stmt| {
                if let StmtKind::Call { callee, .. } = stmt.kind {
                    open.push((callee, stmt.span));
                }
            });
            let given = function.derivatives.iter().flat_map(|d| [d.forward, d.backward, d.substitute]);
            open.extend(given.flatten().map(|id| (id, span)));
        }
        found
    }
}

/// The derivative with its body, and without the mark that it lacks one.
fn body(
    module: &Module,
    id: FuncId,
    derived: Derived,
    convention: Convention,
) -> Result<(Function, Vec<Span>), Diagnostics> {
    let Derived { of, mode } = derived;
    let shell = &module.functions[id];
    let Some(derivatives) = &module.functions[of].derivatives else {
        pullback_base::bug!("expand", "`{}` has no derivatives", module.functions[of].name)
    };
    let mut b = FunctionBuilder::new(&shell.name, FunctionKind::Plain);
    b.set_span(module.functions[of].span);
    let params: Vec<Value> = shell
        .params
        .iter()
        .map(|&p| b.param(shell.ty(p).clone(), shell.values[p].name.as_deref().unwrap_or("")))
        .collect();
    let mut cut = Vec::new();
    let yields = match derivatives.custom(mode) {
        Some(custom) => b.call(custom, &shell.results, &params),
        None => {
            let flat = primal(module, derivatives.substitute.unwrap_or(of))?;
            let mut wrapper = Wrapper { module, convention, b: &mut b, derivatives };
            let yields = match mode {
                DerivativeMode::Forward => wrapper.forward(&flat, &params)?,
                DerivativeMode::Backward => wrapper.backward(&flat, &params)?,
            };
            cut = cut_places(Primal { function: &flat, module: Some(module) }, derivatives, mode)?;
            yields
        }
    };
    let mut function = b.finish(yields);
    function.interface.clone_from(&shell.interface);
    function.derivatives.clone_from(&shell.derivatives);
    function.span = shell.span;
    Ok((function, cut))
}

/// Where the derivatives that a language asks for end for want of tangents.
fn cut_places(
    primal: Primal<'_>,
    derivatives: &Derivatives,
    mode: DerivativeMode,
) -> Result<Vec<Span>, Diagnostics> {
    let mut any = false;
    each_stmt(&primal.function.body, &mut |stmt| {
        any |= matches!(stmt.kind, StmtKind::Let { op: Op::Cut, .. })
    });
    if !any {
        return Ok(Vec::new());
    }
    let (function, calls) = primal.settled(mode)?;
    let read = derivatives.params.iter().filter(|param| param.direction.reads());
    let written = derivatives.params.iter().filter(|param| param.direction.writes());
    let active: Vec<bool> = read.flat_map(|param| param.value.active_leaves()).collect();
    let results = derivatives.result.iter().chain(written.map(|param| &param.value));
    let seeded: Vec<bool> = results.flat_map(Differentiable::active_leaves).collect();
    let activity = Activity::of(&function, calls, &active, &seeded, true);
    Ok(activity.cut(&function, &seeded).into_iter().map(|stmt| stmt.span).collect())
}

/// Where the derivatives of the marked leaves stand.
fn marked(leaves: &[Option<u32>], marks: &[bool]) -> impl Iterator<Item = u32> {
    leaves.iter().zip(marks).filter(|(_, marked)| **marked).filter_map(|(leaf, _)| *leaf)
}

struct Wrapper<'a> {
    module: &'a Module,
    convention: Convention,
    b: &'a mut FunctionBuilder,
    derivatives: &'a Derivatives,
}

impl Wrapper<'_> {
    fn forward(&mut self, flat: &Function, params: &[Value]) -> Result<Vec<Value>, Diagnostics> {
        let read = self.derivatives.params.iter().filter(|param| param.direction.reads());
        let (mut primals, mut tangents, mut active) = (Vec::new(), Vec::new(), Vec::new());
        for (param, &value) in read.zip(params) {
            self.split(&param.value, value, &mut primals, &mut tangents, &mut active);
        }
        let flat = Primal { function: flat, module: Some(self.module) };
        let request =
            JvpRequest { active_params: active, convention: self.convention, constant_memory: true };
        let derived = requested_jvp(flat, &request)?;
        primals.extend(tangents);
        let values = self.paste(&derived, primals);
        let (primals, tangents) = values.split_at(flat.function.results.len());
        let (mut primals, mut tangents) = (primals.iter().copied(), tangents.iter().copied());
        let written = self.derivatives.params.iter().filter(|param| param.direction.writes());
        let results: Vec<&Differentiable> =
            self.derivatives.result.iter().chain(written.map(|param| &param.value)).collect();
        Ok(results.into_iter().map(|value| self.join(value, &mut primals, &mut tangents)).collect())
    }

    /// Puts a function in scalar form here, where pointers are to scalars.
    fn paste(&mut self, function: &Function, mut args: Vec<Value>) -> Vec<Value> {
        for (arg, &param) in args.iter_mut().zip(&function.params) {
            self.point(arg, function.ty(param));
        }
        self.b.paste(function, &args)
    }

    /// Gives a pointer the type, if it has another.
    fn point(&mut self, value: &mut Value, ty: &Type) {
        if let Type::Pointer(element) = ty
            && self.b.ty(*value) != ty
        {
            *value = self.b.op(Op::PointerCast(Type::clone(element)), &[*value]);
        }
    }

    /// A value's leaves, and the tangents of those that have one.
    fn split(
        &mut self,
        shape: &Differentiable,
        value: Value,
        primals: &mut Vec<Value>,
        tangents: &mut Vec<Value>,
        active: &mut Vec<bool>,
    ) {
        let Some(tangent) = &shape.tangent else {
            let leaves = self.b.unpack(value);
            active.extend(leaves.iter().map(|_| false));
            return primals.extend(leaves);
        };
        let [primal, dual] = [0, 1].map(|field| self.b.extract(value, field));
        primals.extend(self.b.unpack(primal));
        let dual = self.b.unpack(dual);
        let marks = shape.active_leaves();
        tangents.extend(marked(&tangent.leaves, &marks).map(|leaf| dual[leaf as usize]));
        active.extend(marks);
    }

    /// The value of leaves, paired with its tangent if it has one. Every float leaf has a tangent.
    fn join(
        &mut self,
        shape: &Differentiable,
        primals: &mut impl Iterator<Item = Value>,
        tangents: &mut impl Iterator<Item = Value>,
    ) -> Value {
        let mut leaves: Vec<Value> = primals.by_ref().take(shape.ty.leaves().len()).collect();
        for (leaf, ty) in leaves.iter_mut().zip(shape.ty.leaves()) {
            self.point(leaf, &ty);
        }
        let primal = self.b.pack(&shape.ty, &mut leaves.into_iter());
        let of_leaf: Vec<Option<Value>> = shape
            .ty
            .leaves()
            .iter()
            .map(|leaf| if leaf.is_float() { tangents.next() } else { None })
            .collect();
        match &shape.tangent {
            None => primal,
            Some(_) => self.pair(shape, primal, &of_leaf),
        }
    }

    /// A value with its derivative, given leaf by leaf.
    fn pair(&mut self, shape: &Differentiable, primal: Value, of_leaf: &[Option<Value>]) -> Value {
        let Some(tangent) = &shape.tangent else { return primal };
        let primals = self.b.unpack(primal);
        let mut dual: Vec<Option<Value>> = vec![None; tangent.ty.leaves().len()];
        for ((at, value), (leaf, ty)) in
            tangent.leaves.iter().zip(of_leaf).zip(primals.into_iter().zip(shape.ty.leaves()))
        {
            if let Some(at) = at {
                dual[*at as usize] = if ty.is_float() { *value } else { Some(leaf) };
            }
        }
        let types = tangent.ty.leaves();
        let dual: Vec<Value> = dual
            .into_iter()
            .zip(types)
            .map(|(value, ty)| value.unwrap_or_else(|| self.b.zero(&ty)))
            .collect();
        let dual = self.b.pack(&tangent.ty, &mut dual.into_iter());
        self.b.op(Op::Construct(shape.pair()), &[primal, dual])
    }

    fn backward(&mut self, flat: &Function, params: &[Value]) -> Result<Vec<Value>, Diagnostics> {
        let derivatives = self.derivatives;
        let mut given = params.iter().copied();
        let mut next = || match given.next() {
            Some(value) => value,
            None => pullback_base::bug!("expand", "`{}` has too few parameters", flat.name),
        };
        let written = derivatives.params.len() - derivatives.hidden;
        let mut values = Vec::new();
        let mut seed = None;
        for (index, param) in derivatives.params.iter().enumerate() {
            if index == written {
                seed = derivatives.result.as_ref().and_then(|r| r.tangent.as_ref()).map(|_| next());
            }
            let is_dropped = param.direction == pullback_ir::Direction::Out && param.value.tangent.is_none();
            values.push((!is_dropped).then(&mut next));
        }
        if derivatives.hidden == 0 {
            seed = derivatives.result.as_ref().and_then(|r| r.tangent.as_ref()).map(|_| next());
        }
        let (mut primals, mut duals, mut active) = (Vec::new(), Vec::new(), Vec::new());
        let mut seeds = Vec::new();
        let mut seeded = Vec::new();
        let mut pairs = Vec::new();
        if let Some(result) = &derivatives.result {
            self.seed(result, seed, &mut seeds, &mut seeded);
        }
        for (param, &value) in derivatives.params.iter().zip(&values) {
            let differentiable = param.value.tangent.is_some();
            let Some(value) = value else {
                self.seed(&param.value, None, &mut seeds, &mut seeded);
                continue;
            };
            if param.direction.reads() {
                self.split(&param.value, value, &mut primals, &mut duals, &mut active);
                if differentiable {
                    pairs.push((&param.value, value));
                }
            }
            if param.direction.writes() {
                let dual = match param.direction {
                    pullback_ir::Direction::Out => Some(value),
                    _ if differentiable => Some(self.b.extract(value, 1)),
                    _ => None,
                };
                self.seed(&param.value, dual, &mut seeds, &mut seeded);
            }
        }
        let flat = Primal { function: flat, module: Some(self.module) };
        // The signature tells what has a derivative: memory is not of it.
        // Globals that are written lead each to memory of its own.
        let hidden = derivatives.params[written..].iter().filter(|param| param.direction.reads());
        let hidden: usize = hidden.map(|param| param.value.ty.leaves().len()).sum();
        let first_hidden = active.len() - hidden;
        let distinct_params = (0..active.len()).map(|leaf| leaf >= first_hidden).collect();
        let plain = VjpRequest::new(active, seeded);
        let request =
            VjpRequest { convention: self.convention, constant_memory: true, distinct_params, ..plain };
        let derived = vjp(flat, &request)?;
        primals.extend(seeds);
        let mut cotangents = self.paste(&derived, primals).into_iter();
        Ok(pairs.into_iter().map(|(shape, value)| self.answer(shape, value, &mut cotangents)).collect())
    }

    /// The cotangents of a result's leaves.
    fn seed(
        &mut self,
        shape: &Differentiable,
        dual: Option<Value>,
        seeds: &mut Vec<Value>,
        seeded: &mut Vec<bool>,
    ) {
        let (Some(tangent), Some(dual)) = (&shape.tangent, dual) else {
            return seeded.extend(shape.ty.leaves().iter().map(|_| false));
        };
        let dual = self.b.unpack(dual);
        let marks = shape.active_leaves();
        seeds.extend(marked(&tangent.leaves, &marks).map(|leaf| dual[leaf as usize]));
        seeded.extend(marks);
    }

    /// A pair that came in, with its cotangent.
    fn answer(
        &mut self,
        shape: &Differentiable,
        given: Value,
        cotangents: &mut impl Iterator<Item = Value>,
    ) -> Value {
        let primal = self.b.extract(given, 0);
        let marks = shape.active_leaves();
        let of_leaf: Vec<Option<Value>> =
            marks.into_iter().map(|active| if active { cotangents.next() } else { None }).collect();
        self.pair(shape, primal, &of_leaf)
    }
}
