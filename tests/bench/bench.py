"""Times of calls, gradients, cold starts and large arrays, beside NumPy, torch, and with --peers other frameworks.

Every number is a median of several repetitions that go round all contestants, so that a busy moment hits all alike. Ratios
are to Pullback's own time in the same run: above 1 is slower than Pullback.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from peers import PEERS

import pullback as pb

FORMULA = "0.5*x*x + 0.25*x + 0.125 + sin(x) + exp(-x*x)"
SOURCE = f"""
float formula(float x) {{ return {FORMULA}; }}
float mad(float x, float y, float z) {{ return x * y + z; }}
"""
SMALL, LARGE, THREADS, REPEATS = 4, 10_000_000, 2, 7
Contestants = dict[str, Callable[[], object]]


def torch_formula(x: torch.Tensor) -> torch.Tensor:
    return 0.5 * x * x + 0.25 * x + 0.125 + torch.sin(x) + torch.exp(-x * x)


def numpy_formula(x: np.ndarray) -> np.ndarray:
    half, quarter, eighth = np.float32(0.5), np.float32(0.25), np.float32(0.125)
    return half * x * x + quarter * x + eighth + np.sin(x) + np.exp(-x * x)


def measure(contestants: Contestants, least_s: float = 0.05) -> dict[str, float]:
    """Microseconds per call of each, the median of rounds; each round runs each for at least that long."""
    loops = {}
    for name, run in contestants.items():
        for _ in range(3):
            run()
        count, spent = 1, 0.0
        while spent < least_s:
            count = max(count, int(count * 1.2 * least_s / spent)) if spent else count
            spent = timed(run, count)
            count, last = (count, count) if spent >= least_s else (2 * count, count)
        loops[name] = last
    rounds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(REPEATS):
        for name, run in contestants.items():
            rounds[name].append(timed(run, loops[name]) / loops[name] * 1e6)
    return {name: median(times) for name, times in rounds.items()}


def timed(run: Callable[[], object], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        run()
    return time.perf_counter() - start


class Sheet:
    """Tables of times, ratios and targets, printed as they come."""

    def __init__(self) -> None:
        self.verdicts: list[tuple[str, bool]] = []

    def table(
        self, title: str, unit: str, scale: float, times: dict[str, float], own: str | None = None
    ) -> None:
        base = times.get(own or next(iter(times)))
        print(f"\n{title} ({unit})")
        for name, time_us in times.items():
            ratio = f"{time_us / base:8.2f} x" if base else ""
            print(f"  {name:34} {time_us * scale:10.2f} {ratio}", flush=True)

    def target(self, what: str, value: float, limit: float, unit: str) -> None:
        met = value <= limit
        self.verdicts.append((what, met))
        print(f"  target: {what} {value:.2f} <= {limit:g} {unit}: {'met' if met else 'MISSED'}", flush=True)


def compiled(function: Callable) -> Callable | None:
    """The function under torch.compile, or `None` with the reason printed."""
    try:
        made = torch.compile(function)
        made(torch.ones(SMALL))
    except Exception as error:  # a missing compiler, mostly
        print(f"torch.compile left out: {str(error).splitlines()[0]}")
        return None
    return made


def peers(wanted: bool) -> list:
    """The peers that import, each with the formula; why one is missing is printed."""
    found = []
    for make in PEERS if wanted else []:
        try:
            found.append(make(THREADS))
        except Exception as error:  # whatever a peer's import or compiler raises
            print(
                f"{make.__name__} left out: {type(error).__name__}: {(str(error).splitlines() or [''])[0][:150]}"
            )
    return found


def ask(peer, what: str, *arguments) -> dict:
    """What a peer offers, each tried once; what fails is left out, and why is printed."""
    good = {}
    try:
        for name, offer in getattr(peer, what)(*arguments).items():
            if callable(offer):
                offer()
            good[name] = offer
    except Exception as error:  # whatever a peer raises
        print(f"{type(peer).__name__}.{what} left out: {type(error).__name__}: {str(error)[:200]}")
    return good


def call_cost(sheet: Sheet, module: pb.Module, fast: Callable | None, others: list) -> None:
    x, y, z = (np.ones(SMALL, np.float32) for _ in range(3))
    tx, ty, tz = (torch.ones(SMALL) for _ in range(3))
    formula, mad = module.formula, module.mad
    contestants: Contestants = {
        "pullback, NumPy": lambda: formula(x),
        "pullback, torch": lambda: formula(tx),
        "NumPy": lambda: numpy_formula(x),
        "torch eager": lambda: torch_formula(tx),
    }
    if fast:
        contestants["torch.compile"] = lambda: fast(tx)
    for peer in others:
        contestants |= ask(peer, "small", SMALL)
    times = measure(contestants)
    sheet.table(f"call without grad, the formula, N = {SMALL}", "us", 1, times, "pullback, torch")
    three = measure(
        {
            "pullback, NumPy": lambda: mad(x, y, z),
            "pullback, torch": lambda: mad(tx, ty, tz),
            "pullback, torch, keywords": lambda: mad(x=tx, y=ty, z=tz),
            "NumPy": lambda: x * y + z,
            "torch eager": lambda: torch.addcmul(tz, tx, ty),
        }
    )
    sheet.table(f"call without grad, x * y + z, three arrays, N = {SMALL}", "us", 1, three, "pullback, torch")
    sheet.target("call without grad, NumPy", max(times["pullback, NumPy"], three["pullback, NumPy"]), 4, "us")
    sheet.target("call without grad, torch", max(times["pullback, torch"], three["pullback, torch"]), 4, "us")
    sheet.target("the same, in the end", max(times["pullback, torch"], three["pullback, torch"]), 2, "us")


def gradients(sheet: Sheet, module: pb.Module, fast: Callable | None, others: list) -> None:
    x, seed = torch.ones(SMALL, requires_grad=True), torch.ones(SMALL)
    formula = module.formula

    def both(function: Callable) -> Callable[[], object]:
        def run() -> None:
            x.grad = None
            function(x).backward(seed)

        return run

    forward: Contestants = {
        "pullback": lambda: formula(x),
        "torch eager": lambda: torch_formula(x),
        "torch g * g": lambda: x * x,
    }
    backward: Contestants = {
        "pullback": both(formula),
        "torch g * g": both(lambda x: x * x),
        "torch eager": both(torch_formula),
    }
    if fast:
        forward["torch.compile"] = lambda: fast(x)
        backward["torch.compile"] = both(fast)
    for peer in others:
        backward |= ask(peer, "gradient", SMALL)
    forward_us, backward_us = measure(forward), measure(backward)
    sheet.table(f"forward under grad, N = {SMALL}", "us", 1, forward_us)
    sheet.target("forward under grad", forward_us["pullback"], 5, "us")
    sheet.table(f"forward and backward, N = {SMALL}", "us", 1, backward_us)
    ratio = backward_us["pullback"] / backward_us["torch g * g"]
    sheet.target("forward and backward, to torch's g * g", ratio, 1.25, "x")


COLD = """
import time, sys, numpy as np
import_start = time.perf_counter()
import pullback as pb
imported = time.perf_counter()
device = pb.create_device(getattr(pb.DeviceType, sys.argv[2]))
x = np.ones(4, np.float32)
start = time.perf_counter()
module = pb.Module.load_from_file(device, sys.argv[1])
module.formula(x)
first = time.perf_counter()
pb.value_and_grad(module.formula)(x)
gradient = time.perf_counter()
print((imported - import_start) * 1e6, (first - start) * 1e6, (gradient - first) * 1e6)
"""


def cold(sheet: Sheet, others: list) -> None:
    """Fresh processes: nothing of the file's is cached but by the system."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "formula.slang")
        file.write_text(SOURCE)
        for name in ("cpu", "vulkan"):
            command = [sys.executable, "-c", COLD, str(file), name]
            runs = [
                subprocess.run(command, capture_output=True, text=True, check=False) for _ in range(REPEATS)
            ]
            if runs[0].returncode:
                print(f"\ncold on {name} left out: {runs[0].stderr.strip().splitlines()[-1]}")
                continue
            columns = zip(*(map(float, run.stdout.split()) for run in runs), strict=True)
            import_us, first_us, gradient_us = (median(column) for column in columns)
            times = {
                "load a file + first call": first_us,
                "first gradient after it": gradient_us,
                "import pullback": import_us,
            }
            for peer in others if name == "cpu" else []:
                times |= ask(peer, "cold")
            sheet.table(f"cold, {name}, fresh processes", "ms", 1e-3, times)
            if name == "cpu":
                sheet.target("cold load + first call", first_us / 1e3, 10, "ms")
                sheet.target("import pullback", import_us / 1e3, 100, "ms")


def large(sheet: Sheet, module: pb.Module, fast: Callable | None, others: list) -> None:
    x = np.random.default_rng(0).random(LARGE, np.float32) * 4 - 2
    out, tx = np.empty_like(x), torch.from_numpy(x)
    formula = module.formula
    contestants: Contestants = {
        "pullback, cpu": lambda: formula(x, _result=out),
        "pullback, cpu, new result": lambda: formula(x),
        "torch eager": lambda: torch_formula(tx),
        "NumPy": lambda: numpy_formula(x),
        "copy (np.copyto)": lambda: np.copyto(out, x),
    }
    try:
        vulkan = pb.create_device(pb.DeviceType.vulkan)
        on_vulkan = pb.Module.load_from_source(vulkan, "bench.slang", SOURCE).formula
        contestants["pullback, vulkan"] = lambda: on_vulkan(x, _result=out)
        resident = pb.Tensor.from_numpy(vulkan, x)

        def in_place() -> None:
            on_vulkan(resident)
            vulkan.synchronize()

        contestants["pullback, vulkan, Tensor"] = in_place
    except pb.DeviceError as error:
        print(f"SKIPPED-DEVICE: vulkan: {str(error).splitlines()[0]}")
    if fast:
        contestants["torch.compile"] = lambda: fast(tx)
    for peer in others:
        contestants |= ask(peer, "large", x)
    times = measure(contestants, 0.02)
    sheet.table(f"formula over {LARGE:.0e} float32, {THREADS} threads", "ms", 1e-3, times)
    wanted = numpy_formula(x)
    worst = np.abs(formula(x) - wanted).max()
    print(f"  largest difference to NumPy: {worst:.1e}")
    if "torch.compile" in times:
        sheet.target("1e7, to torch.compile", times["pullback, cpu"] / times["torch.compile"], 1, "x")
    sheet.target("1e7, to Dr.Jit's time where it was measured", times["pullback, cpu"] / 1e3, 7.6, "ms")
    big = torch.from_numpy(x).requires_grad_()
    seed = torch.ones(LARGE)

    def both(function: Callable) -> Callable[[], object]:
        def run() -> None:
            big.grad = None
            function(big).backward(seed)

        return run

    backward: Contestants = {"pullback, cpu": both(formula), "torch eager": both(torch_formula)}
    if fast:
        backward["torch.compile"] = both(fast)
    sheet.table(f"forward and backward over {LARGE:.0e}", "ms", 1e-3, measure(backward, 0.02))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", action="store_true", help="other frameworks too, where they are installed")
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    device = pb.create_torch_device(pb.DeviceType.cpu)
    module = pb.Module.load_from_source(device, "bench.slang", SOURCE)
    load = os.getloadavg()[0]
    print(f"{platform.platform()}, {os.cpu_count()} CPUs, load {load:.1f}, {device.name}")
    print(
        f"Python {platform.python_version()}, NumPy {np.__version__}, torch {torch.__version__}; formula: {FORMULA}"
    )
    sheet = Sheet()
    fast = compiled(torch_formula)
    others = peers(options.peers)
    call_cost(sheet, module, fast, others)
    gradients(sheet, module, fast, others)
    cold(sheet, others)
    large(sheet, module, fast, others)
    print("\ntargets")
    for what, met in sheet.verdicts:
        print(f"  {'met   ' if met else 'MISSED'} {what}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
