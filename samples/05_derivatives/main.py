"""Custom derivatives, and gradients of what kernels write into arrays, through torch."""

from pathlib import Path

import torch

import pullback as pb

device = pb.create_torch_device(type=pb.DeviceType.cpu)
module = pb.Module.load_from_file(device, Path(__file__).with_name("kernel.slang"))

# The weight is fitted through its rounding to tenths, whose derivative the kernel gives.
left, right = torch.tensor([1.0, 0.0, 3.0]), torch.tensor([0.0, 2.0, 1.0])
target = 0.7 * left + 0.3 * right
weight = torch.tensor(0.1, requires_grad=True)
optimizer = torch.optim.SGD([weight], lr=0.05)
for _ in range(40):
    optimizer.zero_grad()
    loss = (module.blurred(left, right, weight, steps=10.0) - target).square().sum()
    loss.backward()
    optimizer.step()
print("fitted weight", round(module.quantized(weight.detach(), 10.0).item(), 3))

# Torch sees that `bins` is written: its cotangent reaches the positions and amounts.
position = torch.tensor([0.25, 1.5, 1.75], requires_grad=True)
amount = torch.tensor([1.0, 2.0, 4.0], requires_grad=True)
bins = torch.zeros(4)
module.splat(position, amount, bins)
print("bins", bins.tolist())
(bins * torch.tensor([1.0, 10.0, 100.0, 1000.0])).sum().backward()
print("d position", position.grad.tolist())
print("d amount", amount.grad.tolist())

# Without torch the cotangent of a written array is passed by its name.
gradients = module.splat.bwds(
    position.detach(), amount.detach(), bins.detach(), d_bins=torch.tensor([1.0, 10.0, 100.0, 1000.0])
)
print("the same", torch.equal(gradients["position"], position.grad))

# What the kernel claims can be checked: here it differs from the slope of a staircase, as it is meant to.
try:
    pb.check_derivative(module.rounded)
except pb.GradientError as error:
    print("checked:", error.code)
