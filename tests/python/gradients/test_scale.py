"""Gradients summed over very many lanes: exact to a millionth, and the same bits on each run."""

import numpy as np
import pytest

import pullback as pb

LANES = 10_000_000


@pytest.fixture(scope="module")
def lanes():
    return np.random.default_rng(5).random(LANES, np.float32)


def test_a_scalar_broadcast_into_ten_million_lanes(device, lanes):
    module = pb.Module.load_from_source(device, "kernel.slang", "float f(float a, float x) { return a * x; }")
    gradient = pb.grad(module.f, "a")
    found = [gradient(np.float32(2), lanes) for _ in range(3)]
    wanted = lanes.sum(dtype=np.float64)
    assert abs(found[0] / wanted - 1) < 1e-6
    assert found[0] == found[1] == found[2]


def test_a_row_broadcast_into_ten_million_lanes(device, lanes):
    module = pb.Module.load_from_source(device, "kernel.slang", "float f(float a, float x) { return a * x; }")
    x = lanes.reshape(-1, 10)
    gradient = pb.grad(module.f, "a")
    found = [gradient(np.ones(10, np.float32), x) for _ in range(2)]
    np.testing.assert_allclose(found[0], x.sum(0, dtype=np.float64), rtol=1e-6)
    assert (found[0] == found[1]).all()


def test_a_column_broadcast_into_ten_million_lanes(device, lanes):
    module = pb.Module.load_from_source(device, "kernel.slang", "float f(float a, float x) { return a * x; }")
    x = lanes.reshape(100, -1)
    found = pb.grad(module.f, "a")(np.ones((100, 1), np.float32), x)
    np.testing.assert_allclose(found, x.sum(1, dtype=np.float64, keepdims=True), rtol=1e-6)


def test_a_half_scalar_sums_in_float32(device):
    x = np.full(100_000, 0.5, np.float16)
    module = pb.Module.load_from_source(device, "kernel.slang", "float f(float a, float x) { return a * x; }")
    # Summed in float16 this would stop at 1024; float16 holds 50000.
    assert pb.grad(module.f, "a")(np.float16(1), x) == 50_000
