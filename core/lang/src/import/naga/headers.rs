//! The headers of GLSL's functions: the directions of parameters, which what `naga` gives no longer tells.
//!
//! A parameter that is written comes as a pointer, whether it is `out` or `inout`; through a compiled module so
//! does one that is `in`. After preprocessing, the words `in`, `out`, `inout` and `const` are keywords, so the tokens of a header
//! are the truth.

use naga::Handle;
use pp_rs::pp::Preprocessor;
use pp_rs::token::{Punct, TokenValue};
use pullback_ir::Direction;
use rustc_hash::FxHashMap;

/// The directions of the parameters of functions.
pub type Directions = FxHashMap<Handle<naga::Function>, Vec<Direction>>;

/// What a token is, as far as headers go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Word(String),
    Mark(char),
}

/// The header of a function that has a body.
#[derive(Debug)]
pub struct Header {
    pub name: String,
    pub params: Vec<Param>,
    /// The index of the token that is its name.
    #[cfg_attr(not(feature = "shaderc"), expect(dead_code, reason = "`naga` places functions itself"))]
    pub token: usize,
}

#[derive(Debug)]
pub struct Param {
    pub direction: Direction,
    pub ty: String,
    /// After the type or the name: `[2][3]`.
    pub lengths: Vec<Piece>,
    pub name: String,
}

/// The layout of matrices that no reader keeps: where they are loaded as they lie, columns and rows would change places.
pub const ROW_MAJOR: &str = "row_major";

/// All functions with a body, in the order of the text.
pub fn headers(tokens: &[Piece]) -> Vec<Header> {
    let mut found = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            Piece::Mark('{') => depth += 1,
            Piece::Mark('}') => depth -= 1,
            Piece::Word(name) if depth == 0 && tokens.get(at + 1) == Some(&Piece::Mark('(')) => {
                let end = closing(tokens, at + 1);
                if tokens.get(end + 1) == Some(&Piece::Mark('{')) {
                    let params = params(tokens.get(at + 2..end).unwrap_or(&[]));
                    found.push(Header { name: name.clone(), params, token: at });
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// The parenthesis that closes the one at that index, or the end.
fn closing(tokens: &[Piece], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token {
            Piece::Mark('(') => depth += 1,
            Piece::Mark(')') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len()
}

fn params(tokens: &[Piece]) -> Vec<Param> {
    let mut depth = 0;
    let parts = tokens.split(|token| {
        match token {
            Piece::Mark('[' | '(') => depth += 1,
            Piece::Mark(']' | ')') => depth -= 1,
            _ => {}
        }
        depth == 0 && *token == Piece::Mark(',')
    });
    let params: Vec<Param> = parts.filter(|part| !part.is_empty()).map(param).collect();
    match &params[..] {
        [only] if only.ty == "void" => Vec::new(),
        _ => params,
    }
}

fn param(tokens: &[Piece]) -> Param {
    const QUALIFIERS: [&str; 12] = [
        "const",
        "in",
        "precise",
        "highp",
        "mediump",
        "lowp",
        "coherent",
        "volatile",
        "restrict",
        "readonly",
        "writeonly",
        "invariant",
    ];
    let mut param =
        Param { direction: Direction::In, ty: String::new(), lengths: Vec::new(), name: String::new() };
    let mut depth = 0;
    for token in tokens {
        match token {
            Piece::Mark('[') => depth += 1,
            Piece::Mark(']') if depth == 1 => {
                depth = 0;
                param.lengths.push(token.clone());
                continue;
            }
            Piece::Mark(']') => depth -= 1,
            _ => {}
        }
        match token {
            _ if depth > 0 => param.lengths.push(token.clone()),
            Piece::Word(word) if word == "out" => param.direction = Direction::Out,
            Piece::Word(word) if word == "inout" => param.direction = Direction::InOut,
            Piece::Word(word) if QUALIFIERS.contains(&word.as_str()) => {}
            Piece::Word(word) if param.ty.is_empty() => param.ty.clone_from(word),
            Piece::Word(word) => param.name.clone_from(word),
            Piece::Mark(_) => {}
        }
    }
    param
}

/// The tokens that `naga`'s own reader of GLSL sees.
pub fn tokens_for_naga(text: &str, defines: &[(String, String)]) -> Vec<Piece> {
    let mut preprocessor = Preprocessor::new(text);
    for (name, value) in defines {
        // `naga` reports what is wrong with a definition.
        let _ = preprocessor.add_define(name, value);
    }
    let mut pieces = Vec::new();
    for token in preprocessor.map_while(Result::ok) {
        pieces.extend(match token.value {
            TokenValue::Ident(word) => Some(Piece::Word(word)),
            TokenValue::Integer(integer) => Some(Piece::Word(integer.value.to_string())),
            TokenValue::Float(float) => Some(Piece::Word(float.value.to_string())),
            TokenValue::Punct(punct) => Some(Piece::Mark(mark(punct))),
            _ => None,
        });
    }
    pieces
}

/// The brackets and the comma as they are, anything else as one.
fn mark(punct: Punct) -> char {
    match punct {
        Punct::LeftBrace => '{',
        Punct::RightBrace => '}',
        Punct::LeftParen => '(',
        Punct::RightParen => ')',
        Punct::LeftBracket => '[',
        Punct::RightBracket => ']',
        Punct::Comma => ',',
        _ => '.',
    }
}

/// Directions for what `naga`'s own reader of GLSL made of a text. Where the names of parameters do not tell which of
/// several headers a function has, it is left out: then what is `out` counts as `inout`.
pub fn directions(source: &naga::Module, headers: &[Header]) -> Directions {
    let mut directions = Directions::default();
    for (handle, function) in source.functions.iter() {
        let mut fitting =
            headers.iter().filter(|header| fits(source, function, header)).map(Header::directions);
        if let Some(first) = fitting.next()
            && fitting.all(|other| other == first)
        {
            directions.insert(handle, first);
        }
    }
    directions
}

/// Whether the name, the names of parameters, and which of them are written agree.
fn fits(source: &naga::Module, function: &naga::Function, header: &Header) -> bool {
    let is_pointer =
        |ty: Handle<naga::Type>| matches!(source.types[ty].inner, naga::TypeInner::Pointer { .. });
    function.name.as_deref() == Some(&*header.name)
        && function.arguments.len() == header.params.len()
        && function.arguments.iter().zip(&header.params).all(|(argument, param)| {
            argument.name.as_deref().unwrap_or("") == param.name
                && is_pointer(argument.ty) == param.direction.writes()
        })
}

impl Header {
    pub fn directions(&self) -> Vec<Direction> {
        self.params.iter().map(|param| param.direction).collect()
    }
}
