#version 450
layout(binding = 0) uniform sampler2D image;
float f(vec2 at) { return textureLod(image, at, 0.0).x; }
