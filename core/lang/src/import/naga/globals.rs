//! What a function uses from outside of functions: bindings, which callers give, variables that begin anew with
//! each call, and what a workgroup shares.
//!
//! A uniform is a value. In a storage buffer arrays, and whatever the text writes, stand in memory; its other members
//! are values.

use super::function::{FunctionLowering, Place, Step, Term, root};
use super::interface::refused;
use super::{Origin, Refused, memory, types, uses};
use crate::shared::Shared;
use crate::ssa::Ssa;
use naga::valid::{FunctionInfo, GlobalUse};
use naga::{AddressSpace, Arena, ArraySize, Expression, GlobalVariable, Handle, Statement, TypeInner};
use pullback_base::bug;
use pullback_ir::layout::shared_slots;
use pullback_ir::{Global, Op, Type, Value};
use rustc_hash::FxHashSet;

pub type GlobalId = Handle<GlobalVariable>;

/// The globals of a function and of those that it calls.
#[derive(Clone, Default)]
pub struct Globals {
    /// Uniforms and buffers: parameters, in the order of their names.
    pub bindings: Vec<GlobalId>,
    /// Parameters and results of the function within, local to the one that users call.
    pub privates: Vec<GlobalId>,
    /// Whether it uses what a workgroup shares.
    pub uses_shared: bool,
}

/// With what a private variable begins.
pub enum Start<'a> {
    Zero,
    Constant(&'a Arena<Expression>, Handle<Expression>),
    /// An input of the pipeline, which entry points give it.
    Input,
    /// Something that only an entry point knows.
    Computed,
}

impl Start<'_> {
    /// What an entry point gives; a noun phrase.
    pub fn unknown(&self) -> Option<&'static str> {
        match self {
            Start::Zero | Start::Constant(..) => None,
            Start::Input => Some("an input of the pipeline"),
            Start::Computed => Some("a variable that an entry point sets up"),
        }
    }
}

fn is_struct(source: &naga::Module, id: GlobalId) -> bool {
    matches!(source.types[source.global_variables[id].ty].inner, TypeInner::Struct { .. })
}

/// The bindings that a text writes: all of them, or a member of a struct.
pub type Written = FxHashSet<(GlobalId, Option<u32>)>;

pub fn written(source: &naga::Module) -> Written {
    let mut written = Written::default();
    let functions = source.functions.iter().map(|(_, function)| function);
    for function in functions.chain(source.entry_points.iter().map(|entry| &entry.function)) {
        uses::each_statement(&function.body, &mut |statement| {
            if let Statement::Store { pointer, .. } | Statement::Atomic { pointer, .. } = statement {
                let (root, member) = root(function, *pointer);
                if let Expression::GlobalVariable(id) = *root {
                    written.insert((id, member.filter(|_| is_struct(source, id))));
                }
            }
        });
    }
    written
}

/// The variables that a workgroup shares; one whose type we lack is refused where it is used.
pub fn shared(source: &naga::Module, types: &types::Types) -> Vec<(GlobalId, Type)> {
    let shared = source.global_variables.iter().filter(|(_, global)| global.space == AddressSpace::WorkGroup);
    shared.filter_map(|(id, global)| Some((id, types.get(global.ty).ok()?))).collect()
}

impl Globals {
    /// Those that cannot be had are left out: where they are used they are refused.
    pub fn of(origin: &Origin<'_>, info: &FunctionInfo) -> Globals {
        let mut globals = Globals::default();
        for (id, global) in origin.source.global_variables.iter() {
            if info[id].is_empty() || lacking(origin, id).is_some() {
                continue;
            }
            match global.space {
                AddressSpace::Private => globals.privates.push(id),
                AddressSpace::WorkGroup => globals.uses_shared = true,
                _ => globals.bindings.push(id),
            }
        }
        // The order of declarations is lost in compiled modules.
        globals.bindings.sort_by_cached_key(|&id| parts(origin, id).first().map(|part| part.name.clone()));
        globals
    }

    /// The bindings as users give them.
    ///
    /// # Errors
    /// Two of one name.
    pub fn interface(&self, origin: &Origin<'_>) -> Result<Vec<Global>, Refused> {
        let mut all: Vec<Global> = Vec::new();
        for part in self.bindings.iter().flat_map(|&id| parts(origin, id)) {
            if all.iter().any(|other| other.name == part.name) {
                return Err(refused("a binding of the same name as another one", part.span));
            }
            all.push(part);
        }
        Ok(all)
    }
}

/// What we lack for a global; a noun phrase.
pub fn lacking(origin: &Origin<'_>, id: GlobalId) -> Option<String> {
    let global = &origin.source.global_variables[id];
    match global.space {
        AddressSpace::Uniform | AddressSpace::Storage { .. } | AddressSpace::Immediate => {
            let unnamed = |part: &Global| part.name.is_empty();
            match binding_type(origin, id) {
                Ok(_) if parts(origin, id).iter().any(unnamed) => Some("a binding without a name".into()),
                Ok(_) => None,
                Err(what) => Some(what),
            }
        }
        AddressSpace::Private | AddressSpace::WorkGroup => origin.types.get(global.ty).err(),
        AddressSpace::Handle => Some(match &origin.source.types[global.ty].inner {
            TypeInner::Sampler { .. } => "a sampler".into(),
            TypeInner::AccelerationStructure { .. } => "ray tracing".into(),
            _ => "a texture".into(),
        }),
        _ => Some("a global variable".into()),
    }
}

/// Whether users give the members of a binding by their own names.
fn comes_apart(origin: &Origin<'_>, id: GlobalId) -> bool {
    let global = &origin.source.global_variables[id];
    global.name.as_deref().unwrap_or("").is_empty() && is_struct(origin.source, id)
}

/// The type of a binding's value.
fn binding_type(origin: &Origin<'_>, id: GlobalId) -> Result<Type, String> {
    let global = &origin.source.global_variables[id];
    let in_memory = |member| {
        held(origin, id, member).map(|ty| match ty {
            Type::Array(element, _) => memory::buffer(Type::clone(&element)),
            alone => memory::buffer(alone),
        })
    };
    let ty = &origin.source.types[global.ty];
    let TypeInner::Struct { members, .. } = &ty.inner else {
        return in_memory(None).map_or_else(|| origin.types.get(global.ty), Ok);
    };
    let fields: Result<Vec<_>, String> = members
        .iter()
        .enumerate()
        .map(|(index, member)| {
            let ty = in_memory(Some(index as u32)).map_or_else(|| origin.types.get(member.ty), Ok)?;
            Ok(types::field(origin.source, global.ty, index, ty))
        })
        .collect();
    Ok(Type::structure(ty.name.as_deref().unwrap_or(""), fields?))
}

/// The type of a storage buffer or of a member of one, where that stands in memory and has a size.
pub fn held(origin: &Origin<'_>, id: GlobalId, member: Option<u32>) -> Option<Type> {
    let global = &origin.source.global_variables[id];
    let AddressSpace::Storage { .. } = global.space else { return None };
    let ty = match (&origin.source.types[global.ty].inner, member) {
        (TypeInner::Struct { members, .. }, Some(index)) => members[index as usize].ty,
        (TypeInner::Struct { .. }, None) | (_, Some(_)) => return None,
        _ => global.ty,
    };
    match origin.source.types[ty].inner {
        TypeInner::Array { size: ArraySize::Dynamic, .. } => None,
        TypeInner::Array { base, size, .. } => {
            Some(Type::array(origin.types.get(base).ok()?, types::length(origin.overrides, size)?))
        }
        _ if origin.written.contains(&(id, member)) || origin.written.contains(&(id, None)) => {
            origin.types.get(ty).ok()
        }
        _ => None,
    }
}

/// A binding as users give it: itself, or the members of a block without a name, which a text calls by their own.
fn parts(origin: &Origin<'_>, id: GlobalId) -> Vec<Global> {
    let global = &origin.source.global_variables[id];
    let span = origin.span(origin.source.global_variables.get_span(id));
    let name = global.name.as_deref().unwrap_or("");
    match binding_type(origin, id) {
        Ok(Type::Struct(structure)) if comes_apart(origin, id) => structure
            .fields
            .iter()
            .map(|field| Global { name: field.name.clone(), ty: field.ty.clone(), span })
            .collect(),
        Ok(ty) => vec![Global { name: name.into(), ty, span }],
        Err(_) => Vec::new(),
    }
}

pub fn is_runtime_array(source: &naga::Module, ty: Handle<naga::Type>) -> bool {
    matches!(source.types[ty].inner, TypeInner::Array { size: naga::ArraySize::Dynamic, .. })
}

/// Takes a binding as parameters.
pub fn parameters(origin: &Origin<'_>, ssa: &mut Ssa, id: GlobalId) -> Vec<Value> {
    parts(origin, id).iter().map(|part| ssa.param(part.ty.clone(), &part.name)).collect()
}

/// A binding's value, of its parts.
pub fn joined(origin: &Origin<'_>, ssa: &mut Ssa, id: GlobalId, parts: &[Value]) -> Value {
    match (parts, binding_type(origin, id)) {
        (parts, Ok(ty)) if comes_apart(origin, id) => ssa.op(Op::Construct(ty), parts),
        (&[whole], _) => whole,
        _ => bug!("wgsl", "a binding without a value"),
    }
}

/// A binding's parts, of its value.
pub fn taken_apart(origin: &Origin<'_>, ssa: &mut Ssa, id: GlobalId, whole: Value) -> Vec<Value> {
    match comes_apart(origin, id) {
        true => (0..parts(origin, id).len() as u32).map(|index| ssa.extract(whole, index)).collect(),
        false => vec![whole],
    }
}

/// Texts other than WGSL may set variables up in the entry point.
pub fn start<'a>(origin: &Origin<'a>, id: GlobalId) -> Start<'a> {
    let source = origin.source;
    if let Some(init) = source.global_variables[id].init {
        return Start::Constant(&source.global_expressions, init);
    }
    if origin.read.starts_are_values {
        return Start::Zero;
    }
    let mut starting: Vec<&naga::Function> =
        source.entry_points.iter().map(|entry| &entry.function).collect();
    starting.extend(origin.read.made.map(|made| &source.functions[made]));
    // In a compiled module, what an entry point sets up and what its author wrote in it are not told apart.
    let is_certain = !origin.read.is_binary;
    if origin.read.is_binary {
        starting.extend(origin.bodies.iter().map(|&body| &source.functions[body]));
    }
    let mut found = Start::Zero;
    for function in starting {
        uses::each_statement(&function.body, &mut |statement| {
            let (pointer, value) = match statement {
                Statement::Store { pointer, value } => (*pointer, Some(*value)),
                Statement::Atomic { pointer, .. } => (*pointer, None),
                _ => return,
            };
            if !matches!(*root(function, pointer).0, Expression::GlobalVariable(global) if global == id) {
                return;
            }
            let whole = matches!(function.expressions[pointer], Expression::GlobalVariable(_));
            found = match (&found, value) {
                (_, Some(value)) if is_input(function, value) => Start::Input,
                (Start::Zero, Some(value)) if whole && is_certain && is_constant(function, value) => {
                    Start::Constant(&function.expressions, value)
                }
                (Start::Input, _) => Start::Input,
                _ => Start::Computed,
            };
        });
    }
    found
}

fn is_input(function: &naga::Function, value: Handle<Expression>) -> bool {
    match &function.expressions[value] {
        Expression::FunctionArgument(_) => true,
        Expression::AccessIndex { base, .. } => is_input(function, *base),
        Expression::As { expr, .. } => is_input(function, *expr),
        _ => false,
    }
}

fn is_constant(function: &naga::Function, value: Handle<Expression>) -> bool {
    match &function.expressions[value] {
        Expression::Literal(_) | Expression::Constant(_) | Expression::ZeroValue(_) => true,
        Expression::Compose { components, .. } => components.iter().all(|&part| is_constant(function, part)),
        Expression::Splat { value, .. } => is_constant(function, *value),
        _ => false,
    }
}

/// Whether a call changes something outside of functions.
pub fn writes(origin: &Origin<'_>, function: Handle<naga::Function>) -> bool {
    let writing = GlobalUse::WRITE | GlobalUse::ATOMIC;
    let mut ids = origin.source.global_variables.iter().map(|(id, _)| id);
    ids.any(|id| origin.checked[function][id].intersects(writing))
}

impl FunctionLowering<'_> {
    /// A function that uses what a workgroup shares, itself or through what it calls, knows the slots of all.
    pub fn share(&mut self, globals: &Globals) {
        if globals.uses_shared {
            self.ssa.function_mut().shared =
                self.origin.shared.iter().flat_map(|(_, ty)| shared_slots(ty)).collect();
        }
    }

    /// Gives the private variables their first values; those that an entry point sets up begin with zero.
    pub fn start_privates(&mut self, globals: &Globals) -> Result<(), Refused> {
        for &id in &globals.privates {
            let global = &self.origin.source.global_variables[id];
            let name = global.name.as_deref();
            let var = match start(self.origin, id) {
                Start::Constant(arena, init) => {
                    let value = self.constant(arena, init)?;
                    self.ssa.declare_with(value, name)
                }
                Start::Zero | Start::Input | Start::Computed => match self.origin.types.get(global.ty) {
                    Ok(ty) => self.ssa.declare(ty, name),
                    Err(what) => return self.refuse(&what),
                },
            };
            self.globals.insert(id, var);
        }
        Ok(())
    }

    pub fn global(&mut self, id: GlobalId) -> Result<Term, Refused> {
        if let Some(number) = self.origin.shared.iter().position(|(shared, _)| *shared == id) {
            let types: Vec<Type> = self.origin.shared.iter().map(|(_, ty)| ty.clone()).collect();
            return Ok(Term::Shared(Shared::variable(&mut self.ssa, &types, number)));
        }
        let Some(&var) = self.globals.get(&id) else {
            let what = lacking(self.origin, id);
            return self.refuse(what.as_deref().unwrap_or("a global variable"));
        };
        let place = Place { var, path: Vec::new() };
        Ok(match held(self.origin, id, None) {
            Some(ty) => Term::Memory(self.held(&place, ty)),
            None => Term::Place(place),
        })
    }

    /// The type of a member of a binding, where that stands in memory.
    pub fn held_member(&self, place: &Place, step: Step) -> Option<Type> {
        match step {
            Step::Element(index) if place.path.is_empty() => {
                held(self.origin, self.binding(place)?, Some(index))
            }
            _ => None,
        }
    }

    /// Whether a place is a storage buffer that comes apart in members.
    pub fn is_whole_binding(&self, place: &Place) -> bool {
        let source = self.origin.source;
        let is_storage =
            |id: GlobalId| matches!(source.global_variables[id].space, AddressSpace::Storage { .. });
        let comes_apart = |id: GlobalId| is_storage(id) && is_struct(source, id);
        place.path.is_empty() && self.binding(place).is_some_and(comes_apart)
    }

    fn binding(&self, place: &Place) -> Option<GlobalId> {
        let id = self.globals.iter().find(|&(_, &var)| var == place.var).map(|(&id, _)| id)?;
        (self.origin.source.global_variables[id].space != AddressSpace::Private).then_some(id)
    }
}
