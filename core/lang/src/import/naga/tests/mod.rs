//! Tests of the imported languages: IR text, values against hand-computed ones, diagnostics, bad input.

mod builtins;
mod errors;
mod globals;
mod other_languages;
mod robust;
mod text;
mod values;

use crate::Options;
use pullback_base::{Diagnostics, SourceMap, render::render_all};
use pullback_interp::{Exact, Value, run};
use pullback_ir::{Module, Verified, verify};

/// Reads a text; gives the module and the diagnostics as users see them.
fn read(text: &str) -> (Verified<Module>, String) {
    let (mut sources, mut diagnostics) = (SourceMap::new(), Diagnostics::new());
    let module = super::compile(
        "shade.wgsl",
        super::Input::Wgsl(text),
        &Options::default(),
        &mut sources,
        &mut diagnostics,
    );
    let shown =
        if diagnostics.is_empty() { String::new() } else { render_all(&diagnostics.into_vec(), &sources) };
    match verify(module) {
        Ok(module) => (module, shown),
        Err(errors) => panic!("does not verify: {errors:#?}"),
    }
}

/// A text without faults.
fn compiled(text: &str) -> Verified<Module> {
    let (module, shown) = read(text);
    assert!(shown.is_empty(), "{shown}");
    module
}

/// The leaves of all results of `f`.
fn call(text: &str, args: &[Value<Exact>]) -> Vec<f64> {
    let module = compiled(text);
    let id = module.find("f").expect("there is an `f`");
    let results = run::<Exact>(&module, id, args).expect("runs to its end");
    results.iter().flat_map(Value::leaves).map(|leaf| leaf.as_f64().expect("a scalar")).collect()
}

fn f(value: f32) -> Value<Exact> {
    Value::f32(value)
}

fn i(value: i32) -> Value<Exact> {
    Value::i32(value)
}

fn u(value: u32) -> Value<Exact> {
    Value::constant(pullback_ir::Constant::int(pullback_ir::Scalar::U32, value.into()))
}

fn vector(values: &[f32]) -> Value<Exact> {
    Value::aggregate(values.iter().map(|&value| f(value)).collect())
}

/// Columns, as WGSL lists them.
fn matrix(columns: &[&[f32]]) -> Value<Exact> {
    Value::aggregate(columns.iter().map(|column| vector(column)).collect())
}
