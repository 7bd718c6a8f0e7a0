//! Functions that need a group around them are no functions of elements: calls refuse them.

use pullback_base::{Code, Diagnostic, Diagnostics};
use pullback_ir::visit::each_stmt;
use pullback_ir::{Effect, Function, StmtKind};

/// Every place where a function meets the other lanes of a group.
pub fn refuse_groups(function: &Function) -> Diagnostics {
    let mut problems = Diagnostics::new();
    each_stmt(&function.body, &mut |stmt| {
        let StmtKind::Effect { effect, .. } = &stmt.kind else { return };
        if !effect.needs_group() {
            return;
        }
        let what = match effect {
            Effect::Barrier | Effect::GroupSum => "waits for the lanes of a group",
            Effect::Wave(_) => "computes with the other lanes of a wave",
            _ => "uses memory that a group shares",
        };
        let message = format!("a function that {what} cannot be called on arrays");
        problems.push(
            Diagnostic::error(Code::UnsupportedFeature, message)
                .at(stmt.span, "here")
                .help("calls run each element on its own; only entry points have groups"),
        );
    });
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_meets_other_lanes_is_refused_and_what_does_not_is_not() {
        let messages = |body: &str| {
            let text =
                format!("func @f(%0: ptr<i32>, %1: i32, %2: i64) -> () {{ shared.0 [i32; 4] {body} yield }}");
            let module = pullback_ir::parse::parse(&text).expect("parses");
            let function = module.functions.values().next().expect("a function");
            refuse_groups(function).into_vec().into_iter().map(|problem| problem.message).collect::<Vec<_>>()
        };
        assert_eq!(messages("%3: i32 = atomic.add %0, %1"), Vec::<String>::new());
        assert_eq!(
            messages("barrier\n %3: i32 = wave.sum %1\n shared_store.0 %2, %1"),
            [
                "a function that waits for the lanes of a group cannot be called on arrays",
                "a function that computes with the other lanes of a wave cannot be called on arrays",
                "a function that uses memory that a group shares cannot be called on arrays",
            ]
        );
    }
}
