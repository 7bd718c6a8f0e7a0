//! Gradients of what functions look up in whole arrays.

use pullback::{Device, DeviceType, Error, Function, Module, Tensor, args};

const SOURCE: &str = "
    float squared(StructuredBuffer<float> table, int i, float x) { float t = table[i]; return t * t * x; }
    float summed(StructuredBuffer<float3> table, int n) {
        float sum = 0;
        for (int i = 0; i < n; i++) { float3 t = table[i]; sum += t.x * t.y * t.z; }
        return sum; }
    float written(RWStructuredBuffer<float> table, int i) { table[i] = 2; return table[i]; }";

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
fn a_gradient_past_a_write_is_refused_at_the_write() -> Result<(), Error> {
    let (device, written) = function("written");
    let table = Tensor::from_slice(&device, &[1.0f32; 2], [2])?;
    let dy = Tensor::from_slice(&device, &[1.0f32], [1])?;
    let i = Tensor::from_slice(&device, &[1i32], [1])?;
    let message = match written.backward(args![table: &table, i: &i], &dy) {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error.to_string(),
    };
    assert!(
        message.contains("a derivative by a whole array does not flow past a write to memory"),
        "{message}"
    );
    Ok(())
}
