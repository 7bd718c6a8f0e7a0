// Structs, vectors, matrices and builtins.
// floats: 0.25 .. 2
// grad: shade(((0.1, 0.2, 2), (0.5, 1, 0.25)), (0.3, 3, 3))
struct Surface { normal: vec3<f32>, albedo: vec3<f32> }
fn shade(surface: Surface, light: vec3<f32>) -> vec3<f32> {
    let turn = mat3x3<f32>(vec3(0.0, 1.0, 0.0), vec3(-1.0, 0.0, 0.0), vec3(0.0, 0.0, 1.0));
    let cosine = max(dot(normalize(turn * surface.normal), normalize(light)), 0.0);
    return mix(surface.albedo * cosine, vec3(cosine), 0.25);
}
