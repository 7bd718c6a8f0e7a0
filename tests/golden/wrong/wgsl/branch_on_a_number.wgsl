fn f(x: f32) -> f32 { if x { return x; } return 1.0; }
