fn f(image: texture_2d<f32>, x: f32) -> f32 { return x; }
