//! Exact sums: gradients of gathers that do not hang on the order in which lanes add.
//!
//! Float addition is not associative, so atomic additions give other bits from run to run. Here each element has an
//! *accumulator* instead: a fixed-point number that holds every finite float exactly. Adding to it is integer addition,
//! which has no order; the sum is rounded once, at the end. The exact
//! sum, to within a unit in the last place, so it is the same on every device, too.
//!
//! An accumulator has digits of [`DIGIT_BITS`] bits, one per `i64` word, the lowest first; digit 0 counts the smallest
//! subnormal number. A contribution of `p` bits touches `p / DIGIT_BITS + 1` words and no carry is passed on until the end:
//! a word has room for 2^39 contributions of f32, 2^37 of f64. The last word is a float, to which infinities and NaN are
//! added as they are: their sum has no order either.

use pullback_base::{Code, DType, Diagnostic, Diagnostics, bug};
use pullback_ir::function::LoopHints;
use pullback_ir::roots::Roots;
use pullback_ir::{
    Block, Effect, Function, FunctionBuilder, FunctionKind, Op, Scalar, Stmt, StmtKind, Type, Value,
};

const DIGIT_BITS: i64 = 24;

/// How the bits of a float are laid out.
struct Format {
    float: Scalar,
    bits: Scalar,
    fraction_bits: i64,
    exponent_bits: i64,
}

impl Format {
    fn of(dtype: DType) -> Self {
        match dtype {
            DType::F32 => Self { float: Scalar::F32, bits: Scalar::U32, fraction_bits: 23, exponent_bits: 8 },
            DType::F64 => {
                Self { float: Scalar::F64, bits: Scalar::U64, fraction_bits: 52, exponent_bits: 11 }
            }
            other => bug!("dispatch", "an exact sum of {other}"),
        }
    }

    fn top_exponent(&self) -> i64 {
        (1 << self.exponent_bits) - 1
    }

    fn bias(&self) -> i64 {
        self.top_exponent() / 2
    }

    /// The exponent of the smallest subnormal number, which digit 0 counts.
    fn lowest(&self) -> i64 {
        1 - self.bias() - self.fraction_bits
    }

    /// Enough for the largest finite number.
    fn digits(&self) -> i64 {
        (self.top_exponent() - 1 + self.fraction_bits + DIGIT_BITS - 1) / DIGIT_BITS
    }
}

/// The words that an element's accumulator takes.
pub fn words(dtype: DType) -> u64 {
    Format::of(dtype).digits() as u64 + 1
}

/// Lets a function that adds atomically to the memory of some of its parameters, arrays of these dtypes, take pointers to
/// as many accumulators instead.
///
/// # Errors
/// `not-differentiable` where it does anything else to that memory, or adds numbers of another dtype.
pub fn exact_sums(mut function: Function, arrays: &[(Value, DType)]) -> Result<Function, Diagnostics> {
    let roots = Roots::of(&function);
    let body = std::mem::take(&mut function.body);
    let (b, _) = FunctionBuilder::resume(function);
    let mut pass = ExactSums { b, roots, arrays, refused: Diagnostics::new() };
    pass.stmts(body.stmts);
    let ExactSums { b, refused, .. } = pass;
    if refused.is_empty() { Ok(b.finish(body.yields)) } else { Err(refused) }
}

struct ExactSums<'a> {
    b: FunctionBuilder,
    roots: Roots,
    arrays: &'a [(Value, DType)],
    refused: Diagnostics,
}

impl ExactSums<'_> {
    fn stmts(&mut self, stmts: Vec<Stmt>) {
        for mut stmt in stmts {
            self.b.set_span(stmt.span);
            if let StmtKind::Effect { effect, args, .. } = &stmt.kind
                && let Some(root) = args.first().and_then(|&address| self.roots.root(address))
                && let Some(&(_, dtype)) = self.arrays.iter().find(|(array, _)| *array == root)
            {
                match effect {
                    Effect::AtomicAdd => self.deposit(&Format::of(dtype), root, args[0], args[1]),
                    _ => self.refuse("an array that is read and written has no deterministic gradient"),
                }
                continue;
            }
            for block in stmt.kind.blocks_mut() {
                let Block { stmts, yields } = std::mem::take(block);
                self.b.begin_block();
                self.stmts(stmts);
                *block = self.b.end_block(yields);
            }
            self.b.push_stmt(stmt);
        }
    }

    fn refuse(&mut self, message: &str) {
        let found = Diagnostic::error(Code::NotDifferentiable, message).at(self.b.span(), "here");
        self.refused.push(found.help("leave deterministic() out"));
    }

    /// Adds a number to the accumulator that stands for what is at an address.
    fn deposit(&mut self, format: &Format, root: Value, address: Value, number: Value) {
        let &Format { float, bits, fraction_bits, exponent_bits } = format;
        if self.b.function().scalar(number) != Some(float) {
            return self.refuse("numbers of several types in one array have no deterministic gradient");
        }
        let b = &mut self.b;
        let first = accumulator(b, format, root, address);
        let top = format.top_exponent();
        let raw = b.op(Op::Bitcast(bits), &[number]);
        let raw = b.convert(raw, Scalar::I64);
        let exponent = with(b, Op::Shr, raw, fraction_bits);
        let exponent = with(b, Op::And, exponent, top);
        let fraction = with(b, Op::And, raw, (1 << fraction_bits) - 1);
        let top = b.i64(top);
        let is_finite = b.op(Op::Lt, &[exponent, top]);
        b.begin_block();
        let (zero, hidden) = (b.i64(0), b.i64(1 << fraction_bits));
        let is_normal = b.op(Op::Gt, &[exponent, zero]);
        let whole = b.op(Op::Or, &[fraction, hidden]);
        let fraction = b.select(is_normal, whole, fraction);
        // A subnormal number has the place of the smallest normal ones.
        let one = b.i64(1);
        let place = b.sub(exponent, one);
        let place = b.op(Op::Max, &[place, zero]);
        let sign = with(b, Op::Shr, raw, fraction_bits + exponent_bits);
        let sign = with(b, Op::And, sign, 1);
        let is_negative = b.op(Op::Ne, &[sign, zero]);
        for low in (0..=fraction_bits).step_by(PIECE_BITS) {
            let piece = with(b, Op::Shr, fraction, low);
            let piece = with(b, Op::And, piece, (1 << PIECE_BITS) - 1);
            let low = b.i64(low);
            let place = b.add(place, low);
            add_piece(b, first, piece, place, is_negative);
        }
        let then = b.end_block(Vec::new());
        b.begin_block();
        let last = b.i64(format.digits());
        let last = b.offset(first, last);
        let last = b.op(Op::PointerCast(Type::Scalar(float)), &[last]);
        b.write(Effect::AtomicAdd, last, number);
        let otherwise = b.end_block(Vec::new());
        b.push_if(is_finite, then, otherwise);
    }
}

/// The first word of an accumulator, as many accumulators from the first as the address is elements from the root.
fn accumulator(b: &mut FunctionBuilder, format: &Format, root: Value, address: Value) -> Value {
    let [from, to] = [root, address].map(|pointer| b.op(Op::Bitcast(Scalar::U64), &[pointer]));
    let distance = b.sub(to, from);
    let distance = b.convert(distance, Scalar::I64);
    let element = with(b, Op::Div, distance, format.float.size_bytes() as i64);
    let at = with(b, Op::Mul, element, format.digits() + 1);
    let accumulators = b.op(Op::PointerCast(Type::I64), &[root]);
    b.offset(accumulators, at)
}

/// A fraction is added in pieces that, moved to their place in a digit, fit a word.
const PIECE_BITS: usize = 27;

/// `accumulator += piece * 2^place`, of a piece of at most [`PIECE_BITS`] bits.
fn add_piece(b: &mut FunctionBuilder, accumulator: Value, piece: Value, place: Value, is_negative: Value) {
    let digit_bits = b.i64(DIGIT_BITS);
    let digit = b.div(place, digit_bits);
    let before = b.mul(digit, digit_bits);
    let within = b.sub(place, before);
    let moved = b.op(Op::Shl, &[piece, within]);
    let low = with(b, Op::And, moved, (1 << DIGIT_BITS) - 1);
    let high = with(b, Op::Shr, moved, DIGIT_BITS);
    let one = b.i64(1);
    let next = b.add(digit, one);
    for (digit, amount) in [(digit, low), (next, high)] {
        let zero = b.i64(0);
        // There is no word for a high part above the largest number, and none has one.
        let is_something = b.op(Op::Ne, &[amount, zero]);
        b.begin_block();
        let negated = b.neg(amount);
        let amount = b.select(is_negative, negated, amount);
        let word = b.offset(accumulator, digit);
        b.write(Effect::AtomicAdd, word, amount);
        let then = b.end_block(Vec::new());
        b.push_if(is_something, then, Block::default());
    }
}

fn with(b: &mut FunctionBuilder, op: Op, value: Value, constant: i64) -> Value {
    let constant = b.i64(constant);
    b.op(op, &[value, constant])
}

/// `out[lane] += the sum in accumulator [lane]`, rounded. The accumulator's digits change.
pub fn round(dtype: DType) -> Function {
    let format = Format::of(dtype);
    let mut b = FunctionBuilder::new(&format!("round_{dtype}"), FunctionKind::Kernel);
    let accumulators = b.param(Type::pointer(Type::I64), "from");
    let target = b.param(Type::pointer(Type::Scalar(dtype)), "to");
    let lane = b.op(Op::LaneId, &[]);
    let (words, one, zero) = (b.i64(format.digits() + 1), b.i64(1), b.i64(0));
    let at = b.mul(lane, words);
    let digits = b.offset(accumulators, at);
    let above = pass_carries(&mut b, &format, digits, one);
    let is_negative = b.op(Op::Lt, &[above, zero]);
    let minus_one = b.i64(-1);
    let sign = b.select(is_negative, minus_one, one);
    let above = b.mul(above, sign);
    let carry = pass_carries(&mut b, &format, digits, sign);
    let above = b.add(above, carry);
    let size = magnitude(&mut b, &format, digits, above);
    let negated = b.neg(size);
    let finite = b.select(is_negative, negated, size);
    let last = b.i64(format.digits());
    let last = b.offset(digits, last);
    let last = b.op(Op::PointerCast(Type::Scalar(format.float)), &[last]);
    let special = b.load(last);
    let sum = b.add(finite, special);
    let to = b.offset(target, lane);
    let before = b.load(to);
    let sum = b.add(before, sum);
    b.store(to, sum);
    b.finish(Vec::new())
}

/// Multiplies a number by a sign and makes its digits positive; what is carried out of the top digit.
fn pass_carries(b: &mut FunctionBuilder, format: &Format, digits: Value, sign: Value) -> Value {
    let (zero, end) = (b.i64(0), b.i64(format.digits()));
    let results = b.loop_(
        &[zero, zero],
        LoopHints::default(),
        |b, params| b.op(Op::Lt, &[params[0], end]),
        |b, params| {
            let word = b.offset(digits, params[0]);
            let digit = b.load(word);
            let digit = b.mul(digit, sign);
            let sum = b.add(digit, params[1]);
            let digit = with(b, Op::And, sum, (1 << DIGIT_BITS) - 1);
            b.store(word, digit);
            let one = b.i64(1);
            vec![b.add(params[0], one), with(b, Op::Shr, sum, DIGIT_BITS)]
        },
    );
    results[1]
}

/// The float of a number with positive digits, and so much above them.
///
/// The first digits, as many as are exact in a float, make the head; what follows is summed from the lowest digit up. Two
/// roundings count: of the sum, and of what is added to the head, which is at most half as large.
fn magnitude(b: &mut FunctionBuilder, format: &Format, digits: Value, above: Value) -> Value {
    let float = Type::Scalar(format.float);
    let (zero, end) = (b.i64(0), b.i64(format.digits()));
    let exact = b.i64(1 << (format.fraction_bits + 1 - DIGIT_BITS));
    let head = b.loop_(
        &[end, above],
        LoopHints::default(),
        |b, params| {
            let (fits, left) = (b.op(Op::Lt, &[params[1], exact]), b.op(Op::Gt, &[params[0], zero]));
            b.op(Op::And, &[fits, left])
        },
        |b, params| {
            let one = b.i64(1);
            let at = b.sub(params[0], one);
            let word = b.offset(digits, at);
            let digit = b.load(word);
            let moved = with(b, Op::Shl, params[1], DIGIT_BITS);
            vec![at, b.add(moved, digit)]
        },
    );
    let (last, head) = (head[0], b.convert(head[1], format.float));
    let (none, down) = (b.zero(&float), b.number(&float, 2f64.powi(-DIGIT_BITS as i32)));
    let rest = b.loop_(
        &[zero, none],
        LoopHints::default(),
        |b, params| b.op(Op::Lt, &[params[0], last]),
        |b, params| {
            let word = b.offset(digits, params[0]);
            let digit = b.load(word);
            let digit = b.convert(digit, format.float);
            let (sum, one) = (b.add(params[1], digit), b.i64(1));
            vec![b.add(params[0], one), b.mul(sum, down)]
        },
    );
    let sum = b.add(head, rest[1]);
    let exponent = with(b, Op::Mul, last, DIGIT_BITS);
    let exponent = with(b, Op::Add, exponent, format.lowest());
    // In two steps: neither leaves the normal numbers on its own.
    let half = with(b, Op::Shr, exponent, 1);
    let other_half = b.sub(exponent, half);
    [half, other_half].into_iter().fold(sum, |product, exponent| {
        let power = power_of_two(b, format, exponent);
        b.mul(product, power)
    })
}

fn power_of_two(b: &mut FunctionBuilder, format: &Format, exponent: Value) -> Value {
    let biased = with(b, Op::Add, exponent, format.bias());
    let bits = with(b, Op::Shl, biased, format.fraction_bits);
    let bits = b.convert(bits, format.bits);
    b.op(Op::Bitcast(format.float), &[bits])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sums of a function that adds to its first parameter, an array of f32.
    fn summed(text: &str) -> Result<Function, Diagnostics> {
        let module = pullback_ir::parse::parse(text).expect("parses");
        let function = module.functions.values().next().expect("a function").clone();
        let array = function.params[0];
        exact_sums(function, &[(array, DType::F32)])
    }

    #[test]
    fn numbers_of_another_type_than_the_arrays_are_refused() {
        let refused = summed(
            "func @f(%0: ptr<f32>, %1: f16) -> () {
                %2: ptr<f16> = pointer_cast f16 %0
                atomic_add %2, %1
                yield
            }",
        );
        let found = refused.expect_err("refused").into_vec();
        assert_eq!(found[0].code, Code::NotDifferentiable);
    }

    #[test]
    fn memory_that_is_not_only_added_to_is_refused() {
        let refused = summed(
            "func @f(%0: ptr<f32>, %1: f32) -> (f32) {
                %2: i64 = const i64 3
                %3: ptr<f32> = pointer_offset %0, %2
                atomic_add %3, %1
                %4: f32 = load %3
                yield %4
            }",
        );
        assert_eq!(refused.expect_err("refused").into_vec().len(), 1);
    }

    #[test]
    fn other_memory_is_added_to_as_before() {
        let text = "func @f(%0: ptr<f32>, %1: ptr<f32>, %2: f32) -> () {
            atomic_add %1, %2
            yield
        }";
        let kept = summed(text).expect("nothing to refuse").to_string();
        assert!(kept.contains("atomic_add %1, %2"), "{kept}");
    }

    #[test]
    fn a_float_has_digits_for_all_its_bits() {
        assert_eq!((words(DType::F32), words(DType::F64)), (13, 89));
    }
}
