//! Where the arms of an `if` or `switch` meet: results for what they changed, and bools for the jumps they took.

use super::{Arm, Jump, Path, Selector, Ssa, Taken, Var};
use pullback_base::{Span, bug};
use pullback_ir::{Block, StmtKind, Value};
use smallvec::SmallVec;

impl Ssa {
    /// Emits the `if` or `switch` of these arms: its results are the variables they changed and the jumps they may
    /// have taken.
    pub(super) fn join(
        &mut self,
        selector: Selector,
        mut arms: Vec<Arm>,
        span: Span,
        arriving: Option<Jump>,
        outlives: &dyn Fn(Var) -> bool,
    ) {
        if let Some(jump) = arriving {
            arms.iter_mut().for_each(|arm| arm.path.arrive(jump));
        }
        let outer_span = self.builder.span();
        self.builder.set_span(span);
        let mut vars: Vec<Var> = Vec::new();
        for &(var, _) in arms.iter().flat_map(|arm| &arm.finals) {
            if !vars.contains(&var) && outlives(var) {
                vars.push(var);
            }
        }
        let mut yields: Vec<Vec<Value>> = vec![Vec::new(); arms.len()];
        let mut changed = Vec::new();
        for var in vars {
            let values: Vec<Value> =
                arms.iter().map(|arm| arm.value(var).unwrap_or_else(|| self.read(var))).collect();
            // A switch of nothing but a default has one arm, whose values end with it.
            if arms.len() > 1 && values.windows(2).all(|pair| pair[0] == pair[1]) {
                self.write(var, values[0]);
            } else {
                changed.push(var);
                yields.iter_mut().zip(values).for_each(|(yields, value)| yields.push(value));
            }
        }
        let (mut path, flags) = self.join_paths(&selector, &arms, &mut yields);
        let blocks =
            arms.into_iter().zip(yields).map(|(arm, yields)| Block { stmts: arm.stmts, yields }).collect();
        let results = self.push_selection(selector, blocks);
        let (values, bits) = results.split_at(changed.len());
        for (&var, &value) in changed.iter().zip(values) {
            self.write(var, value);
        }
        for (jump, &bit) in flags.into_iter().zip(bits) {
            path.jumps.push((jump, Taken::If(bit)));
        }
        self.top().path = path;
        self.builder.set_span(outer_span);
    }

    /// The path after the arms meet, without the jumps that need a result to tell; these are listed, and the
    /// arms yield whether they took them.
    fn join_paths(
        &mut self,
        selector: &Selector,
        arms: &[Arm],
        yields: &mut [Vec<Value>],
    ) -> (Path, Vec<Jump>) {
        let mut path = Path { ended: arms.iter().all(|arm| arm.path.ended), jumps: SmallVec::new() };
        let mut flags = Vec::new();
        let mut constants: [Option<Value>; 2] = [None, None];
        let mut seen: SmallVec<[Jump; 4]> = SmallVec::new();
        for &(jump, _) in arms.iter().flat_map(|arm| &arm.path.jumps) {
            if seen.contains(&jump) {
                continue;
            }
            seen.push(jump);
            if arms.iter().all(|arm| arm.path.taken(jump) == Some(Taken::Always)) {
                path.jumps.push((jump, Taken::Always));
                continue;
            }
            // The jump of one whole arm: the condition tells.
            if let (Selector::If(condition), [then, otherwise]) = (selector, arms) {
                let told = match (then.path.taken(jump), otherwise.path.taken(jump)) {
                    (Some(Taken::Always), None) => Some(*condition),
                    (None, Some(Taken::Always)) => Some(self.not(*condition)),
                    _ => None,
                };
                if let Some(told) = told {
                    path.jumps.push((jump, Taken::If(told)));
                    continue;
                }
            }
            for (arm, yields) in arms.iter().zip(yields.iter_mut()) {
                let taken = arm.path.taken(jump);
                yields.push(match taken {
                    Some(Taken::If(value)) => value,
                    _ => {
                        let constant = usize::from(taken.is_some());
                        *constants[constant].get_or_insert_with(|| self.builder.bool(taken.is_some()))
                    }
                });
            }
            flags.push(jump);
        }
        (path, flags)
    }

    fn push_selection(&mut self, selector: Selector, mut blocks: Vec<Block>) -> Vec<Value> {
        let results = self.builder.results_like(&blocks[0].yields);
        let Some(last) = blocks.pop() else { bug!("ssa", "a selection without arms") };
        let kind = match selector {
            Selector::If(condition) => {
                let Some(then) = blocks.pop() else { bug!("ssa", "an if without arms") };
                if then.stmts.is_empty() && last.stmts.is_empty() && results.is_empty() {
                    return results;
                }
                StmtKind::If { results: results.clone(), condition, then, otherwise: last }
            }
            Selector::Switch(selector, labels) => {
                let cases = labels.into_iter().zip(blocks).collect();
                StmtKind::Switch { results: results.clone(), selector, cases, default: last }
            }
        };
        self.builder.push(kind);
        results
    }
}
