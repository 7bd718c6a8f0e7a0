//! Regions as statements: results are declared before the region and assigned in its arms.

use super::text::{scalar_name, type_name};
use super::{Emitter, TARGET};
use crate::EmitError;
use crate::kernel::element_scalar;
use pullback_base::Scalar;
use pullback_ir::{Block, Constant, Stmt, StmtKind, Value};

impl Emitter<'_> {
    pub fn stmts(&mut self, stmts: &[Stmt]) -> Result<(), EmitError> {
        stmts.iter().try_for_each(|stmt| self.stmt(stmt))
    }

    fn stmt(&mut self, stmt: &Stmt) -> Result<(), EmitError> {
        match &stmt.kind {
            StmtKind::Let { result, op, args } => self.let_op(*result, op, args),
            StmtKind::Effect { result, effect, args } => self.effect(*result, *effect, args),
            StmtKind::If { results, condition, then, otherwise } => {
                self.declare_results(results);
                let condition = self.name(*condition);
                self.text.open(format!("if ({condition}) {{"));
                self.arm(then, results)?;
                if !otherwise.stmts.is_empty() || !results.is_empty() {
                    self.text.close("} else {");
                    self.text.reopen();
                    self.arm(otherwise, results)?;
                }
                self.text.close("}");
                Ok(())
            }
            StmtKind::Switch { results, selector, cases, default } => {
                self.switch(results, *selector, cases, default)
            }
            StmtKind::Loop { results, inits, params, head, body, .. } => {
                self.loop_(results, inits, params, head, body)
            }
            StmtKind::Call { .. } => Err(EmitError::NoOp { target: TARGET, op: "call", scalar: None }),
        }
    }

    fn declare_results(&mut self, results: &[Value]) {
        for &result in results {
            if self.is_array(result) || self.declared.contains(&result) {
                continue;
            }
            let name = self.declare(result);
            self.text.line(format!("{} {name};", type_name(self.function.ty(result))));
        }
    }

    fn arm(&mut self, block: &Block, results: &[Value]) -> Result<(), EmitError> {
        self.stmts(&block.stmts)?;
        self.move_arrays(&self.slots.moves(&block.yields, results));
        for (&from, &to) in block.yields.iter().zip(results) {
            if !self.is_array(to) {
                let line = format!("{} = {};", self.name(to), self.name(from));
                self.text.line(line);
            }
        }
        Ok(())
    }

    fn switch(
        &mut self,
        results: &[Value],
        selector: Value,
        cases: &[(Vec<i64>, Block)],
        default: &Block,
    ) -> Result<(), EmitError> {
        self.declare_results(results);
        let scalar = element_scalar(self.function.ty(selector));
        self.text.line(format!("switch ({}) {{", self.name(selector)));
        for (values, block) in cases.iter().filter(|(values, _)| !values.is_empty()) {
            let labels: Vec<String> = values.iter().map(|&value| case_label(scalar, value)).collect();
            self.text.open(format!("{} {{", labels.join(" ")));
            self.arm(block, results)?;
            self.text.line("break;");
            self.text.close("}");
        }
        self.text.open("default: {");
        self.arm(default, results)?;
        self.text.close("}");
        self.text.line("}");
        Ok(())
    }

    fn loop_(
        &mut self,
        results: &[Value],
        inits: &[Value],
        params: &[Value],
        head: &Block,
        body: &Block,
    ) -> Result<(), EmitError> {
        self.move_arrays(&self.slots.moves(inits, params));
        for (&init, &param) in inits.iter().zip(params) {
            if !self.is_array(param) {
                let init = self.name(init);
                let name = self.declare(param);
                self.text.line(format!("{} {name} = {init};", type_name(self.function.ty(param))));
            }
        }
        self.text.open("while (true) {");
        self.stmts(&head.stmts)?;
        self.text.line(format!("if (!({})) break;", self.name(head.yields[0])));
        self.stmts(&body.stmts)?;
        self.move_arrays(&self.slots.moves(&body.yields, params));
        self.assign(&body.yields, params);
        self.text.close("}");
        for (&result, &param) in results.iter().zip(params) {
            if self.is_array(param) {
                continue;
            }
            // The parameter's variable keeps the result, unless that has a variable already.
            let name = self.name(param);
            if self.declared.contains(&result) {
                self.define(result, name);
            } else {
                self.names.insert(result, name);
            }
        }
        Ok(())
    }

    /// Assigns the next trip's parameters, all at once.
    fn assign(&mut self, yields: &[Value], params: &[Value]) {
        let pairs = yields.iter().zip(params).filter(|(_, param)| !self.is_array(**param));
        let moves: Vec<(String, String, Value)> = pairs
            .map(|(&from, &to)| (self.name(from), self.name(to), to))
            .filter(|(from, to, _)| from != to)
            .collect();
        let crosses = moves.iter().any(|(from, _, _)| moves.iter().any(|(_, to, _)| from == to));
        if !crosses {
            for (from, to, _) in moves {
                self.text.line(format!("{to} = {from};"));
            }
            return;
        }
        for (from, to, value) in &moves {
            let ty = type_name(self.function.ty(*value));
            self.text.line(format!("{ty} next_{to} = {from};"));
        }
        for (_, to, _) in &moves {
            self.text.line(format!("{to} = next_{to};"));
        }
    }
}

fn case_label(scalar: Scalar, value: i64) -> String {
    let constant = Constant::int(scalar, value);
    format!("case ({}){}:", scalar_name(scalar), super::text::literal(constant))
}
