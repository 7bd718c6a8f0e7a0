override scale: f32;
fn f(x: f32) -> f32 { return x * scale; }
