//! Lowers what a target lacks, so that emitters stay simple. One file per lowering, each optional by a flag.

mod conversions;
mod division;
pub mod expand;
mod shifts;

use crate::rewrite::{Rule, rewrite};
use pullback_ir::Function;

/// What a target needs done; the default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LegalizeOptions {
    /// Integer division and remainder by zero, and of the least integer by -1, are undefined on the target.
    pub guard_integer_division: bool,
    /// Shifts by the width or more are undefined on the target.
    pub mask_shift_counts: bool,
    /// Conversion of NaN and of numbers out of range to integers is undefined on the target.
    pub saturate_conversions: bool,
}

/// Rewrites a function in scalar form so that the target's own ops give the IR's results.
pub fn legalize(function: &mut Function, options: LegalizeOptions) -> bool {
    let mut division = division::GuardDivision::default();
    let mut shifts = shifts::MaskShifts::default();
    let mut conversions = conversions::SaturateConversions::default();
    let mut rules: Vec<&mut dyn Rule> = Vec::new();
    if options.guard_integer_division {
        rules.push(&mut division);
    }
    if options.mask_shift_counts {
        rules.push(&mut shifts);
    }
    if options.saturate_conversions {
        rules.push(&mut conversions);
    }
    !rules.is_empty() && rewrite(function, &mut rules)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check;
    use expect_test::expect;
    use pullback_interp::{Exact, Value, run};
    use pullback_ir::{Constant, FunctionBuilder, FunctionKind, Module, Op, Scalar, Type, eval, verify};

    #[test]
    fn divisors_that_cannot_fail_stay_bare() {
        let options = LegalizeOptions { guard_integer_division: true, ..LegalizeOptions::default() };
        check(
            |function| legalize(function, options),
            "func @f(%0 x: i32, %1 y: i32, %2 u: u32, %3 a: f32) -> (i32, i32, u32, f32) {
                %4: i32 = const i32 10
                %5: i32 = div %0, %4
                %6: i32 = rem %0, %1
                %7: u32 = div %2, %2
                %8: f32 = div %3, %3
                yield %5, %6, %7, %8
            }",
            expect![[r#"
                func @f(%0 x: i32, %1 y: i32, %2 u: u32, %3 a: f32) -> (i32, i32, u32, f32) {
                  %4: i32 = const i32 10
                  %5: i32 = div %0, %4
                  %6: i32 = const i32 0
                  %7: i32 = const i32 1
                  %8: bool = eq %1, %6
                  %9: i32 = const i32 -1
                  %10: i32 = const i32 -2147483648
                  %11: bool = eq %0, %10
                  %12: bool = eq %1, %9
                  %13: bool = and %11, %12
                  %14: bool = or %8, %13
                  %15: i32 = select %14, %7, %1
                  %16: i32 = rem %0, %15
                  %17: u32 = const u32 0
                  %18: u32 = const u32 1
                  %19: bool = eq %2, %17
                  %20: u32 = select %19, %18, %2
                  %21: u32 = div %2, %20
                  %22: f32 = div %3, %3
                  yield %5, %16, %21, %22
                }
            "#]],
        );
    }

    #[test]
    fn shift_counts_are_masked_and_conversions_kept_in_range() {
        let options = LegalizeOptions {
            mask_shift_counts: true,
            saturate_conversions: true,
            ..LegalizeOptions::default()
        };
        check(
            |function| legalize(function, options),
            "func @f(%0 x: i16, %1 a: f32) -> (i16, i16, i32) {
                %2: i16 = shl %0, %0
                %3: i16 = const i16 15
                %4: i16 = shr %0, %3
                %5: i32 = convert.i32 %1
                yield %2, %4, %5
            }",
            expect![[r#"
                func @f(%0 x: i16, %1 a: f32) -> (i16, i16, i32) {
                  %2: i16 = const i16 15
                  %3: i16 = and %0, %2
                  %4: i16 = shl %0, %3
                  %5: i16 = const i16 15
                  %6: i16 = shr %0, %5
                  %7: f32 = const f32 -2147483600.0
                  %8: f32 = const f32 2147483600.0
                  %9: f32 = const f32 0.0
                  %10: bool = gt %1, %7
                  %11: bool = lt %1, %8
                  %12: bool = and %10, %11
                  %13: f32 = select %12, %1, %9
                  %14: i32 = convert.i32 %13
                  %15: i32 = const i32 -2147483648
                  %16: i32 = const i32 2147483647
                  %17: bool = ge %1, %8
                  %18: bool = le %1, %7
                  %19: i32 = select %17, %16, %14
                  %20: i32 = select %18, %15, %19
                  yield %4, %6, %20
                }
            "#]],
        );
    }

    /// Runs `op` legalized on each tuple of arguments and compares with its definition.
    fn keeps_meaning(options: LegalizeOptions, op: Op, tuples: &[Vec<Constant>]) {
        let mut b = FunctionBuilder::new("f", FunctionKind::Plain);
        let params: Vec<_> = tuples[0].iter().map(|arg| b.param(Type::Scalar(arg.scalar()), "x")).collect();
        let result = b.op(op.clone(), &params);
        let mut function = b.finish(vec![result]);
        assert!(legalize(&mut function, options));
        let mut module = Module::new();
        let id = module.add(function);
        let module = verify(module).expect("verifies");
        for tuple in tuples {
            let want = eval(&op, tuple).expect("evaluates");
            let args: Vec<Value<Exact>> = tuple.iter().map(|&arg| Value::constant(arg)).collect();
            assert_eq!(
                run(&module, id, &args).expect("runs"),
                [Value::Integer(want)],
                "{} of {tuple:?}",
                op.name()
            );
        }
    }

    #[test]
    fn saturated_conversions_give_the_limits() {
        let options = LegalizeOptions { saturate_conversions: true, ..LegalizeOptions::default() };
        let edges =
            [0.0, -0.0, -0.5, 0.999, -1.0, 127.5, 128.0, -128.9, 255.9, 32767.9, 65504.0, 2147483648.0];
        let edges = edges.into_iter().chain([-2147483648.0, 4294967295.0, 9.3e18, -9.3e18, 1.9e19, 1e30]);
        let edges: Vec<f64> = edges.chain([f64::NAN, f64::INFINITY, f64::NEG_INFINITY]).collect();
        for from in [Scalar::F16, Scalar::F32, Scalar::F64] {
            let tuples: Vec<_> = edges.iter().map(|&edge| vec![Constant::float(from, edge)]).collect();
            for to in Scalar::ALL.into_iter().filter(|to| to.is_integer()) {
                keeps_meaning(options, Op::Convert(to), &tuples);
            }
        }
    }

    #[test]
    fn guarded_divisions_and_masked_shifts_give_the_rules() {
        let options = LegalizeOptions {
            guard_integer_division: true,
            mask_shift_counts: true,
            ..LegalizeOptions::default()
        };
        let edges = [0, 1, -1, 2, 7, -8, 33, 64, i64::MIN, i64::MIN >> 32, i64::MIN >> 48, i64::MIN >> 56];
        for scalar in Scalar::ALL.into_iter().filter(|scalar| scalar.is_integer()) {
            let pairs = edges
                .iter()
                .flat_map(|&x| edges.map(|y| [x, y].map(|edge| Constant::int(scalar, edge)).to_vec()));
            let pairs: Vec<_> = pairs.collect();
            for op in [Op::Div, Op::Rem, Op::Shl, Op::Shr] {
                keeps_meaning(options, op, &pairs);
            }
        }
    }
}
