#version 450
vec3 f(vec2 v) { vec3 w = v; return w; }
