//! What parses to what.

use super::{check, check_expr};
use expect_test::expect;

#[test]
fn a_polynomial_parses() {
    check(
        "[Differentiable]\nfloat polynomial(float a, float b, float c, float x) { return a * x * x + b * x + c; }",
        expect![[r#"
            [Differentiable] fn polynomial(a : float, b : float, c : float, x : float) -> float
              return ((((a * x) * x) + (b * x)) + c)
        "#]],
    );
}

#[test]
fn operators_bind_as_in_c() {
    for (text, expected) in [
        ("a + b * c - d", "((a + (b * c)) - d)"),
        ("a || b && c | d ^ e & f == g", "(a || (b && (c | (d ^ (e & (f == g))))))"),
        ("a << 1 + b < c >> 2", "((a << (1 + b)) < (c >> 2))"),
        ("a >= b > c", "((a >= b) > c)"),
        ("a = b += c >>= d", "(a = (b += (c >>= d)))"),
        ("a ? b : c ? d : e", "(a ? b : (c ? d : e))"),
        ("a = b ? c : d", "(a = (b ? c : d))"),
        ("-a.x[1]++", "(-(a.x[1]++))"),
        ("!~-+a", "(!(~(-(+a))))"),
        ("--a - -b--", "((--a) - (-(b--)))"),
        ("a, b, c", "(comma a, b, c)"),
        ("a.b(c)(d).e", "a.b(c)(d).e"),
        ("a::b::c(1)", "a.b.c(1)"),
        ("x is Foo<int> && y as T", "((x is Foo<int>) && (y as T))"),
        ("x as int < 3", "((x as int) < 3)"),
        ("no_diff f(x) * y", "((no_diff f(x)) * y)"),
        ("bwd_diff(f)(dx, 1.0f)", "(Backward f)(dx, 1.0F32)"),
        ("__fwd_diff(A.f<int>)(x)", "(Forward A.f<int>)(x)"),
        ("this.x = This.y", "(this.x = This.y)"),
        ("sizeof(float[4]) + 0xFFull + 2.5h", "((sizeof(float[4]) + 255UL) + 2.5F16)"),
        ("a[i, j] = {1, {2, 3,}, }", "(a[i, j] = {1, {2, 3}})"),
        (r#"printf("a\n" "b\"", true)"#, r#"printf("a\nb\"", true)"#),
    ] {
        check_expr(text, expected);
    }
}

#[test]
fn angles_are_generic_arguments_or_comparisons() {
    for (text, expected) in [
        ("f<float>(x)", "f<float>(x)"),
        ("f<float, 4>(x)", "f<float, =4>(x)"),
        ("f<N + 1, a.b>(x)", "f<=(N + 1), a.b>(x)"),
        ("A<B<C<int>>>.g()", "A<B<C<int>>>.g()"),
        ("a.f<T>(x)", "a.f<T>(x)"),
        ("a < b", "(a < b)"),
        ("a < b && c > (d)", "((a < b) && (c > d))"),
        ("i < n ? x : y > (z)", "((i < n) ? x : (y > z))"),
        ("f(a < b, c > -d)", "f((a < b), (c > (-d)))"),
        ("f(a < b, c > d)", "f((a < b), (c > d))"),
        ("x = a < b", "(x = (a < b))"),
        ("a < b >> 1", "(a < (b >> 1))"),
        ("a < b >= c", "((a < b) >= c)"),
        ("a < (b >> 1)", "(a < (b >> 1))"),
        ("T<float>(1) < U<int>(2)", "(T<float>(1) < U<int>(2))"),
        ("a < b == c > d", "((a < b) == (c > d))"),
    ] {
        check_expr(text, expected);
    }
}

#[test]
fn casts_are_told_by_form() {
    for (text, expected) in [
        ("(float)x", "(cast float x)"),
        ("(float)-x", "(cast float (-x))"),
        ("(float3)(x)", "(cast float3 x)"),
        ("(a)-b", "(a - b)"),
        ("(a)b", "(cast a b)"),
        ("(S)0", "(cast S 0)"),
        ("(a)(b)", "(cast a b)"),
        ("(a.b)!c", "(cast a.b (!c))"),
        ("(a) + b", "(a + b)"),
        ("(a[1])-b", "(a[1] - b)"),
        ("(float[2]){1, 2}", "(cast float[2] {1, 2})"),
        ("(Foo<int>)-x", "(cast Foo<int> (-x))"),
        ("(uint)(float)x * y", "((cast uint (cast float x)) * y)"),
        ("(unsigned int)x", "(cast uint x)"),
        ("(a) is B", "(a is B)"),
        ("(a).x", "a.x"),
        ("(a < b)", "(a < b)"),
    ] {
        check_expr(text, expected);
    }
}

#[test]
fn declarations_parse() {
    check(
        r#"
        module demo;
        import std.math; import "other/file"; __include part; implementing demo; using std;
        /// A colour.
        /// Linear.
        // An ordinary comment.
        typedef float4 Color; typealias Vec<T> = Array<T, 3>;
        static const float weights[2][3] = { {1, 2, 3}, {4, 5, 6} };
        float a, b[2] = {1, 2}, c; /// trailing
        ParameterBlock<Scene> scene; RWStructuredBuffer<float4> out_colors : register(u0, space1);
        [[vk::binding(0, 1)]] Texture2D tex; groupshared float shared_sum[256];
        cbuffer Globals : register(b0) { float4x4 m; int n; }
        enum class Mode : uint { A = 1, /** two */ B, [x] C = A | B }
        namespace outer.inner { float f(); }
        [shader("compute")] [numthreads(8, 8, 1)] void main(uint3 id : SV_DispatchThreadID) { }
        public float lerp3(in float a, out float b, in out float c, inout float d[2], no_diff float e, const float = 1, float f = 2 * 3) : SV_Target;
        func modern<T : IFloat & IMore, let N : int = 4>(x : T, y : inout float[N]) -> no_diff T where T : IA, IB, N == int { }
        __generic<T, int M> T old(vector<T, M> v);
        void nothing(void);
        float4 operator+(Color a, Color b); float operator()(S s); __prefix S operator++(S s); bool operator>=(S a, S b);
        "#,
        expect![[r#"
            module demo
            import std.math
            import other/file
            include part
            implementing demo
            using std
            doc "A colour.\nLinear."
            type Color = float4
            type Vec<T> = Array<T, =3>
            static const typed weights : float[3][2] = {{1, 2, 3}, {4, 5, 6}}
            typed a : float
            typed b : float[2] = {1, 2}
            typed c : float
            typed scene : ParameterBlock<Scene>
            typed out_colors : RWStructuredBuffer<float4> :: register(u0, space1)
            [vk::binding(0, 1)] typed tex : Texture2D
            groupshared typed shared_sum : float[256]
            buffer Globals :: register(b0)
              typed m : float4x4
              typed n : int
            enum Mode : uint {A = 1, B, C = (A | B)}
            namespace outer
              namespace inner
                fn f() -> float
            [shader("compute")] [numthreads(8, 8, 1)] fn main(id : uint3 :: SV_DispatchThreadID) -> void
            public fn lerp3(in a : float, out b : float, inout c : float, inout d : float[2], nodiff e : float, const _ : float = 1, f : float = (2 * 3)) -> float :: SV_Target
            nodiff fn modern<T : IFloat & IMore, let N : int = 4> where T : IA & IB where N == int(x : T, inout y : float[N]) -> T
            fn old<T, let M : int>(v : vector<T, M>) -> T
            fn nothing() -> void
            fn operator+(a : Color, b : Color) -> float4
            fn operator()(s : S) -> float
            prefix fn operator++(s : S) -> S
            fn operator>=(a : S, b : S) -> bool
        "#]],
    );
}

#[test]
fn compile_time_loops_have_a_counter_and_a_range() {
    check(
        "void f() { $for (i in Range(1, N + 2)) { g<i>(); } $for(j in Range(3)) h(j); }",
        expect![[r#"
        fn f() -> void
          $for i in 1 .. (N + 2)
            block
              g<i>()
          $for j in 0 .. 3
            h(j)
    "#]],
    );
}

#[test]
fn lambdas_are_functions_of_the_function_around() {
    check(
        "float f(float x) { let g = (float y, inout int n) => { return (float z) => (y)(z); }; return g((float)x, 1) + (() => x)(); }",
        expect![[r#"
            fn f(x : float) -> float
              let g = (lambda 0)
              return (g((cast float x), 1) + (lambda 1)())
              fn operator()(y : float, inout n : int)
                return (lambda 0)
                fn operator()(z : float)
                  return (cast y z)
              fn operator()()
                return x
        "#]],
    );
}

#[test]
fn types_and_their_members_parse() {
    check(
        r#"
        struct Pair<T, let N : int> : IPair, ISum<T> where T : IFloat {
            T first; T second[N];
            static const int K = 3;
            __init(T a) { first = a; this.second = {}; }
            [mutating] void set(T a) { first = a; }
            static This zero() { return This(0); }
            struct Inner { int x; };
            typealias D = T.Differential;
            property float x { get { return 1; } set(v) { y = v; } }
            property y : float { get; [nonmutating] set { z = newValue; } }
            __subscript(int i) -> T { get { return second[i]; } }
            private var cache : float = 0, other : int; let k = 1;
        };
        struct Forward;
        interface IPair : IBase { associatedtype D : IDifferentiable; static This zero(); float sum(int n = 2); property int k { get; } }
        extension Pair<float, 2> : IMore { float more() { return first; } }
        extension<T : IFoo> T : IBar { }
        "#,
        expect![[r#"
            struct Pair<T, let N : int> where T : IFloat : IPair, ISum<T>
              typed first : T
              typed second : T[N]
              static const typed K : int = 3
              fn __init(a : T)
                (first = a)
                (this.second = {})
              [mutating] fn set(a : T) -> void
                (first = a)
              static fn zero() -> This
                return This(0)
              struct Inner
                typed x : int
              type D = T.Differential
              property x : float
                Get
                  return 1
                Set(v)
                  (y = v)
              property y : float
                Get
                [nonmutating] Set
                  (z = newValue)
              subscript(i : int) -> T
                Get
                  return second[i]
              private var cache : float = 0
              private var other : int
              let k = 1
            struct Forward;
            interface IPair : IBase
              associatedtype D : IDifferentiable
              static fn zero() -> This
              fn sum(n : int = 2) -> float
              property k : int
                Get
            extension Pair<float, =2> : IMore
              fn more() -> float
                return first
            extension<T : IFoo> T : IBar
        "#]],
    );
}

#[test]
fn statements_parse() {
    check(
        r#"
        void f() {
            float3 v = float3(1, 2, 3), w; let k = 1; var m : int; const uint n = 4u;
            Foo<int>.Bar bar; Array<float, 4> t = {}; int q[2] = {1, 2}; float[3] r;
            a < b > c;
            if (let x = maybe(y)) v.xy = v.yx; else if (a && b) { } else { ; }
            [ForceUnroll] for (int i = 0, j = 1; i < 10; i++, --j) { if (i == 3) continue; else break; }
            for (;;) { }
            for (i = 0; i < 3; ) a += i;
            [MaxIters(8)] while (i > 0) --i;
            do { discard; } while (v.x < 1.0);
            switch (k) { case 1: case N + 1: return; default: { k = 2; } break; }
            struct Local { int x; };
            static const float c = 1;
            return;
        }
        "#,
        expect![[r#"
            fn f() -> void
              typed v : float3 = float3(1, 2, 3)
              typed w : float3
              let k = 1
              var m : int
              const typed n : uint = 4U
              typed bar : Foo<int>.Bar
              typed t : Array<float, =4> = {}
              typed q : int[2] = {1, 2}
              typed r : float[3]
              typed c : a<b>
              if let x = maybe(y)
                (v.xy = v.yx)
              else
                if (a && b)
                  block
                else
                  block
                    empty
              [ForceUnroll] for (i < 10); (comma (i++), (--j))
                typed i : int = 0
                typed j : int = 1
                block
                  if (i == 3)
                    continue
                  else
                    break
              for -; -
                empty
                block
              for (i < 3); -
                (i = 0)
                (a += i)
              [MaxIters(8)] while (i > 0)
                (--i)
              do
                block
                  discard
              while (v.x < 1.0)
              switch k
              case 1, case (N + 1)
                return
              default
                block
                  (k = 2)
                break
              struct Local
                typed x : int
              static const typed c : float = 1
              return
        "#]],
    );
}

#[test]
fn a_typedef_ends_with_its_line() {
    let (module, diagnostics, _) =
        super::run("typedef float2 Pair\ntypedef float3 Triple;\nPair f() { return 0; }\n");
    assert!(diagnostics.is_empty() && module.decls.len() == 3);
    let (_, diagnostics, _) = super::run("typedef float2 Pair Triple;\n");
    assert_eq!(diagnostics.len(), 1);
}
