"""Values and gradients of built-in functions beside torch's own, at kinks, ties and poles too."""

import numpy as np
import pytest
import torch

INF = float("inf")
EVERYWHERE = [-2.5, -1.0, -0.5, -0.0, 0.0, 0.25, 0.5, 1.0, 1.5, 3.0]
POSITIVE = [1e-30, 1e-4, 0.25, 1.0, 2.0, 10.0, 1e4]

# Slang expression, the same in torch, points.
UNARY = [
    ("x * x", lambda x: x * x, EVERYWHERE),
    ("1.0 / x", lambda x: 1 / x, [-3.0, -0.5, 1e-4, 0.25, 7.0]),
    ("sin(x)", torch.sin, EVERYWHERE),
    ("cos(x)", torch.cos, EVERYWHERE),
    ("tan(x)", torch.tan, [-1.2, -0.5, 0.0, 0.5, 1.2]),
    ("asin(x)", torch.asin, [-0.9, -0.5, 0.0, 0.3, 0.9]),
    ("acos(x)", torch.acos, [-0.9, -0.5, 0.0, 0.3, 0.9]),
    ("atan(x)", torch.atan, EVERYWHERE),
    ("sinh(x)", torch.sinh, EVERYWHERE),
    ("cosh(x)", torch.cosh, EVERYWHERE),
    ("tanh(x)", torch.tanh, EVERYWHERE),
    ("exp(x)", torch.exp, EVERYWHERE),
    ("exp2(x)", torch.exp2, EVERYWHERE),
    ("log(x)", torch.log, POSITIVE),
    ("log2(x)", torch.log2, POSITIVE),
    ("log10(x)", torch.log10, POSITIVE),
    ("sqrt(x)", torch.sqrt, [0.0, *POSITIVE]),
    ("rsqrt(x)", torch.rsqrt, [1e-4, 0.25, 1.0, 10.0]),
    ("abs(x)", torch.abs, EVERYWHERE),
    ("sign(x) * x", lambda x: torch.sign(x) * x, EVERYWHERE),
    ("floor(x) + x", lambda x: torch.floor(x) + x, EVERYWHERE),
    ("ceil(x) * x", lambda x: torch.ceil(x) * x, EVERYWHERE),
    ("trunc(x) * x", lambda x: torch.trunc(x) * x, EVERYWHERE),
    ("frac(x)", lambda x: x - torch.floor(x), EVERYWHERE),
    ("saturate(x)", lambda x: torch.clamp(x, 0, 1), EVERYWHERE),
    ("clamp(x, -0.5, 1.5)", lambda x: torch.clamp(x, -0.5, 1.5), EVERYWHERE),
    (
        "x > 0.0 ? sqrt(x) : 0.0",
        lambda x: torch.where(x > 0, x.clamp(min=1e-38).sqrt(), x * 0),
        [-1.0, 0.0, 0.25, 4.0],
    ),
    ("max(x, 0.0)", torch.relu, [-1.0, -0.5, 0.5, 2.0]),
    ("x / (1.0 + exp(-x))", torch.nn.functional.silu, EVERYWHERE),
]

BINARY = [
    ("x + y", torch.add, [(1, 2), (-1, 0.5)]),
    ("x - y", torch.sub, [(1, 2), (-1, 0.5)]),
    ("x * y", torch.mul, [(1, 2), (-1, 0.5), (0, 3)]),
    ("x / y", torch.div, [(1, 2), (-1, 0.5), (0, 3)]),
    ("pow(x, y)", torch.pow, [(2, 3), (0.5, -1.5), (4, 0.5), (1e-7, 0.5), (10, 0), (0, 2), (0, 1)]),
    ("atan2(x, y)", torch.atan2, [(1, 2), (-1, 0.5), (1, -2), (-1, -2), (1, 0), (0, 1)]),
    ("min(x, y)", torch.minimum, [(1, 2), (2, 1), (1, 1), (0, 0), (-3, -3)]),
    ("max(x, y)", torch.maximum, [(1, 2), (2, 1), (1, 1), (0, 0), (-3, -3)]),
    ("fmod(x, y)", torch.fmod, [(5.5, 2), (-5.5, 2), (5.5, -2), (0.5, 3)]),
    ("lerp(x, y, 0.25)", lambda x, y: torch.lerp(x, y, 0.25), [(1, 2), (3, -1)]),
    ("x > y ? x * x : y", lambda x, y: torch.where(x > y, x * x, y), [(1, 2), (3, -1), (1, 1)]),
    ("length(float2(x, y))", torch.hypot, [(3, 4), (-1, 2), (0, 2)]),
]


def leaf(values):
    return torch.tensor(values, dtype=torch.float32, requires_grad=True)


@pytest.mark.parametrize(("text", "reference", "points"), UNARY, ids=[case[0] for case in UNARY])
def test_functions_of_one_argument(load, close, text, reference, points):
    function = load(f"float f(float x) {{ return {text}; }}").f
    ours, theirs = leaf(points), leaf(points)
    found, wanted = function(ours), reference(theirs)
    close(found, wanted)
    cotangent = torch.linspace(0.5, 2, len(points))
    found.backward(cotangent)
    wanted.backward(cotangent)
    close(ours.grad, theirs.grad)


@pytest.mark.parametrize(("text", "reference", "points"), BINARY, ids=[case[0] for case in BINARY])
def test_functions_of_two_arguments(load, close, text, reference, points):
    function = load(f"float f(float x, float y) {{ return {text}; }}").f
    xs, ys = zip(*points, strict=True)
    ours, theirs = (leaf(xs), leaf(ys)), (leaf(xs), leaf(ys))
    found, wanted = function(*ours), reference(*theirs)
    close(found, wanted)
    found.sum().backward()
    wanted.sum().backward()
    for mine, its in zip(ours, theirs, strict=True):
        close(mine.grad, its.grad)


@pytest.mark.parametrize(
    ("text", "x", "wanted"),
    [
        ("sqrt(x)", 0.0, INF),
        ("x > 0.0 ? sqrt(x) : 0.0", 0.0, 0.0),
        ("rcp(x)", 1e-4, -1e8),
        ("abs(x)", 0.0, 0.0),
        ("max(x, 0.0)", 0.0, 0.5),
        ("min(x, 1.0)", 1.0, 0.5),
        ("saturate(x)", 0.0, 1.0),
        ("saturate(x)", 1.0, 1.0),
        ("saturate(x)", 1.5, 0.0),
        ("pow(x, 3.0)", -2.0, 12.0),
        ("pow(x, 0.0)", 0.0, 0.0),
        ("pow(x, 0.5)", 1e-7, 0.5 * 1e-7**-0.5),
        ("step(0.5, x)", 0.5, 0.0),
        ("round(x)", 2.5, 0.0),
    ],
)
def test_derivatives_at_special_points(load, close, text, x, wanted):
    argument = leaf([x])
    load(f"float f(float x) {{ return {text}; }}").f(argument).sum().backward()
    close(argument.grad, [wanted])


def test_pow_of_a_negative_base_with_a_whole_exponent(load, close):
    x = leaf([-2.0, -2.0, -1.5])
    y = torch.tensor([3.0, 2.0, 3.0])
    result = load("float f(float x, float y) { return pow(x, y); }").f(x, y)
    result.sum().backward()
    close(result, [-8, 4, -3.375])
    close(x.grad, [12, -4, 6.75])


def test_fmod_differentiates_by_the_divisor(load, close):
    y = leaf([2.0, 3.0])
    load("float f(float x, float y) { return fmod(x, y); }").f(torch.tensor([5.5, -7.0]), y).sum().backward()
    close(y.grad, [-2, 2])


def test_vector_and_matrix_functions(load, close):
    module = load("""
float project(float3 v, float3 n) { return dot(v, normalize(n)); }
float3 turn(float3x3 m, float3 v) { return cross(mul(m, v), v); }
""")
    random = torch.Generator().manual_seed(2)
    v, n = (torch.randn(20, 3, generator=random) for _ in range(2))
    m = torch.randn(20, 3, 3, generator=random)
    cases = [
        (module.project, (v, n), lambda v, n: (v * torch.nn.functional.normalize(n, dim=-1)).sum(-1)),
        (module.turn, (m, v), lambda m, v: torch.linalg.cross((m @ v[..., None])[..., 0], v)),
    ]
    for function, arguments, reference in cases:
        ours = [a.clone().requires_grad_() for a in arguments]
        theirs = [a.clone().requires_grad_() for a in arguments]
        found, wanted = function(*ours), reference(*theirs)
        close(found, wanted)
        found.square().sum().backward()
        wanted.square().sum().backward()
        for mine, its in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(mine.grad, its.grad, rtol=1e-3, atol=2e-3)


def test_gradcheck_in_double(load_cpu):
    function = load_cpu(
        "double f(double x, double y) { return sin(x) * exp(y) + pow(x * x + 1.0, y) / (y * y + 1.0); }"
    ).f
    random = torch.Generator().manual_seed(3)
    x = torch.randn(4, 1, 3, dtype=torch.float64, generator=random, requires_grad=True)
    y = torch.randn(2, 1, dtype=torch.float64, generator=random, requires_grad=True)
    assert torch.autograd.gradcheck(function, (x, y))
