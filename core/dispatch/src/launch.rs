//! The launches of a prepared call: its kernel, and the second pass of shared gradients.

use crate::args::{ArrayView, Location};
use crate::context::Context;
use crate::error::Error;
use crate::exact_sums;
use crate::layout::{Gathering, Role, SinkInto};
use crate::packed::{StridedCopy, copies_of_structs};
use crate::prepare::{Gathered, Prepared};
use crate::record::Record;
use crate::reduce::{self, Sums};
use crate::strided::strided_copy;
use crate::words::{HostRanges, Words, host_range};
use pullback_base::{DType, GROUP_LANES, Shape, bug};
use pullback_device::{Access, Buffer, Launch, LoadedKernel, Submission};
use smallvec::SmallVec;

impl Prepared {
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
        if outputs.len() != self.outputs().len() {
            bug!("dispatch", "{} outputs where {} are needed", outputs.len(), self.outputs().len());
        }
        let host = std::mem::take(&mut self.host);
        let (mut run, mut start) =
            (Run::new(self.context(), host), Run::new(self.context(), HostRanges::new()));
        let lanes = self.shape().count() as u64;
        self.pack(&mut run, &mut start)?;
        let gathered = self.gathered_arrays(&mut run, outputs)?;
        let accumulators = self.allocate_accumulators(&mut run, &gathered, lanes)?;
        self.start_gathered(&mut start, &gathered, &accumulators)?;
        // SAFETY: the caller's promise covers arguments and outputs; other buffers are held by `run`.
        unsafe { start.submit(stream) }?;
        if lanes == 0 {
            run.host.clear(); // the call's own kernel is not launched
            for &(_, output) in self.packed.iter().flat_map(|packed| &packed.gradients) {
                run.fill_zero(&outputs[output])?;
            }
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
        let shape = self.shape().clone();
        run.pending.push((plan.kernel.clone(), Words::new(), lanes));
        for (place, (gathered, array)) in self.gathered.iter().zip(&gathered).enumerate() {
            if let Some(&accumulators) = accumulators.get(place) {
                self.words[gathered.word] = accumulators;
                run.round(accumulators, array)?;
            } else {
                self.words[gathered.word] = array.address;
                if array.shape.count() > 0 {
                    run.host.extend(host_range(&run.context, 0, gathered.word, array, Access::ReadWrite));
                }
            }
            self.unpack(&mut run, gathered, array, outputs)?;
        }
        self.write_back(&mut run)?;
        for (sink, &word) in plan.sinks.iter().zip(&self.sink_words) {
            match (sink.role, &sink.into) {
                (Role::Given(_), _) => {}
                (Role::Output(output), _) => {
                    self.words[word] = outputs[output].address;
                    run.written_host_range(0, word, &outputs[output]);
                }
                (Role::Whole(output), SinkInto::GroupSums(dtype)) => {
                    let first = &mut self.words[word..word + sink.leaves.len()];
                    run.whole(lanes, *dtype, first, &outputs[output])?;
                }
                (Role::Partial(output), SinkInto::Array(access)) => {
                    let wanted = self.lane_shape_of(output);
                    self.words[word] =
                        run.partial(&shape, &wanted, sink.leaves.len(), access.memory, &outputs[output])?;
                }
                _ => bug!("dispatch", "a sink's role and kind differ"),
            }
        }
        run.pending[0].1 = std::mem::take(&mut self.words);
        // SAFETY: the caller's promise covers arguments and outputs; buffers are held by `run`.
        unsafe { run.submit(stream) }
    }

    /// Of each gradient that is an exact sum, where its accumulators are.
    fn allocate_accumulators(
        &self,
        run: &mut Run,
        gathered: &[ArrayView],
        lanes: u64,
    ) -> Result<SmallVec<[u64; 2]>, Error> {
        if !self.plan.exact_sums || lanes == 0 {
            return Ok(SmallVec::new());
        }
        gathered.iter().map(|array| run.allocate(accumulator_words(array), DType::I64)).collect()
    }

    /// Packs the structs whose fields are arrays of their own, before the call.
    fn pack(&mut self, run: &mut Run, start: &mut Run) -> Result<(), Error> {
        for packed in self.packed.iter().filter(|packed| packed.count > 0) {
            let bytes = packed.count as u64 * packed.record.size_bytes;
            let structs = run.allocate(bytes, DType::U8)?;
            self.words[packed.word] = structs;
            for (copy, from) in packed.copies(structs) {
                if let Some(launch) = start.copy_strided(&copy)? {
                    start.host.extend(host_range(&start.context, launch, 0, from, Access::Read));
                }
            }
        }
        Ok(())
    }

    /// Gives what the call has written into packed structs to the arrays of their fields.
    fn write_back(&self, run: &mut Run) -> Result<(), Error> {
        for packed in self.packed.iter().filter(|packed| packed.written && packed.count > 0) {
            for (copy, to) in packed.copies_back(self.words[packed.word]) {
                if let Some(launch) = run.copy_strided(&copy)? {
                    // What lies between the elements of a strided array stays.
                    run.host.extend(host_range(&run.context, launch, 1, to, Access::ReadWrite));
                }
            }
        }
        Ok(())
    }

    /// Where each gradient that is added to in place grows, as numbers one after another.
    fn gathered_arrays(
        &self,
        run: &mut Run,
        outputs: &[ArrayView],
    ) -> Result<SmallVec<[ArrayView; 2]>, Error> {
        let one = |gathered: &Gathered| {
            let (address, bytes, dtype, location) = match gathered.into {
                Gathering::Output(output) => {
                    let output = &outputs[output];
                    (output.address, output.byte_range().1, output.dtype, output.location)
                }
                Gathering::Packed(input) => {
                    let packed = self.packed.iter().find(|packed| packed.input == input);
                    let bytes = packed.map_or(0, |packed| packed.count as u64 * packed.record.size_bytes);
                    (run.allocate(bytes, DType::U8)?, bytes, DType::U8, Location::Device)
                }
            };
            let dtype = gathered.record.as_ref().and_then(|record| record.narrowest_float()).unwrap_or(dtype);
            let count = (bytes / dtype.size_bytes() as u64) as i64;
            Ok(ArrayView::contiguous(address, dtype, Shape::from([count]), location))
        };
        self.gathered.iter().map(one).collect()
    }

    /// Takes the gradient of packed structs apart into those of their fields.
    fn unpack(
        &self,
        run: &mut Run,
        gathered: &Gathered,
        structs: &ArrayView,
        outputs: &[ArrayView],
    ) -> Result<(), Error> {
        let Gathering::Packed(input) = gathered.into else { return Ok(()) };
        for packed in self.packed.iter().filter(|packed| packed.input == input) {
            for &(field, output) in &packed.gradients {
                let copy = packed.copy_to_field(field, &outputs[output], structs.address).reversed();
                if let Some(launch) = run.copy_strided(&copy)? {
                    run.written_host_range(launch, 1, &outputs[output]);
                }
            }
        }
        Ok(())
    }

    /// Gives the gradients that the call's kernel adds to what they begin with, and makes their accumulators zero.
    fn start_gathered(
        &self,
        start: &mut Run,
        arrays: &[ArrayView],
        accumulators: &[u64],
    ) -> Result<(), Error> {
        for (place, (gathered, array)) in self.gathered.iter().zip(arrays).enumerate() {
            if let Some(&accumulators) = accumulators.get(place) {
                start.zeros(accumulators, accumulator_words(array), DType::I64)?;
            }
            match (&gathered.from, &gathered.record) {
                (Some(from), None) => start.copy(from, array)?,
                (Some(from), Some(record)) => {
                    start.fill_zero(array)?;
                    start.copy_structs(record, from, array)?;
                }
                (None, _) => start.fill_zero(array)?,
            }
            let Gathering::Packed(input) = gathered.into else { continue };
            for packed in self.packed.iter().filter(|packed| packed.input == input) {
                for (field, from) in &packed.cotangents {
                    if let Some(launch) =
                        start.copy_strided(&packed.copy_to_field(*field, from, array.address))?
                    {
                        start.host.extend(host_range(&start.context, launch, 0, from, Access::Read));
                    }
                }
            }
        }
        Ok(())
    }

    /// The lane shape of the argument whose gradient output `output` is: that output's shape less its element.
    fn lane_shape_of(&self, output: usize) -> Shape {
        let sink = self.plan.sinks.iter().find(|sink| sink.role == Role::Partial(output));
        let element = sink.map_or(0, |sink| sink.element_shape.rank());
        let dims = self.outputs()[output].shape.dims();
        Shape::from(&dims[..dims.len() - element])
    }
}

/// The words of the accumulators of a gradient's elements.
fn accumulator_words(array: &ArrayView) -> u64 {
    (array.shape.count() as u64).saturating_mul(exact_sums::words(array.dtype))
}

/// The launches of one call.
struct Run {
    context: Context,
    pending: SmallVec<[(LoadedKernel, Words, u64); 2]>,
    host: HostRanges,
    buffers: SmallVec<[Buffer; 2]>,
}

impl Run {
    fn new(context: &Context, host: HostRanges) -> Self {
        Self { context: context.clone(), pending: SmallVec::new(), host, buffers: SmallVec::new() }
    }

    fn allocate(&mut self, count: u64, dtype: DType) -> Result<u64, Error> {
        let buffer = self.context.device().allocate(count.saturating_mul(dtype.size_bytes() as u64))?;
        let address = buffer.address;
        self.buffers.push(buffer);
        Ok(address)
    }

    fn push(&mut self, kernel: LoadedKernel, words: &[u64], lanes: u64) -> usize {
        self.pending.push((kernel, Words::from_slice(words), lanes));
        self.pending.len() - 1
    }

    fn written_host_range(&mut self, launch: usize, word: usize, output: &ArrayView) {
        self.host.extend(host_range(&self.context, launch, word, output, Access::Write));
    }

    fn fill_zero(&mut self, output: &ArrayView) -> Result<(), Error> {
        if let Some(launch) = self.zeros(output.address, output.shape.count() as u64, output.dtype)? {
            self.written_host_range(launch, 0, output);
        }
        Ok(())
    }

    /// The launch that writes so many zeros, if there are any to write.
    fn zeros(&mut self, address: u64, count: u64, dtype: DType) -> Result<Option<usize>, Error> {
        if count == 0 {
            return Ok(None);
        }
        let kernel =
            self.context.library_kernel(&format!("fill_zero {dtype}"), || reduce::fill_zero(dtype))?;
        Ok(Some(self.push(kernel, &[address], count)))
    }

    /// Adds what accumulators hold, rounded, to the gradient that they are of.
    fn round(&mut self, accumulators: u64, output: &ArrayView) -> Result<(), Error> {
        let (dtype, count) = (output.dtype, output.shape.count() as u64);
        if count > 0 {
            let kernel =
                self.context.library_kernel(&format!("round {dtype}"), || exact_sums::round(dtype))?;
            let launch = self.push(kernel, &[accumulators, output.address], count);
            self.host.extend(host_range(&self.context, launch, 1, output, Access::ReadWrite));
        }
        Ok(())
    }

    /// Copies a contiguous array to one of the same dtype.
    fn copy(&mut self, from: &ArrayView, to: &ArrayView) -> Result<(), Error> {
        let (dtype, count) = (from.dtype, from.shape.count() as u64);
        if count > 0 {
            let kernel = self
                .context
                .library_kernel(&format!("convert {dtype} {dtype}"), || reduce::convert(dtype, dtype))?;
            let launch = self.push(kernel, &[from.address, to.address], count);
            self.host.extend(host_range(&self.context, launch, 0, from, Access::Read));
            self.written_host_range(launch, 1, to);
        }
        Ok(())
    }

    /// The launch of a copy between strided arrays, if there is anything to copy.
    fn copy_strided(&mut self, copy: &StridedCopy) -> Result<Option<usize>, Error> {
        let (dtype, rank, count) = (copy.dtype, copy.dims.len(), copy.count());
        if count == 0 {
            return Ok(None);
        }
        let kernel = self
            .context
            .library_kernel(&format!("strided_copy {dtype} {rank}"), || strided_copy(dtype, rank))?;
        let mut words = Words::from_slice(&[copy.from, copy.to]);
        words.extend(copy.dims.iter().flatten().map(|&number| number as u64));
        Ok(Some(self.push(kernel, &words, count)))
    }

    /// Copies the fields that have a derivative between two arrays of like structs.
    fn copy_structs(&mut self, record: &Record, from: &ArrayView, to: &ArrayView) -> Result<(), Error> {
        let count = to.byte_range().1 / record.size_bytes;
        for copy in copies_of_structs(record, count as i64, from.address, to.address) {
            if let Some(launch) = self.copy_strided(&copy)? {
                // Of the whole arrays: each copy writes its own field alone.
                self.host.extend(host_range(&self.context, launch, 0, from, Access::Read));
                self.host.extend(host_range(&self.context, launch, 1, to, Access::ReadWrite));
            }
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
        let context = self.context.clone();
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
        self.written_host_range(launch, 1, output);
        Ok(())
    }

    /// Sums along the shared dims of a lane-by-lane array, whose address it gives.
    fn partial(
        &mut self,
        shape: &Shape,
        lane_shape: &Shape,
        leaves: usize,
        dtype: DType,
        output: &ArrayView,
    ) -> Result<u64, Error> {
        let context = self.context.clone();
        let sum = context.sum_dtype(dtype);
        let lanes = self.allocate((shape.count() as u64).saturating_mul(leaves as u64), dtype)?;
        let sums = Sums::of(lane_shape, shape, leaves);
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
            self.written_host_range(launch, 1, output);
            return Ok(lanes);
        }
        let count = pieces as u64;
        let words = [target, output.address, 1, count, count, outputs as u64, count, count, 1];
        let launch = self.push(kernel(sum, output.dtype, 1, 1)?, &words, outputs as u64);
        self.written_host_range(launch, 1, output);
        Ok(lanes)
    }

    /// # Safety
    /// As [`Prepared::launch`].
    unsafe fn submit(self, stream: Option<u64>) -> Result<(), Error> {
        let launches: SmallVec<[Launch<'_>; 4]> = self
            .pending
            .iter()
            .map(|(kernel, words, lanes)| Launch { kernel, words, lanes: *lanes })
            .collect();
        if launches.is_empty() {
            return Ok(());
        }
        let submission = Submission { launches: &launches, host_ranges: &self.host, stream };
        // SAFETY: passed on to the caller.
        unsafe { self.context.device().submit(&submission) }?;
        Ok(())
    }
}
