"""Random texts and random calls: errors of ours, never a panic, never a crash."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pullback as pb

SOURCE = """
struct Ray { float3 origin; float3 direction; };
float3 at(Ray ray, float t) { return ray.origin + t * ray.direction; }
float mix(float a, int b, float3 c, inout float d, out float e) { e = a; d += a; return dot(c, c) * a + float(b); }
"""


@pytest.fixture(scope="module")
def module(cpu):
    return pb.Module.load_from_source(cpu, "kernel.slang", SOURCE)


ARRAYS = st.builds(
    lambda shape, dtype: np.ones(shape, dtype),
    st.lists(st.integers(0, 4), max_size=3),
    st.sampled_from(["float32", "float64", "int32", "bool", "uint8", "complex64"]),
)
NUMBERS = st.one_of(st.integers(-(2**70), 2**70), st.floats(), st.booleans())
VALUES = st.recursive(
    st.one_of(ARRAYS, NUMBERS, st.none(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner, inner),
        st.dictionaries(st.sampled_from(["origin", "direction", "t", ""]), inner, max_size=3),
    ),
    max_leaves=6,
)


@given(
    name=st.sampled_from(["at", "mix"]),
    positional=st.lists(VALUES, max_size=6),
    keyword=st.dictionaries(
        st.sampled_from(["ray", "t", "a", "b", "c", "d", "e", "f", "_result"]), VALUES, max_size=4
    ),
)
@settings(max_examples=400, deadline=None)
def test_any_call_works_or_raises_an_error_of_ours(module, name, positional, keyword):
    for call in (module[name], pb.value_and_grad(module[name]), pb.grad(module[name], ("t", 1))):
        try:
            call(*positional, **keyword)
        except pb.InternalError:
            raise
        except pb.PullbackError as error:
            assert error.code
            assert error.help


def test_mutated_texts_never_crash(cpu):
    generator = random.Random(11)
    for _ in range(400):
        text = list(SOURCE)
        for _ in range(generator.randint(1, 6)):
            place = generator.randrange(len(text))
            action = generator.randrange(3)
            if action == 0:
                del text[place]
            elif action == 1:
                text.insert(place, generator.choice("{}()[];,.*&#\"'\\0aA\n\u00e9"))
            else:
                text[place] = chr(generator.randrange(1, 256))
        try:
            pb.Module.load_from_source(cpu, "kernel.slang", "".join(text))
        except pb.InternalError:
            raise
        except pb.CompileError as error:
            assert error.code
