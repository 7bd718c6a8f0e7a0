//! Decodes an artifact into steps: every register checked, every operation looked up.

use super::atomic::{self, Atomic};
use super::memory::{self, Access};
use super::rows::LANES;
use super::table::{Binary, InstructionSet, RowFn, Ternary, Unary};
use super::wave::{self, WaveFn};
use pullback_base::bytecode::{Instruction, Joint, Kind, Program, Reg, Role, UNIT_BYTES, Update, VectorOp};
use pullback_base::{Artifact, DType, Groups, ParamKind};

/// Byte offset of a row in the register file; all rows of a [`CpuKernel`] lie within its `file_bytes`.
pub type Offset = u32;

/// The offset that stands for no mask.
pub const NO_MASK: Offset = u32::MAX;

/// An instruction ready to run.
#[derive(Clone, Copy)]
pub enum Step {
    Splat {
        out: Offset,
        size_bytes: u32,
        bits: u64,
    },
    Parameter {
        out: Offset,
        index: u32,
        dtype: Option<DType>,
    },
    LaneId {
        out: Offset,
    },
    Unary {
        run: Unary,
        out: Offset,
        a: Offset,
    },
    Binary {
        run: Binary,
        out: Offset,
        a: Offset,
        b: Offset,
    },
    Ternary {
        run: Ternary,
        out: Offset,
        a: Offset,
        b: Offset,
        c: Offset,
    },
    /// A load or store at `base + lane_id * stride`.
    Strided {
        run: Access,
        row: Offset,
        base: Offset,
        stride: Offset,
        mask: Offset,
    },
    /// A load, store or atomic at one address per lane.
    Each {
        run: Access,
        row: Offset,
        address: Offset,
        mask: Offset,
    },
    Atomic {
        run: Atomic,
        update: Update,
        out: Offset,
        address: Offset,
        value: Offset,
        expected: Offset,
        mask: Offset,
    },
    SharedAddress {
        out: Offset,
        offset_bytes: u32,
    },
    Wave {
        run: WaveFn,
        joint: Joint,
        out: Offset,
        value: Offset,
        lane: Offset,
        mask: Offset,
    },
    GroupSum {
        run: Access,
        row: Offset,
        base: Offset,
        element_bytes: u32,
    },
    Copy {
        row_bytes: u32,
        rows: u32,
        step_bytes: u32,
        out: Offset,
        arg: Offset,
    },
    Merge {
        run: Binary,
        row_bytes: u32,
        rows: u32,
        step_bytes: u32,
        out: Offset,
        arg: Offset,
        mask: Offset,
    },
    ElementGet {
        size_bytes: u32,
        len: u32,
        index_bytes: u32,
        out: Offset,
        array: Offset,
        index: Offset,
    },
    ElementSet {
        size_bytes: u32,
        len: u32,
        index_bytes: u32,
        array: Offset,
        index: Offset,
        value: Offset,
        mask: Offset,
    },
    Jump {
        to: u32,
    },
    JumpIfNone {
        mask: Offset,
        to: u32,
    },
}

/// A loaded kernel.
pub struct CpuKernel {
    pub prologue: Vec<Step>,
    pub body: Vec<Step>,
    pub file_bytes: usize,
    /// What a group shares.
    pub shared_bytes: usize,
    pub groups: Groups,
    pub param_count: usize,
}

impl CpuKernel {
    /// Errors are words that no code generation writes.
    pub fn decode(artifact: &Artifact, set: InstructionSet) -> Result<Self, String> {
        if !artifact.bytes.len().is_multiple_of(4) {
            return Err("bytecode is not whole words".into());
        }
        let program = Program::from_words(&artifact.words()).map_err(|e| e.to_string())?;
        let bytes = u64::from(program.units) * UNIT_BYTES as u64;
        if bytes >= u64::from(NO_MASK) {
            return Err(format!("the register file has {bytes} bytes"));
        }
        let decoder = Decoder {
            artifact,
            set,
            units: program.units,
            shared_bytes: program.shared_bytes,
            body_len: program.body.len(),
        };
        let groups = artifact.groups;
        if !(1..=LANES as u32).contains(&groups.lanes) {
            return Err(format!("groups of {} lanes", groups.lanes));
        }
        let steps = |instructions: &[Instruction]| {
            let decode = |(at, instruction): (usize, &Instruction)| {
                decoder.step(instruction).map_err(|why| format!("{why} in instruction {at}: {instruction:?}"))
            };
            instructions.iter().enumerate().map(decode).collect::<Result<Vec<Step>, String>>()
        };
        let prologue = steps(&program.prologue)?;
        if program.prologue.iter().any(|i| !i.is_pure() || matches!(i, Instruction::LaneId { .. })) {
            return Err("the prologue does more than make uniform rows".into());
        }
        let body = steps(&program.body)?;
        Ok(Self {
            prologue,
            body,
            file_bytes: bytes as usize,
            shared_bytes: program.shared_bytes as usize,
            groups,
            param_count: artifact.params.len(),
        })
    }
}

struct Decoder<'a> {
    artifact: &'a Artifact,
    set: InstructionSet,
    units: u32,
    shared_bytes: u32,
    body_len: usize,
}

type Checked<T> = Result<T, &'static str>;

impl Decoder<'_> {
    /// The offset of so many units at a register, if they are in the file.
    fn units(&self, reg: Reg, units: u64) -> Checked<Offset> {
        let inside = !reg.is_none() && u64::from(reg.0) + units <= u64::from(self.units);
        if inside { Ok(reg.0 * UNIT_BYTES as u32) } else { Err("a register outside the file") }
    }

    fn row(&self, reg: Reg, kind: Kind) -> Checked<Offset> {
        self.units(reg, u64::from(kind.size_bytes()))
    }

    fn mask(&self, reg: Reg) -> Checked<Offset> {
        if reg.is_none() { Ok(NO_MASK) } else { self.row(reg, Kind::Bool) }
    }

    fn array(&self, reg: Reg, size_bytes: u32, len: u32) -> Checked<Offset> {
        self.units(reg, u64::from(size_bytes) * u64::from(len))
    }

    fn target(&self, to: u32) -> Checked<u32> {
        if to as usize <= self.body_len { Ok(to) } else { Err("a jump out of the program") }
    }

    fn step(&self, instruction: &Instruction) -> Checked<Step> {
        Ok(match *instruction {
            Instruction::Constant { out, kind, bits } => {
                Step::Splat { out: self.row(out, kind)?, size_bytes: kind.size_bytes(), bits }
            }
            Instruction::Parameter { out, index } => {
                let (dtype, kind) = match self.artifact.params.get(index as usize) {
                    Some(ParamKind::Scalar(dtype)) => (Some(*dtype), Kind::of(*dtype)),
                    Some(ParamKind::Pointer(_)) => (None, Kind::I64),
                    None => return Err("a parameter that the kernel has not"),
                };
                Step::Parameter { out: self.row(out, kind)?, index, dtype }
            }
            Instruction::LaneId { out } => Step::LaneId { out: self.row(out, Kind::I64)? },
            Instruction::Compute { op, kind, out, args } => self.compute(op, kind, out, args)?,
            Instruction::Load { dtype, out, base, stride, mask } => {
                self.strided(memory::load_of(dtype), dtype, out, [base, stride, mask], Role::Write)?
            }
            Instruction::Store { dtype, base, stride, value, mask } => {
                self.strided(memory::store_of(dtype), dtype, value, [base, stride, mask], Role::Read)?
            }
            Instruction::Gather { dtype, out, address, mask } => {
                self.each(memory::load_of(dtype), dtype, out, [address, mask], Role::Write)?
            }
            Instruction::Scatter { dtype, address, value, mask } => {
                self.each(memory::store_of(dtype), dtype, value, [address, mask], Role::Read)?
            }
            Instruction::AtomicAdd { dtype, address, value, mask } => {
                self.each(memory::atomic_add_of(dtype), dtype, value, [address, mask], Role::Read)?
            }
            Instruction::GroupSum { dtype, base, value } => Step::GroupSum {
                run: memory::group_sum_of(dtype),
                row: self.row(value, Kind::of(dtype))?,
                base: self.row(base, Kind::I64)?,
                element_bytes: dtype.size_bytes() as u32,
            },
            Instruction::Atomic { .. } | Instruction::Wave { .. } => self.lanes_step(instruction)?,
            Instruction::SharedAddress { out, offset_bytes } if offset_bytes < self.shared_bytes => {
                Step::SharedAddress { out: self.row(out, Kind::I64)?, offset_bytes }
            }
            Instruction::SharedAddress { .. } => return Err("an address outside the shared memory"),
            Instruction::Jump { to } => Step::Jump { to: self.target(to)? },
            Instruction::JumpIfNone { mask, to } => {
                Step::JumpIfNone { mask: self.row(mask, Kind::Bool)?, to: self.target(to)? }
            }
            _ => self.array_step(instruction)?,
        })
    }

    fn compute(&self, op: VectorOp, kind: Kind, out: Reg, args: [Reg; 3]) -> Checked<Step> {
        let run = self.set.find(op, kind).ok_or("an operation that its kind has not")?;
        let out_kind = op.result_kind(kind);
        let out_offset = self.row(out, out_kind)?;
        let mut offsets = [0; 3];
        for (index, offset) in offsets.iter_mut().enumerate().take(op.arity()) {
            let arg_kind = op.operand_kind(kind, index);
            *offset = self.row(args[index], arg_kind)?;
            apart(out, out_kind.size_bytes(), args[index], arg_kind.size_bytes())?;
        }
        let [a, b, c] = offsets;
        match (run, op.arity()) {
            (RowFn::Unary(run), 1) => Ok(Step::Unary { run, out: out_offset, a }),
            (RowFn::Binary(run), 2) => Ok(Step::Binary { run, out: out_offset, a, b }),
            (RowFn::Ternary(run), 3) => Ok(Step::Ternary { run, out: out_offset, a, b, c }),
            _ => Err("an operation of other operands"),
        }
    }

    fn strided(&self, run: Access, dtype: DType, row: Reg, regs: [Reg; 3], role: Role) -> Checked<Step> {
        let [base, stride, mask] = regs;
        let size = Kind::of(dtype).size_bytes();
        if role == Role::Write {
            apart(row, size, base, 8)?;
            apart(row, size, stride, 8)?;
            apart(row, size, mask, 1)?;
        }
        Ok(Step::Strided {
            run,
            row: self.row(row, Kind::of(dtype))?,
            base: self.row(base, Kind::I64)?,
            stride: self.row(stride, Kind::I64)?,
            mask: self.mask(mask)?,
        })
    }

    fn each(&self, run: Access, dtype: DType, row: Reg, regs: [Reg; 2], role: Role) -> Checked<Step> {
        let [address, mask] = regs;
        let size = Kind::of(dtype).size_bytes();
        if role == Role::Write {
            apart(row, size, address, 8)?;
            apart(row, size, mask, 1)?;
        }
        Ok(Step::Each {
            run,
            row: self.row(row, Kind::of(dtype))?,
            address: self.row(address, Kind::I64)?,
            mask: self.mask(mask)?,
        })
    }

    fn lanes_step(&self, instruction: &Instruction) -> Checked<Step> {
        match *instruction {
            Instruction::Atomic { dtype, update, out, address, value, expected, mask } => {
                let (kind, size) = (Kind::of(dtype), Kind::of(dtype).size_bytes());
                [(address, 8), (value, size), (expected, size), (mask, 1)]
                    .into_iter()
                    .filter(|(reg, _)| !reg.is_none())
                    .try_for_each(|(reg, units)| apart(out, size, reg, units))?;
                let expected = match update {
                    Update::CompareExchange => self.row(expected, kind)?,
                    _ => NO_MASK,
                };
                Ok(Step::Atomic {
                    run: atomic::atomic_of(dtype).ok_or("an atomic operation that its dtype has not")?,
                    update,
                    out: self.row(out, kind)?,
                    address: self.row(address, Kind::I64)?,
                    value: self.row(value, kind)?,
                    expected,
                    mask: self.mask(mask)?,
                })
            }
            Instruction::Wave { joint, kind, out, value, lane, mask } => {
                let result = joint.result_kind(kind);
                [(value, kind.size_bytes()), (lane, 4), (mask, 1)]
                    .into_iter()
                    .filter(|(reg, _)| !reg.is_none())
                    .try_for_each(|(reg, units)| apart(out, result.size_bytes(), reg, units))?;
                Ok(Step::Wave {
                    run: wave::wave_of(joint, kind).ok_or("a wave op that its kind has not")?,
                    joint,
                    out: self.row(out, result)?,
                    value: self.row(value, kind)?,
                    lane: if joint == Joint::ReadLane { self.row(lane, Kind::U32)? } else { NO_MASK },
                    mask: self.mask(mask)?,
                })
            }
            _ => Err("no instruction of lanes"),
        }
    }

    fn array_step(&self, instruction: &Instruction) -> Checked<Step> {
        let sizes = |size_bytes: u32, index_bytes: u32| {
            let fits = matches!(size_bytes, 1 | 4 | 8) && matches!(index_bytes, 4 | 8);
            if fits { Ok(()) } else { Err("a row of no kind's size") }
        };
        match *instruction {
            Instruction::Copy { size_bytes, rows, repeat, out, out_row, arg, arg_row, mask } => {
                sizes(size_bytes, 4)?;
                let part = |reg: Reg, row: u32, rows: u32| {
                    let start = u64::from(reg.0) + u64::from(row) * u64::from(size_bytes);
                    let start = u32::try_from(start).map_err(|_| "a register outside the file")?;
                    self.array(Reg(start), size_bytes, rows).map(|offset| (Reg(start), offset))
                };
                let arg_rows = if repeat { 1 } else { rows };
                let ((out, to), (arg, from)) = (part(out, out_row, rows)?, part(arg, arg_row, arg_rows)?);
                apart(out, size_bytes * rows, arg, size_bytes * arg_rows)?;
                apart(out, size_bytes * rows, mask, 1)?;
                let row_bytes = size_bytes * LANES as u32;
                let step_bytes = if repeat { 0 } else { row_bytes };
                Ok(match self.mask(mask)? {
                    NO_MASK => Step::Copy { row_bytes, rows, step_bytes, out: to, arg: from },
                    mask => {
                        let run = self.set.merge(size_bytes);
                        Step::Merge { run, row_bytes, rows, step_bytes, out: to, arg: from, mask }
                    }
                })
            }
            Instruction::ElementGet { size_bytes, len, index_bytes, out, array, index } => {
                sizes(size_bytes, index_bytes)?;
                let offset = self.array(array, size_bytes, len)?;
                apart(out, size_bytes, array, size_bytes * len)?;
                apart(out, size_bytes, index, index_bytes)?;
                let (out, index) = (self.array(out, size_bytes, 1)?, self.array(index, index_bytes, 1)?);
                Ok(Step::ElementGet { size_bytes, len, index_bytes, out, array: offset, index })
            }
            Instruction::ElementSet { size_bytes, len, index_bytes, array, index, value, mask } => {
                sizes(size_bytes, index_bytes)?;
                let offset = self.array(array, size_bytes, len)?;
                apart(value, size_bytes, array, size_bytes * len)?;
                apart(index, index_bytes, array, size_bytes * len)?;
                apart(mask, 1, array, size_bytes * len)?;
                let (index, value) = (self.array(index, index_bytes, 1)?, self.array(value, size_bytes, 1)?);
                let mask = self.mask(mask)?;
                Ok(Step::ElementSet { size_bytes, len, index_bytes, array: offset, index, value, mask })
            }
            _ => Err("no array instruction"),
        }
    }
}

/// Whether two ranges of units share none.
fn apart(a: Reg, a_units: u32, b: Reg, b_units: u32) -> Checked<()> {
    let (a, b) = (u64::from(a.0), u64::from(b.0));
    let disjoint = a + u64::from(a_units) <= b || b + u64::from(b_units) <= a;
    if disjoint { Ok(()) } else { Err("an output that overlaps an operand") }
}
