// The distance from a point to a few spheres, blended where they meet.
struct Blend { sharpness: f32 }

@group(0) @binding(0) var<uniform> blend: Blend;
@group(0) @binding(1) var<storage> spheres: array<vec4<f32>>;
override power: i32 = 1;

fn nearness(p: vec3<f32>, sphere: vec4<f32>) -> f32 {
    return exp(-blend.sharpness * (distance(p, sphere.xyz) - sphere.w));
}

fn surface(p: vec3<f32>) -> f32 {
    var sum = 0.0;
    for (var i = 0u; i < arrayLength(&spheres); i += 1u) { sum += nearness(p, spheres[i]); }
    let away = -log(sum) / blend.sharpness;
    var result = 1.0;
    for (var i = 0; i < power; i += 1) { result *= away; }
    return result;
}
