//! The launches of a prepared call: its kernel, and the second pass of shared gradients.

use crate::args::ArrayView;
use crate::context::Context;
use crate::error::Error;
use crate::exact_sums;
use crate::layout::{Role, SinkInto};
use crate::prepare::Prepared;
use crate::reduce::{self, Sums};
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
        let mut run = Run {
            context: self.context().clone(),
            pending: SmallVec::new(),
            host: std::mem::take(&mut self.host),
            buffers: SmallVec::new(),
        };
        let lanes = self.shape().count() as u64;
        let accumulators = self.allocate_accumulators(&mut run, outputs, lanes)?;
        if !self.gathered.is_empty() {
            // SAFETY: the caller's promise covers the outputs.
            unsafe { self.start_gathered(outputs, &accumulators, stream) }?;
        }
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
        let shape = self.shape().clone();
        run.pending.push((plan.kernel.clone(), Words::new(), lanes));
        for (place, gathered) in self.gathered.iter().enumerate() {
            let array = &outputs[gathered.output];
            if let Some(&accumulators) = accumulators.get(place) {
                self.words[gathered.word] = accumulators;
                run.round(accumulators, array)?;
                continue;
            }
            self.words[gathered.word] = array.address;
            if array.shape.count() > 0 {
                run.host.extend(host_range(&run.context, 0, gathered.word, array, Access::ReadWrite));
            }
        }
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
        outputs: &[ArrayView],
        lanes: u64,
    ) -> Result<SmallVec<[u64; 2]>, Error> {
        if !self.plan.exact_sums || lanes == 0 {
            return Ok(SmallVec::new());
        }
        let arrays = self.gathered.iter().map(|gathered| &outputs[gathered.output]);
        arrays.map(|array| run.allocate(accumulator_words(array), DType::I64)).collect()
    }

    /// Gives the gradients that the call's kernel adds to what they begin with, and makes their accumulators zero.
    ///
    /// # Safety
    /// As [`Prepared::launch`].
    unsafe fn start_gathered(
        &self,
        outputs: &[ArrayView],
        accumulators: &[u64],
        stream: Option<u64>,
    ) -> Result<(), Error> {
        let mut run = Run {
            context: self.context().clone(),
            pending: SmallVec::new(),
            host: HostRanges::new(),
            buffers: SmallVec::new(),
        };
        for (place, gathered) in self.gathered.iter().enumerate() {
            let array = &outputs[gathered.output];
            if let Some(&accumulators) = accumulators.get(place) {
                run.zeros(accumulators, accumulator_words(array), DType::I64)?;
            }
            match &gathered.from {
                Some(from) => run.copy(from, array)?,
                None => run.fill_zero(array)?,
            }
        }
        // SAFETY: passed on to the caller.
        unsafe { run.submit(stream) }
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
