#version 450
layout(std430, binding = 0) readonly buffer Values { float values[]; };
void f(float x) { values[0] = x; }
