//! What `naga` says of a faulty text, in words for users.

use super::places::Places;
use naga::WithSpan;
use naga::valid::ValidationError;
use pullback_base::{Code, Diagnostic, Span};

/// The innermost cause is the message, and the innermost place its own; what encloses it says only that it is
/// invalid too.
pub fn invalid(places: &Places, code: Code, error: &WithSpan<ValidationError>) -> Diagnostic {
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
        let span = places.span(*span);
        labels.retain(|(outer, _)| outer.start > span.start || outer.end < span.end);
        // Descriptions of the form `naga::ir::Expression [3]` say nothing to users.
        let known = if description.starts_with("naga::") { "" } else { description };
        labels.push((span, known.to_owned()));
    }
    labelled(Diagnostic::error(code, sentence(&message)), labels, causes)
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
    // What is left of sentences about numbers alone.
    for (left, whole) in [
        ("type of doesn't match the type stored in", "type of the value doesn't match that of the place"),
        ("`return` expression None does not match", "end of the function, without a value, does not match"),
    ] {
        message = message.replace(left, whole);
    }
    if message.ends_with(" with") {
        message.push_str(" this operand");
    }
    message
}

/// Lower case at the start unless it is a name, and no full stop at the end.
pub fn sentence(message: &str) -> String {
    let message = message.trim().trim_end_matches('.');
    let mut letters = message.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if first.is_uppercase() && !second.is_uppercase() => {
            first.to_lowercase().chain(message.chars().skip(1)).collect()
        }
        _ => message.to_owned(),
    }
}

pub fn labelled(mut diagnostic: Diagnostic, labels: Vec<(Span, String)>, notes: Vec<String>) -> Diagnostic {
    for (index, (span, message)) in labels.into_iter().enumerate() {
        diagnostic = if index == 0 { diagnostic.at(span, message) } else { diagnostic.also(span, message) };
    }
    notes.into_iter().fold(diagnostic, Diagnostic::note)
}
