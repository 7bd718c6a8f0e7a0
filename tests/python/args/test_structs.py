"""Dicts as structs, in and out."""

import numpy as np
import pytest

import pullback as pb

SOURCE = """
struct Ray { float3 origin; float3 direction; };
struct Camera { Ray axis; float zoom; int frame; };
float3 at(Ray ray, float t) { return ray.origin + t * ray.direction; }
float zoomed(Camera c) { return c.axis.origin.x * c.zoom + float(c.frame); }
Ray reversed(Ray ray) { Ray r; r.origin = ray.origin; r.direction = -ray.direction; return r; }
Camera advanced(Camera c) { c.frame = c.frame + 1; return c; }
"""


@pytest.fixture
def module(load):
    return load(SOURCE)


def test_a_dict_of_arrays_is_a_struct_per_lane(module):
    origin = np.arange(12, dtype=np.float32).reshape(4, 3)
    direction = np.ones((4, 3), np.float32)
    t = np.arange(4, dtype=np.float32)
    result = module.at({"origin": origin, "direction": direction}, t)
    np.testing.assert_array_equal(result, origin + t[:, None])


def test_fields_mix_arrays_and_numbers(module):
    result = module.at(ray={"direction": (0, 0, 1), "origin": np.zeros((2, 3), np.float32)}, t=2)
    assert result.tolist() == [[0, 0, 2], [0, 0, 2]]


def test_structs_nest(module):
    camera = {
        "frame": 3,
        "axis": {"origin": (2, 0, 0), "direction": (0, 0, 1)},
        "zoom": np.array([1, 10], np.float32),
    }
    assert module.zoomed(camera).tolist() == [5, 23]


def test_a_struct_result_is_a_dict(module):
    direction = np.arange(6, dtype=np.float32).reshape(2, 3)
    result = module.reversed({"origin": (1, 2, 3), "direction": direction})
    assert set(result) == {"origin", "direction"}
    assert result["origin"].tolist() == [[1, 2, 3], [1, 2, 3]]
    np.testing.assert_array_equal(result["direction"], -direction)


def test_a_nested_struct_result_is_a_nested_dict(module):
    camera = {"axis": {"origin": (2, 0, 0), "direction": (0, 0, 1)}, "zoom": 2, "frame": 3}
    result = module.advanced(camera)
    assert result["frame"] == 4
    assert result["zoom"] == 2
    assert result["axis"]["direction"].tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("ray", "code"),
    [
        ({"origin": (0, 0, 0)}, "missing-field"),
        ({"origin": (0, 0, 0), "direction": (0, 0, 1), "length": 1}, "unknown-field"),
        ({}, "missing-field"),
        ((0, 0, 0), "argument-type"),
        (np.zeros((4, 3), np.float32), "argument-type"),
        ({"origin": {"x": 1}, "direction": (0, 0, 1)}, "argument-type"),
        ({1: (0, 0, 0)}, "argument-type"),
    ],
)
def test_wrong_structs_are_refused(module, ray, code):
    with pytest.raises(pb.BindError) as caught:
        module.at(ray, 1)
    assert caught.value.code == code


def test_a_dict_is_refused_where_there_is_no_struct(module):
    with pytest.raises(pb.BindError) as caught:
        module.at({"origin": (0, 0, 0), "direction": (0, 0, 1)}, {"t": 1})
    assert caught.value.code == "argument-type"


def test_all_wrong_fields_are_told_at_once(module):
    with pytest.raises(pb.BindError) as caught:
        module.at({"origins": (0, 0, 0), "directions": (0, 0, 1)}, 1)
    for name in ("origins", "directions", "origin", "direction"):
        assert f"`{name}`" in str(caught.value) or f'"{name}"' in str(caught.value)


def test_gradients_of_a_struct_are_a_dict(module):
    origin = np.zeros((4, 3), np.float32)
    t = np.arange(4, dtype=np.float32)
    gradients = pb.grad(module.at, argnums="ray")({"origin": origin, "direction": (1, 2, 3)}, t)
    assert gradients["origin"].tolist() == [[1, 1, 1]] * 4
    assert np.asarray(gradients["direction"]).tolist() == [6, 6, 6]
