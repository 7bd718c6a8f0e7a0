//! GLSL and SPIR-V: the same lowering from other inputs.

use super::{f, vector};
use crate::Compiled;
use pullback_interp::{Exact, Value, run};
use pullback_ir::verify;

const GLSL: &str = "#version 450
float polynomial(float a, float b, float x) { return a * x * x + b * x; }
vec3 scaled(vec3 v, float by) { return normalize(v) * by; }
void advance(inout vec2 p, in vec2 v, float dt) { p += v * dt; }
float power(float x, int n) {
    float p = 1.0;
    for (int i = 0; i < n; i++) { if (i == 7) break; p *= x; }
    return p;
}
vec2 rotated(mat2 m, vec2 v) { return m * v; }
";

fn results(compiled: Compiled, function: &str, args: &[Value<Exact>]) -> Vec<f64> {
    assert!(!compiled.diagnostics.has_errors(), "{:?}", compiled.diagnostics);
    let module = verify(compiled.module).expect("verifies");
    let id = module.find(function).expect("the function is there");
    let results = run::<Exact>(&module, id, args).expect("runs");
    results.iter().flat_map(Value::leaves).map(|leaf| leaf.as_f64().expect("a scalar")).collect()
}

fn glsl(text: &str) -> Compiled {
    crate::compile(crate::Language::Glsl, "shade.glsl", text, &crate::Options::default())
}

#[test]
fn glsl_functions_compute_what_they_say() {
    assert_eq!(results(glsl(GLSL), "polynomial", &[f(2.0), f(8.0), f(3.0)]), [42.0]);
    assert_eq!(results(glsl(GLSL), "scaled", &[vector(&[0.0, 3.0, 4.0]), f(10.0)]), [0.0, 6.0, 8.0]);
    assert_eq!(results(glsl(GLSL), "power", &[f(2.0), super::i(20)]), [128.0]);
    let columns = super::matrix(&[&[1.0, 2.0], &[3.0, 4.0]]);
    assert_eq!(results(glsl(GLSL), "rotated", &[columns, vector(&[1.0, 10.0])]), [31.0, 42.0]);
}

#[test]
fn glsl_inout_parameters_are_inout() {
    let moved = results(glsl(GLSL), "advance", &[vector(&[1.0, 2.0]), vector(&[10.0, 20.0]), f(0.5)]);
    assert_eq!(moved, [6.0, 12.0]);
}

#[test]
fn glsl_without_a_main_is_a_library_and_with_one_its_entry_point_is_left_out() {
    assert!(glsl(GLSL).diagnostics.is_empty());
    let with_main = glsl(&format!("{GLSL}void main() {{ float x = power(2.0, 3); }}"));
    assert_eq!(with_main.diagnostics.iter().count(), 1);
    assert!(!with_main.diagnostics.has_errors());
    assert!(with_main.module.find("power").is_some());
}

#[test]
fn faults_of_glsl_are_located() {
    let compiled = glsl("#version 450\nfloat f(float x) { return y; }\n");
    let found: Vec<_> = compiled.diagnostics.iter().collect();
    assert_eq!((found[0].code.text(), found.len()), ("invalid-glsl", 1));
    assert_eq!(compiled.sources.location(found[0].span()), "shade.glsl:2:27");
}

#[test]
fn what_is_no_spirv_is_refused() {
    for bytes in [&b""[..], b"not a module", &[3, 2, 35, 7, 0, 0, 1, 0]] {
        let compiled = crate::compile_binary("shade.spv", bytes);
        assert_eq!(compiled.diagnostics.iter().next().map(|found| found.code.text()), Some("invalid-module"));
    }
}

/// A module with `float twice(float)`, and an entry point that calls nothing, assembled by hand.
fn twice() -> Vec<u8> {
    const WORDS: &[&[u32]] = &[
        &[0x0723_0203, 0x0001_0000, 0, 12, 0],
        &[2 << 16 | 17, 1],                          // OpCapability Shader
        &[3 << 16 | 14, 0, 1],                       // OpMemoryModel Logical GLSL450
        &[5 << 16 | 15, 5, 9, 0x6e69_616d, 0],       // OpEntryPoint GLCompute %9 "main"
        &[6 << 16 | 16, 9, 17, 1, 1, 1],             // OpExecutionMode LocalSize 1 1 1
        &[4 << 16 | 5, 4, 0x6369_7774, 0x0000_0065], // OpName %4 "twice"
        &[3 << 16 | 22, 1, 32],                      // %1 = OpTypeFloat 32
        &[4 << 16 | 33, 2, 1, 1],                    // %2 = OpTypeFunction %1 %1
        &[2 << 16 | 19, 3],                          // %3 = OpTypeVoid
        &[3 << 16 | 33, 8, 3],                       // %8 = OpTypeFunction %3
        &[5 << 16 | 54, 1, 4, 0, 2],                 // %4 = OpFunction %1 None %2
        &[3 << 16 | 55, 1, 5],                       // %5 = OpFunctionParameter %1
        &[2 << 16 | 248, 6],                         // %6 = OpLabel
        &[5 << 16 | 129, 1, 7, 5, 5],                // %7 = OpFAdd %1 %5 %5
        &[2 << 16 | 254, 7],                         // OpReturnValue %7
        &[1 << 16 | 56],                             // OpFunctionEnd
        &[5 << 16 | 54, 3, 9, 0, 8],                 // %9 = OpFunction %3 None %8
        &[2 << 16 | 248, 10],                        // %10 = OpLabel
        &[1 << 16 | 253],                            // OpReturn
        &[1 << 16 | 56],                             // OpFunctionEnd
    ];
    WORDS.iter().copied().flatten().flat_map(|word| word.to_le_bytes()).collect()
}

#[test]
fn named_functions_of_spirv_can_be_called() {
    assert_eq!(results(crate::compile_binary("twice.spv", &twice()), "twice", &[f(21.0)]), [42.0]);
}
