//! Copies blocks within one function, giving each definition a new value.

use pullback_ir::{Block, Function, Stmt, StmtKind, Value};
use rustc_hash::FxHashMap;

/// Statements of a block, renamed; `map` translates what it has, and is left holding the copies' names.
pub(crate) fn copy_stmts(
    function: &mut Function,
    map: &mut FxHashMap<Value, Value>,
    stmts: &[Stmt],
) -> Vec<Stmt> {
    stmts.iter().map(|stmt| copy_stmt(function, map, stmt)).collect()
}

pub(crate) fn mapped(map: &FxHashMap<Value, Value>, values: &[Value]) -> Vec<Value> {
    values.iter().map(|value| map.get(value).copied().unwrap_or(*value)).collect()
}

fn copy_block(function: &mut Function, map: &mut FxHashMap<Value, Value>, block: &Block) -> Block {
    let stmts = copy_stmts(function, map, &block.stmts);
    Block { stmts, yields: mapped(map, &block.yields) }
}

fn copy_stmt(function: &mut Function, map: &mut FxHashMap<Value, Value>, stmt: &Stmt) -> Stmt {
    let mut copy = Stmt { kind: stmt.kind.clone(), span: stmt.span };
    for operand in copy.kind.operands_mut() {
        *operand = map.get(operand).copied().unwrap_or(*operand);
    }
    if let StmtKind::Loop { params, .. } = &mut copy.kind {
        params.iter_mut().for_each(|param| *param = define(function, map, *param));
    }
    for block in copy.kind.blocks_mut() {
        *block = copy_block(function, map, block);
    }
    for result in copy.kind.results_mut() {
        *result = define(function, map, *result);
    }
    copy
}

fn define(function: &mut Function, map: &mut FxHashMap<Value, Value>, value: Value) -> Value {
    let decl = function.values[value].clone();
    let new = function.values.push(decl);
    map.insert(value, new);
    new
}
