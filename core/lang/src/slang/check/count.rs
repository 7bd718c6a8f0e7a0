//! Generic numbers and sizes: whole numbers computed from what is not known yet, in a form in which equal ones look alike.

use super::conform::Unsettled;
use super::constant::fold;
use super::hir::{Callee, Expr, ExprKind, Literal};
use super::operator::symbol;
use super::program::{Lazy, Program, RequirementId};
use super::types::{Arg, ParamId, Subst, Ty};
use pullback_base::{Scalar, Span};
use pullback_ir::Op;
use std::cmp::Ordering;
use std::sync::Arc;

/// More products than any size means to be made of, and more factors in one.
const MAX_TERMS: usize = 256;
const MAX_FACTORS: usize = 64;

/// A number, known or generic. Two are equal when arithmetic alone makes them so, whatever the unknowns are; what other operations
/// give is equal when the operands are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Count {
    Known(i64),
    /// The sum of these, in order; with an unknown in it.
    Sum(Arc<[Term]>),
    /// There is no such number.
    Wrong(Fault),
}

/// A product of unknowns, in order, and of a number other than zero.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Term {
    factors: Vec<Unknown>,
    scale: i64,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Unknown {
    /// A generic number.
    Param(ParamId),
    /// `T.N`: what a type gives for a constant that an interface asks for.
    Required(Ty, RequirementId),
    /// An operation other than sums and products, of operands in that type.
    Computed(Op, Scalar, Vec<Count>),
}

/// Why a computation gives no number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Fault {
    DivisionByZero,
    /// A number leaves the range of its type.
    Overflow,
    /// More products than can be compared.
    Complex,
    /// It hangs on the type inside of a value of an interface's type.
    Hidden,
    /// It is of something wrong that was reported.
    Reported,
}

impl Fault {
    pub fn describe(self) -> &'static str {
        match self {
            Fault::DivisionByZero => "this number is divided by zero",
            Fault::Overflow => "this number is outside of the range of its type",
            Fault::Complex => "this number is made of too many products",
            Fault::Hidden => "this number depends on the type inside of a value of an interface's type",
            Fault::Reported => "this number is of something wrong",
        }
    }
}

/// The order of factors; any would do.
impl Ord for Unknown {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |unknown: &Self| match unknown {
            Unknown::Param(param) => (Some(*param), None),
            Unknown::Required(_, requirement) => (None, Some(*requirement)),
            Unknown::Computed(..) => (None, None),
        };
        key(self).cmp(&key(other)).then_with(|| match (self, other) {
            (Unknown::Required(a, _), Unknown::Required(b, _)) => a.cmp(b),
            (Unknown::Computed(a, of_a, args), Unknown::Computed(b, of_b, others)) => {
                (a.name(), of_a, args).cmp(&(b.name(), of_b, others))
            }
            _ => Ordering::Equal,
        })
    }
}

impl PartialOrd for Unknown {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What follows from a size that is to be another one.
pub enum Solved {
    /// The one parameter in it that was open.
    Param(ParamId, Count),
    /// No whole number makes it so.
    Never,
    /// Nothing yet.
    Open,
    /// Nothing was open.
    Known,
}

impl Count {
    pub fn param(param: ParamId) -> Count {
        Count::unknown(Unknown::Param(param))
    }

    fn unknown(unknown: Unknown) -> Count {
        Count::Sum([Term { factors: vec![unknown], scale: 1 }].into())
    }

    pub fn known(&self) -> Option<i64> {
        match self {
            Count::Known(n) => Some(*n),
            Count::Sum(_) | Count::Wrong(_) => None,
        }
    }

    /// The parameter that it is.
    pub fn as_param(&self) -> Option<ParamId> {
        let Count::Sum(terms) = self else { return None };
        match &terms[..] {
            [Term { factors, scale: 1 }] => match factors[..] {
                [Unknown::Param(param)] => Some(param),
                _ => None,
            },
            _ => None,
        }
    }

    fn terms(&self) -> Result<Vec<Term>, Fault> {
        match self {
            Count::Known(0) => Ok(Vec::new()),
            Count::Known(n) => Ok(vec![Term { factors: Vec::new(), scale: *n }]),
            Count::Sum(terms) => Ok(terms.to_vec()),
            Count::Wrong(fault) => Err(*fault),
        }
    }

    fn of_terms(mut terms: Vec<Term>) -> Count {
        terms.sort();
        let mut sum: Vec<Term> = Vec::new();
        for term in terms {
            match sum.last_mut() {
                Some(last) if last.factors == term.factors => match last.scale.checked_add(term.scale) {
                    Some(scale) => last.scale = scale,
                    None => return Count::Wrong(Fault::Overflow),
                },
                _ => sum.push(term),
            }
        }
        sum.retain(|term| term.scale != 0);
        match &sum[..] {
            [] => Count::Known(0),
            [Term { factors, scale }] if factors.is_empty() => Count::Known(*scale),
            _ if sum.len() > MAX_TERMS => Count::Wrong(Fault::Complex),
            _ => Count::Sum(sum.into()),
        }
    }

    pub fn plus(&self, other: &Count) -> Count {
        match (self.terms(), other.terms()) {
            (Ok(terms), Ok(more)) => Count::of_terms([terms, more].concat()),
            (Err(fault), _) | (_, Err(fault)) => Count::Wrong(fault),
        }
    }

    pub fn minus(&self, other: &Count) -> Count {
        self.plus(&other.times(&Count::Known(-1)))
    }

    pub fn times(&self, other: &Count) -> Count {
        let (terms, others) = match (self.terms(), other.terms()) {
            (Ok(terms), Ok(others)) => (terms, others),
            (Err(fault), _) | (_, Err(fault)) => return Count::Wrong(fault),
        };
        let mut products = Vec::new();
        for (a, b) in terms.iter().flat_map(|a| others.iter().map(move |b| (a, b))) {
            let Some(scale) = a.scale.checked_mul(b.scale) else { return Count::Wrong(Fault::Overflow) };
            let mut factors = [&a.factors[..], &b.factors[..]].concat();
            factors.sort();
            if factors.len() > MAX_FACTORS {
                return Count::Wrong(Fault::Complex);
            }
            products.push(Term { factors, scale });
        }
        Count::of_terms(products)
    }

    /// An operation on numbers of type `scalar`; `None` where sizes cannot be computed with it.
    fn apply(op: &Op, scalar: Scalar, args: Vec<Count>) -> Option<Count> {
        let one = Count::Known(1);
        match (op, &args[..]) {
            (Op::Select, [Count::Known(condition), then, otherwise]) => {
                return Some(if *condition != 0 { then.clone() } else { otherwise.clone() });
            }
            (Op::Div | Op::Rem, [_, Count::Known(0)]) => return Some(Count::Wrong(Fault::DivisionByZero)),
            _ => {}
        }
        // What may not be chosen need not be a number.
        let needed = if *op == Op::Select { &args[..1] } else { &args[..] };
        if let Some(wrong @ Count::Wrong(_)) = needed.iter().find(|arg| matches!(arg, Count::Wrong(_))) {
            return Some(wrong.clone());
        }
        match (op, &args[..]) {
            (Op::Add, [a, b]) => return Some(a.plus(b)),
            (Op::Sub, [a, b]) => return Some(a.minus(b)),
            (Op::Mul, [a, b]) => return Some(a.times(b)),
            (Op::Neg, [a]) => return Some(Count::Known(0).minus(a)),
            (Op::Not, [a]) if scalar == Scalar::Bool => return Some(one.minus(a)),
            (Op::Not, [a]) if scalar.is_signed() => return Some(Count::Known(-1).minus(a)),
            (Op::Shl, [a, Count::Known(bits @ 0..=30)]) => return Some(a.times(&Count::Known(1 << bits))),
            (Op::Div, [a, Count::Known(1)]) => return Some(a.clone()),
            _ => {}
        }
        let numbers: Option<Vec<i64>> = args.iter().map(Count::known).collect();
        let Some(numbers) = numbers else {
            // Whether it is one that sizes can be computed with is seen by doing it.
            if *op != Op::Select {
                fold(op, &vec![Literal::Int(1).constant(scalar); args.len()])?;
            }
            return Some(Count::unknown(Unknown::Computed(op.clone(), scalar, args)));
        };
        let constants = numbers.iter().map(|&number| {
            in_range(number, scalar).then(|| Literal::Int(i128::from(number)).constant(scalar))
        });
        match constants.collect::<Option<Vec<_>>>() {
            Some(constants) => Some(Count::Known(fold(op, &constants)?.as_i64())),
            None => Some(Count::Wrong(Fault::Overflow)),
        }
    }

    /// The same number in another type of whole numbers; `None` where it may be another number there.
    fn converted(&self, from: Scalar, to: Scalar) -> Option<Count> {
        let is_unknown = matches!(self, Count::Sum(terms)
            if matches!(&terms[..], [Term { factors, scale: 1 }] if factors.len() == 1));
        match to {
            Scalar::Bool if from != Scalar::Bool => {
                Count::apply(&Op::Ne, from, vec![self.clone(), Count::Known(0)])
            }
            // Sums and products of numbers of the same width agree where the result is in range.
            _ if from == to || from == Scalar::Bool || from.bits() == to.bits() => Some(self.clone()),
            _ if is_unknown && from.bits() < to.bits() => Some(self.clone()),
            _ => match self.known()? {
                n if in_range(n, from) => {
                    Some(Count::Known(Literal::Int(i128::from(n)).constant(to).as_i64()))
                }
                _ => Some(Count::Wrong(Fault::Overflow)),
            },
        }
    }

    pub fn subst(&self, program: &Program<'_>, subst: &Subst) -> Count {
        let Count::Sum(terms) = self else { return self.clone() };
        terms.iter().fold(Count::Known(0), |sum, term| {
            let product = term.factors.iter().fold(Count::Known(term.scale), |product, factor| {
                product.times(&factor.subst(program, subst))
            });
            sum.plus(&product)
        })
    }

    /// Calls `f` for the generic numbers and the types in it.
    fn each_part(&self, f: &mut dyn FnMut(Part<'_>)) {
        let Count::Sum(terms) = self else { return };
        for factor in terms.iter().flat_map(|term| &term.factors) {
            match factor {
                Unknown::Param(param) => f(Part::Param(*param)),
                Unknown::Required(ty, requirement) => f(Part::Required(ty, *requirement)),
                Unknown::Computed(_, _, args) => args.iter().for_each(|arg| arg.each_part(f)),
            }
        }
    }

    pub fn mentions(&self, param: ParamId) -> bool {
        let mut found = false;
        self.each_part(&mut |part| match part {
            Part::Param(other) => found |= other == param,
            Part::Required(ty, _) => found |= ty.mentions(param),
        });
        found
    }

    /// What must be known before a constant in it is, which a type is asked for that is known.
    pub fn unsettled(&self, program: &Program<'_>) -> Option<Unsettled> {
        let mut found = None;
        self.each_part(&mut |part| {
            if let (Part::Required(ty, requirement), None) = (part, &found)
                && !ty.is_abstract()
            {
                let constant = || Some(Unsettled::Constant(program.given_constant(ty, requirement)?.0));
                found = program.unsettled(ty).or_else(constant);
            }
        });
        found
    }

    /// What a parameter must be for it to be `other`, where only one of those that are open is in it, times a number.
    pub fn solve(&self, other: &Count, is_open: impl Fn(ParamId) -> bool) -> Solved {
        let mut open = Vec::new();
        self.each_part(&mut |part| match part {
            Part::Param(param) => open.extend(is_open(param).then_some(param)),
            // Nothing tells a type by the numbers that it gives.
            Part::Required(ty, _) => open.extend(ty.head()),
        });
        let Count::Sum(terms) = self else { return Solved::Known };
        let [param] = open[..] else { return if open.is_empty() { Solved::Known } else { Solved::Open } };
        let alone = [Unknown::Param(param)];
        let Some(Term { scale, .. }) = terms.iter().find(|term| term.factors == alone) else {
            return Solved::Open;
        };
        let rest = other.minus(self).plus(&Count::param(param).times(&Count::Known(*scale)));
        let Ok(rest) = rest.terms() else { return Solved::Never };
        let divided = rest.into_iter().map(|term| {
            let divides = term.scale.checked_rem(*scale) == Some(0);
            divides.then(|| Term { scale: term.scale / scale, ..term })
        });
        match divided.collect::<Option<Vec<Term>>>() {
            Some(terms) => Solved::Param(param, Count::of_terms(terms)),
            None => Solved::Never,
        }
    }
}

pub fn in_range(number: i64, scalar: Scalar) -> bool {
    Literal::Int(i128::from(number)).constant(scalar).as_i64() == number
}

enum Part<'c> {
    Param(ParamId),
    Required(&'c Ty, RequirementId),
}

impl Unknown {
    fn subst(&self, program: &Program<'_>, subst: &Subst) -> Count {
        match self {
            Unknown::Param(param) => match subst.get(param) {
                Some(Arg::Count(count)) => count.clone(),
                _ => Count::param(*param),
            },
            Unknown::Required(ty, requirement) => {
                program.required_count(ty.subst(program, subst), *requirement)
            }
            Unknown::Computed(op, scalar, args) => {
                let args: Vec<Count> = args.iter().map(|arg| arg.subst(program, subst)).collect();
                Count::apply(op, *scalar, args).unwrap_or(Count::Wrong(Fault::Overflow))
            }
        }
    }
}

impl Program<'_> {
    /// The number that a type gives for a constant which an interface asks for; unknown while the type or the value is.
    pub fn required_count(&self, base: Ty, requirement: RequirementId) -> Count {
        if base.is_error() {
            return Count::Wrong(Fault::Reported);
        }
        if matches!(base, Ty::Interface(_)) {
            return Count::Wrong(Fault::Hidden);
        }
        if base.is_abstract() || self.unsettled(&base).is_some() {
            return Count::unknown(Unknown::Required(base, requirement));
        }
        let Some((id, bindings)) = self.given_constant(&base, requirement) else {
            return Count::Wrong(Fault::Reported);
        };
        match &self.constants[id].value {
            Lazy::Done(value) => match counted(self, value, &mut |_| None) {
                Ok(count) => count.subst(self, &bindings.into_iter().collect()),
                Err(_) => Count::Wrong(Fault::Reported),
            },
            Lazy::Pending | Lazy::Busy => Count::unknown(Unknown::Required(base, requirement)),
        }
    }

    pub fn show_count(&self, count: &Count) -> String {
        let terms = match count {
            &super::resolve::UNSIZED => return String::new(),
            Count::Known(n) => return n.to_string(),
            Count::Wrong(_) => return "?".into(),
            Count::Sum(terms) => terms,
        };
        // The number comes last, as it is written.
        let (last, first): (Vec<_>, Vec<_>) = terms.iter().partition(|term| term.factors.is_empty());
        let mut shown = String::new();
        for term in first.into_iter().chain(last) {
            let size = term.scale.unsigned_abs();
            let alone = terms.len() == 1 && size == 1 && term.factors.len() == 1;
            let mut factors: Vec<String> =
                term.factors.iter().map(|factor| self.show_factor(factor, alone)).collect();
            if size != 1 || factors.is_empty() {
                factors.insert(0, size.to_string());
            }
            shown += match (shown.is_empty(), term.scale < 0) {
                (true, true) => "-",
                (true, false) => "",
                (false, true) => " - ",
                (false, false) => " + ",
            };
            shown += &factors.join(" * ");
        }
        shown
    }

    /// `alone`: no other operation is around it.
    fn show_factor(&self, unknown: &Unknown, alone: bool) -> String {
        let (op, args) = match unknown {
            Unknown::Param(param) => return self.generics[*param].name.to_string(),
            Unknown::Required(ty, requirement) => {
                return format!("{}.{}", self.show(ty), self.requirements[*requirement].name);
            }
            Unknown::Computed(op, _, args) => (op, args),
        };
        let operand = |count: &Count| {
            let is_compound = matches!(count, Count::Sum(terms)
                if terms.len() > 1 || terms[0].scale != 1 || terms[0].factors.len() > 1
                    || matches!(terms[0].factors[..], [Unknown::Computed(..)]));
            let shown = self.show_count(count);
            if is_compound { format!("({shown})") } else { shown }
        };
        let shown = match &args[..] {
            [condition, then, otherwise] if *op == Op::Select => {
                format!("{} ? {} : {}", operand(condition), operand(then), operand(otherwise))
            }
            [a, b] if let Some(symbol) = symbol(op) => format!("{} {symbol} {}", operand(a), operand(b)),
            args => {
                let args: Vec<String> = args.iter().map(|arg| self.show_count(arg)).collect();
                return format!("{}({})", op.name(), args.join(", "));
            }
        };
        if alone { shown } else { format!("({shown})") }
    }
}

/// The whole number that an expression stands for, or the place of the first part that is none. `known` is asked for the values of
/// parts that are no arithmetic.
pub fn counted(
    program: &Program<'_>,
    expr: &Expr,
    known: &mut dyn FnMut(&Expr) -> Option<i64>,
) -> Result<Count, Span> {
    let Some(scalar) = program.scalar_of(&expr.ty).filter(|scalar| !scalar.is_float()) else {
        return Err(expr.span);
    };
    let mut applied = |op: &Op, args: &[&Expr]| {
        let of = args.last().and_then(|arg| program.scalar_of(&arg.ty)).ok_or(expr.span)?;
        let args: Result<Vec<Count>, Span> = args.iter().map(|arg| counted(program, arg, known)).collect();
        Count::apply(op, of, args?).ok_or(expr.span)
    };
    let count = match &expr.kind {
        ExprKind::Literal(literal) => Ok(Count::Known(literal.constant(scalar).as_i64())),
        ExprKind::Param(param) => Ok(Count::param(*param)),
        ExprKind::Required(ty, requirement) => Ok(program.required_count(ty.clone(), *requirement)),
        ExprKind::Under(bindings, inner) => {
            let bindings = bindings.iter().cloned().collect();
            counted(program, inner, &mut |_| None).map(|count| count.subst(program, &bindings))
        }
        ExprKind::Constant(id) => match &program.constants[*id].value {
            Lazy::Done(value) => counted(program, value, known),
            _ => Err(expr.span),
        },
        ExprKind::Convert(inner) => counted(program, inner, known).and_then(|count| {
            let from = program.scalar_of(&inner.ty).ok_or(expr.span)?;
            count.converted(from, scalar).ok_or(expr.span)
        }),
        ExprKind::SizeOf(ty) => {
            let bytes = program.size_bytes(ty).and_then(|bytes| i64::try_from(bytes).ok());
            bytes.map(Count::Known).ok_or(expr.span)
        }
        ExprKind::Op(op, args) => applied(op, &args.iter().collect::<Vec<_>>()),
        ExprKind::Call(call) => match &call.callee {
            Callee::Function { id, .. } if let Some(op) = &program.functions[*id].op => {
                applied(op, &call.args.iter().collect::<Vec<_>>())
            }
            _ => Err(expr.span),
        },
        ExprKind::Conditional { condition, then, otherwise } => {
            applied(&Op::Select, &[condition, then, otherwise])
        }
        ExprKind::And(a, b) => applied(&Op::And, &[a, b]),
        ExprKind::Or(a, b) => applied(&Op::Or, &[a, b]),
        _ => Err(expr.span),
    };
    count.or_else(|at| known(expr).map(Count::Known).ok_or(at))
}
