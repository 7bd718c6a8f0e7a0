//! `#pragma pack_matrix`: how matrices that do not say it themselves lie in memory, from a place on.

use super::Preprocessor;
use crate::slang::token::{Token, TokenKind, word};
use pullback_base::{Code, Diagnostic, FileId, Span};
use pullback_ir::MatrixOrder;

/// What is said of matrices, by place. An included file begins with what is said where it is included, and what it says
/// holds behind it too.
#[derive(Clone, Debug, Default)]
pub struct MatrixPacking {
    here: MatrixOrder,
    /// From where on which holds, in the order of reading.
    changes: Vec<(FileId, u32, MatrixOrder)>,
}

impl MatrixPacking {
    pub fn change(&mut self, file: FileId, from: u32, order: MatrixOrder) {
        self.here = order;
        self.changes.push((file, from, order));
    }

    /// Goes on in another file, or in this one behind a place.
    pub fn go_on(&mut self, file: FileId, from: u32) {
        self.change(file, from, self.here);
    }

    /// By rows, where nothing is said.
    pub fn at(&self, place: Span) -> MatrixOrder {
        let holds =
            |change: &&(FileId, u32, MatrixOrder)| Some(change.0) == place.file() && change.1 <= place.start;
        self.changes.iter().rev().find(holds).map_or(MatrixOrder::Rows, |change| change.2)
    }

    /// What is said in other files, too.
    pub fn extend(&mut self, other: &MatrixPacking) {
        self.changes.extend(&other.changes);
    }
}

impl Preprocessor<'_> {
    /// `#pragma pack_matrix(column_major)`; the tokens behind `pack_matrix`.
    pub(super) fn pragma_pack_matrix(&mut self, file: FileId, span: Span, tokens: &[Token]) {
        let order = match tokens {
            [open, order, close] if (open.kind, close.kind) == (TokenKind::LParen, TokenKind::RParen) => {
                match order.symbol {
                    word::ROW_MAJOR => Some(MatrixOrder::Rows),
                    word::COLUMN_MAJOR => Some(MatrixOrder::Columns),
                    _ => None,
                }
            }
            _ => None,
        };
        match order {
            Some(order) => self.out.packing.change(file, span.end, order),
            None => {
                let message = "this is no `#pragma pack_matrix`";
                let help = "write `#pragma pack_matrix(row_major)`, or `(column_major)`";
                let diagnostic =
                    Diagnostic::error(Code::PreprocessorError, message).at(span, "not understood");
                self.report(diagnostic.help(help));
            }
        }
    }
}
