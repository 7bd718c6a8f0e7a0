//! From mutable variables and jumps to structured SSA, on the fly: what every front end builds functions with.
//!
//! Callers emit statements in order, read and write variables, and open and close `if`, `switch` and loops.
//! A region's results are the outer variables it assigned; a loop's parameters are found the same way, after the
//! fact, so no caller scans its text for assignments.
//!
//! Jumps (`break`, `continue`, `return`) end a path. What follows an `if` with one ended arm is built *inside the
//! other arm*, so an early `return` costs nothing; only where paths that jumped and paths that did not meet again,
//! a bool tells them apart, and what follows runs under `if (!jumped)`. The caller's part is to ask
//! [`Ssa::reach`] before each statement.

mod join;
mod loops;

use pullback_base::{Span, bug, ids::Id, ids::IdVec};
use pullback_ir::{Function, FunctionBuilder, LoopHints, Op, Stmt, Type, Value};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::ops::{Deref, DerefMut};

pullback_base::id_type! {
    /// A mutable variable.
    pub struct Var("var");
}

pullback_base::id_type! {
    /// A loop or switch that a jump can name.
    pub struct Target("target");
}

/// Where a jump goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Jump {
    Return,
    Break(Target),
    Continue(Target),
}

/// Past this depth the rest of a block no longer nests in the arm that goes on: each statement gets an `if` of its
/// own, so that a thousand early returns do not make a tree a thousand high.
const MAX_NESTED_RESTS: usize = 40;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    Always,
    If(Value),
}

/// How the end of a block is reached. `ended`: not at all, each way there jumped. Otherwise the jumps listed
/// may have been taken, and what follows must be guarded.
#[derive(Clone, Default)]
struct Path {
    ended: bool,
    jumps: SmallVec<[(Jump, Taken); 2]>,
}

impl Path {
    fn ended_by(jump: Jump) -> Self {
        Self { ended: true, jumps: SmallVec::from_slice(&[(jump, Taken::Always)]) }
    }

    fn taken(&self, jump: Jump) -> Option<Taken> {
        self.jumps.iter().find(|(j, _)| *j == jump).map(|(_, taken)| *taken)
    }

    /// The jump arrives here: paths that took it go on.
    fn arrive(&mut self, jump: Jump) {
        let before = self.jumps.len();
        self.jumps.retain(|(j, _)| *j != jump);
        self.ended &= self.jumps.len() == before;
    }

    fn guarded(&self) -> bool {
        !self.ended && self.jumped()
    }

    fn jumped(&self) -> bool {
        !self.jumps.is_empty()
    }
}

struct Variable {
    ty: Type,
    name: Option<Box<str>>,
    /// `None`: never assigned, reads as zero.
    value: Option<Value>,
    /// The region (by depth) that noted the variable's value for undoing, or that declared it.
    noted_at: usize,
    /// Of the open loops, from the outermost, how many know the variable.
    loops: usize,
}

/// What chooses between arms.
enum Selector {
    If(Value),
    Switch(Value, Vec<Vec<i64>>),
}

/// A closed block with the variables it left changed.
struct Arm {
    stmts: Vec<Stmt>,
    finals: Vec<(Var, Value)>,
    path: Path,
}

impl Arm {
    fn value(&self, var: Var) -> Option<Value> {
        self.finals.iter().find(|(v, _)| *v == var).map(|(_, value)| *value)
    }
}

struct LoopParam {
    var: Var,
    init: Option<Value>,
    param: Value,
}

struct LoopRegion {
    target: Target,
    hints: LoopHints,
    params: Vec<LoopParam>,
    /// `None` while the head is built, and for loops that only a jump ends.
    head: Option<(Vec<Stmt>, Value)>,
    continues: bool,
}

enum Kind {
    Function,
    Then {
        condition: Value,
    },
    Else {
        condition: Value,
        then: Arm,
    },
    /// One arm of an `if` whose other arm has ended: holds the rest of the enclosing block, and ends with it.
    Rest {
        condition: Value,
        other: Arm,
        other_is_then: bool,
        /// It ends with the statement rather than with the block.
        brief: bool,
    },
    Case,
    Loop(LoopRegion),
}

struct Region {
    kind: Kind,
    span: Span,
    /// Variables from this number on were declared within.
    first_local: usize,
    /// Outer variables assigned within: value and `noted_at` before.
    undo: Vec<(Var, Option<Value>, usize)>,
    path: Path,
}

struct Switch {
    target: Target,
    selector: Value,
    span: Span,
    cases: Vec<(Vec<i64>, Arm)>,
    default: Option<Arm>,
    /// The labels of the case being built; `None` for the default.
    open: Option<Option<Vec<i64>>>,
}

/// A [`FunctionBuilder`] with variables and jumps.
pub struct Ssa {
    builder: FunctionBuilder,
    vars: IdVec<Var, Variable>,
    regions: Vec<Region>,
    /// Depths of the loop regions.
    loops: Vec<usize>,
    switches: Vec<Switch>,
    targets: usize,
    /// `not` values and what they negate.
    negated: FxHashMap<Value, Value>,
}

impl Deref for Ssa {
    type Target = FunctionBuilder;
    fn deref(&self) -> &FunctionBuilder {
        &self.builder
    }
}

impl DerefMut for Ssa {
    fn deref_mut(&mut self) -> &mut FunctionBuilder {
        &mut self.builder
    }
}

impl Ssa {
    pub fn new(builder: FunctionBuilder) -> Self {
        let function = Region {
            kind: Kind::Function,
            span: Span::NONE,
            first_local: 0,
            undo: Vec::new(),
            path: Path::default(),
        };
        Self {
            builder,
            vars: IdVec::new(),
            regions: vec![function],
            loops: Vec::new(),
            switches: Vec::new(),
            targets: 0,
            negated: FxHashMap::default(),
        }
    }

    /// Ends the function; its results are what the variables hold where its paths meet.
    pub fn finish(mut self, results: &[Var]) -> Function {
        self.close_rests(Some(Jump::Return), &|var| results.contains(&var));
        let yields = results.iter().map(|&var| self.read(var)).collect();
        self.builder.finish(yields)
    }

    // ---- Variables ----

    pub fn declare(&mut self, ty: Type, name: Option<&str>) -> Var {
        // What a brief region declares, the regions after it may use.
        let brief = |region: &Region| matches!(region.kind, Kind::Rest { brief: true, .. });
        let noted_at = self.regions.iter().rposition(|region| !brief(region)).unwrap_or(0);
        let name = name.map(Into::into);
        self.vars.push(Variable { ty, name, value: None, noted_at, loops: self.loops.len() })
    }

    /// A variable in scope from here, with a value.
    pub fn declare_with(&mut self, value: Value, name: Option<&str>) -> Var {
        let var = self.declare(self.ty(value).clone(), name);
        self.write(var, value);
        var
    }

    pub fn var_ty(&self, var: Var) -> &Type {
        &self.vars[var].ty
    }

    pub fn read(&mut self, var: Var) -> Value {
        self.enter(var);
        match self.vars[var].value {
            Some(value) => value,
            None => {
                let ty = self.vars[var].ty.clone();
                self.builder.zero(&ty)
            }
        }
    }

    pub fn write(&mut self, var: Var, value: Value) {
        self.enter(var);
        let depth = self.regions.len() - 1;
        let variable = &mut self.vars[var];
        if variable.noted_at < depth {
            self.regions[depth].undo.push((var, variable.value, variable.noted_at));
            variable.noted_at = depth;
        }
        variable.value = Some(value);
    }

    /// Makes the variable a (tentative) parameter of each open loop it was declared outside of.
    fn enter(&mut self, var: Var) {
        while self.vars[var].loops < self.loops.len() {
            let depth = self.loops[self.vars[var].loops];
            self.vars[var].loops += 1;
            if var.index() >= self.regions[depth].first_local {
                continue;
            }
            let variable = &mut self.vars[var];
            let param = self.builder.new_value(variable.ty.clone());
            if let Some(name) = &variable.name {
                self.builder.name(param, name);
            }
            let init = variable.value.replace(param);
            let Kind::Loop(region) = &mut self.regions[depth].kind else {
                bug!("ssa", "region {depth} is no loop")
            };
            region.params.push(LoopParam { var, init, param });
        }
    }

    /// `!value`, without negating twice.
    pub fn not(&mut self, value: Value) -> Value {
        if let Some(&positive) = self.negated.get(&value) {
            return positive;
        }
        let result = self.builder.op(Op::Not, &[value]);
        self.negated.insert(result, value);
        result
    }

    // ---- Regions ----

    fn top(&mut self) -> &mut Region {
        match self.regions.last_mut() {
            Some(region) => region,
            None => bug!("ssa", "no region is open"),
        }
    }

    fn open(&mut self, kind: Kind) {
        let region = Region {
            kind,
            span: self.builder.span(),
            first_local: self.vars.len(),
            undo: Vec::new(),
            path: Path::default(),
        };
        self.regions.push(region);
        self.builder.begin_block();
    }

    /// Closes the innermost block and takes back what it did to outer variables.
    fn close(&mut self) -> (Kind, Span, Arm) {
        let Some(region) = self.regions.pop() else { bug!("ssa", "no region is open") };
        let mut finals = Vec::with_capacity(region.undo.len());
        for (var, value, noted_at) in region.undo {
            let variable = &mut self.vars[var];
            if let Some(last) = variable.value {
                finals.push((var, last));
            }
            variable.value = value;
            variable.noted_at = noted_at;
        }
        let stmts = self.builder.end_block(Vec::new()).stmts;
        (region.kind, region.span, Arm { stmts, finals, path: region.path })
    }

    /// Whether the place after the last statement can be reached; to be asked before each statement, for
    /// where some paths have jumped this opens the `if (!jumped)` that holds the rest of the block.
    pub fn reach(&mut self) -> bool {
        if matches!(self.top().kind, Kind::Rest { brief: true, .. }) && self.top().path.jumped() {
            self.close_rest(None, &|_| true);
        }
        if self.top().path.guarded() {
            let path = std::mem::take(&mut self.top().path);
            let condition = self.any_jump(&path);
            let jumped = Arm { stmts: Vec::new(), finals: Vec::new(), path: Path { ended: true, ..path } };
            let brief = self.regions.len() > MAX_NESTED_RESTS;
            self.open(Kind::Rest { condition, other: jumped, other_is_then: true, brief });
        }
        !self.top().path.ended
    }

    /// Whether some listed jump was taken; to be asked of a path with jumps.
    fn any_jump(&mut self, path: &Path) -> Value {
        let mut any = None;
        for &(_, taken) in &path.jumps {
            any = Some(match (any, taken) {
                (_, Taken::Always) => return self.builder.bool(true),
                (None, Taken::If(value)) => value,
                (Some(any), Taken::If(value)) => self.builder.op(Op::Or, &[any, value]),
            });
        }
        any.unwrap_or_else(|| bug!("ssa", "no jump to test"))
    }

    /// Ends the path here.
    pub fn jump(&mut self, jump: Jump) {
        if let Jump::Continue(target) = jump {
            for region in &mut self.regions {
                if let Kind::Loop(region) = &mut region.kind {
                    region.continues |= region.target == target;
                }
            }
        }
        self.top().path = Path::ended_by(jump);
    }

    /// Closes the rests that end with the enclosing block, where `arriving` jumps arrive. Only variables that
    /// `outlive` the block keep their values.
    fn close_rests(&mut self, arriving: Option<Jump>, outlives: &dyn Fn(Var) -> bool) {
        while matches!(self.top().kind, Kind::Rest { .. }) {
            self.close_rest(arriving, outlives);
        }
        if let Some(jump) = arriving {
            self.top().path.arrive(jump);
        }
    }

    fn close_rest(&mut self, arriving: Option<Jump>, outlives: &dyn Fn(Var) -> bool) {
        let (kind, span, open) = self.close();
        let Kind::Rest { condition, other, other_is_then, .. } = kind else {
            bug!("ssa", "the region is no rest")
        };
        let arms = if other_is_then { [other, open] } else { [open, other] };
        self.join(Selector::If(condition), arms.into(), span, arriving, outlives);
    }

    /// As [`Ssa::close_rests`], at the end of the block of the innermost region proper.
    fn end_region(&mut self, arriving: Option<Jump>) {
        let proper = self.regions.iter().rev().find(|region| !matches!(region.kind, Kind::Rest { .. }));
        let first_local = proper.map_or(0, |region| region.first_local);
        self.close_rests(arriving, &|var| var.index() < first_local);
    }

    // ---- If ----

    pub fn begin_if(&mut self, condition: Value) {
        self.open(Kind::Then { condition });
    }

    pub fn begin_else(&mut self) {
        self.end_region(None);
        let (Kind::Then { condition }, _, then) = self.close() else { bug!("ssa", "`else` without `if`") };
        self.open(Kind::Else { condition, then });
    }

    pub fn end_if(&mut self) {
        self.end_region(None);
        if matches!(self.top().kind, Kind::Then { .. }) {
            self.begin_else();
        }
        let (Kind::Else { condition, then }, span, otherwise) = self.close() else {
            bug!("ssa", "`end_if` without `if`")
        };
        let nests = self.regions.len() <= MAX_NESTED_RESTS;
        match (then.path.ended && nests, otherwise.path.ended && nests) {
            (true, false) => self.reopen(condition, otherwise, then, true, span),
            (false, true) => self.reopen(condition, then, otherwise, false, span),
            _ => self.join(Selector::If(condition), vec![then, otherwise], span, None, &|_| true),
        }
    }

    /// Goes on in the arm whose path has not ended.
    fn reopen(&mut self, condition: Value, arm: Arm, other: Arm, other_is_then: bool, span: Span) {
        self.open(Kind::Rest { condition, other, other_is_then, brief: false });
        self.top().span = span;
        arm.stmts.into_iter().for_each(|stmt| self.builder.push_stmt(stmt));
        for (var, value) in arm.finals {
            self.write(var, value);
        }
        self.top().path = arm.path;
    }

    // ---- Switch ----

    /// `break` may name the target.
    pub fn begin_switch(&mut self, selector: Value) -> Target {
        let target = self.new_target();
        let span = self.builder.span();
        self.switches.push(Switch { target, selector, span, cases: Vec::new(), default: None, open: None });
        target
    }

    fn new_target(&mut self) -> Target {
        self.targets += 1;
        Target::from_index(self.targets - 1)
    }

    fn switch(&mut self) -> &mut Switch {
        match self.switches.last_mut() {
            Some(switch) => switch,
            None => bug!("ssa", "no switch is open"),
        }
    }

    /// Begins the case of these values, or the default; the case before ends.
    pub fn begin_case(&mut self, values: Option<Vec<i64>>) {
        self.end_case();
        self.switch().open = Some(values);
        self.open(Kind::Case);
    }

    fn end_case(&mut self) {
        let target = self.switch().target;
        let Some(labels) = self.switch().open.take() else { return };
        self.end_region(Some(Jump::Break(target)));
        let (_, _, arm) = self.close();
        match labels {
            Some(values) => self.switch().cases.push((values, arm)),
            None => self.switch().default = Some(arm),
        }
    }

    pub fn end_switch(&mut self) {
        self.end_case();
        let Some(switch) = self.switches.pop() else { bug!("ssa", "no switch is open") };
        let (labels, mut arms): (Vec<_>, Vec<_>) = switch.cases.into_iter().unzip();
        arms.push(switch.default.unwrap_or(Arm {
            stmts: Vec::new(),
            finals: Vec::new(),
            path: Path::default(),
        }));
        self.join(Selector::Switch(switch.selector, labels), arms, switch.span, None, &|_| true);
    }
}
