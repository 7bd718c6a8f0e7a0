//! The plans of a function's calls, found by signature and geometry. Readers do not block one another.

use crate::bind::Binding;
use crate::derive::{Derivation, derive};
use crate::error::Error;
use crate::overload::Overload;
use crate::plan::{Plan, PlanKey};
use crate::signature::Signature;
use crate::source::Source;
use parking_lot::{Mutex, RwLock};
use pullback_ir::{FuncId, Interface};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// The declarations that share a name, and the plans of their calls.
pub struct OverloadSet {
    pub name: Arc<str>,
    pub overloads: Vec<Arc<Overload>>,
    pub calls: Calls,
    derived: Mutex<FxHashMap<Derivation, Arc<OverloadSet>>>,
}

impl OverloadSet {
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), overloads: Vec::new(), calls: Calls::default(), derived: Mutex::default() }
    }

    pub fn add(&mut self, id: FuncId, interface: &Interface) {
        self.overloads.push(Arc::new(Overload::new(id, interface)));
    }

    /// The derivative, which shares its plans with all who ask for it.
    ///
    /// # Errors
    /// What keeps every declaration from having it.
    pub fn derived(&self, source: &Source, derivation: &Derivation) -> Result<Arc<OverloadSet>, Error> {
        if let Some(known) = self.derived.lock().get(derivation) {
            return Ok(known.clone());
        }
        let mut made = OverloadSet::new(&self.name);
        made.overloads = derive(&self.overloads, derivation).map_err(|why| source.error_of(why))?;
        let made = Arc::new(made);
        Ok(self.derived.lock().entry(derivation.clone()).or_insert(made).clone())
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
