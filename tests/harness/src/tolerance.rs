//! How far a device's result of one op may be from the interpreter's: the only table of tolerances.

use pullback_base::Scalar;

/// Who computed the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The vector bytecode.
    Cpu,
    /// CUDA C++, on a GPU or compiled for the host.
    Cuda,
    /// SPIR-V, on any Vulkan driver.
    Vulkan,
}

/// A result passes when it is within `ulps` units in the last place, or within `absolute`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    pub ulps: f64,
    pub absolute: f64,
}

impl Tolerance {
    /// Equal bits, except that zeros of either sign and NaNs of any payload are alike.
    pub const EXACT: Tolerance = Tolerance { ulps: 0.0, absolute: 0.0 };

    const fn ulps(ulps: f64) -> Self {
        Self { ulps, absolute: 0.0 }
    }

    const fn or_absolute(self, absolute: f64) -> Self {
        Self { absolute, ..self }
    }

    /// How far a result may be from that finite number.
    pub fn distance(self, scalar: Scalar, at: f64) -> f64 {
        self.absolute.max(if self.ulps > 0.0 { self.ulps * ulp(scalar, at) } else { 0.0 })
    }

    /// Whether `found` passes for `expected`, both being numbers of that float type.
    pub fn accepts(self, scalar: Scalar, expected: f64, found: f64) -> bool {
        if expected.is_nan() || found.is_nan() {
            return expected.is_nan() && found.is_nan();
        }
        if expected == found {
            return true;
        }
        let distance = (expected - found).abs();
        if expected.is_infinite() || found.is_infinite() {
            // The last finite numbers are one rounding away from infinity.
            let near = largest(scalar) - 2.0 * self.ulps * ulp(scalar, largest(scalar));
            return self.ulps > 0.0
                && expected.signum() == found.signum()
                && expected.abs().min(found.abs()) >= near;
        }
        distance <= self.absolute || distance <= self.ulps * ulp(scalar, expected)
    }
}

/// The largest finite number.
fn largest(scalar: Scalar) -> f64 {
    match scalar {
        Scalar::F16 => 65504.0,
        // Ones in all eight digits.
        Scalar::BF16 => 255.0 * 2f64.powi(120),
        Scalar::F64 => f64::MAX,
        _ => f64::from(f32::MAX),
    }
}

/// The distance between neighbours at a number.
fn ulp(scalar: Scalar, at: f64) -> f64 {
    let (digits, lowest) = match scalar {
        Scalar::F16 => (10, -24),
        Scalar::BF16 => (7, -133),
        Scalar::F64 => (52, -1074),
        _ => (23, -149),
    };
    let exponent = if at == 0.0 { lowest } else { (at.abs().log2().floor() as i32) - digits };
    f64::from(exponent.max(lowest)).exp2()
}

/// The tolerance of an op (by its text name) on a result of that type.
pub fn tolerance(op: &str, scalar: Scalar, target: Target) -> Tolerance {
    if !scalar.is_float() {
        return Tolerance::EXACT;
    }
    let computed = match (target, scalar) {
        (_, Scalar::F16 | Scalar::BF16) => half(op, target),
        (Target::Cpu | Target::Cuda, _) => host_like(op),
        (Target::Vulkan, Scalar::F64) => vulkan_f64(op),
        (Target::Vulkan, _) => vulkan_f32(op),
    };
    if target == Target::Vulkan && matches!(scalar, Scalar::F32 | Scalar::BF16) {
        // Drivers may flush subnormal numbers to zero.
        return computed.or_absolute(computed.absolute.max(f64::from(f32::MIN_POSITIVE)));
    }
    computed
}

/// Vector polynomials on the CPU, CUDA's math library, the host's: all of them state a few ulps.
fn host_like(op: &str) -> Tolerance {
    match op {
        // IEEE 754 fixes these.
        "add" | "sub" | "mul" | "div" | "neg" | "abs" | "sqrt" | "fma" | "rem" | "min" | "max" | "clamp"
        | "sign" | "floor" | "ceil" | "round" | "trunc" | "fract" | "copysign" | "mul_or_zero" | "select"
        | "convert" | "rcp" => Tolerance::EXACT,
        "rsqrt" => Tolerance::ulps(2.0),
        // The oracle's own functions are within 1 ulp, CUDA's and ours within 4 (tan, sinh, asinh ... compose two).
        "exp" | "exp2" | "log" | "log2" | "log10" | "sin" | "cos" => Tolerance::ulps(4.0),
        "tan" | "asin" | "acos" | "atan" | "atan2" | "sinh" | "cosh" | "tanh" | "asinh" | "acosh"
        | "atanh" => Tolerance::ulps(6.0),
        // exp2(y * log2(x)) in more than working precision: CUDA states 8.
        "pow" => Tolerance::ulps(8.0),
        _ => Tolerance::EXACT,
    }
}

/// Computed in f32 and rounded once more: an f32 error can move a result that is near a tie by one.
fn half(op: &str, target: Target) -> Tolerance {
    let f32_tolerance = match target {
        Target::Vulkan => vulkan_f32(op),
        _ => host_like(op),
    };
    match op {
        // The sum of a product in f32 rounds before the result does.
        "fma" => Tolerance::ulps(1.0),
        _ if f32_tolerance == Tolerance::EXACT => Tolerance::EXACT,
        // 2^13 steps of f32 make one of f16, 2^16 one of bf16.
        _ => Tolerance::ulps(1.0 + f32_tolerance.ulps / 8192.0).or_absolute(f32_tolerance.absolute),
    }
}

/// What the Vulkan specification promises of f32 arithmetic ("Precision and Operation of SPIR-V Instructions"); the
/// functions are our own expansions into it, so that no driver's 2^-11 for `sin` shows.
fn vulkan_f32(op: &str) -> Tolerance {
    match op {
        // Two roundings are allowed: x * y + z. Large terms may cancel, which tests avoid.
        "fma" => Tolerance::ulps(2.0),
        "div" | "rcp" | "rsqrt" => Tolerance::ulps(2.5),
        // Inherited from 1 / inversesqrt(x).
        "sqrt" => Tolerance::ulps(5.0),
        _ => vulkan_functions(op),
    }
}

/// Expansions: 1 to 3 ulp measured where division is IEEE's; drivers may divide to 2.5 ulp.
fn vulkan_functions(op: &str) -> Tolerance {
    match op {
        "exp" | "exp2" | "log" | "log2" | "log10" | "sin" | "cos" | "pow" => Tolerance::ulps(4.0),
        "tan" | "asin" | "acos" | "atan" | "atan2" | "sinh" | "cosh" | "tanh" | "asinh" | "acosh"
        | "atanh" => Tolerance::ulps(8.0),
        _ => Tolerance::EXACT,
    }
}

fn vulkan_f64(op: &str) -> Tolerance {
    match op {
        "fma" => Tolerance::ulps(2.0),
        "div" | "rcp" | "sqrt" => Tolerance::ulps(2.5),
        // The reciprocal of a root.
        "rsqrt" => Tolerance::ulps(4.0),
        _ => vulkan_functions(op),
    }
}

/// Whether the op's tolerance is promised for these operands, whose exact result is `expected`.
pub fn is_promised(op: &str, scalar: Scalar, target: Target, operands: &[f64], expected: f64) -> bool {
    match (op, target, operands) {
        // Of two roundings, the first is lost or magnified where product and sum cancel, and the product may overflow.
        ("fma", _, [x, y, z]) if target == Target::Vulkan || matches!(scalar, Scalar::F16 | Scalar::BF16) => {
            let product = (x * y).abs();
            product < largest(scalar) && product.max(z.abs()) <= 2.0 * expected.abs()
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_ulp_is_accepted_and_two_are_not() {
        let one = Tolerance::ulps(1.0);
        let next = f64::from(1f32.next_up());
        assert!(one.accepts(Scalar::F32, 1.0, next));
        assert!(!one.accepts(Scalar::F32, 1.0, f64::from(1f32.next_up().next_up())));
        assert!(!Tolerance::EXACT.accepts(Scalar::F32, 1.0, next));
    }

    #[test]
    fn nan_is_accepted_only_for_nan() {
        let loose = Tolerance { ulps: 1e9, absolute: 1e9 };
        assert!(loose.accepts(Scalar::F32, f64::NAN, f64::NAN));
        assert!(!loose.accepts(Scalar::F32, 1.0, f64::NAN));
        assert!(!loose.accepts(Scalar::F32, f64::NAN, 1.0));
    }
}
