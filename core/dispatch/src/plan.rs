//! A plan: the compiled call kernel of one signature and geometry class, with its layout.

use crate::bind::{self, Binding, Target};
use crate::context::Context;
use crate::error::Error;
use crate::exact_sums::exact_sums;
use crate::kernel;
use crate::layout::{Access, Feed, FeedFrom, Gathering, Role, Sink, SinkInto};
use crate::mode::Mode;
use crate::overload::Overload;
use crate::ports::Leaves;
use crate::slot::Slot;
use crate::source::Source;
use crate::vectorize::{Extent, Geometry, Reach};
use pullback_autodiff as autodiff;
use pullback_base::DType;
use pullback_device::LoadedKernel;
use pullback_ir::{Constant, Function, Type, Value};
use smallvec::SmallVec;
use std::sync::Arc;

/// What of a geometry the call kernel depends on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlanKey(SmallVec<[u8; 24]>);

impl PlanKey {
    pub fn of(geometry: &Geometry, with_extents: bool) -> Self {
        let mut bytes = SmallVec::new();
        bytes.push(geometry.dims.len() as u8);
        for walk in &geometry.walks {
            let extent = if with_extents { walk.extent as u8 } else { 0 };
            bytes.push(walk.reach as u8 | u8::from(walk.element_strides.is_some()) << 2 | extent << 3);
        }
        PlanKey(bytes)
    }
}

/// A gradient asked for: input by place in the binding, argument leaf, and field where that is an array of its own.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub input: usize,
    pub leaf: usize,
    pub field: Option<usize>,
}

pub struct Plan {
    pub kernel: LoadedKernel,
    pub sizes_first: bool,
    pub feeds: Vec<Feed>,
    pub sinks: Vec<Sink>,
    /// Whether gradients of gathers are exact sums.
    pub exact_sums: bool,
}

/// What a call computes, short of arrays.
struct Derived {
    callee: Arc<Function>,
    /// Feeds after those of the inputs.
    cotangents: Vec<Feed>,
    sinks: Vec<Sink>,
}

/// Everything a plan is built from.
pub struct Blueprint<'a, 'l> {
    pub source: &'a Source,
    pub overload: &'a Overload,
    pub binding: &'a Binding,
    pub geometry: &'a Geometry,
    pub leaves: &'a Leaves<'l>,
    pub mode: Mode<'a>,
    /// Whether gradients of gathers are exact sums.
    pub deterministic: bool,
    pub wanted: &'a [Wanted],
    /// Walk of each input that is an array.
    pub input_walks: &'a [Option<usize>],
    /// Walk of each output that has an array already.
    pub output_walks: &'a [Option<usize>],
    /// Walk of each returned result's cotangent.
    pub cotangent_walks: &'a [Option<usize>],
}

impl Plan {
    pub fn build(blueprint: &Blueprint<'_, '_>) -> Result<Plan, Error> {
        let context: &Context = &blueprint.source.context;
        let flat = blueprint.overload.flat(blueprint.source)?;
        let derived = blueprint.derive(flat.clone())?;
        let mut feeds: Vec<Feed> =
            (0..blueprint.binding.inputs.len()).map(|input| blueprint.input_feed(&flat, input)).collect();
        feeds.extend(derived.cotangents);
        let sinks = derived.sinks;
        let dims = blueprint.geometry.dims.len();
        let strided = |access: &Access| access.reach == Reach::Strided;
        let sizes_first = dims > 1
            && (feeds.iter().any(|f| matches!(&f.from, FeedFrom::Array(_, access) if strided(access)))
                || sinks.iter().any(|s| matches!(&s.into, SinkInto::Array(access) if strided(access))));
        let module = kernel::build(&derived.callee, dims, sizes_first, &feeds, &sinks);
        Ok(Plan {
            kernel: context.compile(module)?,
            sizes_first,
            feeds,
            sinks,
            exact_sums: blueprint.deterministic,
        })
    }
}

impl Blueprint<'_, '_> {
    fn input_feed(&self, flat: &Function, input: usize) -> Feed {
        let bound = &self.binding.inputs[input];
        let from = match (&bound.source, self.input_walks[input]) {
            (bind::Source::Default(leaves), _) => FeedFrom::Constants(leaves.clone()),
            _ if bound.slot.whole.is_some() => {
                let params = &flat.params[bound.slot.leaves.clone()];
                FeedFrom::Whole(params.iter().map(|&param| flat.ty(param).clone()).collect())
            }
            (_, None) => FeedFrom::Numbers,
            (source, Some(walk)) => {
                let array = match source {
                    bind::Source::Leaf(leaf) => self.leaves.array(*leaf),
                    _ => None,
                };
                let memory = array.map_or(bound.slot.dtype, |array| array.dtype);
                FeedFrom::Array(walk, Access::of(&self.geometry.walks[walk], memory))
            }
        };
        Feed { dtype: bound.slot.dtype, element_shape: bound.slot.element_shape.clone(), from }
    }

    /// The function the kernel calls, and what becomes of its results.
    fn derive(&self, flat: Arc<Function>) -> Result<Derived, Error> {
        if let Mode::Recorded { wrt } = self.mode {
            self.check_derivative(&flat, wrt)?;
        }
        if let Mode::Forward { .. } | Mode::Recorded { .. } = self.mode {
            return Ok(Derived { callee: flat, cotangents: Vec::new(), sinks: self.result_sinks() });
        }
        let (request, seeds) = self.vjp_request(&flat);
        let keep_results = request.keep_results;
        let derived = self.vjp(&request)?;
        let mut sinks = if keep_results { self.result_sinks() } else { Vec::new() };
        let first = if keep_results { flat.results.len() } else { 0 };
        let first_gradient = sinks.len();
        self.gradient_sinks(first, first_gradient, &mut sinks);
        let cotangents = self.gathered_feeds(&flat, first_gradient).into_iter().chain(seeds).collect();
        Ok(Derived { callee: Arc::new(derived), cotangents, sinks })
    }

    /// Where the derived function adds up the gradients of whole arrays, in the order of the flattened parameters.
    fn gathered_feeds(&self, flat: &Function, first_output: usize) -> Vec<Feed> {
        let wanted = self.wanted.iter().enumerate().map(|(place, wanted)| {
            let into = match wanted.field {
                Some(_) => Gathering::Packed(wanted.input),
                None => Gathering::Output(first_output + place),
            };
            (into, &self.binding.inputs[wanted.input].slot)
        });
        let mut gathered: Vec<(Gathering, &Slot)> = wanted.filter(|(_, slot)| slot.whole.is_some()).collect();
        gathered.sort_by_key(|(_, slot)| slot.leaves.start);
        gathered.dedup_by_key(|(_, slot)| slot.leaves.start); // fields are packed together
        let feed = |(into, slot): (Gathering, &Slot)| Feed {
            dtype: slot.dtype,
            element_shape: slot.element_shape.clone(),
            from: FeedFrom::Gathered(into, flat.ty(flat.params[slot.leaves.start]).clone()),
        };
        gathered.into_iter().map(feed).collect()
    }

    /// What is asked of reverse mode, and where the cotangents come from.
    pub fn vjp_request(&self, flat: &Function) -> (autodiff::VjpRequest, Vec<Feed>) {
        let keep_results = matches!(self.mode, Mode::ValueAndGrad { .. });
        let of_sum = keep_results || matches!(self.mode, Mode::Gradient { .. });
        let mut active_params = vec![false; flat.params.len()];
        for wanted in self.wanted {
            active_params[self.binding.inputs[wanted.input].slot.active_leaves()].fill(true);
        }
        let mut seeded_results = vec![false; flat.results.len()];
        let mut cotangents = Vec::new();
        for output in &self.binding.outputs {
            let Target::Returned(index) = output.target else { continue };
            let from = match self.cotangent_walks.get(index).copied().flatten() {
                _ if output.slot.no_diff => continue,
                Some(walk) => {
                    FeedFrom::Array(walk, Access::of(&self.geometry.walks[walk], output.slot.dtype))
                }
                None if of_sum => FeedFrom::Constants(vec![
                    Constant::float(output.slot.dtype, 1.0);
                    output.slot.leaf_count()
                ]),
                None => continue,
            };
            seeded_results[output.slot.leaves.clone()].fill(true);
            let element_shape = output.slot.element_shape.clone();
            cotangents.push(Feed { dtype: output.slot.dtype, element_shape, from });
        }
        let plain = autodiff::VjpRequest::new(active_params, seeded_results);
        let request = autodiff::VjpRequest { keep_results, ..plain };
        (request, cotangents)
    }

    /// The derived function, without calls. It adds to accumulators where the call is to be deterministic.
    pub fn vjp(&self, request: &autodiff::VjpRequest) -> Result<Function, Error> {
        let primal = self.overload.primal(self.source)?;
        let derived = self.source.expanded(self.source.vjp(&primal, request)?)?;
        if !self.deterministic {
            return Ok(derived);
        }
        let is_gathered = |place: &usize| {
            request.active_params[*place] && matches!(primal.ty(primal.params[*place]), Type::Pointer(_))
        };
        let gathered = (0..primal.params.len()).filter(is_gathered);
        let cotangents = &derived.params[primal.params.len()..];
        let dtype = |place: usize| {
            let mut inputs = self.binding.inputs.iter();
            let input = inputs.find(|input| input.slot.leaves.contains(&place));
            input.and_then(|input| match (&input.slot.record, &input.source) {
                (Some(record), _) => record.narrowest_float(),
                (None, bind::Source::Leaf(leaf)) => self.leaves.array(*leaf).map(|array| array.dtype),
                _ => None,
            })
        };
        let arrays = gathered.zip(cotangents).filter_map(|(place, &array)| Some((array, dtype(place)?)));
        let arrays: Vec<(Value, DType)> = arrays.collect();
        exact_sums(derived, &arrays).map_err(|why| self.source.error(why))
    }

    /// That a backward call can be derived, for cotangents of all results.
    fn check_derivative(&self, flat: &Function, wrt: &[bool]) -> Result<(), Error> {
        let mut active_params = vec![false; flat.params.len()];
        for input in &self.binding.inputs {
            let is_wanted = input.leaves().any(|(leaf, _)| wrt.get(leaf) == Some(&true));
            if is_wanted || input.is_left() {
                active_params[input.slot.active_leaves()].fill(true);
            }
        }
        let mut seeded_results = vec![false; flat.results.len()];
        for output in self.binding.outputs.iter().filter(|output| !output.slot.no_diff) {
            seeded_results[output.slot.leaves.clone()].fill(true);
        }
        self.vjp(&autodiff::VjpRequest::new(active_params, seeded_results)).map(drop)
    }

    fn result_sinks(&self) -> Vec<Sink> {
        let outputs = self.binding.outputs.iter().zip(self.output_walks);
        let sink = |(output, &walk): (&crate::bind::Output, &Option<usize>)| {
            let memory = output.slot.dtype;
            let (into, role) = match (walk, output.target) {
                (Some(walk), _) => (Access::of(&self.geometry.walks[walk], memory), Role::Given(walk)),
                (None, Target::Returned(index)) => (Access::packed(memory), Role::Output(index)),
                (None, Target::Leaf(_)) => pullback_base::bug!("dispatch", "an output array without a walk"),
            };
            let element_shape = output.slot.element_shape.clone();
            Sink { leaves: output.slot.leaves.clone(), element_shape, into: SinkInto::Array(into), role }
        };
        outputs.map(sink).collect()
    }

    /// The derived function gives cotangents in the order of the flattened parameters; outputs are in the order of the
    /// arguments (the order of `wanted`).
    fn gradient_sinks(&self, first_leaf: usize, first_output: usize, sinks: &mut Vec<Sink>) {
        let mut by_param: Vec<(usize, &Wanted)> = self.wanted.iter().enumerate().collect();
        by_param.sort_by_key(|(_, wanted)| wanted.input);
        let mut next = first_leaf;
        for (place, wanted) in by_param {
            let slot = &self.binding.inputs[wanted.input].slot;
            if slot.whole.is_some() {
                continue;
            }
            let output = first_output + place;
            let leaves = next..next + slot.leaf_count();
            next = leaves.end;
            let walk = self.input_walks[wanted.input].map(|walk| &self.geometry.walks[walk]);
            let memory = self.leaves.array(wanted.leaf).map_or(slot.dtype, |array| array.dtype);
            let (into, role) = match walk.map_or(Extent::Whole, |walk| walk.extent) {
                Extent::Full => (SinkInto::Array(Access::packed(memory)), Role::Output(output)),
                Extent::Whole => {
                    (SinkInto::GroupSums(self.source.context.sum_dtype(slot.dtype)), Role::Whole(output))
                }
                Extent::Partial => {
                    (SinkInto::Array(Access::packed(partial_dtype(slot.dtype))), Role::Partial(output))
                }
            };
            sinks.push(Sink { leaves, element_shape: slot.element_shape.clone(), into, role });
        }
    }
}

/// The dtype one lane's contribution to a shared gradient is kept in until it is summed.
pub fn partial_dtype(dtype: DType) -> DType {
    if dtype == DType::F64 { DType::F64 } else { DType::F32 }
}
