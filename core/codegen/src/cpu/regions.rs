//! If, switch and loop by masks: arms run for the lanes that want them, one after the other, and are
//! skipped when no lane does.

use super::code::OpenJump;
use super::lower::Lowerer;
use crate::EmitError;
use crate::arrays::Slot;
use crate::kernel::element_scalar;
use pullback_base::bytecode::{Instruction, Kind, Reg, VectorOp};
use pullback_ir::{Block, Value};

type Lowered = Result<(), EmitError>;

impl Lowerer<'_> {
    pub(super) fn if_(
        &mut self,
        results: &[Value],
        condition: Value,
        then: &Block,
        otherwise: &Block,
        mask: Reg,
    ) -> Lowered {
        let diverges = self.varying.contains(&condition);
        let condition = self.reg(condition);
        self.arm(results, then, mask, diverges, |lowerer, mask| lowerer.code.mask_and(mask, condition))?;
        self.arm(results, otherwise, mask, diverges, |lowerer, mask| {
            lowerer.code.mask_and_not(mask, condition)
        })?;
        for (index, &result) in results.iter().enumerate() {
            if !self.is_array(result) {
                let (a, b) = (self.reg(then.yields[index]), self.reg(otherwise.yields[index]));
                let reg = self.select(self.size_bytes(result), [condition, a, b]);
                self.values.insert(result, reg);
            }
        }
        Ok(())
    }

    /// An arm and the moves of its arrays into the results, for the lanes `wanted` picks out of a mask.
    fn arm(
        &mut self,
        results: &[Value],
        block: &Block,
        mask: Reg,
        diverges: bool,
        wanted: impl Fn(&mut Self, Reg) -> Reg,
    ) -> Lowered {
        let moves = self.slots.moves(&block.yields, results);
        if block.stmts.is_empty() && moves.is_empty() {
            return Ok(());
        }
        let (test, mask) = if diverges {
            let inner = wanted(self, mask);
            (inner, inner)
        } else {
            // All lanes that are here go the same way.
            (wanted(self, Reg::NONE), mask)
        };
        let skip: OpenJump = self.code.jump_if_none(test);
        self.block(block, mask)?;
        self.move_arrays(&moves, mask);
        self.code.land(skip);
        Ok(())
    }

    pub(super) fn switch(
        &mut self,
        results: &[Value],
        selector: Value,
        cases: &[(Vec<i64>, Block)],
        default: &Block,
        mask: Reg,
    ) -> Lowered {
        let diverges = self.varying.contains(&selector);
        let selector = self.reg(selector);
        let mut taken = self.code.constant(Kind::Bool, 0);
        let mut conditions = Vec::new();
        for (values, block) in cases {
            let mut chosen = self.code.constant(Kind::Bool, 0);
            for &value in values {
                let value = self.code.constant(Kind::I32, u64::from(value as u32));
                let equal = self.code.compute(VectorOp::Eq, Kind::I32, &[selector, value]);
                chosen = self.code.compute(VectorOp::Or, Kind::Bool, &[chosen, equal]);
            }
            taken = self.code.compute(VectorOp::Or, Kind::Bool, &[taken, chosen]);
            conditions.push(chosen);
            self.arm(results, block, mask, diverges, |lowerer, mask| lowerer.code.mask_and(mask, chosen))?;
        }
        self.arm(results, default, mask, diverges, |lowerer, mask| lowerer.code.mask_and_not(mask, taken))?;
        for (index, &result) in results.iter().enumerate() {
            if self.is_array(result) {
                continue;
            }
            let mut reg = self.reg(default.yields[index]);
            for ((_, block), &chosen) in cases.iter().zip(&conditions) {
                let operands = [chosen, self.reg(block.yields[index]), reg];
                reg = self.select(self.size_bytes(result), operands);
            }
            self.values.insert(result, reg);
        }
        Ok(())
    }

    pub(super) fn loop_(
        &mut self,
        results: &[Value],
        inits: &[Value],
        params: &[Value],
        head: &Block,
        body: &Block,
        mask: Reg,
    ) -> Lowered {
        for (&param, &init) in params.iter().zip(inits) {
            if !self.is_array(param) {
                let size_bytes = self.size_bytes(param);
                let reg = self.code.register(size_bytes);
                self.code.copy(size_bytes, reg, self.reg(init), Reg::NONE);
                self.values.insert(param, reg);
            }
        }
        let moves = self.slots.moves(inits, params);
        self.move_arrays(&moves, mask);
        // The lanes still in the loop; when all leave together, those that came.
        let diverges = head.yields.iter().any(|value| self.varying.contains(value));
        let active = if diverges { self.new_mask(mask) } else { mask };

        let top = self.code.here();
        self.block(head, active)?;
        let condition = self.reg(head.yields[0]);
        let leave = if diverges {
            let stay = self.code.mask_and(active, condition);
            self.code.copy(1, active, stay, Reg::NONE);
            self.code.jump_if_none(active)
        } else {
            self.code.jump_if_none(condition)
        };
        self.block(body, active)?;
        self.next_trip(params, body, if diverges { active } else { Reg::NONE });
        let moves = self.slots.moves(&body.yields, params);
        self.move_arrays(&moves, active);
        self.code.push(Instruction::Jump { to: top });
        self.code.land(leave);

        for (&result, param) in results.iter().zip(params) {
            if !self.is_array(result) {
                self.values.insert(result, self.reg(*param));
            }
        }
        Ok(())
    }

    /// A mask register that starts as `mask`.
    fn new_mask(&mut self, mask: Reg) -> Reg {
        let start = if mask.is_none() { self.code.constant(Kind::Bool, 1) } else { mask };
        let reg = self.code.register(Kind::Bool.size_bytes());
        self.code.copy(1, reg, start, Reg::NONE);
        reg
    }

    /// Gives the parameters the yields of the body, all at once, in lanes whose mask is on.
    fn next_trip(&mut self, params: &[Value], body: &Block, mask: Reg) {
        let scalars = params.iter().zip(&body.yields).filter(|&(&param, _)| !self.is_array(param));
        let pairs: Vec<(u32, Reg, Reg)> = scalars
            .map(|(&param, &value)| (self.size_bytes(param), self.reg(param), self.reg(value)))
            .filter(|(_, param, value)| param != value)
            .collect();
        let written: Vec<Reg> = pairs.iter().map(|&(_, param, _)| param).collect();
        let mut copies = Vec::with_capacity(pairs.len());
        for (size_bytes, param, value) in pairs {
            // A value that another copy overwrites is saved first.
            let value = if written.contains(&value) {
                let saved = self.code.register(size_bytes);
                self.code.copy(size_bytes, saved, value, Reg::NONE);
                saved
            } else {
                value
            };
            copies.push((size_bytes, param, value));
        }
        for (size_bytes, param, value) in copies {
            self.code.copy(size_bytes, param, value, mask);
        }
    }

    /// Moves arrays between slots, all at once, in lanes whose mask is on.
    fn move_arrays(&mut self, moves: &[(Slot, Slot)], mask: Reg) {
        let mut copies = Vec::with_capacity(moves.len());
        for &(from, to) in moves {
            let ty = self.slots.types[to.0].clone();
            let (size_bytes, rows) = (Kind::of(element_scalar(&ty)).size_bytes(), ty.element_count());
            let (mut from_reg, to_reg) = (self.slot(from), self.slot(to));
            if moves.iter().any(|&(_, other)| other == from) {
                let saved = self.code.register(size_bytes * rows);
                self.copy_array(size_bytes, rows, saved, from_reg, Reg::NONE);
                from_reg = saved;
            }
            copies.push((size_bytes, rows, to_reg, from_reg));
        }
        for (size_bytes, rows, to, from) in copies {
            self.copy_array(size_bytes, rows, to, from, mask);
        }
    }
}
