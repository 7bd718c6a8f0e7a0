//! Reads the text form that `print` writes.

use crate::function::{Args, ValueDecl};
use crate::{
    Block, Constant, DerivativeMode, DerivativeParam, Derivatives, Derived, Differentiable, Direction,
    Effect, EntryPoint, Field, FuncId, Function, FunctionKind, Global, Interface, InterfaceParam, LoopHints,
    MatrixOrder, Module, Op, Scalar, Stmt, StmtKind, Tangent, Type, Value,
};
use pullback_base::ids::Id;
use pullback_base::{GROUP_LANES, IdVec, Span};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// What is wrong, and on which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    pub line: usize,
    pub message: String,
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

type Result<T> = std::result::Result<T, ParseError>;

/// The module of a text. It is not verified.
pub fn parse(text: &str) -> Result<Module> {
    let tokens = lex(text)?;
    let names = function_names(&tokens);
    let mut parser = Parser { tokens, at: 0, names, values: IdVec::new(), numbers: FxHashMap::default() };
    let mut module = Module::new();
    while parser.peek() != "" {
        if parser.accept("entry") {
            let entry = parser.entry_point()?;
            module.entry_points.push(entry);
        } else {
            module.add(parser.function()?);
        }
    }
    Ok(module)
}

struct Token<'a> {
    text: &'a str,
    line: usize,
}

/// Words (letters, digits, `_ @ % . + -` within), and single marks; `->` is one mark.
fn lex(text: &str) -> Result<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut rest = line.split('#').next().unwrap_or("").trim_start();
        while let Some(first) = rest.chars().next() {
            let len = if rest.starts_with("->") {
                2
            } else if is_word(first) || "@%.-".contains(first) {
                rest.find(|c: char| !(is_word(c) || "@%.+-$".contains(c))).unwrap_or(rest.len())
            } else if first.is_ascii_punctuation() {
                1
            } else {
                return Err(ParseError { line: index + 1, message: format!("stray {first:?}") });
            };
            tokens.push(Token { text: &rest[..len], line: index + 1 });
            rest = rest[len..].trim_start();
        }
    }
    Ok(tokens)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn function_names(tokens: &[Token<'_>]) -> FxHashMap<String, FuncId> {
    let headers = tokens.windows(2).filter(|pair| matches!(pair[0].text, "func" | "kernel"));
    let names = headers.filter_map(|pair| pair[1].text.strip_prefix('@'));
    names.enumerate().map(|(i, name)| (name.to_owned(), FuncId::from_index(i))).collect()
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    names: FxHashMap<String, FuncId>,
    values: IdVec<Value, ValueDecl>,
    numbers: FxHashMap<&'a str, Value>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> &'a str {
        self.tokens.get(self.at).map_or("", |token| token.text)
    }

    fn next(&mut self) -> &'a str {
        let text = self.peek();
        self.at += 1;
        text
    }

    fn fail<T>(&self, message: impl Into<String>) -> Result<T> {
        let token = self.tokens.get(self.at.saturating_sub(1)).or(self.tokens.last());
        Err(ParseError { line: token.map_or(0, |token| token.line), message: message.into() })
    }

    fn accept(&mut self, text: &str) -> bool {
        let found = self.peek() == text;
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, text: &str) -> Result<()> {
        let found = self.next();
        if found == text { Ok(()) } else { self.fail(format!("{found:?} where {text:?} is needed")) }
    }

    fn list<T>(&mut self, close: &str, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut out = Vec::new();
        while !self.accept(close) {
            if !out.is_empty() {
                self.expect(",")?;
            }
            out.push(item(self)?);
        }
        Ok(out)
    }

    fn number<T: std::str::FromStr>(&mut self) -> Result<T> {
        let text = self.next();
        text.parse().or_else(|_| self.fail(format!("{text:?} is not a number")))
    }

    fn scalar(&mut self, name: &str) -> Result<Scalar> {
        Scalar::from_name(name).map_or_else(|| self.fail(format!("{name:?} is not a scalar type")), Ok)
    }

    fn ty(&mut self) -> Result<Type> {
        let word = self.next();
        match word {
            "vec" | "mat" => {
                self.expect("<")?;
                let name = self.next();
                let scalar = self.scalar(name)?;
                self.expect(",")?;
                let n = self.number()?;
                let ty = if word == "vec" {
                    Type::Vector(scalar, n)
                } else {
                    self.expect(",")?;
                    let matrix = Type::matrix(scalar, n, self.number()?);
                    match self.peek() {
                        "," => {
                            self.next();
                            self.expect("columns")?;
                            matrix.in_order(MatrixOrder::Columns)
                        }
                        _ => matrix,
                    }
                };
                self.expect(">")?;
                Ok(ty)
            }
            "ptr" => {
                self.expect("<")?;
                let element = self.ty()?;
                self.expect(">")?;
                Ok(Type::pointer(element))
            }
            "[" => {
                let element = self.ty()?;
                self.expect(";")?;
                let len = self.number()?;
                self.expect("]")?;
                Ok(Type::array(element, len))
            }
            "struct" => {
                let name = self.next();
                self.expect("{")?;
                let fields = self.list("}", |p| {
                    let no_diff = p.accept("no_diff");
                    let name = p.next();
                    p.expect(":")?;
                    Ok(Field { name: name.into(), ty: p.ty()?, no_diff })
                })?;
                Ok(Type::structure(name, fields))
            }
            _ => self.scalar(word).map(Type::Scalar),
        }
    }

    fn constant(&mut self) -> Result<Constant> {
        let name = self.next();
        let scalar = self.scalar(name)?;
        let text = self.next();
        let parsed = match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok().map(|bits| Constant::from_bits(scalar, bits)),
            None if scalar == Scalar::Bool => text.parse().ok().map(Constant::bool),
            None if scalar.is_float() => text.parse().ok().map(|v| Constant::float(scalar, v)),
            None if scalar == Scalar::U64 => text.parse().ok().map(|v| Constant::from_bits(scalar, v)),
            None => text.parse().ok().map(|v| Constant::int(scalar, v)),
        };
        parsed.map_or_else(|| self.fail(format!("{text:?} is not a {scalar}")), Ok)
    }

    /// `%3 name: type`, defined from here on.
    fn define(&mut self) -> Result<Value> {
        let number = self.next();
        if !number.starts_with('%') {
            return self.fail(format!("{number:?} where a value is needed"));
        }
        let name = (self.peek() != ":").then(|| self.next().into());
        self.expect(":")?;
        let ty = self.ty()?;
        let value = self.values.push(ValueDecl { ty, name });
        self.numbers.insert(number, value);
        Ok(value)
    }

    fn value(&mut self) -> Result<Value> {
        let number = self.next();
        self.numbers.get(number).copied().map_or_else(|| self.fail(format!("{number:?} is not defined")), Ok)
    }

    /// Values up to the end of the statement.
    fn operands(&mut self) -> Result<Vec<Value>> {
        let mut out = Vec::new();
        // A definition of the next statement starts with a value too, but is followed by `:` or a name.
        while self.peek().starts_with('%') && (out.is_empty() || self.tokens[self.at - 1].text == ",") {
            let line = self.tokens[self.at].line;
            if out.is_empty() && self.at > 0 && self.tokens[self.at - 1].line != line {
                break;
            }
            out.push(self.value()?);
            if !self.accept(",") {
                break;
            }
        }
        Ok(out)
    }

    fn function(&mut self) -> Result<Function> {
        let kind = match self.next() {
            "func" => FunctionKind::Plain,
            "kernel" => FunctionKind::Kernel,
            other => return self.fail(format!("{other:?} where a function is needed")),
        };
        self.values = IdVec::new();
        self.numbers.clear();
        let name = self.next().trim_start_matches('@');
        self.expect("(")?;
        let params = self.list(")", Self::define)?;
        self.expect("->")?;
        self.expect("(")?;
        let results = self.list(")", Self::ty)?;
        self.expect("{")?;
        let group_lanes = if self.accept("group_lanes") { self.number()? } else { GROUP_LANES };
        let mut shared = Vec::new();
        while self.accept(&format!("shared.{}", shared.len())) {
            shared.push(self.ty()?);
        }
        let interface = match self.peek() {
            "interface" | "differentiable" => Some(self.interface()?),
            _ => None,
        };
        let derivatives = if self.accept("derivatives") { Some(Box::new(self.derivatives()?)) } else { None };
        let derived = if self.accept("derived") { Some(self.derived()?) } else { None };
        let body = match derived {
            Some(_) => self.expect("}").map(|()| Block::default())?,
            None => self.block()?,
        };
        let values = std::mem::take(&mut self.values);
        Ok(Function {
            name: name.into(),
            title: None,
            kind,
            params,
            results,
            body,
            values,
            group_lanes,
            shared,
            interface,
            derived,
            derivatives,
            span: Span::NONE,
        })
    }

    fn callee(&mut self) -> Result<FuncId> {
        let name = self.next().trim_start_matches('@');
        self.names.get(name).copied().map_or_else(|| self.fail(format!("no function @{name}")), Ok)
    }

    fn derived(&mut self) -> Result<Derived> {
        let mode = match self.next() {
            "forward" => DerivativeMode::Forward,
            "backward" => DerivativeMode::Backward,
            other => return self.fail(format!("{other:?} is no derivative")),
        };
        Ok(Derived { of: self.callee()?, mode })
    }

    fn direction(&mut self) -> Result<Direction> {
        match self.next() {
            "in" => Ok(Direction::In),
            "out" => Ok(Direction::Out),
            "inout" => Ok(Direction::InOut),
            other => self.fail(format!("{other:?} is not a direction")),
        }
    }

    fn derivatives(&mut self) -> Result<Derivatives> {
        self.expect("(")?;
        let params = self
            .list(")", |p| Ok(DerivativeParam { direction: p.direction()?, value: p.differentiable()? }))?;
        let result = if self.accept("->") { Some(self.differentiable()?) } else { None };
        let hidden = if self.accept("hidden") { self.number()? } else { 0 };
        let mut function = |word| if self.accept(word) { self.callee().map(Some) } else { Ok(None) };
        let (forward, backward, substitute) =
            (function("forward")?, function("backward")?, function("substitute")?);
        let given_only = self.accept("only");
        Ok(Derivatives { params, result, hidden, forward, backward, substitute, given_only })
    }

    fn differentiable(&mut self) -> Result<Differentiable> {
        let ty = self.ty()?;
        if !self.accept("~") {
            return Ok(Differentiable::constant(ty));
        }
        let tangent = self.ty()?;
        self.expect("[")?;
        let leaves = self.list("]", |p| if p.accept("_") { Ok(None) } else { p.number().map(Some) })?;
        Ok(Differentiable { ty, tangent: Some(Tangent { ty: tangent, leaves }) })
    }

    fn interface(&mut self) -> Result<Interface> {
        let differentiable = self.accept("differentiable");
        self.expect("interface")?;
        let name = self.next();
        self.expect("(")?;
        let params = self.list(")", |p| {
            let no_diff = p.accept("no_diff");
            let direction = p.direction()?;
            let name = p.next();
            p.expect(":")?;
            let ty = p.ty()?;
            let default = if p.accept("=") {
                p.expect("(")?;
                Some(p.list(")", Self::constant)?)
            } else {
                None
            };
            Ok(InterfaceParam { name: name.into(), ty, direction, no_diff, default, span: Span::NONE })
        })?;
        let has_result = self.accept("->");
        let result_no_diff = has_result && self.accept("no_diff");
        let result = if has_result { Some(self.ty()?) } else { None };
        let globals = if self.accept("uses") { self.globals()? } else { Vec::new() };
        let (name, doc) = (name.into(), "".into());
        Ok(Interface { name, params, result, result_no_diff, differentiable, doc, globals })
    }

    /// `(name: type, ...)`
    fn globals(&mut self) -> Result<Vec<Global>> {
        self.expect("(")?;
        self.list(")", |p| {
            let name = p.next();
            p.expect(":")?;
            Ok(Global { name: name.into(), ty: p.ty()?, span: Span::NONE })
        })
    }

    /// What follows `entry`: `main [64, 1, 1] (scale: f32) = @main.kernel`.
    fn entry_point(&mut self) -> Result<EntryPoint> {
        let name = self.next();
        self.expect("[")?;
        let group = self.list("]", Self::number)?;
        let Ok(group) = <[u32; 3]>::try_from(group) else {
            return self.fail("an entry point has three group sizes");
        };
        let globals = self.globals()?;
        self.expect("=")?;
        let kernel = self.next().trim_start_matches('@');
        let Some(&kernel) = self.names.get(kernel) else {
            return self.fail(format!("no function @{kernel}"));
        };
        Ok(EntryPoint { name: name.into(), kernel, group, globals, span: Span::NONE })
    }

    /// Statements up to `yield`, its values, and `}`.
    fn block(&mut self) -> Result<Block> {
        let mut stmts = Vec::new();
        while !self.accept("yield") {
            stmts.push(Stmt { kind: self.stmt()?, span: Span::NONE });
        }
        let yields = self.operands()?;
        self.expect("}")?;
        Ok(Block { stmts, yields })
    }

    fn nested(&mut self) -> Result<Block> {
        self.expect("{")?;
        self.block()
    }

    fn stmt(&mut self) -> Result<StmtKind> {
        let mut results = Vec::new();
        let mut declared = Vec::new();
        while self.peek().starts_with('%') {
            let number = self.peek();
            results.push(self.define()?);
            declared.push(number);
            if !self.accept(",") {
                self.expect("=")?;
            }
        }
        let word = self.next();
        match word {
            "if" => {
                let condition = self.value()?;
                let then = self.nested()?;
                self.expect("else")?;
                let otherwise = self.nested()?;
                Ok(StmtKind::If { results, condition, then, otherwise })
            }
            "switch" => {
                let selector = self.value()?;
                let mut cases = Vec::new();
                while self.accept("case") {
                    let mut values = vec![self.number()?];
                    while self.accept(",") {
                        values.push(self.number()?);
                    }
                    cases.push((values, self.nested()?));
                }
                self.expect("default")?;
                Ok(StmtKind::Switch { results, selector, cases, default: self.nested()? })
            }
            "loop" => self.loop_stmt(results),
            "call" => {
                let callee = self.callee()?;
                Ok(StmtKind::Call { results, callee, args: Args::from_vec(self.operands()?) })
            }
            _ => {
                if let Ok(effect) = word.parse::<Effect>() {
                    let args = Args::from_vec(self.operands()?);
                    return Ok(StmtKind::Effect { result: results.first().copied(), effect, args });
                }
                let op = self.op(word)?;
                let args = Args::from_vec(self.operands()?);
                let &[result] = results.as_slice() else { return self.fail("an op has one result") };
                Ok(StmtKind::Let { result, op, args })
            }
        }
    }

    fn loop_stmt(&mut self, results: Vec<Value>) -> Result<StmtKind> {
        let max_trips = if self.accept("max_trips") { Some(self.number()?) } else { None };
        let hints = LoopHints { max_trips, unroll: self.accept("unroll") };
        self.expect("(")?;
        let pairs = self.list(")", |p| {
            let param = p.define()?;
            p.expect("=")?;
            Ok((param, p.value()?))
        })?;
        let (params, inits) = pairs.into_iter().unzip();
        self.expect("while")?;
        let head = self.nested()?;
        self.expect("do")?;
        let body = self.nested()?;
        Ok(StmtKind::Loop { results, inits, params, head, body, hints })
    }

    fn op(&mut self, word: &str) -> Result<Op> {
        let (name, suffix) = word.split_once('.').unwrap_or((word, ""));
        if let Some(op) = Op::from_name(name) {
            return Ok(op);
        }
        let index = || suffix.parse().ok();
        let op = match name {
            "const" => Some(Op::Const(self.constant()?)),
            "convert" => Some(Op::Convert(self.scalar(suffix)?)),
            "bitcast" => Some(Op::Bitcast(self.scalar(suffix)?)),
            "splat" => Some(Op::Splat(self.ty()?)),
            "construct" => Some(Op::Construct(self.ty()?)),
            "pointer_cast" => Some(Op::PointerCast(self.ty()?)),
            "extract" => index().map(Op::Extract),
            "insert" => index().map(Op::Insert),
            "swizzle" => {
                let picks: Option<SmallVec<[u8; 4]>> =
                    suffix.chars().map(|c| "xyzw".find(c).map(|at| at as u8)).collect();
                picks.map(Op::Swizzle)
            }
            _ => None,
        };
        op.map_or_else(|| self.fail(format!("{word:?} is not an op")), Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn memory_groups_and_waves_survive_printing() {
        let text = "kernel @k(%0 p: ptr<struct S { x: f32, q: ptr<u8> }>) -> () {
  group_lanes 64
  shared.0 [f32; 64]
  shared.1 u32
  %1: i64 = lane_id
  %2: struct S { x: f32, q: ptr<u8> } = load %0
  %3: f32 = extract.0 %2
  shared_store.0 %1, %3
  barrier
  %4: f32 = shared_load.0 %1
  %5: u32 = const u32 1
  %6: i64 = const i64 0
  %7: u32 = shared_atomic.1.add %6, %5
  %8: ptr<u32> = pointer_cast u32 %0
  %9: u32 = atomic.compare_exchange %8, %7, %5
  %10: f32 = wave.prefix_sum %4
  %11: u32 = wave.read_lane %9, %5
  yield
}
";
        let module = parse(text).expect("parses");
        assert_eq!(module.to_string(), text);
        crate::verify(module).expect("verifies");
    }

    #[test]
    fn wrong_effects_are_found() {
        let errors = |text: &str| {
            let text = format!(
                "kernel @k(%0 p: ptr<f32>, %1: f32, %2: i64) -> () {{ shared.0 [f32; 4] {text} yield }}"
            );
            crate::verify(parse(&text).expect("parses")).err().map(|errors| errors[0].message.clone())
        };
        assert_eq!(errors("shared_store.0 %2, %1"), None);
        assert!(errors("shared_store.1 %2, %1").is_some(), "no such slot");
        assert!(errors("%3: f32 = atomic.max %0, %1").is_some(), "no maximum of floats");
        assert!(errors("%3: f32 = shared_atomic.0.exchange %2, %1").is_none());
        assert!(errors("%3: u32 = wave.ballot %1").is_some(), "a ballot of bools only");
        assert!(errors("barrier %1").is_some());
    }
}
