//! Values of an interface's type as the Slang compiler lays them in memory: 16 bytes, of which the third word is the number of
//! the type inside, and room for a value of any of them. Ours have a tag and a place for each type.

use crate::constants::{self, Rules};
use crate::input::Input;
use pullback_ir::{Constant, Scalar, StructType, Type};

const HEADER_BYTES: usize = 16;
/// Where in the header the number is.
const NUMBER_AT: usize = 8;
/// The room where the interface does not tell it.
const DEFAULT_ROOM_BYTES: usize = 16;

/// The same values in our layout; `None` where the types inside cannot be told.
pub fn in_our_layout(ty: &Type, memory: &[u8], text: &str, inputs: &[Input]) -> Option<Vec<u8>> {
    let Type::Struct(union) = ty else { return None };
    let interface = plain_name(&union.name);
    let mut ours = Vec::new();
    for object in memory.chunks_exact(HEADER_BYTES + room_bytes(text, interface)) {
        let (header, value) = object.split_at(HEADER_BYTES);
        let number = u32::from_le_bytes(header[NUMBER_AT..NUMBER_AT + 4].try_into().ok()?);
        let held = inputs.iter().find_map(|input| match input {
            Input::Conformance { ty, interface: of, id } if *id == number && plain_name(of) == interface => {
                Some(plain_name(ty))
            }
            _ => None,
        });
        ours.extend(constants::write(ty, &leaves(union, held?, value)?)?);
    }
    Some(ours)
}

/// Tag and places of a value of the type that has this name.
fn leaves(union: &StructType, held: &str, value: &[u8]) -> Option<Vec<Constant>> {
    let is_held = |ty: &Type| matches!(ty, Type::Struct(of) if plain_name(&of.name) == held);
    let mut places = union.fields.iter().enumerate().filter(|(_, field)| is_held(&field.ty));
    let (Some((tag, _)), None) = (places.next(), places.next()) else { return None };
    let rules = Rules { host: true };
    let mut leaves = vec![Constant::int(Scalar::U32, tag as i64)];
    for (place, field) in union.fields.iter().enumerate().skip(1) {
        leaves.extend(constants::read(&field.ty, if place == tag { value } else { &[] }, rules)?);
    }
    Some(leaves)
}

/// A name without its generic arguments: `Ball` of `Ball<float>` and `Ball.f32`.
fn plain_name(name: &str) -> &str {
    name.split(['<', '.']).next().unwrap_or(name).trim()
}

/// What `[anyValueSize(..)]` before the interface says.
fn room_bytes(text: &str, interface: &str) -> usize {
    let told = || {
        let (before, _) = text.split_once(&format!("interface {interface}"))?;
        let (number, rest) = before.rsplit_once("anyValueSize(")?.1.split_once(')')?;
        let is_of_it = !rest.contains(['{', '}', ';']);
        number.trim().parse().ok().filter(|_| is_of_it)
    };
    told().unwrap_or(DEFAULT_ROOM_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pullback_ir::Field;

    #[test]
    fn values_come_to_the_place_of_their_type() {
        let field = |name: &str, ty: Type| Field { name: name.into(), ty, no_diff: false };
        let ball = Type::structure("Ball.f32", vec![field("radius", Type::F32)]);
        let cube = Type::structure("Cube", vec![field("at", Type::I32), field("side", Type::I32)]);
        let tag = field("tag", Type::U32);
        let union = Type::structure("IShape", vec![tag, field("as_1", ball), field("as_2", cube)]);
        let number = |ty: &str, id| Input::Conformance { ty: ty.into(), interface: "IShape".into(), id };
        let inputs = [number("Ball<float>", 7), number("Cube", 0)];
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
        let memory = words(&[9, 9, 7, 9, 5, 6, 9, 9, 0, 0, 3, 4]);
        let text = "[anyValueSize(8)] public interface IShape { } [anyValueSize(4)] interface IOther { }";
        let ours = in_our_layout(&union, &memory, text, &inputs).expect("types are told");
        assert_eq!(ours, words(&[1, 5, 0, 0, 2, 0, 3, 4]));
        assert_eq!(in_our_layout(&union, &words(&[0, 0, 1, 0, 5, 6]), text, &inputs), None);
        assert_eq!(room_bytes("interface IPlain {}", "IPlain"), DEFAULT_ROOM_BYTES);
    }
}
