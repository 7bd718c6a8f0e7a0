fn polynomial(a: f32, b: f32, c: f32, x: f32) -> f32 {
    return a * x * x + b * x + c;
}
