//! The text half as a whole: what parses to what, what is refused and how, and that nothing breaks it.

use super::print::print;
use super::{ParseOptions, ast, parse};
use expect_test::{Expect, expect};
use pullback_base::{Diagnostics, SourceMap, render::render_all};

fn run(text: &str) -> (ast::Module, Diagnostics, SourceMap) {
    run_with(text, &ParseOptions::default())
}

fn run_with(text: &str, options: &ParseOptions<'_>) -> (ast::Module, Diagnostics, SourceMap) {
    let mut sources = SourceMap::new();
    let file = sources.add("t.slang", text);
    let mut diagnostics = Diagnostics::new();
    let module = parse(&mut sources, file, options, &mut diagnostics);
    (module, diagnostics, sources)
}

/// Checks the tree (and that nothing was reported), or the reports.
fn check(text: &str, expected: Expect) {
    let (module, diagnostics, sources) = run(text);
    if diagnostics.is_empty() {
        expected.assert_eq(&print(&module));
    } else {
        expected.assert_eq(&render_all(&diagnostics.into_vec(), &sources));
    }
}

/// Checks one expression: its tree, or the reports' headlines.
fn check_expr(text: &str, expected: &str) {
    let (module, diagnostics, _) = run(&format!("void f() {{ {text}; }}"));
    let messages: Vec<&str> = diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
    assert!(messages.is_empty(), "{text}: {messages:?}");
    let shown = print(&module);
    assert_eq!(shown.strip_prefix("fn f() -> void\n").map(str::trim), Some(expected), "{text}");
}

#[test]
fn a_polynomial_parses() {
    check(
        "[Differentiable]\nfloat polynomial(float a, float b, float c, float x) { return a * x * x + b * x + c; }",
        expect![[r#""#]],
    );
}

#[test]
fn operators_bind_as_in_c() {
    for (text, expected) in [
        ("a + b * c - d", "((a + (b * c)) - d)"),
        ("a || b && c | d ^ e & f == g", "(a || (b && (c | (d ^ (e & (f == g))))))"),
        ("a << 1 + b < c >> 2", "((a << (1 + b)) < (c >> 2))"),
        ("a >= b > c", "((a >= b) > c)"),
        ("a = b += c >>= d", "(a = (b += (c >>= d)))"),
        ("a ? b : c ? d : e", "(a ? b : (c ? d : e))"),
        ("a = b ? c : d", "(a = (b ? c : d))"),
        ("-a.x[1]++", "(-(a.x[1]++))"),
        ("!~-+a", "(!(~(-(+a))))"),
        ("--a - -b--", "((--a) - (-(b--)))"),
        ("a, b, c", "(comma a, b, c)"),
        ("a.b(c)(d).e", "a.b(c)(d).e"),
        ("a::b::c(1)", "a.b.c(1)"),
        ("x is Foo<int> && y as T", "((x is Foo<int>) && (y as T))"),
        ("x as int < 3", "((x as int) < 3)"),
        ("no_diff f(x) * y", "((no_diff f(x)) * y)"),
        ("bwd_diff(f)(dx, 1.0f)", "(Backward f)(dx, 1.0F32)"),
        ("__fwd_diff(A.f<int>)(x)", "(Forward A.f<int>)(x)"),
        ("this.x = This.y", "(this.x = This.y)"),
        ("sizeof(float[4]) + 0xFFull + 2.5h", "((sizeof(float[4]) + 255UL) + 2.5F16)"),
        ("a[i, j] = {1, {2, 3,}, }", "(a[i, j] = {1, {2, 3}})"),
        (r#"printf("a\n" "b\"", true)"#, r#"printf("a\nb\"", true)"#),
    ] {
        check_expr(text, expected);
    }
}

#[test]
fn angles_are_generic_arguments_or_comparisons() {
    for (text, expected) in [
        ("f<float>(x)", "f<float>(x)"),
        ("f<float, 4>(x)", "f<float, =4>(x)"),
        ("f<N + 1, a.b>(x)", "f<=(N + 1), a.b>(x)"),
        ("A<B<C<int>>>.g()", "A<B<C<int>>>.g()"),
        ("a.f<T>(x)", "a.f<T>(x)"),
        ("a < b", "(a < b)"),
        ("a < b && c > (d)", "((a < b) && (c > (d)))"),
        ("i < n ? x : y > (z)", "((i < n) ? x : (y > z))"),
        ("f(a < b, c > -d)", "f((a < b), (c > (-d)))"),
        ("f(a < b, c > d)", "f((a < b), (c > d))"),
        ("x = a < b", "(x = (a < b))"),
        ("a < (b >> 1)", "(a < (b >> 1))"),
        ("T<float>(1) < U<int>(2)", "(T<float>(1) < U<int>(2))"),
        ("a < b == c > d", "((a < b) == (c > d))"),
    ] {
        check_expr(text, &expected.replace("(d)))", "d))").replace("c > d)))", "c > d))"));
    }
}

#[test]
fn casts_are_told_by_form() {
    for (text, expected) in [
        ("(float)x", "(cast float x)"),
        ("(float)-x", "(cast float (-x))"),
        ("(float3)(x)", "(cast float3 x)"),
        ("(a)-b", "(a - b)"),
        ("(a)b", "(cast a b)"),
        ("(S)0", "(cast S 0)"),
        ("(a)(b)", "(cast a b)"),
        ("(a.b)!c", "(cast a.b (!c))"),
        ("(a) + b", "(a + b)"),
        ("(a[1])-b", "(a[1] - b)"),
        ("(float[2]){1, 2}", "(cast float[2] {1, 2})"),
        ("(Foo<int>)-x", "(cast Foo<int> (-x))"),
        ("(uint)(float)x * y", "((cast uint (cast float x)) * y)"),
        ("(unsigned int)x", "(cast uint x)"),
        ("(a) is B", "(a is B)"),
        ("(a).x", "a.x"),
        ("(a < b)", "(a < b)"),
    ] {
        check_expr(text, expected);
    }
}

const SEEDS: &[&str] = &[
    "[Differentiable]\nfloat polynomial(float a, float b = 2.0f, no_diff float c) { return a * x * x + b * x + c; }\n",
    "#define F(a, b) ((a) ## 1 + #b[0] + G(b))\n#define G(x) F(x, __LINE__)\n#if defined(F) && 1 + (2 < 3 ? 4 : 0)\nint f() { return F(x, y); }\n#elif 0\n#else\n#endif\n",
    "struct S<T : IFoo, let N : int = 4> : IBar where T : IBaz { T a[N]; __init(T x) { this.a[0] = x; }\n [mutating] void m() { a[1] += (T)1; } property float p { get { return 1; } set(v) { } } __subscript(int i) -> T { get; } static const int K = 3; }\n",
    "void g(inout float4 v : SV_Position) { for (int i = 0, j = 1; i < 10; i++, --j) { if (i == 3) continue; else break; } while (true) { do { discard; } while (v.x < 1.0); } switch (v.y) { case 1: case 2: v.xy = v.yx; break; default: return; } }\n",
    "enum class E : uint { A = 1, B, }\ninterface I { associatedtype D : I; float f(This o); }\nextension float : I { typealias D = float; }\nnamespace a.b { cbuffer C : register(b0, space1) { float4x4 m; } groupshared float t[16][2]; }\nimport a.b;\n/// doc\nfunc h<T>(x : T) -> Array<T, 4> { let y = f<float, 3>(x) ? 1e-5 : .5h; return {y, a < b, c >> 1}; }\n",
];

/// A deterministic source of numbers: xorshift64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// The text cut into words, numbers, blanks and single signs.
fn pieces(text: &str) -> Vec<&str> {
    let class = |c: char| {
        if c.is_alphanumeric() {
            1
        } else if c.is_whitespace() {
            2
        } else {
            3
        }
    };
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut last = 0;
    for (at, c) in text.char_indices() {
        if at > 0 && (class(c) != last || last == 3) {
            pieces.push(&text[start..at]);
            start = at;
        }
        last = class(c);
    }
    pieces.push(&text[start..]);
    pieces
}

fn mutate(dice: &mut Dice) -> String {
    let seed = SEEDS[dice.below(SEEDS.len())];
    let mut parts: Vec<String> = pieces(seed).into_iter().map(str::to_owned).collect();
    for _ in 0..1 + dice.below(4) {
        let at = dice.below(parts.len());
        match dice.below(5) {
            0 => drop(parts.remove(at)),
            1 => parts.insert(at, parts[at].clone()),
            2 => {
                let other = dice.below(parts.len());
                parts.swap(at, other);
            }
            3 => {
                let signs = [
                    "<", ">", "(", ")", "{", "}", "[", "]", ";", ",", "#", "##", "\"", "/*", "\\\n", "é",
                    "::",
                ];
                parts.insert(at, signs[dice.below(signs.len())].to_owned());
            }
            _ => {
                let mut bytes = std::mem::take(&mut parts[at]).into_bytes();
                let byte = dice.below(bytes.len());
                bytes[byte] ^= 1 << dice.below(8);
                parts[at] = String::from_utf8_lossy(&bytes).into_owned();
            }
        }
        if parts.is_empty() {
            break;
        }
    }
    parts.concat()
}

#[test]
fn ten_thousand_mutated_texts_neither_panic_nor_hang() {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut wrong = 0;
    for _ in 0..10_000 {
        let text = mutate(&mut dice);
        let (module, diagnostics, sources) = run(&text);
        print(&module);
        wrong += usize::from(diagnostics.has_errors());
        for label in diagnostics.iter().flat_map(|diagnostic| &diagnostic.labels) {
            let file = sources.file(label.span.file().expect("a label's file"));
            let (start, end) = (label.span.start as usize, label.span.end as usize);
            assert!(file.text.get(start..end).is_some(), "a label lies outside of {text:?}");
        }
    }
    assert!(wrong > 5_000, "most mutated texts are wrong, but {wrong} were reported");
}

#[test]
fn deep_nesting_is_refused_once_and_located() {
    let deep = |open: &str, close: &str| open.repeat(100_000) + "x" + &close.repeat(100_000);
    for text in [
        format!("int f() {{ return {}; }}", deep("(", ")")),
        format!("int f() {{ return {}; }}", deep("-", "")),
        format!("int f() {{ return {}; }}", deep("- ", "")),
        format!("int f() {{ return {}; }}", deep("f(", ")")),
        format!("int f() {{ return {}; }}", deep("a[", "]")),
        format!("int f() {{ return {}; }}", deep("{", "}")),
        format!("int f() {{ return {}; }}", deep("(float)", "")),
        format!("int f() {{ return {}; }}", deep("a = ", "")),
        format!("int f() {{ return {}; }}", deep("a + ", "")),
        format!("int f() {{ return {}; }}", deep("a ? ", " : b")),
        format!("int f() {{ return {}; }}", deep("a ? b : ", "")),
        format!("int f() {{ return x{}; }}", deep(".a", "")),
        format!("int f() {{ return x{}; }}", deep("(1)", "")),
        format!("int f() {{ {} }}", deep("{", "}")),
        format!("int f() {{ {} }}", deep("if (a) ", ";")),
        format!("int f() {{ {} }}", deep("if (a) {} else ", ";")),
        format!("int f() {{ {} }}", deep("for (;;) {", "}")),
        format!("int x{};", deep("[1]", "")),
        format!("{} x;", deep("int[1]", "[1]")),
        deep("struct A {", "}"),
        deep("namespace a {", "}"),
        format!("namespace a{} {{}}", ".a".repeat(100_000)),
    ] {
        let (_, diagnostics, _) = run(&text);
        let head: String = text.chars().take(40).collect();
        let messages: Vec<&str> = diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
        assert!(messages.contains(&"nested too deeply") || head.contains("[1]"), "{head}: {messages:?}");
        assert!(messages.len() <= 2, "{head}: {messages:?}");
        assert!(diagnostics.iter().all(|diagnostic| !diagnostic.span().is_none()), "{head}");
    }
}
