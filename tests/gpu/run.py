"""Runs the main job, the features of calls and all golden cases on a GPU, beside the CPU device of the same package, and keeps what came of it.

    python tests/gpu/run.py --out DIR [--device vulkan]

Needs the built wheel and torch; exits with 77 where there is no such device. Prints a short table last.
"""

import argparse
import datetime as dt
import json
import platform
import subprocess
import sys
import time
from pathlib import Path

import features
import golden
import numpy as np
import torch

import pullback as pb

ROOT = Path(__file__).parents[2]
NO_DEVICE = 77
RTOL = {"float16": 4e-3, "float32": 2e-5, "float64": 1e-12}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--device", default="cuda", choices=["cuda", "vulkan", "cpu"])
    options = parser.parse_args()
    try:
        device = pb.create_torch_device(getattr(pb.DeviceType, options.device))
    except pb.DeviceError as error:
        print(f"no {options.device} device here: {str(error).splitlines()[0]}")
        return NO_DEVICE
    where = "cuda" if options.device == "cuda" else "cpu"
    results = [*main_job(device, where), *feature_cases(device, where), *golden_cases(device, where)]
    report = {**machine(device, where), "speed": speed(device, where), "cases": results}
    options.out.mkdir(parents=True, exist_ok=True)
    name = "".join(c if c.isalnum() else "-" for c in device.name.lower()).strip("-")
    path = options.out / f"{name}.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    return table(report, path)


def machine(device: pb.Device, where: str) -> dict:
    """What ran, and when."""

    def say(*command: str) -> str:
        try:
            return subprocess.run(
                command, capture_output=True, text=True, check=True, cwd=ROOT
            ).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return "unknown"

    driver = (
        say("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader") if where == "cuda" else "-"
    )
    return {
        "device": device.name,
        "driver": driver,
        "torch": torch.__version__,
        "torch_cuda": torch.version.cuda,
        "python": platform.python_version(),
        "pullback": pb.__version__,
        "commit": say("git", "rev-parse", "HEAD"),
        "date": dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds"),
    }


def attempt(name: str, check) -> dict:
    """One case: ok, or what went wrong."""
    try:
        check()
    except Exception as error:  # any failure is a result
        return {"case": name, "ok": False, "error": f"{type(error).__name__}: {error}"}
    return {"case": name, "ok": True}


def main_job(device: pb.Device, where: str) -> list[dict]:
    """The program of the README, and what a GPU adds to it."""
    sample = ROOT / "samples" / "01_polynomial"

    def gradient(file: str) -> None:
        module = pb.Module.load_from_file(device, sample / file)
        x = torch.tensor([1, 2, 3, 4], dtype=torch.float32, device=where, requires_grad=True)
        result = module.polynomial(a=2, b=8, c=-1, x=x)
        assert result.device.type == where
        result.backward(torch.ones_like(result))
        assert result.tolist() == [9, 23, 41, 63]
        assert x.grad.tolist() == [12, 16, 20, 24]

    def numpy_arrays() -> None:
        module = pb.Module.load_from_file(device, sample / "example.slang")
        x = np.array([1, 2, 3, 4], np.float32)
        value, (by_a, by_x) = pb.value_and_grad(module.polynomial, ("a", "x"))(a=2, b=8, c=-1, x=x)
        assert (value.tolist(), by_a, by_x.tolist()) == ([9, 23, 41, 63], 30, [12, 16, 20, 24])

    def broadcast_gradient() -> None:
        module = pb.Module.load_from_source(device, "k.slang", "float f(float a, float x) { return a * x; }")
        x = torch.rand(10_000_000, device=where)
        found = []
        for _ in range(3):
            a = torch.tensor(2.0, device=where, requires_grad=True)
            module.f(a, x).backward(torch.ones((), device=where).expand_as(x))
            found.append(a.grad.item())
        assert abs(found[0] / x.double().sum().item() - 1) < 1e-6
        assert found[0] == found[1] == found[2]

    def partial_gradient() -> None:
        module = pb.Module.load_from_source(device, "k.slang", "float f(float a, float x) { return a * x; }")
        x = torch.rand(1000, 1000, device=where)
        for shape in ((1000,), (1000, 1)):
            a = torch.ones(shape, device=where, requires_grad=True)
            module.f(a, x).sum().backward()
            wanted = x.double().sum(0 if shape == (1000,) else 1).reshape(shape)
            assert torch.allclose(a.grad.double(), wanted, rtol=1e-5)

    def current_stream() -> None:
        module = pb.Module.load_from_source(device, "k.slang", "float f(float x) { return x * x + 1.0; }")
        side = torch.cuda.Stream()
        for _ in range(50):
            with torch.cuda.stream(side):
                x = torch.full((1 << 20,), 3.0, device=where, requires_grad=True)
                y = module.f(x)
                y.sum().backward()
            side.synchronize()
            assert (y == 10).all()
            assert (x.grad == 6).all()

    checks = {
        "main job, example.slang": lambda: gradient("example.slang"),
        "main job, example.wgsl": lambda: gradient("example.wgsl"),
        "main job, NumPy": numpy_arrays,
        "a scalar into 1e7 lanes": broadcast_gradient,
        "a row and a column into 1e6 lanes": partial_gradient,
    }
    if where == "cuda":
        checks["on a stream of the caller's"] = current_stream
    return [attempt(name, check) for name, check in checks.items()]


def to_torch(value, where: str):
    """Arrays, and dicts of them, as tensors on the device; each its own memory."""
    if isinstance(value, dict):
        return {name: to_torch(part, where) for name, part in value.items()}
    return torch.from_numpy(value.copy()).to(where)


def leaves(value) -> list[np.ndarray]:
    """All arrays of a result."""
    if value is None:
        return []
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in leaves(part)]
    if isinstance(value, (tuple, list)):
        return [leaf for part in value for leaf in leaves(part)]
    return [value.cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)]


def run_case(case: golden.Case, module: pb.Module, where: str) -> list[np.ndarray] | str:
    """The results of a case, with what it wrote in place; or the code of the error it ended with."""
    function = module[case.function]
    arguments = to_torch(golden.arguments(case, function), where)
    try:
        if case.kind == "run":
            result = function(**arguments)
        else:
            result = pb.value_and_grad(function, golden.floats(function))(**arguments)
    except pb.PullbackError as error:
        return error.code
    written = [arguments[name] for direction, name, _ in golden.parameters(function) if direction == "inout"]
    return leaves(result) + leaves(written)


def feature_cases(device: pb.Device, where: str) -> list[dict]:
    """Every feature on this device, compared with the CPU device."""
    cpu = pb.create_torch_device(pb.DeviceType.cpu)
    made: dict = {}
    loaded = attempt("features: load", lambda: made.update(features.programs(device, where)))
    references = features.programs(cpu, "cpu")
    checks = [
        attempt(f"feature: {name}", lambda n=name, run=run: compare(leaves(run()), leaves(references[n]())))
        for name, run in made.items()
    ]
    return [loaded, *checks]


def golden_cases(device: pb.Device, where: str) -> list[dict]:
    """Every golden case on this device, compared with the CPU device lane by lane."""
    cpu = pb.create_torch_device(pb.DeviceType.cpu)
    results = []
    for file in sorted((ROOT / "tests" / "golden" / "in").rglob("*.*l*")):
        found = list(golden.cases(file))
        if not found:
            continue
        reference = pb.Module.load_from_file(cpu, file)
        modules: list[pb.Module] = []
        loaded = attempt(
            f"{file.stem}: load", lambda f=file, m=modules: m.append(pb.Module.load_from_file(device, f))
        )
        if not modules:
            results.append(loaded)
            continue
        for case in found:

            def check(case=case, reference=reference, module=modules[0]) -> None:
                compare(run_case(case, module, where), run_case(case, reference, "cpu"))

            results.append(
                attempt(f"{file.relative_to(file.parents[1])}:{case.line} {case.kind} {case.function}", check)
            )
    return results


def compare(found, wanted) -> None:
    """Equal codes; integers equal; floats within what the float functions promise together."""
    if isinstance(wanted, str) or isinstance(found, str):
        assert found == wanted, f"{found} where the CPU gives {wanted}"
        return
    assert len(found) == len(wanted)
    for mine, its in zip(found, wanted, strict=True):
        if mine.dtype.kind != "f":
            np.testing.assert_array_equal(mine, its)
        else:
            rtol = RTOL[str(mine.dtype)]
            np.testing.assert_allclose(mine, its, rtol=rtol, atol=rtol)


def speed(device: pb.Device, where: str) -> dict:
    """A few times, for the record: microseconds of a call, and bytes per second beside a copy."""
    if where != "cuda":
        return {}
    text = "float f(float x) { return 0.5*x*x + 0.25*x + 0.125 + sin(x) + exp(-x*x); }"
    function = pb.Module.load_from_source(device, "k.slang", text).f
    small, large = torch.ones(4, device=where), torch.rand(100_000_000, device=where)
    needs_grad = torch.ones(4, device=where, requires_grad=True)

    def seconds(run, repeats: int) -> float:
        times = []
        for _ in range(7):
            torch.cuda.synchronize()
            start = time.perf_counter()
            for _ in range(repeats):
                run()
            torch.cuda.synchronize()
            times.append((time.perf_counter() - start) / repeats)
        return sorted(times)[3]

    traffic = 2 * large.numel() * large.element_size()
    return {
        "call_us": seconds(lambda: function(small), 2000) * 1e6,
        "call_under_grad_us": seconds(lambda: function(needs_grad), 2000) * 1e6,
        "forward_backward_us": seconds(lambda: function(needs_grad).backward(small), 1000) * 1e6,
        "fused_1e8_gbps": traffic / seconds(lambda: function(large), 20) / 1e9,
        "clone_1e8_gbps": traffic / seconds(lambda: large.clone(), 20) / 1e9,
        "torch_eager_1e8_gbps": traffic
        / seconds(
            lambda: 0.5 * large * large + 0.25 * large + 0.125 + large.sin() + (-large * large).exp(), 5
        )
        / 1e9,
    }


def table(report: dict, path: Path) -> int:
    """Prints what failed and how many passed; returns the exit status."""
    failed = [case for case in report["cases"] if not case["ok"]]
    for case in failed:
        print(f"FAILED {case['case']}\n    " + "\n    ".join(case["error"].splitlines()[:12]))
    print(
        f"\n{report['device']}, driver {report['driver']}, torch {report['torch']}, commit {report['commit'][:12]}"
    )
    for name, value in report["speed"].items():
        print(f"  {name:24} {value:10.1f}")
    print(f"  {'cases passed':24} {len(report['cases']) - len(failed):10d}")
    print(f"  {'cases failed':24} {len(failed):10d}")
    print(f"  written to {path}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
