// The first example, in WGSL.
// run: polynomial(2, 8, -1, 4) == 63
// grad: polynomial(2, 8, -1, 3) == (9, 3, 1, 20)
fn polynomial(a: f32, b: f32, c: f32, x: f32) -> f32 {
    return a * x * x + b * x + c;
}
