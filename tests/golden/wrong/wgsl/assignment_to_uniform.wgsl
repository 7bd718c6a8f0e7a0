@group(0) @binding(0) var<uniform> scale: f32;
fn f(x: f32) { scale = x; }
