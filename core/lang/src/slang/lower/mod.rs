//! Typed trees to IR: one IR function for each function and each set of generic arguments it is used with.
//! Cannot fail: what is wrong was found before.

mod action;
mod bits;
mod derivative;
mod dispatch;
mod entry;
mod expr;
mod function;
mod given;
mod global;
mod memory;
mod place;
mod pointer_pair;
mod shared;
mod signature;
mod stmt;
mod thrown;
mod tracked;
mod type_test;
mod view;

#[cfg(test)]
mod tests;

use self::view::View;
use super::check::count::Count;
use super::check::entry::Entry;
use super::check::hir::{Body, Expr, ExprKind};
use super::check::memory::BufferForm;
use super::check::pointer::PointerAccess;
use super::check::program::{FnId, GlobalKind, Lazy, MembersId, Program, Role, Signature};
use super::check::types::{Arg, Elem, Pairing, Shape, Subst, Ty};
use super::check::{Checked, Instance, is_differentiable};
use pullback_base::{Scalar, Span, bug, ids::Id};
use pullback_ir::derivative::pair_type;
use pullback_ir::{
    Constant, Derivatives, Derived, Direction, Field, FuncId, Interface, InterfaceParam, Module, Type,
};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The module of all functions without errors, and what they call.
pub fn lower(checked: &Checked<'_>) -> Module {
    let mut lowerer = Lowerer {
        program: &checked.program,
        bodies: &checked.bodies,
        asked: &checked.instances,
        instances: FxHashMap::default(),
        queue: Vec::new(),
        names: FxHashSet::default(),
        structs: FxHashMap::default(),
        globals: global::Globals::default(),
        derivatives: BTreeMap::new(),
        derived: FxHashMap::default(),
        needed: FxHashMap::default(),
        pair_forming: FxHashMap::default(),
        view: View::default(),
        cut_types: FxHashMap::default(),
    };
    let plain = checked.functions.iter().filter(|&&id| lowerer.signature(id).generics.is_empty());
    let plain: Vec<Instance> = plain.map(|&id| (id, Vec::new())).collect();
    let roots = plain.into_iter().chain(checked.instances.iter().cloned());
    for (id, args) in roots.filter(|(id, _)| checked.bodies.contains_key(id)) {
        let is_launched = |entry: &Entry| entry.function == id && entry.generics == args;
        let entry = checked.program.entries.iter().position(is_launched);
        let name = lowerer.instance_name(id, &args);
        if entry.is_none() && lowerer.has_statics(id, &args) {
            lowerer.enqueue(Task::Outermost(id, args.clone()), &name);
        }
        lowerer.instance(id, args);
        if let Some(entry) = entry {
            lowerer.enqueue(Task::Kernel(entry), &format!("{name}.kernel"));
        }
    }
    let mut module = Module::new();
    while module.functions.len() < lowerer.queue.len() {
        let next = FuncId::from_index(module.functions.len());
        let (task, name) = lowerer.queue[module.functions.len()].clone();
        lowerer.view = lowerer.view_of(next);
        let function = match task {
            Task::Instance((id, args), _) => {
                let title = lowerer.public_name(id, &args);
                let mut function = match (lowerer.pair_forming.get(&next), lowerer.dispatched(id, &args)) {
                    (Some(&forward), _) => pointer_pair::formed(&mut lowerer, next, forward, id, &name),
                    (None, Some(dispatch)) => dispatch::lower(&mut lowerer, id, &args, &name, dispatch),
                    (None, None) => function::lower(&mut lowerer, id, &args, &name),
                };
                function.title = Some(title);
                function
            }
            Task::Outermost(id, args) => entry::outermost(&mut lowerer, id, &args, &name),
            Task::Kernel(index) => {
                let (kernel, point) =
                    entry::kernel(&mut lowerer, &checked.program.entries[index], &name, next);
                module.entry_points.push(point);
                kernel
            }
            Task::Derived(derived) => lowerer.shell(derived, &name),
            Task::Adapter(adapter) => given::adapter(&mut lowerer, adapter, &name),
        };
        module.add(function);
    }
    module.cut_types = lowerer.cut_types;
    for (id, derivatives) in lowerer.derivatives {
        module.functions[id].derivatives = Some(Box::new(derivatives));
    }
    crate::entry::size_groups(&mut module);
    module
}

/// What an IR function is made of.
#[derive(Clone)]
enum Task {
    /// A function with its generic arguments, as seen so.
    Instance(Instance, View),
    /// A function for users around one that needs `static` variables.
    Outermost(FnId, Vec<Arg>),
    /// The kernel of the entry point of that number.
    Kernel(usize),
    /// A derivative of another function.
    Derived(Derived),
    /// A function given for the derivatives of another one, as those are called.
    Adapter(given::Adapter),
}

struct Lowerer<'c> {
    program: &'c Program<'c>,
    bodies: &'c FxHashMap<FnId, Arc<Body>>,
    /// Instances of generic functions that users call.
    asked: &'c [Instance],
    instances: FxHashMap<(Instance, View), FuncId>,
    /// In the order of their ids; those past the module's length are still to be lowered.
    queue: Vec<(Task, Arc<str>)>,
    /// How the functions differentiate of which derivatives are asked or given.
    derivatives: BTreeMap<FuncId, Derivatives>,
    derived: FxHashMap<Derived, FuncId>,
    /// In which views an instance differs.
    needed: FxHashMap<Instance, View>,
    /// For functions that give pointers in pairs what makes these.
    pair_forming: FxHashMap<FuncId, FuncId>,
    /// That of what is being lowered.
    view: View,
    cut_types: FxHashMap<Span, Arc<str>>,
    names: FxHashSet<Arc<str>>,
    /// Struct types by what the checker calls them, and whether pointers in them are pairs.
    structs: FxHashMap<(Ty, bool), Type>,
    globals: global::Globals,
}

impl<'c> Lowerer<'c> {
    fn signature(&self, id: FnId) -> &'c Signature {
        match &self.program.functions[id].signature {
            Lazy::Done(signature) => signature,
            _ => bug!("lower", "`{}` has no signature", self.program.functions[id].qualified),
        }
    }

    fn body(&self, id: FnId) -> &'c Body {
        match self.bodies.get(&id) {
            Some(body) => body,
            None => bug!("lower", "`{}` has no body", self.program.functions[id].qualified),
        }
    }

    /// The IR function of a task, to be lowered, by that name or one like it.
    fn enqueue(&mut self, task: Task, name: &str) -> FuncId {
        let func = FuncId::from_index(self.queue.len());
        let name = self.unique_name(name);
        self.queue.push((task, name));
        func
    }

    /// Whether users of the function need `static` variables set up.
    fn has_statics(&mut self, id: FnId, args: &[Arg]) -> bool {
        self.globals_of(id, args).iter().any(|&global| self.global_kind(global) == GlobalKind::Static)
    }

    /// `dot.f32.3`
    fn instance_name(&self, id: FnId, args: &[Arg]) -> String {
        let mut name = self.program.functions[id].public_name().to_string();
        push_args(&mut name, args, self.program);
        name
    }

    /// A second function of the name `f` is `f.1`.
    fn unique_name(&mut self, name: &str) -> Arc<str> {
        let mut unique: Arc<str> = name.into();
        let mut number = 0;
        while !self.names.insert(unique.clone()) {
            number += 1;
            unique = format!("{name}.{number}").into();
        }
        unique
    }

    /// The type of values of a type, here.
    fn ty(&mut self, ty: &Ty, subst: &Subst) -> Type {
        match ty.subst(self.program, subst) {
            ty @ Ty::Struct(..) if self.is_paired(&ty, &Subst::default()) => self.paired(&ty),
            Ty::Number(Elem::Scalar(scalar), shape) => match shape {
                Shape::Scalar => Type::Scalar(scalar),
                Shape::Vector(n) => Type::Vector(scalar, known(&n) as u8),
                Shape::Matrix(rows, columns) => {
                    Type::matrix(scalar, known(&rows) as u8, known(&columns) as u8)
                }
            },
            Ty::Array(element, count) => Type::array(self.ty(&element, subst), known(&count)),
            ty @ Ty::Interface(_) => self.structure(ty),
            ty @ (Ty::Struct(..) | Ty::Differential(_)) => self.structure(ty),
            Ty::Pair(pairing, of) => {
                let dual = self.program.dual(pairing, &of).unwrap_or(Ty::Error);
                let [of, dual] = [of.as_ref(), &dual].map(|ty| self.stored_ty(ty, &Subst::default()));
                match pairing {
                    Pairing::Tangent => pair_type(&of, &dual),
                    Pairing::Pointer => pointer_pair::pair_type(of, dual),
                }
            }
            Ty::Enum(id) => match self.program.enums[id].tag {
                Some(tag) => Type::Scalar(tag),
                None => bug!("lower", "`{}` has no tag", self.program.enums[id].name),
            },
            Ty::Buffer(kind, element) => {
                let element = self.stored_ty(&element, subst).in_order(kind.order);
                let field = |name: &str, ty| Field { name: name.into(), ty, no_diff: false };
                let (name, size) = match kind.form {
                    BufferForm::Structured | BufferForm::Typed => ("StructuredBuffer", "count"),
                    BufferForm::Bytes => ("ByteAddressBuffer", "bytes"),
                };
                Type::structure(name, vec![field("data", Type::pointer(element)), field(size, Type::I64)])
            }
            Ty::Atomic(scalar) => Type::Scalar(scalar),
            // Bytes, where nothing is told of what is there.
            Ty::Pointer(_, target) if *target == Ty::Void => Type::pointer(Type::Scalar(Scalar::U8)),
            Ty::Pointer(_, target) => Type::pointer(self.stored_ty(&target, subst)),
            other => bug!("lower", "{other:?} is no type of a value"),
        }
    }

    fn structure(&mut self, ty: Ty) -> Type {
        let key = (ty, self.view.pairs);
        if let Some(ty) = self.structs.get(&key) {
            return ty.clone();
        }
        let ty = &key.0;
        let fields = match ty {
            Ty::Interface(interface) => self.union(interface),
            _ => self.fields(ty),
        };
        let mut name = String::new();
        push_type_name(&mut name, ty, self.program);
        let mut structure = Type::structure(&name, fields);
        if self.view.pairs && structure != self.stored_ty(ty, &Subst::default()) {
            structure = Type::structure(&(name + ".paired"), self.fields(ty));
        }
        self.structs.insert(key, structure.clone());
        structure
    }

    fn fields(&mut self, ty: &Ty) -> Vec<Field> {
        let none = Subst::default();
        let fields = self.program.fields_of(ty);
        let lowered = fields.iter().map(|field| Field {
            name: field.name.clone(),
            ty: self.ty(&field.ty, &none).in_order(field.order),
            no_diff: field.no_diff,
        });
        lowered.collect()
    }

    /// The type of `this` in a method.
    fn this_ty(&mut self, owner: MembersId, subst: &Subst) -> Type {
        self.ty(&self.program.members[owner].this, subst)
    }

    /// `f`, or `f<float, 3>`.
    fn public_name(&self, id: FnId, args: &[Arg]) -> Arc<str> {
        let name = self.program.functions[id].public_name();
        if args.is_empty() {
            return name;
        }
        let args: Vec<String> = args.iter().map(|arg| self.program.show_arg(arg)).collect();
        format!("{name}<{}>", args.join(", ")).into()
    }

    /// How users see the function.
    fn interface(&mut self, id: FnId, args: &[Arg]) -> Option<Interface> {
        let function = &self.program.functions[id];
        let signature = self.signature(id);
        let is_asked = || self.asked.iter().any(|(asked, of)| *asked == id && of == args);
        if function.is_std || !(signature.generics.is_empty() || is_asked()) {
            return None;
        }
        let own: Subst = signature.generics.iter().copied().zip(args.iter().cloned()).collect();
        let mut params = Vec::new();
        if let (Role::Method { mutating }, Some(owner)) = (function.role, function.owner) {
            params.push(InterfaceParam {
                name: "this".into(),
                ty: self.this_ty(owner, &own),
                direction: if mutating { Direction::InOut } else { Direction::In },
                no_diff: false,
                default: None,
                span: function.ast.name.span,
            });
        }
        for param in &signature.params {
            params.push(InterfaceParam {
                name: param.name.clone(),
                ty: self.ty(&param.ty, &own),
                direction: param.direction,
                no_diff: param.no_diff,
                default: param.default.as_ref().map(|default| constant_leaves(self.program, default)),
                span: param.span,
            });
        }
        let used = self.globals_to_start(id, args);
        let globals = self.uniforms(&used).into_iter().map(|id| self.ir_global(id)).collect();
        Some(Interface {
            name: self.public_name(id, args),
            params,
            result: (signature.result != Ty::Void).then(|| self.ty(&signature.result, &own)),
            result_no_diff: signature.result_no_diff,
            differentiable: is_differentiable(function.decl),
            doc: function.decl.doc.clone().unwrap_or_else(|| "".into()),
            globals,
        })
    }
}

fn known(count: &Count) -> u32 {
    match count {
        Count::Known(n) if *n >= 0 => *n as u32,
        other => bug!("lower", "size {other:?} is not known"),
    }
}

/// `.f32.3`: generic arguments behind a name.
fn push_args(out: &mut String, args: &[Arg], program: &Program<'_>) {
    for arg in args {
        out.push('.');
        match arg {
            Arg::Type(ty) => push_type_name(out, ty, program),
            // A minus is no letter of names.
            Arg::Count(count) => out.push_str(&program.show_count(count).replace('-', "m")),
        }
    }
}

/// A type in letters that names of the text form may have: `f32`, `vec.f32.3`.
fn push_type_name(out: &mut String, ty: &Ty, program: &Program<'_>) {
    match ty {
        Ty::Number(Elem::Scalar(scalar), shape) => {
            out.push_str(match shape {
                Shape::Scalar => "",
                Shape::Vector(_) => "vec.",
                Shape::Matrix(..) => "mat.",
            });
            out.push_str(scalar.name());
            for size in shape.counts() {
                out.push('.');
                out.push_str(&program.show_count(size));
            }
        }
        Ty::Array(element, count) => {
            out.push_str("array.");
            push_type_name(out, element, program);
            out.push('.');
            out.push_str(&program.show_count(count));
        }
        Ty::Struct(id, args) => {
            out.push_str(&program.structs[*id].name);
            push_args(out, args, program);
        }
        Ty::Interface(interface) => {
            out.push_str(&program.interfaces[interface.id].name);
            push_args(out, &interface.args, program);
        }
        Ty::Enum(id) => out.push_str(&program.enums[*id].name),
        Ty::Buffer(kind, element) => {
            out.push_str(kind.name());
            out.push('.');
            push_type_name(out, element, program);
        }
        Ty::Pair(pairing, of) => {
            out.push_str(pairing.name());
            out.push('.');
            push_type_name(out, of, program);
        }
        Ty::Differential(of) => {
            push_type_name(out, of, program);
            out.push_str(".Differential");
        }
        Ty::Atomic(scalar) => {
            out.push_str("Atomic.");
            out.push_str(scalar.name());
        }
        Ty::Pointer(access, target) => {
            out.push_str(match access {
                PointerAccess::Read => "readptr.",
                PointerAccess::ReadWrite => "ptr.",
            });
            match &**target {
                Ty::Void => out.push_str("void"),
                target => push_type_name(out, target, program),
            }
        }
        other => bug!("lower", "{other:?} is no generic argument"),
    }
}

/// The leaves of a default value, which checking has made a tree of literals.
fn constant_leaves(program: &Program<'_>, expr: &Expr) -> Vec<Constant> {
    match (&expr.kind, program.scalar_of(&expr.ty)) {
        (ExprKind::Literal(literal), Some(scalar)) => vec![literal.constant(scalar)],
        (ExprKind::Construct(elements), _) => {
            elements.iter().flat_map(|element| constant_leaves(program, element)).collect()
        }
        (other, _) => bug!("lower", "{other:?} is no constant"),
    }
}
