//! The effects: what touches memory, or what other lanes of the group see.
//!
//! What a pass may do with them:
//!
//! - Effects of a block keep their order among themselves; none is merged with another or run speculatively.
//! - One that does not [write](Effect::writes) is dropped when nothing uses its result. All others stay.
//! - A value loaded is that value from then on, whatever is stored later; so the *ops* that use it move freely.
//! - Barriers and wave ops are about the lanes that run them together. A pass neither moves them into or out of a region
//!   nor copies them into several arms; it may run a region's statements in place once it knows which arm runs, for
//!   then all lanes run it.

use crate::{Constant, Op, Type, eval};
use pullback_base::{Scalar, id_type};

id_type! {
    /// A slot of the memory that a group's lanes share: a place in `Function::shared`.
    pub struct SharedId("shared");
}

/// Lanes of a wave: lanes `32 w ..= 32 w + 31` of a group (the last wave of a group may have fewer).
pub const WAVE_LANES: u32 = 32;

/// What an atomic operation leaves in memory. Each gives the old value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AtomicOp {
    /// Integers of 32 and 64 bits, f32, f64.
    Add,
    Min,
    Max,
    And,
    Or,
    Xor,
    /// Integers of 32 and 64 bits, f32, f64.
    Exchange,
    /// `(place, expected, new)`: stores `new` where the old value equals `expected`.
    CompareExchange,
}

impl AtomicOp {
    pub const ALL: [AtomicOp; 8] = {
        use AtomicOp::*;
        [Add, Min, Max, And, Or, Xor, Exchange, CompareExchange]
    };

    pub fn name(self) -> &'static str {
        match self {
            AtomicOp::Add => "add",
            AtomicOp::Min => "min",
            AtomicOp::Max => "max",
            AtomicOp::And => "and",
            AtomicOp::Or => "or",
            AtomicOp::Xor => "xor",
            AtomicOp::Exchange => "exchange",
            AtomicOp::CompareExchange => "compare_exchange",
        }
    }

    /// Values it takes besides the place.
    pub fn value_count(self) -> usize {
        if self == AtomicOp::CompareExchange { 2 } else { 1 }
    }

    /// The old and the given value's op, where what is stored is one.
    pub fn op(self) -> Option<Op> {
        match self {
            AtomicOp::Add => Some(Op::Add),
            AtomicOp::Min => Some(Op::Min),
            AtomicOp::Max => Some(Op::Max),
            AtomicOp::And => Some(Op::And),
            AtomicOp::Or => Some(Op::Or),
            AtomicOp::Xor => Some(Op::Xor),
            AtomicOp::Exchange | AtomicOp::CompareExchange => None,
        }
    }

    /// What memory holds afterwards.
    pub fn updated(self, old: Constant, values: &[Constant]) -> Constant {
        match (self, values) {
            (AtomicOp::CompareExchange, [expected, new]) => {
                if old == *expected {
                    *new
                } else {
                    old
                }
            }
            (_, [value]) => match self.op() {
                Some(op) => eval(&op, &[old, *value]).unwrap_or(old),
                None => *value,
            },
            _ => old,
        }
    }

    /// Whether memory of this scalar has the operation.
    pub fn takes(self, scalar: Scalar) -> bool {
        let wide = scalar.bits() >= 32;
        match self {
            AtomicOp::Add | AtomicOp::Exchange => wide,
            _ => wide && scalar.is_integer(),
        }
    }
}

/// What the active lanes of a wave compute together: those that run the statement at the same time. Numbers of 32 and
/// 64 bits are joined; any scalar is read.
/// Others (any, all, all equal, is first, counts) are made of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WaveOp {
    /// All of these join the lanes in their order.
    Sum,
    Product,
    Min,
    Max,
    And,
    Or,
    Xor,
    /// The sum over the active lanes before this one, starting at zero.
    PrefixSum,
    PrefixProduct,
    /// `(value, lane: u32)`: the value in that lane of the wave; zero when the lane is not active.
    ReadLane,
    /// The value in the first active lane.
    ReadFirst,
    /// `(bool) -> u32`: bit `n` tells whether lane `n` is active and has true.
    Ballot,
}

impl WaveOp {
    pub const ALL: [WaveOp; 12] = {
        use WaveOp::*;
        [Sum, Product, Min, Max, And, Or, Xor, PrefixSum, PrefixProduct, ReadLane, ReadFirst, Ballot]
    };

    pub fn name(self) -> &'static str {
        match self {
            WaveOp::Sum => "sum",
            WaveOp::Product => "product",
            WaveOp::Min => "min",
            WaveOp::Max => "max",
            WaveOp::And => "and",
            WaveOp::Or => "or",
            WaveOp::Xor => "xor",
            WaveOp::PrefixSum => "prefix_sum",
            WaveOp::PrefixProduct => "prefix_product",
            WaveOp::ReadLane => "read_lane",
            WaveOp::ReadFirst => "read_first",
            WaveOp::Ballot => "ballot",
        }
    }

    /// What joins two lanes' values.
    pub fn op(self) -> Option<Op> {
        match self {
            WaveOp::Sum | WaveOp::PrefixSum => Some(Op::Add),
            WaveOp::Product | WaveOp::PrefixProduct => Some(Op::Mul),
            WaveOp::Min => Some(Op::Min),
            WaveOp::Max => Some(Op::Max),
            WaveOp::And => Some(Op::And),
            WaveOp::Or => Some(Op::Or),
            WaveOp::Xor => Some(Op::Xor),
            WaveOp::ReadLane | WaveOp::ReadFirst | WaveOp::Ballot => None,
        }
    }

    /// What a lane gets that has no active lane before it.
    pub fn prefix_start(self) -> Option<f64> {
        match self {
            WaveOp::PrefixSum => Some(0.0),
            WaveOp::PrefixProduct => Some(1.0),
            _ => None,
        }
    }

    fn result_type(self, args: &[&Type]) -> Option<Type> {
        let (&first, rest) = args.split_first()?;
        let Type::Scalar(scalar) = first else { return None };
        let number = scalar.bits() >= 32;
        let fits = match self {
            WaveOp::Sum | WaveOp::Product | WaveOp::Min | WaveOp::Max => number && rest.is_empty(),
            WaveOp::PrefixSum | WaveOp::PrefixProduct => number && rest.is_empty(),
            WaveOp::And | WaveOp::Or | WaveOp::Xor => number && scalar.is_integer() && rest.is_empty(),
            WaveOp::ReadLane => rest == [&Type::U32],
            WaveOp::ReadFirst => rest.is_empty(),
            WaveOp::Ballot => *scalar == Scalar::Bool && rest.is_empty(),
        };
        let result = if self == WaveOp::Ballot { Type::U32 } else { first.clone() };
        fits.then_some(result)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// `load(pointer) -> element`
    Load,
    /// `store(pointer, element)`
    Store,
    /// `atomic_add(pointer, element)`: any scalar but bool, the old value unknown.
    AtomicAdd,
    /// `group_sum(pointer, element)`: the sum of the element over the lanes of each group goes to
    /// `pointer[lane_id / GROUP_LANES]`. Lanes that do not exist add zero. The order is fixed:
    /// `for s in [128, 64, .., 1]: v[i] += v[i + s]`. Kernels of [`GROUP_LANES`](pullback_base::GROUP_LANES) lanes
    /// only, outside any region.
    GroupSum,
    /// `atomic.op(pointer, values..) -> old`. Relaxed: it orders nothing else.
    Atomic(AtomicOp),
    /// `shared_load.n(index: i64) -> element`: zero when the index is out of range.
    SharedLoad(SharedId),
    /// `shared_store.n(index: i64, element)`: nothing when the index is out of range.
    SharedStore(SharedId),
    /// `shared_atomic.n.op(index: i64, values..) -> old`: out of range it does nothing and gives zero.
    SharedAtomic(SharedId, AtomicOp),
    /// `barrier()`: no lane of the group passes before all have come, and each then sees what the others wrote
    /// before, to shared and device memory. Stands only where either all lanes of the group come or none.
    Barrier,
    /// `wave.op(values..)`
    Wave(WaveOp),
}

impl Effect {
    /// The name without payload.
    pub fn name(self) -> &'static str {
        match self {
            Effect::Load => "load",
            Effect::Store => "store",
            Effect::AtomicAdd => "atomic_add",
            Effect::GroupSum => "group_sum",
            Effect::Atomic(_) => "atomic",
            Effect::SharedLoad(_) => "shared_load",
            Effect::SharedStore(_) => "shared_store",
            Effect::SharedAtomic(..) => "shared_atomic",
            Effect::Barrier => "barrier",
            Effect::Wave(_) => "wave",
        }
    }

    /// Whether it changes memory or orders accesses to it; if not, it only gives its result.
    pub fn writes(self) -> bool {
        !matches!(self, Effect::Load | Effect::SharedLoad(_) | Effect::Wave(_))
    }

    /// Whether a kernel that has it needs all lanes of its groups, of the size it was written for.
    pub fn needs_group(self) -> bool {
        match self {
            Effect::Load | Effect::Store | Effect::AtomicAdd | Effect::Atomic(_) => false,
            Effect::GroupSum | Effect::Barrier | Effect::Wave(_) => true,
            Effect::SharedLoad(_) | Effect::SharedStore(_) | Effect::SharedAtomic(..) => true,
        }
    }

    /// The shared slot it touches.
    pub fn shared(self) -> Option<SharedId> {
        match self {
            Effect::SharedLoad(slot) | Effect::SharedStore(slot) | Effect::SharedAtomic(slot, _) => {
                Some(slot)
            }
            _ => None,
        }
    }

    /// The result's type (`None`: it has none), or what is wrong with the operands.
    pub fn result_type(self, shared: &[Type], args: &[&Type]) -> Result<Option<Type>, String> {
        let wrong = || format!("`{self}` does not take {args:?}");
        match self {
            Effect::Barrier if args.is_empty() => return Ok(None),
            Effect::Wave(op) => return op.result_type(args).map(Some).ok_or_else(wrong),
            _ => {}
        }
        let Some((&place, values)) = args.split_first() else { return Err(wrong()) };
        let element = match self.shared() {
            Some(slot) => {
                let ty = shared.get(pullback_base::ids::Id::index(slot));
                ty.filter(|_| *place == Type::I64).map(slot_element).ok_or_else(wrong)?
            }
            None => match place {
                Type::Pointer(element) => Type::clone(element),
                _ => return Err(wrong()),
            },
        };
        let all_values = |count: usize| values.len() == count && values.iter().all(|&ty| *ty == element);
        let scalar = if element.is_scalar() { element.scalar() } else { None };
        let (fits, result) = match self {
            Effect::Load | Effect::SharedLoad(_) => (all_values(0), Some(element.clone())),
            Effect::Store | Effect::SharedStore(_) => (all_values(1), None),
            Effect::AtomicAdd | Effect::GroupSum => {
                (all_values(1) && scalar.is_some_and(|scalar| scalar != Scalar::Bool), None)
            }
            Effect::Atomic(op) | Effect::SharedAtomic(_, op) => {
                let takes = scalar.is_some_and(|scalar| op.takes(scalar));
                (takes && all_values(op.value_count()), Some(element.clone()))
            }
            Effect::Barrier | Effect::Wave(_) => (false, None),
        };
        if fits { Ok(result) } else { Err(wrong()) }
    }
}

impl std::fmt::Display for Effect {
    /// As in the text form: `load`, `atomic.add`, `shared_atomic.0.max`, `wave.sum`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())?;
        let number = |slot: SharedId| pullback_base::ids::Id::index(slot);
        match *self {
            Effect::Atomic(op) => write!(f, ".{}", op.name()),
            Effect::SharedLoad(slot) | Effect::SharedStore(slot) => write!(f, ".{}", number(slot)),
            Effect::SharedAtomic(slot, op) => write!(f, ".{}.{}", number(slot), op.name()),
            Effect::Wave(op) => write!(f, ".{}", op.name()),
            _ => Ok(()),
        }
    }
}

impl std::str::FromStr for Effect {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.split('.');
        let name = words.next().ok_or(())?;
        let mut slot = || -> Result<SharedId, ()> {
            let number: usize = words.next().ok_or(())?.parse().map_err(drop)?;
            Ok(pullback_base::ids::Id::from_index(number))
        };
        let atomic =
            |name: Option<&str>| AtomicOp::ALL.into_iter().find(|op| Some(op.name()) == name).ok_or(());
        let effect = match name {
            "load" => Effect::Load,
            "store" => Effect::Store,
            "atomic_add" => Effect::AtomicAdd,
            "group_sum" => Effect::GroupSum,
            "barrier" => Effect::Barrier,
            "shared_load" => Effect::SharedLoad(slot()?),
            "shared_store" => Effect::SharedStore(slot()?),
            "shared_atomic" => {
                let slot = slot()?;
                Effect::SharedAtomic(slot, atomic(words.next())?)
            }
            "atomic" => Effect::Atomic(atomic(words.next())?),
            "wave" => {
                let op = words.next();
                Effect::Wave(WaveOp::ALL.into_iter().find(|wave| Some(wave.name()) == op).ok_or(())?)
            }
            _ => return Err(()),
        };
        words.next().is_none().then_some(effect).ok_or(())
    }
}

/// What a shared slot holds at an index.
pub fn slot_element(slot: &Type) -> Type {
    match slot {
        Type::Array(element, _) => Type::clone(element),
        other => other.clone(),
    }
}
