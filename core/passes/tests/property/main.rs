//! Passes keep results: random programs give the same bits before and after, and verify after each pass.

mod generate;
mod random;

use pullback_interp::{Exact, InterpError, Value, run};
use pullback_ir::{FuncId, Function, Module, Type, verify};
use random::Random;

fn leaf(random: &mut Random, ty: &Type) -> Value<Exact> {
    match ty {
        Type::Scalar(scalar) => Value::constant(random.constant(*scalar)),
        other => panic!("no argument of type {other}"),
    }
}

fn leaves(values: &[Value<Exact>]) -> Vec<Value<Exact>> {
    values.iter().flat_map(Value::leaves).collect()
}

/// The leaves of the results.
fn results(module: Module, id: FuncId, args: &[Value<Exact>]) -> Result<Vec<Value<Exact>>, InterpError> {
    let text = module.to_string();
    let module = verify(module).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
    run(&module, id, args).map(|values| leaves(&values))
}

fn alone(function: Function) -> (Module, FuncId) {
    let mut module = Module::new();
    let id = module.add(function);
    (module, id)
}

/// Checks a transformation from the scalar form on some arguments.
fn keeps_results(seeds: std::ops::Range<u64>, transform: impl Fn(&Module, FuncId) -> Function) {
    for seed in seeds {
        let (module, id) = generate::module(seed);
        let after = transform(&module, id);
        let mut random = Random::new(seed ^ 0xabcd);
        for _ in 0..4 {
            let types = module.functions[id].param_types();
            let args: Vec<Value<Exact>> =
                types.iter().map(|ty| Value::from_leaves(ty, &mut |ty| leaf(&mut random, ty))).collect();
            let want = results(module.clone(), id, &args).expect("the original runs");
            let (after, after_id) = alone(after.clone());
            let text = after.to_string();
            let got = results(after, after_id, &leaves(&args)).expect("the transformed runs");
            let same = got.len() == want.len() && got.iter().zip(&want).all(|(a, b)| a.same_bits(b));
            assert!(same, "seed {seed} on {args:?}\n{got:?}\n{want:?}\n{module}\n{text}");
        }
    }
}

fn scalar_form(module: &Module, id: FuncId) -> Function {
    let inlined = pullback_passes::inline(module, id).expect("no recursion");
    pullback_passes::scalarize(&inlined).expect("no memory")
}

/// One pass on the scalar form.
fn pass_keeps_results(pass: fn(&mut Function) -> bool) {
    keeps_results(0..100, |module, id| {
        let mut function = scalar_form(module, id);
        pass(&mut function);
        function
    });
}

#[test]
fn scalarize_keeps_results() {
    keeps_results(0..250, scalar_form);
}

#[test]
fn dce_keeps_results() {
    pass_keeps_results(pullback_passes::dce::dce);
}

#[test]
fn fold_keeps_results() {
    pass_keeps_results(pullback_passes::fold::fold);
}

#[test]
fn gvn_keeps_results() {
    pass_keeps_results(pullback_passes::gvn::gvn);
}

#[test]
fn strip_detach_keeps_results() {
    pass_keeps_results(pullback_passes::strip_detach::strip_detach);
}

#[test]
fn simplify_keeps_results() {
    pass_keeps_results(pullback_passes::simplify::simplify);
}

#[test]
fn regions_keeps_results() {
    pass_keeps_results(pullback_passes::regions::regions);
}

#[test]
fn unroll_keeps_results() {
    pass_keeps_results(pullback_passes::unroll::unroll);
}

#[test]
fn arrays_keeps_results() {
    pass_keeps_results(|function| {
        pullback_passes::simplify::simplify(function);
        pullback_passes::arrays::arrays(function)
    });
}

#[test]
fn licm_keeps_results() {
    pass_keeps_results(pullback_passes::licm::licm);
}

#[test]
fn branch_facts_keep_results() {
    pass_keeps_results(pullback_passes::branch_facts::branch_facts);
}

#[test]
fn compact_keeps_results() {
    pass_keeps_results(|function| {
        pullback_passes::compact::compact(function);
        true
    });
}

#[test]
fn the_whole_pipeline_keeps_results() {
    keeps_results(1000..1200, |module, id| pullback_passes::flatten(module, id).expect("flattens"));
}

#[test]
fn flatten_leaves_only_scalars_in_the_signature() {
    for seed in 0..50 {
        let (module, id) = generate::module(seed);
        let flat = pullback_passes::flatten(&module, id).expect("flattens");
        let want: Vec<Type> = module.functions[id].param_types().iter().flat_map(Type::leaves).collect();
        assert_eq!(flat.param_types(), want);
        let want: Vec<Type> = module.functions[id].results.iter().flat_map(Type::leaves).collect();
        assert_eq!(flat.results, want);
    }
}
