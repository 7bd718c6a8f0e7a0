//! The syntax tree of a Slang module: what the text says, with spans, before any name or type is known.
//!
//! Laws the parser keeps, and later stages may rely on:
//! - Trees are at most [`MAX_HEIGHT`] expressions high, and nest at most [`MAX_NESTING`] levels, so
//!   recursion over them is safe.
//! - Where the text was wrong there is an `Error` node (or the declaration is left out), and an error has
//!   been reported: later stages pass over `Error` in silence.
//! - Parentheses are not kept; [`ExprKind`] nests as evaluation does.

pub use super::operator::{BinaryOp, Fix, StepOp, UnaryOp};
use super::preprocess::{MatrixPacking, WarningLevels};
use pullback_base::{FileId, Span};
use pullback_ir::MatrixOrder;
use std::sync::Arc;

/// How deep statements, types and parentheses may nest; deeper text is a located `syntax-error`.
pub const MAX_NESTING: usize = 200;
/// How high one expression's tree may grow (a chain `a + b + c + ...` grows by one per operator).
pub const MAX_HEIGHT: usize = 600;

/// A name as written. Equal names share their text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    pub text: Arc<str>,
    pub span: Span,
}

/// One parsed file, with what it `#include`d in place.
#[derive(Clone, Debug)]
pub struct Module {
    pub file: FileId,
    pub decls: Vec<Decl>,
    /// What it says of warnings.
    pub levels: WarningLevels,
    /// What it says of matrices in memory.
    pub packing: MatrixPacking,
}

// ---- Declarations ----

/// A declaration. `float a, b[2];` becomes two, with the same modifiers, attributes and doc.
#[derive(Clone, Debug)]
pub struct Decl {
    pub kind: DeclKind,
    pub modifiers: Modifiers,
    pub attributes: Vec<Attribute>,
    /// The text of the `///` (or `/** */`) comment right above, one line per line, markers removed.
    pub doc: Option<Arc<str>>,
    /// From the first modifier or attribute to the end (`;` or `}` included).
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum DeclKind {
    /// Functions, methods, constructors and operators.
    Function(Function),
    /// Globals, fields and locals.
    Var(Var),
    /// `struct Name : Bases { ... }`; also `class`.
    Struct(Aggregate),
    /// `interface Name : Bases { ... }`.
    Interface(Aggregate),
    /// `extension Type : Bases { ... }`.
    Extension(Extension),
    Enum(Enum),
    /// `static_assert(condition, "why");`
    Assertion(Vec<Expr>),
    /// `typedef float4 Color;` and `typealias Color = float4;`.
    TypeAlias(TypeAlias),
    /// `associatedtype Name : Bounds;`.
    AssociatedType(AssociatedType),
    Property(Property),
    Subscript(Subscript),
    /// `cbuffer Name { ... }` and `tbuffer`.
    Buffer(Buffer),
    /// `namespace a.b { ... }` is two, one in the other.
    Namespace(Namespace),
    /// `import a.b;`: `path` is `a.b`, or the text of `import "file";`.
    Import(Name),
    /// `__include a.b;`, as for `Import`.
    Include(Name),
    /// `module name;`.
    ModuleName(Name),
    /// `implementing name;`.
    Implementing(Name),
    /// `using name;`.
    Using(Name),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionRole {
    Plain,
    /// `__init(...)`; the name is `__init`.
    Constructor,
    /// `operator+`; the name is `operator+`. Fixity is in the number of parameters and the `__prefix` and
    /// `__postfix` modifiers; `operator()` is `operator()`.
    Operator,
}

/// `float f<T : IFloat>(T x) where ... { ... }` or `func f<T : IFloat>(x : T) -> float { ... }`.
#[derive(Clone, Debug)]
pub struct Function {
    pub role: FunctionRole,
    pub name: Name,
    pub generics: Generics,
    pub params: Vec<Param>,
    /// `None` for a constructor, and for `func f()` without `->`: then the function gives nothing.
    pub result: Option<TypeExpr>,
    pub semantics: Vec<Semantic>,
    /// `None` for a declaration that ends in `;`.
    pub body: Option<Block>,
    /// Those in the body, but for those in one another; [`ExprKind::Lambda`] tells the number.
    pub lambdas: Vec<Lambda>,
}

/// The name of the last parameter of a function that throws, which the parser adds: what it has thrown, of type `__Thrown<E>`.
pub const THROWN: &str = "__thrown";

impl Function {
    pub fn throws(&self) -> bool {
        let last = self.params.last().and_then(|param| param.name.as_ref());
        last.is_some_and(|name| &*name.text == THROWN)
    }
}

/// `(float x) => a * x` as the struct that it is a value of: what it captures are its fields.
#[derive(Clone, Debug)]
pub struct Lambda {
    /// Without members.
    pub shape: Aggregate,
    /// Its `operator()`, a [`DeclKind::Function`] without a result: what it returns tells that.
    pub call: Decl,
}

#[derive(Clone, Debug)]
pub struct Param {
    pub name: Option<Name>,
    pub ty: TypeExpr,
    pub default: Option<Expr>,
    pub modifiers: Modifiers,
    pub attributes: Vec<Attribute>,
    pub semantics: Vec<Semantic>,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VarKeyword {
    /// `float x = 1;`
    Typed,
    /// `let x = 1;`: never assigned again.
    Let,
    /// `var x = 1;`
    Var,
}

#[derive(Clone, Debug)]
pub struct Var {
    pub name: Name,
    pub keyword: VarKeyword,
    /// Array suffixes after the name are folded in: `float a[2][3]` has the type of `a[i][j]`,
    /// array of 2 of array of 3. `None` for `let x = ...` and `var x = ...`.
    pub ty: Option<TypeExpr>,
    /// `uint low : 4;`, which the parser makes a property of. Only members have them.
    pub bits: Option<u32>,
    pub init: Option<Expr>,
    pub semantics: Vec<Semantic>,
}

#[derive(Clone, Debug)]
pub struct Aggregate {
    pub name: Name,
    pub generics: Generics,
    pub bases: Vec<TypeExpr>,
    pub members: Vec<Decl>,
    /// `struct S;` has none.
    pub has_body: bool,
}

#[derive(Clone, Debug)]
pub struct Extension {
    pub generics: Generics,
    pub target: TypeExpr,
    pub bases: Vec<TypeExpr>,
    pub members: Vec<Decl>,
}

/// `enum Name : Tag { A, B = 2 }` and `enum class`, which is the same: cases are members either way.
#[derive(Clone, Debug)]
pub struct Enum {
    pub name: Name,
    pub tag: Option<TypeExpr>,
    pub cases: Vec<EnumCase>,
}

#[derive(Clone, Debug)]
pub struct EnumCase {
    pub name: Name,
    pub value: Option<Expr>,
    pub attributes: Vec<Attribute>,
    pub doc: Option<Arc<str>>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct TypeAlias {
    pub name: Name,
    pub generics: Generics,
    pub ty: TypeExpr,
}

#[derive(Clone, Debug)]
pub struct AssociatedType {
    pub name: Name,
    pub bounds: Vec<TypeExpr>,
    pub constraints: Vec<Constraint>,
}

/// `property float x { get { ... } set { ... } }`.
#[derive(Clone, Debug)]
pub struct Property {
    pub name: Name,
    pub ty: TypeExpr,
    pub accessors: Vec<Accessor>,
}

/// `__subscript(int i) -> float { get { ... } }`.
#[derive(Clone, Debug)]
pub struct Subscript {
    pub generics: Generics,
    pub params: Vec<Param>,
    pub result: TypeExpr,
    pub accessors: Vec<Accessor>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessorKind {
    Get,
    Set,
    /// The writing half of `ref { return place; }`: what it returns takes the new value.
    SetThrough,
}

/// `get { ... }` as a function of the subscript's parameters; `set(v) { ... }` as one that takes the new value too, by
/// that name or as `newValue`. `ref` is a `Get` and a `SetThrough` with the same body.
#[derive(Clone, Debug)]
pub struct Accessor {
    pub kind: AccessorKind,
    /// A [`DeclKind::Function`].
    pub function: Decl,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Buffer {
    /// Its name and members, as those of a struct.
    pub layout: Aggregate,
    pub semantics: Vec<Semantic>,
}

#[derive(Clone, Debug)]
pub struct Namespace {
    pub name: Name,
    pub decls: Vec<Decl>,
}

/// The parameters in `<...>` (or of a `__generic<...>` prefix) and the `where` clauses.
#[derive(Clone, Debug, Default)]
pub struct Generics {
    pub params: Vec<GenericParam>,
    pub constraints: Vec<Constraint>,
}

#[derive(Clone, Debug)]
pub struct GenericParam {
    pub name: Name,
    pub kind: GenericParamKind,
    /// `each T`: any number of them.
    pub is_pack: bool,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum GenericParamKind {
    /// `T : IFloat & IMore = float`
    Type { bounds: Vec<TypeExpr>, default: Option<TypeExpr> },
    /// `let N : int = 4` or `int N = 4`
    Value { ty: TypeExpr, default: Option<Expr> },
}

/// One clause after `where`: `T : IFloat`, `T == U.Differential`, `countof(T) == 2`.
#[derive(Clone, Debug)]
pub struct Constraint {
    pub subject: TypeExpr,
    pub kind: ConstraintKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum ConstraintKind {
    Conforms(Vec<TypeExpr>),
    Equals(TypeExpr),
    /// `countof(T) == N`
    Counts(Expr),
    /// `nonempty(T)`
    NonEmpty,
}

/// `: SV_Position`, `: register(t0, space1)`.
#[derive(Clone, Debug)]
pub struct Semantic {
    pub name: Name,
    pub args: Vec<Expr>,
    pub span: Span,
}

/// `[Name(args)]`; `[[vk::binding(0)]]` has the name `vk::binding`.
#[derive(Clone, Debug)]
pub struct Attribute {
    pub name: Name,
    pub args: Vec<Expr>,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModifierKind {
    In,
    Out,
    /// `inout`, and `in out`.
    InOut,
    Ref,
    ConstRef,
    NoDiff,
    Uniform,
    Const,
    Static,
    GroupShared,
    Public,
    Internal,
    Private,
    Extern,
    Export,
    Inline,
    Override,
    Prefix,
    Postfix,
    RowMajor,
    ColumnMajor,
    Precise,
    Volatile,
    Coherent,
    /// `nointerpolation`, `linear`, `centroid` and their kin: they say nothing to a compute kernel.
    Interpolation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modifier {
    pub kind: ModifierKind,
    pub span: Span,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modifiers(pub Vec<Modifier>);

impl Modifiers {
    pub fn has(&self, kind: ModifierKind) -> bool {
        self.span_of(kind).is_some()
    }

    pub fn span_of(&self, kind: ModifierKind) -> Option<Span> {
        self.0.iter().find(|modifier| modifier.kind == kind).map(|modifier| modifier.span)
    }
}

// ---- Types ----

#[derive(Clone, Debug)]
pub struct TypeExpr {
    pub kind: TypeExprKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum TypeExprKind {
    /// `float3`, `Lib.Pair<float, 4>`, `This.Differential`; `a::b` and `a.b` are the same.
    /// `void` is a name like the others; `unsigned int` is `uint`. At least one segment.
    Path(Vec<PathSegment>),
    /// `T[4]`, `T[]`. `T[2][3]` is `(T[2])[3]`.
    Array {
        element: Box<TypeExpr>,
        size: Option<Box<Expr>>,
    },
    /// `T*`
    Pointer(Box<TypeExpr>),
    /// `row_major T`, `column_major T`
    InOrder(MatrixOrder, Box<TypeExpr>),
    /// `each T`
    Each(Box<TypeExpr>),
    /// `expand S<each T>`
    Expand(Arc<Expansion<TypeExpr>>),
    /// One element of an expansion, by its number. The checker makes these.
    Turn(Arc<Expansion<TypeExpr>>, usize),
    Error,
}

/// What `expand` writes out once for each element of the packs that `each` names in it.
#[derive(Clone, Debug)]
pub struct Expansion<T> {
    pub of: T,
    pub each: Vec<GenericArg>,
}

#[derive(Clone, Debug)]
pub struct PathSegment {
    pub name: Name,
    pub args: Vec<GenericArg>,
}

/// A plain name or path may turn out to be either: the parser calls it a `Type`, the checker decides.
#[derive(Clone, Debug)]
pub enum GenericArg {
    Type(TypeExpr),
    Value(Expr),
}

// ---- Statements ----

/// `{ ... }`, with the span of its braces.
#[derive(Clone, Debug)]
pub struct Block {
    pub stmts: Vec<Stmt>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Stmt {
    pub kind: StmtKind,
    /// `[unroll]`, `[MaxIters(n)]` ... before a loop, an `if` or a `switch`. A declaration's own are in the [`Decl`].
    pub attributes: Vec<Attribute>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum StmtKind {
    Block(Block),
    /// The declarators of one declaration statement, in order.
    Decl(Vec<Decl>),
    Expr(Expr),
    If {
        condition: Condition,
        then: Box<Stmt>,
        otherwise: Option<Box<Stmt>>,
    },
    /// `init` is `Decl`, `Expr` or `Empty`.
    For {
        init: Box<Stmt>,
        condition: Option<Expr>,
        step: Option<Expr>,
        body: Box<Stmt>,
    },
    /// `$for (i in Range(from, to)) ...`
    CompileTimeFor {
        counter: Name,
        from: Option<Expr>,
        to: Expr,
        body: Box<Stmt>,
    },
    While {
        condition: Condition,
        body: Box<Stmt>,
    },
    DoWhile {
        body: Box<Stmt>,
        condition: Expr,
    },
    Switch {
        value: Expr,
        cases: Vec<Case>,
    },
    /// `do { ... } catch (e : E) { ... }`
    DoCatch {
        body: Box<Stmt>,
        catches: Vec<Catch>,
    },
    /// `throw e;`
    Throw(Expr),
    /// `defer ...`: runs where control leaves the block.
    Defer(Box<Stmt>),
    /// `__target_switch { ... }`, or `__stage_switch`.
    TargetSwitch(TargetSwitch),
    /// `break;` or `break outer;`
    Break(Option<Name>),
    /// `outer: for (...) ...`
    Labelled(Name, Box<Stmt>),
    Continue,
    Discard,
    Return(Option<Expr>),
    Empty,
    Error,
}

/// `catch (name : ty) { ... }`
#[derive(Clone, Debug)]
pub struct Catch {
    pub name: Name,
    pub ty: TypeExpr,
    pub body: Stmt,
}

/// `if (x)` or `if (let y = x)`.
#[derive(Clone, Debug)]
pub enum Condition {
    Expr(Expr),
    /// A `Var` declaration with an initializer.
    Let(Box<Decl>),
}

#[derive(Clone, Debug)]
pub struct TargetSwitch {
    pub asks: TargetQuestion,
    pub cases: Vec<TargetCase>,
    /// Of the word that begins it.
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetQuestion {
    Target,
    Stage,
}

/// `case a: case b: ...`; none falls into another.
#[derive(Clone, Debug)]
pub struct TargetCase {
    pub names: Vec<Name>,
    pub is_default: bool,
    pub body: Vec<Stmt>,
}

/// Adjacent labels and the statements after them. Control falls through as written; nothing is inserted.
#[derive(Clone, Debug)]
pub struct Case {
    pub labels: Vec<CaseLabel>,
    pub body: Vec<Stmt>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum CaseLabel {
    Case(Expr),
    Default(Span),
}

// ---- Expressions ----

#[derive(Clone, Debug)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum ExprKind {
    /// The value as written, without sign; `-1` is `Unary`.
    Int {
        value: u64,
        suffix: IntSuffix,
    },
    /// Parsed to nearest f64 from the decimal text; rounding to the final type is the checker's.
    Float {
        value: f64,
        suffix: FloatSuffix,
    },
    Bool(bool),
    String(Arc<str>),
    /// A variable, a function, a type (`float3(1)` is a call of `Name("float3")`), or `This`.
    Name(Name),
    /// `this`
    This,
    /// `base<args>` where the text cannot be a comparison.
    Generic {
        base: Box<Expr>,
        args: Vec<GenericArg>,
    },
    /// `base.name` and `base::name`: a field, a method, a swizzle, a static member, a nested type.
    Member {
        base: Box<Expr>,
        name: Name,
    },
    /// `base[a]`; `base[a, b]` for a `__subscript` of two; `base[]` too.
    Index {
        base: Box<Expr>,
        args: Vec<Expr>,
    },
    Call {
        callee: Box<Expr>,
        args: Vec<Expr>,
    },
    Cast {
        ty: TypeExpr,
        value: Box<Expr>,
    },
    Unary {
        op: UnaryOp,
        value: Box<Expr>,
    },
    /// `*pointer`; `pointer->name` is `(*pointer).name`.
    Deref(Box<Expr>),
    /// `&place`
    AddressOf(Box<Expr>),
    /// `++x`, `x++`, `--x`, `x--`
    Step {
        op: StepOp,
        fix: Fix,
        target: Box<Expr>,
    },
    /// `&&` and `||` included; `op_span` is the operator's own.
    Binary {
        op: BinaryOp,
        op_span: Span,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `target = value`, or `target op= value`.
    Assign {
        op: Option<BinaryOp>,
        op_span: Span,
        target: Box<Expr>,
        value: Box<Expr>,
    },
    /// `condition ? then : otherwise`
    Conditional {
        condition: Box<Expr>,
        then: Box<Expr>,
        otherwise: Box<Expr>,
    },
    /// `a, b, c`: evaluates all, gives the last. At least two.
    Comma(Vec<Expr>),
    /// `{ a, b }`
    InitList(Vec<Expr>),
    /// `sizeof(T)`: the operand is a type, or a name the checker may find to be a variable.
    SizeOf(TypeExpr),
    /// `value is T`
    Is {
        value: Box<Expr>,
        ty: TypeExpr,
    },
    /// `value as T`
    As {
        value: Box<Expr>,
        ty: TypeExpr,
    },
    /// `fwd_diff(f)`, `bwd_diff(f)`: a function, called by the `Call` around it.
    Derivative {
        mode: DerivativeMode,
        function: Box<Expr>,
    },
    /// `no_diff e`
    NoDiff(Box<Expr>),
    /// `try f(x)`
    Try(Box<Expr>),
    /// `each args`, `each args.x`
    Each(Box<Expr>),
    /// `expand f(each args)`
    Expand(Arc<Expansion<Expr>>),
    /// One element of an expansion, by its number. The checker makes these.
    Turn(Arc<Expansion<Expr>>, usize),
    /// The lambda of the function around that has this number.
    Lambda(usize),
    /// Code in a target's own language, by the word that begins it.
    Assembly(Name),
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntSuffix {
    /// `1`
    None,
    /// `1u`
    U,
    /// `1l`, `1ll`: 64 bits, signed.
    L,
    /// `1ul`, `1ull`: 64 bits, unsigned.
    UL,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloatSuffix {
    /// `1.0`
    None,
    /// `1.0f`
    F32,
    /// `1.0h`
    F16,
    /// `1.0l`, `1.0lf`
    F64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DerivativeMode {
    Forward,
    Backward,
}

impl DerivativeMode {
    /// `f.fwd_diff` and `f.bwd_diff`
    pub fn of_member(name: &str) -> Option<Self> {
        match name {
            "fwd_diff" => Some(Self::Forward),
            "bwd_diff" => Some(Self::Backward),
            _ => None,
        }
    }
}
