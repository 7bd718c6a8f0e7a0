//! What a type expression means, and what to say of a name that means nothing.

use super::Checker;
use super::context::Context;
use super::hir::ExprKind;
use super::program::{AliasId, GenericKind, Lazy, ScopeId, Symbol};
use super::suggest::nearest;
use super::types::{Arg, Bound, Count, Elem, Shape, Ty, type_from_name};
use crate::slang::ast::{self, GenericArg, TypeExpr, TypeExprKind};
use pullback_base::{Code, Diagnostic, Span};
use std::sync::Arc;

/// The size of `T[]`, to be told by an initializer.
pub const UNSIZED: Count = Count::Known(-1);
/// Arrays and structs are values: larger ones belong in memory.
pub const MAX_LEAVES: u64 = 65536;

impl Checker<'_> {
    pub fn alias(&mut self, id: AliasId, used: Span) -> Ty {
        let alias = &self.program.aliases[id];
        let (ast, scope) = (alias.ast, alias.scope);
        match &alias.ty {
            Lazy::Done(ty) => return ty.clone(),
            Lazy::Busy => {
                self.circle(&format!("type `{}`", ast.name.text), ast.name.span, used);
                return Ty::Error;
            }
            Lazy::Pending => self.program.aliases[id].ty = Lazy::Busy,
        }
        let ty = Context::of_scope(self, scope).resolve_type(&ast.ty);
        self.program.aliases[id].ty = Lazy::Done(ty.clone());
        ty
    }
}

/// Types that Slang has and the checker does not know yet: better refused by name than called unknown.
fn is_known_foreign_type(name: &str) -> bool {
    const STEMS: [&str; 20] = [
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
        "DifferentialPair",
        "Optional",
        "Tuple",
        "Tensor",
        "String",
        "Ptr",
        "Atomic",
    ];
    STEMS.iter().any(|stem| name.strip_prefix(stem).is_some_and(|rest| rest.len() <= 7))
        || name.ends_with("Tensor")
        || name.ends_with("TensorView")
}

impl Context<'_, '_> {
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

    /// A constant integer, or a generic one.
    pub fn count(&mut self, expr: &ast::Expr) -> Option<Count> {
        let value = self.expr(expr);
        if value.is_error() {
            return None;
        }
        if let ExprKind::Param(param) = value.kind {
            return Some(Count::Param(param));
        }
        self.constant_int(&value).map(Count::Known)
    }

    fn resolve_path(&mut self, path: &[ast::PathSegment], span: Span) -> Ty {
        let (last, outer) = match path {
            [] => return Ty::Error,
            [only] => (only, None),
            [first, middle @ .., last] => {
                let mut scope = match self.lookup(&first.name.text) {
                    Some(symbol) => self.symbol_scope(&symbol),
                    None => return self.unknown_type(&first.name),
                };
                for segment in middle {
                    let symbol =
                        scope.and_then(|s| self.checker.program.member(s, &segment.name.text)).cloned();
                    scope = symbol.and_then(|symbol| self.symbol_scope(&symbol));
                }
                let Some(scope) = scope else {
                    let text: Vec<&str> = path.iter().map(|segment| &*segment.name.text).collect();
                    self.error(
                        Code::UnknownName,
                        format!("no type named `{}`", text.join(".")),
                        span,
                        "not declared",
                    );
                    return Ty::Error;
                };
                (last, Some(scope))
            }
        };
        let name = &*last.name.text;
        if name == "This"
            && outer.is_none()
            && let Some(owner) = self.owner()
        {
            return Ty::Struct(owner);
        }
        let symbol = match outer {
            Some(scope) => self.checker.program.member(scope, name).cloned(),
            None => self.lookup(name),
        };
        match symbol {
            Some(symbol) => match self.symbol_type(&symbol, span) {
                Some(ty) if last.args.is_empty() => ty,
                Some(_) => {
                    self.error(
                        Code::TypeMismatch,
                        format!("`{name}` takes no generic arguments"),
                        span,
                        "here",
                    );
                    Ty::Error
                }
                None => {
                    self.error(Code::TypeMismatch, format!("`{name}` is not a type"), span, "used as a type");
                    Ty::Error
                }
            },
            None if outer.is_none() => match self.builtin_type(name, &last.args, span) {
                Some(ty) => ty,
                None => self.unknown_type(&last.name),
            },
            None => self.unknown_type(&last.name),
        }
    }

    /// The type a symbol names, if it names one.
    pub fn symbol_type(&mut self, symbol: &Symbol, span: Span) -> Option<Ty> {
        match symbol {
            Symbol::Struct(id) => {
                self.checker.fields(*id, span);
                let broken = self.checker.program.structs[*id].broken;
                self.broken |= broken;
                Some(if broken { Ty::Error } else { Ty::Struct(*id) })
            }
            Symbol::Alias(id) => {
                let ty = self.checker.alias(*id, span);
                self.broken |= ty.is_error();
                Some(ty)
            }
            Symbol::Generic(param) => match self.checker.program.generics[*param].kind {
                GenericKind::Type { .. } => Some(Ty::Number(Elem::Param(*param), Shape::Scalar)),
                GenericKind::Count { .. } => None,
            },
            Symbol::Refused => {
                self.broken = true;
                Some(Ty::Error)
            }
            _ => None,
        }
    }

    /// The scope whose members a symbol's members are.
    fn symbol_scope(&mut self, symbol: &Symbol) -> Option<ScopeId> {
        match symbol {
            Symbol::Namespace(scope) => Some(*scope),
            Symbol::Struct(id) => Some(self.checker.program.structs[*id].scope),
            _ => None,
        }
    }

    pub fn lookup(&self, name: &str) -> Option<Symbol> {
        self.checker.program.lookup(self.scope, name)
    }

    pub fn owner(&self) -> Option<super::program::StructId> {
        self.checker.program.functions[self.function?].owner
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
        let wanted = match name {
            "vector" => 2,
            "matrix" => 3,
            "Array" => 2,
            _ => return None,
        };
        if args.is_empty() && name != "Array" {
            // HLSL's defaults: `vector` is `float4`, `matrix` is `float4x4`.
            let four = Count::Known(4);
            let shape = if name == "vector" { Shape::Vector(four) } else { Shape::Matrix(four, four) };
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
        let element = self.generic_arg(&args[0]);
        let counts: Option<Vec<Count>> = args[1..].iter().map(|arg| self.generic_count(arg, span)).collect();
        let (Some(Arg::Type(element)), Some(counts)) = (element, counts) else { return Some(Ty::Error) };
        if name == "Array" {
            return Some(Ty::Array(Arc::new(element), counts[0]));
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
                let shape = match counts[..] {
                    [n] => Shape::Vector(n),
                    [rows, columns, ..] => Shape::Matrix(rows, columns),
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

    fn generic_count(&mut self, arg: &GenericArg, span: Span) -> Option<Count> {
        match self.generic_arg(arg) {
            Some(Arg::Count(count)) => Some(count),
            Some(Arg::Type(Ty::Error)) | None => None,
            Some(Arg::Type(ty)) => {
                let shown = self.show(&ty);
                let message = format!("type `{shown}` where a number is needed");
                self.error(Code::TypeMismatch, message, span, "in these arguments");
                None
            }
        }
    }

    /// A generic argument; a plain name may be a type or a number.
    pub fn generic_arg(&mut self, arg: &GenericArg) -> Option<Arg> {
        match arg {
            GenericArg::Value(expr) => self.count(expr).map(Arg::Count),
            GenericArg::Type(ty) => {
                if let TypeExprKind::Path(path) = &ty.kind
                    && let [segment] = &path[..]
                    && segment.args.is_empty()
                    && self.names_a_number(&segment.name.text)
                {
                    let kind = ast::ExprKind::Name(segment.name.clone());
                    return self.count(&ast::Expr { kind, span: ty.span }).map(Arg::Count);
                }
                Some(Arg::Type(self.resolve_type(ty)))
            }
        }
    }

    fn names_a_number(&self, name: &str) -> bool {
        if self.local(name).is_some() {
            return true;
        }
        match self.lookup(name) {
            Some(Symbol::Constant(_)) => true,
            Some(Symbol::Generic(param)) => {
                matches!(self.checker.program.generics[param].kind, GenericKind::Count { .. })
            }
            _ => false,
        }
    }

    fn unknown_type(&mut self, name: &ast::Name) -> Ty {
        if is_known_foreign_type(&name.text) {
            self.unsupported(&format!("types like `{}`", name.text), name.span);
            return Ty::Error;
        }
        let mut diagnostic =
            Diagnostic::error(Code::UnknownName, format!("no type named `{}` is in scope", name.text))
                .at(name.span, "not declared");
        if let Some(near) = self.nearest_type(&name.text) {
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
        let declared = self.scope_names(|symbol| {
            matches!(symbol, Symbol::Struct(_) | Symbol::Alias(_) | Symbol::Generic(_))
        });
        nearest(name, declared.iter().map(|name| &**name).chain(BUILTIN)).map(Into::into)
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
