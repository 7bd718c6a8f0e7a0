//! Programs as trees that generators make, shrinkers cut and one printer turns into Slang.

use std::borrow::Cow;
use std::fmt::{self, Display, Write};

/// The name of the function to call.
pub const ENTRY: &str = "subject";

/// The types of variables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ty {
    Float,
    Int,
    Bool,
    Float3,
    /// `real[4]`
    Array,
    /// `struct Part { real x; int k; real3 p; }`
    Part,
}

impl Ty {
    pub fn spelled(self) -> &'static str {
        match self {
            Ty::Float => "real",
            Ty::Int => "int",
            Ty::Bool => "bool",
            Ty::Float3 => "real3",
            Ty::Array => "real[4]",
            Ty::Part => "Part",
        }
    }
}

/// What `real` stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Real {
    #[default]
    Float,
    Double,
}

/// An expression: a text in which each `@` stands for an operand.
#[derive(Clone, PartialEq, Debug)]
pub struct Expr {
    pub ty: Ty,
    pub form: Cow<'static, str>,
    pub args: Vec<Expr>,
}

impl Expr {
    pub fn new(ty: Ty, form: impl Into<Cow<'static, str>>, args: Vec<Expr>) -> Self {
        Self { ty, form: form.into(), args }
    }

    /// One without operands.
    pub fn leaf(ty: Ty, form: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ty, form, Vec::new())
    }
}

/// How a jump leaves.
#[derive(Clone, PartialEq, Debug)]
pub enum Jump {
    Break,
    Continue,
    Return(Expr),
}

/// How a loop is written; all of them end, whatever the body does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoopKind {
    /// `for (int i = 0; i < limit && condition; i += step)`
    For,
    /// As [`LoopKind::For`], the limit included.
    ForThrough,
    /// `for (int i = limit; i >= 0 && condition; i -= step)`
    ForDown,
    /// `int k = limit; while (k > 0 && condition) { k -= step; ... }`
    While,
    /// As [`LoopKind::While`], with the condition behind the body.
    DoWhile,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Loop {
    pub kind: LoopKind,
    /// Printed before the loop: hints that must change nothing.
    pub attribute: &'static str,
    pub counter: String,
    pub limit: Expr,
    /// At least 1.
    pub step: Expr,
    pub condition: Option<Expr>,
    pub body: Vec<Stmt>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Stmt {
    Declare {
        ty: Ty,
        name: String,
        value: Expr,
    },
    /// The target is a place: its form may hold an index.
    Assign {
        target: Expr,
        op: &'static str,
        value: Expr,
    },
    If {
        condition: Expr,
        then: Vec<Stmt>,
        otherwise: Vec<Stmt>,
    },
    /// Over `selector & 3`: the first case falls through to the second, the last is the default.
    Switch {
        selector: Expr,
        cases: Vec<Vec<Stmt>>,
    },
    Loop(Loop),
    Jump {
        condition: Expr,
        jump: Jump,
    },
}

#[derive(Clone, PartialEq, Debug)]
pub struct Function {
    pub name: String,
    pub params: Vec<Param>,
    pub body: Vec<Stmt>,
    pub value: Expr,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Param {
    /// `""`, `"inout "` or `"out "`.
    pub direction: &'static str,
    pub ty: Ty,
    pub name: &'static str,
}

/// Functions that return a number; the last one is [`ENTRY`].
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Program {
    pub functions: Vec<Function>,
}

impl Program {
    /// The text, with `real` standing for that type.
    pub fn text(&self, real: Real) -> String {
        let real = match real {
            Real::Float => "float",
            Real::Double => "double",
        };
        let mut out = Printer { text: String::new(), indent: 0 };
        out.line(format_args!("typedef {real} real;"));
        out.line(format_args!("typedef {real}3 real3;"));
        out.line(format_args!("struct Part {{ real x; int k; real3 p; }};"));
        self.functions.iter().for_each(|function| out.function(function));
        out.text
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut args = self.args.iter();
        for (place, piece) in self.form.split('@').enumerate() {
            if place > 0 {
                args.next().map_or(Ok(()), |arg| arg.fmt(f))?;
            }
            f.write_str(piece)?;
        }
        Ok(())
    }
}

struct Printer {
    text: String,
    indent: usize,
}

impl Printer {
    fn line(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{:1$}{text}", "", 4 * self.indent);
    }

    fn braced(&mut self, body: impl FnOnce(&mut Self)) {
        self.line(format_args!("{{"));
        self.indent += 1;
        body(self);
        self.indent -= 1;
        self.line(format_args!("}}"));
    }

    fn block(&mut self, stmts: &[Stmt]) {
        self.braced(|out| out.stmts(stmts));
    }

    fn stmts(&mut self, stmts: &[Stmt]) {
        stmts.iter().for_each(|stmt| self.stmt(stmt));
    }

    fn function(&mut self, function: &Function) {
        let params: Vec<String> = function.params.iter().map(declared).collect();
        self.line(format_args!("real {}({})", function.name, params.join(", ")));
        self.braced(|out| {
            for param in function.params.iter().filter(|param| param.direction == "out ") {
                out.line(format_args!(
                    "{} = {};",
                    param.name,
                    if param.ty == Ty::Int { "0" } else { "real3(0.0)" }
                ));
            }
            out.stmts(&function.body);
            out.line(format_args!("return {};", function.value));
        });
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Declare { ty: Ty::Array, name, value } => {
                self.line(format_args!("real {name}[4] = {value};"))
            }
            Stmt::Declare { ty, name, value } => {
                self.line(format_args!("{} {name} = {value};", ty.spelled()));
            }
            Stmt::Assign { target, op, value } => self.line(format_args!("{target} {op} {value};")),
            Stmt::If { condition, then, otherwise } => {
                self.line(format_args!("if ({condition})"));
                self.block(then);
                if !otherwise.is_empty() {
                    self.line(format_args!("else"));
                    self.block(otherwise);
                }
            }
            Stmt::Switch { selector, cases } => self.switch(selector, cases),
            Stmt::Loop(looped) => self.looped(looped),
            Stmt::Jump { condition, jump } => match jump {
                Jump::Break => self.line(format_args!("if ({condition}) break;")),
                Jump::Continue => self.line(format_args!("if ({condition}) continue;")),
                Jump::Return(value) => self.line(format_args!("if ({condition}) return {value};")),
            },
        }
    }

    fn switch(&mut self, selector: &Expr, cases: &[Vec<Stmt>]) {
        self.line(format_args!("switch (({selector}) & 3)"));
        self.line(format_args!("{{"));
        for (number, case) in cases.iter().enumerate() {
            match number {
                _ if number + 1 == cases.len() => self.line(format_args!("default:")),
                0 => self.line(format_args!("case 3: case 0:")),
                _ => self.line(format_args!("case {number}:")),
            }
            self.block(case);
            // The first of three falls through.
            if number > 0 || cases.len() < 3 {
                self.line(format_args!("    break;"));
            }
        }
        self.line(format_args!("}}"));
    }

    fn looped(&mut self, looped: &Loop) {
        let Loop { kind, attribute, counter, limit, step, condition, body } = looped;
        let also = condition.as_ref().map(|condition| format!(" && {condition}")).unwrap_or_default();
        if matches!(kind, LoopKind::While | LoopKind::DoWhile) {
            self.line(format_args!("int {counter} = {limit};"));
        }
        if !attribute.is_empty() {
            self.line(format_args!("{attribute}"));
        }
        match kind {
            LoopKind::For | LoopKind::ForThrough | LoopKind::ForDown => {
                let (start, test, way) = match kind {
                    LoopKind::For => ("0".into(), format!("{counter} < {limit}"), "+="),
                    LoopKind::ForThrough => ("0".into(), format!("{counter} <= {limit}"), "+="),
                    _ => (limit.to_string(), format!("{counter} >= 0"), "-="),
                };
                self.line(format_args!(
                    "for (int {counter} = {start}; {test}{also}; {counter} {way} {step})"
                ));
                return self.block(body);
            }
            LoopKind::While => self.line(format_args!("while ({counter} > 0{also})")),
            LoopKind::DoWhile => self.line(format_args!("do")),
        }
        self.braced(|out| {
            // Before the body, so that `continue` cannot skip it.
            out.line(format_args!("{counter} -= {step};"));
            out.stmts(body);
        });
        if *kind == LoopKind::DoWhile {
            self.line(format_args!("while ({counter} > 0{also});"));
        }
    }
}

fn declared(param: &Param) -> String {
    let Param { direction, ty, name } = param;
    match ty {
        Ty::Array => format!("{direction}real {name}[4]"),
        _ => format!("{direction}{} {name}", ty.spelled()),
    }
}
