fn f() -> f32 { var a: array<f32, 100000>; return a[3]; }
