//! One kernel per op and scalar type that it takes, with operands that reach its edges.

use pullback_base::Scalar;
use pullback_ir::{Constant, FunctionBuilder, FunctionKind, Module, Op, Type, Verified};

/// A kernel `results[i] = op(a[i], b[i], ..)`, its operands' types, and operands for each lane.
pub struct OpCase {
    pub op: Op,
    /// The type the op computes in: that of its last operand.
    pub scalar: Scalar,
    pub operands: Vec<Scalar>,
    pub result: Scalar,
    pub module: Verified<Module>,
    /// By lane, then by operand.
    pub lanes: Vec<Vec<Constant>>,
}

/// Every op over scalars, for every type it takes; `convert` and `bitcast` for every pair.
pub fn all() -> Vec<OpCase> {
    let mut cases = Vec::new();
    for op in pullback_ir::ops::samples() {
        for scalar in Scalar::ALL {
            match op {
                Op::Convert(_) => {
                    cases.extend(Scalar::ALL.iter().filter_map(|&to| case(Op::Convert(to), vec![scalar])))
                }
                Op::Bitcast(_) => {
                    cases.extend(Scalar::ALL.iter().filter_map(|&to| case(Op::Bitcast(to), vec![scalar])))
                }
                Op::Select => cases.extend(case(Op::Select, vec![Scalar::Bool, scalar, scalar])),
                Op::Const(_) | Op::LaneId | Op::Detach | Op::Cut | Op::Unpaired => {}
                _ => cases.extend(op.arity().and_then(|arity| case(op.clone(), vec![scalar; arity]))),
            }
        }
    }
    cases
}

/// The case of an op on these operand types; `None` when it does not take them, or gives no scalar.
fn case(op: Op, operands: Vec<Scalar>) -> Option<OpCase> {
    let types: Vec<Type> = operands.iter().map(|&scalar| Type::Scalar(scalar)).collect();
    let result = op.result_type(&types.iter().collect::<Vec<_>>()).ok()?;
    let (Type::Scalar(result), Some(&scalar)) = (result, operands.last()) else { return None };
    let module = kernel(&op, &operands, result);
    let lanes = lanes(&op, &operands);
    Some(OpCase { op, scalar, operands, result, module, lanes })
}

fn kernel(op: &Op, operands: &[Scalar], result: Scalar) -> Verified<Module> {
    let name = format!("{}_{}_{result}", op.name(), operands.last().map_or("", |scalar| scalar.name()));
    let mut b = FunctionBuilder::new(&name, FunctionKind::Kernel);
    let inputs: Vec<_> =
        operands.iter().map(|&scalar| b.param(Type::pointer(Type::Scalar(scalar)), "x")).collect();
    let output = b.param(Type::pointer(Type::Scalar(result)), "result");
    let lane = b.op(Op::LaneId, &[]);
    let mut args = Vec::new();
    for input in inputs {
        let at = b.offset(input, lane);
        args.push(b.load(at));
    }
    let value = b.op(op.clone(), &args);
    let at = b.offset(output, lane);
    b.store(at, value);
    let mut module = Module::new();
    module.add(b.finish(Vec::new()));
    pullback_ir::verify(module).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// All pairs of edges for one and two operands, edges in turn for three, and random numbers for all.
fn lanes(op: &Op, operands: &[Scalar]) -> Vec<Vec<Constant>> {
    let edges: Vec<Vec<Constant>> = operands.iter().map(|&scalar| edges(scalar)).collect();
    let mut lanes = Vec::new();
    match edges.as_slice() {
        [a] => lanes.extend(a.iter().map(|&x| vec![x])),
        [a, b] => lanes.extend(a.iter().flat_map(|&x| b.iter().map(move |&y| vec![x, y]))),
        _ => {
            for i in 0..199 {
                lanes.push(
                    edges.iter().zip([1, 7, 11]).map(|(list, step)| list[i * step % list.len()]).collect(),
                );
            }
        }
    }
    let mut random = Random(
        0x9e37_79b9_7f4a_7c15 ^ op.name().bytes().fold(0, |sum: u64, b| sum.wrapping_mul(31) + u64::from(b)),
    );
    for _ in 0..300 {
        lanes.push(operands.iter().map(|&scalar| random.number(scalar)).collect());
    }
    lanes
}

fn edges(scalar: Scalar) -> Vec<Constant> {
    if scalar == Scalar::Bool {
        return vec![Constant::bool(false), Constant::bool(true)];
    }
    if scalar.is_integer() {
        let mut all: Vec<Constant> =
            [0, 1, 2, 3, 7, 8, 31, 32, 33, 64, 100].map(|n| Constant::int(scalar, n)).to_vec();
        all.extend([-1, -2, -7, -100].map(|n| Constant::int(scalar, n)));
        let top = 1u64 << (scalar.bits() - 1);
        all.extend([top, top - 1, top + 1].map(|bits| Constant::from_bits(scalar, bits)));
        return all;
    }
    let mut all = Vec::new();
    let tiny = match scalar {
        Scalar::F16 => 6e-5,
        Scalar::F32 | Scalar::BF16 => 1.2e-38,
        _ => 2.3e-308,
    };
    for size in [
        0.0,
        0.25,
        0.5,
        0.75,
        1.0,
        1.5,
        2.0,
        2.5,
        3.0,
        3.5,
        10.0,
        88.5,
        300.0,
        1e-3,
        1e4,
        1e9,
        1e19,
        1e38,
        tiny,
        127.5,
        255.0,
        65520.0,
        2147483648.0,
        9.3e18,
        f64::INFINITY,
        0.7,
        1e300,
        std::f64::consts::PI,
    ] {
        all.push(Constant::float(scalar, size));
        all.push(Constant::float(scalar, -size));
    }
    all.push(Constant::float(scalar, f64::NAN));
    all
}

/// A linear congruential generator, its upper bits: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) ^ (self.0 << 31)
    }

    fn number(&mut self, scalar: Scalar) -> Constant {
        let bits = self.next();
        if !scalar.is_float() {
            // Small numbers as often as large ones.
            let shift = self.next() % 64;
            return Constant::from_bits(scalar, bits >> shift);
        }
        let unit = (bits % (1 << 40)) as f64 / 2f64.powi(40) * 2.0 - 1.0;
        let size = match self.next() % 4 {
            0 => 1.0,
            1 => 8.0,
            2 => 80.0,
            _ => 2f64.powi((self.next() % 30) as i32 - 15),
        };
        Constant::float(scalar, unit * size)
    }
}
