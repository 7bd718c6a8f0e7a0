//! Link-time constants, linked modules, instances of generic functions asked for by name, and cases for the device.

use pullback::{Device, DeviceType, Error, LoadOptions, Module, Tensor, args};

const SOURCE: &str = "extern static const int N = 2;
export static const float SCALE = 1.5;
extern static const float2 PAIR = { 1, 2 };
extern static const bool NEGATED = false;
static const int FIXED = 3;
float power(float x)
{
    float y = 1;
    for (int i = 0; i < N; i++) y *= x;
    return (NEGATED ? -SCALE : SCALE) * y * PAIR.x;
}
T twice<T : IFloat>(T x) { return x + x; }
float sum<let M : int>(float x[M]) { float s = 0; for (int i = 0; i < M; i++) s += x[i]; return s; }
";

fn device() -> Device {
    Device::new(DeviceType::Cpu).expect("a CPU")
}

fn module(device: &Device) -> Module {
    Module::load_from_source(device, "linking.slang", SOURCE).unwrap_or_else(|e| panic!("{e}"))
}

fn floats(tensor: &Tensor) -> Vec<f32> {
    tensor.to_vec::<f32>().expect("floats")
}

fn refused(result: Result<impl Sized, Error>) -> String {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn constants_have_their_defaults_until_they_are_given() -> Result<(), Error> {
    let device = device();
    let power = module(&device).function("power")?;
    assert_eq!(floats(&power.call(args![x: 3.0])?), [13.5]);
    let cubed = power.constants(args![N: 3, SCALE: 2])?;
    assert_eq!(floats(&cubed.call(args![x: 3.0])?), [54.0]);
    let negated = cubed.constants(args![NEGATED: true, PAIR: [0.5, 0.0]])?;
    assert_eq!(floats(&negated.call(args![x: 3.0])?), [-27.0]);
    assert_eq!(floats(&power.call(args![x: 3.0])?), [13.5]);
    let x = Tensor::from_slice(&device, &[3.0f32], [1])?;
    let gradients = cubed.backward(args![x: &x], &Tensor::from_slice(&device, &[1.0f32], [1])?)?;
    assert_eq!(floats(&gradients["x"]), [54.0]);
    Ok(())
}

#[test]
fn wrong_constants_are_refused_where_they_are_declared() -> Result<(), Error> {
    let device = device();
    let power = module(&device).function("power")?;
    let message = refused(power.constants(args![N: 2.5]));
    assert!(message.contains("`N` is `int`") && message.contains("extern static const int N"), "{message}");
    let message = refused(power.constants(args![N: 5_000_000_000i64]));
    assert!(message.contains("cannot have this value"), "{message}");
    let message = refused(power.constants(args![NEGATED: 1]));
    assert!(message.contains("`NEGATED` is `bool`"), "{message}");
    let message = refused(power.constants(args![SCAL: 1]));
    assert!(message.contains("did you mean `SCALE`?"), "{message}");
    let message = refused(power.constants(args![FIXED: 1]));
    assert!(message.contains("no link-time constant") && message.contains("FIXED = 3"), "{message}");
    let message = refused(power.constants(args![PAIR: [1.0, 2.0, 3.0]]));
    assert!(message.contains("linking.slang:3") || message.contains("float2"), "{message}");
    Ok(())
}

#[test]
fn instances_are_compiled_when_they_are_asked_for() -> Result<(), Error> {
    let device = device();
    let module = module(&device);
    let x = Tensor::from_slice(&device, &[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3])?;
    assert_eq!(
        floats(&module.function("twice<float3>")?.call(args![x: &x])?),
        [2.0, 4.0, 6.0, 8.0, 10.0, 12.0]
    );
    assert_eq!(floats(&module.function("sum< 3 >")?.call(args![x: &x])?), [6.0, 15.0]);
    let halved = module.function("twice<double>")?.call(args![x: 0.25])?;
    assert_eq!(halved.to_vec::<f64>()?, [0.5]);
    let message = refused(module.function("twice<int>"));
    assert!(message.contains("`T` cannot be `int`"), "{message}");
    assert!(refused(module.function("thrice<float>")).contains("no function named `thrice`"));
    assert!(refused(module.function("power<float>")).contains("takes no such generic arguments"));
    Ok(())
}

const MAIN: &str = "extern float weight(float x);
extern static const int N;
float weighted(float x) { return weight(x) * N; }
";

fn linked(sources: &[(&str, &str)]) -> Result<(Device, Module), Error> {
    let device = device();
    let link: Result<Vec<_>, Error> = sources
        .iter()
        .map(|(name, text)| Ok((&Module::load_from_source(&device, name, text)?).into()))
        .collect();
    let options = LoadOptions { link: link?, ..LoadOptions::default() };
    let module = Module::load_source_with(&device, "main.slang", MAIN, &options)?;
    Ok((device, module))
}

const WEIGHTS: &str = "export float weight(float x) { return helper(x) + 1; }
export static const int N = 10;
float helper(float x) { return x * x; }
";

#[test]
fn what_is_extern_is_defined_by_a_linked_module() -> Result<(), Error> {
    let (device, module) = linked(&[("weights.slang", WEIGHTS)])?;
    let weighted = module.function("weighted")?;
    assert_eq!(floats(&weighted.call(args![x: 3.0])?), [100.0]);
    assert_eq!(floats(&weighted.constants(args![N: 2])?.call(args![x: 3.0])?), [20.0]);
    let x = Tensor::from_slice(&device, &[3.0f32], [1])?;
    let gradients = weighted.backward(args![x: &x], &Tensor::from_slice(&device, &[1.0f32], [1])?)?;
    assert_eq!(floats(&gradients["x"]), [60.0]);
    Ok(())
}

#[test]
fn what_is_defined_nowhere_or_twice_is_refused_at_its_places() {
    let message = refused(linked(&[]));
    assert!(message.contains("`weight` has no body") && message.contains("`N` has no value"), "{message}");
    let message = refused(linked(&[("weights.slang", WEIGHTS), ("again.slang", WEIGHTS)]));
    assert!(message.contains("weights.slang:1") && message.contains("again.slang:1"), "{message}");
    let other = WEIGHTS.replace("const int N = 10", "const float N = 10");
    let message = refused(linked(&[("weights.slang", &other)]));
    assert!(message.contains("declared as `int`") && message.contains("exported as `float`"), "{message}");
}

#[test]
fn other_languages_have_no_instances_or_links_and_name_their_constants() -> Result<(), Error> {
    let device = device();
    let wgsl = "fn twice(x: f32) -> f32 { return x + x; }";
    let module = Module::load_from_source(&device, "a.wgsl", wgsl)?;
    let message = refused(module.function("twice")?.constants(args![N: 1]));
    assert!(message.contains("no link-time constant is named `N`"), "{message}");
    assert!(refused(module.function("twice<float>")).contains("unknown-function"));
    let slang = Module::load_from_source(&device, "b.slang", "float f(float x) { return x; }")?;
    let options = LoadOptions { link: vec![(&slang).into()], ..LoadOptions::default() };
    let message = refused(Module::load_source_with(&device, "a.wgsl", wgsl, &options));
    assert!(message.contains("cannot be linked with"), "{message}");
    let options = LoadOptions { link: vec![(&module).into()], ..LoadOptions::default() };
    let message = refused(Module::load_source_with(&device, "c.slang", "float g() { return 1; }", &options));
    assert!(message.contains("`a.wgsl` cannot be linked"), "{message}");
    Ok(())
}

#[test]
fn a_target_switch_takes_the_case_of_the_device_that_the_module_is_loaded_for() -> Result<(), Error> {
    let text = "float f(float x) { __target_switch { case cuda: return 1; case cpp: return 2 * x; default: return 3; } }
        float g(float x) { __target_switch { case spirv: return 1; default: return 3 * x; } }";
    let device = device();
    let module = Module::load_from_source(&device, "targets.slang", text)?;
    assert_eq!(floats(&module.function("f")?.call(args![x: 5.0])?), [10.0]);
    assert_eq!(floats(&module.function("g")?.call(args![x: 5.0])?), [15.0]);
    Ok(())
}
