//! Runs again what the sweep of a block reads.

use super::Reverse;
use super::checkpoint::Slots;
use crate::known::{Fixed, Trips};
use crate::need::{self, Values};
use crate::plan::Storage;
use crate::slice::Slicer;
use pullback_base::bug;
use pullback_ir::{Block, Op, Scalar, Stmt, StmtKind, Type, Value};

/// A loop that has been run, to be reversed.
pub(super) struct Run {
    pub trips: Value,
    /// The states that were stored on the way.
    pub slots: Option<Slots>,
}

impl<'a> Reverse<'a> {
    /// Runs again what the sweep of the block reads, and the values wanted besides.
    pub(super) fn replay(&mut self, block: &'a Block, wanted: &[Value]) {
        let mut needed = need::reads(block, self.activity, self.plans);
        needed.extend(wanted);
        need::close_with(block, &mut needed, self.writes);
        for stmt in &block.stmts {
            self.b.set_span(stmt.span);
            match &stmt.kind {
                StmtKind::Loop { results, .. }
                    if self.activity.is_swept(&stmt.kind)
                        && self.plans.of(results).storage == Storage::Forward =>
                {
                    self.run_forward(stmt);
                }
                StmtKind::Loop { results, .. } if self.activity.is_swept(&stmt.kind) => {
                    let run = self.run_loop(stmt, &needed);
                    self.runs.insert(results[0], run);
                }
                _ => self.run_stmt(stmt, &needed),
            }
        }
    }

    /// Runs a loop that the sweep will reverse, as far as anything of it is needed.
    fn run_loop(&mut self, stmt: &'a Stmt, needed: &Values) -> Run {
        let looped = self.looped(stmt);
        let plan = looped.plan;
        let known_trips = plan.trips.map(|trips| self.known_trips(trips));
        let is_stored = plan.state.iter().all(|&i| needed.contains(&looped.params[i]));
        let is_run = looped.results.iter().chain(&looped.head.yields).any(|value| needed.contains(value));
        match (plan.storage, known_trips) {
            (Storage::All(count), _) => self.run_storing_all(&looped, needed, count),
            (Storage::Slots(count), _) if is_run && is_stored => self.run_storing(&looped, needed, count),
            (_, Some(trips)) => {
                self.run_stmt(stmt, needed);
                Run { trips, slots: None }
            }
            _ => Run { trips: self.run_counting(stmt, needed), slots: None },
        }
    }

    fn known_trips(&mut self, trips: Trips) -> Value {
        let (from, to) = (self.fixed(trips.from), self.fixed(trips.to));
        let (from, to) = (self.b.convert(from, Scalar::I64), self.b.convert(to, Scalar::I64));
        let (more, zero) = (self.b.i64(trips.more), self.b.i64(0));
        let length = self.b.sub(to, from);
        let length = self.b.add(length, more);
        self.b.op(Op::Max, &[length, zero])
    }

    /// What an iteration has from outside of its loop.
    pub(super) fn fixed(&mut self, fixed: Fixed) -> Value {
        match fixed {
            Fixed::Constant(constant) => self.b.constant(constant),
            Fixed::Invariant(value) => self.copier.value(value),
        }
    }

    /// Runs a loop; the number of its trips.
    fn run_counting(&mut self, stmt: &Stmt, needed: &Values) -> Value {
        let Some(mut copy) = self.slice(stmt, needed) else {
            bug!("autodiff", "the trips of a loop are not needed")
        };
        let trips = self.count_trips(&mut copy.kind);
        self.b.push_stmt(copy);
        trips
    }

    /// The needed part of a statement, copied.
    fn slice(&mut self, stmt: &Stmt, needed: &Values) -> Option<Stmt> {
        let writes = self.writes;
        Slicer { copier: &mut self.copier, to: self.b.function_mut(), needed, writes }.stmt(stmt)
    }

    /// The needed part of a block, run here.
    pub(super) fn run(&mut self, block: &Block, needed: &Values) {
        block.stmts.iter().for_each(|stmt| self.run_stmt(stmt, needed));
    }

    fn run_stmt(&mut self, stmt: &Stmt, needed: &Values) {
        if let Some(copy) = self.slice(stmt, needed) {
            self.b.push_stmt(copy);
        }
    }

    /// Lets a loop, about to be pushed, count its trips.
    fn count_trips(&mut self, kind: &mut StmtKind) -> Value {
        let StmtKind::Loop { results, inits, params, body, .. } = kind else {
            bug!("autodiff", "only loops have trips")
        };
        let (param, result) = (self.b.new_value(Type::I64), self.b.new_value(Type::I64));
        inits.push(self.b.i64(0));
        params.push(param);
        results.push(result);
        self.b.begin_block();
        let one = self.b.i64(1);
        let next = self.b.add(param, one);
        let counting = self.b.end_block(vec![next]);
        body.stmts.extend(counting.stmts);
        body.yields.push(next);
        result
    }
}
