"""Fits 120 soft ellipses to a picture by gradient descent, and draws how it went."""

from pathlib import Path

import numpy as np
import torch
from picture import curve, side_by_side, write_png

import pullback as pb

SIZE = 72
SPLATS = 120
STEPS = 300
OUT = Path("out/02_fit.png")

device = pb.create_torch_device(type=pb.DeviceType.cpu)
module = pb.Module.load_from_file(device, Path(__file__).with_name("kernel.slang"))


def grid(size: int) -> torch.Tensor:
    """The pixels' centers, (size, size, 2), in 0 to 1."""
    line = (torch.arange(size) + 0.5) / size
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y], dim=-1)


def render(points: torch.Tensor, splats: dict[str, torch.Tensor]) -> torch.Tensor:
    """Every splat at every point: the points' lanes (size, size, 1) meet the splats' (SPLATS,)."""
    each = module.splat(point=points[:, :, None, :], s=splats)
    return module.blend(each.sum(dim=2))


def first_guess() -> dict[str, torch.Tensor]:
    """Gray splats strewn over the picture."""
    random = torch.Generator().manual_seed(7)
    splats = {
        "center": torch.rand(SPLATS, 2, generator=random),
        "log_size": torch.full((SPLATS, 2), -2.6),
        "angle": 3.14 * torch.rand(SPLATS, generator=random),
        "color": 0.5 + 0.1 * torch.randn(SPLATS, 3, generator=random),
        "log_weight": torch.zeros(SPLATS),
    }
    return {name: value.requires_grad_() for name, value in splats.items()}


def fit(splats: dict[str, torch.Tensor]) -> list[float]:
    """Adam on all fields of all splats; returns the loss of each step."""
    points = grid(SIZE)
    target = module.scene(points)
    rates = {"center": 0.004, "log_size": 0.02, "angle": 0.03, "color": 0.02, "log_weight": 0.03}
    optimizer = torch.optim.Adam([{"params": [splats[name]], "lr": rate} for name, rate in rates.items()])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS, eta_min=2e-4)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = module.squared_error(render(points, splats), target).mean()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


splats = first_guess()
with torch.no_grad():
    shown = grid(320)
    before = render(shown, splats)
losses = fit(splats)
with torch.no_grad():
    pictures = [
        picture.numpy().astype(np.float64) for picture in (module.scene(shown), before, render(shown, splats))
    ]
write_png(OUT, side_by_side([*pictures, curve(losses, 320, 320)]))

print(f"{SPLATS} splats, {STEPS} steps on {SIZE} x {SIZE} pixels")
print("loss fell below a hundredth:", losses[-1] < losses[0] / 100)
print(f"wrote {OUT}: the scene, the first guess, the fit, and the loss by step (a line per factor of ten)")
