"""Arrays of structs: NumPy's structured arrays, a torch tensor per field, and gradients in the same form."""

from pathlib import Path

import numpy as np
import torch

import pullback as pb

np.set_printoptions(precision=3, suppress=True)
device = pb.create_torch_device(type=pb.DeviceType.cpu)
module = pb.Module.load_from_file(device, Path(__file__).with_name("kernel.slang"))

# The module tells how its structs lie in memory: a NumPy array of that dtype is passed as it is.
print(module.Star)
stars = np.zeros(3, module.Star.dtype)
stars["position"] = [(0, 0), (1, 0), (0, 2)]
stars["velocity"] = [(0, 0), (0, 1.2), (-0.9, 0)]
stars["mass"] = [2, 0.1, 0.1]
stars["is_fixed"][0] = True
lanes = np.arange(3, dtype=np.int32)

# The gradient has the same fields, less those that have none: the force on each star.
energy, gradient = pb.value_and_grad(module.potential, "stars")(stars, 3, lanes)
print("energy", energy.sum().round(3), "fields", gradient.dtype.names)
print("force on the second", -gradient["position"][1])

# What a call writes is in the user's array.
for _ in range(100):
    before = stars.copy()
    module.moved(before, stars, 3, 0.01, lanes)
print("after a time of 1", stars["position"][1], "fixed", stars["position"][0])

# A dict of arrays, one per field, serves as well; torch follows what is written into its tensors.
start = {
    "position": torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]]),
    "mass": torch.tensor([2.0, 0.1, 0.1]),
    "is_fixed": torch.tensor([True, False, False]),
}
target = torch.tensor([-0.5, 1.0])
velocity = torch.tensor([[0.0, 0.0], [0.0, 1.0], [0.0, 0.0]], requires_grad=True)
optimizer = torch.optim.Adam([velocity], lr=0.05)
for _ in range(150):
    now = {**start, "velocity": velocity}
    for _ in range(20):
        after = {name: field.detach().clone() for name, field in now.items()}
        module.moved(now, after, 3, 0.05, torch.from_numpy(lanes))
        now = after
    loss = (now["position"][1] - target).square().sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("aimed at", target.tolist(), "met", bool(loss < 1e-4))

# Forward mode: how the energies change where the stars go on, given an array like the stars.
along = np.zeros(3, module.Star.dtype)
along["position"] = stars["velocity"]
_, rate = module.potential.fwds(stars, 3, lanes, d_stars=along)
_, gradient = pb.value_and_grad(module.potential, "stars")(stars, 3, lanes)
print(
    "both modes agree", np.allclose(rate.sum(), (gradient["position"] * along["position"]).sum(), atol=1e-5)
)
