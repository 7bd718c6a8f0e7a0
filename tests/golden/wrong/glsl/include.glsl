#version 450
#include "noise.glsl"
float f(float x) { return noise(x); }
