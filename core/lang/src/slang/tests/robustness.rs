//! No text breaks the parser: deeply nested, growing without end; and it is fast. `tests/fuzz` tries what else there is.

use super::{run, run_with};
use crate::slang::ParseOptions;

#[test]
fn growth_without_end_is_refused() {
    let circle = |path: &str, _: &str| Ok((path.to_owned(), "#include \"x\"\n#include \"x\"\n".to_owned()));
    let options = ParseOptions { includes: Some(&circle), ..ParseOptions::default() };
    let mut bomb = String::from("#define A0 x\n");
    for level in 1..40 {
        bomb += &format!("#define A{level} A{0} A{0}\n", level - 1);
    }
    bomb += "int y = A39;\n";
    let mut chain = String::from("#define B0 1\n");
    for level in 1..2000 {
        chain += &format!("#define B{level} B{}\n", level - 1);
    }
    chain += "int y = B1999;\n";
    let calls = format!("#define F(x) x x\nint y = {}1{};\n", "F(".repeat(100), ")".repeat(100));
    let empty_circle = "#include \"x\"\n";
    for (text, message) in [
        (empty_circle, "files include one another more than 64 deep"),
        (&bomb, "includes and macros make too much text"),
        (&chain, "macros stand in one another too deeply"),
        (&calls, "macro calls nest too deeply"),
    ] {
        let (_, diagnostics, _) = run_with(text, &options);
        let first = diagnostics.iter().next().map(|diagnostic| diagnostic.message.as_str());
        assert_eq!(first, Some(message));
    }
}

#[test]
fn a_thousand_lines_parse_in_milliseconds() {
    let text = TEXTS.concat().repeat(1000 / 10);
    let lines = text.lines().count();
    let start = std::time::Instant::now();
    let (module, _, _) = run(&text);
    let time = start.elapsed();
    assert!(module.decls.len() > 100);
    println!("{lines} lines, {} bytes, {:?}", text.len(), time);
    assert!(time.as_millis() < 1000, "{lines} lines took {time:?}");
}

const TEXTS: &[&str] = &[
    "struct S<T : IFoo, let N : int = 4> : IBar where T : IBaz { T a[N]; __init(T x) { this.a[0] = x; }\n [mutating] void m() { a[1] += (T)1; } property float p { get { return 1; } set(v) { } } __subscript(int i) -> T { get; } static const int K = 3; }\n",
    "void g(inout float4 v : SV_Position) { for (int i = 0, j = 1; i < 10; i++, --j) { if (i == 3) continue; else break; } while (true) { do { discard; } while (v.x < 1.0); } switch (v.y) { case 1: case 2: v.xy = v.yx; break; default: return; } }\n",
    "enum class E : uint { A = 1, B, }\ninterface I { associatedtype D : I; float f(This o); }\nextension float : I { typealias D = float; }\nnamespace a.b { cbuffer C : register(b0, space1) { float4x4 m; } groupshared float t[16][2]; }\nimport a.b;\n/// doc\nfunc h<T>(x : T) -> Array<T, 4> { let y = f<float, 3>(x) ? 1e-5 : .5h; return {y, a < b, c >> 1}; }\n",
];

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
        format!("int{} x;", "[1]".repeat(100_000)),
        deep("struct A {", "}"),
        deep("namespace a {", "}"),
        format!("namespace a{} {{}}", ".a".repeat(100_000)),
    ] {
        let (_, diagnostics, _) = run(&text);
        let head: String = text.chars().take(40).collect();
        let messages: Vec<&str> = diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
        assert!(messages.contains(&"nested too deeply"), "{head}: {messages:?}");
        assert!(messages.len() <= 2, "{head}: {messages:?}");
        assert!(diagnostics.iter().all(|diagnostic| !diagnostic.span().is_none()), "{head}");
    }
}
