//! Reads the leaves of a type out of the memory of a constant buffer.

use pullback_ir::layout::{layout, leaf_offsets};
use pullback_ir::{Constant, MatrixOrder, Scalar, Type};

/// How memory is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// As in any buffer here. Otherwise constant buffers' rows of 16 bytes: arrays, structs and the rows or columns of
    /// matrices start a row, vectors do not cross one.
    pub host: bool,
}

/// The numbers at the leaves of a type that lies at the start of `memory`; what lies past its end is zero. `None` if
/// the type holds a pointer.
pub fn read(ty: &Type, memory: &[u8], rules: Rules) -> Option<Vec<Constant>> {
    let leaves = if rules.host { host_leaves(ty)? } else { row_leaves(ty)? };
    let number = |leaf: Leaf| {
        let mut word = [0; 8];
        for (index, byte) in word[..leaf.bytes].iter_mut().enumerate() {
            *byte = memory.get(leaf.offset + index).copied().unwrap_or(0);
        }
        let bits = u64::from_le_bytes(word);
        if leaf.scalar == Scalar::Bool {
            Constant::bool(bits != 0)
        } else {
            Constant::from_bits(leaf.scalar, bits)
        }
    };
    Some(leaves.into_iter().map(number).collect())
}

/// The memory of one element of a buffer with these numbers at its leaves. `None` if the type holds a pointer.
pub fn write(ty: &Type, numbers: &[Constant]) -> Option<Vec<u8>> {
    let mut memory = vec![0; layout(ty).size_bytes as usize];
    for (leaf, number) in host_leaves(ty)?.into_iter().zip(numbers) {
        memory[leaf.offset..leaf.offset + leaf.bytes]
            .copy_from_slice(&number.bits().to_le_bytes()[..leaf.bytes]);
    }
    Some(memory)
}

struct Leaf {
    scalar: Scalar,
    offset: usize,
    bytes: usize,
}

fn host_leaves(ty: &Type) -> Option<Vec<Leaf>> {
    let leaf = |(offset, ty): (u64, Type)| {
        ty.scalar().map(|scalar| Leaf { scalar, offset: offset as usize, bytes: scalar.size_bytes() })
    };
    leaf_offsets(ty).into_iter().map(leaf).collect()
}

fn row_leaves(ty: &Type) -> Option<Vec<Leaf>> {
    let mut leaves = Vec::new();
    walk(ty, 0, &mut |scalar, offset| leaves.push(Leaf { scalar, offset, bytes: row_bytes(scalar) }))?;
    Some(leaves)
}

/// What a scalar takes in a constant buffer: a bool is a word.
fn row_bytes(scalar: Scalar) -> usize {
    if scalar == Scalar::Bool { 4 } else { scalar.size_bytes() }
}

const ROW_BYTES: usize = 16;

fn alignment(ty: &Type) -> usize {
    match ty {
        Type::Scalar(scalar) | Type::Vector(scalar, _) => row_bytes(*scalar),
        Type::Pointer(_) | Type::Matrix { .. } | Type::Array(..) | Type::Struct(_) => ROW_BYTES,
    }
}

/// Visits leaves in order with their offsets; gives the offset behind the last.
fn walk(ty: &Type, start: usize, leaf: &mut impl FnMut(Scalar, usize)) -> Option<usize> {
    let mut at = start.next_multiple_of(alignment(ty));
    match ty {
        Type::Pointer(_) => return None,
        Type::Scalar(scalar) => {
            leaf(*scalar, at);
            at += row_bytes(*scalar);
        }
        Type::Vector(scalar, count) => {
            let size = row_bytes(*scalar) * usize::from(*count);
            if at / ROW_BYTES != (at + size - 1) / ROW_BYTES {
                at = at.next_multiple_of(ROW_BYTES);
            }
            (0..usize::from(*count)).for_each(|index| leaf(*scalar, at + index * row_bytes(*scalar)));
            at += size;
        }
        Type::Matrix { scalar, rows, columns, order } => {
            let by_rows = *order == MatrixOrder::Rows;
            let (rows, columns) = (usize::from(*rows), usize::from(*columns));
            let (vectors, length) = if by_rows { (rows, columns) } else { (columns, rows) };
            let size = row_bytes(*scalar);
            let pitch = (length * size).next_multiple_of(ROW_BYTES);
            for row in 0..rows {
                for column in 0..columns {
                    let (vector, index) = if by_rows { (row, column) } else { (column, row) };
                    leaf(*scalar, at + vector * pitch + index * size);
                }
            }
            at += (vectors - 1) * pitch + length * size;
        }
        Type::Array(element, count) => {
            for _ in 0..*count {
                at = walk(element, at.next_multiple_of(ROW_BYTES), leaf)?;
            }
        }
        Type::Struct(structure) => {
            for field in &structure.fields {
                at = walk(&field.ty, at, leaf)?;
            }
            at = at.next_multiple_of(ROW_BYTES);
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pullback_ir::Field;

    const ROWS: Rules = Rules { host: false };
    const HOST: Rules = Rules { host: true };

    fn structure(types: &[Type]) -> Type {
        let field = |ty: &Type| Field { name: "f".into(), ty: ty.clone(), no_diff: false };
        Type::structure("S", types.iter().map(field).collect())
    }

    #[track_caller]
    fn check(ty: &Type, rules: Rules, offsets_words: &[i64]) {
        let memory: Vec<u8> = (0..64u32).flat_map(u32::to_le_bytes).collect();
        let found: Vec<i64> =
            read(ty, &memory, rules).expect("no pointers").iter().map(|c| c.as_i64()).collect();
        assert_eq!(found, offsets_words);
    }

    #[test]
    fn vectors_do_not_cross_rows_in_constant_buffers() {
        let ty = structure(&[Type::Vector(Scalar::U32, 2), Type::Vector(Scalar::U32, 3), Type::U32]);
        check(&ty, ROWS, &[0, 1, 4, 5, 6, 7]);
        check(&ty, HOST, &[0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn array_elements_start_rows_and_what_follows_may_fill_the_last() {
        let ty = structure(&[Type::U32, Type::array(Type::U32, 2), Type::U32]);
        check(&ty, ROWS, &[0, 4, 8, 9]);
        check(&ty, HOST, &[0, 1, 2, 3]);
    }

    #[test]
    fn matrices_are_stored_in_their_order() {
        let by_rows = Type::matrix(Scalar::U32, 2, 2);
        let by_columns = by_rows.in_order(MatrixOrder::Columns);
        check(&by_columns, ROWS, &[0, 4, 1, 5]);
        check(&by_rows, ROWS, &[0, 1, 4, 5]);
        check(&by_columns, HOST, &[0, 2, 1, 3]);
        check(&by_rows, HOST, &[0, 1, 2, 3]);
    }

    #[test]
    fn memory_that_is_too_short_reads_as_zero() {
        let leaves = read(&Type::Vector(Scalar::U32, 3), &[7, 0, 0, 0], HOST).expect("no pointers");
        assert_eq!(leaves.iter().map(|c| c.as_i64()).collect::<Vec<_>>(), [7, 0, 0]);
    }

    #[test]
    fn elements_are_written_as_they_are_read() {
        let ty = structure(&[Type::U32, Type::F64]);
        let numbers = [Constant::int(Scalar::U32, 7), Constant::float(Scalar::F64, 1.5)];
        let memory = write(&ty, &numbers).expect("no pointers");
        assert_eq!(memory.len(), 16);
        assert_eq!(read(&ty, &memory, HOST).expect("no pointers"), numbers);
        assert_eq!(write(&Type::pointer(Type::U32), &numbers), None);
    }
}
