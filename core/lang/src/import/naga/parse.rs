//! A text or a compiled module, read by `naga` and checked.

use super::function::callees;
use super::headers::{self, Directions, Piece, ROW_MAJOR};
use super::interface::refused;
use super::messages::{invalid, labelled, sentence};
use super::places::Places;
use super::{GlslReader, Input, Surroundings};
use naga::Handle;
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use pullback_base::{Code, Diagnostic, FileId, Span};

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
    /// The `main` that we added, which is no function of the text.
    pub made: Option<Handle<naga::Function>>,
    /// Whether entry points are given inputs as parameters rather than as variables.
    pub inputs_are_parameters: bool,
    /// Whether variables begin with what their declarations say, and entry points set none up.
    pub starts_are_values: bool,
    /// Whether it came compiled.
    pub is_binary: bool,
    /// What could not be read; the rest can be used.
    pub refused: Vec<Diagnostic>,
}

impl Read {
    pub fn new(source: naga::Module, places: Places) -> Read {
        let directions = Directions::default();
        Read {
            source,
            places,
            directions,
            made: None,
            inputs_are_parameters: false,
            starts_are_values: false,
            is_binary: false,
            refused: Vec::new(),
        }
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
        Input::Binary(bytes) if has_row_major(bytes) => Err(vec![row_major(Span::NONE)]),
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
        Ok(source) => {
            let read = Read::new(source, places);
            Ok(Read { starts_are_values: true, inputs_are_parameters: true, ..read })
        }
        Err(error) => {
            let diagnostic = Diagnostic::error(Code::InvalidWgsl, sentence(error.message()));
            let labels = error.labels().map(|(span, message)| (places.span(span), message.to_owned()));
            // Some are for `naga`'s users, to whom its authors speak.
            let notes =
                error.notes().filter(|note| !note.contains("maintainers")).map(str::to_owned).collect();
            Err(vec![labelled(diagnostic, labels.collect(), notes)])
        }
    }
}

/// A text of functions alone gets the entry point that the language asks for.
fn parse_glsl(places: Places, text: &str, surroundings: &Surroundings<'_>) -> Result<Read, Vec<Diagnostic>> {
    let mut options = naga::front::glsl::Options::from(naga::ShaderStage::Compute);
    options.defines.extend(surroundings.defines.iter().cloned());
    let tokens = headers::tokens_for_naga(text, surroundings.defines);
    if tokens.contains(&Piece::Word(ROW_MAJOR.into())) {
        return Err(vec![row_major(places.word(ROW_MAJOR))]);
    }
    let headers = headers::headers(&tokens);
    let has_main = headers.iter().any(|header| header.name == "main");
    let whole = if has_main { text.to_owned() } else { format!("{text}\nvoid main() {{}}\n") };
    match naga::front::glsl::Frontend::default().parse(&options, &whole) {
        Ok(mut source) => {
            let directions = headers::directions(&source, &headers);
            let mut made = None;
            if !has_main {
                made = source.entry_points.iter().flat_map(|entry| callees(&entry.function)).next();
                source.entry_points.clear();
            }
            Ok(Read { directions, made, ..Read::new(source, places) })
        }
        Err(_) if let Some(at) = include(text) => {
            let help = "put the file's text in its place, or build with the feature `shaderc`";
            let message = "`#include` is not supported by this reader of GLSL";
            Err(vec![
                Diagnostic::error(Code::UnsupportedFeature, message).at(places.span(at), "here").help(help),
            ])
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

/// The first line that includes a file.
fn include(text: &str) -> Option<naga::Span> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let directive = line.trim_start().strip_prefix('#').map(str::trim_start);
        if directive.is_some_and(|directive| directive.starts_with("include")) {
            return Some(naga::Span::new(start, start + line.trim_end().len() as u32));
        }
        start += line.len() as u32;
    }
    None
}

pub fn row_major(place: Span) -> Diagnostic {
    *refused("a row-major matrix", place)
}

/// `code` is that of a module that cannot be read.
pub fn parse_spirv(bytes: &[u8], code: Code) -> Result<naga::Module, Diagnostic> {
    let options = naga::front::spv::Options::default();
    naga::front::spv::parse_u8_slice(bytes, &options)
        .map_err(|error| Diagnostic::error(code, sentence(&error.to_string())))
}

/// Whether a compiled module has a member that is a row-major matrix.
fn has_row_major(bytes: &[u8]) -> bool {
    const HEADER_WORDS: usize = 5;
    const OP_MEMBER_DECORATE: u32 = 72;
    const ROW_MAJOR: u32 = 4;
    let words: Vec<u32> =
        bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    let mut rest = words.get(HEADER_WORDS..).unwrap_or(&[]);
    while let Some(&first) = rest.first() {
        let (instruction, after) = rest.split_at(((first >> 16) as usize).clamp(1, rest.len()));
        if first & 0xffff == OP_MEMBER_DECORATE && instruction.get(3) == Some(&ROW_MAJOR) {
            return true;
        }
        rest = after;
    }
    false
}
