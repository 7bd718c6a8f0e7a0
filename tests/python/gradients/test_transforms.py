"""`grad` and `value_and_grad` on NumPy arrays and numbers."""

import numpy as np
import pytest

import pullback as pb


@pytest.fixture
def module(load):
    return load("""
float square(float x) { return x * x; }
float product(float x, float y) { return x * y; }
float3 scaled(float3 v, float by) { return v * by; }
float chosen(float x, no_diff float y, int n) { return x * y * float(n); }
float rest(float x, out float fraction) { fraction = x - floor(x); return floor(x) + 2.0 * x; }
float through_if(float x) { if (x > 0.0) { return x * x; } return 3.0 * x; }
float nothing(float x) { return 1.0; }
""")


X = np.array([1, -2, 3], np.float32)


def test_grad_gives_the_gradient_alone(module):
    assert pb.grad(module.square)(X).tolist() == [2, -4, 6]


def test_value_and_grad_gives_both(module):
    value, gradient = pb.value_and_grad(module.square)(X)
    assert value.tolist() == [1, 4, 9]
    assert gradient.tolist() == [2, -4, 6]


@pytest.mark.parametrize(("argnums", "which"), [(1, "y"), ("y", "y"), (0, "x"), ("x", "x")])
def test_argnums_are_numbers_or_names(module, argnums, which):
    gradient = pb.grad(module.product, argnums)(X, y=5)
    wanted = [5, 5, 5] if which == "x" else 2
    assert np.asarray(gradient).tolist() == wanted


def test_a_tuple_of_argnums_gives_a_tuple_in_its_order(module):
    by_y, by_x = pb.grad(module.product, ("y", "x"))(X, np.float32([1, 2, 3]))
    assert by_y.tolist() == X.tolist()
    assert by_x.tolist() == [1, 2, 3]
    assert isinstance(pb.grad(module.product, (0,))(X, 1), tuple)


@pytest.mark.parametrize("argnums", ["z", 5, "xy", (0, "w")])
def test_argnums_that_name_nothing_are_refused(module, argnums):
    with pytest.raises(pb.BindError) as caught:
        pb.grad(module.product, argnums)(X, X)
    assert caught.value.code == "unknown-argument"


def test_the_gradient_of_a_number_is_a_number(module):
    value, gradient = pb.value_and_grad(module.square)(3.0)
    assert (value, gradient) == (9, 6)
    assert type(gradient) is float


def test_gradients_have_their_arguments_shape_and_dtype(module):
    v = np.arange(12, dtype=np.float32).reshape(4, 3)
    by = np.arange(8, dtype=np.float16).reshape(2, 4)
    v_gradient, by_gradient = pb.grad(module.scaled, (0, 1))(v, by)
    assert (v_gradient.shape, v_gradient.dtype) == ((4, 3), np.float32)
    assert (by_gradient.shape, by_gradient.dtype) == ((2, 4), np.float16)
    np.testing.assert_array_equal(v_gradient, np.repeat(by.sum(0)[:, None], 3, 1))
    np.testing.assert_array_equal(by_gradient, np.broadcast_to(v.sum(1), (2, 4)))


@pytest.mark.parametrize(
    "shape", [(), (1,), (3,), (1, 3), (2, 1), (1, 1, 1), (4, 1, 1), (4, 2, 3), (4, 1, 3), (1, 2, 1)]
)
def test_a_broadcast_gradient_is_summed_over_its_broadcast_dims(module, shape):
    x = np.arange(24, dtype=np.float32).reshape(4, 2, 3) % 7
    y = np.ones(shape, np.float32)
    gradient = pb.grad(module.product, "y")(x, y)
    lead = x.ndim - len(shape)
    summed = tuple(d for d in range(3) if d < lead or (shape[d - lead] == 1 and x.shape[d] != 1))
    wanted = x.sum(summed, keepdims=True).reshape(shape)
    assert np.shape(gradient) == shape
    np.testing.assert_array_equal(gradient, wanted)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_gradients_of_empty_calls_are_zero_or_empty(module, shape):
    x = np.zeros(shape, np.float32)
    by_x, by_y = pb.grad(module.product, (0, 1))(
        x, np.float32([7] * shape[-1]) if shape[-1] else np.ones(1, np.float32)
    )
    assert by_x.shape == shape
    assert (by_y == 0).all()
    assert pb.grad(module.product, 1)(x, 2.0) == 0


def test_several_results_count_together(module):
    # d(fraction) = 1, d(floor(x) + 2 x) = 2.
    assert pb.grad(module.rest)(np.float32([0.5, 1.25])).tolist() == [3, 3]


def test_both_sides_of_an_if_differentiate(module):
    assert pb.grad(module.through_if)(X).tolist() == [2, 3, 6]


def test_a_result_that_does_not_depend_has_a_zero_gradient(module):
    assert pb.grad(module.nothing)(X).tolist() == [0, 0, 0]


@pytest.mark.parametrize("name", ["y", "n"])
def test_no_diff_and_integer_arguments_have_none(module, name):
    with pytest.raises(pb.GradientError) as caught:
        pb.grad(module.chosen, name)(X, 2, 3)
    assert caught.value.code == "not-differentiable"
    assert caught.value.spans


def test_gradients_beside_no_diff_arguments_are_right(module):
    assert pb.grad(module.chosen)(X, 2, 3).tolist() == [6, 6, 6]


def test_an_output_written_in_place_has_no_gradient(module):
    with pytest.raises(pb.GradientError) as caught:
        pb.grad(module.rest)(X, fraction=np.zeros(3, np.float32))
    assert caught.value.code == "not-differentiable"


def test_one_number_for_a_vector_has_no_gradient(module):
    with pytest.raises(pb.GradientError) as caught:
        pb.grad(module.scaled, "v")(1.0, X)
    assert caught.value.code == "not-differentiable"


def test_a_loop_is_reversed_trip_by_trip(load_cpu):
    module = load_cpu(
        "float f(float x, int n)\n{\n    for (int i = 0; i < n; i++) x = x * x;\n    return x;\n}"
    )
    assert module.f(2.0, 3) == 256
    assert pb.grad(module.f)(X, 3).tolist() == (8 * X**7).tolist()


def test_gradients_against_central_differences_of_a_composition(load_cpu):
    module = load_cpu("""
struct Wave { float amplitude; float2 direction; float phase; };
double height(double2 p, double a, double k)
{
    double r = sqrt(dot(p, p) + 0.25);
    double inner = a * sin(k * r) / r;
    return inner > 0.0 ? inner * inner : inner * p.x;
}
""")
    random = np.random.default_rng(1)
    p, a, k = random.normal(size=(50, 2)), random.normal(size=50), random.normal(size=50)
    gradients = pb.grad(module.height, (0, 1, 2))(p, a, k)
    step = 1e-6
    for place, gradient in enumerate(gradients):
        for component in range(2 if place == 0 else 1):
            shift = [np.zeros_like(p), np.zeros_like(a), np.zeros_like(k)]
            if place == 0:
                shift[0][:, component] = step
            else:
                shift[place][:] = step
            up = module.height(p + shift[0], a + shift[1], k + shift[2])
            down = module.height(p - shift[0], a - shift[1], k - shift[2])
            wanted = (up - down) / (2 * step)
            found = gradient[:, component] if place == 0 else gradient
            np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("argnums", [[0, 1], [-2, -1], ["x", "y"], ("x", np.int64(1)), [0, -1]])
def test_argnums_come_in_lists_and_count_from_the_end(module, argnums):
    gradients = pb.grad(module.product, argnums)(X, 5.0)
    assert isinstance(gradients, tuple)
    assert [np.asarray(gradient).tolist() for gradient in gradients] == [[5, 5, 5], 2]


@pytest.mark.parametrize("argnums", [1.5, True, None, -3, 2, (0, 2), 10**30, {0}])
def test_argnums_of_other_kinds_are_refused_by_what_they_are(module, argnums):
    with pytest.raises(pb.BindError, match=r"x \(0\), y \(1\)") as caught:
        pb.grad(module.product, argnums)(X, X)
    assert caught.value.code == "unknown-argument"


def test_argnums_are_of_the_overload_that_the_arguments_fit(load_cpu):
    module = load_cpu(
        "float f(int k, float x) { return x; }\nfloat f(float x, float y) { return x * x * y; }"
    )
    assert pb.grad(module.f, "x")(3.0, 2.0) == 12
    assert pb.grad(module.f, "y")(3.0, 2.0) == 9
    assert pb.grad(module.f, "x")(3, 2.0) == 1
    with pytest.raises(pb.BindError, match="no parameter"):
        pb.grad(module.f, "k")(3.0, 2.0)


def test_a_default_that_was_not_passed_has_no_gradient(load_cpu):
    module = load_cpu("float f(float x, float c = 2.0) { return x * c; }")
    assert pb.grad(module.f, "c")(3.0, c=4.0) == 3
    for argnums in ("c", 1, -1):
        with pytest.raises(pb.BindError, match="`c` was not passed") as caught:
            pb.grad(module.f, argnums)(3.0)
        assert caught.value.code == "unknown-argument"
        assert caught.value.help == "pass it"


def test_an_output_has_no_gradient(module):
    with pytest.raises(pb.BindError, match="`fraction` is an output"):
        pb.grad(module.rest, "fraction")(X)


@pytest.mark.parametrize("result", ["numpy", "tensor", np.zeros(3, np.float32)])
def test_gradients_take_no_result(module, result):
    for transform in (pb.grad, pb.value_and_grad):
        with pytest.raises(pb.BindError, match="_result") as caught:
            transform(module.square)(X, _result=result)
        assert caught.value.code == "unknown-argument"


@pytest.mark.parametrize("dtype", ["int16", "uint8", "bool"])
def test_a_gradient_of_an_integer_array_is_refused_not_truncated(load, dtype):
    product = load("float product(float x, float y) { return x * y; }").product
    x, y = np.array([1, 0, 1], dtype), np.array([0.5, 0.25, 1.75], np.float32)
    assert product(x, y).tolist() == [0.5, 0, 1.75]
    with pytest.raises(pb.GradientError) as caught:
        pb.grad(product, "x")(x, y)
    assert caught.value.code == "not-differentiable"
    assert pb.grad(product, "y")(x, y).tolist() == [1, 0, 1]
