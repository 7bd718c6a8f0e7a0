//! Refuses texts that nest deeper than a recursive reader can follow.

use pullback_base::{Code, Diagnostic, FileId, Span};

/// Brackets, operators in a row and `else if`s in a row, one within the other.
const MAX_DEPTH: usize = 1000;

/// How deep the tree of a text can be at most, without reading it: open brackets, plus the links of the chain
/// (operators, member accesses, `else`s) each of them is part of. A chain ends at `,`, `;` and `}` (save before `else`).
pub fn check(file: FileId, text: &str) -> Result<(), Diagnostic> {
    let bytes = text.as_bytes();
    // Links of the chain at each open bracket, and their sum.
    let mut chains: Vec<usize> = vec![0];
    let mut depth = 0;
    // After a `}`: the chain ends here, unless `else` follows.
    let mut closed = false;
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        at += 1;
        let rest = &bytes[start..];
        let is_trivia = rest[0].is_ascii_whitespace() || rest.starts_with(b"//") || rest.starts_with(b"/*");
        if closed && !is_trivia {
            closed = false;
            if !rest.starts_with(b"else") {
                depth -= std::mem::take(chain(&mut chains));
            }
        }
        match bytes[start] {
            b'/' if rest.starts_with(b"//") => at = end_of_line(bytes, at),
            b'/' if rest.starts_with(b"/*") => at = end_of_comment(bytes, at + 1),
            b'(' | b'[' | b'{' => {
                // The bracket is itself a link: `a[0][0]`.
                *chain(&mut chains) += 1;
                chains.push(0);
                depth += 1;
            }
            close @ (b')' | b']' | b'}') => {
                if chains.len() > 1 {
                    depth -= chains.pop().unwrap_or(0);
                }
                closed = close == b'}';
            }
            b',' | b';' => depth -= std::mem::take(chain(&mut chains)),
            b'e' if rest.starts_with(b"else") => {
                *chain(&mut chains) += 1;
                depth += 1;
                at += 3;
            }
            byte if byte.is_ascii_punctuation() && byte != b'_' => {
                *chain(&mut chains) += 1;
                depth += 1;
            }
            _ => {}
        }
        if depth > MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            let place = Span::new(file, start as u32, at as u32);
            return Err(Diagnostic::error(Code::SyntaxError, message).at(place, "too deep here"));
        }
    }
    Ok(())
}

fn chain(chains: &mut Vec<usize>) -> &mut usize {
    if chains.is_empty() {
        chains.push(0);
    }
    let last = chains.len() - 1;
    &mut chains[last]
}

fn end_of_line(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |length| from + length)
}

/// Block comments nest.
fn end_of_comment(bytes: &[u8], mut at: usize) -> usize {
    let mut open = 1;
    while at < bytes.len() && open > 0 {
        match bytes.get(at..at + 2) {
            Some(b"*/") => (open, at) = (open - 1, at + 2),
            Some(b"/*") => (open, at) = (open + 1, at + 2),
            _ => at += 1,
        }
    }
    at
}
