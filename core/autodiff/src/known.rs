//! What is known of a loop without running it: parameters as functions of the number of the iteration, and how many
//! iterations there are.

use crate::mutation::{Bug, on};
use pullback_base::{Scalar, bug};
use pullback_ir::{Constant, Function, Op, StmtKind, Type, Value, visit};
use rustc_hash::{FxHashMap, FxHashSet};

/// A parameter as a function of the iteration's number `k`.
#[derive(Clone, Copy)]
pub(crate) enum Known {
    /// `init + k * step`; `init - k * step` if `falling`.
    Induction { step: Fixed, falling: bool },
    /// The loop goes on only where it is so.
    Flag(bool),
}

/// What an iteration has from outside of the loop.
#[derive(Clone, Copy)]
pub(crate) enum Fixed {
    Constant(Constant),
    Invariant(Value),
}

impl Fixed {
    pub fn value(&self) -> Option<Value> {
        match self {
            Fixed::Constant(_) => None,
            Fixed::Invariant(value) => Some(*value),
        }
    }
}

/// `max(to - from + more, 0)` trips, of integers of at most 32 bits.
#[derive(Clone, Copy)]
pub(crate) struct Trips {
    pub from: Fixed,
    pub to: Fixed,
    pub more: i64,
}

/// What is known of a loop.
pub(crate) struct Knowledge {
    /// Of each parameter.
    pub params: Vec<Option<Known>>,
    /// Of the number of its trips.
    pub trips: Option<Trips>,
    /// There are no more than each of these.
    pub at_most: Vec<Trips>,
}

pub(crate) fn known(function: &Function, stmt: &StmtKind) -> Knowledge {
    let facts = Facts::of(function, stmt);
    let params = facts.params.iter().zip(facts.next);
    let inductions = params.map(|(&param, &next)| facts.induction(param, next));
    let mut known: Vec<Option<Known>> = inductions.collect();
    let trips = facts.trips(&known, facts.condition);
    let holding = facts.before.iter().filter(|(_, truth)| **truth);
    let at_most = holding.filter_map(|(&condition, _)| facts.trips(&known, condition)).collect();
    for (&value, &truth) in &facts.before {
        if let Some(i) = facts.params.iter().position(|&param| param == value) {
            known[i] = Some(Known::Flag(truth));
        }
    }
    Knowledge { params: known, trips, at_most }
}

/// How values of the loop are computed, and which conditions have to be.
struct Facts<'a> {
    function: &'a Function,
    inits: &'a [Value],
    params: &'a [Value],
    next: &'a [Value],
    condition: Value,
    inside: FxHashSet<Value>,
    lets: FxHashMap<Value, (&'a Op, &'a [Value])>,
    /// From a result of an `if` to its condition and the arms' yields.
    chosen: FxHashMap<Value, (Value, Value, Value)>,
    /// Conditions at the start of each iteration.
    before: FxHashMap<Value, bool>,
    /// Conditions at the end of each iteration that another follows.
    after: FxHashMap<Value, bool>,
}

impl<'a> Facts<'a> {
    fn of(function: &'a Function, stmt: &'a StmtKind) -> Self {
        let StmtKind::Loop { inits, params, head, body, .. } = stmt else { bug!("autodiff", "not a loop") };
        let mut inside = visit::definitions(body);
        inside.extend(visit::definitions(head));
        inside.extend(params);
        let mut facts = Self {
            function,
            inits,
            params,
            next: &body.yields,
            condition: head.yields[0],
            inside,
            lets: FxHashMap::default(),
            chosen: FxHashMap::default(),
            before: FxHashMap::default(),
            after: FxHashMap::default(),
        };
        for block in [head, body] {
            visit::each_stmt(block, &mut |stmt| match &stmt.kind {
                StmtKind::Let { result, op, args } => {
                    facts.lets.insert(*result, (op, args.as_slice()));
                }
                StmtKind::If { results, condition, then, otherwise } => {
                    for (i, &result) in results.iter().enumerate() {
                        facts.chosen.insert(result, (*condition, then.yields[i], otherwise.yields[i]));
                    }
                }
                _ => {}
            });
        }
        // A constant may stand anywhere.
        visit::each_stmt(&function.body, &mut |stmt| {
            if let StmtKind::Let { result, op: op @ Op::Const(_), args } = &stmt.kind {
                facts.lets.insert(*result, (op, args.as_slice()));
            }
        });
        facts.before = facts.implied(vec![(facts.condition, true)]);
        let flags = facts.params.iter().zip(facts.next);
        let flags = flags.filter_map(|(param, &next)| Some((next, *facts.before.get(param)?))).collect();
        facts.after = facts.implied(flags);
        facts
    }

    fn constant(&self, value: Value) -> Option<Constant> {
        match self.lets.get(&value) {
            Some((Op::Const(constant), _)) => Some(*constant),
            _ => None,
        }
    }

    /// All that follows from these conditions.
    fn implied(&self, mut work: Vec<(Value, bool)>) -> FxHashMap<Value, bool> {
        let mut out = FxHashMap::default();
        while let Some((value, truth)) = work.pop() {
            if out.insert(value, truth).is_some() {
                continue;
            }
            match self.lets.get(&value) {
                Some((Op::And, args)) if truth => work.extend(args.iter().map(|&arg| (arg, true))),
                Some((Op::Or, args)) if !truth => work.extend(args.iter().map(|&arg| (arg, false))),
                Some((Op::Not, args)) => work.push((args[0], !truth)),
                _ => {}
            }
            if let Some(&(condition, then, otherwise)) = self.chosen.get(&value) {
                let excluded = |arm: Value| self.constant(arm).is_some_and(|known| known.as_bool() != truth);
                if excluded(then) {
                    work.extend([(condition, false), (otherwise, truth)]);
                } else if excluded(otherwise) {
                    work.extend([(condition, true), (then, truth)]);
                }
            }
        }
        out
    }

    /// What a condition is at the end of an iteration that another follows.
    fn truth_after(&self, condition: Value) -> Option<bool> {
        if let Some(&truth) = self.after.get(&condition) {
            return Some(truth);
        }
        let (op, args) = self.lets.get(&condition)?;
        let opposite = match op {
            Op::Lt => Op::Ge,
            Op::Ge => Op::Lt,
            Op::Le => Op::Gt,
            Op::Gt => Op::Le,
            Op::Eq => Op::Ne,
            Op::Ne => Op::Eq,
            _ => return None,
        };
        // Of a comparison and its opposite one is true, unless a float is NaN.
        let discrete = !self.function.ty(args[0]).has_float();
        let is_opposite = |value: &Value| {
            self.lets.get(value).is_some_and(|(other, operands)| **other == opposite && operands == args)
        };
        let mut decided =
            self.after.iter().filter(|(value, truth)| (**truth || discrete) && is_opposite(value));
        decided.next().map(|(_, truth)| !truth)
    }

    /// What a value is at the end of an iteration that another follows.
    fn resolved(&self, mut value: Value) -> Value {
        loop {
            let choice = match (self.chosen.get(&value), self.lets.get(&value)) {
                (Some(choice), _) => *choice,
                (_, Some((Op::Select, args))) => (args[0], args[1], args[2]),
                _ => return value,
            };
            match self.truth_after(choice.0) {
                Some(true) => value = choice.1,
                Some(false) => value = choice.2,
                None => return value,
            }
        }
    }

    fn term(&self, value: Value) -> Option<Fixed> {
        match self.constant(value) {
            Some(constant) => Some(Fixed::Constant(constant)),
            None => (!self.inside.contains(&value)).then_some(Fixed::Invariant(value)),
        }
    }

    fn induction(&self, param: Value, next: Value) -> Option<Known> {
        if !self.function.scalar(param).is_some_and(Scalar::is_integer) {
            return None;
        }
        let (op, args) = self.lets.get(&self.resolved(next))?;
        let step = |value: Value, falling: bool| Some(Known::Induction { step: self.term(value)?, falling });
        match op {
            Op::Add if args[0] == param => step(args[1], false),
            Op::Add if args[1] == param => step(args[0], false),
            Op::Sub if args[0] == param => step(args[1], true),
            _ => None,
        }
    }

    /// Counting by one up or down to a bound, while a condition of the head holds.
    fn trips(&self, known: &[Option<Known>], condition: Value) -> Option<Trips> {
        let &(op, args) = self.lets.get(&condition)?;
        let &[counter, bound] = args else { return None };
        let i = self.params.iter().position(|param| *param == counter)?;
        let Type::Scalar(scalar) = self.function.ty(counter) else { return None };
        let Some(Known::Induction { step: Fixed::Constant(step), falling }) = known[i] else { return None };
        let rises = match (step.as_i64(), falling) {
            (1, false) | (-1, true) => true,
            (-1, false) | (1, true) => false,
            _ => return None,
        };
        if scalar.bits() > 32 || (!rises && !scalar.is_signed()) {
            return None;
        }
        let (init, bound) = (Fixed::Invariant(self.inits[i]), self.term(bound)?);
        match (op, rises) {
            (Op::Lt, true) => Some(Trips { from: init, to: bound, more: 0 }),
            (Op::Le, true) => Some(Trips { from: init, to: bound, more: i64::from(!on(Bug::BoundLeftOut)) }),
            (Op::Gt, false) => Some(Trips { from: bound, to: init, more: 0 }),
            (Op::Ge, false) => Some(Trips { from: bound, to: init, more: 1 }),
            _ => None,
        }
    }
}
