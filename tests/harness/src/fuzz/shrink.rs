//! Cuts a failing program down while it keeps failing in the same way.

use super::program::{Expr, Function, Jump, Loop, LoopKind, Program, Stmt, Ty};

/// The smallest program found that `fails`; at most `tries` are tried.
pub fn shrink(program: Program, mut tries: usize, mut fails: impl FnMut(&Program) -> bool) -> Program {
    let mut best = program;
    loop {
        let mut changed = false;
        let (mut site, mut variant) = (0, 0);
        loop {
            match edited(&best, site, variant) {
                Ok(_) if tries == 0 => return best,
                Ok(candidate) => {
                    tries -= 1;
                    if fails(&candidate) {
                        best = candidate;
                        changed = true;
                        // The site is another one now.
                        variant = 0;
                    } else {
                        variant += 1;
                    }
                }
                Err(State::Before) => break,
                Err(_) => (site, variant) = (site + 1, 0),
            }
        }
        if !changed {
            return best;
        }
    }
}

/// The program with one edit: the `variant`th of those at the `site`th statement, expression or function.
fn edited(program: &Program, site: usize, variant: usize) -> Result<Program, State> {
    let mut editor = Editor { site, variant, state: State::Before };
    let mut program = program.clone();
    // The entry, the last one, stays. What nobody calls goes first.
    for place in 0..program.functions.len().saturating_sub(1) {
        if editor.here() {
            editor.finish(variant == 0);
            program.functions.remove(place);
            return if variant == 0 { Ok(program) } else { Err(editor.state) };
        }
    }
    for function in program.functions.iter_mut().rev() {
        if editor.state == State::Before {
            editor.function(function);
        }
    }
    if editor.state == State::Done { Ok(program) } else { Err(editor.state) }
}

#[derive(PartialEq)]
enum State {
    Before,
    Done,
    /// The site has no such variant.
    Exhausted,
}

struct Editor {
    /// Sites still to pass.
    site: usize,
    variant: usize,
    state: State,
}

impl Editor {
    /// Whether this is the site; called once for each.
    fn here(&mut self) -> bool {
        let here = self.site == 0;
        self.site = self.site.wrapping_sub(1);
        here
    }

    fn function(&mut self, function: &mut Function) {
        // Without given derivatives, where there are some.
        if function.given.is_some() && self.here() {
            self.finish(self.variant == 0);
            function.given = function.given.filter(|_| self.variant != 0);
            return;
        }
        self.stmts(&mut function.body);
        self.expr(&mut function.value);
    }

    fn finish(&mut self, done: bool) {
        self.state = if done { State::Done } else { State::Exhausted };
    }

    fn stmts(&mut self, stmts: &mut Vec<Stmt>) {
        let mut place = 0;
        while place < stmts.len() && self.state == State::Before {
            if self.here() {
                let replacement = replacements(&stmts[place]).into_iter().nth(self.variant);
                self.finish(replacement.is_some());
                if let Some(replacement) = replacement {
                    stmts.splice(place..=place, replacement);
                }
                return;
            }
            self.within(&mut stmts[place]);
            place += 1;
        }
    }

    fn within(&mut self, stmt: &mut Stmt) {
        match stmt {
            Stmt::Declare { value, .. } => self.expr(value),
            Stmt::Assign { target, value, .. } | Stmt::Add { target, value } => {
                target.args.iter_mut().for_each(|arg| self.expr(arg));
                self.expr(value);
            }
            Stmt::If { condition, then, otherwise } => {
                self.expr(condition);
                self.stmts(then);
                self.stmts(otherwise);
            }
            Stmt::Switch { selector, cases } => {
                self.expr(selector);
                cases.iter_mut().for_each(|case| self.stmts(case));
            }
            Stmt::Loop(Loop { limit, step, condition, body, .. }) => {
                self.expr(limit);
                self.expr(step);
                condition.iter_mut().for_each(|condition| self.expr(condition));
                self.stmts(body);
            }
            Stmt::Jump { condition, jump } => {
                self.expr(condition);
                if let Jump::Return(value) = jump {
                    self.expr(value);
                }
            }
        }
    }

    fn expr(&mut self, expr: &mut Expr) {
        if self.state != State::Before {
            return;
        }
        if self.here() {
            let replacement = simpler(expr).into_iter().nth(self.variant);
            self.finish(replacement.is_some());
            if let Some(replacement) = replacement {
                *expr = replacement;
            }
            return;
        }
        expr.args.iter_mut().for_each(|arg| self.expr(arg));
    }
}

/// What may stand for a statement: nothing, a part of it, or a plainer one.
fn replacements(stmt: &Stmt) -> Vec<Vec<Stmt>> {
    let mut out = vec![Vec::new()];
    match stmt {
        Stmt::If { condition, then, otherwise } => {
            out.push(then.clone());
            if !otherwise.is_empty() {
                out.push(otherwise.clone());
                let (condition, then) = (condition.clone(), then.clone());
                out.push(vec![Stmt::If { condition, then, otherwise: Vec::new() }]);
            }
        }
        Stmt::Switch { selector, cases } => {
            out.extend(cases.iter().cloned());
            if cases.len() > 2 {
                out.push(vec![Stmt::Switch { selector: selector.clone(), cases: cases[1..].to_vec() }]);
            }
        }
        Stmt::Loop(looped) => {
            out.push(looped.body.clone());
            let mut plainer = |edit: &dyn Fn(&mut Loop)| {
                let mut looped = looped.clone();
                edit(&mut looped);
                out.push(vec![Stmt::Loop(looped)]);
            };
            plainer(&|looped| looped.condition = None);
            plainer(&|looped| looped.attribute = "");
            plainer(&|looped| looped.kind = LoopKind::For);
            plainer(&|looped| looped.kind = LoopKind::While);
        }
        Stmt::Assign { target, value, op } if *op != "=" => {
            out.push(vec![Stmt::Assign { target: target.clone(), op: "=", value: value.clone() }]);
        }
        Stmt::Add { target, value } => {
            out.push(vec![Stmt::Assign { target: target.clone(), op: "+=", value: value.clone() }]);
        }
        _ => {}
    }
    out
}

/// What may stand for an expression: constants, and operands of its type.
fn simpler(expr: &Expr) -> Vec<Expr> {
    let constants: &[&'static str] = match expr.ty {
        Ty::Float => &["real(0.0)", "real(1.0)", "a", "v.x"],
        Ty::Int => &["0", "1", "3"],
        Ty::Bool => &["true", "false"],
        Ty::Float3 => &["real3(1.0)", "v"],
        Ty::Array => &["{ 1.0, 1.0, 1.0, 1.0 }", "w"],
        Ty::Part => &["{ 1.0, 0, real3(1.0) }", "part"],
        Ty::Cells | Ty::Parts => &[],
    };
    if constants.contains(&&*expr.form) && expr.args.is_empty() {
        return Vec::new();
    }
    let mut out: Vec<Expr> = constants.iter().map(|&form| Expr::leaf(expr.ty, form)).collect();
    out.extend(expr.args.iter().filter(|arg| arg.ty == expr.ty).cloned());
    // An operand's operand, where the operand is of another type.
    let others = expr.args.iter().filter(|arg| arg.ty != expr.ty);
    out.extend(others.flat_map(|arg| arg.args.iter().filter(|arg| arg.ty == expr.ty).cloned()));
    out
}

#[cfg(test)]
mod tests {
    use super::super::generate::program;
    use super::super::program::Real;
    use super::super::tables::Flavour;
    use super::*;

    #[test]
    fn a_failure_about_one_call_is_shrunk_to_that_call() {
        let fails = |program: &Program| program.text(Real::Float).contains("sqrt(");
        let found = (0..100).map(|seed| program(seed, Flavour::Smooth)).find(|program| fails(program));
        let shrunk = shrink(found.expect("some program takes a root"), 10_000, fails);
        let text = shrunk.text(Real::Float);
        assert_eq!(shrunk.functions.len(), 1, "{text}");
        let statements = shrunk.functions[0].body.len();
        assert!(statements <= 1, "{text}");
    }
}
