//! Functions and their derivatives at a point, in double precision: by evaluation, and by complex steps.

use crate::lanes;
use pullback_interp::{Complex64, InterpError, Number, Value};
use pullback_ir::{Constant, FuncId, Module, Scalar, Verified};

/// Complex steps have no cancellation, so this may be as small as one likes: small enough that what an unstable loop makes of it on
/// its way is small still.
const STEP: f64 = 1e-200;

/// Constants as values; floats by `of`.
pub fn values<N: Number>(
    constants: impl IntoIterator<Item = Constant>,
    of: impl Fn(Constant) -> N,
) -> Vec<Value<N>> {
    let value = |constant: Constant| {
        if constant.scalar().is_float() { Value::Float(of(constant)) } else { Value::Integer(constant) }
    };
    constants.into_iter().map(value).collect()
}

/// A double as a value.
pub fn float<N: Number>(number: f64) -> Value<N> {
    Value::Float(N::from_constant(Constant::float(Scalar::F64, number)))
}

/// Values as doubles, whatever their type.
pub fn numbers<N: Number>(values: &[Value<N>]) -> Vec<f64> {
    values.iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect()
}

/// The results on a lane and these numbers behind it, every float being an `N`.
pub fn evaluate<N: Number>(
    module: &Verified<Module>,
    id: FuncId,
    lane: &[Constant],
    behind: &[f64],
) -> Result<Vec<f64>, InterpError> {
    let inputs = values(lane.iter().copied(), N::from_constant);
    let behind = behind.iter().map(|&number| float(number));
    Ok(numbers(&lanes::evaluate::<N>(module, id, inputs.into_iter().chain(behind))?))
}

/// As [`evaluate`], and the derivatives of the results along a direction, one number per active input of the lane.
pub fn along(
    module: &Verified<Module>,
    id: FuncId,
    lane: &[Constant],
    behind: &[f64],
    active: &[bool],
    direction: &[f64],
) -> Result<(Vec<f64>, Vec<f64>), InterpError> {
    let mut inputs: Vec<Value<Complex64>> = values(lane.iter().copied(), Complex64::from_constant);
    let places = (0..lane.len()).filter(|&place| active[place]);
    for (place, slope) in places.zip(direction) {
        inputs[place] = Value::Float(Complex64::new(lane[place].as_f64(), slope * STEP));
    }
    inputs.extend(behind.iter().map(|&number| Value::Float(Complex64::new(number, 0.0))));
    let results = lanes::evaluate(module, id, inputs)?;
    let slope = |value: &Value<Complex64>| value.number().map_or(0.0, |number| number.im / STEP);
    Ok((numbers(&results), results.iter().map(slope).collect()))
}

/// The sum of products.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// The sum of the products' sizes: what rounding errors of a dot product are relative to.
pub fn dot_size(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x * y).abs()).sum()
}

/// Those that are marked.
pub fn marked<T: Copy>(items: &[T], marks: &[bool]) -> Vec<T> {
    items.iter().zip(marks).filter(|(_, mark)| **mark).map(|(&item, _)| item).collect()
}
