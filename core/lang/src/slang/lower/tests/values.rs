//! Values: places, calls, conversions, constants, generics.

use super::check;
use expect_test::expect;

#[test]
fn places_are_written_through_fields_swizzles_and_indices() {
    check(
        "struct S { float3 v; float a[4]; }\n\
         void f(inout S s, float2 p, int i) { s.v.zx = p; s.a[i] += 1; s.a[2] = s.v.y; }",
        expect![[r#"
            func @f(%0 s: struct S { v: vec<f32, 3>, a: [f32; 4] }, %1 p: vec<f32, 2>, %2 i: i32) -> (struct S { v: vec<f32, 3>, a: [f32; 4] }) {
              interface f(inout s: struct S { v: vec<f32, 3>, a: [f32; 4] }, in p: vec<f32, 2>, in i: i32)
              %3: vec<f32, 3> = extract.0 %0
              %4: f32 = extract.0 %1
              %5: vec<f32, 3> = insert.2 %3, %4
              %6: f32 = extract.1 %1
              %7: vec<f32, 3> = insert.0 %5, %6
              %8: struct S { v: vec<f32, 3>, a: [f32; 4] } = insert.0 %0, %7
              %9: [f32; 4] = extract.1 %8
              %10: f32 = element_get %9, %2
              %11: f32 = const f32 1.0
              %12: f32 = add %10, %11
              %13: [f32; 4] = extract.1 %8
              %14: [f32; 4] = element_set %13, %2, %12
              %15: struct S { v: vec<f32, 3>, a: [f32; 4] } = insert.1 %8, %14
              %16: vec<f32, 3> = extract.0 %15
              %17: f32 = extract.1 %16
              %18: [f32; 4] = extract.1 %15
              %19: [f32; 4] = insert.2 %18, %17
              %20: struct S { v: vec<f32, 3>, a: [f32; 4] } = insert.1 %15, %19
              yield %20
            }
        "#]],
    );
}

#[test]
fn arguments_are_copied_in_and_out() {
    check(
        "void swap(inout float a, inout float b) { float t = a; a = b; b = t; }\n\
         float f(float2 v, out float z) { swap(v.x, v.y); z = v.x; return v.y; }",
        expect![[r#"
            func @swap(%0 a: f32, %1 b: f32) -> (f32, f32) {
              interface swap(inout a: f32, inout b: f32)
              yield %1, %0
            }

            func @f(%0 v: vec<f32, 2>) -> (f32, f32) {
              interface f(in v: vec<f32, 2>, out z: f32) -> f32
              %1: f32 = extract.0 %0
              %2: f32 = extract.1 %0
              %3: f32, %4: f32 = call @swap %1, %2
              %5: vec<f32, 2> = insert.0 %0, %3
              %6: vec<f32, 2> = insert.1 %5, %4
              %7: f32 = extract.0 %6
              %8: f32 = extract.1 %6
              yield %8, %7
            }
        "#]],
    );
}

#[test]
fn methods_take_this_and_constructors_make_it() {
    check(
        "struct C { float n; __init(float x) { n = x; } [mutating] void add(float d) { n += d; } float twice() { return n * 2; } }\n\
         float f(float x) { C c = C(x); c.add(1); return c.twice(); }",
        expect![[r#"
            func @C.__init(%0 x: f32) -> (struct C { n: f32 }) {
              interface C.__init(in x: f32) -> struct C { n: f32 }
              %1: f32 = const f32 0.0
              %2: struct C { n: f32 } = construct struct C { n: f32 } %1
              %3: struct C { n: f32 } = insert.0 %2, %0
              yield %3
            }

            func @C.add(%0 this: struct C { n: f32 }, %1 d: f32) -> (struct C { n: f32 }) {
              interface C.add(inout this: struct C { n: f32 }, in d: f32)
              %2: f32 = extract.0 %0
              %3: f32 = add %2, %1
              %4: struct C { n: f32 } = insert.0 %0, %3
              yield %4
            }

            func @C.twice(%0 this: struct C { n: f32 }) -> (f32) {
              interface C.twice(in this: struct C { n: f32 }) -> f32
              %1: f32 = extract.0 %0
              %2: f32 = const f32 2.0
              %3: f32 = mul %1, %2
              yield %3
            }

            func @f(%0 x: f32) -> (f32) {
              interface f(in x: f32) -> f32
              %1: struct C { n: f32 } = call @C.__init %0
              %2: f32 = const f32 1.0
              %3: struct C { n: f32 } = call @C.add %1, %2
              %4: f32 = call @C.twice %3
              yield %4
            }
        "#]],
    );
}

#[test]
fn choices_branch_unless_both_sides_are_at_hand() {
    check(
        "float f(float x, float y) { return x > 0 ? y : x == 0 ? sqrt(y) : 1; }\n\
         bool g(float3 v, int n) { return n > 2 && v.x < 1 || length(v) > 2; }",
        expect![[r#"
            func @f(%0 x: f32, %1 y: f32) -> (f32) {
              interface f(in x: f32, in y: f32) -> f32
              %2: f32 = const f32 0.0
              %3: bool = gt %0, %2
              %4: f32 = if %3 {
                yield %1
              } else {
                %5: f32 = const f32 0.0
                %6: bool = eq %0, %5
                %7: f32 = if %6 {
                  %8: f32 = sqrt %1
                  yield %8
                } else {
                  %9: f32 = const f32 1.0
                  yield %9
                }
                yield %7
              }
              yield %4
            }

            func @g(%0 v: vec<f32, 3>, %1 n: i32) -> (bool) {
              interface g(in v: vec<f32, 3>, in n: i32) -> bool
              %2: i32 = const i32 2
              %3: bool = gt %1, %2
              %4: f32 = extract.0 %0
              %5: f32 = const f32 1.0
              %6: bool = lt %4, %5
              %7: bool = and %3, %6
              %8: bool = if %7 {
                %9: bool = const bool true
                yield %9
              } else {
                %10: f32 = call @length.f32.3 %0
                %11: f32 = const f32 2.0
                %12: bool = gt %10, %11
                yield %12
              }
              yield %8
            }

            func @length.f32.3(%0 x: vec<f32, 3>) -> (f32) {
              %1: f32 = dot %0, %0
              %2: f32 = const f32 0.0
              %3: bool = eq %1, %2
              %4: f32 = if %3 {
                %5: f32 = const f32 0.0
                yield %5
              } else {
                %6: f32 = sqrt %1
                yield %6
              }
              yield %4
            }
        "#]],
    );
}

#[test]
fn generic_functions_are_made_once_for_each_type() {
    check(
        "T square<T : IFloat>(T x) { return x * x; }\n\
         T total<T : __BuiltinFloatingPointType, let N : int>(T a[N]) { T s = T(0); for (int i = 0; i < N; i++) s += a[i]; return s; }\n\
         float f(float x, float2 v, float a[3]) { return square(x) + square(v).y + square<float>(x) + total(a); }",
        expect![[r#"
            func @f(%0 x: f32, %1 v: vec<f32, 2>, %2 a: [f32; 3]) -> (f32) {
              interface f(in x: f32, in v: vec<f32, 2>, in a: [f32; 3]) -> f32
              %3: f32 = call @square.f32 %0
              %4: vec<f32, 2> = call @square.vec.f32.2 %1
              %5: f32 = extract.1 %4
              %6: f32 = add %3, %5
              %7: f32 = call @square.f32 %0
              %8: f32 = add %6, %7
              %9: f32 = call @total.f32.3 %2
              %10: f32 = add %8, %9
              yield %10
            }

            func @square.f32(%0 x: f32) -> (f32) {
              %1: f32 = mul %0, %0
              yield %1
            }

            func @square.vec.f32.2(%0 x: vec<f32, 2>) -> (vec<f32, 2>) {
              %1: vec<f32, 2> = mul %0, %0
              yield %1
            }

            func @total.f32.3(%0 a: [f32; 3]) -> (f32) {
              %1: f32 = const f32 0.0
              %2: i32 = const i32 0
              %3 i: i32, %4 s: f32 = loop (%5 i: i32 = %2, %6 s: f32 = %1) while {
                %7: i32 = const i32 3
                %8: bool = lt %5, %7
                yield %8
              } do {
                %9: f32 = element_get %0, %5
                %10: f32 = add %6, %9
                %11: i32 = const i32 1
                %12: i32 = add %5, %11
                yield %12, %10
              }
              yield %4
            }
        "#]],
    );
}

#[test]
fn no_diff_detaches_arguments_results_and_fields() {
    check(
        "struct S { float a; no_diff float b; }\n\
         no_diff float g(no_diff float x, float y) { return x * y; }\n\
         float f(S s, float x) { return s.a + s.b + g(x, x) + no_diff cos(x) + detach(x); }",
        expect![[r#"
            func @g(%0 x: f32, %1 y: f32) -> (f32) {
              interface g(no_diff in x: f32, in y: f32) -> no_diff f32
              %2: f32 = detach %0
              %3: f32 = mul %2, %1
              %4: f32 = detach %3
              yield %4
            }

            func @f(%0 s: struct S { a: f32, no_diff b: f32 }, %1 x: f32) -> (f32) {
              interface f(in s: struct S { a: f32, no_diff b: f32 }, in x: f32) -> f32
              %2: f32 = extract.0 %0
              %3: f32 = extract.1 %0
              %4: f32 = detach %3
              %5: f32 = add %2, %4
              %6: f32 = call @g %1, %1
              %7: f32 = add %5, %6
              %8: f32 = cos %1
              %9: f32 = detach %8
              %10: f32 = add %7, %9
              %11: f32 = detach %1
              %12: f32 = add %10, %11
              yield %12
            }
        "#]],
    );
}

#[test]
fn conversions_and_constructors_of_vectors_and_matrices() {
    check(
        "float3 f(float4 v, float2x3 m, int i, bool b) { return v.xyz + float3(v.x, m[1].yz) + mul(v.xy, m) + float3(i) + b; }\n\
         float2x2 g(float3x3 m) { float2x2 r = { 1, 2, 3, 4 }; return r * (float2x2)m + r._m11_m00.x; }",
        expect![[r#"
            func @f(%0 v: vec<f32, 4>, %1 m: mat<f32, 2, 3>, %2 i: i32, %3 b: bool) -> (vec<f32, 3>) {
              interface f(in v: vec<f32, 4>, in m: mat<f32, 2, 3>, in i: i32, in b: bool) -> vec<f32, 3>
              %4: vec<f32, 3> = swizzle.xyz %0
              %5: f32 = extract.0 %0
              %6: vec<f32, 3> = extract.1 %1
              %7: vec<f32, 2> = swizzle.yz %6
              %8: f32 = extract.0 %7
              %9: f32 = extract.1 %7
              %10: vec<f32, 3> = construct vec<f32, 3> %5, %8, %9
              %11: vec<f32, 3> = add %4, %10
              %12: vec<f32, 2> = swizzle.xy %0
              %13: vec<f32, 3> = matmul %12, %1
              %14: vec<f32, 3> = add %11, %13
              %15: f32 = convert.f32 %2
              %16: vec<f32, 3> = splat vec<f32, 3> %15
              %17: vec<f32, 3> = add %14, %16
              %18: f32 = convert.f32 %3
              %19: vec<f32, 3> = splat vec<f32, 3> %18
              %20: vec<f32, 3> = add %17, %19
              yield %20
            }

            func @g(%0 m: mat<f32, 3, 3>) -> (mat<f32, 2, 2>) {
              interface g(in m: mat<f32, 3, 3>) -> mat<f32, 2, 2>
              %1: f32 = const f32 1.0
              %2: f32 = const f32 2.0
              %3: f32 = const f32 3.0
              %4: f32 = const f32 4.0
              %5: vec<f32, 2> = construct vec<f32, 2> %1, %2
              %6: vec<f32, 2> = construct vec<f32, 2> %3, %4
              %7: mat<f32, 2, 2> = construct mat<f32, 2, 2> %5, %6
              %8: vec<f32, 3> = extract.0 %0
              %9: vec<f32, 2> = swizzle.xy %8
              %10: vec<f32, 3> = extract.1 %0
              %11: vec<f32, 2> = swizzle.xy %10
              %12: mat<f32, 2, 2> = construct mat<f32, 2, 2> %9, %11
              %13: mat<f32, 2, 2> = mul %7, %12
              %14: vec<f32, 2> = extract.1 %7
              %15: f32 = extract.1 %14
              %16: vec<f32, 2> = extract.0 %7
              %17: f32 = extract.0 %16
              %18: vec<f32, 2> = construct vec<f32, 2> %15, %17
              %19: f32 = extract.0 %18
              %20: mat<f32, 2, 2> = splat mat<f32, 2, 2> %19
              %21: mat<f32, 2, 2> = add %13, %20
              yield %21
            }
        "#]],
    );
}

#[test]
fn constants_and_defaults_are_known_values() {
    check(
        "static const int N = 2 + 1; static const float W[] = { 1, 2.5, N };\n\
         float f(float x, int i = N - 1, float2 v = { 0.5, N }) { const float k = 2; return x * W[i] + v.y * k; }\n\
         float g() { return f(1); }",
        expect![[r#"
            func @f(%0 x: f32, %1 i: i32, %2 v: vec<f32, 2>) -> (f32) {
              interface f(in x: f32, in i: i32 = (i32 2), in v: vec<f32, 2> = (f32 0.5, f32 3.0)) -> f32
              %3: f32 = const f32 2.0
              %4: f32 = const f32 1.0
              %5: f32 = const f32 2.5
              %6: f32 = const f32 3.0
              %7: [f32; 3] = construct [f32; 3] %4, %5, %6
              %8: f32 = element_get %7, %1
              %9: f32 = mul %0, %8
              %10: f32 = extract.1 %2
              %11: f32 = const f32 2.0
              %12: f32 = mul %10, %11
              %13: f32 = add %9, %12
              yield %13
            }

            func @g() -> (f32) {
              interface g() -> f32
              %0: f32 = const f32 1.0
              %1: i32 = const i32 2
              %2: f32 = const f32 0.5
              %3: f32 = const f32 3.0
              %4: vec<f32, 2> = construct vec<f32, 2> %2, %3
              %5: f32 = call @f %0, %1, %4
              yield %5
            }
        "#]],
    );
}

#[test]
fn literals_are_rounded_once_to_their_final_type() {
    check(
        "double f(double x) { return x * 0.1 + radians(x); }\nhalf g(half x) { return x + 0.1; }",
        expect![[r#"
            func @f(%0 x: f64) -> (f64) {
              interface f(in x: f64) -> f64
              %1: f64 = const f64 0.1
              %2: f64 = mul %0, %1
              %3: f64 = call @radians.f64 %0
              %4: f64 = add %2, %3
              yield %4
            }

            func @g(%0 x: f16) -> (f16) {
              interface g(in x: f16) -> f16
              %1: f32 = convert.f32 %0
              %2: f32 = const f32 0.1
              %3: f32 = add %1, %2
              %4: f16 = convert.f16 %3
              yield %4
            }

            func @radians.f64(%0 x: f64) -> (f64) {
              %1: f64 = const f64 0.017453292519943295
              %2: f64 = mul %0, %1
              yield %2
            }
        "#]],
    );
}

#[test]
fn overloads_get_names_of_their_own() {
    check(
        "float f(float x) { return x; } float f(float2 v) { return v.x; } float f(int i) { return f(float2(i)) + f(1.0); }",
        expect![[r#"
            func @f(%0 x: f32) -> (f32) {
              interface f(in x: f32) -> f32
              yield %0
            }

            func @f.1(%0 v: vec<f32, 2>) -> (f32) {
              interface f(in v: vec<f32, 2>) -> f32
              %1: f32 = extract.0 %0
              yield %1
            }

            func @f.2(%0 i: i32) -> (f32) {
              interface f(in i: i32) -> f32
              %1: f32 = convert.f32 %0
              %2: vec<f32, 2> = splat vec<f32, 2> %1
              %3: f32 = call @f.1 %2
              %4: f32 = const f32 1.0
              %5: f32 = call @f %4
              %6: f32 = add %3, %5
              yield %6
            }
        "#]],
    );
}

#[test]
fn length_has_a_branch_at_zero() {
    check(
        "float f(float3 v) { return length(v); }",
        expect![[r#"
        func @f(%0 v: vec<f32, 3>) -> (f32) {
          interface f(in v: vec<f32, 3>) -> f32
          %1: f32 = call @length.f32.3 %0
          yield %1
        }

        func @length.f32.3(%0 x: vec<f32, 3>) -> (f32) {
          %1: f32 = dot %0, %0
          %2: f32 = const f32 0.0
          %3: bool = eq %1, %2
          %4: f32 = if %3 {
            %5: f32 = const f32 0.0
            yield %5
          } else {
            %6: f32 = sqrt %1
            yield %6
          }
          yield %4
        }
    "#]],
    );
}

#[test]
fn generic_code_converts_between_numbers_by_name() {
    check(
        "T two<T : __BuiltinFloatingPointType>() { return __realCast<T, float>(2.f); }\n\
         double f(int i, float x) { return two<double>() + __intCast<uint64_t, int>(i) + f16tof32(f32tof16_(x)); }",
        expect![[r#"
            func @f(%0 i: i32, %1 x: f32) -> (f64) {
              interface f(in i: i32, in x: f32) -> f64
              %2: f64 = call @two.f64
              %3: u64 = call @__intCast.u64.i32 %0
              %4: f64 = convert.f64 %3
              %5: f64 = add %2, %4
              %6: f16 = call @f32tof16_ %1
              %7: f32 = call @f16tof32 %6
              %8: f64 = convert.f64 %7
              %9: f64 = add %5, %8
              yield %9
            }

            func @two.f64() -> (f64) {
              %0: f32 = const f32 2.0
              %1: f64 = call @__realCast.f64.f32 %0
              yield %1
            }

            func @__intCast.u64.i32(%0 x: i32) -> (u64) {
              %1: u64 = convert.u64 %0
              yield %1
            }

            func @f32tof16_(%0 x: f32) -> (f16) {
              %1: f16 = convert.f16 %0
              yield %1
            }

            func @f16tof32(%0 x: f16) -> (f32) {
              %1: f32 = convert.f32 %0
              yield %1
            }

            func @__realCast.f64.f32(%0 x: f32) -> (f64) {
              %1: f64 = convert.f64 %0
              yield %1
            }
        "#]],
    );
}

#[test]
fn a_list_given_to_a_method_has_the_type_of_its_object() {
    check(
        "struct Table<let N : int> { float values[N]; float at(int[N] i) { return values[i[0]] + values[i[1]]; } }\n\
         float f(Table<2> table, int2 at) { return table.at({ at.y, 1 }); }",
        expect![[r#"
            func @f(%0 table: struct Table.2 { values: [f32; 2] }, %1 at: vec<i32, 2>) -> (f32) {
              interface f(in table: struct Table.2 { values: [f32; 2] }, in at: vec<i32, 2>) -> f32
              %2: i32 = extract.1 %1
              %3: i32 = const i32 1
              %4: [i32; 2] = construct [i32; 2] %2, %3
              %5: f32 = call @Table.at.2 %0, %4
              yield %5
            }

            func @Table.at.2(%0 this: struct Table.2 { values: [f32; 2] }, %1 i: [i32; 2]) -> (f32) {
              %2: [f32; 2] = extract.0 %0
              %3: i32 = const i32 0
              %4: i32 = element_get %1, %3
              %5: f32 = element_get %2, %4
              %6: [f32; 2] = extract.0 %0
              %7: i32 = const i32 1
              %8: i32 = element_get %1, %7
              %9: f32 = element_get %6, %8
              %10: f32 = add %5, %9
              yield %10
            }
        "#]],
    );
}
