//! Identities of arrays: what was put in is what comes out.

use crate::rewrite::{Change, Scope};
use pullback_ir::{Constant, Op, Type, Value, position};

pub(super) fn simplify(scope: &mut Scope<'_>, op: &Op, args: &[Value]) -> Option<Change> {
    match (op, args) {
        (Op::Extract(index), &[aggregate]) => extract(scope, *index, aggregate),
        (Op::Insert(index), &[aggregate, element]) => match scope.definition(aggregate)? {
            // The earlier element is overwritten.
            (Op::Insert(earlier), &[before, _]) if earlier == index => {
                Change::op(op.clone(), &[before, element])
            }
            _ => None,
        },
        (Op::Construct(ty), [first, ..]) => {
            let whole = extracted_from(scope, *first, 0).filter(|&whole| scope.ty(whole) == ty)?;
            let all =
                args.iter().zip(0..).all(|(&arg, index)| extracted_from(scope, arg, index) == Some(whole));
            all.then_some(Change::Value(whole))
        }
        (Op::ElementGet, &[aggregate, index]) => match known_index(scope, aggregate, index)? {
            Some(at) => Change::op(Op::Extract(at), &[aggregate]),
            None => match scope.ty(aggregate).element(0)? {
                Type::Scalar(scalar) => Change::op(Op::Const(Constant::zero(scalar)), &[]),
                _ => None,
            },
        },
        (Op::ElementSet, &[aggregate, index, element]) => match known_index(scope, aggregate, index)? {
            Some(at) => Change::op(Op::Insert(at), &[aggregate, element]),
            None => Some(Change::Value(aggregate)),
        },
        _ => None,
    }
}

fn extract(scope: &Scope<'_>, index: u32, aggregate: Value) -> Option<Change> {
    match scope.definition(aggregate)? {
        (Op::Construct(_), elements) => Some(Change::Value(elements[index as usize])),
        (Op::Splat(Type::Array(..) | Type::Vector(..)), &[element]) => Some(Change::Value(element)),
        (Op::Insert(at), &[_, element]) if *at == index => Some(Change::Value(element)),
        (Op::Insert(_), &[before, _]) => Change::op(Op::Extract(index), &[before]),
        _ => None,
    }
}

fn extracted_from(scope: &Scope<'_>, element: Value, index: u32) -> Option<Value> {
    match scope.definition(element)? {
        (Op::Extract(at), &[aggregate]) if *at == index => Some(aggregate),
        _ => None,
    }
}

/// The position a constant index names, `Some(None)` when it is out of range; `None` when it is no constant.
fn known_index(scope: &Scope<'_>, aggregate: Value, index: Value) -> Option<Option<u32>> {
    Some(position(scope.constant(index)?, scope.ty(aggregate).element_count()))
}

#[cfg(test)]
mod tests {
    use crate::simplify::simplify;
    use crate::testing::check;
    use expect_test::expect;

    #[test]
    fn constant_indices_see_through_arrays() {
        check(
            simplify,
            "func @f(%0 x: f32, %1 i: i32) -> (f32, f32, f32, f32) {
                %2: [f32; 3] = splat [f32; 3] %0
                %3: f32 = const f32 7
                %4: i32 = const i32 1
                %5: [f32; 3] = element_set %2, %4, %3
                %6: f32 = element_get %5, %4
                %7: i32 = const i32 -1
                %8: f32 = element_get %5, %7
                %9: i32 = const i32 2
                %10: f32 = element_get %5, %9
                %11: f32 = element_get %2, %1
                yield %6, %8, %10, %11
            }",
            expect![[r#"
                func @f(%0 x: f32, %1 i: i32) -> (f32, f32, f32, f32) {
                  %2: [f32; 3] = splat [f32; 3] %0
                  %3: f32 = const f32 7.0
                  %4: i32 = const i32 1
                  %5: [f32; 3] = insert.1 %2, %3
                  %6: i32 = const i32 -1
                  %7: f32 = const f32 0.0
                  %8: i32 = const i32 2
                  %9: f32 = element_get %2, %1
                  yield %3, %7, %0, %9
                }
            "#]],
        );
    }
}
