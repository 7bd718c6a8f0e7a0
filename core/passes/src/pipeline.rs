//! The order of the passes, here and nowhere else.

use crate::{arrays, rewrite::rewrite};
use crate::{compact, dce, fold, gvn, inline, licm, regions, scalarize, simplify, strip_detach, unroll};
use pullback_base::{Diagnostics, bug};
use pullback_ir::{FuncId, Function, Module, Verified, verify};

/// Rounds of optimization after which what could still be gained is left. Two are usual.
const MAX_ROUNDS: usize = 8;

/// A plain function in scalar form: calls inlined, parameters and results replaced by their leaves (see
/// [`pullback_ir::Type::leaves`]), optimized. The input of differentiation and of kernel building.
pub fn flatten(module: &Module, id: FuncId) -> Result<Function, Diagnostics> {
    let function = scalar_form(module, id)?;
    Ok(optimize(function))
}

/// The kernel alone in its module, in scalar form, without calls and detachments, optimized and verified: the input of
/// code generation. The functions it calls must have passed [`flatten`]: what that refuses is a bug here.
pub fn kernel(module: &Module, id: FuncId) -> Verified<Module> {
    let mut kernel = match scalar_form(module, id) {
        Ok(kernel) => kernel,
        Err(problems) => bug!("kernel", "`{}` does not flatten: {problems:?}", module.functions[id].name),
    };
    strip_detach::strip_detach(&mut kernel);
    alone(optimize(kernel), "kernel")
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
        let mut changed = peephole(&mut function);
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

/// In debug builds, verifies after each pass.
fn check(function: &Function, pass: &str) {
    if cfg!(debug_assertions) {
        alone(function.clone(), pass);
    }
}

/// The module of one function.
fn alone(function: Function, pass: &str) -> Verified<Module> {
    let mut module = Module::new();
    let id = module.add(function);
    let text = |module: &Module| module.functions[id].to_string();
    verify(module.clone())
        .unwrap_or_else(|errors| bug!("passes", "after {pass}: {errors:?}\n{}", text(&module)))
}
