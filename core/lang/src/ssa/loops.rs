//! Loops: their parameters are found after the fact; jumps out of them become bools that they carry.

use super::{Jump, Kind, LoopParam, LoopRegion, Path, Ssa, Taken, Target, Var};
use pullback_base::bug;
use pullback_ir::visit::replace_uses;
use pullback_ir::{Block, LoopHints, Op, Stmt, StmtKind, Type, Value};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

impl Ssa {
    /// Begins a loop; what follows is its head, run before each turn.
    pub fn begin_loop(&mut self, hints: LoopHints) -> Target {
        let target = self.new_target();
        self.loops.push(self.regions.len());
        self.open(Kind::Loop(LoopRegion { target, hints, params: Vec::new(), head: None, continues: false }));
        target
    }

    /// Ends the head: the loop goes on while the condition holds, or without one until a jump ends it.
    pub fn loop_body(&mut self, condition: Option<Value>) {
        let Some(condition) = condition else { return };
        let region = self.top();
        if region.undo.is_empty() && matches!(region.kind, Kind::Loop(_)) {
            let stmts = self.builder.end_block(Vec::new()).stmts;
            self.builder.begin_block();
            self.loop_region().head = Some((stmts, condition));
        } else {
            // The condition assigned something, which a head cannot: it becomes the first part of the body.
            let target = self.loop_region().target;
            self.break_unless(target, condition);
        }
    }

    pub fn break_unless(&mut self, target: Target, condition: Value) {
        self.begin_if(condition);
        self.begin_else();
        self.jump(Jump::Break(target));
        self.end_if();
    }

    fn loop_region(&mut self) -> &mut LoopRegion {
        let depth = self.loops.last().copied();
        match depth.map(|depth| &mut self.regions[depth].kind) {
            Some(Kind::Loop(region)) => region,
            _ => bug!("ssa", "no loop is open"),
        }
    }

    /// Where `continue` goes: what follows runs at the end of each turn that did not leave the loop. False when
    /// no path gets here.
    pub fn loop_step(&mut self) -> bool {
        let region = self.loop_region();
        if region.continues {
            let jump = Jump::Continue(region.target);
            self.end_region(Some(jump));
        }
        self.reach()
    }

    pub fn end_loop(&mut self) {
        let target = self.loop_region().target;
        self.end_region(Some(Jump::Continue(target)));
        let path = std::mem::take(&mut self.top().path);
        let finals: Vec<Value> = {
            let vars: Vec<Var> = self.loop_region().params.iter().map(|param| param.var).collect();
            vars.into_iter().map(|var| self.read(var)).collect()
        };
        let exits = LoopExits::new(self, target, &path);
        let depth = self.loops.pop().unwrap_or_default();
        let (kind, span, body) = self.close();
        let Kind::Loop(region) = kind else { bug!("ssa", "region {depth} is no loop") };
        let outer_span = self.builder.span();
        self.builder.set_span(span);
        self.emit_loop(region, body.stmts, &finals, exits);
        self.builder.set_span(outer_span);
    }

    fn emit_loop(&mut self, region: LoopRegion, body: Vec<Stmt>, finals: &[Value], exits: LoopExits) {
        let endless = region.head.is_none();
        let mut head = self.loop_head(region.head, exits.run.as_ref().map(|run| run.param));
        let mut body = Block { stmts: body, yields: Vec::new() };
        let mut invariant = FxHashMap::default();
        let (mut params, mut inits, mut vars) = (Vec::new(), Vec::new(), Vec::new());
        for (LoopParam { var, init, param }, &last) in region.params.into_iter().zip(finals) {
            let variable = &mut self.vars[var];
            variable.value = init;
            variable.loops = self.loops.len();
            let init = init.unwrap_or_else(|| {
                let ty = self.vars[var].ty.clone();
                self.builder.zero(&ty)
            });
            if last == param {
                invariant.insert(param, init);
            } else {
                vars.push(var);
                params.push(param);
                inits.push(init);
                body.yields.push(last);
            }
        }
        for flag in exits.run.iter().chain(exits.jumps.iter().filter_map(|(_, flag)| flag.as_ref())) {
            params.push(flag.param);
            inits.push(self.builder.bool(flag.init));
            body.yields.push(flag.next);
        }
        if !invariant.is_empty() {
            let mut outer = |value: Value| invariant.get(&value).copied().unwrap_or(value);
            replace_uses(&mut head, &mut outer);
            replace_uses(&mut body, &mut outer);
        }
        let results = self.builder.results_like(&params);
        let (hints, kept) = (region.hints, results.clone());
        self.builder.push(StmtKind::Loop { results: kept, inits, params, head, body, hints });
        for (&var, &result) in vars.iter().zip(&results) {
            if let Some(name) = &self.vars[var].name {
                self.builder.name(result, name);
            }
            self.write(var, result);
        }
        self.top().path = self.path_after(exits, endless, &results[vars.len()..]);
    }

    fn flag(&mut self, init: bool, next: Value) -> Flag {
        Flag { param: self.builder.new_value(Type::BOOL), init, next }
    }

    fn loop_head(&mut self, head: Option<(Vec<Stmt>, Value)>, run: Option<Value>) -> Block {
        self.builder.begin_block();
        let condition = match (head, run) {
            (None, Some(run)) => run,
            (None, None) => self.builder.bool(true),
            (Some((stmts, condition)), run) => {
                stmts.into_iter().for_each(|stmt| self.builder.push_stmt(stmt));
                match run {
                    Some(run) => self.builder.op(Op::And, &[run, condition]),
                    None => condition,
                }
            }
        };
        self.builder.end_block(vec![condition])
    }

    /// The jumps past the loop that it may have taken; `flags` are the results of the loop's own bools.
    fn path_after(&mut self, exits: LoopExits, endless: bool, flags: &[Value]) -> Path {
        let mut path = Path { ended: endless && !exits.breaks, jumps: SmallVec::new() };
        let single = exits.jumps.len() == 1;
        let mut flags = flags.iter().copied();
        let run = exits.run.as_ref().and_then(|_| flags.next());
        for (jump, flag) in exits.jumps {
            let taken = match (flag.and_then(|_| flags.next()), run) {
                _ if path.ended && single => Taken::Always,
                (Some(flag), _) => Taken::If(flag),
                (None, Some(run)) => Taken::If(self.not(run)),
                (None, None) => bug!("ssa", "a loop that jumps has no bool to tell"),
            };
            path.jumps.push((jump, taken));
        }
        path
    }
}

/// A bool that a loop carries.
struct Flag {
    param: Value,
    init: bool,
    next: Value,
}

/// How a loop is left but by its condition.
struct LoopExits {
    /// True until a turn leaves the loop.
    run: Option<Flag>,
    /// Jumps past the loop, each with its own bool where `run` does not tell.
    jumps: Vec<(Jump, Option<Flag>)>,
    breaks: bool,
}

impl LoopExits {
    /// To be called at the end of the loop's body, with the path there.
    fn new(ssa: &mut Ssa, target: Target, path: &Path) -> Self {
        let breaks = path.taken(Jump::Break(target)).is_some();
        if path.jumps.is_empty() {
            return Self { run: None, jumps: Vec::new(), breaks };
        }
        let next = if path.jumps.iter().any(|(_, taken)| *taken == Taken::Always) {
            ssa.builder.bool(false)
        } else {
            let left = ssa.any_jump(path);
            ssa.not(left)
        };
        let run = Some(ssa.flag(true, next));
        let outer: Vec<_> =
            path.jumps.iter().copied().filter(|(jump, _)| *jump != Jump::Break(target)).collect();
        let told_by_run = outer.len() == 1 && !breaks;
        let jumps = outer.into_iter().map(|(jump, taken)| {
            let flag = (!told_by_run).then(|| {
                let next = match taken {
                    Taken::If(value) => value,
                    Taken::Always => ssa.builder.bool(true),
                };
                ssa.flag(false, next)
            });
            (jump, flag)
        });
        Self { run, jumps: jumps.collect(), breaks }
    }
}
