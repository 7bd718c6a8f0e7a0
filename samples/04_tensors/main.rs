//! An array passed whole to every lane: a filter over an image, its gradient, and a histogram.

use pullback::{Device, DeviceType, Error, Module, Tensor, args};

const WIDTH: i64 = 8;
const HEIGHT: i64 = 6;

fn main() -> Result<(), Error> {
    let device = Device::new(DeviceType::Cpu)?;
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/04_tensors/kernel.slang");
    let module = Module::load_from_file(&device, file)?;

    // An image with a bright row, and a lane per pixel.
    let brightness: Vec<f32> =
        (0..WIDTH * HEIGHT).map(|at| if at / WIDTH == 2 { 0.9 } else { 0.1 }).collect();
    let image = Tensor::from_slice(&device, &brightness, [HEIGHT, WIDTH])?;
    let pixels: Vec<i32> =
        (0..WIDTH * HEIGHT).flat_map(|at| [(at % WIDTH) as i32, (at / WIDTH) as i32]).collect();
    let pixels = Tensor::from_slice(&device, &pixels, [HEIGHT, WIDTH, 2])?;

    let taps = Tensor::from_slice(&device, &[0.0f32, -1.0, 0.0, -1.0, 5.0, -1.0, 0.0, -1.0, 0.0], [3, 3])?;
    let filtered = module.function("filtered")?;
    let sharp = filtered.call(args![image: &image, taps: &taps, pixel: &pixels])?.to_vec::<f32>()?;
    let column: Vec<String> =
        sharp.iter().skip(4).step_by(WIDTH as usize).map(|x| format!("{x:.1}")).collect();
    println!("filtered, down a column: {}", column.join(" "));

    let ones = Tensor::from_slice(&device, &[1.0f32; (WIDTH * HEIGHT) as usize], [HEIGHT, WIDTH])?;
    let gradients = filtered.backward(args![image: &image, taps: &taps, pixel: &pixels], &ones)?;
    println!("gradient of the middle tap: {:.1}", gradients["taps"].to_vec::<f32>()?[4]);

    let wide = filtered.constants(args![RADIUS: 2])?;
    let mean = Tensor::from_slice(&device, &[0.04f32; 25], [5, 5])?;
    let mean = wide.call(args![image: &image, taps: &mean, pixel: [4, 2]])?.to_vec::<f32>()?;
    println!("mean of 25 pixels: {:.2}", mean[0]);

    let counts = Tensor::from_slice(&device, &[0i32; 2], [2])?;
    module.function("histogram")?.call_all(args![image: &image, counts: &counts, pixel: &pixels])?;
    println!("dark and bright: {:?}", counts.to_vec::<i32>()?);
    Ok(())
}
