//! Gradients of what functions look up in whole arrays.

use pullback::{Device, DeviceType, Error, Function, Module, Tensor, args};

const SOURCE: &str = "
    float squared(StructuredBuffer<float> table, int i, float x) { float t = table[i]; return t * t * x; }
    float summed(StructuredBuffer<float3> table, int n) {
        float sum = 0;
        for (int i = 0; i < n; i++) { float3 t = table[i]; sum += t.x * t.y * t.z; }
        return sum; }
    float written(RWStructuredBuffer<float> table, int i) { table[i] = 2; return table[i]; }
    void scattered(StructuredBuffer<float> from, RWStructuredBuffer<float> to, int i) {
        for (int k = 0; k < 2; k++) to[2 * i + k] = from[i] * from[i + k]; }
    void overwritten(float x, RWStructuredBuffer<float> to, int i) { to[i] = x * x; to[i] = 3 * x; }
    void squared_in_place(RWStructuredBuffer<float> table, int i) { table[i] = table[i] * table[i]; }
    void added_to(float x, RWStructuredBuffer<float> to, int i) { to[i] += x * x; }";

fn function(name: &str) -> (Device, Function) {
    let device = Device::new(DeviceType::Cpu).expect("a CPU");
    let module = Module::load_from_source(&device, "gathers.slang", SOURCE).unwrap_or_else(|e| panic!("{e}"));
    let function = module.function(name).expect("a function");
    (device, function)
}

fn floats(tensor: &Tensor) -> Vec<f32> {
    tensor.to_vec::<f32>().expect("floats")
}

#[test]
fn lanes_that_read_the_same_element_add_to_its_gradient() -> Result<(), Error> {
    let (device, squared) = function("squared");
    let lanes = 3000;
    let index: Vec<i32> = (0..lanes).map(|lane| lane % 5 - 1).collect();
    let table = Tensor::from_slice(&device, &[1.0f32, 2.0, 3.0, 4.0, 5.0], [5])?;
    let index = Tensor::from_slice(&device, &index, [i64::from(lanes)])?;
    let x = Tensor::from_slice(&device, &vec![0.5f32; lanes as usize], [i64::from(lanes)])?;
    let dy = Tensor::from_slice(&device, &vec![1.0f32; lanes as usize], [i64::from(lanes)])?;
    let gradients = squared.backward(args![table: &table, i: &index, x: &x], &dy)?;
    // 600 lanes read each element but the last, 600 read outside; the gradient of t t / 2 is t.
    assert_eq!(floats(&gradients["table"]), [600.0, 1200.0, 1800.0, 2400.0, 0.0]);
    assert_eq!(floats(&gradients["x"])[..5], [0.0, 1.0, 4.0, 9.0, 16.0]);
    Ok(())
}

#[test]
fn loads_in_a_loop_have_gradients_by_component() -> Result<(), Error> {
    let (device, summed) = function("summed");
    let table = Tensor::from_slice(&device, &[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3])?;
    let n = Tensor::from_slice(&device, &[2i32, 1, 7], [3])?;
    let dy = Tensor::from_slice(&device, &[1.0f32, 10.0, 100.0], [3])?;
    let gradients = summed.backward(args![table: &table, n: &n], &dy)?;
    let (first, second) = (111.0, 101.0);
    let expected = [6.0 * first, 3.0 * first, 2.0 * first, 30.0 * second, 24.0 * second, 20.0 * second];
    assert_eq!(floats(&gradients["table"]), expected);
    Ok(())
}

#[test]
fn what_a_write_has_overwritten_has_no_gradient() -> Result<(), Error> {
    let (device, written) = function("written");
    let table = Tensor::from_slice(&device, &[1.0f32; 2], [2])?;
    let dy = Tensor::from_slice(&device, &[1.0f32], [1])?;
    let i = Tensor::from_slice(&device, &[1i32], [1])?;
    let gradients = written.backward(args![table: &table, i: &i], &dy)?;
    assert_eq!(floats(&gradients["table"]), [0.0, 0.0]);
    Ok(())
}

#[test]
fn what_is_written_brings_its_cotangent_to_what_it_is_made_of() -> Result<(), Error> {
    let (device, scattered) = function("scattered");
    let from = Tensor::from_slice(&device, &[2.0f32, 3.0, 5.0], [3])?;
    let to = Tensor::from_slice(&device, &[0.0f32; 6], [6])?;
    let i = Tensor::from_slice(&device, &[0i32, 1], [2])?;
    scattered.call_all(args![from: &from, to: &to, i: &i])?;
    assert_eq!(floats(&to), [4.0, 6.0, 9.0, 15.0, 0.0, 0.0]);
    let d_to = Tensor::from_slice(&device, &[1.0f32, 10.0, 100.0, 1000.0, 7.0, 8.0], [6])?;
    let gradients = scattered.backward_all(args![from: &from, to: &to, i: &i], args![to: &d_to])?;
    // d from[0]: 2 f0 + 10 f1; d from[1]: 10 f0 + 100 2 f1 + 1000 f2; d from[2]: 1000 f1
    assert_eq!(floats(&gradients["from"]), [34.0, 5620.0, 3000.0]);
    // What was there before is gone where it is overwritten.
    assert_eq!(floats(&gradients["to"]), [0.0, 0.0, 0.0, 0.0, 7.0, 8.0]);
    assert_eq!(floats(&d_to), [1.0, 10.0, 100.0, 1000.0, 7.0, 8.0], "the cotangents are the caller's");
    Ok(())
}

#[test]
fn the_last_write_counts_and_sums_in_place_pass_their_cotangent_on() -> Result<(), Error> {
    for (name, wanted, kept) in [("overwritten", 3.0 * 10.0, 0.0), ("added_to", 2.0 * 4.0 * 10.0, 10.0)] {
        let (device, f) = function(name);
        let x = Tensor::from_slice(&device, &[4.0f32], [1])?;
        let to = Tensor::from_slice(&device, &[0.5f32, 0.25], [2])?;
        let d_to = Tensor::from_slice(&device, &[10.0f32, 20.0], [2])?;
        let gradients = f.backward_all(args![x: &x, to: &to, i: 0], args![to: &d_to])?;
        assert_eq!(floats(&gradients["x"]), [wanted], "{name}");
        assert_eq!(floats(&gradients["to"]), [kept, 20.0], "{name}");
    }
    Ok(())
}

#[test]
fn values_that_the_call_itself_has_overwritten_are_not_read_again() -> Result<(), Error> {
    let (device, squared) = function("squared_in_place");
    let table = Tensor::from_slice(&device, &[2.0f32], [1])?;
    let d_table = Tensor::from_slice(&device, &[1.0f32], [1])?;
    let found =
        squared.backward_all(args![table: &table, i: 0], args![table: &d_table]).expect_err("refused");
    let text = found.to_string();
    assert!(text.contains("no-derivative") && text.contains("loads again from memory"), "{text}");
    Ok(())
}

#[test]
fn a_cotangent_is_like_the_array_it_is_of() -> Result<(), Error> {
    let (device, scattered) = function("scattered");
    let from = Tensor::from_slice(&device, &[2.0f32, 3.0, 5.0], [3])?;
    let to = Tensor::from_slice(&device, &[0.0f32; 6], [6])?;
    let short = Tensor::from_slice(&device, &[0.0f32; 5], [5])?;
    let found = scattered.backward_all(args![from: &from, to: &to, i: 0], args![to: &short]);
    assert!(found.expect_err("refused").to_string().contains("the cotangent of `to` is float32 (5,)"));
    let found = scattered.backward_all(args![from: &from, to: &to, i: 0], args![nothing: &short]);
    assert!(found.expect_err("refused").to_string().contains("the cotangents are: to"));
    Ok(())
}
