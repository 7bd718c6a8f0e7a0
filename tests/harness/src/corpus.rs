//! The golden corpus: case files compiled, and the functions their directives name.

use crate::directive::{self, Directive, Kind};
use pullback_autodiff::{Convention, Primal};
use pullback_base::{Diagnostics, SourceMap, render};
use pullback_ir::visit::has_calls;
use pullback_ir::{FuncId, Function, Module, Scalar, Type, Verified, verify};
use pullback_lang::{Compiled, Language, Options, compile};
use pullback_passes::pipeline;
use std::path::{Path, PathBuf};

/// The folder `tests`.
pub fn tests_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// A case file.
pub struct Case {
    /// `control/switch`
    pub name: String,
    pub directives: Vec<Directive>,
    pub module: Verified<Module>,
    pub sources: SourceMap,
    pub warnings: Diagnostics,
    /// The functions that directives name, in that order.
    pub subjects: Vec<Subject>,
}

/// A function under test.
pub struct Subject {
    pub name: String,
    pub id: FuncId,
    /// In scalar form, optimized.
    pub flat: Function,
    /// With calls of functions whose derivatives are given, and the module that has those; `None` if there are none.
    custom: Option<(Function, Module)>,
    /// For each flat parameter and result, whether it can carry a derivative.
    pub params: Vec<bool>,
    pub results: Vec<bool>,
    pub domain: Domain,
}

/// The ranges of random inputs.
#[derive(Clone, Copy, Debug)]
pub struct Domain {
    pub floats: (f64, f64),
    pub ints: (i64, i64),
}

/// Every case that compiles, and what is wrong with the others.
pub fn load() -> (Vec<Case>, Vec<String>) {
    let root = tests_folder().join("golden/in");
    let mut files = Vec::new();
    push_files(&root, &mut files);
    files.sort();
    let (mut cases, mut failures) = (Vec::new(), Vec::new());
    for file in files {
        let name = file.strip_prefix(&root).unwrap_or(&file).with_extension("");
        let name = name.to_string_lossy().replace('\\', "/");
        match Case::load(&name, &file) {
            Ok(case) => cases.push(case),
            Err(why) => failures.push(format!("{name}: {why}")),
        }
    }
    (cases, failures)
}

fn push_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() { push_files(&path, files) } else { files.push(path) }
    }
}

impl Case {
    fn load(name: &str, file: &Path) -> Result<Case, String> {
        let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
        let language = match file.extension().and_then(|extension| extension.to_str()) {
            Some("wgsl") => Language::Wgsl,
            Some("glsl") => Language::Glsl,
            _ => Language::Slang,
        };
        let file_name = file.file_name().unwrap_or_default().to_string_lossy();
        Self::compile(name, &file_name, &text, language)?.without_warnings()
    }

    /// Refuses a text that the compiler warns of: ours give no reason to.
    pub fn without_warnings(self) -> Result<Case, String> {
        if self.warnings.is_empty() {
            return Ok(self);
        }
        Err(render::render_all(&self.warnings.into_vec(), &self.sources))
    }

    /// Compiles a text with directives.
    pub fn compile(name: &str, file_name: &str, text: &str, language: Language) -> Result<Case, String> {
        Self::of(name, text, compile(language, file_name, text, &Options::default()))
    }

    /// What a text with directives was compiled to.
    pub fn of(name: &str, text: &str, compiled: Compiled) -> Result<Case, String> {
        let directives = directive::parse(text)?;
        if compiled.diagnostics.has_errors() {
            return Err(render::render_all(&compiled.diagnostics.into_vec(), &compiled.sources));
        }
        let (module, _) = pullback_autodiff::expand(compiled.module, Convention::Torch)
            .map_err(|problems| render::render_all(&problems.into_vec(), &compiled.sources))?;
        let module = verify(module).map_err(|errors| format!("{errors:?}"))?;
        let mut domain = Domain { floats: (-4.0, 4.0), ints: (-10, 10) };
        let mut names: Vec<&str> = Vec::new();
        for directive in &directives {
            match &directive.kind {
                Kind::Floats(low, high) => domain.floats = (*low, *high),
                Kind::Ints(low, high) => domain.ints = (*low, *high),
                Kind::Run { call, .. } | Kind::Grad { call, .. } => names.push(&call.function),
            }
        }
        let mut subjects: Vec<Subject> = Vec::new();
        for name in names {
            if !subjects.iter().any(|subject| subject.name == name) {
                subjects.push(Subject::of(&module, &compiled.sources, name, domain)?);
            }
        }
        let (sources, warnings) = (compiled.sources, compiled.diagnostics);
        Ok(Case { name: name.to_owned(), directives, module, sources, warnings, subjects })
    }

    pub fn subject(&self, name: &str) -> &Subject {
        let found = self.subjects.iter().find(|subject| subject.name == name);
        found.unwrap_or_else(|| panic!("{}: no subject `{name}`", self.name))
    }
}

impl Subject {
    /// The one function of that name.
    pub fn of(module: &Module, sources: &SourceMap, name: &str, domain: Domain) -> Result<Subject, String> {
        let of_name = |function: &Function| function.interface.as_ref().is_some_and(|i| &*i.name == name);
        let ids: Vec<FuncId> =
            module.functions.iter().filter(|(_, function)| of_name(function)).map(|(id, _)| id).collect();
        let &[id] = ids.as_slice() else {
            return Err(format!("{} functions are called `{name}`", ids.len()));
        };
        let shown = |diagnostics: Diagnostics| render::render_all(&diagnostics.into_vec(), sources);
        let flat = pipeline::flatten(module, id).map_err(shown)?;
        let primal = pipeline::primal(module, id).map_err(shown)?;
        let custom = has_calls(&primal.body).then(|| (primal, module.clone()));
        let (mut params, mut results) = (Vec::new(), Vec::new());
        if let Some(interface) = &module.functions[id].interface {
            if let Some(ty) = &interface.result {
                push_carries(ty, !interface.result_no_diff, &mut results);
            }
            for param in &interface.params {
                if param.direction.reads() {
                    push_carries(&param.ty, !param.no_diff, &mut params);
                }
                if param.direction.writes() {
                    push_carries(&param.ty, !param.no_diff, &mut results);
                }
            }
        }
        Ok(Subject { name: name.to_owned(), id, flat, custom, params, results, domain })
    }

    /// What is differentiated.
    pub fn primal(&self) -> Primal<'_> {
        match &self.custom {
            Some((function, module)) => Primal { function, module: Some(module) },
            None => Primal::from(&self.flat),
        }
    }

    /// Whether an author says what a derivative is, which need not be that of the values.
    pub fn has_custom_derivatives(&self) -> bool {
        self.custom.is_some()
    }

    /// Whether reverse mode has something to do.
    pub fn has_gradient(&self) -> bool {
        self.params.contains(&true) && self.results.contains(&true)
    }

    pub fn param_scalars(&self) -> Vec<Scalar> {
        scalars(&self.flat.param_types())
    }
}

fn push_carries(ty: &Type, carries: bool, out: &mut Vec<bool>) {
    match ty {
        Type::Scalar(scalar) => out.push(carries && scalar.is_float()),
        Type::Pointer(_) => out.push(false),
        Type::Struct(structure) => {
            structure.fields.iter().for_each(|field| push_carries(&field.ty, carries && !field.no_diff, out));
        }
        _ => (0..ty.element_count())
            .filter_map(|index| ty.element(index))
            .for_each(|element| push_carries(&element, carries, out)),
    }
}

/// The scalars of a flat signature.
pub fn scalars(types: &[Type]) -> Vec<Scalar> {
    types.iter().map(|ty| ty.scalar().unwrap_or_else(|| panic!("{ty} is no scalar"))).collect()
}
