//! Who looks at a function. Callers want all that it computes; `fwd_diff` and `bwd_diff` see some types otherwise (`tracked`,
//! `pointer_pair`). A function has an instance for each view in which it differs.

use super::{Lowerer, Task};
use crate::slang::check::Instance;
use crate::slang::check::program::FnId;
use crate::slang::check::recursion::each_callee;
use crate::slang::check::repeat::each_written;
use crate::slang::check::types::{Arg, Subst, Ty};
use pullback_base::ids::Id;
use pullback_ir::FuncId;
use rustc_hash::FxHashSet;

/// How a function is seen.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct View {
    /// Types without tangents carry none.
    pub tracks: bool,
    /// Differentiable pointers are pairs.
    pub pairs: bool,
}

impl View {
    /// That of `fwd_diff` and `bwd_diff`.
    pub const DIFFERENTIATED: View = View { tracks: true, pairs: true };

    /// What the names of its instances end in.
    pub fn suffix(self) -> &'static str {
        match (self.tracks, self.pairs) {
            (false, false) => "",
            (true, false) => ".tracked",
            (false, true) => ".paired",
            (true, true) => ".tracked.paired",
        }
    }

    fn or(self, other: View) -> View {
        View { tracks: self.tracks || other.tracks, pairs: self.pairs || other.pairs }
    }
}

impl Lowerer<'_> {
    /// The IR function of these generic arguments, for who is being lowered.
    pub fn instance(&mut self, id: FnId, args: Vec<Arg>) -> FuncId {
        let needed = if self.view == View::default() { self.view } else { self.needed_view(id, &args) };
        let view = View { tracks: self.view.tracks && needed.tracks, pairs: self.view.pairs && needed.pairs };
        let key = ((id, args), view);
        if let Some(&known) = self.instances.get(&key) {
            return known;
        }
        let ((id, args), _) = &key;
        let name = self.instance_name(*id, args) + view.suffix();
        let func = self.enqueue(Task::Instance((*id, args.clone()), view), &name);
        let has_given = self.has_given(*id, args);
        self.instances.insert(key, func);
        if has_given {
            self.derivatives(func);
        }
        func
    }

    /// How what is called by that is seen.
    pub fn view_of(&self, func: FuncId) -> View {
        match &self.queue[func.index()].0 {
            Task::Instance(_, view) => *view,
            Task::Derived(derived) => self.view_of(derived.of),
            Task::Adapter(adapter) => self.view_of(adapter.of),
            Task::Outermost(..) | Task::Kernel(_) => View::default(),
        }
    }

    /// Does something as another view has it.
    pub fn viewing<R>(&mut self, view: View, act: impl FnOnce(&mut Self) -> R) -> R {
        let outer = std::mem::replace(&mut self.view, view);
        let result = act(self);
        self.view = outer;
        result
    }

    /// In which views the function differs: something in it, or in what it calls, has floats without tangents, or pointers that
    /// can be paired.
    fn needed_view(&mut self, id: FnId, args: &[Arg]) -> View {
        let root = (id, args.to_vec());
        if let Some(&known) = self.needed.get(&root) {
            return known;
        }
        // What is given for a function may call it, so there may be circles.
        let (mut seen, mut open) = (FxHashSet::default(), vec![root.clone()]);
        let mut needed = View::default();
        while let Some(instance) = open.pop().filter(|_| needed != View::DIFFERENTIATED) {
            if let Some(&known) = self.needed.get(&instance) {
                needed = needed.or(known);
            } else if seen.insert(instance.clone()) {
                needed = needed.or(self.own_view(&instance, &mut open));
            }
        }
        self.needed.insert(root, needed);
        needed
    }

    /// In which views the function itself differs; what it calls is added to `callees`.
    fn own_view(&mut self, (id, args): &Instance, callees: &mut Vec<Instance>) -> View {
        let none = Subst::default();
        if let Some(dispatch) = self.dispatched(*id, args) {
            let tracks = self.hides(&dispatch.object_ty(), &none);
            callees.extend(dispatch.answers);
            return View { tracks, pairs: false };
        }
        let program = self.program;
        let function = &program.functions[*id];
        if function.op.is_some() {
            return View::default();
        }
        if function.is_std {
            let is_pointer = |arg: &Arg| matches!(arg, Arg::Type(ty) if self.has_pointer(ty, &none));
            return View { tracks: false, pairs: args.iter().any(is_pointer) };
        }
        let signature = self.signature(*id);
        let subst: Subst = signature.generics.iter().copied().zip(args.iter().cloned()).collect();
        let mut own = View { tracks: false, pairs: self.has_pointer(&signature.result, &subst) };
        for param in program.this_param(*id).iter().chain(&signature.params) {
            own = own.or(self.view_of_type(&param.ty, &subst));
        }
        each_written(program, &self.body(*id).block, &subst, &mut |expr, subst| {
            own = own.or(self.view_of_type(&expr.ty, subst));
            each_callee(program, expr, &mut |callee| callees.push(self.callee(callee, subst)));
        });
        callees.extend(program.given_for(*id, args).into_iter().map(|(_, instance)| instance));
        own
    }

    /// In which views values of a type differ.
    fn view_of_type(&mut self, ty: &Ty, subst: &Subst) -> View {
        View { tracks: self.hides(ty, subst), pairs: self.has_pointer(ty, subst) }
    }
}
