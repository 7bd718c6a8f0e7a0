//! A text or a compiled module, read by `naga` and checked.

use super::headers::{self, Directions};
use super::messages::{invalid, labelled, sentence};
use super::places::Places;
use super::{GlslReader, Input, Surroundings};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use pullback_base::{Code, Diagnostic, FileId};

/// A module that has been read and found valid.
pub struct Parsed {
    pub read: Read,
    pub checked: ModuleInfo,
}

/// A module that has been read.
pub struct Read {
    pub source: naga::Module,
    pub places: Places,
    /// Empty for languages that have pointers and say themselves what is written.
    pub directions: Directions,
    pub main: Main,
    /// Whether variables begin with what their declarations say, and entry points set none up.
    pub starts_are_values: bool,
    /// Whether it came compiled.
    pub is_binary: bool,
    /// What could not be read; the rest can be used.
    pub refused: Vec<Diagnostic>,
}

/// Whose entry points a module has.
pub enum Main {
    Own,
    /// The only one is ours, as GLSL asks for one.
    Made {
        /// The function behind it, where it has one.
        calling: Option<naga::Handle<naga::Function>>,
        /// The text's own `main`, where it has one: a function that ours calls.
        own: Option<naga::Handle<naga::Function>>,
    },
}

impl Read {
    pub fn new(source: naga::Module, places: Places) -> Read {
        let directions = Directions::default();
        let (starts_are_values, is_binary) = (false, false);
        let refused = Vec::new();
        Read { source, places, directions, main: Main::Own, starts_are_values, is_binary, refused }
    }
}

pub fn parse(
    file: FileId,
    input: Input<'_>,
    surroundings: &mut Surroundings<'_>,
) -> Result<Parsed, Vec<Diagnostic>> {
    let places = Places::of(file, input);
    let read = match input {
        Input::Wgsl(text) => parse_wgsl(places, text),
        Input::Glsl(text, GlslReader::Naga) => parse_glsl(places, text, surroundings),
        #[cfg(feature = "shaderc")]
        Input::Glsl(text, GlslReader::Shaderc) => super::shaderc::read(file, text, surroundings),
        Input::Binary(bytes) => parse_spirv(bytes, Code::InvalidModule)
            .map(|source| Read { is_binary: true, ..Read::new(source, places) })
            .map_err(|fault| vec![fault]),
    }?;
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
    match validator.validate(&read.source) {
        Ok(checked) => Ok(Parsed { read, checked }),
        Err(error) => Err(vec![invalid(&read.places, input.invalid(), &error)]),
    }
}

fn parse_wgsl(places: Places, text: &str) -> Result<Read, Vec<Diagnostic>> {
    let mut options = naga::front::wgsl::Options::new();
    options.parse_doc_comments = true;
    match naga::front::wgsl::Frontend::new_with_options(options).parse(text) {
        Ok(source) => Ok(Read { starts_are_values: true, ..Read::new(source, places) }),
        Err(error) => {
            let diagnostic = Diagnostic::error(Code::InvalidWgsl, sentence(error.message()));
            let labels = error.labels().map(|(span, message)| (places.span(span), message.to_owned()));
            let notes = error.notes().map(str::to_owned).collect();
            Err(vec![labelled(diagnostic, labels.collect(), notes)])
        }
    }
}

/// A text of functions alone gets the entry point that the language asks for.
fn parse_glsl(places: Places, text: &str, surroundings: &Surroundings<'_>) -> Result<Read, Vec<Diagnostic>> {
    let mut options = naga::front::glsl::Options::from(naga::ShaderStage::Compute);
    options.defines.extend(surroundings.defines.iter().cloned());
    let headers = headers::headers(&headers::tokens_for_naga(text, surroundings.defines));
    let (whole, main) = match headers.iter().any(|header| header.name == "main") {
        true => (text.to_owned(), Main::Own),
        false => (format!("{text}\nvoid main() {{}}\n"), Main::Made { calling: None, own: None }),
    };
    match naga::front::glsl::Frontend::default().parse(&options, &whole) {
        Ok(source) => {
            let directions = headers::directions(&source, &headers);
            Ok(Read { directions, main, ..Read::new(source, places) })
        }
        Err(errors) => {
            let mut errors = errors.errors.into_iter();
            let Some(first) = errors.next() else {
                return Err(vec![Diagnostic::error(Code::InvalidGlsl, "the text cannot be read")]);
            };
            let notes = errors.map(|error| sentence(&error.kind.to_string())).collect();
            let diagnostic = Diagnostic::error(Code::InvalidGlsl, sentence(&first.kind.to_string()));
            Err(vec![labelled(diagnostic, vec![(places.span(first.meta), String::new())], notes)])
        }
    }
}

/// `code` is that of a module that cannot be read.
pub fn parse_spirv(bytes: &[u8], code: Code) -> Result<naga::Module, Diagnostic> {
    let options = naga::front::spv::Options::default();
    naga::front::spv::parse_u8_slice(bytes, &options)
        .map_err(|error| Diagnostic::error(code, sentence(&error.to_string())))
}
