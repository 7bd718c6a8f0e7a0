//! The memory that a called function reads and writes, as its caller sees it.

use pullback_base::Diagnostics;
use pullback_ir::visit::each_stmt;
use pullback_ir::{Effect, FuncId, Module, Roots, StmtKind, Value};
use pullback_passes::expand_calls;
use rustc_hash::FxHashSet;

/// Memory that an access may touch. `P` tells a pointer parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place<P> {
    /// What is reached from a pointer parameter.
    Of(P),
    /// Any that pointers lead to.
    Somewhere,
    /// What lanes of a group share.
    Shared,
}

/// What a function touches, it or one that it calls. Parameters are told by their place among the leaves of all.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    pub loads: FxHashSet<Place<usize>>,
    pub writes: FxHashSet<Place<usize>>,
    /// Whether it takes part in what the lanes of a group do together.
    pub is_joint: bool,
}

impl<P> Place<P> {
    pub fn of(effect: Effect, args: &[Value], root: impl FnOnce(Value) -> Option<P>) -> Self {
        match args.first() {
            _ if effect.shared().is_some() => Place::Shared,
            Some(&address) => root(address).map_or(Place::Somewhere, Place::Of),
            None => Place::Somewhere,
        }
    }

    /// As another function sees it, which knows the pointer by another name or not at all.
    pub fn seen<Q>(self, name: impl FnOnce(P) -> Option<Q>) -> Place<Q> {
        match self {
            Place::Of(param) => name(param).map_or(Place::Somewhere, Place::Of),
            Place::Somewhere => Place::Somewhere,
            Place::Shared => Place::Shared,
        }
    }
}

impl Touched {
    /// As a caller of another function sees it, who knows some of the parameters.
    pub fn seen(&self, name: impl Fn(usize) -> Option<usize>) -> Self {
        let seen = |places: &FxHashSet<Place<usize>>| places.iter().map(|place| place.seen(&name)).collect();
        Self { loads: seen(&self.loads), writes: seen(&self.writes), is_joint: self.is_joint }
    }

    /// # Errors
    /// Those of expanding its calls.
    pub fn of(id: FuncId, module: &Module) -> Result<Self, Diagnostics> {
        let function = expand_calls(module.functions[id].clone(), module, &|_| false)?;
        let roots = Roots::of(&function);
        let index_of = |root: Value| function.params.iter().position(|&param| param == root);
        let mut touched = Self::default();
        each_stmt(&function.body, &mut |stmt| {
            let StmtKind::Effect { result, effect, args } = &stmt.kind else { return };
            if let Effect::Wave(_) | Effect::Barrier | Effect::GroupSum = effect {
                touched.is_joint = true;
            }
            if let Effect::Wave(_) | Effect::Barrier = effect {
                return;
            }
            let place = Place::of(*effect, args, |address| roots.root(address).and_then(index_of));
            if effect.writes() {
                touched.writes.insert(place);
            }
            if result.is_some() {
                touched.loads.insert(place);
            }
        });
        Ok(touched)
    }
}
