#version 450
float f(float x) { return x ? 1.0 : 2.0; }
