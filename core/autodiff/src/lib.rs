//! Differentiation, IR to IR: forward mode ([`jvp`]) and reverse mode ([`vjp`]).
//!
//! Both take a plain function in scalar form, and give one: print it, verify it, differentiate it again. What it calls
//! are functions whose derivatives their authors gave ([`Primal`]), and so in what comes out, which may call those derivatives too. One table (`rules`) holds the derivative of every op; both modes are generated from it.
//!
//! # The contract
//!
//! A gradient is right, or it is refused with a located diagnostic. Where a function has no derivative (ties,
//! kinks, singular points) the [`Convention`] says what it is taken to be.
//!
//! # Zero times infinity
//!
//! A branch that is not taken must not spoil the gradient: with `y = select(x > 0, sqrt(x), 0)` at `x = 0` the root's
//! cotangent is 0 and its derivative infinite. So a contribution `t * p` of a tangent or cotangent `t` is emitted as
//! `mul_or_zero t, p` where the partial derivative `p` may not be finite:
//!
//! - always, if `p` has a singularity at finite operands (`sqrt`, `log`, division, ...);
//! - in reverse mode, for any `p` that is not a constant, if each use of the result may be switched off: it is an arm
//!   of a `select`, an array element, or used only inside a conditional region.
//!
//! Where `p` is finite, that is a product like any other and has the product's derivative: a cotangent passes through
//! zero at every stationary point, and there the second derivative is `t' * p`, not 0.
//! `sqrt(0)` with the cotangent 1 still gives infinity. A cotangent that has become zero by underflow and meets a
//! factor that has overflowed (`1 / (1 + exp(-x))` at `x = -1000`) stays NaN, as in PyTorch: their product is unknown.

mod activity;
mod calls;
mod effects;
mod expand;
mod explain;
mod forward;
mod known;
mod memory;
#[cfg(not(feature = "mutations"))]
mod mutation;
#[cfg(feature = "mutations")]
pub mod mutation;
mod need;
mod plan;
mod reverse;
mod rules;
mod site;
mod slice;
mod touched;
mod unpaired;

use calls::Calls;
pub use calls::Primal;
pub use expand::expand;
pub use explain::{Explanation, LoopExplanation, Strategy, TripCount, explain};
use pullback_base::{Code, Diagnostic, Diagnostics, bug};
use pullback_ir::visit::Copier;
use pullback_ir::{
    DerivativeMode, Function, FunctionBuilder, FunctionKind, Scalar, StmtKind, Type, Value, visit,
};

/// What derivatives are taken to be where functions have none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Convention {
    /// As PyTorch: subgradients at kinks, infinities at poles.
    #[default]
    Torch,
    /// As Slang's library: `sqrt`, `rcp`, `pow` and `fmod` near their singular points differ.
    Slang,
}

/// Which cotangents a [`vjp`] takes and gives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VjpRequest {
    /// For each parameter whether its cotangent is wanted.
    pub active_params: Vec<bool>,
    /// For each result whether its cotangent is given; that of the others is zero.
    pub seeded_results: Vec<bool>,
    /// Whether the derived function gives the function's results too.
    pub keep_results: bool,
    pub convention: Convention,
    pub loops: LoopOptions,
    /// Whether memory that no active pointer leads to is constant. Otherwise a result that depends on it is refused.
    pub constant_memory: bool,
    /// For each parameter whether no other of these leads to the same memory, where either is written.
    pub distinct_params: Vec<bool>,
}

/// Which tangents a [`jvp`] takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JvpRequest {
    /// For each parameter whether its tangent is given; that of the others is zero.
    pub active_params: Vec<bool>,
    pub convention: Convention,
    /// Whether memory is constant. Otherwise a result that depends on it is refused.
    pub constant_memory: bool,
}

/// How loops are reversed. It changes what a gradient costs, and its value by rounding only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LoopOptions {
    /// How many states of a loop are stored; `None`: as many as fit a small budget.
    pub slots: Option<u32>,
    /// Whether all loops are reversed, also those that forward mode goes through at less cost.
    pub reversed: bool,
}

impl JvpRequest {
    /// The tangents of these parameters alone, by the default convention.
    pub fn new(active_params: Vec<bool>) -> Self {
        Self { active_params, convention: Convention::default(), constant_memory: false }
    }
}

impl VjpRequest {
    /// The cotangents of these parameters alone from those of these results, by the default convention.
    pub fn new(active_params: Vec<bool>, seeded_results: Vec<bool>) -> Self {
        let distinct_params = vec![false; active_params.len()];
        Self {
            active_params,
            seeded_results,
            keep_results: false,
            convention: Convention::default(),
            loops: LoopOptions::default(),
            constant_memory: false,
            distinct_params,
        }
    }
}

/// `f$jvp(params, tangents of the active params) -> (results, tangents of all float results)`.
///
/// An active pointer stands for all that is reached from it. Its tangent is memory of the same form: the derived function
/// takes a pointer to it after `params`, for each such parameter in order. What is read there are tangents, and those of
/// what is written are written there.
///
/// # Errors
/// A diagnostic for each construct that hides a derivative.
pub fn jvp<'a>(primal: impl Into<Primal<'a>>, active_params: &[bool]) -> Result<Function, Diagnostics> {
    requested_jvp(primal, &JvpRequest::new(active_params.to_vec()))
}

/// As [`jvp`], with more to choose.
///
/// # Errors
/// A diagnostic for each construct that hides a derivative.
pub fn requested_jvp<'a>(
    primal: impl Into<Primal<'a>>,
    request: &JvpRequest,
) -> Result<Function, Diagnostics> {
    let (function, calls) = primal.into().settled(DerivativeMode::Forward)?;
    check_form(&function, &calls);
    check_floats(&function, &function.params, &request.active_params, "parameter", true)?;
    forward::derive(&function, calls, request)
}

/// `f$vjp(params, cotangents of the seeded results) -> (results if kept, cotangents of the active params)`.
///
/// An active pointer stands for all that is reached from it. Its cotangent is memory of the same form: the derived function
/// takes a pointer to it after `params`, for each such parameter in order, and gives nothing back. What is there before
/// is the cotangent of what the function leaves in the parameter's memory (zero, where it only reads it); what is there
/// after is the cotangent of what it found. Lanes add to it atomically.
///
/// # Errors
/// A diagnostic for each construct that hides a derivative.
pub fn vjp<'a>(primal: impl Into<Primal<'a>>, request: &VjpRequest) -> Result<Function, Diagnostics> {
    let (function, calls) = primal.into().settled(DerivativeMode::Backward)?;
    check_form(&function, &calls);
    check_floats(&function, &function.params, &request.active_params, "parameter", true)?;
    check_floats(&function, &function.body.yields, &request.seeded_results, "result", false)?;
    reverse::derive(&function, calls, request)
}

/// Stops on a function that is not plain, not in scalar form, or with calls whose derivatives are not known.
fn check_form(function: &Function, calls: &Calls) {
    let is_leaf = |ty: &Type| ty.is_scalar() || matches!(ty, Type::Pointer(_));
    let fits = |ty: &Type| is_leaf(ty) || matches!(ty, Type::Array(element, _) if is_leaf(element));
    if function.kind != FunctionKind::Plain {
        bug!("autodiff", "`{}` is a kernel", function.name);
    }
    // Only what the body defines counts: values that passes left behind have declarations too.
    let mut defined = function.params.clone();
    visit::each_stmt(&function.body, &mut |stmt| {
        defined.extend(stmt.kind.results());
        if let StmtKind::Call { callee, .. } = stmt.kind
            && !calls.contains(callee)
        {
            bug!("autodiff", "`{}` has a call", function.name);
        }
    });
    if let Some(&value) = defined.iter().find(|&&value| !fits(function.ty(value))) {
        bug!("autodiff", "`{}` has a value of type {}", function.name, function.ty(value));
    }
}

/// A function that begins with the parameters of another, whose derivative it will be, and where those went.
fn derived_from<'a>(primal: &'a Function, derivative: &str) -> (FunctionBuilder, Copier<'a>) {
    let mut b = FunctionBuilder::new(&format!("{}${derivative}", primal.name), FunctionKind::Plain);
    b.function_mut().shared.clone_from(&primal.shared);
    let mut copier = Copier::new(primal);
    for &param in &primal.params {
        let copy = copier.define(b.function_mut(), param);
        b.function_mut().params.push(copy);
    }
    (b, copier)
}

/// Whether a pointer's elements, or the parts of them, may be floats.
fn may_point_to_floats(ty: &Type) -> bool {
    matches!(ty, Type::Pointer(element) if element.has_float() || **element == Type::Scalar(Scalar::U8))
}

/// A derivative can be asked of floats only, and of memory that holds some.
fn check_floats(
    primal: &Function,
    values: &[Value],
    asked: &[bool],
    what: &str,
    memory: bool,
) -> Result<(), Diagnostics> {
    if values.len() != asked.len() {
        let (has, given) = (values.len(), asked.len());
        bug!("autodiff", "`{}` has {has} {what}s, the request speaks of {given}", primal.name);
    }
    let mut found = Diagnostics::new();
    for (i, (&value, _)) in values.iter().zip(asked).enumerate().filter(|(_, pair)| *pair.1) {
        let decl = &primal.values[value];
        if !(decl.ty.has_float() || memory && may_point_to_floats(&decl.ty)) {
            let name = decl.name.as_ref().map_or_else(|| format!("{i}"), |name| format!("`{name}`"));
            let message = format!("{what} {name} has no gradient: its type is {}", decl.ty);
            found.push(
                Diagnostic::error(Code::NotDifferentiable, message).at(primal.span, "of this function"),
            );
        }
    }
    if found.is_empty() { Ok(()) } else { Err(found) }
}
