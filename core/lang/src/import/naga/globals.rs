//! What a function uses from outside of functions: bindings, which callers give, and variables that begin anew with
//! each call.

use super::Origin;
use super::function::{FunctionLowering, root_global};
use super::parse::Main;
use super::uses;
use crate::ssa::Ssa;
use naga::valid::GlobalUse;
use naga::{AddressSpace, Arena, Expression, GlobalVariable, Handle, Statement, TypeInner};
use pullback_base::{Code, Diagnostic, Span, bug};
use pullback_ir::{Global, Op, Type, Value};

use super::{Refused, interface::refused};

pub type GlobalId = Handle<GlobalVariable>;

/// The globals of a function and of those that it calls.
#[derive(Clone, Default)]
pub struct Globals {
    /// Uniforms and buffers: parameters, in the order of their names.
    pub bindings: Vec<GlobalId>,
    /// Parameters and results of the function within, local to the one that users call.
    pub privates: Vec<GlobalId>,
}

/// With what a private variable begins.
pub enum Start<'a> {
    Zero,
    Constant(&'a Arena<Expression>, Handle<Expression>),
    /// Something that only an entry point knows: a noun phrase.
    Unknown(&'static str),
}

impl Globals {
    /// Those that cannot be had are left out: where they are used they are refused.
    pub fn of(origin: &Origin<'_>, function: Handle<naga::Function>) -> Globals {
        let mut globals = Globals::default();
        for (id, global) in origin.source.global_variables.iter() {
            if origin.checked[function][id].is_empty() || lacking(origin, id).is_some() {
                continue;
            }
            match global.space {
                AddressSpace::Private => globals.privates.push(id),
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
            match origin.types.get(global.ty) {
                Ok(_) if parts(origin, id).iter().any(unnamed) => Some("a binding without a name".into()),
                Ok(_) => None,
                Err(what) => Some(what),
            }
        }
        AddressSpace::Private => match (start(origin, id), origin.types.get(global.ty)) {
            (Start::Unknown(what), _) => Some(what.into()),
            (_, Err(what)) => Some(what),
            _ => None,
        },
        AddressSpace::WorkGroup => Some("a workgroup variable".into()),
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
    global.name.as_deref().unwrap_or("").is_empty()
        && matches!(origin.source.types[global.ty].inner, TypeInner::Struct { .. })
}

/// A binding as users give it: itself, or the members of a block without a name, which a text calls by their own.
fn parts(origin: &Origin<'_>, id: GlobalId) -> Vec<Global> {
    let global = &origin.source.global_variables[id];
    let span = origin.span(origin.source.global_variables.get_span(id));
    let name = global.name.as_deref().unwrap_or("");
    match origin.types.get(global.ty) {
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
    match (parts, origin.types.get(origin.source.global_variables[id].ty)) {
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
    // In a compiled module, what an entry point sets up and what its author wrote in it are not told apart.
    let mut is_certain = true;
    match origin.read.main {
        Main::Made { calling, .. } => starting.extend(calling.map(|calling| &source.functions[calling])),
        Main::Own if origin.read.is_binary => {
            is_certain = false;
            let called = starting.iter().flat_map(|function| super::function::callees(function));
            let called: Vec<_> = called.map(|called| &source.functions[called]).collect();
            starting.extend(called);
        }
        Main::Own => {}
    }
    let mut found = Start::Zero;
    for function in starting {
        uses::each_statement(&function.body, &mut |statement| {
            let (pointer, value) = match statement {
                Statement::Store { pointer, value } => (*pointer, Some(*value)),
                Statement::Atomic { pointer, .. } => (*pointer, None),
                _ => return,
            };
            if root_global(function, pointer) != Some(id) {
                return;
            }
            let whole = matches!(function.expressions[pointer], Expression::GlobalVariable(_));
            found = match (&found, value) {
                (_, Some(value)) if is_input(function, value) => Start::Unknown("an input of the pipeline"),
                (Start::Zero, Some(value)) if whole && is_certain && is_constant(function, value) => {
                    Start::Constant(&function.expressions, value)
                }
                (&Start::Unknown(what), _) => Start::Unknown(what),
                _ => Start::Unknown("a variable that an entry point sets up"),
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
    /// Gives the private variables their first values.
    pub fn start_privates(&mut self, globals: &Globals) -> Result<(), Refused> {
        for &id in &globals.privates {
            let global = &self.origin.source.global_variables[id];
            let name = global.name.as_deref();
            let var = match start(self.origin, id) {
                Start::Constant(arena, init) => {
                    let value = self.constant(arena, init)?;
                    self.ssa.declare_with(value, name)
                }
                _ => match self.origin.types.get(global.ty) {
                    Ok(ty) => self.ssa.declare(ty, name),
                    Err(what) => return self.refuse(&what),
                },
            };
            self.globals.insert(id, var);
        }
        Ok(())
    }
}

/// A write to what is passed by value.
pub fn not_written(span: Span) -> Refused {
    let message = "a write to a binding is supported in arrays of open size only";
    Box::new(
        Diagnostic::error(Code::UnsupportedFeature, message)
            .at(span, "written here")
            .help("bind an array without a size, like `array<f32>` or `float x[]`"),
    )
}
