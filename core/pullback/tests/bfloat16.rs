//! Functions of `bfloat16_t`: arrays of that dtype come and go and have gradients of it, and floats do not become such unasked.

use half::bf16;
use pullback::{Code, Device, DeviceType, Error, Module, Tensor, args};

const SOURCE: &str = "
    bfloat16_t scaled(bfloat16_t x, float y) { return x * bfloat16_t(y); }
    bfloat16_t at(StructuredBuffer<bfloat16_t> values, int i) { return values[i] + values[0]; }
    void halve(RWStructuredBuffer<bfloat16_t> values, int i) { values[i] /= 2.0; }
";

fn numbers(device: &Device, values: &[f32]) -> Result<Tensor, Error> {
    let values: Vec<bf16> = values.iter().map(|&value| bf16::from_f32(value)).collect();
    Tensor::from_slice(device, &values, [values.len() as i64])
}

fn read(tensor: &Tensor) -> Vec<f32> {
    tensor.to_vec::<bf16>().expect("bfloat16").into_iter().map(bf16::to_f32).collect()
}

#[test]
fn arrays_of_bfloat16_come_and_go() -> Result<(), Error> {
    let device = Device::new(DeviceType::Cpu)?;
    let module = Module::load_from_source(&device, "bfloat16.slang", SOURCE)?;
    let x = numbers(&device, &[1.0, 3.0, 257.0])?;
    let scaled = module.function("scaled")?;
    // 1.1 is 1.1015625 in eight digits, 257 is 256.
    assert_eq!(read(&scaled.call(args![x: &x, y: 1.1])?), [1.1015625, 3.3125, 282.0]);
    let gradients = scaled.backward(args![x: &x, y: 1.1], &numbers(&device, &[1.0, 2.0, 0.0])?)?;
    assert_eq!(read(&gradients["x"]), [1.1015625, 2.203125, 0.0]);

    let indices = Tensor::from_slice(&device, &[0i32, 2], [2])?;
    assert_eq!(read(&module.function("at")?.call(args![values: &x, i: &indices])?), [2.0, 256.0]);
    module.function("halve")?.call_all(args![values: &x, i: &indices])?;
    assert_eq!(read(&x), [0.5, 3.0, 128.0]);

    let floats = Tensor::from_slice(&device, &[1.0f32, 2.0], [2])?;
    let Err(error) = scaled.call(args![x: &floats, y: 1.1]) else { panic!("a float is no bfloat16") };
    assert_eq!(error.code(), Code::DtypeMismatch);
    assert!(error.help().is_some_and(|help| help.contains("NumPy has no such numbers")), "{error}");
    Ok(())
}
