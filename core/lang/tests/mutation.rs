//! Broken texts through the whole front end: no panic, no hang, and what is built verifies.

use pullback_lang::{Language, Options, compile};
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

/// The pieces a token mutation puts in.
const PIECES: [&str; 32] = [
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ";",
    ",",
    "<",
    ">",
    "=",
    "+=",
    "++",
    "?",
    ":",
    "::",
    ".",
    "float",
    "float3",
    "int",
    "struct",
    "return",
    "if",
    "for",
    "out",
    "static const",
    "0",
    "1.5",
    "x",
    "T",
    "no_diff",
    "{}",
];

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n.max(1)
    }
}

fn tokens(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let len = match rest.find(|c| !word(c)) {
            Some(0) => first.len_utf8(),
            Some(len) => len,
            None => rest.len(),
        };
        out.push(&rest[..len]);
        rest = &rest[len..];
    }
    out
}

fn mutate_bytes(text: &str, random: &mut Random) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(4) {
            0 => bytes[at] = random.below(256) as u8,
            1 => bytes[at] ^= 1 << random.below(8),
            2 => drop(bytes.remove(at)),
            _ => bytes.insert(at, 32 + random.below(95) as u8),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn mutate_tokens(text: &str, random: &mut Random) -> String {
    let mut tokens = tokens(text);
    for _ in 0..=random.below(3) {
        let (at, other) = (random.below(tokens.len()), random.below(tokens.len()));
        match random.below(5) {
            0 => drop(tokens.remove(at)),
            1 => tokens.swap(at, other),
            2 => tokens.insert(at, PIECES[random.below(PIECES.len())]),
            3 => tokens[at] = PIECES[random.below(PIECES.len())],
            _ => tokens[at] = tokens[other],
        }
    }
    tokens.concat()
}

#[test]
fn ten_thousand_mutated_programs_neither_panic_nor_hang() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut compiled_clean = 0;
    for round in 0..10_000 {
        let text = PROGRAMS[round % PROGRAMS.len()];
        let text =
            if round % 3 == 0 { mutate_bytes(text, &mut random) } else { mutate_tokens(text, &mut random) };
        let start = Instant::now();
        let compiled = compile(Language::Slang, "t.slang", &text, &Options::default());
        assert!(start.elapsed() < Duration::from_secs(2), "slow:\n{text}");
        compiled_clean += usize::from(!compiled.diagnostics.has_errors());
        if let Err(errors) = pullback_ir::verify(compiled.module) {
            panic!("{errors:?} in\n{text}");
        }
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
