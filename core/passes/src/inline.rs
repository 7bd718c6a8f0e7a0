//! Replaces each call by the callee's body.

use crate::scalarize::scalarize;
use crate::substitution::Substitution;
use pullback_base::{Code, Diagnostic, Diagnostics, Span};
use pullback_ir::visit::{Copier, each_span_mut, has_calls};
use pullback_ir::{Block, FuncId, Function, Module, StmtKind, Type};
use rustc_hash::FxHashMap;
use std::rc::Rc;

/// The function with all calls expanded. Functions that call one another in a circle are refused.
pub fn inline(module: &Module, id: FuncId) -> Result<Function, Diagnostics> {
    inline_except(module, id, &|_| false)
}

/// As [`inline`], but for calls of functions that are to be kept.
pub fn inline_except(
    module: &Module,
    id: FuncId,
    keep: &dyn Fn(&Function) -> bool,
) -> Result<Function, Diagnostics> {
    let mut inliner = Inliner::new(module, keep);
    let function = inliner.function(id, Span::NONE)?;
    drop(inliner);
    Ok(Rc::unwrap_or_clone(function))
}

/// As [`inline_except`], for a function that is not in the module whose functions it calls.
pub fn inline_into(
    mut function: Function,
    module: &Module,
    keep: &dyn Fn(&Function) -> bool,
) -> Result<Function, Diagnostics> {
    Inliner::new(module, keep).calls_of(&mut function)?;
    Ok(function)
}

struct Inliner<'a> {
    module: &'a Module,
    keep: &'a dyn Fn(&Function) -> bool,
    /// Functions already free of calls.
    done: FxHashMap<FuncId, Rc<Function>>,
    /// Those of them that were called leaf by leaf, in scalar form.
    scalar: FxHashMap<FuncId, Rc<Function>>,
    /// The functions being expanded, callers first.
    active: Vec<FuncId>,
}

impl<'a> Inliner<'a> {
    fn new(module: &'a Module, keep: &'a dyn Fn(&Function) -> bool) -> Self {
        Self { module, keep, done: FxHashMap::default(), scalar: FxHashMap::default(), active: Vec::new() }
    }

    fn calls_of(&mut self, function: &mut Function) -> Result<(), Diagnostics> {
        if has_calls(&function.body) {
            let mut replaced = Substitution::new(function.values.len());
            let body = std::mem::take(&mut function.body);
            function.body = self.block(function, &mut replaced, body)?;
        }
        Ok(())
    }

    /// The callee, in scalar form where the call has an argument per leaf.
    fn callee(&mut self, id: FuncId, args: &[Type], call: Span) -> Result<Rc<Function>, Diagnostics> {
        let callee = self.function(id, call)?;
        if callee.param_types() == args {
            return Ok(callee);
        }
        if let Some(done) = self.scalar.get(&id) {
            return Ok(Rc::clone(done));
        }
        let scalar = Rc::new(scalarize(&callee)?);
        self.scalar.insert(id, Rc::clone(&scalar));
        Ok(scalar)
    }

    fn function(&mut self, id: FuncId, call: Span) -> Result<Rc<Function>, Diagnostics> {
        if let Some(done) = self.done.get(&id) {
            return Ok(Rc::clone(done));
        }
        if self.active.contains(&id) {
            return Err(self.circle(id, call).into());
        }
        self.active.push(id);
        let mut function = self.module.functions[id].clone();
        self.calls_of(&mut function)?;
        self.active.pop();
        let function = Rc::new(function);
        self.done.insert(id, Rc::clone(&function));
        Ok(function)
    }

    fn block(
        &mut self,
        function: &mut Function,
        replaced: &mut Substitution,
        mut block: Block,
    ) -> Result<Block, Diagnostics> {
        let mut stmts = Vec::with_capacity(block.stmts.len());
        for mut stmt in block.stmts {
            replaced.apply(stmt.kind.operands_mut());
            for inner in stmt.kind.blocks_mut() {
                *inner = self.block(function, replaced, std::mem::take(inner))?;
            }
            match &stmt.kind {
                StmtKind::Call { results, callee, args } if !(self.keep)(&self.module.functions[*callee]) => {
                    let types: Vec<Type> = args.iter().map(|&arg| function.ty(arg).clone()).collect();
                    let callee = self.callee(*callee, &types, stmt.span)?;
                    // All functions of a module share memory by the same numbers.
                    if function.shared.is_empty() {
                        function.shared.clone_from(&callee.shared);
                    }
                    let mut copier = Copier::new(&callee);
                    copier.map.extend(callee.params.iter().copied().zip(args.iter().copied()));
                    let mut copied = copier.block(function, &callee.body);
                    // What the library does is done where it is called.
                    each_span_mut(&mut copied, &mut |span| {
                        if span.is_none() {
                            *span = stmt.span;
                        }
                    });
                    stmts.extend(copied.stmts);
                    results.iter().zip(copied.yields).for_each(|(&result, by)| replaced.set(result, by));
                }
                _ => stmts.push(stmt),
            }
        }
        replaced.apply(&mut block.yields);
        Ok(Block { stmts, yields: block.yields })
    }

    fn circle(&self, id: FuncId, call: Span) -> Diagnostic {
        let name = |id: FuncId| self.module.functions[id].shown_name();
        let start = self.active.iter().position(|&active| active == id).unwrap_or(0);
        let path: Vec<String> =
            self.active[start..].iter().chain([&id]).map(|&id| format!("`{}`", name(id))).collect();
        Diagnostic::error(Code::RecursiveCall, format!("`{}` calls itself", name(id)))
            .at(call, "this call closes the circle")
            .also(self.module.functions[id].span, "declared here")
            .note(format!("calls: {}", path.join(" -> ")))
            .help("write the recursion as a loop")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::load;
    use expect_test::expect;

    #[test]
    fn calls_become_their_bodies_at_any_depth() {
        let module = load(
            "func @f(%0 x: f32) -> (f32) {
                %1: bool = const bool true
                %2: f32 = if %1 {
                    %3: f32 = call @twice %0
                    yield %3
                } else {
                    yield %0
                }
                %4: f32 = call @twice %2
                yield %4
            }
            func @twice(%0: f32) -> (f32) {
                %1: f32 = call @sum %0, %0
                yield %1
            }
            func @sum(%0: f32, %1: f32) -> (f32) {
                %2: f32 = add %0, %1
                yield %2
            }",
        );
        let inlined = inline(&module, module.find("f").expect("f")).expect("inlines");
        expect![[r#"
            func @f(%0 x: f32) -> (f32) {
              %1: bool = const bool true
              %2: f32 = if %1 {
                %3: f32 = add %0, %0
                yield %3
              } else {
                yield %0
              }
              %4: f32 = add %2, %2
              yield %4
            }
        "#]]
        .assert_eq(&inlined.to_string());
    }

    #[test]
    fn recursion_is_refused_with_its_path() {
        let module = load(
            "func @even(%0: i32) -> (i32) {
                %1: i32 = call @odd %0
                yield %1
            }
            func @odd(%0: i32) -> (i32) {
                %1: i32 = call @even %0
                yield %1
            }",
        );
        let problems = inline(&module, module.find("even").expect("even")).unwrap_err().into_vec();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].code, Code::RecursiveCall);
        assert_eq!(problems[0].notes, ["calls: `even` -> `odd` -> `even`"]);
    }
}
