//! The tables of a program: scopes and what they declare. Signatures, fields and constants are filled in
//! when first asked for, so declarations may stand in any order.

use super::count::Count;
use super::default::Initials;
use super::demand::Demand;
use super::entry::Entry;
use super::global::GlobalType;
use super::hir::{Callee, Expr};
use super::pack::PackParam;
use super::types::{Arg, Bound, ParamId, Subst, Ty};
use super::visibility::Visibility;
use super::written::{Declared, PackCount, Site};
use crate::slang::ast;
use pullback_base::{IdVec, Scalar, Span, id_type};
use pullback_ir::MatrixOrder;
use pullback_ir::{DerivativeMode, Direction, Op};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::sync::Arc;

/// So many generic structs may be within a value.
const MAX_STEPS: u32 = 10_000;

id_type! { pub struct ScopeId("scope"); }
id_type! { pub struct StructId("struct"); }
id_type! {
    /// What stands between the braces of a struct and its kin.
    pub struct MembersId("members");
}
id_type! { pub struct PropertyId("property"); }
id_type! { pub struct EnumId("enum"); }
id_type! { pub struct InterfaceId("interface"); }
id_type! {
    /// What an interface asks of the types that conform to it.
    pub struct RequirementId("requirement");
}
id_type! { pub struct FnId("function"); }
id_type! { pub struct ConstId("constant"); }
id_type! { pub struct AliasId("alias"); }
id_type! { pub struct GlobalId("global"); }

/// Names and what they stand for; looked up from the inside out.
#[derive(Clone, Default)]
pub struct Scope {
    pub parent: Option<ScopeId>,
    pub names: FxHashMap<Arc<str>, Symbol>,
    /// Namespaces and imported modules whose names are visible here too.
    pub using: Vec<ScopeId>,
}

#[derive(Clone)]
pub enum Symbol {
    Functions(SmallVec<[FnId; 2]>),
    Struct(StructId),
    Property(PropertyId),
    /// The subscripts of a type.
    Subscripts(SmallVec<[PropertyId; 2]>),
    Enum(EnumId),
    /// A case of an enum, by its number.
    Case(EnumId, u32),
    /// A field of the struct whose scope this is.
    Field(u32),
    Alias(AliasId),
    Constant(ConstId),
    Global(GlobalId),
    /// A field of a `cbuffer`, whose fields are in scope.
    GlobalField(GlobalId, u32),
    Namespace(ScopeId),
    Generic(ParamId),
    /// A generic pack, as the parameters that it is written out to.
    Pack(Arc<[ParamId]>),
    Interface(InterfaceId),
    /// An associated type or constant, in the scope of its interface.
    Requirement(RequirementId),
    /// `This`: the type whose members are being declared.
    This(MembersId),
    /// Its declaration was refused; uses say nothing more.
    Refused,
}

/// Something found on demand; `Busy` while it is being found, to notice circles.
#[derive(Clone)]
pub enum Lazy<T> {
    Pending,
    Busy,
    Done(T),
}

#[derive(Clone)]
pub struct Generic {
    pub name: Arc<str>,
    pub kind: GenericKind,
    /// What `where` says of it and its associated types.
    pub facts: Vec<Fact>,
    pub span: Span,
}

/// `where T.Element : IFloat` or `where T.Differential == T`
#[derive(Clone)]
pub struct Fact {
    pub subject: Ty,
    pub interfaces: Vec<InterfaceRef>,
    pub equals: Option<Ty>,
}

#[derive(Clone)]
pub enum GenericKind {
    Type {
        bound: Bound,
        interfaces: Vec<InterfaceRef>,
        default: Option<Ty>,
    },
    /// A number, `bool` or case of an enum.
    Count {
        ty: Ty,
        default: Option<Count>,
    },
}

/// The members of a type: who declares them shares its generic parameters and its `This`.
#[derive(Clone)]
pub struct Members {
    /// They are what this interface asks for.
    pub interface: Option<InterfaceId>,
    /// Those of what encloses it first, then its own.
    pub generics: Vec<ParamId>,
    /// The type they are members of, in terms of these parameters.
    pub this: Ty,
}

/// An interface at its generic arguments.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct InterfaceRef {
    pub id: InterfaceId,
    pub args: Arc<[Arg]>,
}

/// The type that conforms is the last generic parameter of its members.
#[derive(Clone)]
pub struct Interface<'a> {
    pub name: Arc<str>,
    pub ast: &'a ast::Aggregate,
    pub scope: ScopeId,
    pub members: MembersId,
    /// How many elements its own generic packs have, if there are any.
    pub length: Option<usize>,
    pub visibility: Visibility,
    /// What it inherits, and what that inherits.
    pub bases: Vec<InterfaceRef>,
    /// Of the builtin interfaces it inherits.
    pub bound: Bound,
    pub requirements: Vec<RequirementId>,
    pub span: Span,
}

#[derive(Clone)]
pub struct Requirement<'a> {
    pub interface: InterfaceId,
    pub name: Arc<str>,
    pub kind: RequirementKind<'a>,
    pub span: Span,
}

#[derive(Clone)]
pub enum RequirementKind<'a> {
    /// With a body when there is a default.
    Function(FnId),
    Constant {
        ast: &'a ast::Var,
        /// In terms of the interface's generic parameters.
        ty: Lazy<Ty>,
        default: Option<ConstId>,
    },
    Type {
        ast: &'a ast::AssociatedType,
        bound: Bound,
        /// In terms of the interface's generic parameters.
        interfaces: Vec<InterfaceRef>,
    },
}

/// `extension Type : Bases { ... }`
#[derive(Clone)]
pub struct Extension<'a> {
    pub ast: &'a ast::Extension,
    /// Holds its generic parameters and members.
    pub scope: ScopeId,
    pub members: MembersId,
}

/// The number of a type among those behind an interface.
#[derive(Clone)]
pub struct Number {
    pub ty: Ty,
    pub interface: InterfaceRef,
    pub id: u32,
}

/// What makes a type conform to an interface.
#[derive(Clone)]
pub struct Conformance {
    /// Of the struct or extension that says so.
    pub members: MembersId,
    /// In terms of their generic parameters.
    pub interface: InterfaceRef,
    pub span: Span,
}

#[derive(Clone)]
pub struct Struct<'a> {
    /// With the names of what encloses it: `Outer.Inner`.
    pub name: Arc<str>,
    pub ast: &'a ast::Aggregate,
    pub scope: ScopeId,
    pub members: MembersId,
    /// How many elements its own generic packs have, if there are any.
    pub length: Option<usize>,
    /// The type whose member it is.
    pub owner: Option<MembersId>,
    pub visibility: Visibility,
    /// Of the fields, and their names.
    pub field_visibility: Vec<(Visibility, ast::Name)>,
    /// In terms of its own generic parameters.
    pub fields: Lazy<Arc<[Field]>>,
    pub initials: Lazy<Initials>,
    /// How many numbers it is made of, once its fields are known; of a generic struct that is told anew each time.
    pub leaves: u64,
    /// Part of what ships with the compiler.
    pub is_std: bool,
    /// A field was wrong, and reported: nothing is made of the struct.
    pub broken: bool,
    /// Its values are a lambda, which is called by that.
    pub lambda: Option<FnId>,
    pub span: Span,
}

/// What reads a property or subscript, and what writes it.
#[derive(Clone, Copy)]
pub struct Property {
    pub get: FnId,
    pub set: Option<FnId>,
}

#[derive(Clone)]
pub struct Enum<'a> {
    /// With the names of what encloses it.
    pub name: Arc<str>,
    pub ast: &'a ast::Enum,
    /// Holds its cases.
    pub scope: ScopeId,
    pub visibility: Visibility,
    /// The integer type of its values; `None` until it is looked at.
    pub tag: Option<Scalar>,
    /// The values of the first cases, as far as they are known.
    pub values: Vec<i128>,
    /// `[UnscopedEnum]`: the cases are names beside the enum too, and convert to integers.
    pub unscoped: bool,
    /// Each case without a value has twice that of the one before it.
    pub is_flags: bool,
    pub broken: bool,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Field {
    pub name: Arc<str>,
    pub ty: Ty,
    pub no_diff: bool,
    /// How its matrices lie in memory.
    pub order: MatrixOrder,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Plain,
    /// Takes `this`; may write it when `mutating`.
    Method {
        mutating: bool,
    },
    /// Makes a value of its struct: `this` is what it gives.
    Constructor,
}

#[derive(Clone)]
pub struct Function<'a> {
    pub name: Arc<str>,
    /// `Struct.name` for members.
    pub qualified: Arc<str>,
    pub decl: &'a ast::Decl,
    pub ast: &'a ast::Function,
    /// Where its names are looked up: holds its generic parameters.
    pub scope: ScopeId,
    /// Those of the type whose member it is first, then its own.
    pub generics: Vec<ParamId>,
    pub owner: Option<MembersId>,
    pub visibility: Visibility,
    /// How many elements its own generic packs have, if there are any.
    pub length: Option<usize>,
    /// The parameters that are packs, once its signature is known.
    pub packs: Vec<PackParam>,
    pub role: Role,
    /// Part of what ships with the compiler.
    pub is_std: bool,
    /// It is an operation of the IR: `[__op("sin")]`.
    pub op: Option<Op>,
    /// It is what an interface asks for.
    pub requirement: Option<RequirementId>,
    /// A setter with the body of this getter: what it returns takes the new value.
    pub sets_through: Option<FnId>,
    /// What its author gave for its derivatives.
    pub given: Vec<Given>,
    pub signature: Lazy<Arc<Signature>>,
}

/// A function that an author gave for a derivative of another one.
#[derive(Clone)]
pub struct Given {
    pub part: GivenPart,
    /// The generic parameters of whoever says so.
    pub generics: Vec<ParamId>,
    /// What those of the other function stand for, in terms of these.
    pub of: Vec<Arg>,
    /// In terms of these too.
    pub by: Callee,
    pub span: Span,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GivenPart {
    Derivative(DerivativeMode),
    /// Is differentiated in the function's place.
    Substitute,
    /// Computes what the function does, and a context for its backward derivative.
    Apply,
    /// Cotangents from such a context and the cotangent of what the function gives.
    Context,
}

impl Function<'_> {
    /// The name in letters that the IR and callers of other languages know it by: `operator+` is `operator_add`.
    pub fn public_name(&self) -> Arc<str> {
        let Some((outer, symbols)) = self.qualified.split_once("operator") else {
            return self.qualified.clone();
        };
        if self.ast.role != ast::FunctionRole::Operator {
            return self.qualified.clone();
        }
        let word = |symbol: char| match symbol {
            '+' => "_add",
            '-' => "_sub",
            '*' => "_mul",
            '/' => "_div",
            '%' => "_rem",
            '<' => "_less",
            '>' => "_greater",
            '=' => "_equal",
            '!' => "_not",
            '&' => "_and",
            '|' => "_or",
            '^' => "_xor",
            '~' => "_complement",
            '(' => "_call",
            ',' => "_comma",
            _ => "",
        };
        let words: String = symbols.chars().map(word).collect();
        format!("{outer}operator{words}").into()
    }
}

/// A function as callers see it.
#[derive(Clone, Debug)]
pub struct Signature {
    /// Those of the type whose member it is first, then its own.
    pub generics: Vec<ParamId>,
    /// How many of them are the type's.
    pub outer: usize,
    /// Without `this`.
    pub params: Vec<Param>,
    pub result: Ty,
    pub result_no_diff: bool,
    /// Something in it was wrong, and reported.
    pub broken: bool,
}

impl Signature {
    /// The signature where generic parameters stand for that.
    pub fn subst(&self, program: &Program<'_>, subst: &Subst) -> Signature {
        let param = |param: &Param| Param { ty: param.ty.subst(program, subst), ..param.clone() };
        Signature {
            generics: self.generics.clone(),
            params: self.params.iter().map(param).collect(),
            result: self.result.subst(program, subst),
            ..*self
        }
    }
}

#[derive(Clone, Debug)]
pub struct Param {
    pub name: Arc<str>,
    pub ty: Ty,
    pub direction: Direction,
    pub no_diff: bool,
    pub default: Option<Arc<Expr>>,
    pub span: Span,
}

/// A `static const`.
#[derive(Clone)]
pub struct Constant<'a> {
    pub ast: &'a ast::Var,
    pub scope: ScopeId,
    /// The type whose member it is.
    pub owner: Option<MembersId>,
    pub visibility: Visibility,
    pub linkage: Linkage,
    /// What gives the value of a link-time constant in place of its declaration.
    pub linked: Option<LinkValue<'a>>,
    pub value: Lazy<Arc<Expr>>,
}

/// How the modules of a program share a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Linkage {
    Own,
    /// `extern`: another module may define it.
    Extern,
    /// `export`: it defines what others declare `extern`.
    Export,
}

#[derive(Clone, Copy)]
pub enum LinkValue<'a> {
    /// Whoever compiles.
    Option(&'a ast::Expr),
    /// The constant that another module exports.
    Export(ConstId),
}

/// A variable outside of functions.
#[derive(Clone)]
pub struct Global<'a> {
    /// As users bind it, with the names of what encloses it.
    pub name: Arc<str>,
    /// `None` for a `cbuffer`.
    pub source: Option<(&'a ast::Modifiers, &'a ast::Var)>,
    pub scope: ScopeId,
    pub visibility: Visibility,
    pub kind: GlobalKind,
    pub declared: Lazy<GlobalType>,
    pub span: Span,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GlobalKind {
    /// Whoever launches gives its value.
    Uniform,
    /// Each lane has its own, which begins with the initial value.
    Static,
    /// The lanes of a workgroup have one together.
    Shared,
}

#[derive(Clone)]
pub struct Alias<'a> {
    pub ast: &'a ast::TypeAlias,
    pub scope: ScopeId,
    pub owner: Option<MembersId>,
    pub visibility: Visibility,
    /// Those of the type whose member it is first, then its own.
    pub generics: Vec<ParamId>,
    /// How many elements its own generic packs have, if there are any.
    pub length: Option<usize>,
    /// It names an interface: no type.
    pub is_bound: bool,
    pub ty: Lazy<Ty>,
}

#[derive(Clone, Default)]
pub struct Program<'a> {
    pub scopes: IdVec<ScopeId, Scope>,
    pub members: IdVec<MembersId, Members>,
    pub interfaces: IdVec<InterfaceId, Interface<'a>>,
    pub requirements: IdVec<RequirementId, Requirement<'a>>,
    pub extensions: Vec<Extension<'a>>,
    pub conformances: Vec<Conformance>,
    /// Generic structs, at their arguments, that are inside of values of interfaces' types.
    pub erased: Vec<Ty>,
    /// The structs and extensions that say `IDifferentiable`.
    pub differentiable: Vec<MembersId>,
    /// Those that say `IDifferentiablePtrType`, and where.
    pub pointers: Vec<(MembersId, Span)>,
    pub structs: IdVec<StructId, Struct<'a>>,
    pub enums: IdVec<EnumId, Enum<'a>>,
    pub properties: IdVec<PropertyId, Property>,
    pub functions: IdVec<FnId, Function<'a>>,
    pub constants: IdVec<ConstId, Constant<'a>>,
    pub globals: IdVec<GlobalId, Global<'a>>,
    pub entries: Vec<Entry>,
    pub aliases: IdVec<AliasId, Alias<'a>>,
    pub generics: IdVec<ParamId, Generic>,
    /// What declarations with packs are at other numbers of elements.
    pub written: FxHashMap<(Declared, usize), Declared>,
    /// Where types with packs were entered.
    pub sites: FxHashMap<Declared, Site>,
    /// What declarations say of how many elements their packs have.
    pub pack_counts: FxHashMap<Declared, Vec<PackCount>>,
    /// The numbers that whoever compiles gave to types behind interfaces.
    pub numbers: Vec<Number>,
    /// What members ask of the generic parameters of the types around.
    pub demands: FxHashMap<FnId, Vec<Demand>>,
    /// The function whose demands are taken for granted: it is being checked.
    pub assumed: Option<FnId>,
}

impl Program<'_> {
    pub fn new_scope(&mut self, parent: Option<ScopeId>) -> ScopeId {
        self.scopes.push(Scope { parent, ..Scope::default() })
    }

    /// What a name stands for in one scope and in those it uses: functions of all, otherwise the first that may be named there.
    pub fn member(&self, from: ScopeId, name: &str) -> Option<Symbol> {
        let scope = &self.scopes[from];
        let mut found = scope.names.get(name).cloned();
        for symbol in scope.using.iter().filter_map(|&used| self.scopes[used].names.get(name)) {
            match (&mut found, symbol) {
                (None, symbol) => found = Some(symbol.clone()),
                (Some(Symbol::Functions(all)), Symbol::Functions(more)) => {
                    let new: SmallVec<[FnId; 2]> =
                        more.iter().copied().filter(|id| !all.contains(id)).collect();
                    all.extend(new);
                }
                (Some(known), symbol) if !self.may_name(known, from) => found = Some(symbol.clone()),
                _ => {}
            }
        }
        found
    }

    /// What a name stands for, from a scope outwards. Functions of outer scopes join those of inner ones.
    pub fn lookup(&self, scope: ScopeId, name: &str) -> Option<Symbol> {
        let mut found: SmallVec<[FnId; 2]> = SmallVec::new();
        let mut at = Some(scope);
        while let Some(scope) = at {
            match self.member(scope, name) {
                Some(Symbol::Functions(functions)) => found.extend(functions),
                Some(symbol) if found.is_empty() => return Some(symbol),
                Some(_) => break,
                None => {}
            }
            at = self.scopes[scope].parent;
        }
        (!found.is_empty()).then_some(Symbol::Functions(found))
    }

    pub fn bound(&self, param: ParamId) -> Bound {
        match &self.generics[param].kind {
            GenericKind::Type { bound, .. } => bound.and(self.assumed_bound(param)),
            GenericKind::Count { .. } => Bound::ANY,
        }
    }

    /// The scalar that a value of one component is made of: an enum's is its tag's.
    pub fn scalar_of(&self, ty: &Ty) -> Option<Scalar> {
        match ty {
            Ty::Enum(id) => self.enums[*id].tag,
            ty => ty.known_scalar(),
        }
    }

    /// The type as a number: an enum as its integer.
    pub fn as_number(&self, ty: &Ty) -> Ty {
        match ty {
            Ty::Enum(id) => self.enums[*id].tag.map_or(Ty::Error, Ty::scalar),
            ty => ty.clone(),
        }
    }

    /// How many numbers a value is made of; generic sizes count as one.
    pub fn leaves(&self, ty: &Ty) -> u64 {
        self.leaves_within(ty, &mut MAX_STEPS.clone())
    }

    /// A generic struct may have itself, at other arguments, among its fields: what takes too many steps has no end.
    fn leaves_within(&self, ty: &Ty, steps: &mut u32) -> u64 {
        match ty {
            Ty::Error | Ty::Void => 0,
            Ty::Assoc(..) | Ty::Interface(_) => 1,
            Ty::Differential(of) if of.is_abstract() || matches!(**of, Ty::Interface(_)) => 1,
            Ty::Number(_, shape) => shape.components().map_or(1, |n| n.unsigned_abs()),
            Ty::Array(element, count) => {
                let count = count.known().map_or(1, |n| n.max(0).unsigned_abs());
                self.leaves_within(element, steps).saturating_mul(count)
            }
            Ty::Enum(_) | Ty::Pointer(..) | Ty::Atomic(_) => 1,
            Ty::Buffer(..) => 2,
            Ty::Struct(id, args) if args.is_empty() => self.structs[*id].leaves,
            Ty::Struct(..) | Ty::Pair(..) | Ty::Differential(_) => {
                *steps = steps.saturating_sub(1);
                if *steps == 0 {
                    return u64::MAX;
                }
                let fields = self.fields_of(ty);
                fields.iter().fold(0, |sum, field| sum.saturating_add(self.leaves_within(&field.ty, steps)))
            }
        }
    }

    /// The fields of a struct at its arguments, as far as they are known.
    pub fn fields_of(&self, ty: &Ty) -> Arc<[Field]> {
        let (id, args) = match ty {
            Ty::Struct(id, args) => (id, args),
            Ty::Pair(pairing, of) => return self.pair_fields(*pairing, of),
            Ty::Differential(of) => return self.differential_fields(of),
            _ => return Arc::default(),
        };
        let Lazy::Done(fields) = &self.structs[*id].fields else { return Arc::default() };
        if args.is_empty() {
            return fields.clone();
        }
        let subst = self.struct_subst(*id, args);
        fields.iter().map(|field| Field { ty: field.ty.subst(self, &subst), ..field.clone() }).collect()
    }

    /// What the generic parameters of a struct stand for.
    pub fn struct_subst(&self, id: StructId, args: &[Arg]) -> Subst {
        self.members[self.structs[id].members].generics.iter().copied().zip(args.iter().cloned()).collect()
    }

    /// A generic parameter as an argument: it stands for itself.
    pub fn generic_as_arg(&self, param: ParamId) -> Arg {
        match self.generics[param].kind {
            GenericKind::Type { .. } => Arg::Type(Ty::param(param)),
            GenericKind::Count { .. } => Arg::Count(Count::param(param)),
        }
    }
}
