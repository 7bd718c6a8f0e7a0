//! What a language says of a function's derivatives: which derivative it is, and which derivatives its author gave it.

use crate::{Direction, Field, FuncId, Function, Type};
use std::sync::Arc;

/// Which derivative of a function, as languages spell them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DerivativeMode {
    /// Tangents along with values.
    Forward,
    /// Cotangents of what goes in, from those of what comes out.
    Backward,
}

impl DerivativeMode {
    pub fn name(self) -> &'static str {
        match self {
            DerivativeMode::Forward => "forward",
            DerivativeMode::Backward => "backward",
        }
    }
}

/// A function that is a derivative of another one. It has no body until differentiation gives it one; its
/// signature is [`Derivatives::forward_signature`] or [`Derivatives::backward_signature`] of that function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Derived {
    pub of: FuncId,
    pub mode: DerivativeMode,
}

/// How a function's parameters and result differentiate, and the derivatives its author gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derivatives {
    /// The parameters as written, in order; what the function needs besides comes after.
    pub params: Vec<DerivativeParam>,
    /// `None` for void.
    pub result: Option<Differentiable>,
    /// How many of the last parameters are not written in the signature (a shader's globals): they have no
    /// derivative, and come last in the derivatives too.
    pub hidden: usize,
    /// Computes what the forward derivative does.
    pub forward: Option<FuncId>,
    /// Computes what the backward derivative does.
    pub backward: Option<FuncId>,
    /// Is differentiated in the function's place.
    pub substitute: Option<FuncId>,
    /// What is given is all there is: no derivative comes from the body. There may be none.
    pub given_only: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivativeParam {
    pub direction: Direction,
    pub value: Differentiable,
}

/// A type, and that of its tangents and cotangents where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differentiable {
    pub ty: Type,
    pub tangent: Option<Tangent>,
}

/// The type of tangents and cotangents (a vector space), and where each leaf's stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tangent {
    pub ty: Type,
    /// For each leaf of the primal type the leaf of `ty` that is its derivative, or repeats it where it is no float. What
    /// stands nowhere has none.
    pub leaves: Vec<Option<u32>>,
}

/// Types of parameters and of results, in the order of the IR.
pub type Signature = (Vec<Type>, Vec<Type>);

impl Differentiable {
    pub fn constant(ty: Type) -> Self {
        Self { ty, tangent: None }
    }

    /// For each leaf whether it has a derivative.
    pub fn active_leaves(&self) -> Vec<bool> {
        let types = self.ty.leaves();
        match &self.tangent {
            Some(tangent) => {
                types.iter().zip(&tangent.leaves).map(|(leaf, at)| leaf.is_float() && at.is_some()).collect()
            }
            None => vec![false; types.len()],
        }
    }

    /// For each leaf whether the type of tangents repeats it.
    pub fn repeated_leaves(&self) -> Vec<bool> {
        let types = self.ty.leaves();
        match &self.tangent {
            Some(tangent) => {
                types.iter().zip(&tangent.leaves).map(|(leaf, at)| !leaf.is_float() && at.is_some()).collect()
            }
            None => vec![false; types.len()],
        }
    }

    /// What forward derivatives take and give: a value and its tangent, or only a value.
    pub fn pair(&self) -> Type {
        self.tangent.as_ref().map_or_else(|| self.ty.clone(), |tangent| pair_type(&self.ty, &tangent.ty))
    }
}

/// A value and its tangent or cotangent.
pub fn pair_type(primal: &Type, tangent: &Type) -> Type {
    let field = |name: &str, ty: &Type| Field { name: Arc::from(name), ty: ty.clone(), no_diff: false };
    Type::structure("DifferentialPair", vec![field("p", primal), field("d", tangent)])
}

impl Derivatives {
    /// Whether calls must stay calls until differentiation has seen them.
    pub fn has_custom(&self) -> bool {
        self.forward.is_some() || self.backward.is_some() || self.substitute.is_some() || self.given_only
    }

    /// Whether anything that goes in or comes out has a tangent.
    pub fn has_tangents(&self) -> bool {
        self.params.iter().map(|param| &param.value).chain(&self.result).any(|value| value.tangent.is_some())
    }

    fn written(&self) -> &[DerivativeParam] {
        &self.params[..self.params.len() - self.hidden]
    }

    fn hidden(&self) -> &[DerivativeParam] {
        &self.params[self.params.len() - self.hidden..]
    }

    /// Each parameter keeps its direction; what is differentiable becomes a pair.
    pub fn forward_signature(&self) -> Signature {
        let read = self.params.iter().filter(|param| param.direction.reads());
        let written = self.params.iter().filter(|param| param.direction.writes());
        let results = self.result.iter().chain(written.map(|param| &param.value));
        (read.map(|param| param.value.pair()).collect(), results.map(Differentiable::pair).collect())
    }

    /// `in` and `inout` become `inout` pairs, `out` the cotangent that comes in; the result's cotangent is the last
    /// parameter. What has no derivative comes in if it did so.
    pub fn backward_signature(&self) -> Signature {
        let takes = |param: &DerivativeParam| match (&param.value.tangent, param.direction) {
            (Some(tangent), Direction::Out) => Some(tangent.ty.clone()),
            (None, Direction::Out) => None,
            _ => Some(param.value.pair()),
        };
        let seed = self.result.as_ref().and_then(|result| result.tangent.as_ref());
        let params = self.written().iter().filter_map(takes);
        let params = params.chain(seed.map(|tangent| tangent.ty.clone()));
        let params = params.chain(self.hidden().iter().filter_map(takes)).collect();
        let pairs =
            self.params.iter().filter(|param| param.direction.reads() && param.value.tangent.is_some());
        (params, pairs.map(|param| param.value.pair()).collect())
    }

    pub fn signature(&self, mode: DerivativeMode) -> Signature {
        match mode {
            DerivativeMode::Forward => self.forward_signature(),
            DerivativeMode::Backward => self.backward_signature(),
        }
    }

    /// For each leaf of the derivative's parameters the argument of the function that comes in there, counted in leaves
    /// of all; `None` for a tangent or a cotangent.
    pub fn primal_args(&self, mode: DerivativeMode) -> Vec<Option<usize>> {
        let mut out = Vec::new();
        let mut next = 0;
        let seed = |value: Option<&Differentiable>, out: &mut Vec<Option<usize>>| {
            let tangent = value.and_then(|value| value.tangent.as_ref());
            out.extend(tangent.iter().flat_map(|tangent| tangent.ty.leaves()).map(|_| None));
        };
        let result = self.result.as_ref().filter(|_| mode == DerivativeMode::Backward);
        for (index, param) in self.params.iter().enumerate() {
            if index == self.params.len() - self.hidden {
                seed(result, &mut out);
            }
            if param.direction.reads() {
                let leaves = param.value.ty.leaves().len();
                out.extend((next..next + leaves).map(Some));
                next += leaves;
            } else if mode == DerivativeMode::Forward {
                continue;
            }
            seed(Some(&param.value), &mut out);
        }
        if self.hidden == 0 {
            seed(result, &mut out);
        }
        out
    }

    /// The derivative of that mode that the author gave.
    pub fn custom(&self, mode: DerivativeMode) -> Option<FuncId> {
        match mode {
            DerivativeMode::Forward => self.forward,
            DerivativeMode::Backward => self.backward,
        }
    }

    /// What is wrong with it as the derivatives of a function.
    pub(crate) fn mismatch(&self, function: &Function) -> Option<String> {
        let types = |reads: fn(Direction) -> bool| {
            let used = self.params.iter().filter(move |param| reads(param.direction));
            used.map(|param| param.value.ty.clone())
        };
        let params: Vec<Type> = types(Direction::reads).collect();
        let results = self.result.iter().map(|result| result.ty.clone());
        let results: Vec<Type> = results.chain(types(Direction::writes)).collect();
        if self.hidden > self.params.len() || params != function.param_types() || results != function.results
        {
            return Some("its derivatives are of another signature".to_owned());
        }
        let values = self.params.iter().map(|param| &param.value).chain(&self.result);
        let mut tangents = values.filter_map(|value| Some((value, value.tangent.as_ref()?)));
        let fits = |(value, tangent): (&Differentiable, &Tangent)| {
            let (primal, dual) = (value.ty.leaves(), tangent.ty.leaves());
            primal.len() == tangent.leaves.len()
                && primal
                    .iter()
                    .zip(&tangent.leaves)
                    .all(|(leaf, at)| at.is_none_or(|at| dual.get(at as usize) == Some(leaf)))
        };
        (!tangents.all(fits)).then(|| "a tangent has not its primal's leaves".to_owned())
    }
}

impl Differentiable {
    /// As a parameter of a derivative: a pair, whose tangent is the pair of the tangents.
    fn of_pair(&self) -> Differentiable {
        let Some(tangent) = &self.tangent else { return self.clone() };
        let size = tangent.ty.leaves().len() as u32;
        let dual = tangent.of_tangent();
        let second =
            dual.tangent.iter().flat_map(|dual| &dual.leaves).map(|leaf| leaf.map(|leaf| leaf + size));
        let leaves = tangent.leaves.iter().copied().chain(second).collect();
        Differentiable {
            ty: self.pair(),
            tangent: Some(Tangent { ty: pair_type(&tangent.ty, &tangent.ty), leaves }),
        }
    }
}

impl Tangent {
    /// For each leaf of `ty` the leaf of the primal type whose derivative it is, or that it repeats, if there is one.
    pub fn parts(&self) -> Vec<Option<usize>> {
        let mut parts = vec![None; self.ty.leaves().len()];
        for (leaf, part) in self.leaves.iter().enumerate().filter_map(|(leaf, part)| Some((leaf, (*part)?))) {
            parts[part as usize] = Some(leaf);
        }
        parts
    }

    /// Tangents are their own tangents, which repeat what those repeat.
    fn of_tangent(&self) -> Differentiable {
        let leaves = self.ty.leaves();
        let leaves = leaves.iter().zip(self.parts()).zip(0..);
        let leaves = leaves
            .map(|((leaf, part), index)| (leaf.is_float() || part.is_some()).then_some(index))
            .collect();
        Differentiable { ty: self.ty.clone(), tangent: Some(Tangent { ty: self.ty.clone(), leaves }) }
    }
}

impl Derivatives {
    /// How a derivative of the function differentiates itself.
    pub fn of_derivative(&self, mode: DerivativeMode) -> Derivatives {
        let param = |param: &DerivativeParam| match (mode, param.direction, &param.value.tangent) {
            (DerivativeMode::Forward, direction, _) => {
                Some(DerivativeParam { direction, value: param.value.of_pair() })
            }
            (_, Direction::Out, None) => None,
            (_, Direction::Out, Some(tangent)) => {
                Some(DerivativeParam { direction: Direction::In, value: tangent.of_tangent() })
            }
            (_, _, None) => Some(DerivativeParam { direction: Direction::In, value: param.value.clone() }),
            (_, _, Some(_)) => {
                Some(DerivativeParam { direction: Direction::InOut, value: param.value.of_pair() })
            }
        };
        let seed = self.result.as_ref().and_then(|result| result.tangent.as_ref());
        let seed = seed.filter(|_| mode == DerivativeMode::Backward);
        let seed = seed.map(|seed| DerivativeParam { direction: Direction::In, value: seed.of_tangent() });
        let hidden: Vec<DerivativeParam> = self.hidden().iter().filter_map(param).collect();
        let params = self.written().iter().filter_map(param).chain(seed);
        let result = self.result.as_ref().filter(|_| mode == DerivativeMode::Forward);
        Derivatives {
            hidden: hidden.len(),
            params: params.chain(hidden).collect(),
            result: result.map(Differentiable::of_pair),
            forward: None,
            backward: None,
            substitute: None,
            given_only: false,
        }
    }
}
