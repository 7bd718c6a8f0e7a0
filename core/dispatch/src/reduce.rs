//! The second pass of shared gradients: sums in a fixed order, so that results are equal from run to run.
//!
//! A gradient shared over all lanes arrives as group sums; they are summed again, 256 at a time, until one is left. A
//! gradient shared over some dims arrives lane by lane; each of its elements is summed along those dims, first in
//! pieces, then the pieces.

use crate::vectorize::Dims;
use pullback_base::{DType, Shape};
use pullback_ir::function::LoopHints;
use pullback_ir::{Effect, Function, FunctionBuilder, FunctionKind, Op, Type, Value};

/// `out[group] = sum of in[lane] over the group`
pub fn sum_groups(dtype: DType) -> Function {
    let mut b = FunctionBuilder::new(&format!("sum_groups_{dtype}"), FunctionKind::Kernel);
    let pointer = Type::pointer(Type::Scalar(dtype));
    let (from, to) = (b.param(pointer.clone(), "from"), b.param(pointer, "to"));
    let lane = b.op(Op::LaneId, &[]);
    let address = b.offset(from, lane);
    let value = b.load(address);
    b.write(Effect::GroupSum, to, value);
    b.finish(Vec::new())
}

/// `out[lane] = in[lane]`, converted.
pub fn convert(from: DType, to: DType) -> Function {
    let mut b = FunctionBuilder::new(&format!("convert_{from}_{to}"), FunctionKind::Kernel);
    let source = b.param(Type::pointer(Type::Scalar(from)), "from");
    let target = b.param(Type::pointer(Type::Scalar(to)), "to");
    let lane = b.op(Op::LaneId, &[]);
    let address = b.offset(source, lane);
    let value = b.load(address);
    let value = b.convert(value, to);
    let address = b.offset(target, lane);
    b.store(address, value);
    b.finish(Vec::new())
}

/// `out[lane] = 0`
pub fn fill_zero(dtype: DType) -> Function {
    let mut b = FunctionBuilder::new(&format!("fill_zero_{dtype}"), FunctionKind::Kernel);
    let target = b.param(Type::pointer(Type::Scalar(dtype)), "to");
    let lane = b.op(Op::LaneId, &[]);
    let address = b.offset(target, lane);
    let zero = b.zero(&Type::Scalar(dtype));
    b.store(address, zero);
    b.finish(Vec::new())
}

/// Sums along some dims. Words: from, to, pieces, terms per piece, terms; sizes and strides of the kept dims, then of
/// the summed dims. Lane `o * pieces + p` sums piece `p` of output `o`, in index order.
pub fn sum_dims(from: DType, to: DType, sum: DType, kept: usize, summed: usize) -> Function {
    let mut b = FunctionBuilder::new(&format!("sum_dims_{from}_{to}_{kept}_{summed}"), FunctionKind::Kernel);
    let source = b.param(Type::pointer(Type::Scalar(from)), "from");
    let target = b.param(Type::pointer(Type::Scalar(to)), "to");
    let [pieces, piece_terms, terms] =
        ["pieces", "piece_terms", "terms"].map(|name| b.param(Type::I64, name));
    let mut walk = |count: usize| -> Vec<(Value, Value)> {
        (0..count).map(|_| (b.param(Type::I64, "size"), b.param(Type::I64, "stride"))).collect()
    };
    let (kept, summed) = (walk(kept), walk(summed));
    let lane = b.op(Op::LaneId, &[]);
    let output = b.div(lane, pieces);
    let before = b.mul(output, pieces);
    let piece = b.sub(lane, before);
    let base = offset(&mut b, output, &kept);
    let origin = b.offset(source, base);
    let first = b.mul(piece, piece_terms);
    let end = b.add(first, piece_terms);
    let end = b.op(Op::Min, &[end, terms]);
    let zero = b.zero(&Type::Scalar(sum));
    let sums = b.loop_(
        &[first, zero],
        LoopHints::default(),
        |b, params| b.op(Op::Lt, &[params[0], end]),
        |b, params| {
            let at = offset(b, params[0], &summed);
            let address = b.offset(origin, at);
            let term = b.load(address);
            let term = b.convert(term, sum);
            let one = b.i64(1);
            vec![b.add(params[0], one), b.add(params[1], term)]
        },
    );
    let value = b.convert(sums[1], to);
    let address = b.offset(target, lane);
    b.store(address, value);
    b.finish(Vec::new())
}

/// The memory offset of a C-order index over dims of those sizes and strides.
pub fn offset(b: &mut FunctionBuilder, index: Value, dims: &[(Value, Value)]) -> Value {
    let mut rest = index;
    let mut total = None;
    for (place, &(size, stride)) in dims.iter().enumerate().rev() {
        let own = if place == 0 {
            rest
        } else {
            let outer = b.div(rest, size);
            let inner = b.mul(outer, size);
            let own = b.sub(rest, inner);
            rest = outer;
            own
        };
        let step = b.mul(own, stride);
        total = Some(total.map_or(step, |total| b.add(total, step)));
    }
    total.unwrap_or_else(|| b.i64(0))
}

/// The kept and the summed dims of a shared gradient, as (size, stride) of its lane-by-lane array.
#[derive(Debug)]
pub struct Sums {
    pub kept: Vec<(i64, i64)>,
    pub summed: Vec<(i64, i64)>,
}

impl Sums {
    /// For an argument of that lane shape in a call of that shape, `leaves` numbers per lane.
    pub fn of(lane_shape: &Shape, shape: &Shape, leaves: usize) -> Self {
        let strides: Dims = shape.contiguous_strides();
        let lead = shape.rank() - lane_shape.rank();
        let mut sums = Sums { kept: Vec::new(), summed: Vec::new() };
        let mut last_shared = None;
        for (dim, &size) in shape.dims().iter().enumerate() {
            if size == 1 {
                continue;
            }
            let shared = dim < lead || lane_shape.dims()[dim - lead] == 1;
            let stride = strides[dim] * leaves as i64;
            let list = if shared { &mut sums.summed } else { &mut sums.kept };
            match list.last_mut() {
                // Neighbouring dims of one kind are one dim.
                Some(last) if last_shared == Some(shared) => *last = (last.0 * size, stride),
                _ => list.push((size, stride)),
            }
            last_shared = Some(shared);
        }
        if leaves > 1 {
            sums.kept.push((leaves as i64, 1));
        }
        sums
    }

    pub fn outputs(&self) -> i64 {
        self.kept.iter().map(|(size, _)| size).product()
    }

    pub fn terms(&self) -> i64 {
        self.summed.iter().map(|(size, _)| size).product()
    }

    /// Into how many pieces each sum is cut: enough lanes to fill a device, and at least 64 terms a piece.
    pub fn pieces(&self) -> i64 {
        const ENOUGH_LANES: i64 = 16_384;
        let wanted = (ENOUGH_LANES / self.outputs().max(1)).max(1);
        wanted.min((self.terms() + 63) / 64).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_dims_of_one_kind_merge() {
        let sums = Sums::of(&Shape::from([1, 4, 5]), &Shape::from([2, 3, 4, 5]), 3);
        assert_eq!(sums.summed, [(6, 60)]);
        assert_eq!(sums.kept, [(20, 3), (3, 1)]);
        assert_eq!((sums.outputs(), sums.terms()), (60, 6));
    }
}
