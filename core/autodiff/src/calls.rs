//! Calls that differentiation meets: of functions whose derivatives their authors gave. All others are expanded before.

use crate::touched::{Place, Touched};
use pullback_base::{Code, Diagnostic, Diagnostics, bug};
use pullback_ir::visit::each_stmt;
use pullback_ir::{
    Block, DerivativeMode, Derivatives, Differentiable, FuncId, Function, Module, StmtKind, Type, Value,
};
use pullback_passes::{expand_calls, has_custom};
use rustc_hash::{FxHashMap, FxHashSet};
use std::borrow::Cow;

/// What is differentiated: a function in scalar form, and the module whose functions it calls. It calls only such as
/// have derivatives of their authors' (`pullback_passes::primal`); those without a call need no module.
#[derive(Clone, Copy)]
pub struct Primal<'a> {
    pub function: &'a Function,
    pub module: Option<&'a Module>,
}

impl<'a> From<&'a Function> for Primal<'a> {
    fn from(function: &'a Function) -> Self {
        Self { function, module: None }
    }
}

/// The functions that are called, as one mode sees them.
#[derive(Default)]
pub(crate) struct Calls(FxHashMap<FuncId, Custom>);

/// A function whose derivative its author gave.
pub(crate) struct Custom {
    /// What computes the derivative.
    pub derivative: FuncId,
    pub derivatives: Derivatives,
    /// For each leaf of the arguments whether it has a derivative.
    pub args: Vec<bool>,
    /// For each leaf of the results whether it has a derivative.
    pub results: Vec<bool>,
    /// For each leaf of the results whether the type of its derivatives repeats it.
    repeated: Vec<bool>,
    /// What the function touches, and what its derivative does. Parameters are the call's arguments in both.
    pub touched: Touched,
    pub derivative_touched: Touched,
    /// Whether the derivative runs for each call, even if no cotangent comes: it writes memory, or nothing that the
    /// function gives could have a cotangent.
    pub is_always_swept: bool,
    /// Whether a type of derivatives has numbers that are of no number of the values.
    pub has_parts_of_nothing: bool,
}

impl<'a> Primal<'a> {
    /// The function with only those calls left whose callees have a derivative of that mode given. The others are
    /// expanded: their bodies are differentiated, or those of their substitutes.
    pub(crate) fn settled(self, mode: DerivativeMode) -> Result<(Cow<'a, Function>, Calls), Diagnostics> {
        let Some(module) = self.module else { return Ok((Cow::Borrowed(self.function), Calls::default())) };
        let mut function = Cow::Borrowed(self.function);
        let mut expanded: FxHashSet<FuncId> = FxHashSet::default();
        // Each round expands callees that no round before it did, or replaces them by their substitutes.
        for _ in 0..=2 * module.functions.len() {
            let mut refused = Diagnostics::new();
            let mut missing = false;
            each_stmt(&function.body, &mut |stmt| {
                let StmtKind::Call { callee, .. } = stmt.kind else { return };
                let callee = &module.functions[callee];
                let Some(derivatives) = &callee.derivatives else { return };
                missing |= derivatives.custom(mode).is_none();
                if derivatives.custom(mode).is_none() && derivatives.given_only {
                    refused.push(not_given(callee, mode).at(stmt.span, "called here"));
                }
            });
            if refused.has_errors() {
                return Err(refused);
            }
            if !missing {
                let calls = Calls::of(&function, module, mode)?;
                return Ok((function, calls));
            }
            let mut next = function.into_owned();
            redirect(&mut next.body, module, mode, &mut expanded);
            let names: FxHashSet<&str> = expanded.iter().map(|&id| &*module.functions[id].name).collect();
            let keep = |callee: &Function| has_custom(callee) && !names.contains(&*callee.name);
            function = Cow::Owned(expand_calls(next, module, &keep)?);
        }
        let name = self.function.shown_name();
        Err(Diagnostic::error(
            Code::RecursiveCall,
            format!("what is differentiated for `{name}` calls itself"),
        )
        .at(self.function.span, "declared here")
        .help("a substitute must not call what it stands for")
        .into())
    }
}

/// Lets calls go to the substitutes of what lacks a derivative of the mode; notes what is to be expanded.
fn redirect(block: &mut Block, module: &Module, mode: DerivativeMode, expanded: &mut FxHashSet<FuncId>) {
    for stmt in &mut block.stmts {
        for inner in stmt.kind.blocks_mut() {
            redirect(inner, module, mode, expanded);
        }
        let StmtKind::Call { callee, .. } = &mut stmt.kind else { continue };
        let Some(derivatives) = &module.functions[*callee].derivatives else { continue };
        if derivatives.custom(mode).is_some() {
            continue;
        }
        match derivatives.substitute {
            Some(substitute) => *callee = substitute,
            None => {
                expanded.insert(*callee);
            }
        }
    }
}

/// A derivative of that mode is asked for, and there is none.
pub(crate) fn not_given(callee: &Function, mode: DerivativeMode) -> Diagnostic {
    let name = callee.shown_name();
    let (has, lacks) = match mode {
        DerivativeMode::Forward => (DerivativeMode::Backward, mode),
        DerivativeMode::Backward => (DerivativeMode::Forward, mode),
    };
    if callee.derivatives.as_ref().is_none_or(|derivatives| derivatives.custom(has).is_none()) {
        let message = format!("the derivatives given to `{name}` take differentiable pointers in pairs");
        return Diagnostic::error(Code::NoDerivative, message)
            .also(callee.span, "declared here")
            .help("pairs are given by `fwd_diff` and `bwd_diff` in a kernel: ask for the derivative there");
    }
    let (has, lacks) = (has.name(), lacks.name());
    Diagnostic::error(Code::NoDerivative, format!("`{name}` has no {lacks} derivative"))
        .also(callee.span, format!("its author gave a {has} derivative alone"))
        .help(format!("give it a {lacks} derivative too, or mark it `[Differentiable]` to have that derived"))
}

impl Calls {
    fn of(function: &Function, module: &Module, mode: DerivativeMode) -> Result<Self, Diagnostics> {
        let mut callees = FxHashSet::default();
        each_stmt(&function.body, &mut |stmt| {
            if let StmtKind::Call { callee, .. } = stmt.kind {
                callees.insert(callee);
            }
        });
        let customs = callees.into_iter().map(|callee| Ok((callee, Custom::of(callee, module, mode)?)));
        customs.collect::<Result<_, _>>().map(Self)
    }

    pub fn get(&self, callee: FuncId) -> &Custom {
        match self.0.get(&callee) {
            Some(custom) => custom,
            None => bug!("autodiff", "a call of {callee} is left, whose derivative is not known"),
        }
    }

    pub fn contains(&self, callee: FuncId) -> bool {
        self.0.contains_key(&callee)
    }
}

impl Custom {
    fn of(callee: FuncId, module: &Module, mode: DerivativeMode) -> Result<Self, Diagnostics> {
        let function = &module.functions[callee];
        let Some(derivatives) = function.derivatives.as_deref().cloned() else {
            bug!("autodiff", "`{}` has no derivatives", function.name)
        };
        let Some(derivative) = derivatives.custom(mode) else {
            bug!("autodiff", "`{}` has no {} derivative", function.name, mode.name())
        };
        let read = derivatives.params.iter().filter(|param| param.direction.reads());
        let args = read.flat_map(|param| param.value.active_leaves()).collect();
        let written = derivatives.params.iter().filter(|param| param.direction.writes());
        let given: Vec<&Differentiable> =
            derivatives.result.iter().chain(written.map(|param| &param.value)).collect();
        let results: Vec<bool> = given.iter().flat_map(|value| value.active_leaves()).collect();
        let repeated = given.iter().flat_map(|value| value.repeated_leaves()).collect();
        let touched = Touched::of(callee, module)?;
        let args_of_derivative = derivatives.primal_args(mode);
        let derivative_touched = Touched::of(derivative, module)?.seen(|param| args_of_derivative[param]);
        let has_effect = !derivative_touched.writes.is_empty() || derivative_touched.is_joint;
        let is_always_swept = !results.contains(&true) || has_effect;
        let values = derivatives.params.iter().map(|param| &param.value).chain(&derivatives.result);
        let mut tangents = values.filter_map(|value| value.tangent.as_ref());
        let has_parts_of_nothing = tangents.any(|tangent| tangent.parts().contains(&None));
        Ok(Self {
            derivative,
            args,
            results,
            repeated,
            touched,
            derivative_touched,
            is_always_swept,
            has_parts_of_nothing,
            derivatives,
        })
    }

    /// The memory from which both the function and its derivative read: a write in between would come between them. What
    /// the derivative reads alone is its author's: what the function or others have left for it there.
    pub fn reread(&self) -> impl Iterator<Item = Place<usize>> {
        let (primal, derivative) = (&self.touched.loads, &self.derivative_touched.loads);
        let meet = |one: &Place<usize>, other: &Place<usize>| {
            one == other || [one, other].contains(&&Place::Somewhere)
        };
        derivative.iter().filter(move |place| primal.iter().any(|other| meet(place, other))).copied()
    }

    /// The results that have derivatives.
    pub fn differentiable_results<'v>(&self, results: &'v [Value]) -> impl Iterator<Item = &'v Value> {
        marked(results, &self.results)
    }

    /// The results that cotangents of the results repeat.
    pub fn repeated_results<'v>(&self, results: &'v [Value]) -> impl Iterator<Item = &'v Value> {
        marked(results, &self.repeated)
    }

    /// The arguments that have derivatives.
    pub fn differentiable_args<'v>(&self, args: &'v [Value]) -> impl Iterator<Item = &'v Value> {
        marked(args, &self.args)
    }

    /// The types of the leaves that the derivative gives.
    pub fn derivative_results(&self, mode: DerivativeMode) -> Vec<Type> {
        let (_, results) = self.derivatives.signature(mode);
        results.iter().flat_map(Type::leaves).map(|leaf| leaf.leaf_in_scalar_form()).collect()
    }
}

fn marked<'v>(values: &'v [Value], marks: &[bool]) -> impl Iterator<Item = &'v Value> {
    values.iter().zip(marks).filter(|(_, marked)| **marked).map(|(value, _)| value)
}
