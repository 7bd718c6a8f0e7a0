//! Gradients of gathers: what many lanes add to few elements, and that `deterministic` sums hang on no order.

use pullback_base::DType;
use pullback_device::DeviceType;
use pullback_dispatch::tensor::Element;
use pullback_dispatch::{
    Accumulation, Arg, ArgValue, Context, Error, Function, LoadOptions, Module, Tensor, Value,
};
use pullback_tests::random::Random;

const KERNEL: &str = "
    float gather(StructuredBuffer<float> values, int i, float x) { return values[i] * x; }
    double gather_double(StructuredBuffer<double> values, int i, double x) { return values[i] * x; }
    float gather_often(StructuredBuffer<float> values, int i, float x)
    {
        float sum = 0;
        for (int k = 0; k <= i; k++) sum += values[k] * values[k] * x;
        return sum;
    }
    float gather_vector(StructuredBuffer<float3> values, int i, float x)
    {
        float3 value = values[i];
        return value.x * x + value.z * 10 * x;
    }";

fn on_each_device(check: impl Fn(&Context, &Module)) {
    for device in [DeviceType::Cpu, DeviceType::Vulkan] {
        match Context::open(device) {
            Ok(context) => {
                let module =
                    Module::load_from_source(&context, "gather.slang", KERNEL, &LoadOptions::default());
                check(&context, &module.unwrap_or_else(|error| panic!("{error}")));
            }
            Err(error) => {
                println!("SKIPPED-DEVICE: {}: {}", device.name(), error.to_string().replace('\n', " "));
            }
        }
    }
}

fn function(module: &Module, name: &str) -> Function {
    module.function(name).unwrap_or_else(|error| panic!("{error}"))
}

/// The gradient by `values` of the sum over lanes that read the elements `at` and multiply by `x`.
fn gradient<T: Element>(
    context: &Context,
    function: &Function,
    values: &[T],
    at: &[i32],
    x: &[T],
) -> Result<Vec<T>, Error> {
    let values = Tensor::from_slice(context, values, [values.len() as i64])?;
    let at = Tensor::from_slice(context, at, [at.len() as i64])?;
    let x = Tensor::from_slice(context, x, [x.len() as i64])?;
    let args = vec![("values", Value::from(&values)), ("i", Value::from(&at)), ("x", Value::from(&x))];
    let (_, gradients) = function.value_and_grad(args)?;
    gradients["values"].to_vec::<T>()
}

/// Numbers of many sizes, which cancel, and which of `elements` each goes to.
fn contributions(random: &mut Random, lanes: usize, elements: usize) -> (Vec<i32>, Vec<f32>) {
    let number = |random: &mut Random| {
        let size = random.float(-20.0, 20.0).exp2();
        (random.float(-1.0, 1.0) * size) as f32
    };
    let x = (0..lanes).map(|_| number(random)).collect();
    ((0..lanes).map(|_| random.below(elements) as i32).collect(), x)
}

fn sums(elements: usize, at: &[i32], x: &[f32]) -> Vec<f64> {
    let mut sums = vec![0.0; elements];
    at.iter().zip(x).for_each(|(&at, &x)| sums[at as usize] += f64::from(x));
    sums
}

#[test]
fn gathers_with_heavy_collisions_agree_with_double_precision() {
    on_each_device(|context, module| {
        let gather = function(module, "gather");
        let mut random = Random::new(5);
        let (at, x) = contributions(&mut random, 20_000, 7);
        let mut sizes = vec![0.0; 7];
        at.iter().zip(&x).for_each(|(&at, x)| sizes[at as usize] += f64::from(x.abs()));
        let found = gradient(context, &gather, &[1.0; 7], &at, &x).expect("a gradient");
        for ((found, wanted), size) in found.iter().zip(sums(7, &at, &x)).zip(sizes) {
            assert!((f64::from(*found) - wanted).abs() <= 1e-4 * size, "{found} is not {wanted}");
        }
    });
}

#[test]
fn deterministic_gathers_are_the_exact_sum_rounded() {
    on_each_device(|context, module| {
        let gather = function(module, "gather").deterministic();
        let mut random = Random::new(7);
        for (lanes, elements) in [(1, 1), (1000, 1), (20_000, 7), (5000, 3000)] {
            let (at, x) = contributions(&mut random, lanes, elements);
            let found = gradient(context, &gather, &vec![1.0; elements], &at, &x).expect("a gradient");
            // Sums of so few f32 numbers between 2^-60 and 2^20 lose nothing that matters here in f64.
            for (found, wanted) in found.iter().zip(sums(elements, &at, &x)) {
                let unit = f64::from(wanted.abs() as f32) * f64::from(f32::EPSILON);
                let error = (f64::from(*found) - wanted).abs();
                assert!(
                    error <= unit,
                    "{found} is not {wanted}, on {}",
                    context.device().device_type().name()
                );
            }
        }
    });
}

#[test]
fn deterministic_gathers_have_the_same_bits_every_time_in_any_order_and_on_any_device() {
    let mut random = Random::new(9);
    let (mut at, mut x) = contributions(&mut random, 30_000, 5);
    let first = std::cell::RefCell::new(None);
    let mut orders = Vec::new();
    for _ in 0..3 {
        orders.push((at.clone(), x.clone()));
        for place in (1..at.len()).rev() {
            let other = random.below(place + 1);
            at.swap(place, other);
            x.swap(place, other);
        }
    }
    on_each_device(|context, module| {
        let gather = function(module, "gather").deterministic();
        for (at, x) in orders.iter().chain(&orders) {
            let found = gradient(context, &gather, &[1.0; 5], at, x).expect("a gradient");
            let bits: Vec<u32> = found.iter().map(|number| number.to_bits()).collect();
            assert_eq!(first.borrow_mut().get_or_insert_with(|| bits.clone()), &bits);
        }
    });
}

#[test]
fn deterministic_gathers_hold_every_float() {
    let tiny = f32::from_bits(1);
    let huge = f32::MAX;
    let sum = |of: &[f32]| -> f32 {
        match of {
            [a, b, c] if *a == -*b => *c,
            _ => of.iter().map(|&x| f64::from(x)).sum::<f64>() as f32,
        }
    };
    let cases: [&[f32]; 10] = [
        &[huge, -huge, 1.5],
        &[-huge, huge, -f32::MIN_POSITIVE],
        &[1e30, -1e30, 1e-30],
        &[huge, huge],
        &[-huge, -huge, -huge],
        &[f32::INFINITY, 1.0],
        &[-f32::INFINITY, 1.0, huge],
        &[1.0, 2f32.powi(-24), 2f32.powi(-60)],
        &[-1.0, -2f32.powi(-24), -2f32.powi(-60)],
        &[2f32.powi(-100), -2f32.powi(-100)],
    ];
    on_each_device(|context, module| {
        let gather = function(module, "gather").deterministic();
        let run =
            |x: &[f32]| gradient(context, &gather, &[1.0], &vec![0; x.len()], x).expect("a gradient")[0];
        for x in cases {
            let (found, wanted) = (run(x), sum(x));
            let error = (f64::from(found) - f64::from(wanted)).abs();
            let close = error <= f64::from(wanted.abs()) * f64::from(f32::EPSILON);
            assert!(found == wanted || close, "{x:?} gives {found}, not {wanted}");
        }
        assert!(run(&[f32::INFINITY, -f32::INFINITY]).is_nan());
        assert!(run(&[f32::NAN, 1.0]).is_nan());
        if context.device().device_type() == DeviceType::Cpu {
            // Other devices may take subnormal numbers for zero.
            assert_eq!(run(&[tiny, tiny, tiny]), 3.0 * tiny);
            assert_eq!(run(&[-tiny, f32::MIN_POSITIVE]), f32::MIN_POSITIVE - tiny);
        }
    });
}

#[test]
fn deterministic_gathers_of_doubles_are_exact_too() {
    on_each_device(|context, module| {
        if !context.device().supports(DType::F64) {
            return println!("SKIPPED-DEVICE: no doubles");
        }
        let gather = function(module, "gather_double").deterministic();
        let run =
            |x: &[f64]| gradient(context, &gather, &[1.0], &vec![0; x.len()], x).expect("a gradient")[0];
        assert_eq!(run(&[1e300, 1.0, -1e300, 1e-200, -1.0]), 1e-200);
        assert_eq!(run(&[1.0, f64::EPSILON / 2.0, f64::EPSILON / 4.0]), 1.0 + f64::EPSILON);
        assert_eq!(run(&[-1.0, -f64::EPSILON / 2.0, f64::EPSILON / 4.0]), -1.0);
        assert_eq!(run(&[0.1, 0.2, 0.3, -0.6]), {
            // 0.1 + 0.2 + 0.3 - 0.6 of the numbers as they are, in units of 2^-55.
            let units: i64 = [0.1, 0.2, 0.3, -0.6].map(|x: f64| (x * 2f64.powi(55)) as i64).iter().sum();
            units as f64 * 2f64.powi(-55)
        });
        assert_eq!(run(&[f64::MAX, f64::MAX]), f64::INFINITY);
    });
}

#[test]
fn loops_that_gather_are_deterministic() {
    on_each_device(|context, module| {
        let gather = function(module, "gather_often").deterministic();
        let mut random = Random::new(13);
        let at: Vec<i32> = (0..500).map(|_| random.below(6) as i32).collect();
        let x: Vec<f32> = (0..500).map(|_| random.float(-1.0, 1.0) as f32).collect();
        let values = [0.5f32, 1.25, -2.0, 3.0, 0.75, 8.0];
        let found = gradient(context, &gather, &values, &at, &x).expect("a gradient");
        for (k, (found, value)) in found.iter().zip(values).enumerate() {
            let lanes = at.iter().zip(&x).filter(|(at, _)| **at as usize >= k);
            let wanted: f64 = lanes.map(|(_, &x)| 2.0 * f64::from(value) * f64::from(x)).sum();
            assert!((f64::from(*found) - wanted).abs() <= 1e-5, "{found} is not {wanted}");
        }
        let again = gradient(context, &gather, &values, &at, &x).expect("a gradient");
        assert_eq!(found, again);
    });
}

#[test]
fn components_of_vectors_have_accumulators_of_their_own() {
    on_each_device(|context, module| {
        let gather = function(module, "gather_vector").deterministic();
        let values = Tensor::from_slice(context, &[0.0f32; 6], [2, 3]).expect("a tensor");
        let at = Tensor::from_slice(context, &[0i32, 1, 1, 1], [4]).expect("a tensor");
        let x = Tensor::from_slice(context, &[1.0f32, 2.0, 4.0, 8.0], [4]).expect("a tensor");
        let args = vec![("values", Value::from(&values)), ("i", Value::from(&at)), ("x", Value::from(&x))];
        let (_, gradients) = gather.value_and_grad(args).expect("a gradient");
        let found = gradients["values"].to_vec::<f32>().expect("numbers");
        assert_eq!(found, [1.0, 0.0, 10.0, 14.0, 0.0, 140.0]);
    });
}

#[test]
fn the_explanation_tells_how_gathers_are_added_up() {
    on_each_device(|context, module| {
        let gather = function(module, "gather");
        let values = Tensor::from_slice(context, &[1.0f32; 4], [4]).expect("a tensor");
        let at = Tensor::from_slice(context, &[0i32, 1], [2]).expect("a tensor");
        let x = Tensor::from_slice(context, &[1.0f32, 2.0], [2]).expect("a tensor");
        let of = |function: &Function| {
            let named = [("values", &values), ("i", &at), ("x", &x)];
            let args = named.map(|(name, tensor)| Arg { name, value: ArgValue::Array(tensor.view()) });
            let explanation = function.explain_gradient(&args, &[true, false, false]);
            explanation.expect("an explanation").arguments[0].1
        };
        assert_eq!(of(&gather), Accumulation::Gathered);
        assert_eq!(of(&gather.deterministic()), Accumulation::GatheredExactly);
    });
}
