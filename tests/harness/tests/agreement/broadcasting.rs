//! Broadcasting of the call layer against a plain reference: values, gradients as sums, the same bits each time.

use pullback_base::{DType, Shape};
use pullback_device::DeviceType;
use pullback_dispatch::{
    Arg, ArgValue, ArrayView, Context, Error, Function, LoadOptions, Location, Mode, Module,
};
use pullback_tests::failures::Failures;
use pullback_tests::random::Random;
use smallvec::SmallVec;

/// result = a * b + s * c, its gradients b, a, c and the dot product of s's.
const KERNEL: &str = "float3 blend(float3 a, float3 b, float3 c, float s) { return a * b + s * c; }";
const NAMES: [&str; 4] = ["a", "b", "c", "s"];

/// An array in memory of its own: a shape, strides of either sign, and gaps.
struct Strided {
    shape: Vec<i64>,
    strides: Vec<i64>,
    origin: i64,
    memory: Vec<f32>,
}

impl Strided {
    /// Small integers, so that sums are exact in any order.
    fn random(shape: &[i64], random: &mut Random) -> Self {
        let mut order: Vec<usize> = (0..shape.len()).collect();
        for place in (1..order.len()).rev() {
            order.swap(place, random.below(place + 1));
        }
        let mut strides = vec![0; shape.len()];
        let (mut step, mut origin) = (1 + random.below(2) as i64, 0);
        for dim in order {
            strides[dim] = step;
            step *= shape[dim].max(1) + random.below(2) as i64;
            if random.once_in(3) {
                origin += (shape[dim] - 1).max(0) * strides[dim];
                strides[dim] = -strides[dim];
            }
        }
        let memory = (0..step + 8).map(|_| random.integer(-4, 4) as f32).collect();
        Self { shape: shape.to_vec(), strides, origin, memory }
    }

    fn zeros(shape: &[i64]) -> Self {
        let count: i64 = shape.iter().product();
        let strides = Shape::from(shape).contiguous_strides().to_vec();
        Self { shape: shape.to_vec(), strides, origin: 0, memory: vec![0.0; count.max(1) as usize] }
    }

    fn view(&self) -> ArrayView {
        let address = self.memory.as_ptr() as u64 + 4 * self.origin as u64;
        let mut view = ArrayView::contiguous(address, DType::F32, Shape::from(&self.shape), Location::Host);
        view.strides = SmallVec::from_slice(&self.strides);
        view
    }

    /// The place in memory of an index of the call, broadcast.
    fn place(&self, index: &[i64]) -> usize {
        let lead = index.len() - self.shape.len();
        let own = index[lead..].iter().zip(&self.shape).zip(&self.strides);
        (self.origin + own.map(|((&i, &size), &stride)| if size == 1 { 0 } else { i * stride }).sum::<i64>())
            as usize
    }
}

/// Every index of a shape, in C order.
fn indices(shape: &[i64]) -> Vec<Vec<i64>> {
    let mut out = vec![Vec::new()];
    for &size in shape {
        out = out.into_iter().flat_map(|at| (0..size).map(move |i| [&at[..], &[i]].concat())).collect();
    }
    out
}

/// The call's lane shape, and each argument's own: dims left out in front, or of size 1.
fn shapes(random: &mut Random) -> (Vec<i64>, Vec<Vec<i64>>) {
    let full: Vec<i64> = (0..random.below(4)).map(|_| random.integer(1, 6)).collect();
    let mut own: Vec<Vec<i64>> = (0..4)
        .map(|_| {
            let skipped = if random.once_in(2) { random.below(full.len() + 1) } else { 0 };
            full[skipped..].iter().map(|&size| if random.once_in(3) { 1 } else { size }).collect()
        })
        .collect();
    own[random.below(4)] = full.clone();
    (full, own)
}

/// With the element's dim, where the parameter is a float3.
fn with_element(lanes: &[i64], name: &str) -> Vec<i64> {
    if name == "s" { lanes.to_vec() } else { [lanes, &[3]].concat() }
}

/// Runs a call with the gradients of all arguments; gives the result and the gradients.
fn run(function: &Function, args: &[Strided]) -> Result<Vec<Strided>, Error> {
    let arg = |(name, array): (&'static str, &Strided)| Arg { name, value: ArgValue::Array(array.view()) };
    let args: Vec<Arg<'_>> = NAMES.into_iter().zip(args).map(arg).collect();
    let prepared = function.prepare(&args, Mode::ValueAndGrad { wrt: &[true; 4] })?;
    let outputs: Vec<Strided> =
        prepared.outputs().iter().map(|spec| Strided::zeros(spec.shape.dims())).collect();
    let views: Vec<ArrayView> = outputs.iter().map(Strided::view).collect();
    // SAFETY: arguments and outputs are alive, of the shapes and strides their views state, and nobody else's.
    unsafe { prepared.launch(&views, None) }?;
    Ok(outputs)
}

/// The same by loops over every index.
fn reference(full: &[i64], args: &[Strided]) -> Vec<Strided> {
    let mut out = vec![Strided::zeros(&with_element(full, "a"))];
    out.extend(args.iter().map(|arg| Strided::zeros(&arg.shape)));
    for lane in indices(full) {
        for component in 0..3 {
            let at = [&lane[..], &[component]].concat();
            let value =
                |which: usize| args[which].memory[args[which].place(if which == 3 { &lane } else { &at })];
            let (a, b, c, s) = (value(0), value(1), value(2), value(3));
            let place = out[0].place(&at);
            out[0].memory[place] = a * b + s * c;
            for (which, slope) in [b, a, s, c].into_iter().enumerate() {
                let place = out[1 + which].place(if which == 3 { &lane } else { &at });
                out[1 + which].memory[place] += slope;
            }
        }
    }
    out
}

fn check(device: DeviceType, rounds: usize) {
    let context = match Context::open(device) {
        Ok(context) => context,
        Err(error) => {
            return println!("SKIPPED-DEVICE: {}: {}", device.name(), error.to_string().replace('\n', " "));
        }
    };
    let module = Module::load_from_source(&context, "blend.slang", KERNEL, &LoadOptions::default());
    let function =
        module.and_then(|module| module.function("blend")).unwrap_or_else(|error| panic!("{error}"));
    let mut failures = Failures::default();
    let mut random = Random::new(7);
    for round in 0..rounds {
        let (full, own) = shapes(&mut random);
        let args: Vec<Strided> = NAMES
            .iter()
            .zip(&own)
            .map(|(name, lanes)| Strided::random(&with_element(lanes, name), &mut random))
            .collect();
        let strides: Vec<&Vec<i64>> = args.iter().map(|arg| &arg.strides).collect();
        failures.check(
            &format!("round {round}: lanes {full:?}, arguments {own:?}, strides {strides:?}"),
            || {
                let found = run(&function, &args).map_err(|error| error.to_string())?;
                let again = run(&function, &args).map_err(|error| error.to_string())?;
                for (place, wanted) in reference(&full, &args).iter().enumerate() {
                    let what = if place == 0 { "the result" } else { NAMES[place - 1] };
                    if found[place].shape != wanted.shape {
                        return Err(format!(
                            "{what} has shape {:?}, not {:?}",
                            found[place].shape, wanted.shape
                        ));
                    }
                    if found[place].memory != wanted.memory {
                        return Err(format!("{what} is {:?}, not {:?}", found[place].memory, wanted.memory));
                    }
                    let bits = |array: &Strided| array.memory.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                    if bits(&found[place]) != bits(&again[place]) {
                        return Err(format!("{what} has other bits the second time"));
                    }
                }
                Ok(())
            },
        );
    }
    failures.finish();
}

#[test]
fn broadcasting_is_numpys_on_the_cpu_device() {
    check(DeviceType::Cpu, 200);
}

#[test]
fn broadcasting_is_numpys_on_vulkan() {
    check(DeviceType::Vulkan, 50);
}
