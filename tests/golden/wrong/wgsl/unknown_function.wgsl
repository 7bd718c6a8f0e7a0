fn f(x: f32) -> f32 { return lerp(x, 1.0, 0.5); }
