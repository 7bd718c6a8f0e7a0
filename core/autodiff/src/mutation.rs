//! Bugs in the transform, to be switched on by tests that must notice each: a score of what those tests can find.
//!
//! The places where a bug would be made ask [`on`]. Without the feature `mutations` that is a constant `false`.

macro_rules! bugs {
    ($($(#[$meta:meta])* $bug:ident,)*) => {
        /// A bug that can be switched on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Bug { $($(#[$meta])* $bug,)* }

        #[cfg(feature = "mutations")]
        impl Bug {
            /// All of them.
            pub const ALL: &'static [Bug] = &[$(Bug::$bug,)*];
        }
    };
}

bugs! {
    /// The cosine's derivative has the wrong sign.
    CosineSign,
    /// A quotient's derivative by the divisor lacks the quotient.
    DivisorWithoutResult,
    /// A product's derivative by the second factor is the cotangent.
    WrongFactor,
    /// The hyperbolic tangent's derivative is `1 - z`.
    TanhNotSquared,
    /// A power's derivative keeps its exponent.
    ExponentKept,
    /// A selection's arms get one another's cotangents.
    SelectSwapped,
    /// A replaced element keeps its cotangent, at a constant place.
    InsertKeepsOld,
    /// A replaced element keeps its cotangent, at a computed place.
    SetKeepsOld,
    /// One copy of a splat gives nothing.
    SplatForgetsOne,
    /// The last use of a value overwrites what others gave.
    Overwrites,
    /// The last use of an array's element overwrites what others gave.
    OverwritesElement,
    /// What other elements of an array were given is lost.
    ForgetsOtherElements,
    /// The last arm of a branch gives no adjoint.
    LostElse,
    /// An arm forgets what its outer values were given after it.
    ArmForgetsOuter,
    /// The arms of a branch are swept in one another's place.
    ArmsSwapped,
    /// Values from outside of a loop are given what the last swept trip gives alone.
    FreeZeroedPerTrip,
    /// Values from outside of a loop lose what they were given after it.
    FreeForgetsAfter,
    /// A parameter keeps the adjoint that its trip has consumed.
    ParameterKept,
    /// The values a loop starts from are given nothing.
    LostInits,
    /// The first trip is not swept.
    FirstTripLeftOut,
    /// An induction variable is that of the next trip.
    InductionAhead,
    /// An induction variable starts from zero.
    InductionWithoutInit,
    /// A falling induction variable rises.
    FallingRises,
    /// A bound that is reached is taken for one that is not.
    BoundLeftOut,
    /// The state is only what the sweep reads, not what the next state is computed from.
    NoFixpoint,
    /// A stored state is never given up.
    NeverPopped,
    /// A state is stored over the one below.
    StoredTooLow,
    /// The state handed out is the stored one, without the way to its trip.
    NotAdvanced,
    /// Thinning keeps the wrong half.
    ThinsWrongHalf,
    /// Where all states are stored, each is stored a trip late.
    StoredLate,
    /// An array comes back from its slot rotated by one.
    ArrayShifted,
    /// What a loop carries does not make its yields useful.
    UsefulOnce,
    /// What a loop carries is not varied by its yields.
    VariedOnce,
    /// A loop that forward mode goes through gives nothing to the last number that enters it.
    InputLeftOut,
    /// Forward mode starts a loop with zero tangents.
    LoopStartsFlat,
    /// What reads memory sets the cotangent there, instead of adding to it.
    ReadSets,
    /// Memory that is overwritten keeps its cotangent.
    WrittenKept,
    /// Memory that is added to loses its cotangent.
    AddedZeroed,
    /// Forward mode sets the tangent of memory that is added to.
    AddedSet,
    /// A given derivative gets no cotangent of what the function changes.
    GivenWithoutChanged,
    /// A given derivative's cotangents come in the wrong order.
    GivenReversed,
    /// A given forward derivative gets no tangent of its last argument.
    GivenStartsFlat,
}

#[cfg(feature = "mutations")]
mod switch {
    use super::Bug;
    use std::cell::Cell;

    thread_local! {
        static ACTIVE: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Runs `f` with a bug switched on, on this thread.
    pub fn with<T>(bug: Bug, f: impl FnOnce() -> T) -> T {
        /// Switches it off even if `f` panics.
        struct Off;
        impl Drop for Off {
            fn drop(&mut self) {
                ACTIVE.set(None);
            }
        }
        ACTIVE.set(Some(bug));
        let _off = Off;
        f()
    }

    pub(crate) fn on(bug: Bug) -> bool {
        ACTIVE.get() == Some(bug)
    }
}

#[cfg(feature = "mutations")]
pub(crate) use switch::on;
#[cfg(feature = "mutations")]
pub use switch::with;

/// Whether the bug is switched on.
#[cfg(not(feature = "mutations"))]
pub(crate) const fn on(_: Bug) -> bool {
    false
}
