//! One function: its parameters, statements and control flow.

use super::globals::{self, GlobalId, Globals, not_written};
use super::interface::{interface, refused};
use super::memory::Memory;
use super::placement::Placement;
use super::uses::{self, Expr};
use super::{Lowered, Origin, Refused};
use crate::ssa::{Jump, Ssa, Target, Var};
use naga::{Block, Expression, Handle, Statement, SwitchCase, SwitchValue, TypeInner};
use pullback_base::{Code, Diagnostic, Span, ids::Id};
use pullback_ir::{
    Direction, FuncId, Function, FunctionBuilder, FunctionKind, Interface, LoopHints, Module, Op, Type, Value,
};
use rustc_hash::{FxHashMap, FxHashSet};

/// The functions that a function calls.
pub fn callees(source: &naga::Function) -> Vec<Handle<naga::Function>> {
    let mut found = Vec::new();
    uses::each_statement(&source.body, &mut |statement| {
        if let Statement::Call { function, .. } = statement {
            found.push(*function);
        }
    });
    found
}

/// What an expression stands for.
#[derive(Clone)]
pub enum Term {
    Value(Value),
    Place(Place),
    Memory(Memory),
}

/// What a pointer points to: a variable, or a part of one.
#[derive(Clone)]
pub struct Place {
    pub var: Var,
    pub path: Vec<Step>,
}

#[derive(Clone, Copy)]
pub enum Step {
    Element(u32),
    Index(Value),
}

/// A loop or switch that is open.
struct Open<'a> {
    target: Target,
    kind: OpenKind<'a>,
}

enum OpenKind<'a> {
    Switch,
    Loop,
    /// A loop whose `continuing` part is lowered at each `continue`.
    LoopWithCopies(Ending<'a>),
}

/// What ends each turn of a loop.
#[derive(Clone, Copy)]
struct Ending<'a> {
    continuing: &'a Block,
    break_if: Option<Expr>,
}

/// A function as others call it.
pub struct Callee {
    id: FuncId,
    directions: Vec<Direction>,
    globals: Globals,
}

pub struct FunctionLowering<'a> {
    pub origin: &'a Origin<'a>,
    pub handle: Handle<naga::Function>,
    pub source: &'a naga::Function,
    pub ssa: Ssa,
    pub params: Vec<Term>,
    pub terms: FxHashMap<Expr, Term>,
    pub locals: FxHashMap<Handle<naga::LocalVariable>, Var>,
    pub globals: FxHashMap<GlobalId, Var>,
    /// Those of bindings, which are not written.
    bindings: Vec<Var>,
    lowered: &'a Lowered,
    module: &'a Module,
    placement: Placement,
    result: Option<Var>,
    open: Vec<Open<'a>>,
}

/// Adds a function to the module. One that uses private variables is two: within, they are parameters and results; the one that users
/// call begins them.
pub fn lower(
    origin: &Origin<'_>,
    handle: Handle<naga::Function>,
    lowered: &Lowered,
    module: &mut Module,
) -> Result<Callee, Refused> {
    let source = &origin.source.functions[handle];
    let name = source.name.as_deref().unwrap_or("");
    let name_span = origin.read.places.name(origin.source.functions.get_span(handle), name);
    let bound = source.arguments.iter().any(|argument| argument.binding.is_some())
        || source.result.as_ref().is_some_and(|result| result.binding.is_some());
    if bound {
        return Err(refused("a parameter or result bound to the pipeline", name_span));
    }
    let mut interface = interface(origin, handle, name_span)?;

    // Overloads share the name that users see.
    let is_free = |name: &str| module.find(name).is_none();
    let numbered = (1..).map(|number| format!("{name}.{number}"));
    let unique = std::iter::once(name.to_owned()).chain(numbered).find(|name| is_free(name));
    let unique = unique.unwrap_or_default();
    let globals = Globals::of(origin, handle);
    interface.globals = globals.interface(origin)?;
    let directions = interface.params.iter().map(|param| param.direction).collect();
    let inner = FunctionLowering::new(origin, handle, lowered, module, &unique);
    let mut inner = inner.within(&interface, &globals)?;
    let id = FuncId::from_index(module.functions.len());
    if globals.privates.is_empty() {
        inner.interface = Some(interface);
        inner.span = name_span;
        module.add(inner);
    } else {
        inner.name = format!("{unique}.within").into();
        let outer = FunctionLowering::new(origin, handle, lowered, module, &unique);
        let mut outer = outer.outermost(id, &inner.results, &interface, &globals)?;
        outer.interface = Some(interface);
        outer.span = name_span;
        module.add(inner);
        module.add(outer);
    }
    Ok(Callee { id, directions, globals })
}

impl<'a> FunctionLowering<'a> {
    fn new(
        origin: &'a Origin<'a>,
        handle: Handle<naga::Function>,
        lowered: &'a Lowered,
        module: &'a Module,
        name: &str,
    ) -> Self {
        let source = &origin.source.functions[handle];
        FunctionLowering {
            origin,
            handle,
            source,
            ssa: Ssa::new(FunctionBuilder::new(name, FunctionKind::Plain)),
            params: Vec::new(),
            terms: FxHashMap::default(),
            locals: FxHashMap::default(),
            globals: FxHashMap::default(),
            bindings: Vec::new(),
            lowered,
            module,
            placement: Placement::new(source),
            result: None,
            open: Vec::new(),
        }
    }

    /// The function as others of the module call it.
    fn within(mut self, interface: &Interface, globals: &Globals) -> Result<Function, Refused> {
        self.result = interface.result.as_ref().map(|ty| self.ssa.declare(ty.clone(), None));
        let mut outputs: Vec<Var> = self.result.into_iter().collect();
        let mut no_diff_outputs = vec![interface.result_no_diff; outputs.len()];
        // All parameters come first: what marks them `no_diff` is a statement.
        let incoming = self.incoming(interface);
        let bindings: Vec<Vec<Value>> =
            globals.bindings.iter().map(|&id| globals::parameters(self.origin, &mut self.ssa, id)).collect();
        let privates: Vec<(GlobalId, Value)> = globals
            .privates
            .iter()
            .filter_map(|&id| {
                let global = &self.origin.source.global_variables[id];
                let ty = self.origin.types.get(global.ty).ok()?;
                Some((id, self.ssa.param(ty, global.name.as_deref().unwrap_or(""))))
            })
            .collect();
        for ((param, argument), value) in interface.params.iter().zip(&self.source.arguments).zip(incoming) {
            let value = value.map(|value| match param.no_diff && param.ty.has_float() {
                true => self.ssa.op(Op::Detach, &[value]),
                false => value,
            });
            // Through a compiled module `in` parameters are pointers to the callee's own copies.
            let is_pointer = matches!(self.origin.source.types[argument.ty].inner, TypeInner::Pointer { .. });
            let var = match value {
                Some(value) if !is_pointer => {
                    self.params.push(Term::Value(value));
                    continue;
                }
                Some(value) => self.ssa.declare_with(value, Some(&param.name)),
                None => self.ssa.declare(param.ty.clone(), Some(&param.name)),
            };
            if param.direction.writes() {
                outputs.push(var);
                no_diff_outputs.push(param.no_diff);
            }
            self.params.push(Term::Place(Place { var, path: Vec::new() }));
        }
        for (&id, parts) in globals.bindings.iter().zip(&bindings) {
            let value = globals::joined(self.origin, &mut self.ssa, id, parts);
            let var = self.ssa.declare_with(value, self.origin.source.global_variables[id].name.as_deref());
            self.globals.insert(id, var);
            self.bindings.push(var);
        }
        for (id, value) in privates {
            let var = self.ssa.declare_with(value, self.origin.source.global_variables[id].name.as_deref());
            self.globals.insert(id, var);
            outputs.push(var);
            no_diff_outputs.push(false);
        }
        self.block(&self.source.body)?;
        Ok(detach_results(self.ssa.finish(&outputs), &no_diff_outputs))
    }

    /// The function as users call it, around the one within: private variables begin anew with each call.
    fn outermost(
        mut self,
        within: FuncId,
        results: &[Type],
        interface: &Interface,
        globals: &Globals,
    ) -> Result<Function, Refused> {
        let mut args: Vec<Value> = self.incoming(interface).into_iter().flatten().collect();
        for &id in &globals.bindings {
            args.extend(globals::parameters(self.origin, &mut self.ssa, id));
        }
        self.start_privates(globals)?;
        args.extend(globals.privates.iter().map(|id| self.ssa.read(self.globals[id])));
        let mut values = self.ssa.call(within, results, &args);
        values.truncate(results.len() - globals.privates.len());
        let outputs: Vec<Var> = values.into_iter().map(|value| self.ssa.declare_with(value, None)).collect();
        Ok(self.ssa.finish(&outputs))
    }

    fn incoming(&mut self, interface: &Interface) -> Vec<Option<Value>> {
        let params = interface.params.iter();
        params
            .map(|param| param.direction.reads().then(|| self.ssa.param(param.ty.clone(), &param.name)))
            .collect()
    }
}

fn detach_results(function: Function, no_diff: &[bool]) -> Function {
    if !no_diff.contains(&true) {
        return function;
    }
    let (mut builder, yields) = FunctionBuilder::resume(function);
    let yields = yields.into_iter().zip(no_diff).map(|(value, &no_diff)| {
        if no_diff && builder.ty(value).has_float() { builder.op(Op::Detach, &[value]) } else { value }
    });
    let yields = yields.collect();
    builder.finish(yields)
}

impl<'a> FunctionLowering<'a> {
    /// A refusal of the statement or expression at hand; `what` is a noun phrase.
    pub fn refuse<T>(&self, what: &str) -> Result<T, Refused> {
        Err(refused(what, self.ssa.span()))
    }

    pub fn enter_span(&mut self, span: naga::Span) {
        let span = self.origin.span(span);
        if !span.is_none() {
            self.ssa.set_span(span);
        }
    }

    fn block(&mut self, block: &'a Block) -> Result<(), Refused> {
        self.declare_locals(block)?;
        for (statement, &span) in block.span_iter() {
            self.statement_at(statement, span)?;
        }
        Ok(())
    }

    fn statement_at(&mut self, statement: &'a Statement, span: naga::Span) -> Result<(), Refused> {
        if self.ssa.reach() {
            self.enter_span(span);
            self.statement(statement, span)?;
        }
        Ok(())
    }

    fn declare_locals(&mut self, block: &Block) -> Result<(), Refused> {
        for local in self.placement.declared_in(block).to_vec() {
            let variable = &self.source.local_variables[local];
            self.enter_span(self.source.local_variables.get_span(local));
            let ty = match self.origin.types.get(variable.ty) {
                Ok(ty) => ty,
                Err(what) => return self.refuse(&what),
            };
            let name = variable.name.as_deref();
            // In a loop stand only locals that are written before they are read: see `placement`.
            let in_loop = self.open.iter().any(|open| !matches!(open.kind, OpenKind::Switch));
            let var = match variable.init {
                Some(init) if !in_loop => {
                    let value = self.constant(&self.source.expressions, init)?;
                    self.ssa.declare_with(value, name)
                }
                _ => self.ssa.declare(ty, name),
            };
            self.locals.insert(local, var);
        }
        Ok(())
    }

    fn statement(&mut self, statement: &'a Statement, span: naga::Span) -> Result<(), Refused> {
        match statement {
            Statement::Emit(range) => range.clone().try_for_each(|handle| self.emit(handle)),
            Statement::Block(block) => self.block(block),
            Statement::If { condition, accept, reject } => {
                let condition = self.value(*condition)?;
                self.ssa.begin_if(condition);
                self.block(accept)?;
                self.ssa.begin_else();
                self.block(reject)?;
                self.enter_span(span);
                self.ssa.end_if();
                Ok(())
            }
            Statement::Switch { selector, cases } => self.switch(*selector, cases),
            Statement::Loop { body, continuing, break_if } => {
                self.repeat(body, Ending { continuing, break_if: *break_if }, span)
            }
            Statement::Break => match self.open.last().map(|open| open.target) {
                Some(target) => {
                    self.ssa.jump(Jump::Break(target));
                    Ok(())
                }
                None => self.refuse("a `break` outside loops"),
            },
            Statement::Continue => self.go_on(),
            Statement::Return { value } => {
                if let (Some(value), Some(result)) = (value, self.result) {
                    let value = self.value(*value)?;
                    self.ssa.write(result, value);
                }
                self.ssa.jump(Jump::Return);
                Ok(())
            }
            Statement::Store { pointer, value } => {
                let value = self.value(*value)?;
                match self.term(*pointer)? {
                    Term::Place(place) if self.bindings.contains(&place.var) => {
                        return Err(not_written(self.ssa.span()));
                    }
                    Term::Place(place) => self.store(&place, value),
                    Term::Memory(memory) => self.store_memory(memory, value),
                    Term::Value(_) => return self.refuse("this pointer"),
                }
                Ok(())
            }
            Statement::Call { function, arguments, result } => self.call(*function, arguments, *result, span),
            Statement::Kill => self.refuse("`discard`"),
            Statement::ControlBarrier(_) | Statement::MemoryBarrier(_) => self.refuse("a barrier"),
            Statement::Atomic { .. } => self.refuse("an atomic operation"),
            Statement::ImageStore { .. } | Statement::ImageAtomic { .. } => self.refuse("a texture"),
            Statement::WorkGroupUniformLoad { .. } => self.refuse("a workgroup variable"),
            Statement::SubgroupBallot { .. }
            | Statement::SubgroupGather { .. }
            | Statement::SubgroupCollectiveOperation { .. } => self.refuse("a subgroup operation"),
            Statement::RayQuery { .. } | Statement::RayPipelineFunction(_) => self.refuse("ray tracing"),
            Statement::CooperativeStore { .. } => self.refuse("a cooperative matrix"),
        }
    }

    fn switch(&mut self, selector: Expr, cases: &'a [SwitchCase]) -> Result<(), Refused> {
        let selector = self.value(selector)?;
        let target = self.ssa.begin_switch(selector);
        self.open.push(Open { target, kind: OpenKind::Switch });
        // `case 1, 2, default: body` comes as cases without a body that fall through to the last.
        let mut values = Vec::new();
        let mut is_default = false;
        for case in cases {
            match case.value {
                SwitchValue::I32(value) => values.push(i64::from(value)),
                SwitchValue::U32(value) => values.push(i64::from(value)),
                SwitchValue::Default => is_default = true,
            }
            if case.fall_through && case.body.is_empty() {
                continue;
            }
            let values = std::mem::take(&mut values);
            self.ssa.begin_case((!std::mem::take(&mut is_default)).then_some(values));
            self.block(&case.body)?;
            if case.fall_through && self.ssa.reach() {
                return self.refuse("a case that falls through");
            }
        }
        self.open.pop();
        self.ssa.end_switch();
        Ok(())
    }

    fn call(
        &mut self,
        function: Handle<naga::Function>,
        arguments: &[Expr],
        result: Option<Expr>,
        span: naga::Span,
    ) -> Result<(), Refused> {
        let Some(callee) = self.lowered.get(&function) else {
            return self.refuse("a call of a function that was left out");
        };
        let results = self.module.functions[callee.id].results.clone();
        let mut values = Vec::with_capacity(arguments.len());
        let mut places: Vec<Place> = Vec::new();
        for (&argument, direction) in arguments.iter().zip(&callee.directions) {
            match self.term(argument)? {
                Term::Value(value) => values.push(value),
                Term::Memory(_) => return self.refuse("a pointer into a binding here"),
                Term::Place(place) => {
                    if direction.reads() {
                        values.push(self.load(&place));
                    }
                    if direction.writes() {
                        if places.iter().any(|other| other.var == place.var) {
                            return Err(aliased(self.origin.span(span)));
                        }
                        places.push(place);
                    }
                }
            }
        }
        for id in &callee.globals.bindings {
            let whole = self.ssa.read(self.globals[id]);
            values.extend(globals::taken_apart(self.origin, &mut self.ssa, *id, whole));
        }
        for id in &callee.globals.privates {
            let var = self.globals[id];
            values.push(self.ssa.read(var));
            places.push(Place { var, path: Vec::new() });
        }
        let results = self.ssa.call(callee.id, &results, &values);
        let (returned, written) = results.split_at(results.len() - places.len());
        for (place, &value) in places.iter().zip(written) {
            self.store(place, value);
        }
        if let (Some(result), Some(&returned)) = (result, returned.first()) {
            self.define(result, Term::Value(returned));
        }
        Ok(())
    }

    // ---- Loops ----

    fn repeat(&mut self, body: &'a Block, ending: Ending<'a>, span: naga::Span) -> Result<(), Refused> {
        let target = self.ssa.begin_loop(LoopHints::default());
        let copies = ending_needs_body(self.source, body, ending);
        let kind = if copies { OpenKind::LoopWithCopies(ending) } else { OpenKind::Loop };
        self.open.push(Open { target, kind });
        self.declare_locals(body)?;
        let mut statements = body.span_iter();
        if let Some(head) = find_head(self.origin, self.source, body, ending) {
            for (statement, &span) in statements.by_ref().take(head.len) {
                self.enter_span(span);
                self.statement(statement, span)?;
            }
            statements.next();
            let condition = self.value(head.condition)?;
            let condition = if head.negated { self.ssa.not(condition) } else { condition };
            self.ssa.loop_body(Some(condition));
        } else {
            self.ssa.loop_body(None);
        }
        for (statement, &span) in statements {
            self.statement_at(statement, span)?;
        }
        if copies {
            if self.ssa.reach() {
                self.end_turn(target, ending)?;
            }
        } else if self.ssa.loop_step() {
            self.end_turn(target, ending)?;
        }
        self.open.pop();
        self.enter_span(span);
        self.ssa.end_loop();
        Ok(())
    }

    fn end_turn(&mut self, target: Target, ending: Ending<'a>) -> Result<(), Refused> {
        self.block(ending.continuing)?;
        if let Some(condition) = ending.break_if
            && self.ssa.reach()
        {
            let condition = self.value(condition)?;
            let goes_on = self.ssa.not(condition);
            self.ssa.break_unless(target, goes_on);
        }
        Ok(())
    }

    /// `continue`
    fn go_on(&mut self) -> Result<(), Refused> {
        let open = self.open.iter().rev().find(|open| !matches!(open.kind, OpenKind::Switch));
        let Some(Open { target, kind }) = open else {
            return self.refuse("a `continue` outside loops");
        };
        let target = *target;
        if let OpenKind::LoopWithCopies(ending) = *kind {
            self.end_turn(target, ending)?;
        }
        if self.ssa.reach() {
            self.ssa.jump(Jump::Continue(target));
        }
        Ok(())
    }
}

fn aliased(span: Span) -> Refused {
    let message = "two pointers to one variable are not supported in a call";
    Box::new(
        Diagnostic::error(Code::UnsupportedFeature, message)
            .at(span, "both may be written here")
            .help("pass the variable once, or copies of its parts"),
    )
}

/// The condition at the start of a loop's body: the first statements evaluate it, the next one breaks on it.
struct Head {
    len: usize,
    condition: Expr,
    /// The loop goes on while the condition does *not* hold.
    negated: bool,
}

/// Finds `if (condition) {} else { break; }` (so come `while` and `for`) or `if (condition) { break; }` behind
/// statements of which nothing else makes use.
fn find_head(
    origin: &Origin<'_>,
    function: &naga::Function,
    body: &Block,
    ending: Ending<'_>,
) -> Option<Head> {
    let is_break = |block: &Block| matches!(block[..], [Statement::Break]);
    let mut head = None;
    for (len, statement) in body.iter().enumerate() {
        match statement {
            Statement::If { condition, accept, reject } if accept.is_empty() && is_break(reject) => {
                head = Some(Head { len, condition: *condition, negated: false });
                break;
            }
            Statement::If { condition, accept, reject } if reject.is_empty() && is_break(accept) => {
                head = Some(Head { len, condition: *condition, negated: true });
                break;
            }
            _ if !runs_through(statement) || writes_outside(origin, function, statement) => break,
            _ => {}
        }
    }
    let head = head?;
    let mut made = FxHashSet::default();
    let mut stored = FxHashSet::default();
    for statement in &body[..head.len] {
        let mut see = |statement: &Statement| {
            uses::defined(statement, &mut |handle| {
                made.insert(handle);
            });
            uses::of_statement(function, statement, &mut |handle| {
                if let Expression::LocalVariable(local) = function.expressions[handle] {
                    stored.insert(local);
                }
            });
        };
        see(statement);
        uses::blocks(statement).into_iter().for_each(|block| uses::each_statement(block, &mut see));
    }
    // Locals the head merely reads may be used further on: those it assigns, the head's end tells.
    let assigned = assigned_locals(function, &body[..head.len]);
    stored.retain(|local| assigned.contains(local));
    let mut shared = false;
    let mut check = |handle: Expr| {
        let of_head = match function.expressions[handle] {
            Expression::LocalVariable(local) => stored.contains(&local),
            _ => made.contains(&handle),
        };
        shared |= of_head;
    };
    for statement in &body[head.len + 1..] {
        uses::of_statement(function, statement, &mut check);
        for block in uses::blocks(statement) {
            uses::each_statement(block, &mut |statement| uses::of_statement(function, statement, &mut check));
        }
    }
    uses::each_statement(ending.continuing, &mut |statement| {
        uses::of_statement(function, statement, &mut check)
    });
    ending.break_if.into_iter().for_each(check);
    (!shared).then_some(head)
}

/// Locals that statements may assign, by name or by a pointer made there.
fn assigned_locals(
    function: &naga::Function,
    statements: &[Statement],
) -> FxHashSet<Handle<naga::LocalVariable>> {
    let mut assigned = FxHashSet::default();
    let mut see = |statement: &Statement| match statement {
        Statement::Store { pointer, .. } => assigned.extend(root_local(function, *pointer)),
        Statement::Call { arguments, .. } => {
            assigned.extend(arguments.iter().filter_map(|&argument| root_local(function, argument)));
        }
        _ => {}
    };
    for statement in statements {
        see(statement);
        uses::blocks(statement).into_iter().for_each(|block| uses::each_statement(block, &mut see));
    }
    assigned
}

/// Whether a statement, or one within, changes something outside of functions.
fn writes_outside(origin: &Origin<'_>, function: &naga::Function, statement: &Statement) -> bool {
    let mut found = false;
    let mut see = |statement: &Statement| {
        found |= match statement {
            Statement::Store { pointer, .. } => root_global(function, *pointer).is_some(),
            Statement::Call { function, .. } => globals::writes(origin, *function),
            _ => false,
        }
    };
    see(statement);
    uses::blocks(statement).into_iter().for_each(|block| uses::each_statement(block, &mut see));
    found
}

/// The variable that a pointer leads into.
fn root(function: &naga::Function, mut pointer: Expr) -> &Expression {
    loop {
        match &function.expressions[pointer] {
            Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => pointer = *base,
            other => return other,
        }
    }
}

fn root_local(function: &naga::Function, pointer: Expr) -> Option<Handle<naga::LocalVariable>> {
    match root(function, pointer) {
        Expression::LocalVariable(local) => Some(*local),
        _ => None,
    }
}

pub fn root_global(function: &naga::Function, pointer: Expr) -> Option<GlobalId> {
    match root(function, pointer) {
        Expression::GlobalVariable(global) => Some(*global),
        _ => None,
    }
}

/// Whether a statement and those within never jump.
fn runs_through(statement: &Statement) -> bool {
    match statement {
        Statement::Emit(_) | Statement::Store { .. } | Statement::Call { .. } => true,
        Statement::If { accept, reject, .. } => accept.iter().chain(reject.iter()).all(runs_through),
        _ => false,
    }
}

/// Whether the end of a turn uses values that the body made. At a place where paths of the body meet these are
/// out of sight, so the end of the turn is then lowered on each path.
fn ending_needs_body(function: &naga::Function, body: &Block, ending: Ending<'_>) -> bool {
    if ending.continuing.is_empty() && ending.break_if.is_none() {
        return false;
    }
    let mut made = FxHashSet::default();
    uses::each_statement(body, &mut |statement| {
        uses::defined(statement, &mut |handle| {
            made.insert(handle);
        });
    });
    let mut needed = ending.break_if.is_some_and(|condition| made.contains(&condition));
    uses::each_statement(ending.continuing, &mut |statement| {
        uses::of_statement(function, statement, &mut |handle| needed |= made.contains(&handle));
    });
    needed
}

/// The element of a place's type a step leads to carries no derivative.
pub fn is_no_diff(ty: &Type, index: u32) -> bool {
    match ty {
        Type::Struct(structure) => structure.fields[index as usize].no_diff,
        _ => false,
    }
}
