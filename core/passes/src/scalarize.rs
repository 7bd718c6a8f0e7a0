//! Replaces vectors, matrices and structs by their scalars, and arrays of aggregates by one array per scalar.
//!
//! Each value of the old function becomes *parts*: new values that are scalars, pointers or arrays of scalars. An
//! array of arrays is one array of `n * m` elements; an index into it is computed.

mod arrays;
mod memory;
mod ops;
mod signature;

use pullback_base::Diagnostics;
use pullback_base::ids::Id;
use pullback_ir::{Block, Constant, Function, FunctionBuilder, Op, Stmt, StmtKind, Type, Value};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// The new values an old one is made of.
type Parts = SmallVec<[Value; 4]>;

/// The function in scalar form, each parameter and result replaced by its leaves; so are the arguments and
/// results of calls that are left.
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
    let out = scalarizer.b.function_mut();
    out.group_lanes = function.group_lanes;
    out.shared = function.shared.iter().map(memory::shared_slot).collect();
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
    out.title.clone_from(&function.title);
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
        Type::Scalar(_) | Type::Pointer(_) => vec![ty.leaf_in_scalar_form()],
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
                if self.aggregate_access(*result, *effect, args) {
                    return;
                }
                let args = args.iter().map(|&arg| self.parts(arg)[0]).collect();
                let result = result.map(|result| self.define(result)[0]);
                StmtKind::Effect { result, effect: *effect, args }
            }
            StmtKind::Call { results, callee, args } => return self.call(results, *callee, args),
        };
        self.b.push_stmt(Stmt { kind, span: stmt.span });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::load;
    use expect_test::{Expect, expect};

    fn check(text: &str, want: Expect) {
        let module = load(text);
        let function = module.functions.values().next().expect("a function");
        want.assert_eq(&scalarize(function).expect("scalar form").to_string());
    }

    #[test]
    fn vectors_and_structs_are_their_scalars_by_name() {
        check(
            "func @f(%0 ray: struct Ray { o: vec<f32, 2>, t: f32 }) -> (vec<f32, 2>) {
                %1: vec<f32, 2> = extract.0 %0
                %2: f32 = extract.1 %0
                %3: vec<f32, 2> = swizzle.yx %1
                %4: vec<f32, 2> = splat vec<f32, 2> %2
                %5: vec<f32, 2> = mul %3, %4
                yield %5
            }",
            expect![[r#"
                func @f(%0 ray.o.x: f32, %1 ray.o.y: f32, %2 ray.t: f32) -> (f32, f32) {
                  %3: f32 = mul %1, %2
                  %4: f32 = mul %0, %2
                  yield %3, %4
                }
            "#]],
        );
    }

    #[test]
    fn dynamic_components_are_selected_and_zero_out_of_range() {
        check(
            "func @f(%0 v: vec<f32, 2>, %1 i: i32) -> (f32) {
                %2: f32 = element_get %0, %1
                yield %2
            }",
            expect![[r#"
                func @f(%0 v.x: f32, %1 v.y: f32, %2 i: i32) -> (f32) {
                  %3: f32 = const f32 0.0
                  %4: i32 = const i32 0
                  %5: bool = eq %2, %4
                  %6: f32 = select %5, %0, %3
                  %7: i32 = const i32 1
                  %8: bool = eq %2, %7
                  %9: f32 = select %8, %1, %6
                  yield %9
                }
            "#]],
        );
    }

    #[test]
    fn arrays_of_structs_are_an_array_per_scalar_and_rows_lie_end_to_end() {
        check(
            "func @f(%0 i: i32, %1 a: [struct P { x: f32, m: [i32; 2] }; 2]) -> (struct P { x: f32, m: [i32; 2] }) {
                %2: struct P { x: f32, m: [i32; 2] } = element_get %1, %0
                yield %2
            }",
            expect![[r#"
                func @f(%0 i: i32, %1 a.0.x: f32, %2 a.0.m.0: i32, %3 a.0.m.1: i32, %4 a.1.x: f32, %5 a.1.m.0: i32, %6 a.1.m.1: i32) -> (f32, i32, i32) {
                  %7: [f32; 2] = construct [f32; 2] %1, %4
                  %8: [i32; 4] = construct [i32; 4] %2, %3, %5, %6
                  %9: f32 = element_get %7, %0
                  %10: i64 = convert.i64 %0
                  %11: i64 = const i64 2
                  %12: i64 = const i64 0
                  %13: i64 = mul %10, %11
                  %14: i64 = add %13, %12
                  %15: i32 = element_get %8, %14
                  %16: i64 = convert.i64 %0
                  %17: i64 = const i64 2
                  %18: i64 = const i64 1
                  %19: i64 = mul %16, %17
                  %20: i64 = add %19, %18
                  %21: i32 = element_get %8, %20
                  %22: [i32; 2] = construct [i32; 2] %15, %21
                  %23: i32 = extract.0 %22
                  %24: i32 = extract.1 %22
                  yield %9, %23, %24
                }
            "#]],
        );
    }

    #[test]
    fn memory_of_aggregates_is_touched_leaf_by_leaf() {
        check(
            "func @f(%0: ptr<struct P { a: bool, m: [vec<f32, 2>; 2], next: ptr<vec<f32, 2>> }>, %1: i64) -> (f32) {
                %2: ptr<struct P { a: bool, m: [vec<f32, 2>; 2], next: ptr<vec<f32, 2>> }> = pointer_offset %0, %1
                %3: struct P { a: bool, m: [vec<f32, 2>; 2], next: ptr<vec<f32, 2>> } = load %2
                %4: [vec<f32, 2>; 2] = extract.1 %3
                %5: vec<f32, 2> = element_get %4, %1
                %6: ptr<vec<f32, 2>> = extract.2 %3
                store %6, %5
                %7: f32 = extract.0 %5
                yield %7
            }",
            expect![[r#"
                func @f(%0: ptr<u8>, %1: i64) -> (f32) {
                  %2: i64 = const i64 32
                  %3: i64 = mul %1, %2
                  %4: ptr<u8> = pointer_offset %0, %3
                  %5: ptr<bool> = pointer_cast bool %4
                  %6: bool = load %5
                  %7: i64 = const i64 4
                  %8: ptr<u8> = pointer_offset %4, %7
                  %9: ptr<f32> = pointer_cast f32 %8
                  %10: f32 = load %9
                  %11: i64 = const i64 8
                  %12: ptr<u8> = pointer_offset %4, %11
                  %13: ptr<f32> = pointer_cast f32 %12
                  %14: f32 = load %13
                  %15: i64 = const i64 12
                  %16: ptr<u8> = pointer_offset %4, %15
                  %17: ptr<f32> = pointer_cast f32 %16
                  %18: f32 = load %17
                  %19: i64 = const i64 16
                  %20: ptr<u8> = pointer_offset %4, %19
                  %21: ptr<f32> = pointer_cast f32 %20
                  %22: f32 = load %21
                  %23: i64 = const i64 24
                  %24: ptr<u8> = pointer_offset %4, %23
                  %25: ptr<ptr<u8>> = pointer_cast ptr<u8> %24
                  %26: ptr<u8> = load %25
                  %27: [f32; 2] = construct [f32; 2] %10, %18
                  %28: [f32; 2] = construct [f32; 2] %14, %22
                  %29: f32 = element_get %27, %1
                  %30: f32 = element_get %28, %1
                  %31: ptr<f32> = pointer_cast f32 %26
                  store %31, %29
                  %32: i64 = const i64 4
                  %33: ptr<u8> = pointer_offset %26, %32
                  %34: ptr<f32> = pointer_cast f32 %33
                  store %34, %30
                  yield %29
                }
            "#]],
        );
    }
}
