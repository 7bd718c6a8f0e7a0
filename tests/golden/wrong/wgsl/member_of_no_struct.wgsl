struct Ray { origin: vec3<f32> }
fn f(ray: Ray) -> f32 { return ray.length; }
