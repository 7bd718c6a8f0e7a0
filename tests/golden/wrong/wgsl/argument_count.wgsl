fn scaled(x: f32, by: f32) -> f32 { return x * by; }
fn f(x: f32) -> f32 { return scaled(x); }
