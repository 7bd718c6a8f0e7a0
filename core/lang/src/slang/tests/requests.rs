//! What is asked of a module beside its text: numbers of types behind interfaces, instances of generic functions.

use crate::{Compiled, Language, Linked, Options, TypeConformance, compile};
use expect_test::{Expect, expect};
use pullback_base::render::render_all;

fn compiled(text: &str, numbers: &[(&str, &str, u32)], instances: &[&str]) -> Compiled {
    let numbers: Vec<TypeConformance> = numbers
        .iter()
        .map(|&(ty, interface, id)| TypeConformance { ty: ty.into(), interface: interface.into(), id })
        .collect();
    let instances: Vec<String> = instances.iter().map(|&name| name.into()).collect();
    let options = Options { type_conformances: &numbers, instances: &instances, ..Options::default() };
    compile(Language::Slang, "t.slang", text, &options)
}

fn names(compiled: &Compiled) -> Vec<&str> {
    let interfaces = compiled.module.functions.values().filter_map(|function| function.interface.as_ref());
    interfaces.map(|interface| &*interface.name).collect()
}

fn check(compiled: Compiled, expected: Expect) {
    expected.assert_eq(&render_all(&compiled.diagnostics.into_vec(), &compiled.sources));
    assert!(pullback_ir::verify(compiled.module).is_ok(), "what is right is lowered");
}

fn accepted(compiled: Compiled) {
    assert!(compiled.diagnostics.is_empty(), "{:?}", compiled.diagnostics);
    assert!(pullback_ir::verify(compiled.module).is_ok());
}

const SHAPES: &str = "interface IShape { float area(); }
struct Disk : IShape { float r; float area() { return r * r; } }
struct Box<T : IShape> : IShape { T inner; float area() { return inner.area(); } }
struct Other { int x; }
float area(uint id, float2 bytes) { return createDynamicObject<IShape>(id, bytes).area(); }
";

#[test]
fn numbers_tell_which_type_the_bytes_are_of() {
    let compiled = compiled(SHAPES, &[("Disk", "IShape", 3), ("Box<Disk>", "IShape", 7)], &[]);
    let text = compiled.module.to_string();
    assert!(text.contains("case 3") && text.contains("case 7"), "{text}");
    accepted(compiled);
}

#[test]
fn wrong_numbers_are_reported_where_they_are_given() {
    let numbers =
        [("Disk", "IShape", 3), ("Box<Disk>", "IShape", 3), ("Other", "IShape", 4), ("No", "IShape", 5)];
    check(
        compiled(SHAPES, &numbers, &[]),
        expect![[r#"
        error[duplicate-name]: `Box<Disk>` and `Disk` have the same number
          ┌─ (options):3:16
          │
        3 │ typealias it = Box<Disk>;
          │                ^^^^^^^^^ 3 among `IShape`
          │
          = help: rename or remove one of them

        error[type-mismatch]: `Other` does not conform to `IShape`
          ┌─ (options):5:16
          │
        5 │ typealias it = Other;
          │                ^^^^^ given a number
          │
          = help: use a value of the type that is needed, or convert explicitly

        error[unknown-name]: no type named `No` is in scope
          ┌─ (options):7:16
          │
        7 │ typealias it = No;
          │                ^^ not declared
          │
          = help: declare it, or check its spelling
    "#]],
    );
    check(
        compiled(SHAPES, &[], &[]),
        expect![[r#"
        error[unsupported-feature]: no type has a number behind `IShape`
          ┌─ t.slang:5:44
          │
        5 │ float area(uint id, float2 bytes) { return createDynamicObject<IShape>(id, bytes).area(); }
          │                                            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ which types these numbers mean is not known
          │
          = help: give the types' numbers where the module is compiled: `type_conformances`
    "#]],
    );
}

#[test]
fn bytes_of_what_holds_more_than_numbers_are_refused() {
    let text = "float f(StructuredBuffer<float> b) { return bit_cast<float>(b); }
uint g(float2 x) { return bit_cast<uint>(x); }
T h<T>(float x) { return reinterpret<T>(x); }
uint i(float x) { return bit_cast(x); }
";
    check(
        compiled(text, &[], &[]),
        expect![[r#"
        error[unsupported-feature]: `bit_cast` of types that hold more than numbers is not supported yet
          ┌─ t.slang:1:45
          │
        1 │ float f(StructuredBuffer<float> b) { return bit_cast<float>(b); }
          │                                             ^^^^^^^^^^^^^^^^^^ `StructuredBuffer<float>` is here
          │
          = help: write it without this construct

        error[type-mismatch]: `float2` and `uint` have not the same size
          ┌─ t.slang:2:27
          │
        2 │ uint g(float2 x) { return bit_cast<uint>(x); }
          │                           ^^^^^^^^^^^^^^^^^ 8 bytes for 4
          │
          = help: `reinterpret` cuts off what is too much, and adds zeros

        error[unsupported-feature]: `reinterpret` of generic types is not supported yet
          ┌─ t.slang:3:26
          │
        3 │ T h<T>(float x) { return reinterpret<T>(x); }
          │                          ^^^^^^^^^^^^^^^^^ `T` is here
          │
          = help: write it without this construct

        error[type-mismatch]: `bit_cast` needs the type to make
          ┌─ t.slang:4:26
          │
        4 │ uint i(float x) { return bit_cast(x); }
          │                          ^^^^^^^^^^^ write `bit_cast<...>`
          │
          = help: use a value of the type that is needed, or convert explicitly
    "#]],
    );
}

#[test]
fn instances_of_generic_functions_are_made_by_name() {
    let text = "T twice<T : IFloat>(T x) { return x + x; }
float sum<let N : int>(float x[N]) { float s = 0; for (int i = 0; i < N; i++) s += x[i]; return s; }
static float bias = 1;
float biased<T : IArithmetic>(T x) { bias += float(1); return bias; }
namespace n { T same<T>(T x) { return x; } }
int count<each T>(expand each T x) { return countof(T); }
";
    let compiled = compiled(
        text,
        &[],
        &["twice<float>", "twice< float3 >", "sum<4>", "biased<int>", "n.same<bool>", "count<int, float2>"],
    );
    assert_eq!(
        names(&compiled),
        ["twice<float>", "twice<float3>", "sum<4>", "biased<int>", "n.same<bool>", "count<int, float2>"]
    );
    accepted(compiled);
}

#[test]
fn wrong_instances_are_reported() {
    let text = "T twice<T : IFloat>(T x) { return x + x; }
float plain(float x) { return x; }
";
    check(
        compiled(text, &[], &["twice<int>", "plain<int>", "thrice<int>"]),
        expect![[r#"
        error[type-mismatch]: `T` cannot be `int`
          ┌─ (options):1:16
          │
        1 │ typealias it = twice<int>;
          │                ^^^^^^^^^^ in these generic arguments
          │
          = help: use a value of the type that is needed, or convert explicitly

        error[type-mismatch]: `plain` takes no such generic arguments
          ┌─ (options):2:16
          │
        2 │ typealias it = plain<int>;
          │                ^^^^^^^^^^ asked for here
          │
          = help: use a value of the type that is needed, or convert explicitly

        error[unknown-function]: no function named `thrice`
          ┌─ (options):3:16
          │
        3 │ typealias it = thrice<int>;
          │                ^^^^^^ not declared
          │
          = help: call one of the functions that the module has
    "#]],
    );
}

#[test]
fn an_instance_of_a_generic_entry_point_is_launched() {
    let text = "RWStructuredBuffer<int> b;
interface IFill { int fill(int i); }
struct Same : IFill { int fill(int i) { return i; } }
[numthreads(4, 1, 1)] void main<T : IFill>(uniform T t, uint3 id : SV_DispatchThreadID) { b[id.x] = t.fill(id.x); }
[numthreads(4, 1, 1)] void of_any(uniform IFill t, uint3 id : SV_DispatchThreadID) { b[id.x] = t.fill(id.x); }
";
    let compiled = compiled(text, &[], &["main<Same>"]);
    let entries: Vec<&str> = compiled.module.entry_points.iter().map(|entry| &*entry.name).collect();
    assert_eq!(entries, ["of_any", "main<Same>"]);
    accepted(compiled);
}

#[test]
fn wrong_constants_are_reported_where_they_are_given() {
    let text = "extern static const int COUNT = 2;
extern static const float2 SCALE = { 1, 2 };
static const int FIXED = 3;
float f(float x) { return x * COUNT * SCALE.x * FIXED; }
";
    let given = [("COUNT", "2.5"), ("SCALE", "{ 1, 2, 3 }"), ("FIXED", "4"), ("CONT", "1")];
    let constants: Vec<(String, String)> =
        given.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let options = Options { constants: &constants, ..Options::default() };
    check(
        compile(Language::Slang, "t.slang", text, &options),
        expect![[r#"
        error[type-mismatch]: `COUNT` is `int`, and cannot have this value
          ┌─ (options):1:13
          │
        1 │ let COUNT = 2.5;
          │             ^^^ is `float`
          │
          ┌─ t.slang:1:25
          │
        1 │ extern static const int COUNT = 2;
          │                         ----- declared here
          │
          = help: give a value of its type

        error[type-mismatch]: too many values for `float2`
          ┌─ (options):2:21
          │
        2 │ let SCALE = { 1, 2, 3 };
          │                     ^ 1 more than fit
          │
          = help: use a value of the type that is needed, or convert explicitly

        error[not-constant]: `FIXED` is no link-time constant
          ┌─ (options):3:5
          │
        3 │ let FIXED = 4;
          │     ^^^^^ given a value
          │
          ┌─ t.slang:3:18
          │
        3 │ static const int FIXED = 3;
          │                  ----- has this value for good
          │
          = help: declare it `extern static const`

        error[unknown-name]: no link-time constant is named `CONT`
          ┌─ (options):4:5
          │
        4 │ let CONT = 1;
          │     ^^^^ given a value
          │
          = help: did you mean `COUNT`?
    "#]],
    );
}

#[test]
fn a_linked_module_is_read_before_what_it_is_linked_with() {
    let main = "import slangpy;\nextern float scaled(Tensor<float, 1> t, int i);
float f(Tensor<float, 1> t) { return scaled(t, 0); }\n";
    let text = "import slangpy;\nexport float scaled(Tensor<float, 1> t, int i) { return 2 * t[i]; }\n";
    let links = [Linked { name: "linked.slang".into(), text: text.into() }];
    let compiled =
        compile(Language::Slang, "t.slang", main, &Options { links: &links, ..Options::default() });
    assert!(names(&compiled).contains(&"f"));
    accepted(compiled);
}
