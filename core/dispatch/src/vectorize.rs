//! Shapes to geometry: the call's shape, and how each array is walked over its lanes.
//!
//! An array's trailing dims are its element's and must match the parameter's type exactly; the leading ones are
//! lane dims, broadcast from the right as in NumPy. Lane dims that every array walks alike are then merged, so that
//! most calls have one dim, or none.

use crate::args::ArrayView;
use pullback_base::{Code, Diagnostic, Shape, Span, broadcast_shapes};
use smallvec::SmallVec;

pub type Dims = SmallVec<[i64; 6]>;

/// How an array is read or written by lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// Every lane has the same element.
    Same,
    /// Lane k has the kth element, elements side by side.
    Packed,
    /// By a stride for each merged dim.
    Strided,
}

/// Over which lanes an argument's elements are shared: decides how its gradient is accumulated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// Each lane has an element of its own.
    Full,
    /// Some dims are broadcast.
    Partial,
    /// One element for all lanes.
    Whole,
}

/// How one array is walked.
#[derive(Clone, PartialEq, Debug)]
pub struct Walk {
    pub reach: Reach,
    pub extent: Extent,
    /// Element strides, when the element's own numbers do not lie side by side in C order.
    pub element_strides: Option<Dims>,
    /// In elements, one per merged dim; 0 where broadcast.
    pub lane_strides: Dims,
}

/// The call's shape and the walk of each array.
#[derive(Clone, PartialEq, Debug)]
pub struct Geometry {
    pub shape: Shape,
    /// Sizes of the merged dims, outermost first; none for a single lane.
    pub dims: Dims,
    pub walks: SmallVec<[Walk; 4]>,
}

/// An array of a call, and what it is for.
pub struct Port<'a> {
    pub array: &'a ArrayView,
    pub element_shape: &'a Shape,
    pub path: &'a str,
    pub span: Span,
    pub role: Role,
}

/// What an array does in a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Read,
    /// Written: has a say in the call's shape, and must have all of it.
    Written,
    /// The cotangent of a result: must have the call's shape, and has no say in it.
    Cotangent,
}

impl Geometry {
    /// # Errors
    /// `element-shape`, `shape-mismatch`, `broadcast-output`.
    pub fn new(ports: &[Port<'_>]) -> Result<Geometry, Diagnostic> {
        match Self::aligned(ports) {
            Some(geometry) => Ok(geometry),
            None => Self::broadcast(ports),
        }
    }

    /// Of the usual call: every array has the call's shape, and lies in C order.
    fn aligned(ports: &[Port<'_>]) -> Option<Geometry> {
        let lane_dims = lane_dims(ports.first()?)?;
        let lanes: i64 = lane_dims.iter().product();
        let is_aligned =
            |port: &Port<'_>| self::lane_dims(port) == Some(lane_dims) && port.array.is_contiguous();
        if lanes == 0 || !ports.iter().all(is_aligned) {
            return None;
        }
        let (reach, dims) = match lanes {
            1 => (Reach::Same, Dims::new()),
            _ => (Reach::Packed, Dims::from_slice(&[lanes])),
        };
        let walk = |port: &Port<'_>| Walk {
            reach,
            extent: Extent::Full,
            element_strides: None,
            lane_strides: dims.iter().map(|_| port.element_shape.count()).collect(),
        };
        let walks = ports.iter().map(walk).collect();
        Some(Geometry { shape: Shape::from(lane_dims), dims, walks })
    }

    fn broadcast(ports: &[Port<'_>]) -> Result<Geometry, Diagnostic> {
        let lane_shapes: SmallVec<[Shape; 8]> = ports.iter().map(lane_shape).collect::<Result<_, _>>()?;
        let voices = ports.iter().zip(&lane_shapes).filter(|(port, _)| port.role != Role::Cotangent);
        let shape = broadcast_shapes(voices.map(|(_, lane_shape)| lane_shape))
            .map_err(|dim| shape_mismatch(ports, &lane_shapes, dim))?;
        for (port, lane_shape) in ports.iter().zip(&lane_shapes) {
            match port.role {
                Role::Written if *lane_shape != shape => {
                    return Err(broadcast_output(port, lane_shape, &shape));
                }
                Role::Cotangent if *lane_shape != shape => {
                    return Err(wrong_cotangent(port, lane_shape, &shape));
                }
                _ => {}
            }
        }
        if shape.checked_count().is_none() {
            return Err(Diagnostic::error(
                Code::ShapeMismatch,
                format!("no call can have the shape {shape}"),
            )
            .help("pass arrays that broadcast to fewer lanes"));
        }
        let strides: SmallVec<[Dims; 8]> = ports
            .iter()
            .zip(&lane_shapes)
            .map(|(port, lane_shape)| lane_strides(port.array, lane_shape, &shape))
            .collect();
        let (dims, strides) = merge(&shape, strides);
        let walks = ports.iter().zip(&lane_shapes).zip(strides);
        let walks =
            walks.map(|((port, lane_shape), strides)| walk(port, lane_shape, &shape, strides)).collect();
        Ok(Geometry { shape, dims, walks })
    }
}

/// The array's dims before its element's; `None` where the last dims are not the element's.
fn lane_dims<'a>(port: &Port<'a>) -> Option<&'a [i64]> {
    port.array.shape.dims().strip_suffix(port.element_shape.dims())
}

fn lane_shape(port: &Port<'_>) -> Result<Shape, Diagnostic> {
    match lane_dims(port) {
        Some(dims) => Ok(Shape::from(dims)),
        None => {
            let element = port.element_shape.dims();
            let wanted: Vec<String> = element.iter().map(i64::to_string).collect();
            Err(Diagnostic::error(
                Code::ElementShape,
                format!(
                    "`{}` takes arrays of shape (..., {}), but got {}",
                    port.path,
                    wanted.join(", "),
                    port.array.shape
                ),
            )
            .at(port.span, "this parameter's type fixes the last dims")
            .help("make the array's last dims those of the parameter's type, for example by slicing"))
        }
    }
}

fn shape_mismatch(ports: &[Port<'_>], lane_shapes: &[Shape], dim: usize) -> Diagnostic {
    let rank = lane_shapes.iter().map(Shape::rank).max().unwrap_or(0);
    let size = |shape: &Shape| (dim + shape.rank()).checked_sub(rank).map(|d| shape.dims()[d]);
    let first = lane_shapes.iter().find_map(|shape| size(shape).filter(|&s| s != 1)).unwrap_or(1);
    let bad =
        lane_shapes.iter().position(|shape| size(shape).is_some_and(|s| s != 1 && s != first)).unwrap_or(0);
    let odd = size(&lane_shapes[bad]).unwrap_or(1);
    let message =
        format!("`{}` does not broadcast with the other arguments: {odd} meets {first}", ports[bad].path);
    let mut diagnostic =
        Diagnostic::error(Code::ShapeMismatch, message).at(ports[bad].span, format!("{odd} of these"));
    for (port, shape) in ports.iter().zip(lane_shapes) {
        let mark = if size(shape).is_some_and(|s| s != 1 && s != first) { "  <- does not fit" } else { "" };
        let dtype = port.array.dtype.numpy_name();
        let note = format!("{:10} {dtype} {} -> lanes {shape}{mark}", port.path, port.array.shape);
        diagnostic = diagnostic.note(note);
    }
    diagnostic.help(format!(
        "sizes that meet must be equal or 1, counted from the right; make `{}` fit",
        ports[bad].path
    ))
}

fn wrong_cotangent(port: &Port<'_>, lane_shape: &Shape, shape: &Shape) -> Diagnostic {
    Diagnostic::error(
        Code::ShapeMismatch,
        format!("the cotangent of `{}` has lanes {lane_shape}, but the call has {shape}", port.path),
    )
    .help("pass a cotangent of the result's own shape")
}

fn broadcast_output(port: &Port<'_>, lane_shape: &Shape, shape: &Shape) -> Diagnostic {
    Diagnostic::error(
        Code::BroadcastOutput,
        format!(
            "`{}` has lanes {lane_shape}, but the call has {shape}: several lanes would write one element",
            port.path
        ),
    )
    .at(port.span, "written by the call")
    .help(format!("pass an output whose leading dims are {shape}"))
}

/// The array's strides by call dim; 0 where it is broadcast.
fn lane_strides(array: &ArrayView, lane_shape: &Shape, shape: &Shape) -> Dims {
    let lead = shape.rank() - lane_shape.rank();
    let own = |dim: usize| if lane_shape.dims()[dim] == 1 { 0 } else { array.strides[dim] };
    (0..shape.rank()).map(|dim| dim.checked_sub(lead).map_or(0, own)).collect()
}

/// Drops dims of size 1 and merges neighbours that every array walks as one.
fn merge(shape: &Shape, mut strides: SmallVec<[Dims; 8]>) -> (Dims, SmallVec<[Dims; 8]>) {
    let mut dims = Dims::new();
    let mut kept: SmallVec<[usize; 6]> = SmallVec::new();
    for (dim, &size) in shape.dims().iter().enumerate() {
        if size == 1 {
            continue;
        }
        match (dims.last_mut(), kept.last_mut()) {
            (Some(outer), Some(last)) if strides.iter().all(|s| s[*last] == s[dim] * size) => {
                *outer *= size;
                *last = dim;
            }
            _ => {
                dims.push(size);
                kept.push(dim);
            }
        }
    }
    for own in &mut strides {
        *own = kept.iter().map(|&dim| own[dim]).collect();
    }
    (dims, strides)
}

fn walk(port: &Port<'_>, lane_shape: &Shape, shape: &Shape, lane_strides: Dims) -> Walk {
    let own_strides = &port.array.strides[lane_shape.rank()..];
    let element_packed = port
        .element_shape
        .contiguous_strides()
        .iter()
        .zip(own_strides)
        .zip(port.element_shape.dims())
        .all(|((packed, own), &size)| size == 1 || packed == own);
    let reach = if lane_strides.iter().all(|&stride| stride == 0) {
        Reach::Same
    } else if lane_strides.len() == 1 && element_packed && lane_strides[0] == port.element_shape.count() {
        Reach::Packed
    } else {
        Reach::Strided
    };
    Walk {
        reach,
        extent: extent(lane_shape, shape),
        element_strides: (!element_packed).then(|| SmallVec::from_slice(own_strides)),
        lane_strides,
    }
}

fn extent(lane_shape: &Shape, shape: &Shape) -> Extent {
    let lead = shape.rank() - lane_shape.rank();
    let shared = |dim: usize| shape.dims()[dim] != 1 && (dim < lead || lane_shape.dims()[dim - lead] == 1);
    let shared_dims = (0..shape.rank()).filter(|&dim| shared(dim)).count();
    let walked_dims = shape.dims().iter().filter(|&&size| size != 1).count();
    match shared_dims {
        0 => Extent::Full,
        n if n == walked_dims => Extent::Whole,
        _ => Extent::Partial,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Location;
    use pullback_base::DType;

    fn array(shape: &[i64], strides: &[i64]) -> ArrayView {
        let mut view = ArrayView::contiguous(0, DType::F32, Shape::from(shape), Location::Host);
        view.strides = SmallVec::from_slice(strides);
        view
    }

    fn geometry(arrays: &[(&ArrayView, &[i64])]) -> Result<Geometry, Diagnostic> {
        let elements: Vec<Shape> = arrays.iter().map(|(_, element)| Shape::from(element)).collect();
        let ports: Vec<Port<'_>> = arrays
            .iter()
            .zip(&elements)
            .map(|((array, _), element_shape)| Port {
                array,
                element_shape,
                path: "x",
                span: Span::NONE,
                role: Role::Read,
            })
            .collect();
        Geometry::new(&ports)
    }

    #[test]
    fn contiguous_arrays_merge_to_one_dim() {
        let (x, y) = (array(&[4, 5, 3], &[15, 3, 1]), array(&[4, 5], &[5, 1]));
        let geometry = geometry(&[(&x, &[3]), (&y, &[])]).expect("fits");
        assert_eq!((geometry.dims.as_slice(), geometry.shape.count()), ([20].as_slice(), 20));
        assert!(geometry.walks.iter().all(|walk| walk.reach == Reach::Packed && walk.extent == Extent::Full));
    }

    #[test]
    fn the_usual_call_is_no_special_case() {
        for shape in [&[][..], &[1], &[7], &[4, 5], &[1, 5, 1], &[2, 1, 3]] {
            let vectors: Vec<i64> = [shape, &[3]].concat();
            let element = Shape::from([3]);
            let x = ArrayView::contiguous(0, DType::F32, Shape::from(shape), Location::Host);
            let v = ArrayView::contiguous(0, DType::F32, Shape::from(vectors), Location::Host);
            let port = |array, element_shape| Port {
                array,
                element_shape,
                path: "x",
                span: Span::NONE,
                role: Role::Read,
            };
            let scalar = Shape::scalar();
            let ports = [port(&x, &scalar), port(&v, &element)];
            let aligned = Geometry::aligned(&ports).expect("aligned");
            assert_eq!(aligned, Geometry::broadcast(&ports).expect("fits"), "{shape:?}");
        }
    }

    #[test]
    fn a_broadcast_dim_keeps_dims_apart() {
        let (x, y) = (array(&[4, 5], &[5, 1]), array(&[5], &[1]));
        let geometry = geometry(&[(&x, &[]), (&y, &[])]).expect("fits");
        assert_eq!(geometry.dims.as_slice(), [4, 5]);
        assert_eq!(geometry.walks[1].lane_strides.as_slice(), [0, 1]);
        assert_eq!(geometry.walks[1].extent, Extent::Partial);
    }

    #[test]
    fn a_scalar_array_is_shared_by_all_lanes() {
        let (x, a) = (array(&[4], &[2]), array(&[], &[]));
        let geometry = geometry(&[(&x, &[]), (&a, &[])]).expect("fits");
        assert_eq!((geometry.walks[0].reach, geometry.walks[1].reach), (Reach::Strided, Reach::Same));
        assert_eq!(geometry.walks[1].extent, Extent::Whole);
    }

    #[test]
    fn wrong_last_dims_are_refused() {
        let x = array(&[10, 4], &[4, 1]);
        assert_eq!(geometry(&[(&x, &[3])]).expect_err("refused").code, Code::ElementShape);
    }

    #[test]
    fn sizes_that_differ_are_refused() {
        let (x, y) = (array(&[4, 2], &[2, 1]), array(&[3, 2], &[2, 1]));
        let error = geometry(&[(&x, &[]), (&y, &[])]).expect_err("refused");
        assert_eq!((error.code, error.notes.len()), (Code::ShapeMismatch, 2));
    }
}
