//! Instructions over virtual registers, written in order; what is uniform goes to the prologue.

use pullback_base::bytecode::{Instruction, Kind, Reg, Role, VectorOp};
use rustc_hash::FxHashMap;

/// A program whose registers are numbers, not places. Most are written once; registers of loop parameters,
/// loop masks and arrays are updated.
#[derive(Default)]
pub struct Code {
    /// Each register's size in units.
    pub sizes: Vec<u32>,
    pub prologue: Vec<Instruction>,
    /// Size of the memory a group shares.
    pub shared_bytes: u32,
    pub body: Vec<Instruction>,
    /// Which registers the prologue makes: the same in every lane, chunk and trip.
    invariant: Vec<bool>,
    /// What the prologue makes, by instruction without its output.
    known: FxHashMap<Instruction, Reg>,
}

/// A jump that does not know yet where to.
#[must_use]
pub struct OpenJump(usize);

impl Code {
    /// A register of so many units that instructions of the body write.
    pub fn register(&mut self, units: u32) -> Reg {
        self.sizes.push(units);
        self.invariant.push(false);
        Reg(self.sizes.len() as u32 - 1)
    }

    /// The result of a pure instruction, given with its output: in the prologue, and made once, if all it reads is there.
    pub fn define(&mut self, units: u32, instruction: impl Fn(Reg) -> Instruction) -> Reg {
        let mut key = instruction(Reg::NONE);
        let mut invariant = !matches!(key, Instruction::LaneId { .. });
        key.registers(|reg, _| invariant &= self.invariant[reg.0 as usize]);
        if !invariant {
            let out = self.register(units);
            self.body.push(instruction(out));
            return out;
        }
        if let Some(&reg) = self.known.get(&key) {
            return reg;
        }
        let out = self.register(units);
        self.invariant[out.0 as usize] = true;
        self.prologue.push(instruction(out));
        self.known.insert(key, out);
        out
    }

    pub fn compute(&mut self, op: VectorOp, kind: Kind, operands: &[Reg]) -> Reg {
        let mut args = [Reg::NONE; 3];
        args[..operands.len()].copy_from_slice(operands);
        let units = op.result_kind(kind).size_bytes();
        self.define(units, |out| Instruction::Compute { op, kind, out, args })
    }

    pub fn constant(&mut self, kind: Kind, bits: u64) -> Reg {
        self.define(kind.size_bytes(), |out| Instruction::Constant { out, kind, bits })
    }

    pub fn i64(&mut self, value: i64) -> Reg {
        self.constant(Kind::I64, value as u64)
    }

    pub fn push(&mut self, instruction: Instruction) {
        self.body.push(instruction);
    }

    /// Copies one row, in lanes whose mask is on.
    pub fn copy(&mut self, size_bytes: u32, out: Reg, arg: Reg, mask: Reg) {
        let (rows, repeat, out_row, arg_row) = (1, false, 0, 0);
        self.push(Instruction::Copy { size_bytes, rows, repeat, out, out_row, arg, arg_row, mask });
    }

    /// Lanes of `mask` (all, if none) that are on in `condition`.
    pub fn mask_and(&mut self, mask: Reg, condition: Reg) -> Reg {
        if mask.is_none() { condition } else { self.compute(VectorOp::And, Kind::Bool, &[mask, condition]) }
    }

    /// Lanes of `mask` (all, if none) that are off in `condition`.
    pub fn mask_and_not(&mut self, mask: Reg, condition: Reg) -> Reg {
        if mask.is_none() {
            self.compute(VectorOp::Not, Kind::Bool, &[condition])
        } else {
            self.compute(VectorOp::AndNot, Kind::Bool, &[mask, condition])
        }
    }

    /// Jumps, when no lane of `mask` is on, to where [`Code::land`] says.
    pub fn jump_if_none(&mut self, mask: Reg) -> OpenJump {
        self.push(Instruction::JumpIfNone { mask, to: u32::MAX });
        OpenJump(self.body.len() - 1)
    }

    /// The jump leads here.
    pub fn land(&mut self, jump: OpenJump) {
        let here = self.here();
        if let Some(to) = self.body[jump.0].target_mut() {
            *to = here;
        }
    }

    /// The number of the next instruction of the body.
    pub fn here(&self) -> u32 {
        self.body.len() as u32
    }

    /// Drops instructions whose results nobody reads.
    pub fn drop_unread(&mut self) {
        loop {
            let mut readers = vec![0u32; self.sizes.len()];
            for instruction in self.prologue.iter_mut().chain(&mut self.body) {
                instruction.registers(|reg, role| readers[reg.0 as usize] += u32::from(role == Role::Read));
            }
            let is_read = |instruction: &Instruction| {
                let mut read = !instruction.is_pure();
                let mut copy = *instruction;
                copy.registers(|reg, role| read |= role != Role::Read && readers[reg.0 as usize] > 0);
                read
            };
            let before = self.prologue.len() + self.body.len();
            self.prologue.retain(is_read);
            // Where each instruction goes; a target that is dropped passes to the next that stays.
            let mut place = Vec::with_capacity(self.body.len() + 1);
            let mut kept = 0;
            for instruction in &self.body {
                place.push(kept);
                kept += u32::from(is_read(instruction));
            }
            place.push(kept);
            self.body.retain(is_read);
            for instruction in &mut self.body {
                if let Some(to) = instruction.target_mut() {
                    *to = place[*to as usize];
                }
            }
            if self.prologue.len() + self.body.len() == before {
                return;
            }
        }
    }
}
