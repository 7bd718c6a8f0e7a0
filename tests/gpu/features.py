"""What calls can do beside plain functions of numbers, as programs that give arrays: the same on every device."""

from collections.abc import Callable

import numpy as np
import torch

import pullback as pb

LANES = 5000
TEXT = """
import slangpy;

float gathered(StructuredBuffer<float> values, int i, float x) { return values[i] * values[i] * x; }
float3 gathered_vectors(StructuredBuffer<float3> values, int i, float x) { return values[i].zxy * x; }
float of_tensor(Tensor<float, 2> t, int i, float x) { return t[i % 7, 1] * x + t[2, i % 3]; }
float store(float x, RWStructuredBuffer<float> squares, int i) { squares[i] = x * x; return x; }
void add(float x, RWStructuredBuffer<float> sums, int i) { InterlockedAdd(sums[i], sin(x)); }

[BackwardDerivative(clipped_backward)]
float clipped(float x, float limit) { return clamp(x, -limit, limit); }
void clipped_backward(inout DifferentialPair<float> x, inout DifferentialPair<float> limit, float d)
{
    x = diffPair(x.p, abs(x.p) <= limit.p ? d : 0.1 * d);
    limit = diffPair(limit.p, 0.0);
}
[Differentiable]
float through_clipped(float x, float limit)
{
    float sum = 0;
    for (int i = 0; i < 4; i++) sum += clipped(x * i, limit) * sin(x);
    return sum;
}

interface IShape : IDifferentiable { [Differentiable] float area(float r); }
struct Disk : IShape { float scale; [Differentiable] float area(float r) { return scale * r * r; } }
struct Line : IShape { float scale; [Differentiable] float area(float r) { return scale * r; } }
[Differentiable]
float chosen(int which, float scale, float r)
{
    Disk disk = { scale };
    Line line = { scale };
    IShape shape = line;
    if (which % 2 == 0) shape = disk;
    return shape.area(r);
}

extern static const int Power = 2;
float powered(float x) { float y = 1; for (int i = 0; i < Power; i++) y *= x; return y; }

uniform float gain;
float amplified(float x) { return gain * x; }

float swung(float4 rates, float x, int trips)
{
    float4 state = float4(x);
    for (int i = 0; i < trips; ++i)
        state = (3.0 + 0.1 * rates) * state * (1.0 - state);
    return dot(state, float4(1));
}
"""


def programs(device: pb.Device, where: str) -> dict[str, Callable[[], list]]:
    """Each feature, as a function that gives arrays."""
    module = pb.Module.load_from_source(device, "features.slang", TEXT)
    random = np.random.default_rng(17)
    at = random.integers(0, 20, LANES).astype(np.int32)
    x = random.uniform(-1, 1, LANES).astype(np.float32)
    values = random.uniform(-1, 1, 20).astype(np.float32)

    def tensor(array: np.ndarray, requires_grad: bool = False) -> torch.Tensor:
        return torch.from_numpy(array.copy()).to(where).requires_grad_(requires_grad)

    def backward(function: pb.Function, *args, **kwargs) -> list:
        tensors = [arg for arg in args if isinstance(arg, torch.Tensor) and arg.is_floating_point()]
        for arg in tensors:
            arg.requires_grad_()
        result = function(*args, **kwargs)
        result.backward(torch.ones_like(result))
        return [result.detach(), *(arg.grad for arg in tensors)]

    def gathers(function: pb.Function, table: np.ndarray) -> Callable[[], list]:
        return lambda: backward(function, tensor(table), tensor(at), tensor(x))

    def deterministic() -> list:
        function = module.gathered.deterministic()
        first, again = (backward(function, tensor(values), tensor(at), tensor(x)) for _ in range(2))
        for one, other in zip(first, again, strict=True):
            assert torch.equal(one, other)
        return first

    def written(name: str, index: np.ndarray) -> Callable[[], list]:
        def run() -> list:
            leaf, array = tensor(x, requires_grad=True), torch.zeros(LANES, device=where)
            module[name](leaf, array, tensor(index))
            (array * tensor(np.arange(LANES, dtype=np.float32) / LANES)).sum().backward()
            return [array.detach(), leaf.grad]

        return run

    def given_cotangents() -> list:
        squares = tensor(np.zeros(LANES, np.float32))
        index = tensor(np.arange(LANES, dtype=np.int32))
        ones = torch.ones(LANES, device=where)
        return [module.store.bwds(tensor(x), squares, index, d_result=ones, d_squares=2 * ones)["x"]]

    def forward() -> list:
        return list(module.powered.fwds(tensor(x), d_x=torch.ones(LANES, device=where)))

    def second() -> list:
        leaf = tensor(x, requires_grad=True)
        (first,) = torch.autograd.grad(module.powered(leaf).sum(), leaf, create_graph=True)
        first.sum().backward()
        return [first.detach(), leaf.grad]

    def linked() -> list:
        return backward(module.powered.constants({"Power": 5}), tensor(x))

    def uniform() -> list:
        return backward(module.amplified.set(gain=2.5), tensor(x))

    def checkpoints() -> list:
        # Contracting, so that rounding does not grow.
        rates = np.linspace(-5, -1, 4 * LANES, dtype=np.float32).reshape(LANES, 4)
        trips = (at + 10).astype(np.int32)
        return backward(module.swung, tensor(rates), tensor(np.abs(x) * 0.3 + 0.2), tensor(trips))

    return {
        "gathers from a buffer": gathers(module.gathered, values),
        "gathers of vectors": gathers(
            module.gathered_vectors, random.uniform(-1, 1, (20, 3)).astype(np.float32)
        ),
        "a tensor of strides": gathers(
            module.of_tensor, random.uniform(-1, 1, (3, 7)).astype(np.float32).T.copy()
        ),
        "exact sums": deterministic,
        "an array that is written": written("store", np.arange(LANES, dtype=np.int32)),
        "an array that is added to": written("add", at),
        "cotangents of an array": given_cotangents,
        "a given derivative": lambda: backward(module.through_clipped, tensor(x), 0.5),
        "forward mode": forward,
        "second derivatives": second,
        "values of an interface": lambda: backward(module.chosen, tensor(at), tensor(x), tensor(x)),
        "a constant that is linked": linked,
        "a uniform": uniform,
        "a loop that stores states": checkpoints,
    }
