#version 450
float f(vec2 v) { return v.z; }
