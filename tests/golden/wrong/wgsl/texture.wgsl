@group(0) @binding(0) var image: texture_2d<f32>;
fn f(x: f32) -> f32 { return textureLoad(image, vec2(0, 0), 0).x * x; }
