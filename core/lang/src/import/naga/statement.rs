//! Statements: blocks, branches, calls, writes.

use super::function::{FunctionLowering, Place, Term};
use super::interface::refused;
use super::loops::{Ending, Open, OpenKind};
use super::uses::Expr;
use super::{Refused, globals};
use crate::ssa::Jump;
use naga::{Barrier, Block, Handle, Statement, SwitchCase, SwitchValue};
use pullback_base::{Code, Diagnostic, Span};
use pullback_ir::Effect;

/// Cases of one function that are lowered twice. Switches in one another would multiply them.
const MAX_COPIED_CASES: u32 = 500;

impl<'a> FunctionLowering<'a> {
    /// A refusal of the statement or expression at hand; `what` is a noun phrase.
    pub fn refuse<T>(&self, what: &str) -> Result<T, Refused> {
        Err(refused(what, self.ssa.span()))
    }

    pub fn enter_span(&mut self, span: naga::Span) {
        let span = self.origin.span(span);
        if !span.is_none() {
            self.ssa.set_span(span);
        }
    }

    pub fn block(&mut self, block: &'a Block) -> Result<(), Refused> {
        self.declare_locals(block)?;
        let mut statements = block.span_iter().peekable();
        while let Some((statement, &span)) = statements.next() {
            // A barrier orders all memory, so that a fence right before it says nothing more.
            let goes_before = |(next, _): &(&Statement, _)| {
                matches!(next, Statement::ControlBarrier(_) | Statement::MemoryBarrier(_))
            };
            if matches!(statement, Statement::MemoryBarrier(_)) && statements.peek().is_some_and(goes_before)
            {
                continue;
            }
            self.statement_at(statement, span)?;
        }
        Ok(())
    }

    pub fn statement_at(&mut self, statement: &'a Statement, span: naga::Span) -> Result<(), Refused> {
        if self.ssa.reach() {
            self.enter_span(span);
            self.statement(statement, span)?;
        }
        Ok(())
    }

    pub fn declare_locals(&mut self, block: &Block) -> Result<(), Refused> {
        for local in self.placement.declared_in(block).to_vec() {
            let variable = &self.source.local_variables[local];
            self.enter_span(self.source.local_variables.get_span(local));
            let ty = match self.origin.types.get(variable.ty) {
                Ok(ty) => ty,
                Err(what) => return self.refuse(&what),
            };
            let name = variable.name.as_deref();
            // In a loop stand only locals that are written before they are read: see `placement`.
            let in_loop = self.open.iter().any(|open| !matches!(open.kind, OpenKind::Switch));
            let var = match variable.init {
                Some(init) if !in_loop => {
                    let value = self.constant(&self.source.expressions, init)?;
                    self.ssa.declare_with(value, name)
                }
                _ => self.ssa.declare(ty, name),
            };
            self.locals.insert(local, var);
        }
        Ok(())
    }

    pub fn statement(&mut self, statement: &'a Statement, span: naga::Span) -> Result<(), Refused> {
        match statement {
            Statement::Emit(range) => range.clone().try_for_each(|handle| self.emit(handle)),
            Statement::Block(block) => self.block(block),
            Statement::If { condition, accept, reject } => {
                let condition = self.value(*condition)?;
                self.ssa.begin_if(condition);
                self.block(accept)?;
                self.ssa.begin_else();
                self.block(reject)?;
                self.enter_span(span);
                self.ssa.end_if();
                Ok(())
            }
            Statement::Switch { selector, cases } => self.switch(*selector, cases),
            Statement::Loop { body, continuing, break_if } => {
                self.repeat(body, Ending { continuing, break_if: *break_if }, span)
            }
            Statement::Break => match self.open.last().map(|open| open.target) {
                Some(target) => {
                    self.ssa.jump(Jump::Break(target));
                    Ok(())
                }
                None => self.refuse("a `break` outside loops"),
            },
            Statement::Continue => self.go_on(),
            Statement::Return { value } => {
                if let (Some(value), Some(result)) = (value, self.result) {
                    let value = self.value(*value)?;
                    self.ssa.write(result, value);
                }
                self.ssa.jump(Jump::Return);
                Ok(())
            }
            Statement::Store { pointer, value } => {
                let value = self.value(*value)?;
                let to = self.term(*pointer)?;
                self.store_term(&to, value)
            }
            Statement::Call { function, arguments, result } => self.call(*function, arguments, *result, span),
            Statement::Kill => self.refuse("`discard`"),
            Statement::ControlBarrier(flags) if *flags == Barrier::SUB_GROUP => {
                self.refuse("a subgroup operation")
            }
            Statement::ControlBarrier(_) => {
                self.ssa.effect(Effect::Barrier, &[]);
                Ok(())
            }
            Statement::MemoryBarrier(_) => self.refuse("a memory barrier alone"),
            Statement::Atomic { pointer, fun, value, result } => self.atomic(*pointer, *fun, *value, *result),
            Statement::WorkGroupUniformLoad { pointer, result } => {
                let ty = self.ty_of(*result)?;
                self.ssa.effect(Effect::Barrier, &[]);
                let from = self.term(*pointer)?;
                let value = self.load_term(&from, &ty)?;
                self.ssa.effect(Effect::Barrier, &[]);
                self.define(*result, Term::Value(value));
                Ok(())
            }
            Statement::ImageStore { .. } | Statement::ImageAtomic { .. } => self.refuse("a texture"),
            Statement::SubgroupBallot { .. }
            | Statement::SubgroupGather { .. }
            | Statement::SubgroupCollectiveOperation { .. } => self.refuse("a subgroup operation"),
            Statement::RayQuery { .. } | Statement::RayPipelineFunction(_) => self.refuse("ray tracing"),
            Statement::CooperativeStore { .. } => self.refuse("a cooperative matrix"),
        }
    }

    fn switch(&mut self, selector: Expr, cases: &'a [SwitchCase]) -> Result<(), Refused> {
        let selector = self.value(selector)?;
        let target = self.ssa.begin_switch(selector);
        self.open.push(Open { target, kind: OpenKind::Switch });
        // `case 1, 2, default: body` comes as cases without a body that fall through to the last.
        let mut values = Vec::new();
        let mut is_default = false;
        for (index, case) in cases.iter().enumerate() {
            match case.value {
                SwitchValue::I32(value) => values.push(i64::from(value)),
                SwitchValue::U32(value) => values.push(i64::from(value)),
                SwitchValue::Default => is_default = true,
            }
            if case.fall_through && case.body.is_empty() {
                continue;
            }
            let values = std::mem::take(&mut values);
            self.ssa.begin_case((!std::mem::take(&mut is_default)).then_some(values));
            self.block(&case.body)?;
            for [before, next] in cases[index..].array_windows() {
                if !before.fall_through || !self.ssa.reach() {
                    break;
                }
                self.copy_case(next)?;
            }
        }
        self.open.pop();
        self.ssa.end_switch();
        Ok(())
    }

    /// The body of a case that the one before falls through to, which is lowered in both.
    fn copy_case(&mut self, case: &'a SwitchCase) -> Result<(), Refused> {
        self.copied_cases += 1;
        if self.copied_cases > MAX_COPIED_CASES {
            return self.refuse("so many cases that fall through");
        }
        self.block(&case.body)
    }

    fn call(
        &mut self,
        function: Handle<naga::Function>,
        arguments: &[Expr],
        result: Option<Expr>,
        span: naga::Span,
    ) -> Result<(), Refused> {
        let Some(callee) = self.lowered.get(&function) else {
            return self.refuse("a call of a function that was left out");
        };
        let results = self.module.functions[callee.id].results.clone();
        let mut values = Vec::with_capacity(arguments.len());
        let mut places: Vec<Place> = Vec::new();
        for (&argument, direction) in arguments.iter().zip(&callee.directions) {
            match self.term(argument)? {
                Term::Value(value) => values.push(value),
                Term::Memory(_) | Term::Shared(_) => return self.refuse("a pointer into memory here"),
                Term::Place(place) => {
                    if direction.reads() {
                        values.push(self.load(&place));
                    }
                    if direction.writes() {
                        if places.iter().any(|other| other.var == place.var) {
                            return Err(aliased(self.origin.span(span)));
                        }
                        places.push(place);
                    }
                }
            }
        }
        for id in &callee.globals.bindings {
            let whole = self.ssa.read(self.globals[id]);
            values.extend(globals::taken_apart(self.origin, &mut self.ssa, *id, whole));
        }
        for id in &callee.globals.privates {
            let var = self.globals[id];
            values.push(self.ssa.read(var));
            places.push(Place { var, path: Vec::new() });
        }
        let results = self.ssa.call(callee.id, &results, &values);
        let (returned, written) = results.split_at(results.len() - places.len());
        for (place, &value) in places.iter().zip(written) {
            self.store(place, value);
        }
        if let (Some(result), Some(&returned)) = (result, returned.first()) {
            self.define(result, Term::Value(returned));
        }
        Ok(())
    }
}

fn aliased(span: Span) -> Refused {
    let message = "two pointers to one variable are not supported in a call";
    Box::new(
        Diagnostic::error(Code::UnsupportedFeature, message)
            .at(span, "both may be written here")
            .help("pass the variable once, or copies of its parts"),
    )
}
