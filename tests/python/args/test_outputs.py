"""`out` and `inout` parameters, and `_result`."""

import numpy as np
import pytest

import pullback as pb


@pytest.fixture
def module(load):
    return load("""
float divide(float x, float y, out float rest) { float q = floor(x / y); rest = x - q * y; return q; }
void double_it(inout float x) { x = x * 2.0; }
void fill(float x, out float y) { y = x + 1.0; }
float3 spread(float x) { return float3(x, x + 1.0, x + 2.0); }
""")


X = np.array([7, 8, 9, 10], np.float32)


def test_an_out_parameter_left_out_is_returned_after_the_result(module):
    quotient, rest = module.divide(X, 4)
    assert quotient.tolist() == [1, 2, 2, 2]
    assert rest.tolist() == [3, 0, 1, 2]


def test_an_out_parameter_given_is_written(module):
    rest = np.full(4, -1, np.float32)
    quotient = module.divide(X, 4, rest=rest)
    assert quotient.tolist() == [1, 2, 2, 2]
    assert rest.tolist() == [3, 0, 1, 2]


def test_out_is_all_there_is_of_a_void_function(module):
    assert module.fill(X).tolist() == [8, 9, 10, 11]
    y = np.empty(4, np.float32)
    assert module.fill(X, y) is None
    assert y.tolist() == [8, 9, 10, 11]


def test_out_of_numbers_are_numbers(module):
    assert module.divide(7, 4) == (1, 3)


def test_inout_is_read_and_written_in_place(module):
    x = X.copy()
    assert module.double_it(x) is None
    assert x.tolist() == [14, 16, 18, 20]


def test_outputs_may_be_views(module):
    y = np.full((4, 2), -1, np.float32)
    module.fill(X, y[::-1, 1])
    assert y.tolist() == [[-1, 11], [-1, 10], [-1, 9], [-1, 8]]


def test_result_names_a_library(module):
    assert type(module.fill(1, _result="numpy")) is np.ndarray
    assert module.fill(1, _result="numpy").shape == ()
    tensor = module.fill(X, _result="tensor")
    assert isinstance(tensor, pb.Tensor)
    assert tensor.to_numpy().tolist() == [8, 9, 10, 11]
    torch = pytest.importorskip("torch")
    assert isinstance(module.fill(X, _result="torch"), torch.Tensor)


def test_result_gives_the_array_to_write(module):
    into = np.zeros((4, 3), np.float32)
    assert module.spread(X, _result=into) is into
    assert into[:, 2].tolist() == [9, 10, 11, 12]


def test_result_may_be_the_input_itself(module, load):
    x = X.copy()
    load("float f(float x) { return x * x; }").f(x, _result=x)
    assert x.tolist() == [49, 64, 81, 100]


@pytest.mark.parametrize("name", ["numpie", "", "cuda"])
def test_result_of_an_unknown_library_is_refused(module, name):
    with pytest.raises(pb.BindError) as caught:
        module.fill(X, _result=name)
    assert caught.value.code == "unknown-argument"


@pytest.mark.parametrize(
    ("into", "code"),
    [
        (np.zeros(1, np.float32), "broadcast-output"),
        (np.zeros((), np.float32), "broadcast-output"),
        (np.zeros(3, np.float32), "shape-mismatch"),
        (np.zeros(4, np.float64), "dtype-mismatch"),
        (np.broadcast_to(np.zeros(4, np.float32), 4), "read-only-output"),
        (1.0, "argument-type"),
        ([0.0] * 4, "argument-type"),
    ],
)
def test_a_result_array_that_does_not_fit_is_refused(load_cpu, into, code):
    module = load_cpu("float f(float x) { return x; }")
    before = np.array(into)
    with pytest.raises(pb.PullbackError) as caught:
        module.f(X, _result=into)
    assert caught.value.code == code
    np.testing.assert_array_equal(into, before)


def test_a_result_with_a_repeated_element_is_refused(load_cpu):
    base = np.zeros(1, np.float32)
    view = np.lib.stride_tricks.as_strided(base, (4,), (0,))
    with pytest.raises(pb.PullbackError) as caught:
        load_cpu("float f(float x) { return x; }").f(X, _result=view)
    assert caught.value.code in ("broadcast-output", "overlapping-output")
    assert base[0] == 0


def test_an_output_with_a_broadcast_dim_is_refused(module):
    y = np.zeros(1, np.float32)
    with pytest.raises(pb.ShapeError) as caught:
        module.fill(X, y)
    assert caught.value.code == "broadcast-output"
    assert y[0] == 0


def test_an_output_with_more_dims_broadcasts_the_inputs(module):
    y = np.zeros((2, 4), np.float32)
    module.fill(X, y)
    assert y.tolist() == [[8, 9, 10, 11]] * 2


@pytest.mark.parametrize("value", [1.0, 1, (1.0,)])
def test_a_number_for_an_output_is_refused(module, value):
    for call in (lambda: module.fill(X, value), lambda: module.double_it(value)):
        with pytest.raises(pb.BindError) as caught:
            call()
        assert caught.value.code == "read-only-output"


def test_overlapping_memory_is_refused(module):
    x = np.arange(8, dtype=np.float32)
    before = x.copy()
    for source, target in ((x[:4], x[1:5]), (x[:4], x[3::-1])):
        with pytest.raises(pb.BindError) as caught:
            module.fill(source, target)
        assert caught.value.code == "overlapping-output"
    np.testing.assert_array_equal(x, before)


def test_one_array_for_two_outputs_is_refused(load_cpu):
    module = load_cpu("void two(float x, out float y, out float z) { y = x; z = x + 1.0; }")
    y = np.zeros(4, np.float32)
    with pytest.raises(pb.BindError) as caught:
        module.two(X, y, y)
    assert caught.value.code == "overlapping-output"


def test_interleaved_outputs_are_not_overlapping(load_cpu):
    module = load_cpu("void two(float x, out float y, out float z) { y = x; z = x + 1.0; }")
    both = np.zeros((4, 2), np.float32)
    module.two(X, both[:, 0], both[:, 1])
    assert both.tolist() == [[7, 8], [8, 9], [9, 10], [10, 11]]


def test_an_output_that_is_an_input_of_other_elements_is_refused(load):
    total = load("float total(float v[3], float s) { return v[0] + v[1] + v[2] + s; }").total
    x = np.arange(9, dtype=np.float32).reshape(3, 3)
    before = x.copy()
    with pytest.raises(pb.BindError) as caught:
        total(x, np.zeros((3, 3), np.float32), _result=x)  # a lane reads three elements and would write one
    assert caught.value.code == "overlapping-output"
    assert (x == before).all()
