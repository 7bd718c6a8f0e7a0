//! Runs steps: chunk by chunk over a register file of the thread, chunks spread over threads.

use super::elements::Elements;
use super::memory::{Addresses, Mask};
use super::program::{CpuKernel, NO_MASK, Offset, Step};
use super::rows::{BLOCK, LANES};
use super::scalar;
use pullback_base::DType;
use std::cell::RefCell;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Launches of fewer chunks run on the caller's thread: waking others takes as long.
const CHUNKS_WORTH_THREADS: u64 = 16;

/// One line of 64 bytes, so that rows are aligned for every vector width.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

thread_local! {
    /// Kept from launch to launch; grows to the largest kernel's need.
    static REGISTER_FILE: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
    /// What the group that runs on this thread shares. A kernel reads and writes it by address.
    static SHARED: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// Runs a kernel for lanes `0..lanes`.
///
/// # Safety
/// `words` holds one word per parameter; pointers among them satisfy [`crate::Device::submit`]'s contract.
pub unsafe fn launch(kernel: &CpuKernel, words: &[u64], lanes: u64) {
    let chunks = lanes.div_ceil(u64::from(kernel.groups.lanes));
    if chunks <= CHUNKS_WORTH_THREADS {
        // SAFETY: the caller's promise.
        return unsafe { run_shares(kernel, words, lanes, std::iter::once(0..chunks)) };
    }
    let Some(helpers) = helpers() else {
        // SAFETY: the caller's promise.
        return unsafe { run_shares(kernel, words, lanes, std::iter::once(0..chunks)) };
    };
    let threads = thread_count() as u64;
    // Small enough shares that threads end together, large enough that taking one costs nothing.
    let share = (chunks / (threads * 16)).clamp(1, 256);
    let next = AtomicU64::new(0);
    let shares = || {
        std::iter::from_fn(|| {
            let first = next.fetch_add(share, Ordering::Relaxed);
            (first < chunks).then(|| first..(first + share).min(chunks))
        })
    };
    helpers.in_place_scope(|scope| {
        for _ in 1..threads {
            // SAFETY: the caller's promise; lanes of different chunks touch memory as the kernel says.
            scope.spawn(|_| unsafe { run_shares(kernel, words, lanes, shares()) });
        }
        // SAFETY: as above.
        unsafe { run_shares(kernel, words, lanes, shares()) };
    });
}

/// Threads that work on a large launch, the caller's among them.
pub fn thread_count() -> usize {
    helpers().map_or(1, |pool| pool.current_num_threads() + 1)
}

/// The threads beside the caller's: a pool of its own, as idle threads of a larger one would spin for work. `None`
/// on one core, or where threads cannot be made.
fn helpers() -> Option<&'static rayon::ThreadPool> {
    static HELPERS: OnceLock<Option<rayon::ThreadPool>> = OnceLock::new();
    HELPERS
        .get_or_init(|| {
            let wanted = std::env::var("RAYON_NUM_THREADS").ok().and_then(|text| text.parse().ok());
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            let threads: usize = wanted.filter(|&threads| threads > 0).unwrap_or(cores);
            let pool = rayon::ThreadPoolBuilder::new().thread_name(|i| format!("pullback-cpu-{i}"));
            (threads > 1).then(|| pool.num_threads(threads - 1).build().ok()).flatten()
        })
        .as_ref()
}

/// Runs some of a launch's chunks on this thread.
///
/// # Safety
/// As [`launch`].
unsafe fn run_shares(
    kernel: &CpuKernel,
    words: &[u64],
    lanes: u64,
    shares: impl Iterator<Item = Range<u64>>,
) {
    let group_lanes = u64::from(kernel.groups.lanes);
    let grow = |lines: &mut Vec<Line>, bytes: usize| {
        if lines.len() * size_of::<Line>() < bytes {
            lines.resize(bytes.div_ceil(size_of::<Line>()), Line([0; 64]));
        }
    };
    REGISTER_FILE.with_borrow_mut(|file| {
        SHARED.with_borrow_mut(|shared| {
            grow(file, kernel.file_bytes);
            grow(shared, kernel.shared_bytes);
            let mut frame = Frame {
                file: file.as_mut_ptr().cast(),
                shared: shared.as_mut_ptr().expose_provenance() as u64,
                words,
                first: 0,
                lanes: lanes.min(group_lanes) as usize,
            };
            // SAFETY: the file has the kernel's size; the kernel's steps were checked against it; for memory the
            // caller's promise.
            unsafe { frame.run(&kernel.prologue) };
            for chunk in shares.flatten() {
                frame.first = chunk * group_lanes;
                frame.lanes = (lanes - frame.first).min(group_lanes) as usize;
                // SAFETY: as above.
                unsafe { frame.run(&kernel.body) };
            }
        })
    });
}

/// One thread's state in a launch.
struct Frame<'a> {
    file: *mut u8,
    /// The address of the group's shared memory.
    shared: u64,
    words: &'a [u64],
    /// Lane id of the chunk's first lane.
    first: u64,
    /// Lanes of the chunk that exist.
    lanes: usize,
}

impl Frame<'_> {
    /// # Safety
    /// The offset is one of the kernel's.
    #[inline(always)]
    unsafe fn at(&self, offset: Offset) -> *mut u8 {
        // SAFETY: offsets of a decoded kernel lie in its register file.
        unsafe { self.file.add(offset as usize) }
    }

    /// # Safety
    /// As [`Frame::at`].
    #[inline(always)]
    unsafe fn mask(&self, offset: Offset) -> Mask {
        // SAFETY: the caller's promise.
        Mask(if offset == NO_MASK { std::ptr::null() } else { unsafe { self.at(offset) } })
    }

    /// # Safety
    /// The steps are of a kernel whose file this is; see [`launch`] for memory.
    unsafe fn run(&mut self, steps: &[Step]) {
        let mut at = 0;
        while let Some(step) = steps.get(at) {
            at += 1;
            // SAFETY: `CpuKernel::decode` has checked that every offset is in the file with the size of its row,
            // that outputs overlap no operands, and that functions are those of this CPU.
            unsafe {
                match *step {
                    Step::Unary { run, out, a } => run(self.at(out), self.at(a), self.lanes),
                    Step::Binary { run, out, a, b } => run(self.at(out), self.at(a), self.at(b), self.lanes),
                    Step::Ternary { run, out, a, b, c } => {
                        run(self.at(out), self.at(a), self.at(b), self.at(c), self.lanes);
                    }
                    Step::Strided { run, row, base, stride, mask } => {
                        let stride_bytes = self.at(stride).cast::<u64>().read();
                        let start = self.at(base).cast::<u64>().read();
                        let start = start.wrapping_add(self.first.wrapping_mul(stride_bytes));
                        let addresses = Addresses::Strided { start, stride_bytes };
                        run(self.at(row), addresses, self.mask(mask), self.lanes);
                    }
                    Step::JumpIfNone { mask, to } => {
                        if !any(self.at(mask), self.lanes) {
                            at = to as usize;
                        }
                    }
                    Step::Jump { to } => at = to as usize,
                    _ => self.run_rare(step),
                }
            }
        }
    }

    /// # Safety
    /// As [`Frame::run`].
    unsafe fn run_rare(&self, step: &Step) {
        // SAFETY: as in `run`.
        unsafe {
            match *step {
                Step::Splat { out, size_bytes, bits } => splat(self.at(out), size_bytes, bits, self.lanes),
                Step::Parameter { out, index, dtype } => self.parameter(out, index, dtype),
                Step::LaneId { out } => {
                    let row = self.at(out).cast::<u64>();
                    for i in 0..LANES {
                        row.add(i).write(self.first + i as u64);
                    }
                }
                Step::Each { run, row, address, mask } => {
                    let addresses = Addresses::Each(self.at(address).cast::<u64>());
                    run(self.at(row), addresses, self.mask(mask), self.lanes);
                }
                Step::Atomic { run, update, out, address, value, expected, mask } => {
                    let expected = if expected == NO_MASK { value } else { expected };
                    let address = self.at(address).cast::<u64>().cast_const();
                    let operands = [self.at(value).cast_const(), self.at(expected).cast_const()];
                    run(update, self.at(out), address, operands, self.mask(mask), self.lanes);
                }
                Step::SharedAddress { out, offset_bytes } => {
                    splat(self.at(out), 8, self.shared + u64::from(offset_bytes), self.lanes);
                }
                Step::Wave { run, joint, out, value, lane, mask } => {
                    let lane =
                        if lane == NO_MASK { std::ptr::null() } else { self.at(lane).cast_const().cast() };
                    run(joint, self.at(out), self.at(value), lane, self.mask(mask), self.lanes);
                }
                Step::GroupSum { run, row, base, element_bytes } => {
                    let group = self.first / LANES as u64;
                    let start = self.at(base).cast::<u64>().read();
                    let start = start.wrapping_add(group.wrapping_mul(u64::from(element_bytes)));
                    let addresses = Addresses::Strided { start, stride_bytes: 0 };
                    run(self.at(row), addresses, self.mask(NO_MASK), self.lanes);
                }
                Step::Copy { row_bytes, rows, step_bytes, out, arg } => {
                    // Of each row the blocks of lanes that are computed.
                    let bytes = row_bytes as usize / LANES * self.lanes.next_multiple_of(BLOCK);
                    for row in 0..rows {
                        let from = self.at(arg + row * step_bytes);
                        std::ptr::copy_nonoverlapping(from, self.at(out + row * row_bytes), bytes);
                    }
                }
                Step::Merge { run, row_bytes, rows, step_bytes, out, arg, mask } => {
                    for row in 0..rows {
                        let from = self.at(arg + row * step_bytes);
                        run(self.at(out + row * row_bytes), from, self.at(mask), self.lanes);
                    }
                }
                Step::ElementGet { size_bytes, len, index_bytes, out, array, index } => {
                    let (array, index) = (self.at(array), self.at(index));
                    let elements = Elements { array, len, size_bytes, index, index_bytes };
                    elements.get(self.at(out), self.lanes);
                }
                Step::ElementSet { size_bytes, len, index_bytes, array, index, value, mask } => {
                    let (array, index) = (self.at(array), self.at(index));
                    let elements = Elements { array, len, size_bytes, index, index_bytes };
                    elements.set(self.at(value), self.mask(mask), self.lanes);
                }
                _ => {}
            }
        }
    }

    /// # Safety
    /// As [`Frame::run`].
    unsafe fn parameter(&self, out: Offset, index: u32, dtype: Option<DType>) {
        let word = self.words[index as usize];
        let (size_bytes, bits) = match dtype {
            None | Some(DType::I64 | DType::U64 | DType::F64) => (8, word),
            Some(DType::Bool) => (1, u64::from(word & 0xff != 0)),
            Some(DType::I8) => (4, word as i8 as u64),
            Some(DType::I16) => (4, word as i16 as u64),
            Some(DType::U8) => (4, word & 0xff),
            Some(DType::U16) => (4, word & 0xffff),
            Some(DType::I32 | DType::U32 | DType::F32) => (4, word),
            Some(DType::F16) => (4, u64::from(scalar::f16_from_bits(word as u32).to_bits())),
            Some(DType::BF16) => (4, u64::from(scalar::bf16_to_f32(word as u16).to_bits())),
        };
        // SAFETY: the row has the dtype's kind, which `decode` has checked.
        unsafe { splat(self.at(out), size_bytes, bits, self.lanes) };
    }
}

/// # Safety
/// `row` is a row of bools.
unsafe fn any(row: *const u8, lanes: usize) -> bool {
    // SAFETY: the caller's promise, and `lanes` is at most LANES.
    unsafe { std::slice::from_raw_parts(row, lanes) }.iter().fold(0, |any, on| any | on) != 0
}

/// # Safety
/// `out` is a row of that size.
unsafe fn splat(out: *mut u8, size_bytes: u32, bits: u64, lanes: usize) {
    let lanes = lanes.next_multiple_of(BLOCK);
    // SAFETY: the caller's promise; rows are aligned to a cache line.
    unsafe {
        match size_bytes {
            1 => std::slice::from_raw_parts_mut(out, lanes).fill(bits as u8),
            4 => std::slice::from_raw_parts_mut(out.cast::<u32>(), lanes).fill(bits as u32),
            _ => std::slice::from_raw_parts_mut(out.cast::<u64>(), lanes).fill(bits),
        }
    }
}
