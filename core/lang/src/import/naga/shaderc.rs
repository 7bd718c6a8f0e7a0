//! GLSL by the reference compiler: to SPIR-V with the names and lines of the text, which `naga` reads.
//!
//! - The compiler keeps what `main` calls and drops the rest. So a `main` of ours, behind the text, calls every function;
//!   the text's own `main` gets another name.
//! - Functions have mangled names (`f(vf3;f1;`), and all their parameters are pointers. What they are called and which are written
//!   is read from the tokens of the preprocessed text: see [`super::headers`].

use super::headers::{Header, Piece, ROW_MAJOR, headers};
use super::nesting;
use super::parse::{Read, parse_spirv, row_major};
use super::places::{Lines, Places};
use super::{Surroundings, interface};
use crate::IncludeResolver;
use naga::{Handle, Statement};
use pullback_base::{Code, Diagnostic, FileId, SourceMap, Span};
use shaderc::{
    CompileOptions, Compiler, EnvVersion, Error, GlslProfile, OptimizationLevel, ResolvedInclude, ShaderKind,
    TargetEnv,
};
use std::cell::RefCell;
use std::sync::mpsc::{Receiver, Sender, channel};

/// The name that the text's own `main` gets.
const OWN_MAIN: &str = "pullback_own_main";
/// The version of a text that does not say which.
const DEFAULT_VERSION: u32 = 450;
/// How many faults of a text are shown.
const MAX_FAULTS: usize = 20;

// ---- Includes: the resolver stays on the caller's thread ----

type Found = Result<(String, String), String>;

struct Request {
    path: String,
    from: String,
    reply: Sender<Found>,
}

/// Asks the caller's thread for included files.
pub struct Includes(Option<Sender<Request>>);

/// What the caller's thread is asked.
pub struct Requests(Receiver<Request>);

impl Includes {
    /// `can_resolve`: whether there is anyone to ask.
    pub fn new(can_resolve: bool) -> (Includes, Requests) {
        let (ask, asked) = channel();
        (Includes(can_resolve.then_some(ask)), Requests(asked))
    }

    fn resolve(&self, path: &str, from: &str) -> Found {
        let Some(ask) = &self.0 else { return Err("no includes here".into()) };
        let (reply, answer) = channel();
        let request = Request { path: path.to_owned(), from: from.to_owned(), reply };
        ask.send(request).map_err(|_| "nobody to ask")?;
        answer.recv().map_err(|_| "no answer")?
    }
}

impl Requests {
    /// Until the reader is done.
    pub fn answer(self, resolver: Option<&IncludeResolver<'_>>) {
        for request in self.0 {
            let found = match resolver {
                Some(resolver) => resolver(&request.path, &request.from),
                None => Err("no includes here".into()),
            };
            // A reader that has given up needs no answer.
            let _ = request.reply.send(found);
        }
    }
}

// ---- Reading ----

/// A token of the preprocessed text, and the line it is from.
struct Token {
    piece: Piece,
    file: usize,
    line: u32,
}

pub fn read(file: FileId, text: &str, surroundings: &mut Surroundings<'_>) -> Result<Read, Vec<Diagnostic>> {
    let name = surroundings.sources.file(file).name.to_string();
    if text.contains('\0') || name.contains('\0') {
        return Err(vec![Diagnostic::error(Code::InvalidGlsl, "the text has a NUL character")]);
    }
    let compiler = Compiler::new().map_err(|error| vec![internal(&error.to_string())])?;
    let files = Files::new(file, &name, text);
    let preprocessed = {
        let options =
            options(text, surroundings, &files).map_err(|error| vec![internal(&error.to_string())])?;
        let artifact = compiler.preprocess(text, &name, "main", Some(&options));
        artifact.map(|artifact| artifact.as_text())
    };
    let lines = files.lines(surroundings.sources);
    let preprocessed = preprocessed.map_err(|error| faults(&error, &lines, surroundings.sources))?;
    nesting::check(file, &preprocessed)
        .map_err(|fault| vec![fault.at(whole(file, text), "in this module")])?;
    let tokens = tokens(&preprocessed, &lines, surroundings.sources);
    if let Some(found) = tokens.iter().find(|token| token.piece == Piece::Word(ROW_MAJOR.into())) {
        return Err(vec![row_major(lines.word(found.file, found.line, ROW_MAJOR))]);
    }
    let pieces: Vec<Piece> = tokens.iter().map(|token| token.piece.clone()).collect();
    let headers = headers(&pieces);

    let (callable, opaque): (Vec<&Header>, Vec<&Header>) =
        headers.iter().partition(|header| !takes_opaque(header));
    let has_main = callable.iter().any(|header| header.name == "main");
    let whole_text = with_calls(text, &callable, has_main);
    let binary = {
        let mut options =
            options(text, surroundings, &files).map_err(|error| vec![internal(&error.to_string())])?;
        if has_main {
            options.add_macro_definition("main", Some(OWN_MAIN));
        }
        compiler.compile_into_spirv(&whole_text, ShaderKind::Compute, &name, "main", Some(&options))
    };
    let binary = binary.map_err(|error| faults(&error, &lines, surroundings.sources))?;
    let (bytes, lines) = without_lines(binary.as_binary(), lines, surroundings.sources);
    let mut source = parse_spirv(&bytes, Code::InvalidGlsl).map_err(|fault| vec![fault])?;

    let refused = opaque.iter().map(|header| {
        let at = &tokens[header.token];
        *interface::refused("a texture", lines.word(at.file, at.line, &header.name))
    });
    let refused = refused.collect();
    let mut read = Read::new(naga::Module::default(), Places::Lines(lines));
    let mut functions: Vec<(Handle<naga::Function>, usize)> = source
        .functions
        .iter()
        .filter_map(|(handle, _)| Some((handle, source.functions.get_span(handle).to_range()?.start)))
        .collect();
    functions.sort_by_key(|&(_, start)| start);
    let name = |handle: Handle<naga::Function>| source.functions[handle].name.as_deref();
    let calling =
        functions.iter().find(|&&(handle, _)| name(handle) == Some("main")).map(|&(handle, _)| handle);
    functions.retain(|&(handle, _)| Some(handle) != calling);
    if functions.len() != callable.len() {
        return Err(vec![internal("the compiler made other functions than the text has")]);
    }
    let mut own = None;
    for (&(handle, _), header) in functions.iter().zip(&callable) {
        let function = source.functions.get_mut(handle);
        let mangled = function.name.take().unwrap_or_default();
        let name = mangled.split('(').next().unwrap_or_default();
        let expected = if header.name == "main" { OWN_MAIN } else { &header.name };
        let named = function.arguments.iter().zip(&header.params).all(|(argument, param)| {
            let name = argument.name.as_deref().unwrap_or_default();
            param.name.is_empty() || name == param.name
        });
        if name != expected || !named || function.arguments.len() != header.params.len() {
            return Err(vec![internal("the compiler made other functions than the text has")]);
        }
        if header.name == "main" {
            own = Some(handle);
        }
        for (argument, param) in function.arguments.iter_mut().zip(&header.params) {
            argument.name = Some(param.name.clone());
        }
        function.name = Some(header.name.clone());
        read.directions.insert(handle, header.directions());
    }
    // What launches the text's `main` calls that, and not all functions.
    for entry in &mut source.entry_points {
        for statement in entry.function.body.iter_mut() {
            if let (Statement::Call { function, .. }, Some(own)) = (statement, own) {
                *function = own;
            }
        }
    }
    if own.is_none() {
        source.entry_points.clear();
    }
    Ok(Read { source, made: calling, refused, ..read })
}

fn internal(why: &str) -> Diagnostic {
    Diagnostic::error(Code::InvalidGlsl, "internal error of the GLSL parser").note(why.to_owned())
}

fn whole(file: FileId, text: &str) -> Span {
    Span::new(file, 0, text.len() as u32)
}

/// The text's file and those that it includes, as the compiler met them.
struct Files {
    file: FileId,
    name: String,
    text: String,
    included: RefCell<Vec<(String, String)>>,
}

impl Files {
    fn new(file: FileId, name: &str, text: &str) -> Files {
        Files { file, name: name.to_owned(), text: text.to_owned(), included: RefCell::default() }
    }

    /// All of them, the included ones now known to `sources`.
    fn lines(&self, sources: &mut SourceMap) -> Lines {
        let mut lines = Lines::default();
        lines.files.push((self.file, self.text.clone()));
        for (name, text) in self.included.borrow().iter() {
            lines.files.push((sources.add(name, text), text.clone()));
        }
        lines
    }

    fn include(&self, includes: &Includes, path: &str, from: &str) -> Result<ResolvedInclude, String> {
        let (name, text) = includes.resolve(path, from)?;
        if name.is_empty() || name.contains('\0') || text.contains('\0') {
            return Err("the file has a NUL character".into());
        }
        let mut included = self.included.borrow_mut();
        if name != self.name && !included.iter().any(|(known, _)| *known == name) {
            included.push((name.clone(), text.clone()));
        }
        Ok(ResolvedInclude { resolved_name: name, content: text })
    }
}

fn options<'a>(
    text: &str,
    surroundings: &'a Surroundings<'_>,
    files: &'a Files,
) -> Result<CompileOptions<'a>, Error> {
    let mut options = CompileOptions::new()?;
    options.set_target_env(TargetEnv::Vulkan, EnvVersion::Vulkan1_1 as u32);
    options.set_optimization_level(OptimizationLevel::Zero);
    options.set_generate_debug_info();
    options.set_suppress_warnings();
    options.set_auto_bind_uniforms(true);
    options.set_auto_map_locations(true);
    if !has_version(text) {
        options.set_forced_version_profile(DEFAULT_VERSION, GlslProfile::None);
    }
    for (name, value) in surroundings.defines {
        options.add_macro_definition(name, Some(value));
    }
    let includes = &surroundings.includes;
    if includes.0.is_some() {
        options.set_include_callback(move |path, _, from, _| files.include(includes, path, from));
    }
    Ok(options)
}

fn has_version(text: &str) -> bool {
    text.lines().any(|line| {
        line.trim_start().strip_prefix('#').is_some_and(|rest| rest.trim_start().starts_with("version"))
    })
}

/// Whether a parameter is something that no variable can be.
fn takes_opaque(header: &Header) -> bool {
    const KINDS: [&str; 8] = [
        "sampler",
        "texture",
        "image",
        "subpassInput",
        "itexture",
        "utexture",
        "accelerationStructure",
        "rayQuery",
    ];
    header.params.iter().any(|param| {
        let ty = param.ty.trim_start_matches(['i', 'u']);
        KINDS.iter().any(|kind| param.ty.starts_with(kind) || ty.starts_with(kind))
            || param.ty.starts_with("atomic_uint")
    })
}

/// The text, and behind it a `main` that calls all functions.
fn with_calls(text: &str, functions: &[&Header], has_main: bool) -> String {
    let mut whole = format!("{text}\n");
    if has_main {
        whole.push_str("#undef main\n");
    }
    whole.push_str("void main() {\n");
    for header in functions {
        let mut arguments = Vec::new();
        whole.push('{');
        for (index, param) in header.params.iter().enumerate() {
            let lengths: String = param
                .lengths
                .iter()
                .map(|piece| match piece {
                    Piece::Word(word) => format!(" {word} "),
                    Piece::Mark(mark) => mark.to_string(),
                })
                .collect();
            whole.push_str(&format!(" {} pullback_{index}{lengths};", param.ty));
            arguments.push(format!("pullback_{index}"));
        }
        let name = if header.name == "main" { OWN_MAIN } else { &header.name };
        whole.push_str(&format!(" {name}({}); }}\n", arguments.join(", ")));
    }
    whole.push_str("}\n");
    whole
}

/// The words and marks of a preprocessed text. `#line` directives say where they are from.
fn tokens(text: &str, lines: &Lines, sources: &SourceMap) -> Vec<Token> {
    let mut tokens = Vec::new();
    let (mut file, mut line) = (0, 0);
    for content in text.lines() {
        line += 1;
        if let Some(directive) = content.trim_start().strip_prefix('#') {
            let words: Vec<&str> = directive.split_whitespace().collect();
            if let ["line", number, rest @ ..] = &words[..]
                && let Ok(number) = number.parse::<u32>()
            {
                line = number.saturating_sub(1);
                if !rest.is_empty() {
                    let name = directive.split('"').nth(1).unwrap_or("");
                    file = file_named(name, lines, sources).unwrap_or(0);
                }
            }
            continue;
        }
        let mut rest = content;
        while let Some(first) = rest.chars().next() {
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let length = match is_word(first) {
                true => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                false => first.len_utf8(),
            };
            let piece = match is_word(first) {
                true => Piece::Word(rest[..length].to_owned()),
                false => Piece::Mark(first),
            };
            if !first.is_whitespace() {
                tokens.push(Token { piece, file, line });
            }
            rest = &rest[length..];
        }
    }
    tokens
}

fn file_named(name: &str, lines: &Lines, sources: &SourceMap) -> Option<usize> {
    lines.files.iter().position(|&(file, _)| *sources.file(file).name == *name)
}

/// A module without its line instructions, which `naga` does not know everywhere, and what they say.
fn without_lines(words: &[u32], mut lines: Lines, sources: &SourceMap) -> (Vec<u8>, Lines) {
    const HEADER_WORDS: usize = 5;
    const OP_STRING: u32 = 7;
    const OP_LINE: u32 = 8;
    /// What ends a block, and with it what was said of lines.
    const TERMINATORS: std::ops::RangeInclusive<u32> = 249..=255;
    const OP_NO_LINE: u32 = 317;
    let (header, mut rest) = words.split_at(HEADER_WORDS.min(words.len()));
    let mut kept: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
    let mut files: Vec<(u32, Option<usize>)> = Vec::new();
    while let Some(&first) = rest.first() {
        let (length, op) = ((first >> 16) as usize, first & 0xffff);
        let (instruction, after) = rest.split_at(length.clamp(1, rest.len()));
        rest = after;
        let here = kept.len() as u32;
        match (op, instruction) {
            (OP_LINE, &[_, id, line, _]) => {
                let file = files.iter().find(|&&(known, _)| known == id).and_then(|&(_, file)| file);
                lines.marks.push((here, file.map(|file| (file, line))));
                continue;
            }
            (OP_NO_LINE, _) => {
                lines.marks.push((here, None));
                continue;
            }
            (OP_STRING, &[_, id, ref text @ ..]) => {
                let bytes: Vec<u8> = text.iter().flat_map(|word| word.to_le_bytes()).collect();
                let name = bytes.split(|&byte| byte == 0).next().unwrap_or(&[]);
                files.push((id, file_named(&String::from_utf8_lossy(name), &lines, sources)));
            }
            _ => {}
        }
        kept.extend(instruction.iter().flat_map(|word| word.to_le_bytes()));
        if TERMINATORS.contains(&op) {
            lines.marks.push((kept.len() as u32, None));
        }
    }
    (kept, lines)
}

// ---- What the compiler finds wrong ----

/// `shade.glsl:2: error: 'y' : undeclared identifier`
fn faults(error: &Error, lines: &Lines, sources: &SourceMap) -> Vec<Diagnostic> {
    let Error::CompilationError(_, report) = error else { return vec![internal(&error.to_string())] };
    let mut found: Vec<Diagnostic> = Vec::new();
    let mut seen = Vec::new();
    for reported in report.lines() {
        let Some((place, message)) = reported.split_once(": error: ") else { continue };
        let placed = place
            .rsplit_once(':')
            .and_then(|(name, line)| Some((file_named(name, lines, sources)?, line.parse::<u32>().ok()?)));
        // One fault of a line often leads to others.
        if placed.is_some() && seen.contains(&placed) {
            continue;
        }
        seen.push(placed);
        let (token, message) = token_and_message(message);
        let mut fault = Diagnostic::error(Code::InvalidGlsl, message);
        if let Some((file, line)) = placed {
            fault = fault.at(lines.word(file, line, token), "");
        }
        found.push(fault);
    }
    if found.is_empty() {
        found.push(
            Diagnostic::error(Code::InvalidGlsl, "the text cannot be read").note(report.trim().to_owned()),
        );
    }
    found.truncate(MAX_FAULTS);
    found
}

/// The token at fault (empty if none is named), and what is wrong with it.
fn token_and_message(message: &str) -> (&str, String) {
    let plain = |text: &str| text.trim().replace(OWN_MAIN, "main").replace('\'', "`");
    let quoted = message.strip_prefix('\'').and_then(|rest| rest.split_once("' : "));
    match quoted {
        Some((token, why)) if !token.is_empty() => (token, format!("`{}`: {}", plain(token), plain(why))),
        Some((_, why)) => ("", plain(why)),
        None => ("", plain(message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pullback_ir::Direction;

    #[test]
    fn a_fault_names_its_token() {
        assert_eq!(
            token_and_message("'y' : undeclared identifier "),
            ("y", "`y`: undeclared identifier".into())
        );
        assert_eq!(token_and_message("'' : compilation terminated "), ("", "compilation terminated".into()));
    }

    #[test]
    fn every_function_is_called() {
        let param = |ty: &str, lengths: &[Piece]| super::super::headers::Param {
            direction: Direction::In,
            ty: ty.into(),
            lengths: lengths.to_vec(),
            name: "x".into(),
        };
        let lengths = [Piece::Mark('['), Piece::Word("2".into()), Piece::Mark(']')];
        let header =
            Header { name: "f".into(), params: vec![param("float", &lengths), param("vec2", &[])], token: 0 };
        let whole = with_calls("", &[&header], false);
        assert_eq!(
            whole,
            "\nvoid main() {\n{ float pullback_0[ 2 ]; vec2 pullback_1; f(pullback_0, pullback_1); }\n}\n"
        );
    }
}
