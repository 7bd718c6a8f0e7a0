//! Bindings and private variables: what callers give, what begins anew, what is refused.

use super::{compiled, f, i};
use crate::{GlslReader, Language, Options, compile, compile_glsl};
use expect_test::expect;
use pullback_interp::{Exact, Value, run};
use pullback_ir::{Module, verify};

/// The parameters and globals of a function as users see them.
fn signature(module: &Module, name: &str) -> String {
    let function = &module.functions[module.find(name).expect("is there")];
    let interface = function.interface.as_ref().expect("is for users");
    let params = interface.params.iter().map(|param| format!("{}: {}", param.name, param.ty));
    let globals = interface.globals.iter().map(|global| format!("::{}: {}", global.name, global.ty));
    params.chain(globals).collect::<Vec<_>>().join(", ")
}

/// Each reader of GLSL.
fn glsl(text: &str) -> Vec<Module> {
    let readers = [
        GlslReader::Naga,
        #[cfg(feature = "shaderc")]
        GlslReader::Shaderc,
    ];
    let module = |reader| {
        let compiled = compile_glsl(reader, "shade.glsl", text, &Options::default());
        assert!(!compiled.diagnostics.has_errors(), "{reader:?}: {:?}", compiled.diagnostics);
        compiled.module
    };
    readers.map(module).into()
}

fn results(module: Module, name: &str, args: &[Value<Exact>]) -> Vec<f64> {
    let module = verify(module).expect("verifies");
    let id = module.find(name).expect("is there");
    let results = run::<Exact>(&module, id, args).expect("runs");
    results.iter().flat_map(Value::leaves).map(|leaf| leaf.as_f64().expect("a scalar")).collect()
}

#[test]
fn uniforms_and_buffers_are_globals() {
    let text = "
struct Params { scale: f32, tint: vec3<f32> }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage> weights: array<vec3<f32>>;
@group(0) @binding(2) var<storage> few: array<f32, 4>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;
fn scaled(x: f32) -> f32 { return x * params.scale * params.tint.y; }
fn weighed(x: f32, i: u32) -> f32 { return scaled(x) * weights[i].z + few[i]; }
fn summed(x: f32, i: u32) { sums[i] += weighed(x, i); }
fn length() -> u32 { return arrayLength(&sums); }
fn plain(x: f32) -> f32 { return x; }";
    let module = compiled(text);
    let all = ["scaled", "weighed", "summed", "length", "plain"];
    let shown: Vec<String> = all.iter().map(|name| signature(&module, name)).collect();
    expect![[r#"
        x: f32, ::params: struct Params { scale: f32, tint: vec<f32, 3> }
        x: f32, i: u32, ::few: struct StructuredBuffer { data: ptr<f32>, count: i64 }, ::params: struct Params { scale: f32, tint: vec<f32, 3> }, ::weights: struct StructuredBuffer { data: ptr<vec<f32, 3>>, count: i64 }
        x: f32, i: u32, ::few: struct StructuredBuffer { data: ptr<f32>, count: i64 }, ::params: struct Params { scale: f32, tint: vec<f32, 3> }, ::sums: struct StructuredBuffer { data: ptr<f32>, count: i64 }, ::weights: struct StructuredBuffer { data: ptr<vec<f32, 3>>, count: i64 }
        ::sums: struct StructuredBuffer { data: ptr<f32>, count: i64 }
        x: f32"#]].assert_eq(&shown.join("\n"));
    let params = Value::aggregate(vec![f(2.0), super::vector(&[1.0, 5.0, 1.0])]);
    assert_eq!(results(module.into_inner(), "scaled", &[f(3.0), params]), [30.0]);
}

#[test]
fn blocks_of_glsl_go_by_the_names_that_the_text_uses() {
    let text = "#version 450
layout(std430, binding = 0) buffer Values { float values[]; };
layout(std430, binding = 1) readonly buffer More { int n; vec3 more[]; };
layout(std140, binding = 3) uniform Light { vec3 color; float power; } light;
layout(std140, binding = 2) uniform Params { float scale; vec3 tint; };
float scaled(float x) { return x * scale * tint.y; }
float f(float x, int i) {
    float sum = values[i] * scaled(x);
    if (i < n) { sum += more[i].y * light.power; }
    return sum;
}
void put(float x, int i) { values[i] = x; }
";
    for module in glsl(text) {
        let shown: Vec<String> = ["scaled", "f", "put"].iter().map(|name| signature(&module, name)).collect();
        expect![[r#"
            x: f32, ::scale: f32, ::tint: vec<f32, 3>
            x: f32, i: i32, ::light: struct Light { color: vec<f32, 3>, power: f32 }, ::n: i32, ::more: struct StructuredBuffer { data: ptr<vec<f32, 3>>, count: i64 }, ::scale: f32, ::tint: vec<f32, 3>, ::values: struct StructuredBuffer { data: ptr<f32>, count: i64 }
            x: f32, i: i32, ::values: struct StructuredBuffer { data: ptr<f32>, count: i64 }"#]].assert_eq(&shown.join("\n"));
        assert_eq!(results(module, "scaled", &[f(3.0), f(2.0), super::vector(&[1.0, 5.0, 1.0])]), [30.0]);
    }
}

#[test]
fn private_variables_begin_anew_with_each_call() {
    let text = "
var<private> seen: f32 = 2.0;
var<private> turns: array<i32, 2>;
fn see(x: f32) -> f32 { seen += x; turns[1] += 1; return seen; }
fn f(x: f32) -> f32 {
    var sum = 0.0;
    while see(x) < 9.0 { sum += 1.0; }
    return sum * 100.0 + seen + f32(turns[1]) * 0.25;
}";
    let module = compiled(text).into_inner();
    assert_eq!(signature(&module, "f"), "x: f32");
    assert_eq!(results(module.clone(), "f", &[f(3.0)]), [211.75]);
    assert_eq!(results(module, "see", &[f(3.0)]), [5.0]);
}

#[test]
fn private_variables_of_glsl_begin_as_declared() {
    let text = "#version 450
float seen = 2.0;
int counts[2] = int[2](3, 4);
vec2 unset;
float f(float x) { seen += x; counts[1]++; unset.y += 1.0; return seen + float(counts[1]) + unset.y; }
float g(float x) { return f(x) + f(x); }
";
    for module in glsl(text) {
        assert_eq!(results(module.clone(), "f", &[f(3.0)]), [11.0]);
        assert_eq!(results(module, "g", &[f(3.0)]), [27.0]);
    }
}

#[test]
fn functions_that_know_their_lane_are_for_entry_points() {
    let text = "#version 450
layout(local_size_x = 64) in;
float f(float x) { return x + float(gl_GlobalInvocationID.x); }
float g(float x) { return x; }
void main() { float y = f(1.0); }
";
    let readers = [
        GlslReader::Naga,
        #[cfg(feature = "shaderc")]
        GlslReader::Shaderc,
    ];
    for reader in readers {
        let compiled = compile_glsl(reader, "shade.glsl", text, &Options::default());
        let users: Vec<&str> =
            compiled.module.functions.values().filter_map(|it| Some(&*it.interface.as_ref()?.name)).collect();
        assert_eq!(users, ["g"], "{reader:?}");
        assert_eq!(compiled.module.entry_points.len(), 1);
        let found: Vec<_> = compiled.diagnostics.iter().collect();
        assert_eq!((found.len(), &*found[0].message), (1, "the function `f` is left out"));
        assert!(!found[0].is_error());
        let place = compiled.sources.location(found[0].span());
        assert!(place.starts_with("shade.glsl:3:"), "{reader:?}: {place}");
    }
}

#[cfg(feature = "shaderc")]
#[test]
fn named_blocks_of_glsl_are_structs() {
    let text = "#version 450
layout(std430, binding = 1) readonly buffer More { int n; vec3 more[]; } b;
float f(float x, int i) { return i < b.n ? b.more[i].y : float(b.more.length()); }
";
    let module = compile_glsl(GlslReader::Shaderc, "shade.glsl", text, &Options::default()).module;
    expect!["x: f32, i: i32, ::b: struct More { n: i32, more: struct StructuredBuffer { data: ptr<vec<f32, 3>>, count: i64 } }"].assert_eq(&signature(&module, "f"));
}

#[cfg(feature = "shaderc")]
#[test]
fn functions_of_glsl_with_computed_variables_are_left_out() {
    let text = "#version 450
layout(binding = 0) uniform Params { float scale; };
float seen = 2.0 * scale;
float f(float x) { return x + seen; }
";
    let compiled = compile_glsl(GlslReader::Shaderc, "shade.glsl", text, &Options::default());
    let shown = pullback_base::render::render_all(&compiled.diagnostics.into_vec(), &compiled.sources);
    expect![[r#"
        warning[unsupported-feature]: the function `f` is left out
          ┌─ shade.glsl:4:7
          │
        4 │ float f(float x) { return x + seen; }
          │       ^ uses a variable that an entry point sets up
          │
          = help: entry points can call it
    "#]]
    .assert_eq(&shown);
    assert!(compiled.module.functions.values().all(|function| function.interface.is_none()));
}

#[test]
fn what_is_written_stands_in_memory() {
    let text = "
struct State { count: u32, limit: u32, near: array<f32, 4>, items: array<f32> }
@group(0) @binding(0) var<storage, read_write> state: State;
@group(0) @binding(1) var<storage, read_write> total: atomic<u32>;
@group(0) @binding(2) var<storage, read_write> spot: vec3<f32>;
fn push(x: f32) {
    if state.count < state.limit { state.items[state.count] = x; state.count += 1u; }
    state.near[1] = x;
    spot.y = x;
    atomicAdd(&total, 1u);
}";
    expect!["x: f32, ::spot: struct StructuredBuffer { data: ptr<vec<f32, 3>>, count: i64 }, ::state: struct State { count: struct StructuredBuffer { data: ptr<u32>, count: i64 }, limit: u32, near: struct StructuredBuffer { data: ptr<f32>, count: i64 }, items: struct StructuredBuffer { data: ptr<f32>, count: i64 } }, ::total: struct StructuredBuffer { data: ptr<u32>, count: i64 }"].assert_eq(&signature(&compiled(text), "push"));
}

#[test]
fn a_whole_buffer_is_read_and_written_by_its_members() {
    let text = "
struct State { count: i32, at: vec2<i32> }
@group(0) @binding(0) var<storage, read_write> state: State;
fn stepped() -> i32 { let before = state; state = State(before.count + 1, before.at); return before.count; }";
    expect!["::state: struct State { count: struct StructuredBuffer { data: ptr<i32>, count: i64 }, at: struct StructuredBuffer { data: ptr<vec<i32, 2>>, count: i64 } }"].assert_eq(&signature(&compiled(text), "stepped"));
}

#[test]
fn overrides_are_constants_that_callers_choose() {
    let text = "
override n: u32 = 3u;
override half: u32 = n / 2u + 1u;
override scale: f32 = 0.5;
override flag: bool = false;
fn f(x: f32) -> f32 {
    var all: array<f32, 4>;
    for (var i = 0u; i < half; i += 1u) { all[i] = x; }
    return select(scale, -scale, flag) * (all[0] + all[1] + all[2]);
}
@compute @workgroup_size(n, half) fn main() {}";
    let given = |pairs: &[(&str, &str)]| {
        let constants: Vec<(String, String)> =
            pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        compile(Language::Wgsl, "shade.wgsl", text, &Options { constants: &constants, ..Options::default() })
    };
    let chosen = |pairs| {
        let compiled = given(pairs);
        assert!(compiled.diagnostics.is_empty(), "{:?}", compiled.diagnostics);
        (compiled.module.entry_points[0].group, results(compiled.module, "f", &[f(2.0)]))
    };
    assert_eq!(chosen(&[]), ([3, 2, 1], vec![2.0]));
    assert_eq!(chosen(&[("n", "4"), ("flag", "true"), ("scale", "1.5")]), ([4, 3, 1], vec![-9.0]));
    let codes =
        |pairs| -> Vec<&str> { given(pairs).diagnostics.iter().map(|found| found.code.text()).collect() };
    assert_eq!(codes(&[("m", "4")]), ["unknown-name"]);
    assert_eq!(codes(&[("n", "-4"), ("flag", "1"), ("half", "1.0")]), ["type-mismatch"; 3]);
    assert_eq!(codes(&[("n", "2000")]), ["unsupported-feature"]);
}

#[test]
fn a_condition_that_changes_a_private_variable_is_evaluated_in_each_turn() {
    let text = "
var<private> left: i32 = 3;
fn next() -> i32 { left -= 1; return left; }
fn f(x: i32) -> i32 {
    var n = x;
    loop { left -= 1; if left < 0 { break; } n += 10 * left; }
    while next() > -4 { n += 1; }
    return n;
}";
    assert_eq!(results(compiled(text).into_inner(), "f", &[i(5)]), [37.0]);
}
