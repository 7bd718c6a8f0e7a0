"""Probes that tell a correct system from those that give wrong gradients: one test for each, on each device."""

import threading

import numpy as np
import pytest
import torch

import pullback as pb


def tensor(*numbers):
    return torch.tensor(numbers, requires_grad=True)


def test_a_product_loop_whose_bound_is_an_argument(load):
    f = load("float f(float x[3], int n) { float p = 1; for (int i = 0; i < n; i++) p *= x[i]; return p; }").f
    x = torch.full((3,), 2.0, requires_grad=True)
    f(x, 3).backward()
    assert x.grad.tolist() == [4, 4, 4]


def test_newtons_root_with_one_to_ten_thousand_trips(load):
    """A damped step, so that lanes far from the root take long."""
    f = load(
        "float f(float a, float damp) { float y = 1;"
        " while (abs(y * y - a) > 1e-4 * a) y -= damp * (y * y - a) / (2 * y); return y; }"
    ).f
    a = tensor(1.1, 0.3, 2.0, 50.0, 50.0)
    damp = torch.tensor([1.0, 1.0, 1.0, 1.0, 0.001])
    f(a, damp).sum().backward()
    np.testing.assert_allclose(a.grad, 0.5 / np.sqrt(a.detach().numpy()), rtol=1e-2)


def test_a_loop_that_runs_more_often_than_its_max_iters(load):
    f = load(
        "float f(float x, int n) { float y = x; [MaxIters(3)] for (int i = 0; i < n; i++) y = y * y * 0.5 + x; return y; }"
    ).f
    x = tensor(0.25, 0.5)
    f(x, 40).sum().backward()
    reference = x.detach().double().requires_grad_()
    y = reference
    for _ in range(40):
        y = y * y * 0.5 + reference
    y.sum().backward()
    np.testing.assert_allclose(x.grad, reference.grad, rtol=1e-5)


def test_nested_loops_of_a_bound_known_at_run_time(load):
    f = load(
        "float f(float x, int n) { float y = x; for (int i = 0; i < n; i++) { float z = y;"
        " for (int j = 0; j < n; j++) z += 0.01 * x / (1 + z * z); y = 0.5 * z; } return y; }"
    ).f
    # Mesa's software device leaves every loop of an invocation after 65,535 trips in all.
    n = 300 if f_runs_long(load) else 60
    x = tensor(0.7)
    f(x, n).sum().backward()
    reference = x.detach().double().requires_grad_()
    y = reference
    for _ in range(n):
        z = y
        for _ in range(n):
            z = z + 0.01 * reference / (1 + z * z)
        y = 0.5 * z
    (wanted,) = torch.autograd.grad(y.sum(), reference)
    np.testing.assert_allclose(x.grad, wanted, rtol=1e-4)


def f_runs_long(load):
    """Whether the device's loops make as many trips as they should."""
    f = load("int f(int n) { int count = 0; for (int i = 0; i < n; i++) count++; return count; }").f
    return f(1_000_000) == 1_000_000


def test_a_loop_without_trips(load):
    f = load(
        "float f(float x, int n) { float y = x * x; for (int i = 0; i < n; i++) y = sin(y); return y; }"
    ).f
    x = tensor(3.0, 4.0)
    f(x, torch.tensor([0, -2], dtype=torch.int32)).sum().backward()
    assert x.grad.tolist() == [6, 8]


def test_continue_in_a_loop(load):
    f = load(
        "float f(float x) { float y = x; for (int i = 0; i < 5; i++) { if (i == 1 || i == 3) continue; y *= x; } return y; }"
    ).f
    x = tensor(2.0)
    f(x).sum().backward()
    assert x.grad.tolist() == [32]


def test_an_argmax_in_a_loop(load):
    f = load(
        "float f(float x[4]) { int best = 0; for (int i = 1; i < 4; i++) if (x[i] > x[best]) best = i; return x[best] * x[best]; }"
    ).f
    x = tensor(1.0, 5.0, 3.0, 4.0)
    f(x).backward()
    assert x.grad.tolist() == [0, 10, 0, 0]


def test_a_variable_defined_before_a_loop_and_used_after_it(load):
    f = load(
        "float f(float x, int n) { float before = x * x; float y = x; for (int i = 0; i < n; i++) y *= 2;"
        " return before * y; }"
    ).f
    x = tensor(3.0)
    f(x, 2).sum().backward()
    assert x.grad.tolist() == [108]


def test_a_nonlinear_use_of_an_accumulator_in_a_helper_function(load):
    f = load(
        "float squared(float s) { return s * s; } float f(float x[3], int n) { float sum = 0; float total = 0;"
        " for (int i = 0; i < n; i++) { sum += x[i]; total += squared(sum); } return total; }"
    ).f
    x = tensor(1.0, 2.0, 3.0)
    f(x, 3).backward()
    assert x.grad.tolist() == [20, 18, 12]


def test_an_element_read_then_overwritten(load):
    f = load(
        "float f(float x[3]) { float sum = 0; for (int i = 0; i < 3; i++) { float old = x[i]; x[i] = 0; sum += old * old; }"
        " return sum + x[0]; }"
    ).f
    x = tensor(1.0, 2.0, 3.0)
    f(x).backward()
    assert x.grad.tolist() == [2, 4, 6]


def test_a_scalar_broadcast_into_many_lanes(load):
    """A hundred million lanes in full take the CPU device seconds; `test_scale.py` has ten million."""
    f = load("float f(float a, float x) { return a * x; }").f
    x = np.random.default_rng(1).random(2_000_000, np.float32)
    found = [pb.grad(f, "a")(np.float32(2), x) for _ in range(2)]
    assert abs(found[0] / x.sum(dtype=np.float64) - 1) < 1e-6
    assert found[0] == found[1]


@pytest.mark.parametrize("deterministic", [False, True])
def test_a_gather_with_heavy_collisions(load, deterministic):
    f = load("float f(StructuredBuffer<float> values, int i, float x) { return values[i] * x; }").f
    random = np.random.default_rng(2)
    values = np.ones(4, np.float32)
    indices = random.integers(0, 4, 100_000).astype(np.int32)
    x = random.random(100_000, np.float32)
    gradient = pb.grad(f.deterministic() if deterministic else f)
    found = [gradient(values, indices, x) for _ in range(2)]
    wanted = np.bincount(indices, weights=x, minlength=4)
    np.testing.assert_allclose(found[0], wanted, rtol=1e-7 if deterministic else 1e-4)
    if deterministic:
        np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize(
    ("text", "reference", "x"),
    [
        ("sqrt(x)", torch.sqrt, 0.0),
        ("rcp(x)", torch.reciprocal, 1e-4),
        ("pow(x, 3.0)", lambda x: torch.pow(x, 3.0), -2.0),
        ("pow(x, 0.0)", lambda x: torch.pow(x, 0.0), 0.0),
        ("pow(x, 0.5)", lambda x: torch.pow(x, 0.5), 1e-7),
        ("fmod(7.5, x)", lambda x: torch.fmod(torch.tensor(7.5), x), 2.0),
    ],
)
def test_singular_points_are_torchs(load, close, text, reference, x):
    ours, theirs = tensor(x), tensor(x)
    found, wanted = load(f"float f(float x) {{ return {text}; }}").f(ours), reference(theirs)
    found.sum().backward()
    wanted.sum().backward()
    close(found, wanted)
    close(ours.grad, theirs.grad)


def test_an_infinite_derivative_in_the_arm_that_is_not_taken(load):
    f = load("float f(float x) { return x > 0 ? sqrt(x) : 0; }").f
    x = tensor(0.0, 4.0)
    f(x).sum().backward()
    assert x.grad.tolist() == [0, 0.25]


def test_ties_of_min_and_max_and_the_bounds_of_clamp(load):
    module = load(
        "float low(float x, float y) { return min(x, y); } float high(float x, float y) { return max(x, y); }"
        "float inside(float x) { return clamp(x, -1, 1); }"
    )
    for f in (module.low, module.high):
        x, y = tensor(1.5), tensor(1.5)
        f(x, y).sum().backward()
        assert (x.grad.item(), y.grad.item()) == (0.5, 0.5)
    x = tensor(-1.5, -1.0, 0.0, 1.0, 1.5)
    module.inside(x).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 0]


def test_a_loops_bound_changed_between_forward_and_backward(load):
    """The bound is an array of NumPy's, which has no version counter: the call keeps its own copy."""
    f = load("float f(float x, int n) { float p = 1; for (int i = 0; i < n; i++) p *= x; return p; }").f
    x = tensor(2.0, 3.0)
    n = np.array([3, 2], np.int32)
    y = f(x, n)
    n[:] = 7
    y.sum().backward()
    assert x.grad.tolist() == [12, 6]


def test_a_second_derivative_through_create_graph(load):
    f = load("float f(float x) { return x * x * x; }").f
    x = tensor(2.0, 3.0)
    (first,) = torch.autograd.grad(f(x).sum(), x, create_graph=True)
    first.sum().backward()
    assert x.grad.tolist() == [12, 18]


def test_a_call_without_grad_then_one_with_it(load):
    f = load("float f(float x) { return x * x; }").f
    assert not f(torch.tensor([1.0, 2.0])).requires_grad
    x = tensor(1.0, 2.0)
    f(x).sum().backward()
    assert x.grad.tolist() == [2, 4]


def test_two_threads_call_one_function(load):
    f = load("float f(float x, float y) { return x * y; }").f
    wrong = []

    def run(number):
        for _ in range(50):
            x = torch.full((100,), float(number), requires_grad=True)
            f(x, torch.full((100,), 3.0)).sum().backward()
            if not (x.grad == 3).all():
                wrong.append(x.grad)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_backward_from_another_thread(load):
    f = load("float f(float x) { return x * x; }").f
    x = tensor(1.0, 2.0)
    y = f(x).sum()
    thread = threading.Thread(target=y.backward)
    thread.start()
    thread.join()
    assert x.grad.tolist() == [2, 4]


def test_shapes_that_do_not_fit_are_refused(load):
    module = load(
        "float length_of(float3 v) { return length(v); } float twice(float x) { return 2 * x; }"
        "struct Ray { float3 origin; float t; }; float depth(Ray ray) { return ray.origin.z + ray.t; }"
    )
    with pytest.raises(pb.PullbackError) as caught:
        module.length_of(np.ones((10, 4), np.float32))
    assert caught.value.code == "element-shape"
    with pytest.raises(pb.PullbackError) as caught:
        module.twice(np.ones(4, np.float32), _result=np.zeros(1, np.float32))
    assert caught.value.code in ("broadcast-output", "shape-mismatch")
    with pytest.raises(pb.PullbackError) as caught:
        module.depth({"origin": np.ones(3, np.float32)})
    assert caught.value.code == "missing-field"
