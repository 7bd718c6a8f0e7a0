//! One declaration of a function, taken apart into the slots that arguments fill.

use crate::error::Error;
use crate::slot::{GLOBAL, Slot, accepted, slots};
use crate::source::Source;
use pullback_autodiff::VjpRequest;
use pullback_base::Span;
use pullback_ir as ir;
use pullback_ir::visit::has_calls;
use pullback_ir::{Direction, FuncId, Interface, InterfaceParam, Roots, Type};
use std::sync::{Arc, OnceLock};

/// One declaration, taken apart into slots.
pub struct Overload {
    origin: Origin,
    pub interface: Interface,
    /// What a call gives it: its parameters, then its globals (see [`GLOBAL`]). A derivative has those of what it is of
    /// among its parameters.
    pub arguments: Vec<InterfaceParam>,
    /// Per argument: its slots among the flattened parameters (none for `out`), then among the flattened results
    /// (none for `in`). `None` when a part of its type cannot be an argument.
    pub params: Vec<Option<ParamSlots>>,
    /// The return value's slots.
    pub returned: Option<Vec<Slot>>,
    /// Arguments that must be whole arrays alike: one, and what is of its derivatives.
    pub alike: Vec<(String, String)>,
    primal: OnceLock<Result<Arc<ir::Function>, Error>>,
    flat: OnceLock<Result<Arc<ir::Function>, Error>>,
}

/// Where a declaration comes from.
enum Origin {
    Written(FuncId),
    /// What makes the function as differentiation takes it.
    Derived(Box<Make>),
}

type Make = dyn Fn(&Source) -> Result<ir::Function, Error> + Send + Sync;

pub struct ParamSlots {
    pub inputs: Vec<Slot>,
    pub outputs: Vec<Slot>,
}

impl Overload {
    pub fn new(id: FuncId, interface: &Interface) -> Self {
        Self::of(Origin::Written(id), interface.clone(), Vec::new())
    }

    /// A function that is made of others, as differentiation takes it, when it is first called.
    pub fn derived(
        interface: Interface,
        alike: Vec<(String, String)>,
        primal: impl Fn(&Source) -> Result<ir::Function, Error> + Send + Sync + 'static,
    ) -> Self {
        Self::of(Origin::Derived(Box::new(primal)), interface, alike)
    }

    fn of(origin: Origin, interface: Interface, alike: Vec<(String, String)>) -> Self {
        let returned = match &interface.result {
            Some(ty) => slots("result", ty, interface.result_no_diff, 0)
                .filter(|slots| slots.iter().all(|slot| slot.whole.is_none())),
            None => Some(Vec::new()),
        };
        let mut next_result = interface.result.as_ref().map_or(0, |ty| ty.leaves().len());
        let mut next_param = 0;
        let globals = interface.globals.iter().map(|global| InterfaceParam {
            name: format!("{GLOBAL}{}", global.name).into(),
            ty: global.ty.clone(),
            direction: Direction::In,
            no_diff: false,
            default: None,
            span: global.span,
        });
        let arguments: Vec<InterfaceParam> = interface.params.iter().cloned().chain(globals).collect();
        let mut params = Vec::new();
        for param in &arguments {
            let count = param.ty.leaves().len();
            let at = |first: usize| slots(&param.name, &param.ty, param.no_diff, first);
            let inputs = if param.direction.reads() { at(next_param) } else { Some(Vec::new()) };
            // What takes a whole array is written where it points, not given back.
            let given_back = |slots: &Vec<Slot>| slots.iter().all(|slot| slot.whole.is_none());
            let outputs = match param.direction.writes() {
                true => at(next_result).filter(given_back),
                false => Some(Vec::new()),
            };
            next_param += if param.direction.reads() { count } else { 0 };
            next_result += if param.direction.writes() { count } else { 0 };
            params.push(inputs.zip(outputs).map(|(inputs, outputs)| ParamSlots { inputs, outputs }));
        }
        Self {
            origin,
            interface,
            arguments,
            params,
            returned,
            alike,
            primal: OnceLock::new(),
            flat: OnceLock::new(),
        }
    }

    /// Whether it is made of another.
    pub fn is_derived(&self) -> bool {
        matches!(self.origin, Origin::Derived(_))
    }

    /// The slots of the flattened parameters, in order.
    pub fn inputs(&self) -> impl Iterator<Item = &Slot> {
        self.params.iter().flatten().flat_map(|param| &param.inputs)
    }

    /// The slots of the flattened results, in order.
    pub fn outputs(&self) -> impl Iterator<Item = &Slot> {
        let returned = self.returned.iter().flatten();
        returned.chain(self.params.iter().flatten().flat_map(|param| &param.outputs))
    }

    /// Where the function is declared, as far as that is known.
    pub fn span(&self) -> Span {
        self.interface.params.first().map_or(Span::NONE, |param| param.span)
    }

    /// The function as written, as text; in scalar form for a derivative.
    pub fn text(&self, source: &Source) -> Result<String, Error> {
        match self.origin {
            Origin::Written(id) => Ok(source.ir.functions[id].to_string()),
            Origin::Derived(_) => Ok(self.flat(source)?.to_string()),
        }
    }

    /// `polynomial(a: float32, b: float32)`, for messages.
    pub fn describe(&self) -> String {
        let params: Vec<String> =
            self.interface.params.iter().map(|p| format!("{}: {}", p.name, accepted(&p.ty))).collect();
        format!("{}({})", self.interface.name, params.join(", "))
    }

    /// For each flattened parameter whether the function, or a derivative of it, may write what it points to.
    pub fn written(&self, source: &Source) -> Result<Vec<bool>, Error> {
        let flat = self.flat(source)?;
        let mut written = Roots::of(&flat).written(&flat);
        let primal = self.primal(source)?;
        if has_calls(&primal.body) {
            // Derivatives that are derived write nothing, those that an author gave may.
            let floats = |types: &[Type]| types.iter().map(Type::is_float).collect::<Vec<_>>();
            let (params, results) = (floats(&primal.param_types()), floats(&primal.results));
            let request = VjpRequest::new(params.clone(), results);
            let derived = [source.jvp(&primal, params), source.vjp(&primal, &request)];
            for derived in derived {
                match derived.and_then(|derived| source.expanded(derived)) {
                    Ok(derived) => {
                        let by_derived = Roots::of(&derived).written(&derived);
                        written.iter_mut().zip(by_derived).for_each(|(written, also)| *written |= also);
                    }
                    // Part of it may be derived all the same.
                    Err(_) => written.fill(true),
                }
            }
        }
        Ok(written)
    }

    /// The function as differentiation takes it: in scalar form with a flat signature, with calls of functions that have
    /// derivatives of their authors'.
    pub fn primal(&self, source: &Source) -> Result<Arc<ir::Function>, Error> {
        let make = || {
            let primal = match &self.origin {
                Origin::Written(id) => pullback_passes::primal(&source.ir, *id)
                    .map_err(|diagnostics| source.error(diagnostics))?,
                Origin::Derived(make) => make(source)?,
            };
            Ok(Arc::new(primal))
        };
        self.primal.get_or_init(make).clone()
    }

    /// The function in scalar form with a flat signature, without calls.
    pub fn flat(&self, source: &Source) -> Result<Arc<ir::Function>, Error> {
        let flatten = || {
            let primal = self.primal(source)?;
            source.expanded(ir::Function::clone(&primal)).map(Arc::new)
        };
        self.flat.get_or_init(flatten).clone()
    }
}
