//! Any bytes as tokens, through the preprocessor: each token is a part of its text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pullback_base::{Diagnostics, SourceMap};
use pullback_fuzz::{check_diagnostics, check_place, text};
use pullback_lang::{Options, slang};

fuzz_target!(|bytes: &[u8]| {
    let (mut sources, mut diagnostics) = (SourceMap::new(), Diagnostics::new());
    let file = sources.add("fuzz.slang", &text(bytes));
    let places = slang::tokens(&mut sources, file, &Options::default(), &mut diagnostics);
    places.into_iter().for_each(|place| check_place(place, &sources));
    check_diagnostics(diagnostics, &sources);
});
