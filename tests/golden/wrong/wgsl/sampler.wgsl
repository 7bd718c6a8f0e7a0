@group(0) @binding(0) var image: texture_2d<f32>;
@group(0) @binding(1) var linear: sampler;
fn f(at: vec2<f32>) -> f32 { return textureSampleLevel(image, linear, at, 0.0).x; }
