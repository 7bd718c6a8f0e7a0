//! What a type expression means, and what to say of a name that means nothing.

use super::Checker;
use super::conform::Unsettled;
use super::context::Context;
use super::count::Count;
use super::hir::Expr;
use super::member::Item;
use super::memory::is_block;
use super::pointer::PointerAccess;
use super::program::{AliasId, GenericKind, InterfaceRef, Lazy, MembersId, ScopeId, Symbol};
use super::suggest::nearest;
use super::types::{Arg, Bound, Elem, Pairing, Shape, Subst, Ty, type_from_name};
use super::written::{Declared, own_count};
use crate::slang::ast::{self, GenericArg, TypeExpr, TypeExprKind};
use pullback_base::{Code, Diagnostic, Span};
use std::sync::Arc;

/// The size of `T[]`, to be told by an initializer.
pub const UNSIZED: Count = Count::Known(i64::MIN);
/// Arrays and structs are values: larger ones belong in memory.
pub const MAX_LEAVES: u64 = 65536;

impl Checker<'_> {
    /// What an alias stands for, in terms of its generic parameters.
    pub fn alias(&mut self, id: AliasId, used: Span) -> Ty {
        let alias = &self.program.aliases[id];
        let (ast, scope, length) = (alias.ast, alias.scope, alias.length);
        match &alias.ty {
            Lazy::Done(ty) => return ty.clone(),
            Lazy::Busy => {
                self.circle(&format!("type `{}`", ast.name.text), ast.name.span, used);
                return Ty::Error;
            }
            Lazy::Pending => {}
        }
        let generics = alias.generics.clone();
        self.program.aliases[id].ty = Lazy::Busy;
        let mut right = self.resolve_generics(&ast.generics, &generics, scope, length);
        right &= self.count_packs(Declared::Alias(id), &ast.generics, scope);
        let mut context = Context::of_scope(self, scope);
        let is_bound = context.names_bound(&ast.ty);
        let ty = if is_bound || !right { Ty::Error } else { context.resolve_alias(&ast.ty) };
        self.program.aliases[id].is_bound = is_bound;
        self.program.aliases[id].ty = Lazy::Done(ty.clone());
        ty
    }
}

impl Checker<'_> {
    /// The type with the associated types and constants told that were not while it was made.
    pub fn settle(&mut self, ty: Ty, used: Span) -> Ty {
        let mut ty = ty;
        while let Some(unsettled) = self.program.unsettled(&ty) {
            let broken = match unsettled {
                Unsettled::Alias(id) => self.alias(id, used).is_error(),
                Unsettled::Constant(id) => self.constant(id, used).is_error(),
            };
            if broken {
                return Ty::Error;
            }
            ty = ty.normalized(&self.program);
        }
        ty
    }
}

/// The types that our own modules declare.
const TENSOR_TYPES: [&str; 16] = [
    "Tensor",
    "WTensor",
    "RWTensor",
    "AtomicTensor",
    "DiffTensor",
    "WDiffTensor",
    "RWDiffTensor",
    "PrimalTensor",
    "WPrimalTensor",
    "RWPrimalTensor",
    "ITensor",
    "IWTensor",
    "IRWTensor",
    "IDiffTensor",
    "IWDiffTensor",
    "IRWDiffTensor",
];

/// Types that Slang has and the checker does not know yet: better refused by name than called unknown.
fn is_known_foreign_type(name: &str) -> bool {
    const STEMS: [&str; 18] = [
        "Texture",
        "RWTexture",
        "Buffer",
        "RWBuffer",
        "StructuredBuffer",
        "RWStructuredBuffer",
        "ByteAddressBuffer",
        "RWByteAddressBuffer",
        "SamplerState",
        "SamplerComparisonState",
        "Sampler",
        "ConstantBuffer",
        "ParameterBlock",
        "String",
        "FloatE4M3",
        "FloatE5M2",
        "CoopVec",
        "CoopMat",
    ];
    STEMS.iter().any(|stem| name.strip_prefix(stem).is_some_and(|rest| rest.len() <= 7))
        || name.ends_with("TensorView")
}

/// What a path leads through.
pub enum Named {
    Namespace(ScopeId),
    Type(Ty),
    Number(Expr),
}

impl Context<'_, '_> {
    /// What a name of its own is given to.
    fn resolve_alias(&mut self, ty: &TypeExpr) -> Ty {
        let resolved = self.resolve_type(ty);
        if let TypeExprKind::InOrder(..) = ty.kind {
            self.refuse_columns(ty, &resolved, "column-major matrices by other names");
        }
        resolved
    }

    pub fn resolve_type(&mut self, ty: &TypeExpr) -> Ty {
        match &ty.kind {
            TypeExprKind::Error => {
                self.broken = true;
                Ty::Error
            }
            TypeExprKind::Array { element, size } => {
                let element_ty = self.resolve_type(element);
                if element_ty == Ty::Void || matches!(element_ty, Ty::Array(_, UNSIZED)) {
                    let shown = self.show(&element_ty);
                    self.error(Code::TypeMismatch, format!("no array holds `{shown}`"), element.span, "here");
                    return Ty::Error;
                }
                let count = match size {
                    None => UNSIZED,
                    Some(size) => match self.array_len(size) {
                        Some(count) => count,
                        None => return Ty::Error,
                    },
                };
                if element_ty.is_error() {
                    return Ty::Error;
                }
                let array = Ty::Array(Arc::new(element_ty), count);
                if self.checker.program.leaves(&array) > MAX_LEAVES {
                    let message = "this array is too large for a value";
                    let label = format!("more than {MAX_LEAVES} numbers");
                    self.error(Code::UnsupportedFeature, message, ty.span, label);
                    return Ty::Error;
                }
                array
            }
            // A value has no order. Who declares what is in memory asks for it.
            TypeExprKind::InOrder(order, inner) => {
                let resolved = self.resolve_type(inner);
                self.refuse_pointer_to_columns(*order, &resolved, ty.span);
                resolved
            }
            TypeExprKind::Each(of) => self.element_type(of),
            TypeExprKind::Turn(expansion, turn) => {
                self.in_turn(*turn, |context| context.resolve_type(&expansion.of))
            }
            TypeExprKind::Expand(_) => {
                let pack = [GenericArg::Type(ty.clone())];
                let args = self.spread_generic(&pack);
                self.tuple_type(&args, ty.span)
            }
            TypeExprKind::Pointer(written) => {
                let target = self.resolve_type(written);
                self.refuse_columns(written, &target, "pointers to column-major matrices");
                self.pointer_to(target, PointerAccess::ReadWrite, ty.span)
            }
            TypeExprKind::Path(path) => self.resolve_path(path, ty.span),
        }
    }

    fn array_len(&mut self, size: &ast::Expr) -> Option<Count> {
        let count = self.count(size)?;
        if let Count::Known(n) = count
            && !(0..=MAX_LEAVES as i64).contains(&n)
        {
            let message = format!("an array cannot have {n} elements");
            self.error(Code::TypeMismatch, message, size.span, format!("0 to {MAX_LEAVES} are possible"));
            return None;
        }
        Some(count)
    }

    fn resolve_path(&mut self, path: &[ast::PathSegment], span: Span) -> Ty {
        match self.named(path, span) {
            Some(Named::Type(ty)) => ty,
            Some(Named::Namespace(_) | Named::Number(_)) => {
                let name = path.last().map_or("", |segment| &segment.name.text);
                self.not_a_type(name, span)
            }
            None => Ty::Error,
        }
    }

    /// What a path leads to; `None` after an error.
    pub fn named(&mut self, path: &[ast::PathSegment], span: Span) -> Option<Named> {
        let (first, rest) = path.split_first()?;
        let name = &first.name.text;
        let mut at = match self.lookup(name) {
            Some(Symbol::Namespace(scope)) if !rest.is_empty() => Named::Namespace(scope),
            Some(symbol) => self.named_by(symbol, None, first, span)?,
            None => {
                let args = self.spread_generic(&first.args);
                match self.builtin_type(name, &args, span) {
                    Some(ty) => Named::Type(ty),
                    None => {
                        self.unknown_type(&first.name);
                        return None;
                    }
                }
            }
        };
        for segment in rest {
            let name = &*segment.name.text;
            let program = &self.checker.program;
            let (symbol, of) = match &at {
                Named::Type(Ty::Error) => return None,
                // A handle names a buffer by itself, which buffers do here.
                Named::Type(Ty::Buffer(..)) if name == "Handle" && segment.args.is_empty() => continue,
                Named::Namespace(scope) => (program.member(*scope, name), None),
                Named::Type(ty) => (program.member_of(ty, name), Some(ty.clone())),
                Named::Number(_) => (None, None),
            };
            at = match symbol {
                Some(Symbol::Namespace(scope)) => Named::Namespace(scope),
                Some(symbol) => self.named_by(symbol, of.as_ref(), segment, span)?,
                None if name == "Differential" && of.is_some() => {
                    Named::Type(self.differential_type(&of.unwrap_or(Ty::Error), span))
                }
                None => {
                    let text: Vec<&str> = path.iter().map(|segment| &*segment.name.text).collect();
                    let message = format!("no type named `{}`", text.join("."));
                    self.error(Code::UnknownName, message, span, "not declared");
                    return None;
                }
            };
        }
        Some(at)
    }

    fn named_by(
        &mut self,
        symbol: Symbol,
        of: Option<&Ty>,
        segment: &ast::PathSegment,
        span: Span,
    ) -> Option<Named> {
        let symbol = match symbol {
            Symbol::Pack(params) => match self.picked(&params) {
                Some(param) => Symbol::Generic(param),
                None => {
                    self.whole_pack(&segment.name.text, span);
                    return None;
                }
            },
            symbol => symbol,
        };
        let program = &self.checker.program;
        let is_number = match symbol {
            Symbol::Constant(_) | Symbol::Case(..) => true,
            Symbol::Requirement(id) => program.asks_constant(id),
            Symbol::Generic(param) => matches!(program.generics[param].kind, GenericKind::Count { .. }),
            _ => false,
        };
        let name = &segment.name.text;
        if is_number && segment.args.is_empty() {
            let item = match of {
                Some(ty) => self.member_item(symbol, name, ty, None, span),
                None => self.symbol_item(symbol, name, None, span),
            };
            return match item {
                Item::Value(value) if !value.is_error() => Some(Named::Number(value)),
                _ => None,
            };
        }
        match self.symbol_type(&symbol, of, &segment.args, span) {
            Some(ty) => Some(Named::Type(ty)),
            None => {
                self.not_a_type(name, span);
                None
            }
        }
    }

    pub fn not_a_type(&mut self, name: &str, span: Span) -> Ty {
        self.error(Code::TypeMismatch, format!("`{name}` is not a type"), span, "used as a type").ty
    }

    /// The type a symbol names at these arguments, if it names one. `of` is the type whose member it is.
    pub fn symbol_type(
        &mut self,
        symbol: &Symbol,
        of: Option<&Ty>,
        args: &[GenericArg],
        span: Span,
    ) -> Option<Ty> {
        if self.refuse_hidden(symbol, of, span) {
            return Some(Ty::Error);
        }
        let args = &*self.spread_generic(args);
        match symbol {
            Symbol::Struct(id) => {
                let written = self.written_for(Declared::Struct(*id), args, span);
                let Some(Declared::Struct(id)) = written else { return Some(Ty::Error) };
                let decl = &self.checker.program.structs[id];
                let (name, own, owner) =
                    (decl.name.clone(), own_count(&decl.ast.generics, decl.length), decl.owner);
                let generics = self.checker.program.members[decl.members].generics.clone();
                let of = owner.map(|owner| (owner, of));
                let args = self.generic_args(&name, &generics, own, of, args, span);
                self.checker.fields(id, span);
                let broken = self.checker.program.structs[id].broken;
                self.broken |= broken;
                let args = args.filter(|args| {
                    self.refuse_wrong_pack(Declared::Struct(id), &generics, args, span).is_some()
                });
                Some(match args {
                    Some(args) if !broken => Ty::Struct(id, args.into()),
                    _ => Ty::Error,
                })
            }
            Symbol::Enum(id) => {
                self.checker.enum_values(*id);
                let broken = self.checker.program.enums[*id].broken;
                self.broken |= broken;
                Some(if broken { Ty::Error } else { Ty::Enum(*id) })
            }
            Symbol::Alias(id) => {
                let written = self.written_for(Declared::Alias(*id), args, span);
                let Some(Declared::Alias(id)) = written else { return Some(Ty::Error) };
                let alias = &self.checker.program.aliases[id];
                let (ast, owner, generics) = (alias.ast, alias.owner, alias.generics.clone());
                let of = owner.map(|owner| (owner, of));
                let own = own_count(&ast.generics, alias.length);
                let args = self.generic_args(&ast.name.text, &generics, own, of, args, span);
                let ty = self.checker.alias(id, span);
                if self.checker.program.aliases[id].is_bound {
                    return None;
                }
                self.broken |= ty.is_error();
                let Some(args) = args else { return Some(Ty::Error) };
                if self.refuse_wrong_pack(Declared::Alias(id), &generics, &args, span).is_none() {
                    return Some(Ty::Error);
                }
                let subst: Subst = generics.into_iter().zip(args).collect();
                let ty = ty.subst(&self.checker.program, &subst);
                Some(self.checker.settle(ty, span))
            }
            Symbol::Interface(id) => {
                let interface = self.interface_at(*id, args, span);
                Some(interface.map_or(Ty::Error, |interface| self.value_of(interface, span)))
            }
            _ if !args.is_empty() => {
                Some(self.error(Code::TypeMismatch, "this takes no generic arguments", span, "here").ty)
            }
            Symbol::Generic(param) => match self.checker.program.generics[*param].kind {
                GenericKind::Type { .. } => Some(self.checker.program.generic_type(*param)),
                GenericKind::Count { .. } => None,
            },
            Symbol::This(members) => {
                let this = self.checker.program.members[*members].this.clone();
                let Ty::Struct(id, _) = this else { return Some(this) };
                self.checker.fields(id, span);
                let broken = self.checker.program.structs[id].broken;
                self.broken |= broken;
                Some(if broken { Ty::Error } else { this })
            }
            Symbol::Requirement(id) if !self.checker.program.asks_constant(*id) => {
                let this = of.cloned().or_else(|| self.self_ty())?;
                let ty = self.checker.program.project(this, *id);
                Some(self.checker.settle(ty, span))
            }
            Symbol::Refused => {
                self.broken = true;
                Some(Ty::Error)
            }
            _ => None,
        }
    }

    /// The type of an interface's values: one that holds any conforming type, or the one that the library says.
    fn value_of(&mut self, interface: InterfaceRef, span: Span) -> Ty {
        let Some(value) = self.checker.program.value_alias(interface.id) else {
            return Ty::Interface(interface);
        };
        let members = self.checker.program.interfaces[interface.id].members;
        let ty = self.checker.alias(value, span);
        let generics = self.checker.program.members[members].generics.iter().copied();
        let subst: Subst = generics.zip(interface.args.iter().cloned()).collect();
        ty.subst(&self.checker.program, &subst)
    }

    /// Whether the declaration of these members is around this place.
    pub fn encloses(&self, owner: MembersId) -> bool {
        let mut at = Some(self.scope);
        while let Some(scope) = at {
            let scope = &self.checker.program.scopes[scope];
            if matches!(scope.names.get("This"), Some(Symbol::This(members)) if *members == owner) {
                return true;
            }
            at = scope.parent;
        }
        false
    }

    /// The type whose members are being declared here.
    pub fn self_ty(&self) -> Option<Ty> {
        match self.lookup("This") {
            Some(Symbol::This(members)) => Some(self.checker.program.members[members].this.clone()),
            _ => None,
        }
    }

    pub fn lookup(&self, name: &str) -> Option<Symbol> {
        self.checker.program.lookup(self.scope, name)
    }

    /// Builtin types; `vector`, `matrix` and `Array` take arguments.
    pub fn builtin_type(&mut self, name: &str, args: &[GenericArg], span: Span) -> Option<Ty> {
        if let Some(ty) = type_from_name(name) {
            if !args.is_empty() {
                self.error(Code::TypeMismatch, format!("`{name}` takes no generic arguments"), span, "here");
                return Some(Ty::Error);
            }
            return Some(ty);
        }
        if let Some(ty) = self.buffer_type(name, args, span) {
            return Some(ty);
        }
        if name == "Atomic" {
            return Some(self.atomic_type(args, span));
        }
        if name == "Ptr" {
            return Some(self.ptr_type(args, span));
        }
        if name == "DescriptorHandle" && args.len() == 1 {
            return match self.generic_arg(&args[0]) {
                Some(Arg::Type(buffer @ Ty::Buffer(..))) => Some(buffer),
                Some(Arg::Type(_)) => Some(self.unsupported("handles of other things than buffers", span).ty),
                _ => Some(Ty::Error),
            };
        }
        if is_block(name) {
            return Some(self.block_type(name, args, span));
        }
        if let Some(pairing) = Pairing::from_name(name) {
            return Some(self.pair_type(pairing, args, span));
        }
        if name == "Differential" {
            let this = self.self_ty()?;
            return Some(self.differential_type(&this, span));
        }
        if name == "Tuple" {
            return Some(self.tuple_type(args, span));
        }
        if let Some(id) = self.checker.program.renamed_interface(name) {
            let interface = self.interface_at(id, args, span);
            return Some(interface.map_or(Ty::Error, |interface| self.value_of(interface, span)));
        }
        let wanted = match name {
            "vector" => 2,
            "matrix" => 3,
            "Array" => 2,
            _ => return None,
        };
        if args.is_empty() && name != "Array" {
            // HLSL's defaults: `vector` is `float4`, `matrix` is `float4x4`.
            let four = Count::Known(4);
            let shape =
                if name == "vector" { Shape::Vector(four) } else { Shape::Matrix(four.clone(), four) };
            return Some(Ty::Number(Elem::Scalar(pullback_base::Scalar::F32), shape));
        }
        if args.len() != wanted {
            self.error(
                Code::TypeMismatch,
                format!("`{name}` takes {wanted} generic arguments"),
                span,
                format!("{} given", args.len()),
            );
            return Some(Ty::Error);
        }
        let element = self.declared_arg(&args[0]);
        let counts: Option<Vec<Count>> = args[1..].iter().map(|arg| self.generic_count(arg, span)).collect();
        let (Some(Arg::Type(element)), Some(counts)) = (element, counts) else { return Some(Ty::Error) };
        if name == "Array" {
            return Some(Ty::Array(Arc::new(element), counts[0].clone()));
        }
        if let Some(n) = counts.iter().filter_map(|count| count.known()).find(|n| !(1..=4).contains(n)) {
            self.error(
                Code::TypeMismatch,
                format!("a {name} cannot have size {n}"),
                span,
                "1 to 4 are possible",
            );
            return Some(Ty::Error);
        }
        let Some(scalar) = Bound::from_name("__BuiltinType") else { return Some(Ty::Error) };
        match element {
            Ty::Number(elem, Shape::Scalar) if scalar.admits(&self.checker.program, &element) => {
                let shape = match &counts[..] {
                    [n] => Shape::Vector(n.clone()),
                    [rows, columns, ..] => Shape::Matrix(rows.clone(), columns.clone()),
                    [] => Shape::Scalar,
                };
                Some(Ty::Number(elem, shape))
            }
            Ty::Error => Some(Ty::Error),
            other => {
                let shown = self.show(&other);
                self.error(
                    Code::TypeMismatch,
                    format!("no {name} is made of `{shown}`"),
                    span,
                    "needs a scalar",
                );
                Some(Ty::Error)
            }
        }
    }

    fn unknown_type(&mut self, name: &ast::Name) -> Ty {
        if TENSOR_TYPES.contains(&&*name.text) {
            let message = format!("no type named `{}` is in scope", name.text);
            let help = "write `import slangpy;` at the top";
            return self
                .error_advised(Code::UnknownName, message, name.span, "of a module of its own", help)
                .ty;
        }
        if Bound::from_name(&name.text).is_some() {
            self.unsupported(&format!("values of type `{}`", name.text), name.span);
            return Ty::Error;
        }
        if is_known_foreign_type(&name.text) {
            self.unsupported(&format!("types like `{}`", name.text), name.span);
            return Ty::Error;
        }
        let mut diagnostic =
            Diagnostic::error(Code::UnknownName, format!("no type named `{}` is in scope", name.text))
                .at(name.span, "not declared");
        if let Some(declared) = self.local_span(&name.text) {
            diagnostic = diagnostic.also(declared, "a variable, not a type");
        } else if let Some(near) = self.nearest_type(&name.text) {
            diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
        }
        self.report(diagnostic);
        Ty::Error
    }

    fn nearest_type(&self, name: &str) -> Option<String> {
        const BUILTIN: [&str; 22] = [
            "float", "float2", "float3", "float4", "int", "int2", "int3", "int4", "uint", "uint2", "uint3",
            "uint4", "bool", "half", "double", "vector", "matrix", "float2x2", "float3x3", "float4x4",
            "void", "int64_t",
        ];
        // What a statement that is no declaration begins with.
        const WORDS: [&str; 6] = ["return", "continue", "break", "switch", "while", "else"];
        let declared = self.scope_names(|symbol| {
            matches!(symbol, Symbol::Struct(_) | Symbol::Enum(_) | Symbol::Alias(_) | Symbol::Generic(_))
        });
        nearest(name, declared.iter().map(|name| &**name).chain(BUILTIN).chain(WORDS)).map(Into::into)
    }

    /// The names visible here that stand for such symbols.
    pub fn scope_names(&self, wanted: impl Fn(&Symbol) -> bool) -> Vec<Arc<str>> {
        let program = &self.checker.program;
        let mut names = Vec::new();
        let mut at = Some(self.scope);
        while let Some(scope) = at {
            let scope = &program.scopes[scope];
            names.extend(
                scope.names.iter().filter(|(_, symbol)| wanted(symbol)).map(|(name, _)| name.clone()),
            );
            at = scope.parent;
        }
        names
    }
}
