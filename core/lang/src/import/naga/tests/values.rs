//! Values against hand-computed ones: control flow, pointers, matrices, conversions.

use super::{call, f, i, matrix, u, vector};

#[test]
fn an_element_of_a_matrix_is_its_column() {
    let text = "fn f(m: mat2x3<f32>, c: i32) -> vec3<f32> { return m[1] + 10.0 * m[c] + m[c][2]; }";
    let m = matrix(&[&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]]);
    assert_eq!(call(text, &[m, i(0)]), [17.0, 28.0, 39.0]);
}

#[test]
fn matrix_times_vector_sums_columns() {
    // Columns (1 2 3) and (4 5 6): m (10, 1) = 10 (1 2 3) + (4 5 6).
    let text = "fn f(m: mat2x3<f32>, v: vec2<f32>) -> vec3<f32> { return m * v; }";
    let m = matrix(&[&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]]);
    assert_eq!(call(text, &[m, vector(&[10.0, 1.0])]), [14.0, 25.0, 36.0]);
}

#[test]
fn vector_times_matrix_gives_dots_with_columns() {
    let text = "fn f(m: mat2x3<f32>, v: vec3<f32>) -> vec2<f32> { return v * m; }";
    let m = matrix(&[&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]]);
    assert_eq!(call(text, &[m, vector(&[1.0, 10.0, 100.0])]), [321.0, 654.0]);
}

#[test]
fn matrix_times_matrix_maps_each_column() {
    // a has columns (1 2 3), (4 5 6); b has columns (1 0), (0 1), (1 1).
    let text = "fn f(a: mat2x3<f32>, b: mat3x2<f32>) -> mat3x3<f32> { return a * b; }";
    let a = matrix(&[&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]]);
    let b = matrix(&[&[1.0, 0.0], &[0.0, 1.0], &[1.0, 1.0]]);
    assert_eq!(call(text, &[a, b]), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 5.0, 7.0, 9.0]);
}

#[test]
fn matrices_are_transposed_scaled_and_built_by_columns() {
    let text = "fn f(s: f32) -> mat2x3<f32> { return transpose(mat3x2<f32>(1, 2, 3, 4, 5, 6)) * s; }";
    assert_eq!(call(text, &[f(2.0)]), [2.0, 6.0, 10.0, 4.0, 8.0, 12.0]);
}

#[test]
fn determinants_are_right_in_each_size() {
    let two = "fn f(m: mat2x2<f32>) -> f32 { return determinant(m); }";
    assert_eq!(call(two, &[matrix(&[&[1.0, 2.0], &[3.0, 4.0]])]), [-2.0]);
    let three = "fn f(m: mat3x3<f32>) -> f32 { return determinant(m); }";
    assert_eq!(call(three, &[matrix(&[&[2.0, 0.0, 1.0], &[1.0, 3.0, 2.0], &[1.0, 1.0, 4.0]])]), [18.0]);
    let four = "fn f(m: mat4x4<f32>) -> f32 { return determinant(m); }";
    let m =
        matrix(&[&[1.0, 2.0, 0.0, 1.0], &[0.0, 1.0, 3.0, 2.0], &[2.0, 1.0, 1.0, 0.0], &[1.0, 0.0, 2.0, 3.0]]);
    assert_eq!(call(four, &[m]), [28.0]);
}

#[test]
fn components_and_elements_are_written_through_pointers() {
    let text = "
        struct Ray { at: vec2<f32>, hits: array<i32, 3> }
        fn mark(p: ptr<function, i32>, by: i32) { *p = *p * 10 + by; }
        fn f(k: i32) -> Ray {
            var ray: Ray;
            ray.at = vec2(1.0, 2.0);
            ray.at.y += 5.0;
            let p = &ray.hits[k];
            *p = 4;
            mark(p, 2);
            mark(&ray.hits[0], 7);
            ray.hits[k + 5] = 9;
            return ray;
        }";
    assert_eq!(call(text, &[i(2)]), [1.0, 7.0, 7.0, 0.0, 42.0]);
}

#[test]
fn short_circuits_do_not_call() {
    let text = "
        fn count(n: ptr<function, i32>) -> bool { *n += 1; return true; }
        fn f(a: bool) -> vec2<i32> {
            var n = 0; var m = 0;
            if a && count(&n) { m += 1; }
            if a || count(&n) || count(&n) { m += 10; }
            return vec2(n, m);
        }";
    assert_eq!(call(text, &[super::Value::bool(true)]), [1.0, 11.0]);
    assert_eq!(call(text, &[super::Value::bool(false)]), [1.0, 10.0]);
}

#[test]
fn switches_take_their_case_and_share_bodies() {
    let text = "fn f(k: i32) -> i32 {
        var r = 0;
        switch k {
            case 1, 2: { r = 10; }
            case 3, default: { if k > 5 { break; } r = 30; }
            case -4: { return 99; }
        }
        return r + 1;
    }";
    for (k, expected) in [(1, 11.0), (2, 11.0), (3, 31.0), (0, 31.0), (6, 1.0), (-4, 99.0)] {
        assert_eq!(call(text, &[i(k)]), [expected], "{k}");
    }
}

#[test]
fn loops_break_continue_and_return() {
    let text = "fn f(n: i32) -> i32 {
        var total = 0;
        for (var i = 0; i < n; i++) {
            if i == 2 { continue; }
            if total > 100 { return -total; }
            switch i { case 5: { continue; } case 7: { break; } default: { total += 1000; } }
            if i == 6 { break; }
            total -= 990;
        }
        return total;
    }";
    let expected = |n: i32| {
        let mut total = 0;
        for i in 0..n {
            if i == 2 {
                continue;
            }
            if total > 100 {
                return -total;
            }
            match i {
                5 => continue,
                7 => {}
                _ => total += 1000,
            }
            if i == 6 {
                break;
            }
            total -= 990;
        }
        total
    };
    for n in 0..12 {
        assert_eq!(call(text, &[i(n)]), [f64::from(expected(n))], "{n}");
    }
}

#[test]
fn while_with_a_condition_that_writes_keeps_its_order() {
    let text = "
        fn next(i: ptr<function, i32>) -> i32 { *i += 1; return *i; }
        fn f(n: i32) -> i32 { var i = 0; var s = 0; while next(&i) < n { s += i; } return s * 100 + i; }";
    assert_eq!(call(text, &[i(4)]), [604.0]);
}

#[test]
fn a_continuing_part_sees_the_body() {
    let text = "fn f(n: i32) -> i32 {
        var i = 0; var s = 0;
        loop {
            if s > 50 { break; }
            let x = i * 2;
            var y = x + 1;
            if x == 4 { s += 100; continue; }
            s += y;
            continuing { i = x / 2 + 1; y = y + i; s += y - y; break if i >= n; }
        }
        return s;
    }";
    assert_eq!(call(text, &[i(2)]), [4.0]);
    assert_eq!(call(text, &[i(9)]), [104.0]);
}

#[test]
fn a_local_keeps_its_value_from_turn_to_turn() {
    let text = "fn f(n: i32) -> i32 {
        var i = 0; var last = 7; var s = 0;
        loop {
            if i >= n { break; }
            var fresh: i32;
            fresh += 1;
            s += last * fresh;
            if i == 1 { last = 100; }
            i++;
        }
        return s;
    }";
    assert_eq!(call(text, &[i(4)]), [214.0]);
}

#[test]
fn integers_follow_wgsl() {
    let text = "fn f(a: i32, b: i32, c: u32, s: u32) -> vec4<f32> {
        return vec4(f32(a / b), f32(a % b), f32(c << s), f32(a >> s));
    }";
    assert_eq!(call(text, &[i(-7), i(2), u(3), u(1)]), [-3.0, -1.0, 6.0, -4.0]);
    assert_eq!(call(text, &[i(-7), i(0), u(3), u(0)]), [-7.0, 0.0, 3.0, -7.0]);
}

#[test]
fn conversions_and_bitcasts_keep_number_or_bits() {
    let text = "fn f(x: f32) -> vec4<f32> {
        return vec4(f32(i32(x)), f32(u32(x)), f32(bitcast<u32>(x) >> 23u), f32(bool(x)));
    }";
    assert_eq!(call(text, &[f(-2.75)]), [-2.0, 0.0, 384.0, 1.0]);
}

#[test]
fn module_constants_are_values() {
    let text = "
        const WEIGHTS = array<vec2<f32>, 2>(vec2(1.0, 2.0), vec2(3.0, 4.0));
        const N = 1u + 1u;
        fn f(k: i32) -> vec2<f32> { const HALF = 0.5; return WEIGHTS[k] * f32(N) * HALF; }";
    assert_eq!(call(text, &[i(1)]), [3.0, 4.0]);
}

#[test]
fn half_precision_rounds_as_such() {
    let text = "enable f16; fn f(x: f32) -> f32 { let h = f16(x) + 1.0h; return f32(h); }";
    assert_eq!(call(text, &[f(2048.0)]), [2048.0]);
}

#[test]
fn swizzles_splats_and_selects_pick_components() {
    let text = "fn f(v: vec4<f32>, b: bool) -> vec4<f32> {
        return select(v.wzyx, vec4(v.xx, vec2(9.0)), vec4(b, !b, true, false));
    }";
    let v = vector(&[1.0, 2.0, 3.0, 4.0]);
    assert_eq!(call(text, &[v, super::Value::bool(true)]), [1.0, 3.0, 9.0, 1.0]);
}

#[test]
fn wide_numbers_keep_their_precision() {
    let text = "fn f(x: i32) -> f64 { let wide = i64(x) * 3000000000li; return f64(wide) + 0.5lf; }";
    assert_eq!(call(text, &[i(3)]), [9_000_000_000.5]);
}
