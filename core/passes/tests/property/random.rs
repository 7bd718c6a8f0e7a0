//! A small deterministic generator (xorshift64*) and constants worth testing.

use pullback_ir::{Constant, Scalar};

pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// True once in `n`.
    pub fn chance(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// Zeros, ones, extremes, NaN, and plain numbers.
    pub fn constant(&mut self, scalar: Scalar) -> Constant {
        if scalar.is_float() {
            let special =
                [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e-40, 65504.0];
            let plain = self.below(4000) as f64 / 500.0 - 4.0;
            return Constant::float(scalar, if self.chance(2) { *self.pick(&special) } else { plain });
        }
        let special =
            [0, 1, -1, 2, 3, i64::MIN, i64::MAX, 127, -128, i64::from(i32::MIN), i64::from(i32::MAX)];
        let plain = self.below(200) as i64 - 100;
        Constant::int(scalar, if self.chance(2) { *self.pick(&special) } else { plain })
    }
}
