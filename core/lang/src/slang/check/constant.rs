//! Constant expressions: array sizes, case labels, default arguments, `static const`.

use super::Checker;
use super::context::Context;
use super::count::Count;
use super::hir::{Callee, Expr, ExprKind, Literal, Pick};
use super::program::{Lazy, Program};
use super::types::{Arg, Shape, Subst, Ty};
use pullback_base::{Code, Scalar, Span};
use pullback_ir::{Constant, Op};

/// A constant: a number, or an aggregate by its elements.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    Leaf(Constant),
    Node(Vec<Tree>),
}

impl Literal {
    /// The value in a scalar type, rounded or wrapped.
    pub fn constant(self, scalar: Scalar) -> Constant {
        match self {
            Literal::Bool(value) => Constant::int(scalar, i64::from(value)),
            Literal::Int(value) if scalar.is_float() => Constant::float(scalar, value as f64),
            Literal::Int(value) if scalar == Scalar::Bool => Constant::bool(value != 0),
            Literal::Int(value) => Constant::from_bits(scalar, value as u64),
            Literal::Float(value) => Constant::float(scalar, value),
        }
    }

    pub fn of(constant: Constant) -> Literal {
        match constant.scalar() {
            Scalar::Bool => Literal::Bool(constant.as_bool()),
            Scalar::U64 => Literal::Int(i128::from(constant.bits())),
            scalar if scalar.is_float() => Literal::Float(constant.as_f64()),
            _ => Literal::Int(i128::from(constant.as_i64())),
        }
    }
}

impl Tree {
    /// The constant as an expression of that type.
    pub fn into_expr(self, program: &Program<'_>, ty: &Ty, span: Span) -> Expr {
        let elements = match self {
            Tree::Leaf(constant) => return Expr::literal(Literal::of(constant), ty.clone(), span),
            Tree::Node(elements) => elements,
        };
        let fields = program.fields_of(ty);
        let elements = elements.into_iter().enumerate().map(|(index, element)| {
            let field = fields.get(index).map(|field| field.ty.clone());
            element.into_expr(program, &field.or_else(|| ty.element()).unwrap_or(Ty::Error), span)
        });
        Expr { kind: ExprKind::Construct(elements.collect()), ty: ty.clone(), span }
    }

    /// All components in order.
    fn flat(self, out: &mut Vec<Constant>) {
        match self {
            Tree::Leaf(constant) => out.push(constant),
            Tree::Node(elements) => elements.into_iter().for_each(|element| element.flat(out)),
        }
    }

    /// The tree of a shape from its components in order.
    fn of_shape(shape: &Shape, components: &mut impl Iterator<Item = Constant>) -> Option<Tree> {
        let mut row = |n: i64| (0..n).map(|_| components.next().map(Tree::Leaf)).collect::<Option<Vec<_>>>();
        match shape {
            Shape::Scalar => row(1)?.pop(),
            Shape::Vector(n) => row(n.known()?).map(Tree::Node),
            Shape::Matrix(rows, columns) => {
                let columns = columns.known()?;
                let rows: Option<Vec<Tree>> =
                    (0..rows.known()?).map(|_| row(columns).map(Tree::Node)).collect();
                rows.map(Tree::Node)
            }
        }
    }
}

/// The value of an expression where generic parameters stand for what `bound` says, or the place of its first part that is not
/// constant.
pub fn evaluate(program: &Program<'_>, expr: &Expr, bound: &Subst) -> Result<Tree, Span> {
    let fail = Err(expr.span);
    let scalar = program.scalar_of(&expr.ty);
    let part = |expr: &Expr| evaluate(program, expr, bound);
    match &expr.kind {
        ExprKind::Literal(literal) => scalar.map_or(fail, |scalar| Ok(Tree::Leaf(literal.constant(scalar)))),
        ExprKind::SizeOf(ty) => match (program.size_bytes(&ty.subst(program, bound)), scalar) {
            (Some(bytes), Some(scalar)) => Ok(Tree::Leaf(Literal::Int(bytes.into()).constant(scalar))),
            _ => fail,
        },
        ExprKind::Zero => zero(program, &expr.ty).ok_or(expr.span),
        ExprKind::Param(param) => match (bound.get(param), scalar) {
            (Some(Arg::Count(Count::Known(number))), Some(scalar)) => {
                Ok(Tree::Leaf(Literal::Int(i128::from(*number)).constant(scalar)))
            }
            _ => fail,
        },
        ExprKind::Required(ty, requirement) => {
            let ty = ty.subst(program, bound);
            let Some(given) = program.given_for_constant(&ty, *requirement, expr.span) else { return fail };
            part(&given).map_err(|_| expr.span)
        }
        ExprKind::Under(bindings, inner) => {
            let inner_bound = bindings.iter().map(|(param, arg)| (*param, arg.subst(program, bound)));
            evaluate(program, inner, &inner_bound.collect()).map_err(|_| expr.span)
        }
        ExprKind::Constant(id) => match &program.constants[*id].value {
            Lazy::Done(value) => part(value).map_err(|_| expr.span),
            Lazy::Pending | Lazy::Busy => fail,
        },
        ExprKind::Op(op, args) => {
            let args: Result<Vec<Tree>, Span> = args.iter().map(&part).collect();
            component_wise(&args?, &|args| fold(op, args)).ok_or(expr.span)
        }
        ExprKind::Convert(inner) => {
            let tree = part(inner)?;
            let (from, to) = (program.as_number(&inner.ty), program.as_number(&expr.ty));
            convert(tree, &from, &to).ok_or(expr.span)
        }
        ExprKind::Construct(elements) => {
            let elements: Result<Vec<Tree>, Span> = elements.iter().map(&part).collect();
            Ok(Tree::Node(elements?))
        }
        ExprKind::Compose(parts) => {
            let mut components = Vec::new();
            for operand in parts {
                part(operand)?.flat(&mut components);
            }
            let shape = expr.ty.number().map(|(_, shape)| shape);
            shape.and_then(|shape| Tree::of_shape(&shape, &mut components.into_iter())).ok_or(expr.span)
        }
        ExprKind::Pick(base, pick) => {
            let base = part(base)?;
            picked(program, base, pick, bound).ok_or(expr.span)
        }
        ExprKind::Conditional { condition, then, otherwise } => {
            let arm = if part(condition)? == yes() { then } else { otherwise };
            part(arm)
        }
        ExprKind::And(a, b) => {
            if part(a)? == yes() {
                part(b)
            } else {
                Ok(Tree::Leaf(Constant::bool(false)))
            }
        }
        ExprKind::Or(a, b) => {
            if part(a)? == yes() {
                Ok(yes())
            } else {
                part(b)
            }
        }
        ExprKind::Call(call) => {
            let Callee::Function { id, .. } = &call.callee else { return fail };
            let Some(op) = program.functions[*id].op.clone() else { return fail };
            let args: Result<Vec<Tree>, Span> = call.args.iter().map(&part).collect();
            component_wise(&args?, &|args| fold(&op, args)).ok_or(expr.span)
        }
        _ => fail,
    }
}

fn yes() -> Tree {
    Tree::Leaf(Constant::bool(true))
}

fn zero(program: &Program<'_>, ty: &Ty) -> Option<Tree> {
    match ty {
        Ty::Buffer(..) | Ty::Pointer(..) | Ty::Atomic(_) => None,
        Ty::Number(elem, shape) => {
            let super::types::Elem::Scalar(scalar) = elem else { return None };
            Tree::of_shape(shape, &mut std::iter::repeat(Constant::zero(*scalar)))
        }
        Ty::Array(element, count) => {
            let element = zero(program, element)?;
            let count = usize::try_from(count.known()?).ok()?;
            Some(Tree::Node(vec![element; count]))
        }
        Ty::Struct(..) => {
            let fields = program.fields_of(ty);
            let fields: Option<Vec<Tree>> = fields.iter().map(|field| zero(program, &field.ty)).collect();
            fields.map(Tree::Node)
        }
        Ty::Enum(id) => Some(Tree::Leaf(Constant::zero(program.enums[*id].tag?))),
        Ty::Void | Ty::Error | Ty::Assoc(..) | Ty::Interface(_) | Ty::Pair(..) | Ty::Differential(_) => None,
    }
}

fn component_wise(args: &[Tree], f: &dyn Fn(&[Constant]) -> Option<Constant>) -> Option<Tree> {
    let len = args.iter().find_map(|arg| match arg {
        Tree::Node(elements) => Some(elements.len()),
        Tree::Leaf(_) => None,
    });
    let Some(len) = len else {
        let constants: Option<Vec<Constant>> = args
            .iter()
            .map(|arg| match arg {
                Tree::Leaf(constant) => Some(*constant),
                Tree::Node(_) => None,
            })
            .collect();
        return f(&constants?).map(Tree::Leaf);
    };
    let element = |arg: &Tree, i: usize| match arg {
        Tree::Node(elements) => elements.get(i).cloned(),
        leaf => Some(leaf.clone()),
    };
    let elements: Option<Vec<Tree>> = (0..len)
        .map(|i| {
            let args: Option<Vec<Tree>> = args.iter().map(|arg| element(arg, i)).collect();
            component_wise(&args?, f)
        })
        .collect();
    elements.map(Tree::Node)
}

fn convert(tree: Tree, from: &Ty, to: &Ty) -> Option<Tree> {
    let scalar = to.known_scalar()?;
    let ((_, from_shape), (_, shape)) = (from.number()?, to.number()?);
    let mut components = Vec::new();
    tree.flat(&mut components);
    let mut components: Vec<Constant> =
        components.into_iter().map(|constant| Literal::of(constant).constant(scalar)).collect();
    if from_shape == Shape::Scalar {
        let one = components.first().copied()?;
        return Tree::of_shape(&shape, &mut std::iter::repeat(one));
    }
    if let (Shape::Matrix(_, columns), Shape::Matrix(rows, kept)) = (&from_shape, &shape) {
        let (columns, rows, kept) =
            (columns.known()? as usize, rows.known()? as usize, kept.known()? as usize);
        components =
            components.chunks(columns).take(rows).flat_map(|row| row[..kept.min(columns)].to_vec()).collect();
    }
    Tree::of_shape(&shape, &mut components.into_iter())
}

fn picked(program: &Program<'_>, base: Tree, pick: &Pick, bound: &Subst) -> Option<Tree> {
    let Tree::Node(elements) = base else { return None };
    match pick {
        Pick::Element { index, .. } => elements.into_iter().nth(*index as usize),
        Pick::Index(index) => {
            let Ok(Tree::Leaf(index)) = evaluate(program, index, bound) else { return None };
            elements.into_iter().nth(usize::try_from(index.as_i64()).ok()?)
        }
        Pick::Swizzle(picks) => {
            let picks: Option<Vec<Tree>> =
                picks.iter().map(|&i| elements.get(usize::from(i)).cloned()).collect();
            picks.map(Tree::Node)
        }
        Pick::Components(_) | Pick::Property(_) => None,
    }
}

/// An operation on numbers, for those a constant expression may need. `f32` results are computed in `f64`, which
/// rounds the same for these operations.
pub fn fold(op: &Op, args: &[Constant]) -> Option<Constant> {
    let scalar = args.first()?.scalar();
    if let (Op::Select, [condition, a, b]) = (op, args) {
        return Some(if condition.as_bool() { *a } else { *b });
    }
    if scalar.is_float() {
        let x = args[0].as_f64();
        let y = args.get(1).map_or(0.0, |arg| arg.as_f64());
        let number = match op {
            Op::Neg => -x,
            Op::Abs => x.abs(),
            Op::Add => x + y,
            Op::Sub => x - y,
            Op::Mul => x * y,
            Op::Div => x / y,
            Op::Rem => x % y,
            Op::Min => x.min(y),
            Op::Max => x.max(y),
            Op::Sqrt => x.sqrt(),
            Op::Floor => x.floor(),
            Op::Ceil => x.ceil(),
            _ => return compare(op, x.partial_cmp(&y)),
        };
        return Some(Constant::float(scalar, number));
    }
    let (x, y) = (i128_of(args[0]), args.get(1).map_or(0, |arg| i128_of(*arg)));
    let width = i128::from(scalar.bits());
    let number = match op {
        Op::Neg => -x,
        Op::Abs => x.abs(),
        Op::Add => x + y,
        Op::Sub => x - y,
        Op::Mul => x.wrapping_mul(y),
        Op::Div if y == 0 => x,
        Op::Div => x / y,
        Op::Rem if y == 0 => 0,
        Op::Rem => x % y,
        Op::Min => x.min(y),
        Op::Max => x.max(y),
        Op::Not if scalar == Scalar::Bool => i128::from(x == 0),
        Op::Not => !x,
        Op::And => x & y,
        Op::Or => x | y,
        Op::Xor => x ^ y,
        Op::Shl => x << y.rem_euclid(width),
        Op::Shr => x >> y.rem_euclid(width),
        _ => return compare(op, Some(x.cmp(&y))),
    };
    Some(Literal::Int(number).constant(scalar))
}

fn i128_of(constant: Constant) -> i128 {
    match constant.scalar() {
        Scalar::U64 => i128::from(constant.bits()),
        _ => i128::from(constant.as_i64()),
    }
}

fn compare(op: &Op, order: Option<std::cmp::Ordering>) -> Option<Constant> {
    let holds = match op {
        Op::Eq => order.is_some_and(|o| o.is_eq()),
        Op::Ne => order.is_none_or(|o| o.is_ne()),
        Op::Lt => order.is_some_and(|o| o.is_lt()),
        Op::Le => order.is_some_and(|o| o.is_le()),
        Op::Gt => order.is_some_and(|o| o.is_gt()),
        Op::Ge => order.is_some_and(|o| o.is_ge()),
        _ => return None,
    };
    Some(Constant::bool(holds))
}

impl Checker<'_> {
    /// The value of an expression without generic parameters, as far as it is constant.
    pub fn value_of(&self, expr: &Expr) -> Result<Tree, Span> {
        evaluate(&self.program, expr, &Subst::default())
    }
}

impl Context<'_, '_> {
    /// The value of a constant integer expression; an error and `None` when it is none.
    pub fn constant_int(&mut self, expr: &Expr) -> Option<i64> {
        if expr.is_error() {
            self.broken = true;
            return None;
        }
        let unscoped = matches!(expr.ty, Ty::Enum(id) if self.checker.program.enums[id].unscoped);
        let integer =
            unscoped || expr.ty.is_scalar() && expr.ty.known_scalar().is_some_and(|s| s.is_integer());
        match self.checker.value_of(expr) {
            Ok(Tree::Leaf(constant)) if integer => Some(constant.as_i64()),
            Ok(_) => {
                let shown = self.show(&expr.ty);
                let message = format!("`{shown}` where a constant integer is needed");
                self.error(Code::TypeMismatch, message, expr.span, "not an integer");
                None
            }
            Err(at) => {
                self.not_constant("this", at);
                None
            }
        }
    }

    pub fn not_constant(&mut self, what: &str, at: Span) -> Expr {
        self.error(
            Code::NotConstant,
            format!("{what} must be known at compile time"),
            at,
            "not a constant expression",
        )
    }
}
