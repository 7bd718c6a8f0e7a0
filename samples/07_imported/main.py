"""Modules in WGSL and GLSL: their bindings are globals, their overrides link-time constants, and both have gradients."""

from pathlib import Path

import numpy as np
import torch

import pullback as pb

device = pb.create_torch_device(type=pb.DeviceType.cpu)
module = pb.Module.load_from_file(device, Path(__file__).with_name("kernel.wgsl"))

# A uniform is a value, here a struct; a storage buffer is a whole array, one row for each vec4.
blend = {"sharpness": 8.0}
spheres = np.float32([[-1, 0, 0, 0.5], [1, 0, 0, 0.75]])
surface = module.surface.set(blend=blend, spheres=spheres)
points = np.float32([[-1, 1, 0], [1, 0, 0], [0, 0, 0]])
print("distances", surface(points).round(2))

# An override: the same function, compiled for another value.
print("squared  ", surface.constants({"power": 2})(points).round(2))

# GLSL reads alike; the uniform's block and the buffer have the same names there.
twin = pb.Module.load_from_file(device, Path(__file__).with_name("kernel.glsl"))
print("alike    ", np.allclose(twin.surface.set(blend=blend, spheres=spheres)(points), surface(points)))

# Gradients reach points, uniforms and buffers. Here: spheres that go through given points.
rng = np.random.default_rng(0)
directions = rng.normal(size=(400, 3)).astype(np.float32)
directions /= np.linalg.norm(directions, axis=1, keepdims=True)
samples = torch.from_numpy(np.float32([0.3, -0.2, 0.1]) + 0.8 * directions)
found = torch.tensor([[0.0, 0.0, 0.0, 0.5]], requires_grad=True)
optimizer = torch.optim.Adam([found], lr=0.02)
for _ in range(400):
    optimizer.zero_grad()
    module.surface.set(blend=blend, spheres=found)(samples).square().mean().backward()
    optimizer.step()
print("found    ", found.detach().numpy().round(2))
