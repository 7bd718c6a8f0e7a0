// Matrices of columns, vectors and geometry in GLSL.
// run: turned(0, 3, 4) == (3, 4)
// grad: turned(0.5, 3, 4)
// run: determinant_of(1, 2, 3, 4) == -2
// grad: determinant_of(1, 2, 3, 4) == (4, -3, -2, 1)
// run: products(2, 3) == (11, 21)
// grad: products(2, 3)
// run: mixed(1, 2, 0.25) == 1.25
// grad: mixed(1, 2, 0.25) == (0.75, 0.25, 1)
#version 450

mat2 turn(float angle) {
    float c = cos(angle), s = sin(angle);
    return mat2(c, s, -s, c);
}

vec2 turned(float angle, float x, float y) { return turn(angle) * vec2(x, y); }

float determinant_of(float a, float b, float c, float d) { return determinant(mat2(a, b, c, d)); }

vec2 products(float x, float y) {
    mat2x3 wide = mat2x3(x, 1.0, 0.0, 2.0, y, 1.0);
    mat3x2 tall = transpose(wide);
    vec3 column = wide[1];
    column.zx += vec2(1.0, x);
    mat2 square = tall * wide;
    return column * wide + vec2(square[0][1], square[1].x) * 0.0 + vec2(length(column.xy) * 0.0, 2.0);
}

float mixed(float a, float b, float t) { return mix(a, b, t); }
