//! Whole arrays of structs: one array of structs, or an array per field.

use pullback::{Device, DeviceType, Error, Module, Tensor, Value, args};

const SOURCE: &str = "
    struct Material { float3 colour; no_diff float weight; };
    struct Particle { bool on; float3 position; double mass; Material[2] layers; };
    struct Ray { float3 origin; float3 direction; };
    float heavy(StructuredBuffer<Particle> of, int i) {
        return of[i].on ? float(of[i].mass) * of[i].position.y + of[i].layers[1].colour.z * of[i].layers[1].weight : 0; }
    float along(StructuredBuffer<Ray> rays, int i, float t) {
        float3 p = rays[i].origin + t * rays[i].direction; return dot(p, p); }
    void moved(RWStructuredBuffer<Ray> rays, int i, float t) { rays[i].origin = rays[i].origin + t * rays[i].direction; }
    void aimed(StructuredBuffer<Ray> from, RWStructuredBuffer<Ray> to, int i) {
        Ray ray; ray.origin = 2 * from[i].origin; ray.direction = from[i].origin + from[i].direction; to[i] = ray; }";

#[repr(C)]
#[derive(Clone, Copy, Default, bytemuck::Zeroable, bytemuck::Pod)]
struct Ray {
    origin: [f32; 3],
    direction: [f32; 3],
}

#[repr(C)]
#[derive(Clone, Copy, Default, bytemuck::Zeroable, bytemuck::Pod)]
struct Particle {
    on: u8,
    gap: [u8; 3],
    position: [f32; 3],
    mass: f64,
    layers: [[f32; 4]; 2],
}

fn module() -> (Device, Module) {
    let device = Device::new(DeviceType::Cpu).expect("a CPU");
    let module = Module::load_from_source(&device, "structs.slang", SOURCE).unwrap_or_else(|e| panic!("{e}"));
    (device, module)
}

fn rays(count: u8) -> Vec<Ray> {
    let ray = |n: u8| {
        let n = f32::from(n);
        Ray { origin: [n, n + 1.0, n + 2.0], direction: [1.0, 10.0, 100.0 * n] }
    };
    (0..count).map(ray).collect()
}

fn particles() -> Vec<Particle> {
    let position = [2.0, 3.0, 4.0];
    let one = Particle {
        on: 1,
        position,
        mass: 5.0,
        layers: [[0.0; 4], [0.0, 0.0, 7.0, 10.0]],
        ..Default::default()
    };
    vec![one, Particle { on: 0, ..one }]
}

fn refused<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn structs_lie_as_repr_c_types_do() -> Result<(), Error> {
    let (device, module) = module();
    let of = Tensor::from_structs(&device, &module.record("Particle")?, &particles(), [2])?;
    let i = Tensor::from_slice(&device, &[0, 1, 2, -1], [4])?;
    let found = module.function("heavy")?.call(args![of: &of, i: &i])?;
    assert_eq!(found.to_vec::<f32>()?, [85.0, 0.0, 0.0, 0.0]);
    Ok(())
}

#[test]
fn gradients_are_structs_less_what_has_no_derivative() -> Result<(), Error> {
    let (device, module) = module();
    let of = Tensor::from_structs(&device, &module.record("Particle")?, &particles(), [2])?;
    let i = Tensor::from_slice(&device, &[0, 1, 0], [3])?;
    let dy = Tensor::from_slice(&device, &[1.0f32, 10.0, 100.0], [3])?;
    let gradients = module.function("heavy")?.backward(args![of: &of, i: &i], &dy)?;
    let gradient = &gradients["of"];
    let record = gradient.record().expect("of structs").to_string();
    assert_eq!(
        record,
        "{ position: float32 (3,) at 4, mass: float64 at 16, \
         layers: { colour: float32 (3,) at 0; 16 bytes } (2,) at 24; 56 bytes }"
    );
    let found = gradient.to_structs::<Particle>()?;
    assert_eq!((found[0].position, found[0].mass), ([0.0, 505.0, 0.0], 303.0));
    let colours = found[0].layers.map(|layer| [layer[0], layer[1], layer[2]]);
    assert_eq!(colours, [[0.0; 3], [0.0, 0.0, 1010.0]]);
    assert_eq!((found[0].on, found[1].position, found[1].mass), (0, [0.0; 3], 0.0));
    Ok(())
}

#[test]
fn an_array_for_each_field_serves_as_well() -> Result<(), Error> {
    let (device, module) = module();
    let along = module.function("along")?;
    let origin = Tensor::from_slice(&device, &[0.0f32, 1.0, 2.0, 1.0, 2.0, 3.0], [2, 3])?;
    let direction = Tensor::from_slice(&device, &[1.0f32, 10.0, 0.0, 1.0, 10.0, 100.0], [2, 3])?;
    let fields = Value::from(vec![("direction", (&direction).into()), ("origin", (&origin).into())]);
    let structs = Tensor::from_structs(&device, &module.record("Ray")?, &rays(2), [2])?;
    let i = Tensor::from_slice(&device, &[1, 1, 0], [3])?;
    let t = Tensor::from_slice(&device, &[0.5f32, 2.0, 1.0], [3])?;
    let dy = Tensor::from_slice(&device, &[1.0f32, 1.0, 10.0], [3])?;
    let by_field = along.call(args![rays: fields.clone(), i: &i, t: &t])?.to_vec::<f32>()?;
    assert_eq!(by_field, along.call(args![rays: &structs, i: &i, t: &t])?.to_vec::<f32>()?);
    for along in [along.clone(), along.deterministic()] {
        let whole = along.backward(args![rays: &structs, i: &i, t: &t], &dy)?;
        let apart = along.backward(args![rays: fields.clone(), i: &i, t: &t], &dy)?;
        let wanted = whole["rays"].to_structs::<Ray>()?;
        assert!(wanted[1].direction[2] > 0.0);
        let of = |name: &str| apart[name].to_vec::<f32>().expect("floats");
        assert_eq!(of("rays.origin"), wanted.iter().flat_map(|ray| ray.origin).collect::<Vec<_>>());
        assert_eq!(of("rays.direction"), wanted.iter().flat_map(|ray| ray.direction).collect::<Vec<_>>());
        assert_eq!(apart["t"].to_vec::<f32>()?, whole["t"].to_vec::<f32>()?);
    }
    Ok(())
}

#[test]
fn numbers_serve_for_structs_of_one_dtype() -> Result<(), Error> {
    let (device, module) = module();
    let along = module.function("along")?;
    let numbers = Tensor::from_slice(&device, &[1.0f32, 2.0, 3.0, 1.0, 0.0, 0.0], [1, 6])?;
    let dy = Tensor::from_slice(&device, &[1.0f32], [1])?;
    let t = Tensor::from_slice(&device, &[2.0f32], [1])?;
    assert_eq!(along.call(args![rays: &numbers, i: 0, t: &t])?.to_vec::<f32>()?, [22.0]);
    let gradients = along.backward(args![rays: &numbers, i: 0, t: &t], &dy)?;
    assert_eq!(gradients["rays"].to_vec::<f32>()?, [6.0, 4.0, 6.0, 12.0, 8.0, 12.0]);
    Ok(())
}

#[test]
fn what_is_written_reaches_structs_and_fields_alike() -> Result<(), Error> {
    let (device, module) = module();
    let moved = module.function("moved")?;
    let structs = Tensor::from_structs(&device, &module.record("Ray")?, &rays(3), [3])?;
    let i = Tensor::from_slice(&device, &[0, 2, 5], [3])?;
    moved.call_all(args![rays: &structs, i: &i, t: 2.0])?;
    let wanted = structs.to_structs::<Ray>()?;
    assert_eq!((wanted[1].origin, wanted[2].origin), ([1.0, 2.0, 3.0], [4.0, 23.0, 404.0]));
    let flat = |of: fn(&Ray) -> [f32; 3]| rays(3).iter().flat_map(of).collect::<Vec<f32>>();
    let origin = Tensor::from_slice(&device, &flat(|ray| ray.origin), [3, 3])?;
    let direction = Tensor::from_slice(&device, &flat(|ray| ray.direction), [3, 3])?;
    let fields = Value::from(vec![("origin", (&origin).into()), ("direction", (&direction).into())]);
    moved.call_all(args![rays: fields, i: &i, t: 2.0])?;
    assert_eq!(origin.to_vec::<f32>()?, wanted.iter().flat_map(|ray| ray.origin).collect::<Vec<_>>());
    assert_eq!(direction.to_vec::<f32>()?, flat(|ray| ray.direction));
    Ok(())
}

#[test]
fn what_is_left_in_structs_and_in_fields_has_cotangents() -> Result<(), Error> {
    let (device, module) = module();
    let (aimed, record) = (module.function("aimed")?, module.record("Ray")?);
    let from = Tensor::from_structs(&device, &record, &rays(2), [2])?;
    let to = Tensor::zeros_of(&device, &record, [2])?;
    let cotangents = [
        Ray { origin: [1.0, 2.0, 3.0], direction: [10.0, 20.0, 30.0] },
        Ray { origin: [4.0, 5.0, 6.0], direction: [40.0, 50.0, 60.0] },
    ];
    let d_to = Tensor::from_structs(&device, &record, &cotangents, [2])?;
    let found = aimed.backward_all(args![from: &from, to: &to, i: 1], args![to: &d_to])?;
    let of_from = found["from"].to_structs::<Ray>()?;
    assert_eq!((of_from[0].origin, of_from[1].origin), ([0.0; 3], [48.0, 60.0, 72.0]));
    assert_eq!(of_from[1].direction, [40.0, 50.0, 60.0]);
    let of_to = found["to"].to_structs::<Ray>()?;
    assert_eq!((of_to[0].origin, of_to[1].origin), ([1.0, 2.0, 3.0], [0.0; 3]));

    let floats = |values: [f32; 6]| Tensor::from_slice(&device, &values, [2, 3]);
    let (origin, direction) = (floats([0.0; 6])?, floats([0.0; 6])?);
    let fields = Value::from(vec![("origin", (&origin).into()), ("direction", (&direction).into())]);
    let d_origin = floats([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
    let d_fields = Value::from(vec![("origin", (&d_origin).into())]);
    let found = aimed.backward_all(args![from: &from, to: fields, i: 1], args![to: d_fields])?;
    assert_eq!(found["from"].to_structs::<Ray>()?[1].origin, [8.0, 10.0, 12.0]);
    assert_eq!(found["to.origin"].to_vec::<f32>()?, [1.0, 2.0, 3.0, 0.0, 0.0, 0.0]);
    assert_eq!(found["to.direction"].to_vec::<f32>()?, [0.0; 6]);
    Ok(())
}

#[test]
fn an_empty_array_of_structs_has_empty_gradients() -> Result<(), Error> {
    let (device, module) = module();
    let none = Tensor::zeros_of(&device, &module.record("Ray")?, [0])?;
    let dy = Tensor::from_slice(&device, &[1.0f32], [1])?;
    let t = Tensor::from_slice(&device, &[1.0f32], [1])?;
    let along = module.function("along")?;
    assert_eq!(along.call(args![rays: &none, i: 0, t: &t])?.to_vec::<f32>()?, [0.0]);
    let gradients = along.backward(args![rays: &none, i: 0, t: &t], &dy)?;
    assert_eq!(gradients["rays"].shape().dims(), [0]);
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused_in_the_program() -> Result<(), Error> {
    let (device, module) = module();
    let heavy = module.function("heavy")?;
    let rays = Tensor::from_structs(&device, &module.record("Ray")?, &rays(2), [2])?;
    let text = refused(heavy.call(args![of: &rays, i: 0]));
    assert!(
        text.contains("StructuredBuffer<Particle> of") && text.contains("wanted: { on: bool at 0"),
        "{text}"
    );
    assert!(text.contains("given:  { origin: float32 (3,) at 0"), "{text}");
    let floats = Tensor::from_slice(&device, &[0.0f32; 14], [1, 14])?;
    let text = refused(heavy.call(args![of: &floats, i: 0]));
    assert!(text.contains("takes elements of struct Particle, but got float32 (1, 14)"), "{text}");
    let along = module.function("along")?;
    let text =
        refused(along.call(args![rays: &Tensor::from_slice(&device, &[0.0f32; 10], [2, 5])?, i: 0, t: 1.0]));
    assert!(text.contains("an array whose last dims are (6,), but got (2, 5)"), "{text}");
    let (three, two) = (
        Tensor::zeros(&device, pullback::DType::F32, [3, 3])?,
        Tensor::zeros(&device, pullback::DType::F32, [2, 3])?,
    );
    let fields = Value::from(vec![("origin", (&three).into()), ("direction", (&two).into())]);
    let text = refused(along.call(args![rays: fields, i: 0, t: 1.0]));
    assert!(text.contains("`rays.origin` is of (3,) structs, but `rays.direction` of (2,)"), "{text}");
    let text = refused(along.call(args![rays: Value::from(vec![("origin", (&three).into())]), i: 0, t: 1.0]));
    assert!(text.contains("lacks the field `direction`"), "{text}");
    let text = refused(module.record("Sphere"));
    assert!(text.contains("it has: Material, Particle, Ray"), "{text}");
    let text = refused(Tensor::from_structs(&device, &module.record("Ray")?, &[0.0f32], [1]));
    assert!(text.contains("the Rust type has 4 bytes"), "{text}");
    Ok(())
}
