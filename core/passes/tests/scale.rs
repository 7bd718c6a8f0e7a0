//! Large functions take time in proportion to their size, and small ones none to speak of.

use pullback_ir::{Constant, FuncId, FunctionBuilder, FunctionKind, LoopHints, Module, Op, Scalar, Type};
use std::time::{Duration, Instant};

fn alone(b: FunctionBuilder, results: Vec<pullback_ir::Value>) -> (Module, FuncId) {
    let mut module = Module::new();
    let id = module.add(b.finish(results));
    (module, id)
}

/// Each statement hangs on the two before, so that nothing folds away.
fn straight_line(statements: usize) -> (Module, FuncId) {
    let mut b = FunctionBuilder::new("straight", FunctionKind::Plain);
    let (mut x, mut y) = (b.param(Type::F32, "x"), b.param(Type::F32, "y"));
    for i in 0..statements {
        let next = b.op([Op::Add, Op::Mul, Op::Sub, Op::Max][i % 4].clone(), &[x, y]);
        (x, y) = (y, next);
    }
    alone(b, vec![y])
}

fn inserts(statements: usize) -> (Module, FuncId) {
    let mut b = FunctionBuilder::new("inserts", FunctionKind::Plain);
    let x = b.param(Type::F32, "x");
    let mut array = b.zero(&Type::array(Type::F32, 64));
    for i in 0..statements {
        let before = b.extract(array, (i as u32 * 7) % 64);
        let element = b.mul(before, x);
        array = b.op(Op::Insert(i as u32 % 64), &[array, element]);
    }
    let last = b.extract(array, 63);
    alone(b, vec![last])
}

/// A loop in a loop, both unrolled.
fn unrolled(trips: i64) -> (Module, FuncId) {
    let mut b = FunctionBuilder::new("unrolled", FunctionKind::Plain);
    let x = b.param(Type::F32, "x");
    let unroll = LoopHints { max_trips: None, unroll: true };
    let zero = b.constant(Constant::int(Scalar::I32, 0));
    let counted = |b: &mut FunctionBuilder, i| {
        let limit = b.constant(Constant::int(Scalar::I32, trips));
        b.op(Op::Lt, &[i, limit])
    };
    let next = |b: &mut FunctionBuilder, i| {
        let one = b.constant(Constant::int(Scalar::I32, 1));
        b.add(i, one)
    };
    let sums = b.loop_(
        &[zero, x],
        unroll,
        |b, p| counted(b, p[0]),
        |b, outer| {
            let inner = b.loop_(
                &[zero, outer[1]],
                unroll,
                |b, p| counted(b, p[0]),
                |b, p| {
                    let weight = b.convert(p[0], Scalar::F32);
                    let term = b.mul(p[1], weight);
                    vec![next(b, p[0]), b.sub(term, x)]
                },
            );
            vec![next(b, outer[0]), inner[1]]
        },
    );
    alone(b, vec![sums[1]])
}

/// The shortest time of some runs.
fn time(program: &(Module, FuncId), what: &str, runs: usize) -> Duration {
    let (module, id) = program;
    let run = |_| {
        let start = Instant::now();
        let flat = pullback_passes::flatten(module, *id).expect("flattens");
        (start.elapsed(), flat.body.stmts.len())
    };
    let (took, left) = (0..runs).map(run).min().expect("a run");
    println!("{what}: {took:?}, {left} statements left");
    took
}

#[test]
fn ten_thousand_statements_do_not_blow_up() {
    // Some fifty times the usual of debug builds, for busy machines; what is quadratic takes longer still.
    let limit = Duration::from_secs(10);
    for (what, big) in [
        ("straight line", straight_line(10_000)),
        ("inserts", inserts(3_000)),
        ("unrolled loops", unrolled(60)),
    ] {
        assert!(time(&big, what, 1) < limit, "{what}");
    }
    for (what, small) in [
        ("small straight line", straight_line(20)),
        ("small inserts", inserts(20)),
        ("small unrolled loops", unrolled(3)),
    ] {
        assert!(time(&small, what, 50) < limit, "{what}");
    }
}
