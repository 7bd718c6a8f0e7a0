//! What programs become in IR.

mod control;
mod values;

use crate::{Language, Options, compile};
use expect_test::Expect;
use pullback_base::render::render_all;

fn check(text: &str, expected: Expect) {
    let compiled = compile(Language::Slang, "t.slang", text, &Options::default());
    if compiled.diagnostics.has_errors() {
        panic!("{}", render_all(&compiled.diagnostics.into_vec(), &compiled.sources));
    }
    expected.assert_eq(&compiled.module.to_string());
    assert!(pullback_ir::verify(compiled.module).is_ok(), "the module verifies");
}
