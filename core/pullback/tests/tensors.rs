//! Tensor parameters: whole arrays of any rank, by N indices.

use pullback::{Device, DeviceType, Error, Function, Module, Tensor, args};

const SOURCE: &str = "
    import slangpy;
    float at(Tensor<float, 2> t, int i, int j) { return t[i, j]; }
    float four_ways(ITensor<float, 2> t, int i, int j)
    {
        int[2] index = { i, j };
        return t[index] + 10 * t.load({ i, j }) + 100 * t[int2(j, i)] + 1000 * t.load(i, j);
    }
    int corner(Tensor<int, 3> t)
    {
        uint[3] shape = t.shape;
        return t[shape[0] - 1, t.shape[1] - 1, t.getShape()[2] - 1];
    }
    float length_at(Tensor<float3, 1> t, int i) { return dot(t[i], t[i]); }
    void transposed(ITensor<float, 2> t, IRWTensor<float, 2> u, int i, int j) { u[j, i] = t[i, j]; }
    void scaled(RWTensor<float, 1> t, int i) { t[i] *= 2; t.store(i, t.load(i) + 1); }
    void counted(AtomicTensor<int, 1> t, int i) { t.add(i, 1); }
    float row(ITensor<float, 2> t, int i)
    {
        float sum = 0;
        for (int j = 0; j < t.shape[1]; j++) sum += t[i, j] * t[i, j];
        return sum;
    }
    float first<X : ITensor<float, 1>>(X t) { return t[{ 0 }]; }
    float helped(RWTensor<float, 1> t) { return first(t) + row_of(t, 1); }
    float row_of(Tensor<float, 1> t, int i) { return t[i]; }
    float sampled(ITensor<float, 2> t, float2 p) { return t.sample(p); }
    float3 colour(Tensor<float3, 1> t, float p) { return t.sample(p); }
    float nothing_written(IRWTensor<float, 1> t, int i) { t[i] = 7; return t[i]; }
    void squared(IDiffTensor<float, 1> x, IWDiffTensor<float, 1> y, int i) { y[i] = x[i] * x[i]; }
    void squared_in_place(IRWTensor<float, 1> t, int i) { t[i] = t[i] * t[i]; }
";

fn module() -> (Device, Module) {
    let device = Device::new(DeviceType::Cpu).expect("a CPU");
    let module = Module::load_from_source(&device, "tensors.slang", SOURCE).unwrap_or_else(|e| panic!("{e}"));
    (device, module)
}

fn function(name: &str) -> (Device, Function) {
    let (device, module) = module();
    let function = module.function(name).expect("a function");
    (device, function)
}

fn floats(tensor: &Tensor) -> Vec<f32> {
    tensor.to_vec::<f32>().expect("floats")
}

fn counting(device: &Device) -> Result<Tensor, Error> {
    Tensor::from_slice(device, &[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3])
}

#[test]
fn outside_of_any_dim_there_is_zero() -> Result<(), Error> {
    let (device, at) = function("at");
    let i = Tensor::from_slice(&device, &[0, 1, 0, 1, -1, 2], [6])?;
    let j = Tensor::from_slice(&device, &[2, 0, 3, -1, 0, 0], [6])?;
    let y = at.call(args![t: &counting(&device)?, i: &i, j: &j])?;
    assert_eq!(floats(&y), [3.0, 4.0, 0.0, 0.0, 0.0, 0.0]);
    Ok(())
}

#[test]
fn each_form_of_an_index_finds_the_same_element() -> Result<(), Error> {
    let (device, four_ways) = function("four_ways");
    let y = four_ways.call(args![t: &counting(&device)?, i: 1, j: 2])?;
    assert_eq!(floats(&y), [6666.0]);
    Ok(())
}

#[test]
fn a_tensor_tells_its_shape() -> Result<(), Error> {
    let (device, corner) = function("corner");
    let t = Tensor::from_slice(&device, &(0..24).collect::<Vec<i32>>(), [2, 3, 4])?;
    assert_eq!(corner.call(args![t: &t])?.to_vec::<i32>()?, [23]);
    Ok(())
}

#[test]
fn elements_may_be_vectors() -> Result<(), Error> {
    let (device, length_at) = function("length_at");
    let y = length_at.call(args![t: &counting(&device)?, i: 1])?;
    assert_eq!(floats(&y), [77.0]);
    Ok(())
}

#[test]
fn writes_reach_the_array_and_nothing_else() -> Result<(), Error> {
    let (device, transposed) = function("transposed");
    let u = Tensor::from_slice(&device, &[0.0f32; 6], [3, 2])?;
    let i = Tensor::from_slice(&device, &[0, 1, 2], [3, 1])?;
    let j = Tensor::from_slice(&device, &[0, 1, 2, 3], [4])?;
    transposed.call_all(args![t: &counting(&device)?, u: &u, i: &i, j: &j])?;
    assert_eq!(floats(&u), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    Ok(())
}

#[test]
fn an_element_is_changed_in_place() -> Result<(), Error> {
    let (device, module) = module();
    let t = Tensor::from_slice(&device, &[1.0f32, 2.0, 3.0], [3])?;
    let i = Tensor::from_slice(&device, &[0, 2, 5, -1], [4])?;
    module.function("scaled")?.call_all(args![t: &t, i: &i])?;
    assert_eq!(floats(&t), [3.0, 2.0, 7.0]);
    assert_eq!(floats(&module.function("nothing_written")?.call(args![t: &t, i: 3])?), [0.0]);
    assert_eq!(floats(&t), [3.0, 2.0, 7.0]);
    Ok(())
}

#[test]
fn lanes_that_add_to_one_element_lose_nothing() -> Result<(), Error> {
    let (device, counted) = function("counted");
    let t = Tensor::from_slice(&device, &[0i32; 3], [3])?;
    let i: Vec<i32> = (0..4000).map(|lane| lane % 4).collect();
    let i = Tensor::from_slice(&device, &i, [4000])?;
    counted.call_all(args![t: &t, i: &i])?;
    assert_eq!(t.to_vec::<i32>()?, [1000; 3]);
    Ok(())
}

#[test]
fn a_written_tensor_serves_where_one_is_read() -> Result<(), Error> {
    let (device, helped) = function("helped");
    let t = Tensor::from_slice(&device, &[1.0f32, 20.0], [2])?;
    assert_eq!(floats(&helped.call(args![t: &t])?), [21.0]);
    Ok(())
}

#[test]
fn what_lanes_read_has_gradients() -> Result<(), Error> {
    let (device, row) = function("row");
    let t = counting(&device)?;
    let i = Tensor::from_slice(&device, &[0, 1, 1, 2], [4])?;
    let dy = Tensor::from_slice(&device, &[1.0f32, 1.0, 10.0, 100.0], [4])?;
    let gradients = row.backward(args![t: &t, i: &i], &dy)?;
    assert_eq!(gradients["t"].shape(), t.shape());
    assert_eq!(floats(&gradients["t"]), [2.0, 4.0, 6.0, 88.0, 110.0, 132.0]);
    Ok(())
}

#[test]
fn between_the_elements_a_tensor_is_linear() -> Result<(), Error> {
    let (device, module) = module();
    let t = counting(&device)?;
    // Of 3 columns the middles are at 1/6, 1/2 and 5/6; of 2 rows at 1/4 and 3/4.
    let positions = [0.5f32, 0.25, 0.5, 0.5, 1.0 / 3.0, 0.75, -9.0, 9.0, 5.0 / 6.0, 0.5];
    let p = Tensor::from_slice(&device, &positions, [5, 2])?;
    let sampled = module.function("sampled")?;
    let near = |found: Vec<f32>, wanted: &[f32]| {
        assert_eq!(found.len(), wanted.len());
        assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-4), "{found:?}");
    };
    near(floats(&sampled.call(args![t: &t, p: &p])?), &[2.0, 3.5, 4.5, 4.0, 4.5]);
    let middle = Tensor::from_slice(&device, &[0.4f32, 0.5], [1, 2])?;
    let gradients =
        sampled.backward(args![t: &t, p: &middle], &Tensor::from_slice(&device, &[1.0f32], [1])?)?;
    near(floats(&gradients["t"]), &[0.15, 0.35, 0.0, 0.15, 0.35, 0.0]);
    near(floats(&gradients["p"]), &[3.0, 6.0]);
    let half_way = module.function("colour")?.call(args![t: &t, p: 0.5])?;
    near(floats(&half_way), &[2.5, 3.5, 4.5]);
    Ok(())
}

fn refused(result: Result<impl Sized, Error>) -> String {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_written_brings_its_cotangent_to_what_it_is_made_of() -> Result<(), Error> {
    let (device, module) = module();
    let x = Tensor::from_slice(&device, &[1.0f32, 2.0, 3.0], [3])?;
    let y = Tensor::from_slice(&device, &[0.0f32; 3], [3])?;
    let dy = Tensor::from_slice(&device, &[1.0f32, 10.0, 100.0], [3])?;
    let i = Tensor::from_slice(&device, &[0i32, 2, 5], [3])?;
    let gradients = module.function("squared")?.backward_all(args![x: &x, y: &y, i: &i], args![y: &dy])?;
    assert_eq!(floats(&gradients["x"]), [2.0, 0.0, 600.0]);
    assert_eq!(floats(&gradients["y"]), [0.0, 10.0, 0.0]);
    Ok(())
}

#[test]
fn a_derivative_that_a_write_would_lose_is_refused_in_the_program() -> Result<(), Error> {
    let (device, in_place) = function("squared_in_place");
    let t = Tensor::from_slice(&device, &[1.0f32, 2.0, 3.0], [3])?;
    let message = refused(in_place.backward_all(args![t: &t, i: 1], args![t: &t]));
    assert!(message.contains("no-derivative") && message.contains("t[i] = t[i] * t[i]"), "{message}");
    Ok(())
}

#[test]
fn an_array_of_another_rank_or_dtype_is_refused_at_the_parameter() -> Result<(), Error> {
    let (device, at) = function("at");
    let line = Tensor::from_slice(&device, &[1.0f32, 2.0], [2])?;
    let message = refused(at.call(args![t: &line, i: 0, j: 0]));
    assert!(message.contains("`t` takes a tensor of 2 dims, but got (2,)"), "{message}");
    let ints = Tensor::from_slice(&device, &[1, 2], [1, 2])?;
    let message = refused(at.call(args![t: &ints, i: 0, j: 0]));
    assert!(message.contains("dtype-mismatch") && message.contains("int32"), "{message}");
    let message = refused(at.call(args![t: 1.0, i: 0, j: 0]));
    assert!(message.contains("takes a whole array"), "{message}");
    Ok(())
}
