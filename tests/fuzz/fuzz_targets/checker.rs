//! Any bytes as a program: what could be built of it is valid IR.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pullback_fuzz::{check_diagnostics, text};
use pullback_lang::{Language, Options, compile};

fuzz_target!(|bytes: &[u8]| {
    let compiled = compile(Language::Slang, "fuzz.slang", &text(bytes), &Options::default());
    if let Err(errors) = pullback_ir::verify(compiled.module) {
        panic!("{errors:?}");
    }
    check_diagnostics(compiled.diagnostics, &compiled.sources);
});
