"""Shapes broadcast as NumPy's do; what NumPy refuses is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import pullback as pb

SHAPES = mutually_broadcastable_shapes(num_shapes=3, max_dims=4, max_side=4)


@pytest.fixture(scope="module")
def module(cpu):
    return pb.Module.load_from_source(
        cpu,
        "kernel.slang",
        """
int mix(int x, int y, int z) { return x + 100 * y + 10000 * z; }
float3 mad(float3 v, float by, float3 plus) { return v * by + plus; }
""",
    )


def numbers(shape, kind=np.int32):
    return np.arange(np.prod(shape, dtype=int), dtype=kind).reshape(shape) % 97


@given(shapes=SHAPES)
@settings(max_examples=150, deadline=None)
def test_three_arrays_broadcast_as_in_numpy(module, shapes):
    x, y, z = (numbers(shape) for shape in shapes.input_shapes)
    result = module.mix(x, y, z)
    assert np.shape(result) == shapes.result_shape
    np.testing.assert_array_equal(result, x + 100 * y + 10000 * z)


@given(shapes=SHAPES)
@settings(max_examples=60, deadline=None)
def test_vectors_broadcast_with_scalars_by_their_leading_dims(module, shapes):
    first, second, third = shapes.input_shapes
    v, by, plus = (
        numbers((*first, 3), np.float32),
        numbers(second, np.float32),
        numbers((*third, 3), np.float32),
    )
    result = module.mad(v, by, plus)
    np.testing.assert_array_equal(result, v * by[..., None] + plus)


@given(left=st.lists(st.integers(0, 4), max_size=4), right=st.lists(st.integers(0, 4), max_size=4))
@settings(max_examples=150, deadline=None)
def test_what_numpy_refuses_is_refused(module, left, right):
    x, y = numbers(left), numbers(right)
    try:
        wanted = np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        with pytest.raises(pb.ShapeError) as caught:
            module.mix(x, y, 0)
        assert caught.value.code == "shape-mismatch"
    else:
        assert np.shape(module.mix(x, y, 0)) == wanted


@given(shapes=SHAPES, data=st.data())
@settings(max_examples=80, deadline=None)
def test_views_with_steps_broadcast_too(module, shapes, data):
    arrays = []
    for shape in shapes.input_shapes:
        steps = [data.draw(st.sampled_from([-2, -1, 1, 2, 3])) for _ in shape]
        base = numbers([size * abs(step) for size, step in zip(shape, steps, strict=True)])
        view = base[tuple(slice(None, None, step) for step in steps)]
        assert view.shape == tuple(shape)
        arrays.append(view)
    x, y, z = arrays
    np.testing.assert_array_equal(module.mix(x, y, z), x + 100 * y + 10000 * z)


def test_the_message_shows_every_argument(module):
    with pytest.raises(pb.ShapeError) as caught:
        module.mix(np.zeros((4, 3), np.int32), np.zeros((5, 3), np.int32), 0)
    text = str(caught.value)
    assert "shape-mismatch" in text
    assert "(4, 3)" in text
    assert "(5, 3)" in text
    assert "kernel.slang:2:" in text
