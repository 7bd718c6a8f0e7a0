//! The arrays of a call as ports: inputs, outputs and cotangents, and what must hold between them.

use crate::args::{self, Arg, ArrayView, Leaf, Location};
use crate::bind::{Binding, Input, Source, Target};
use crate::cache::BoundCall;
use crate::mode::Mode;
use crate::slot::Slot;
use crate::vectorize::{Port, Role};
use pullback_base::{Code, Diagnostic, Span};
use pullback_device::DeviceType;
use smallvec::SmallVec;

/// The GPU that the CUDA device opens.
const CUDA_ORDINAL: u32 = 0;

/// The leaves of a call's arguments.
pub struct Leaves<'a>(pub args::Leaves<'a>);

impl<'a> Leaves<'a> {
    pub fn of(args: &'a [Arg<'a>]) -> Self {
        Self(args::leaves(args))
    }

    pub fn array(&self, leaf: usize) -> Option<&'a ArrayView> {
        match self.0.get(leaf) {
            Some(Leaf::Array(array)) => Some(array),
            _ => None,
        }
    }
}

/// The arrays of a call, and which port each part of the binding has.
pub struct Ports<'a> {
    pub ports: SmallVec<[Port<'a>; 8]>,
    /// Of each input of the binding that is an array.
    pub inputs: SmallVec<[Option<usize>; 8]>,
    /// Of each output that has an array already.
    pub outputs: SmallVec<[Option<usize>; 4]>,
    /// Of each returned result's cotangent.
    pub cotangents: SmallVec<[Option<usize>; 4]>,
    /// Arrays that every lane has whole: which input takes each. They have no lanes.
    pub wholes: SmallVec<[(usize, Port<'a>); 2]>,
}

impl<'a> Ports<'a> {
    pub fn of(bound: &'a BoundCall, leaves: &Leaves<'a>, mode: Mode<'a>) -> Result<Self, Diagnostic> {
        let mut ports: SmallVec<[Port<'a>; 8]> = SmallVec::new();
        let mut add = |array: &'a ArrayView, slot: &'a Slot, span: Span, role: Role| {
            ports.push(Port { array, element_shape: &slot.element_shape, path: &slot.path, span, role });
            ports.len() - 1
        };
        let binding = &bound.binding;
        let mut inputs = SmallVec::new();
        let mut wholes: SmallVec<[(usize, Port<'a>); 2]> = SmallVec::new();
        for (place, input) in binding.inputs.iter().enumerate() {
            let array = match &input.source {
                Source::Leaf(leaf) => leaves.array(*leaf),
                Source::Fields(fields) => {
                    for field in fields {
                        let Some(array) = leaves.array(field.leaf) else { continue };
                        wholes.push((place, whole(array, &field.slot, input)?));
                    }
                    inputs.push(None);
                    continue;
                }
                Source::Default(_) => None,
            };
            if let (Some(array), Some(_)) = (array, input.slot.whole) {
                wholes.push((place, whole(array, &input.slot, input)?));
                inputs.push(None);
                continue;
            }
            if let Some(array) = array
                && input.slot.is_global()
                && array.shape != input.slot.element_shape
            {
                return Err(many_values(array, &input.slot, input.span));
            }
            inputs.push(array.map(|array| add(array, &input.slot, input.span, Role::Read)));
        }
        let (results, given): (&[ArrayView], &[Option<ArrayView>]) = match mode {
            Mode::Forward { results } => (results, &[]),
            Mode::Backward { cotangents, .. } => (&[], cotangents),
            Mode::Recorded { .. } | Mode::Gradient { .. } | Mode::ValueAndGrad { .. } => (&[], &[]),
        };
        let returned = binding.outputs.iter().filter(|output| matches!(output.target, Target::Returned(_)));
        if !results.is_empty() && results.len() != returned.count() {
            return Err(wrong_result_count(binding));
        }
        let mut outputs = SmallVec::new();
        let mut cotangents: SmallVec<[Option<usize>; 4]> = SmallVec::from_elem(None, given.len());
        for output in &binding.outputs {
            let array = match output.target {
                Target::Leaf(leaf) => leaves.array(leaf),
                Target::Returned(index) => results.get(index),
            };
            if let Some(array) = array
                && (array.dtype != output.slot.dtype || array.record.is_some() || !array.writable)
            {
                return Err(wrong_result(array, &output.slot));
            }
            outputs.push(array.map(|array| add(array, &output.slot, output.span, Role::Written)));
            if let Target::Returned(index) = output.target
                && let Some(Some(array)) = given.get(index)
                && !output.slot.no_diff
            {
                if array.dtype != output.slot.dtype || array.record.is_some() {
                    return Err(wrong_cotangent(array, &output.slot));
                }
                cotangents[index] = Some(add(array, &output.slot, output.span, Role::Cotangent));
            }
        }
        Ok(Self { ports, inputs, outputs, cotangents, wholes })
    }

    pub fn check_places(&self, device: DeviceType) -> Result<(), Diagnostic> {
        for port in self.ports.iter().chain(self.wholes.iter().map(|(_, port)| port)) {
            if let Location::Gpu(ordinal) = port.array.location
                && !(device == DeviceType::Cuda && ordinal == CUDA_ORDINAL)
            {
                let place = match device {
                    DeviceType::Cuda => format!("on GPU {CUDA_ORDINAL}"),
                    other => format!("on the {} device", other.name()),
                };
                let message =
                    format!("`{}` is in the memory of GPU {ordinal}, but the call runs {place}", port.path);
                return Err(Diagnostic::error(Code::DeviceMismatch, message)
                    .at(port.span, "this parameter")
                    .help("move the array to the device the module was loaded on"));
            }
        }
        Ok(())
    }

    /// An output may be an input too, element for element; any other overlap is refused, and so is an output
    /// with elements on top of one another.
    pub fn check_overlaps(&self) -> Result<(), Diagnostic> {
        let refuse = |output: &Port<'_>, what: String| {
            let message = format!("`{}` is written by the call, and {what}", output.path);
            Err(Diagnostic::error(Code::OverlappingOutput, message)
                .at(output.span, "written by the call")
                .help("pass an array whose elements are all apart, or a copy"))
        };
        self.check_whole_overlaps(&refuse)?;
        for (place, output) in self.ports.iter().enumerate().filter(|(_, port)| port.role == Role::Written) {
            if output.array.overlaps_itself() {
                return refuse(output, "some of its own elements share memory".into());
            }
            for (other, port) in self.ports.iter().enumerate() {
                let is_written = port.role == Role::Written;
                let twice_written = is_written && other > place;
                if other == place || (is_written && !twice_written) || !output.array.overlaps(port.array) {
                    continue;
                }
                let lane_by_lane =
                    output.array.same_elements(port.array) && output.element_shape == port.element_shape;
                if twice_written || !lane_by_lane {
                    return refuse(output, format!("shares memory with `{}`", port.path));
                }
            }
        }
        Ok(())
    }
}

impl Ports<'_> {
    /// What is written as a whole, or beside a whole array, shares memory with nothing: other lanes may read it.
    fn check_whole_overlaps(
        &self,
        refuse: &impl Fn(&Port<'_>, String) -> Result<(), Diagnostic>,
    ) -> Result<(), Diagnostic> {
        let written = |port: &Port<'_>| port.role == Role::Written;
        for (place, (_, whole)) in self.wholes.iter().enumerate() {
            if written(whole) && whole.array.overlaps_itself() {
                return refuse(whole, "some of its own elements share memory".into());
            }
            let others = self.wholes[place + 1..].iter().map(|(_, port)| port).chain(&self.ports);
            for other in others.filter(|other| whole.array.overlaps(other.array)) {
                match (written(whole), written(other)) {
                    (true, _) => return refuse(whole, format!("shares memory with `{}`", other.path)),
                    (_, true) => return refuse(other, format!("shares memory with `{}`", whole.path)),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

fn read_only(slot: &Slot, span: Span) -> Diagnostic {
    let message = format!("`{}` is written by the call, but the array is read-only", slot.path);
    Diagnostic::error(Code::ReadOnlyOutput, message).at(span, "declared here").help("pass a writable array")
}

/// The port of an array that fills a slot of that input whole.
fn whole<'a>(array: &'a ArrayView, slot: &'a Slot, input: &Input) -> Result<Port<'a>, Diagnostic> {
    if input.written && !array.writable {
        return Err(read_only(slot, input.span));
    }
    let role = if input.written { Role::Written } else { Role::Read };
    let Slot { element_shape, path, .. } = slot;
    Ok(Port { array, element_shape, path, span: input.span, role })
}

/// What an array is of.
fn element_name(array: &ArrayView) -> String {
    array.record.as_ref().map_or_else(|| array.dtype.numpy_name().to_owned(), |record| record.shown())
}

fn many_values(array: &ArrayView, slot: &Slot, span: Span) -> Diagnostic {
    let message = format!(
        "`{}` has one value of shape {} for all lanes, but got {}",
        slot.path, slot.element_shape, array.shape
    );
    Diagnostic::error(Code::ElementShape, message)
        .at(span, "declared here")
        .help("pass one value, or make it a parameter of the function to vectorize over it")
}

fn wrong_result_count(binding: &Binding) -> Diagnostic {
    let names: Vec<&str> = binding.outputs.iter().map(|output| output.slot.path.as_str()).collect();
    let what = match names.as_slice() {
        [] => "returns nothing".to_owned(),
        names => format!("gives {}", names.join(", ")),
    };
    Diagnostic::error(Code::ArgumentType, format!("an array was given for the result, but the call {what}"))
        .help("leave `_result` out; pass arrays for `out` parameters by their names")
}

fn wrong_cotangent(array: &ArrayView, slot: &Slot) -> Diagnostic {
    let (got, need) = (element_name(array), slot.dtype.numpy_name());
    Diagnostic::error(Code::DtypeMismatch, format!("the cotangent of `{}` is {got}, not {need}", slot.path))
        .help(format!("pass a {need} array"))
}

fn wrong_result(array: &ArrayView, slot: &Slot) -> Diagnostic {
    if array.writable {
        let (got, need) = (element_name(array), slot.dtype.numpy_name());
        Diagnostic::error(
            Code::DtypeMismatch,
            format!("`{}` is {need}, but the array given for it is {got}", slot.path),
        )
        .help(format!("pass a {need} array"))
    } else {
        Diagnostic::error(Code::ReadOnlyOutput, format!("the array given for `{}` is read-only", slot.path))
            .help("pass a writable array")
    }
}
