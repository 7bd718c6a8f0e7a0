//! The text form. Values print in order of definition, so equal programs print alike whatever their ids.

use crate::{
    Block, Derivatives, Differentiable, EntryPoint, FuncId, Function, FunctionKind, Global, Interface,
    Module, Op, Stmt, StmtKind, Value,
};
use pullback_base::GROUP_LANES;
use rustc_hash::FxHashMap;
use std::fmt::{self, Display, Formatter, Write};

impl Display for Module {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (id, function) in self.functions.iter() {
            if pullback_base::ids::Id::index(id) > 0 {
                f.write_char('\n')?;
            }
            Printer { module: Some(self), function, numbers: FxHashMap::default() }.function(f)?;
        }
        self.entry_points.iter().try_for_each(|entry| print_entry_point(f, self, entry))
    }
}

impl Display for Function {
    /// Alone, calls print the callee's id for want of its name.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Printer { module: None, function: self, numbers: FxHashMap::default() }.function(f)
    }
}

struct Printer<'a> {
    module: Option<&'a Module>,
    function: &'a Function,
    numbers: FxHashMap<Value, usize>,
}

impl Printer<'_> {
    fn function(&mut self, f: &mut Formatter<'_>) -> fmt::Result {
        let function = self.function;
        let keyword = match function.kind {
            FunctionKind::Plain => "func",
            FunctionKind::Kernel => "kernel",
        };
        write!(f, "{keyword} @{}(", function.name)?;
        for (i, &param) in function.params.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { ", " })?;
            self.define(f, param)?;
        }
        f.write_str(") -> (")?;
        for (i, ty) in function.results.iter().enumerate() {
            write!(f, "{}{ty}", if i == 0 { "" } else { ", " })?;
        }
        f.write_str(") {\n")?;
        if function.group_lanes != GROUP_LANES {
            writeln!(f, "  group_lanes {}", function.group_lanes)?;
        }
        for (i, ty) in function.shared.iter().enumerate() {
            writeln!(f, "  shared.{i} {ty}")?;
        }
        if let Some(interface) = &function.interface {
            print_interface(f, interface)?;
        }
        if let Some(derivatives) = &function.derivatives {
            self.derivatives(f, derivatives)?;
        }
        match function.derived {
            Some(derived) => {
                write!(f, "  derived {} ", derived.mode.name())?;
                self.callee(f, derived.of)?;
                f.write_char('\n')?;
            }
            None => self.block(f, &function.body, 1)?,
        }
        f.write_str("}\n")
    }

    /// `derivatives (in f32 ~ f32 [0], inout i32) -> f32 ~ f32 [0] hidden 1 forward @g`
    fn derivatives(&self, f: &mut Formatter<'_>, derivatives: &Derivatives) -> fmt::Result {
        f.write_str("  derivatives (")?;
        for (i, param) in derivatives.params.iter().enumerate() {
            write!(f, "{}{} ", if i == 0 { "" } else { ", " }, param.direction.name())?;
            print_differentiable(f, &param.value)?;
        }
        f.write_char(')')?;
        if let Some(result) = &derivatives.result {
            f.write_str(" -> ")?;
            print_differentiable(f, result)?;
        }
        if derivatives.hidden > 0 {
            write!(f, " hidden {}", derivatives.hidden)?;
        }
        let Derivatives { forward, backward, substitute, .. } = *derivatives;
        for (word, function) in [("forward", forward), ("backward", backward), ("substitute", substitute)] {
            let Some(function) = function else { continue };
            write!(f, " {word} ")?;
            self.callee(f, function)?;
        }
        if derivatives.given_only {
            f.write_str(" only")?;
        }
        f.write_char('\n')
    }

    fn callee(&self, f: &mut Formatter<'_>, callee: FuncId) -> fmt::Result {
        match self.module.and_then(|module| module.functions.get(callee)) {
            Some(function) => write!(f, "@{}", function.name),
            None => write!(f, "@{callee}"),
        }
    }

    /// `%3: f32`, giving the value the next number.
    fn define(&mut self, f: &mut Formatter<'_>, value: Value) -> fmt::Result {
        let number = self.numbers.len();
        self.numbers.insert(value, number);
        let decl = &self.function.values[value];
        match &decl.name {
            Some(name) => write!(f, "%{number} {name}: {}", decl.ty),
            None => write!(f, "%{number}: {}", decl.ty),
        }
    }

    fn define_all(&mut self, f: &mut Formatter<'_>, values: &[Value]) -> fmt::Result {
        for (i, &value) in values.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { ", " })?;
            self.define(f, value)?;
        }
        f.write_str(if values.is_empty() { "" } else { " = " })
    }

    fn value(&self, f: &mut Formatter<'_>, value: Value) -> fmt::Result {
        match self.numbers.get(&value) {
            Some(number) => write!(f, "%{number}"),
            None => write!(f, "%undefined"),
        }
    }

    fn values(&self, f: &mut Formatter<'_>, values: &[Value]) -> fmt::Result {
        for (i, &value) in values.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { ", " })?;
            self.value(f, value)?;
        }
        Ok(())
    }

    fn block(&mut self, f: &mut Formatter<'_>, block: &Block, depth: usize) -> fmt::Result {
        for stmt in &block.stmts {
            indent(f, depth)?;
            self.stmt(f, stmt, depth)?;
            f.write_char('\n')?;
        }
        indent(f, depth)?;
        f.write_str(if block.yields.is_empty() { "yield" } else { "yield " })?;
        self.values(f, &block.yields)?;
        f.write_char('\n')
    }

    fn nested(&mut self, f: &mut Formatter<'_>, block: &Block, depth: usize) -> fmt::Result {
        f.write_str("{\n")?;
        self.block(f, block, depth + 1)?;
        indent(f, depth)?;
        f.write_char('}')
    }

    fn stmt(&mut self, f: &mut Formatter<'_>, stmt: &Stmt, depth: usize) -> fmt::Result {
        match &stmt.kind {
            StmtKind::Let { result, op, args } => {
                self.define(f, *result)?;
                write!(f, " = {}", op.name())?;
                payload(f, op)?;
                f.write_str(if args.is_empty() { "" } else { " " })?;
                self.values(f, args)
            }
            StmtKind::Call { results, callee, args } => {
                self.define_all(f, results)?;
                f.write_str("call ")?;
                self.callee(f, *callee)?;
                f.write_str(if args.is_empty() { "" } else { " " })?;
                self.values(f, args)
            }
            StmtKind::Effect { result, effect, args } => {
                self.define_all(f, result.as_slice())?;
                write!(f, "{effect}")?;
                f.write_str(if args.is_empty() { "" } else { " " })?;
                self.values(f, args)
            }
            StmtKind::If { results, condition, then, otherwise } => {
                self.define_all(f, results)?;
                f.write_str("if ")?;
                self.value(f, *condition)?;
                f.write_char(' ')?;
                self.nested(f, then, depth)?;
                f.write_str(" else ")?;
                self.nested(f, otherwise, depth)
            }
            StmtKind::Switch { results, selector, cases, default } => {
                self.define_all(f, results)?;
                f.write_str("switch ")?;
                self.value(f, *selector)?;
                for (values, block) in cases {
                    let values: Vec<String> = values.iter().map(i64::to_string).collect();
                    write!(f, " case {} ", values.join(", "))?;
                    self.nested(f, block, depth)?;
                }
                f.write_str(" default ")?;
                self.nested(f, default, depth)
            }
            StmtKind::Loop { results, inits, params, head, body, hints } => {
                self.define_all(f, results)?;
                f.write_str("loop")?;
                if let Some(trips) = hints.max_trips {
                    write!(f, " max_trips {trips}")?;
                }
                f.write_str(if hints.unroll { " unroll (" } else { " (" })?;
                for (i, (&param, &init)) in params.iter().zip(inits).enumerate() {
                    f.write_str(if i == 0 { "" } else { ", " })?;
                    self.define(f, param)?;
                    f.write_str(" = ")?;
                    self.value(f, init)?;
                }
                f.write_str(") while ")?;
                self.nested(f, head, depth)?;
                f.write_str(" do ")?;
                self.nested(f, body, depth)
            }
        }
    }
}

/// An op's payload, straight after its name.
fn payload(f: &mut Formatter<'_>, op: &Op) -> fmt::Result {
    match op {
        Op::Const(constant) => write!(f, " {constant}"),
        Op::Convert(scalar) | Op::Bitcast(scalar) => write!(f, ".{scalar}"),
        Op::Splat(ty) | Op::Construct(ty) | Op::PointerCast(ty) => write!(f, " {ty}"),
        Op::Extract(index) | Op::Insert(index) => write!(f, ".{index}"),
        Op::Swizzle(picks) => {
            f.write_char('.')?;
            picks.iter().try_for_each(|pick| f.write_char(char::from(b"xyzw"[usize::from(*pick & 3)])))
        }
        _ => Ok(()),
    }
}

fn print_interface(f: &mut Formatter<'_>, interface: &Interface) -> fmt::Result {
    let differentiable = if interface.differentiable { "differentiable " } else { "" };
    write!(f, "  {differentiable}interface {}(", interface.name)?;
    for (i, param) in interface.params.iter().enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        let no_diff = if param.no_diff { "no_diff " } else { "" };
        write!(f, "{comma}{no_diff}{} {}: {}", param.direction.name(), param.name, param.ty)?;
        if let Some(leaves) = &param.default {
            let leaves: Vec<String> = leaves.iter().map(ToString::to_string).collect();
            write!(f, " = ({})", leaves.join(", "))?;
        }
    }
    f.write_char(')')?;
    if let Some(result) = &interface.result {
        write!(f, " -> {}{result}", if interface.result_no_diff { "no_diff " } else { "" })?;
    }
    if !interface.globals.is_empty() {
        f.write_str(" uses (")?;
        print_globals(f, &interface.globals)?;
        f.write_char(')')?;
    }
    f.write_char('\n')
}

fn print_differentiable(f: &mut Formatter<'_>, value: &Differentiable) -> fmt::Result {
    write!(f, "{}", value.ty)?;
    let Some(tangent) = &value.tangent else { return Ok(()) };
    write!(f, " ~ {} [", tangent.ty)?;
    for (i, leaf) in tangent.leaves.iter().enumerate() {
        f.write_str(if i == 0 { "" } else { ", " })?;
        match leaf {
            Some(leaf) => write!(f, "{leaf}")?,
            None => f.write_char('_')?,
        }
    }
    f.write_char(']')
}

/// `entry main [64, 1, 1] (scale: f32) = @main.kernel`
fn print_entry_point(f: &mut Formatter<'_>, module: &Module, entry: &EntryPoint) -> fmt::Result {
    let [x, y, z] = entry.group;
    write!(f, "\nentry {} [{x}, {y}, {z}] (", entry.name)?;
    print_globals(f, &entry.globals)?;
    match module.functions.get(entry.kernel) {
        Some(kernel) => writeln!(f, ") = @{}", kernel.name),
        None => writeln!(f, ") = @{}", entry.kernel),
    }
}

fn print_globals(f: &mut Formatter<'_>, globals: &[Global]) -> fmt::Result {
    for (i, global) in globals.iter().enumerate() {
        write!(f, "{}{}: {}", if i == 0 { "" } else { ", " }, global.name, global.ty)?;
    }
    Ok(())
}

fn indent(f: &mut Formatter<'_>, depth: usize) -> fmt::Result {
    (0..depth).try_for_each(|_| f.write_str("  "))
}
