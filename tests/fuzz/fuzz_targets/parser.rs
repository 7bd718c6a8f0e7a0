//! Any bytes as a syntax tree.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pullback_base::{Diagnostics, SourceMap};
use pullback_fuzz::{check_diagnostics, check_place, text};
use pullback_lang::{Options, slang};

fuzz_target!(|bytes: &[u8]| {
    let (mut sources, mut diagnostics) = (SourceMap::new(), Diagnostics::new());
    let file = sources.add("fuzz.slang", &text(bytes));
    let module = slang::parse(&mut sources, file, &Options::default(), &mut diagnostics);
    module.decls.iter().for_each(|decl| check_place(decl.span, &sources));
    check_diagnostics(diagnostics, &sources);
});
