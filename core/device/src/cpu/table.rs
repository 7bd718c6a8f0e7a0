//! The row function of every (operation, kind), compiled for each instruction set the CPU may have.

use super::rows::{Row, each1, each2, map1, map1_limited, map2, map2_small, map3, merge};
use super::{math, scalar};
use pullback_base::bytecode::{Kind, VectorOp};

/// Computes an output row from operand rows for so many lanes.
///
/// # Safety
/// The pointers are those of whole rows of the kinds of the operation; the output row overlaps no operand; the CPU has
/// the instruction set the function was compiled for.
pub type Unary = unsafe fn(*mut u8, *const u8, usize);
/// As [`Unary`].
pub type Binary = unsafe fn(*mut u8, *const u8, *const u8, usize);
/// As [`Unary`].
pub type Ternary = unsafe fn(*mut u8, *const u8, *const u8, *const u8, usize);

#[derive(Clone, Copy)]
pub enum RowFn {
    Unary(Unary),
    Binary(Binary),
    Ternary(Ternary),
}

/// An instruction set with versions of all row functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstructionSet {
    /// What every CPU of the architecture has: SSE2 or NEON.
    Baseline,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl InstructionSet {
    /// All that this CPU has, the best last.
    pub fn available() -> Vec<InstructionSet> {
        let mut sets = vec![InstructionSet::Baseline];
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("popcnt");
            let avx512 = avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512cd")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            sets.extend(avx2.then_some(InstructionSet::Avx2));
            sets.extend(avx512.then_some(InstructionSet::Avx512));
        }
        sets
    }

    /// The function of an operation; `None` where it has no meaning in that kind.
    pub fn find(self, op: VectorOp, kind: Kind) -> Option<RowFn> {
        let kind = representative(op, kind);
        match self {
            InstructionSet::Baseline => baseline::find(op, kind),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => avx2::find(op, kind),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => avx512::find(op, kind),
        }
    }

    /// The function that takes an operand row's lanes where a mask row, the second operand, is on.
    pub fn merge(self, size_bytes: u32) -> Binary {
        match self {
            InstructionSet::Baseline => baseline::merge_of(size_bytes),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => avx2::merge_of(size_bytes),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => avx512::merge_of(size_bytes),
        }
    }
}

/// Where kinds of one size compute the same bits, the one that has the function.
fn representative(op: VectorOp, kind: Kind) -> Kind {
    use VectorOp::*;
    let bits_only = matches!(op, Select);
    let sign_free = matches!(
        op,
        Neg | Add | Sub | Mul | Not | And | Or | Xor | Shl | CountBits | ReverseBits | FirstBitLow | Eq | Ne
    ) || matches!(op, WrapI8 | WrapI16 | WrapU8 | WrapU16);
    match kind {
        Kind::U32 if sign_free || bits_only => Kind::I32,
        Kind::U64 if sign_free || bits_only => Kind::I64,
        Kind::F32 if bits_only => Kind::I32,
        Kind::F64 if bits_only => Kind::I64,
        kind => kind,
    }
}

/// The Rust type of a kind's lanes.
macro_rules! lane {
    (Bool) => {
        u8
    };
    (I32) => {
        i32
    };
    (U32) => {
        u32
    };
    (I64) => {
        i64
    };
    (U64) => {
        u64
    };
    (F32) => {
        f32
    };
    (F64) => {
        f64
    };
}

/// One function under its features, as an entry of the table.
macro_rules! row_fn {
    // SAFETY (of each transmute): references and raw pointers to sized types are passed alike; that they may be
    // dereferenced as whole rows, and that the output is exclusive, is what callers of `Unary` and the rest promise.
    ($f:literal 1 $a:ident $o:ident $loop:ident ($($extra:expr),*)) => {{
        #[target_feature(enable = $f)]
        fn run(out: &mut Row<lane!($o)>, a: &Row<lane!($a)>, lanes: usize) {
            $loop(out, a, lanes, $($extra),*)
        }
        let run: unsafe fn(&mut Row<lane!($o)>, &Row<lane!($a)>, usize) = run;
        // SAFETY: see above.
        RowFn::Unary(unsafe {
            std::mem::transmute::<unsafe fn(&mut Row<lane!($o)>, &Row<lane!($a)>, usize), Unary>(run)
        })
    }};
    ($f:literal 2 $a:ident $o:ident $loop:ident ($($extra:expr),*)) => {{
        #[target_feature(enable = $f)]
        fn run(out: &mut Row<lane!($o)>, a: &Row<lane!($a)>, b: &Row<lane!($a)>, lanes: usize) {
            $loop(out, a, b, lanes, $($extra),*)
        }
        type Typed = unsafe fn(&mut Row<lane!($o)>, &Row<lane!($a)>, &Row<lane!($a)>, usize);
        let run: Typed = run;
        // SAFETY: see above.
        RowFn::Binary(unsafe { std::mem::transmute::<Typed, Binary>(run) })
    }};
    ($f:literal 3 $c:ident $a:ident $o:ident $loop:ident ($($extra:expr),*)) => {{
        #[target_feature(enable = $f)]
        fn run(
            out: &mut Row<lane!($o)>,
            a: &Row<lane!($c)>,
            b: &Row<lane!($a)>,
            c: &Row<lane!($a)>,
            lanes: usize,
        ) {
            $loop(out, a, b, c, lanes, $($extra),*)
        }
        type Typed =
            unsafe fn(&mut Row<lane!($o)>, &Row<lane!($c)>, &Row<lane!($a)>, &Row<lane!($a)>, usize);
        let run: Typed = run;
        // SAFETY: see above.
        RowFn::Ternary(unsafe { std::mem::transmute::<Typed, Ternary>(run) })
    }};
    // By shape: how many operands, and whether the result has their kind.
    ($f:literal same1 $kind:ident $loop:ident $extra:tt) => { row_fn!($f 1 $kind $kind $loop $extra) };
    ($f:literal same2 $kind:ident $loop:ident $extra:tt) => { row_fn!($f 2 $kind $kind $loop $extra) };
    ($f:literal same3 $kind:ident $loop:ident $extra:tt) => { row_fn!($f 3 $kind $kind $kind $loop $extra) };
    ($f:literal pick $kind:ident $loop:ident $extra:tt) => { row_fn!($f 3 Bool $kind $kind $loop $extra) };
    ($f:literal test1 $kind:ident $loop:ident $extra:tt) => { row_fn!($f 1 $kind Bool $loop $extra) };
    ($f:literal test2 $kind:ident $loop:ident $extra:tt) => { row_fn!($f 2 $kind Bool $loop $extra) };
    ($f:literal to_i32 $kind:ident $loop:ident $extra:tt) => { row_fn!($f 1 $kind I32 $loop $extra) };
    ($f:literal to_u32 $kind:ident $loop:ident $extra:tt) => { row_fn!($f 1 $kind U32 $loop $extra) };
    ($f:literal to_i64 $kind:ident $loop:ident $extra:tt) => { row_fn!($f 1 $kind I64 $loop $extra) };
    ($f:literal to_u64 $kind:ident $loop:ident $extra:tt) => { row_fn!($f 1 $kind U64 $loop $extra) };
    ($f:literal to_f32 $kind:ident $loop:ident $extra:tt) => { row_fn!($f 1 $kind F32 $loop $extra) };
    ($f:literal to_f64 $kind:ident $loop:ident $extra:tt) => { row_fn!($f 1 $kind F64 $loop $extra) };
}

/// `Op [kinds] shape loop(what one lane computes)`
macro_rules! table {
    ($f:literal; $($op:ident [$($kind:ident)*] $shape:ident $loop:ident $extra:tt;)*) => {
        pub fn find(op: VectorOp, kind: Kind) -> Option<RowFn> {
            Some(match (op, kind) {
                $($((VectorOp::$op, Kind::$kind) => row_fn!($f $shape $kind $loop $extra),)*)*
                _ => return None,
            })
        }
    };
}

/// The masked copy of a kind's rows.
macro_rules! merge_fn {
    ($f:literal $a:ident) => {{
        #[target_feature(enable = $f)]
        fn run(out: &mut Row<lane!($a)>, a: &Row<lane!($a)>, mask: &Row<u8>, lanes: usize) {
            merge(out, a, mask, lanes)
        }
        type Typed = unsafe fn(&mut Row<lane!($a)>, &Row<lane!($a)>, &Row<u8>, usize);
        let run: Typed = run;
        // SAFETY: as in `row_fn`.
        unsafe { std::mem::transmute::<Typed, Binary>(run) }
    }};
}

macro_rules! instruction_set {
    ($name:ident $f:literal) => {
        #[allow(clippy::unnecessary_cast, clippy::redundant_closure)]
        mod $name {
            use super::*;

            pub fn merge_of(size_bytes: u32) -> Binary {
                match size_bytes {
                    1 => merge_fn!($f Bool),
                    4 => merge_fn!($f I32),
                    _ => merge_fn!($f I64),
                }
            }

            table! { $f;
                Neg [I32 I64] same1 map1(|x| x.wrapping_neg());
                Neg [F32 F64] same1 map1(|x| -x);
                Add [I32 I64] same2 map2(|x, y| x.wrapping_add(y));
                Add [F32 F64] same2 map2(|x, y| x + y);
                Sub [I32 I64] same2 map2(|x, y| x.wrapping_sub(y));
                Sub [F32 F64] same2 map2(|x, y| x - y);
                Mul [I32 I64] same2 map2(|x, y| x.wrapping_mul(y));
                Mul [F32 F64] same2 map2(|x, y| x * y);
                Div [I32] same2 map2(scalar::div_i32);
                Div [U32] same2 map2(scalar::div_u32);
                Div [I64] same2 map2_small(scalar::div_i32, scalar::div_i64);
                Div [U64] same2 each2(scalar::div_u64);
                Div [F32 F64] same2 map2(|x, y| x / y);
                Rem [I32] same2 map2(scalar::rem_i32);
                Rem [U32] same2 map2(scalar::rem_u32);
                Rem [I64] same2 map2_small(scalar::rem_i32, scalar::rem_i64);
                Rem [U64] same2 each2(scalar::rem_u64);
                Rem [F32 F64] same2 each2(|x, y| x % y);
                Fma [F32] same3 map3(|x: f32, y, z| x.mul_add(y, z));
                Fma [F64] same3 map3(|x: f64, y, z| x.mul_add(y, z));
                Min [I32 U32 I64 U64] same2 map2(|x, y| if x < y { x } else { y });
                Min [F32] same2 map2(scalar::min_f32);
                Min [F64] same2 map2(scalar::min_f64);
                Max [I32 U32 I64 U64] same2 map2(|x, y| if x > y { x } else { y });
                Max [F32] same2 map2(scalar::max_f32);
                Max [F64] same2 map2(scalar::max_f64);
                Abs [I32 I64] same1 map1(|x| x.wrapping_abs());
                Abs [U32 U64] same1 map1(|x| x);
                Abs [F32 F64] same1 map1(|x| x.abs());
                Sign [I32 I64] same1 map1(|x| x.signum());
                Sign [U32] same1 map1(|x| u32::from(x != 0));
                Sign [U64] same1 map1(|x| u64::from(x != 0));
                Sign [F32] same1 map1(scalar::sign_f32);
                Sign [F64] same1 map1(scalar::sign_f64);
                Not [Bool] same1 map1(|x| x ^ 1);
                Not [I32 I64] same1 map1(|x| !x);
                And [Bool I32 I64] same2 map2(|x, y| x & y);
                Or [Bool I32 I64] same2 map2(|x, y| x | y);
                Xor [Bool I32 I64] same2 map2(|x, y| x ^ y);
                AndNot [Bool] same2 map2(|x, y| x & (y ^ 1));
                Shl [I32 I64] same2 map2(|x, y| x.wrapping_shl(y as u32));
                Shr [I32 U32 I64 U64] same2 map2(|x, y| x.wrapping_shr(y as u32));
                CountBits [I32] same1 map1(|x| x.count_ones() as i32);
                CountBits [I64] same1 map1(|x| i64::from(x.count_ones()));
                ReverseBits [I32 I64] same1 map1(|x| x.reverse_bits());
                FirstBitHigh [I32] same1 map1(|x| scalar::first_bit_high((x ^ (x >> 31)) as u32));
                FirstBitHigh [U32] same1 map1(|x| scalar::first_bit_high(x) as u32);
                FirstBitHigh [I64] same1 map1(|x| scalar::first_bit_high_64((x ^ (x >> 63)) as u64));
                FirstBitHigh [U64] same1 map1(|x| scalar::first_bit_high_64(x) as u64);
                FirstBitLow [I32] same1 map1(scalar::first_bit_low);
                FirstBitLow [I64] same1 map1(scalar::first_bit_low_64);
                Eq [Bool I32 I64 F32 F64] test2 map2(|x, y| u8::from(x == y));
                Ne [Bool I32 I64 F32 F64] test2 map2(|x, y| u8::from(x != y));
                Lt [I32 U32 I64 U64 F32 F64] test2 map2(|x, y| u8::from(x < y));
                Le [I32 U32 I64 U64 F32 F64] test2 map2(|x, y| u8::from(x <= y));
                Gt [I32 U32 I64 U64 F32 F64] test2 map2(|x, y| u8::from(x > y));
                Ge [I32 U32 I64 U64 F32 F64] test2 map2(|x, y| u8::from(x >= y));
                IsNan [F32 F64] test1 map1(|x| u8::from(x != x));
                IsInf [F32] test1 map1(|x| u8::from(x.abs() == f32::INFINITY));
                IsInf [F64] test1 map1(|x| u8::from(x.abs() == f64::INFINITY));
                Select [Bool I32 I64] pick map3(|c: u8, x, y| if c != 0 { x } else { y });
                Floor [F32 F64] same1 map1(|x| x.floor());
                Ceil [F32 F64] same1 map1(|x| x.ceil());
                Round [F32 F64] same1 map1(|x| x.round_ties_even());
                Trunc [F32 F64] same1 map1(|x| x.trunc());
                Fract [F32 F64] same1 map1(|x| x - x.floor());
                Sqrt [F32 F64] same1 map1(|x| x.sqrt());
                Rsqrt [F32 F64] same1 map1(|x| 1.0 / x.sqrt());
                Rcp [F32 F64] same1 map1(|x| 1.0 / x);
                Exp [F32] same1 map1(math::exp);
                Exp [F64] same1 each1(libm::exp);
                Exp2 [F32] same1 map1(math::exp2);
                Exp2 [F64] same1 each1(libm::exp2);
                Log [F32] same1 map1(math::log);
                Log [F64] same1 each1(libm::log);
                Log2 [F32] same1 map1(math::log2);
                Log2 [F64] same1 each1(libm::log2);
                Log10 [F32] same1 map1(math::log10);
                Log10 [F64] same1 each1(libm::log10);
                Pow [F32] same2 map2(math::pow);
                Pow [F64] same2 each2(libm::pow);
                Sin [F32] same1 map1_limited(math::TRIG_LIMIT, math::sin, |x| libm::sin(f64::from(x)) as f32);
                Sin [F64] same1 each1(libm::sin);
                Cos [F32] same1 map1_limited(math::TRIG_LIMIT, math::cos, |x| libm::cos(f64::from(x)) as f32);
                Cos [F64] same1 each1(libm::cos);
                Tan [F32] same1 map1_limited(math::TRIG_LIMIT, math::tan, |x| libm::tan(f64::from(x)) as f32);
                Tan [F64] same1 each1(libm::tan);
                Asin [F32] same1 map1(math::asin);
                Asin [F64] same1 each1(libm::asin);
                Acos [F32] same1 map1(math::acos);
                Acos [F64] same1 each1(libm::acos);
                Atan [F32] same1 map1(math::atan);
                Atan [F64] same1 each1(libm::atan);
                Atan2 [F32] same2 map2(math::atan2);
                Atan2 [F64] same2 each2(libm::atan2);
                Sinh [F32] same1 map1(math::sinh);
                Sinh [F64] same1 each1(libm::sinh);
                Cosh [F32] same1 map1(math::cosh);
                Cosh [F64] same1 each1(libm::cosh);
                Tanh [F32] same1 map1(math::tanh);
                Tanh [F64] same1 each1(libm::tanh);
                Asinh [F32] same1 map1(math::asinh);
                Asinh [F64] same1 each1(libm::asinh);
                Acosh [F32] same1 map1(math::acosh);
                Acosh [F64] same1 each1(scalar::acosh_f64);
                Atanh [F32] same1 map1(math::atanh);
                Atanh [F64] same1 each1(libm::atanh);
                Copysign [F32 F64] same2 map2(|x, y| x.copysign(y));
                MulOrZero [F32 F64] same2 map2(|x, y| if x == 0.0 { x } else { x * y });
                ToBool [I32 U32 I64 U64] test1 map1(|x| u8::from(x != 0));
                ToBool [F32 F64] test1 map1(|x| u8::from(x != 0.0));
                ToI32 [Bool I64 U64 F32 F64] to_i32 map1(|x| x as i32);
                ToU32 [Bool I64 U64 F32 F64] to_u32 map1(|x| x as u32);
                ToI64 [Bool I32 U32 F32 F64] to_i64 map1(|x| x as i64);
                ToU64 [Bool I32 U32 F32 F64] to_u64 map1(|x| x as u64);
                ToF32 [Bool I32 U32 I64 U64 F64] to_f32 map1(|x| x as f32);
                ToF64 [Bool I32 U32 I64 U64 F32] to_f64 map1(|x| x as f64);
                WrapI8 [I32] to_i32 map1(|x| i32::from(x as i8));
                WrapI16 [I32] to_i32 map1(|x| i32::from(x as i16));
                WrapU8 [I32] to_u32 map1(|x| u32::from(x as u8));
                WrapU16 [I32] to_u32 map1(|x| u32::from(x as u16));
                RoundF16 [F32] to_f32 map1(scalar::round_f16);
                RoundF16 [F64] to_f32 each1(scalar::round_f16_f64);
                RoundBf16 [F32] to_f32 map1(scalar::round_bf16);
                RoundBf16 [F64] to_f32 each1(scalar::round_bf16_f64);
                F16ToBits [F32] to_u32 each1(scalar::f16_to_bits);
                F16FromBits [U32] to_f32 each1(scalar::f16_from_bits);
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
instruction_set!(baseline "sse2");
#[cfg(target_arch = "aarch64")]
instruction_set!(baseline "neon");
#[cfg(target_arch = "x86_64")]
instruction_set!(avx2 "avx2,fma,bmi1,bmi2,lzcnt,popcnt");
#[cfg(target_arch = "x86_64")]
instruction_set!(avx512 "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma,bmi1,bmi2,lzcnt,popcnt");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::rows::LANES;

    /// A row of any kind, aligned as in a register file.
    #[derive(Clone, Copy, PartialEq)]
    #[repr(align(64))]
    struct AnyRow([u64; LANES]);

    /// Numbers of every sort: small ones, random bits, edges.
    fn operand(kind: Kind, seed: u64) -> AnyRow {
        let mut row = AnyRow([0; LANES]);
        let bytes = row.0.as_mut_ptr().cast::<u8>();
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for lane in 0..LANES {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let random = state ^ (state >> 29);
            let small = (random % 2001) as i64 - 1000;
            let pick = random >> 60;
            let edges = [0, 1, -1, i64::MIN, i64::MAX, i64::from(i32::MIN), i64::from(i32::MAX), 64];
            let float_edges = [0.0, -0.0, 1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 0.5, -2.5];
            let (integer, float) = match pick {
                0..4 => (edges[lane % 8], float_edges[lane % 8]),
                4..9 => (random as i64, small as f64 * 1e3),
                _ => (small, small as f64 / 37.0),
            };
            // SAFETY: a lane of at most 8 bytes below LANES.
            unsafe {
                match kind {
                    Kind::Bool => bytes.add(lane).write((random & 1) as u8),
                    Kind::I32 | Kind::U32 => bytes.cast::<i32>().add(lane).write(integer as i32),
                    Kind::I64 | Kind::U64 => bytes.cast::<i64>().add(lane).write(integer),
                    Kind::F32 => bytes.cast::<f32>().add(lane).write(float as f32),
                    Kind::F64 => bytes.cast::<f64>().add(lane).write(float),
                }
            }
        }
        row
    }

    fn apply(run: RowFn, args: &[AnyRow], lanes: usize) -> AnyRow {
        let mut out = AnyRow([0; LANES]);
        let to = out.0.as_mut_ptr().cast::<u8>();
        let from = |index: usize| args[index].0.as_ptr().cast::<u8>();
        // SAFETY: whole rows of 8 bytes per lane, `out` apart; the instruction set is one this CPU has.
        unsafe {
            match run {
                RowFn::Unary(run) => run(to, from(0), lanes),
                RowFn::Binary(run) => run(to, from(0), from(1), lanes),
                RowFn::Ternary(run) => run(to, from(0), from(1), from(2), lanes),
            }
        }
        out
    }

    /// The bits of the lanes, each NaN the same.
    fn bits(kind: Kind, row: &AnyRow, lanes: usize) -> Vec<u64> {
        let bytes = row.0.as_ptr().cast::<u8>();
        // SAFETY: as in `operand`.
        let lane = |lane: usize| unsafe {
            match kind {
                Kind::Bool => u64::from(*bytes.add(lane)),
                Kind::I32 | Kind::U32 => u64::from(*bytes.cast::<u32>().add(lane)),
                Kind::I64 | Kind::U64 => *bytes.cast::<u64>().add(lane),
                Kind::F32 => {
                    let x = *bytes.cast::<f32>().add(lane);
                    if x.is_nan() { u64::MAX } else { u64::from(x.to_bits()) }
                }
                Kind::F64 => {
                    let x = *bytes.cast::<f64>().add(lane);
                    if x.is_nan() { u64::MAX } else { x.to_bits() }
                }
            }
        };
        (0..lanes).map(lane).collect()
    }

    #[test]
    fn all_instruction_sets_give_the_same_bits_for_every_op_and_kind() {
        let mut compared = 0;
        for &op in VectorOp::ALL {
            for kind in Kind::ALL {
                let Some(plain) = InstructionSet::Baseline.find(op, kind) else { continue };
                let args: Vec<AnyRow> = (0..op.arity())
                    .map(|index| operand(op.operand_kind(kind, index), index as u64 + 7 * op as u64))
                    .collect();
                let result = op.result_kind(kind);
                for lanes in [1, 63, 64, 65, LANES] {
                    let want = bits(result, &apply(plain, &args, lanes), lanes);
                    for set in InstructionSet::available() {
                        let found = set.find(op, kind).map(|run| apply(run, &args, lanes));
                        let got = found.map(|row| bits(result, &row, lanes));
                        assert_eq!(got.as_ref(), Some(&want), "{} of {kind:?} by {set:?}", op.name());
                        compared += 1;
                    }
                }
            }
        }
        assert!(compared > 1000, "{compared}");
    }

    #[test]
    fn every_op_is_there_for_some_kind() {
        for &op in VectorOp::ALL {
            let found = Kind::ALL.iter().any(|&kind| InstructionSet::Baseline.find(op, kind).is_some());
            assert!(found, "{}", op.name());
        }
    }
}
