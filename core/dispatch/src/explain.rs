//! What the gradient of a call costs and how it is made, said before it is asked for.

use crate::args::Arg;
use crate::cache::OverloadSet;
use crate::error::Error;
use crate::held::Nothing;
use crate::mode::Mode;
use crate::plan::Blueprint;
use crate::prepare::drafted;
use crate::source::Source;
use crate::vectorize::Extent;
use pullback_autodiff as autodiff;
use pullback_ir::{Function, visit::each_stmt};
use std::fmt;
use std::sync::Arc;

/// How the gradients of a call are made.
#[derive(Clone, Debug)]
pub struct GradientExplanation {
    /// The arguments with a gradient, by path, and how it is accumulated.
    pub arguments: Vec<(String, Accumulation)>,
    /// Each loop, outer before inner.
    pub loops: Vec<LoopReport>,
    /// What all loops together store in each lane.
    pub bytes_per_lane: u64,
    /// Statements of the function in scalar form, and of its reverse derivative; `None` where that is refused.
    pub statements: (usize, Option<usize>),
    /// Why there is no gradient.
    pub refused: Option<Error>,
}

/// How the lanes' contributions to an argument's gradient come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accumulation {
    /// Each lane stores the gradient of its own element.
    Stored,
    /// Lanes share the element: summed over groups of lanes, then over the groups.
    GroupSums,
    /// Lanes share it over some dims: stored lane by lane, then summed along those dims.
    DimSums,
    /// Any lane may read any element of a whole array: added up atomically, in no fixed order.
    Gathered,
    /// The same in fixed point, which has no order.
    GatheredExactly,
}

/// How one loop is reversed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopReport {
    /// `file:line:column`
    pub place: String,
    /// The number of loops around it.
    pub depth: usize,
    pub trips: autodiff::TripCount,
    /// Words that have to be known of each trip.
    pub state_words: u32,
    pub strategy: autodiff::Strategy,
    /// What is stored in each lane.
    pub bytes_per_lane: u64,
}

/// Explains the gradient of the sum of a call's results by the marked leaves.
pub fn explain(
    source: &Arc<Source>,
    set: &OverloadSet,
    args: &[Arg<'_>],
    wrt: &[bool],
    deterministic: bool,
) -> Result<GradientExplanation, Error> {
    drafted(source, set, &Nothing, args, Mode::ValueAndGrad { wrt }, deterministic, |draft| {
        of_blueprint(source, draft.blueprint)
    })
}

fn of_blueprint(source: &Source, blueprint: &Blueprint<'_, '_>) -> Result<GradientExplanation, Error> {
    let flat = blueprint.overload.flat(source)?;
    let (request, _) = blueprint.vjp_request(&flat);
    let primal = blueprint.overload.primal(source)?;
    let explanation = source.explain(&primal, &request);
    let (derived, refused) = match blueprint.vjp(&request) {
        Ok(derived) => (Some(statements(&derived)), None),
        Err(why) => (None, Some(why)),
    };
    let arguments = blueprint.wanted.iter().map(|wanted| {
        let walk = blueprint.input_walks[wanted.input].map(|walk| blueprint.geometry.walks[walk].extent);
        let accumulation = match walk.unwrap_or(Extent::Whole) {
            _ if blueprint.binding.inputs[wanted.input].slot.whole.is_some() => match blueprint.deterministic
            {
                true => Accumulation::GatheredExactly,
                false => Accumulation::Gathered,
            },
            Extent::Full => Accumulation::Stored,
            Extent::Whole => Accumulation::GroupSums,
            Extent::Partial => Accumulation::DimSums,
        };
        (blueprint.binding.inputs[wanted.input].slot_of(wanted.leaf).path.clone(), accumulation)
    });
    let loops = explanation.loops.iter().map(|one| LoopReport {
        place: source.texts.location(one.span),
        depth: one.depth,
        trips: one.trips,
        state_words: one.state_words,
        strategy: one.strategy,
        bytes_per_lane: one.bytes_per_lane,
    });
    Ok(GradientExplanation {
        arguments: arguments.collect(),
        loops: loops.collect(),
        bytes_per_lane: explanation.bytes_per_lane(),
        statements: (statements(&flat), derived),
        refused,
    })
}

fn statements(function: &Function) -> usize {
    let mut count = 0;
    each_stmt(&function.body, &mut |_| count += 1);
    count
}

impl fmt::Display for Accumulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Accumulation::Stored => "stored by each lane",
            Accumulation::GroupSums => {
                "summed over groups of 256 lanes, then over the groups, in a fixed order"
            }
            Accumulation::Gathered => "added up atomically, in no fixed order",
            Accumulation::GatheredExactly => "added up atomically in fixed point, exactly, so in any order",
            Accumulation::DimSums => {
                "stored by each lane, then summed along the broadcast dims, in a fixed order"
            }
        })
    }
}

impl LoopReport {
    /// When the number of trips is known.
    pub fn trips(&self) -> String {
        match self.trips {
            autodiff::TripCount::Constant(n) => format!("{n} trips"),
            autodiff::TripCount::Beforehand => "trips known beforehand".to_owned(),
            autodiff::TripCount::Counted => "trips counted".to_owned(),
        }
    }
}

impl fmt::Display for GradientExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (path, accumulation) in &self.arguments {
            writeln!(f, "gradient by {path}: {accumulation}")?;
        }
        for one in &self.loops {
            let indent = "  ".repeat(one.depth);
            let (trips, words, bytes) = (one.trips(), one.state_words, one.bytes_per_lane);
            writeln!(
                f,
                "{indent}loop at {}: {trips}, {words} words of state; {}; {bytes} bytes per lane",
                one.place, one.strategy
            )?;
        }
        match (self.statements, &self.refused) {
            ((primal, Some(derived)), _) => write!(
                f,
                "{primal} statements, {derived} in the derivative; {} bytes per lane",
                self.bytes_per_lane
            ),
            (_, Some(why)) => write!(f, "refused:\n{why}"),
            _ => Ok(()),
        }
    }
}
