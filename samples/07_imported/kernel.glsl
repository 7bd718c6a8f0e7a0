// The same in GLSL.
#version 450
layout(std140, binding = 0) uniform Blend { float sharpness; } blend;
layout(std430, binding = 1) readonly buffer Spheres { vec4 spheres[]; };
layout(constant_id = 0) const int power = 1;

float nearness(vec3 p, vec4 sphere) {
    return exp(-blend.sharpness * (distance(p, sphere.xyz) - sphere.w));
}

float surface(vec3 p) {
    float sum = 0.0;
    for (int i = 0; i < spheres.length(); i++) sum += nearness(p, spheres[i]);
    float away = -log(sum) / blend.sharpness;
    float result = 1.0;
    for (int i = 0; i < power; i++) result *= away;
    return result;
}
