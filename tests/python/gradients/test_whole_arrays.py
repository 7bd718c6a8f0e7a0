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
