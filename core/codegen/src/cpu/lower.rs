//! Statements in order: operations, memory and arrays. Regions are in `regions`.

use super::TARGET;
use super::code::Code;
use super::ops::scalar_op;
use crate::EmitError;
use crate::arrays::{Slot, Slots};
use crate::kernel::element_scalar;
use crate::uniform::varying;
use pullback_base::bug;
use pullback_base::bytecode::{Instruction, Kind, Reg, VectorOp};
use pullback_ir::visit::each_stmt;
use pullback_ir::{Block, Function, Op, StmtKind, Type, Value};
use rustc_hash::{FxHashMap, FxHashSet};

/// The code of a kernel in scalar form, over virtual registers.
pub fn lower(function: &Function) -> Result<Code, EmitError> {
    let mut definitions = FxHashMap::default();
    each_stmt(&function.body, &mut |stmt| {
        if let StmtKind::Let { result, op, args } = &stmt.kind {
            definitions.insert(*result, (op, args.as_slice()));
        }
    });
    let mut lowerer = Lowerer {
        function,
        definitions,
        varying: varying(function),
        slots: Slots::plan(function),
        arrays: FxHashMap::default(),
        shared: Vec::new(),
        values: FxHashMap::default(),
        code: Code::default(),
    };
    lowerer.place_shared();
    for (index, &param) in function.params.iter().enumerate() {
        let (units, index) = (lowerer.size_bytes(param), index as u32);
        let reg = lowerer.code.define(units, |out| Instruction::Parameter { out, index });
        lowerer.values.insert(param, reg);
    }
    lowerer.block(&function.body, Reg::NONE)?;
    lowerer.code.drop_unread();
    Ok(lowerer.code)
}

pub struct Lowerer<'a> {
    pub(super) function: &'a Function,
    pub(super) definitions: FxHashMap<Value, (&'a Op, &'a [Value])>,
    pub(super) varying: FxHashSet<Value>,
    pub(super) slots: Slots,
    arrays: FxHashMap<Slot, Reg>,
    /// Where each slot of shared memory lies, and its number of elements.
    pub(super) shared: Vec<(u32, u32)>,
    pub(super) values: FxHashMap<Value, Reg>,
    pub(super) code: Code,
}

type Lowered = Result<(), EmitError>;

impl Lowerer<'_> {
    /// The row of a scalar or pointer.
    pub(super) fn reg(&self, value: Value) -> Reg {
        match self.values.get(&value) {
            Some(reg) => *reg,
            None => bug!("emit", "{value} has no register"),
        }
    }

    /// Bytes per lane of a scalar, a pointer, or an array's element.
    pub(super) fn size_bytes(&self, value: Value) -> u32 {
        match self.function.ty(value) {
            Type::Pointer(_) => Kind::I64.size_bytes(),
            other => Kind::of(element_scalar(other)).size_bytes(),
        }
    }

    pub(super) fn is_array(&self, value: Value) -> bool {
        matches!(self.function.ty(value), Type::Array(..))
    }

    /// The rows of an array value.
    pub(super) fn array(&mut self, value: Value) -> Reg {
        match self.slots.get(value) {
            Some(slot) => self.slot(slot),
            None => bug!("emit", "{value} has no slot"),
        }
    }

    /// The rows of an array variable.
    pub(super) fn slot(&mut self, slot: Slot) -> Reg {
        if let Some(&reg) = self.arrays.get(&slot) {
            return reg;
        }
        let ty = &self.slots.types[slot.0];
        let units = Kind::of(element_scalar(ty)).size_bytes() * ty.element_count();
        let reg = self.code.register(units);
        self.arrays.insert(slot, reg);
        reg
    }

    /// Copies a whole array, in lanes whose mask is on.
    pub(super) fn copy_array(&mut self, size_bytes: u32, rows: u32, out: Reg, arg: Reg, mask: Reg) {
        let (repeat, out_row, arg_row) = (false, 0, 0);
        self.code.push(Instruction::Copy { size_bytes, rows, repeat, out, out_row, arg, arg_row, mask });
    }

    /// Lowers a block whose lanes are those of `mask` (all, if none).
    pub(super) fn block(&mut self, block: &Block, mask: Reg) -> Lowered {
        block.stmts.iter().try_for_each(|stmt| self.stmt(&stmt.kind, mask))
    }

    fn stmt(&mut self, kind: &StmtKind, mask: Reg) -> Lowered {
        match kind {
            StmtKind::Let { result, op, args } if self.is_array(*result) => {
                self.array_op(*result, op, args, mask)
            }
            StmtKind::Let { result, op, args } => {
                let reg = self.op(*result, op, args)?;
                self.values.insert(*result, reg);
                Ok(())
            }
            StmtKind::Effect { result, effect, args } => {
                self.effect(*result, *effect, args, mask);
                Ok(())
            }
            StmtKind::If { results, condition, then, otherwise } => {
                self.if_(results, *condition, then, otherwise, mask)
            }
            StmtKind::Switch { results, selector, cases, default } => {
                self.switch(results, *selector, cases, default, mask)
            }
            StmtKind::Loop { results, inits, params, head, body, .. } => {
                self.loop_(results, inits, params, head, body, mask)
            }
            StmtKind::Call { .. } => bug!("emit", "a call in scalar form"),
        }
    }

    /// An op whose result is a scalar or pointer.
    fn op(&mut self, result: Value, op: &Op, args: &[Value]) -> Result<Reg, EmitError> {
        let size_bytes = self.size_bytes(result);
        Ok(match op {
            Op::Const(constant) => {
                let scalar = constant.scalar();
                let bits = match (scalar, Kind::of(scalar)) {
                    // Narrow numbers are held wide.
                    (_, Kind::F32) => u64::from((constant.as_f64() as f32).to_bits()),
                    (_, Kind::I32 | Kind::U32) => u64::from(constant.as_i64() as u32),
                    _ => constant.bits(),
                };
                self.code.constant(Kind::of(scalar), bits)
            }
            Op::LaneId => self.code.define(size_bytes, |out| Instruction::LaneId { out }),
            Op::Select => {
                let operands = [self.reg(args[0]), self.reg(args[1]), self.reg(args[2])];
                self.select(size_bytes, operands)
            }
            Op::PointerCast(_) => self.reg(args[0]),
            Op::Bitcast(_) if matches!(self.function.ty(args[0]), Type::Pointer(_)) => self.reg(args[0]),
            Op::PointerOffset => {
                let element_bytes = element_scalar(self.function.ty(result)).size_bytes() as i64;
                let element_bytes = self.code.i64(element_bytes);
                let (pointer, index) = (self.reg(args[0]), self.reg(args[1]));
                let offset = self.code.compute(VectorOp::Mul, Kind::I64, &[index, element_bytes]);
                self.code.compute(VectorOp::Add, Kind::I64, &[pointer, offset])
            }
            Op::Extract(index) => {
                let (arg, arg_row) = (self.array(args[0]), *index);
                let (rows, repeat, out_row, mask) = (1, false, 0, Reg::NONE);
                let copy =
                    |out| Instruction::Copy { size_bytes, rows, repeat, out, out_row, arg, arg_row, mask };
                self.code.define(size_bytes, copy)
            }
            Op::ElementGet => {
                let len = self.function.ty(args[0]).element_count();
                let (array, index) = (self.array(args[0]), self.reg(args[1]));
                let index_bytes = self.size_bytes(args[1]);
                let get = |out| Instruction::ElementGet { size_bytes, len, index_bytes, out, array, index };
                self.code.define(size_bytes, get)
            }
            _ => {
                let regs: Vec<Reg> = args.iter().map(|&arg| self.reg(arg)).collect();
                match args.first().and_then(|&arg| self.function.scalar(arg)) {
                    Some(scalar) if op.is_component_wise() => scalar_op(&mut self.code, op, scalar, &regs)?,
                    scalar => return Err(EmitError::NoOp { target: TARGET, op: op.name(), scalar }),
                }
            }
        })
    }

    /// `select` on rows of a size; the kind does not matter.
    pub(super) fn select(&mut self, size_bytes: u32, operands: [Reg; 3]) -> Reg {
        let kind = match size_bytes {
            1 => Kind::Bool,
            4 => Kind::I32,
            _ => Kind::I64,
        };
        if operands[1] == operands[2] {
            return operands[1];
        }
        self.code.compute(VectorOp::Select, kind, &operands)
    }

    /// An op whose result is an array: written into its slot, in lanes whose mask is on.
    fn array_op(&mut self, result: Value, op: &Op, args: &[Value], mask: Reg) -> Lowered {
        let (size_bytes, len) = (self.size_bytes(result), self.function.ty(result).element_count());
        let out = self.array(result);
        match op {
            Op::Construct(_) => {
                for (out_row, &arg) in (0..).zip(args) {
                    self.copy_row(size_bytes, out, out_row, arg, mask);
                }
            }
            Op::Splat(_) => {
                let (arg, repeat, out_row, arg_row) = (self.reg(args[0]), true, 0, 0);
                let rows = len;
                self.code.push(Instruction::Copy {
                    size_bytes,
                    rows,
                    repeat,
                    out,
                    out_row,
                    arg,
                    arg_row,
                    mask,
                });
            }
            Op::Insert(index) => {
                self.move_array(size_bytes, len, out, args[0], mask);
                self.copy_row(size_bytes, out, *index, args[1], mask);
            }
            Op::ElementSet => {
                self.move_array(size_bytes, len, out, args[0], mask);
                let (index, value) = (self.reg(args[1]), self.reg(args[2]));
                let (array, index_bytes) = (out, self.size_bytes(args[1]));
                let set = Instruction::ElementSet { size_bytes, len, index_bytes, array, index, value, mask };
                self.code.push(set);
            }
            Op::Select => {
                // The plan gives a selection a slot of its own.
                let chosen = self.reg(args[0]);
                self.move_array(size_bytes, len, out, args[2], mask);
                let mask = self.code.mask_and(mask, chosen);
                self.move_array(size_bytes, len, out, args[1], mask);
            }
            _ => return Err(EmitError::NoOp { target: TARGET, op: op.name(), scalar: None }),
        }
        Ok(())
    }

    fn copy_row(&mut self, size_bytes: u32, out: Reg, out_row: u32, arg: Value, mask: Reg) {
        let (arg, rows, repeat, arg_row) = (self.reg(arg), 1, false, 0);
        self.code.push(Instruction::Copy { size_bytes, rows, repeat, out, out_row, arg, arg_row, mask });
    }

    /// Brings an array into other rows, unless it is there.
    fn move_array(&mut self, size_bytes: u32, len: u32, out: Reg, from: Value, mask: Reg) {
        let from = self.array(from);
        if from != out {
            self.copy_array(size_bytes, len, out, from, mask);
        }
    }
}
