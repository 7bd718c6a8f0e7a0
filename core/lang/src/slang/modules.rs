//! Modules: the files of each (`__include`), and what they import.

use super::ast::{self, Decl, DeclKind, ModifierKind, Name};
use super::preprocess::WHERE_FILES_ARE;
use super::{ParseOptions, parse};
use pullback_base::{Code, Diagnostic, Diagnostics, FileId, SourceMap};
use rustc_hash::FxHashMap;

/// A module: the trees of its files, and the modules whose declarations it sees.
#[derive(Debug, Default)]
pub struct Unit {
    pub files: Vec<ast::Module>,
    /// Those it imports, and those that they export, by their places in the list.
    pub sees: Vec<usize>,
    /// Those that whoever imports it sees too: `__exported import`.
    exports: Vec<usize>,
    /// It imports a module of our own.
    pub imports_own: bool,
}

/// Our own modules: two names for one, which declares tensors in the library's scope.
const OWN_MODULES: [&str; 2] = ["slangpy", "pullback"];

/// So many files may make a program.
const MAX_FILES: usize = 1000;

/// Parses a text, the modules linked with it and all that they import; modules come before those that import them, the text's own last.
pub fn load(
    sources: &mut SourceMap,
    file: FileId,
    options: &ParseOptions<'_>,
    diagnostics: &mut Diagnostics,
) -> Vec<Unit> {
    let mut loader =
        Loader { sources, options, diagnostics, units: Vec::new(), by_file: FxHashMap::default(), files: 0 };
    for link in options.links {
        if !loader.by_file.contains_key(&link.name) {
            let file = loader.sources.add(&link.name, &link.text);
            loader.unit(file);
        }
    }
    loader.unit(file);
    loader.units
}

struct Loader<'a, 'o> {
    sources: &'a mut SourceMap,
    options: &'a ParseOptions<'o>,
    diagnostics: &'a mut Diagnostics,
    units: Vec<Unit>,
    /// Modules by their first file's name; `None` while one is being read.
    by_file: FxHashMap<String, Option<usize>>,
    files: usize,
}

impl Loader<'_, '_> {
    /// Reads the module that begins with a file; gives its place.
    fn unit(&mut self, file: FileId) -> usize {
        let name = self.sources.file(file).name.to_string();
        self.by_file.insert(name.clone(), None);
        let mut unit = Unit::default();
        self.file(file, &mut unit, &mut vec![name.clone()]);
        self.units.push(unit);
        let place = self.units.len() - 1;
        self.by_file.insert(name, Some(place));
        place
    }

    /// Reads one file of a module; `read` are the names of its files.
    fn file(&mut self, file: FileId, unit: &mut Unit, read: &mut Vec<String>) {
        self.files += 1;
        let tree = parse(self.sources, file, self.options, self.diagnostics);
        for decl in &tree.decls {
            match &decl.kind {
                DeclKind::Include(name) => {
                    if let Some((path, text)) = self.find(name, file)
                        && !read.contains(&path)
                    {
                        let included = self.sources.add(&path, &text);
                        read.push(path);
                        self.file(included, unit, read);
                    }
                }
                DeclKind::Import(name) if OWN_MODULES.contains(&&*name.text) => unit.imports_own = true,
                DeclKind::Import(name) => self.import(decl, name, file, unit),
                _ => {}
            }
        }
        unit.files.push(tree);
    }

    fn import(&mut self, decl: &Decl, name: &Name, file: FileId, unit: &mut Unit) {
        let Some((path, text)) = self.find(name, file) else { return };
        let imported = match self.by_file.get(&path) {
            Some(Some(imported)) => *imported,
            Some(None) => {
                let message = format!("`{}` imports what imports it", name.text);
                let circle = Diagnostic::error(Code::PreprocessorError, message)
                    .at(name.span, "closes a circle of imports")
                    .help("move what both need into a third module");
                return self.diagnostics.push(circle);
            }
            None => {
                let file = self.sources.add(&path, &text);
                self.unit(file)
            }
        };
        let seen: Vec<usize> =
            std::iter::once(imported).chain(self.units[imported].exports.iter().copied()).collect();
        let add = |list: &mut Vec<usize>| {
            let new: Vec<usize> = seen.iter().copied().filter(|unit| !list.contains(unit)).collect();
            list.extend(new);
        };
        add(&mut unit.sees);
        if decl.modifiers.has(ModifierKind::Export) {
            add(&mut unit.exports);
        }
    }

    /// The file of a module by its name: dots are folders, and an underscore may stand for a hyphen.
    fn find(&mut self, name: &Name, from: FileId) -> Option<(String, String)> {
        if self.files >= MAX_FILES {
            self.error(name, format!("more than {MAX_FILES} files in one program"), "one too many");
            return None;
        }
        let Some(resolve) = self.options.includes else {
            self.error(name, format!("cannot find module `{}`", name.text), "this text has no include path");
            return None;
        };
        let from = self.sources.file(from).name.clone();
        let plain = name.text.strip_suffix(".slang").unwrap_or(&name.text);
        let in_folders = plain.replace('.', "/");
        let candidates = [format!("{plain}.slang"), format!("{in_folders}.slang")];
        let hyphenated = format!("{}.slang", in_folders.replace('_', "-"));
        let mut first_reason = None;
        for candidate in candidates.iter().chain([&hyphenated]) {
            match resolve(candidate, &from) {
                Ok(found) => return Some(found),
                Err(reason) => first_reason = first_reason.or(Some(reason)),
            }
        }
        let reason = first_reason.unwrap_or_default();
        self.error(name, format!("cannot find module `{}`", name.text), &reason);
        None
    }

    fn error(&mut self, name: &Name, message: String, label: &str) {
        let diagnostic = Diagnostic::error(Code::PreprocessorError, message).at(name.span, label);
        self.diagnostics.push(diagnostic.help(WHERE_FILES_ARE));
    }
}
