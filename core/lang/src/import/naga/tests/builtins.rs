//! Built-in functions against hand-computed values and Rust's own.

use super::{call, f, i, u, vector};

fn one(expression: &str, x: f32) -> f64 {
    call(&format!("fn f(x: f32) -> f32 {{ return {expression}; }}"), &[f(x)])[0]
}

#[track_caller]
fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-5 * expected.abs().max(1.0), "{found} is not {expected}");
}

#[test]
fn functions_of_one_number_are_those_of_rust() {
    let x = 0.7_f32;
    let table: [(&str, f32); 22] = [
        ("sin(x)", x.sin()),
        ("cos(x)", x.cos()),
        ("tan(x)", x.tan()),
        ("asin(x)", x.asin()),
        ("acos(x)", x.acos()),
        ("atan(x)", x.atan()),
        ("sinh(x)", x.sinh()),
        ("cosh(x)", x.cosh()),
        ("tanh(x)", x.tanh()),
        ("asinh(x)", x.asinh()),
        ("acosh(x + 1.0)", (x + 1.0).acosh()),
        ("atanh(x)", x.atanh()),
        ("exp(x)", x.exp()),
        ("exp2(x)", x.exp2()),
        ("log(x)", x.ln()),
        ("log2(x)", x.log2()),
        ("inverseSqrt(x)", 1.0 / x.sqrt()),
        ("radians(x)", x.to_radians()),
        ("degrees(x)", x.to_degrees()),
        ("fract(-x)", 1.0 - x),
        ("saturate(x * 9.0)", 1.0),
        ("atan2(x, -1.0)", x.atan2(-1.0)),
    ];
    for (expression, expected) in table {
        near(one(expression, x), expected.into());
    }
}

#[test]
fn blends_and_steps_follow_their_formulas() {
    near(one("mix(2.0, 10.0, x)", 0.25), 4.0);
    near(one("step(0.5, x)", 0.5), 1.0);
    near(one("smoothstep(0.0, 2.0, x)", 0.5), 0.15625);
    near(one("fma(x, 3.0, 1.0)", 2.0), 7.0);
    near(one("quantizeToF16(x)", 1.0 + 1.0 / 4096.0), 1.0);
    near(one("round(x) * 10.0 + sign(-x)", 2.5), 19.0);
    let mixed = "fn f(a: vec2<f32>, w: f32) -> vec2<f32> { return mix(a, vec2(4.0), w); }";
    assert_eq!(call(mixed, &[vector(&[0.0, 2.0]), f(0.5)]), [2.0, 3.0]);
}

#[test]
fn geometry_follows_its_formulas() {
    let text = "fn f(a: vec3<f32>, b: vec3<f32>) -> array<vec3<f32>, 5> {
        return array(cross(a, b), reflect(a, b), refract(a, b, 0.5), refract(a, b, 9.0), faceForward(a, b, b));
    }";
    let leaves = call(text, &[vector(&[0.6, -0.8, 0.0]), vector(&[0.0, 1.0, 0.0])]);
    // r i - (r n.i + sqrt(1 - r^2 (1 - (n.i)^2))) n
    let bent = -0.4 - (-0.4 + (1.0_f64 - 0.25 * 0.36).sqrt());
    let expected = [0.0, 0.0, 0.6, 0.6, 0.8, 0.0, 0.3, bent, 0.0, 0.0, 0.0, 0.0, -0.6, 0.8, 0.0];
    leaves.iter().zip(expected).for_each(|(&found, expected)| near(found, expected));
}

#[test]
fn lengths_are_zero_at_zero_and_nan_of_nan() {
    let text = "fn f(a: vec2<f32>) -> vec3<f32> { return vec3(length(a), distance(a, vec2(0.0, 1.0)), length(-a.x)); }";
    assert_eq!(call(text, &[vector(&[0.0, 0.0])]), [0.0, 1.0, 0.0]);
    assert_eq!(call(text, &[vector(&[3.0, 4.0])]), [5.0, 18.0_f32.sqrt().into(), 3.0]);
    assert!(call(text, &[vector(&[f32::NAN, 0.0])])[0].is_nan());
    let unit = "fn f(a: vec2<f32>) -> vec2<f32> { return normalize(a); }";
    let leaves = call(unit, &[vector(&[3.0, 4.0])]);
    near(leaves[0], 0.6);
    near(leaves[1], 0.8);
}

#[test]
fn numbers_come_apart_and_together_exactly() {
    let text = "fn f(x: f32) -> vec4<f32> {
        let parts = frexp(x); let whole = modf(x);
        return vec4(parts.fract, f32(parts.exp), ldexp(parts.fract, parts.exp), whole.fract + 1000.0 * whole.whole);
    }";
    assert_eq!(call(text, &[f(-6.5)]), [-0.8125, 3.0, -6.5, -6000.5]);
    assert_eq!(call(text, &[f(1.0)])[..3], [0.5, 1.0, 1.0]);
    assert_eq!(call(text, &[f(0.0)])[..3], [0.0, 0.0, 0.0]);
    for x in [f32::MAX, -f32::MAX, f32::MIN_POSITIVE, f32::from_bits(1), f32::from_bits(0x7f_ffff)] {
        let leaves = call(text, &[f(x)]);
        assert!((0.5..1.0).contains(&leaves[0].abs()), "{leaves:?}");
        assert_eq!(leaves[2], f64::from(x));
        assert_eq!(leaves[0] * leaves[1].exp2(), f64::from(x));
    }
    let infinite = call(text, &[f(f32::INFINITY)]);
    assert_eq!(infinite[..2], [f64::INFINITY, 0.0]);
}

#[test]
fn bits_are_counted_and_found() {
    let text = "fn f(x: u32) -> array<u32, 6> {
        return array(countOneBits(x), countLeadingZeros(x), countTrailingZeros(x), firstLeadingBit(x),
            firstTrailingBit(x), reverseBits(x));
    }";
    assert_eq!(call(text, &[u(0b1100)]), [2.0, 28.0, 2.0, 3.0, 2.0, f64::from(0b1100_u32.reverse_bits())]);
    let none = f64::from(u32::MAX);
    assert_eq!(call(text, &[u(0)]), [0.0, 32.0, 32.0, none, none, 0.0]);
    let signed = "fn f(x: i32) -> vec3<i32> {
        return vec3(countLeadingZeros(x), firstLeadingBit(x), countTrailingZeros(x));
    }";
    assert_eq!(call(signed, &[i(-1)]), [0.0, -1.0, 0.0]);
    assert_eq!(call(signed, &[i(-8)]), [0.0, 2.0, 3.0]);
}

#[test]
fn bit_fields_of_any_place_and_size() {
    let text = "fn f(x: u32, y: i32, o: u32, c: u32) -> vec3<f32> {
        return vec3(f32(extractBits(x, o, c)), f32(extractBits(y, o, c)), f32(insertBits(x, 5u, o, c)));
    }";
    let x = 0b1011_0110_u32;
    assert_eq!(call(text, &[u(x), i(x as i32), u(1), u(3)]), [3.0, 3.0, f64::from(0b1011_1010_u32)]);
    assert_eq!(call(text, &[u(x), i(x as i32), u(2), u(4)]), [13.0, -3.0, f64::from(0b1001_0110_u32)]);
    assert_eq!(call(text, &[u(x), i(-3), u(0), u(32)]), [f64::from(x), -3.0, 5.0]);
    assert_eq!(call(text, &[u(x), i(-3), u(7), u(0)]), [0.0, 0.0, f64::from(x)]);
    assert_eq!(call(text, &[u(x), i(-3), u(99), u(9)]), [0.0, 0.0, f64::from(x)]);
}

#[test]
fn packed_numbers_come_back() {
    let text = "fn f(v: vec4<f32>) -> array<vec4<f32>, 3> {
        let half = unpack2x16float(pack2x16float(v.xy));
        let wide = unpack2x16snorm(pack2x16snorm(v.xy)) + unpack2x16unorm(pack2x16unorm(v.xy));
        return array(unpack4x8snorm(pack4x8snorm(v)), unpack4x8unorm(pack4x8unorm(v)), vec4(half, wide));
    }";
    let leaves = call(text, &[vector(&[-1.0, 1.0, 2.0, 0.0])]);
    assert_eq!(leaves, [-1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, -1.0, 1.0, -1.0, 2.0]);
    let bytes = "fn f(x: u32, v: vec4<i32>) -> array<u32, 6> {
        let s = unpack4xI8(x); let t = unpack4xU8(x);
        return array(pack4xI8(s), pack4xU8(t), pack4xI8Clamp(v), pack4xU8Clamp(vec4<u32>(300u, 2u, 3u, 4u)),
            bitcast<u32>(dot4I8Packed(x, 0x01010101u)), dot4U8Packed(x, 0x01010101u));
    }";
    let v = super::Value::aggregate(vec![i(-200), i(200), i(1), i(-1)]);
    let x = 0xff02_8001_u32;
    let expected = [x, x, 0xff01_7f80, 0x0403_02ff, (1 - 128 + 2 - 1) as u32, 1 + 128 + 2 + 255];
    assert_eq!(call(bytes, &[u(x), v]), expected.map(f64::from));
    let bits = "fn f(v: vec2<f32>) -> u32 { return pack2x16float(v); }";
    assert_eq!(call(bits, &[vector(&[1.0, -2.0])]), [f64::from(0xc000_3c00_u32)]);
}

#[test]
fn all_and_any_look_at_each_component() {
    let text =
        "fn f(v: vec3<f32>) -> vec2<i32> { return vec2(i32(all(v > vec3(0.0))), i32(any(v > vec3(0.0)))); }";
    assert_eq!(call(text, &[vector(&[1.0, 2.0, -1.0])]), [0.0, 1.0]);
    assert_eq!(call(text, &[vector(&[1.0, 2.0, 3.0])]), [1.0, 1.0]);
}
