//! Replaces vectors, matrices and structs by their scalars, and arrays of aggregates by one array per scalar.
//!
//! Each value of the old function becomes *parts*: new values that are scalars, pointers or arrays of scalars. An
//! array of arrays is one array of `n * m` elements; an index into it is computed.

mod arrays;
mod ops;
mod signature;

use pullback_base::ids::Id;
use pullback_base::{Code, Diagnostic, Diagnostics, bug};
use pullback_ir::{Block, Constant, Function, FunctionBuilder, Op, Stmt, StmtKind, Type, Value};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// The new values an old one is made of.
type Parts = SmallVec<[Value; 4]>;

/// The function in scalar form, each parameter and result replaced by its leaves. Expects no calls.
pub fn scalarize(function: &Function) -> Result<Function, Diagnostics> {
    run(function, Vec::new())
}

/// Scalar form in which, besides, the arrays marked in `split` (by value) are replaced by their elements. Elements of
/// those must not be accessed by `element_get` or `element_set`.
pub(crate) fn run(function: &Function, split: Vec<bool>) -> Result<Function, Diagnostics> {
    let mut scalarizer = Scalarizer {
        from: function,
        split,
        b: FunctionBuilder::new(&function.name, function.kind),
        parts: vec![Parts::new(); function.values.len()],
        constants: FxHashMap::default(),
        splats: FxHashMap::default(),
        problems: Diagnostics::new(),
    };
    scalarizer.params();
    for stmt in &function.body.stmts {
        scalarizer.stmt(stmt);
    }
    let yields = scalarizer.results();
    if scalarizer.problems.has_errors() {
        return Err(scalarizer.problems);
    }
    let mut out = scalarizer.b.finish(yields);
    out.interface.clone_from(&function.interface);
    out.span = function.span;
    Ok(out)
}

struct Scalarizer<'a> {
    from: &'a Function,
    split: Vec<bool>,
    b: FunctionBuilder,
    /// By old value.
    parts: Vec<Parts>,
    /// New values that are constants.
    constants: FxHashMap<Value, Constant>,
    /// New arrays all of whose elements are one value.
    splats: FxHashMap<Value, Value>,
    problems: Diagnostics,
}

/// The types of a value's parts: per scalar of an element one array, and so on inward.
fn part_types(ty: &Type) -> Vec<Type> {
    match ty {
        Type::Scalar(_) | Type::Pointer(_) => vec![ty.clone()],
        Type::Array(_, 0) => Vec::new(),
        Type::Array(element, n) => part_types(element)
            .into_iter()
            .map(|part| match part {
                Type::Array(scalar, m) => Type::Array(scalar, m.saturating_mul(*n)),
                scalar => Type::array(scalar, *n),
            })
            .collect(),
        _ => (0..ty.element_count()).filter_map(|i| ty.element(i)).flat_map(|ty| part_types(&ty)).collect(),
    }
}

impl Scalarizer<'_> {
    fn is_split(&self, old: Value) -> bool {
        self.split.get(old.index()).copied().unwrap_or(false)
    }

    fn types_of(&self, old: Value) -> Vec<Type> {
        match self.from.ty(old) {
            Type::Array(element, n) if self.is_split(old) => vec![Type::clone(element); *n as usize],
            ty => part_types(ty),
        }
    }

    fn parts(&self, old: Value) -> &Parts {
        &self.parts[old.index()]
    }

    fn all_parts(&self, old: &[Value]) -> Vec<Value> {
        old.iter().flat_map(|&value| self.parts(value).iter().copied()).collect()
    }

    fn set_parts(&mut self, old: Value, parts: Parts) {
        if let (Some(name), [part]) = (&self.from.values[old].name, parts.as_slice()) {
            let name = name.clone();
            self.b.name(*part, &name);
        }
        self.parts[old.index()] = parts;
    }

    /// New values for an old one that a region defines.
    fn define(&mut self, old: Value) -> Parts {
        let parts: Parts = self.types_of(old).into_iter().map(|ty| self.b.new_value(ty)).collect();
        self.set_parts(old, parts.clone());
        parts
    }

    fn define_all(&mut self, old: &[Value]) -> Vec<Value> {
        old.iter().flat_map(|&value| self.define(value)).collect()
    }

    fn op(&mut self, op: Op, args: &[Value]) -> Value {
        match op {
            Op::Const(constant) => self.constant(constant),
            Op::Splat(_) => {
                let array = self.b.op(op, args);
                self.splats.insert(array, args[0]);
                array
            }
            _ => self.b.op(op, args),
        }
    }

    fn constant(&mut self, constant: Constant) -> Value {
        let value = self.b.constant(constant);
        self.constants.insert(value, constant);
        value
    }

    fn block(&mut self, block: &Block) -> Block {
        self.b.begin_block();
        for stmt in &block.stmts {
            self.stmt(stmt);
        }
        let yields = self.all_parts(&block.yields);
        self.b.end_block(yields)
    }

    fn stmt(&mut self, stmt: &Stmt) {
        self.b.set_span(stmt.span);
        let kind = match &stmt.kind {
            StmtKind::Let { result, op, args } => {
                let parts = self.let_(*result, op, args);
                return self.set_parts(*result, parts);
            }
            StmtKind::If { results, condition, then, otherwise } => {
                let condition = self.parts(*condition)[0];
                let (then, otherwise) = (self.block(then), self.block(otherwise));
                StmtKind::If { results: self.define_all(results), condition, then, otherwise }
            }
            StmtKind::Switch { results, selector, cases, default } => {
                let selector = self.parts(*selector)[0];
                let cases = cases.iter().map(|(values, block)| (values.clone(), self.block(block))).collect();
                let default = self.block(default);
                StmtKind::Switch { results: self.define_all(results), selector, cases, default }
            }
            StmtKind::Loop { results, inits, params, head, body, hints } => {
                let inits = self.all_parts(inits);
                let params = self.define_all(params);
                let (head, body) = (self.block(head), self.block(body));
                StmtKind::Loop { results: self.define_all(results), inits, params, head, body, hints: *hints }
            }
            StmtKind::Effect { result, effect, args } => {
                if self.touches_aggregate(stmt, args[0]) {
                    result.iter().for_each(|&result| drop(self.define(result)));
                    return;
                }
                let args = args.iter().map(|&arg| self.parts(arg)[0]).collect();
                let result = result.map(|result| self.define(result)[0]);
                StmtKind::Effect { result, effect: *effect, args }
            }
            StmtKind::Call { callee, .. } => bug!("scalarize", "a call of {callee} is left"),
        };
        self.b.push_stmt(Stmt { kind, span: stmt.span });
    }

    /// Memory is accessed scalar by scalar; the layout of aggregates there is nobody's yet.
    fn touches_aggregate(&mut self, stmt: &Stmt, pointer: Value) -> bool {
        match self.from.ty(pointer) {
            Type::Pointer(element) if element.is_scalar() => false,
            ty => {
                let message = format!("memory is accessed through a `{ty}`");
                let problem = Diagnostic::error(Code::UnsupportedFeature, message)
                    .at(stmt.span, "here")
                    .help("point to the scalars of the aggregate");
                self.problems.push(problem);
                true
            }
        }
    }
}
