//! Runs one test: compile, bind, launch on each executor, compare.

use crate::bind::bind;
use crate::constants::Rules;
use crate::directive::{Directive, Selection, select};
use crate::expected;
use crate::input::{Input, parse_all};
use crate::outcome::Outcome;
use crate::print::print;
use pullback_autodiff::{Convention, expand};
use pullback_base::{Diagnostic, Diagnostics, SourceMap};
use pullback_device::{Device, DeviceType, open};
use pullback_interp::run_kernel;
use pullback_ir::{EntryPoint, Module, Verified, verify};
use pullback_lang::{Compiled, Language, Options, TypeConformance, compile};
use pullback_passes::pipeline;
use pullback_tests::emit::emit;
use pullback_tests::launch::on_device;
use pullback_tests::tolerance::Target;
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

/// What runs a kernel.
#[derive(Clone)]
pub enum Executor {
    Interpreter,
    Device(Target, Arc<dyn Device>),
}

impl Executor {
    /// `interp`, `cpu` or `vulkan`; why it is not there.
    pub fn open(name: &str) -> Result<Executor, String> {
        let device = |target, kind| match open(kind) {
            Ok(device) => Ok(Executor::Device(target, device)),
            Err(error) => Err(error.to_string()),
        };
        match name {
            "interp" => Ok(Executor::Interpreter),
            "cpu" => device(Target::Cpu, DeviceType::Cpu),
            "vulkan" => device(Target::Vulkan, DeviceType::Vulkan),
            _ => Err(format!("no executor `{name}`: interp, cpu or vulkan")),
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Executor::Interpreter => "interp",
            Executor::Device(Target::Cpu, _) => "cpu",
            Executor::Device(Target::Vulkan, _) => "vulkan",
            Executor::Device(Target::Cuda, _) => "cuda",
        }
    }
}

/// Asks for other results outside of buffers than the zeros that are promised here.
const OTHER_BOUNDS: &str = "SLANG_ENABLE_BOUND_ZERO_INDEX";

/// Runs the test at `path`; it passes when it does on every executor.
pub fn run(path: &Path, executors: &[Executor]) -> Outcome {
    let text = match fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return Outcome::Fail(format!("cannot be read: {error}")),
    };
    let Selection::Run(directive) = select(&text) else {
        return Outcome::unsupported("no executable directive");
    };
    if directive.defines.iter().any(|(name, _)| name == OTHER_BOUNDS) {
        return Outcome::unsupported("what is outside of a buffer reads as its first element");
    }
    match prepare(path, &text, &directive) {
        Ok(prepared) => {
            let failed = executors.iter().find_map(|executor| {
                let outcome = prepared.run(path, &text, &directive, executor);
                (outcome != Outcome::Pass).then_some(outcome)
            });
            failed.unwrap_or(Outcome::Pass)
        }
        Err(outcome) => outcome,
    }
}

/// A compiled test.
struct Prepared {
    kernel: Verified<Module>,
    entry: EntryPoint,
    bound: crate::bind::Bound,
}

fn prepare(path: &Path, text: &str, directive: &Directive) -> Result<Prepared, Outcome> {
    let includes = |wanted: &str, from: &str| {
        include(path, wanted, from).map_err(|error| format!("`{wanted}` cannot be read: {error}"))
    };
    let inputs = parse_all(text).map_err(Outcome::unsupported)?;
    let options = Options {
        defines: &directive.defines,
        includes: Some(&includes),
        type_conformances: &numbers(&inputs),
        instances: &instances(&inputs, &directive.entry),
        matrix_order: directive.matrix_order,
        ..Options::default()
    };
    let name = path.to_string_lossy();
    let Compiled { module, sources, diagnostics } = compile(Language::Slang, &name, text, &options);
    refuse_errors(diagnostics, &sources)?;
    let module = match expand(module.clone(), Convention::Slang) {
        Ok((expanded, _)) => expanded,
        Err(diagnostics) => {
            refuse_errors(diagnostics, &sources)?;
            module
        }
    };
    // An instance of a generic entry point has its arguments behind its name.
    let is_meant = |name: &str| {
        let rest = name.strip_prefix(directive.entry.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('<'))
    };
    let Some(entry) = module.entry_points.iter().find(|entry| is_meant(&entry.name)).cloned() else {
        return Err(Outcome::unsupported(format!("no entry point `{}`", directive.entry)));
    };
    let rules = Rules { host: directive.host_layout };
    let bound = bind(text, &entry, &inputs, directive.groups, rules).map_err(Outcome::unsupported)?;
    if let Err(errors) = verify(module.clone()) {
        return Err(Outcome::Fail(format!("panic: the module does not verify: {:?}", errors.first())));
    }
    let kernel = match pipeline::entry_kernel(&module, entry.kernel) {
        Ok(kernel) => kernel,
        Err(diagnostics) => {
            refuse_errors(diagnostics, &sources)?;
            return Err(Outcome::unsupported("the entry point does not flatten".to_owned()));
        }
    };
    Ok(Prepared { kernel, entry, bound })
}

/// The numbers that a test gives to types behind interfaces.
fn numbers(inputs: &[Input]) -> Vec<TypeConformance> {
    let number = |input: &Input| match input {
        Input::Conformance { ty, interface, id } => {
            Some(TypeConformance { ty: ty.clone(), interface: interface.clone(), id: *id })
        }
        _ => None,
    };
    inputs.iter().filter_map(number).collect()
}

/// The instance of a generic entry point that a test launches.
fn instances(inputs: &[Input], entry: &str) -> Vec<String> {
    let argument = |input: &Input| match input {
        Input::Type(ty) => Some(ty.clone()),
        _ => None,
    };
    let arguments: Vec<String> = inputs.iter().filter_map(argument).collect();
    if arguments.is_empty() { Vec::new() } else { vec![format!("{entry}<{}>", arguments.join(", "))] }
}

impl Prepared {
    fn run(&self, path: &Path, text: &str, directive: &Directive, executor: &Executor) -> Outcome {
        let mut buffers = self.bound.buffers.clone();
        let groups: u64 = directive.groups.iter().map(|&count| u64::from(count)).product();
        let lanes = groups * u64::from(self.entry.lanes_per_group());
        let args = &self.bound.args;
        let ran = match executor {
            Executor::Interpreter => match self.kernel.functions.ids().next() {
                Some(id) => {
                    run_kernel(&self.kernel, id, args, lanes, &mut buffers).map_err(|error| error.to_string())
                }
                None => Err("no kernel".to_owned()),
            },
            Executor::Device(target, device) => match emit(&self.kernel, *target) {
                Ok(artifact) => on_device(device.as_ref(), &artifact, args, lanes, &mut buffers)
                    .map_err(|error| error.to_string()),
                Err(error) => {
                    return Outcome::unsupported(format!("{}: {error}", executor.name()));
                }
            },
        };
        let printed = print(&self.bound.outputs(&buffers), directive.typed);
        let compared = ran.and_then(|()| expected::compare(path, text, directive, &printed));
        match compared {
            Ok(()) => Outcome::Pass,
            Err(why) => Outcome::Fail(format!("{}: {why}", executor.name())),
        }
    }
}

/// The first error, if there is one.
fn refuse_errors(diagnostics: Diagnostics, sources: &SourceMap) -> Result<(), Outcome> {
    match diagnostics.into_vec().into_iter().find(Diagnostic::is_error) {
        None => Ok(()),
        Some(error) => Err(Outcome::Unsupported {
            cause: format!("{}: {}", error.code, error.message),
            place: place(&error, sources),
        }),
    }
}

/// `name.slang:3:5`, without the folder.
fn place(error: &Diagnostic, sources: &SourceMap) -> String {
    let span = error.span();
    if span.is_none() {
        return String::new();
    }
    let location = sources.location(span);
    location.rsplit('/').next().unwrap_or(&location).to_owned()
}

/// A file beside the including one, or beside the test.
fn include(test: &Path, wanted: &str, from: &str) -> io::Result<(String, String)> {
    let beside = |file: &Path| file.parent().unwrap_or(Path::new("")).join(wanted);
    let path = Some(beside(Path::new(from))).filter(|path| path.is_file()).unwrap_or_else(|| beside(test));
    let text = fs::read(&path)?;
    Ok((path.to_string_lossy().into_owned(), String::from_utf8_lossy(&text).into_owned()))
}
