//! The standard library, parsed and declared once in a process: what is always there, and the tensors for programs that import them.

use super::check::{self, program::Program};
use super::{ParseOptions, ast, parse};
use pullback_base::{Diagnostics, FileId, SourceMap, bug, render};
use std::sync::OnceLock;

pub struct Library {
    /// The library's files, with which every module's source map begins.
    pub sources: SourceMap,
    pub program: Program<'static>,
    tensors: FileId,
    with_tensors: OnceLock<Program<'static>>,
}

pub fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let mut sources = SourceMap::new();
        let files = pullback_kernels::STD.iter().map(|source| sources.add(source.name, source.text));
        let files: Vec<FileId> = files.collect();
        let program = declared(check::no_program(), &files, &sources);
        let tensors = sources.add(pullback_kernels::TENSORS.name, pullback_kernels::TENSORS.text);
        Library { sources, program, tensors, with_tensors: OnceLock::new() }
    })
}

impl Library {
    /// What programs know that import our own modules.
    pub fn with_tensors(&self) -> &Program<'static> {
        self.with_tensors.get_or_init(|| declared(self.program.clone(), &[self.tensors], &self.sources))
    }
}

/// The program with the declarations of these files.
fn declared(known: Program<'static>, files: &[FileId], sources: &SourceMap) -> Program<'static> {
    let (mut sources, mut diagnostics) = (sources.clone(), Diagnostics::new());
    let mut tree = |&file: &FileId| parse(&mut sources, file, &ParseOptions::default(), &mut diagnostics);
    // The tables refer to the trees for as long as the process runs.
    let modules: &'static [ast::Module] = Vec::leak(files.iter().map(&mut tree).collect());
    let (program, found) = check::declare_std(known, modules);
    diagnostics.extend(found);
    if !diagnostics.is_empty() {
        bug!("std", "{}", render::render_all(&diagnostics.into_vec(), &sources));
    }
    program
}
