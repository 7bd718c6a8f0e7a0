#version 450
layout(std430, binding = 0) buffer Counts { uint counts[]; };
void f() { atomicAdd(counts[0], 1u); }
