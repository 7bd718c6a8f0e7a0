#version 450
layout(std140, row_major, binding = 0) uniform Block { mat3 m; };
float f(float x) { return m[0].y * x; }
