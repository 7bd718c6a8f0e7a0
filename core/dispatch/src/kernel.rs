//! The call kernel, built in IR: load a lane's arguments, call the function, store its results.

use crate::layout::{Access, Feed, FeedFrom, Sink, SinkInto};
use crate::vectorize::Reach;
use pullback_base::Shape;
use pullback_ir::{Effect, Function, FunctionBuilder, FunctionKind, Module, Op, Type, Value, Verified};
use smallvec::SmallVec;

/// The kernel of a plan, ready for code generation.
pub fn build(
    callee: &Function,
    dims: usize,
    sizes_first: bool,
    feeds: &[Feed],
    sinks: &[Sink],
) -> Verified<Module> {
    let mut module = Module::new();
    let callee_id = module.add(callee.clone());
    let mut kernel = KernelBuilder::new(&callee.name, dims, sizes_first);
    let feeds: Vec<(&Feed, FeedParams)> = feeds.iter().map(|feed| (feed, kernel.feed_params(feed))).collect();
    let sinks: Vec<(&Sink, SinkParams)> = sinks.iter().map(|sink| (sink, kernel.sink_params(sink))).collect();
    kernel.locate_lane();
    let mut args = Vec::new();
    for (feed, params) in &feeds {
        kernel.load(feed, params, &mut args);
    }
    let results = kernel.b.call(callee_id, &callee.results, &args);
    for (sink, params) in &sinks {
        kernel.store(sink, params, &results[sink.leaves.clone()]);
    }
    let id = module.add(kernel.b.finish(Vec::new()));
    pullback_passes::pipeline::kernel(&module, id)
}

/// Kernel parameters of an array.
struct ArrayParams {
    pointer: Value,
    lane_strides: Vec<Value>,
    element_strides: Vec<Value>,
}

enum FeedParams {
    Numbers(Vec<Value>),
    Constants,
    Array(ArrayParams),
    Whole(Vec<Value>),
}

enum SinkParams {
    Array(ArrayParams),
    GroupSums(Vec<Value>),
}

struct KernelBuilder {
    b: FunctionBuilder,
    dims: usize,
    sizes: Vec<Value>,
    lane: Option<Value>,
    /// The lane's index in each merged dim.
    index: Vec<Value>,
}

impl KernelBuilder {
    fn new(name: &str, dims: usize, sizes_first: bool) -> Self {
        let mut b = FunctionBuilder::new(
            &format!("call_{}", name.replace(['.', '$', '+', '-'], "_")),
            FunctionKind::Kernel,
        );
        let sizes = if sizes_first {
            (1..dims).map(|d| b.param(Type::I64, &format!("size{d}"))).collect()
        } else {
            Vec::new()
        };
        Self { b, dims, sizes, lane: None, index: Vec::new() }
    }

    fn array_params(&mut self, access: &Access, element_shape: &Shape) -> ArrayParams {
        let b = &mut self.b;
        let pointer = b.param(Type::pointer(Type::Scalar(access.memory)), "array");
        let lane_dims = if access.reach == Reach::Strided { self.dims } else { 0 };
        let element_dims = if access.element_packed { 0 } else { element_shape.rank() };
        let lane_strides = (0..lane_dims).map(|_| b.param(Type::I64, "stride")).collect();
        let element_strides = (0..element_dims).map(|_| b.param(Type::I64, "element_stride")).collect();
        ArrayParams { pointer, lane_strides, element_strides }
    }

    fn feed_params(&mut self, feed: &Feed) -> FeedParams {
        match &feed.from {
            FeedFrom::Constants(_) => FeedParams::Constants,
            FeedFrom::Numbers => {
                let count = feed.element_shape.count();
                FeedParams::Numbers(
                    (0..count).map(|_| self.b.param(Type::Scalar(feed.dtype), "number")).collect(),
                )
            }
            FeedFrom::Whole(types) => {
                FeedParams::Whole(types.iter().map(|ty| self.b.param(ty.clone(), "whole")).collect())
            }
            FeedFrom::Gathered(_, ty) => FeedParams::Whole(vec![self.b.param(ty.clone(), "gathered")]),
            FeedFrom::Array(_, access) => FeedParams::Array(self.array_params(access, &feed.element_shape)),
        }
    }

    fn sink_params(&mut self, sink: &Sink) -> SinkParams {
        match &sink.into {
            SinkInto::Array(access) => SinkParams::Array(self.array_params(access, &sink.element_shape)),
            SinkInto::GroupSums(dtype) => {
                let ty = Type::pointer(Type::Scalar(*dtype));
                SinkParams::GroupSums(sink.leaves.clone().map(|_| self.b.param(ty.clone(), "sums")).collect())
            }
        }
    }

    /// The lane number, and its index in each dim where arrays are strided over several.
    fn locate_lane(&mut self) {
        let b = &mut self.b;
        let lane = b.op(Op::LaneId, &[]);
        self.lane = Some(lane);
        let mut rest = lane;
        let mut index: SmallVec<[Value; 6]> = SmallVec::new();
        for &size in self.sizes.iter().rev() {
            let outer = b.div(rest, size);
            let inner = b.mul(outer, size);
            index.push(b.sub(rest, inner));
            rest = outer;
        }
        index.push(rest);
        self.index = index.into_iter().rev().collect();
    }

    /// The address of the lane's element, and the offset from it to each of the element's numbers.
    fn addresses(&mut self, access: &Access, params: &ArrayParams, element_shape: &Shape) -> Vec<Value> {
        let b = &mut self.b;
        let count = element_shape.count();
        let base = match (access.reach, self.lane) {
            (Reach::Packed, Some(lane)) => {
                let step = b.i64(count);
                let at = if count == 1 { lane } else { b.mul(lane, step) };
                b.offset(params.pointer, at)
            }
            (Reach::Strided, _) => {
                let mut at = None;
                for (&index, &stride) in self.index.iter().zip(&params.lane_strides) {
                    let step = b.mul(index, stride);
                    at = Some(at.map_or(step, |at| b.add(at, step)));
                }
                at.map_or(params.pointer, |at| b.offset(params.pointer, at))
            }
            _ => params.pointer,
        };
        let mut out = Vec::new();
        for leaf in 0..count {
            let at = if access.element_packed {
                b.i64(leaf)
            } else {
                let mut rest = leaf;
                let mut at = b.i64(0);
                for (&size, &stride) in element_shape.dims().iter().zip(&params.element_strides).rev() {
                    let place = b.i64(rest % size);
                    let step = b.mul(place, stride);
                    at = b.add(at, step);
                    rest /= size;
                }
                at
            };
            out.push(if leaf == 0 { base } else { b.offset(base, at) });
        }
        out
    }

    fn load(&mut self, feed: &Feed, params: &FeedParams, args: &mut Vec<Value>) {
        match (&feed.from, params) {
            (FeedFrom::Constants(constants), _) => {
                args.extend(constants.iter().map(|&constant| self.b.constant(constant)));
            }
            (_, FeedParams::Numbers(words) | FeedParams::Whole(words)) => args.extend(words),
            (FeedFrom::Array(_, access), FeedParams::Array(params)) => {
                for address in self.addresses(access, params, &feed.element_shape) {
                    let loaded = self.b.load(address);
                    args.push(self.b.convert(loaded, feed.dtype));
                }
            }
            _ => pullback_base::bug!("dispatch", "a feed and its parameters differ in kind"),
        }
    }

    fn store(&mut self, sink: &Sink, params: &SinkParams, values: &[Value]) {
        match (&sink.into, params) {
            (SinkInto::Array(access), SinkParams::Array(params)) => {
                let addresses = self.addresses(access, params, &sink.element_shape);
                for (address, &value) in addresses.into_iter().zip(values) {
                    let value = self.b.convert(value, access.memory);
                    self.b.store(address, value);
                }
            }
            (SinkInto::GroupSums(dtype), SinkParams::GroupSums(pointers)) => {
                for (&pointer, &value) in pointers.iter().zip(values) {
                    let value = self.b.convert(value, *dtype);
                    self.b.write(Effect::GroupSum, pointer, value);
                }
            }
            _ => pullback_base::bug!("dispatch", "a sink and its parameters differ in kind"),
        }
    }
}
