fn both(a: ptr<function, f32>, b: ptr<function, f32>) { *a = 1.0; *b = 2.0; }
fn f() -> f32 { var v: array<f32, 2>; both(&v[0], &v[1]); return v[0]; }
