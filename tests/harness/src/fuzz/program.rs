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
    /// [`CELLS`] numbers in memory.
    Cells,
    /// [`PARTS`] structs in memory.
    Parts,
}

/// Elements of what lies in memory.
pub const CELLS: usize = 4;
pub const PARTS: usize = 2;

/// With this before it, a text takes its memory as buffers; without, as arrays that are copied in and out.
pub const BUFFERS: &str = "#define BUFFERS\n";
/// How a text says which.
const ACCESS: &str = "\
#ifdef BUFFERS
#define READ(element, name, count) StructuredBuffer<element> name
#define CHANGED(element, name, count) RWStructuredBuffer<element> name
#define ADD(place, value) InterlockedAdd(place, value)
#else
#define READ(element, name, count) element name[count]
#define CHANGED(element, name, count) inout element name[count]
#define ADD(place, value) place += value
#endif
";

impl Ty {
    pub fn spelled(self) -> &'static str {
        match self {
            Ty::Float => "real",
            Ty::Int => "int",
            Ty::Bool => "bool",
            Ty::Float3 => "real3",
            Ty::Array => "real[4]",
            Ty::Part => "Part",
            Ty::Cells => "real[]",
            Ty::Parts => "Part[]",
        }
    }

    /// Whether only parameters are of the type, and those are memory, or arrays in its place.
    pub fn is_memory(self) -> bool {
        matches!(self, Ty::Cells | Ty::Parts)
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
    /// `target += value`, atomically where the target is in memory.
    Add {
        target: Expr,
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

/// The derivatives of a function that its author gives. They are right: those of the same body, by another name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Given {
    pub forward: bool,
    pub backward: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Function {
    pub name: String,
    pub params: Vec<Param>,
    pub body: Vec<Stmt>,
    pub value: Expr,
    pub given: Option<Given>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Param {
    /// `""`, `"inout "` or `"out "`.
    pub direction: &'static str,
    pub ty: Ty,
    pub name: &'static str,
}

impl Param {
    pub const fn new(direction: &'static str, ty: Ty, name: &'static str) -> Self {
        Self { direction, ty, name }
    }
}

/// The parameters behind all others of functions with memory: some that is read alone, and some that is written. What is
/// written is hardly read: reverse mode refuses to run again what reads it.
pub const MEMORY: [Param; 4] = [
    Param::new("", Ty::Cells, "cells"),
    Param::new("", Ty::Parts, "parts"),
    Param::new("inout ", Ty::Cells, "sums"),
    Param::new("inout ", Ty::Parts, "made"),
];

/// Functions that return a number; the last one is [`ENTRY`].
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Program {
    pub functions: Vec<Function>,
}

impl Program {
    /// Whether functions take memory.
    pub fn has_memory(&self) -> bool {
        self.functions.iter().any(|function| function.params.iter().any(|param| param.ty.is_memory()))
    }

    /// The text, with `real` standing for that type.
    pub fn text(&self, real: Real) -> String {
        let real = match real {
            Real::Float => "float",
            Real::Double => "double",
        };
        let mut out = Printer { text: String::new(), indent: 0 };
        if self.has_memory() {
            out.text.push_str(ACCESS);
        }
        out.line(format_args!("typedef {real} real;"));
        out.line(format_args!("typedef {real}3 real3;"));
        out.line(format_args!("struct Part : IDifferentiable {{ real x; int k; real3 p; }};"));
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
        if let Some(given) = function.given {
            self.given(function, given);
        }
        self.defined(function, &function.name);
    }

    /// The same function by another name, the derivatives made of it, and the attributes that give them.
    fn given(&mut self, function: &Function, given: Given) {
        let Function { name, params, .. } = function;
        let (twin, forward, backward) =
            (format!("{name}_twin"), format!("{name}_forward"), format!("{name}_backward"));
        self.line(format_args!("[Differentiable]"));
        self.defined(function, &twin);
        let names = params.iter().map(|param| param.name).collect::<Vec<_>>().join(", ");
        let pairs = |to_change: &str| -> Vec<String> {
            let pair = |param: &Param| match param.ty {
                Ty::Int => format!("int {}", param.name),
                ty => {
                    let direction = if param.direction.is_empty() { to_change } else { "inout " };
                    format!("{direction}DifferentialPair<{}> {}", ty.spelled(), param.name)
                }
            };
            params.iter().map(pair).collect()
        };
        self.line(format_args!("DifferentialPair<real> {forward}({})", pairs("").join(", ")));
        self.braced(|out| out.line(format_args!("return fwd_diff({twin})({names});")));
        self.line(format_args!("void {backward}({}, real d_result)", pairs("inout ").join(", ")));
        self.braced(|out| out.line(format_args!("bwd_diff({twin})({names}, d_result);")));
        self.line(format_args!("[Differentiable]"));
        if given.forward {
            self.line(format_args!("[ForwardDerivative({forward})]"));
        }
        if given.backward {
            self.line(format_args!("[BackwardDerivative({backward})]"));
        }
    }

    fn defined(&mut self, function: &Function, name: &str) {
        let params: Vec<String> = function.params.iter().map(declared).collect();
        self.line(format_args!("real {name}({})", params.join(", ")));
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
            Stmt::Add { target, value } => self.line(format_args!("ADD({target}, {value});")),
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
    let access = if direction.is_empty() { "READ" } else { "CHANGED" };
    match ty {
        Ty::Array => format!("{direction}real {name}[4]"),
        Ty::Cells => format!("{access}(real, {name}, {CELLS})"),
        Ty::Parts => format!("{access}(Part, {name}, {PARTS})"),
        _ => format!("{direction}{} {name}", ty.spelled()),
    }
}
