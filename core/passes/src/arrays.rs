//! Splits arrays that are only accessed at constant positions into their elements.

use crate::scalarize;
use pullback_base::{bug, ids::Id};
use pullback_ir::visit::each_stmt;
use pullback_ir::{Function, Op, StmtKind, Type, Value};

/// Longer arrays stay arrays.
const MAX_LEN: u32 = 1024;

/// Replaces each such array by scalars. Expects scalar form, simplified: constant indices are `extract` and `insert`.
pub fn arrays(function: &mut Function) -> bool {
    let mut classes =
        Classes { parents: function.values.ids().collect(), kept: vec![false; function.values.len()] };
    let mut found = false;
    each_stmt(&function.body, &mut |stmt| {
        found |= stmt.kind.results().iter().any(|&result| matches!(function.ty(result), Type::Array(..)));
        classes.stmt(function, &stmt.kind);
    });
    if !found {
        return false;
    }
    let splits = |(value, decl): (Value, &pullback_ir::ValueDecl)| {
        matches!(decl.ty, Type::Array(_, n) if n <= MAX_LEN) && !classes.kept[classes.root(value).index()]
    };
    let split: Vec<bool> = function.values.iter().map(splits).collect();
    let mut defined = false;
    each_stmt(&function.body, &mut |stmt| {
        defined |= stmt.kind.results().iter().any(|result| split[result.index()])
    });
    if !defined {
        return false;
    }
    match scalarize::run(function, split) {
        Ok(new) => *function = new,
        Err(problems) => bug!("arrays", "scalar form is refused: {problems:?}"),
    }
    true
}

/// Arrays that flow into one another are split together or not at all: union-find.
struct Classes {
    parents: Vec<Value>,
    /// By root: some element is accessed at an index that is no constant.
    kept: Vec<bool>,
}

impl Classes {
    fn root(&self, mut value: Value) -> Value {
        while self.parents[value.index()] != value {
            value = self.parents[value.index()];
        }
        value
    }

    fn join(&mut self, a: Value, b: Value) {
        let (a, b) = (self.root(a), self.root(b));
        // The older root stays: chains of inserts are then one step deep.
        let (older, newer) = if a.index() <= b.index() { (a, b) } else { (b, a) };
        self.parents[newer.index()] = older;
        self.kept[older.index()] |= self.kept[newer.index()];
    }

    fn keep(&mut self, value: Value) {
        let root = self.root(value);
        self.kept[root.index()] = true;
    }

    fn stmt(&mut self, function: &Function, kind: &StmtKind) {
        let is_array = |value: Value| matches!(function.ty(value), Type::Array(..));
        match kind {
            StmtKind::Let { result, op, args } => match op {
                Op::ElementGet => self.keep(args[0]),
                Op::ElementSet => {
                    self.keep(args[0]);
                    self.join(args[0], *result);
                }
                Op::Insert(_) => self.join(args[0], *result),
                Op::Select if is_array(*result) => {
                    self.join(args[1], *result);
                    self.join(args[2], *result);
                }
                _ => {}
            },
            StmtKind::Loop { results, inits, params, body, .. } => {
                for (at, &param) in params.iter().enumerate().filter(|&(_, &param)| is_array(param)) {
                    for value in [inits[at], body.yields[at], results[at]] {
                        self.join(param, value);
                    }
                }
            }
            _ => {
                for block in kind.blocks() {
                    let pairs = kind.results().iter().zip(&block.yields);
                    pairs
                        .filter(|&(&result, _)| is_array(result))
                        .for_each(|(&result, &value)| self.join(result, value));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check;
    use expect_test::expect;

    #[test]
    fn arrays_at_constant_positions_become_scalars_through_regions() {
        check(
            arrays,
            "func @f(%0 x: f32, %1 c: bool) -> (f32) {
                %2: [f32; 2] = splat [f32; 2] %0
                %3: [f32; 2] = if %1 {
                    %4: f32 = neg %0
                    %5: [f32; 2] = insert.1 %2, %4
                    yield %5
                } else {
                    yield %2
                }
                %6: f32 = extract.1 %3
                yield %6
            }",
            expect![[r#"
                func @f(%0 x: f32, %1 c: bool) -> (f32) {
                  %2: f32, %3: f32 = if %1 {
                    %4: f32 = neg %0
                    yield %0, %4
                  } else {
                    yield %0, %0
                  }
                  yield %3
                }
            "#]],
        );
    }

    #[test]
    fn arrays_at_computed_positions_stay_with_all_they_flow_into() {
        check(
            arrays,
            "func @f(%0 x: f32, %1 i: i32, %2 c: bool) -> (f32, f32) {
                %3: [f32; 2] = splat [f32; 2] %0
                %4: [f32; 2] = insert.0 %3, %0
                %5: [f32; 2] = select %2, %3, %4
                %6: f32 = element_get %5, %1
                %7: f32 = extract.0 %4
                yield %6, %7
            }",
            expect![[r#"
                func @f(%0 x: f32, %1 i: i32, %2 c: bool) -> (f32, f32) {
                  %3: [f32; 2] = splat [f32; 2] %0
                  %4: [f32; 2] = insert.0 %3, %0
                  %5: [f32; 2] = select %2, %3, %4
                  %6: f32 = element_get %5, %1
                  %7: f32 = extract.0 %4
                  yield %6, %7
                }
            "#]],
        );
    }
}
