//! Emitted SPIR-V passes the validator.

use pullback_codegen::spirv;
use pullback_ir::{Module, Verified};
use std::io::Write;
use std::process::{Command, Stdio};

fn module(text: &str) -> Verified<Module> {
    let module = pullback_ir::parse::parse(text).unwrap_or_else(|error| panic!("{error}"));
    pullback_ir::verify(module).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// Validates one kernel of the text form.
fn check(text: &str) {
    let artifact =
        spirv::emit(&module(text), &spirv::Options::default()).unwrap_or_else(|error| panic!("{error}"));
    let again = spirv::emit(&module(text), &spirv::Options::default()).expect("it was emitted before");
    assert_eq!(artifact, again, "emission depends on something besides the module");
    let mut command = Command::new("spirv-val");
    command.args(["--target-env", "vulkan1.2", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.stdout(Stdio::piped()).spawn() else {
        println!("SKIPPED-DEVICE: spirv-val is not installed");
        return;
    };
    child.stdin.take().expect("it is piped").write_all(&artifact.bytes).expect("spirv-val reads");
    let output = child.wait_with_output().expect("spirv-val ends");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{text}");
}

#[test]
fn straight_line_arithmetic() {
    check(
        "kernel @k(%x: ptr<f32>, %y: ptr<f32>, %scale: f32) -> () {
            %i: i64 = lane_id
            %px: ptr<f32> = pointer_offset %x, %i
            %a: f32 = load %px
            %b: f32 = mul %a, %scale
            %c: f32 = sin %b
            %d: f32 = add %c, %a
            %py: ptr<f32> = pointer_offset %y, %i
            store %py, %d
            yield
        }",
    );
}

#[test]
fn regions_nest() {
    check(
        "kernel @k(%y: ptr<f32>, %n: i32, %t: bool) -> () {
            %i: i64 = lane_id
            %zero: i32 = const i32 0
            %one: i32 = const i32 1
            %f: f32 = const f32 0.5
            %k: i32, %s: f32 = loop (%p: i32 = %zero, %q: f32 = %f) while {
                %c: bool = lt %p, %n
                %d: bool = if %t { yield %c } else { %e: bool = not %c
                    yield %e }
                yield %d
            } do {
                %p1: i32 = add %p, %one
                %q1: f32 = switch %p case 1, 2 { %m: f32 = mul %q, %q
                    yield %m } case -3 { yield %f } default {
                    %r: i32, %in: f32 = loop (%u: i32 = %p, %v: f32 = %q) while {
                        %w: bool = gt %u, %zero
                        yield %w
                    } do {
                        %u1: i32 = sub %u, %one
                        yield %u1, %q
                    }
                    yield %in
                }
                yield %p1, %q1
            }
            %py: ptr<f32> = pointer_offset %y, %i
            store %py, %s
            yield
        }",
    );
}

#[test]
fn arrays_live_in_variables() {
    check(
        "kernel @k(%y: ptr<f32>, %n: i32, %t: bool) -> () {
            %i: i64 = lane_id
            %zero: i32 = const i32 0
            %one: i32 = const i32 1
            %f: f32 = const f32 0.5
            %a: [f32; 4] = splat [f32; 4] %f
            %b: [f32; 4] = element_set %a, %n, %f
            %both: [f32; 4] = select %t, %a, %b
            %k: i32, %s: [f32; 4], %o: [f32; 4] = loop (%p: i32 = %zero, %q: [f32; 4] = %both, %q2: [f32; 4] = %a) while {
                %c: bool = lt %p, %n
                yield %c
            } do {
                %p1: i32 = add %p, %one
                %e: f32 = element_get %q, %p
                %g: f32 = add %e, %f
                %q1: [f32; 4] = element_set %q, %p, %g
                %x: [f32; 4] = if %t { %h: [f32; 4] = insert.2 %q2, %g
                    yield %h } else { yield %q2 }
                yield %p1, %x, %q1
            }
            %r: f32 = extract.3 %s
            %r2: f32 = element_get %o, %one
            %sum: f32 = add %r, %r2
            %py: ptr<f32> = pointer_offset %y, %i
            store %py, %sum
            yield
        }",
    );
}

#[test]
fn group_sums_are_in_uniform_control_flow() {
    check(
        "kernel @k(%x: ptr<f32>, %y: ptr<f32>, %z: ptr<bf16>, %w: ptr<i64>) -> () {
            %i: i64 = lane_id
            %px: ptr<f32> = pointer_offset %x, %i
            %a: f32 = load %px
            group_sum %y, %a
            %b: f32 = mul %a, %a
            %c: bf16 = load %z
            group_sum %z, %c
            group_sum %w, %i
            store %px, %b
            yield
        }",
    );
}

#[test]
fn every_dtype_is_loaded_stored_and_added() {
    for ty in ["i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f16", "bf16", "f32", "f64", "bool"] {
        let add = if ty == "bool" { "" } else { "atomic_add %y, %a\n group_sum %y, %a" };
        check(&format!(
            "kernel @k(%x: ptr<{ty}>, %y: ptr<{ty}>, %s: {ty}) -> () {{
                %i: i64 = lane_id
                %px: ptr<{ty}> = pointer_offset %x, %i
                %a: {ty} = load %px
                %py: ptr<{ty}> = pointer_offset %y, %i
                store %py, %a
                {add}
                yield
            }}"
        ));
    }
}
