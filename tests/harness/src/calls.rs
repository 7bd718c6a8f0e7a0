//! Calls in a tiny notation, for the pages of `tests/spec`.
//!
//! ```text
//! f(x: f32[4, 3], 2.5, s: {a: 1, b: f32[4]}) wrt x
//! ```
//!
//! An array is a dtype and its sizes, then any of `readonly`, `gpu` and `at ADDRESS`. `wrt` asks for the gradients of
//! these arguments, with a cotangent of the call's shape for each result.

use pullback_base::{DType, Shape};
use pullback_dispatch::{Arg, ArgValue, ArrayView, Function, Location, Mode, Number, Numbers};
use smallvec::SmallVec;

#[derive(Debug)]
pub struct Call<'a> {
    pub function: &'a str,
    pub args: Vec<Arg<'a>>,
    pub wrt: Vec<&'a str>,
}

/// Reads a call.
pub fn parse(text: &str) -> Result<Call<'_>, String> {
    let mut reader = Reader { rest: text.trim(), arrays: 0 };
    let function = reader.word();
    let args = reader.list('(', ')')?.into_iter().map(|(name, value)| Arg { name, value }).collect();
    let mut wrt = Vec::new();
    if reader.eat("wrt") {
        wrt.push(reader.word());
        while reader.eat(",") {
            wrt.push(reader.word());
        }
    }
    if reader.rest.is_empty() {
        Ok(Call { function, args, wrt })
    } else {
        Err(format!("`{}` is left", reader.rest))
    }
}

impl Call<'_> {
    /// Prepares the call; the rendered error of one that is refused.
    pub fn prepare(&self, function: &Function) -> Result<(), pullback_dispatch::Error> {
        if self.wrt.is_empty() {
            return function.prepare(&self.args, Mode::Forward { results: &[] }).map(drop);
        }
        let marks: Vec<bool> = self.args.iter().map(|arg| self.wrt.contains(&arg.name)).collect();
        function.prepare(&self.args, Mode::ValueAndGrad { wrt: &marks }).map(drop)
    }
}

struct Reader<'a> {
    rest: &'a str,
    arrays: u64,
}

impl<'a> Reader<'a> {
    /// Values, named or not, between two brackets.
    fn list(&mut self, open: char, close: char) -> Result<Vec<(&'a str, ArgValue<'a>)>, String> {
        let mut out = Vec::new();
        self.expect(open)?;
        while !self.eat(close.encode_utf8(&mut [0; 4])) {
            let before = self.rest;
            let mut name = self.word();
            if name.is_empty() || !self.eat(":") {
                (name, self.rest) = ("", before);
            }
            out.push((name, self.value()?));
            if !self.eat(",") && !self.rest.starts_with(close) {
                return Err(format!("neither `,` nor `{close}` at `{}`", self.rest));
            }
        }
        Ok(out)
    }

    fn value(&mut self) -> Result<ArgValue<'a>, String> {
        if self.rest.starts_with('{') {
            let fields = self.list('{', '}')?;
            return Ok(ArgValue::Struct(
                fields.into_iter().map(|(name, value)| (name.into(), value)).collect(),
            ));
        }
        let before = self.rest;
        if let Some(dtype) = DType::from_name(self.word()) {
            return Ok(ArgValue::Array(self.array(dtype)?));
        }
        self.rest = before;
        Ok(ArgValue::Numbers(self.numbers()?))
    }

    fn numbers(&mut self) -> Result<Numbers, String> {
        if !self.rest.starts_with('(') {
            return Ok(Numbers::one(self.number()?));
        }
        let mut values: SmallVec<[Number; 4]> = SmallVec::new();
        self.expect('(')?;
        while !self.eat(")") {
            values.push(self.number()?);
            self.eat(",");
        }
        Ok(Numbers { shape: Shape::from([values.len() as i64]), values, dtype: None })
    }

    fn number(&mut self) -> Result<Number, String> {
        let end = self.rest.find([',', ')', '}', ' ']).unwrap_or(self.rest.len());
        let text = &self.rest[..end];
        self.rest = self.rest[end..].trim_start();
        match text {
            "true" => Ok(Number::Bool(true)),
            "false" => Ok(Number::Bool(false)),
            _ => text
                .parse()
                .map(Number::Int)
                .or_else(|_| text.parse().map(Number::Float))
                .map_err(|_| format!("`{text}` is no number")),
        }
    }

    fn array(&mut self, dtype: DType) -> Result<ArrayView, String> {
        let mut dims = Vec::new();
        self.expect('[')?;
        while !self.eat("]") {
            let end = self.rest.find([',', ']']).ok_or("no `]`")?;
            dims.push(self.rest[..end].trim().parse::<i64>().map_err(|error| error.to_string())?);
            self.rest = &self.rest[end..];
            self.eat(",");
        }
        self.arrays += 1;
        // Far apart; a prepared call that is not launched touches no memory.
        let mut view = ArrayView::contiguous(self.arrays << 32, dtype, Shape::from(dims), Location::Host);
        loop {
            if self.eat("readonly") {
                view.writable = false;
            } else if self.eat("gpu") {
                view.location = Location::Gpu(0);
            } else if self.eat("at") {
                let Number::Int(address) = self.number()? else {
                    return Err("an address is an integer".into());
                };
                view.address = address as u64;
            } else {
                return Ok(view);
            }
        }
    }

    fn word(&mut self) -> &'a str {
        let starts = self.rest.starts_with(|c: char| c.is_alphabetic() || c == '_');
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(if starts { end } else { 0 });
        self.rest = rest.trim_start();
        word
    }

    fn eat(&mut self, text: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(text) else { return false };
        self.rest = rest.trim_start();
        true
    }

    fn expect(&mut self, bracket: char) -> Result<(), String> {
        if self.eat(bracket.encode_utf8(&mut [0; 4])) {
            Ok(())
        } else {
            Err(format!("no `{bracket}` at `{}`", self.rest))
        }
    }
}
