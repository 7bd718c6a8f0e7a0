//! Functions as their authors wrote them: names, directions, doc comments and the marks in them.

use super::{Origin, Refused};
use naga::{AddressSpace, Handle, TypeInner};
use pullback_base::{Code, Diagnostic, Span};
use pullback_ir::{Direction, Interface, InterfaceParam};

const MARK: &str = "@no_diff";

pub fn interface(
    origin: &Origin<'_>,
    handle: Handle<naga::Function>,
    name_span: Span,
) -> Result<Interface, Refused> {
    let function = &origin.source.functions[handle];
    let name = function.name.as_deref().unwrap_or("");
    let mut params = Vec::with_capacity(function.arguments.len());
    let spans = argument_spans(origin, function);
    let directions = origin.read.directions.get(&handle);
    for (index, (argument, &span)) in function.arguments.iter().zip(&spans).enumerate() {
        let (ty, direction) = match origin.source.types[argument.ty].inner {
            TypeInner::Pointer { base, space: AddressSpace::Function } => {
                let known = directions.and_then(|directions| directions.get(index)).copied();
                (base, known.unwrap_or(Direction::InOut))
            }
            _ => (argument.ty, Direction::In),
        };
        let ty = origin.types.get(ty).map_err(|what| refused(&what, span))?;
        let name = argument.name.as_deref().unwrap_or("").into();
        params.push(InterfaceParam { name, ty, direction, no_diff: false, default: None, span });
    }
    let result = match &function.result {
        Some(result) => Some(origin.types.get(result.ty).map_err(|what| refused(&what, name_span))?),
        None => None,
    };
    let comments = origin.source.doc_comments.as_ref().and_then(|docs| docs.functions.get(&handle));
    let (doc, marks) = doc_and_marks(comments.map_or(&[], Vec::as_slice));
    let mut result_no_diff = false;
    for mark in marks {
        match params.iter_mut().find(|param| *param.name == *mark) {
            Some(param) => param.no_diff = true,
            None if mark == "return" && result.is_some() => result_no_diff = true,
            None => return Err(unknown_mark(&mark, name, name_span)),
        }
    }
    let doc = doc.into();
    Ok(Interface {
        name: name.into(),
        params,
        result,
        result_no_diff,
        differentiable: true,
        doc,
        globals: Vec::new(),
    })
}

/// `what` is a noun phrase.
pub fn refused(what: &str, span: Span) -> Refused {
    let message = format!("{what} is not supported in functions");
    Box::new(Diagnostic::error(Code::UnsupportedFeature, message).at(span, "used here"))
}

fn unknown_mark(mark: &str, function: &str, span: Span) -> Refused {
    let message = format!("`{MARK} {mark}` names no parameter of `{function}`");
    Box::new(Diagnostic::error(Code::UnknownName, message).at(span, "has no such parameter"))
}

fn argument_spans(origin: &Origin<'_>, function: &naga::Function) -> Vec<Span> {
    let mut spans = vec![Span::NONE; function.arguments.len()];
    for (handle, expression) in function.expressions.iter() {
        if let naga::Expression::FunctionArgument(index) = expression {
            spans[*index as usize] = origin.span(function.expressions.get_span(handle));
        }
    }
    spans
}

/// The text of doc comments without comment signs and marks, and the names that are marked.
fn doc_and_marks(comments: &[String]) -> (String, Vec<String>) {
    let mut marks = Vec::new();
    let mut lines = Vec::new();
    for line in comments.iter().flat_map(|comment| plain_lines(comment)) {
        match line.strip_prefix(MARK).filter(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
        {
            Some(rest) => {
                let names =
                    rest.split(|c: char| c == ',' || c.is_whitespace()).filter(|name| !name.is_empty());
                marks.extend(names.map(str::to_owned));
            }
            None => lines.push(line),
        }
    }
    (lines.join("\n").trim().to_owned(), marks)
}

fn plain_lines(comment: &str) -> Vec<&str> {
    if let Some(line) = comment.strip_prefix("///") {
        return vec![line.trim()];
    }
    let inner = comment.strip_prefix("/**").unwrap_or(comment);
    let inner = inner.strip_suffix("*/").unwrap_or(inner);
    inner.lines().map(|line| line.trim().trim_start_matches('*').trim()).collect()
}

/// Whether the doc comment of a struct's member has the mark.
pub fn member_is_no_diff(source: &naga::Module, ty: Handle<naga::Type>, index: usize) -> bool {
    let comments = source.doc_comments.as_ref().and_then(|docs| docs.struct_members.get(&(ty, index)));
    comments.is_some_and(|lines| lines.iter().flat_map(|line| plain_lines(line)).any(|line| line == MARK))
}
