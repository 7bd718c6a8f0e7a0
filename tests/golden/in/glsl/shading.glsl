// Functions of GLSL: inout, matrices of columns, loops, and gradients through them.
// run: polynomial(2, 8, 3) == 42
// grad: polynomial(2, 8, 3) == (9, 3, 20)
// run: power(2, 3) == 8
// grad: power(2, 3) == 12
#version 450

float polynomial(float a, float b, float x) { return a * x * x + b * x; }

vec3 lambert(vec3 normal, vec3 light, vec3 albedo) {
    return albedo * max(dot(normalize(normal), normalize(light)), 0.0);
}

void advance(inout vec2 p, in vec2 v, float dt) { p += v * dt; }

float power(float x, int n) {
    float p = 1.0;
    for (int i = 0; i < n; i++) { p *= x; }
    return p;
}

vec2 rotated(mat2 m, vec2 v) { return m * v; }
