"""The formula in other frameworks, written as their users would. Each class is made only where its framework imports."""

import os
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from statistics import median

import numpy as np
import torch


def fresh_process_us(program: str, repeats: int = 3) -> float:
    """What a program prints last (microseconds), the median over fresh processes with an empty home: no compile cache."""
    times = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as home:
            command, environment = [sys.executable, "-c", program], os.environ | {"HOME": home}
            run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        times.append(float(run.stdout.split()[-1]))
    return median(times)


class Peer(ABC):
    """What the benchmark asks of a framework; empty where it has no answer."""

    @abstractmethod
    def __init__(self, threads: int) -> None:
        """Imports the framework and compiles the kernels, for that many threads."""

    def small(self, n: int) -> dict:
        """Calls on n elements."""
        return {}

    def gradient(self, n: int) -> dict:
        """Forward and backward on n elements."""
        return {}

    def large(self, x: np.ndarray) -> dict:
        """Calls on a large array."""
        return {}

    def cold(self) -> dict:
        """Compile and first call in fresh processes, microseconds."""
        return {}


class Numba(Peer):
    """`numba.vectorize` for calls, `njit(parallel=True)` for large arrays."""

    PROGRAM = """
import math, numba, numpy as np
@numba.vectorize(["float32(float32)"], fastmath=True)
def formula(x):
    return np.float32(0.5)*x*x + np.float32(0.25)*x + np.float32(0.125) + math.sin(x) + math.exp(-x*x)
"""

    def __init__(self, threads: int) -> None:
        scope: dict = {}
        exec(self.PROGRAM, scope)
        import math

        import numba

        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
        self.call = scope["formula"]

        @numba.njit(parallel=True, fastmath=True)
        def over(x, out):
            for i in numba.prange(x.size):
                v = x[i]
                out[i] = (
                    np.float32(0.5) * v * v
                    + np.float32(0.25) * v
                    + np.float32(0.125)
                    + math.sin(v)
                    + math.exp(-v * v)
                )

        self.over = over

    def small(self, n: int) -> dict:
        x = np.ones(n, np.float32)
        return {"numba (vectorize)": lambda: self.call(x)}

    def large(self, x: np.ndarray) -> dict:
        out = np.empty_like(x)
        return {"numba (parallel)": lambda: self.over(x, out)}

    def cold(self) -> dict:
        program = (
            "import math, numba, numpy as np, time\nx = np.ones(4, np.float32)\nstart = time.perf_counter()\n"
            + self.PROGRAM
            + "formula(x)\nprint((time.perf_counter() - start) * 1e6)"
        )
        return {"numba": fresh_process_us(program)}


class DrJit(Peer):
    """Traced and frozen on the LLVM back end; the tape for gradients."""

    def __init__(self, threads: int) -> None:
        import drjit as dr
        from drjit.auto.ad import Float as Diff
        from drjit.llvm import Float

        dr.set_thread_count(threads)
        self.dr, self.float, self.diff = dr, Float, Diff

        def formula(x):
            return 0.5 * x * x + 0.25 * x + 0.125 + dr.sin(x) + dr.exp(-x * x)

        self.formula, self.frozen = formula, dr.freeze(formula)
        dr.eval(self.frozen(Float([1.0] * 4)))

    def small(self, n: int) -> dict:
        x = self.float([1.0] * n)
        return {
            "drjit (traced)": lambda: self.dr.eval(self.formula(x)),
            "drjit (frozen)": lambda: self.frozen(x),
        }

    def gradient(self, n: int) -> dict:
        dr = self.dr

        def run() -> None:
            x = self.diff([1.0] * n)
            dr.enable_grad(x)
            dr.backward(self.formula(x))
            dr.eval(dr.grad(x))

        return {"drjit (traced)": run}

    def large(self, x: np.ndarray) -> dict:
        value = self.float(x)

        def run() -> None:
            self.dr.eval(self.formula(value))
            self.dr.sync_thread()

        return {"drjit": run}

    def cold(self) -> dict:
        program = """
import drjit as dr, time
from drjit.llvm import Float
start = time.perf_counter()
x = Float([1.0] * 4)
dr.eval(0.5*x*x + 0.25*x + 0.125 + dr.sin(x) + dr.exp(-x*x)); dr.sync_thread()
print((time.perf_counter() - start) * 1e6)
"""
        return {"drjit": fresh_process_us(program)}


class Warp(Peer):
    """A kernel on the CPU device: launched, recorded, and on the tape."""

    def __init__(self, threads: int) -> None:
        import warp as wp

        wp.config.quiet = True
        wp.init()
        self.wp = wp
        # Warp reads a kernel's source from its file.
        from warp_kernel import formula

        self.kernel = formula
        self.threads = threads

    def arrays(self, n: int, requires_grad: bool = False):
        wp = self.wp
        x = wp.full(n, 1.0, dtype=float, device="cpu", requires_grad=requires_grad)
        return x, wp.zeros(n, dtype=float, device="cpu", requires_grad=requires_grad)

    def small(self, n: int) -> dict:
        x, y = self.arrays(n)
        tx, ty = torch.ones(n), torch.empty(n)
        return {
            "warp": lambda: self.wp.launch(self.kernel, dim=n, inputs=[x], outputs=[y], device="cpu"),
            "warp, torch": lambda: self.wp.launch(
                self.kernel, dim=n, inputs=[tx], outputs=[ty], device="cpu"
            ),
        }

    def gradient(self, n: int) -> dict:
        wp = self.wp
        x, y = self.arrays(n, True)
        seed = wp.full(n, 1.0, dtype=float, device="cpu")

        def run() -> None:
            with wp.Tape() as tape:
                wp.launch(self.kernel, dim=n, inputs=[x], outputs=[y], device="cpu")
            tape.backward(grads={y: seed})
            tape.zero()

        return {"warp (tape)": run}

    def large(self, x: np.ndarray) -> dict:
        source = self.wp.array(x, dtype=float, device="cpu")
        target = self.wp.zeros(x.size, dtype=float, device="cpu")
        return {
            "warp (1 thread)": lambda: self.wp.launch(
                self.kernel, dim=x.size, inputs=[source], outputs=[target], device="cpu"
            )
        }


class Taichi(Peer):
    """A kernel over an ndarray on the CPU back end."""

    def __init__(self, threads: int) -> None:
        import taichi as ti

        ti.init(arch=ti.cpu, cpu_max_num_threads=threads, log_level=ti.ERROR, offline_cache=False)
        from taichi_kernel import make

        self.kernel = make(ti)

    def small(self, n: int) -> dict:
        x, y = np.ones(n, np.float32), np.empty(n, np.float32)
        tx, ty = torch.ones(n), torch.empty(n)
        return {"taichi, NumPy": lambda: self.kernel(x, y), "taichi, torch": lambda: self.kernel(tx, ty)}

    def large(self, x: np.ndarray) -> dict:
        out = np.empty_like(x)
        return {"taichi": lambda: self.kernel(x, out)}


class SlangPy(Peer):
    """The functional API on Vulkan: it does not run on the CPU."""

    TEXT = "float formula(float x) { return 0.5*x*x + 0.25*x + 0.125 + sin(x) + exp(-x*x); }"

    def __init__(self, threads: int) -> None:
        os.environ["LP_NUM_THREADS"] = str(threads)
        import slangpy as spy

        self.spy = spy
        self.device = spy.create_device(type=spy.DeviceType.vulkan)
        module = spy.Module(self.device.load_module_from_source("bench", self.TEXT))
        self.function = module.formula
        self.function(spy.Tensor.from_numpy(self.device, np.ones(4, np.float32)))

    def tensor(self, x: np.ndarray):
        return self.spy.Tensor.from_numpy(self.device, x)

    def small(self, n: int) -> dict:
        x = self.tensor(np.ones(n, np.float32))

        def run() -> None:
            self.function(x)
            self.device.wait()

        return {"slangpy, vulkan, Tensor": run, "slangpy, vulkan, no wait": lambda: self.function(x)}

    def large(self, x: np.ndarray) -> dict:
        source = self.tensor(x)
        target = self.tensor(np.zeros_like(x))

        def run() -> None:
            self.function(source, _result=target)
            self.device.wait()

        return {"slangpy, vulkan, Tensor": run}

    def cold(self) -> dict:
        program = f"""
import slangpy as spy, numpy as np, time
device = spy.create_device(type=spy.DeviceType.vulkan)
start = time.perf_counter()
module = spy.Module(device.load_module_from_source("bench", {self.TEXT!r}))
module.formula(spy.Tensor.from_numpy(device, np.ones(4, np.float32))); device.wait()
print((time.perf_counter() - start) * 1e6)
"""
        return {"slangpy, vulkan": fresh_process_us(program, 1)}


PEERS = [Numba, DrJit, Warp, Taichi, SlangPy]
