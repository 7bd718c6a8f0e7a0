"""Arrays passed whole: a filter over an image, its gradient, a histogram, and writes."""

from pathlib import Path

import numpy as np
import torch

import pullback as pb

np.set_printoptions(precision=2, suppress=True)
device = pb.create_torch_device(type=pb.DeviceType.cpu)
module = pb.Module.load_from_file(device, Path(__file__).with_name("kernel.slang"))

# One lane per pixel; the image itself has no lanes, so its strides and size are its own affair.
height, width = 24, 32
image = np.random.default_rng(0).uniform(0, 1, (height, width)).astype(np.float32)
pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.int32)  # (x, y)
sharpen = np.float32([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
sharp = module.filtered(image, sharpen, pixels)
print("filtered", sharp.shape, "first pixel", sharp[0, 0].round(2))
print(
    "mirrored alike", np.allclose(module.filtered(image[:, ::-1], sharpen, pixels), sharp[:, ::-1], atol=1e-5)
)

# A link-time constant: the same function, compiled for a wider filter.
wide = module.filtered.constants({"RADIUS": 2})
print(
    "mean of 25", wide(image, np.full((5, 5), 1 / 25, np.float32), (10, 10)) - image[8:13, 8:13].mean() < 1e-6
)

# The gradient of a tensor: find the filter that was used, from its result.
taps = torch.zeros(3, 3, requires_grad=True)
optimizer = torch.optim.Adam([taps], lr=0.2)
images, wanted, lanes = torch.from_numpy(image), torch.from_numpy(sharp), torch.from_numpy(pixels)
for _ in range(300):
    optimizer.zero_grad()
    loss = (module.filtered(images, taps, lanes) - wanted).square().mean()
    loss.backward()
    optimizer.step()
print("found the filter", torch.allclose(taps.detach(), torch.from_numpy(sharpen), atol=0.02))

# Between the pixels, on a grid of another size: positions go from 0 to 1.
grid = np.stack(np.meshgrid((np.arange(4) + 0.5) / 4, (np.arange(3) + 0.5) / 3), axis=-1).astype(np.float32)
print("resized", module.resized(image, grid).shape)

# Written tensors are arguments like others: any array that can be written.
counts = np.zeros(4, np.int32)
module.histogram(image, counts, pixels)
print("counted", counts.sum(), (counts == np.histogram(image, 4, (0, 1))[0]).all())
result = np.empty((width, height), np.float32)
module.transposed(image, result, pixels[..., 1], pixels[..., 0])
print("transposed", (result == image.T).all())
