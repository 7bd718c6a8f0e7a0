//! Replaces ops that a target lacks by ops that it has, so that emitters stay simple. One file per family of ops.
//!
//! An expansion is ordinary IR with the meaning of the op it replaces, to within a few units in the last place for
//! transcendental functions. It is built through [`Lower::op`], which expands in turn what it is given, so
//! expansions may use ops that are legalized themselves.

mod bits;
mod exponential;
mod float;
mod hyperbolic;
mod large_angle;
mod narrow;
mod power;
mod remainder;
mod trigonometry;

use pullback_base::{ArtifactFormat, Scalar, bug};
use pullback_ir::{Block, Function, FunctionBuilder, Module, Op, Stmt, StmtKind, Type, Value, Verified};
use rustc_hash::FxHashMap;

/// What a target lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Numbers of 8 and 16 bits can be moved and converted, no more.
    pub no_narrow_arithmetic: bool,
    /// No `count_bits`, `reverse_bits`, `first_bit_high` and `first_bit_low` of 64 bits.
    pub no_long_bit_functions: bool,
    /// No float `rem`, `pow`, `log10`, `copysign`, `mul_or_zero`, and no inverse or hyperbolic functions that keep the rules
    /// at zeros, infinities and NaN.
    pub few_float_functions: bool,
    /// exp, log, sin, cos, tan of f32 with errors far above a unit in the last place, or for small angles only.
    pub coarse_float_functions: bool,
    /// No transcendental functions of f64, no `rsqrt`, and no `round` that can be relied on at ties.
    pub no_double_functions: bool,
}

impl Limits {
    pub fn of(format: ArtifactFormat) -> Self {
        match format {
            ArtifactFormat::Bytecode => Limits::default(),
            ArtifactFormat::KernelText => Limits { no_narrow_arithmetic: true, ..Limits::default() },
            ArtifactFormat::ShaderBinary => Limits {
                no_narrow_arithmetic: true,
                no_long_bit_functions: true,
                few_float_functions: true,
                coarse_float_functions: true,
                no_double_functions: true,
            },
        }
    }
}

/// The module with what a target lacks replaced, in every function.
pub fn legalize(module: &Verified<Module>, limits: Limits) -> Verified<Module> {
    let mut out = Module::new();
    for function in module.functions.values() {
        out.add(lower(function.clone(), limits));
    }
    match pullback_ir::verify(out) {
        Ok(verified) => verified,
        Err(errors) => bug!("legalize", "{errors:?}"),
    }
}

fn lower(mut function: Function, limits: Limits) -> Function {
    let body = std::mem::take(&mut function.body);
    let (builder, _) = FunctionBuilder::resume(function);
    let mut lower = Lower { b: builder, limits, replaced: FxHashMap::default() };
    lower.stmts(body.stmts);
    let yields = lower.replacements(&body.yields);
    lower.b.finish(yields)
}

/// A function being rewritten.
struct Lower {
    b: FunctionBuilder,
    limits: Limits,
    /// Results of expanded ops, and what stands for them now.
    replaced: FxHashMap<Value, Value>,
}

impl Lower {
    fn replacement(&self, value: Value) -> Value {
        self.replaced.get(&value).copied().unwrap_or(value)
    }

    fn replacements(&self, values: &[Value]) -> Vec<Value> {
        values.iter().map(|&value| self.replacement(value)).collect()
    }

    fn stmts(&mut self, stmts: Vec<Stmt>) {
        for mut stmt in stmts {
            self.b.set_span(stmt.span);
            for operand in stmt.kind.operands_mut() {
                *operand = self.replacement(*operand);
            }
            if let StmtKind::Let { result, op, args } = &stmt.kind
                && let Some(value) = self.expansion(op, args)
            {
                if let Some(name) = self.b.function().values[*result].name.clone() {
                    self.b.name(value, &name);
                }
                self.replaced.insert(*result, value);
                continue;
            }
            for block in stmt.kind.blocks_mut() {
                let old = std::mem::take(block);
                *block = self.block(old);
            }
            self.b.push_stmt(stmt);
        }
    }

    fn block(&mut self, block: Block) -> Block {
        self.b.begin_block();
        self.stmts(block.stmts);
        let yields = self.replacements(&block.yields);
        self.b.end_block(yields)
    }

    /// `op(args)`, expanded if the target lacks it.
    fn op(&mut self, op: Op, args: &[Value]) -> Value {
        match self.expansion(&op, args) {
            Some(value) => value,
            None => self.b.op(op, args),
        }
    }

    /// What replaces the op; `None` when the target has it.
    fn expansion(&mut self, op: &Op, args: &[Value]) -> Option<Value> {
        let Type::Scalar(scalar) = *self.b.ty(*args.first()?) else { return None };
        if self.limits.no_narrow_arithmetic
            && let Some(value) = self.narrow(op, scalar, args)
        {
            return Some(value);
        }
        if self.limits.no_long_bit_functions && scalar.is_integer() && scalar.bits() == 64 {
            return self.long_bits(op, scalar, args);
        }
        match scalar {
            Scalar::F64 if self.limits.no_double_functions => self.double_function(op, args),
            Scalar::F32 if self.limits.coarse_float_functions => {
                self.elementary_function(op, scalar, args).or_else(|| self.missing_function(op, scalar, args))
            }
            Scalar::F32 if self.limits.few_float_functions => self.missing_function(op, scalar, args),
            _ => None,
        }
    }

    /// Functions that both widths of float lack.
    fn missing_function(&mut self, op: &Op, scalar: Scalar, args: &[Value]) -> Option<Value> {
        let mut f = float::Float { lower: self, scalar };
        Some(match op {
            Op::Copysign => f.copysign(args[0], args[1]),
            Op::MulOrZero => f.mul_or_zero(args[0], args[1]),
            Op::Rem => f.remainder(args[0], args[1]),
            Op::Pow => f.pow(args[0], args[1]),
            Op::Log10 => f.log10(args[0]),
            Op::Asin => f.asin(args[0]),
            Op::Acos => f.acos(args[0]),
            Op::Atan => f.atan(args[0]),
            Op::Atan2 => f.atan2(args[0], args[1]),
            Op::Sinh => f.sinh(args[0]),
            Op::Cosh => f.cosh(args[0]),
            Op::Tanh => f.tanh(args[0]),
            Op::Asinh => f.asinh(args[0]),
            Op::Acosh => f.acosh(args[0]),
            Op::Atanh => f.atanh(args[0]),
            _ => return None,
        })
    }

    /// Functions that only f64 lacks; f32's are coarse.
    fn elementary_function(&mut self, op: &Op, scalar: Scalar, args: &[Value]) -> Option<Value> {
        let mut f = float::Float { lower: self, scalar };
        Some(match op {
            Op::Exp => f.exp(args[0]),
            Op::Exp2 => f.exp2(args[0]),
            Op::Log => f.log(args[0]),
            Op::Log2 => f.log2(args[0]),
            Op::Sin => f.sin(args[0]),
            Op::Cos => f.cos(args[0]),
            Op::Tan => f.tan(args[0]),
            _ => return None,
        })
    }

    fn double_function(&mut self, op: &Op, args: &[Value]) -> Option<Value> {
        if *op == Op::Round {
            return Some(float::Float { lower: self, scalar: Scalar::F64 }.round(args[0]));
        }
        if *op == Op::Rsqrt {
            let root = self.op(Op::Sqrt, args);
            return Some(self.op(Op::Rcp, &[root]));
        }
        let elementary = self.elementary_function(op, Scalar::F64, args);
        elementary.or_else(|| self.missing_function(op, Scalar::F64, args))
    }
}
