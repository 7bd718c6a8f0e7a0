@group(0) @binding(0) var<storage> values: array<f32>;
fn f(x: f32) { values[0] = x; }
