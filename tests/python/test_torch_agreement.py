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


@case("float f(float x) { return x * saturate(x / 6.0 + 0.5); }", [-4.0, -3.0, 0.0, 1.0, 3.0, 4.0])
def hard_swish_with_its_bounds_inside(x):
    return x * torch.clamp(x / 6 + 0.5, 0, 1)


@case("float f(float x) { return x * tanh(log(1.0 + exp(x))); }", *ONE)
def mish(x):
    return torch.nn.functional.mish(x)


@case("float f(float x) { return 0.5 * x * (1.0 + tanh(0.7978845608 * (x + 0.044715 * x * x * x))); }", *ONE)
def gelu_by_tanh(x):
    return torch.nn.functional.gelu(x, approximate="tanh")


@case(
    "float f(float x, float y) { float d = abs(x - y); return d <= 0.5 ? 0.5 * d * d : 0.5 * (d - 0.25); }",
    *TWO,
)
def huber(x, y):
    return torch.nn.functional.huber_loss(x, y, reduction="none", delta=0.5)


@case(
    "float f(float x, float y, float z) { float m = max(x, max(y, z)); return m + log(exp(x - m) + exp(y - m) + exp(z - m)); }",
    *THREE,
)
def log_of_a_sum_of_exponentials(x, y, z):
    return torch.logsumexp(torch.stack((x, y, z)), 0)


@case("float f(float x, float y, float z) { return exp(x) / (exp(x) + exp(y) + exp(z)); }", *THREE)
def softmax(x, y, z):
    return torch.softmax(torch.stack((x, y, z)), 0)[0]


@case(
    "float f(float x, float y, float z) { float p = 1.0 / (1.0 + exp(-x)); return -(y * log(p) + (1.0 - y) * log(1.0 - p)) * z; }",
    [-1.5, 0.2, 2.0],
    [0.1, 0.5, 0.9],
    [1.0, 2.0, -1.0],
)
def weighted_cross_entropy(x, y, z):
    return torch.nn.functional.binary_cross_entropy_with_logits(x, y, reduction="none") * z


@case(
    "float f(float x, float y) { float3 a = float3(x, y, 1.0); float3 b = float3(y, 1.0, x); return dot(a, b) / (length(a) * length(b)); }",
    *TWO,
)
def cosine_of_two_vectors(x, y):
    a, b = torch.stack((x, y, torch.ones_like(x))), torch.stack((y, torch.ones_like(x), x))
    return torch.nn.functional.cosine_similarity(a, b, dim=0)


@case("float f(float x) { return max(x, 0.0) + min(x, 0.0) * 0.25; }", [-1.0, -0.0, 0.0, 2.0])
def rectifiers_with_a_tie_at_zero(x):
    zero = torch.zeros_like(x)
    return torch.maximum(x, zero) + torch.minimum(x, zero) * 0.25


@case(
    "float f(float x, float y) { return clamp(x, y, 0.5); }",
    [0.0, 0.5, -1.0, 0.25, 0.7],
    [0.0, 0.25, -0.5, 0.75, 0.5],
)
def clamp_between_bounds_that_meet_and_cross(x, y):
    return torch.clamp(x, y, torch.tensor(0.5))


@case(
    "float f(float x, float y) { return pow(x, y); }", [0.0, 2.0, 1.0, 0.0, 3.0], [2.0, 0.0, -1.5, 0.0, 1.0]
)
def powers_at_zero_and_one(x, y):
    return torch.pow(x, y)


@case("float f(float x) { return sqrt(x) + pow(x, 1.5) + rsqrt(x + 1.0); }", [0.25, 1.0, 4.0, 0.01])
def roots(x):
    return torch.sqrt(x) + torch.pow(x, 1.5) + torch.rsqrt(x + 1)


@case(
    "float f(float x, float y) { return floor(x * 2.0) * y + ceil(y) * x + round(x * 3.0) + trunc(y) * y; }",
    *TWO,
)
def steps_times_slopes(x, y):
    return torch.floor(x * 2) * y + torch.ceil(y) * x + torch.round(x * 3) + torch.trunc(y) * y


@case(
    "float f(float x, float y) { return sinh(x) / cosh(y) + log2(2.0 + x) * log10(3.0 + y) + exp2(x * y); }",
    *TWO,
)
def hyperbolas_and_other_bases(x, y):
    return torch.sinh(x) / torch.cosh(y) + torch.log2(2 + x) * torch.log10(3 + y) + torch.exp2(x * y)


@case(
    "float f(float x, float y) { float s, c; sincos(x, s, c); return (c * y - s) * (s * y + c) + tan(0.5 * y); }",
    *TWO,
)
def a_rotated_point(x, y):
    return (torch.cos(x) * y - torch.sin(x)) * (torch.sin(x) * y + torch.cos(x)) + torch.tan(0.5 * y)


@case(
    "float f(float x, float y) { float h = saturate(0.5 + 0.5 * (y - x) / 0.4); return lerp(y, x, h) - 0.4 * h * (1.0 - h); }",
    *TWO,
)
def smooth_minimum(x, y):
    h = torch.clamp(0.5 + 0.5 * (y - x) / 0.4, 0, 1)
    return y + h * (x - y) - 0.4 * h * (1 - h)


@case(
    "float f(float x, float y) { float3 p = abs(float3(x, y, 0.3)) - float3(0.5, 0.7, 0.2); return length(max(p, 0.0)) + min(max(p.x, max(p.y, p.z)), 0.0); }",
    [0.9, -1.2, 0.8],
    [1.1, 0.2, -0.9],
)
def distance_to_a_box(x, y):
    p = torch.stack((torch.abs(x) - 0.5, torch.abs(y) - 0.7, torch.full_like(x, 0.1)))
    inside = torch.clamp(torch.maximum(p[0], torch.maximum(p[1], p[2])), max=0)
    return torch.linalg.vector_norm(torch.clamp(p, min=0), dim=0) + inside


@case(
    "float f(float x, float y) { float b = x * 0.6 - 3.0; float c = x * x + 8.0 - y * y; float d = b * b - c; return d > 0.0 ? -b - sqrt(d) : 0.0; }",
    *TWO,
)
def where_a_ray_meets_a_sphere(x, y):
    b, c = x * 0.6 - 3, x * x + 8 - y * y
    d = b * b - c
    return torch.where(d > 0, -b - torch.sqrt(torch.clamp(d, min=1e-12)), torch.zeros_like(d))


@case(
    "float f(float x, float y) { float2x2 m = float2x2(2.0 + x, y, 0.5, 3.0); float d = determinant(m); return (m[1][1] - m[0][1] * x) / d; }",
    *TWO,
)
def solution_of_two_equations(x, y):
    return (3 - y * x) / ((2 + x) * 3 - y * 0.5)


@case(
    "float f(float x, float y) { float a[4] = { x, y, x + y, x * y }; float m = 0; for (int i = 0; i < 4; ++i) m += a[i] / 4.0;"
    " float v = 0; for (int i = 0; i < 4; ++i) v += (a[i] - m) * (a[i] - m); return (a[0] - m) / sqrt(v / 4.0 + 0.01); }",
    *TWO,
)
def one_of_four_normalized(x, y):
    a = torch.stack((x, y, x + y, x * y))
    return ((a - a.mean(0)) / torch.sqrt(a.var(0, correction=0) + 0.01))[0]


@case(
    "float f(float x, float y) { float a[4] = { x, y, 0.3, x * y }; for (int i = 0; i < 3; ++i) for (int j = 0; j < 3 - i; ++j)"
    " if (a[j] > a[j + 1]) { float t = a[j]; a[j] = a[j + 1]; a[j + 1] = t; } return a[0] + 2.0 * a[1] - a[3]; }",
    *TWO,
)
def a_sort_by_exchanges(x, y):
    a = torch.stack((x, y, torch.full_like(x, 0.3), x * y)).sort(0).values
    return a[0] + 2 * a[1] - a[3]


@case(
    "float f(float x, float y) { float h = 0; float c = 0; for (int i = 0; i < 5; ++i) { float g = 1.0 / (1.0 + exp(-(x + h)));"
    " c = g * c + (1.0 - g) * tanh(y * h + x); h = g * tanh(c); } return h; }",
    *TWO,
)
def a_gated_recurrence(x, y):
    h, c = torch.zeros_like(x), torch.zeros_like(x)
    for _ in range(5):
        g = torch.sigmoid(x + h)
        c = g * c + (1 - g) * torch.tanh(y * h + x)
        h = g * torch.tanh(c)
    return h


@case(
    "float f(float x, float y) { float s = y; for (int i = 6; i > 0; --i) s = x / (float(i) + s); return s; }",
    *TWO,
)
def a_continued_fraction(x, y):
    s = y
    for i in range(6, 0, -1):
        s = x / (i + s)
    return s


@case(
    "float f(float x, int n) { float s = 0.5 * (1.0 + exp(-x * x)); for (int i = 1; i < n; ++i) { float t = x * float(i) / float(n); s += exp(-t * t); } return s * x / float(n); }",
    [0.5, 1.0, -1.5, 2.0],
    [4, 7, 5, 1],
)
def an_integral_by_trapezoids(x, n):
    rows = []
    for value, count in zip(x, n.tolist(), strict=True):
        t = value * torch.linspace(0, 1, count + 1)
        rows.append(torch.trapezoid(torch.exp(-t * t), dx=1.0) * value / count)
    return torch.stack(rows)


@case(
    "float f(float x, float y) { float z = 0; int n = 0; do { z = z * z * 0.3 + x; y *= 0.8; n++; } while (n < 6 && y > 0.2); return z * y; }",
    *TWO,
)
def a_loop_with_its_condition_behind(x, y):
    z = torch.zeros_like(x)
    on = torch.ones_like(x, dtype=torch.bool)
    for _ in range(6):
        z = torch.where(on, z * z * 0.3 + x, z)
        y = torch.where(on, y * 0.8, y)
        on = on & (y > 0.2)
    return z * y


@case(
    "float f(float x) { for (int i = 0; i < 6; ++i) { switch (i % 3) { case 0: x = sin(x); break; case 1: x *= 1.5; default: x += 0.1; } } return x; }",
    *ONE,
)
def a_switch_in_a_loop(x):
    for i in range(6):
        if i % 3 == 0:
            x = torch.sin(x)
            continue
        if i % 3 == 1:
            x = x * 1.5
        x = x + 0.1
    return x


@case(
    "float f(float x, float y) { for (int i = 0; i < 10; ++i) { y = y * 0.5 + x; if (y > 1.0) return y * x; if (y < -1.0) return y - x; } return y * y; }",
    *TWO,
)
def a_return_from_a_loop(x, y):
    done, result = torch.zeros_like(x, dtype=torch.bool), torch.zeros_like(x)
    for _ in range(10):
        y = y * 0.5 + x
        leaves_above, leaves_below = ~done & (y > 1), ~done & (y < -1)
        result = torch.where(leaves_above, y * x, torch.where(leaves_below, y - x, result))
        done = done | leaves_above | leaves_below
    return torch.where(done, result, y * y)


@case(
    "float f(float x, float y) { float g[4] = { 0.2, -1.0, 0.7, 1.3 }; float t = clamp(x + 1.5, 0.0, 2.999); int i = int(t);"
    " return lerp(g[i] * y, g[i + 1] * y, t - float(i)); }",
    *TWO,
)
def a_table_looked_up_between_its_entries(x, y):
    g = torch.tensor([0.2, -1.0, 0.7, 1.3])
    t = torch.clamp(x + 1.5, 0, 2.999)
    i = t.detach().floor().long()
    return torch.lerp(g[i] * y, g[i + 1] * y, t - i)


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
