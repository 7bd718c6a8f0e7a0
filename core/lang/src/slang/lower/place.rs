//! Places: a variable and the way to a part of it. Indices are evaluated once.

use super::function::FunctionLowerer;
use super::memory::Memory;
use crate::shared::Shared;
use crate::slang::check::hir::{Accessors, Expr, ExprKind, Pick};
use crate::slang::check::program::GlobalKind;
use crate::ssa::Var;
use pullback_base::bug;
use pullback_ir::{AtomicOp, Op, Type, Value};
use smallvec::SmallVec;

pub struct Place {
    root: Root,
    steps: Vec<Step>,
    /// Whether it is in memory, and a `no_diff` field: what is there carries no derivative.
    is_constant: bool,
}

#[derive(Clone)]
enum Root {
    Var(Var),
    Memory(Memory),
    Shared(Shared),
}

enum Step {
    /// The first part of a pair of pointers. What is no pair stands for itself.
    Pointer,
    Element {
        index: u32,
        detached: bool,
    },
    Index(Value),
    Swizzle(SmallVec<[u8; 4]>),
    Components(SmallVec<[(u8, u8); 4]>),
    Property {
        accessors: Box<Accessors>,
        args: Vec<Value>,
    },
}

/// The type of what an index picks, be there no elements.
pub fn indexed(whole: &Type) -> Type {
    match whole {
        Type::Array(element, _) => Type::clone(element),
        other => match other.element(0) {
            Some(element) => element,
            None => bug!("lower", "{other} has no elements"),
        },
    }
}

impl FunctionLowerer<'_, '_> {
    pub fn place(&mut self, expr: &Expr) -> Place {
        let root = match &expr.kind {
            ExprKind::Local(local) => Root::Var(self.var(*local)),
            ExprKind::Global(id) if self.lowerer.global_kind(*id) == GlobalKind::Shared => {
                Root::Shared(self.shared(*id))
            }
            ExprKind::Global(id) => Root::Var(self.global(*id)),
            ExprKind::Memory(access) => {
                let ty = self.stored_ty(&expr.ty);
                Root::Memory(self.access(access, &ty))
            }
            ExprKind::Pick(base, pick) => {
                let mut place = self.place(base);
                if self.is_paired(&base.ty) && !matches!(pick, Pick::Property(_)) {
                    self.narrow(&mut place, Step::Pointer);
                }
                let step = self.step(pick);
                self.narrow(&mut place, step);
                return place;
            }
            // What a setter that leaves its object alone is asked of.
            _ => {
                let value = self.expr(expr);
                Root::Var(self.ssa.declare_with(value, None))
            }
        };
        Place { root, steps: Vec::new(), is_constant: false }
    }

    /// Whether the expression is a place in memory, so that a part of it is read without the rest.
    pub fn stands_in_memory(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Memory(_) => true,
            ExprKind::Global(id) => self.lowerer.global_kind(*id) == GlobalKind::Shared,
            ExprKind::Pick(base, _) => self.stands_in_memory(base),
            _ => false,
        }
    }

    /// Goes on to a part. In memory a part has an address of its own, so that writing it leaves alone what other lanes
    /// write beside it.
    fn narrow(&mut self, place: &mut Place, step: Step) {
        let step = match (place.steps.pop(), step) {
            (None, step) => step,
            (Some(Step::Swizzle(picks)), Step::Element { index, detached }) => {
                Step::Element { index: u32::from(picks[index as usize]), detached }
            }
            (Some(Step::Swizzle(picks)), Step::Swizzle(inner)) => {
                Step::Swizzle(inner.iter().map(|&pick| picks[usize::from(pick)]).collect())
            }
            (Some(before), step) => {
                place.steps.push(before);
                return place.steps.push(step);
            }
        };
        if !place.steps.is_empty() {
            return place.steps.push(step);
        }
        match (&place.root, step) {
            (Root::Memory(memory), Step::Element { index, detached }) => {
                place.is_constant |= detached;
                place.root = Root::Memory(self.memory_element(*memory, index));
            }
            (Root::Memory(memory), Step::Index(index)) => {
                place.root = Root::Memory(self.memory_at(*memory, index));
            }
            (Root::Shared(shared), Step::Element { index, detached }) => {
                place.is_constant |= detached;
                place.root = Root::Shared(shared.element(&mut self.ssa, index));
            }
            (Root::Shared(shared), Step::Index(index)) => {
                place.root = Root::Shared(shared.at(&mut self.ssa, index, indexed(&shared.ty)));
            }
            // No pairs lie there.
            (Root::Memory(_) | Root::Shared(_), Step::Pointer) => {}
            (_, step) => place.steps.push(step),
        }
    }

    fn step(&mut self, pick: &Pick) -> Step {
        match pick {
            Pick::Element { index, detached } => Step::Element { index: *index, detached: *detached },
            Pick::Index(index) => Step::Index(self.expr(index)),
            Pick::Swizzle(picks) => Step::Swizzle(picks.clone()),
            Pick::Components(picks) => Step::Components(picks.clone()),
            Pick::Property(accessors) => {
                let args = accessors.args.iter().map(|arg| self.expr(arg)).collect();
                Step::Property { accessors: accessors.clone(), args }
            }
        }
    }

    pub fn read_place(&mut self, place: &Place) -> Value {
        let mut value = self.read_root(&place.root);
        for step in &place.steps {
            value = self.picked(value, step);
        }
        if place.is_constant { self.constant(value) } else { value }
    }

    pub fn write_place(&mut self, place: &Place, value: Value) {
        let value = if place.is_constant { self.constant(value) } else { value };
        if let (Root::Memory(_) | Root::Shared(_), [step @ (Step::Swizzle(_) | Step::Components(_))]) =
            (&place.root, &place.steps[..])
        {
            return self.write_components(&place.root, step, value);
        }
        let whole = if place.steps.is_empty() { value } else { self.read_root(&place.root) };
        let whole = self.replaced(whole, &place.steps, value);
        let whole = self.as_root(&place.root, whole);
        self.write_root(&place.root, whole);
    }

    /// Writes single components to memory, and nothing beside them.
    fn write_components(&mut self, root: &Root, step: &Step, value: Value) {
        let paths: Vec<SmallVec<[u8; 2]>> = match step {
            Step::Swizzle(picks) => picks.iter().map(|&pick| SmallVec::from_slice(&[pick])).collect(),
            Step::Components(picks) => {
                picks.iter().map(|&(row, column)| SmallVec::from_slice(&[row, column])).collect()
            }
            _ => bug!("lower", "no components are picked"),
        };
        for (from, path) in paths.into_iter().enumerate() {
            let component = self.ssa.extract(value, from as u32);
            let mut at = root.clone();
            for index in path {
                at = match &at {
                    Root::Memory(memory) => Root::Memory(self.memory_element(*memory, index.into())),
                    Root::Shared(shared) => Root::Shared(shared.element(&mut self.ssa, index.into())),
                    Root::Var(_) => bug!("lower", "a variable is not in memory"),
                };
            }
            self.write_root(&at, component);
        }
    }

    /// The value as it stands there: no pairs do in memory and in globals.
    fn as_root(&mut self, root: &Root, value: Value) -> Value {
        if !self.lowerer.view.pairs {
            return value;
        }
        let ty = match root {
            Root::Var(var) => self.ssa.var_ty(*var).clone(),
            Root::Memory(memory) => self.memory_ty(*memory),
            Root::Shared(shared) => shared.ty.clone(),
        };
        self.fitted(value, &ty)
    }

    fn write_root(&mut self, root: &Root, value: Value) {
        match root {
            Root::Var(var) => self.ssa.write(*var, value),
            Root::Memory(memory) => self.store(*memory, value),
            Root::Shared(shared) => shared.store(&mut self.ssa, value),
        }
    }

    fn read_root(&mut self, root: &Root) -> Value {
        match root {
            Root::Var(var) => self.ssa.read(*var),
            Root::Memory(memory) => self.load(*memory),
            Root::Shared(shared) => shared.load(&mut self.ssa),
        }
    }

    /// The address of a place in memory.
    pub fn address(&mut self, place: &Expr) -> Value {
        let place = self.place(place);
        match (place.root, &place.steps[..]) {
            (Root::Memory(memory), []) => memory.pointer,
            _ => bug!("lower", "a place outside of memory has no address"),
        }
    }

    /// An atomic operation on a scalar in memory; gives the old value.
    pub fn atomic_place(&mut self, place: &Place, op: AtomicOp, values: &[Value]) -> Value {
        match &place.root {
            Root::Memory(memory) => self.atomic(*memory, op, values),
            Root::Shared(shared) => shared.atomic(&mut self.ssa, op, values),
            Root::Var(_) => bug!("lower", "no lanes share a variable"),
        }
    }

    /// The part of a value that an expression picks.
    pub fn pick(&mut self, base: Value, pick: &Pick) -> Value {
        let step = self.step(pick);
        self.picked(base, &step)
    }

    fn picked(&mut self, base: Value, step: &Step) -> Value {
        match step {
            Step::Element { index, detached } => {
                let value = self.ssa.extract(base, *index);
                let value = self.by_rows(value);
                if *detached { self.constant(value) } else { value }
            }
            Step::Pointer => self.primal_part(base),
            Step::Index(index) => match self.ssa.ty(base).clone() {
                // No index is inside.
                Type::Array(element, 0) => self.ssa.zero(&element),
                _ => self.ssa.op(Op::ElementGet, &[base, *index]),
            },
            Step::Property { accessors, args } => {
                let args: Vec<Value> = std::iter::once(base).chain(args.iter().copied()).collect();
                self.call_callee(&accessors.get, &args)[0]
            }
            Step::Swizzle(picks) => self.ssa.op(Op::Swizzle(picks.clone()), &[base]),
            Step::Components(picks) => {
                let components: Vec<Value> = picks
                    .iter()
                    .map(|&(row, column)| {
                        let row = self.ssa.extract(base, u32::from(row));
                        self.ssa.extract(row, u32::from(column))
                    })
                    .collect();
                match self.ssa.ty(components[0]).scalar() {
                    Some(scalar) => {
                        let ty = Type::Vector(scalar, components.len() as u8);
                        self.ssa.op(Op::Construct(ty), &components)
                    }
                    None => bug!("lower", "components are not scalars"),
                }
            }
        }
    }

    /// `base` with the part at the end of the steps replaced.
    fn replaced(&mut self, base: Value, steps: &[Step], value: Value) -> Value {
        let Some((step, rest)) = steps.split_first() else { return value };
        let part = if rest.is_empty() {
            value
        } else {
            let old = match step {
                Step::Element { index, .. } => {
                    let old = self.ssa.extract(base, *index);
                    self.by_rows(old)
                }
                other => self.picked(base, other),
            };
            self.replaced(old, rest, value)
        };
        match step {
            Step::Pointer => self.with_primal_part(base, part),
            Step::Element { index, .. } => {
                let whole = self.ssa.ty(base).clone();
                let part = self.as_element(part, &whole, *index);
                self.ssa.op(Op::Insert(*index), &[base, part])
            }
            Step::Index(index) => {
                let whole = self.ssa.ty(base).clone();
                // No index is inside.
                if matches!(whole, Type::Array(_, 0)) {
                    return base;
                }
                let part = self.as_element(part, &whole, 0);
                self.ssa.op(Op::ElementSet, &[base, *index, part])
            }
            Step::Property { accessors, args } => {
                let Some(set) = &accessors.set else { bug!("lower", "a property without a setter") };
                let args = std::iter::once(base).chain(args.iter().copied()).chain([part]);
                let args: Vec<Value> = args.collect();
                self.call_callee(set, &args).first().copied().unwrap_or(base)
            }
            Step::Swizzle(picks) => {
                let mut whole = base;
                for (from, &to) in picks.iter().enumerate() {
                    let component = self.ssa.extract(part, from as u32);
                    whole = self.ssa.op(Op::Insert(u32::from(to)), &[whole, component]);
                }
                whole
            }
            Step::Components(picks) => {
                let mut whole = base;
                for (from, &(row, column)) in picks.iter().enumerate() {
                    let component = self.ssa.extract(part, from as u32);
                    let old = self.ssa.extract(whole, u32::from(row));
                    let new = self.ssa.op(Op::Insert(u32::from(column)), &[old, component]);
                    whole = self.ssa.op(Op::Insert(u32::from(row)), &[whole, new]);
                }
                whole
            }
        }
    }
}
