//! What the interpreter makes of programs: control flow, calls, aggregates, limits, and a rule for every op.

use pullback_interp::{Complex64, Exact, InterpError, Number, Value, run};
use pullback_ir::{Constant, Module, Op, Scalar, Type, Verified, ops, parse::parse, verify};

fn load(text: &str) -> Verified<Module> {
    verify(parse(text).expect("parses")).expect("verifies")
}

/// Runs the first function of a text.
fn results(text: &str, args: &[Value<Exact>]) -> Vec<Value<Exact>> {
    let module = load(text);
    let first = module.functions.ids().next().expect("a function");
    run(&module, first, args).expect("runs")
}

fn numbers(value: &Value<Exact>) -> Vec<f64> {
    value.leaves().iter().filter_map(Value::as_f64).collect()
}

#[test]
fn loops_carry_values_and_calls_return_them() {
    let text = "func @sum_of_squares(%0: i32) -> (i32) {
        %1: i32 = const i32 0
        %2: i32, %3: i32 = loop (%4: i32 = %1, %5: i32 = %1) while {
            %6: bool = lt %4, %0
            yield %6
        } do {
            %7: i32 = call @square %4
            %8: i32 = add %5, %7
            %9: i32 = const i32 1
            %10: i32 = add %4, %9
            yield %10, %8
        }
        yield %3
    }
    func @square(%0: i32) -> (i32) {
        %1: i32 = mul %0, %0
        yield %1
    }";
    assert_eq!(results(text, &[Value::i32(5)]), [Value::i32(30)]);
    assert_eq!(results(text, &[Value::i32(-1)]), [Value::i32(0)]);
}

#[test]
fn switch_runs_the_listed_case_or_the_default() {
    let text = "func @f(%0: i32) -> (i32) {
        %1: i32 = switch %0 case 1, 2 {
            %2: i32 = const i32 10
            yield %2
        } case -3 {
            %3: i32 = const i32 20
            yield %3
        } default {
            yield %0
        }
        yield %1
    }";
    let f = |x| results(text, &[Value::i32(x)])[0].clone();
    assert_eq!([f(2), f(-3), f(7)], [Value::i32(10), Value::i32(20), Value::i32(7)]);
}

#[test]
fn endless_loops_and_recursion_stop_with_an_error() {
    let text = "func @f(%0: bool) -> () {
        loop () while {
            yield %0
        } do {
            yield
        }
        yield
    }
    func @g() -> () {
        call @g
        yield
    }";
    let module = load(text);
    let f = module.find("f").expect("f");
    assert_eq!(run::<Exact>(&module, f, &[Value::bool(true)]), Err(InterpError::StepLimit));
    assert_eq!(run::<Exact>(&module, f, &[Value::bool(false)]), Ok(vec![]));
    let g = module.find("g").expect("g");
    assert_eq!(run::<Exact>(&module, g, &[]), Err(InterpError::CallDepth));
}

#[test]
fn wrong_arguments_are_named() {
    let module = load("func @f(%0: f32) -> () { yield }");
    let f = module.find("f").expect("f");
    for args in [vec![], vec![Value::i32(1)], vec![Value::f64(1.0)]] {
        let error = run::<Exact>(&module, f, &args).unwrap_err();
        assert!(matches!(error, InterpError::Arguments { .. }), "{error}");
    }
}

#[test]
fn dynamic_indices_out_of_range_give_zero_and_change_nothing() {
    let text = "func @f(%0: vec<f32, 3>, %1: i32) -> (f32, vec<f32, 3>) {
        %2: f32 = element_get %0, %1
        %3: f32 = const f32 9
        %4: vec<f32, 3> = element_set %0, %1, %3
        yield %2, %4
    }";
    let vector = Value::aggregate([1.0, 2.0, 3.0].map(Value::f32).to_vec());
    for (index, got, after) in
        [(1, 2.0, [1.0, 9.0, 3.0]), (3, 0.0, [1.0, 2.0, 3.0]), (-1, 0.0, [1.0, 2.0, 3.0])]
    {
        let out = results(text, &[vector.clone(), Value::i32(index)]);
        assert_eq!((numbers(&out[0]), numbers(&out[1])), (vec![got], after.to_vec()));
    }
}

#[test]
fn matrices_are_rows_and_multiply_as_such() {
    let text = "func @f(%0: mat<f32, 2, 3>, %1: vec<f32, 3>, %2: vec<f32, 2>) -> (vec<f32, 2>, vec<f32, 3>, mat<f32, 2, 2>) {
        %3: vec<f32, 2> = matmul %0, %1
        %4: vec<f32, 3> = matmul %2, %0
        %5: mat<f32, 3, 2> = transpose %0
        %6: mat<f32, 2, 2> = matmul %0, %5
        yield %3, %4, %6
    }";
    let mut next = 0.0;
    let mut count = |ty: &Type| {
        Value::from_leaves(ty, &mut |_| {
            next += 1.0;
            Value::f32(next)
        })
    };
    let m = count(&Type::matrix(Scalar::F32, 2, 3));
    let v = Value::aggregate([1.0, 0.0, 2.0].map(Value::f32).to_vec());
    let w = Value::aggregate([1.0, -1.0].map(Value::f32).to_vec());
    let out = results(text, &[m, v, w]);
    assert_eq!(numbers(&out[0]), [7.0, 16.0]);
    assert_eq!(numbers(&out[1]), [-3.0, -3.0, -3.0]);
    assert_eq!(numbers(&out[2]), [14.0, 32.0, 32.0, 77.0]);
}

#[test]
fn number_types_agree_on_a_program_and_complex_gives_its_derivative() {
    let text = "func @f(%0: f32) -> (f32) {
        %1: f32 = sin %0
        %2: f32 = const f32 0
        %3: bool = gt %1, %2
        %4: f32 = if %3 {
            %5: f32 = mul %1, %0
            yield %5
        } else {
            yield %2
        }
        yield %4
    }";
    let module = load(text);
    let f = module.find("f").expect("f");
    let in_f32 = run::<Exact>(&module, f, &[Value::f32(0.7)]).expect("runs")[0].as_f64().expect("a number");
    let in_f64 = run::<f64>(&module, f, &[Value::Float(0.7)]).expect("runs")[0].as_f64().expect("a number");
    assert!((in_f32 - in_f64).abs() < 1e-7 && (in_f64 - 0.7 * 0.7f64.sin()).abs() < 1e-15);
    let z = run(&module, f, &[Value::Float(Complex64::new(0.7, 1e-30))]).expect("runs");
    let slope = z[0].number().expect("a float").im / 1e-30;
    assert!((slope - (0.7f64.sin() + 0.7 * 0.7f64.cos())).abs() < 1e-14);
}

/// Operand types that an op of the table takes.
fn operand_types(op: &Op) -> Vec<Type> {
    let vector = Type::Vector(Scalar::F32, 2);
    let matrix = Type::matrix(Scalar::F32, 2, 2);
    match op {
        Op::Select => vec![Type::BOOL, Type::F32, Type::F32],
        Op::Extract(_) | Op::Swizzle(_) => vec![vector],
        Op::Insert(_) => vec![vector, Type::F32],
        Op::Construct(_) => vec![Type::F32; 2],
        Op::ElementGet => vec![vector, Type::I32],
        Op::ElementSet => vec![vector, Type::I32, Type::F32],
        Op::Dot => vec![vector.clone(), vector],
        Op::MatMul => vec![matrix, vector],
        Op::Transpose => vec![matrix],
        Op::PointerOffset => vec![Type::pointer(Type::F32), Type::I64],
        Op::PointerCast(_) => vec![Type::pointer(Type::F32)],
        _ => {
            let arity = op.arity().expect("a fixed arity");
            let of = |ty: Type| vec![ty; arity];
            let all = [of(Type::F32), of(Type::I32)];
            all.into_iter()
                .find(|types| op.result_type(&types.iter().collect::<Vec<_>>()).is_ok())
                .expect("operands")
        }
    }
}

fn every_op_runs<N: Number>() {
    for op in ops::samples().into_iter().filter(|op| *op != Op::LaneId) {
        let mut b = pullback_ir::FunctionBuilder::new("f", pullback_ir::FunctionKind::Plain);
        let args: Vec<_> = operand_types(&op).into_iter().map(|ty| b.param(ty, "x")).collect();
        let result = b.op(op.clone(), &args);
        let mut module = Module::new();
        let id = module.add(b.finish(vec![result]));
        let module = verify(module).expect("verifies");
        let args: Vec<Value<N>> = module.functions[id]
            .param_types()
            .iter()
            .map(|ty| {
                Value::from_leaves(ty, &mut |leaf| match leaf {
                    Type::Scalar(scalar) => Value::constant(Constant::float(*scalar, 1.0)),
                    _ => Value::zero(leaf),
                })
            })
            .collect();
        let results = run(&module, id, &args).expect("runs");
        assert!(results[0].has_type(&module.functions[id].results[0]), "{} gives {results:?}", op.name());
    }
}

#[test]
fn every_op_has_a_rule_in_every_number_type() {
    every_op_runs::<Exact>();
    every_op_runs::<f64>();
    every_op_runs::<Complex64>();
}
