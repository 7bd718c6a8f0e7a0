//! The warnings of derivatives that types without tangents end: one at each place where something is lost, none elsewhere.

use pullback_autodiff::{Convention, expand};
use pullback_base::render::render_all;
use pullback_lang::{Language, Options, compile};

/// What is warned of in a program: the lines, and the whole text.
fn warned(text: &str) -> (Vec<usize>, String) {
    let compiled = compile(Language::Slang, "lost.slang", text, &Options::default());
    assert!(!compiled.diagnostics.has_errors(), "{:?}", compiled.diagnostics);
    let (_, warnings) = expand(compiled.module, Convention::Torch).expect("has derivatives");
    let line = |at: u32| text[..at as usize].lines().count();
    let lines = warnings.iter().map(|warning| line(warning.span().start + 1)).collect();
    (lines, render_all(&warnings.into_vec(), &compiled.sources))
}

#[test]
fn a_warning_names_the_type_and_says_how_to_mend_it() {
    let (_, text) = warned(
        "struct Plain { float x; };
float product(float x) { Plain p = { x }; return p.x * x; }
float inside(float x) { return fwd_diff(product)(diffPair(x, 1.0)).d; }
",
    );
    let expected = "warning[not-differentiable]: a derivative ends here: `Plain` has no tangents
  ┌─ lost.slang:2:43
  │
2 │ float product(float x) { Plain p = { x }; return p.x * x; }
  │                                           ^^^^^^^^^^^^^^^ what `fwd_diff` and `bwd_diff` give is without what comes through here
  │
  = help: declare the type `: IDifferentiable`, or write `no_diff` or `detach` where no derivative is wanted
";
    assert_eq!(text, expected);
}

/// The functions whose derivative is asked for, one a line; those that lose something say so.
#[test]
fn each_place_where_a_tangent_is_lost_is_warned_of_and_no_other() {
    let functions = [
        "float field(float x) { Plain p = { x }; return p.x * x; } // lost",
        "float of_call(float x) { return make(x).x; } // lost",
        "float method(float x) { Plain p = { x }; return p.twice(); } // lost",
        "float generic(float x) { return same(x) * x; } // lost",
        "float behind(float x) { ICurve some = Curve(x); return some.at(x); } // lost",
        "float tracked(float x) { Curve c = { x }; return c.at(x); }",
        "float constant(float x) { Plain p = { 3 }; return p.x * x; }",
        "float said(float x) { Plain p = { no_diff x }; return p.x * x; }",
        "float detached(float x) { Plain p = { x }; return detach(p.x) * x; }",
        "float compared(float x) { Plain p = { x }; return p.x > 1 ? x : 2 * x; }",
        "float unread(float x) { Plain p = { x }; return x * p.count; }",
        "float integer(float x) { Plain p = { x }; return x * int(p.x); }",
        "float taken(float x) { return x; } ",
    ];
    let mut text = "struct Plain { float x; int count; float twice() { return 2 * x; } };
Plain make(float x) { Plain p = { x, 1 }; return p; }
T same<T>(T x) { return x; }
interface ICurve { float at(float y); };
struct Curve : ICurve, IDifferentiable { float a; float at(float y) { return a * y; } };
"
    .to_owned();
    let first = text.lines().count() + 1;
    text.extend(functions.iter().map(|function| format!("{function}\n")));
    for function in functions {
        let name = function.split(['(', ' ']).nth(1).expect("a name");
        text += &format!("float d_{name}(float x) {{ var p = diffPair(x); bwd_diff({name})(p, 1.0); ");
        text += &format!("return p.d + fwd_diff({name})(diffPair(x, 1.0)).d; }}\n");
    }
    let lost = |(index, function): (usize, &&str)| function.contains("lost").then_some(first + index);
    let expected: Vec<usize> = functions.iter().enumerate().filter_map(lost).collect();
    let (lines, shown) = warned(&text);
    assert_eq!(lines, expected, "{shown}");
}
