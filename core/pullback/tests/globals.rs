//! Functions that use uniforms and buffers, called with values for them.

use pullback::{Device, DeviceType, Error, Function, Module, Tensor, args};

const SOURCE: &str = "
    uniform float scale;
    cbuffer Camera { float3 eye; float fov; };
    StructuredBuffer<float> table;
    RWStructuredBuffer<float3> seen;
    static float calls = 1;
    float scaled(float x) { return scale * x; }
    float seen_from(float3 p) { calls += 1; return dot(p - eye, p - eye) * fov * calls; }
    float looked_up(int i) { return table[i]; }
    void noted(int i, float3 p) { seen[i] = p * scale; }
    uint counted() { uint n, bytes; seen.GetDimensions(n, bytes); return n; }
    float passed(StructuredBuffer<float> values, int i) { return values[i]; }";

fn function(name: &str) -> (Device, Function) {
    let device = Device::new(DeviceType::Cpu).expect("a CPU");
    let module = Module::load_from_source(&device, "globals.slang", SOURCE).unwrap_or_else(|e| panic!("{e}"));
    let function = module.function(name).expect("a function");
    (device, function)
}

fn floats(tensor: &Tensor) -> Vec<f32> {
    tensor.to_vec::<f32>().expect("floats")
}

fn refused<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_uniform_is_one_value_for_all_lanes_and_has_the_sum_of_their_gradients() -> Result<(), Error> {
    let (device, scaled) = function("scaled");
    let x = Tensor::from_slice(&device, &[1.0f32, 2.0, 4.0], [3])?;
    let twice = scaled.set(args![scale: 2.0])?;
    assert_eq!(floats(&twice.call(args![x: &x])?), [2.0, 4.0, 8.0]);
    let thrice = twice.set(args![scale: 3.0])?;
    assert_eq!(floats(&thrice.call(args![x: &x])?), [3.0, 6.0, 12.0]);
    assert_eq!(floats(&twice.call(args![x: &x])?), [2.0, 4.0, 8.0]);
    let scale = Tensor::from_slice(&device, &[2.0f32], [])?;
    let dy = Tensor::from_slice(&device, &[1.0f32; 3], [3])?;
    let gradients = scaled.set(args![scale: &scale])?.backward(args![x: &x], &dy)?;
    assert_eq!(floats(&gradients["::scale"]), [7.0]);
    assert_eq!(floats(&gradients["x"]), [2.0; 3]);
    Ok(())
}

#[test]
fn a_cbuffer_is_a_struct_and_statics_start_anew_in_each_lane() -> Result<(), Error> {
    let (device, seen_from) = function("seen_from");
    let p = Tensor::from_slice(&device, &[1.0f32, 2.0, 2.0, 4.0, 0.0, 0.0], [2, 3])?;
    let camera = vec![("eye", [1.0f32, 0.0, 0.0].into()), ("fov", 0.5.into())];
    let y = seen_from.set(args![Camera: camera])?.call(args![p: &p])?;
    assert_eq!(floats(&y), [8.0, 9.0]);
    Ok(())
}

#[test]
fn a_buffer_is_a_whole_array_read_as_zero_outside() -> Result<(), Error> {
    let (device, looked_up) = function("looked_up");
    let table = Tensor::from_slice(&device, &[10.0f32, 20.0, 30.0], [3])?;
    let i = Tensor::from_slice(&device, &[2i32, 0, -1, 3], [4])?;
    let y = looked_up.set(args![table: &table])?.call(args![i: &i])?;
    assert_eq!(floats(&y), [30.0, 10.0, 0.0, 0.0]);
    Ok(())
}

#[test]
fn a_writable_buffer_is_written_in_place_and_nowhere_else() -> Result<(), Error> {
    let (device, noted) = function("noted");
    let seen = Tensor::from_slice(&device, &[0.0f32; 6], [2, 3])?;
    let i = Tensor::from_slice(&device, &[1i32, 7], [2])?;
    let given = noted.set(args![seen: &seen, scale: 2.0])?;
    given.call_all(args![i: &i, p: [1.0f32, 2.0, 3.0]])?;
    assert_eq!(floats(&seen), [0.0, 0.0, 0.0, 2.0, 4.0, 6.0]);
    let (device, counted) = function("counted");
    let seen = Tensor::from_slice(&device, &[0.0f32; 6], [2, 3])?;
    let n = counted.set(args![seen: &seen])?.call(args![])?;
    assert_eq!(n.to_vec::<u32>()?, [2]);
    Ok(())
}

#[test]
fn a_buffer_parameter_takes_a_whole_array_and_no_lanes() -> Result<(), Error> {
    let (device, passed) = function("passed");
    let values = Tensor::from_slice(&device, &[10.0f32, 20.0, 30.0], [3])?;
    let i = Tensor::from_slice(&device, &[2i32, 0], [2])?;
    assert_eq!(floats(&passed.call(args![values: &values, i: &i])?), [30.0, 10.0]);
    let message = refused(passed.call(args![values: 1.0, i: &i]));
    assert!(message.contains("`values` takes a whole array, but got a float"), "{message}");
    let message = refused(passed.call(args![values: &i, i: &i]));
    assert!(message.contains("error[dtype-mismatch]"), "{message}");
    Ok(())
}

#[test]
fn what_has_no_value_or_the_wrong_one_is_refused_where_it_is_declared() -> Result<(), Error> {
    let (device, scaled) = function("scaled");
    let message = refused(scaled.call(args![x: 1.0]));
    assert!(
        message.contains("error[missing-argument]: `scaled` uses the global `scale`, which has no value")
    );
    assert!(message.contains("globals.slang:2:19"), "{message}");
    let message = refused(scaled.set(args![table: 1.0]));
    assert!(message.contains("`scaled` uses no global `table`") && message.contains("it uses: scale"));
    let many = Tensor::from_slice(&device, &[1.0f32; 3], [3])?;
    let message = refused(scaled.set(args![scale: &many])?.call(args![x: 1.0]));
    assert!(message.contains("one value of shape () for all lanes, but got (3,)"), "{message}");
    Ok(())
}
