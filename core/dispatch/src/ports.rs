//! The arrays of a call as ports: inputs, outputs and cotangents, and what must hold between them.

use crate::args::{self, Arg, ArrayView, Leaf};
use crate::bind::{Source, Target, reaches};
use crate::cache::BoundCall;
use crate::error::Error;
use crate::mode::Mode;
use crate::slot::Slot;
use crate::vectorize::Port;
use pullback_base::{Code, Diagnostic, Span};
use pullback_device::DeviceType;
use smallvec::SmallVec;

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
}

impl<'a> Ports<'a> {
    pub fn of(bound: &'a BoundCall, leaves: &Leaves<'a>, mode: Mode<'a>) -> Result<Self, Error> {
        let mut ports: SmallVec<[Port<'a>; 8]> = SmallVec::new();
        let mut add = |array: &'a ArrayView, slot: &'a Slot, span: Span, written: bool| {
            ports.push(Port { array, element_shape: &slot.element_shape, path: &slot.path, span, written });
            ports.len() - 1
        };
        let binding = &bound.binding;
        let mut inputs = SmallVec::new();
        for input in &binding.inputs {
            let array = match input.source {
                Source::Leaf(leaf) => leaves.array(leaf),
                Source::Default(_) => None,
            };
            inputs.push(array.map(|array| add(array, &input.slot, input.span, false)));
        }
        let (results, given): (&[ArrayView], &[Option<ArrayView>]) = match mode {
            Mode::Forward { results } => (results, &[]),
            Mode::Backward { cotangents, .. } => (&[], cotangents),
            Mode::Recorded { .. } | Mode::ValueAndGrad { .. } => (&[], &[]),
        };
        let mut outputs = SmallVec::new();
        let mut cotangents: SmallVec<[Option<usize>; 4]> = SmallVec::from_elem(None, given.len());
        for output in &binding.outputs {
            let array = match output.target {
                Target::Leaf(leaf) => leaves.array(leaf),
                Target::Returned(index) => results.get(index),
            };
            if let Some(array) = array
                && (array.dtype != output.slot.dtype || !array.writable)
            {
                return Err(wrong_result(array, &output.slot).into());
            }
            outputs.push(array.map(|array| add(array, &output.slot, output.span, true)));
            if let Target::Returned(index) = output.target
                && let Some(Some(array)) = given.get(index)
                && !output.slot.no_diff
            {
                cotangents[index] = Some(add(array, &output.slot, output.span, false));
            }
        }
        Ok(Self { ports, inputs, outputs, cotangents })
    }

    pub fn check_places(&self, device: DeviceType) -> Result<(), Diagnostic> {
        for port in &self.ports {
            if !reaches(device, port.array.location) {
                return Err(Diagnostic::error(
                    Code::DeviceMismatch,
                    format!(
                        "`{}` is in GPU memory, but the call runs on the {} device",
                        port.path,
                        device.name()
                    ),
                )
                .at(port.span, "this parameter")
                .help("load the module on a cuda device, or move the array to the CPU"));
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
        for (place, output) in self.ports.iter().enumerate().filter(|(_, port)| port.written) {
            if output.array.overlaps_itself() {
                return refuse(output, "some of its own elements share memory".into());
            }
            for (other, port) in self.ports.iter().enumerate() {
                let twice_written = port.written && other > place;
                if other == place || (port.written && !twice_written) || !output.array.overlaps(port.array) {
                    continue;
                }
                if twice_written || !output.array.same_elements(port.array) {
                    return refuse(output, format!("shares memory with `{}`", port.path));
                }
            }
        }
        Ok(())
    }
}

fn wrong_result(array: &ArrayView, slot: &Slot) -> Diagnostic {
    if array.writable {
        let (got, need) = (array.dtype.numpy_name(), slot.dtype.numpy_name());
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
