//! The directives of golden cases, read from `//` comments.
//!
//! ```text
//! // run: add(1, 2) == 3                 results, exact in their type; several as a tuple
//! // run: f(float3(1, 2, 3)) ~= 0.5      within 1e-5 of the size, or `within 1e-3`
//! // grad: f(0.5)                        the gradient of the sum of the float results, against complex steps
//! // grad: f(0.5, 2) == (1, 4)           the same, and these values
//! // kink: f(0.0) == 0.5                 these values alone: no difference quotient has them
//! // floats: 0.1 .. 4                    the range of random float inputs
//! // ints: 0 .. 9                        the range of random integer inputs
//! ```
//!
//! A value is a number, `true`, `nan`, `inf`, or values in parentheses, where a name before them is for readers.

use pullback_dispatch::Number;
use pullback_ir::{Constant, Scalar};

/// One directive, and the line it stands in.
#[derive(Clone, Debug)]
pub struct Directive {
    pub line: usize,
    pub kind: Kind,
}

#[derive(Clone, Debug)]
pub enum Kind {
    Run { call: Call, expected: Expected },
    Grad { call: Call, expected: Option<Expected>, smooth: bool },
    Floats(f64, f64),
    Ints(i64, i64),
}

/// A function and the leaves of its arguments.
#[derive(Clone, Debug)]
pub struct Call {
    pub function: String,
    pub args: Vec<Number>,
}

/// The leaves of a value.
#[derive(Clone, Debug)]
pub struct Expected {
    pub leaves: Vec<Number>,
    /// `None`: equal in the result's type.
    pub within: Option<f64>,
}

/// All directives of a text.
pub fn parse(text: &str) -> Result<Vec<Directive>, String> {
    let mut out = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let Some(comment) = line.trim_start().strip_prefix("// ") else { continue };
        let Some((word, rest)) = comment.split_once(": ") else { continue };
        let line = index + 1;
        let mut reader = Reader { rest: rest.trim() };
        let kind = match word {
            "run" => reader.run(),
            "grad" => reader.grad(true),
            "kink" => reader.grad(false),
            "floats" => reader.range().map(|(low, high)| Kind::Floats(low, high)),
            "ints" => reader.range().map(|(low, high)| Kind::Ints(low as i64, high as i64)),
            _ => continue,
        };
        let kind =
            kind.and_then(|kind| if reader.rest.is_empty() { Ok(kind) } else { Err("ends early".into()) });
        let kind = kind.map_err(|why: String| format!("line {line}: {why} at `{}`", reader.rest))?;
        out.push(Directive { line, kind });
    }
    Ok(out)
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn run(&mut self) -> Result<Kind, String> {
        let call = self.call()?;
        let expected = self.expected()?.ok_or("`run` needs `==` or `~=`")?;
        Ok(Kind::Run { call, expected })
    }

    fn grad(&mut self, smooth: bool) -> Result<Kind, String> {
        let call = self.call()?;
        let expected = self.expected()?;
        if !smooth && expected.is_none() {
            return Err("`kink` needs `==`".into());
        }
        Ok(Kind::Grad { call, expected, smooth })
    }

    fn range(&mut self) -> Result<(f64, f64), String> {
        let low = self.number()?;
        if !self.eat("..") {
            return Err("no `..`".into());
        }
        Ok((as_f64(low), as_f64(self.number()?)))
    }

    fn call(&mut self) -> Result<Call, String> {
        let function = self.word().to_owned();
        let mut args = Vec::new();
        self.group(&mut args)?;
        Ok(Call { function, args })
    }

    fn expected(&mut self) -> Result<Option<Expected>, String> {
        let exact = self.eat("==");
        if !exact && !self.eat("~=") {
            return Ok(None);
        }
        let mut leaves = Vec::new();
        self.value(&mut leaves)?;
        let within = match (exact, self.eat("within")) {
            (true, false) => None,
            (false, false) => Some(1e-5),
            (false, true) => Some(as_f64(self.number()?)),
            (true, true) => return Err("`==` is exact".into()),
        };
        Ok(Some(Expected { leaves, within }))
    }

    fn value(&mut self, leaves: &mut Vec<Number>) -> Result<(), String> {
        let before = self.rest;
        if self.word().is_empty() || !self.rest.starts_with('(') {
            self.rest = before;
        }
        if self.rest.starts_with('(') {
            return self.group(leaves);
        }
        leaves.push(self.number()?);
        Ok(())
    }

    fn group(&mut self, leaves: &mut Vec<Number>) -> Result<(), String> {
        if !self.eat("(") {
            return Err("no `(`".into());
        }
        while !self.eat(")") {
            self.value(leaves)?;
            if !self.eat(",") && !self.rest.starts_with(')') {
                return Err("neither `,` nor `)`".into());
            }
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Number, String> {
        let end = self.rest.find([',', ')', ' ']).unwrap_or(self.rest.len());
        let text = &self.rest[..end];
        let plain = text.trim_end_matches('u');
        let number = match text {
            "true" => Some(Number::Bool(true)),
            "false" => Some(Number::Bool(false)),
            _ => plain.parse().map(Number::Int).or_else(|_| text.parse().map(Number::Float)).ok(),
        };
        self.rest = self.rest[end..].trim_start();
        number.ok_or_else(|| format!("`{text}` is no number"))
    }

    /// A name or an error code; empty when there is none.
    fn word(&mut self) -> &'a str {
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        let starts = self.rest.starts_with(|c: char| c.is_alphabetic() || c == '_');
        let end = if starts { self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len()) } else { 0 };
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        word
    }

    fn eat(&mut self, text: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(text) else { return false };
        self.rest = rest.trim_start();
        true
    }
}

pub fn as_f64(number: Number) -> f64 {
    match number {
        Number::Bool(value) => f64::from(u8::from(value)),
        Number::Int(value) => value as f64,
        Number::Float(value) => value,
    }
}

/// The number in that type.
pub fn constant(number: Number, scalar: Scalar) -> Result<Constant, String> {
    match number {
        Number::Float(value) if !scalar.is_float() => Err(format!("{value} is no {scalar}")),
        _ => number.to_constant(scalar, "this").map_err(|diagnostic| diagnostic.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_read_calls_and_values() {
        let text =
            "// run: f(float2(1, -2.5), 3u) == (true, (nan, inf))\n// grad: g(0.5) ~= 1 within 1e-3\nint x;";
        let directives = parse(text).expect("parses");
        assert_eq!(directives.len(), 2);
        let Kind::Run { call, expected } = &directives[0].kind else { panic!("{directives:?}") };
        assert_eq!(call.args, [Number::Int(1), Number::Float(-2.5), Number::Int(3)]);
        assert_eq!(expected.leaves.len(), 3);
        let Kind::Grad { expected: Some(expected), .. } = &directives[1].kind else {
            panic!("{directives:?}")
        };
        assert_eq!(expected.within, Some(1e-3));
    }

    #[test]
    fn a_directive_that_is_wrong_names_its_line() {
        assert!(parse("\n// run: f(1").unwrap_err().starts_with("line 2"));
        assert!(parse("// kink: f(1)").is_err());
        assert!(parse("// run: f(1) == 2 3").is_err());
    }
}
