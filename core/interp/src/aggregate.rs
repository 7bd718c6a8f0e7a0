//! Ops on values: component by component, and on whole aggregates.

use crate::memory::size_bytes;
use crate::{Number, Pointer, Value};
use pullback_base::bug;
use pullback_ir::ops::TypeRule;
use pullback_ir::{Constant, Op, Scalar, Type, eval};
use smallvec::SmallVec;
use std::sync::Arc;

/// The result of an op on operands of those types. `lane_id` is the caller's.
pub(crate) fn apply<N: Number>(op: &Op, types: &[&Type], args: &[Value<N>]) -> Value<N> {
    match (op, args) {
        (Op::Const(constant), _) => Value::constant(*constant),
        (Op::Select, [Value::Integer(condition), if_true, if_false]) => {
            if condition.as_bool() {
                if_true.clone()
            } else {
                if_false.clone()
            }
        }
        (Op::Detach | Op::Cut | Op::Unpaired, [pointer @ Value::Pointer(_)]) => pointer.clone(),
        (Op::Splat(ty), [element]) => splat(ty, element),
        (Op::Construct(_), elements) => Value::aggregate(elements.to_vec()),
        (Op::Extract(index), [aggregate]) => elements(aggregate)[*index as usize].clone(),
        (Op::Insert(index), [aggregate, element]) => replaced(aggregate, *index as usize, element),
        (Op::Swizzle(picks), [vector]) => {
            Value::aggregate(picks.iter().map(|&pick| elements(vector)[usize::from(pick)].clone()).collect())
        }
        (Op::ElementGet, [aggregate, index]) => match position(aggregate, index) {
            Some(at) => elements(aggregate)[at].clone(),
            None => types[0].element(0).map_or_else(|| aggregate.clone(), |ty| Value::zero(&ty)),
        },
        (Op::ElementSet, [aggregate, index, element]) => match position(aggregate, index) {
            Some(at) => replaced(aggregate, at, element),
            None => aggregate.clone(),
        },
        (Op::Dot, [a, b]) => dot(elements(a).iter().zip(elements(b))),
        (Op::MatMul, [a, b]) => matmul(a, b),
        (Op::Transpose, [matrix]) => {
            let columns = elements(&elements(matrix)[0]).len();
            Value::aggregate((0..columns).map(|i| column(matrix, i)).collect())
        }
        (Op::PointerOffset, [Value::Pointer(pointer), Value::Integer(index)]) => {
            let Type::Pointer(element) = types[0] else { bug!("interp", "offset of {}", types[0]) };
            let step_bytes = index.as_i64().wrapping_mul(size_bytes(element) as i64);
            let offset_bytes = pointer.offset_bytes.wrapping_add(step_bytes);
            Value::Pointer(Pointer { offset_bytes, ..*pointer })
        }
        (Op::PointerCast(_), [pointer @ Value::Pointer(_)]) => pointer.clone(),
        (Op::PointerCast(_), [Value::Integer(word)]) => Value::Pointer(Pointer::from_word(word.bits())),
        (Op::Bitcast(_), [Value::Pointer(pointer)]) => {
            Value::constant(Constant::from_bits(Scalar::U64, pointer.to_word()))
        }
        (_, [Value::Aggregate(first), ..]) => {
            let component = |i: usize| {
                let args: Vec<Value<N>> = args.iter().map(|arg| elements(arg)[i].clone()).collect();
                let types: Vec<Type> = types.iter().filter_map(|ty| ty.element(i as u32)).collect();
                apply(op, &types.iter().collect::<Vec<_>>(), &args)
            };
            Value::aggregate((0..first.len()).map(component).collect())
        }
        _ => scalar_op(op, types, args),
    }
}

pub(crate) fn add<N: Number>(a: &Value<N>, b: &Value<N>) -> Value<N> {
    scalar_op(&Op::Add, &[], &[a.clone(), b.clone()])
}

/// A component-wise op on scalars. Floats go to the number type, the rest to [`eval`].
fn scalar_op<N: Number>(op: &Op, types: &[&Type], args: &[Value<N>]) -> Value<N> {
    let result = match (op, args) {
        (Op::Bitcast(_), [Value::Float(x)]) => {
            let scalar = types[0].scalar().unwrap_or(x.real().scalar());
            eval(&Op::Convert(scalar), &[x.real()]).and_then(|x| eval(op, &[x])).map(Value::constant)
        }
        (Op::Convert(to), [Value::Integer(x)]) if to.is_float() => {
            eval(&Op::Convert(N::computed(*to)), &[*x]).map(Value::constant)
        }
        (Op::Convert(to), [Value::Float(x)]) if !to.is_float() => {
            N::decide(op, std::slice::from_ref(x));
            eval(op, &[x.real()]).map(Value::constant)
        }
        _ => {
            // What is neither float to float (`is_nan`, comparisons) nor over floats at all is a matter of real parts.
            let to_bool = matches!(op.rule(), TypeRule::Compare | TypeRule::FloatTest);
            let floats: SmallVec<[N; 4]> = args.iter().filter_map(Value::number).cloned().collect();
            let all_floats = floats.len() == args.len();
            if all_floats && !to_bool {
                N::apply(op, &floats).map(Value::Float)
            } else {
                if all_floats {
                    N::decide(op, &floats);
                }
                let reals: SmallVec<[Constant; 4]> = args.iter().filter_map(Value::as_constant).collect();
                eval(op, &reals).map(Value::constant)
            }
        }
    };
    result.unwrap_or_else(|| bug!("interp", "`{}` of {args:?}", op.name()))
}

fn elements<N: Number>(aggregate: &Value<N>) -> &[Value<N>] {
    aggregate.elements().unwrap_or_else(|| bug!("interp", "{aggregate:?} where an aggregate is needed"))
}

fn splat<N: Number>(ty: &Type, element: &Value<N>) -> Value<N> {
    match ty {
        Type::Matrix { scalar, rows, columns, .. } => {
            let row = splat(&Type::Vector(*scalar, *columns), element);
            Value::aggregate(vec![row; usize::from(*rows)])
        }
        _ => Value::aggregate(vec![element.clone(); ty.element_count() as usize]),
    }
}

fn replaced<N: Number>(aggregate: &Value<N>, at: usize, element: &Value<N>) -> Value<N> {
    let Value::Aggregate(elements) = aggregate else { bug!("interp", "insert into {aggregate:?}") };
    let mut elements = Arc::clone(elements);
    Arc::make_mut(&mut elements)[at] = element.clone();
    Value::Aggregate(elements)
}

/// The element an index of any integer type names, if it is there.
fn position<N: Number>(aggregate: &Value<N>, index: &Value<N>) -> Option<usize> {
    pullback_ir::position(index.as_constant()?, elements(aggregate).len() as u32).map(|at| at as usize)
}

/// Products summed from the first on, each op rounding on its own.
fn dot<'a, N: Number + 'a>(pairs: impl Iterator<Item = (&'a Value<N>, &'a Value<N>)>) -> Value<N> {
    let products = pairs.map(|(a, b)| scalar_op(&Op::Mul, &[], &[a.clone(), b.clone()]));
    products.reduce(|sum, product| add(&sum, &product)).unwrap_or_else(|| bug!("interp", "empty dot"))
}

fn column<N: Number>(matrix: &Value<N>, at: usize) -> Value<N> {
    Value::aggregate(elements(matrix).iter().map(|row| elements(row)[at].clone()).collect())
}

fn matmul<N: Number>(a: &Value<N>, b: &Value<N>) -> Value<N> {
    let is_matrix = |value: &Value<N>| matches!(elements(value)[0], Value::Aggregate(_));
    let times_vector = |row: &Value<N>, vector: &Value<N>| dot(elements(row).iter().zip(elements(vector)));
    let vector_times = |row: &Value<N>| {
        let columns = elements(&elements(b)[0]).len();
        Value::aggregate((0..columns).map(|i| times_vector(row, &column(b, i))).collect())
    };
    match (is_matrix(a), is_matrix(b)) {
        (true, true) => Value::aggregate(elements(a).iter().map(vector_times).collect()),
        (true, false) => Value::aggregate(elements(a).iter().map(|row| times_vector(row, b)).collect()),
        _ => vector_times(a),
    }
}
