#version 450
float f(sampler2D image, vec2 at) { return textureLod(image, at, 0.0).x; }
