//! Unrolls loops whose author asked for it and whose number of turns is a constant.

use crate::copy::{copy_stmts, mapped};
use crate::substitution::Substitution;
use pullback_ir::visit::each_stmt;
use pullback_ir::{Block, Constant, Function, Op, Stmt, StmtKind, Value, eval};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

/// A loop of more turns stays a loop.
pub const MAX_TRIPS: usize = 1024;
/// As does one that would grow to more statements.
pub const MAX_STMTS: usize = 1 << 16;

/// Replaces each such loop by its turns, one after the other.
pub fn unroll(function: &mut Function) -> bool {
    let body = std::mem::take(&mut function.body);
    let replaced = Substitution::new(function.values.len());
    let mut pass = Unroll { function, replaced, constants: FxHashMap::default(), changed: false };
    let body = pass.block(body);
    let changed = pass.changed;
    function.body = body;
    changed
}

struct Unroll<'a> {
    function: &'a mut Function,
    replaced: Substitution,
    constants: FxHashMap<Value, Constant>,
    changed: bool,
}

impl Unroll<'_> {
    fn block(&mut self, mut block: Block) -> Block {
        let mut out = Vec::with_capacity(block.stmts.len());
        for mut stmt in block.stmts {
            self.replaced.apply(stmt.kind.operands_mut());
            if let StmtKind::Let { result, op: Op::Const(constant), .. } = &stmt.kind {
                self.constants.insert(*result, *constant);
            }
            for inner in stmt.kind.blocks_mut() {
                *inner = self.block(std::mem::take(inner));
            }
            match self.trips(&stmt.kind) {
                Some(trips) => self.turns(&stmt.kind, trips, &mut out),
                None => out.push(stmt),
            }
        }
        self.replaced.apply(&mut block.yields);
        Block { stmts: out, yields: block.yields }
    }

    /// The number of turns of a loop to be unrolled.
    fn trips(&self, kind: &StmtKind) -> Option<usize> {
        let StmtKind::Loop { inits, params, head, body, hints, .. } = kind else { return None };
        if !hints.unroll {
            return None;
        }
        let trips = count_trips(&self.constants, inits, params, head, body)?;
        let mut size = 0;
        each_stmt(head, &mut |_| size += 1);
        each_stmt(body, &mut |_| size += 1);
        (size * (trips + 1) <= MAX_STMTS).then_some(trips)
    }

    fn turns(&mut self, kind: &StmtKind, trips: usize, out: &mut Vec<Stmt>) {
        let StmtKind::Loop { results, inits, params, head, body, .. } = kind else { return };
        let mut carried = inits.clone();
        for turn in 0..=trips {
            let mut map: FxHashMap<Value, Value> =
                params.iter().copied().zip(carried.iter().copied()).collect();
            // What the head computes is dead, unless it has effects; those happen once more than the body's.
            out.extend(copy_stmts(self.function, &mut map, &head.stmts));
            if turn < trips {
                out.extend(copy_stmts(self.function, &mut map, &body.stmts));
                carried = mapped(&map, &body.yields);
            }
        }
        results.iter().zip(carried).for_each(|(&result, last)| self.replaced.set(result, last));
        self.changed = true;
    }
}

/// Runs what decides the head's condition on constants. `None` when it hangs on anything else.
fn count_trips(
    constants: &FxHashMap<Value, Constant>,
    inits: &[Value],
    params: &[Value],
    head: &Block,
    body: &Block,
) -> Option<usize> {
    let mut definitions = FxHashMap::default();
    for stmt in head.stmts.iter().chain(&body.stmts) {
        if let StmtKind::Let { result, op, args } = &stmt.kind {
            definitions.insert(*result, (op, args));
        }
    }
    let mut needed: FxHashSet<Value> = FxHashSet::default();
    let mut work = head.yields.clone();
    while let Some(value) = work.pop() {
        if !needed.insert(value) {
            continue;
        }
        if let Some((_, args)) = definitions.get(&value) {
            work.extend_from_slice(args);
        } else if let Some(at) = params.iter().position(|&param| param == value) {
            work.push(body.yields[at]);
        }
    }
    let slice = |block: &Block| -> Vec<Value> {
        let results = block.stmts.iter().flat_map(|stmt| stmt.kind.results().first().copied());
        results.filter(|result| needed.contains(result) && definitions.contains_key(result)).collect()
    };
    let (head_slice, body_slice) = (slice(head), slice(body));
    let mut known: FxHashMap<Value, Constant> = FxHashMap::default();
    let look = |known: &FxHashMap<Value, Constant>, value: Value| {
        known.get(&value).or_else(|| constants.get(&value)).copied()
    };
    let run = |known: &mut FxHashMap<Value, Constant>, slice: &[Value]| {
        for value in slice {
            let (op, args) = definitions[value];
            let args: Option<SmallVec<[Constant; 3]>> = args.iter().map(|&arg| look(known, arg)).collect();
            match args.and_then(|args| eval(op, &args)) {
                Some(constant) => known.insert(*value, constant),
                None => known.remove(value),
            };
        }
    };
    let mut carried: Vec<Option<Constant>> = inits.iter().map(|init| constants.get(init).copied()).collect();
    for trips in 0..=MAX_TRIPS {
        known.clear();
        known.extend(params.iter().copied().zip(&carried).filter_map(|(param, c)| Some((param, (*c)?))));
        run(&mut known, &head_slice);
        if !look(&known, head.yields[0])?.as_bool() {
            return Some(trips);
        }
        run(&mut known, &body_slice);
        carried = body.yields.iter().map(|&value| look(&known, value)).collect();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check;
    use expect_test::expect;

    #[test]
    fn a_counted_loop_becomes_its_turns() {
        check(
            unroll,
            "func @f(%0 x: f32) -> (f32) {
                %1: i32 = const i32 2
                %2: i32 = const i32 -1
                %3: i32, %4: f32 = loop unroll (%5: i32 = %1, %6: f32 = %0) while {
                    %7: i32 = const i32 0
                    %8: bool = gt %5, %7
                    yield %8
                } do {
                    %9: f32 = mul %6, %0
                    %10: i32 = add %5, %2
                    yield %10, %9
                }
                yield %4
            }",
            expect![[r#"
                func @f(%0 x: f32) -> (f32) {
                  %1: i32 = const i32 2
                  %2: i32 = const i32 -1
                  %3: i32 = const i32 0
                  %4: bool = gt %1, %3
                  %5: f32 = mul %0, %0
                  %6: i32 = add %1, %2
                  %7: i32 = const i32 0
                  %8: bool = gt %6, %7
                  %9: f32 = mul %5, %0
                  %10: i32 = add %6, %2
                  %11: i32 = const i32 0
                  %12: bool = gt %10, %11
                  yield %9
                }
            "#]],
        );
    }

    #[test]
    fn loops_without_the_hint_or_a_known_end_stay() {
        for (hint, limit) in [("", "%1"), ("unroll", "%0")] {
            let text = format!(
                "func @f(%0: i32) -> (i32) {{
                    %1: i32 = const i32 3
                    %2: i32 = loop {hint} (%3: i32 = %1) while {{
                        %4: bool = lt %3, {limit}
                        yield %4
                    }} do {{
                        %5: i32 = add %3, %3
                        yield %5
                    }}
                    yield %2
                }}"
            );
            let mut function =
                crate::testing::load(&text).functions.values().next().expect("a function").clone();
            assert!(!unroll(&mut function), "{text}");
        }
    }
}
