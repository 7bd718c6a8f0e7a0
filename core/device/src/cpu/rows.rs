//! Loops over the lanes of rows, in blocks that a compiler turns into vector code.
//!
//! Each takes the number of active lanes and computes whole blocks of [`BLOCK`] lanes, so that the inner loop has a
//! constant length. Lanes past the active ones hold leftovers, which is harmless: ops are total.

use pullback_base::GROUP_LANES;

pub const LANES: usize = GROUP_LANES as usize;

/// Lanes computed at a time: long enough that loops are vectorized rather than unrolled, short enough for small launches.
pub const BLOCK: usize = 64;

/// One number per lane of a chunk.
pub type Row<T> = [T; LANES];

#[inline(always)]
pub fn map1<A: Copy, O>(out: &mut Row<O>, a: &Row<A>, lanes: usize, op: impl Fn(A) -> O) {
    let blocks = out.as_chunks_mut::<BLOCK>().0.iter_mut().zip(a.as_chunks::<BLOCK>().0);
    for (out, a) in blocks.take(lanes.div_ceil(BLOCK)) {
        for i in 0..BLOCK {
            out[i] = op(a[i]);
        }
    }
}

#[inline(always)]
pub fn map2<A: Copy, B: Copy, O>(
    out: &mut Row<O>,
    a: &Row<A>,
    b: &Row<B>,
    lanes: usize,
    op: impl Fn(A, B) -> O,
) {
    let operands = a.as_chunks::<BLOCK>().0.iter().zip(b.as_chunks::<BLOCK>().0);
    let blocks = out.as_chunks_mut::<BLOCK>().0.iter_mut().zip(operands);
    for (out, (a, b)) in blocks.take(lanes.div_ceil(BLOCK)) {
        for i in 0..BLOCK {
            out[i] = op(a[i], b[i]);
        }
    }
}

#[inline(always)]
pub fn map3<A: Copy, B: Copy, C: Copy, O>(
    out: &mut Row<O>,
    a: &Row<A>,
    b: &Row<B>,
    c: &Row<C>,
    lanes: usize,
    op: impl Fn(A, B, C) -> O,
) {
    let operands =
        a.as_chunks::<BLOCK>().0.iter().zip(b.as_chunks::<BLOCK>().0).zip(c.as_chunks::<BLOCK>().0);
    let blocks = out.as_chunks_mut::<BLOCK>().0.iter_mut().zip(operands);
    for (out, ((a, b), c)) in blocks.take(lanes.div_ceil(BLOCK)) {
        for i in 0..BLOCK {
            out[i] = op(a[i], b[i], c[i]);
        }
    }
}

/// Takes lanes of `a` where the mask is on.
#[inline(always)]
pub fn merge<A: Copy>(out: &mut Row<A>, a: &Row<A>, mask: &Row<u8>, lanes: usize) {
    let operands = a.as_chunks::<BLOCK>().0.iter().zip(mask.as_chunks::<BLOCK>().0);
    let blocks = out.as_chunks_mut::<BLOCK>().0.iter_mut().zip(operands);
    for (out, (a, mask)) in blocks.take(lanes.div_ceil(BLOCK)) {
        for i in 0..BLOCK {
            out[i] = if mask[i] != 0 { a[i] } else { out[i] };
        }
    }
}

/// As [`map1`] for an op that has no vector form: just the active lanes.
#[inline(always)]
pub fn each1<A: Copy, O>(out: &mut Row<O>, a: &Row<A>, lanes: usize, op: impl Fn(A) -> O) {
    for (out, a) in out.iter_mut().zip(a).take(lanes) {
        *out = op(*a);
    }
}

/// As [`each1`].
#[inline(always)]
pub fn each2<A: Copy, O>(out: &mut Row<O>, a: &Row<A>, b: &Row<A>, lanes: usize, op: impl Fn(A, A) -> O) {
    for ((out, a), b) in out.iter_mut().zip(a).zip(b).take(lanes) {
        *out = op(*a, *b);
    }
}

/// `fast` where every operand of the block is small, else `exact` for each lane.
#[inline(always)]
pub fn map2_small(
    out: &mut Row<i64>,
    a: &Row<i64>,
    b: &Row<i64>,
    lanes: usize,
    fast: impl Fn(i32, i32) -> i32,
    exact: impl Fn(i64, i64) -> i64,
) {
    let operands = a.as_chunks::<BLOCK>().0.iter().zip(b.as_chunks::<BLOCK>().0);
    let blocks = out.as_chunks_mut::<BLOCK>().0.iter_mut().zip(operands);
    for (block, (out, (a, b))) in blocks.take(lanes.div_ceil(BLOCK)).enumerate() {
        let mut high = 0;
        for i in 0..BLOCK {
            high |= (a[i] | b[i]) as u64;
        }
        if high >> 31 == 0 {
            for i in 0..BLOCK {
                out[i] = i64::from(fast(a[i] as i32, b[i] as i32));
            }
        } else {
            for i in 0..BLOCK.min(lanes - block * BLOCK) {
                out[i] = exact(a[i], b[i]);
            }
        }
    }
}

/// `fast` everywhere, then `exact` again where an operand's magnitude is above the limit.
#[inline(always)]
pub fn map1_limited(
    out: &mut Row<f32>,
    a: &Row<f32>,
    lanes: usize,
    limit: f32,
    fast: impl Fn(f32) -> f32,
    exact: impl Fn(f32) -> f32,
) {
    map1(out, a, lanes, fast);
    let mut beyond = false;
    for a in &a.as_chunks::<BLOCK>().0[..lanes.div_ceil(BLOCK)] {
        for a in a {
            beyond |= a.abs() > limit;
        }
    }
    if beyond {
        for (out, a) in out.iter_mut().zip(a).take(lanes) {
            if a.abs() > limit {
                *out = exact(*a);
            }
        }
    }
}
