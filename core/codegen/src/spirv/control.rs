//! Regions as structured control flow: selections and loops with their merge blocks, results as phis.

use super::Emitter;
use crate::EmitError;
use crate::kernel::Segment;
use pullback_ir::{Block, Stmt, StmtKind, Value};
use rspirv::spirv::{Op, Word};

/// The block an arm ended in, and the ids of its yields (arrays have been moved already: 0).
struct ArmEnd {
    block: Word,
    yields: Vec<Word>,
}

impl Emitter<'_> {
    /// Lanes that exist run the statements; every lane takes part in the sums between them.
    pub fn segments(&mut self, segments: &[Segment<'_>]) -> Result<(), EmitError> {
        for segment in segments {
            if !segment.stmts.is_empty() {
                self.segment(segment)?;
            }
            if let Some(sum) = segment.sum {
                self.group_sum(sum);
            }
        }
        Ok(())
    }

    fn segment(&mut self, segment: &Segment<'_>) -> Result<(), EmitError> {
        if self.groups.whole {
            // All lanes exist, and must come to the barriers together.
            return self.stmts(segment.stmts);
        }
        let [then, merge] = [self.asm.fresh(), self.asm.fresh()];
        let before = self.asm.block;
        self.asm.effect(Op::SelectionMerge, &[merge, 0]);
        self.asm.effect(Op::BranchConditional, &[self.active, then, merge]);
        self.asm.begin_block(then);
        self.stmts(segment.stmts)?;
        let end = self.asm.block;
        self.branch(merge);
        self.asm.begin_block(merge);
        for &value in segment.escaping.iter().filter(|&&value| !self.is_array(value)).collect::<Vec<_>>() {
            let ty = self.function.ty(value).clone();
            let zero = self.zero(&ty);
            let ty = self.value_type(&ty);
            let id = self.asm.value(Op::Phi, ty, &[self.id(value), end, zero, before]);
            self.ids.insert(value, id);
        }
        Ok(())
    }

    fn stmts(&mut self, stmts: &[Stmt]) -> Result<(), EmitError> {
        for stmt in stmts {
            self.stmt(stmt)?;
        }
        Ok(())
    }

    fn stmt(&mut self, stmt: &Stmt) -> Result<(), EmitError> {
        match &stmt.kind {
            StmtKind::Let { result, op, args } => self.let_op(*result, op, args),
            StmtKind::Effect { result, effect, args } => self.effect(*result, *effect, args),
            StmtKind::If { results, condition, then, otherwise } => {
                let [a, b, merge] = [self.asm.fresh(), self.asm.fresh(), self.asm.fresh()];
                let condition = self.id(*condition);
                self.asm.effect(Op::SelectionMerge, &[merge, 0]);
                self.asm.effect(Op::BranchConditional, &[condition, a, b]);
                let ends = [self.arm(a, merge, then, results)?, self.arm(b, merge, otherwise, results)?];
                self.join(merge, results, &ends);
                Ok(())
            }
            StmtKind::Switch { results, selector, cases, default } => {
                self.switch(results, *selector, cases, default)
            }
            StmtKind::Loop { results, inits, params, head, body, .. } => {
                self.loop_(results, inits, params, head, body)
            }
            StmtKind::Call { .. } => Err(EmitError::NoOp { target: super::TARGET, op: "call", scalar: None }),
        }
    }

    fn branch(&mut self, to: Word) {
        self.asm.effect(Op::Branch, &[to]);
    }

    /// A block of a selection, which goes on at `merge`.
    fn arm(
        &mut self,
        label: Word,
        merge: Word,
        block: &Block,
        results: &[Value],
    ) -> Result<ArmEnd, EmitError> {
        self.asm.begin_block(label);
        self.stmts(&block.stmts)?;
        let moves = self.slots.moves(&block.yields, results);
        self.move_arrays(&moves);
        let yields = self.yield_ids(&block.yields);
        let end = ArmEnd { block: self.asm.block, yields };
        self.branch(merge);
        Ok(end)
    }

    fn yield_ids(&self, yields: &[Value]) -> Vec<Word> {
        yields.iter().map(|&value| if self.is_array(value) { 0 } else { self.id(value) }).collect()
    }

    fn join(&mut self, merge: Word, results: &[Value], ends: &[ArmEnd]) {
        self.asm.begin_block(merge);
        for (index, &result) in results.iter().enumerate() {
            if self.is_array(result) {
                continue;
            }
            let ty = self.value_type(&self.function.ty(result).clone());
            let operands: Vec<Word> = ends.iter().flat_map(|end| [end.yields[index], end.block]).collect();
            let id = self.asm.value(Op::Phi, ty, &operands);
            self.ids.insert(result, id);
        }
    }

    fn switch(
        &mut self,
        results: &[Value],
        selector: Value,
        cases: &[(Vec<i64>, Block)],
        default: &Block,
    ) -> Result<(), EmitError> {
        let merge = self.asm.fresh();
        let default_label = self.asm.fresh();
        let labels: Vec<Word> = cases.iter().map(|_| self.asm.fresh()).collect();
        let mut operands = vec![self.id(selector), default_label];
        for ((values, _), &label) in cases.iter().zip(&labels) {
            operands.extend(values.iter().flat_map(|&value| [value as Word, label]));
        }
        self.asm.effect(Op::SelectionMerge, &[merge, 0]);
        self.asm.effect(Op::Switch, &operands);
        let mut ends = Vec::new();
        for ((values, block), &label) in cases.iter().zip(&labels) {
            if !values.is_empty() {
                ends.push(self.arm(label, merge, block, results)?);
            }
        }
        ends.push(self.arm(default_label, merge, default, results)?);
        self.join(merge, results, &ends);
        Ok(())
    }

    /// header (phis) -> head -> body -> next -> header; the head leaves for the merge block.
    fn loop_(
        &mut self,
        results: &[Value],
        inits: &[Value],
        params: &[Value],
        head: &Block,
        body: &Block,
    ) -> Result<(), EmitError> {
        let [header, head_label, body_label, next, merge] = [(); 5].map(|()| self.asm.fresh());
        let moves = self.slots.moves(inits, params);
        self.move_arrays(&moves);
        let before = self.asm.block;
        self.branch(header);
        self.asm.begin_block(header);
        let mut patches = Vec::new();
        for (index, (&init, &param)) in inits.iter().zip(params).enumerate() {
            if !self.is_array(param) {
                let ty = self.value_type(&self.function.ty(param).clone());
                let (id, patch) = self.asm.open_phi(ty, (self.id(init), before), next);
                self.ids.insert(param, id);
                patches.push((index, patch));
            }
        }
        self.asm.effect(Op::LoopMerge, &[merge, next, 0]);
        self.branch(head_label);
        self.asm.begin_block(head_label);
        self.stmts(&head.stmts)?;
        let condition = self.id(head.yields[0]);
        self.asm.effect(Op::BranchConditional, &[condition, body_label, merge]);
        self.asm.begin_block(body_label);
        self.stmts(&body.stmts)?;
        let moves = self.slots.moves(&body.yields, params);
        self.move_arrays(&moves);
        let yields = self.yield_ids(&body.yields);
        for (index, patch) in patches {
            self.asm.patch(patch, yields[index]);
        }
        self.branch(next);
        self.asm.begin_block(next);
        self.branch(header);
        self.asm.begin_block(merge);
        for (&result, &param) in results.iter().zip(params) {
            if let Some(&id) = self.ids.get(&param) {
                self.ids.insert(result, id);
            }
        }
        Ok(())
    }
}
