"""Python and NumPy numbers, tuples and lists as arguments."""

import enum

import numpy as np
import pytest

import pullback as pb

SOURCE = """
float f32(float x) { return x; }
double f64(double x) { return x; }
int i32(int x) { return x; }
uint u32(uint x) { return x; }
int64_t i64(int64_t x) { return x; }
uint64_t u64(uint64_t x) { return x; }
uint8_t u8(uint8_t x) { return x; }
bool negate(bool x) { return !x; }
float3 doubled(float3 v) { return v + v; }
float2x3 matrix(float2x3 m) { return m; }
float total(float v[4]) { return v[0] + v[1] + v[2] + v[3]; }
"""


@pytest.fixture
def module(load_cpu):
    return load_cpu(SOURCE)


def test_python_numbers_give_python_numbers(module):
    for value, kind in ((module.f32(2), float), (module.i32(2), int), (module.negate(True), bool)):
        assert type(value) is kind
    assert module.negate(True) is False


def test_python_float_is_rounded_to_float32(module):
    assert module.f32(0.1) == float(np.float32(0.1))
    assert module.f64(0.1) == 0.1


def test_positional_and_keyword_arguments_mix(polynomial):
    assert polynomial(2, 8, x=3, c=-1) == 41


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("i32", -(2**31), 2**31 - 1),
        ("u32", 0, 2**32 - 1),
        ("i64", -(2**63), 2**63 - 1),
        ("u64", 0, 2**64 - 1),
        ("u8", 0, 255),
    ],
)
def test_integers_reach_both_ends_of_their_type_and_no_further(module, name, low, high):
    function = module[name]
    assert function(low) == low
    assert function(high) == high
    for value in (low - 1, high + 1, 10**50):
        with pytest.raises(pb.BindError) as caught:
            function(value)
        assert caught.value.code == "value-range"


def test_python_float_is_no_int(module):
    with pytest.raises(pb.BindError) as caught:
        module.i32(1.5)
    assert caught.value.code == "dtype-mismatch"


def test_bool_is_a_number(module):
    assert module.f32(True) == 1
    assert module.i32(True) == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), -0.0, 1e300])
def test_special_floats_pass_through(module, value):
    with np.errstate(over="ignore"):
        wanted = np.float32(value)
    found = np.float32(module.f32(value))
    assert found.tobytes() == wanted.tobytes() or (np.isnan(found) and np.isnan(wanted))


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8, np.int16, np.uint16, np.bool_])
def test_numpy_scalars_that_fit_are_taken(module, dtype):
    assert module.f32(dtype(1)) == 1


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int64, np.uint32])
def test_numpy_scalars_convert_within_their_kind(module, dtype):
    # NumPy's "same kind": any number to a float, no float to an integer.
    assert module.f32(dtype(7)) == 7
    if np.issubdtype(dtype, np.floating):
        with pytest.raises(pb.BindError) as caught:
            module.i32(dtype(7))
        assert caught.value.code == "dtype-mismatch"
    else:
        assert module.i32(dtype(7)) == 7


def test_tuples_and_lists_are_vectors(module):
    for vector in ((1, 2, 3), [1, 2.0, 3]):
        assert module.doubled(vector).tolist() == [2, 4, 6]


def test_nested_tuples_are_matrices(module):
    assert module.matrix(((1, 2, 3), (4, 5, 6))).tolist() == [[1, 2, 3], [4, 5, 6]]


def test_a_tuple_fills_an_array_parameter(module):
    assert module.total((1, 2, 3, 4)) == 10


@pytest.mark.parametrize("value", [(1, 2), (1, 2, 3, 4), ((1, 2, 3),), ()])
def test_a_tuple_of_another_length_is_refused(module, value):
    with pytest.raises(pb.PullbackError) as caught:
        module.doubled(value)
    assert caught.value.code in ("element-shape", "argument-type")


@pytest.mark.parametrize("value", [((1, 2), 3, 4), (1, "2", 3), ([[[[[[1]]]]]],)])
def test_a_ragged_sequence_is_refused(module, value):
    with pytest.raises(pb.BindError) as caught:
        module.doubled(value)
    assert caught.value.code == "argument-type"


@pytest.mark.parametrize("value", ["1", None, object(), {1, 2}, b"1", 1j, range(3)])
def test_other_objects_are_refused_by_their_type(module, value):
    with pytest.raises(pb.BindError, match=type(value).__name__) as caught:
        module.f32(value)
    assert caught.value.code == "argument-type"


def test_default_arguments_fill_in(load_cpu):
    module = load_cpu(
        "float scaled(float x, float by = 2.0, int times = 3) { return x * by * float(times); }"
    )
    assert module.scaled(1.5) == 9
    assert module.scaled(1.5, times=1) == 3


def test_overloads_are_chosen_by_argument(load_cpu):
    module = load_cpu(
        "int which(int x) { return 1; }\nint which(float x) { return 2; }\nint which(float3 x) { return 3; }"
    )
    assert module.which(7) == 1
    assert module.which(7.0) == 2
    assert module.which((1, 2, 3)) == 3
    assert module.which(np.zeros((5, 3), np.float32)).tolist() == [3] * 5
    assert module.which(np.zeros((5, 2), np.float32)).shape == (5, 2)


@pytest.mark.parametrize("value", [10**40, -(10**40), 2**127, -(2**127) - 1])
def test_ints_of_any_length_are_floats_for_a_float_parameter(load_cpu, value):
    module = load_cpu("double f(double x) { return x; }\ndouble2 g(double2 v) { return v; }")
    assert module.f(value) == float(value)
    assert module.g((value, 1)).tolist() == [float(value), 1]


def test_an_int_beyond_all_floats_is_refused(load_cpu):
    with pytest.raises(pb.BindError, match="an int of 1329 bits does not fit `x`") as caught:
        load_cpu("double f(double x) { return x; }").f(10**400)
    assert caught.value.code == "value-range"


@pytest.mark.parametrize("value", [2**63, 10**40, -(10**40)])
def test_an_int_that_fits_no_integer_parameter_is_refused_by_its_digits(load_cpu, value):
    module = load_cpu(
        "int f(int64_t n) { return int(n); }\nstruct S { int64_t n; float x; };\nfloat g(S s) { return s.x; }"
    )
    for call, name in (
        (lambda: module.f(value), "`n`"),
        (lambda: module.f(n=value), "`n`"),
        (lambda: module.g({"n": value, "x": 1}), "`s.n`"),
    ):
        with pytest.raises(pb.BindError) as caught:
            call()
        assert caught.value.code == "value-range"
        assert str(value) in str(caught.value)
        assert name in str(caught.value)


def test_a_wide_int_takes_the_overload_of_floats(load_cpu):
    module = load_cpu("int which(int x) { return 1; }\nint which(double x) { return 2; }")
    assert module.which(10**40) == 2


def test_numpy_scalars_stand_in_tuples(load_cpu):
    module = load_cpu("float3 f(float3 v) { return v; }")
    assert module.f((np.float32(1), np.int64(2), 3.0)).tolist() == [1, 2, 3]
    for wrong in ((np.zeros(2), 1, 2), (np.complex64(1), 1, 2)):
        with pytest.raises(pb.BindError) as caught:
            module.f(wrong)
        assert caught.value.code == "argument-type"


def test_subclasses_of_numbers_are_numbers(load_cpu):
    class Size(enum.IntEnum):
        LARGE = 3

    class Metres(float):
        pass

    module = load_cpu("float f(float x, int n) { return x * float(n); }\nfloat2 g(float2 v) { return v; }")
    assert module.f(Metres(1.5), Size.LARGE) == 4.5
    assert module.g((Metres(1.5), Size.LARGE)).tolist() == [1.5, 3]


def test_a_positional_argument_is_named_by_its_parameter(load_cpu):
    module = load_cpu("float f(float x, float y) { return x; }")
    with pytest.raises(pb.BindError, match="`y` is a str"):
        module.f(1, "2")
    overloaded = load_cpu("float f(float x) { return x; }\nfloat f(int n) { return 1.0; }")
    with pytest.raises(pb.BindError, match="argument 1 is a str"):
        overloaded.f("2")
    with pytest.raises(pb.BindError, match="argument 3 is a str"):
        module.f(1, 2, "3")
