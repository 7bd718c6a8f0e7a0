//! One declaration of a function, taken apart into the slots that arguments fill.

use crate::error::Error;
use crate::slot::{Slot, accepted, slots};
use crate::source::Source;
use pullback_ir as ir;
use pullback_ir::{FuncId, Interface};
use std::sync::{Arc, OnceLock};

/// One declaration, taken apart into slots.
pub struct Overload {
    pub id: FuncId,
    pub interface: Interface,
    /// Per parameter: its slots among the flattened parameters (none for `out`), then among the flattened results
    /// (none for `in`). `None` when a part of its type cannot be an argument.
    pub params: Vec<Option<ParamSlots>>,
    /// The return value's slots.
    pub returned: Option<Vec<Slot>>,
    flat: OnceLock<Result<Arc<ir::Function>, Error>>,
}

pub struct ParamSlots {
    pub inputs: Vec<Slot>,
    pub outputs: Vec<Slot>,
}

impl Overload {
    pub fn new(id: FuncId, interface: &Interface) -> Self {
        let returned = match &interface.result {
            Some(ty) => slots("result", ty, interface.result_no_diff, 0),
            None => Some(Vec::new()),
        };
        let mut next_result = interface.result.as_ref().map_or(0, |ty| ty.leaves().len());
        let mut next_param = 0;
        let mut params = Vec::new();
        for param in &interface.params {
            let count = param.ty.leaves().len();
            let at = |first: usize| slots(&param.name, &param.ty, param.no_diff, first);
            let inputs = if param.direction.reads() { at(next_param) } else { Some(Vec::new()) };
            let outputs = if param.direction.writes() { at(next_result) } else { Some(Vec::new()) };
            next_param += if param.direction.reads() { count } else { 0 };
            next_result += if param.direction.writes() { count } else { 0 };
            params.push(inputs.zip(outputs).map(|(inputs, outputs)| ParamSlots { inputs, outputs }));
        }
        Self { id, interface: interface.clone(), params, returned, flat: OnceLock::new() }
    }

    /// `polynomial(a: float32, b: float32)`, for messages.
    pub fn describe(&self) -> String {
        let params: Vec<String> =
            self.interface.params.iter().map(|p| format!("{}: {}", p.name, accepted(&p.ty))).collect();
        format!("{}({})", self.interface.name, params.join(", "))
    }

    /// The function in scalar form with a flat signature.
    pub fn flat(&self, source: &Source) -> Result<Arc<ir::Function>, Error> {
        let flatten = || {
            pullback_passes::pipeline::flatten(&source.ir, self.id)
                .map(Arc::new)
                .map_err(|diagnostics| source.error(diagnostics))
        };
        self.flat.get_or_init(flatten).clone()
    }
}
