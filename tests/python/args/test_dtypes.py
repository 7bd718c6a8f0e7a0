"""Which dtypes convert to which parameter types: only without loss, never silently."""

import numpy as np
import pytest

import pullback as pb

TYPES = {
    "float16": "half",
    "float32": "float",
    "float64": "double",
    "int8": "int8_t",
    "int16": "int16_t",
    "int32": "int",
    "int64": "int64_t",
    "uint8": "uint8_t",
    "uint16": "uint16_t",
    "uint32": "uint",
    "uint64": "uint64_t",
    "bool": "bool",
}


@pytest.fixture(scope="module")
def identities(cpu):
    text = "\n".join(f"{kind} take_{name}({kind} x) {{ return x; }}" for name, kind in TYPES.items())
    return pb.Module.load_from_source(cpu, "kernel.slang", text)


@pytest.mark.parametrize("to", TYPES)
@pytest.mark.parametrize("of", TYPES)
def test_arrays_convert_only_where_numpy_says_safe(identities, of, to):
    x = np.array([0, 1, 1, 0], of)
    # Exact is exact: an integer type that a float type holds in full converts, as in NumPy, and all of int64 in no float.
    safe = np.can_cast(of, to, "safe") and not (of in ("int64", "uint64") and to == "float64")
    function = identities[f"take_{to}"]
    if safe:
        result = function(x)
        assert result.dtype == to
        np.testing.assert_array_equal(result, x.astype(to))
    else:
        with pytest.raises(pb.BindError) as caught:
            function(x)
        assert caught.value.code == "dtype-mismatch"
        assert to in str(caught.value)


@pytest.mark.parametrize("name", TYPES)
def test_every_dtype_keeps_its_values(identities, name):
    if name == "bool":
        x = np.array([True, False])
    elif name.startswith("float"):
        info = np.finfo(name)
        x = np.array([0, -0.0, info.max, -info.max, info.tiny, np.inf, np.nan, 1 / 3], name)
    else:
        info = np.iinfo(name)
        x = np.array([info.min, info.max, 0, 1], name)
    result = identities[f"take_{name}"](x)
    assert result.dtype == x.dtype
    np.testing.assert_array_equal(result, x)


def test_float64_into_float_says_how_to_convert(identities):
    with pytest.raises(pb.BindError, match="astype") as caught:
        identities.take_float32(np.zeros(3))
    assert caught.value.code == "dtype-mismatch"
    assert isinstance(caught.value, TypeError)
    assert caught.value.help


def test_double_arithmetic_is_in_double(load_cpu):
    x = np.linspace(0.1, 3, 50)
    result = load_cpu("double f(double x) { return x * x - 1.0 / x; }").f(x)
    np.testing.assert_allclose(result, x * x - 1 / x, rtol=1e-15)


def test_bool_arrays_in_and_out(load):
    module = load(
        "bool both(bool x, bool y) { return x && y; }\nfloat pick(bool c, float x) { return c ? x : -x; }"
    )
    x = np.array([True, True, False, False])
    y = np.array([True, False, True, False])
    assert module.both(x, y).dtype == np.bool_
    assert module.both(x, y).tolist() == [True, False, False, False]
    assert module.pick(x, 2).tolist() == [2, 2, -2, -2]


def test_bytes_of_a_bool_array_that_are_neither_0_nor_1_are_true(load_cpu):
    x = np.array([0, 1, 2, 255], np.uint8).view(np.bool_)
    assert load_cpu("float f(bool x) { return x ? 1.0 : 0.0; }").f(x).tolist() == [0, 1, 1, 1]


def test_integer_division_and_shifts_are_exact(load):
    module = load(
        "int divide(int x, int y) { return x / y; }\nuint shift(uint x, uint by) { return x >> by; }"
    )
    x = np.array([7, -7, 7, -7, 2**31 - 1], np.int32)
    y = np.array([2, 2, -2, -2, 1], np.int32)
    assert module.divide(x, y).tolist() == [3, -3, -3, 3, 2**31 - 1]
    assert module.shift(np.array([2**31], np.uint32), 31).tolist() == [1]
