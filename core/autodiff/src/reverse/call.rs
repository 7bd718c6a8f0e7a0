//! The sweep of a call of a function whose backward derivative its author gave: one call of that derivative.

use super::Reverse;
use crate::mutation::{Bug, on};
use pullback_ir::{DerivativeMode, DerivativeParam, Differentiable, Direction, FuncId, Value};

/// A parameter of the call, with what stands for its leaves: where it reads and where it writes.
struct Passed<'a> {
    param: &'a DerivativeParam,
    args: &'a [Value],
    results: &'a [Value],
}

/// The first values of a list, which loses them.
fn take<'v>(from: &mut &'v [Value], count: usize) -> &'v [Value] {
    let (taken, rest) = from.split_at(count);
    *from = rest;
    taken
}

impl Reverse<'_> {
    /// The derivative takes values as they were before the call, and cotangents of what the call gave. It runs once for
    /// each time that the call did, whether or not an argument is active: it may itself write cotangents to memory.
    pub(super) fn call(&mut self, results: &[Value], callee: FuncId, args: &[Value]) {
        let seeds: Vec<Option<Value>> = results.iter().map(|&result| self.take(result)).collect();
        let custom = self.activity.custom(callee);
        if seeds.iter().all(Option::is_none) && !custom.is_always_swept {
            return;
        }
        let derivatives = &custom.derivatives;
        let of_result = derivatives.result.as_ref().map_or(0, |result| result.ty.leaves().len());
        let seed_of =
            |value: Value| results.iter().position(|result| *result == value).and_then(|i| seeds[i]);
        let (result, mut written) = results.split_at(of_result);
        let mut read = args;
        let passed: Vec<Passed<'_>> = derivatives
            .params
            .iter()
            .map(|param| {
                let leaves = param.value.ty.leaves().len();
                let count = |is_there: bool| if is_there { leaves } else { 0 };
                Passed {
                    param,
                    args: take(&mut read, count(param.direction.reads())),
                    results: take(&mut written, count(param.direction.writes())),
                }
            })
            .collect();

        let mut operands = Vec::new();
        let hidden = passed.len() - derivatives.hidden;
        for (index, passed) in passed.iter().enumerate() {
            if index == hidden {
                self.push_seeds(derivatives.result.as_ref(), result, &seed_of, &mut operands);
            }
            let Passed { param, args, results } = passed;
            if param.direction.reads() {
                operands.extend(self.copier.values(args));
            }
            // The derivative by what only goes in is written, not read.
            let leaves: &[Value] = match param.direction.writes() {
                true if on(Bug::GivenWithoutChanged) => &[],
                true => results,
                false => args,
            };
            self.push_seeds(Some(&param.value), leaves, &seed_of, &mut operands);
        }
        if derivatives.hidden == 0 {
            self.push_seeds(derivatives.result.as_ref(), result, &seed_of, &mut operands);
        }
        let types = custom.derivative_results(DerivativeMode::Backward);
        let mut given = self.b.call(custom.derivative, &types, &operands).into_iter();
        for passed in passed.iter().filter(|passed| passed.param.direction != Direction::Out) {
            let Some(tangent) = &passed.param.value.tangent else { continue };
            given.by_ref().take(passed.args.len()).for_each(drop);
            for (part, cotangent) in tangent.parts().into_iter().zip(given.by_ref()) {
                if let Some(leaf) = part.filter(|&leaf| self.primal.ty(passed.args[leaf]).is_float()) {
                    let leaf = if on(Bug::GivenReversed) { passed.args.len() - 1 - leaf } else { leaf };
                    self.accumulate(passed.args[leaf], cotangent);
                }
            }
        }
    }

    /// The cotangents of a value's leaves, as its type of cotangents has them: zero where there is none, and what no
    /// cotangent is of as the value has it.
    fn push_seeds(
        &mut self,
        value: Option<&Differentiable>,
        leaves: &[Value],
        seed_of: &impl Fn(Value) -> Option<Value>,
        out: &mut Vec<Value>,
    ) {
        let Some(tangent) = value.and_then(|value| value.tangent.as_ref()) else { return };
        for (part, ty) in tangent.parts().into_iter().zip(tangent.ty.leaves()) {
            let leaf = part.map(|leaf| leaves[leaf]);
            let seed = match leaf {
                Some(leaf) if !ty.is_float() => Some(self.copier.value(leaf)),
                leaf => leaf.and_then(seed_of),
            };
            out.push(seed.unwrap_or_else(|| self.b.zero(&ty)));
        }
    }
}
