//! Lowers what a target lacks, so that emitters stay simple. One file per lowering, each optional by a flag.

mod conversions;
mod division;
mod shifts;

use crate::rewrite::{Rule, rewrite};
use pullback_ir::Function;

/// What a target needs done; the default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LegalizeOptions {
    /// Integer division and remainder by zero, and of the least integer by -1, are undefined on the target.
    pub guard_integer_division: bool,
    /// Shifts by the width or more are undefined on the target.
    pub mask_shift_counts: bool,
    /// Conversion of NaN and of numbers out of range to integers is undefined on the target.
    pub saturate_conversions: bool,
}

/// Rewrites a function in scalar form so that the target's own ops give the IR's results.
pub fn legalize(function: &mut Function, options: LegalizeOptions) -> bool {
    let mut division = division::GuardDivision::default();
    let mut shifts = shifts::MaskShifts::default();
    let mut conversions = conversions::SaturateConversions::default();
    let mut rules: Vec<&mut dyn Rule> = Vec::new();
    if options.guard_integer_division {
        rules.push(&mut division);
    }
    if options.mask_shift_counts {
        rules.push(&mut shifts);
    }
    if options.saturate_conversions {
        rules.push(&mut conversions);
    }
    !rules.is_empty() && rewrite(function, &mut rules)
}
