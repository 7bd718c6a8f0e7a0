#version 450
float f(float x) { return y; }
