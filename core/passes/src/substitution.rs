//! Which values stand for which others.

use pullback_base::ids::Id;
use pullback_ir::Value;

/// A map of values, the identity where nothing was said. What replaces a value must itself be final.
#[derive(Debug)]
pub(crate) struct Substitution(Vec<Value>);

impl Substitution {
    pub fn new(values: usize) -> Self {
        Self((0..values).map(Value::from_index).collect())
    }

    pub fn get(&self, value: Value) -> Value {
        self.0.get(value.index()).copied().unwrap_or(value)
    }

    pub fn set(&mut self, value: Value, by: Value) {
        self.0[value.index()] = by;
    }

    /// Translates operands in place.
    pub fn apply(&self, values: &mut [Value]) {
        values.iter_mut().for_each(|value| *value = self.get(*value));
    }
}
