//! Computes in f64 what a function computes in narrower floats: the reference that gradients are checked against.

use pullback_base::{Code, Diagnostic, Diagnostics, Span, bug, ids::Id};
use pullback_ir::function::Args;
use pullback_ir::visit::each_stmt;
use pullback_ir::{
    Block, Constant, Effect, FuncId, Function, Module, Op, Scalar, Stmt, StmtKind, Type, Value,
};

/// The module over f64, for these functions, what they call, and the derivatives given for those. Memory keeps its types, and bits are taken of the narrow numbers.
///
/// # Errors
/// `unsupported-feature` for accesses to floats in memory other than loads and stores of numbers and vectors.
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
    function.body = Widener { function, narrow, refused }.block(body);
}

/// The type with f64 in the place of narrower floats. Pointers keep theirs.
pub fn wide_type(ty: &Type) -> Type {
    match ty {
        Type::Array(element, n) => Type::array(wide_type(element), *n),
        Type::Pointer(_) => ty.clone(),
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
    refused: &'f mut Diagnostics,
}

impl Widener<'_> {
    fn block(&mut self, block: Block) -> Block {
        let mut stmts = Vec::with_capacity(block.stmts.len());
        for stmt in block.stmts {
            self.stmt(stmt, &mut stmts);
        }
        Block { stmts, yields: block.yields }
    }

    fn stmt(&mut self, mut stmt: Stmt, out: &mut Vec<Stmt>) {
        for inner in stmt.kind.blocks_mut() {
            *inner = self.block(std::mem::take(inner));
        }
        let span = stmt.span;
        match &mut stmt.kind {
            StmtKind::Let { op: Op::Const(constant), .. } => *constant = wide_constant(*constant),
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
            StmtKind::Effect { result: Some(result), effect: Effect::Load, args } => {
                let Type::Pointer(element) = self.function.ty(args[0]) else {
                    bug!("widen", "a load from no pointer")
                };
                match element.scalar() {
                    Some(scalar) if scalar.is_float() && scalar != Scalar::F64 => {
                        let result = *result;
                        return self.widened_after(result, scalar, stmt, out);
                    }
                    None if **element != wide_type(element) => self.refuse(span),
                    _ => {}
                }
            }
            StmtKind::Effect { result, effect, args } => {
                let stores = *effect == Effect::Store;
                if result.is_some_and(|result| self.changed_type(result)) {
                    self.refuse(span);
                }
                for arg in args.iter_mut().skip(1) {
                    match self.narrow_float(*arg) {
                        Some(scalar) if stores => *arg = self.converted(*arg, scalar, span, out),
                        _ if self.changed_type(*arg) => self.refuse(span),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        out.push(stmt);
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
            func @f(%0 x: f64, %1 p: ptr<f32>, %2 n: i32) -> (f64) {
              %3: f64 = const f64 2.0
              %4: f64 = mul %0, %3
              %5: f32 = convert.f32 %4
              %6: u32 = bitcast.u32 %5
              %7: f32 = bitcast.f32 %6
              %8: f64 = convert.f64 %7
              %9: f32 = load %1
              %10: f64 = convert.f64 %9
              %11: f64 = convert.f64 %2
              %12: f64 = add %8, %10
              %13: f64 = add %12, %11
              %14: f32 = convert.f32 %13
              store %1, %14
              yield %13
            }
        "#]]
        .assert_eq(&widened.to_string());
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
