fn scaled(x: f32, n: i32) -> f32 { return x * f32(n); }
fn f(x: f32) -> f32 { return scaled(x, x); }
