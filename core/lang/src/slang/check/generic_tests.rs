//! What wrong generic programs get: the reports, as users see them.

use crate::{Language, Options, compile};
use expect_test::{Expect, expect};
use pullback_base::render::render_all;

fn check(text: &str, expected: Expect) {
    let compiled = compile(Language::Slang, "t.slang", text, &Options::default());
    expected.assert_eq(&render_all(&compiled.diagnostics.into_vec(), &compiled.sources));
    assert!(pullback_ir::verify(compiled.module).is_ok(), "what is right is lowered");
}

#[test]
fn a_missing_answer_to_a_requirement_is_reported_with_the_requirement() {
    check(
        r#"interface IShape { associatedtype Part : IPart; float area(float scale); static This make(); }
interface IPart { float size(); }
struct A : IShape { typealias Part = float; float area(int scale) { return 1; } static A make() { A a; return a; } }
struct B : IShape { struct Part : IPart { float size() { return 1; } }; float area(float s) { return s; } }
struct C : IMissing {}
"#,
        expect![[r#"
            error[type-mismatch]: `A` does not conform to `IShape`
              ┌─ t.slang:3:12
              │
            1 │ interface IShape { associatedtype Part : IPart; float area(float scale); static This make(); }
              │                                   ---- asked for here
            2 │ interface IPart { float size(); }
            3 │ struct A : IShape { typealias Part = float; float area(int scale) { return 1; } static A make() { A a; return a; } }
              │            ^^^^^^ `Part` is `float`, which does not conform to `IPart`
              │
              = help: declare it as the interface does

            warning[type-mismatch]: `float` becomes `int`: the fraction is lost
              ┌─ t.slang:3:51
              │
            3 │ struct A : IShape { typealias Part = float; float area(int scale) { return 1; } static A make() { A a; return a; } }
              │                                                   ^^^^ converted here
              │
              = help: write `int(...)` if that is meant

            error[type-mismatch]: `B` does not conform to `IShape`
              ┌─ t.slang:4:12
              │
            1 │ interface IShape { associatedtype Part : IPart; float area(float scale); static This make(); }
              │                                                                                      ---- asked for here
              ·
            4 │ struct B : IShape { struct Part : IPart { float size() { return 1; } }; float area(float s) { return s; } }
              │            ^^^^^^ `IShape.make()` is missing
              │
              = help: declare it as the interface does

            error[unknown-name]: no interface named `IMissing` is in scope
              ┌─ t.slang:5:12
              │
            5 │ struct C : IMissing {}
              │            ^^^^^^^^ not declared
              │
              = help: declare it, or check its spelling
        "#]],
    );
}

#[test]
fn generic_code_is_checked_against_its_bounds() {
    check(
        r#"interface IShape { associatedtype Part : IPart; float area(float scale); static This make(); }
interface IPart { float size(); }
struct D : IPart { float size() { return 1; } }
float f<T : IShape>(T x) { return x.perimeter(); }
float j<T>(T x) { return x + x; }
float n(IPart part) { return part.length; }
"#,
        expect![[r#"
            error[unknown-name]: `T` has no member `perimeter`
              ┌─ t.slang:4:37
              │
            4 │ float f<T : IShape>(T x) { return x.perimeter(); }
              │                                     ^^^^^^^^^ not a member
              │
              = help: declare it, or check its spelling

            error[type-mismatch]: `+` does not take `T` and `T`
              ┌─ t.slang:5:28
              │
            5 │ float j<T>(T x) { return x + x; }
              │                          - ^ - is `T`
              │                          │ │  
              │                          │ cannot be applied
              │                          is `T`
              │
              = help: give the generic parameter a bound that has `+`, such as `IFloat`

            error[unknown-name]: `IPart` has no member `length`
              ┌─ t.slang:6:35
              │
            6 │ float n(IPart part) { return part.length; }
              │                                   ^^^^^^ not a member
              │
              = help: declare it, or check its spelling
        "#]],
    );
}

#[test]
fn generic_arguments_must_fit_their_parameters() {
    check(
        r#"interface IShape { associatedtype Part : IPart; float area(float scale); static This make(); }
interface IPart { float size(); }
struct D : IPart { float size() { return 1; } }
float g<T : IPart>(T x) { return x.size(); }
float h(float x) { return g(x); }
float k(D d) { return g<D, int>(d); }
struct E<T : IPart> { T part; }
float l(E<float> e) { return 1; }
float m(E e) { return 1; }
"#,
        expect![[r#"
            error[no-overload]: no `g` takes (float)
              ┌─ t.slang:5:27
              │
            4 │ float g<T : IPart>(T x) { return x.size(); }
              │       - `g(T x)`: `float` does not conform to `IPart`
            5 │ float h(float x) { return g(x); }
              │                           ^^^^ called here
              │
              = help: convert the arguments, or declare a function that takes them

            error[no-overload]: no `g` takes (D)
              ┌─ t.slang:6:23
              │
            4 │ float g<T : IPart>(T x) { return x.size(); }
              │       - `g(T x)`: takes one generic argument
            5 │ float h(float x) { return g(x); }
            6 │ float k(D d) { return g<D, int>(d); }
              │                       ^^^^^^^^^^^^ called here
              │
              = help: convert the arguments, or declare a function that takes them

            error[type-mismatch]: `float` does not conform to `IPart`
              ┌─ t.slang:8:9
              │
            8 │ float l(E<float> e) { return 1; }
              │         ^^^^^^^^ in these generic arguments
              │
              = help: use a value of the type that is needed, or convert explicitly

            error[type-mismatch]: `E` needs a generic argument for `T`
              ┌─ t.slang:9:9
              │
            9 │ float m(E e) { return 1; }
              │         ^ not told here
              │
              = help: write `E<...>`
        "#]],
    );
}

#[test]
fn interfaces_and_values_without_end_are_refused() {
    check(
        r#"interface ILoop : ILoop2 { float f(); }
interface ILoop2 : ILoop { float g(); }
interface INode { float sum(); }
struct Leaf : INode { INode next; float sum() { return 1; } }
"#,
        expect![[r#"
            error[recursive-call]: interface `ILoop` inherits itself
              ┌─ t.slang:1:11
              │
            1 │ interface ILoop : ILoop2 { float f(); }
              │           ^^^^^ in a circle
              │
              = help: leave out one of the bases

            error[recursive-call]: interface `ILoop2` inherits itself
              ┌─ t.slang:2:11
              │
            2 │ interface ILoop2 : ILoop { float g(); }
              │           ^^^^^^ in a circle
              │
              = help: leave out one of the bases

            error[recursive-call]: a value of `Leaf` may hold another one, without end
              ┌─ t.slang:4:8
              │
            4 │ struct Leaf : INode { INode next; float sum() { return 1; } }
              │        ^^^^ through a field of an interface's type
              │
              = help: write the recursion as a loop
        "#]],
    );
}

#[test]
fn only_what_the_value_tells_is_asked_of_a_value_of_an_interface() {
    check(
        r#"interface INode { float sum(); float value(This other); static float one(); This same(); }
struct Leaf : INode { float x; float sum() { return x; } float value(Leaf o) { return o.x; } static float one() { return 1; } Leaf same() { return this; } }
struct Twin<T : INode> : INode { T a; T b; float sum() { return a.sum() + b.sum(); } float value(This o) { return o.a.sum(); } static float one() { return 2; } This same() { return this; } }
float deep<T : INode>(T x, int n) { Twin<T> t; t.a = x; t.b = x; return n == 0 ? t.sum() : deep(t, n - 1); }
float start(Leaf l) { return deep(l, 3); }
float bad(INode n) { INode m = n; return m.value(m); }
float one<T : INode>(int count) { return T.one(); }
float bad2() { return one<INode>(2); }
float of<T : INode>(T x) { return T.one() + x.value(x); }
float good(Leaf l) { INode m = l; m = m.same(); return m.sum() + of(m) + m.one(); }
struct Rec : INode { float sum() { return total(this); } float value(Rec o) { return 1; } static float one() { return 1; } Rec same() { return this; } }
float total<T : INode>(T x) { return x.sum(); }
float rec(Rec r) { return total(r); }
"#,
        expect![[r#"
            error[recursive-call]: `deep` calls itself
              ┌─ t.slang:4:7
              │
            4 │ float deep<T : INode>(T x, int n) { Twin<T> t; t.a = x; t.b = x; return n == 0 ? t.sum() : deep(t, n - 1); }
              │       ^^^^                                                                                 -------------- through this call
              │       │                                                                                     
              │       kernels cannot recurse
              │
              = help: write it as a loop

            error[type-mismatch]: `value` cannot be asked of a value of type `INode`
              ┌─ t.slang:6:42
              │
            1 │ interface INode { float sum(); float value(This other); static float one(); This same(); }
              │                                      ----- asked for here
              ·
            6 │ float bad(INode n) { INode m = n; return m.value(m); }
              │                                          ^^^^^^^^^^ a parameter's type depends on the type inside
              │
              = help: use a generic parameter, `<T : IName>`, so that the type is known

            error[type-mismatch]: `one` cannot be asked of a value of type `INode`
              ┌─ t.slang:7:42
              │
            1 │ interface INode { float sum(); float value(This other); static float one(); This same(); }
              │                                                                      --- asked for here
              ·
            7 │ float one<T : INode>(int count) { return T.one(); }
              │                                          ^^^^^^^ no object here tells which type's it is
              │
              = help: use a generic parameter, `<T : IName>`, so that the type is known

            error[recursive-call]: `Rec.sum` calls itself through an interface
               ┌─ t.slang:11:28
               │
            11 │ struct Rec : INode { float sum() { return total(this); } float value(Rec o) { return 1; } static float one() { return 1; } Rec same() { return this; } }
               │                            ^^^ kernels cannot recurse
               │
               = help: write it as a loop
        "#]],
    );
}
