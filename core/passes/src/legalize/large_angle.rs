//! Reduction of large angles by multiples of pi/2: the digits of 2/pi that matter, times the digits of the angle.

use super::float::Float;
use pullback_base::Scalar;
use pullback_ir::{Constant, Op, Type, Value};
use std::f64::consts::FRAC_PI_2;

/// The binary digits of 2/pi behind the point, 32 at a time.
const TWO_OVER_PI: [u32; 38] = [
    0xa2f9_836e,
    0x4e44_1529,
    0xfc27_57d1,
    0xf534_ddc0,
    0xdb62_9599,
    0x3c43_9041,
    0xfe51_63ab,
    0xdebb_c561,
    0xb724_6e3a,
    0x424d_d2e0,
    0x0649_2eea,
    0x09d1_921c,
    0xfe1d_eb1c,
    0xb129_a73e,
    0xe882_35f5,
    0x2ebb_4484,
    0xe99c_7026,
    0xb45f_7e41,
    0x3991_d639,
    0x8353_39f4,
    0x9c84_5f8b,
    0xbdf9_283b,
    0x1ff8_97ff,
    0xde05_980f,
    0xef2f_118b,
    0x5a0a_6d1f,
    0x6d36_7ecf,
    0x27cb_09b7,
    0x4f46_3f66,
    0x9e5f_ea2d,
    0x7527_bac7,
    0xebe5_f17b,
    0x3d07_39f7,
    0x8a52_92ea,
    0x6bfb_5fb1,
    0x1f8d_5d08,
    0x5603_3046,
    0xfc7b_6bab,
];
/// Words of zeros before them, for angles whose exponent is small.
const LEADING_ZEROS: usize = 2;
/// Words of 2/pi that a product needs: the angle's digits, and 128 bits of result.
const WINDOW: usize = 6;

impl Float<'_> {
    fn word(&mut self, value: u64) -> Value {
        self.lower.b.constant(Constant::from_bits(Scalar::U64, value))
    }

    /// `(r, k)` with `|x| = k pi/2 + r`, k modulo 4, for a finite `|x|` of at least 2^10.
    pub fn reduce_large(&mut self, size: Value) -> (Value, Value) {
        // |x| = m 2^e. Digits of 2/pi of weight 4 2^-e and more give multiples of 4 quarter turns: leave them out.
        let bits = self.bits_of(size);
        let bits = self.op(Op::Convert(Scalar::U64), &[bits]);
        let digits = u64::from(self.digits());
        let count = self.word(digits);
        let field = self.op(Op::Shr, &[bits, count]);
        let [mask, leading] = [self.word((1 << digits) - 1), self.word(1 << digits)];
        let m = self.op(Op::And, &[bits, mask]);
        let m = self.op(Op::Or, &[m, leading]);
        // The first digit wanted is number e - 2, counted from 0; e = field - bias - digits.
        let skipped = self.word(32 * LEADING_ZEROS as u64);
        let offset = self.op(Op::Add, &[field, skipped]);
        let bias = self.word(self.bias() as u64 + digits + 2);
        let offset = self.op(Op::Sub, &[offset, bias]);
        let window = self.window(offset);
        let product = self.times_window(m, &window);
        self.quarter_turns(&product)
    }

    /// The words of 2/pi from a digit on.
    fn window(&mut self, offset: Value) -> Vec<Value> {
        // The largest exponent's window ends within the table.
        let words = if self.is_double() { LEADING_ZEROS + TWO_OVER_PI.len() } else { 14 };
        let zeros = std::iter::repeat_n(0, LEADING_ZEROS);
        let entries: Vec<Value> = zeros
            .chain(TWO_OVER_PI)
            .take(words)
            .map(|entry| self.lower.b.constant(Constant::int(Scalar::U32, i64::from(entry))))
            .collect();
        let table = Type::array(Type::U32, words as u32);
        let table = self.op(Op::Construct(table), &entries);
        let [five, low, half] = [5, 31, 32].map(|number| self.word(number));
        let first = self.op(Op::Shr, &[offset, five]);
        let shift = self.op(Op::And, &[offset, low]);
        let fetched: Vec<Value> = (0..=WINDOW as u64)
            .map(|index| {
                let index = self.word(index);
                let index = self.op(Op::Add, &[first, index]);
                let entry = self.op(Op::ElementGet, &[table, index]);
                self.op(Op::Convert(Scalar::U64), &[entry])
            })
            .collect();
        fetched
            .windows(2)
            .map(|pair| {
                let high = self.op(Op::Shl, &[pair[0], half]);
                let both = self.op(Op::Or, &[high, pair[1]]);
                let moved = self.op(Op::Shl, &[both, shift]);
                self.op(Op::Shr, &[moved, half])
            })
            .collect()
    }

    /// The first four words behind the point of an integer times the window.
    fn times_window(&mut self, m: Value, window: &[Value]) -> [Value; 4] {
        let [half, mask, zero] = [32, 0xffff_ffff, 0].map(|number| self.word(number));
        let m_low = self.op(Op::And, &[m, mask]);
        let m_high = self.op(Op::Shr, &[m, half]);
        // (low, high) words of both partial products of each word, by its place.
        let mut partial = |word: Value| {
            [m_low, m_high].map(|factor| {
                let product = self.op(Op::Mul, &[word, factor]);
                (self.op(Op::And, &[product, mask]), self.op(Op::Shr, &[product, half]))
            })
        };
        let parts: Vec<[(Value, Value); 2]> = window.iter().map(|&word| partial(word)).collect();
        let mut sums = [zero; WINDOW];
        let mut carry = zero;
        for place in (0..WINDOW).rev() {
            let mut terms = vec![parts[place][0].0];
            if place + 1 < WINDOW {
                terms.extend([parts[place + 1][0].1, parts[place + 1][1].0]);
            }
            if place + 2 < WINDOW {
                terms.push(parts[place + 2][1].1);
            }
            let sum = terms.into_iter().fold(carry, |sum, term| self.op(Op::Add, &[sum, term]));
            sums[place] = self.op(Op::And, &[sum, mask]);
            carry = self.op(Op::Shr, &[sum, half]);
        }
        [sums[0], sums[1], sums[2], sums[3]]
    }

    /// The rest and the count of quarter turns, from a fraction of a whole turn.
    fn quarter_turns(&mut self, words: &[Value; 4]) -> (Value, Value) {
        let [half, two, top] = [32, 2, 62].map(|number| self.word(number));
        let [first, second] = [0, 2].map(|index| {
            let high = self.op(Op::Shl, &[words[index], half]);
            self.op(Op::Or, &[high, words[index + 1]])
        });
        let k = self.op(Op::Shr, &[first, top]);
        // The fraction of a quarter turn; from one half on it counts down from the next.
        let fraction = self.op(Op::Shl, &[first, two]);
        let below = self.op(Op::Shr, &[second, top]);
        let fraction = self.op(Op::Or, &[fraction, below]);
        let sign = self.word(63);
        let rounds = self.op(Op::Shr, &[fraction, sign]);
        let k = self.op(Op::Add, &[k, rounds]);
        let signed = self.op(Op::Bitcast(Scalar::I64), &[fraction]);
        let scalar = self.scalar;
        let turns = self.op(Op::Convert(scalar), &[signed]);
        let mut turns = self.mul_num(turns, 2f64.powi(-64));
        if self.is_double() {
            let rest = self.op(Op::Shl, &[second, two]);
            let rest = self.op(Op::Convert(scalar), &[rest]);
            let rest = self.mul_num(rest, 2f64.powi(-128));
            turns = self.add(turns, rest);
        }
        let r = self.mul_num(turns, FRAC_PI_2);
        let int = self.int();
        (r, self.op(Op::Convert(int), &[k]))
    }
}
