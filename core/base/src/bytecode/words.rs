//! Programs as words, and back.

use super::{Instruction, Joint, Kind, Program, Reg, Update, VectorOp};
use crate::DType;

/// First word of every program; the low byte is the format's version.
const MAGIC: u32 = 0x5042_4302;

/// Words that are no program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    pub word: usize,
    pub reason: &'static str,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "bytecode word {}: {}", self.word, self.reason)
    }
}

impl Program {
    /// Header (magic, units, shared bytes, two lengths), then each instruction: its operation in one word, its fields in order.
    pub fn to_words(&self) -> Vec<u32> {
        let mut words =
            vec![MAGIC, self.units, self.shared_bytes, self.prologue.len() as u32, self.body.len() as u32];
        for instruction in self.prologue.iter().chain(&self.body) {
            encode(instruction, &mut words);
        }
        words
    }

    /// Reads what [`Program::to_words`] wrote. Registers and jump targets are not checked here.
    pub fn from_words(words: &[u32]) -> Result<Program, Malformed> {
        let mut reader = Reader { words, at: 0 };
        if reader.next()? != MAGIC {
            return reader.fail("not a program of this version");
        }
        let (units, shared_bytes) = (reader.next()?, reader.next()?);
        let (prologue_len, body_len) = (reader.next()?, reader.next()?);
        let prologue = (0..prologue_len).map(|_| decode(&mut reader)).collect::<Result<_, _>>()?;
        let body = (0..body_len).map(|_| decode(&mut reader)).collect::<Result<_, _>>()?;
        if reader.at != words.len() {
            return reader.fail("words after the last instruction");
        }
        Ok(Program { units, shared_bytes, prologue, body })
    }
}

fn dtype_code(dtype: DType) -> u32 {
    DType::ALL.iter().position(|&d| d == dtype).map_or(0, |at| at as u32)
}

#[rustfmt::skip]
fn encode(instruction: &Instruction, words: &mut Vec<u32>) {
    use Instruction::*;
    match *instruction {
        Constant { out, kind, bits } => words.extend([0, kind as u32, out.0, bits as u32, (bits >> 32) as u32]),
        Parameter { out, index } => words.extend([1, out.0, index]),
        LaneId { out } => words.extend([2, out.0]),
        Compute { op, kind, out, args } => {
            words.extend([3, op as u32, kind as u32, out.0]);
            words.extend(args[..op.arity()].iter().map(|arg| arg.0));
        }
        Load { dtype, out, base, stride, mask } =>
            words.extend([4, dtype_code(dtype), out.0, base.0, stride.0, mask.0]),
        Gather { dtype, out, address, mask } => words.extend([5, dtype_code(dtype), out.0, address.0, mask.0]),
        Store { dtype, base, stride, value, mask } =>
            words.extend([6, dtype_code(dtype), base.0, stride.0, value.0, mask.0]),
        Scatter { dtype, address, value, mask } =>
            words.extend([7, dtype_code(dtype), address.0, value.0, mask.0]),
        AtomicAdd { dtype, address, value, mask } =>
            words.extend([8, dtype_code(dtype), address.0, value.0, mask.0]),
        GroupSum { dtype, base, value } => words.extend([9, dtype_code(dtype), base.0, value.0]),
        Copy { size_bytes, rows, repeat, out, out_row, arg, arg_row, mask } =>
            words.extend([10, size_bytes, rows, u32::from(repeat), out.0, out_row, arg.0, arg_row, mask.0]),
        ElementGet { size_bytes, len, index_bytes, out, array, index } =>
            words.extend([11, size_bytes, len, index_bytes, out.0, array.0, index.0]),
        ElementSet { size_bytes, len, index_bytes, array, index, value, mask } =>
            words.extend([12, size_bytes, len, index_bytes, array.0, index.0, value.0, mask.0]),
        Jump { to } => words.extend([13, to]),
        JumpIfNone { mask, to } => words.extend([14, mask.0, to]),
        Atomic { dtype, update, out, address, value, expected, mask } => {
            words.extend([15, dtype_code(dtype), update as u32, out.0, address.0, value.0, expected.0, mask.0]);
        }
        SharedAddress { out, offset_bytes } => words.extend([16, out.0, offset_bytes]),
        Wave { joint, kind, out, value, lane, mask } =>
            words.extend([17, joint as u32, kind as u32, out.0, value.0, lane.0, mask.0]),
    }
}

struct Reader<'a> {
    words: &'a [u32],
    at: usize,
}

impl Reader<'_> {
    fn fail<T>(&self, reason: &'static str) -> Result<T, Malformed> {
        Err(Malformed { word: self.at, reason })
    }

    fn next(&mut self) -> Result<u32, Malformed> {
        let Some(&word) = self.words.get(self.at) else { return self.fail("the program is cut short") };
        self.at += 1;
        Ok(word)
    }

    fn reg(&mut self) -> Result<Reg, Malformed> {
        self.next().map(Reg)
    }

    fn pick<T: Copy>(&mut self, all: &[T], reason: &'static str) -> Result<T, Malformed> {
        let code = self.next()? as usize;
        all.get(code).copied().map_or_else(|| self.fail(reason), Ok)
    }

    fn kind(&mut self) -> Result<Kind, Malformed> {
        self.pick(&Kind::ALL, "no such kind")
    }

    fn dtype(&mut self) -> Result<DType, Malformed> {
        self.pick(&DType::ALL, "no such dtype")
    }
}

// Fields are read in the order in which they are written here, which is the order of the words.
#[rustfmt::skip]
fn decode(r: &mut Reader<'_>) -> Result<Instruction, Malformed> {
    use Instruction::*;
    Ok(match r.next()? {
        0 => {
            let (kind, out) = (r.kind()?, r.reg()?);
            let (low, high) = (u64::from(r.next()?), u64::from(r.next()?));
            Constant { out, kind, bits: low | high << 32 }
        }
        1 => Parameter { out: r.reg()?, index: r.next()? },
        2 => LaneId { out: r.reg()? },
        3 => {
            let (op, kind, out) = (r.pick(VectorOp::ALL, "no such operation")?, r.kind()?, r.reg()?);
            let mut args = [Reg::NONE; 3];
            for arg in &mut args[..op.arity()] {
                *arg = r.reg()?;
            }
            Compute { op, kind, out, args }
        }
        4 => Load { dtype: r.dtype()?, out: r.reg()?, base: r.reg()?, stride: r.reg()?, mask: r.reg()? },
        5 => Gather { dtype: r.dtype()?, out: r.reg()?, address: r.reg()?, mask: r.reg()? },
        6 => Store { dtype: r.dtype()?, base: r.reg()?, stride: r.reg()?, value: r.reg()?, mask: r.reg()? },
        7 => Scatter { dtype: r.dtype()?, address: r.reg()?, value: r.reg()?, mask: r.reg()? },
        8 => AtomicAdd { dtype: r.dtype()?, address: r.reg()?, value: r.reg()?, mask: r.reg()? },
        9 => GroupSum { dtype: r.dtype()?, base: r.reg()?, value: r.reg()? },
        10 => Copy {
            size_bytes: r.next()?, rows: r.next()?, repeat: r.next()? != 0,
            out: r.reg()?, out_row: r.next()?, arg: r.reg()?, arg_row: r.next()?, mask: r.reg()?,
        },
        11 => ElementGet {
            size_bytes: r.next()?, len: r.next()?, index_bytes: r.next()?,
            out: r.reg()?, array: r.reg()?, index: r.reg()?,
        },
        12 => ElementSet {
            size_bytes: r.next()?, len: r.next()?, index_bytes: r.next()?,
            array: r.reg()?, index: r.reg()?, value: r.reg()?, mask: r.reg()?,
        },
        13 => Jump { to: r.next()? },
        14 => JumpIfNone { mask: r.reg()?, to: r.next()? },
        15 => Atomic {
            dtype: r.dtype()?, update: r.pick(Update::ALL, "no such atomic operation")?, out: r.reg()?,
            address: r.reg()?, value: r.reg()?, expected: r.reg()?, mask: r.reg()?,
        },
        16 => SharedAddress { out: r.reg()?, offset_bytes: r.next()? },
        17 => Wave {
            joint: r.pick(Joint::ALL, "no such wave op")?, kind: r.kind()?, out: r.reg()?,
            value: r.reg()?, lane: r.reg()?, mask: r.reg()?,
        },
        _ => return r.fail("no such instruction"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Program {
        let r = Reg;
        let mask = Reg::NONE;
        let dtype = DType::F16;
        Program {
            units: 40,
            shared_bytes: 12,
            prologue: vec![
                Instruction::Constant { out: r(0), kind: Kind::F64, bits: 0x3ff0_0000_0000_0001 },
                Instruction::Parameter { out: r(8), index: 2 },
            ],
            body: vec![
                Instruction::LaneId { out: r(0) },
                Instruction::Compute {
                    op: VectorOp::Select,
                    kind: Kind::F32,
                    out: r(4),
                    args: [r(0), r(8), r(12)],
                },
                Instruction::Load { dtype, out: r(0), base: r(1), stride: r(2), mask },
                Instruction::Gather { dtype, out: r(0), address: r(1), mask: r(3) },
                Instruction::Store { dtype, base: r(1), stride: r(2), value: r(0), mask },
                Instruction::Scatter { dtype, address: r(1), value: r(0), mask },
                Instruction::AtomicAdd { dtype, address: r(1), value: r(0), mask },
                Instruction::GroupSum { dtype, base: r(1), value: r(0) },
                Instruction::Copy {
                    size_bytes: 4,
                    rows: 3,
                    repeat: true,
                    out: r(0),
                    out_row: 1,
                    arg: r(9),
                    arg_row: 0,
                    mask,
                },
                Instruction::ElementGet {
                    size_bytes: 4,
                    len: 3,
                    index_bytes: 8,
                    out: r(0),
                    array: r(4),
                    index: r(8),
                },
                Instruction::ElementSet {
                    size_bytes: 4,
                    len: 3,
                    index_bytes: 4,
                    array: r(4),
                    index: r(8),
                    value: r(0),
                    mask,
                },
                Instruction::Atomic {
                    dtype: DType::U32,
                    update: Update::CompareExchange,
                    out: r(0),
                    address: r(4),
                    value: r(12),
                    expected: r(16),
                    mask,
                },
                Instruction::SharedAddress { out: r(0), offset_bytes: 8 },
                Instruction::Wave {
                    joint: Joint::ReadLane,
                    kind: Kind::F32,
                    out: r(0),
                    value: r(4),
                    lane: r(8),
                    mask: r(3),
                },
                Instruction::JumpIfNone { mask: r(3), to: 0 },
                Instruction::Jump { to: 1 },
            ],
        }
    }

    #[test]
    fn a_program_survives_its_words() {
        let program = sample();
        assert_eq!(Program::from_words(&program.to_words()), Ok(program));
    }

    #[test]
    fn cut_or_changed_words_are_refused() {
        let words = sample().to_words();
        for len in 0..words.len() {
            assert!(Program::from_words(&words[..len]).is_err(), "{len} words");
        }
        let mut longer = words.clone();
        longer.push(0);
        assert!(Program::from_words(&longer).is_err());
        let mut other = words;
        other[5] = 99;
        assert_eq!(Program::from_words(&other).map_err(|e| e.reason), Err("no such instruction"));
    }
}
