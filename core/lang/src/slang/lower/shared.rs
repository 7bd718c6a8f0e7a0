//! `groupshared` variables, and the functions that know them.

use super::Lowerer;
use super::function::FunctionLowerer;
use crate::shared::Shared;
use crate::slang::check::program::{GlobalId, GlobalKind};
use pullback_ir::Type;
use pullback_ir::layout::shared_slots;

impl Lowerer<'_> {
    /// The slots of all `groupshared` variables, in the order of their declarations.
    pub fn shared_memory(&mut self) -> Vec<Type> {
        self.shared_types().iter().flat_map(shared_slots).collect()
    }

    fn shared_globals(&self) -> Vec<GlobalId> {
        self.program.globals.ids().filter(|&id| self.global_kind(id) == GlobalKind::Shared).collect()
    }

    fn shared_types(&mut self) -> Vec<Type> {
        self.shared_globals().into_iter().map(|id| self.global_type(id)).collect()
    }
}

impl FunctionLowerer<'_, '_> {
    /// A function that uses `groupshared` variables, itself or through what it calls, knows the slots of all.
    pub fn share(&mut self, used: &[GlobalId]) {
        if used.iter().any(|&id| self.lowerer.global_kind(id) == GlobalKind::Shared) {
            let shared = self.lowerer.shared_memory();
            self.ssa.function_mut().shared = shared;
        }
    }

    pub fn shared(&mut self, id: GlobalId) -> Shared {
        let number = self.lowerer.shared_globals().iter().take_while(|&&other| other != id).count();
        let types = self.lowerer.shared_types();
        Shared::variable(&mut self.ssa, &types, number)
    }
}
