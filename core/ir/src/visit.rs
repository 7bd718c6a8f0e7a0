//! Walks and copies: uses, definitions, free values, copies with renaming.

use crate::{Block, Function, Stmt, StmtKind, Value};
use pullback_base::Span;
use rustc_hash::{FxHashMap, FxHashSet};

/// Calls `f` for each statement of a block and of the blocks within, outer before inner.
pub fn each_stmt<'a>(block: &'a Block, f: &mut impl FnMut(&'a Stmt)) {
    for stmt in &block.stmts {
        f(stmt);
        for inner in stmt.kind.blocks() {
            each_stmt(inner, f);
        }
    }
}

/// Calls `f` for the place of each statement of a block and of the blocks within.
pub fn each_span_mut(block: &mut Block, f: &mut impl FnMut(&mut Span)) {
    for stmt in &mut block.stmts {
        f(&mut stmt.span);
        for inner in stmt.kind.blocks_mut() {
            each_span_mut(inner, f);
        }
    }
}

/// Calls `f` for each use of a value in a block, yields included, blocks within included.
pub fn each_use(block: &Block, f: &mut impl FnMut(Value)) {
    for stmt in &block.stmts {
        stmt.kind.operands().iter().for_each(|&value| f(value));
        for inner in stmt.kind.blocks() {
            each_use(inner, f);
        }
    }
    block.yields.iter().for_each(|&value| f(value));
}

/// Replaces each use of a value in a block, yields included, blocks within included.
pub fn replace_uses(block: &mut Block, f: &mut impl FnMut(Value) -> Value) {
    for stmt in &mut block.stmts {
        stmt.kind.operands_mut().iter_mut().for_each(|value| *value = f(*value));
        for inner in stmt.kind.blocks_mut() {
            replace_uses(inner, f);
        }
    }
    block.yields.iter_mut().for_each(|value| *value = f(*value));
}

/// The values a block and the blocks within define, loop parameters included.
pub fn definitions(block: &Block) -> FxHashSet<Value> {
    let mut out = FxHashSet::default();
    each_stmt(block, &mut |stmt| {
        out.extend(stmt.kind.results());
        if let StmtKind::Loop { params, .. } = &stmt.kind {
            out.extend(params);
        }
    });
    out
}

/// The values a block uses and does not define, in order of first use.
pub fn free_values(block: &Block) -> Vec<Value> {
    let defined = definitions(block);
    let mut seen = FxHashSet::default();
    let mut out = Vec::new();
    each_use(block, &mut |value| {
        if !defined.contains(&value) && seen.insert(value) {
            out.push(value);
        }
    });
    out
}

/// Whether a block or one within holds an effect other than a load, or a call.
pub fn has_effects(block: &Block) -> bool {
    let mut found = false;
    each_stmt(block, &mut |stmt| found |= stmt.kind.has_effect());
    found
}

/// Whether a block or one within holds a call.
pub fn has_calls(block: &Block) -> bool {
    let mut found = false;
    each_stmt(block, &mut |stmt| found |= matches!(stmt.kind, StmtKind::Call { .. }));
    found
}

/// Copies statements from one function into another (or the same), giving each definition a new value.
///
/// `map` translates operands; a value it lacks is kept as it is, which is right only within one function.
pub struct Copier<'a> {
    /// Where types of copied values are read.
    pub from: &'a Function,
    pub map: FxHashMap<Value, Value>,
}

impl<'a> Copier<'a> {
    pub fn new(from: &'a Function) -> Self {
        Self { from, map: FxHashMap::default() }
    }

    pub fn value(&self, value: Value) -> Value {
        self.map.get(&value).copied().unwrap_or(value)
    }

    pub fn values(&self, values: &[Value]) -> Vec<Value> {
        values.iter().map(|&value| self.value(value)).collect()
    }

    /// A new value in `to` with the type and name of `value`, entered in the map.
    pub fn define(&mut self, to: &mut Function, value: Value) -> Value {
        let new = to.values.push(self.from.values[value].clone());
        self.map.insert(value, new);
        new
    }

    fn define_all(&mut self, to: &mut Function, values: &[Value]) -> Vec<Value> {
        values.iter().map(|&value| self.define(to, value)).collect()
    }

    pub fn block(&mut self, to: &mut Function, block: &Block) -> Block {
        let stmts = block.stmts.iter().map(|stmt| self.stmt(to, stmt)).collect();
        Block { stmts, yields: self.values(&block.yields) }
    }

    pub fn stmt(&mut self, to: &mut Function, stmt: &Stmt) -> Stmt {
        let mut kind = stmt.kind.clone();
        for operand in kind.operands_mut() {
            *operand = self.value(*operand);
        }
        match &mut kind {
            StmtKind::Let { result, .. } => *result = self.define(to, *result),
            StmtKind::Call { results, .. } => *results = self.define_all(to, results),
            StmtKind::Effect { result, .. } => *result = result.map(|result| self.define(to, result)),
            StmtKind::If { results, then, otherwise, .. } => {
                *then = self.block(to, then);
                *otherwise = self.block(to, otherwise);
                *results = self.define_all(to, results);
            }
            StmtKind::Switch { results, cases, default, .. } => {
                for (_, block) in cases.iter_mut() {
                    *block = self.block(to, block);
                }
                *default = self.block(to, default);
                *results = self.define_all(to, results);
            }
            StmtKind::Loop { results, params, head, body, .. } => {
                *params = self.define_all(to, params);
                *head = self.block(to, head);
                *body = self.block(to, body);
                *results = self.define_all(to, results);
            }
        }
        Stmt { kind, span: stmt.span }
    }
}
