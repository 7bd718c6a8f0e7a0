//! Modules, functions, blocks and statements.

use crate::{Constant, Derivatives, Derived, Effect, EntryPoint, Global, Op, Type};
use pullback_base::{IdVec, Span, id_type};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::sync::Arc;

id_type! {
    /// A value of a function.
    pub struct Value("%");
}

id_type! {
    /// A function of a module.
    pub struct FuncId("fn");
}

/// Functions that may call one another.
#[derive(Clone, Debug, Default)]
pub struct Module {
    pub functions: IdVec<FuncId, Function>,
    /// The kernels that the author declared to be launched as they are.
    pub entry_points: Vec<EntryPoint>,
    /// By the places of `cut` values the types that have no tangents, for messages; not part of the meaning.
    pub cut_types: FxHashMap<Span, Arc<str>>,
}

impl Module {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn add(&mut self, function: Function) -> FuncId {
        self.functions.push(function)
    }

    /// The function of that unique name.
    pub fn find(&self, name: &str) -> Option<FuncId> {
        self.functions.iter().find(|(_, f)| &*f.name == name).map(|(id, _)| id)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FunctionKind {
    Plain,
    Kernel,
}

/// A function. `body` yields the results; `params` are defined before it.
#[derive(Clone, Debug)]
pub struct Function {
    /// Unique in the module.
    pub name: Arc<str>,
    /// Its name in the source, for messages; not part of the meaning.
    pub title: Option<Arc<str>>,
    pub kind: FunctionKind,
    pub params: Vec<Value>,
    pub results: Vec<Type>,
    pub body: Block,
    pub values: IdVec<Value, ValueDecl>,
    /// Kernels: lanes of a group, 1 to 256. Lanes `n g ..= n g + n - 1` are group `g`.
    pub group_lanes: u32,
    /// The slots of memory a group's lanes share: scalars, pointers, or arrays of them (see
    /// [`crate::layout::shared_slots`]). A function that is called has none or its caller's.
    pub shared: Vec<Type>,
    /// How users see it; `None` for what the compiler made.
    pub interface: Option<Interface>,
    /// The derivative it is of another function, which gives it its body.
    pub derived: Option<Derived>,
    /// How it differentiates, where the language says so.
    pub derivatives: Option<Box<Derivatives>>,
    /// The declaration's name in the source.
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct ValueDecl {
    pub ty: Type,
    /// A hint for readers; not part of the meaning.
    pub name: Option<Arc<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    In,
    Out,
    InOut,
}

impl Direction {
    pub fn reads(self) -> bool {
        self != Direction::Out
    }

    pub fn writes(self) -> bool {
        self != Direction::In
    }

    pub fn name(self) -> &'static str {
        match self {
            Direction::In => "in",
            Direction::Out => "out",
            Direction::InOut => "inout",
        }
    }
}

/// A function as its author wrote it. The IR parameters are the `in` and `inout` parameters in
/// order, then the globals; the IR results are the return value (unless void), then the `out` and `inout`
/// parameters in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The name in the source; overloads share it. Methods are `Struct.name`.
    pub name: Arc<str>,
    pub params: Vec<InterfaceParam>,
    /// `None` for void.
    pub result: Option<Type>,
    /// The result carries no derivative.
    pub result_no_diff: bool,
    /// Marked `[Differentiable]`.
    pub differentiable: bool,
    pub doc: Arc<str>,
    /// What the function, or one that it calls, uses from outside of functions.
    pub globals: Vec<Global>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceParam {
    pub name: Arc<str>,
    pub ty: Type,
    pub direction: Direction,
    pub no_diff: bool,
    /// The default value's leaves, in the order of [`Type::leaves`].
    pub default: Option<Vec<Constant>>,
    pub span: Span,
}

/// Statements, then the values the block gives to what encloses it.
#[derive(Clone, Debug, Default)]
pub struct Block {
    pub stmts: Vec<Stmt>,
    pub yields: Vec<Value>,
}

#[derive(Clone, Debug)]
pub struct Stmt {
    pub kind: StmtKind,
    pub span: Span,
}

/// Operands of a statement.
pub type Args = SmallVec<[Value; 3]>;

#[derive(Clone, Debug)]
pub enum StmtKind {
    /// `result = op(args)`
    Let {
        result: Value,
        op: Op,
        args: Args,
    },
    /// Runs one arm; both yield `results`.
    If {
        results: Vec<Value>,
        condition: Value,
        then: Block,
        otherwise: Block,
    },
    /// Runs the case that lists the selector's value (an i32 or u32), or the default.
    Switch {
        results: Vec<Value>,
        selector: Value,
        cases: Vec<(Vec<i64>, Block)>,
        default: Block,
    },
    /// `params = inits; while head(params) { params = body(params) }; results = params`.
    /// The head yields one bool; what it defines is not visible in the body.
    Loop {
        results: Vec<Value>,
        inits: Vec<Value>,
        params: Vec<Value>,
        head: Block,
        body: Block,
        hints: LoopHints,
    },
    Call {
        results: Vec<Value>,
        callee: FuncId,
        args: Args,
    },
    /// Touches memory. Effects keep their order.
    Effect {
        result: Option<Value>,
        effect: Effect,
        args: Args,
    },
}

/// What the author said of a loop; never changes its meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoopHints {
    /// `[MaxIters(n)]`
    pub max_trips: Option<u32>,
    /// `[ForceUnroll]` or `[unroll]`
    pub unroll: bool,
}

impl Function {
    /// What messages call it.
    pub fn shown_name(&self) -> &str {
        let public = self.interface.as_ref().map(|interface| &interface.name);
        public.or(self.title.as_ref()).unwrap_or(&self.name)
    }

    pub fn ty(&self, value: Value) -> &Type {
        &self.values[value].ty
    }

    /// The scalar of a scalar, vector or matrix value.
    pub fn scalar(&self, value: Value) -> Option<pullback_base::Scalar> {
        self.ty(value).scalar()
    }

    pub fn new_value(&mut self, ty: Type) -> Value {
        self.values.push(ValueDecl { ty, name: None })
    }

    pub fn param_types(&self) -> Vec<Type> {
        self.params.iter().map(|&p| self.ty(p).clone()).collect()
    }
}

impl StmtKind {
    /// The values it defines in the enclosing block.
    pub fn results(&self) -> &[Value] {
        match self {
            StmtKind::Let { result, .. } => std::slice::from_ref(result),
            StmtKind::If { results, .. }
            | StmtKind::Switch { results, .. }
            | StmtKind::Loop { results, .. }
            | StmtKind::Call { results, .. } => results,
            StmtKind::Effect { result, .. } => result.as_slice(),
        }
    }

    /// As [`StmtKind::results`], to change them.
    pub fn results_mut(&mut self) -> &mut [Value] {
        match self {
            StmtKind::Let { result, .. } => std::slice::from_mut(result),
            StmtKind::If { results, .. }
            | StmtKind::Switch { results, .. }
            | StmtKind::Loop { results, .. }
            | StmtKind::Call { results, .. } => results,
            StmtKind::Effect { result, .. } => result.as_mut_slice(),
        }
    }

    /// Whether it writes memory itself, or calls what may. Loads and the blocks within do not count.
    pub fn has_effect(&self) -> bool {
        match self {
            StmtKind::Call { .. } => true,
            StmtKind::Effect { effect, .. } => effect.writes(),
            _ => false,
        }
    }

    /// The blocks it holds, in order.
    pub fn blocks(&self) -> Vec<&Block> {
        match self {
            StmtKind::Let { .. } | StmtKind::Call { .. } | StmtKind::Effect { .. } => Vec::new(),
            StmtKind::If { then, otherwise, .. } => vec![then, otherwise],
            StmtKind::Switch { cases, default, .. } => {
                cases.iter().map(|(_, block)| block).chain([default]).collect()
            }
            StmtKind::Loop { head, body, .. } => vec![head, body],
        }
    }

    /// As [`StmtKind::blocks`], to change them.
    pub fn blocks_mut(&mut self) -> Vec<&mut Block> {
        match self {
            StmtKind::Let { .. } | StmtKind::Call { .. } | StmtKind::Effect { .. } => Vec::new(),
            StmtKind::If { then, otherwise, .. } => vec![then, otherwise],
            StmtKind::Switch { cases, default, .. } => {
                cases.iter_mut().map(|(_, block)| block).chain([default]).collect()
            }
            StmtKind::Loop { head, body, .. } => vec![head, body],
        }
    }

    /// The values it reads itself (not those its blocks read).
    pub fn operands(&self) -> &[Value] {
        match self {
            StmtKind::Let { args, .. } | StmtKind::Call { args, .. } | StmtKind::Effect { args, .. } => args,
            StmtKind::If { condition, .. } => std::slice::from_ref(condition),
            StmtKind::Switch { selector, .. } => std::slice::from_ref(selector),
            StmtKind::Loop { inits, .. } => inits,
        }
    }

    /// As [`StmtKind::operands`], to change them.
    pub fn operands_mut(&mut self) -> &mut [Value] {
        match self {
            StmtKind::Let { args, .. } | StmtKind::Call { args, .. } | StmtKind::Effect { args, .. } => args,
            StmtKind::If { condition, .. } => std::slice::from_mut(condition),
            StmtKind::Switch { selector, .. } => std::slice::from_mut(selector),
            StmtKind::Loop { inits, .. } => inits,
        }
    }
}
