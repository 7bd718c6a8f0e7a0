"""Devices and modules for the tests. A device that is not there is skipped by name, and counted."""

import functools
import sys
from pathlib import Path

import numpy as np
import pytest

import pullback as pb

DEVICES = ("cpu", "vulkan")
ROOT = Path(__file__).parents[2]


@functools.cache
def open_device(name: str) -> pb.Device | str:
    """The device, or why it is not there."""
    try:
        return pb.create_torch_device(getattr(pb.DeviceType, name))
    except pb.DeviceError as error:
        return str(error).splitlines()[0]


@pytest.fixture(params=DEVICES, scope="session")
def device(request):
    """Each device that a machine without a GPU can have."""
    found = open_device(request.param)
    if isinstance(found, str):
        pytest.skip(f"SKIPPED-DEVICE: {request.param}: {found}")
    return found


@pytest.fixture(scope="session")
def cpu():
    """The CPU device, for what does not depend on the device."""
    return open_device("cpu")


@pytest.fixture
def load(device):
    """Compiles a text on the device of the test."""
    return lambda source, name="kernel.slang": pb.Module.load_from_source(device, name, source)


@pytest.fixture
def load_cpu(cpu):
    """Compiles a text on the CPU device."""
    return lambda source, name="kernel.slang": pb.Module.load_from_source(cpu, name, source)


@pytest.fixture
def close(device):
    """Compares with what NumPy or torch computes, as closely as the device's float functions allow."""
    # The Vulkan specification promises sin and cos to 2^-11 only.
    loose = device.type is not pb.DeviceType.cpu
    rtol, atol = (2e-3, 1e-3) if loose else (4e-6, 1e-6)
    return lambda found, wanted: np.testing.assert_allclose(
        as_numpy(found), as_numpy(wanted), rtol=rtol, atol=atol
    )


def as_numpy(value) -> np.ndarray:
    """Any result as a float64 array."""
    if isinstance(value, pb.Tensor):
        value = value.to_numpy()
    if "torch" in sys.modules and isinstance(value, sys.modules["torch"].Tensor):
        value = value.detach().double().numpy()
    return np.asarray(value, np.float64)


@pytest.fixture
def polynomial(load):
    """The function of the README."""
    return load(
        "float polynomial(float a, float b, float c, float x) { return a * x * x + b * x + c; }"
    ).polynomial
