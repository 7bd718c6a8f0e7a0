//! What the passes' own tests share: text in, text out.

use expect_test::Expect;
use pullback_ir::{Function, Module, parse::parse, verify};

/// The module of a text, which must verify.
pub fn load(text: &str) -> Module {
    verify(parse(text).expect("the text parses")).expect("the text verifies").into_inner()
}

/// Runs a pass on the first function of a text and compares what it prints; the result must verify.
pub fn check(pass: impl FnOnce(&mut Function) -> bool, text: &str, want: Expect) {
    let mut function = load(text).functions.values().next().expect("a function").clone();
    let before = function.to_string();
    let changed = pass(&mut function);
    let mut module = Module::new();
    module.add(function);
    let text = verify(module).expect("the result verifies").to_string();
    assert_eq!(changed, text != before, "the pass tells whether it changed anything");
    want.assert_eq(&text);
}
