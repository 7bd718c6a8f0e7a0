//! Strided copies: between arrays of numbers and the fields of structs.

use crate::reduce::offset;
use pullback_base::DType;
use pullback_ir::{Function, FunctionBuilder, FunctionKind, Op, Type, Value};

/// Copies one number per lane. Words: from, to; then, of each dim, size, stride in `from`, and stride in `to`, in numbers.
pub fn strided_copy(dtype: DType, rank: usize) -> Function {
    let mut b = FunctionBuilder::new(&format!("strided_copy_{dtype}_{rank}"), FunctionKind::Kernel);
    let pointer = Type::pointer(Type::Scalar(dtype));
    let (from, to) = (b.param(pointer.clone(), "from"), b.param(pointer, "to"));
    let dims: Vec<[Value; 3]> = (0..rank)
        .map(|_| ["size", "from_stride", "to_stride"].map(|name| b.param(Type::I64, name)))
        .collect();
    let lane = b.op(Op::LaneId, &[]);
    let walk = |side: usize| dims.iter().map(|dim| (dim[0], dim[side])).collect::<Vec<_>>();
    let at = offset(&mut b, lane, &walk(1));
    let address = b.offset(from, at);
    let value = b.load(address);
    let at = offset(&mut b, lane, &walk(2));
    let address = b.offset(to, at);
    b.store(address, value);
    b.finish(Vec::new())
}
