//! What expressions are made of: rows of a form and the types of its operands, by flavour and type.

use super::program::Ty::{self, Bool, Float, Float3, Int};

/// What a program is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flavour {
    /// Whatever decides a branch, an index or a trip count is computed by ops that every target rounds alike; ops with
    /// a tolerance stand in the returned value only. Floats that are assigned are clamped, so that none grows without
    /// end. Edge cases and kinks are common.
    Exact,
    /// Analytic nearly everywhere, values of order one, kinks hit by random inputs with probability zero.
    Smooth,
}

/// A form, as often as it is listed, and its operands.
pub type Row = (&'static str, &'static [Ty]);

impl Flavour {
    /// The rows of a type.
    pub fn rows(self, ty: Ty) -> &'static [Row] {
        match (self, ty) {
            (Flavour::Exact, Float) => EXACT_FLOAT,
            (Flavour::Smooth, Float) => SMOOTH_FLOAT,
            (Flavour::Exact, Int) => EXACT_INT,
            (Flavour::Smooth, Int) => SMOOTH_INT,
            (Flavour::Exact, Bool) => EXACT_BOOL,
            (Flavour::Smooth, Bool) => SMOOTH_BOOL,
            (Flavour::Exact, _) => EXACT_FLOAT3,
            (Flavour::Smooth, _) => SMOOTH_FLOAT3,
        }
    }

    /// How a value to assign is kept within reach; in loops, where it may feed itself.
    pub fn bounds(self, ty: Ty, in_loop: bool) -> Option<&'static [&'static str]> {
        Some(match (self, ty) {
            (Flavour::Exact, Float) => &["clamp(@, -8.0, 8.0)"],
            (Flavour::Exact, Float3) => &["clamp(@, real3(-8.0), real3(8.0))"],
            (Flavour::Smooth, Float) if in_loop => &["0.9 * sin(@)", "tanh(@)", "atan(0.8 * @)"],
            (Flavour::Smooth, Float3) if in_loop => &["0.9 * sin(@)", "tanh(@)"],
            (Flavour::Smooth, Float) => &["@", "@", "sin(@)"],
            (Flavour::Smooth, Float3) => &["@", "cos(@)"],
            (Flavour::Smooth, Int) => &["(@) % 64"],
            _ => return None,
        })
    }

    /// The value of the entry function: the one place of [`Flavour::Exact`] for ops that targets round differently.
    pub fn results(self) -> &'static [Row] {
        match self {
            Flavour::Exact => &[
                ("@ / (1.0 + abs(@))", &[Float, Float]),
                ("sqrt(abs(@)) + @", &[Float, Float]),
                ("exp(-abs(@)) * @", &[Float, Float]),
                ("sin(clamp(@, -3.0, 3.0)) + @", &[Float, Float]),
                ("length(real3(@, @, 1.0))", &[Float, Float]),
                ("@", &[Float]),
            ],
            Flavour::Smooth => {
                &[("@ + @", &[Float, Float]), ("@ * @ + @", &[Float, Float, Float]), ("@", &[Float])]
            }
        }
    }

    /// Trip counts: small, and zero among them.
    pub fn limits(self) -> &'static [Row] {
        match self {
            Flavour::Exact => &[("((@) & 7)", &[Int])],
            Flavour::Smooth => &[
                ("((@) & 7)", &[Int]),
                ("(abs(@) % 13)", &[Int]),
                ("((@) & 3)", &[Int]),
                ("int(4.0 + 2.9 * sin(@))", &[Float]),
                ("5", &[]),
            ],
        }
    }

    /// Of vectors of three and arrays of four, never a constant out of range, which is refused; and of memory, in range.
    pub fn indices(self, of: Ty) -> &'static [Row] {
        match (self, of) {
            (_, Ty::Cells) => &[("(@) & 3", &[Int]), ("(n + @) & 3", &[Int])],
            (_, Ty::Parts) => &[("(@) & 1", &[Int]), ("(n + @) & 1", &[Int])],
            (Flavour::Exact, _) => &[("n + @", &[Int])],
            (_, Float3) => {
                &[("(@) & 1", &[Int]), ("n + @", &[Int]), ("int(1.5 + 1.4 * cos(@ + 0.1 * a))", &[Float])]
            }
            _ => &[
                ("(@) & 3", &[Int]),
                ("(@) & 3", &[Int]),
                ("n + @", &[Int]),
                ("int(2.0 + 1.9 * cos(@ + 0.1 * a))", &[Float]),
            ],
        }
    }

    /// Steps of loop counters, `$` being the counter.
    pub fn steps(self) -> &'static [Row] {
        match self {
            Flavour::Exact => &[("1", &[])],
            Flavour::Smooth => &[
                ("1", &[]),
                ("1", &[]),
                ("1", &[]),
                ("2", &[]),
                ("1 + ($ & 1)", &[]),
                ("1 + $ / 2", &[]),
                ("(@ ? 1 : 2)", &[Bool]),
            ],
        }
    }
}

const EXACT_FLOAT: &[Row] = &[
    ("(@ + @)", &[Float, Float]),
    ("(@ + @)", &[Float, Float]),
    ("(@ - @)", &[Float, Float]),
    ("(@ * @)", &[Float, Float]),
    ("(@ * @)", &[Float, Float]),
    ("min(@, @)", &[Float, Float]),
    ("max(@, @)", &[Float, Float]),
    ("abs(@)", &[Float]),
    ("floor(@)", &[Float]),
    ("ceil(@)", &[Float]),
    ("trunc(@)", &[Float]),
    ("round(@)", &[Float]),
    ("sign(@)", &[Float]),
    ("-(@)", &[Float]),
    ("real(@)", &[Int]),
    ("(@ ? @ : @)", &[Bool, Float, Float]),
    ("(@).z", &[Float3]),
    ("fmod(@, @)", &[Float, Float]),
    ("(@ - @ * 0.5)", &[Float, Float]),
];

const SMOOTH_FLOAT: &[Row] = &[
    ("(@ + @)", &[Float, Float]),
    ("(@ + @)", &[Float, Float]),
    ("(@ - @)", &[Float, Float]),
    ("(@ * tanh(@))", &[Float, Float]),
    ("(@ * tanh(@))", &[Float, Float]),
    ("tanh(@ * @)", &[Float, Float]),
    ("(sin(@) * cos(@))", &[Float, Float]),
    ("sin(@)", &[Float]),
    ("cos(@)", &[Float]),
    ("atan(@)", &[Float]),
    ("exp(tanh(@))", &[Float]),
    ("log(2.0 + sin(@))", &[Float]),
    ("sqrt(1.5 + cos(@))", &[Float]),
    ("rsqrt(1.5 + cos(@))", &[Float]),
    ("asin(0.9 * sin(@))", &[Float]),
    ("pow(1.5 + sin(@), tanh(@))", &[Float, Float]),
    ("(@ / (1.5 + 0.5 * sin(@)))", &[Float, Float]),
    ("atan2(@, 2.0 + sin(@))", &[Float, Float]),
    ("lerp(@, @, 0.25)", &[Float, Float]),
    ("min(@, @)", &[Float, Float]),
    ("max(@, @)", &[Float, Float]),
    ("abs(@)", &[Float]),
    ("clamp(@, -0.8, 0.9)", &[Float]),
    ("smoothstep(-1.0, 1.0, @)", &[Float]),
    ("fmod(@, 2.5)", &[Float]),
    ("frac(@)", &[Float]),
    ("floor(@)", &[Float]),
    ("detach(@)", &[Float]),
    ("(@ ? @ : @)", &[Bool, Float, Float]),
    ("(@ ? @ : @)", &[Bool, Float, Float]),
    ("(real((@) % 7) * 0.1)", &[Int]),
    ("(@).z", &[Float3]),
    ("(0.2 * dot(@, @))", &[Float3, Float3]),
    ("(0.3 * length(@))", &[Float3]),
    ("-(@)", &[Float]),
];

const EXACT_INT: &[Row] = &[
    ("(@ + @)", &[Int, Int]),
    ("(@ - @)", &[Int, Int]),
    ("(@ * @)", &[Int, Int]),
    ("(@ / @)", &[Int, Int]),
    ("(@ % @)", &[Int, Int]),
    ("(@ & @)", &[Int, Int]),
    ("(@ | @)", &[Int, Int]),
    ("(@ ^ @)", &[Int, Int]),
    ("(@ << @)", &[Int, Int]),
    ("(@ >> @)", &[Int, Int]),
    ("min(@, @)", &[Int, Int]),
    ("max(@, @)", &[Int, Int]),
    ("int(@)", &[Float]),
    ("int(@)", &[Float]),
    ("(@ ? @ : @)", &[Bool, Int, Int]),
    ("(@ ? @ : @)", &[Bool, Int, Int]),
    ("~(@)", &[Int]),
    ("abs(@)", &[Int]),
    ("(int)countbits((uint)(@))", &[Int]),
    ("int(uint(@) >> 3u)", &[Int]),
    ("(-(@))", &[Int]),
];

const SMOOTH_INT: &[Row] = &[
    ("(@ + @)", &[Int, Int]),
    ("(@ - @)", &[Int, Int]),
    ("(@ * 3 + @)", &[Int, Int]),
    ("(@ % 5)", &[Int]),
    ("(@ ^ @)", &[Int, Int]),
    ("(@ >> 1)", &[Int]),
    ("max(@, @)", &[Int, Int]),
    ("int(2.9 * sin(@))", &[Float]),
    ("(@ ? @ : @)", &[Bool, Int, Int]),
];

const EXACT_BOOL: &[Row] = &[
    ("(@ < @)", &[Float, Float]),
    ("(@ <= @)", &[Float, Float]),
    ("(@ > @)", &[Float, Float]),
    ("(@ >= @)", &[Float, Float]),
    ("(@ == @)", &[Float, Float]),
    ("(@ != @)", &[Float, Float]),
    ("(@ < @)", &[Int, Int]),
    ("(@ <= @)", &[Int, Int]),
    ("(@ > @)", &[Int, Int]),
    ("(@ >= @)", &[Int, Int]),
    ("(@ == @)", &[Int, Int]),
    ("(@ != @)", &[Int, Int]),
    ("(@ && @)", &[Bool, Bool]),
    ("(@ || @)", &[Bool, Bool]),
    ("(@ == @)", &[Bool, Bool]),
    ("(@ != @)", &[Bool, Bool]),
    ("!(@)", &[Bool]),
    ("!(@)", &[Bool]),
];

const SMOOTH_BOOL: &[Row] = &[
    ("(@ < @)", &[Float, Float]),
    ("(@ > @)", &[Float, Float]),
    ("(@ < 0.5)", &[Float]),
    ("((@ & 1) == 0)", &[Int]),
    ("(@ % 3 != 1)", &[Int]),
    ("(@ < @)", &[Int, Int]),
    ("(@ && @)", &[Bool, Bool]),
    ("(@ || @)", &[Bool, Bool]),
    ("!(@)", &[Bool]),
];

const EXACT_FLOAT3: &[Row] = &[
    ("((@) + (@))", &[Float3, Float3]),
    ("((@) - (@))", &[Float3, Float3]),
    ("((@) * (@))", &[Float3, Float3]),
    ("(@).zyx", &[Float3]),
    ("(@).xxy", &[Float3]),
    ("((@) * @)", &[Float3, Float]),
    ("real3(@, (@).xy)", &[Float, Float3]),
    ("cross(@, @)", &[Float3, Float3]),
];

const SMOOTH_FLOAT3: &[Row] = &[
    ("((@) + (@))", &[Float3, Float3]),
    ("((@) - (@))", &[Float3, Float3]),
    ("((@) * tanh(@))", &[Float3, Float3]),
    ("(@).zyx", &[Float3]),
    ("(@).yxx", &[Float3]),
    ("((@) * @)", &[Float3, Float]),
    ("real3(@, (@).xy)", &[Float, Float3]),
    ("real3(@, @, @)", &[Float, Float, Float]),
    ("(0.4 * cross(@, @))", &[Float3, Float3]),
    ("normalize((@) + real3(0.1, 2.0, 0.3))", &[Float3]),
    ("(@ ? @ : @)", &[Bool, Float3, Float3]),
];
