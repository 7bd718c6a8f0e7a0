//! The CPU device's instruction set: what code generation writes and the device executes.
//!
//! # Machine
//!
//! A program runs on a chunk of [`GROUP_LANES`](crate::GROUP_LANES) lanes. A *row* holds one number per lane,
//! of one [`Kind`]; narrower dtypes are computed in the kind of [`Kind::of`] and keep to their own values by
//! explicit `Wrap*` and `Round*` ops. A [`Reg`] is the place of a row in the register file, in units of
//! [`UNIT_BYTES`]; arrays are consecutive rows. Rows are untyped bits: an `i32` row may be read as `f32`.
//!
//! The `prologue` runs once per launch and thread, before any chunk: it makes the rows that are the same in
//! every chunk. The `body` runs per chunk; a chunk is one group of lanes, and may be shorter than a row. Divergence is by masks: rows of bools that effects take
//! ([`Reg::NONE`]: every lane). What a pure instruction computes in a lane that is off is of no meaning.
//!
//! No instruction's output overlaps one of its operands, save where it is said to update it.

mod words;

use crate::DType;
pub use words::Malformed;

/// The size of one byte per lane, the grain of the register file.
pub const UNIT_BYTES: usize = crate::GROUP_LANES as usize;

/// What the elements of a row are computed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One byte, 0 or 1.
    Bool,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
}

impl Kind {
    pub const ALL: [Kind; 7] = [Kind::Bool, Kind::I32, Kind::U32, Kind::I64, Kind::U64, Kind::F32, Kind::F64];

    /// The kind that a dtype is computed in: the narrow ones in 32 bits.
    pub const fn of(dtype: DType) -> Kind {
        match dtype {
            DType::Bool => Kind::Bool,
            DType::I8 | DType::I16 | DType::I32 => Kind::I32,
            DType::U8 | DType::U16 | DType::U32 => Kind::U32,
            DType::I64 => Kind::I64,
            DType::U64 => Kind::U64,
            DType::F16 | DType::BF16 | DType::F32 => Kind::F32,
            DType::F64 => Kind::F64,
        }
    }

    /// Bytes per lane, which is also the row's size in units.
    pub const fn size_bytes(self) -> u32 {
        match self {
            Kind::Bool => 1,
            Kind::I32 | Kind::U32 | Kind::F32 => 4,
            Kind::I64 | Kind::U64 | Kind::F64 => 8,
        }
    }
}

/// The place of a row: its offset in the register file in units. (Code generation also numbers its
/// virtual registers so, before it places them.)
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reg(pub u32);

impl Reg {
    /// No row; as a mask: every lane.
    pub const NONE: Reg = Reg(u32::MAX);

    pub fn is_none(self) -> bool {
        self == Reg::NONE
    }
}

impl std::fmt::Debug for Reg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_none() { f.write_str("-") } else { write!(f, "r{}", self.0) }
    }
}

/// The kind of a computation's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ResultKind {
    Operand,
    Is(Kind),
}

macro_rules! vector_ops {
    ($($(#[$meta:meta])* $variant:ident $text:literal $arity:literal $result:expr;)*) => {
        /// A pure computation on rows, lane by lane. Semantics are those of the IR's op of that name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum VectorOp { $($(#[$meta])* $variant,)* }

        impl VectorOp {
            pub const ALL: &'static [VectorOp] = &[$(VectorOp::$variant,)*];

            pub fn name(self) -> &'static str {
                match self { $(VectorOp::$variant => $text,)* }
            }

            /// How many operand rows it takes.
            pub fn arity(self) -> usize {
                match self { $(VectorOp::$variant => $arity,)* }
            }

            fn result(self) -> ResultKind {
                use ResultKind::{Is, Operand};
                // Both names are needed by some row of the table.
                let _ = (Operand, Is(Kind::Bool));
                match self { $(VectorOp::$variant => $result,)* }
            }
        }
    };
}

vector_ops! {
    Neg "neg" 1 Operand;
    Add "add" 2 Operand;
    Sub "sub" 2 Operand;
    Mul "mul" 2 Operand;
    Div "div" 2 Operand;
    Rem "rem" 2 Operand;
    Fma "fma" 3 Operand;
    Min "min" 2 Operand;
    Max "max" 2 Operand;
    Abs "abs" 1 Operand;
    Sign "sign" 1 Operand;
    Not "not" 1 Operand;
    And "and" 2 Operand;
    Or "or" 2 Operand;
    Xor "xor" 2 Operand;
    /// `a & !b`, of masks.
    AndNot "and_not" 2 Operand;
    Shl "shl" 2 Operand;
    Shr "shr" 2 Operand;
    CountBits "count_bits" 1 Operand;
    ReverseBits "reverse_bits" 1 Operand;
    FirstBitHigh "first_bit_high" 1 Operand;
    FirstBitLow "first_bit_low" 1 Operand;
    Eq "eq" 2 Is(Kind::Bool);
    Ne "ne" 2 Is(Kind::Bool);
    Lt "lt" 2 Is(Kind::Bool);
    Le "le" 2 Is(Kind::Bool);
    Gt "gt" 2 Is(Kind::Bool);
    Ge "ge" 2 Is(Kind::Bool);
    IsNan "is_nan" 1 Is(Kind::Bool);
    IsInf "is_inf" 1 Is(Kind::Bool);
    /// `select(condition: Bool, a, b)`
    Select "select" 3 Operand;
    Floor "floor" 1 Operand;
    Ceil "ceil" 1 Operand;
    Round "round" 1 Operand;
    Trunc "trunc" 1 Operand;
    Fract "fract" 1 Operand;
    Sqrt "sqrt" 1 Operand;
    Rsqrt "rsqrt" 1 Operand;
    Rcp "rcp" 1 Operand;
    Exp "exp" 1 Operand;
    Exp2 "exp2" 1 Operand;
    Log "log" 1 Operand;
    Log2 "log2" 1 Operand;
    Log10 "log10" 1 Operand;
    Pow "pow" 2 Operand;
    Sin "sin" 1 Operand;
    Cos "cos" 1 Operand;
    Tan "tan" 1 Operand;
    Asin "asin" 1 Operand;
    Acos "acos" 1 Operand;
    Atan "atan" 1 Operand;
    Atan2 "atan2" 2 Operand;
    Sinh "sinh" 1 Operand;
    Cosh "cosh" 1 Operand;
    Tanh "tanh" 1 Operand;
    Asinh "asinh" 1 Operand;
    Acosh "acosh" 1 Operand;
    Atanh "atanh" 1 Operand;
    Copysign "copysign" 2 Operand;
    MulOrZero "mul_or_zero" 2 Operand;
    /// The IR's `convert` from the operand's kind.
    ToBool "to_bool" 1 Is(Kind::Bool);
    ToI32 "to_i32" 1 Is(Kind::I32);
    ToU32 "to_u32" 1 Is(Kind::U32);
    ToI64 "to_i64" 1 Is(Kind::I64);
    ToU64 "to_u64" 1 Is(Kind::U64);
    ToF32 "to_f32" 1 Is(Kind::F32);
    ToF64 "to_f64" 1 Is(Kind::F64);
    /// The low 8 bits, sign-extended.
    WrapI8 "wrap_i8" 1 Is(Kind::I32);
    WrapI16 "wrap_i16" 1 Is(Kind::I32);
    /// The low 8 bits, zero-extended.
    WrapU8 "wrap_u8" 1 Is(Kind::U32);
    WrapU16 "wrap_u16" 1 Is(Kind::U32);
    /// The nearest half-precision number, ties to even.
    RoundF16 "round_f16" 1 Is(Kind::F32);
    RoundBf16 "round_bf16" 1 Is(Kind::F32);
    /// The 16 bits of a half-precision number, zero-extended.
    F16ToBits "f16_to_bits" 1 Is(Kind::U32);
    F16FromBits "f16_from_bits" 1 Is(Kind::F32);
}

impl VectorOp {
    /// The kind of the result, computing in `kind`.
    pub fn result_kind(self, kind: Kind) -> Kind {
        match self.result() {
            ResultKind::Operand => kind,
            ResultKind::Is(kind) => kind,
        }
    }

    /// The kind of operand `index`, computing in `kind`.
    pub fn operand_kind(self, kind: Kind, index: usize) -> Kind {
        if self == VectorOp::Select && index == 0 { Kind::Bool } else { kind }
    }
}

macro_rules! named {
    ($(#[$meta:meta])* $name:ident { $($variant:ident $text:literal)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($variant,)* }

        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }
    };
}

named! {
    /// The IR's atomic operations.
    Update {
        Add "add" Min "min" Max "max" And "and" Or "or" Xor "xor" Exchange "exchange"
        CompareExchange "compare_exchange"
    }
}

named! {
    /// The IR's wave ops.
    Joint {
        Sum "sum" Product "product" Min "min" Max "max" And "and" Or "or" Xor "xor"
        PrefixSum "prefix_sum" PrefixProduct "prefix_product" ReadLane "read_lane" ReadFirst "read_first"
        Ballot "ballot"
    }
}

impl Joint {
    /// The kind of the result over values of `kind`.
    pub fn result_kind(self, kind: Kind) -> Kind {
        if self == Joint::Ballot { Kind::U32 } else { kind }
    }
}

/// One instruction. Effects touch only lanes that exist and whose mask is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Instruction {
    /// The number with these bits in every lane.
    Constant {
        out: Reg,
        kind: Kind,
        bits: u64,
    },
    /// The kernel parameter of that number in every lane: a scalar in the kind of its dtype, or an address (I64).
    Parameter {
        out: Reg,
        index: u32,
    },
    /// The lane id, I64.
    LaneId {
        out: Reg,
    },
    Compute {
        op: VectorOp,
        kind: Kind,
        out: Reg,
        args: [Reg; 3],
    },
    /// Loads from `base + lane_id * stride` (bytes, lane 0 of two I64 rows).
    Load {
        dtype: DType,
        out: Reg,
        base: Reg,
        stride: Reg,
        mask: Reg,
    },
    /// Loads from one address per lane.
    Gather {
        dtype: DType,
        out: Reg,
        address: Reg,
        mask: Reg,
    },
    /// Stores to `base + lane_id * stride`.
    Store {
        dtype: DType,
        base: Reg,
        stride: Reg,
        value: Reg,
        mask: Reg,
    },
    /// Stores to one address per lane; where two are equal, the higher lane's value stays.
    Scatter {
        dtype: DType,
        address: Reg,
        value: Reg,
        mask: Reg,
    },
    AtomicAdd {
        dtype: DType,
        address: Reg,
        value: Reg,
        mask: Reg,
    },
    /// The IR's `atomic`, lane after lane; `expected` is [`Reg::NONE`] but for a compare-exchange. Lanes that are off
    /// keep no meaning in `out`.
    Atomic {
        dtype: DType,
        update: Update,
        out: Reg,
        address: Reg,
        value: Reg,
        expected: Reg,
        mask: Reg,
    },
    /// The address of that byte of the group's shared memory, I64.
    SharedAddress {
        out: Reg,
        offset_bytes: u32,
    },
    /// A wave op among the lanes that are on, over rows of `kind`; `lane` is the U32 operand of a `read_lane`.
    Wave {
        joint: Joint,
        kind: Kind,
        out: Reg,
        value: Reg,
        lane: Reg,
        mask: Reg,
    },
    /// The IR's `group_sum`; the array's address is in lane 0 of `base`.
    GroupSum {
        dtype: DType,
        base: Reg,
        value: Reg,
    },
    /// Copies `rows` rows of `size_bytes` per lane (or one row to all of them, with `repeat`); lanes
    /// that are off keep what they had, so `out` is updated where there is a mask.
    Copy {
        size_bytes: u32,
        rows: u32,
        repeat: bool,
        out: Reg,
        out_row: u32,
        arg: Reg,
        arg_row: u32,
        mask: Reg,
    },
    /// `element_get` of an array of `len` rows; the index row has 4 or 8 bytes per lane.
    ElementGet {
        size_bytes: u32,
        len: u32,
        index_bytes: u32,
        out: Reg,
        array: Reg,
        index: Reg,
    },
    /// `element_set` in place: updates `array`.
    ElementSet {
        size_bytes: u32,
        len: u32,
        index_bytes: u32,
        array: Reg,
        index: Reg,
        value: Reg,
        mask: Reg,
    },
    /// Goes on at that instruction of the body.
    Jump {
        to: u32,
    },
    /// Jumps when no lane of the row is set.
    JumpIfNone {
        mask: Reg,
        to: u32,
    },
}

/// What an instruction does to a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Write,
    Read,
    /// Some lanes are written, the others kept.
    Update,
}

impl Instruction {
    /// Visits its registers ([`Reg::NONE`] left out), to read or rename them.
    pub fn registers(&mut self, mut visit: impl FnMut(&mut Reg, Role)) {
        use Instruction::*;
        use Role::*;
        let mut see = |reg: &mut Reg, role| {
            if !reg.is_none() {
                visit(reg, role);
            }
        };
        match self {
            Constant { out, .. } | Parameter { out, .. } | LaneId { out } | SharedAddress { out, .. } => {
                see(out, Write);
            }
            Atomic { out, address, value, expected, mask, .. } => {
                [address, value, expected, mask].into_iter().for_each(|reg| see(reg, Read));
                see(out, Write);
            }
            Wave { out, value, lane, mask, .. } => {
                [value, lane, mask].into_iter().for_each(|reg| see(reg, Read));
                see(out, Write);
            }
            Compute { out, args, .. } => {
                args.iter_mut().for_each(|arg| see(arg, Read));
                see(out, Write);
            }
            Load { out, base, stride, mask, .. } => {
                [base, stride, mask].into_iter().for_each(|reg| see(reg, Read));
                see(out, Write);
            }
            Gather { out, address, mask, .. } => {
                [address, mask].into_iter().for_each(|reg| see(reg, Read));
                see(out, Write);
            }
            Store { base, stride, value, mask, .. } => {
                [base, stride, value, mask].into_iter().for_each(|reg| see(reg, Read));
            }
            Scatter { address, value, mask, .. } | AtomicAdd { address, value, mask, .. } => {
                [address, value, mask].into_iter().for_each(|reg| see(reg, Read));
            }
            GroupSum { base, value, .. } => [base, value].into_iter().for_each(|reg| see(reg, Read)),
            Copy { rows, repeat: _, out, out_row, arg, mask, .. } => {
                see(arg, Read);
                let whole = mask.is_none() && *out_row == 0 && *rows == 1;
                see(mask, Read);
                see(out, if whole { Write } else { Update });
            }
            ElementGet { out, array, index, .. } => {
                [array, index].into_iter().for_each(|reg| see(reg, Read));
                see(out, Write);
            }
            ElementSet { array, index, value, mask, .. } => {
                [index, value, mask].into_iter().for_each(|reg| see(reg, Read));
                see(array, Update);
            }
            Jump { .. } => {}
            JumpIfNone { mask, .. } => see(mask, Read),
        }
    }

    /// The target of a jump.
    pub fn target_mut(&mut self) -> Option<&mut u32> {
        match self {
            Instruction::Jump { to } | Instruction::JumpIfNone { to, .. } => Some(to),
            _ => None,
        }
    }

    /// Whether it does nothing but write registers.
    pub fn is_pure(&self) -> bool {
        use Instruction::*;
        !matches!(
            self,
            Store { .. }
                | Scatter { .. }
                | AtomicAdd { .. }
                | Atomic { .. }
                | GroupSum { .. }
                | Jump { .. }
                | JumpIfNone { .. }
        )
    }
}

/// A program, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// Size of the register file.
    pub units: u32,
    /// Size of the memory a group shares.
    pub shared_bytes: u32,
    /// No jumps and no effects.
    pub prologue: Vec<Instruction>,
    pub body: Vec<Instruction>,
}
