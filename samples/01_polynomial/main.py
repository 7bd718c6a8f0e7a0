"""One shader function called on torch tensors and NumPy arrays, with gradients, on each device that is there."""

from pathlib import Path

import numpy as np
import torch

import pullback as pb

HERE = Path(__file__).parent


def with_torch(device: pb.Device, path: Path) -> None:
    """A torch tensor in gives a torch tensor out, and ``backward`` launches the derived kernel."""
    module = pb.Module.load_from_file(device, path)
    x = torch.tensor([1, 2, 3, 4], dtype=torch.float32, requires_grad=True)
    result = module.polynomial(a=2, b=8, c=-1, x=x)
    result.backward(torch.ones_like(result))
    print("  result", result.tolist())
    print("  x.grad", x.grad.tolist(), "= 4x + 8")

    # A scalar that every lane shares: its gradient is the sum over the lanes.
    a = torch.tensor(2.0, requires_grad=True)
    module.polynomial(a, 8, -1, x).sum().backward()
    print("  a.grad", a.grad.item(), "= sum of x * x")


def with_numpy(device: pb.Device, path: Path) -> None:
    """The same function on NumPy arrays: values and gradients in one launch."""
    module = pb.Module.load_from_file(device, path)
    x = np.array([1, 2, 3, 4], np.float32)
    print("  values", module.polynomial(a=2, b=8, c=-1, x=x))
    value_and_gradients = pb.value_and_grad(module.polynomial, argnums=("a", "x"))
    _, (a_gradient, x_gradient) = value_and_gradients(a=2, b=8, c=-1, x=x)
    print("  gradients", a_gradient, x_gradient)


def on_gpu(device: pb.Device, path: Path) -> None:
    """CUDA tensors stay on the GPU: the kernel runs in torch's own context, on its current stream."""
    module = pb.Module.load_from_file(device, path)
    x = torch.tensor([1, 2, 3, 4], dtype=torch.float32, device="cuda", requires_grad=True)
    result = module.polynomial(a=2, b=8, c=-1, x=x)
    result.backward(torch.ones_like(result))
    print("  result", result.tolist())
    print("  x.grad", x.grad.tolist(), "= 4x + 8")


for name in ("cpu", "vulkan", "cuda"):
    try:
        device = pb.create_torch_device(type=getattr(pb.DeviceType, name))
    except pb.DeviceError as error:
        print(f"SKIPPED-DEVICE: {name}: {str(error).splitlines()[0]}")
        continue
    for file in ("example.slang", "example.wgsl"):
        print(f"{file} on {name}:")
        if name == "cuda":
            on_gpu(device, HERE / file)
        else:
            with_torch(device, HERE / file)
            with_numpy(device, HERE / file)
