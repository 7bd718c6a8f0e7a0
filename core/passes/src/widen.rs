//! Computes in f64 what a function computes in narrower floats: the reference that gradients are checked against.

use crate::wide_layout::{has_part, wide_offset};
use pullback_base::{Code, Diagnostic, Diagnostics, Span, bug, ids::Id};
use pullback_ir::function::Args;
use pullback_ir::visit::each_stmt;
use pullback_ir::{
    Block, Constant, Effect, FuncId, Function, Module, Op, Scalar, Stmt, StmtKind, Type, Value,
};
use rustc_hash::FxHashMap;

/// The module over f64, for these functions, what they call, and the derivatives given for those. What is in memory is f64
/// too, but for floats that are found among bytes; and bits are taken of the narrow numbers.
///
/// # Errors
/// `unsupported-feature` where memory that holds floats is seen as something else, or is shared by lanes.
pub fn widen(module: &Module, roots: &[FuncId]) -> Result<Module, Diagnostics> {
    let mut widened = module.clone();
    let mut refused = Diagnostics::new();
    let mut reached = roots.to_vec();
    let mut next = 0;
    while let Some(&id) = reached.get(next) {
        let function = &module.functions[id];
        let mut found: Vec<FuncId> = Vec::new();
        each_stmt(&function.body, &mut |stmt| {
            if let StmtKind::Call { callee, .. } = stmt.kind {
                found.push(callee);
            }
        });
        let given = function.derivatives.iter().flat_map(|it| [it.forward, it.backward, it.substitute]);
        found.extend(given.flatten());
        for callee in found {
            if !reached.contains(&callee) {
                reached.push(callee);
            }
        }
        widen_function(&mut widened.functions[id], &mut refused);
        next += 1;
    }
    if refused.has_errors() { Err(refused) } else { Ok(widened) }
}

fn widen_function(function: &mut Function, refused: &mut Diagnostics) {
    let narrow: Vec<Type> = function.values.iter().map(|(_, decl)| decl.ty.clone()).collect();
    for (value, ty) in function.values.ids().collect::<Vec<_>>().into_iter().zip(&narrow) {
        function.values[value].ty = wide_type(ty);
    }
    function.results.iter_mut().for_each(|ty| *ty = wide_type(ty));
    if let Some(interface) = &mut function.interface {
        interface.result = interface.result.as_ref().map(wide_type);
        for param in &mut interface.params {
            param.ty = wide_type(&param.ty);
            param.default.iter_mut().flatten().for_each(|constant| *constant = wide_constant(*constant));
        }
        interface.globals.iter_mut().for_each(|global| global.ty = wide_type(&global.ty));
    }
    if let Some(derivatives) = &mut function.derivatives {
        let params = derivatives.params.iter_mut().map(|param| &mut param.value);
        for value in params.chain(&mut derivatives.result) {
            value.ty = wide_type(&value.ty);
            if let Some(tangent) = &mut value.tangent {
                tangent.ty = wide_type(&tangent.ty);
            }
        }
    }
    let body = std::mem::take(&mut function.body);
    let (constants, places) = (FxHashMap::default(), FxHashMap::default());
    function.body = Widener { function, narrow, constants, places, refused }.block(body);
}

/// The type with f64 in the place of narrower floats.
pub fn wide_type(ty: &Type) -> Type {
    match ty {
        Type::Array(element, n) => Type::array(wide_type(element), *n),
        Type::Pointer(element) => Type::pointer(wide_type(element)),
        Type::Struct(structure) => {
            let mut structure = pullback_ir::StructType::clone(structure);
            structure.fields.iter_mut().for_each(|field| field.ty = wide_type(&field.ty));
            Type::Struct(structure.into())
        }
        _ => match ty.scalar() {
            Some(scalar) if scalar.is_float() => ty.with_scalar(Scalar::F64).unwrap_or_else(|| ty.clone()),
            _ => ty.clone(),
        },
    }
}

/// The same number as an f64, if it is a float.
pub fn wide_constant(constant: Constant) -> Constant {
    match constant.scalar().is_float() {
        true => Constant::float(Scalar::F64, constant.as_f64()),
        false => constant,
    }
}

struct Widener<'f> {
    function: &'f mut Function,
    /// By value: the type it had.
    narrow: Vec<Type>,
    constants: FxHashMap<Value, Constant>,
    /// By pointer: where it leads, if not to the wide form of what it led to.
    places: FxHashMap<Value, Place>,
    refused: &'f mut Diagnostics,
}

#[derive(Clone)]
enum Place {
    /// To a byte of a value of that type, as many from its beginning in its narrow form.
    Within(Type, u64),
    /// To narrow numbers, found among bytes.
    Narrow,
}

impl Widener<'_> {
    fn block(&mut self, block: Block) -> Block {
        let mut stmts = Vec::with_capacity(block.stmts.len());
        for stmt in block.stmts {
            self.stmt(stmt, &mut stmts);
        }
        if block.yields.iter().any(|value| self.places.contains_key(value)) {
            self.refuse(Span::NONE);
        }
        Block { stmts, yields: block.yields }
    }

    fn stmt(&mut self, mut stmt: Stmt, out: &mut Vec<Stmt>) {
        for inner in stmt.kind.blocks_mut() {
            *inner = self.block(std::mem::take(inner));
        }
        let span = stmt.span;
        match &mut stmt.kind {
            StmtKind::Let { result, op: Op::Const(constant), .. } => {
                *constant = wide_constant(*constant);
                self.constants.insert(*result, *constant);
            }
            StmtKind::Let { op: Op::Convert(to), .. } if to.is_float() => *to = Scalar::F64,
            StmtKind::Let { op: Op::Splat(ty) | Op::Construct(ty), .. } => *ty = wide_type(ty),
            StmtKind::Let { result, op: Op::Bitcast(to), args } => {
                // Bits are of the narrow number: round to it before, widen after.
                if let Some(from) = self.narrow_float(args[0]) {
                    args[0] = self.converted(args[0], from, span, out);
                }
                let to = *to;
                if to.is_float() && to != Scalar::F64 {
                    let result = *result;
                    return self.widened_after(result, to, stmt, out);
                }
            }
            StmtKind::Let { result, op: Op::PointerCast(to), args } => {
                self.cast(*result, to, args[0], span);
            }
            StmtKind::Let { result, op: Op::PointerOffset, args } if self.places.contains_key(&args[0]) => {
                self.offset(*result, args, span, out);
            }
            StmtKind::Effect { result, effect, args }
                if matches!(args.first().and_then(|to| self.places.get(to)), Some(Place::Narrow)) =>
            {
                match (&*effect, &*result) {
                    (Effect::Load, Some(result)) if self.narrow_float(*result).is_some() => {
                        let (result, scalar) = (*result, self.narrow_float(*result));
                        return self.widened_after(result, scalar.unwrap_or(Scalar::F32), stmt, out);
                    }
                    (Effect::Store, _) if self.narrow_float(args[1]).is_some() => {
                        let scalar = self.narrow_float(args[1]).unwrap_or(Scalar::F32);
                        args[1] = self.converted(args[1], scalar, span, out);
                    }
                    _ if result.iter().chain(&args[1..]).any(|&value| self.changed_type(value)) => {
                        self.refuse(span);
                    }
                    _ => {}
                }
            }
            StmtKind::Effect { result, effect, args }
                if !matches!(
                    effect,
                    Effect::Load | Effect::Store | Effect::AtomicAdd | Effect::Atomic(_)
                ) =>
            {
                let mut touched = result.iter().chain(args.iter());
                if touched.any(|&value| self.changed_type(value)) {
                    self.refuse(span);
                }
            }
            other if other.operands().iter().any(|value| self.places.contains_key(value)) => {
                self.refuse(span)
            }
            _ => {}
        }
        out.push(stmt);
    }

    /// A pointer seen as one to something else: a byte of a value, a part of it from that byte, or numbers among bytes.
    fn cast(&mut self, result: Value, to: &mut Type, pointer: Value, span: Span) {
        let Some(Type::Pointer(from)) = self.narrow.get(pointer.index()) else {
            bug!("widen", "a cast of no pointer")
        };
        let bytes = Type::Scalar(Scalar::U8);
        let keeps = |ty: &Type| *ty == wide_type(ty);
        match self.places.get(&pointer).cloned() {
            Some(Place::Within(of, at)) if *to == bytes => {
                self.places.insert(result, Place::Within(of, at));
            }
            Some(Place::Within(of, at)) if has_part(&of, at, to) => *to = wide_type(to),
            Some(Place::Within(..)) => self.refuse(span),
            Some(Place::Narrow) => self.stay_narrow(result),
            None if *to == bytes && !keeps(from) => {
                self.places.insert(result, Place::Within(Type::clone(from), 0));
            }
            None if **from == bytes && !keeps(to) => self.stay_narrow(result),
            None if **from == *to || keeps(from) && keeps(to) => *to = wide_type(to),
            None => self.refuse(span),
        }
    }

    fn stay_narrow(&mut self, pointer: Value) {
        self.function.values[pointer].ty = self.narrow[pointer.index()].clone();
        self.places.insert(pointer, Place::Narrow);
    }

    /// A byte of a value further on, or narrow numbers further on.
    fn offset(&mut self, result: Value, args: &mut Args, span: Span, out: &mut Vec<Stmt>) {
        let Some(Place::Within(of, at)) = self.places.get(&args[0]).cloned() else {
            return self.stay_narrow(result);
        };
        let to = self.constants.get(&args[1]).and_then(|constant| at.checked_add_signed(constant.as_i64()));
        let bytes = |at: u64| wide_offset(&of, at).map(|bytes| bytes as i64);
        let (Some(to), Some(before)) = (to, bytes(at)) else { return self.refuse(span) };
        let Some(after) = bytes(to) else { return self.refuse(span) };
        args[1] = self.function.new_value(Type::I64);
        let op = Op::Const(Constant::int(Scalar::I64, after - before));
        out.push(Stmt { kind: StmtKind::Let { result: args[1], op, args: Args::new() }, span });
        self.places.insert(result, Place::Within(of, to));
    }

    /// The scalar, narrower than f64, that a float value had.
    fn narrow_float(&self, value: Value) -> Option<Scalar> {
        let scalar = self.narrow.get(value.index())?.scalar()?;
        (scalar.is_float() && scalar != Scalar::F64).then_some(scalar)
    }

    fn changed_type(&self, value: Value) -> bool {
        self.narrow.get(value.index()).is_some_and(|narrow| narrow != self.function.ty(value))
    }

    fn with_scalar(&self, value: Value, scalar: Scalar) -> Type {
        let ty = self.function.ty(value);
        ty.with_scalar(scalar).unwrap_or_else(|| bug!("widen", "{ty} has no scalar"))
    }

    fn converted(&mut self, value: Value, to: Scalar, span: Span, out: &mut Vec<Stmt>) -> Value {
        let ty = self.with_scalar(value, to);
        let result = self.function.new_value(ty);
        out.push(convert(result, to, value, span));
        result
    }

    /// The statement giving the narrow number, then `result` as its f64.
    fn widened_after(&mut self, result: Value, narrow: Scalar, mut stmt: Stmt, out: &mut Vec<Stmt>) {
        let ty = self.with_scalar(result, narrow);
        let first = self.function.new_value(ty);
        stmt.kind.results_mut()[0] = first;
        let span = stmt.span;
        out.push(stmt);
        out.push(convert(result, Scalar::F64, first, span));
    }

    fn refuse(&mut self, span: Span) {
        let message = "this access to memory cannot be computed in double precision";
        let span = if span.is_none() { self.function.span } else { span };
        self.refused.push(Diagnostic::error(Code::UnsupportedFeature, message).at(span, "accessed here"));
    }
}

fn convert(result: Value, to: Scalar, from: Value, span: Span) -> Stmt {
    Stmt { kind: StmtKind::Let { result, op: Op::Convert(to), args: Args::from_slice(&[from]) }, span }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::load;
    use expect_test::expect;

    #[test]
    fn floats_become_doubles_and_bits_stay_those_of_the_narrow_number() {
        let module = load(
            "func @f(%0 x: f32, %1 p: ptr<f32>, %2 n: i32) -> (f32) {
                %3: f32 = const f32 2.0
                %4: f32 = mul %0, %3
                %5: u32 = bitcast.u32 %4
                %6: f32 = bitcast.f32 %5
                %7: f32 = load %1
                %8: f32 = convert.f32 %2
                %9: f32 = add %6, %7
                %10: f32 = add %9, %8
                store %1, %10
                yield %10
            }",
        );
        let f = module.find("f").expect("f");
        let widened = widen(&module, &[f]).expect("no aggregates in memory");
        pullback_ir::verify(widened.clone()).expect("verifies");
        let widened = &widened.functions[f];
        expect![[r#"
            func @f(%0 x: f64, %1 p: ptr<f64>, %2 n: i32) -> (f64) {
              %3: f64 = const f64 2.0
              %4: f64 = mul %0, %3
              %5: f32 = convert.f32 %4
              %6: u32 = bitcast.u32 %5
              %7: f32 = bitcast.f32 %6
              %8: f64 = convert.f64 %7
              %9: f64 = load %1
              %10: f64 = convert.f64 %2
              %11: f64 = add %8, %9
              %12: f64 = add %11, %10
              store %1, %12
              yield %12
            }
        "#]]
        .assert_eq(&widened.to_string());
    }

    fn widened(text: &str) -> Result<String, Diagnostics> {
        let module = load(text);
        let f = module.find("f").expect("f");
        let widened = widen(&module, &[f])?;
        pullback_ir::verify(widened.clone()).expect("verifies");
        Ok(widened.functions[f].to_string())
    }

    #[test]
    fn parts_of_structs_move_with_the_floats_before_them() {
        let text = "func @f(%0: ptr<struct S { on: bool, x: f32, v: vec<f32, 3>, n: i32 }>) -> (f32, i32) {
            %1: ptr<u8> = pointer_cast u8 %0
            %2: i64 = const i64 12
            %3: ptr<u8> = pointer_offset %1, %2
            %4: ptr<f32> = pointer_cast f32 %3
            %5: f32 = load %4
            %6: i64 = const i64 20
            %7: ptr<u8> = pointer_offset %1, %6
            %8: ptr<i32> = pointer_cast i32 %7
            %9: i32 = load %8
            yield %5, %9
        }";
        let found = widened(text).expect("a part each");
        // on at 0, x at 8, v at 16, n at 40
        assert!(found.contains("const i64 24") && found.contains("const i64 40"), "{found}");
        let refused = widened(&text.replace("const i64 12", "const i64 13")).expect_err("no part");
        assert_eq!(refused.into_vec()[0].code, Code::UnsupportedFeature);
    }

    #[test]
    fn floats_among_bytes_stay_narrow() {
        let found = widened(
            "func @f(%0: ptr<u8>, %1: f32) -> (f32) {
                %2: ptr<f32> = pointer_cast f32 %0
                store %2, %1
                %3: i64 = const i64 1
                %4: ptr<f32> = pointer_offset %2, %3
                %5: f32 = load %4
                yield %5
            }",
        );
        let found = found.expect("loads and stores");
        assert!(found.contains("ptr<f32> = pointer_cast f32") && found.contains("convert.f64"), "{found}");
    }

    #[test]
    fn memory_of_floats_is_not_seen_as_something_else() {
        let refused = widened(
            "func @f(%0: ptr<f32>) -> (u32) {
                %1: ptr<u32> = pointer_cast u32 %0
                %2: u32 = load %1
                yield %2
            }",
        );
        assert_eq!(refused.expect_err("refused").into_vec()[0].code, Code::UnsupportedFeature);
    }

    #[test]
    fn what_a_function_says_of_its_derivatives_widens_with_it() {
        let module = load(
            "func @g(%0: f32) -> (f32) {
                derivatives (in f32 ~ f32 [0]) -> f32 ~ f32 [0] forward @given
                yield %0
            }
            func @given(%0: struct DifferentialPair { p: f32, d: f32 }) -> (struct DifferentialPair { p: f32, d: f32 }) {
                yield %0
            }",
        );
        let widened = widen(&module, &[module.find("g").expect("g")]).expect("no aggregates in memory");
        let widened = pullback_ir::verify(widened).expect("verifies");
        assert!(
            widened.to_string().contains("derivatives (in f64 ~ f64 [0]) -> f64 ~ f64 [0] forward @given")
        );
    }
}
