//! What must hold of a module before it is emitted or interpreted. A violation is a bug of ours.

use crate::effects::slot_element;
use crate::{
    Block, Effect, FuncId, Function, FunctionKind, Module, Stmt, StmtKind, Type, Value, derivative::Signature,
};
use pullback_base::GROUP_LANES;
use rustc_hash::FxHashSet;
use std::ops::Deref;

/// A module that passed [`verify`]: the only input of code generation and interpretation.
#[derive(Clone, Debug)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

/// One violation: the function, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyError {
    pub function: String,
    pub message: String,
}

impl std::fmt::Display for VerifyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "@{}: {}", self.function, self.message)
    }
}

/// Checks definitions before uses, types, yields, calls, and where effects may stand.
pub fn verify(module: Module) -> Result<Verified<Module>, Vec<VerifyError>> {
    let mut errors = Vec::new();
    let mut names = FxHashSet::default();
    for function in module.functions.values() {
        let mut checker = Checker {
            module: &module,
            function,
            scope: Vec::new(),
            visible: FxHashSet::default(),
            defined: FxHashSet::default(),
            errors: &mut errors,
        };
        if !names.insert(&function.name) {
            checker.fail("its name is taken");
        }
        checker.function();
    }
    entry_points(&module, &mut errors);
    if errors.is_empty() { Ok(Verified(module)) } else { Err(errors) }
}

/// An entry point's kernel takes what the entry point says.
fn entry_points(module: &Module, errors: &mut Vec<VerifyError>) {
    for entry in &module.entry_points {
        let leaves = entry.globals.iter().flat_map(|global| global.ty.leaves());
        let wanted: Vec<Type> = leaves.chain([Type::U32, Type::U32, Type::U32]).collect();
        let fits = module
            .functions
            .get(entry.kernel)
            .is_some_and(|kernel| kernel.kind == FunctionKind::Kernel && kernel.param_types() == wanted);
        if !fits {
            let message = format!("its kernel does not take {wanted:?}");
            errors.push(VerifyError { function: format!("entry {}", entry.name), message });
        }
    }
}

struct Checker<'a> {
    module: &'a Module,
    function: &'a Function,
    /// What is visible, as a stack: leaving a block cuts it back.
    scope: Vec<Value>,
    visible: FxHashSet<Value>,
    defined: FxHashSet<Value>,
    errors: &'a mut Vec<VerifyError>,
}

impl Checker<'_> {
    fn fail(&mut self, message: impl Into<String>) {
        self.errors.push(VerifyError { function: self.function.name.to_string(), message: message.into() });
    }

    fn function(&mut self) {
        let function = self.function;
        if function.kind == FunctionKind::Kernel {
            if !function.results.is_empty() {
                self.fail("a kernel has results");
            }
            for ty in function.param_types() {
                if !matches!(ty, Type::Scalar(_) | Type::Pointer(_)) {
                    self.fail(format!("a kernel parameter has type {ty}"));
                }
            }
        }
        self.shared();
        for &param in &function.params {
            self.define(param);
        }
        self.derivatives();
        if function.derived.is_none() {
            self.block(&function.body, &function.results, true);
        }
    }

    /// What it says of derivatives agrees with the signatures of those.
    fn derivatives(&mut self) {
        let function = self.function;
        if let Some(derivatives) = &function.derivatives {
            if let Some(why) = derivatives.mismatch(function) {
                self.fail(why);
            }
            let is = |id: Option<FuncId>, (params, results): Signature| {
                let Some(id) = id else { return true };
                let other = self.module.functions.get(id);
                other.is_some_and(|other| other.param_types() == params && other.results == results)
            };
            let fits = is(derivatives.forward, derivatives.forward_signature())
                && is(derivatives.backward, derivatives.backward_signature())
                && is(derivatives.substitute, (function.param_types(), function.results.clone()));
            if !fits {
                self.fail("a derivative given for it has another signature");
            }
        }
        if let Some(derived) = function.derived {
            let of = self.module.functions.get(derived.of).and_then(|of| of.derivatives.as_ref());
            let signature = (function.param_types(), function.results.clone());
            if of.map(|of| of.signature(derived.mode)) != Some(signature) {
                self.fail("it is a derivative of a function with another signature");
            }
        }
    }

    fn define(&mut self, value: Value) {
        if self.function.values.get(value).is_none() {
            return self.fail(format!("{value} has no declaration"));
        }
        if !self.defined.insert(value) {
            self.fail(format!("{value} is defined twice"));
        }
        self.scope.push(value);
        self.visible.insert(value);
    }

    /// Ends the scope of what was defined since the stack had that depth.
    fn leave(&mut self, depth: usize) {
        for value in self.scope.drain(depth..) {
            self.visible.remove(&value);
        }
    }

    /// The operand's type; an error and `None` when it is not visible here.
    fn operand(&mut self, value: Value) -> Option<Type> {
        if self.visible.contains(&value) {
            return Some(self.function.ty(value).clone());
        }
        self.fail(format!("{value} is used where it is not visible"));
        None
    }

    fn operands(&mut self, values: &[Value]) -> Option<Vec<Type>> {
        values.iter().map(|&value| self.operand(value)).collect()
    }

    fn expect(&mut self, what: &str, values: &[Value], types: &[Type]) {
        if let Some(found) = self.operands(values)
            && found != types
        {
            self.fail(format!("{what}: {found:?} where {types:?} is needed"));
        }
    }

    fn types(&self, values: &[Value]) -> Vec<Type> {
        values.iter().filter_map(|&v| self.function.values.get(v)).map(|decl| decl.ty.clone()).collect()
    }

    fn block(&mut self, block: &Block, yields: &[Type], outermost: bool) {
        let depth = self.scope.len();
        for stmt in &block.stmts {
            self.stmt(stmt, outermost);
        }
        self.expect("yield", &block.yields, yields);
        self.leave(depth);
    }

    fn stmt(&mut self, stmt: &Stmt, outermost: bool) {
        match &stmt.kind {
            StmtKind::Let { result, op, args } => {
                if let Some(types) = self.operands(args) {
                    let types: Vec<&Type> = types.iter().collect();
                    match op.result_type(&types) {
                        Ok(ty) if self.types(&[*result]) == [ty.clone()] => {}
                        Ok(ty) => self.fail(format!("{result} = {} has type {ty}", op.name())),
                        Err(why) => self.fail(why),
                    }
                }
                if matches!(op, crate::Op::LaneId) && self.function.kind != FunctionKind::Kernel {
                    self.fail("lane_id outside a kernel");
                }
            }
            StmtKind::If { results, condition, then, otherwise } => {
                self.expect("if", &[*condition], &[Type::BOOL]);
                let types = self.types(results);
                self.block(then, &types, false);
                self.block(otherwise, &types, false);
            }
            StmtKind::Switch { results, selector, cases, default } => {
                if let Some(ty) = self.operand(*selector)
                    && ty != Type::I32
                    && ty != Type::U32
                {
                    self.fail(format!("switch over {ty}"));
                }
                let types = self.types(results);
                for (_, block) in cases {
                    self.block(block, &types, false);
                }
                self.block(default, &types, false);
                let mut seen = FxHashSet::default();
                if !cases.iter().flat_map(|(values, _)| values).all(|value| seen.insert(*value)) {
                    self.fail("switch lists a value twice");
                }
            }
            StmtKind::Loop { results, inits, params, head, body, .. } => {
                let types = self.types(params);
                self.expect("loop", inits, &types);
                if self.types(results) != types {
                    self.fail("loop results differ from its parameters");
                }
                let depth = self.scope.len();
                for &param in params {
                    self.define(param);
                }
                self.block(head, &[Type::BOOL], false);
                self.block(body, &types, false);
                self.leave(depth);
            }
            StmtKind::Call { results, callee, args } => {
                let Some(target) = self.module.functions.get(*callee) else {
                    return self.fail(format!("call of {callee}, which does not exist"));
                };
                // A flat call has a value per leaf: in scalar form, of a function with derivatives of its own.
                let leaves = |types: &[Type]| -> Vec<Type> {
                    types.iter().flat_map(Type::leaves).map(|leaf| leaf.leaf_in_scalar_form()).collect()
                };
                let params = target.param_types();
                let is_flat = self.types(args) != params || self.types(results) != target.results;
                let form = |types: &[Type]| if is_flat { leaves(types) } else { types.to_vec() };
                self.expect("call", args, &form(&params));
                if self.types(results) != form(&target.results) {
                    self.fail(format!("call of @{} has other results", target.name));
                }
                if !target.shared.is_empty() && target.shared != self.function.shared {
                    self.fail(format!("@{} shares other memory", target.name));
                }
                if target.kind == FunctionKind::Kernel {
                    self.fail(format!("call of kernel @{}", target.name));
                }
            }
            StmtKind::Effect { result, effect, args } => self.effect(*result, *effect, args, outermost),
        }
        for &result in stmt.kind.results() {
            self.define(result);
        }
    }

    fn effect(&mut self, result: Option<Value>, effect: Effect, args: &[Value], outermost: bool) {
        let Some(types) = self.operands(args) else { return };
        let types: Vec<&Type> = types.iter().collect();
        match effect.result_type(&self.function.shared, &types) {
            Ok(ty) if self.types(result.as_slice()) == ty.as_slice() => {}
            Ok(ty) => self.fail(format!("`{effect}` gives {:?}", ty.as_slice())),
            Err(why) => self.fail(why),
        }
        let kernel = self.function.kind == FunctionKind::Kernel;
        if effect == Effect::GroupSum && !(outermost && kernel && self.function.group_lanes == GROUP_LANES) {
            self.fail("group_sum stands inside a region, outside a kernel, or in a group of another size");
        }
    }

    fn shared(&mut self) {
        for (slot, ty) in self.function.shared.iter().enumerate() {
            let element = slot_element(ty);
            if !matches!(element, Type::Scalar(_) | Type::Pointer(_)) {
                self.fail(format!("shared slot {slot} has type {ty}"));
            }
        }
        if !(1..=GROUP_LANES).contains(&self.function.group_lanes) {
            self.fail(format!("groups of {} lanes", self.function.group_lanes));
        }
    }
}
