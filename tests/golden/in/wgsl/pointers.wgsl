// A pointer parameter is inout.
// run: advance(1.0, (2, 3)) == (7.5, 2.5, 6)
// grad: advance(1.0, (2, 3))
fn advance(step: f32, position: ptr<function, vec2<f32>>) -> f32 {
    *position += vec2(step * 0.5);
    (*position).y += (*position).x;
    return (*position).x * 3.0;
}
