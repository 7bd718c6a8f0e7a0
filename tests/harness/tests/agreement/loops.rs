//! Long loops: gradients exact in bounded memory on each device, with lanes that make different numbers of trips.

use pullback_device::DeviceType;
use pullback_dispatch::{Context, Error, LoadOptions, Module, Tensor, Value};
use pullback_interp::Complex64;
use pullback_tests::failures::Failures;

/// `real` is the device's widest float with all functions.
const KERNELS: &str = "
    real newton(real a, real tolerance)
    {
        real y = 1;
        while (abs(y * y - a) > tolerance * a) y = (y + a / y) / 2;
        return y;
    }
    real slow_root(real a, int n)
    {
        real y = 1;
        for (int i = 0; i < n; i++) y += (a - y * y) / 128;
        return y;
    }
    // Four words of state, turned about and drawn in.
    real spiral(real a, int n)
    {
        real x = 1;
        real y = 0;
        real u = 1;
        real v = 1;
        for (int i = 0; i < n; i++)
        {
            real t = x;
            x = sin(x * a - y * u) / 2;
            y = cos(t * v + y) / 2;
            u = sin(u * a + v) / 2;
            v = (v + y * y) / 2;
        }
        return x + y * 2 + u * 3 + v * 4;
    }
    real nested(real a, int n)
    {
        real y = 1;
        for (int i = 0; i < n; i++)
        {
            real z = y;
            for (int j = 0; j < n; j++) z = sin(z * a + real((i + j) % 7));
            y = (y + z * z) / 2;
        }
        return y;
    }
";

/// The loops again, for the derivative by a complex step: it has no cancellation and none of our rules.
mod reference {
    use super::Complex64;

    pub fn slow_root(a: Complex64, n: i32) -> Complex64 {
        (0..n).fold(Complex64::from(1.0), |y, _| y + (a - y * y) / 128.0)
    }

    pub fn spiral(a: Complex64, n: i32) -> Complex64 {
        let one = Complex64::from(1.0);
        let (mut x, mut y, mut u, mut v) = (one, Complex64::from(0.0), one, one);
        for _ in 0..n {
            let t = x;
            x = (x * a - y * u).sin() / 2.0;
            y = (t * v + y).cos() / 2.0;
            u = (u * a + v).sin() / 2.0;
            v = (v + y * y) / 2.0;
        }
        x + y * 2.0 + u * 3.0 + v * 4.0
    }

    pub fn nested(a: Complex64, n: i32) -> Complex64 {
        let mut y = Complex64::from(1.0);
        for i in 0..n {
            let z = (0..n).fold(y, |z, j| (z * a + f64::from((i + j) % 7)).sin());
            y = (y + z * z) / 2.0;
        }
        y
    }
}

/// A device, and what its numbers are.
struct Setting {
    context: Context,
    real: &'static str,
    tolerance: f64,
}

impl Setting {
    fn open(device: DeviceType) -> Option<Self> {
        let context = match Context::open(device) {
            Ok(context) => context,
            Err(error) => {
                println!("SKIPPED-DEVICE: {}: {}", device.name(), error.to_string().replace('\n', " "));
                return None;
            }
        };
        Some(match device {
            DeviceType::Cpu => Self { context, real: "double", tolerance: 1e-11 },
            _ => Self { context, real: "float", tolerance: 1e-3 },
        })
    }

    /// The derivatives by `a`, lane by lane.
    fn slopes(&self, name: &str, a: &[f64], others: Vec<(&str, Value)>) -> Result<Vec<f64>, Error> {
        let text = KERNELS.replace("real", self.real);
        let module = Module::load_from_source(&self.context, "loops.slang", &text, &LoadOptions::default())?;
        let function = module.function(name)?;
        let shape = [a.len() as i64];
        let singles: Vec<f32> = a.iter().map(|&a| a as f32).collect();
        let a = match self.real {
            "double" => Tensor::from_slice(&self.context, a, shape)?,
            _ => Tensor::from_slice(&self.context, &singles, shape)?,
        };
        let mut args = vec![("a", Value::from(&a))];
        args.extend(others);
        let (_, gradients) = function.value_and_grad(args)?;
        match self.real {
            "double" => gradients["a"].to_vec::<f64>(),
            _ => Ok(gradients["a"].to_vec::<f32>()?.into_iter().map(f64::from).collect()),
        }
    }

    /// Lanes of `n` trips each, against the reference.
    fn check(
        &self,
        name: &str,
        a: &[f64],
        trips: &[i32],
        reference: fn(Complex64, i32) -> Complex64,
    ) -> Result<(), String> {
        let n = Tensor::from_slice(&self.context, trips, [trips.len() as i64]).map_err(|e| e.to_string())?;
        let found = self.slopes(name, a, vec![("n", Value::from(&n))]).map_err(|error| error.to_string())?;
        for ((&a, &n), found) in a.iter().zip(trips).zip(found) {
            // A lane's argument is a number of the device's.
            let a = if self.real == "double" { a } else { f64::from(a as f32) };
            let wanted = reference(Complex64::new(a, 1e-30), n).im / 1e-30;
            if (found - wanted).abs() > self.tolerance * wanted.abs().max(1.0) {
                return Err(format!("{n} trips at {a}: {found}, not {wanted}"));
            }
        }
        Ok(())
    }

    fn check_newton(&self) -> Result<(), String> {
        let a: Vec<f64> = (0..40).map(|i| 10f64.powf(f64::from(i) / 4.0 - 5.1)).collect();
        let (stop, allowed) = if self.real == "double" { (1e-14, 1e-7) } else { (1e-5, 1e-2) };
        let given = vec![("tolerance", Value::from(stop))];
        for (a, found) in a.iter().zip(self.slopes("newton", &a, given).map_err(|error| error.to_string())?) {
            let wanted = 0.5 / a.sqrt();
            if (found / wanted - 1.0).abs() > allowed {
                return Err(format!("the root of {a} has the slope {found}, not {wanted}"));
            }
        }
        Ok(())
    }
}

fn points(count: usize) -> Vec<f64> {
    (0..count).map(|i| 0.5 + i as f64 / count as f64).collect()
}

fn check(device: DeviceType, spiral: i32, nested: i32) {
    let Some(setting) = Setting::open(device) else { return };
    let mut failures = Failures::default();
    failures.check("newton", || setting.check_newton());
    let trips: Vec<i32> = (0..30).map(|i| 10_000 * i * i / 841).collect();
    failures.check("slow_root", || setting.check("slow_root", &points(30), &trips, reference::slow_root));
    failures.check("spiral", || setting.check("spiral", &[0.75], &[spiral], reference::spiral));
    let trips = [nested, 0, 1, nested];
    failures.check("nested", || setting.check("nested", &points(4), &trips, reference::nested));
    failures.finish();
}

#[test]
fn long_loops_have_exact_gradients_on_the_cpu_device() {
    check(DeviceType::Cpu, 1_000_000, 300);
}

/// Mesa's software device leaves every loop of an invocation after 65,535 trips in all.
#[test]
fn long_loops_have_exact_gradients_on_vulkan() {
    check(DeviceType::Vulkan, 4_000, 80);
}
