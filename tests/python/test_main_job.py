"""The program of the README: one function, torch and NumPy, values and gradients, Slang and WGSL."""

from pathlib import Path

import numpy as np
import pytest
import torch

import pullback as pb

SAMPLE = Path(__file__).parents[2] / "samples" / "01_polynomial"


@pytest.fixture(params=["example.slang", "example.wgsl"])
def module(device, request):
    return pb.Module.load_from_file(device, SAMPLE / request.param)


def test_torch_values_and_gradient(module):
    x = torch.tensor([1, 2, 3, 4], dtype=torch.float32, requires_grad=True)
    result = module.polynomial(a=2, b=8, c=-1, x=x)
    assert isinstance(result, torch.Tensor)
    assert result.tolist() == [9, 23, 41, 63]
    result.backward(torch.ones_like(result))
    assert x.grad.tolist() == [12, 16, 20, 24]


def test_gradient_of_a_broadcast_scalar_is_the_sum(module):
    x = torch.tensor([1.0, 2.0, 3.0, 4.0])
    a = torch.tensor(2.0, requires_grad=True)
    module.polynomial(a, 8, -1, x).backward(torch.tensor([1.0, 10.0, 100.0, 1000.0]))
    assert a.grad.shape == ()
    assert a.grad.item() == 1 + 40 + 900 + 16000


def test_numpy_in_numpy_out(module):
    x = np.array([1, 2, 3, 4], np.float32)
    result = module.polynomial(a=2, b=8, c=-1, x=x)
    assert type(result) is np.ndarray
    assert result.dtype == np.float32
    assert result.tolist() == [9, 23, 41, 63]


def test_value_and_grad_on_numpy(module):
    x = np.array([1, 2, 3, 4], np.float32)
    value, gradient = pb.value_and_grad(module.polynomial, argnums="x")(a=2, b=8, c=-1, x=x)
    assert value.tolist() == [9, 23, 41, 63]
    assert type(gradient) is np.ndarray
    assert gradient.tolist() == [12, 16, 20, 24]


def test_numbers_in_a_number_out(module):
    result = module.polynomial(2, 8, -1, 3)
    assert type(result) is float
    assert result == 41


def test_file_is_found_by_a_relative_string_path(device, monkeypatch):
    monkeypatch.chdir(SAMPLE)
    module = pb.Module.load_from_file(device, "example.slang")
    assert module.functions == ["polynomial"]
