fn f(x: f32) -> f32 {
    let y = x
    return y;
}
