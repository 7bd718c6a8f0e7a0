//! The front ends of WGSL, GLSL and SPIR-V: `naga` reads and checks them, [`function`] turns what it gives into our IR.
//!
//! # What is read
//!
//! Each function, and each compute entry point. Entry points of other stages are left out with a warning, and so are
//! functions that know what only an entry point does (where their lane is). What is of no use without a rasterizer
//! or needs more than memory (textures, `discard`, derivatives across pixels), and subgroups, are refused where they
//! are used; a function that does is left out with all that call it.
//!
//! # How it maps
//!
//! - `ptr<function, T>` parameters are `inout`; of GLSL's the text says what they are ([`headers`]). A call copies in and
//!   copies out, which is by-reference as long as no two pointers name one variable; such calls are refused.
//! - An entry point is a function like others, and a kernel around it that gives it its inputs, private variables and
//!   bindings ([`entry`], [`globals`]).
//! - A WGSL matrix is columns of vectors, ours is rows of vectors. `matCxR<T>` becomes `mat<T, C, R>`, the transposed
//!   matrix: element `i` is WGSL's column `i` and memory layouts agree. Products swap their operands for it:
//!   `(A B)^T = B^T A^T`, `(A v)^T = v^T A^T`.
//! - `/// @no_diff x` in a function's doc comment marks the parameter `x`; `/// @no_diff return` the result;
//!   `/// @no_diff` a struct's member. All functions count as differentiable.

mod bits;
mod entry;
mod exponents;
mod expression;
mod function;
mod globals;
mod headers;
mod interface;
mod loops;
mod math;
mod matrix;
mod memory;
mod messages;
mod nesting;
mod overrides;
mod parse;
mod placement;
mod places;
#[cfg(feature = "shaderc")]
mod shaderc;
mod statement;
mod types;
mod uses;

#[cfg(test)]
mod tests;

use crate::Options;
use naga::Handle;
use naga::valid::ModuleInfo;
use pullback_base::{Code, Diagnostic, Diagnostics, FileId, SourceMap, Span};
use pullback_ir::{Module, Type};
use rustc_hash::{FxHashMap, FxHashSet};

/// What stops one function from being lowered.
type Refused = Box<Diagnostic>;

/// `naga` recurses along expressions and blocks. [`nesting`] bounds how deep; this is room for the bound in the
/// largest of build profiles, whatever the stack of the calling thread.
const STACK_BYTES: usize = 64 << 20;

/// What is read.
#[derive(Clone, Copy)]
pub enum Input<'a> {
    Wgsl(&'a str),
    Glsl(&'a str, GlslReader),
    /// The bytes of a SPIR-V module, whose functions have names (`OpName`).
    Binary(&'a [u8]),
}

impl<'a> Input<'a> {
    fn text(self) -> &'a str {
        match self {
            Input::Wgsl(text) | Input::Glsl(text, _) => text,
            Input::Binary(_) => "",
        }
    }

    fn language(self) -> &'static str {
        match self {
            Input::Wgsl(_) => "WGSL",
            Input::Glsl(..) => "GLSL",
            Input::Binary(_) => "SPIR-V",
        }
    }

    /// The code of what its language does not allow.
    fn invalid(self) -> Code {
        match self {
            Input::Wgsl(_) => Code::InvalidWgsl,
            Input::Glsl(..) => Code::InvalidGlsl,
            Input::Binary(_) => Code::InvalidModule,
        }
    }
}

/// What reads GLSL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlslReader {
    /// `naga` itself: most of GLSL 4.50, without includes.
    Naga,
    /// The reference compiler, whose SPIR-V `naga` reads.
    #[cfg(feature = "shaderc")]
    Shaderc,
}

impl GlslReader {
    /// The one that knows more of the language.
    pub const BEST: GlslReader = {
        #[cfg(feature = "shaderc")]
        {
            GlslReader::Shaderc
        }
        #[cfg(not(feature = "shaderc"))]
        {
            GlslReader::Naga
        }
    };
}

/// What surrounds a text.
struct Surroundings<'a> {
    defines: &'a [(String, String)],
    /// Values of overrides.
    constants: &'a [(String, String)],
    #[cfg(feature = "shaderc")]
    includes: shaderc::Includes,
    #[cfg(feature = "shaderc")]
    sources: &'a mut SourceMap,
}

/// Reads a module, shown to users under `name`. Never fails: what is wrong is in `diagnostics`, and the functions
/// that could be read are in the module.
pub fn compile(
    name: &str,
    input: Input<'_>,
    options: &Options<'_>,
    sources: &mut SourceMap,
    diagnostics: &mut Diagnostics,
) -> Module {
    let text = input.text();
    let file = sources.add(name, text);
    if let Err(too_deep) = nesting::check(file, text) {
        diagnostics.push(too_deep);
        return Module::new();
    }
    #[cfg(feature = "shaderc")]
    let (includes, requests) = shaderc::Includes::new(options.includes.is_some());
    let surroundings = Surroundings {
        defines: options.defines,
        constants: options.constants,
        #[cfg(feature = "shaderc")]
        includes,
        #[cfg(feature = "shaderc")]
        sources,
    };
    let outcome = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let running = thread.spawn_scoped(scope, move || read(file, input, surroundings))?;
        #[cfg(feature = "shaderc")]
        requests.answer(options.includes);
        Ok(running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    match outcome {
        Ok((module, found)) => {
            diagnostics.extend(found);
            module
        }
        Err(error) => {
            let error: std::io::Error = error;
            let refused = Diagnostic::error(Code::OutOfMemory, "no thread to read the module on");
            diagnostics.push(refused.note(error.to_string()));
            Module::new()
        }
    }
}

fn read(file: FileId, input: Input<'_>, mut surroundings: Surroundings<'_>) -> (Module, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let mut module = Module::new();
    // `naga` has internal checks that panic; should a text meet one, it is refused as any other. Ours are not caught.
    let parsing = std::panic::AssertUnwindSafe(|| parse::parse(file, input, &mut surroundings));
    let parsed = std::panic::catch_unwind(parsing).unwrap_or_else(|_| {
        let whole = Span::new(file, 0, input.text().len() as u32);
        let message = format!("internal error of the {} parser", input.language());
        Err(vec![Diagnostic::error(input.invalid(), message).at(whole, "in this module")])
    });
    match parsed {
        Ok(parse::Parsed { mut read, checked }) => {
            read.refused.drain(..).for_each(|refusal| diagnostics.push(refusal));
            let overrides =
                match overrides::Overrides::new(&read.source, &read.places, surroundings.constants) {
                    Ok(overrides) => overrides,
                    Err(faults) => {
                        faults.into_iter().for_each(|fault| diagnostics.push(fault));
                        return (module, diagnostics);
                    }
                };
            let types = types::Types::new(&read.source, &overrides);
            let origin = Origin {
                read: &read,
                source: &read.source,
                checked: &checked,
                types: &types,
                overrides: &overrides,
                written: globals::written(&read.source),
                shared: globals::shared(&read.source, &types),
                bodies: bodies(&read),
            };
            lower(&origin, &mut module, &mut diagnostics);
        }
        Err(faults) => faults.into_iter().for_each(|fault| diagnostics.push(fault)),
    }
    (module, diagnostics)
}

/// What all functions of a text are lowered from.
struct Origin<'a> {
    read: &'a parse::Read,
    source: &'a naga::Module,
    checked: &'a ModuleInfo,
    types: &'a types::Types,
    overrides: &'a overrides::Overrides,
    written: globals::Written,
    /// The variables that a workgroup shares.
    shared: Vec<(globals::GlobalId, Type)>,
    bodies: FxHashSet<Handle<naga::Function>>,
}

impl Origin<'_> {
    fn span(&self, span: naga::Span) -> Span {
        self.read.places.span(span)
    }
}

/// The functions that are what entry points run. Languages whose inputs are variables have them: an entry point sets these, and
/// calls its author's `main`.
fn bodies(read: &parse::Read) -> FxHashSet<Handle<naga::Function>> {
    if read.inputs_are_parameters {
        return FxHashSet::default();
    }
    let entries = read.source.entry_points.iter();
    entries.flat_map(|entry| function::callees(&entry.function)).collect()
}

/// Functions already lowered; `naga` lists callees before callers.
type Lowered = FxHashMap<Handle<naga::Function>, function::Callee>;

fn lower(origin: &Origin<'_>, module: &mut Module, diagnostics: &mut Diagnostics) {
    let mut lowered = Lowered::default();
    // A caller of what was refused is left out in silence: the refusal says why.
    let is_callable = |source: &naga::Function, lowered: &Lowered| {
        function::callees(source).iter().all(|callee| lowered.contains_key(callee))
    };
    for (handle, source) in origin.source.functions.iter() {
        if Some(handle) == origin.read.made || !is_callable(source, &lowered) {
            continue;
        }
        match function::lower(origin, handle, &lowered, module, &mut |warning| diagnostics.push(warning)) {
            Ok(callee) => {
                lowered.insert(handle, callee);
            }
            Err(refusal) => diagnostics.push(*refusal),
        }
    }
    for (number, entry) in origin.source.entry_points.iter().enumerate() {
        let body =
            function::callees(&entry.function).into_iter().find(|callee| origin.bodies.contains(callee));
        let from = body.map_or(naga::Span::default(), |body| origin.source.functions.get_span(body));
        let span = origin.read.places.name(from, &entry.name);
        if entry.stage != naga::ShaderStage::Compute {
            let message = format!("the entry point `{}` is left out", entry.name);
            diagnostics.push(
                Diagnostic::warning(Code::UnsupportedFeature, message)
                    .at(span, "runs in a graphics pipeline")
                    .help("functions without a stage attribute can be called"),
            );
        } else if is_callable(&entry.function, &lowered)
            && let Err(refusal) = entry::lower(origin, number, span, &lowered, module)
        {
            diagnostics.push(*refusal);
        }
    }
    crate::entry::size_groups(module);
    entry::refuse_large_meetings(module).into_iter().for_each(|refusal| diagnostics.push(refusal));
}
