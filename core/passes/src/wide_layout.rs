//! Where the parts of a value in memory go when its floats become f64.

use crate::widen::wide_type;
use pullback_ir::Type;
use pullback_ir::layout::element_offset_bytes;

/// The byte at which a part of the type begins in its wide form, from that in its narrow form. Parts that begin together
/// do so in both.
pub fn wide_offset(ty: &Type, at: u64) -> Option<u64> {
    if at == 0 {
        return Some(0);
    }
    let (index, element, rest) = element_at(ty, at)?;
    Some(element_offset_bytes(&wide_type(ty), index) + wide_offset(&element, rest)?)
}

/// Whether a part of that type begins at that byte of the narrow form.
pub fn has_part(ty: &Type, at: u64, part: &Type) -> bool {
    at == 0 && ty == part
        || element_at(ty, at).is_some_and(|(_, element, rest)| has_part(&element, rest, part))
}

/// The number and type of the last element that begins no later, and how far behind that is.
fn element_at(ty: &Type, at: u64) -> Option<(u32, Type, u64)> {
    let begins = |index: &u32| element_offset_bytes(ty, *index) <= at;
    let index = (0..ty.element_count()).rev().find(begins)?;
    Some((index, ty.element(index)?, at - element_offset_bytes(ty, index)))
}
