//! Random programs: typed, total, and short-running by construction.

use super::program::{ENTRY, Expr, Function, Given, Jump, Loop, LoopKind, MEMORY, Param, Program, Stmt, Ty};
use super::tables::{Flavour, Row};
use crate::random::Random;

/// Loops within loops of one function.
const MAX_LOOP_DEPTH: usize = 3;
/// One program in so many has a loop of thousands of turns.
const LONG_LOOP_ONCE_IN: usize = 40;
/// One program in so many has memory.
const MEMORY_ONCE_IN: usize = 4;
/// The derivatives of one helper in so many are given.
const GIVEN_ONCE_IN: usize = 4;

#[derive(Clone)]
struct Variable {
    name: String,
    ty: Ty,
    writable: bool,
}

struct Generator {
    flavour: Flavour,
    random: Random,
    scope: Vec<Variable>,
    /// What may be called: functions without further calls than of these.
    functions: Vec<Function>,
    names: usize,
    loops: usize,
    in_entry: bool,
    has_memory: bool,
    /// Statements that may still be made.
    budget: usize,
}

/// The program of a seed: [`ENTRY`] takes numbers, a bool, a vector, a struct and an array, and gives a float, an int,
/// a vector and the struct; behind these it takes memory, if any.
pub fn program(seed: u64, flavour: Flavour) -> Program {
    let random = Random::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5eed);
    let mut g = Generator {
        flavour,
        random,
        scope: Vec::new(),
        functions: Vec::new(),
        names: 0,
        loops: 0,
        in_entry: false,
        has_memory: false,
        budget: 0,
    };
    g.has_memory = flavour == Flavour::Smooth && g.random.once_in(MEMORY_ONCE_IN);
    for _ in 0..g.random.below(3) {
        g.helper();
    }
    g.entry();
    Program { functions: g.functions }
}

impl Generator {
    fn helper(&mut self) {
        let mut params = vec![Param::new("", Ty::Float, "a"), Param::new("", Ty::Int, "n")];
        params.push(match self.random.below(5) {
            0 => Param::new("inout ", Ty::Part, "part"),
            1 => Param::new("", Ty::Array, "w"),
            2 => Param::new("inout ", Ty::Float3, "v"),
            _ => Param::new("inout ", Ty::Float, "kept"),
        });
        let name = self.name("helper");
        let given = self.flavour == Flavour::Smooth && self.random.once_in(GIVEN_ONCE_IN);
        let given = given.then(|| {
            let (forward, backward) =
                *self.random.pick(&[(true, true), (true, true), (true, false), (false, true)]);
            Given { forward, backward }
        });
        // A derivative by memory does not flow into a function whose derivative is given.
        if self.has_memory && given.is_none() && self.random.once_in(2) {
            params.extend(MEMORY);
        }
        self.function(name, params, given, 5, 3);
    }

    fn entry(&mut self) {
        let mut params = vec![
            Param::new("", Ty::Float, "a"),
            Param::new("", Ty::Float, "b"),
            Param::new("", Ty::Int, "n"),
            Param::new("", Ty::Int, "m"),
            Param::new("", Ty::Bool, "t"),
            Param::new("", Ty::Float3, "v"),
            Param::new("inout ", Ty::Part, "part"),
            Param::new("", Ty::Array, "w"),
            Param::new("out ", Ty::Int, "count"),
            Param::new("out ", Ty::Float3, "result"),
        ];
        if self.has_memory {
            params.extend(MEMORY);
        }
        self.in_entry = true;
        self.function(ENTRY.to_owned(), params, None, 16, 9);
    }

    fn function(
        &mut self,
        name: String,
        params: Vec<Param>,
        given: Option<Given>,
        budget: usize,
        statements: usize,
    ) {
        self.scope = params
            .iter()
            .map(|param| Variable {
                name: param.name.to_owned(),
                ty: param.ty,
                writable: !matches!(param.name, "b" | "m" | "cells" | "parts"),
            })
            .collect();
        self.budget = budget;
        let mut body = self.statements(statements);
        if self.in_entry && self.flavour == Flavour::Smooth && self.random.once_in(LONG_LOOP_ONCE_IN) {
            let long = self.long_loop();
            body.push(long);
        }
        let value = if self.in_entry {
            let results = self.flavour.results();
            self.row(Ty::Float, results, 3)
        } else {
            self.bounded(Ty::Float)
        };
        self.functions.push(Function { name, params, body, value, given });
    }

    fn name(&mut self, stem: &str) -> String {
        self.names += 1;
        format!("{stem}{}", self.names)
    }

    /// A block with its own scope.
    fn block(&mut self, count: usize) -> Vec<Stmt> {
        let outer = self.scope.len();
        let stmts = self.statements(count);
        self.scope.truncate(outer);
        stmts
    }

    fn statements(&mut self, count: usize) -> Vec<Stmt> {
        let mut out = Vec::new();
        for _ in 0..1 + self.random.below(count) {
            if self.budget == 0 {
                break;
            }
            self.budget -= 1;
            self.statement(&mut out);
        }
        out
    }

    fn statement(&mut self, out: &mut Vec<Stmt>) {
        let can_loop = self.loops < MAX_LOOP_DEPTH;
        let stmt = match self.random.below(18) {
            0..=2 => self.declaration(),
            7 | 8 => {
                let condition = self.expression(Ty::Bool, 2);
                let then = self.block(3);
                let otherwise = if self.random.once_in(2) { self.block(3) } else { Vec::new() };
                Stmt::If { condition, then, otherwise }
            }
            9 => {
                let selector = self.expression(Ty::Int, 2);
                let cases = 2 + self.random.below(2);
                Stmt::Switch { selector, cases: (0..cases).map(|_| self.block(2)).collect() }
            }
            10..=12 if can_loop => self.looped(),
            13 if self.loops > 0 => {
                let condition = self.expression(Ty::Bool, 2);
                Stmt::Jump { condition, jump: self.random.pick(&[Jump::Break, Jump::Continue]).clone() }
            }
            14 if self.random.once_in(3) => {
                let (condition, value) = (self.expression(Ty::Bool, 2), self.bounded(Ty::Float));
                Stmt::Jump { condition, jump: Jump::Return(value) }
            }
            15 => return self.call(out),
            16 if self.loops > 0 && self.flavour == Flavour::Smooth => return self.chain(out),
            _ => self.assignment(),
        };
        out.push(stmt);
    }

    fn declaration(&mut self) -> Stmt {
        let ty = *self.random.pick(&[Ty::Float, Ty::Int, Ty::Bool, Ty::Float3, Ty::Array, Ty::Part]);
        let value = match ty {
            Ty::Part if self.has("parts") && self.random.once_in(2) => {
                self.element(Ty::Part, "parts[@]", Ty::Parts)
            }
            Ty::Array | Ty::Part => match self.copy(ty) {
                Some(copy) if self.random.once_in(2) => copy,
                _ if ty == Ty::Array => {
                    let elements = (0..4).map(|_| self.bounded(Ty::Float)).collect();
                    Expr::new(ty, "{ @, @, @, @ }", elements)
                }
                _ => {
                    let fields = [Ty::Float, Ty::Int, Ty::Float3].map(|ty| self.bounded(ty)).to_vec();
                    Expr::new(ty, "{ @, @, @ }", fields)
                }
            },
            _ => self.bounded(ty),
        };
        self.declare(ty, "x", value)
    }

    fn declare(&mut self, ty: Ty, stem: &str, value: Expr) -> Stmt {
        let name = self.name(stem);
        self.scope.push(Variable { name: name.clone(), ty, writable: true });
        Stmt::Declare { ty, name, value }
    }

    /// Another variable of a type.
    fn copy(&mut self, ty: Ty) -> Option<Expr> {
        let all: Vec<Expr> =
            self.scope.iter().filter(|v| v.ty == ty).map(|v| Expr::leaf(ty, v.name.clone())).collect();
        if all.is_empty() { None } else { Some(self.random.pick(&all).clone()) }
    }

    /// Whether a name is in scope.
    fn has(&self, name: &str) -> bool {
        self.scope.iter().any(|variable| variable.name == name)
    }

    /// An element of an array or of memory, or a part of one.
    fn element(&mut self, ty: Ty, form: &'static str, of: Ty) -> Expr {
        let index = self.index(of);
        Expr::new(ty, form, vec![index])
    }

    /// A write to memory.
    fn write(&mut self, memory: Ty) -> Stmt {
        let (target, vector) = match (memory, self.random.below(3)) {
            (Ty::Cells, _) => (self.element(Ty::Float, "sums[@]", memory), false),
            (_, 0) => (self.element(Ty::Float, "made[@].x", memory), false),
            (_, 1) => (self.element(Ty::Float, "made[@].p.y", memory), false),
            _ => (self.element(Ty::Float3, "made[@].p", memory), true),
        };
        let mut value = self.bounded(target.ty);
        match self.random.below(4) {
            0 if !vector => return Stmt::Add { target, value },
            // Linear in what was there, so that it need not be known again.
            1 if !vector => {
                let old = self.element(Ty::Float, "sums[@]", Ty::Cells);
                value = Expr::new(Ty::Float, "0.5 * @ - @", vec![old, value]);
            }
            _ => {}
        }
        let op = *self.random.pick(&["=", "=", "+=", "-="]);
        Stmt::Assign { target, op, value }
    }

    fn assignment(&mut self) -> Stmt {
        let writable: Vec<Variable> = self.scope.iter().filter(|v| v.writable).cloned().collect();
        let variable = self.random.pick(&writable).clone();
        let name = &variable.name;
        let smooth = self.flavour == Flavour::Smooth;
        match variable.ty {
            Ty::Array | Ty::Part if self.random.once_in(6) => {
                let value = self.copy(variable.ty).unwrap_or_else(|| Expr::leaf(variable.ty, name.clone()));
                Stmt::Assign { target: Expr::leaf(variable.ty, name.clone()), op: "=", value }
            }
            Ty::Cells | Ty::Parts => self.write(variable.ty),
            Ty::Array => self.assign_float(format!("{name}[@]"), Some(Ty::Array)),
            Ty::Part => match self.random.below(5) {
                0 => self.assign_float(format!("{name}.x"), None),
                1 => self.assign(Ty::Int, format!("{name}.k"), "+="),
                2 => self.assign_float(format!("{name}.p[@]"), Some(Ty::Float3)),
                3 => self.assign(Ty::Float3, format!("{name}.p"), "="),
                _ => self.assign_swizzle(format!("{name}.p.yx"), "(@).zy"),
            },
            Ty::Float3 => match self.random.below(4) {
                0 => {
                    let component = *self.random.pick(&["x", "y", "z"]);
                    self.assign_float(format!("{name}.{component}"), None)
                }
                1 => self.assign_swizzle(format!("{name}.zx"), "(@).xy"),
                2 => self.assign_float(format!("{name}[@]"), Some(Ty::Float3)),
                _ => self.assign(Ty::Float3, name.clone(), "="),
            },
            Ty::Int if self.random.once_in(3) => {
                let exact = &["+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="];
                let op = if smooth { "+=" } else { *self.random.pick(exact) };
                self.assign(Ty::Int, name.clone(), op)
            }
            Ty::Float => self.assign_float(name.clone(), None),
            ty => self.assign(ty, name.clone(), "="),
        }
    }

    fn assign(&mut self, ty: Ty, place: String, op: &'static str) -> Stmt {
        let value = self.bounded(ty);
        Stmt::Assign { target: Expr::leaf(ty, place), op, value }
    }

    fn assign_float(&mut self, place: String, indexed: Option<Ty>) -> Stmt {
        let args = indexed.map(|of| self.index(of)).into_iter().collect();
        let op = match self.flavour {
            Flavour::Smooth => *self.random.pick(&["=", "=", "=", "+=", "-=", "*="]),
            Flavour::Exact => "=",
        };
        let value = self.bounded(Ty::Float);
        Stmt::Assign { target: Expr::new(Ty::Float, place, args), op, value }
    }

    fn assign_swizzle(&mut self, place: String, form: &'static str) -> Stmt {
        let value = self.bounded(Ty::Float3);
        Stmt::Assign {
            target: Expr::leaf(Ty::Float3, place),
            op: "=",
            value: Expr::new(Ty::Float3, form, vec![value]),
        }
    }

    fn looped(&mut self) -> Stmt {
        // Loops within loops, and within what loops may call, are short.
        let short = self.loops > 0 || !self.in_entry;
        let limit = match self.flavour {
            Flavour::Smooth if short => self.row(Ty::Int, &[("((@) & 3)", &[Ty::Int])], 2),
            flavour => self.row(Ty::Int, flavour.limits(), 2),
        };
        let condition = if self.random.once_in(2) { Some(self.expression(Ty::Bool, 1)) } else { None };
        use LoopKind::{DoWhile, For, ForDown, ForThrough, While};
        let kind = *self.random.pick(&[For, For, ForThrough, ForDown, While, DoWhile]);
        let attribute = match self.flavour {
            Flavour::Smooth => *self.random.pick(&["", "", "[MaxIters(2)]", "[loop]"]),
            Flavour::Exact => "",
        };
        let counter = self.name("k");
        let mut step = self.row(Ty::Int, self.flavour.steps(), 1);
        step.form = step.form.replace('$', &counter).into();
        let outer = self.scope.len();
        self.scope.push(Variable { name: counter.clone(), ty: Ty::Int, writable: false });
        self.loops += 1;
        let body = self.statements(4);
        self.loops -= 1;
        self.scope.truncate(outer);
        Stmt::Loop(Loop { kind, attribute, counter, limit, step, condition, body })
    }

    /// A loop of a few thousand turns: two assignments.
    fn long_loop(&mut self) -> Stmt {
        let counter = self.name("k");
        let limit = Expr::leaf(Ty::Int, format!("{} + (m & 7)", self.random.integer(1000, 3000)));
        self.loops += 1;
        let body = (0..2).map(|_| self.assignment()).collect();
        self.loops -= 1;
        let step = Expr::leaf(Ty::Int, "1");
        Stmt::Loop(Loop { kind: LoopKind::For, attribute: "", counter, limit, step, condition: None, body })
    }

    /// `r += f(p); p += q; q *= c`: that `r` needs `p` and `p` needs `q` takes two rounds to find out.
    fn chain(&mut self, out: &mut Vec<Stmt>) {
        let floats: Vec<String> =
            self.scope.iter().filter(|v| v.writable && v.ty == Ty::Float).map(|v| v.name.clone()).collect();
        let [p, q, r] = [0; 3].map(|_| self.random.pick(&floats).clone());
        let assign = |target: &str, op, form: String| Stmt::Assign {
            target: Expr::leaf(Ty::Float, target.to_owned()),
            op,
            value: Expr::leaf(Ty::Float, form),
        };
        out.push(assign(&r, "+=", format!("0.3 * sin({p})")));
        out.push(assign(&p, "+=", format!("0.2 * {q}")));
        out.push(assign(&q, "*=", format!("{:?}", self.random.integer(-4, 4) as f64 / 4.5)));
    }

    /// A declaration by a call; what it changes is a variable of its own, or one that is there.
    fn call(&mut self, out: &mut Vec<Stmt>) {
        let can = |function: &&Function| {
            self.has("made") || !function.params.iter().any(|param| param.ty.is_memory())
        };
        let callable: Vec<Function> = self.functions.iter().filter(can).cloned().collect();
        if callable.is_empty() {
            return out.push(self.assignment());
        }
        let Function { name, params, .. } = self.random.pick(&callable).clone();
        let mut args = Vec::new();
        for param in &params {
            args.push(match param.ty {
                Ty::Cells | Ty::Parts => Expr::leaf(param.ty, param.name),
                Ty::Array | Ty::Part => match self.copy(param.ty) {
                    Some(variable) => variable,
                    None => return out.push(self.assignment()),
                },
                ty if param.direction == "inout " => {
                    let writable: Vec<String> = self
                        .scope
                        .iter()
                        .filter(|v| v.writable && v.ty == ty)
                        .map(|v| v.name.clone())
                        .collect();
                    if writable.is_empty() || self.random.once_in(2) {
                        let value = self.bounded(ty);
                        out.push(self.declare(ty, "kept", value));
                        let kept = self.scope.last().map(|v| v.name.clone()).unwrap_or_default();
                        Expr::leaf(ty, kept)
                    } else {
                        Expr::leaf(ty, self.random.pick(&writable).clone())
                    }
                }
                ty => self.bounded(ty),
            });
        }
        let form = format!("{name}({})", vec!["@"; args.len()].join(", "));
        let stmt = self.declare(Ty::Float, "x", Expr::new(Ty::Float, form, args));
        out.push(stmt);
    }

    /// A value to assign, kept within reach.
    fn bounded(&mut self, ty: Ty) -> Expr {
        let value = self.expression(ty, 3);
        match self.flavour.bounds(ty, self.loops > 0 || !self.in_entry) {
            Some(forms) => Expr::new(ty, *self.random.pick(forms), vec![value]),
            None => value,
        }
    }

    /// A variable, or a part of one, of a type.
    fn read(&mut self, ty: Ty) -> Option<Expr> {
        let mut readable = Vec::new();
        for variable in &self.scope {
            let name = &variable.name;
            match (variable.ty, ty) {
                (own, wanted) if own == wanted => readable.push((name.clone(), None)),
                (Ty::Array, Ty::Float) => readable.push((format!("{name}[@]"), Some(Ty::Array))),
                (Ty::Part, Ty::Float) => {
                    readable.push((format!("{name}.x"), None));
                    readable.push((format!("{name}.p[@]"), Some(Ty::Float3)));
                }
                (Ty::Part, Ty::Int) => readable.push((format!("{name}.k"), None)),
                (Ty::Part, Ty::Float3) => readable.push((format!("{name}.p"), None)),
                (Ty::Float3, Ty::Float) => readable.push((format!("{name}.y"), None)),
                // What is written is hardly read.
                (Ty::Cells, Ty::Float) if !variable.writable => {
                    readable.push((format!("{name}[@]"), Some(Ty::Cells)));
                }
                (Ty::Parts, Ty::Float) if !variable.writable => {
                    readable.push((format!("{name}[@].x"), Some(Ty::Parts)));
                    readable.push((format!("{name}[@].p.z"), Some(Ty::Parts)));
                }
                (Ty::Parts, Ty::Float3) if !variable.writable => {
                    readable.push((format!("{name}[@].p"), Some(Ty::Parts)));
                }
                (Ty::Parts, Ty::Int) if !variable.writable => {
                    readable.push((format!("{name}[@].k"), Some(Ty::Parts)));
                }
                _ => {}
            }
        }
        if readable.is_empty() {
            return None;
        }
        let (form, indexed) = self.random.pick(&readable).clone();
        let args = indexed.map(|of| self.index(of)).into_iter().collect();
        Some(Expr::new(ty, form, args))
    }

    fn index(&mut self, of: Ty) -> Expr {
        self.row(Ty::Int, self.flavour.indices(of), 1)
    }

    /// One of the rows, its operands of at most that depth.
    fn row(&mut self, ty: Ty, rows: &[Row], depth: usize) -> Expr {
        let (form, operands) = *self.random.pick(rows);
        let args = operands.iter().map(|&ty| self.expression(ty, depth)).collect();
        Expr::new(ty, form, args)
    }

    fn expression(&mut self, ty: Ty, depth: usize) -> Expr {
        if depth == 0 || self.random.once_in(4) {
            if !self.random.once_in(4)
                && let Some(read) = self.read(ty)
            {
                return read;
            }
            return self.literal(ty);
        }
        self.row(ty, self.flavour.rows(ty), depth - 1)
    }

    fn literal(&mut self, ty: Ty) -> Expr {
        let form = match ty {
            Ty::Float if self.flavour == Flavour::Smooth => {
                format!("real({:?})", self.random.integer(-12, 12) as f64 / 8.0)
            }
            Ty::Float => format!("{:?}", self.random.integer(-16, 16) as f64 / 4.0),
            Ty::Int => format!("({})", self.random.integer(-9, 9)),
            Ty::Bool => self.random.pick(&["true", "false"]).to_string(),
            _ => format!("real3({}.0, 0.5, {}.0)", self.random.below(4), self.random.below(4)),
        };
        Expr::leaf(ty, form)
    }
}
