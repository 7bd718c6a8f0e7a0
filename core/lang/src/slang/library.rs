//! The standard library, parsed and declared once in a process.

use super::check::{self, program::Program};
use super::{ParseOptions, ast, parse};
use pullback_base::{Diagnostics, SourceMap, bug, render};
use std::sync::OnceLock;

pub struct Library {
    /// The library's files, with which every module's source map begins.
    pub sources: SourceMap,
    pub program: Program<'static>,
}

pub fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let mut sources = SourceMap::new();
        let mut diagnostics = Diagnostics::new();
        let modules: Vec<ast::Module> = pullback_kernels::STD
            .iter()
            .map(|source| {
                let file = sources.add(source.name, source.text);
                parse(&mut sources, file, &ParseOptions::default(), &mut diagnostics)
            })
            .collect();
        // The tables refer to the trees for as long as the process runs.
        let modules: &'static [ast::Module] = Vec::leak(modules);
        let (program, found) = check::declare_std(modules.iter());
        diagnostics.extend(found);
        if !diagnostics.is_empty() {
            bug!("std", "{}", render::render_all(&diagnostics.into_vec(), &sources));
        }
        Library { sources, program }
    })
}
