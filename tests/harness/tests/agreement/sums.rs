//! Gradients of a shared argument are sums over lanes: of any number, in a fixed order.

use pullback_device::DeviceType;
use pullback_dispatch::{Context, LoadOptions, Module, Tensor, Value};
use pullback_tests::failures::Failures;
use pullback_tests::random::Random;

const KERNEL: &str = "float scale(float a, float x) { return a * x; }";
const LANES: [usize; 12] = [1, 2, 127, 128, 255, 256, 257, 300, 4095, 65_536, 65_537, 100_000];

/// d/da of the sum of a x over lanes: the sum of x, in double precision.
fn check(device: DeviceType) {
    let context = match Context::open(device) {
        Ok(context) => context,
        Err(error) => {
            return println!("SKIPPED-DEVICE: {}: {}", device.name(), error.to_string().replace('\n', " "));
        }
    };
    let module = Module::load_from_source(&context, "scale.slang", KERNEL, &LoadOptions::default());
    let function =
        module.and_then(|module| module.function("scale")).unwrap_or_else(|error| panic!("{error}"));
    let mut failures = Failures::default();
    let mut random = Random::new(11);
    for lanes in LANES {
        let numbers: Vec<f32> = (0..lanes).map(|_| random.float(-1.0, 1.0) as f32).collect();
        failures.check(&format!("{lanes} lanes"), || {
            let gradient = || -> Result<f32, pullback_dispatch::Error> {
                let a = Tensor::from_slice(&context, &[2.0f32], [0i64; 0])?;
                let x = Tensor::from_slice(&context, &numbers, [lanes as i64])?;
                let args = vec![("a", Value::from(&a)), ("x", Value::from(&x))];
                let (_, gradients) = function.value_and_grad(args)?;
                Ok(gradients["a"].to_vec::<f32>()?[0])
            };
            let found = gradient().map_err(|error| error.to_string())?;
            let again = gradient().map_err(|error| error.to_string())?;
            let wanted: f64 = numbers.iter().map(|&x| f64::from(x)).sum();
            let size: f64 = numbers.iter().map(|&x| f64::from(x.abs())).sum();
            // One rounding to f32 per level of the tree where sums are taken in f32, one in all where in f64.
            if (f64::from(found) - wanted).abs() > 1e-6 * size.max(1e-6) {
                return Err(format!("the gradient is {found}, not {wanted}"));
            }
            if found.to_bits() == again.to_bits() { Ok(()) } else { Err("other bits the second time".into()) }
        });
    }
    failures.finish();
}

#[test]
fn sums_over_lanes_are_right_on_the_cpu_device() {
    check(DeviceType::Cpu);
}

#[test]
fn sums_over_lanes_are_right_on_vulkan() {
    check(DeviceType::Vulkan);
}
