//! Array shapes and the broadcasting rule.

use smallvec::SmallVec;

/// Sizes per dimension, outermost first, 64-bit. A scalar has none.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Shape(SmallVec<[i64; 6]>);

impl Shape {
    /// The shape of a scalar.
    pub fn scalar() -> Self {
        Self::default()
    }

    pub fn rank(&self) -> usize {
        self.0.len()
    }

    pub fn dims(&self) -> &[i64] {
        &self.0
    }

    /// How many elements; 1 for a scalar, 0 when any size is 0. Of a shape whose count fits (see
    /// [`Shape::checked_count`]), as all arrays in memory have.
    pub fn count(&self) -> i64 {
        self.0.iter().product()
    }

    /// How many elements, or `None` when that is more than 2^56: beyond any memory, and room for byte counts.
    pub fn checked_count(&self) -> Option<i64> {
        if self.0.contains(&0) {
            return Some(0);
        }
        let count = self.0.iter().try_fold(1i64, |count, &size| count.checked_mul(size))?;
        (0..=1 << 56).contains(&count).then_some(count)
    }

    /// Strides in elements of a C-contiguous array of this shape.
    pub fn contiguous_strides(&self) -> SmallVec<[i64; 6]> {
        let mut strides: SmallVec<[i64; 6]> = SmallVec::from_elem(1, self.rank());
        for dim in (1..self.rank()).rev() {
            strides[dim - 1] = strides[dim] * self.0[dim].max(1);
        }
        strides
    }
}

impl<T: AsRef<[i64]>> From<T> for Shape {
    fn from(dims: T) -> Self {
        Self(SmallVec::from_slice(dims.as_ref()))
    }
}

impl std::fmt::Display for Shape {
    /// As Python prints a tuple: `()`, `(4,)`, `(2, 3)`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dims: Vec<String> = self.0.iter().map(i64::to_string).collect();
        write!(f, "({}{})", dims.join(", "), if dims.len() == 1 { "," } else { "" })
    }
}

impl std::fmt::Debug for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// NumPy's rule: right-aligned; sizes that meet are equal or 1; missing leading dims extend.
/// The error names the dim of the result (counted from the left) where two sizes disagree.
pub fn broadcast_shapes<'a>(shapes: impl IntoIterator<Item = &'a Shape>) -> Result<Shape, usize> {
    let mut out: SmallVec<[i64; 6]> = SmallVec::new();
    for shape in shapes {
        while out.len() < shape.rank() {
            out.insert(0, 1);
        }
        let lead = out.len() - shape.rank();
        for (dim, &size) in shape.dims().iter().enumerate() {
            let have = &mut out[lead + dim];
            match (*have, size) {
                (have, size) if have == size || size == 1 => {}
                (1, size) => *have = size,
                _ => return Err(lead + dim),
            }
        }
    }
    Ok(Shape(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broadcast(shapes: &[&[i64]]) -> Result<String, usize> {
        let shapes: Vec<Shape> = shapes.iter().map(Shape::from).collect();
        broadcast_shapes(&shapes).map(|shape| shape.to_string())
    }

    #[test]
    fn shapes_broadcast_from_the_right() {
        assert_eq!(broadcast(&[&[], &[]]), Ok("()".into()));
        assert_eq!(broadcast(&[&[3, 4], &[10, 3, 4]]), Ok("(10, 3, 4)".into()));
        assert_eq!(broadcast(&[&[10, 1, 4], &[3, 1]]), Ok("(10, 3, 4)".into()));
        assert_eq!(broadcast(&[&[0], &[1]]), Ok("(0,)".into()));
        assert_eq!(broadcast(&[&[10, 3], &[5, 3]]), Err(0));
        assert_eq!(broadcast(&[&[3], &[10, 4]]), Err(1));
    }
}
