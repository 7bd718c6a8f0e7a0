"""Globals given by `set`, and whole arrays, whose gathers have gradients."""

import numpy as np
import pytest
import torch

import pullback as pb

SOURCE = """
uniform float scale;
StructuredBuffer<float> table;
float scaled(float x) { return x * scale; }
float looked_up(float x, int i) { return x * table[i] * table[i]; }
float picked(StructuredBuffer<float> values, int i, float x) { return values[i] * x; }
float gathered(StructuredBuffer<float> values, int i) { return values[i] * values[i]; }
"""
INDICES = torch.tensor([0, 1, 1, 2], dtype=torch.int32)


@pytest.fixture
def module(load):
    return load(SOURCE)


def test_a_uniform_is_one_value_for_all_lanes(module):
    x = np.array([1, 2], np.float32)
    assert module.scaled.set(scale=3.0)(x).tolist() == [3, 6]
    assert module.scaled.set({"scale": 4.0})(x).tolist() == [4, 8]


def test_set_gives_a_new_function(module):
    tripled = module.scaled.set(scale=3.0)
    assert tripled.set(scale=5.0)(2.0) == 10
    assert tripled(2.0) == 6


def test_a_global_without_a_value_is_refused_with_its_place(module):
    with pytest.raises(pb.BindError) as caught:
        module.scaled(1.0)
    assert caught.value.code == "missing-argument"
    assert "uniform float scale" in str(caught.value)


def test_what_is_no_global_is_refused(module):
    with pytest.raises(pb.PullbackError):
        module.scaled.set(size=3.0)(1.0)


def test_gradients_reach_uniforms(module):
    scale = torch.tensor(3.0, requires_grad=True)
    module.scaled.set(scale=scale)(torch.tensor([1.0, 2.0, 4.0])).sum().backward()
    assert scale.grad.item() == 7


def test_gradients_of_gathers_add_up_where_lanes_meet(module):
    values = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    module.gathered(values, INDICES).sum().backward()
    assert values.grad.tolist() == [2, 8, 6]
    table = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    module.looked_up.set(table=table)(torch.ones(4), INDICES).sum().backward()
    assert table.grad.tolist() == [2, 8, 6]


def test_many_lanes_on_few_elements_agree_with_double_precision(module):
    random = np.random.default_rng(0)
    values = random.uniform(-1, 1, 7).astype(np.float32)
    indices = random.integers(0, 7, 20_000).astype(np.int32)
    _, gradient = pb.value_and_grad(module.gathered, 0)(values, indices)
    wanted = 2 * values.astype(np.float64) * np.bincount(indices, minlength=7)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-4)


@pytest.fixture
def collisions():
    """Numbers whose sum hangs on the order, and the few elements that they meet in."""
    random = np.random.default_rng(1)
    x = (random.uniform(-1, 1, 30_000) * np.exp2(random.uniform(-12, 12, 30_000))).astype(np.float32)
    return random.integers(0, 3, 30_000).astype(np.int32), x


def test_deterministic_gradients_have_the_same_bits_in_any_order(module, collisions):
    indices, x = collisions
    table = np.array([0.5, 1, 2], np.float32)
    gradient = pb.grad(module.picked.deterministic(), "values")
    wanted = np.bincount(indices, weights=x, minlength=3)
    first = gradient(table, indices, x)
    np.testing.assert_array_equal(first, wanted.astype(np.float32))
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(x))
        np.testing.assert_array_equal(first, gradient(table, indices[order], x[order]))
    backward = module.picked.deterministic().bwds(table, indices, x)
    np.testing.assert_array_equal(first, backward["values"])


def test_torchs_setting_asks_for_deterministic_gradients(module, collisions):
    indices, x = map(torch.from_numpy, collisions)
    values = torch.ones(3, requires_grad=True)
    torch.use_deterministic_algorithms(True)
    try:
        report = module.picked.explain_gradient(values.detach(), indices, x)
        module.picked(values, indices, x).sum().backward()
    finally:
        torch.use_deterministic_algorithms(False)
    assert report.arguments["values"] == "added up atomically in fixed point, exactly, so in any order"
    wanted = np.bincount(indices, weights=x, minlength=3).astype(np.float32)
    np.testing.assert_array_equal(values.grad, wanted)
    report = module.picked.explain_gradient(values.detach(), indices, x)
    assert report.arguments["values"] == "added up atomically, in no fixed order"


def test_globals_have_deterministic_gradients(module):
    table = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    module.looked_up.set(table=table).deterministic()(torch.ones(4), INDICES).sum().backward()
    assert table.grad.tolist() == [2, 8, 6]


@pytest.mark.parametrize("index", [-1, 3, 1000])
def test_outside_of_an_array_values_and_gradients_are_zero(module, index):
    values = np.array([1, 2, 3], np.float32)
    value, gradient = pb.value_and_grad(module.gathered, 0)(values, np.array([index, 1], np.int32))
    assert value.tolist() == [0, 4]
    assert gradient.tolist() == [0, 4, 0]


def test_derivatives_that_gathers_lack_are_refused(module):
    values = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (first,) = torch.autograd.grad(module.gathered(values, INDICES).sum(), values, create_graph=True)
    with pytest.raises(pb.PullbackError):
        first.sum().backward()
    with pytest.raises(pb.PullbackError):
        module.gathered.fwds(values.detach(), INDICES)
