"""Whole functions beside the same in torch: vectors, structs, arrays, branches and loops, values and gradients.

Built-in functions one by one are in `torch_bridge/test_derivatives.py`.
"""

import numpy as np
import pytest
import torch

FUNCTIONS = []


def case(text, *points):
    """Enters a Slang function `f` of floats, the decorated torch function, and the points, one tuple per argument."""

    def enter(reference):
        FUNCTIONS.append(pytest.param(text, reference, points, id=reference.__name__))
        return reference

    return enter


def varied(count, start):
    """Points without ties, other ones for each argument."""
    return tuple(np.linspace(-1.4 + 0.1 * start, 1.5 - 0.07 * start, 6).tolist() for start in range(count))


ONE, TWO, THREE = varied(1, 0), varied(2, 1), varied(3, 2)
TIES = ([0.0, 0.5, 1.0, -1.0, 0.5], [0.0, 0.5, -1.0, -1.0, 0.25])


@case("float f(float x) { return ((2.0 * x - 3.0) * x + 0.5) * x - 1.0; }", *ONE)
def cubic(x):
    return ((2 * x - 3) * x + 0.5) * x - 1


@case("float f(float x) { return exp(-0.5 * x * x) / 2.5; }", *ONE)
def bell(x):
    return torch.exp(-0.5 * x * x) / 2.5


@case("float f(float x) { return 1.0 / (1.0 + exp(-x)); }", *ONE)
def logistic(x):
    return torch.sigmoid(x)


@case("float f(float x) { return log(1.0 + exp(x)); }", *ONE)
def softplus(x):
    return torch.nn.functional.softplus(x)


@case("float f(float x) { return x > 0.0 ? x : exp(x) - 1.0; }", [-2.0, -0.5, 0.5, 2.0])
def elu(x):
    return torch.nn.functional.elu(x)


@case("float f(float x) { return max(x, 0.1 * x); }", [-2.0, -0.5, 0.5, 2.0])
def leaky(x):
    return torch.nn.functional.leaky_relu(x, 0.1)


@case("float f(float x) { return clamp(x, -1.0, 1.0); }", [-2.0, -1.0, 0.0, 1.0, 1.5])
def hardtanh_with_its_bounds_inside(x):
    return torch.clamp(x, -1, 1)


@case("float f(float x) { return abs(x) * x + sign(x); }", [-1.0, 0.0, 0.5])
def signed_square(x):
    return torch.abs(x) * x + torch.sign(x)


@case("float f(float x, float y) { return min(x, y) * max(x, y); }", *TIES)
def product_by_order_with_ties(x, y):
    return torch.minimum(x, y) * torch.maximum(x, y)


@case("float f(float x, float y) { return max(max(x, y), 0.5); }", *TIES)
def greatest_of_three_with_ties(x, y):
    return torch.maximum(torch.maximum(x, y), torch.tensor(0.5))


@case("float f(float x, float y) { return abs(x - y); }", *TIES)
def distance_with_ties(x, y):
    return torch.abs(x - y)


@case("float f(float x, float y) { return x >= y ? x * y : x - y; }", *TIES)
def branch_at_its_tie(x, y):
    return torch.where(x >= y, x * y, x - y)


@case("float f(float x, float y) { if (x < y) { x = x * x; } else { y = sin(y); } return x * y; }", *TWO)
def assignment_in_arms(x, y):
    return torch.where(x < y, x * x * y, x * torch.sin(y))


@case("float f(float x, float y) { if (x > 0.4) return y; if (y > 0.4) return x * x; return x * y; }", *TWO)
def early_returns(x, y):
    return torch.where(x > 0.4, y, torch.where(y > 0.4, x * x, x * y))


@case(
    "float f(float x, int n) { switch (n) { case 0: return x; case 1: x *= 2.0; case 2: return x * x; } return 1.0; }",
    [0.5, 1.5, 2.5, 3.5],
    [0, 1, 2, 3],
)
def switch_that_falls_through(x, n):
    return torch.where(n == 0, x, torch.where(n == 1, 4 * x * x, torch.where(n == 2, x * x, torch.ones(()))))


@case("float f(float x, float y) { float2 v = float2(x, y); return dot(v, v.yx) + v.x; }", *TWO)
def swizzled(x, y):
    return 2 * x * y + x


@case("float f(float x, float y) { return length(float3(x, y, 1.0)); }", *TWO)
def norm(x, y):
    return torch.sqrt(x * x + y * y + 1)


@case("float f(float x, float y) { return normalize(float3(x, y, 2.0)).y; }", *TWO)
def direction(x, y):
    return y / torch.sqrt(x * x + y * y + 4)


@case("float f(float x, float y, float z) { return cross(float3(x, y, z), float3(z, 1.0, x)).x; }", *THREE)
def crossed(x, y, z):
    return y * x - z


@case(
    "float f(float x, float y, float z) { return reflect(float3(x, y, z), float3(0.0, y, 1.0)).z; }", *THREE
)
def reflected(x, y, z):
    return z - 2 * (y * y + z)


@case(
    "float f(float x, float y) { float2x2 m = float2x2(x, y, -y, x); return mul(m, mul(m, float2(1.0, x))).y; }",
    *TWO,
)
def matrix_twice_on_a_vector(x, y):
    a, b = x + y * x, -y + x * x
    return -y * a + x * b


@case("float f(float x, float y) { return determinant(float3x3(x, y, 1.0, y, 2.0, x, 1.0, x, y)); }", *TWO)
def determinant(x, y):
    return x * (2 * y - x * x) - y * (y * y - x) + (y * x - 2)


@case(
    "struct P { float u; float2 v; }; float f(float x, float y) { P p = { x, float2(y, x) }; p.v.y *= p.u; return p.v.y + p.v.x; }",
    *TWO,
)
def fields(x, y):
    return x * x + y


@case("void twice(inout float a) { a = a * a; } float f(float x) { twice(x); twice(x); return x; }", *ONE)
def inout_twice(x):
    return x**4


@case("float f(float x, float y) { return smoothstep(-0.5, 1.0, x) * step(0.1, y) + lerp(x, y, 0.3); }", *TWO)
def blends(x, y):
    t = torch.clamp((x + 0.5) / 1.5, 0, 1)
    return t * t * (3 - 2 * t) * (y >= 0.1) + torch.lerp(x, y, 0.3)


@case("float f(float x) { return fmod(x * 3.0, 1.25) * x + frac(x); }", *ONE)
def remainders(x):
    return torch.fmod(x * 3, 1.25) * x + x - torch.floor(x)


@case(
    "float f(float x, float y) { return atan2(x, y + 2.0) + asin(0.5 * tanh(x)) + acos(0.5 * tanh(y)); }",
    *TWO,
)
def angles(x, y):
    return torch.atan2(x, y + 2) + torch.asin(0.5 * torch.tanh(x)) + torch.acos(0.5 * torch.tanh(y))


@case("float f(float x) { float p = 1.0; for (int i = 0; i < 5; ++i) p *= x; return p; }", *ONE)
def power_by_a_loop(x):
    return x**5


@case(
    "float f(float x, int n) { float p = 1.0; for (int i = 0; i < n; ++i) p *= x; return p; }",
    [2.0, 2.0, 0.5, 3.0],
    [3, 0, 7, 1],
)
def power_by_a_loop_of_n_trips(x, n):
    return x**n


@case(
    "float f(float x) { float y = 1.0; while (abs(y * y - x) > 1e-6 * x) y = 0.5 * (y + x / y); return y; }",
    [0.3, 2.0, 50.0, 1e4],
)
def root_by_newton(x):
    return torch.sqrt(x)


@case(
    "float f(float x, float y) { for (int i = 0; i < 12; ++i) { x += 0.1 * y; y -= 0.1 * sin(x); } return x * y; }",
    *TWO,
)
def pendulum(x, y):
    for _ in range(12):
        x = x + 0.1 * y
        y = y - 0.1 * torch.sin(x)
    return x * y


@case(
    "float f(float x) { for (int i = 0; i < 40; ++i) { if (x > 1.2) break; x += 0.3 * cos(x); } return x * x; }",
    [-1.0, 0.4, 1.1, 3.0],
)
def a_loop_that_breaks(x):
    for _ in range(40):
        x = torch.where(x > 1.2, x, x + 0.3 * torch.cos(x))
    return x * x


@case(
    "float f(float x) { float s = 0.0; for (int i = 0; i < 9; ++i) { if (i % 3 == 1) continue; s = sin(s + x * float(i)); } return s; }",
    *ONE,
)
def a_loop_that_continues(x):
    s = torch.zeros_like(x)
    for i in range(9):
        if i % 3 != 1:
            s = torch.sin(s + x * i)
    return s


@case(
    "float f(float x, float y) { float s = x; for (int i = 0; i < 4; ++i) { for (int j = 0; j <= i; ++j) s = tanh(s * y + x); y = y * 0.9; } return s; }",
    *TWO,
)
def nested_loops(x, y):
    s = x
    for i in range(4):
        for _ in range(i + 1):
            s = torch.tanh(s * y + x)
        y = y * 0.9
    return s


@case(
    "float f(float x, float y) { float a[3] = { x, y, x * y }; for (int i = 0; i < 6; ++i) a[i % 3] = a[(i + 1) % 3] * 0.5 + sin(a[i % 3]); return a[0] + 2.0 * a[1] * a[2]; }",
    *TWO,
)
def an_array_overwritten_in_place(x, y):
    a = [x, y, x * y]
    for i in range(6):
        a[i % 3] = a[(i + 1) % 3] * 0.5 + torch.sin(a[i % 3])
    return a[0] + 2 * a[1] * a[2]


@case(
    "float f(float x, float y) { float best = -9.0; for (int i = 0; i < 5; ++i) best = max(best, x * float(i) - y * float(i * i)); return best; }",
    *TWO,
)
def greatest_of_a_loop(x, y):
    best = torch.full_like(x, -9)
    for i in range(5):
        best = torch.maximum(best, x * i - y * i * i)
    return best


def leaves(points):
    """A tensor per argument: floats that want a gradient, and ints."""
    whole = [all(isinstance(value, int) for value in column) for column in points]
    return [
        torch.tensor(column, dtype=torch.int32) if is_whole else torch.tensor(column, requires_grad=True)
        for column, is_whole in zip(points, whole, strict=True)
    ]


@pytest.mark.parametrize(("text", "reference", "points"), FUNCTIONS)
def test_values_and_gradients_are_torchs(load, close, text, reference, points):
    ours, theirs = leaves(points), leaves(points)
    found, wanted = load(text).f(*ours), reference(*theirs)
    close(found, wanted)
    cotangent = torch.linspace(0.5, 2, len(points[0]))
    found.backward(cotangent)
    wanted.backward(cotangent)
    for mine, its in zip(ours, theirs, strict=True):
        if its.requires_grad:
            close(mine.grad, torch.zeros_like(its) if its.grad is None else its.grad)
