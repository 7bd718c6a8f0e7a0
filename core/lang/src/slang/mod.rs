//! The Slang front end: text to syntax tree.

pub mod ast;
mod lex;
mod number;
mod parse;
mod preprocess;
mod token;

#[cfg(test)]
mod print;
#[cfg(test)]
mod tests;

pub use preprocess::{IncludeResolver, ParseOptions};

use pullback_base::{Diagnostics, FileId, SourceMap};

/// Parses the text of `file`. Included texts are added to `sources`. Never fails: what could not be read is
/// in `diagnostics`, the rest is in the module.
pub fn parse(
    sources: &mut SourceMap,
    file: FileId,
    options: &ParseOptions<'_>,
    diagnostics: &mut Diagnostics,
) -> ast::Module {
    let mut interner = token::Interner::new();
    let stream = preprocess::preprocess(sources, file, options, &mut interner, diagnostics);
    parse::parse_tokens(file, &stream.tokens, &stream.docs, &interner, diagnostics)
}
