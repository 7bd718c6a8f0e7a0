"""The programs of `tests/gpu/features.py` on the devices that are here, so that a GPU run finds no faults of their own."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "gpu"))
import features
from run import compare, leaves

NAMES = (
    "gathers from a buffer", "gathers of vectors", "a tensor of strides", "exact sums", "an array that is written",
    "an array that is added to", "cotangents of an array", "a given derivative", "forward mode", "second derivatives",
    "values of an interface", "a constant that is linked", "a uniform", "a loop that stores states",
)  # fmt: skip


@pytest.fixture(scope="module")
def programs(device):
    return features.programs(device, "cpu")


@pytest.fixture(scope="module")
def references(cpu):
    return features.programs(cpu, "cpu")


def test_every_program_is_run(programs):
    assert set(NAMES) == set(programs)


@pytest.mark.parametrize("name", NAMES)
def test_a_program_agrees_with_the_cpu(programs, references, name):
    found = leaves(programs[name]())
    assert any(np.any(array) for array in found)
    compare(found, leaves(references[name]()))
