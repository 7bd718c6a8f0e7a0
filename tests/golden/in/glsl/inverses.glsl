// Inverses and outer products of GLSL.
// floats: 0.75 .. 2
// run: inverse_of(4, 7, 2, 6) ~= (0.6, -0.7, -0.2, 0.4)
// run: corner(1) ~= 1.5
// grad: corner(1) ~= -2.25
// run: identity(1.5) ~= 4 within 1e-5
// grad: last(1.25)
// run: outer(1, 2) == 241
// grad: outer(1, 2) == (201, 20)
#version 450

vec4 inverse_of(float a, float b, float c, float d) {
    mat2 m = inverse(mat2(a, b, c, d));
    return vec4(m[0], m[1]);
}

float corner(float x) { return inverse(mat3(x, 0, 1, 0, 2, 0, 1, 0, 3))[0][0]; }

mat4 filled(float x) { return mat4(x, 1, 0, 2, 0, 3, 1, 0, 1, 0, 2, 0, 0, 1, 0, 4); }

float identity(float x) {
    mat4 p = inverse(filled(x)) * filled(x);
    return p[0][0] + p[1][1] + p[2][2] + p[3][3] + p[0][1] + p[3][2];
}

float last(float x) { return inverse(filled(x))[3][2] + 2.0 * inverse(filled(x))[0][1]; }

float outer(float x, float y) {
    mat2 m = outerProduct(vec2(x, y), vec2(1, 2));
    return m[0].x + 10.0 * m[1].y + 100.0 * m[1].x;
}
