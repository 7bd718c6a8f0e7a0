fn f() { var values: array<f32>; }
