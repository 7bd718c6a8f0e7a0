#version 450
layout(std140, binding = 0) uniform Block { mat2 m; };
float f(float x) { return m[0].y * x; }
