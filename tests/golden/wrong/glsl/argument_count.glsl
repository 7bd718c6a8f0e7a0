#version 450
float scaled(float x, float by) { return x * by; }
float f(float x) { return scaled(x); }
