//! Who calls whom, and the circles in it, which kernels cannot have.

use super::Checker;
use super::hir::{Body, Callee, Expr, ExprKind, Pick, Repeat, Stmt, StmtKind};
use super::program::{FnId, Lazy, Program, RequirementKind, Role};
use pullback_base::{Code, Diagnostic, Span};
use rustc_hash::FxHashMap;

/// The functions a body calls, each once, in order; operations of the IR are not among them.
pub fn callees(program: &Program<'_>, body: &Body) -> Vec<FnId> {
    calls(program, body).into_iter().map(|(id, _)| id).collect()
}

/// The same, each with a place where it is called.
pub fn calls(program: &Program<'_>, body: &Body) -> Vec<(FnId, Span)> {
    let mut out = Vec::new();
    each_expr(&body.block, &mut |expr| note_call(program, expr, &mut out));
    out
}

fn note_call(program: &Program<'_>, expr: &Expr, out: &mut Vec<(FnId, Span)>) {
    each_callee(program, expr, &mut |callee| {
        // Who gives what a requirement asks is told by types, so circles through it are found in instances.
        let Callee::Function { id: callee, .. } = callee else { return };
        let is_op = program.functions[*callee].op.is_some();
        if !is_op && !out.iter().any(|(id, _)| id == callee) {
            out.push((*callee, expr.span));
        }
    });
    match &expr.kind {
        ExprKind::Under(_, inner) => walk(inner, &mut |expr| note_call(program, expr, out)),
        // A constant that is not a plain number is computed where it is used.
        ExprKind::Constant(id) => {
            if let Lazy::Done(value) = &program.constants[*id].value {
                walk(value, &mut |expr| note_call(program, expr, out));
            }
        }
        _ => {}
    }
}

/// Calls `f` for what one expression itself calls: a function, a getter, or the setters of a place that it writes.
pub fn each_callee<'h>(program: &Program<'_>, expr: &'h Expr, f: &mut dyn FnMut(&'h Callee)) {
    match &expr.kind {
        ExprKind::Call(call) => {
            f(call.callee.primal());
            if may_write(program, &call.callee) {
                call.args.iter().for_each(|arg| setters(arg, f));
            }
        }
        ExprKind::Pick(_, Pick::Property(accessors)) => f(&accessors.get),
        ExprKind::Assign { place, .. } | ExprKind::Modify { place, .. } | ExprKind::Update { place, .. } => {
            setters(place, f);
        }
        _ => {}
    }
}

fn may_write(program: &Program<'_>, callee: &Callee) -> bool {
    let id = match callee {
        // Pairs are written.
        Callee::Derivative { .. } => return true,
        Callee::Function { id, .. } => *id,
        Callee::Requirement { requirement, .. } => match program.requirements[*requirement].kind {
            RequirementKind::Function(id) => id,
            _ => return true,
        },
    };
    let function = &program.functions[id];
    function.role == Role::Method { mutating: true }
        || matches!(&function.signature, Lazy::Done(signature)
            if signature.params.iter().any(|param| param.direction.writes()))
}

/// Calls `f` for each setter on the way to a place.
fn setters<'h>(place: &'h Expr, f: &mut dyn FnMut(&'h Callee)) {
    let mut at = place;
    while let ExprKind::Pick(base, pick) = &at.kind {
        if let Pick::Property(accessors) = pick {
            accessors.set.iter().for_each(&mut *f);
        }
        at = base;
    }
}

/// Calls `f` for each expression of the statements, outer before inner.
pub fn each_expr<'h>(stmts: &'h [Stmt], f: &mut dyn FnMut(&'h Expr)) {
    let mut repeats = Vec::new();
    each_part(stmts, f, &mut |repeat| repeats.push(repeat));
    repeats.into_iter().for_each(|repeat| each_expr(&repeat.body, f));
}

/// Calls `f` for each expression of the statements, outer before inner, but for those in a `$for`, which are left to `repeated`.
pub fn each_part<'h>(stmts: &'h [Stmt], f: &mut dyn FnMut(&'h Expr), repeated: &mut dyn FnMut(&'h Repeat)) {
    for stmt in stmts {
        match &stmt.kind {
            StmtKind::Let(_, init) => init.iter().for_each(|init| walk(init, f)),
            StmtKind::Expr(expr) => walk(expr, f),
            StmtKind::Block(inner) => each_part(inner, f, repeated),
            StmtKind::If(condition, then, otherwise) => {
                walk(condition, f);
                each_part(then, f, repeated);
                each_part(otherwise, f, repeated);
            }
            StmtKind::Loop(looped) => {
                looped.condition.iter().chain(&looped.step).for_each(|expr| walk(expr, f));
                each_part(&looped.body, f, repeated);
            }
            StmtKind::Repeat(repeat) => repeated(repeat),
            StmtKind::DoCatch(it) => {
                each_part(&it.body, f, repeated);
                it.handlers.iter().for_each(|handler| each_part(handler, f, repeated));
            }
            StmtKind::Defer(body) => each_part(body, f, repeated),
            StmtKind::Switch(value, cases) => {
                walk(value, f);
                cases.iter().for_each(|case| each_part(&case.body, f, repeated));
            }
            StmtKind::Return(value) => value.iter().for_each(|value| walk(value, f)),
            StmtKind::Break(_) | StmtKind::Continue => {}
        }
    }
}

/// Calls `f` for the expression and those within, outer before inner.
pub fn walk<'h>(expr: &'h Expr, f: &mut dyn FnMut(&'h Expr)) {
    walk_within(expr, &mut |expr| {
        f(expr);
        true
    });
}

/// Calls `enter` for the expression, and for those within it where that says so.
pub fn walk_within<'h>(expr: &'h Expr, enter: &mut dyn FnMut(&'h Expr) -> bool) {
    if !enter(expr) {
        return;
    }
    match &expr.kind {
        ExprKind::Op(_, inner)
        | ExprKind::Construct(inner)
        | ExprKind::Compose(inner)
        | ExprKind::Action(_, inner)
        | ExprKind::Comma(inner) => inner.iter().for_each(|expr| walk_within(expr, enter)),
        ExprKind::Convert(inner)
        | ExprKind::Erase(inner)
        | ExprKind::Address(inner)
        | ExprKind::Reinterpret(inner)
        | ExprKind::As(inner)
        | ExprKind::Assert { condition: inner, .. }
        | ExprKind::Hold { value: inner, .. } => walk_within(inner, enter),
        ExprKind::Attempt { call, failed, .. } => {
            walk_within(call, enter);
            each_expr(failed, &mut |expr| {
                enter(expr);
            });
        }
        ExprKind::Is { value, .. } => value.iter().for_each(|value| walk_within(value, enter)),
        ExprKind::Object { id, bytes } => [id, bytes].into_iter().for_each(|expr| walk_within(expr, enter)),
        // Its types are of another declaration: who looks within takes its bindings into account.
        ExprKind::Under(..) => {}
        ExprKind::Tangent(_, inner) => inner.iter().for_each(|expr| walk_within(expr, enter)),
        ExprKind::Memory(access) => access.operands().for_each(|expr| walk_within(expr, enter)),
        ExprKind::Pick(base, pick) => {
            walk_within(base, enter);
            match pick {
                Pick::Index(index) => walk_within(index, enter),
                Pick::Property(accessors) => accessors.args.iter().for_each(|arg| walk_within(arg, enter)),
                _ => {}
            }
        }
        ExprKind::Call(call) => call.args.iter().for_each(|expr| walk_within(expr, enter)),
        ExprKind::Assign { place, value } => {
            walk_within(place, enter);
            walk_within(value, enter);
        }
        ExprKind::Update { place, value, .. } => {
            walk_within(place, enter);
            walk_within(value, enter);
        }
        ExprKind::Modify { place, operand, .. } => {
            walk_within(place, enter);
            walk_within(operand, enter);
        }
        ExprKind::Conditional { condition, then, otherwise } => {
            [condition, then, otherwise].into_iter().for_each(|expr| walk_within(expr, enter));
        }
        ExprKind::And(a, b) | ExprKind::Or(a, b) => {
            walk_within(a, enter);
            walk_within(b, enter);
        }
        ExprKind::Error
        | ExprKind::Literal(_)
        | ExprKind::Param(_)
        | ExprKind::Local(_)
        | ExprKind::Constant(_)
        | ExprKind::Required(..)
        | ExprKind::Global(_)
        | ExprKind::SizeOf(_)
        | ExprKind::Zero => {}
    }
}

impl Checker<'_> {
    /// Reports each circle of calls once, at the first of its functions, and drops the bodies in it.
    pub fn refuse_recursion(&mut self, functions: &[FnId]) {
        let graph: FxHashMap<FnId, Vec<(FnId, Span)>> = self
            .bodies
            .iter()
            .filter_map(|(&id, body)| Some((id, calls(&self.program, body.as_ref()?))))
            .collect();
        let mut done: Vec<FnId> = Vec::new();
        for &start in functions {
            if done.contains(&start) {
                continue;
            }
            let Some(circle) = shortest_circle(&graph, start) else { continue };
            let name = self.program.functions[start].qualified.clone();
            let through: Vec<String> =
                circle.iter().map(|(id, _)| format!("`{}`", self.program.functions[*id].qualified)).collect();
            let span = self.program.functions[start].ast.name.span;
            let message = match &circle[..] {
                [_] => format!("`{name}` calls itself"),
                _ => format!("`{name}` calls itself through {}", through[..through.len() - 1].join(" and ")),
            };
            let mut diagnostic =
                Diagnostic::error(Code::RecursiveCall, message).at(span, "kernels cannot recurse");
            for (_, call) in &circle {
                diagnostic = diagnostic.also(*call, "through this call");
            }
            self.diagnostics.push(diagnostic.help("write it as a loop"));
            for (id, _) in circle {
                done.push(id);
                self.bodies.insert(id, None);
            }
        }
    }
}

/// The calls of a shortest way from a function back to it.
fn shortest_circle(graph: &FxHashMap<FnId, Vec<(FnId, Span)>>, start: FnId) -> Option<Vec<(FnId, Span)>> {
    let mut before: FxHashMap<FnId, (FnId, Span)> = FxHashMap::default();
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(from) = queue.pop_front() {
        for &(to, span) in graph.get(&from).into_iter().flatten() {
            if before.contains_key(&to) {
                continue;
            }
            before.insert(to, (from, span));
            if to != start {
                queue.push_back(to);
                continue;
            }
            let mut way = Vec::new();
            let mut at = start;
            loop {
                let &(from, span) = before.get(&at)?;
                way.push((at, span));
                at = from;
                if at == start {
                    way.reverse();
                    return Some(way);
                }
            }
        }
    }
    None
}
