//! The built-in functions of matrices, whose rows are the columns of the text: see the head of the module.

use super::function::FunctionLowering;
use pullback_ir::{Op, Type, Value};

impl FunctionLowering<'_> {
    /// A matrix and its transposed have one determinant, so that rows and columns need not be told apart.
    pub fn determinant(&mut self, matrix: Value) -> Value {
        let size = self.ssa.ty(matrix).element_count() as usize;
        let rows: Vec<Value> = (0..size as u32).map(|row| self.ssa.extract(matrix, row)).collect();
        if size == 3 {
            let across = self.cross(rows[1], rows[2]);
            return self.ssa.op(Op::Dot, &[rows[0], across]);
        }
        let cells: Vec<Vec<Value>> = rows.into_iter().map(|row| self.components(row)).collect();
        if size == 2 {
            return self.minor(&cells[0], &cells[1], 0, 1);
        }
        // Laplace's expansion along two rows: minors of the upper two times the opposite ones of the lower two.
        const SPLITS: [([usize; 2], [usize; 2], bool); 6] = [
            ([0, 1], [2, 3], true),
            ([0, 2], [1, 3], false),
            ([0, 3], [1, 2], true),
            ([1, 2], [0, 3], true),
            ([1, 3], [0, 2], false),
            ([2, 3], [0, 1], true),
        ];
        let mut sum = None;
        for (upper, lower, positive) in SPLITS {
            let above = self.minor(&cells[0], &cells[1], upper[0], upper[1]);
            let below = self.minor(&cells[2], &cells[3], lower[0], lower[1]);
            let product = self.ssa.mul(above, below);
            sum = Some(match sum {
                None => product,
                Some(sum) if positive => self.ssa.add(sum, product),
                Some(sum) => self.ssa.sub(sum, product),
            });
        }
        sum.unwrap_or(matrix)
    }

    fn minor(&mut self, above: &[Value], below: &[Value], i: usize, j: usize) -> Value {
        let (down, up) = (self.ssa.mul(above[i], below[j]), self.ssa.mul(above[j], below[i]));
        self.ssa.sub(down, up)
    }

    /// The inverse of the transposed is the transposed inverse, so here too rows are as good as columns: cofactors over the
    /// determinant.
    pub fn inverse(&mut self, matrix: Value) -> Value {
        let ty = self.ssa.ty(matrix).clone();
        let size = ty.element_count() as usize;
        let rows: Vec<Value> = (0..size as u32).map(|row| self.ssa.extract(matrix, row)).collect();
        let cells: Vec<Vec<Value>> = rows.into_iter().map(|row| self.components(row)).collect();
        let cofactors: Vec<Vec<Value>> = (0..size)
            .map(|row| (0..size).map(|column| self.cofactor(&cells, row, column)).collect())
            .collect();
        let products: Vec<Value> =
            (0..size).map(|column| self.ssa.mul(cells[0][column], cofactors[0][column])).collect();
        let determinant = self.joined(&Op::Add, &products);
        let row_type = ty.element(0).unwrap_or_else(|| ty.clone());
        let inverse: Vec<Value> = (0..size)
            .map(|row| {
                let parts: Vec<Value> =
                    (0..size).map(|column| self.ssa.div(cofactors[column][row], determinant)).collect();
                self.ssa.op(Op::Construct(row_type.clone()), &parts)
            })
            .collect();
        self.ssa.op(Op::Construct(ty), &inverse)
    }

    /// The determinant without a row and a column, with the sign of a chessboard.
    fn cofactor(&mut self, cells: &[Vec<Value>], row: usize, column: usize) -> Value {
        let without = |list: &[Value]| -> Vec<Value> {
            list.iter().enumerate().filter(|&(at, _)| at != column).map(|(_, &cell)| cell).collect()
        };
        let rest: Vec<Vec<Value>> =
            cells.iter().enumerate().filter(|&(at, _)| at != row).map(|(_, cells)| without(cells)).collect();
        let minor = match &rest[..] {
            [only] => only[0],
            [above, below] => self.minor(above, below, 0, 1),
            [first, ..] => {
                let products: Vec<Value> = (0..first.len())
                    .map(|at| {
                        let cofactor = self.cofactor(&rest, 0, at);
                        self.ssa.mul(first[at], cofactor)
                    })
                    .collect();
                self.joined(&Op::Add, &products)
            }
            [] => pullback_base::bug!("wgsl", "a matrix without rows"),
        };
        if (row + column) % 2 == 1 { self.ssa.neg(minor) } else { minor }
    }

    /// Column `i` is the whole column times number `i` of the row.
    pub fn outer(&mut self, ty: &Type, column: Value, row: Value) -> Value {
        let shape = self.ssa.ty(column).clone();
        let columns: Vec<Value> = self
            .components(row)
            .into_iter()
            .map(|number| {
                let number = self.spread(number, &shape);
                self.ssa.mul(column, number)
            })
            .collect();
        self.ssa.op(Op::Construct(ty.clone()), &columns)
    }
}
