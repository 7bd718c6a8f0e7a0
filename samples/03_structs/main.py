"""Structs as dicts, vectors as last dims, several results, and gradients with respect to a struct."""

from pathlib import Path

import numpy as np

import pullback as pb

np.set_printoptions(precision=3, suppress=True)
device = pb.create_device(type=pb.DeviceType.cpu)
module = pb.Module.load_from_file(device, Path(__file__).with_name("kernel.slang"))

# A struct is a dict with one entry per field: arrays (one value per lane), or numbers (the same for all lanes).
x = np.linspace(-1.5, 1.5, 5, dtype=np.float32)
origin = np.stack([x, np.zeros(5, np.float32), np.full(5, -3, np.float32)], axis=-1)  # (5, 3): five float3
ray = {"origin": origin, "direction": (0.0, 0.0, 1.0)}
sphere = {"center": (0.0, 0.0, 0.0), "radius": 1.0}

# A struct comes back as a dict too.
hit = module.intersect(ray=ray, sphere=sphere)
print("distance", hit["distance"])
print("normal in the middle", hit["normal"][2])

# An `out` parameter that is left out is returned after the result; one that is given is written.
light = (0.0, 0.6, -0.8)
shade, distance = module.brightness(ray=ray, sphere=sphere, light=light)
print("shade", shade)
written = np.empty(5, np.float32)
module.brightness(ray=ray, sphere=sphere, light=light, distance=written)
print("same distance", bool((written == distance).all()))

# The gradient of a struct is a dict of its fields' gradients; what all lanes share is summed over them.
gradient = pb.grad(module.depth, argnums="sphere")(ray=ray, sphere=sphere)
for name, value in gradient.items():
    print(f"d depth / d sphere.{name}", np.round(value, 3))
