fn f(x: f32) -> f32 {
    let y = x;
    y = 2.0;
    return y;
}
