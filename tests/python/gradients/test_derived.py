"""`fwds`, `bwds`, `jacobian`, `hessian` and `hvp` on NumPy arrays."""

import numpy as np
import pytest

import pullback as pb

SOURCE = """
struct Ray { float3 o; float3 d; };
float mixed(float a, float3 v) { return a * a * v.x * v.y + sin(v.z) * a; }
float3 scaled(float3 v, float by) { return by * v * v.x; }
float along(Ray ray, float t) { return dot(ray.o + t * ray.d, ray.d); }
void two(float x, out float s, out float c) { s = 3.0 * x; c = x * x; }
float power(float x, int n) { float p = 1; for (int i = 0; i < n; i++) p *= x; return p; }
float counted(float x, no_diff float y, int n) { return x * y * n; }
"""
X = np.array([0.5, -1.5, 2.0], np.float32)
V = np.array([[1, 2, 0], [0.5, -1, 0], [3, 1, 0]], np.float32)


@pytest.fixture
def module(load):
    return load(SOURCE)


def test_forward_mode_gives_the_result_and_its_tangent(module, close):
    value, tangent = module.mixed.fwds(X, V, d_a=np.ones(3, np.float32))
    close(value, X * X * V[:, 0] * V[:, 1])
    close(tangent, 2 * X * V[:, 0] * V[:, 1])


def test_tangents_left_out_are_zero(module):
    value, tangent = module.power.fwds(X, 3)
    assert value.tolist() == (X**3).tolist()
    assert tangent.tolist() == [0, 0, 0]


def test_more_lanes_of_tangents_are_several_tangents_at_once(module):
    seeds = np.array([[1.0], [10.0]], np.float32)
    value, tangent = module.power.fwds(X, 2, d_x=seeds)
    assert value.shape == (2, 3)
    assert tangent.tolist() == (seeds * 2 * X).tolist()


def test_each_out_parameter_has_a_tangent(module):
    s, c, ds, dc = module.two.fwds(X, d_x=1.0)
    assert [s.tolist(), c.tolist()] == [(3 * X).tolist(), (X * X).tolist()]
    assert [ds.tolist(), dc.tolist()] == [[3, 3, 3], (2 * X).tolist()]


def test_integers_and_no_diff_parameters_have_no_tangent(module):
    with pytest.raises(pb.BindError) as caught:
        module.counted.fwds(X, 1.0, 2, d_y=1.0)
    assert caught.value.code == "unknown-argument"


def test_backward_takes_the_cotangent_and_gives_every_gradient(module):
    cotangent = np.array([1, 2, 3], np.float32)
    gradients = module.scaled.bwds(V, X, d_result=np.ones((3, 3), np.float32) * cotangent[:, None])
    assert gradients.keys() == {"v", "by"}
    np.testing.assert_allclose(gradients["by"], cotangent * V.sum(1) * V[:, 0])
    one = module.power.bwds(X, 2, d_result=cotangent)
    assert one["x"].tolist() == (2 * X * cotangent).tolist()


def test_backward_without_a_cotangent_takes_ones(module):
    assert module.power.bwds(X, 2)["x"].tolist() == (2 * X).tolist()


def test_backward_sums_where_an_argument_was_broadcast(module):
    shared = np.array([[2.0, 3.0]], np.float32)
    lanes = np.ones((4, 1, 3), np.float32)
    gradient = module.scaled.bwds(lanes, shared)["by"]
    assert gradient.tolist() == [[12, 12]]


def test_gradients_of_structs_are_dicts(module):
    ray = {"o": V, "d": np.ones((3, 3), np.float32)}
    gradients = module.along.bwds(ray, X)
    assert gradients.keys() == {"ray", "t"}
    assert gradients["ray"]["o"].tolist() == np.ones((3, 3)).tolist()
    assert gradients["t"].tolist() == [3, 3, 3]


def test_a_cotangent_of_nothing_is_refused_by_name(module):
    with pytest.raises(pb.BindError) as caught:
        module.two.bwds(X, d_z=X)
    assert "d_s, d_c" in caught.value.help


def test_jacobians_have_the_results_dims_then_the_parameters(module):
    jacobian = pb.jacobian(module.scaled)(V, 2.0)
    wanted = np.zeros((3, 3, 3), np.float32)
    for lane, v in enumerate(V):
        wanted[lane] = 2 * (v[0] * np.eye(3) + np.outer(v, [1, 0, 0]))
    np.testing.assert_allclose(jacobian, wanted)


def test_wide_and_tall_jacobians_agree_with_the_gradient(module, close):
    by_a, by_v = pb.jacobian(module.mixed, ("a", "v"))(X, V)
    gradients = module.mixed.bwds(X, V)
    close(by_a, gradients["a"])
    close(by_v, gradients["v"])


def test_a_jacobian_of_several_results_is_refused(module):
    with pytest.raises(pb.GradientError) as caught:
        pb.jacobian(module.two)(X)
    assert caught.value.code == "not-differentiable"


def test_hessians_are_symmetric_and_their_products_agree(module, close):
    hessian = pb.hessian(module.mixed, "v")(X, V)
    assert hessian.shape == (3, 3, 3)
    close(hessian, hessian.transpose(0, 2, 1))
    close(hessian[:, 0, 1], X * X)
    vector = np.array([[1, 0.5, 2]], np.float32)
    close(pb.hvp(module.mixed, "v")(vector, X, V), hessian @ vector[0])


def test_hvp_takes_a_vector_per_argument(module, close):
    ones = np.ones(3, np.float32)
    by_a, by_v = pb.hvp(module.mixed, ("a", "v"))((ones, np.zeros((3, 3), np.float32)), X, V)
    close(by_a, 2 * V[:, 0] * V[:, 1])
    close(by_v[:, 0], 2 * X * V[:, 1])
    with pytest.raises(TypeError):
        pb.hvp(module.mixed, ("a", "v"))((ones,), X, V)


def test_derivatives_are_differentiated_again(module):
    tangent = module.power.fwds
    second = tangent.bwds(X, 4, d_x=1.0, d_d_result=np.ones(3, np.float32))["x"]
    np.testing.assert_allclose(second, 12 * X**2, rtol=1e-5)
    first = tangent.bwds(X, 4, d_x=1.0, d_result=np.ones(3, np.float32))["x"]
    np.testing.assert_allclose(first, 4 * X**3, rtol=1e-5)
