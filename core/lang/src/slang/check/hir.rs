//! The typed tree: what checking makes and lowering reads. Names are ids, conversions are explicit, and
//! generic parameters may still stand in the types.

use super::count::Count;
use super::program::{ConstId, FnId, GlobalId, RequirementId};
use super::types::{Arg, ParamId, Ty};
use pullback_base::{IdVec, Span, id_type};
use pullback_ir::{AtomicOp, DerivativeMode, LoopHints, Op, WaveOp};
use smallvec::SmallVec;
use std::sync::Arc;

id_type! {
    /// A variable or parameter of a function.
    pub struct LocalId("local");
}

#[derive(Debug)]
pub struct Local {
    pub name: Arc<str>,
    pub ty: Ty,
    pub span: Span,
    /// May be written: not a `let`, a `const` or `this` of a function that does not mutate it.
    pub mutable: bool,
    /// What the name stands for: the value of a `const` local, which a constant expression may need, or a static variable.
    pub constant: Option<Arc<Expr>>,
}

/// A function's checked body.
#[derive(Debug)]
pub struct Body {
    pub locals: IdVec<LocalId, Local>,
    /// `this` first, where the function has one.
    pub params: Vec<LocalId>,
    pub block: Vec<Stmt>,
}

#[derive(Debug)]
pub struct Stmt {
    pub kind: StmtKind,
    pub span: Span,
}

#[derive(Debug)]
pub enum StmtKind {
    /// The variable comes to be, with a value or zero.
    Let(LocalId, Option<Expr>),
    Expr(Expr),
    Block(Vec<Stmt>),
    If(Expr, Vec<Stmt>, Vec<Stmt>),
    Loop(Box<Loop>),
    Repeat(Box<Repeat>),
    DoCatch(Box<DoCatch>),
    /// Runs where control leaves the block that holds it, after those behind it.
    Defer(Arc<[Stmt]>),
    Switch(Expr, Vec<Case>),
    /// Leaves the innermost loop or `switch`, or one around it: so many further out.
    Break(usize),
    Continue,
    Return(Option<Expr>),
}

#[derive(Debug)]
pub struct Loop {
    /// `None`: only a jump ends it.
    pub condition: Option<Expr>,
    /// The condition is tested after a turn, not before it.
    pub test_last: bool,
    pub body: Vec<Stmt>,
    pub step: Option<Expr>,
    pub hints: LoopHints,
}

/// `$for`: the statements are written out for each number of a range, which their generic parameter stands for.
#[derive(Debug)]
pub struct Repeat {
    pub counter: ParamId,
    pub from: Count,
    pub to: Count,
    pub body: Vec<Stmt>,
}

/// A body that errors leave: they set `which` to the number of the handler that then runs, from 1 on.
#[derive(Debug)]
pub struct DoCatch {
    pub which: LocalId,
    /// For each handler where its error goes.
    pub errors: Vec<LocalId>,
    pub body: Vec<Stmt>,
    pub handlers: Vec<Vec<Stmt>>,
}

#[derive(Debug)]
pub struct Case {
    pub values: Vec<i64>,
    pub is_default: bool,
    pub body: Vec<Stmt>,
}

#[derive(Clone, Debug)]
pub struct Expr {
    pub kind: ExprKind,
    pub ty: Ty,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Literal {
    Bool(bool),
    /// Wide enough for all integer types.
    Int(i128),
    Float(f64),
}

/// Which elements of its base an expression picks.
#[derive(Clone, Debug)]
pub enum Pick {
    /// Component, row, array element or field of that number; `detached` for a `no_diff` field.
    Element {
        index: u32,
        detached: bool,
    },
    Index(Box<Expr>),
    /// Components of a vector, as a vector of at least two.
    Swizzle(SmallVec<[u8; 4]>),
    /// What accessors of the base give and take.
    Property(Box<Accessors>),
    /// Row and column of each component.
    Components(SmallVec<[(u8, u8); 4]>),
}

/// A way to something in memory.
#[derive(Clone, Debug)]
pub enum Access {
    /// `buffer[index]`: outside of the buffer, reads give zero and writes do nothing.
    Element { buffer: Expr, index: Expr },
    /// A value at a byte offset in a buffer of bytes, guarded likewise.
    Bytes { buffer: Expr, offset: Expr },
    /// What a pointer leads to.
    Target { pointer: Expr },
}

impl Access {
    /// The expressions it is made of, in the order of their evaluation.
    pub fn operands(&self) -> impl Iterator<Item = &Expr> {
        let (first, second) = match self {
            Access::Element { buffer, index } => (buffer, Some(index)),
            Access::Bytes { buffer, offset } => (buffer, Some(offset)),
            Access::Target { pointer } => (pointer, None),
        };
        std::iter::once(first).chain(second)
    }
}

/// How a property or subscript is read and written.
#[derive(Clone, Debug)]
pub struct Accessors {
    pub get: Callee,
    pub set: Option<Callee>,
    /// The indices of a subscript.
    pub args: Vec<Expr>,
}

/// What only an effect can do.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// The operands are a place in memory that lanes share, and values; gives the old value.
    Atomic(AtomicOp),
    Barrier,
    Wave(WaveOp),
    /// Whether all lanes of the wave have the same number.
    AllEqual,
}

#[derive(Clone, Debug)]
pub enum ExprKind {
    /// Reported; a function that holds one is not lowered.
    Error,
    Literal(Literal),
    /// A generic number.
    Param(ParamId),
    Local(LocalId),
    Constant(ConstId),
    /// The constant of a type that an interface asks for.
    Required(Ty, RequirementId),
    Global(GlobalId),
    /// What stands in memory, which may be a place.
    Memory(Box<Access>),
    /// The address of a place that stands in memory.
    Address(Box<Expr>),
    Action(Action, Vec<Expr>),
    /// Bytes that values of the type take in memory.
    SizeOf(Ty),
    /// Zero, false, or an aggregate of them.
    Zero,
    /// A component-wise operation; the operands have the types it takes.
    Op(Op, Vec<Expr>),
    /// The number in the expression's type: other scalar, splat, or the first components.
    Convert(Box<Expr>),
    /// The value as one of an interface's type.
    Erase(Box<Expr>),
    /// The bytes of the value, as it lies in memory, as those of the expression's type.
    Reinterpret(Box<Expr>),
    /// Whether a value of type `of` is one of type `ty`, or conforms to the interface that this is. Without a value the type is asked.
    Is {
        value: Option<Box<Expr>>,
        of: Ty,
        ty: Ty,
    },
    /// The value where it is one of the type that the expression's optional type holds, else none.
    As(Box<Expr>),
    /// A value of an interface's type: the bytes as a value of the conforming type that has the number `id`.
    Object {
        id: Box<Expr>,
        bytes: Box<Expr>,
    },
    /// An aggregate from its elements.
    Construct(Vec<Expr>),
    /// A vector or matrix from all components of the operands in order.
    Compose(Vec<Expr>),
    Pick(Box<Expr>, Pick),
    Call(Call),
    /// Gives the value written.
    Assign {
        place: Box<Expr>,
        value: Box<Expr>,
    },
    /// `place = op(place, operand)`, computed in the operand's type.
    Modify {
        op: Op,
        place: Box<Expr>,
        operand: Box<Expr>,
        gives_old: bool,
    },
    /// `place = value`, where `old` in `value` stands for what the place held.
    Update {
        place: Box<Expr>,
        old: LocalId,
        value: Box<Expr>,
        gives_old: bool,
    },
    /// Gives the local its value, and gives that.
    Hold {
        local: LocalId,
        value: Box<Expr>,
    },
    Conditional {
        condition: Box<Expr>,
        then: Box<Expr>,
        otherwise: Box<Expr>,
    },
    /// `a && b` and `a || b` of single bools.
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Comma(Vec<Expr>),
    /// The expression where these generic parameters, of another declaration, stand for that.
    Under(Vec<(ParamId, Arg)>, Box<Expr>),
    /// `static_assert`, which does nothing once it holds.
    Assert {
        condition: Box<Expr>,
        message: Arc<str>,
    },
    /// A call, which puts what it has thrown into `thrown`: `failed` runs where there is any, and leads away.
    Attempt {
        call: Box<Expr>,
        thrown: LocalId,
        failed: Arc<[Stmt]>,
    },
    /// The sum of two tangents, or a number times a tangent.
    Tangent(TangentOp, Box<[Expr; 2]>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TangentOp {
    Add,
    Scale,
}

/// What a call runs.
#[derive(Clone, Debug)]
pub enum Callee {
    /// A derivative of what is called.
    Derivative { mode: DerivativeMode, of: Box<Callee> },
    /// A function, and what its generic parameters stand for, in their order.
    Function { id: FnId, generics: Vec<Arg> },
    /// What an interface asks for, as the type `this` gives it: found when that is known. The generic arguments are those of
    /// the function that states the requirement.
    Requirement {
        this: Ty,
        requirement: RequirementId,
        generics: Vec<Arg>,
        /// The first argument is a value of that type, which may tell it: always so for methods.
        by_object: bool,
    },
}

#[derive(Clone, Debug)]
pub struct Call {
    pub callee: Callee,
    /// `this` first. For `out` and `inout` parameters, places.
    pub args: Vec<Expr>,
    /// Under `no_diff`: what it gives and writes carries no derivative.
    pub detached: bool,
}

impl Callee {
    /// What is called, or differentiated to be called.
    pub fn primal(&self) -> &Callee {
        match self {
            Callee::Derivative { of, .. } => of.primal(),
            other => other,
        }
    }
}

impl Expr {
    pub fn error(span: Span) -> Expr {
        Expr { kind: ExprKind::Error, ty: Ty::Error, span }
    }

    pub fn literal(literal: Literal, ty: Ty, span: Span) -> Expr {
        Expr { kind: ExprKind::Literal(literal), ty, span }
    }

    pub fn is_error(&self) -> bool {
        self.ty.is_error()
    }
}
