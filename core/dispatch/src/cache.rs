//! The plans of a function's calls, found by signature and geometry. Readers do not block one another.

use crate::bind::Binding;
use crate::overload::Overload;
use crate::plan::{Plan, PlanKey};
use crate::signature::Signature;
use parking_lot::RwLock;
use pullback_ir::{FuncId, Interface};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// The declarations that share a name, and the plans of their calls.
pub struct OverloadSet {
    pub name: Arc<str>,
    pub overloads: Vec<Overload>,
    pub calls: Calls,
}

impl OverloadSet {
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), overloads: Vec::new(), calls: Calls::default() }
    }

    pub fn add(&mut self, id: FuncId, interface: &Interface) {
        self.overloads.push(Overload::new(id, interface));
    }
}

/// Signature to binding, binding to plans.
#[derive(Default)]
pub struct Calls {
    bound: RwLock<FxHashMap<Signature, Arc<BoundCall>>>,
}

/// A binding and the plans made for it, one per geometry class.
pub struct BoundCall {
    pub binding: Binding,
    plans: RwLock<Vec<(PlanKey, Arc<Plan>)>>,
}

impl Calls {
    /// The binding of a signature, made on the first call. What fails is not kept.
    pub fn bound<E>(
        &self,
        signature: Signature,
        bind: impl FnOnce() -> Result<Binding, E>,
    ) -> Result<Arc<BoundCall>, E> {
        if let Some(call) = self.bound.read().get(&signature) {
            return Ok(call.clone());
        }
        let call = Arc::new(BoundCall { binding: bind()?, plans: RwLock::default() });
        Ok(self.bound.write().entry(signature).or_insert(call).clone())
    }
}

impl BoundCall {
    /// The plan of a geometry class. Two threads may build the same plan at once; the first one stays.
    pub fn plan<E>(&self, key: &PlanKey, build: impl FnOnce() -> Result<Plan, E>) -> Result<Arc<Plan>, E> {
        let find = |plans: &[(PlanKey, Arc<Plan>)]| {
            plans.iter().find(|(known, _)| known == key).map(|(_, plan)| plan.clone())
        };
        if let Some(plan) = find(&self.plans.read()) {
            return Ok(plan);
        }
        let plan = Arc::new(build()?);
        let mut plans = self.plans.write();
        if let Some(first) = find(&plans) {
            return Ok(first);
        }
        plans.push((key.clone(), plan.clone()));
        Ok(plan)
    }
}
