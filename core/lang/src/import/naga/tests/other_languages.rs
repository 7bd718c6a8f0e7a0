//! GLSL and SPIR-V: the same lowering from other inputs.

use super::{f, vector};
use crate::{Compiled, GlslReader, Options};
#[cfg(feature = "shaderc")]
use pullback_base::render::render_all;
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

/// The text by each reader there is.
fn glsl(text: &str) -> Vec<Compiled> {
    let readers = [
        GlslReader::Naga,
        #[cfg(feature = "shaderc")]
        GlslReader::Shaderc,
    ];
    readers.map(|reader| by(reader, text, &Options::default())).into()
}

fn by(reader: GlslReader, text: &str, options: &Options<'_>) -> Compiled {
    crate::compile_glsl(reader, "shade.glsl", text, options)
}

#[track_caller]
fn glsl_gives(text: &str, function: &str, args: &[Value<Exact>], expected: &[f64]) {
    for compiled in glsl(text) {
        assert_eq!(results(compiled, function, args), expected);
    }
}

#[test]
fn glsl_functions_compute_what_they_say() {
    glsl_gives(GLSL, "polynomial", &[f(2.0), f(8.0), f(3.0)], &[42.0]);
    glsl_gives(GLSL, "scaled", &[vector(&[0.0, 3.0, 4.0]), f(10.0)], &[0.0, 6.0, 8.0]);
    glsl_gives(GLSL, "power", &[f(2.0), super::i(20)], &[128.0]);
    let columns = super::matrix(&[&[1.0, 2.0], &[3.0, 4.0]]);
    glsl_gives(GLSL, "rotated", &[columns, vector(&[1.0, 10.0])], &[31.0, 42.0]);
}

#[test]
fn glsl_inout_parameters_are_inout() {
    let args = [vector(&[1.0, 2.0]), vector(&[10.0, 20.0]), f(0.5)];
    glsl_gives(GLSL, "advance", &args, &[6.0, 12.0]);
}

#[test]
fn glsl_out_parameters_are_not_given() {
    let text = "#version 450
#define RESULT out
void halved(const float x, RESULT float half_of, inout float sum) { half_of = 0.5 * x; sum += half_of; }
float f(float x) { float h; x += 1.0; halved(x, h, x); return h + 10.0 * x; }
";
    glsl_gives(text, "halved", &[f(3.0), f(4.0)], &[1.5, 5.5]);
    glsl_gives(text, "f", &[f(3.0)], &[62.0]);
    for compiled in glsl(text) {
        let id = compiled.module.find("halved").expect("is there");
        let interface = compiled.module.functions[id].interface.as_ref().expect("has one");
        let params: Vec<String> = interface
            .params
            .iter()
            .map(|param| format!("{} {}", param.direction.name(), param.name))
            .collect();
        assert_eq!(params, ["in x", "out half_of", "inout sum"]);
    }
}

#[test]
fn glsl_overloads_and_prototypes_keep_their_directions() {
    let text = "#version 450
void set(inout vec2 x);
void set(out float x) { x = 4.0; }
void set(inout vec2 x) { x.y = x.x; }
float f(float x) { vec2 v = vec2(x, 0.0); set(v); float y; set(y); return v.y + y; }
";
    glsl_gives(text, "f", &[f(3.0)], &[7.0]);
}

#[test]
fn glsl_arrays_and_structs_are_parameters() {
    let text = "#version 450
const int N = 3;
struct Ray { vec3 origin; float by[2]; };
float f(Ray ray, float more[N], float[2] last) { return ray.origin.y * ray.by[1] + more[2] + last[0]; }
";
    let ray = Value::aggregate(vec![vector(&[1.0, 2.0, 3.0]), vector(&[4.0, 5.0])]);
    glsl_gives(text, "f", &[ray, vector(&[6.0, 7.0, 8.0]), vector(&[0.5, 0.0])], &[18.5]);
}

#[test]
fn glsl_definitions_come_from_outside() {
    let defines = [("BY".to_owned(), "4.0".to_owned())];
    let options = Options { defines: &defines, ..Options::default() };
    for reader in [GlslReader::Naga, GlslReader::BEST] {
        let compiled = by(reader, "#version 450\nfloat f(float x) { return x * BY; }\n", &options);
        assert_eq!(results(compiled, "f", &[f(2.0)]), [8.0]);
    }
}

#[test]
fn glsl_without_a_main_is_a_library_and_with_one_it_has_an_entry_point() {
    assert!(glsl(GLSL).iter().all(|compiled| compiled.diagnostics.is_empty()));
    for with_main in glsl(&format!("{GLSL}void main() {{ float x = power(2.0, 3); }}")) {
        assert!(with_main.diagnostics.is_empty(), "{:?}", with_main.diagnostics);
        let entries: Vec<&str> = with_main.module.entry_points.iter().map(|entry| &*entry.name).collect();
        assert_eq!(entries, ["main"]);
        assert!(with_main.module.find("power").is_some());
    }
}

#[test]
fn faults_of_glsl_are_located() {
    for compiled in glsl("#version 450\nfloat f(float x) { return y; }\n") {
        let found: Vec<_> = compiled.diagnostics.iter().collect();
        assert_eq!((found[0].code.text(), found.len()), ("invalid-glsl", 1));
        assert_eq!(compiled.sources.location(found[0].span()), "shade.glsl:2:27");
    }
}

#[test]
fn what_glsl_functions_may_not_use_is_located() {
    let text = "#version 450\nfloat f(float x) {\n    float y = dFdx(x);\n    return y;\n}\n";
    let compiled = by(GlslReader::Naga, text, &Options::default());
    let found = compiled.diagnostics.iter().next().expect("one");
    assert_eq!(compiled.sources.location(found.span()), "shade.glsl:3:20");
}

/// What only the reference compiler knows.
#[cfg(feature = "shaderc")]
mod by_shaderc {
    use super::*;

    fn include(path: &str, _: &str) -> Result<(String, String), String> {
        match path {
            "scale.glsl" => {
                Ok(("lib/scale.glsl".into(), "float scaled(float x) { return 3.0 * x; }\n".into()))
            }
            "wrong.glsl" => Ok(("lib/wrong.glsl".into(), "\nfloat wrong() { return nothing; }\n".into())),
            _ => Err(format!("there is no `{path}`")),
        }
    }

    fn with_includes(text: &str) -> Compiled {
        by(GlslReader::Shaderc, text, &Options { includes: Some(&include), ..Options::default() })
    }

    #[test]
    fn glsl_includes_files() {
        let text = "#version 460\n#include \"scale.glsl\"\nfloat f(float x) { return scaled(x) + 1.0; }\n";
        assert_eq!(results(with_includes(text), "f", &[f(2.0)]), [7.0]);
        assert_eq!(results(with_includes(text), "scaled", &[f(2.0)]), [6.0]);
    }

    #[test]
    fn glsl_faults_lie_in_the_file_that_has_them() {
        let place = |text: &str| {
            let compiled = with_includes(text);
            let found = compiled.diagnostics.iter().next().expect("a fault");
            (compiled.sources.location(found.span()), found.message.clone())
        };
        let (at, message) = place("#version 460\n#include \"wrong.glsl\"\n");
        assert_eq!((&*at, &*message), ("lib/wrong.glsl:2:24", "`nothing`: undeclared identifier"));
        let (at, message) = place("#version 460\n\n#include \"absent.glsl\"\n");
        assert_eq!(at, "shade.glsl:3:1", "{message}");
        assert!(message.contains("there is no `absent.glsl`"), "{message}");
    }

    #[test]
    fn glsl_refusals_lie_on_the_line_that_has_the_construct() {
        let text = "#version 460
#extension GL_KHR_shader_subgroup_arithmetic : require
float plain(float x) { return x; }
float f(float x) {
    float y = x;
    return subgroupAdd(y);
}
float g(sampler2D image) { return texture(image, vec2(0.0)).x; }
";
        let compiled = by(GlslReader::Shaderc, text, &Options::default());
        let shown = render_all(&compiled.diagnostics.into_vec(), &compiled.sources);
        expect_test::expect![[r#"
            error[unsupported-feature]: a texture is not supported in functions
              ┌─ shade.glsl:8:7
              │
            8 │ float g(sampler2D image) { return texture(image, vec2(0.0)).x; }
              │       ^ used here
              │
              = help: write it without this construct

            error[unsupported-feature]: a subgroup operation is not supported in functions
              ┌─ shade.glsl:6:5
              │
            6 │     return subgroupAdd(y);
              │     ^^^^^^^^^^^^^^^^^^^^^^ used here
              │
              = help: write it without this construct
        "#]]
        .assert_eq(&shown);
        assert!(compiled.module.find("plain").is_some());
    }

    #[test]
    fn glsl_of_newer_versions_and_extensions_is_read() {
        let text = "#version 460
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_EXT_control_flow_attributes : require
int64_t squares(int n) {
    int64_t sum = 0l;
    [[unroll]] for (int i = 0; i <= n; i++) { sum += int64_t(i) * int64_t(i); }
    return sum;
}
double halves(double x) { return 0.5lf * x; }
";
        let read = || by(GlslReader::Shaderc, text, &Options::default());
        assert_eq!(results(read(), "squares", &[super::super::i(4)]), [30.0]);
    }

    #[test]
    fn glsl_of_no_version_is_the_newest_core_one() {
        let compiled =
            by(GlslReader::Shaderc, "float f(float x) { return fma(x, 2.0, 1.0); }", &Options::default());
        assert_eq!(results(compiled, "f", &[f(3.0)]), [7.0]);
    }

    #[test]
    fn glsl_macros_that_nest_without_end_are_refused() {
        let mut text = String::from("#version 450\n#define A0(x) -(x)\n");
        for level in 1..10 {
            text += &format!("#define A{level}(x) A{0}(A{0}(x))\n", level - 1);
        }
        let compiled =
            by(GlslReader::Shaderc, &(text + "float f(float x) { return A9(x); }\n"), &Options::default());
        assert_eq!(compiled.diagnostics.iter().next().map(|found| found.code.text()), Some("syntax-error"));
    }
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
