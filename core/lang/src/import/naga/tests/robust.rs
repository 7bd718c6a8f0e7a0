//! Bad input of all kinds neither panics nor hangs, and what is read of it verifies.

use super::read;

#[test]
fn ten_thousand_levels_of_anything_are_refused() {
    let n = 10_000;
    let body = |body: String| format!("fn f(x: f32, b: bool, v: vec2<f32>) -> f32 {{ {body} return 2.0; }}");
    let texts = [
        body(format!("let y = {}x{};", "(".repeat(n), ")".repeat(n))),
        body(format!("let y = {}x;", "- ".repeat(n))),
        body(format!("let y = x{};", "+x".repeat(n))),
        body(format!("let y = b{};", "&&b".repeat(n))),
        body(format!("let y = v{};", ".xy".repeat(n))),
        body(format!("{}{}", "{".repeat(n), "}".repeat(n))),
        body(format!("if b {{ }} {}", "else if b { x; }".repeat(n))),
        body(format!("if b {{ }} {}", "/* */ else /* */ if b { }".repeat(n))),
        body(format!("var y = v{};", "[0]".repeat(n))),
        format!("fn f(x: {}f32{}) {{}}", "array<".repeat(n), ", 2>".repeat(n)),
    ];
    for text in texts {
        let shown = read(&text).1;
        let message = ["nested deeper than 1000 levels", "invalid-wgsl"];
        assert!(message.iter().any(|part| shown.contains(part)), "{}", &shown[..shown.len().min(300)]);
    }
}

#[test]
fn long_flat_texts_are_read() {
    let lines: String = (0..2000).map(|i| format!("s += x * {i}.0; // ) ( {{\n")).collect();
    let values: String = (0..2000).map(|i| format!("{i}.0, ")).collect();
    let text = format!(
        "const T = array<f32, 2000>({values});\nfn f(x: f32) -> f32 {{ var s = T[1]; {lines} /* {{ /* ( */ */ return s; }}"
    );
    assert_eq!(super::call(&text, &[super::f(0.0)]), [1.0]);
}

#[test]
fn long_chains_of_functions_and_types_are_read_or_refused() {
    let mut text = String::from("struct S0 { x: f32 }\nfn g0(x: f32) -> f32 { return x; }\n");
    for i in 0..2000 {
        text +=
            &format!("struct S{} {{ x: S{i} }}\nfn g{}(x: f32) -> f32 {{ return g{i}(x); }}\n", i + 1, i + 1);
    }
    text += "fn f(s: S2000) -> f32 { return 1.0; }";
    assert!(read(&text).1.contains("nested deeper than 64 levels"));
}

#[test]
fn pieces_of_a_text_in_any_order_never_panic() {
    let source = "enable f16;\nstruct S { a: f32, m: mat2x3<f32>, }\nconst K = array<i32, 3>(1, 2, 3);\n\
        @group(0) @binding(0) var<storage, read_write> g: array<u32>;\n\
        /// @no_diff s\nfn h(p: ptr<function, S>, s: f32) -> f32 { (*p).a *= s; return length((*p).m * vec2(s)); }\n\
        fn f(n: i32, x: f32) -> f32 {\n  var s: S; var r = 0.0;\n\
        loop { let y = x * f32(n); if y > 3.0 && n < 4 { continue; } r += h(&s, y); continuing { break if r >= 1.0; } }\n\
        for (var i = 0u; i < 9u; i++) { switch i { case 1, 2: { r -= 1.0; } default: { break; } } }\n\
        while all(vec2(r) < vec2(s.a)) { r = select(r, s.m[n].x, r != 0.5) / 2.0; if r == 1.0 { return r; } }\n\
        let b = extractBits(u32(K[n]), 3u, 4u) >> 1u;\n  return r + f32(b) + frexp(x).fract;\n}\n\
        @fragment fn main(@location(0) c: vec4<f32>) -> @location(0) vec4<f32> { return c; }\n";
    let (module, shown) = read(source);
    assert!(module.find("f").is_some(), "{shown}");
    // A linear congruential generator: the same texts in each run.
    let mut state = 1_u64;
    let mut below = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit.max(1)
    };
    let pieces: Vec<&str> = source.split_inclusive(|c: char| !c.is_alphanumeric()).collect();
    for _ in 0..10_000 {
        let mut mutated = pieces.clone();
        for _ in 0..1 + below(4) {
            let (at, from) = (below(mutated.len()), below(pieces.len()));
            match below(4) {
                0 => drop(mutated.remove(at)),
                1 => mutated.insert(at, pieces[from]),
                2 => mutated[at] = pieces[from],
                _ => {
                    let other = below(mutated.len());
                    mutated.swap(at, other);
                }
            }
        }
        let text = mutated.concat();
        let (_, shown) = read(&text);
        assert!(!shown.contains("internal error"), "{shown}\n{text}");
    }
}
