//! A call kernel's layout: where its values come from and go to, in the order of its words.
//!
//! Words: sizes of the merged dims but the outermost (only when some array is strided over two or more); then per
//! feed, then per sink: numbers one word per leaf; arrays a pointer, then, when strided, lane strides, then, when
//! the element is not packed, element strides; whole arrays a word per leaf; group sums one pointer per leaf.

use crate::vectorize::{Reach, Walk};
use pullback_base::{DType, Shape};
use pullback_ir::{Constant, Type};
use std::ops::Range;

/// How the kernel finds an array's element for a lane.
#[derive(Clone, Debug)]
pub struct Access {
    pub reach: Reach,
    pub element_packed: bool,
    /// The dtype in memory.
    pub memory: DType,
}

impl Access {
    pub fn of(walk: &Walk, memory: DType) -> Self {
        Self { reach: walk.reach, element_packed: walk.element_strides.is_none(), memory }
    }

    pub fn packed(memory: DType) -> Self {
        Self { reach: Reach::Packed, element_packed: true, memory }
    }
}

/// Where a group of callee parameters comes from.
#[derive(Clone, Debug)]
pub struct Feed {
    pub dtype: DType,
    pub element_shape: Shape,
    pub from: FeedFrom,
}

#[derive(Clone, Debug)]
pub enum FeedFrom {
    /// A word per leaf.
    Numbers,
    /// Built into the kernel.
    Constants(Vec<Constant>),
    /// The walk of that number.
    Array(usize, Access),
    /// A whole array for every lane: words as they are, of these types.
    Whole(Vec<Type>),
    /// The address, of that type, of a gradient or of its accumulators: zero at first, then added to.
    Gathered(Gathering, Type),
}

/// Where the gradient of a whole array grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gathering {
    /// In the output of that number.
    Output(usize),
    /// In structs of the call's own, whose fields then go to outputs: of the input of that number, whose fields are arrays.
    Packed(usize),
}

/// Where a group of callee results goes.
#[derive(Clone, Debug)]
pub struct Sink {
    /// Of the callee's results.
    pub leaves: Range<usize>,
    pub element_shape: Shape,
    pub into: SinkInto,
    pub role: Role,
}

#[derive(Clone, Debug)]
pub enum SinkInto {
    Array(Access),
    /// Sums over groups of lanes, in that dtype.
    GroupSums(DType),
}

/// Whose memory a sink writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The array of that walk.
    Given(usize),
    /// The output of that number, straight.
    Output(usize),
    /// The gradient that is the output of that number, of an argument shared over all lanes.
    Whole(usize),
    /// The same, shared over some dims.
    Partial(usize),
}
