#version 450
float f(const float x) { x = 2.0; return x; }
