//! Derivatives by whole arrays, as parameters of derived functions: arrays like the ones that they belong to.
//!
//! Differentiation takes the addresses of tangents and cotangents of memory right behind the function's own parameters.
//! Here they come to stand where callers give them, with the sizes that belong to an array.

use crate::derive::{Derivation, gathered_name, tangent_name};
use crate::overload::Overload;
use crate::slot::Slot;
use pullback_ir::{Function, FunctionBuilder, FunctionKind, InterfaceParam, Type, Value};

/// The whole arrays whose tangents can be given: parameters of their own, of which all floats have one.
pub fn differentiable(base: &Overload) -> impl Iterator<Item = &Slot> {
    let wholes = base.inputs().filter(|slot| slot.whole.is_some() && !slot.no_diff);
    let all_floats = |slot: &&Slot| {
        let leaves = slot.record.iter().flat_map(|record| record.leaves());
        leaves.filter(|leaf| leaf.dtype.is_float()).all(|leaf| !leaf.no_diff)
    };
    wholes.filter(|slot| slot.fields.is_empty() && !slot.is_global()).filter(all_floats)
}

/// The argument that a whole array is, if it is no part of one.
pub fn parameter<'a>(base: &'a Overload, slot: &Slot) -> Option<&'a InterfaceParam> {
    let mut arguments = base.arguments.iter().filter(|_| slot.whole.is_some());
    arguments.find(|argument| *argument.name == *slot.path)
}

/// Whether the path is that of a field of the structs that a slot takes an array of.
pub fn is_field(slot: &Slot, path: &str) -> bool {
    slot.record.is_some() && path.strip_prefix(&*slot.path).is_some_and(|rest| rest.starts_with('.'))
}

/// The arguments that are arrays alike: a whole array, and what is of its derivatives.
pub fn alike(base: &Overload, derivation: &Derivation, of_memory: bool) -> Vec<(String, String)> {
    match derivation {
        Derivation::Forward if of_memory => {
            let tangent = |slot: &Slot| (slot.path.clone(), tangent_name(&base.interface, &slot.path));
            differentiable(base).map(tangent).collect()
        }
        Derivation::Reverse { wrt } => {
            let wholes = base.inputs().filter(|slot| slot.whole.is_some() && wrt.contains(&slot.path));
            wholes.map(|slot| (slot.path.clone(), gathered_name(&slot.path))).collect()
        }
        _ => Vec::new(),
    }
}

/// The JVP with the tangents of whole arrays among the others, in the order of the parameters.
pub fn tangents_in_place(primal: &Function, derived: &Function, base: &Overload) -> Function {
    let mut moved = Moved::new(primal, derived);
    let (mut of_memory, mut others) = (Vec::new(), Vec::new());
    let params = base.interface.params.iter().filter(|param| param.direction.reads() && !param.no_diff);
    for param in params {
        if let Some(slot) = differentiable(base).find(|slot| slot.path == *param.name) {
            of_memory.push(moved.array(slot));
        } else if let Some(ty) = param.ty.differential() {
            others.extend(ty.leaves().into_iter().map(|leaf| moved.b.param(leaf, "tangent")));
        }
    }
    moved.finish(&[of_memory, others].concat())
}

/// The VJP with the gradients of these whole arrays behind the cotangents.
pub fn gradients_last(primal: &Function, derived: &Function, wholes: &[&Slot]) -> Function {
    let mut moved = Moved::new(primal, derived);
    let seeds = derived.params[primal.params.len() + wholes.len()..].iter();
    let seeds: Vec<Value> = seeds.map(|&seed| moved.b.param(derived.ty(seed).clone(), "cotangent")).collect();
    let mut of_memory: Vec<(usize, Value)> =
        wholes.iter().map(|slot| (slot.leaves.start, moved.array(slot))).collect();
    of_memory.sort_by_key(|(place, _)| *place); // as differentiation takes them
    let of_memory: Vec<Value> = of_memory.into_iter().map(|(_, address)| address).collect();
    moved.finish(&[of_memory, seeds].concat())
}

/// A derived function whose parameters behind those of the primal are given otherwise.
struct Moved<'a> {
    b: FunctionBuilder,
    primal: &'a Function,
    derived: &'a Function,
    args: Vec<Value>,
}

impl<'a> Moved<'a> {
    fn new(primal: &'a Function, derived: &'a Function) -> Self {
        let mut b = FunctionBuilder::new(&derived.name, FunctionKind::Plain);
        b.set_span(derived.span);
        let args = primal.params.iter().map(|&param| b.param(primal.ty(param).clone(), "x")).collect();
        Self { b, primal, derived, args }
    }

    /// The parameters of an array like that of a slot, whose address it gives.
    fn array(&mut self, slot: &Slot) -> Value {
        let types: Vec<Type> =
            slot.leaves.clone().map(|leaf| self.primal.ty(self.primal.params[leaf]).clone()).collect();
        let params: Vec<Value> = types.into_iter().map(|ty| self.b.param(ty, "array")).collect();
        params[0]
    }

    fn finish(mut self, others: &[Value]) -> Function {
        self.args.extend(others);
        let results = self.b.paste(self.derived, &self.args);
        let mut function = self.b.finish(results);
        function.span = self.derived.span;
        function
    }
}
