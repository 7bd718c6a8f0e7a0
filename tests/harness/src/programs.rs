//! Random programs in Slang: typed, total, and short-running by construction.
//!
//! Whatever decides a branch, an index or a trip count is computed by ops that every target rounds alike; ops with a
//! tolerance stand in the returned value only. Floats that are assigned are clamped, so that none grows without end.

use crate::random::Random;
use std::fmt::Write;

/// The name of the function to call.
pub const ENTRY: &str = "subject";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ty {
    Float,
    Int,
    Bool,
    Float3,
    /// `float[4]`
    Array,
    /// `struct Part { float x; int k; float3 p; }`
    Part,
}

#[derive(Clone)]
struct Variable {
    name: String,
    ty: Ty,
    writable: bool,
}

struct Helper {
    name: String,
    /// The last parameter is an inout float.
    params: Vec<Ty>,
}

struct Generator {
    random: Random,
    text: String,
    indent: usize,
    scope: Vec<Variable>,
    helpers: Vec<Helper>,
    names: usize,
    loops: usize,
    /// Statements that may still be made.
    budget: usize,
}

/// A program: [`ENTRY`] takes numbers, a bool and a vector, and gives a float, an int and a vector.
pub fn program(seed: u64) -> String {
    let random = Random::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5eed);
    let mut g = Generator {
        random,
        text: "struct Part { float x; int k; float3 p; };\n".into(),
        indent: 0,
        scope: Vec::new(),
        helpers: Vec::new(),
        names: 0,
        loops: 0,
        budget: 0,
    };
    for _ in 0..g.random.below(3) {
        g.helper();
    }
    g.entry();
    g.text
}

impl Generator {
    fn helper(&mut self) {
        let params = vec![Ty::Float, Ty::Int, Ty::Float];
        let name = self.name("helper");
        self.line(&format!("float {name}(float a, int n, inout float kept)"));
        self.scope = vec![
            variable("a", Ty::Float, true),
            variable("n", Ty::Int, true),
            variable("kept", Ty::Float, true),
        ];
        self.budget = 4;
        self.braced(|g| {
            g.statements(2);
            let value = g.clamped(Ty::Float);
            g.line(&format!("return {value};"));
        });
        self.helpers.push(Helper { name, params });
    }

    fn entry(&mut self) {
        self.line(&format!(
            "float {ENTRY}(float a, float b, int n, int m, bool t, float3 v, out int count, out float3 result)"
        ));
        self.scope = vec![
            variable("a", Ty::Float, true),
            variable("b", Ty::Float, false),
            variable("n", Ty::Int, true),
            variable("m", Ty::Int, false),
            variable("t", Ty::Bool, true),
            variable("v", Ty::Float3, true),
            variable("count", Ty::Int, true),
            variable("result", Ty::Float3, true),
        ];
        self.budget = 14;
        self.braced(|g| {
            g.line("count = 0;");
            g.line("result = float3(0.0);");
            g.statements(8);
            let value = g.rounded_value();
            g.line(&format!("return {value};"));
        });
    }

    fn name(&mut self, stem: &str) -> String {
        self.names += 1;
        format!("{stem}{}", self.names)
    }

    fn line(&mut self, text: &str) {
        let _ = writeln!(self.text, "{}{text}", "    ".repeat(self.indent));
    }

    /// A block with its own scope.
    fn braced(&mut self, body: impl FnOnce(&mut Self)) {
        self.line("{");
        let outer = self.scope.len();
        self.indent += 1;
        body(self);
        self.indent -= 1;
        self.scope.truncate(outer);
        self.line("}");
    }

    fn statements(&mut self, count: usize) {
        for _ in 0..1 + self.random.below(count) {
            if self.budget == 0 {
                return;
            }
            self.budget -= 1;
            self.statement();
        }
    }

    fn statement(&mut self) {
        match self.random.below(16) {
            0..=2 => self.declaration(),
            3..=6 => self.assignment(),
            7 | 8 => self.branch(),
            9 => self.switch(),
            10 if self.loops < 2 => self.counted_loop(),
            11 if self.loops < 2 => self.conditional_loop(),
            12 if self.loops > 0 => {
                let condition = self.expression(Ty::Bool, 2);
                let jump = *self.random.pick(&["break", "continue"]);
                self.line(&format!("if ({condition}) {jump};"));
            }
            13 if self.random.once_in(3) => {
                let (condition, value) = (self.expression(Ty::Bool, 2), self.clamped(Ty::Float));
                self.line(&format!("if ({condition}) return {value};"));
            }
            14 => self.helper_call(),
            _ => self.assignment(),
        }
    }

    fn declaration(&mut self) {
        let ty = *self.random.pick(&[Ty::Float, Ty::Int, Ty::Bool, Ty::Float3, Ty::Array, Ty::Part]);
        let name = self.name("x");
        let text = match ty {
            Ty::Array => {
                let elements: Vec<String> = (0..4).map(|_| self.clamped(Ty::Float)).collect();
                format!("float {name}[4] = {{ {} }};", elements.join(", "))
            }
            Ty::Part => {
                let (x, k, p) = (self.clamped(Ty::Float), self.clamped(Ty::Int), self.clamped(Ty::Float3));
                format!("Part {name} = {{ {x}, {k}, {p} }};")
            }
            _ => format!("{} {name} = {};", spelled(ty), self.clamped(ty)),
        };
        self.line(&text);
        self.scope.push(variable(&name, ty, true));
    }

    fn assignment(&mut self) {
        let writable: Vec<Variable> = self.scope.iter().filter(|v| v.writable).cloned().collect();
        let Variable { name, ty, .. } = self.random.pick(&writable).clone();
        let text = match ty {
            Ty::Array => {
                format!("{name}[{}] = {};", self.index(), self.clamped(Ty::Float))
            }
            Ty::Part => match self.random.below(3) {
                0 => format!("{name}.x = {};", self.clamped(Ty::Float)),
                1 => format!("{name}.k += {};", self.clamped(Ty::Int)),
                _ => format!("{name}.p.yx = {}.zy;", self.clamped(Ty::Float3)),
            },
            Ty::Float3 => match self.random.below(4) {
                0 => format!("{name}.{} = {};", self.random.pick(&["x", "y", "z"]), self.clamped(Ty::Float)),
                1 => format!("{name}.zx = {}.xy;", self.clamped(Ty::Float3)),
                2 => format!("{name}[{}] = {};", self.index(), self.clamped(Ty::Float)),
                _ => format!("{name} = {};", self.clamped(ty)),
            },
            Ty::Int if self.random.once_in(3) => {
                let op = *self.random.pick(&["+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="]);
                format!("{name} {op} {};", self.expression(Ty::Int, 2))
            }
            Ty::Int if self.random.once_in(4) => format!("{name}{};", self.random.pick(&["++", "--"])),
            _ => format!("{name} = {};", self.clamped(ty)),
        };
        self.line(&text);
    }

    fn branch(&mut self) {
        let condition = self.expression(Ty::Bool, 2);
        self.line(&format!("if ({condition})"));
        self.braced(|g| g.statements(3));
        if self.random.once_in(2) {
            self.line("else");
            self.braced(|g| g.statements(3));
        }
    }

    fn switch(&mut self) {
        let selector = self.expression(Ty::Int, 2);
        self.line(&format!("switch (({selector}) & 3)"));
        self.line("{");
        self.line("case 0:");
        let last = 1 + self.random.below(2);
        for case in 1..=last {
            self.line(&format!("case {case}:"));
            self.braced(|g| g.statements(2));
            self.line("    break;");
        }
        self.line("default:");
        self.braced(|g| g.statements(2));
        self.line("    break;");
        self.line("}");
    }

    fn counted_loop(&mut self) {
        let (counter, limit) = (self.name("i"), self.expression(Ty::Int, 1));
        self.line(&format!("for (int {counter} = 0; {counter} < (({limit}) & 7); ++{counter})"));
        self.looped(|g| {
            g.scope.push(variable(&counter, Ty::Int, false));
            g.statements(3);
        });
    }

    fn conditional_loop(&mut self) {
        let (counter, limit) = (self.name("k"), self.expression(Ty::Int, 1));
        self.line(&format!("int {counter} = ({limit}) & 7;"));
        let condition = format!("{counter} > 0 && {}", self.expression(Ty::Bool, 1));
        let first = self.random.once_in(2);
        self.line(&if first { format!("while ({condition})") } else { "do".into() });
        self.looped(|g| {
            g.line(&format!("{counter} -= 1;"));
            g.scope.push(variable(&counter, Ty::Int, false));
            g.statements(3);
        });
        if !first {
            self.line(&format!("while ({condition});"));
        }
    }

    fn looped(&mut self, body: impl FnOnce(&mut Self)) {
        self.loops += 1;
        self.braced(body);
        self.loops -= 1;
    }

    fn helper_call(&mut self) {
        if self.helpers.is_empty() {
            return self.assignment();
        }
        let which = self.random.below(self.helpers.len());
        let callee = self.helpers[which].name.clone();
        let count = self.helpers[which].params.len();
        let mut args: Vec<String> = Vec::new();
        for place in 0..count - 1 {
            let ty = self.helpers[which].params[place];
            args.push(self.clamped(ty));
        }
        let (kept, result) = (self.name("kept"), self.name("x"));
        let initial = self.clamped(Ty::Float);
        self.line(&format!("float {kept} = {initial};"));
        self.line(&format!("float {result} = {callee}({}, {kept});", args.join(", ")));
        self.scope.push(variable(&kept, Ty::Float, true));
        self.scope.push(variable(&result, Ty::Float, true));
    }

    /// A value to assign: floats kept within reach.
    fn clamped(&mut self, ty: Ty) -> String {
        let value = self.expression(ty, 3);
        match ty {
            Ty::Float => format!("clamp({value}, -8.0, 8.0)"),
            Ty::Float3 => format!("clamp({value}, float3(-8.0), float3(8.0))"),
            _ => value,
        }
    }

    /// The one place for ops that targets round differently.
    fn rounded_value(&mut self) -> String {
        let (a, b) = (self.clamped(Ty::Float), self.expression(Ty::Float, 1));
        match self.random.below(6) {
            0 => format!("{a} / (1.0 + abs({b}))"),
            1 => format!("sqrt(abs({a})) + {b}"),
            2 => format!("exp(-abs({a})) * {b}"),
            3 => format!("sin(clamp({a}, -3.0, 3.0)) + {b}"),
            4 => format!("length(float3({a}, {b}, 1.0))"),
            _ => a,
        }
    }

    /// A variable, or a part of one, of a type.
    fn read(&mut self, ty: Ty) -> Option<String> {
        let mut readable = Vec::new();
        for variable in &self.scope {
            let name = &variable.name;
            match (variable.ty, ty) {
                (own, wanted) if own == wanted => readable.push(name.clone()),
                (Ty::Array, Ty::Float) => readable.push(format!("{name}[@]")),
                (Ty::Part, Ty::Float) => readable.push(format!("{name}.x")),
                (Ty::Part, Ty::Int) => readable.push(format!("{name}.k")),
                (Ty::Part, Ty::Float3) => readable.push(format!("{name}.p")),
                (Ty::Float3, Ty::Float) => readable.push(format!("{name}.y")),
                _ => {}
            }
        }
        if readable.is_empty() {
            return None;
        }
        let text = self.random.pick(&readable).clone();
        if !text.contains('@') {
            return Some(text);
        }
        let index = self.index();
        Some(text.replace('@', &index))
    }

    /// Never a constant: one that is out of range is refused.
    fn index(&mut self) -> String {
        format!("n + {}", self.expression(Ty::Int, 1))
    }

    fn expression(&mut self, ty: Ty, depth: usize) -> String {
        if depth == 0 || self.random.once_in(4) {
            if !self.random.once_in(4)
                && let Some(text) = self.read(ty)
            {
                return text;
            }
            return self.literal(ty);
        }
        match ty {
            Ty::Float => self.float(depth - 1),
            Ty::Int => self.int(depth - 1),
            Ty::Bool => self.bool(depth - 1),
            _ => self.float3(depth - 1),
        }
    }

    fn literal(&mut self, ty: Ty) -> String {
        match ty {
            Ty::Float => format!("{:?}", self.random.integer(-16, 16) as f64 / 4.0),
            Ty::Int => format!("({})", self.random.integer(-9, 9)),
            Ty::Bool => self.random.pick(&["true", "false"]).to_string(),
            _ => format!("float3({}.0, 0.5, {}.0)", self.random.below(4), self.random.below(4)),
        }
    }

    fn float(&mut self, depth: usize) -> String {
        let (a, b) = (self.expression(Ty::Float, depth), self.expression(Ty::Float, depth));
        match self.random.below(13) {
            0 | 1 => format!("({a} + {b})"),
            2 => format!("({a} - {b})"),
            3 | 4 => format!("({a} * {b})"),
            5 => format!("min({a}, {b})"),
            6 => format!("max({a}, {b})"),
            7 => {
                format!("{}({a})", self.random.pick(&["abs", "floor", "ceil", "trunc", "round", "sign", "-"]))
            }
            8 => format!("float({})", self.expression(Ty::Int, depth)),
            9 => format!("({} ? {a} : {b})", self.expression(Ty::Bool, depth)),
            10 => format!("{}.z", self.parenthesized(Ty::Float3, depth)),
            11 => format!("fmod({a}, {b})"),
            _ => format!("({a} - {b} * 0.5)"),
        }
    }

    fn parenthesized(&mut self, ty: Ty, depth: usize) -> String {
        format!("({})", self.expression(ty, depth))
    }

    fn int(&mut self, depth: usize) -> String {
        let (a, b) = (self.expression(Ty::Int, depth), self.expression(Ty::Int, depth));
        match self.random.below(8) {
            0..=3 => {
                let op = *self.random.pick(&["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"]);
                format!("({a} {op} {b})")
            }
            4 => format!("{}({a}, {b})", self.random.pick(&["min", "max"])),
            5 => format!("int({})", self.expression(Ty::Float, depth)),
            6 => format!("({} ? {a} : {b})", self.expression(Ty::Bool, depth)),
            _ => match self.random.below(5) {
                0 => format!("~{a}"),
                1 => format!("abs({a})"),
                2 => format!("(int)countbits((uint){a})"),
                3 => format!("int(uint({a}) >> 3u)"),
                _ => format!("(-{a})"),
            },
        }
    }

    fn bool(&mut self, depth: usize) -> String {
        let ty = *self.random.pick(&[Ty::Float, Ty::Int]);
        let (a, b) = (self.expression(ty, depth), self.expression(ty, depth));
        match self.random.below(6) {
            0..=3 => format!("({a} {} {b})", self.random.pick(&["<", "<=", ">", ">=", "==", "!="])),
            4 => {
                let (a, b) = (self.expression(Ty::Bool, depth), self.expression(Ty::Bool, depth));
                format!("({a} {} {b})", self.random.pick(&["&&", "||", "==", "!="]))
            }
            _ => format!("!{}", self.parenthesized(Ty::Bool, depth)),
        }
    }

    fn float3(&mut self, depth: usize) -> String {
        let (a, b) = (self.parenthesized(Ty::Float3, depth), self.parenthesized(Ty::Float3, depth));
        match self.random.below(7) {
            0..=2 => format!("({a} {} {b})", self.random.pick(&["+", "-", "*"])),
            3 => format!("{a}.{}", self.random.pick(&["zyx", "xxy", "yzx"])),
            4 => format!("({a} * {})", self.expression(Ty::Float, depth)),
            5 => format!("float3({}, {b}.xy)", self.expression(Ty::Float, depth)),
            _ => format!("cross({a}, {b})"),
        }
    }
}

fn variable(name: &str, ty: Ty, writable: bool) -> Variable {
    Variable { name: name.into(), ty, writable }
}

fn spelled(ty: Ty) -> &'static str {
    match ty {
        Ty::Float => "float",
        Ty::Int => "int",
        Ty::Bool => "bool",
        Ty::Float3 => "float3",
        Ty::Array => "float[4]",
        Ty::Part => "Part",
    }
}
