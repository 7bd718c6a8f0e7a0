//! Values of an interface's type: a tag that says which conforming type is inside, and room for each of them. A call of what the
//! interface asks for switches over the tag, and so does a call of a generic function with such a value; the tag 0 is nothing,
//! whose answers are zero.

use super::Lowerer;
use super::function::FunctionLowerer;
use crate::slang::check::Instance;
use crate::slang::check::program::{FnId, InterfaceRef, Role};
use crate::slang::check::types::{Arg, Subst, Ty};
use crate::ssa::{Ssa, Var};
use pullback_base::{Scalar, bug};
use pullback_ir::{Constant, Direction, Field, Function, FunctionKind, Op, Type, Value};

impl Lowerer<'_> {
    /// `{ tag, first type, second type, ... }`
    pub fn union(&mut self, interface: &InterfaceRef) -> Vec<Field> {
        let field = |name: &str, ty: Type| Field { name: name.into(), ty, no_diff: false };
        let mut fields = vec![field("tag", Type::Scalar(Scalar::U32))];
        for (index, ty) in self.program.conforming(interface).iter().enumerate() {
            let ty = self.stored_ty(ty, &Subst::default());
            fields.push(field(&format!("as_{}", index + 1), ty));
        }
        fields
    }

    /// What an instance chooses among, where a value of an interface's type tells which function runs.
    pub fn dispatched(&self, id: FnId, args: &[Arg]) -> Option<Dispatch> {
        let dispatch = self.program.dispatch(id, args)?;
        let answers = dispatch.answers.into_iter().map(|answer| match answer {
            Some(answer) => answer,
            None => bug!("lower", "a type does not give `{}`", self.program.functions[id].qualified),
        });
        Some(Dispatch { interface: dispatch.interface, object: dispatch.object, answers: answers.collect() })
    }
}

/// What a value of an interface's type chooses among.
pub struct Dispatch {
    interface: InterfaceRef,
    /// The parameter that is the value; `None` for the object of a requirement, which comes before the parameters.
    object: Option<usize>,
    /// For each conforming type what runs.
    pub answers: Vec<Instance>,
}

impl Dispatch {
    /// Whether the object of a requirement tells, which is none of the parameters.
    pub fn is_by_object(&self) -> bool {
        self.object.is_none()
    }

    pub fn object_ty(&self) -> Ty {
        Ty::Interface(self.interface.clone())
    }

    /// How the object comes, where it is none of the parameters.
    pub fn object_direction(&self, role: Role) -> Option<Direction> {
        let mutates = role == Role::Method { mutating: true };
        self.is_by_object().then_some(if mutates { Direction::InOut } else { Direction::In })
    }
}

/// The variables of a function that dispatches.
struct Frame {
    /// What the value holds when the function begins.
    object: Value,
    /// Its variable.
    this: Var,
    params: Vec<(Var, Direction)>,
    result_ty: Ty,
}

/// The function that finds the conforming type and calls what is meant for it.
pub fn lower(lowerer: &mut Lowerer<'_>, id: FnId, args: &[Arg], name: &str, dispatch: Dispatch) -> Function {
    let program = lowerer.program;
    let decl = &program.functions[id];
    let signature = lowerer.signature(id);
    let globals = lowerer.globals_of(id, args);
    let mut function = super::entry::start(lowerer, name, FunctionKind::Plain, decl.ast.name.span);
    function.subst = signature.generics.iter().copied().zip(args.iter().cloned()).collect();

    let direction = dispatch.object_direction(decl.role);
    let union = function.ty(&Ty::Interface(dispatch.interface));
    let before = direction.map(|_| {
        let object = function.ssa.param(union, "this");
        function.ssa.declare_with(object, Some("this"))
    });
    let result_ty = signature.result.subst(program, &function.subst);
    function.result = (result_ty != Ty::Void).then(|| {
        let ty = function.ty(&result_ty);
        function.declare(ty, None)
    });
    let mut params: Vec<(Var, Direction)> = Vec::new();
    // A method that a parameter chooses an instance of has its own object before the parameters.
    if let (Some(_), Role::Method { mutating }, Some(owner)) = (dispatch.object, decl.role, decl.owner) {
        let subst = function.subst.clone();
        let ty = function.lowerer.this_ty(owner, &subst);
        let this = function.ssa.param(ty, "this");
        let direction = if mutating { Direction::InOut } else { Direction::In };
        params.push((function.ssa.declare_with(this, Some("this")), direction));
    }
    let first = params.len();
    for param in &signature.params {
        let ty = function.ty(&param.ty);
        let var = if param.direction.reads() {
            let value = function.ssa.param(ty, &param.name);
            function.ssa.declare_with(value, Some(&param.name))
        } else {
            function.declare(ty, Some(&param.name))
        };
        params.push((var, param.direction));
    }
    let written_globals = function.global_params(&globals);
    let Some(this) = before.or_else(|| params.get(first + dispatch.object?).map(|(var, _)| *var)) else {
        bug!("lower", "`{name}` has no object to choose by")
    };
    let frame = Frame { object: function.ssa.read(this), this, params, result_ty };
    let tag = function.ssa.extract(frame.object, 0);
    function.ssa.begin_switch(tag);
    for (field, answer) in (1..).zip(dispatch.answers) {
        function.ssa.begin_case(Some(vec![i64::from(field)]));
        function.case(&frame, field, answer, direction.is_some());
    }
    function.ssa.end_switch();
    let object = before.filter(|_| direction.is_some_and(Direction::writes));
    let written = frame.params.iter().filter(|(_, direction)| direction.writes()).map(|(var, _)| *var);
    let results: Vec<Var> =
        function.result.into_iter().chain(object).chain(written).chain(written_globals).collect();
    function.ssa.finish(&results)
}

impl FunctionLowerer<'_, '_> {
    /// The case of the conforming type that is the field `field` of the object, which comes before the parameters or is one.
    fn case(&mut self, frame: &Frame, field: u32, (witness, generics): Instance, is_before: bool) {
        let program = self.lowerer.program;
        let payload = self.ssa.extract(frame.object, field);
        let role = program.functions[witness].role;
        let takes_object = is_before && matches!(role, Role::Method { .. });
        let mut values: Vec<Value> = takes_object.then_some(payload).into_iter().collect();
        for (var, _) in frame.params.iter().filter(|(_, direction)| direction.reads()) {
            values.push(if *var == frame.this { payload } else { self.ssa.read(*var) });
        }
        let given = self.lowerer.signature(witness);
        let subst: Subst = given.generics.iter().copied().zip(generics.iter().cloned()).collect();
        let given_ty = given.result.subst(program, &subst);
        let mut results = self.call_function(witness, generics, &values).into_iter();
        let mut next = || match results.next() {
            Some(value) => value,
            None => bug!("lower", "a call lost a result"),
        };
        if let Some(result) = self.result {
            let value = self.erased(next(), &given_ty, &frame.result_ty);
            self.ssa.write(result, value);
        }
        let changes_object = takes_object && role == (Role::Method { mutating: true });
        let object = changes_object.then_some(frame.this);
        let written = frame.params.iter().filter(|(_, direction)| direction.writes()).map(|(var, _)| *var);
        for var in object.into_iter().chain(written) {
            let value = next();
            let whole = match var == frame.this {
                true => {
                    let union = self.ssa.ty(frame.object).clone();
                    let value = self.as_element(value, &union, field);
                    self.ssa.op(Op::Insert(field), &[frame.object, value])
                }
                false => value,
            };
            self.ssa.write(var, whole);
        }
    }
}

/// The value as one of the type `to`, which may be the type of an interface.
fn erase(lowerer: &mut Lowerer<'_>, ssa: &mut Ssa, value: Value, from: &Ty, to: &Ty) -> Value {
    let Ty::Interface(interface) = to else { return value };
    if from == to {
        return value;
    }
    let union = lowerer.ty(to, &Subst::default());
    if let Ty::Interface(inner) = from {
        return widen(lowerer, ssa, value, inner, interface, union);
    }
    let conforming = lowerer.program.conforming(interface);
    let Some(index) = conforming.iter().position(|ty| ty == from) else {
        bug!("lower", "{from:?} is not among the conforming types")
    };
    wrap(ssa, value, index, union)
}

fn wrap(ssa: &mut Ssa, value: Value, index: usize, union: Type) -> Value {
    let nothing = ssa.zero(&union);
    let tag = ssa.constant(Constant::int(Scalar::U32, index as i64 + 1));
    let tagged = ssa.op(Op::Insert(0), &[nothing, tag]);
    ssa.op(Op::Insert(index as u32 + 1), &[tagged, value])
}

/// From one interface to another that its types conform to as well.
fn widen(
    lowerer: &mut Lowerer<'_>,
    ssa: &mut Ssa,
    value: Value,
    from: &InterfaceRef,
    to: &InterfaceRef,
    union: Type,
) -> Value {
    let (inner, outer) = (lowerer.program.conforming(from), lowerer.program.conforming(to));
    let widened = ssa.declare(union.clone(), None);
    let tag = ssa.extract(value, 0);
    ssa.begin_switch(tag);
    for (index, ty) in inner.iter().enumerate() {
        let Some(place) = outer.iter().position(|other| other == ty) else { continue };
        ssa.begin_case(Some(vec![index as i64 + 1]));
        let payload = ssa.extract(value, index as u32 + 1);
        let wrapped = wrap(ssa, payload, place, union.clone());
        ssa.write(widened, wrapped);
    }
    ssa.end_switch();
    ssa.read(widened)
}

impl FunctionLowerer<'_, '_> {
    /// The value as one of an interface's type.
    pub fn erased(&mut self, value: Value, from: &Ty, to: &Ty) -> Value {
        let program = self.lowerer.program;
        let (from, to) = (from.subst(program, &self.subst), to.subst(program, &self.subst));
        let value = match to {
            Ty::Interface(_) => {
                let stored = self.stored_ty(&from);
                self.fitted(value, &stored)
            }
            _ => value,
        };
        erase(self.lowerer, &mut self.ssa, value, &from, &to)
    }
}
