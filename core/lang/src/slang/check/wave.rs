//! What the lanes of a wave compute together.

use super::context::Context;
use super::count::Count;
use super::hir::{Action, Expr, ExprKind, Literal};
use super::types::{Elem, Ty};
use pullback_base::{Code, Scalar, Span};
use pullback_ir::effects::WAVE_LANES;
use pullback_ir::{Op, WaveOp};

/// The wave intrinsics that are one operation.
const WAVES: [(&str, WaveOp); 11] = [
    ("WaveActiveSum", WaveOp::Sum),
    ("WaveActiveProduct", WaveOp::Product),
    ("WaveActiveMin", WaveOp::Min),
    ("WaveActiveMax", WaveOp::Max),
    ("WaveActiveBitAnd", WaveOp::And),
    ("WaveActiveBitOr", WaveOp::Or),
    ("WaveActiveBitXor", WaveOp::Xor),
    ("WavePrefixSum", WaveOp::PrefixSum),
    ("WavePrefixProduct", WaveOp::PrefixProduct),
    ("WaveReadLaneAt", WaveOp::ReadLane),
    ("WaveReadLaneFirst", WaveOp::ReadFirst),
];

/// Those that are made of others. Their lanes come to them together, so that a sum over the lanes before counts them all.
const MADE: [&str; 9] = [
    "WaveGetLaneIndex",
    "WaveGetLaneCount",
    "WaveIsFirstLane",
    "WaveActiveAllTrue",
    "WaveActiveAnyTrue",
    "WaveActiveAllEqual",
    "WaveActiveBallot",
    "WaveActiveCountBits",
    "WavePrefixCountBits",
];

pub fn is_wave(name: &str) -> bool {
    MADE.contains(&name) || WAVES.iter().any(|(wave, _)| *wave == name)
}

impl Context<'_, '_> {
    pub fn wave(&mut self, name: &str, args: Vec<Expr>, span: Span) -> Expr {
        match WAVES.iter().find(|(wave, _)| *wave == name) {
            Some((_, op)) => self.joined(name, *op, args, span),
            None => self.made(name, args, span),
        }
    }

    fn made(&mut self, name: &str, args: Vec<Expr>, span: Span) -> Expr {
        let uint = |value: i128| Expr::literal(Literal::Int(value), Ty::UINT, span);
        let join = |op: WaveOp, value: Expr| Expr {
            kind: ExprKind::Action(Action::Wave(op), vec![value]),
            ty: Ty::UINT,
            span,
        };
        let is = |value: Expr, number: i128| {
            let kind = ExprKind::Op(Op::Eq, vec![value, uint(number)]);
            Expr { kind, ty: Ty::BOOL, span }
        };
        match (name, &args[..]) {
            ("WaveGetLaneIndex", []) => join(WaveOp::PrefixSum, uint(1)),
            ("WaveIsFirstLane", []) => is(join(WaveOp::PrefixSum, uint(1)), 0),
            ("WaveGetLaneCount", []) => uint(i128::from(WAVE_LANES)),
            ("WaveActiveAllEqual", [value]) => {
                if value.ty.known_scalar().is_none() {
                    return self.wave_misfit(name, value);
                }
                Expr { kind: ExprKind::Action(Action::AllEqual, args), ty: Ty::BOOL, span }
            }
            (
                "WaveActiveAllTrue"
                | "WaveActiveAnyTrue"
                | "WaveActiveBallot"
                | "WaveActiveCountBits"
                | "WavePrefixCountBits",
                [value],
            ) => {
                let holds = self.condition(value.clone());
                if holds.is_error() {
                    return self.silent_error(span);
                }
                let one = self.converted(holds.clone(), &Ty::UINT);
                match name {
                    "WaveActiveAllTrue" => is(join(WaveOp::And, one), 1),
                    "WaveActiveAnyTrue" => is(join(WaveOp::Or, one), 1),
                    "WaveActiveCountBits" => join(WaveOp::Sum, one),
                    "WavePrefixCountBits" => join(WaveOp::PrefixSum, one),
                    _ => {
                        let mask = join(WaveOp::Ballot, holds);
                        let ty = Ty::vector(Elem::Scalar(Scalar::U32), Count::Known(4));
                        let kind = ExprKind::Construct(vec![mask, uint(0), uint(0), uint(0)]);
                        Expr { kind, ty, span }
                    }
                }
            }
            ("WaveGetLaneIndex" | "WaveIsFirstLane" | "WaveGetLaneCount", _) => {
                self.wrong_count(name, "no arguments", span)
            }
            _ => self.wrong_count(name, "one value", span),
        }
    }

    fn wave_misfit(&mut self, name: &str, value: &Expr) -> Expr {
        let shown = self.show(&value.ty);
        let message = format!("`{name}` does not take `{shown}`");
        self.error(Code::TypeMismatch, message, value.span, format!("is `{shown}`"))
    }

    /// One operation of the wave.
    fn joined(&mut self, name: &str, op: WaveOp, args: Vec<Expr>, span: Span) -> Expr {
        let wanted = if op == WaveOp::ReadLane { 2 } else { 1 };
        if args.len() != wanted {
            return self.wrong_count(
                name,
                if wanted == 2 { "a value and a lane" } else { "one value" },
                span,
            );
        }
        let mut args = args;
        if let Some(lane) = args.get(1).cloned() {
            let Some(lane) = self.integer_index(lane) else { return self.silent_error(span) };
            args[1] = self.converted(lane, &Ty::UINT);
        }
        let ty = args[0].ty.clone();
        let scalar = ty.known_scalar();
        let bits = matches!(op, WaveOp::And | WaveOp::Or | WaveOp::Xor);
        let reads = matches!(op, WaveOp::ReadLane | WaveOp::ReadFirst);
        let fits = match scalar {
            Some(Scalar::Bool) => reads,
            Some(scalar) => reads || (scalar.bits() >= 32 && !(bits && scalar.is_float())),
            None => false,
        };
        if !fits {
            return self.wave_misfit(name, &args[0]);
        }
        Expr { kind: ExprKind::Action(Action::Wave(op), args), ty, span }
    }
}
