//! Loaded modules: a source file compiled to IR, and its functions by name.

use crate::cache::OverloadSet;
use crate::context::Context;
use crate::edit_distance::edit_distance;
use crate::error::Error;
use crate::function::Function;
use crate::record::Record;
use crate::source::Source;
use crate::variant::{BOTH_SLANG, Choice, Origin, Recipe};
use parking_lot::Mutex;
use pullback_autodiff::Convention;
use pullback_base::{Code, Diagnostic, Diagnostics};
use pullback_ir::Type;
use pullback_lang::{self as lang, TypeConformance};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a file is loaded.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Searched in order for the file and for what it includes, after the including file's own folder.
    pub include_paths: Vec<PathBuf>,
    /// Preprocessor definitions, name and replacement text.
    pub defines: Vec<(String, String)>,
    /// The numbers by which `createDynamicObject` knows types.
    pub type_conformances: Vec<TypeConformance>,
    /// Instances of generic functions to make, like `f<float>`.
    pub instances: Vec<String>,
    /// Modules that define what the file declares `extern`.
    pub link: Vec<Module>,
    /// What derivatives are taken to be at ties, kinks and poles.
    pub gradient_convention: Convention,
}

/// A module on a device. Clones share it.
#[derive(Clone)]
pub struct Module(Arc<Loaded>);

struct Loaded {
    source: Arc<Source>,
    warnings: Diagnostics,
    functions: BTreeMap<Arc<str>, Arc<OverloadSet>>,
}

impl Module {
    /// Reads and compiles a file; the extension names the language (`.slang`, `.hlsl`, `.wgsl`, `.glsl`, `.comp`, `.spv`).
    ///
    /// # Errors
    /// `file-not-found`, or every diagnostic of the file at once.
    pub fn load_from_file(context: &Context, path: &Path, options: &LoadOptions) -> Result<Module, Error> {
        if path.extension().is_some_and(|extension| extension == "spv") {
            if let Some(link) = options.link.first() {
                let message = format!("`{}` cannot be linked with `{}`", link.name(), path.display());
                return Err(Diagnostic::error(Code::UnsupportedFeature, message).help(BOTH_SLANG).into());
            }
            let (found, bytes) = read_file(path, &options.include_paths, |path| std::fs::read(path).ok())?;
            let compiled = lang::compile_binary(&found, &bytes);
            return Self::of(context, &found, compiled, options.gradient_convention, None);
        }
        let language = language_of(path)?;
        let (found, text) = read_file(path, &options.include_paths, read_text)?;
        Self::compile(context, language, &found, &text, options)
    }

    /// Compiles a text. `name` is shown in messages; its extension names the language, Slang without one.
    ///
    /// # Errors
    /// Every diagnostic of the text at once.
    pub fn load_from_source(
        context: &Context,
        name: &str,
        text: &str,
        options: &LoadOptions,
    ) -> Result<Module, Error> {
        let path = Path::new(name);
        let language = if path.extension().is_some() { language_of(path)? } else { lang::Language::Slang };
        Self::compile(context, language, name, text, options)
    }

    fn compile(
        context: &Context,
        language: lang::Language,
        name: &str,
        text: &str,
        options: &LoadOptions,
    ) -> Result<Module, Error> {
        let (name, text, options) = (name.to_owned(), text.to_owned(), options.clone());
        let recipe = Recipe { language, name, text, options, read: Mutex::default() };
        let compiled = recipe.compile(context, &Choice::default())?;
        let (name, convention) = (recipe.name.clone(), recipe.options.gradient_convention);
        Self::of(context, &name, compiled, convention, Some(Origin::new(recipe)))
    }

    /// How it was compiled, where it is a text.
    pub(crate) fn recipe(&self) -> Option<&Recipe> {
        self.0.source.origin.as_ref().map(|origin| &*origin.recipe)
    }

    pub(crate) fn include_paths(&self) -> &[PathBuf] {
        self.recipe().map_or(&[], |recipe| &recipe.options.include_paths)
    }

    pub(crate) fn of(
        context: &Context,
        name: &str,
        compiled: lang::Compiled,
        convention: Convention,
        origin: Option<Origin>,
    ) -> Result<Module, Error> {
        if compiled.diagnostics.has_errors() {
            return Err(Error::new(compiled.diagnostics, compiled.sources));
        }
        let (ir, cut) = match pullback_autodiff::expand(compiled.module, convention) {
            Ok(expanded) => expanded,
            Err(problems) => return Err(Error::new(problems, compiled.sources)),
        };
        let mut warnings = compiled.diagnostics;
        warnings.extend(cut);
        let mut functions: BTreeMap<Arc<str>, OverloadSet> = BTreeMap::new();
        for (id, function) in ir.functions.iter() {
            if let Some(interface) = &function.interface {
                let set = functions.entry(interface.name.clone());
                set.or_insert_with(|| OverloadSet::new(&interface.name)).add(id, interface);
            }
        }
        Ok(Module(Arc::new(Loaded {
            source: Arc::new(Source {
                context: context.clone(),
                name: name.to_owned(),
                ir,
                convention,
                texts: compiled.sources,
                origin,
            }),
            warnings,
            functions: functions.into_iter().map(|(name, set)| (name, Arc::new(set))).collect(),
        })))
    }

    pub fn context(&self) -> &Context {
        &self.0.source.context
    }

    /// The file's name as found, or the name given.
    pub fn name(&self) -> &str {
        &self.0.source.name
    }

    /// The compiled functions, as IR text.
    pub fn ir(&self) -> &pullback_ir::Module {
        &self.0.source.ir
    }

    /// What the compiler warned of, rendered; empty when it did not.
    pub fn warnings(&self) -> String {
        self.0.source.error(self.0.warnings.clone()).to_string()
    }

    pub fn has_warnings(&self) -> bool {
        !self.0.warnings.is_empty()
    }

    pub fn function_names(&self) -> impl Iterator<Item = &str> {
        self.0.functions.keys().map(|name| &**name)
    }

    /// How a struct lies in memory that functions take, by value or in arrays: `S`, `N.S` in a namespace, `Pair<float>`.
    ///
    /// # Errors
    /// `unknown-name`, with the names that there are.
    pub fn record(&self, name: &str) -> Result<Arc<Record>, Error> {
        let records = self.records();
        let wanted = spelled(name);
        let mut named = records.iter().filter(|record| *record.name == *name || *record.name == *wanted);
        let first = named.next();
        let message = match first {
            Some(first) if named.all(|other| other.is_like(first)) => return Ok(first.clone()),
            Some(_) => format!("{} has several structs named `{name}`", self.name()),
            None => format!("{} has no struct `{name}` that a function takes", self.name()),
        };
        let mut names: Vec<&str> = records.iter().map(|record| &*record.name).collect();
        names.dedup();
        let help = match names.as_slice() {
            [] => "its functions take no structs of numbers".to_owned(),
            names => format!("it has: {}", names.join(", ")),
        };
        Err(Diagnostic::error(Code::UnknownName, message).help(help).into())
    }

    /// How the structs lie in memory that functions take, by value or in arrays, ordered by name.
    pub fn records(&self) -> Vec<Arc<Record>> {
        let mut records = Vec::new();
        for interface in self.ir().functions.values().filter_map(|function| function.interface.as_ref()) {
            let params = interface.params.iter().map(|param| &param.ty).chain(&interface.result);
            let types = params.chain(interface.globals.iter().map(|global| &global.ty));
            types.for_each(|ty| push_records(ty, &mut records));
        }
        records.sort_by(|a, b| a.name.cmp(&b.name));
        records
    }

    /// The function, with all its overloads. `f<float>` is the instance of a generic function, compiled at the first request.
    ///
    /// # Errors
    /// `unknown-function`, with the nearest name; what keeps a generic function from having the instance.
    pub fn function(&self, name: &str) -> Result<Function, Error> {
        if let Some(found) = self.known(name) {
            return Ok(found);
        }
        if let Some(origin) =
            self.0.source.origin.as_ref().filter(|it| it.has_instances() && name.contains('<'))
            && let Some(instance) = self.instance(origin, name)?
        {
            return Ok(instance);
        }
        let mut diagnostic = Diagnostic::error(
            Code::UnknownFunction,
            format!("{} has no function `{name}`", self.0.source.name),
        );
        let nearest = self.function_names().min_by_key(|known| edit_distance(known, name));
        diagnostic = match nearest {
            Some(known) if edit_distance(known, name) <= name.len().div_ceil(3) => {
                diagnostic.help(format!("did you mean `{known}`?"))
            }
            Some(_) => {
                let names: Vec<&str> = self.function_names().collect();
                diagnostic.help(format!("it has: {}", names.join(", ")))
            }
            None => diagnostic.help("the module declares no functions that can be called"),
        };
        Err(diagnostic.into())
    }
}

impl Module {
    pub(crate) fn known(&self, name: &str) -> Option<Function> {
        self.0.functions.get(name).map(|set| Function::new(self.0.source.clone(), set.clone()))
    }

    /// The functions of the variant that has the instance, but for those that are there without it.
    fn instance(&self, origin: &Origin, asked: &str) -> Result<Option<Function>, Error> {
        let choice = Choice { instance: Some(asked.to_owned()), ..origin.choice.clone() };
        let made = origin.variant(self.context(), choice)?;
        let plain = |name: &str| name.split_whitespace().collect::<String>();
        let is_it = |name: &&str| !self.0.functions.contains_key(*name) || plain(name) == plain(asked);
        Ok(made.function_names().find(is_it).and_then(|name| made.known(name)))
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Module").field(&self.name()).finish()
    }
}

fn push_records(ty: &Type, records: &mut Vec<Arc<Record>>) {
    match ty {
        Type::Pointer(of) | Type::Array(of, _) => push_records(of, records),
        Type::Struct(structure) => {
            structure.fields.iter().for_each(|field| push_records(&field.ty, records));
            let Some(record) = Record::of(structure) else { return };
            if !records.iter().any(|known| known.name == record.name && known.is_like(&record)) {
                records.push(Arc::new(record));
            }
        }
        _ => {}
    }
}

/// The name that the IR has for an instance: `Pair.f32` for `Pair<float>`.
fn spelled(name: &str) -> String {
    let spelled = name.split(['<', '>', ',', ' ']).filter(|part| !part.is_empty()).map(|part| match part {
        "float" => "f32",
        "double" => "f64",
        "half" => "f16",
        "int" => "i32",
        "uint" => "u32",
        other => other,
    });
    spelled.collect::<Vec<_>>().join(".")
}

fn language_of(path: &Path) -> Result<lang::Language, Error> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("slang" | "hlsl") => Ok(lang::Language::Slang),
        Some("wgsl") => Ok(lang::Language::Wgsl),
        Some("glsl" | "comp") => Ok(lang::Language::Glsl),
        _ => Err(Diagnostic::error(
            Code::UnsupportedFeature,
            format!("`{}` is in no language that is known by its extension", path.display()),
        )
        .help("name the file .slang, .hlsl, .wgsl, .glsl or .comp; SPIR-V modules are files named .spv")
        .into()),
    }
}

/// A file, by its name as found and by what `read` makes of it.
fn read_file<T>(
    path: &Path,
    include_paths: &[PathBuf],
    read: impl Fn(&Path) -> Option<T>,
) -> Result<(String, T), Error> {
    let mut paths = vec![PathBuf::new()];
    paths.extend(include_paths.iter().cloned());
    if let Some((found, content)) = find(path, &paths, read) {
        return Ok((found.to_string_lossy().into_owned(), content));
    }
    let why = std::fs::read(path).err().map_or_else(|| "it is not UTF-8 text".into(), |e| e.to_string());
    let message = format!("cannot read `{}`: {why}", path.display());
    Err(Diagnostic::error(Code::FileNotFound, message)
        .note(format!("searched: {}", shown(&paths)))
        .help("give a path from the working directory, or add its folder to include_paths")
        .into())
}

pub(crate) fn find<T>(
    path: &Path,
    folders: &[PathBuf],
    read: impl Fn(&Path) -> Option<T>,
) -> Option<(PathBuf, T)> {
    folders.iter().map(|folder| folder.join(path)).find_map(|candidate| {
        let content = read(&candidate)?;
        Some((candidate, content))
    })
}

pub(crate) fn read_text(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

pub(crate) fn shown(paths: &[PathBuf]) -> String {
    let name = |path: &PathBuf| match path.as_os_str().is_empty() {
        true => std::env::current_dir().unwrap_or_default().display().to_string(),
        false => path.display().to_string(),
    };
    paths.iter().map(name).collect::<Vec<_>>().join(", ")
}
