//! Which parameter an address comes from: through offsets and casts alone, in scalar form.

use crate::visit::each_stmt;
use crate::{Effect, Function, Op, StmtKind, Type, Value};
use rustc_hash::FxHashMap;

/// The pointer parameter that each address is an offset of. An address that is chosen at run time (by a branch, a
/// loop or memory) is of none.
#[derive(Clone, Debug, Default)]
pub struct Roots(FxHashMap<Value, Value>);

impl Roots {
    pub fn of(function: &Function) -> Self {
        let is_pointer = |value: &Value| matches!(function.ty(*value), Type::Pointer(_));
        let params = function.params.iter().copied().filter(is_pointer);
        let mut roots: FxHashMap<Value, Value> = params.map(|param| (param, param)).collect();
        each_stmt(&function.body, &mut |stmt| {
            if let StmtKind::Let { result, op: Op::PointerOffset | Op::PointerCast(_), args } = &stmt.kind
                && let Some(&root) = roots.get(&args[0])
            {
                roots.insert(*result, root);
            }
        });
        Self(roots)
    }

    /// The parameter that an address comes from.
    pub fn root(&self, address: Value) -> Option<Value> {
        self.0.get(&address).copied()
    }

    /// For each parameter whether the function may write what it points to.
    pub fn written(&self, function: &Function) -> Vec<bool> {
        let mut written = vec![false; function.params.len()];
        each_stmt(&function.body, &mut |stmt| {
            let StmtKind::Effect { effect, args, .. } = &stmt.kind else { return };
            if !effect.writes() || !writes_through_address(*effect) {
                return;
            }
            match self.root(args[0]) {
                Some(root) => written
                    .iter_mut()
                    .zip(&function.params)
                    .for_each(|(written, param)| *written |= *param == root),
                None => written.fill(true),
            }
        });
        written
    }
}

/// Whether the effect writes where its first operand points.
fn writes_through_address(effect: Effect) -> bool {
    matches!(effect, Effect::Store | Effect::AtomicAdd | Effect::Atomic(_) | Effect::GroupSum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Vec<bool> {
        let module = crate::parse::parse(text).expect("parses");
        let function = module.functions.values().next().expect("a function");
        Roots::of(function).written(function)
    }

    #[test]
    fn a_write_is_told_by_the_parameter_its_address_comes_from() {
        let text = "func @f(%0: ptr<f32>, %1: ptr<u8>, %2: i64) -> (f32) {
            %3: ptr<f32> = pointer_offset %0, %2
            %4: f32 = load %3
            %5: ptr<u8> = pointer_offset %1, %2
            %6: ptr<f32> = pointer_cast f32 %5
            store %6, %4
            yield %4
        }";
        assert_eq!(written(text), [false, true, false]);
    }
}
