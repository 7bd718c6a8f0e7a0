//! Runs functions on doubles, and differentiates them without any derivative rule.

use pullback_autodiff::{Convention, VjpRequest, vjp};
use pullback_interp::{Complex64, Exact, Number, Value, run};
use pullback_ir::{Constant, Function, Module, Op, Scalar, Type, parse, verify};

/// The step of complex-step derivatives: squares of it vanish.
const STEP: f64 = 1e-30;

/// Results of running a verified function on numbers; an argument for an integer parameter is converted.
fn results<N: Number>(function: &Function, args: Vec<Value<N>>) -> Vec<Value<N>> {
    let mut module = Module::new();
    let id = module.add(function.clone());
    let text = function.to_string();
    let module = verify(module).unwrap_or_else(|errors| panic!("{}\n{text}", errors[0]));
    run::<N>(&module, id, &args).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn argument<N: Number>(ty: &Type, value: f64, float: impl Fn(f64) -> Value<N>) -> Value<N> {
    match ty {
        Type::Scalar(scalar) if scalar.is_float() => float(value),
        Type::Scalar(scalar) => Value::constant(Constant::float(*scalar, value)),
        _ => panic!("an argument of type {ty}"),
    }
}

fn arguments<N: Number>(function: &Function, args: &[f64], float: impl Fn(f64) -> Value<N>) -> Vec<Value<N>> {
    let types = function.param_types();
    assert_eq!(types.len(), args.len(), "{function}");
    types.iter().zip(args).map(|(ty, &arg)| argument(ty, arg, &float)).collect()
}

/// The float and integer results, every float computed in double precision.
pub fn doubles(function: &Function, args: &[f64]) -> Vec<f64> {
    let args = arguments::<f64>(function, args, Value::f64);
    results(function, args).iter().map(|value| value.as_f64().expect("a scalar result")).collect()
}

/// The results, each op rounded in its own type.
pub fn exact(function: &Function, args: &[f64]) -> Vec<f64> {
    let types = function.param_types();
    let args = types.iter().zip(args).map(|(ty, &arg)| {
        let Type::Scalar(scalar) = ty else { panic!("an argument of type {ty}") };
        Value::<Exact>::constant(Constant::float(*scalar, arg))
    });
    let args = args.collect();
    results(function, args).iter().map(|value| value.as_f64().expect("a scalar result")).collect()
}

/// `d results / d args[along]`, by a complex step.
pub fn complex_step(function: &Function, args: &[f64], along: usize) -> Vec<f64> {
    let mut args = arguments::<Complex64>(function, args, Value::f64);
    match &mut args[along] {
        Value::Float(number) => number.im = STEP,
        other => panic!("no step along {other:?}"),
    }
    let results = results(function, args);
    results.iter().map(|value| value.number().map_or(0.0, |number| number.im / STEP)).collect()
}

/// `d result 0 / d args[along]`, by differences over five points at distance `h`.
pub fn differences(function: &Function, args: &[f64], along: usize, h: f64) -> f64 {
    let at = |step: f64| {
        let mut args = args.to_vec();
        args[along] += step * h;
        doubles(function, &args)[0]
    };
    (at(-2.0) - 8.0 * at(-1.0) + 8.0 * at(1.0) - at(2.0)) / (12.0 * h)
}

/// The number of that type nearest to a number.
pub fn rounded(scalar: Scalar, number: f64) -> f64 {
    Constant::float(scalar, number).as_f64()
}

pub fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * (1.0 + a.abs().max(b.abs()))
}

/// The only function of a text.
pub fn parse_one(text: &str) -> Function {
    let mut module = parse::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let id = module.functions.ids().next().expect("a function");
    std::mem::replace(&mut module.functions[id], pullback_ir::FunctionBuilder::new("", FUNC).finish(vec![]))
}

const FUNC: pullback_ir::FunctionKind = pullback_ir::FunctionKind::Plain;

/// `op(x0, x1, ..)` of one float type.
pub fn function_of(op: Op, scalar: Scalar, operands: usize) -> Function {
    let mut b = pullback_ir::FunctionBuilder::new("f", FUNC);
    let params: Vec<_> = (0..operands).map(|i| b.param(Type::Scalar(scalar), &format!("x{i}"))).collect();
    let z = b.op(op, &params);
    b.finish(vec![z])
}

/// Which parameters, and which results, are floats.
pub fn floats(function: &Function) -> (Vec<bool>, Vec<bool>) {
    let params = function.param_types().iter().map(Type::has_float).collect();
    (params, function.results.iter().map(Type::has_float).collect())
}

pub fn jvp(function: &Function) -> Function {
    pullback_autodiff::jvp(function, &floats(function).0).expect("has a JVP")
}

/// The VJP from all float results to all float parameters.
pub fn gradient(function: &Function) -> Function {
    gradient_by(function, Convention::Torch)
}

pub fn gradient_by(function: &Function, convention: Convention) -> Function {
    let (active_params, seeded_results) = floats(function);
    let request = VjpRequest { convention, ..VjpRequest::new(active_params, seeded_results) };
    vjp(function, &request).expect("has a VJP")
}
