//! The Slang front end: text to syntax tree, to typed tree, to IR.

pub mod ast;
mod check;
mod lex;
mod library;
mod lower;
mod modules;
mod number;
mod operator;
mod parse;
mod preprocess;
mod token;

#[cfg(test)]
mod print;
#[cfg(test)]
mod tests;

pub use preprocess::{IncludeResolver, Linked, ParseOptions, TypeConformance};

use crate::Compiled;
use pullback_base::{Diagnostics, FileId, SourceMap, Span};

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
    let module = parse::parse_tokens(file, stream, &interner, &mut found);
    diagnostics.extend(in_order(found));
    module
}

/// The places of the tokens that the parser is given, after preprocessing. Never fails, as [`parse`].
pub fn tokens(
    sources: &mut SourceMap,
    file: FileId,
    options: &ParseOptions<'_>,
    diagnostics: &mut Diagnostics,
) -> Vec<Span> {
    let stream = preprocess::preprocess(sources, file, options, &mut token::Interner::new(), diagnostics);
    stream.tokens.iter().map(|token| token.span).collect()
}

/// Diagnostics in the order of the text.
fn in_order(diagnostics: Diagnostics) -> Diagnostics {
    let mut found = diagnostics.into_vec();
    found.sort_by_key(|diagnostic| (diagnostic.span().file(), diagnostic.span().start));
    let mut sorted = Diagnostics::new();
    found.into_iter().for_each(|diagnostic| sorted.push(diagnostic));
    sorted
}

/// Compiles a text to IR: every function without errors, and what is wrong with the others.
pub fn compile(name: &str, text: &str, options: &ParseOptions<'_>) -> Compiled {
    let library = library::library();
    let mut sources = library.sources.clone();
    let mut diagnostics = Diagnostics::new();
    let file = sources.add(name, text);
    let units = modules::load(&mut sources, file, options, &mut diagnostics);
    let asked = check::request::read(&mut sources, options, &mut diagnostics);
    let std =
        if units.iter().any(|unit| unit.imports_own) { library.with_tensors() } else { &library.program };
    let checked = check::check(std.clone(), &units, &asked);
    let module = lower::lower(&checked);
    diagnostics.extend(checked.diagnostics);
    if !diagnostics.has_errors() {
        diagnostics.extend(checked.suspicions);
    }
    let files = units.iter().flat_map(|unit| &unit.files);
    let diagnostics = in_order(files.fold(diagnostics, |found, file| file.levels.applied(found)));
    Compiled { module, sources, diagnostics }
}
