//! Formulas over values: where a rule is applied, an expression emits the statements it is written as.

use crate::Convention;
use pullback_base::bug;
use pullback_ir::{Function, FunctionBuilder, Op, StmtKind, Value, visit};
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Sub};

/// Which of the operands `x`, `y`, `w` and the result `z` a rule reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reads(u8);

impl Reads {
    pub const NOTHING: Reads = Reads(0);
    pub const X: Reads = Reads(1);
    pub const Y: Reads = Reads(2);
    pub const W: Reads = Reads(4);
    pub const Z: Reads = Reads(8);
    const RESULT: usize = 3;

    pub const fn and(self, other: Reads) -> Reads {
        Reads(self.0 | other.0)
    }

    /// The values read, of a statement's operands and result.
    pub fn of(self, args: &[Value], result: Value) -> impl Iterator<Item = Value> {
        let operands = args.iter().take(Self::RESULT).enumerate().filter(move |(i, _)| self.has(*i));
        operands.map(|(_, arg)| *arg).chain(self.has(Self::RESULT).then_some(result))
    }

    fn has(self, slot: usize) -> bool {
        self.0 & (1 << slot) != 0
    }
}

/// A statement whose rule is applied: the builder, and the values the rule may read.
pub(crate) struct Site<'b> {
    b: RefCell<&'b mut FunctionBuilder>,
    convention: Convention,
    /// Operands, then the result; `None` where the rule does not read.
    slots: [Option<Value>; 4],
    /// The operands known at compile time.
    constants: [Option<f64>; 3],
}

/// A value of the derived function, at a site.
#[derive(Clone, Copy)]
pub(crate) struct Term<'s, 'b> {
    site: &'s Site<'b>,
    pub value: Value,
}

impl<'b> Site<'b> {
    /// `copy` gives the value in the derived function of a value that the rule reads.
    pub fn new(
        b: &'b mut FunctionBuilder,
        convention: Convention,
        reads: Reads,
        (args, result): (&[Value], Value),
        copy: impl Fn(Value) -> Value,
        constant: impl Fn(Value) -> Option<f64>,
    ) -> Self {
        let mut slots = [None; 4];
        let mut constants = [None; 3];
        for (i, &arg) in args.iter().take(Reads::RESULT).enumerate() {
            slots[i] = reads.has(i).then(|| copy(arg));
            constants[i] = constant(arg);
        }
        slots[Reads::RESULT] = reads.has(Reads::RESULT).then(|| copy(result));
        Self { b: RefCell::new(b), convention, slots, constants }
    }

    pub fn term(&self, value: Value) -> Term<'_, 'b> {
        Term { site: self, value }
    }

    fn slot(&self, slot: usize) -> Term<'_, 'b> {
        match self.slots[slot] {
            Some(value) => self.term(value),
            None => bug!("autodiff", "a rule reads slot {slot} without saying so"),
        }
    }

    pub fn x(&self) -> Term<'_, 'b> {
        self.slot(0)
    }

    pub fn y(&self) -> Term<'_, 'b> {
        self.slot(1)
    }

    pub fn w(&self) -> Term<'_, 'b> {
        self.slot(2)
    }

    /// The result.
    pub fn z(&self) -> Term<'_, 'b> {
        self.slot(Reads::RESULT)
    }

    /// Whether the second operand is known at compile time, and of that kind.
    pub fn y_is(&self, kind: impl Fn(f64) -> bool) -> bool {
        self.constants[1].is_some_and(kind)
    }

    pub fn is_slang(&self) -> bool {
        self.convention == Convention::Slang
    }
}

impl<'s, 'b> Term<'s, 'b> {
    /// `op(self, others)`
    pub fn op(self, op: Op, others: &[Term<'s, 'b>]) -> Self {
        let args: Vec<Value> = std::iter::once(&self).chain(others).map(|term| term.value).collect();
        self.site.term(self.site.b.borrow_mut().op(op, &args))
    }

    /// The number in the term's type.
    pub fn number(self, number: f64) -> Self {
        let mut b = self.site.b.borrow_mut();
        let ty = b.ty(self.value).clone();
        self.site.term(b.number(&ty, number))
    }

    /// Zero in the term's type.
    pub fn zero(self) -> Self {
        let mut b = self.site.b.borrow_mut();
        let ty = b.ty(self.value).clone();
        self.site.term(b.zero(&ty))
    }

    /// Zero in the type of an array's elements.
    pub fn element_zero(self) -> Self {
        let mut b = self.site.b.borrow_mut();
        let Some(element) = b.ty(self.value).element(0) else { bug!("autodiff", "no array has an element") };
        self.site.term(b.zero(&element))
    }

    pub fn element_count(self) -> u32 {
        self.site.b.borrow().ty(self.value).element_count()
    }

    /// `condition ? self : other`
    pub fn where_else(self, condition: Self, other: Self) -> Self {
        condition.op(Op::Select, &[self, other])
    }

    /// `condition ? self : 0`
    pub fn only_where(self, condition: Self) -> Self {
        self.where_else(condition, self.zero())
    }

    /// `self * other`, and zero where `self` is, even if the other factor is not finite there.
    pub fn times_or_zero(self, other: Self) -> Self {
        self.op(Op::MulOrZero, &[other])
    }

    pub fn squared(self) -> Self {
        self * self
    }

    pub fn sqrt(self) -> Self {
        self.op(Op::Sqrt, &[])
    }

    pub fn sign(self) -> Self {
        self.op(Op::Sign, &[])
    }

    /// Numbers are of the floats' order: `-0 = 0`, NaN equals nothing.
    pub fn equals(self, other: Self) -> Self {
        self.op(Op::Eq, &[other])
    }

    pub fn less(self, other: Self) -> Self {
        self.op(Op::Lt, &[other])
    }

    pub fn at_most(self, other: Self) -> Self {
        self.op(Op::Le, &[other])
    }
}

macro_rules! operators {
    ($($operator:ident $method:ident;)*) => {$(
        impl<'s, 'b> $operator for Term<'s, 'b> {
            type Output = Term<'s, 'b>;
            fn $method(self, other: Self) -> Self {
                self.op(Op::$operator, &[other])
            }
        }

        impl<'s, 'b> $operator<f64> for Term<'s, 'b> {
            type Output = Term<'s, 'b>;
            fn $method(self, number: f64) -> Self {
                self.op(Op::$operator, &[self.number(number)])
            }
        }

        impl<'s, 'b> $operator<Term<'s, 'b>> for f64 {
            type Output = Term<'s, 'b>;
            fn $method(self, term: Term<'s, 'b>) -> Term<'s, 'b> {
                term.number(self).op(Op::$operator, &[term])
            }
        }
    )*};
}

operators! {
    Add add;
    Sub sub;
    Mul mul;
    Div div;
}

impl Neg for Term<'_, '_> {
    type Output = Self;
    fn neg(self) -> Self {
        self.op(Op::Neg, &[])
    }
}

impl BitAnd for Term<'_, '_> {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        self.op(Op::And, &[other])
    }
}

impl BitOr for Term<'_, '_> {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        self.op(Op::Or, &[other])
    }
}

/// The function's values that are known numbers.
pub(crate) fn constants(function: &Function) -> FxHashMap<Value, f64> {
    let mut out = FxHashMap::default();
    visit::each_stmt(&function.body, &mut |stmt| {
        if let StmtKind::Let { result, op: Op::Const(constant), .. } = &stmt.kind {
            out.insert(*result, constant.as_f64());
        }
    });
    out
}
