//! The Slang front end: text to syntax tree.

pub mod ast;
mod lex;
mod number;
mod operator;
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
/// in `diagnostics`, in the order of the text; the rest is in the module.
pub fn parse(
    sources: &mut SourceMap,
    file: FileId,
    options: &ParseOptions<'_>,
    diagnostics: &mut Diagnostics,
) -> ast::Module {
    let mut interner = token::Interner::new();
    let mut found = Diagnostics::new();
    let stream = preprocess::preprocess(sources, file, options, &mut interner, &mut found);
    let module = parse::parse_tokens(file, &stream.tokens, &stream.docs, &interner, &mut found);
    let mut found = found.into_vec();
    found.sort_by_key(|diagnostic| (diagnostic.span().file(), diagnostic.span().start));
    found.into_iter().for_each(|diagnostic| diagnostics.push(diagnostic));
    module
}
