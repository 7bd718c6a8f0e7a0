//! The order of the passes, here and nowhere else.

use crate::legalize::{Limits, legalize};
use crate::{arrays, branch_facts, rewrite::rewrite};
use crate::{compact, dce, fold, gvn, inline, licm, regions, scalarize, simplify, strip_detach, unroll};
use pullback_base::{Diagnostics, bug};
use pullback_ir::{FuncId, Function, FunctionBuilder, Module, Value, Verified, verify, visit};

/// Rounds of optimization after which what could still be gained is left. Two are usual.
const MAX_ROUNDS: usize = 8;

/// A plain function in scalar form: calls inlined, parameters and results replaced by their leaves (see
/// [`pullback_ir::Type::leaves`]), optimized. The input of differentiation and of kernel building.
pub fn flatten(module: &Module, id: FuncId) -> Result<Function, Diagnostics> {
    let function = scalar_form(module, id)?;
    Ok(optimize(function))
}

/// As [`flatten`], but calls of functions that have derivatives of their authors' stay, with an argument per leaf of the
/// parameters and a result per leaf of the results. Of such a function itself this is one call. The input of
/// differentiation; [`expand_calls`] makes it what `flatten` gives.
pub fn primal(module: &Module, id: FuncId) -> Result<Function, Diagnostics> {
    let function = &module.functions[id];
    if has_custom(function) {
        return expand_calls(call_of(module, id), module, &has_custom);
    }
    let mut function = scalarize::scalarize(&inline::inline_except(module, id, &has_custom)?)?;
    dce::dce(&mut function);
    Ok(optimize(function))
}

/// A function that is not in the module whose functions it calls, with all calls expanded but those to be kept, in
/// scalar form, optimized.
pub fn expand_calls(
    function: Function,
    module: &Module,
    keep: &dyn Fn(&Function) -> bool,
) -> Result<Function, Diagnostics> {
    let mut function = scalarize::scalarize(&inline::inline_into(function, module, keep)?)?;
    dce::dce(&mut function);
    Ok(optimize(function))
}

/// Whether calls of the function stay until differentiation has seen them.
pub fn has_custom(function: &Function) -> bool {
    function.derivatives.as_ref().is_some_and(|derivatives| derivatives.has_custom())
}

/// A function like the given one that does nothing but call it.
fn call_of(module: &Module, id: FuncId) -> Function {
    let callee = &module.functions[id];
    let mut b = FunctionBuilder::new(&callee.name, callee.kind);
    b.set_span(callee.span);
    let name = |param| callee.values[param].name.as_deref().unwrap_or("");
    let args: Vec<Value> =
        callee.params.iter().map(|&param| b.param(callee.ty(param).clone(), name(param))).collect();
    let results = b.call(id, &callee.results, &args);
    let mut function = b.finish(results);
    function.shared.clone_from(&callee.shared);
    function.interface.clone_from(&callee.interface);
    function.title.clone_from(&callee.title);
    function.span = callee.span;
    function
}

/// The kernel alone in its module, in scalar form, without calls and detachments, optimized and verified: the input of
/// code generation. The functions it calls must have passed [`flatten`]: what that refuses is a bug here.
pub fn kernel(module: &Module, id: FuncId) -> Verified<Module> {
    entry_kernel(module, id).unwrap_or_else(|problems| {
        bug!("kernel", "`{}` does not flatten: {problems:?}", module.functions[id].name)
    })
}

/// As [`kernel`], of functions that have not been flattened yet.
pub fn entry_kernel(module: &Module, id: FuncId) -> Result<Verified<Module>, Diagnostics> {
    let mut kernel = scalar_form(module, id)?;
    strip_detach::strip_detach(&mut kernel);
    Ok(verify(alone(optimize(kernel))).unwrap_or_else(|errors| bug!("kernel", "{errors:?}")))
}

/// A kernel with what the target lacks replaced, optimized again: the input of that target's code generation.
pub fn legalized(kernel: Verified<Module>, limits: Limits) -> Verified<Module> {
    if limits == Limits::default() {
        return kernel;
    }
    let mut module = Module::new();
    for function in legalize(&kernel, limits).functions.values() {
        let mut function = function.clone();
        // Simplification would put back what was replaced (half to float to double is half to double).
        rewrite(&mut function, &mut [&mut fold::Fold, &mut gvn::Gvn::default()]);
        licm::licm(&mut function);
        dce::dce(&mut function);
        compact::compact(&mut function);
        module.add(function);
    }
    verify(module).unwrap_or_else(|errors| bug!("legalized", "{errors:?}"))
}

fn scalar_form(module: &Module, id: FuncId) -> Result<Function, Diagnostics> {
    let mut function = scalarize::scalarize(&inline::inline(module, id)?)?;
    check(&function, "scalarize");
    // Inlined aggregates leave much dead code; later passes are faster without.
    dce::dce(&mut function);
    Ok(function)
}

/// Makes a function in scalar form smaller and faster. Parameters and results keep their number and order.
pub fn optimize(mut function: Function) -> Function {
    for _ in 0..MAX_ROUNDS {
        let mut changed = checked("branch_facts", &mut function, branch_facts::branch_facts);
        changed |= peephole(&mut function);
        changed |= checked("regions", &mut function, regions::regions);
        changed |= checked("unroll", &mut function, unroll::unroll);
        changed |= checked("arrays", &mut function, arrays::arrays);
        checked("dce", &mut function, dce::dce);
        if !changed {
            break;
        }
    }
    if checked("licm", &mut function, licm::licm) {
        peephole(&mut function);
        checked("dce", &mut function, dce::dce);
    }
    compact::compact(&mut function);
    check(&function, "compact");
    function
}

/// Folding, simplification and value numbering feed one another, so they share one walk.
fn peephole(function: &mut Function) -> bool {
    checked("peephole", function, |function| {
        rewrite(function, &mut [&mut fold::Fold, &mut simplify::Simplify, &mut gvn::Gvn::default()])
    })
}

fn checked(pass: &str, function: &mut Function, run: impl FnOnce(&mut Function) -> bool) -> bool {
    let changed = run(function);
    check(function, pass);
    changed
}

/// In debug builds, verifies after each pass. What calls of kept functions hold is seen with their module.
fn check(function: &Function, pass: &str) {
    if cfg!(debug_assertions)
        && !visit::has_calls(&function.body)
        && let Err(errors) = verify(alone(function.clone()))
    {
        bug!("passes", "after {pass}: {errors:?}\n{function}");
    }
}

/// The module of one function.
fn alone(function: Function) -> Module {
    let mut module = Module::new();
    module.add(function);
    module
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::load;
    use expect_test::expect;

    const POLYNOMIAL: &str = "kernel @map(%0 x: ptr<f32>, %1 out: ptr<f32>) -> () {
            %2: i64 = lane_id
            %3: ptr<f32> = pointer_offset %0, %2
            %4: f32 = load %3
            %5: vec<f32, 2> = construct vec<f32, 2> %4, %4
            %6: f32 = call @dot2 %5
            %7: ptr<f32> = pointer_offset %1, %2
            store %7, %6
            yield
        }
        func @dot2(%0 v: vec<f32, 2>) -> (f32) {
            interface dot2(in v: vec<f32, 2>) -> f32
            %1: vec<f32, 2> = detach %0
            %2: f32 = dot %0, %1
            %3: bool = const bool true
            %4: f32 = if %3 {
                yield %2
            } else {
                %5: f32 = sin %2
                yield %5
            }
            yield %4
        }";

    #[test]
    fn a_kernel_comes_out_alone_in_scalar_form() {
        let module = load(POLYNOMIAL);
        let kernel = kernel(&module, module.find("map").expect("map"));
        expect![[r#"
            kernel @map(%0 x: ptr<f32>, %1 out: ptr<f32>) -> () {
              %2: i64 = lane_id
              %3: ptr<f32> = pointer_offset %0, %2
              %4: f32 = load %3
              %5: f32 = mul %4, %4
              %6: f32 = add %5, %5
              %7: ptr<f32> = pointer_offset %1, %2
              store %7, %6
              yield
            }
        "#]]
        .assert_eq(&kernel.to_string());
    }

    #[test]
    fn flatten_keeps_interface_and_detachments() {
        let module = load(POLYNOMIAL);
        let flat = flatten(&module, module.find("dot2").expect("dot2")).expect("flattens");
        expect![[r#"
            func @dot2(%0 v.x: f32, %1 v.y: f32) -> (f32) {
              interface dot2(in v: vec<f32, 2>) -> f32
              %2: f32 = detach %0
              %3: f32 = detach %1
              %4: f32 = mul %0, %2
              %5: f32 = mul %1, %3
              %6: f32 = add %4, %5
              yield %6
            }
        "#]]
        .assert_eq(&flat.to_string());
    }
}
