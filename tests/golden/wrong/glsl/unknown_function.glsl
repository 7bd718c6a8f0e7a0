#version 450
float f(float x) { return lerp(x, 1.0, 0.5); }
