#version 450
layout(std140, binding = 0) uniform Block { float scale; };
void f(float x) { scale = x; }
