//! What the facade refuses: calls from safe code that would be wrong, each with its code.

use pullback::{Code, DType, Device, DeviceType, Error, Module, Tensor, Value, args};

const SOURCE: &str = "
    struct Pair { float x; float y; };
    float square(float x) { return x * x; }
    float two(float x, out float half) { half = 0.5 * x; return 2 * x; }
    float sum(Pair p) { return p.x + p.y; }
    int whole(float x) { return int(x); }
";

fn module() -> (Device, Module) {
    let device = Device::new(DeviceType::Cpu).expect("a CPU");
    let module = Module::load_from_source(&device, "refusals.slang", SOURCE).expect("compiles");
    (device, module)
}

fn refused<T>(result: Result<T, Error>, code: Code) {
    match result {
        Ok(_) => panic!("not refused: {code} expected"),
        Err(error) => {
            assert_eq!(error.code(), code, "{error}");
            assert!(error.help().is_some(), "{error}");
        }
    }
}

#[test]
fn a_cotangent_of_another_dtype_shape_or_device_is_refused() {
    let (device, module) = module();
    let square = module.function("square").expect("is there");
    let x = Tensor::from_slice(&device, &[1.0f32, 2.0, 3.0], [3]).expect("fits");
    let tensor = |shape: &[i64], dtype| Tensor::zeros(&device, dtype, shape).expect("fits");
    refused(square.backward(args![x: &x], &tensor(&[3], DType::F64)), Code::DtypeMismatch);
    refused(square.backward(args![x: &x], &tensor(&[4, 3], DType::F32)), Code::ShapeMismatch);
    refused(square.backward(args![x: &x], &tensor(&[1], DType::F32)), Code::ShapeMismatch);
    refused(square.backward(args![x: &x], &tensor(&[], DType::F32)), Code::ShapeMismatch);
    let other = Device::new(DeviceType::Cpu).expect("a CPU");
    let elsewhere = Tensor::zeros(&other, DType::F32, [3]).expect("fits");
    refused(square.backward(args![x: &x], &elsewhere), Code::DeviceMismatch);
}

#[test]
fn backward_of_several_results_is_refused() {
    let (device, module) = module();
    let x = Tensor::from_slice(&device, &[1.0f32], [1]).expect("fits");
    refused(module.function("two").expect("is there").backward(args![x: &x], &x), Code::ArgumentType);
}

#[test]
fn a_gradient_of_integers_is_refused() {
    let (device, module) = module();
    let x = Tensor::from_slice(&device, &[1.0f32], [1]).expect("fits");
    refused(
        module.function("whole").expect("is there").value_and_grad(args![x: &x]),
        Code::NotDifferentiable,
    );
}

#[test]
fn a_field_given_twice_is_refused() {
    let (device, module) = module();
    let x = Tensor::from_slice(&device, &[1.0f32], [1]).expect("fits");
    let pair: Value<'_> =
        vec![("x", Value::from(&x)), ("x", Value::from(1.0)), ("y", Value::from(2.0))].into();
    refused(module.function("sum").expect("is there").call(args![p: pair]), Code::UnknownField);
}

#[test]
fn shapes_beyond_any_memory_are_refused() {
    let (device, _) = module();
    refused(Tensor::empty(&device, DType::F32, [1 << 32, 1 << 32]), Code::OutOfMemory);
    refused(Tensor::empty(&device, DType::F32, [(1 << 62) + 16]), Code::OutOfMemory);
    refused(Tensor::empty(&device, DType::F32, [-3]), Code::OutOfMemory);
}

#[test]
fn a_function_that_uses_a_uniform_is_not_called_without_a_value() {
    let device = Device::new(DeviceType::Cpu).expect("a CPU");
    let source = "
        uniform float scale;
        static float step = 0.5;
        float scaled(float x) { return x * scale; }
        float stepped(float x) { step += x; return step; }
        float first(StructuredBuffer<float> values) { return values[0]; }";
    let module = Module::load_from_source(&device, "globals.slang", source).expect("compiles");
    let x = Tensor::from_slice(&device, &[1.0f32], [1]).expect("fits");
    refused(module.function("scaled").expect("is there").call(args![x: &x]), Code::MissingArgument);
    let first = module.function("first").expect("is there").call(args![values: &x]).expect("runs");
    assert_eq!(first.to_vec::<f32>().expect("f32"), [1.0]);
    let stepped = module.function("stepped").expect("is there").call(args![x: &x]).expect("runs");
    assert_eq!(stepped.to_vec::<f32>().expect("f32"), [1.5]);
}
