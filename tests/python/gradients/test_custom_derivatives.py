"""Derivatives that kernels give themselves, and the conventions of those that are derived."""

import math

import numpy as np
import pytest
import torch

import pullback as pb

SOURCE = """
[BackwardDerivative(straight_backward), ForwardDerivative(straight_forward)]
float straight(float x) { return round(x); }
void straight_backward(inout DifferentialPair<float> x, float d) { x = diffPair(x.p, d); }
DifferentialPair<float> straight_forward(DifferentialPair<float> x) { return diffPair(round(x.p), x.d); }

float quantized(float x, float scale) { return straight(x * scale) / scale; }
float looped(float x, int n) { for (int i = 0; i < n; i++) x = 0.5 * straight(3 * x); return x; }

[BackwardDerivative(wrong_backward)]
float wrong(float x) { return x * x; }
void wrong_backward(inout DifferentialPair<float> x, float d) { x = diffPair(x.p, x.p * d); }
float uses_wrong(float x) { return 2 * wrong(x); }

float root(float x) { return sqrt(x); }
"""


@pytest.fixture
def module(load):
    return load(SOURCE)


def test_a_given_derivative_is_used_wherever_the_function_is_called(module):
    x = torch.tensor([0.3, 1.7, -2.2], requires_grad=True)
    scale = torch.tensor(4.0, requires_grad=True)
    result = module.quantized(x, scale)
    assert result.tolist() == [0.25, 1.75, -2.25]
    result.sum().backward()
    assert x.grad.tolist() == [1, 1, 1]
    # d/ds straight(x s) / s, straight through: x / s - round(x s) / s^2
    wanted = ((x * 4 - torch.round(x * 4)) / 16).sum()
    assert math.isclose(scale.grad.item(), wanted.item(), rel_tol=1e-4, abs_tol=1e-6)


def test_a_given_derivative_runs_in_loops(module):
    _, gradient = pb.value_and_grad(module.looped, 0)(np.float32([1, 2]), n=3)
    assert gradient.tolist() == [1.5**3] * 2


def test_a_given_forward_derivative_is_used(module):
    x, d_x = np.float32([0.3]), np.float32([1])
    result, tangent = module.quantized.fwds(x, 4.0, d_x=d_x)
    assert (result.tolist(), tangent.tolist()) == ([0.25], [1])


def test_a_mode_that_is_not_given_is_refused_with_both_places(module):
    with pytest.raises(pb.GradientError, match="has no forward derivative") as caught:
        module.uses_wrong.fwds(np.float32([1]), d_x=np.float32([1]))
    assert caught.value.code == "no-derivative"
    assert "its author gave a backward derivative alone" in str(caught.value)


def test_check_derivative_finds_a_wrong_one(module):
    with pytest.raises(pb.GradientError):
        pb.check_derivative(module.uses_wrong)


def test_second_derivatives_go_through_given_ones(module):
    x = torch.tensor([1.5], requires_grad=True)
    (first,) = torch.autograd.grad(module.quantized(x * x, 1.0).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    assert (first.tolist(), second.tolist()) == ([3], [2])


def test_the_convention_is_the_modules_or_the_devices():
    at_zero = np.float32([0])
    by = {}
    for convention in ("torch", "slang"):
        device = pb.create_device(pb.DeviceType.cpu, gradient_convention=convention)
        module = pb.Module.load_from_source(device, "root", SOURCE)
        by[convention] = pb.grad(module.root)(at_zero).item()
    assert by["torch"] == math.inf
    assert math.isclose(by["slang"], 0.5 / math.sqrt(1e-7), rel_tol=1e-4)
    device = pb.create_device(pb.DeviceType.cpu)
    module = pb.Module.load_from_source(device, "root", SOURCE, options={"gradient_convention": "slang"})
    assert math.isfinite(pb.grad(module.root)(at_zero).item())
    with pytest.raises(pb.PullbackError, match="no gradient convention"):
        pb.create_device(pb.DeviceType.cpu, gradient_convention="jax")
