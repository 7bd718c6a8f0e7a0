@group(0) @binding(0) var<storage, read_write> values: array<f32>;
fn first(p: ptr<storage, array<f32>, read_write>) -> f32 { return (*p)[0]; }
fn f() -> f32 { return first(&values); }
