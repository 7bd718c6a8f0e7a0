//! Bit fields: `uint low : 4;`. Those that fit one number share it, from its lowest bit on; each is a property of its bits.

use super::{Parsed, Parser};
use crate::slang::ast::{
    Accessor, AccessorKind, BinaryOp, Block, Decl, DeclKind, Expr, ExprKind, Function, FunctionRole,
    Generics, IntSuffix, Modifiers, Name, Param, Property, Stmt, StmtKind, TypeExpr, TypeExprKind, Var,
    VarKeyword,
};
use pullback_base::Span;

/// What the names of the numbers that bit fields share begin with.
pub const SHARED: &str = "__bits";

/// A number that bit fields share.
struct Shared {
    name: Name,
    ty: TypeExpr,
    size: u32,
    used: u32,
}

impl Parser<'_> {
    /// The members with properties for bit fields, and the numbers that they share.
    pub(super) fn with_bit_fields(&mut self, members: Vec<Decl>) -> Parsed<Vec<Decl>> {
        let is_bit_field = |decl: &Decl| matches!(&decl.kind, DeclKind::Var(Var { bits: Some(_), .. }));
        if !members.iter().any(is_bit_field) {
            return Ok(members);
        }
        let (mut out, mut open, mut count) = (Vec::new(), None, 0);
        for decl in members {
            let DeclKind::Var(Var { name, ty: Some(ty), bits: Some(bits), .. }) = &decl.kind else {
                open = None;
                out.push(decl);
                continue;
            };
            let Some(size) = integer_size(ty) else {
                let help = "give it one of the types `int8_t` to `uint64_t`";
                return Err(self.unsupported(ty.span, "bit fields of this type", help));
            };
            if !(1..=size).contains(bits) {
                let message = format!("`{}` cannot have {bits} bits", name.text);
                return Err(self.syntax_error(name.span, message, format!("its type has {size}")));
            }
            let fits = |shared: &Shared| shared.size == size && shared.used + bits <= size;
            if !open.as_ref().is_some_and(fits) {
                let text = format!("{SHARED}{count}").into();
                let shared = Shared { name: Name { text, span: name.span }, ty: ty.clone(), size, used: 0 };
                count += 1;
                out.push(shared.field(&decl));
                open = Some(shared);
            }
            let Some(shared) = &mut open else { continue };
            out.push(shared.property(&decl, name, ty, *bits));
            shared.used += bits;
        }
        Ok(out)
    }
}

/// The bits of an integer type.
fn integer_size(ty: &TypeExpr) -> Option<u32> {
    let TypeExprKind::Path(path) = &ty.kind else { return None };
    let [segment] = &path[..] else { return None };
    match &*segment.name.text {
        "int8_t" | "uint8_t" => Some(8),
        "int16_t" | "uint16_t" => Some(16),
        "int" | "uint" | "int32_t" | "uint32_t" => Some(32),
        "int64_t" | "uint64_t" => Some(64),
        _ => None,
    }
}

impl Shared {
    fn field(&self, like: &Decl) -> Decl {
        let var = Var {
            name: self.name.clone(),
            keyword: VarKeyword::Typed,
            ty: Some(self.ty.clone()),
            bits: None,
            init: None,
            semantics: Vec::new(),
        };
        Decl { kind: DeclKind::Var(var), doc: None, attributes: Vec::new(), ..like.clone() }
    }

    /// `property T name { get { return (T)bits << .. >> ..; } set { bits = bits & .. | (newValue & ..) << ..; } }`
    fn property(&self, decl: &Decl, name: &Name, ty: &TypeExpr, bits: u32) -> Decl {
        let span = name.span;
        let all = u64::MAX >> (64 - self.size);
        let mask = u64::MAX >> (64 - bits);
        let shared = || expr(ExprKind::Name(self.name.clone()), span);
        let unused_above = self.size - self.used - bits;

        let raised = binary(BinaryOp::Shl, cast(ty, shared()), int(unused_above.into(), span));
        let lowered = binary(BinaryOp::Shr, raised, int((self.size - bits).into(), span));
        let get = StmtKind::Return(Some(cast(ty, lowered)));

        let new_name = Name { text: "newValue".into(), span };
        let kept = binary(BinaryOp::BitAnd, shared(), int(all & !(mask << self.used), span));
        let new_value = cast(&self.ty, expr(ExprKind::Name(new_name.clone()), span));
        let given = binary(BinaryOp::BitAnd, new_value, int(mask, span));
        let given = binary(BinaryOp::Shl, cast(&self.ty, given), int(self.used.into(), span));
        let value = cast(&self.ty, binary(BinaryOp::BitOr, kept, given));
        let (target, value) = (Box::new(shared()), Box::new(value));
        let set = StmtKind::Expr(expr(ExprKind::Assign { op: None, op_span: span, target, value }, span));

        let param = Param {
            name: Some(new_name),
            ty: ty.clone(),
            default: None,
            modifiers: Modifiers::default(),
            attributes: Vec::new(),
            semantics: Vec::new(),
            span,
        };
        let accessor = |kind, suffix: &str, params, result, body| {
            let body = Stmt { kind: body, attributes: Vec::new(), span };
            let function = Function {
                role: FunctionRole::Plain,
                name: Name { text: format!("{}.{suffix}", name.text).into(), span },
                generics: Generics::default(),
                params,
                result,
                semantics: Vec::new(),
                body: Some(Block { stmts: vec![body], span }),
                lambdas: Vec::new(),
            };
            let function = Decl {
                kind: DeclKind::Function(function),
                modifiers: decl.modifiers.clone(),
                attributes: Vec::new(),
                doc: None,
                span,
            };
            Accessor { kind, function, span }
        };
        let accessors = vec![
            accessor(AccessorKind::Get, "get", Vec::new(), Some(ty.clone()), get),
            accessor(AccessorKind::Set, "set", vec![param], None, set),
        ];
        let property = Property { name: name.clone(), ty: ty.clone(), accessors };
        Decl { kind: DeclKind::Property(property), ..decl.clone() }
    }
}

fn expr(kind: ExprKind, span: Span) -> Expr {
    Expr { kind, span }
}

fn int(value: u64, span: Span) -> Expr {
    expr(ExprKind::Int { value, suffix: IntSuffix::None }, span)
}

fn cast(ty: &TypeExpr, value: Expr) -> Expr {
    let span = value.span;
    expr(ExprKind::Cast { ty: ty.clone(), value: Box::new(value) }, span)
}

fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    let span = left.span;
    expr(ExprKind::Binary { op, op_span: span, left: Box::new(left), right: Box::new(right) }, span)
}
