//! Broken texts through the whole front end: no panic, no hang, and what is built verifies.

mod mutate;

use mutate::{Random, mutate, mutate_bytes, mutate_tokens};
use pullback_lang::{Language, Options, compile};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const PROGRAMS: [&str; 4] = [
    "[Differentiable]\nfloat polynomial(float a, float b, float c, float x) { return a * x * x + b * x + c; }\n\
     static const int N = 3;\nstatic const float W[N] = { 1, 2.5, 4 };\n\
     float weigh(float x[N], int k = N - 1) { float s = 0; for (int i = 0; i < N; ++i) { if (i == k) continue; s += x[i] * W[i]; if (s > 9) break; } return s; }\n",
    "struct Ray { float3 o; float3 d; __init(float3 a, float3 b) { o = a; d = normalize(b); } float3 at(float t) { return o + d * t; } [mutating] void move(float t) { o = at(t); } }\n\
     float hit(Ray r, float radius, out float3 n) { float b = dot(r.o, r.d); float c = dot(r.o, r.o) - radius * radius; float h = b * b - c;\n\
     n = 0; if (h < 0) return -1; float t = -b - sqrt(h); Ray q = r; q.move(t); n.xyz = q.o / radius; return t > 0 ? t : h > 2 ? sqrt(h) : 0; }\n",
    "T square<T : IFloat>(T x) { return x * x; }\n\
     T total<T : __BuiltinFloatingPointType, let N : int>(T a[N]) { T s = T(0); for (int i = 0; i < N; i++) s += a[i]; return s; }\n\
     float f(float x, float2 v, float a[3]) { return square(x) + square(v).y + square<float>(x) + total(a); }\n\
     namespace M { float half_of(float x) { return x / 2; } }\nfloat g(float x) { return M.half_of(x) + M::half_of(x); }\n",
    "int collatz(int n, int limit) { int steps = 0; do { n = (n & 1) != 0 ? 3 * n + 1 : n / 2; steps++; if (steps > limit) return -1; } while (n > 1 && n != 4); return steps; }\n\
     uint classify(uint k) { switch (k % 5u) { case 0: case 1: return 4; case 2: k = 7; break; default: if (k == 9) break; k = 1 << 3; } return k ^ ~k; }\n\
     float4 mix(float4x4 m, float4 v, inout float2x2 q) { q[1].x += m._m00; q = mul(q, transpose(q)); float4 c[2] = { v, mul(m, v) }; while (any(c[0] > c[1])) c[0] -= 1; return lerp(c[0], c[1].wzyx, saturate(v.x)); }\n",
];

/// Whether a text compiles; what it became verifies in any case, and soon: what takes milliseconds takes seconds on a machine that does
/// ten other things, and what hangs takes longer.
fn compiles(text: &str) -> bool {
    let start = Instant::now();
    let compiled = compile(Language::Slang, "t.slang", text, &Options::default());
    assert!(start.elapsed() < Duration::from_secs(20), "slow:\n{text}");
    if let Err(errors) = pullback_ir::verify(compiled.module) {
        panic!("{errors:?} in\n{text}");
    }
    !compiled.diagnostics.has_errors()
}

fn push_programs(folder: &Path, programs: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            push_programs(&path, programs);
        } else if path.extension().is_some_and(|extension| extension == "slang") {
            programs.push(path);
        }
    }
}

/// `PULLBACK_MUTANTS` asks for another number of them, and with it for other ones.
#[test]
fn mutated_golden_programs_neither_panic_nor_hang() {
    let asked = std::env::var("PULLBACK_MUTANTS").ok().and_then(|count| count.parse::<usize>().ok());
    let mut random = Random(0x2545_f491_4f6c_dd1d ^ asked.unwrap_or(0) as u64);
    let mut files = Vec::new();
    for folder in ["in", "wrong"] {
        push_programs(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(folder),
            &mut files,
        );
    }
    files.sort();
    let read = |file: &PathBuf| std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{error}"));
    let programs: Vec<String> = files.iter().map(read).collect();
    for _ in 0..asked.unwrap_or(2000) {
        let text = &programs[random.below(programs.len())];
        let other = &programs[random.below(programs.len())];
        let mutant = mutate(text, other, &mut random);
        if let Err(panic) = std::panic::catch_unwind(|| compiles(&mutant)) {
            println!("of this text:\n{mutant}");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn a_switch_of_nothing_but_a_default_compiles() {
    assert!(compiles("int f(int x) { int y = 1; switch (x) { default: y = 2 * x; } return y; }"));
}

#[test]
fn a_hundred_thousand_levels_of_anything_are_refused() {
    const DEEP: usize = 100_000;
    let deep = |open: &str, inner: &str, close: &str| open.repeat(DEEP) + inner + &close.repeat(DEEP);
    let body = |text: String| format!("float f(float x) {{ {text} return x; }}");
    let value = |text: String| format!("float f(float x) {{ return {text}; }}");
    for text in [
        value(deep("(", "x", ")")),
        value(deep("-", "x", "")),
        value(deep("!", "x", "")),
        value(deep("~ ", "x", "")),
        value(deep("++", "x", "")),
        value(deep("x + ", "x", "")),
        value(deep("x, ", "x", "")),
        value(deep("x = ", "x", "")),
        value(deep("x ? x : ", "x", "")),
        value(deep("x ? ", "x", " : x")),
        value(deep("sin(", "x", ")")),
        value(deep("(float)", "x", "")),
        value(deep("x[", "0", "]")),
        value(deep("", "x", ".x")),
        value(deep("", "x", "[0]")),
        value(deep("", "x", "(x)")),
        value(deep("f<", "float", ">") + "(x)"),
        value(deep("vector<", "float", ", 2>") + "(x)"),
        value(deep("f<(", "1", ")>") + "(x)"),
        value(deep("sizeof(", "x", ")")),
        value(deep("fwd_diff(", "f", ")") + "(x)"),
        value(deep("no_diff ", "x", "")),
        value(deep("each ", "x", "")),
        value(deep("expand ", "each x", "")),
        value(deep("expand (each x + ", "x", ")")),
        value(deep("f<expand ", "each T", ">") + "(x)"),
        body(deep("expand ", "each T y;", "")),
        body(format!("Tuple<{} y;", deep("expand Tuple<", "each T", ">"))),
        body(deep("{", "", "}")),
        body(deep("if (x > 0) ", "x = 1;", "")),
        body(deep("if (x > 0) x = 1; else ", "x = 1;", "")),
        body(deep("for (;;) ", "x = 1;", "")),
        body(deep("while (x > 0) ", "x = 1;", "")),
        body(deep("do ", "x = 1;", " while (x > 0);")),
        body(deep("switch (1) { case 1: ", "x = 1;", "}")),
        body(deep("[unroll] ", "x = 1;", "")),
        body(deep("const ", "float y = 1;", "")),
        body(format!("float y[1] = {};", deep("{", "x", "}"))),
        body(format!("float y{};", "[1]".repeat(DEEP))),
        body(format!("{} y;", deep("Optional<", "float", ">"))),
        body(format!("float{} y;", "*".repeat(DEEP))),
        body(format!("{} y;", deep("A.", "A", ""))),
        deep("struct A { ", "", "}"),
        deep("namespace A { ", "", "}"),
        deep("extension A { ", "", "}"),
        deep("interface A { ", "", "}"),
        deep("enum A { a = ", "1", "}"),
        deep("#if 1\n", "", "#endif\n"),
        deep("#if 0\n", "", "#endif\n"),
        deep("#if 0\n#else\n", "", "#endif\n"),
        format!("#if {}\n#endif\n", deep("(", "1", ")")),
        format!("#if {}\n#endif\n", deep("!", "1", "")),
        format!("#if {}\n#endif\n", deep("1 + ", "1", "")),
        format!("#if {}\n#endif\n", deep("1 ? ", "1", " : 1")),
        format!("#if {}\n#endif\n", deep("1 ? 1 : ", "1", "")),
        format!("#define M(a) a\n{}", value(deep("M(", "x", ")"))),
        format!("typedef {} A;", deep("vector<", "float", ", 2>")),
        format!("float f<{}>() {{ return 1; }}", deep("T : A<", "B", ">")),
        deep("[", "", "]"),
        deep("@", "", ""),
        deep("/*", "", "*/"),
    ] {
        let head: String = text.chars().take(60).collect();
        println!("{head}");
        compiles(&text);
    }
}

#[test]
fn ten_thousand_mutated_programs_neither_panic_nor_hang() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut compiled_clean = 0;
    for round in 0..10_000 {
        let text = PROGRAMS[round % PROGRAMS.len()];
        let text = if round % 3 == 0 {
            mutate_bytes(text, &mut random)
        } else {
            mutate_tokens(text, "", &mut random)
        };
        compiled_clean += usize::from(compiles(&text));
    }
    assert!(compiled_clean > 100, "mutations that leave the program right: {compiled_clean}");
}

#[test]
fn deep_and_long_programs_do_not_overflow_the_stack() {
    let repeat = |piece: &str, times: usize| piece.repeat(times);
    for text in [
        format!("float f(float x) {{ return {}x; }}", repeat("x + ", 590)),
        format!("float f(float x) {{ return {}x{}; }}", repeat("(", 190), repeat(")", 190)),
        format!("float f(float x) {{ return {}x{}; }}", repeat("sin(", 190), repeat(")", 190)),
        format!("float f(float x) {{ return {}0; }}", repeat("x > 1 ? sin(x) : ", 190)),
        format!("float f(float x) {{ return {}x; }}", repeat("- ", 190)),
        format!("float f(float x) {{ {}x; return x; }}", repeat("x = ", 190)),
        format!(
            "float f(float x) {{ {} x += 1; {} return x; }}",
            repeat("if (x > 0) { ", 180),
            repeat("}", 180)
        ),
        format!("float f(float x) {{ {} x = 1; return x; }}", repeat("if (x == 1) x = 2; else ", 180)),
        format!(
            "float f(float x) {{ {} if (x > 3) continue; if (x > 5) break; if (x > 9) return 2; x++; {} return x; }}",
            repeat("for (int i = 0; i < 3; i++) { ", 90),
            repeat("}", 90)
        ),
        format!(
            "float f(float x) {{ float a[2] = {}x{}; return a[0]; }}",
            repeat("{", 190),
            repeat("}", 190)
        ),
        format!("float f(float a{}) {{ return a{}; }}", repeat("[2]", 12), repeat("[0]", 12)),
    ] {
        let compiled = compile(Language::Slang, "t.slang", &text, &Options::default());
        assert!(pullback_ir::verify(compiled.module).is_ok(), "{text}");
    }
}
