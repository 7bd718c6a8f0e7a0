var<storage> values: array<f32>;
fn f(i: u32) -> f32 { return values[i]; }
