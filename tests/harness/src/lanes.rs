//! Runs a flat function over many lanes at once: its inputs and results as columns of numbers.

use crate::bounded::{Bounded, TARGETS, deciding};
use crate::corpus::{Domain, scalars};
use crate::random::Random;
use pullback_autodiff::{Primal, VjpRequest, jvp, vjp};
use pullback_base::Diagnostics;
use pullback_interp::{InterpError, KernelArg, Number, Value, run};
use pullback_ir::{
    Constant, FuncId, Function, FunctionBuilder, FunctionKind, Module, Scalar, Type, Verified, verify,
};
use pullback_passes::pipeline;

/// One lane's numbers: the leaves of the arguments, or of the results.
pub type Lane = Vec<Constant>;

/// Random inputs; many are short dyadic fractions, for which arithmetic is exact and ties are common.
pub fn random_lane(scalars: &[Scalar], domain: Domain, random: &mut Random) -> Lane {
    scalars.iter().map(|&scalar| random_number(scalar, domain, random)).collect()
}

fn random_number(scalar: Scalar, domain: Domain, random: &mut Random) -> Constant {
    let (low, high) = domain.floats;
    match scalar {
        Scalar::Bool => Constant::bool(random.once_in(2)),
        _ if scalar.is_float() => {
            let value = match random.below(10) {
                0..=4 => (random.float(low, high) * 8.0).round() / 8.0,
                5 => *random.pick(&[0.0, 1.0, -1.0, low, high]),
                _ => random.float(low, high),
            };
            Constant::float(scalar, value.clamp(low, high))
        }
        _ => {
            let (low, high) = domain.ints;
            let (low, high) = if scalar.is_unsigned() { (low.max(0), high.max(0)) } else { (low, high) };
            Constant::int(scalar, random.integer(low, high))
        }
    }
}

/// Inputs at which no comparison of the function is likely to be a tie.
pub fn generic_lane(scalars: &[Scalar], domain: Domain, random: &mut Random) -> Lane {
    let of = |&scalar: &Scalar| match scalar {
        _ if scalar.is_float() => {
            Constant::float(Scalar::F64, random.float(domain.floats.0, domain.floats.1))
        }
        _ => random_number(scalar, domain, random),
    };
    scalars.iter().map(of).collect()
}

/// The kernel that calls a flat function once per lane: a pointer per input, then a pointer per result.
pub fn kernel(function: &Function) -> Verified<Module> {
    let mut module = Module::new();
    let callee = module.add(function.clone());
    let name: String =
        function.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let mut b = FunctionBuilder::new(&name, FunctionKind::Kernel);
    let pointer = |b: &mut FunctionBuilder, ty: &Type| b.param(Type::pointer(ty.clone()), "array");
    let inputs: Vec<_> = function.param_types().iter().map(|ty| pointer(&mut b, ty)).collect();
    let outputs: Vec<_> = function.results.iter().map(|ty| pointer(&mut b, ty)).collect();
    let lane = b.op(pullback_ir::Op::LaneId, &[]);
    let mut args = Vec::new();
    for input in inputs {
        let at = b.offset(input, lane);
        args.push(b.load(at));
    }
    let results = b.call(callee, &function.results, &args);
    for (output, result) in outputs.into_iter().zip(results) {
        let at = b.offset(output, lane);
        b.store(at, result);
    }
    let id = module.add(b.finish(Vec::new()));
    pipeline::kernel(&module, id)
}

/// A module of one function.
pub fn alone(function: &Function) -> Verified<Module> {
    let mut module = Module::new();
    module.add(function.clone());
    verify(module).unwrap_or_else(|errors| panic!("{errors:?}\n{function}"))
}

/// The first function of a module.
pub fn first(module: &Module) -> FuncId {
    module.functions.iter().next().unwrap_or_else(|| panic!("the module is empty")).0
}

/// The function of a module of one.
pub fn only(module: &Module) -> &Function {
    &module.functions[first(module)]
}

/// Runs a function on the leaves of its arguments; gives the leaves of its results.
pub fn evaluate<N: Number>(
    module: &Verified<Module>,
    id: FuncId,
    inputs: impl IntoIterator<Item = Value<N>>,
) -> Result<Vec<Value<N>>, InterpError> {
    let mut inputs = inputs.into_iter();
    let mut next = |ty: &Type| inputs.next().unwrap_or_else(|| Value::zero(ty));
    let types = module.functions[id].param_types();
    let args: Vec<Value<N>> = types.iter().map(|ty| Value::from_leaves(ty, &mut next)).collect();
    Ok(run(module, id, &args)?.iter().flat_map(Value::leaves).collect())
}

/// As [`evaluate`], on constants, each result with its bounds; integers have none. And whether each target must have
/// decided all branches and integers as the interpreter did.
pub fn oracle(
    module: &Verified<Module>,
    id: FuncId,
    lane: &[Constant],
) -> Result<(Vec<Bounded>, [bool; TARGETS.len()]), InterpError> {
    let inputs = lane.iter().map(|&constant| Value::constant(constant));
    let (results, decided) = deciding(|| evaluate::<Bounded>(module, id, inputs));
    Ok((results?.iter().map(bounded).collect(), decided))
}

fn bounded(value: &Value<Bounded>) -> Bounded {
    match (value, value.as_constant()) {
        (Value::Float(number), _) => number.clone(),
        (_, Some(constant)) => Bounded::from_constant(constant),
        _ => panic!("{value:?} is no number"),
    }
}

/// Columns of lanes as buffers, inputs first, and the zeroed buffers of the results.
pub fn buffers(function: &Function, lanes: &[Lane]) -> (Vec<KernelArg>, Vec<Vec<u8>>) {
    let inputs = scalars(&function.param_types());
    let results = scalars(&function.results);
    let mut buffers: Vec<Vec<u8>> = Vec::new();
    for (column, scalar) in inputs.iter().enumerate() {
        let size = scalar.size_bytes();
        let bytes = lanes.iter().flat_map(|lane| lane[column].bits().to_le_bytes()[..size].to_vec());
        buffers.push(bytes.collect());
    }
    buffers.extend(results.iter().map(|scalar| vec![0; scalar.size_bytes() * lanes.len()]));
    let arg = |buffer| KernelArg::Buffer { buffer, offset_elements: 0 };
    ((0..buffers.len()).map(arg).collect(), buffers)
}

/// The results of each lane.
pub fn results(function: &Function, buffers: &[Vec<u8>], lanes: usize) -> Vec<Lane> {
    let scalars = scalars(&function.results);
    let first = buffers.len() - scalars.len();
    let read = |lane: usize, column: usize| {
        let size = scalars[column].size_bytes();
        let mut word = [0; 8];
        word[..size].copy_from_slice(&buffers[first + column][lane * size..][..size]);
        Constant::from_bits(scalars[column], u64::from_le_bytes(word))
    };
    (0..lanes).map(|lane| (0..scalars.len()).map(|column| read(lane, column)).collect()).collect()
}

/// The forward derivative with respect to these parameters, optimized.
pub fn forward_derivative<'a>(
    primal: impl Into<Primal<'a>>,
    params: &[bool],
) -> Result<Function, Diagnostics> {
    let primal = primal.into();
    expanded(primal, jvp(primal, params)?)
}

/// The reverse derivative from these results to these parameters, optimized.
pub fn reverse_derivative<'a>(
    primal: impl Into<Primal<'a>>,
    params: &[bool],
    results: &[bool],
) -> Result<Function, Diagnostics> {
    requested_derivative(primal, &VjpRequest::new(params.to_vec(), results.to_vec()))
}

/// The reverse derivative of a request, optimized.
pub fn requested_derivative<'a>(
    primal: impl Into<Primal<'a>>,
    request: &VjpRequest,
) -> Result<Function, Diagnostics> {
    let primal = primal.into();
    expanded(primal, vjp(primal, request)?)
}

/// The results, and the cotangents of these parameters from those of these results, optimized together.
pub fn value_and_gradient<'a>(
    primal: impl Into<Primal<'a>>,
    params: &[bool],
    results: &[bool],
) -> Result<Function, Diagnostics> {
    let request = VjpRequest { keep_results: true, ..VjpRequest::new(params.to_vec(), results.to_vec()) };
    requested_derivative(primal, &request)
}

/// A derivative without calls, optimized.
fn expanded(primal: Primal<'_>, derived: Function) -> Result<Function, Diagnostics> {
    match primal.module {
        Some(module) => pipeline::expand_calls(derived, module, &|_| false),
        None => Ok(pipeline::optimize(derived)),
    }
}
