//! Walks a function once, top-down, and lets rules replace its ops.

use crate::substitution::Substitution;
use pullback_base::ids::Id;
use pullback_ir::function::Args;
use pullback_ir::{Block, Constant, Function, Op, Scalar, Stmt, StmtKind, Type, Value};

/// What a rule makes of an op.
pub(crate) enum Change {
    /// The result is a value that is there already.
    Value(Value),
    /// Another op gives the result.
    Op(Op, Args),
}

impl Change {
    pub fn op(op: Op, args: &[Value]) -> Option<Self> {
        Some(Change::Op(op, Args::from_slice(args)))
    }
}

/// Replaces single ops. What it puts in their place has the same type and, bit for bit, the same value.
pub(crate) trait Rule {
    fn apply(&mut self, scope: &mut Scope<'_>, op: &Op, args: &[Value]) -> Option<Change>;

    /// A statement stays as it is.
    fn keep(&mut self, _op: &Op, _args: &[Value], _result: Value) {}

    fn enter_block(&mut self) {}

    fn leave_block(&mut self) {}
}

/// A chain of replacements of one op longer than this goes on in the next round.
const MAX_CHANGES_PER_OP: usize = 64;

/// Offers each op to the rules in order, from the first again after each change. Whether anything changed.
pub(crate) fn rewrite(function: &mut Function, rules: &mut [&mut dyn Rule]) -> bool {
    let body = std::mem::take(&mut function.body);
    let values = function.values.len();
    let scope = Scope {
        function,
        definitions: vec![None; values],
        replaced: Substitution::new(values),
        out: Vec::new(),
        span: pullback_base::Span::NONE,
    };
    let mut walker = Walker { scope, rules, changed: false };
    let body = walker.block(body);
    let changed = walker.changed;
    function.body = body;
    changed
}

/// What a rule can see and add to.
pub(crate) struct Scope<'a> {
    function: &'a mut Function,
    /// The op that defines a value, by value.
    definitions: Vec<Option<(Op, Args)>>,
    replaced: Substitution,
    /// The statements of the block so far.
    out: Vec<Stmt>,
    span: pullback_base::Span,
}

impl Scope<'_> {
    pub fn definition(&self, value: Value) -> Option<(&Op, &[Value])> {
        self.definitions[value.index()].as_ref().map(|(op, args)| (op, args.as_slice()))
    }

    pub fn constant(&self, value: Value) -> Option<Constant> {
        match self.definition(value) {
            Some((Op::Const(constant), _)) => Some(*constant),
            _ => None,
        }
    }

    pub fn ty(&self, value: Value) -> &Type {
        self.function.ty(value)
    }

    pub fn scalar(&self, value: Value) -> Option<Scalar> {
        self.function.scalar(value)
    }

    /// A further statement before the one at hand.
    pub fn emit(&mut self, op: Op, args: &[Value], ty: Type) -> Value {
        let result = self.function.new_value(ty);
        self.define(result, op, Args::from_slice(args));
        result
    }

    fn define(&mut self, result: Value, op: Op, args: Args) {
        if self.definitions.len() <= result.index() {
            self.definitions.resize(result.index() + 1, None);
        }
        self.definitions[result.index()] = Some((op.clone(), args.clone()));
        self.out.push(Stmt { kind: StmtKind::Let { result, op, args }, span: self.span });
    }
}

struct Walker<'a, 'r> {
    scope: Scope<'a>,
    rules: &'a mut [&'r mut dyn Rule],
    changed: bool,
}

impl Walker<'_, '_> {
    fn block(&mut self, mut block: Block) -> Block {
        let outer = std::mem::replace(&mut self.scope.out, Vec::with_capacity(block.stmts.len()));
        self.rules.iter_mut().for_each(|rule| rule.enter_block());
        for mut stmt in block.stmts {
            self.scope.replaced.apply(stmt.kind.operands_mut());
            self.scope.span = stmt.span;
            match stmt.kind {
                StmtKind::Let { result, op, args } => self.op(result, op, args),
                _ => {
                    for inner in stmt.kind.blocks_mut() {
                        *inner = self.block(std::mem::take(inner));
                    }
                    self.scope.out.push(stmt);
                }
            }
        }
        self.rules.iter_mut().for_each(|rule| rule.leave_block());
        self.scope.replaced.apply(&mut block.yields);
        Block { stmts: std::mem::replace(&mut self.scope.out, outer), yields: block.yields }
    }

    fn op(&mut self, result: Value, mut op: Op, mut args: Args) {
        for _ in 0..MAX_CHANGES_PER_OP {
            let scope = &mut self.scope;
            match self.rules.iter_mut().find_map(|rule| rule.apply(scope, &op, &args)) {
                None => break,
                Some(Change::Value(value)) => {
                    self.changed = true;
                    return self.scope.replaced.set(result, value);
                }
                Some(Change::Op(new_op, new_args)) => {
                    self.changed = true;
                    (op, args) = (new_op, new_args);
                }
            }
        }
        self.rules.iter_mut().for_each(|rule| rule.keep(&op, &args, result));
        self.scope.define(result, op, args);
    }
}
