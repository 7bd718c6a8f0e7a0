//! Renumbers values in order of definition and drops the declarations that nothing defines.

use crate::substitution::Substitution;
use pullback_base::IdVec;
use pullback_base::ids::Id;
use pullback_ir::visit::each_stmt;
use pullback_ir::{Block, Effect, Function, FunctionKind, SharedId, StmtKind, Value};

/// Makes value ids dense, so that tables by value are small.
pub fn compact(function: &mut Function) {
    let mut renumber = Renumber { new: Substitution::new(function.values.len()), order: Vec::new() };
    renumber.all(&mut function.params);
    let mut body = std::mem::take(&mut function.body);
    renumber.block(&mut body);
    function.body = body;
    let mut values = IdVec::new();
    for &old in &renumber.order {
        values.push(function.values[old].clone());
    }
    function.values = values;
    if function.kind == FunctionKind::Kernel {
        shared(function);
    }
}

/// Drops the slots of shared memory that a kernel does not touch. Plain functions keep them: numbers mean the same in
/// all functions of a module.
fn shared(function: &mut Function) {
    let mut used = vec![false; function.shared.len()];
    each_stmt(&function.body, &mut |stmt| {
        if let StmtKind::Effect { effect, .. } = &stmt.kind
            && let Some(slot) = effect.shared()
        {
            used[slot.index()] = true;
        }
    });
    let new: Vec<SharedId> = (0..used.len())
        .map(|slot| SharedId::from_index(used[..slot].iter().filter(|&&used| used).count()))
        .collect();
    renumber_slots(&mut function.body, &new);
    let mut used = used.into_iter();
    function.shared.retain(|_| used.next() == Some(true));
}

fn renumber_slots(block: &mut Block, new: &[SharedId]) {
    for stmt in &mut block.stmts {
        if let StmtKind::Effect {
            effect: Effect::SharedLoad(slot) | Effect::SharedStore(slot) | Effect::SharedAtomic(slot, _),
            ..
        } = &mut stmt.kind
        {
            *slot = new[slot.index()];
        }
        stmt.kind.blocks_mut().into_iter().for_each(|inner| renumber_slots(inner, new));
    }
}

struct Renumber {
    new: Substitution,
    /// The old ids, in the order of the new ones.
    order: Vec<Value>,
}

impl Renumber {
    fn all(&mut self, values: &mut [Value]) {
        for value in values {
            let new = pullback_base::ids::Id::from_index(self.order.len());
            self.order.push(*value);
            self.new.set(*value, new);
            *value = new;
        }
    }

    fn block(&mut self, block: &mut Block) {
        for stmt in &mut block.stmts {
            self.new.apply(stmt.kind.operands_mut());
            if let StmtKind::Loop { params, .. } = &mut stmt.kind {
                self.all(params);
            }
            for inner in stmt.kind.blocks_mut() {
                self.block(inner);
            }
            self.all(stmt.kind.results_mut());
        }
        self.new.apply(&mut block.yields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_become_dense_and_the_text_stays() {
        let text = "func @f(%0 x: f32) -> (f32) {
            %1: f32 = loop (%2: f32 = %0) while {
                %3: f32 = sin %2
                %4: bool = lt %2, %0
                yield %4
            } do {
                yield %0
            }
            yield %1
        }";
        let mut function = crate::testing::load(text).functions.values().next().expect("a function").clone();
        crate::dce::dce(&mut function);
        let (before, declared) = (function.to_string(), function.values.len());
        compact(&mut function);
        assert_eq!(function.to_string(), before);
        assert_eq!((declared, function.values.len()), (5, 4));
    }
}
