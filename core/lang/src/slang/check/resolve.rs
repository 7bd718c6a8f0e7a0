//! What a type expression means, and what to say of a name that means nothing.

use super::context::Context;
use super::hir::{Expr, ExprKind};
use super::interface::Obligation;
use super::memory::BufferKind;
use super::program::{AliasId, GenericKind, InterfaceRef, Lazy, MembersId, ScopeId, Symbol};
use super::recursion::walk;
use super::suggest::nearest;
use super::types::{Arg, Bound, Count, Elem, Pairing, ParamId, Shape, Subst, Ty, type_from_name};
use super::{Checker, constant};
use crate::slang::ast::{self, GenericArg, TypeExpr, TypeExprKind};
use pullback_base::{Code, Diagnostic, Span};
use pullback_ir::Op;
use std::sync::Arc;

/// The size of `T[]`, to be told by an initializer.
pub const UNSIZED: Count = Count::Known(i64::MIN);
/// Arrays and structs are values: larger ones belong in memory.
pub const MAX_LEAVES: u64 = 65536;

impl Checker<'_> {
    /// What an alias stands for, in terms of its generic parameters.
    pub fn alias(&mut self, id: AliasId, used: Span) -> Ty {
        let alias = &self.program.aliases[id];
        let (ast, scope) = (alias.ast, alias.scope);
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
        let right = self.resolve_generics(&ast.generics, &generics, scope);
        let mut context = Context::of_scope(self, scope);
        let is_bound = context.names_bound(&ast.ty);
        let ty = if is_bound || !right { Ty::Error } else { context.resolve_type(&ast.ty) };
        self.program.aliases[id].is_bound = is_bound;
        self.program.aliases[id].ty = Lazy::Done(ty.clone());
        ty
    }
}

impl Checker<'_> {
    /// The type with the associated types told that were not while it was made.
    pub fn settle(&mut self, ty: Ty, used: Span) -> Ty {
        let mut ty = ty;
        while let Some(alias) = self.program.unsettled(&ty) {
            if self.alias(alias, used).is_error() {
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
        "String",
        "Atomic",
        "BFloat16",
        "FloatE4M3",
        "FloatE5M2",
        "CoopVec",
        "CoopMat",
    ];
    STEMS.iter().any(|stem| name.strip_prefix(stem).is_some_and(|rest| rest.len() <= 7))
        || name.ends_with("TensorView")
}

/// What a path leads through.
enum Outer {
    Namespace(ScopeId),
    Type(Ty),
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
            // A value has no layout; where it is to lie in memory, this is refused.
            TypeExprKind::ColumnMajor(ty) => self.resolve_type(ty),
            TypeExprKind::Pointer(target) => {
                let target = self.resolve_type(target);
                self.pointer_to(target, ty.span)
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
        let integer = value.ty.known_scalar().is_some_and(|scalar| scalar.is_integer());
        if let (Some(count), true) = (self.linear(&value), integer) {
            return Some(count);
        }
        let mut is_generic = false;
        walk(&value, &mut |part| is_generic |= matches!(part.kind, ExprKind::Param(_)));
        if is_generic {
            self.unsupported("sizes other than a generic number times and plus constants", value.span);
            return None;
        }
        self.constant_int(&value).map(Count::Known)
    }

    /// A generic number times and plus constants, where the expression is that.
    fn linear(&mut self, expr: &Expr) -> Option<Count> {
        if let Ok(constant::Tree::Leaf(constant)) = constant::evaluate(self.checker, expr) {
            return Some(Count::Known(constant.as_i64()));
        }
        match &expr.kind {
            ExprKind::Param(param) => Some(Count::Param(*param)),
            ExprKind::Convert(inner) => {
                let whole = inner.ty.known_scalar().is_some_and(|scalar| scalar.is_integer());
                if whole { self.linear(inner) } else { None }
            }
            ExprKind::Constant(id) => {
                let value = self.checker.constant(*id, expr.span);
                self.linear(&value)
            }
            ExprKind::Op(op, args) => {
                let args: Option<Vec<Count>> = args.iter().map(|arg| self.linear(arg)).collect();
                match (op, &args?[..]) {
                    (Op::Add, [a, b]) => a.sum(*b),
                    (Op::Sub, [a, b]) => a.sum(b.times(-1)),
                    (Op::Mul, [a, b]) => a.product(*b),
                    (Op::Neg, [a]) => Some(a.times(-1)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// What a generic value stands for: an integer, a `bool` or a case of an enum, which are numbers all.
    pub fn generic_value(&mut self, expr: &ast::Expr) -> Option<Count> {
        let value = self.expr(expr);
        let integer = value.ty.known_scalar().is_some_and(|scalar| scalar.is_integer());
        match value.kind {
            ExprKind::Param(param) => return Some(Count::Param(param)),
            _ if integer => {
                if let Some(count) = self.linear(&value) {
                    return Some(count);
                }
            }
            _ => {}
        }
        if value.ty != Ty::BOOL && !matches!(value.ty, Ty::Enum(_)) {
            return self.constant_int(&value).map(Count::Known);
        }
        match constant::evaluate(self.checker, &value) {
            Ok(constant::Tree::Leaf(constant)) => Some(Count::Known(constant.as_i64())),
            _ => {
                self.not_constant("this", value.span);
                None
            }
        }
    }

    fn resolve_path(&mut self, path: &[ast::PathSegment], span: Span) -> Ty {
        let Some((first, rest)) = path.split_first() else { return Ty::Error };
        let name = &*first.name.text;
        let mut at = match self.lookup(name) {
            Some(Symbol::Namespace(scope)) if !rest.is_empty() => Outer::Namespace(scope),
            Some(symbol) => match self.symbol_type(&symbol, None, &first.args, span) {
                Some(ty) => Outer::Type(ty),
                None => return self.not_a_type(name, span),
            },
            None => match self.builtin_type(name, &first.args, span) {
                Some(ty) => Outer::Type(ty),
                None => return self.unknown_type(&first.name),
            },
        };
        for segment in rest {
            let name = &*segment.name.text;
            let program = &self.checker.program;
            let (symbol, of) = match &at {
                Outer::Type(Ty::Error) => return Ty::Error,
                // A handle names a buffer by itself, which buffers do here.
                Outer::Type(Ty::Buffer(..)) if name == "Handle" && segment.args.is_empty() => continue,
                Outer::Namespace(scope) => (program.member(*scope, name), None),
                Outer::Type(ty) => (program.member_of(ty, name), Some(ty.clone())),
            };
            at = match symbol {
                Some(Symbol::Namespace(scope)) => Outer::Namespace(scope),
                Some(symbol) => match self.symbol_type(&symbol, of.as_ref(), &segment.args, span) {
                    Some(ty) => Outer::Type(ty),
                    None => return self.not_a_type(name, span),
                },
                None if name == "Differential" && of.is_some() => {
                    Outer::Type(self.differential_type(&of.unwrap_or(Ty::Error), span))
                }
                None => {
                    let text: Vec<&str> = path.iter().map(|segment| &*segment.name.text).collect();
                    let message = format!("no type named `{}`", text.join("."));
                    self.error(Code::UnknownName, message, span, "not declared");
                    return Ty::Error;
                }
            };
        }
        match at {
            Outer::Type(ty) => ty,
            Outer::Namespace(_) => self.not_a_type(name, span),
        }
    }

    fn not_a_type(&mut self, name: &str, span: Span) -> Ty {
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
        match symbol {
            Symbol::Struct(id) => {
                let decl = &self.checker.program.structs[*id];
                let (name, own, owner) = (decl.name.clone(), decl.ast.generics.params.len(), decl.owner);
                let generics = self.checker.program.members[decl.members].generics.clone();
                let of = owner.map(|owner| (owner, of));
                let args = self.generic_args(&name, &generics, own, of, args, span);
                self.checker.fields(*id, span);
                let broken = self.checker.program.structs[*id].broken;
                self.broken |= broken;
                Some(match args {
                    Some(args) if !broken => Ty::Struct(*id, args.into()),
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
                let alias = &self.checker.program.aliases[*id];
                let (ast, owner, generics) = (alias.ast, alias.owner, alias.generics.clone());
                let of = owner.map(|owner| (owner, of));
                let own = ast.generics.params.len();
                let args = self.generic_args(&ast.name.text, &generics, own, of, args, span);
                let ty = self.checker.alias(*id, span);
                if self.checker.program.aliases[*id].is_bound {
                    return None;
                }
                self.broken |= ty.is_error();
                let Some(args) = args else { return Some(Ty::Error) };
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
            Symbol::This(members) => Some(self.checker.program.members[*members].this.clone()),
            Symbol::Requirement(id) => {
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

    /// What the generic parameters of a type stand for: those of what it is a member of, and the type of that it was asked of, then
    /// `own` of its own, which the arguments and defaults tell. Within the type itself its bare name means what it is there.
    pub fn generic_args(
        &mut self,
        name: &str,
        generics: &[ParamId],
        own: usize,
        of: Option<(MembersId, Option<&Ty>)>,
        args: &[GenericArg],
        span: Span,
    ) -> Option<Vec<Arg>> {
        let (outer, own) = generics.split_at(generics.len() - own);
        let mut values = self.outer_args(outer, of)?;
        if args.is_empty() && own.iter().any(|&param| self.is_visible(param)) {
            values.extend(own.iter().map(|&param| self.checker.program.generic_as_arg(param)));
            return Some(values);
        }
        if args.len() > own.len() {
            let takes = match own.len() {
                0 => "no generic arguments".into(),
                1 => "one generic argument".into(),
                n => format!("{n} generic arguments"),
            };
            let message = format!("`{name}` takes {takes}");
            self.error(Code::TypeMismatch, message, span, format!("{} given", args.len()));
            return None;
        }
        let mut subst: Subst = outer.iter().copied().zip(values.iter().cloned()).collect();
        for (index, &param) in own.iter().enumerate() {
            let value = match args.get(index) {
                Some(arg) => self.generic_arg(arg)?,
                None => match self.checker.program.default_of(param, &subst) {
                    Some(value) => value,
                    None => {
                        let missing = self.checker.program.generics[param].name.clone();
                        let message = format!("`{name}` needs a generic argument for `{missing}`");
                        let help = format!("write `{name}<...>`");
                        self.error_advised(Code::TypeMismatch, message, span, "not told here", help);
                        return None;
                    }
                },
            };
            subst.insert(param, value.clone());
            self.check_generic_arg(param, &subst, span)?;
            values.push(value);
        }
        Some(values)
    }

    /// Whether a generic parameter is one of those around.
    fn is_visible(&self, param: ParamId) -> bool {
        let name = &self.checker.program.generics[param].name;
        matches!(self.lookup(name), Some(Symbol::Generic(found)) if found == param)
    }

    /// Reports an argument that its parameter does not admit.
    fn check_generic_arg(&mut self, param: ParamId, subst: &Subst, span: Span) -> Option<()> {
        if !self.checker.headers_done {
            self.checker.obligations.push(Obligation { param, subst: subst.clone(), span });
            return Some(());
        }
        match self.checker.program.misfit(param, subst) {
            None => Some(()),
            Some(why) => {
                self.error(Code::TypeMismatch, why, span, "in these generic arguments");
                None
            }
        }
    }

    /// The generic arguments of the type around a member: those of the type it was asked of; from within, of the type itself.
    fn outer_args(&self, outer: &[ParamId], of: Option<(MembersId, Option<&Ty>)>) -> Option<Vec<Arg>> {
        let program = &self.checker.program;
        let identity = || outer.iter().map(|&param| program.generic_as_arg(param)).collect();
        let Some((owner, asked)) = of else { return Some(identity()) };
        let subst = match asked {
            Some(ty) => program.members_subst(owner, ty)?,
            None if self.encloses(owner) => return Some(identity()),
            None => program.members_subst(owner, &self.self_ty()?)?,
        };
        outer.iter().map(|param| subst.get(param).cloned()).collect()
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
        let in_memory = BufferKind::from_name(name).is_some()
            || matches!(name, "Ptr" | "ConstantBuffer" | "ParameterBlock" | "TextureBuffer");
        if in_memory && self.refuses_columns(args) {
            return Some(Ty::Error);
        }
        if let Some(ty) = self.buffer_type(name, args, span) {
            return Some(ty);
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
        if matches!(name, "ConstantBuffer" | "ParameterBlock" | "TextureBuffer") {
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

    /// Refuses `column_major` where values lie in memory: matrices lie there row by row.
    fn refuses_columns(&mut self, args: &[GenericArg]) -> bool {
        let columns = args.iter().find_map(|arg| match arg {
            GenericArg::Type(TypeExpr { kind: TypeExprKind::ColumnMajor(_), span }) => Some(*span),
            _ => None,
        });
        if let Some(span) = columns {
            self.unsupported("column-major matrices in memory", span);
        }
        columns.is_some()
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
            GenericArg::Value(expr) => self.generic_value(expr).map(Arg::Count),
            GenericArg::Type(ty) => {
                if let TypeExprKind::Path(path) = &ty.kind
                    && let [segment] = &path[..]
                    && segment.args.is_empty()
                    && self.names_a_number(&segment.name.text)
                {
                    let kind = ast::ExprKind::Name(segment.name.clone());
                    return self.generic_value(&ast::Expr { kind, span: ty.span }).map(Arg::Count);
                }
                if let Some(case) = self.enum_case_named(ty) {
                    return self.generic_value(&case).map(Arg::Count);
                }
                Some(Arg::Type(self.resolve_type(ty)))
            }
        }
    }

    /// `Color.Red` where a type may stand.
    fn enum_case_named(&self, ty: &TypeExpr) -> Option<ast::Expr> {
        let TypeExprKind::Path(path) = &ty.kind else { return None };
        let [first, case] = &path[..] else { return None };
        let Some(Symbol::Enum(_)) = self.lookup(&first.name.text) else { return None };
        let base = ast::Expr { kind: ast::ExprKind::Name(first.name.clone()), span: first.name.span };
        let kind = ast::ExprKind::Member { base: Box::new(base), name: case.name.clone() };
        Some(ast::Expr { kind, span: ty.span })
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
        if TENSOR_TYPES.contains(&&*name.text) {
            let message = format!("no type named `{}` is in scope", name.text);
            let help = "write `import slangpy;` at the top";
            return self
                .error_advised(Code::UnknownName, message, name.span, "of a module of its own", help)
                .ty;
        }
        if is_known_foreign_type(&name.text) {
            self.unsupported(&format!("types like `{}`", name.text), name.span);
            return Ty::Error;
        }
        let mut diagnostic =
            Diagnostic::error(Code::UnknownName, format!("no type named `{}` is in scope", name.text))
                .at(name.span, "not declared");
        if let Some(local) = self.local(&name.text) {
            diagnostic = diagnostic.also(self.locals[local].span, "a variable, not a type");
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
