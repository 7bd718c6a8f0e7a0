//! One shader function called on tensors from Rust, with its gradient, on each device that is there.

use pullback::{Device, DeviceType, Error, Module, Tensor, args};

fn main() -> Result<(), Error> {
    for device_type in [DeviceType::Cpu, DeviceType::Vulkan] {
        match Device::new(device_type) {
            Ok(device) => on(&device)?,
            Err(error) => {
                let message = error.to_string();
                println!("SKIPPED-DEVICE: {}: {}", device_type.name(), message.lines().next().unwrap_or(""));
            }
        }
    }
    Ok(())
}

fn on(device: &Device) -> Result<(), Error> {
    for file in ["example.slang", "example.wgsl"] {
        println!("{file} on {}:", device.device_type().name());
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/01_polynomial");
        let module = Module::load_from_file(device, format!("{folder}/{file}"))?;
        let polynomial = module.function("polynomial")?;

        let x = Tensor::from_slice(device, &[1.0f32, 2.0, 3.0, 4.0], [4])?;
        let y = polynomial.call(args![a: 2.0, b: 8.0, c: -1.0, x: &x])?;
        println!("  values {:?}", y.to_vec::<f32>()?);

        let dy = Tensor::from_slice(device, &[1.0f32; 4], [4])?;
        let gradients = polynomial.backward(args![a: 2.0, b: 8.0, c: -1.0, x: &x], &dy)?;
        println!("  dx {:?} = 4x + 8", gradients["x"].to_vec::<f32>()?);
    }
    Ok(())
}
