//! The front ends of WGSL, GLSL and SPIR-V: `naga` reads and checks them, [`function`] turns what it gives into our IR.
//!
//! # What is read
//!
//! Each function that is no entry point. Entry points are skipped with a warning; functions that touch what
//! only a pipeline can give them (global variables, textures, atomics, barriers, subgroups, derivatives across
//! pixels, overrides) are refused where they do so, and left out with all that call them.
//!
//! # How it maps
//!
//! - `ptr<function, T>` parameters are `inout`; so are GLSL's `out` and `inout`, which `naga` does not tell apart. A call copies in and copies out, which is by-reference as long as no
//!   two pointers name one variable; such calls are refused.
//! - A WGSL matrix is columns of vectors, ours is rows of vectors. `matCxR<T>` becomes `mat<T, C, R>`, the transposed
//!   matrix: element `i` is WGSL's column `i` and memory layouts agree. Products swap their operands for it:
//!   `(A B)^T = B^T A^T`, `(A v)^T = v^T A^T`.
//! - `/// @no_diff x` in a function's doc comment marks the parameter `x`; `/// @no_diff return` the result;
//!   `/// @no_diff` a struct's member. All functions count as differentiable.

mod bits;
mod expression;
mod function;
mod interface;
mod math;
mod nesting;
mod placement;
mod types;
mod uses;

#[cfg(test)]
mod tests;

use naga::valid::{Capabilities, ModuleInfo, ValidationError, ValidationFlags, Validator};
use naga::{Handle, WithSpan};
use pullback_base::{Code, Diagnostic, Diagnostics, FileId, SourceMap, Span};
use pullback_ir::{FuncId, Module};
use rustc_hash::FxHashMap;

/// What stops one function from being lowered.
type Refused = Box<Diagnostic>;

/// `naga` recurses along expressions and blocks. [`nesting`] bounds how deep; this is room for the bound in the
/// largest of build profiles, whatever the stack of the calling thread.
const STACK_BYTES: usize = 64 << 20;

/// What is read.
#[derive(Clone, Copy)]
pub enum Input<'a> {
    Wgsl(&'a str),
    Glsl(&'a str),
    /// The bytes of a SPIR-V module, whose functions have names (`OpName`).
    Binary(&'a [u8]),
}

impl<'a> Input<'a> {
    fn text(self) -> &'a str {
        match self {
            Input::Wgsl(text) | Input::Glsl(text) => text,
            Input::Binary(_) => "",
        }
    }

    fn language(self) -> &'static str {
        match self {
            Input::Wgsl(_) => "WGSL",
            Input::Glsl(_) => "GLSL",
            Input::Binary(_) => "SPIR-V",
        }
    }

    /// The code of what its language does not allow.
    fn invalid(self) -> Code {
        match self {
            Input::Wgsl(_) => Code::InvalidWgsl,
            Input::Glsl(_) => Code::InvalidGlsl,
            Input::Binary(_) => Code::InvalidModule,
        }
    }
}

/// Reads a module, shown to users under `name`. Never fails: what is wrong is in `diagnostics`, and the functions
/// that could be read are in the module.
pub fn compile(
    name: &str,
    input: Input<'_>,
    sources: &mut SourceMap,
    diagnostics: &mut Diagnostics,
) -> Module {
    let text = input.text();
    let file = sources.add(name, text);
    if let Err(too_deep) = nesting::check(file, text) {
        diagnostics.push(too_deep);
        return Module::new();
    }
    let outcome = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let running = thread.spawn_scoped(scope, || read(file, input))?;
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

fn read(file: FileId, input: Input<'_>) -> (Module, Diagnostics) {
    let text = input.text();
    let mut diagnostics = Diagnostics::new();
    let mut module = Module::new();
    // `naga` has internal checks that panic; should a text meet one, it is refused as any other. Ours are not caught.
    let parsed = std::panic::catch_unwind(|| parse(file, input)).unwrap_or_else(|_| {
        let whole = Span::new(file, 0, text.len() as u32);
        let message = format!("internal error of the {} parser", input.language());
        Err(Diagnostic::error(input.invalid(), message).at(whole, "in this module"))
    });
    match parsed {
        Ok((source, checked)) => {
            let types = types::Types::new(&source);
            let origin = Origin { file, input, source: &source, checked: &checked, types: &types };
            lower(&origin, &mut module, &mut diagnostics);
        }
        Err(invalid) => diagnostics.push(invalid),
    }
    (module, diagnostics)
}

fn parse(file: FileId, input: Input<'_>) -> Result<(naga::Module, ModuleInfo), Diagnostic> {
    let source = match input {
        Input::Wgsl(text) => parse_wgsl(file, text)?,
        Input::Glsl(text) => parse_glsl(file, text)?,
        Input::Binary(bytes) => parse_spirv(bytes)?,
    };
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
    let checked = validator.validate(&source).map_err(|error| invalid(file, input, &error))?;
    Ok((source, checked))
}

fn parse_wgsl(file: FileId, text: &str) -> Result<naga::Module, Diagnostic> {
    let mut options = naga::front::wgsl::Options::new();
    options.parse_doc_comments = true;
    naga::front::wgsl::Frontend::new_with_options(options).parse(text).map_err(|error| {
        let diagnostic = Diagnostic::error(Code::InvalidWgsl, sentence(error.message()));
        let labels = error.labels().map(|(span, message)| (span_in(file, text, span), message.to_owned()));
        labelled(diagnostic, labels.collect(), error.notes().map(str::to_owned).collect())
    })
}

/// A text of functions alone gets the entry point that the language asks for.
fn parse_glsl(file: FileId, text: &str) -> Result<naga::Module, Diagnostic> {
    let options = naga::front::glsl::Options::from(naga::ShaderStage::Compute);
    let mut frontend = naga::front::glsl::Frontend::default();
    let whole = match has_main(text) {
        true => text.to_owned(),
        false => format!("{text}\nvoid main() {{}}\n"),
    };
    frontend.parse(&options, &whole).map_err(|errors| {
        let mut errors = errors.errors.into_iter();
        let Some(first) = errors.next() else {
            return Diagnostic::error(Code::InvalidGlsl, "the text cannot be read");
        };
        let notes = errors.map(|error| sentence(&error.kind.to_string())).collect();
        let diagnostic = Diagnostic::error(Code::InvalidGlsl, sentence(&first.kind.to_string()));
        labelled(diagnostic, vec![(span_in(file, text, first.meta), String::new())], notes)
    })
}

fn has_main(text: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices("main").any(|(at, name)| {
        !text[..at].ends_with(is_word) && text[at + name.len()..].trim_start().starts_with('(')
    })
}

fn parse_spirv(bytes: &[u8]) -> Result<naga::Module, Diagnostic> {
    let options = naga::front::spv::Options::default();
    naga::front::spv::parse_u8_slice(bytes, &options)
        .map_err(|error| Diagnostic::error(Code::InvalidModule, sentence(&error.to_string())))
}

/// The innermost cause is the message, and the innermost place its own; what encloses it says only that it is
/// invalid too.
fn invalid(file: FileId, input: Input<'_>, error: &WithSpan<ValidationError>) -> Diagnostic {
    let text = input.text();
    let mut causes = vec![error.as_inner().to_string()];
    let mut cause = std::error::Error::source(error.as_inner());
    while let Some(inner) = cause {
        causes.push(inner.to_string());
        cause = inner.source();
    }
    let message = in_wgsl_terms(&causes.pop().unwrap_or_default());
    causes.retain(|cause| !cause.ends_with("is invalid"));
    let mut labels: Vec<(Span, String)> = Vec::new();
    for (span, description) in error.spans() {
        let span = span_in(file, text, *span);
        labels.retain(|(outer, _)| outer.start > span.start || outer.end < span.end);
        // Descriptions of the form `naga::ir::Expression [3]` say nothing to users.
        let known = if description.starts_with("naga::") { "" } else { description };
        labels.push((span, known.to_owned()));
    }
    labelled(Diagnostic::error(input.invalid(), sentence(&message)), labels, causes)
}

/// Types as in WGSL, where a message has them as `naga` has them, and handles left out.
fn in_wgsl_terms(message: &str) -> String {
    let mut message = message.to_owned();
    for (kind, letter) in [("Float", "f"), ("Sint", "i"), ("Uint", "u"), ("Bool", "bool")] {
        for width in [1, 2, 4, 8] {
            let name = if kind == "Bool" { letter.to_owned() } else { format!("{letter}{}", 8 * width) };
            message = message.replace(&format!("Scalar {{ kind: {kind}, width: {width} }}"), &name);
            message = message.replace(&format!("Scalar({name})"), &name);
            for (size, n) in [("Bi", 2), ("Tri", 3), ("Quad", 4)] {
                let vector = format!("Vector {{ size: {size}, scalar: {name} }}");
                message = message.replace(&vector, &format!("vec{n}<{name}>"));
                for (rows, m) in [("Bi", 2), ("Tri", 3), ("Quad", 4)] {
                    let matrix = format!("Matrix {{ columns: {size}, rows: {rows}, scalar: {name} }}");
                    message = message.replace(&matrix, &format!("mat{n}x{m}<{name}>"));
                }
            }
        }
    }
    // `[3] (of type f32)`
    const TYPED: &str = " (of type ";
    while let Some(at) = message.find(TYPED) {
        let start = message[..at].rfind('[').unwrap_or(at);
        let ty = at + TYPED.len();
        let Some(end) = message[ty..].find(')').map(|length| ty + length) else { break };
        message = format!("{}`{}`{}", &message[..start], &message[ty..end], &message[end + 1..]);
    }
    // `condition [3] is`, `expression Some([3])`: numbers of no meaning to users.
    for (open, close) in [(" Some([", "])"), (" [", "]")] {
        while let Some(at) = message.find(open) {
            let Some(end) = message[at..].find(close).map(|length| at + length + close.len()) else { break };
            message.replace_range(at..end, "");
        }
    }
    if message.ends_with(" with") {
        message.push_str(" this operand");
    }
    message
}

/// Lower case at the start unless it is a name, and no full stop at the end.
fn sentence(message: &str) -> String {
    let message = message.trim().trim_end_matches('.');
    let mut letters = message.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if first.is_uppercase() && !second.is_uppercase() => {
            first.to_lowercase().chain(message.chars().skip(1)).collect()
        }
        _ => message.to_owned(),
    }
}

fn labelled(mut diagnostic: Diagnostic, labels: Vec<(Span, String)>, notes: Vec<String>) -> Diagnostic {
    for (index, (span, message)) in labels.into_iter().enumerate() {
        diagnostic = if index == 0 { diagnostic.at(span, message) } else { diagnostic.also(span, message) };
    }
    notes.into_iter().fold(diagnostic, Diagnostic::note)
}

fn span_in(file: FileId, text: &str, span: naga::Span) -> Span {
    match span.to_range() {
        Some(range) => {
            let end = range.end.min(text.len());
            Span::new(file, range.start.min(end) as u32, end as u32)
        }
        None => Span::NONE,
    }
}

/// What all functions of a text are lowered from.
struct Origin<'a> {
    file: FileId,
    input: Input<'a>,
    source: &'a naga::Module,
    checked: &'a ModuleInfo,
    types: &'a types::Types,
}

impl Origin<'_> {
    fn span(&self, span: naga::Span) -> Span {
        span_in(self.file, self.input.text(), span)
    }

    /// The name in `fn name` (in GLSL, before a parenthesis), at or after a place.
    fn name_span(&self, from: usize, name: &str) -> Span {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let text = self.input.text();
        let mut after = None;
        // SPIR-V has no text, and its functions may have no name.
        if name.is_empty() {
            return Span::NONE;
        }
        for (at, _) in text.get(from..).unwrap_or("").match_indices(name) {
            let at = from + at;
            let (before, rest) = (&text[..at], &text[at + name.len()..]);
            if before.ends_with(is_word) || rest.starts_with(is_word) {
                continue;
            }
            let gap = before.trim_end();
            let declares = match self.input {
                Input::Glsl(_) => rest.trim_start().starts_with('('),
                _ => gap.len() < before.len() && gap.ends_with("fn"),
            };
            if declares {
                after = Some(at);
                break;
            }
        }
        after.map_or(Span::NONE, |at| Span::new(self.file, at as u32, (at + name.len()) as u32))
    }
}

/// Functions already lowered; `naga` lists callees before callers.
type Lowered = FxHashMap<Handle<naga::Function>, FuncId>;

fn lower(origin: &Origin<'_>, module: &mut Module, diagnostics: &mut Diagnostics) {
    let own = |entry: &&naga::EntryPoint| match origin.input {
        Input::Glsl(text) => has_main(text) || entry.name != "main",
        _ => true,
    };
    for entry in origin.source.entry_points.iter().filter(own) {
        let message = format!("the entry point `{}` is left out", entry.name);
        let place = origin.name_span(0, &entry.name);
        diagnostics.push(
            Diagnostic::warning(Code::UnsupportedFeature, message)
                .at(place, "runs in a pipeline")
                .help("functions without a stage attribute can be called"),
        );
    }
    let mut lowered = Lowered::default();
    for (handle, source) in origin.source.functions.iter() {
        // A caller of what was refused is left out in silence: the refusal says why.
        if function::callees(source).iter().any(|callee| !lowered.contains_key(callee)) {
            continue;
        }
        match function::lower(origin, handle, &lowered, module) {
            Ok(function) => {
                lowered.insert(handle, module.add(function));
            }
            Err(refusal) => diagnostics.push(*refusal),
        }
    }
}
