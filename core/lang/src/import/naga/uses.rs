//! What expressions and statements refer to. Complete for what can be lowered; what cannot is refused where
//! it is lowered.

use naga::{AtomicFunction, Block, Expression, Function, Handle, Statement};

pub type Expr = Handle<Expression>;

pub fn of_expression(expression: &Expression, see: &mut impl FnMut(Expr)) {
    match expression {
        Expression::Compose { components, .. } => components.iter().for_each(|&h| see(h)),
        Expression::Access { base, index } => [*base, *index].into_iter().for_each(see),
        Expression::AccessIndex { base: one, .. }
        | Expression::Splat { value: one, .. }
        | Expression::Swizzle { vector: one, .. }
        | Expression::Load { pointer: one }
        | Expression::ArrayLength(one)
        | Expression::Unary { expr: one, .. }
        | Expression::Relational { argument: one, .. }
        | Expression::As { expr: one, .. } => see(*one),
        Expression::Binary { left, right, .. } => [*left, *right].into_iter().for_each(see),
        Expression::Select { condition, accept, reject } => {
            [*condition, *accept, *reject].into_iter().for_each(see);
        }
        Expression::Math { arg, arg1, arg2, arg3, .. } => {
            [Some(*arg), *arg1, *arg2, *arg3].into_iter().flatten().for_each(see);
        }
        _ => {}
    }
}

/// The statement's own operands, those of emitted expressions included, those of its blocks not.
pub fn of_statement(function: &Function, statement: &Statement, see: &mut impl FnMut(Expr)) {
    match statement {
        Statement::Emit(range) => {
            range.clone().for_each(|handle| of_expression(&function.expressions[handle], see));
        }
        Statement::If { condition: one, .. }
        | Statement::Switch { selector: one, .. }
        | Statement::Return { value: Some(one) }
        | Statement::Loop { break_if: Some(one), .. } => see(*one),
        Statement::Store { pointer, value } => [*pointer, *value].into_iter().for_each(see),
        Statement::Atomic { pointer, fun, value, .. } => {
            [*pointer, *value].into_iter().for_each(&mut *see);
            if let AtomicFunction::Exchange { compare: Some(expected) } = fun {
                see(*expected);
            }
        }
        Statement::WorkGroupUniformLoad { pointer, .. } => see(*pointer),
        Statement::Call { arguments, .. } => arguments.iter().for_each(|&argument| see(argument)),
        _ => {}
    }
}

/// The blocks of a statement; of a loop, the body and the `continuing`.
pub fn blocks(statement: &Statement) -> Vec<&Block> {
    match statement {
        Statement::Block(block) => vec![block],
        Statement::If { accept, reject, .. } => vec![accept, reject],
        Statement::Switch { cases, .. } => cases.iter().map(|case| &case.body).collect(),
        Statement::Loop { body, continuing, .. } => vec![body, continuing],
        _ => Vec::new(),
    }
}

/// Visits statements, each before those within.
pub fn each_statement<'a>(block: &'a Block, see: &mut impl FnMut(&'a Statement)) {
    for statement in block.iter() {
        see(statement);
        blocks(statement).into_iter().for_each(|block| each_statement(block, see));
    }
}

/// The expressions that statements evaluate: emitted ones and results of statements.
pub fn defined(statement: &Statement, see: &mut impl FnMut(Expr)) {
    match statement {
        Statement::Emit(range) => range.clone().for_each(see),
        Statement::Call { result: Some(result), .. }
        | Statement::Atomic { result: Some(result), .. }
        | Statement::WorkGroupUniformLoad { result, .. } => see(*result),
        _ => {}
    }
}
