//! A prepared call: the plan, the words of this call, and the launches that run it.

use crate::args::{self, Arg, ArrayView, Leaf, Location};
use crate::bind::{Source, Target, bind, reaches};
use crate::cache::BoundCall;
use crate::error::Error;
use crate::function::{Function, Mode};
use crate::plan::{Blueprint, FeedFrom, Plan, PlanKey, Role, SinkInto, Wanted};
use crate::reduce::{self, Sums};
use crate::signature::Signature;
use crate::vectorize::{Geometry, Port, Reach};
use pullback_base::{Code, DType, Diagnostic, GROUP_LANES, Shape, Span, bug};
use pullback_device::{Access, Buffer, HostRange, Launch, LoadedKernel, Submission};
use smallvec::SmallVec;
use std::sync::Arc;

/// The leaves of a call's arguments.
pub struct Leaves<'a>(args::Leaves<'a>);

impl<'a> Leaves<'a> {
    pub fn array(&self, leaf: usize) -> Option<&'a ArrayView> {
        match self.0.get(leaf) {
            Some(Leaf::Array(array)) => Some(array),
            _ => None,
        }
    }
}

/// An array the caller makes for the call to write: C-contiguous.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputSpec {
    pub dtype: DType,
    pub shape: Shape,
}

type Words = SmallVec<[u64; 24]>;

/// A call that is ready to run.
pub struct Prepared {
    function: Function,
    plan: Arc<Plan>,
    bound: Arc<BoundCall>,
    geometry: Geometry,
    words: Words,
    host: SmallVec<[HostRange; 8]>,
    outputs: SmallVec<[OutputSpec; 4]>,
    /// Word of each sink's first pointer.
    sink_words: SmallVec<[usize; 4]>,
}

impl Prepared {
    pub(crate) fn new(function: &Function, args: &[Arg<'_>], mode: Mode<'_>) -> Result<Self, Error> {
        let module = &function.module;
        let bound = function
            .set
            .calls
            .bound(Signature::of(args, mode, function.set.overloads.len() > 1), || {
                bind(&function.set, args, mode)
            })
            .map_err(|diagnostics| Error::new(diagnostics, module.sources.clone()))?;
        let leaves = Leaves(args::leaves(args));
        let ports = Ports::of(&bound, &leaves, mode)?;
        let located = |diagnostic: Diagnostic| Error::new(diagnostic.into(), module.sources.clone());
        ports.check_places(function).map_err(located)?;
        let geometry = Geometry::new(&ports.ports).map_err(located)?;
        ports.check_overlaps().map_err(located)?;
        let wanted = wanted(&bound, &leaves, mode).map_err(located)?;
        let key = PlanKey::of(&geometry, !wanted.is_empty());
        let overload = &function.set.overloads[bound.binding.overload];
        let blueprint = Blueprint {
            module,
            overload,
            binding: &bound.binding,
            geometry: &geometry,
            leaves: &leaves,
            mode,
            wanted: &wanted,
            input_walks: &ports.inputs,
            output_walks: &ports.outputs,
            cotangent_walks: &ports.cotangents,
        };
        let plan = bound.plan(&key, || Plan::build(&blueprint))?;
        let outputs = outputs(&bound, &ports, &geometry, &leaves, mode, &wanted);
        let mut prepared = Self {
            function: function.clone(),
            plan,
            bound: bound.clone(),
            geometry,
            words: Words::new(),
            host: SmallVec::new(),
            outputs,
            sink_words: SmallVec::new(),
        };
        prepared.fill_words(&leaves, &ports).map_err(located)?;
        Ok(prepared)
    }

    /// The call's shape: one lane per element.
    pub fn shape(&self) -> &Shape {
        &self.geometry.shape
    }

    /// The arrays to make for the call: the results that none were given for, then the gradients in the order of
    /// the argument leaves asked for.
    pub fn outputs(&self) -> &[OutputSpec] {
        &self.outputs
    }

    /// Field names below the return value or `out` parameter that returned result `index` belongs to, and the
    /// name of that parameter (empty for the return value).
    pub fn result_path(&self, index: usize) -> (&str, &[String]) {
        let output =
            self.bound.binding.outputs.iter().find(|output| output.target == Target::Returned(index));
        let Some(output) = output else { return ("", &[]) };
        let root = output.slot.path.split('.').next().unwrap_or("");
        (if output.span.is_none() { "" } else { root }, &output.slot.fields)
    }

    /// The argument leaves that the call writes.
    pub fn written_leaves(&self) -> impl Iterator<Item = usize> {
        self.bound.binding.outputs.iter().filter_map(|output| match output.target {
            Target::Leaf(leaf) => Some(leaf),
            Target::Returned(_) => None,
        })
    }

    fn fill_words(&mut self, leaves: &Leaves<'_>, ports: &Ports<'_>) -> Result<(), Diagnostic> {
        let plan = self.plan.clone();
        let bound = self.bound.clone();
        if plan.sizes_first {
            self.words.extend(self.geometry.dims[1..].iter().map(|&size| size as u64));
        }
        for (place, feed) in plan.feeds.iter().enumerate() {
            match &feed.from {
                FeedFrom::Constants(_) => {}
                FeedFrom::Array(walk, _) => self.array_words(*walk, ports),
                FeedFrom::Numbers => {
                    let input = &bound.binding.inputs[place];
                    let numbers = match input.source {
                        Source::Leaf(leaf) => match leaves.0.get(leaf) {
                            Some(Leaf::Numbers(numbers)) => numbers,
                            _ => bug!("dispatch", "leaf {leaf} is not numbers"),
                        },
                        Source::Default(_) => bug!("dispatch", "a default value is built into the kernel"),
                    };
                    for leaf in 0..input.slot.leaf_count() {
                        let number = numbers.values[if numbers.values.len() == 1 { 0 } else { leaf }];
                        let constant = number
                            .to_constant(feed.dtype, &input.slot.path)
                            .map_err(|d| d.at(input.span, "declared here"))?;
                        self.words.push(constant.bits());
                    }
                }
            }
        }
        for sink in &plan.sinks {
            self.sink_words.push(self.words.len());
            match (&sink.into, sink.role) {
                (_, Role::Given(walk)) => self.array_words(walk, ports),
                (SinkInto::GroupSums(_), _) => self.words.extend(sink.leaves.clone().map(|_| 0)),
                (SinkInto::Array(_), _) => self.words.push(0),
            }
        }
        Ok(())
    }

    fn array_words(&mut self, walk: usize, ports: &Ports<'_>) {
        let port = &ports.ports[walk];
        let access = if port.written { Access::Write } else { Access::Read };
        self.host.extend(host_range(0, self.words.len(), port.array, access));
        self.words.push(port.array.address);
        let walk = &self.geometry.walks[walk];
        if walk.reach == Reach::Strided {
            self.words.extend(walk.lane_strides.iter().map(|&stride| stride as u64));
        }
        if let Some(strides) = &walk.element_strides {
            self.words.extend(strides.iter().map(|&stride| stride as u64));
        }
    }

    /// Runs the call, writing `outputs` (as [`Prepared::outputs`] says). With host memory it returns when the results
    /// are there; with device memory it may return once the work is in the stream.
    ///
    /// # Errors
    /// `out-of-memory`, `launch-failed`. Outputs may then be partly written.
    ///
    /// # Safety
    /// The arrays of the arguments given to `prepare`, and `outputs`, must be valid for their shapes and strides, and
    /// must not be written by others while this runs.
    pub unsafe fn launch(mut self, outputs: &[ArrayView], stream: Option<u64>) -> Result<(), Error> {
        if outputs.len() != self.outputs.len() {
            bug!("dispatch", "{} outputs where {} are needed", outputs.len(), self.outputs.len());
        }
        let mut run = Run {
            function: &self.function,
            pending: SmallVec::new(),
            host: std::mem::take(&mut self.host),
            buffers: SmallVec::new(),
        };
        let lanes = self.geometry.lanes as u64;
        if lanes == 0 {
            run.host.clear(); // the call's own kernel is not launched
            for (place, output) in outputs.iter().enumerate() {
                if self
                    .plan
                    .sinks
                    .iter()
                    .any(|sink| matches!(sink.role, Role::Whole(o) | Role::Partial(o) if o == place))
                {
                    run.fill_zero(output)?;
                }
            }
            // SAFETY: the caller's promise covers the outputs.
            return unsafe { run.submit(stream) };
        }
        let plan = self.plan.clone();
        run.pending.push((Some(plan.kernel.clone()), Words::new(), lanes));
        for (sink, &word) in plan.sinks.iter().zip(&self.sink_words) {
            match (sink.role, &sink.into) {
                (Role::Given(_), _) => {}
                (Role::Output(output), _) => {
                    self.words[word] = outputs[output].address;
                    run.host.extend(host_range(0, word, &outputs[output], Access::Write));
                }
                (Role::Whole(output), SinkInto::GroupSums(dtype)) => {
                    let first = &mut self.words[word..word + sink.leaves.len()];
                    run.whole(lanes, *dtype, first, &outputs[output])?;
                }
                (Role::Partial(output), SinkInto::Array(access)) => {
                    let wanted = self.lane_shape_of(output);
                    self.words[word] = run.partial(
                        &self.geometry,
                        &wanted,
                        sink.leaves.len(),
                        access.memory,
                        &outputs[output],
                    )?;
                }
                _ => bug!("dispatch", "a sink's role and kind differ"),
            }
        }
        run.pending[0].1 = std::mem::take(&mut self.words);
        // SAFETY: the caller's promise covers arguments and outputs; buffers are held by `run`.
        unsafe { run.submit(stream) }
    }

    /// The lane shape of the argument whose gradient output `output` is: that output's shape less its element.
    fn lane_shape_of(&self, output: usize) -> Shape {
        let sink = self.plan.sinks.iter().find(|sink| sink.role == Role::Partial(output));
        let element = sink.map_or(0, |sink| sink.element_shape.rank());
        let dims = self.outputs[output].shape.dims();
        Shape::from(&dims[..dims.len() - element])
    }
}

/// The launches of one call.
struct Run<'a> {
    function: &'a Function,
    pending: SmallVec<[(Option<LoadedKernel>, Words, u64); 4]>,
    host: SmallVec<[HostRange; 8]>,
    buffers: SmallVec<[Buffer; 2]>,
}

impl Run<'_> {
    fn allocate(&mut self, count: u64, dtype: DType) -> Result<u64, Error> {
        let buffer = self.function.context().device().allocate(count * dtype.size_bytes() as u64)?;
        let address = buffer.address;
        self.buffers.push(buffer);
        Ok(address)
    }

    fn push(&mut self, kernel: LoadedKernel, words: &[u64], lanes: u64) -> usize {
        self.pending.push((Some(kernel), Words::from_slice(words), lanes));
        self.pending.len() - 1
    }

    fn fill_zero(&mut self, output: &ArrayView) -> Result<(), Error> {
        let (dtype, count) = (output.dtype, output.shape.count() as u64);
        if count > 0 {
            let kernel = self
                .function
                .context()
                .library_kernel(&format!("fill_zero {dtype}"), || reduce::fill_zero(dtype))?;
            let launch = self.push(kernel, &[output.address], count);
            self.host.extend(host_range(launch, 0, output, Access::Write));
        }
        Ok(())
    }

    /// Sums over all lanes: group sums, again, until one is left; then converts.
    fn whole(
        &mut self,
        lanes: u64,
        dtype: DType,
        words: &mut [u64],
        output: &ArrayView,
    ) -> Result<(), Error> {
        let context = self.function.context().clone();
        let leaves = words.len() as u64;
        let size = dtype.size_bytes() as u64;
        let mut groups = lanes.div_ceil(u64::from(GROUP_LANES));
        let mut from = self.allocate(leaves * groups, dtype)?;
        for (leaf, word) in words.iter_mut().enumerate() {
            *word = from + leaf as u64 * groups * size;
        }
        while groups > 1 {
            let kernel =
                context.library_kernel(&format!("sum_groups {dtype}"), || reduce::sum_groups(dtype))?;
            let next = groups.div_ceil(u64::from(GROUP_LANES));
            let to = self.allocate(leaves * next, dtype)?;
            for leaf in 0..leaves {
                self.push(kernel.clone(), &[from + leaf * groups * size, to + leaf * next * size], groups);
            }
            (from, groups) = (to, next);
        }
        let kernel = context.library_kernel(&format!("convert {dtype} {}", output.dtype), || {
            reduce::convert(dtype, output.dtype)
        })?;
        let launch = self.push(kernel, &[from, output.address], leaves);
        self.host.extend(host_range(launch, 1, output, Access::Write));
        Ok(())
    }

    /// Sums along the shared dims of a lane-by-lane array, whose address it gives.
    fn partial(
        &mut self,
        geometry: &Geometry,
        lane_shape: &Shape,
        leaves: usize,
        dtype: DType,
        output: &ArrayView,
    ) -> Result<u64, Error> {
        let context = self.function.context().clone();
        let sum = context.sum_dtype(dtype);
        let lanes = self.allocate(geometry.lanes as u64 * leaves as u64, dtype)?;
        let sums = Sums::of(lane_shape, &geometry.shape, leaves);
        let (outputs, terms, pieces) = (sums.outputs(), sums.terms(), sums.pieces());
        let kernel = |from: DType, to: DType, kept: usize, summed: usize| {
            context.library_kernel(&format!("sum_dims {from} {to} {sum} {kept} {summed}"), || {
                reduce::sum_dims(from, to, sum, kept, summed)
            })
        };
        let walk = |words: &mut Words, dims: &[(i64, i64)]| {
            dims.iter().for_each(|&(size, stride)| words.extend([size as u64, stride as u64]));
        };
        let piece_terms = (terms as u64).div_ceil(pieces as u64);
        let target =
            if pieces == 1 { output.address } else { self.allocate((outputs * pieces) as u64, sum)? };
        let mut words = Words::from_slice(&[lanes, target, pieces as u64, piece_terms, terms as u64]);
        walk(&mut words, &sums.kept);
        walk(&mut words, &sums.summed);
        let first_to = if pieces == 1 { output.dtype } else { sum };
        let launch = self.push(
            kernel(dtype, first_to, sums.kept.len(), sums.summed.len())?,
            &words,
            (outputs * pieces) as u64,
        );
        if pieces == 1 {
            self.host.extend(host_range(launch, 1, output, Access::Write));
            return Ok(lanes);
        }
        let count = pieces as u64;
        let words = [target, output.address, 1, count, count, outputs as u64, count, count, 1];
        let launch = self.push(kernel(sum, output.dtype, 1, 1)?, &words, outputs as u64);
        self.host.extend(host_range(launch, 1, output, Access::Write));
        Ok(lanes)
    }

    /// # Safety
    /// As [`Prepared::launch`].
    unsafe fn submit(self, stream: Option<u64>) -> Result<(), Error> {
        let launches: SmallVec<[Launch<'_>; 4]> = self
            .pending
            .iter()
            .filter_map(|(kernel, words, lanes)| {
                kernel.as_ref().map(|kernel| Launch { kernel, words, lanes: *lanes })
            })
            .collect();
        if launches.is_empty() {
            return Ok(());
        }
        let submission = Submission { launches: &launches, host_ranges: &self.host, stream };
        // SAFETY: passed on to the caller.
        unsafe { self.function.context().device().submit(&submission) }?;
        Ok(())
    }
}

fn host_range(launch: usize, word: usize, array: &ArrayView, access: Access) -> Option<HostRange> {
    let (start, size_bytes) = array.byte_range();
    (array.location == Location::Host).then_some(HostRange {
        launch,
        word,
        start: start as *mut u8,
        size_bytes: size_bytes as usize,
        access,
    })
}

/// The arrays of a call, and which port each part of the binding has.
struct Ports<'a> {
    ports: SmallVec<[Port<'a>; 8]>,
    inputs: SmallVec<[Option<usize>; 8]>,
    outputs: SmallVec<[Option<usize>; 4]>,
    cotangents: SmallVec<[Option<usize>; 4]>,
}

impl<'a> Ports<'a> {
    fn of(bound: &'a BoundCall, leaves: &Leaves<'a>, mode: Mode<'a>) -> Result<Self, Error> {
        let mut ports: SmallVec<[Port<'a>; 8]> = SmallVec::new();
        let mut add = |array: &'a ArrayView, slot: &'a crate::slot::Slot, span: Span, written: bool| {
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
            Mode::ValueAndGrad { .. } => (&[], &[]),
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

    fn check_places(&self, function: &Function) -> Result<(), Diagnostic> {
        let device = function.context().device().device_type();
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
    fn check_overlaps(&self) -> Result<(), Diagnostic> {
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

fn wrong_result(array: &ArrayView, slot: &crate::slot::Slot) -> Diagnostic {
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

/// The gradients asked for, in the order of the argument leaves.
fn wanted(
    bound: &BoundCall,
    leaves: &Leaves<'_>,
    mode: Mode<'_>,
) -> Result<SmallVec<[Wanted; 4]>, Diagnostic> {
    let wrt = match mode {
        Mode::Forward { .. } => return Ok(SmallVec::new()),
        Mode::Backward { wrt, .. } | Mode::ValueAndGrad { wrt } => wrt,
    };
    let mut out: SmallVec<[Wanted; 4]> = SmallVec::new();
    for (place, input) in bound.binding.inputs.iter().enumerate() {
        let Source::Leaf(leaf) = input.source else { continue };
        if wrt.get(leaf) != Some(&true) {
            continue;
        }
        if let Some(Leaf::Numbers(numbers)) = leaves.0.get(leaf)
            && numbers.shape != input.slot.element_shape
        {
            return Err(Diagnostic::error(
                Code::NotDifferentiable,
                format!(
                    "`{}` was given one number for {} components: its gradient is not one number",
                    input.slot.path,
                    input.slot.leaf_count()
                ),
            )
            .at(input.span, "declared here")
            .help("pass one number per component, or an array"));
        }
        out.push(Wanted { input: place, leaf });
    }
    out.sort_by_key(|wanted| wanted.leaf);
    Ok(out)
}

fn outputs(
    bound: &BoundCall,
    ports: &Ports<'_>,
    geometry: &Geometry,
    leaves: &Leaves<'_>,
    mode: Mode<'_>,
    wanted: &[Wanted],
) -> SmallVec<[OutputSpec; 4]> {
    let mut out = SmallVec::new();
    if !matches!(mode, Mode::Backward { .. }) {
        for (output, walk) in bound.binding.outputs.iter().zip(&ports.outputs) {
            if walk.is_none() {
                let mut dims: SmallVec<[i64; 6]> = SmallVec::from_slice(geometry.shape.dims());
                dims.extend_from_slice(output.slot.element_shape.dims());
                out.push(OutputSpec { dtype: output.slot.dtype, shape: Shape::from(dims) });
            }
        }
    }
    for wanted in wanted {
        let slot = &bound.binding.inputs[wanted.input].slot;
        out.push(match leaves.array(wanted.leaf) {
            Some(array) => OutputSpec { dtype: array.dtype, shape: array.shape.clone() },
            None => OutputSpec { dtype: slot.dtype, shape: slot.element_shape.clone() },
        });
    }
    out
}
