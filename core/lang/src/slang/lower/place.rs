//! Places: a variable and the way to a part of it. Indices are evaluated once.

use super::function::FunctionLowerer;
use super::memory::Memory;
use crate::slang::check::hir::{Accessors, Expr, ExprKind, Pick};
use crate::slang::check::types::Ty;
use crate::ssa::Var;
use pullback_base::bug;
use pullback_ir::{Op, Type, Value};
use smallvec::SmallVec;

pub struct Place {
    root: Root,
    steps: Vec<Step>,
}

#[derive(Clone, Copy)]
enum Root {
    Var(Var),
    Memory(Memory),
}

enum Step {
    Element { index: u32, detached: bool },
    Index(Value),
    Swizzle(SmallVec<[u8; 4]>),
    Components(SmallVec<[(u8, u8); 4]>),
    Property { accessors: Box<Accessors>, args: Vec<Value> },
}

impl FunctionLowerer<'_, '_> {
    pub fn place(&mut self, expr: &Expr) -> Place {
        match &expr.kind {
            ExprKind::Local(local) => Place { root: Root::Var(self.var(*local)), steps: Vec::new() },
            ExprKind::Global(id) => Place { root: Root::Var(self.global(*id)), steps: Vec::new() },
            ExprKind::Memory(access) => Place { root: Root::Memory(self.access(access)), steps: Vec::new() },
            ExprKind::Pick(base, pick) => {
                let mut place = self.place(base);
                let step = self.step(pick);
                place.steps.push(step);
                place
            }
            // What a setter that leaves its object alone is asked of.
            _ => {
                let value = self.expr(expr);
                Place { root: Root::Var(self.ssa.declare_with(value, None)), steps: Vec::new() }
            }
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
        let mut value = self.read_root(place.root);
        for step in &place.steps {
            value = self.picked(value, step);
        }
        value
    }

    pub fn write_place(&mut self, place: &Place, value: Value) {
        let whole = if place.steps.is_empty() { value } else { self.read_root(place.root) };
        let whole = self.replaced(whole, &place.steps, value);
        match place.root {
            Root::Var(var) => self.ssa.write(var, whole),
            Root::Memory(memory) => self.store(memory, whole),
        }
    }

    fn read_root(&mut self, root: Root) -> Value {
        match root {
            Root::Var(var) => self.ssa.read(var),
            Root::Memory(memory) => self.load(memory),
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
                if *detached { self.detached(value) } else { value }
            }
            Step::Index(index) => self.ssa.op(Op::ElementGet, &[base, *index]),
            Step::Property { accessors, args } => {
                let args: Vec<Value> = std::iter::once(base).chain(args.iter().copied()).collect();
                self.call_callee(&accessors.get, &accessors.ty, &args)[0]
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
                Step::Element { index, .. } => self.ssa.extract(base, *index),
                other => self.picked(base, other),
            };
            self.replaced(old, rest, value)
        };
        match step {
            Step::Element { index, .. } => self.ssa.op(Op::Insert(*index), &[base, part]),
            Step::Index(index) => self.ssa.op(Op::ElementSet, &[base, *index, part]),
            Step::Property { accessors, args } => {
                let Some(set) = &accessors.set else { bug!("lower", "a property without a setter") };
                let args = std::iter::once(base).chain(args.iter().copied()).chain([part]);
                let args: Vec<Value> = args.collect();
                self.call_callee(set, &Ty::Void, &args).first().copied().unwrap_or(base)
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
