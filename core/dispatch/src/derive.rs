//! Derivatives as functions of their own: called, vectorized and differentiated again like any other.
//!
//! They work lane by lane: where an argument is shared by several lanes, each lane has its own derivative. What sums
//! over lanes is a call's mode (`Mode::Backward`). A whole array has no lanes: its tangent is an array like it, and so is
//! its gradient, to which all lanes add (`memory.rs`).

use crate::error::Error;
use crate::memory;
use crate::overload::Overload;
use crate::slot::Slot;
use crate::source::Source;
use pullback_autodiff::VjpRequest;
use pullback_base::{Code, DType, Diagnostic, Shape, Span};
use pullback_ir as ir;
use pullback_ir::{Constant, Direction, FunctionBuilder, FunctionKind, Interface, InterfaceParam, Type};
use std::sync::Arc;

/// Which derivative. Inputs are named by the paths of their slots (`x`, `ray.origin`).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Derivation {
    /// The JVP: `(x.., d_x..) -> (y.., d_y..)`. A tangent `d_x` left out is zero; but those of whole arrays are given all, or
    /// none.
    Forward,
    /// The VJP: `(x.., d_y..) -> gradients` of these inputs, in this order. The cotangent of the only result may be
    /// left out: it is one then. The gradient by a whole array is added to what is in an array like it, the last parameters
    /// (see [`Function::gathered_name`](crate::Function::gathered_name)).
    Reverse { wrt: Vec<String> },
    /// The Jacobians of the only result by these inputs, in this order: of the result's own dims, then the input's.
    Jacobian { wrt: Vec<String> },
}

/// The derivatives of those declarations that have what `derivation` speaks of.
///
/// # Errors
/// `unknown-argument` and `not-differentiable`, of the first declaration, where there is none.
pub fn derive(
    overloads: &[Arc<Overload>],
    derivation: &Derivation,
) -> Result<Vec<Arc<Overload>>, Diagnostic> {
    let mut derived = Vec::new();
    let mut refused = None;
    for base in overloads {
        let with_tangents_of_memory = match derivation {
            Derivation::Forward if memory::differentiable(base).next().is_some() => &[false, true][..],
            _ => &[false],
        };
        for &of_memory in with_tangents_of_memory {
            match interface(base, derivation, of_memory) {
                Ok(interface) => {
                    let alike = memory::alike(base, derivation, of_memory);
                    let (base, derivation) = (base.clone(), derivation.clone());
                    let make = move |source: &Source| primal(source, &base, &derivation, of_memory);
                    derived.push(Arc::new(Overload::derived(interface, alike, make)));
                }
                Err(why) => refused = refused.or(Some(why)),
            }
        }
    }
    match refused {
        Some(why) if derived.is_empty() => Err(why),
        _ => Ok(derived),
    }
}

/// The derived function as differentiation takes it again.
fn primal(
    source: &Source,
    base: &Overload,
    derivation: &Derivation,
    of_memory: bool,
) -> Result<ir::Function, Error> {
    let primal = base.primal(source)?;
    source.derived(match derivation {
        Derivation::Forward => forward(source, &primal, base, of_memory),
        Derivation::Reverse { wrt } => reverse(source, &primal, base, wrt),
        Derivation::Jacobian { wrt } => jacobian(source, &primal, base, wrt),
    }?)
}

type Derived = Result<ir::Function, Error>;

fn forward(source: &Source, primal: &ir::Function, base: &Overload, of_memory: bool) -> Derived {
    let wholes = memory::differentiable(base).filter(|_| of_memory);
    let inputs = active(base.inputs()).chain(wholes);
    let mut derived = source.jvp(primal, marks(primal.params.len(), inputs))?;
    // The JVP gives the tangents of all float results; those of `no_diff` ones are nobody's.
    let mut tangents = vec![None; primal.results.len()];
    let floats = (0..primal.results.len()).filter(|&leaf| primal.results[leaf].is_float());
    for (place, leaf) in floats.enumerate() {
        tangents[leaf] = Some(primal.results.len() + place);
    }
    let mut kept: Vec<usize> = (0..primal.results.len()).collect();
    kept.extend(
        active(base.outputs()).flat_map(|slot| slot.leaves.clone()).filter_map(|leaf| tangents[leaf]),
    );
    keep_results(&mut derived, &kept);
    Ok(if of_memory { memory::tangents_in_place(primal, &derived, base) } else { derived })
}

fn reverse(source: &Source, primal: &ir::Function, base: &Overload, wrt: &[String]) -> Derived {
    let wanted = wanted_slots(base, wrt);
    let request = VjpRequest::new(
        marks(primal.params.len(), wanted.iter().copied()),
        marks(primal.results.len(), active(base.outputs())),
    );
    let mut derived = source.vjp(primal, &request)?;
    let (wholes, lanes): (Vec<&Slot>, Vec<&Slot>) = wanted.into_iter().partition(|slot| slot.whole.is_some());
    let order = places(&marks(primal.params.len(), lanes.iter().copied()));
    let kept: Vec<usize> =
        lanes.iter().flat_map(|slot| slot.leaves.clone()).map(|leaf| order[leaf]).collect();
    keep_results(&mut derived, &kept);
    Ok(if wholes.is_empty() { derived } else { memory::gradients_last(primal, &derived, &wholes) })
}

/// One JVP per input number or one VJP per result number, whichever are fewer; the primal is shared by them all.
fn jacobian(source: &Source, primal: &ir::Function, base: &Overload, wrt: &[String]) -> Derived {
    let wanted = wanted_slots(base, wrt);
    let outputs: Vec<usize> = active(base.outputs()).flat_map(|slot| slot.leaves.clone()).collect();
    let inputs: Vec<usize> = wanted.iter().flat_map(|slot| slot.leaves.clone()).collect();
    let active_params = marks(primal.params.len(), wanted.iter().copied());
    let by_input = inputs.len() <= outputs.len();
    let derived = if by_input {
        source.jvp(primal, active_params.clone())?
    } else {
        let seeded_results = marks(primal.results.len(), active(base.outputs()));
        source.vjp(primal, &VjpRequest::new(active_params.clone(), seeded_results))?
    };
    let mut b = FunctionBuilder::new(&format!("{}$jacobian", primal.name), FunctionKind::Plain);
    b.set_span(primal.span);
    let params: Vec<ir::Value> =
        primal.params.iter().map(|&param| b.param(primal.ty(param).clone(), "x")).collect();
    // Seeds and answers go by the order of the marked parameters and results.
    let param_order = places(&active_params);
    let output_order = places(&marks(primal.results.len(), active(base.outputs())));
    let seeded: Vec<Type> = if by_input {
        (0..primal.params.len())
            .filter(|&leaf| active_params[leaf])
            .map(|leaf| primal.ty(primal.params[leaf]).clone())
            .collect()
    } else {
        outputs.iter().map(|&leaf| primal.results[leaf].clone()).collect()
    };
    let rows: Vec<Vec<ir::Value>> = (0..seeded.len())
        .map(|one| {
            let mut args = params.clone();
            args.extend(
                seeded.iter().enumerate().map(|(i, ty)| b.number(ty, if i == one { 1.0 } else { 0.0 })),
            );
            b.paste(&derived, &args)
        })
        .collect();
    // The JVP's answers are the results, then the tangents of all float results.
    let float_order = places(&primal.results.iter().map(Type::is_float).collect::<Vec<_>>());
    let mut yields = Vec::new();
    for slot in &wanted {
        for &output in &outputs {
            for leaf in slot.leaves.clone() {
                yields.push(if by_input {
                    rows[param_order[leaf]][primal.results.len() + float_order[output]]
                } else {
                    rows[output_order[output]][param_order[leaf]]
                });
            }
        }
    }
    Ok(b.finish(yields))
}

/// For each mark that is set, how many are set before it.
fn places(marks: &[bool]) -> Vec<usize> {
    let counts = marks.iter().scan(0, |count, &mark| {
        let place = *count;
        *count += usize::from(mark);
        Some(place)
    });
    counts.collect()
}

fn marks<'a>(count: usize, slots: impl Iterator<Item = &'a Slot>) -> Vec<bool> {
    let mut marks = vec![false; count];
    slots.for_each(|slot| marks[slot.active_leaves()].fill(true));
    marks
}

fn active<'a>(slots: impl Iterator<Item = &'a Slot>) -> impl Iterator<Item = &'a Slot> {
    slots.filter(|slot| !slot.no_diff && !slot.is_global() && slot.whole.is_none())
}

fn wanted_slots<'a>(base: &'a Overload, wrt: &[String]) -> Vec<&'a Slot> {
    wrt.iter().filter_map(|path| base.inputs().find(|slot| slot.path == *path)).collect()
}

fn keep_results(function: &mut ir::Function, kept: &[usize]) {
    function.results = kept.iter().map(|&place| function.results[place].clone()).collect();
    function.body.yields = kept.iter().map(|&place| function.body.yields[place]).collect();
}

/// How the derived function is called.
fn interface(base: &Overload, derivation: &Derivation, of_memory: bool) -> Result<Interface, Diagnostic> {
    let from = &base.interface;
    if base.returned.is_none() || base.params.iter().any(Option::is_none) {
        let message = format!("`{}` has parameters that cannot be passed from outside a kernel", from.name);
        return Err(Diagnostic::error(Code::ArgumentType, message).at(base.span(), "declared here"));
    }
    let results: Vec<&Slot> = active(base.outputs()).collect();
    if results.is_empty() && !of_memory {
        let message = format!("`{}` has no result that can have a derivative", from.name);
        return Err(Diagnostic::error(Code::NotDifferentiable, message)
            .at(base.span(), "declared here")
            .help("ask for derivatives of functions that return floats not marked no_diff"));
    }
    let mut params: Vec<InterfaceParam> =
        base.arguments.iter().filter(|param| param.direction.reads()).cloned().collect();
    params.iter_mut().for_each(|param| param.direction = Direction::In);
    let span = base.span();
    let mut result = None;
    match derivation {
        Derivation::Forward => {
            let inputs = from.params.iter().filter(|param| param.direction.reads() && !param.no_diff);
            for param in inputs {
                if memory::differentiable(base).any(|slot| slot.path == *param.name) {
                    if of_memory {
                        let ty = param.ty.clone();
                        params.push(tangent(from, &param.name, ty, Direction::In, None, param.span));
                    }
                    continue;
                }
                let Some(ty) = param.ty.differential() else { continue };
                let zeros = ty.leaves().iter().filter_map(Type::scalar).map(Constant::zero).collect();
                params.push(tangent(from, &param.name, ty, Direction::In, Some(zeros), param.span));
            }
            // Those of globals, and in structs, cannot be given: they are taken to be constant, beside others that can.
            let whole = base.inputs().find(|slot| slot.whole.is_some() && !slot.no_diff);
            if let Some(whole) = whole.filter(|_| !of_memory && active(base.inputs()).next().is_none()) {
                let path = &whole.path;
                let message = format!("`{path}` is a whole array, whose tangent cannot be given");
                return Err(Diagnostic::error(Code::UnsupportedFeature, message)
                    .at(span, "declared here")
                    .help("make it a parameter of its own; or use backward, bwds or value_and_grad"));
            }
            result.clone_from(&from.result);
            let outputs = || from.params.iter().filter(|param| param.direction.writes());
            params.extend(outputs().cloned().map(|param| InterfaceParam {
                direction: Direction::Out,
                default: None,
                ..param
            }));
            if let Some(ty) =
                from.result.as_ref().filter(|_| !from.result_no_diff).and_then(Type::differential)
            {
                params.push(tangent(from, "result", ty, Direction::Out, None, span));
            }
            for param in outputs().filter(|param| !param.no_diff) {
                let Some(ty) = param.ty.differential() else { continue };
                params.push(tangent(from, &param.name, ty, Direction::Out, None, param.span));
            }
        }
        Derivation::Reverse { wrt } => {
            let only = results.len() == 1;
            for slot in results {
                let ones = only.then(|| vec![Constant::float(slot.dtype, 1.0); slot.leaf_count()]);
                params.push(tangent(
                    from,
                    &slot.path,
                    slot_type(slot.dtype, &slot.element_shape),
                    Direction::In,
                    ones,
                    span,
                ));
            }
            for slot in asked(base, wrt)? {
                match memory::parameter(base, slot) {
                    Some(whole) => params.push(InterfaceParam {
                        name: gathered_name(&slot.path).into(),
                        default: None,
                        direction: Direction::In,
                        ..whole.clone()
                    }),
                    None if slot.whole.is_some() => return Err(no_lanes(base, &slot.path)),
                    None => params.push(gradient(slot, Vec::new(), span)),
                }
            }
        }
        Derivation::Jacobian { wrt } => {
            let [of] = results.as_slice() else {
                let message = format!(
                    "`{}` has {} results, so its Jacobian is not one array",
                    from.name,
                    results.len()
                );
                return Err(Diagnostic::error(Code::NotDifferentiable, message)
                    .at(span, "declared here")
                    .help("wrap the function in one with a single result that is no struct"));
            };
            for slot in asked(base, wrt)? {
                if slot.whole.is_some() {
                    return Err(no_lanes(base, &slot.path));
                }
                params.push(gradient(slot, of.element_shape.dims().to_vec(), span));
            }
        }
    }
    Ok(Interface {
        name: from.name.clone(),
        params,
        result,
        result_no_diff: from.result_no_diff,
        differentiable: true,
        globals: Vec::new(), // among the parameters
        doc: from.doc.clone(),
    })
}

/// The slots asked for, all of which must have a derivative.
fn asked<'a>(base: &'a Overload, wrt: &[String]) -> Result<Vec<&'a Slot>, Diagnostic> {
    wrt.iter()
        .map(|path| match base.inputs().find(|slot| slot.path == *path) {
            Some(slot) if !slot.no_diff => Ok(slot),
            Some(slot) => Err(Diagnostic::error(
                Code::NotDifferentiable,
                format!("`{path}` {}: it has no derivative", slot.why_no_diff()),
            )
            .at(base.span(), "declared here")
            .help("do not ask for its derivative")),
            None if base.inputs().any(|slot| memory::is_field(slot, path)) => Err(no_lanes(base, path)),
            None => {
                let known: Vec<&str> = base.inputs().map(|slot| slot.path.as_str()).collect();
                Err(Diagnostic::error(
                    Code::UnknownArgument,
                    format!("`{}` has no input `{path}`", base.interface.name),
                )
                .help(format!("its inputs are: {}", known.join(", "))))
            }
        })
        .collect()
}

fn no_lanes(base: &Overload, path: &str) -> Diagnostic {
    let message = format!("`{path}` is a whole array: its gradient is a sum over lanes, not one per lane");
    Diagnostic::error(Code::UnsupportedFeature, message)
        .at(base.span(), "declared here")
        .help("use backward, bwds or value_and_grad")
}

fn tangent(
    base: &Interface,
    name: &str,
    ty: Type,
    direction: Direction,
    default: Option<Vec<Constant>>,
    span: Span,
) -> InterfaceParam {
    let name = tangent_name(base, name).into();
    InterfaceParam { name, ty, direction, no_diff: false, default, span }
}

/// The name of the tangent or cotangent of `path`: `d_x` for `x`; `d_x_2` where the function has a `d_x` already, being
/// a derivative itself.
pub fn tangent_name(of: &Interface, path: &str) -> String {
    let taken = |name: &str| of.params.iter().any(|param| &*param.name == name);
    let names = (1..).map(|order| if order == 1 { format!("d_{path}") } else { format!("d_{path}_{order}") });
    let mut free = names.skip_while(|name| taken(name));
    free.next().unwrap_or_default()
}

/// The name of the array to which the gradient by a whole array is added.
pub fn gathered_name(path: &str) -> String {
    format!("gradient by {path}")
}

/// The output that the derivative by a slot goes to: of these dims, then the slot's own.
fn gradient(slot: &Slot, mut dims: Vec<i64>, span: Span) -> InterfaceParam {
    dims.extend_from_slice(slot.element_shape.dims());
    let ty = slot_type(slot.dtype, &Shape::from(dims));
    InterfaceParam {
        name: slot.path.as_str().into(),
        ty,
        direction: Direction::Out,
        no_diff: false,
        default: None,
        span,
    }
}

/// Numbers of that shape, as nested arrays.
fn slot_type(dtype: DType, shape: &Shape) -> Type {
    shape.dims().iter().rev().fold(Type::Scalar(dtype), |element, &n| Type::array(element, n as u32))
}
