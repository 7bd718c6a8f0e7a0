"""`gradcheck`, `numeric_grad` and `check_derivative`."""

import numpy as np
import pytest

import pullback as pb

SOURCE = """
struct Ray { float3 o; float3 d; };
float mixed(float a, float3 v) { return a * a * v.x * v.y + exp(v.z) * a; }
float along(Ray ray, float t) { return dot(ray.o + t * ray.d, ray.d); }
void two(float x, out float s, out float c) { s = sin(x); c = cos(x) * x; }
float power(float x, int n) { float p = 1; for (int i = 0; i < n; i++) p *= x + 0.1 * i; return p; }
half narrow(half x) { return x * x * x; }
float bits(float x) { return asfloat(asuint(x) & 0xffffff00u) + x * x; }
float kink(float x) { return abs(x); }

float cube(float x) { return x * x * x; }
"""
RANDOM = np.random.default_rng(0)
X = RANDOM.uniform(-1, 1, 5).astype(np.float32)
V = RANDOM.uniform(-1, 1, (5, 3)).astype(np.float32)


@pytest.fixture
def module(load):
    return load(SOURCE)


def test_right_gradients_pass(module):
    assert pb.gradcheck(module.mixed, (X, V))
    assert pb.gradcheck(module.mixed, {"a": X, "v": V[0]})
    assert pb.gradcheck(module.along, ({"o": V, "d": V[::-1]}, X))
    assert pb.gradcheck(module.two, (X,))
    assert pb.gradcheck(module.power, (X, 7))


def test_half_precision_is_checked_in_double(module):
    assert pb.gradcheck(module.narrow, (X.astype(np.float16),))


def test_every_function_of_a_module_can_be_checked_at_random(module):
    for name in ("mixed", "along", "two", "power", "narrow", "cube"):
        assert pb.check_derivative(module[name])


def test_numeric_gradients_are_like_the_arguments(module):
    gradients = pb.numeric_grad(module.mixed, (X, V[0]))
    assert gradients["a"].shape == (5,)
    assert gradients["v"].shape == (3,)
    derived = module.mixed.bwds(X.astype(np.float32), V[0])
    np.testing.assert_allclose(gradients["v"], derived["v"], rtol=1e-3)
    assert pb.numeric_grad(module.mixed, (X, V[0]), "v").tolist() == gradients["v"].tolist()
    assert pb.numeric_grad(module.mixed, (X, V[0]), 1).tolist() == gradients["v"].tolist()


def test_numeric_gradients_of_a_struct_are_dicts(module):
    gradients = pb.numeric_grad(module.along, {"ray": {"o": V, "d": V}, "t": 0.5})
    np.testing.assert_allclose(gradients["ray"]["o"], V, rtol=1e-6, atol=1e-9)
    assert gradients["t"].shape == ()


def test_a_kink_is_reported_rather_than_smoothed(module):
    assert pb.gradcheck(module.kink, (X,))
    with pytest.raises(pb.GradientError):
        pb.gradcheck(module.kink, (np.array([1e-5], np.float32),))


def test_a_gradient_is_explained_before_it_is_asked_for(load):
    source = """
float state(float x, int n, float by, float4 w) {
    float p = x;
    while (n > 0 && p < 100.0) { p = sin(p * w.x) * by + cos(p * w.y) * p * w.z + sin(p + w.w); n--; }
    return p;
}
float root(float a) {
    float y = 1;
    while (abs(y * y - a) > 1e-4) y = 0.5 * (y + a / y);
    return y;
}
float plain(float x) { return x * x; }
"""
    module = load(source)
    w = np.ones((len(X), 4), np.float32)
    explained = module.state.explain_gradient(X, 5, np.float32(2.0), w)
    assert explained.arguments == {"x": "stored by each lane", "w": "stored by each lane"}
    (loop,) = explained.loops
    assert loop["place"].startswith("kernel.slang:4:")
    assert loop["trips"] == "trips counted"
    assert loop["bytes_per_lane"] > 0
    assert explained.bytes_per_lane == loop["bytes_per_lane"]
    assert explained.derived_statements > explained.statements
    assert explained.refused is None
    assert "loop at kernel.slang:4:" in str(explained)
    shared = module.state.explain_gradient(X, 5, np.array(2.0, np.float32), w)
    assert "summed over groups" in shared.arguments["by"]
    assert module.plain.explain_gradient(X).loops == []
    (loop,) = module.root.explain_gradient(X).loops
    assert loop["strategy"] == "gone through by forward mode along 1 input, without storage"
    assert loop["bytes_per_lane"] == 0
