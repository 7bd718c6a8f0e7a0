//! Loops that few numbers enter: run once, by forward mode along each of them, and swept by a product.

use super::Reverse;
use crate::forward::Forward;
use crate::mutation::{Bug, on};
use pullback_ir::{Op, Stmt, Value};
use rustc_hash::FxHashMap;

/// The derivative of a loop.
pub(super) struct Jacobian {
    /// An input and a result of the primal, and the derivative of this by that.
    partials: Vec<(Value, Value, Value)>,
}

impl<'a> Reverse<'a> {
    /// Runs a loop with tangents along each of its inputs.
    pub(super) fn run_forward(&mut self, stmt: &'a Stmt) {
        let results = stmt.kind.results();
        let inputs = &self.plans.of(results).inputs;
        let seed = |reverse: &mut Self, input: Value| {
            let one = reverse.b.number(reverse.primal.ty(input), 1.0);
            FxHashMap::from_iter([(input, one)])
        };
        let tangents = inputs.iter().map(|&input| seed(self, input)).collect();
        let mut forward = Forward {
            primal: self.primal,
            activity: self.activity,
            convention: self.convention,
            constants: &self.constants,
            b: &mut self.b,
            copier: &mut self.copier,
            tangents,
            duals: &self.duals,
        };
        forward.repeat(stmt);
        let inputs = inputs.iter().zip(&forward.tangents);
        let by_input = |(&input, tangents): (&Value, &FxHashMap<Value, Value>)| {
            let of_result = |result: &Value| Some((input, *result, *tangents.get(result)?));
            results.iter().filter_map(of_result).collect::<Vec<_>>()
        };
        let partials = inputs.flat_map(by_input).collect();
        self.jacobians.insert(results[0], Jacobian { partials });
    }

    /// The sweep of such a loop: each input is given the sum over the results of cotangent times derivative.
    pub(super) fn multiply(&mut self, jacobian: &Jacobian) {
        let mut cotangents: FxHashMap<Value, Option<Value>> = FxHashMap::default();
        let last = jacobian.partials.last().map(|(input, ..)| *input);
        for &(input, result, partial) in &jacobian.partials {
            let cotangent = *cotangents.entry(result).or_insert_with(|| self.take(result));
            if let Some(cotangent) = cotangent.filter(|_| !(on(Bug::InputLeftOut) && Some(input) == last)) {
                let term = self.b.op(Op::MulOrZero, &[cotangent, partial]);
                self.accumulate(input, term);
            }
        }
    }
}
