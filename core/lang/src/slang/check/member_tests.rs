//! What wrong enums, operators, properties and initial values get.

use super::tests::{check, check_messages};
use expect_test::expect;

#[test]
fn enums_keep_to_their_cases_and_their_range() {
    check(
        "enum Color : uint8_t { Red, Green = 255, Blue }\nenum Late { A = B, B }\nenum Soft : float { X }\n\
         enum Fruit { Apple, Pear }\nint f(Fruit x) { int y = x; return y + Fruit.Aple; }\n\
         int g(Fruit x) { switch (x) { case Fruit.Pear: return 1; case 0: return 2; default: return 3; } }\n",
        expect![[r#"
            error[type-mismatch]: case `Blue` is 256, which is no `uint8_t`
              ┌─ t.slang:1:42
              │
            1 │ enum Color : uint8_t { Red, Green = 255, Blue }
              │                                          ^^^^ out of range
              │
              = help: give the enum a wider type: `enum Name : int64_t`

            error[not-constant]: case `B` has no value yet
              ┌─ t.slang:2:17
              │
            2 │ enum Late { A = B, B }
              │                 ^  - declared here
              │                 │   
              │                 used before it
              │
              = help: a case may use the cases above it

            error[type-mismatch]: an enum's values are integers, not `float`
              ┌─ t.slang:3:13
              │
            3 │ enum Soft : float { X }
              │             ^^^^^ not an integer type
              │
              = help: use a value of the type that is needed, or convert explicitly

            error[unknown-name]: `Fruit` has no member `Aple`
              ┌─ t.slang:5:46
              │
            5 │ int f(Fruit x) { int y = x; return y + Fruit.Aple; }
              │                                              ^^^^ not a member
              │
              = help: did you mean `Apple`?

            error[type-mismatch]: this label needs `Fruit`, not `int`
              ┌─ t.slang:6:63
              │
            6 │ int g(Fruit x) { switch (x) { case Fruit.Pear: return 1; case 0: return 2; default: return 3; } }
              │                                                               ^ is `int`
              │
              = help: convert it: `Fruit(...)`
        "#]],
    );
}

#[test]
fn declared_operators_that_do_not_fit_leave_the_languages_own() {
    check_messages(
        "struct V { float x; }\nV operator+(V a, V b) { return { a.x + b.x }; }\n\
         V f(V a) { return a + 1.0; }\nV g(V a) { return a - a; }\nint h(int a) { return a(1); }\n\
         struct W { W operator-(W a) { return a; } }\n",
        expect![[r#"
            type-mismatch: `+` does not take `V` and `float`
            type-mismatch: `-` does not take `V` and `V`
            type-mismatch: `int` cannot be called
            unsupported-feature: operators declared in structs are not supported yet
        "#]],
    );
}

#[test]
fn properties_say_which_half_is_missing() {
    check(
        "struct S { float x; property float twice { get { return 2 * x; } } property float no { set { x = no; } }\n\
         __subscript(int i) -> float { get { return x; } [nonmutating] set { x = newValue; } }\n\
         __subscript(bool b) -> float { ref { return x + 1; } } }\n\
         void f(inout S s) { s.twice = 1; s.twice += 1; s[1, 2] = 3; s[true]++; s.halve = 1; }\n\
         float g(S s) { return S(s.x)[1] + S.twice; }\n",
        expect![[r#"
            error[unsupported-feature]: `no` cannot be read
              ┌─ t.slang:1:83
              │
            1 │ struct S { float x; property float twice { get { return 2 * x; } } property float no { set { x = no; } }
              │                                                                                   ^^ has no `get`
              │
              = help: declare one: `get { return ...; }`

            error[not-assignable]: `this` cannot be assigned
              ┌─ t.slang:2:69
              │
            2 │ __subscript(int i) -> float { get { return x; } [nonmutating] set { x = newValue; } }
              │                                                                     ^ written here
              │
              = help: mark the method `[mutating]`

            error[not-assignable]: this cannot be assigned
              ┌─ t.slang:3:45
              │
            3 │ __subscript(bool b) -> float { ref { return x + 1; } } }
              │                                             ^^^^^ a constant or a computed value, not a variable or part of one
              │
              = help: assign to a variable, a parameter, or a part of one

            error[not-assignable]: `S.twice` has no `set`
              ┌─ t.slang:4:21
              │
            1 │ struct S { float x; property float twice { get { return 2 * x; } } property float no { set { x = no; } }
              │                                            --- can only be read
              ·
            4 │ void f(inout S s) { s.twice = 1; s.twice += 1; s[1, 2] = 3; s[true]++; s.halve = 1; }
              │                     ^^^^^^^ written here
              │
              = help: declare `set { ... }` beside its `get`

            error[not-assignable]: `S.twice` has no `set`
              ┌─ t.slang:4:34
              │
            1 │ struct S { float x; property float twice { get { return 2 * x; } } property float no { set { x = no; } }
              │                                            --- can only be read
              ·
            4 │ void f(inout S s) { s.twice = 1; s.twice += 1; s[1, 2] = 3; s[true]++; s.halve = 1; }
              │                                  ^^^^^^^ written here
              │
              = help: declare `set { ... }` beside its `get`

            error[no-overload]: no `S.__subscript` takes (int, int)
              ┌─ t.slang:4:48
              │
            2 │ __subscript(int i) -> float { get { return x; } [nonmutating] set { x = newValue; } }
              │                               --- `S.__subscript.get(int i)`: takes 1 argument
            3 │ __subscript(bool b) -> float { ref { return x + 1; } } }
              │                                --- `S.__subscript.get(bool b)`: takes 1 argument
            4 │ void f(inout S s) { s.twice = 1; s.twice += 1; s[1, 2] = 3; s[true]++; s.halve = 1; }
              │                                                ^^^^^^^ called here
              │
              = help: convert the arguments, or declare a function that takes them

            error[unknown-name]: `S` has no member `halve`
              ┌─ t.slang:4:74
              │
            4 │ void f(inout S s) { s.twice = 1; s.twice += 1; s[1, 2] = 3; s[true]++; s.halve = 1; }
              │                                                                          ^^^^^ not a member
              │
              = help: declare it, or check its spelling

            error[no-overload]: no `S.twice` takes ()
              ┌─ t.slang:5:35
              │
            1 │ struct S { float x; property float twice { get { return 2 * x; } } property float no { set { x = no; } }
              │                                            --- `S.twice.get()`: needs an object
              ·
            5 │ float g(S s) { return S(s.x)[1] + S.twice; }
              │                                   ^^^^^^^ called here
              │
              = help: convert the arguments, or declare a function that takes them
        "#]],
    );
}

#[test]
fn a_setter_may_read_what_it_sets_but_not_set_it() {
    check_messages(
        "struct A { float x; property float p { get { return x; } set { if (p < newValue) x = newValue; } } }\n\
         struct B { float x; property float p { get { return x; } set { p = newValue; } } }\n\
         void f(inout A a, inout B b) { a.p = 1; b.p += 1; }\n",
        expect![[r#"
            recursive-call: `B.p.set` calls itself
        "#]],
    );
}

#[test]
fn initial_values_are_of_their_fields_and_have_no_circle() {
    check_messages(
        "struct A { float2 x = float3(1); }\nstruct B { C c; int n = B().n; }\nstruct C { int m = 1; }\n\
         struct D { int n = m; static const int m = 2; int k = {}; }\nint f() { D d; return d.n; }\n",
        expect![[r#"
            type-mismatch: the field needs `float2`, not `float3`
            recursive-call: the initial value of struct `B` depends on itself
        "#]],
    );
}

#[test]
fn optional_values_are_asked_before_use_and_written_whole() {
    check(
        "float f(float? x) { float y = x; x.value = 2.0; if (let z = y) return z; return x; }\n\
         bool g(int? a, int? b) { return a == b; }\n",
        expect![[r#"
            error[type-mismatch]: the initializer needs `float`, not `Optional<float>`
              ┌─ t.slang:1:31
              │
            1 │ float f(float? x) { float y = x; x.value = 2.0; if (let z = y) return z; return x; }
              │                               ^ is `Optional<float>`
              │
              = help: use a value of the type that is needed, or convert explicitly

            error[not-assignable]: a part of an optional value cannot be assigned
              ┌─ t.slang:1:34
              │
            1 │ float f(float? x) { float y = x; x.value = 2.0; if (let z = y) return z; return x; }
              │                                  ^^^^^^^ written here
              │
              = help: assign a value, or `none`, to the whole

            error[type-mismatch]: the result needs `float`, not `Optional<float>`
              ┌─ t.slang:1:81
              │
            1 │ float f(float? x) { float y = x; x.value = 2.0; if (let z = y) return z; return x; }
              │                                                                                 ^ is `Optional<float>`
              │
              = help: use a value of the type that is needed, or convert explicitly

            error[type-mismatch]: `==` does not take `Optional<int>` and `Optional<int>`
              ┌─ t.slang:2:35
              │
            2 │ bool g(int? a, int? b) { return a == b; }
              │                                 - ^^ - is `Optional<int>`
              │                                 │ │   
              │                                 │ cannot be applied
              │                                 is `Optional<int>`
              │
              = help: declare a function `operator==` that takes them
        "#]],
    );
}

#[test]
fn tuples_have_the_elements_they_are_made_of() {
    check(
        "float f(Tuple<float, int> t) { t._1_0 = t; return t._2; }\n\
         int g() { let t = makeTuple(1, 2, 3, 4, 5, 6, 7, 8, 9); return concat(1, 2); }\n\
         bool h(Tuple<float2, int> t) { return t == t; }\nvoid k(Tuple<void> t, Tuple<3> u) {}\n",
        expect![[r#"
            error[not-assignable]: this cannot be assigned
              ┌─ t.slang:1:32
              │
            1 │ float f(Tuple<float, int> t) { t._1_0 = t; return t._2; }
              │                                ^^^^^^ a constant or a computed value, not a variable or part of one
              │
              = help: assign to a variable, a parameter, or a part of one

            error[unknown-name]: `Tuple<float, int>` has no member `_2`
              ┌─ t.slang:1:53
              │
            1 │ float f(Tuple<float, int> t) { t._1_0 = t; return t._2; }
              │                                                     ^^ not a member
              │
              = help: declare it, or check its spelling

            error[unsupported-feature]: tuples of more than 8 elements are not supported yet
              ┌─ t.slang:2:19
              │
            2 │ int g() { let t = makeTuple(1, 2, 3, 4, 5, 6, 7, 8, 9); return concat(1, 2); }
              │                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ part of the language, but not yet of Pullback
              │
              = help: write it without this construct

            error[type-mismatch]: `concat` takes tuples, not `int`
              ┌─ t.slang:2:71
              │
            2 │ int g() { let t = makeTuple(1, 2, 3, 4, 5, 6, 7, 8, 9); return concat(1, 2); }
              │                                                                       ^ is `int`
              │
              = help: use a value of the type that is needed, or convert explicitly

            error[unsupported-feature]: comparisons of tuples that hold vectors are not supported yet
              ┌─ t.slang:3:39
              │
            3 │ bool h(Tuple<float2, int> t) { return t == t; }
              │                                       ^^^^^^ part of the language, but not yet of Pullback
              │
              = help: write it without this construct

            error[type-mismatch]: no tuple holds `void`
              ┌─ t.slang:4:8
              │
            4 │ void k(Tuple<void> t, Tuple<3> u) {}
              │        ^^^^^^^^^^^ here
              │
              = help: use a value of the type that is needed, or convert explicitly

            error[type-mismatch]: a tuple is made of types
              ┌─ t.slang:4:23
              │
            4 │ void k(Tuple<void> t, Tuple<3> u) {}
              │                       ^^^^^^^^ not of numbers
              │
              = help: use a value of the type that is needed, or convert explicitly
        "#]],
    );
}
