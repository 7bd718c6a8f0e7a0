"""Calls that torch records: what flows, what is refused, and when nothing is recorded."""

import gc
import threading

import pytest
import torch

import pullback as pb


@pytest.fixture
def module(load):
    return load("""
float square(float x) { return x * x; }
float product(float x, float y) { return x * y; }
float weighted(float x, int n, bool on) { return on ? x * float(n) : 0.0; }
float split(float x, out float cube) { cube = x * x * x; return x * x; }
struct Line { float slope; float2 offset; };
float2 along(Line line, float x) { return line.offset + line.slope * x; }
float with_index(float x, out int whole) { whole = int(floor(x)); return x * x; }
""")


def leaf(*values, **options):
    return torch.tensor(values, dtype=options.pop("dtype", torch.float32), requires_grad=True, **options)


def test_sum_backward_hands_over_an_expanded_cotangent(module):
    x = leaf(1, 2, 3)
    module.square(x).sum().backward()
    assert x.grad.tolist() == [2, 4, 6]


def test_cotangents_of_any_strides(module):
    x = torch.arange(12.0).reshape(3, 4).requires_grad_()
    cotangent = torch.arange(24.0).reshape(4, 6)[:, ::2].T
    module.square(x).backward(cotangent)
    assert torch.equal(x.grad, 2 * x.detach() * cotangent)


def test_expanded_inputs(module):
    base = leaf(1, 2, 3)
    module.square(base.expand(5, 3)).sum().backward()
    assert base.grad.tolist() == [10, 20, 30]


def test_inputs_that_are_not_contiguous(module):
    base = torch.arange(12.0).reshape(3, 4).requires_grad_()
    module.product(base.T, base.detach().T[:, :1]).sum().backward()
    assert torch.equal(base.grad, base.detach()[:1].expand(3, 4))


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 1), (1, 1), (4, 1, 3), (1, 2, 1), (4, 2, 3)])
def test_broadcast_gradients_have_the_arguments_shape(module, shape):
    x = torch.arange(24.0).reshape(4, 2, 3)
    ours, theirs = torch.ones(shape, requires_grad=True), torch.ones(shape, requires_grad=True)
    module.product(x, ours).sum().backward()
    (x * theirs).sum().backward()
    assert torch.equal(ours.grad, theirs.grad)


def test_zero_size_tensors(module):
    x = torch.zeros(0, 3, requires_grad=True)
    y = torch.ones(3, requires_grad=True)
    result = module.product(x, y)
    assert result.shape == (0, 3)
    result.sum().backward()
    assert x.grad.shape == (0, 3)
    assert y.grad.tolist() == [0, 0, 0]


def test_zero_dim_tensors(module):
    x = torch.tensor(3.0, requires_grad=True)
    result = module.square(x)
    assert result.shape == ()
    result.backward()
    assert x.grad.item() == 6


@pytest.mark.parametrize("needs", [(True, False), (False, True), (True, True)])
def test_only_the_gradients_that_are_needed_are_given(module, needs):
    x = torch.tensor([1.0, 2.0], requires_grad=needs[0])
    y = torch.tensor([3.0, 4.0], requires_grad=needs[1])
    module.product(x, y).sum().backward()
    assert (x.grad is not None, y.grad is not None) == needs
    if needs[0]:
        assert x.grad.tolist() == [3, 4]
    if needs[1]:
        assert y.grad.tolist() == [1, 2]


def test_autograd_grad_of_one_input_of_two(module):
    x, y = leaf(1, 2), leaf(3, 4)
    (gradient,) = torch.autograd.grad(module.product(x, y).sum(), [y])
    assert gradient.tolist() == [1, 2]


def test_one_tensor_twice(module):
    x = leaf(1, 2, 3)
    module.product(x, x).sum().backward()
    assert x.grad.tolist() == [2, 4, 6]


def test_retain_graph_gives_the_same_again(module):
    x = leaf(1, 2, 3)
    result = module.square(x).sum()
    result.backward(retain_graph=True)
    first = x.grad.clone()
    x.grad = None
    result.backward()
    assert torch.equal(first, x.grad)
    with pytest.raises(RuntimeError):
        result.backward()


def test_a_call_without_grad_does_not_keep_a_later_one_from_it(module):
    plain = torch.tensor([1.0, 2.0])
    assert not module.square(plain).requires_grad
    x = leaf(1, 2)
    module.square(x).sum().backward()
    assert x.grad.tolist() == [2, 4]
    assert not module.square(plain).requires_grad


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_nothing_is_recorded_in_no_grad_and_inference_mode(module, mode):
    x = leaf(1, 2)
    with mode():
        result = module.square(x)
    assert not result.requires_grad
    assert result.tolist() == [1, 4]


def test_a_detached_input_gets_nothing(module):
    x = leaf(1, 2)
    assert not module.square(x.detach()).requires_grad


def test_several_outputs_share_one_backward(module):
    x = leaf(2, 3)
    square, cube = module.split(x)
    (square + 10 * cube).sum().backward()
    assert x.grad.tolist() == [4 + 10 * 12, 6 + 10 * 27]


def test_an_output_that_is_not_used_has_no_cotangent(module):
    x = leaf(2, 3)
    _, cube = module.split(x)
    cube.sum().backward()
    assert x.grad.tolist() == [12, 27]


def test_an_integer_output_carries_no_gradient(module):
    x = leaf(1.5, 2.5)
    value, whole = module.with_index(x)
    assert whole.dtype == torch.int32
    assert not whole.requires_grad
    value.sum().backward()
    assert x.grad.tolist() == [3, 5]


def test_integers_and_bools_beside_floats(module):
    x = leaf(1, 2, 3)
    n = torch.tensor([1, 2, 3], dtype=torch.int32)
    on = torch.tensor([True, False, True])
    module.weighted(x, n, on).sum().backward()
    assert x.grad.tolist() == [1, 0, 3]


def test_structs_of_tensors(module):
    slope = torch.tensor(2.0, requires_grad=True)
    offset = leaf(1, 5)
    x = leaf(1, 2, 3)
    result = module.along({"slope": slope, "offset": offset}, x)
    assert result.tolist() == [[3, 7], [5, 9], [7, 11]]
    result.sum().backward()
    assert slope.grad.item() == 12
    assert offset.grad.tolist() == [3, 3]
    assert x.grad.tolist() == [4, 4, 4]


def test_numpy_arrays_and_numbers_beside_tensors(module):
    import numpy as np

    x = leaf(1, 2)
    y = np.array([3, 4], np.float32)
    result = module.product(x, y)
    y[:] = 100  # NumPy does not tell of changes, so the call has kept its own copy
    result.sum().backward()
    assert x.grad.tolist() == [3, 4]


def test_a_chain_of_calls_and_torch_operations(module):
    x = leaf(1, 2)
    y = module.square(torch.sin(module.square(x) * 3))
    y.sum().backward()
    again = leaf(1, 2)
    torch.sin(again.square() * 3).square().sum().backward()
    torch.testing.assert_close(x.grad, again.grad, rtol=1e-3, atol=2e-2)


def test_parameters_of_a_module_are_trained(module):
    class Scale(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.by = torch.nn.Parameter(torch.tensor(0.0))

        def forward(self, x):
            return module.product(x, self.by)

    model = Scale()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.tensor([1.0, -1.0])
    for _ in range(50):
        optimizer.zero_grad()
        loss = (model(x) - 3 * x).square().mean()
        loss.backward()
        optimizer.step()
    assert abs(model.by.item() - 3) < 1e-3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_tensors_get_half_gradients(module, dtype):
    x = leaf(1, 2, 3, dtype=dtype)
    result = module.square(x)
    assert result.dtype == torch.float32
    result.sum().backward()
    assert x.grad.dtype == dtype
    assert x.grad.tolist() == [2, 4, 6]


def test_half_scalars_sum_their_gradient_in_float32(module):
    a = torch.tensor(1.0, dtype=torch.bfloat16, requires_grad=True)
    module.product(torch.full((4096,), 0.125), a).sum().backward()
    assert a.grad.item() == 512


def test_half_functions_take_and_give_half(load):
    function = load("half f(half x) { return x * x; }").f
    x = leaf(1, 2, 3, dtype=torch.float16)
    result = function(x)
    assert result.dtype == torch.float16
    result.sum().backward()
    assert x.grad.tolist() == [2, 4, 6]


def test_double_functions_differentiate_in_double(load_cpu):
    function = load_cpu("double f(double x) { return x * x * x; }").f
    x = leaf(1 / 3, dtype=torch.float64)
    function(x).sum().backward()
    assert abs(x.grad.item() - 1 / 3) < 1e-16


def test_an_input_changed_in_place_after_the_call_raises(module):
    x = leaf(1, 2)
    y = x * 1
    result = module.square(y)
    y.add_(1)
    with pytest.raises(pb.GradientError, match="inplace") as caught:
        result.sum().backward()
    assert (caught.value.code, bool(caught.value.help)) == ("modified-in-place", True)


def test_a_bound_of_a_loop_changed_after_the_call_is_never_taken_for_the_calls_own(load):
    function = load("float f(float x, int n) { for (int i = 0; i < n; i++) x = x * x; return x; }").f
    x = leaf(2, 3)
    n = torch.tensor([1, 2], dtype=torch.int32)
    result = function(x, n)
    n.add_(1)
    with pytest.raises(pb.GradientError, match="inplace"):
        result.sum().backward()
    counts = n.numpy() - 1
    result = function(x, counts)
    counts += 1
    result.sum().backward()
    assert x.grad.tolist() == [4, 108]


def test_a_second_backward_of_a_freed_graph_raises_torchs_own_error(module):
    x = leaf(1, 2)
    result = module.square(x).sum()
    result.backward()
    with pytest.raises(RuntimeError, match="second time") as caught:
        result.backward()
    assert not isinstance(caught.value, pb.GradientError)


def test_hooks_and_retained_gradients_fire(module):
    x = leaf(1, 2)
    seen = []
    middle = module.square(x)
    middle.retain_grad()
    middle.register_hook(lambda gradient: seen.append(gradient.tolist()))
    module.square(middle).sum().backward()
    assert middle.grad.tolist() == [2, 8]
    assert seen == [[2, 8]]
    assert x.grad.tolist() == [4, 32]


def test_second_and_third_derivatives_flow_through_create_graph(module):
    x = leaf(1, 2)
    (first,) = torch.autograd.grad((module.square(x) ** 2).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x, create_graph=True)
    (third,) = torch.autograd.grad(second.sum(), x)
    assert (first.tolist(), second.tolist(), third.tolist()) == ([4, 32], [12, 48], [24, 48])


def test_a_second_derivative_flows_through_the_cotangent(module):
    x, cotangent = leaf(1, 2), leaf(3, 4)
    (first,) = torch.autograd.grad(module.square(x), x, cotangent, create_graph=True)
    by_x, by_cotangent = torch.autograd.grad(first.sum(), (x, cotangent))
    assert (first.tolist(), by_x.tolist(), by_cotangent.tolist()) == ([6, 16], [6, 8], [2, 4])


def test_torch_gradients_are_taken_through_value_and_grad_too(module):
    x = torch.tensor([1.0, 2.0])
    value, gradient = pb.value_and_grad(module.square)(x)
    assert isinstance(gradient, torch.Tensor)
    assert value.tolist() == [1, 4]
    assert gradient.tolist() == [2, 4]


def test_a_given_result_cannot_be_recorded(module):
    x = leaf(1, 2)
    with pytest.raises(pb.GradientError) as caught:
        module.square(x, _result=torch.zeros(2))
    assert caught.value.code == "not-differentiable"
    with torch.no_grad():
        into = torch.zeros(2)
        module.square(x, _result=into)
        assert into.tolist() == [1, 4]


def test_writing_to_a_tensor_marks_it_changed(module):
    x = leaf(1, 2)
    kept = x * 2
    result = module.square(kept)
    module.square(torch.tensor([5.0, 6.0]), _result=kept.detach())
    with pytest.raises(RuntimeError, match="inplace"):
        result.sum().backward()


def test_a_leaf_that_requires_grad_is_not_written_behind_torchs_back(load):
    function = load("void f(inout float x) { x = 2.0 * x; }").f
    x = leaf(1, 2)
    with pytest.raises(pb.PullbackError):
        function(x)
    assert x.tolist() == [1, 2]


def test_a_loop_is_reversed_trip_by_trip(load):
    function = load("float f(float x, int n) { for (int i = 0; i < n; i++) x = x * x; return x; }").f
    x = leaf(1, 2)
    y = function(x, 3)
    assert y.tolist() == [1, 256]
    y.sum().backward()
    assert x.grad.tolist() == [8, 1024]


def test_no_diff_parameters_refuse_a_tensor_that_requires_grad(load):
    function = load("float f(float x, no_diff float y) { return x * y; }").f
    with pytest.raises(pb.GradientError) as caught:
        function(leaf(1, 2), leaf(3, 4))
    assert caught.value.code == "not-differentiable"


def test_two_threads_call_one_function(module):
    failures = []

    def work(seed):
        random = torch.Generator().manual_seed(seed)
        for _ in range(50):
            size = int(torch.randint(1, 9000, (), generator=random))
            x = torch.randn(size, generator=random).requires_grad_()
            module.square(x).sum().backward()
            if not torch.equal(x.grad, 2 * x.detach()):
                failures.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_first_calls_may_race(device):
    for _ in range(5):
        module = pb.Module.load_from_source(
            device, "kernel.slang", "float f(float x) { return x * x + 1.0; }"
        )
        results = []
        barrier = threading.Barrier(4)

        def call(module=module, results=results, barrier=barrier):
            barrier.wait()
            x = leaf(2, 3)
            module.f(x).sum().backward()
            results.append(x.grad.tolist())

        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [[4, 6]] * 4


def test_backward_from_another_thread(module):
    x = leaf(1, 2)
    result = module.square(x).sum()
    thread = threading.Thread(target=result.backward)
    thread.start()
    thread.join()
    assert x.grad.tolist() == [2, 4]


def test_the_graph_keeps_all_it_needs(load):
    x = leaf(1, 2)
    result = load("float f(float x) { return x * x; }").f(x)
    gc.collect()
    result.sum().backward()
    assert x.grad.tolist() == [2, 4]


def test_nothing_is_kept_after_backward(module):
    class Watched(torch.Tensor):
        pass

    import weakref

    x = leaf(1, 2)
    middle = x * 2
    watch = weakref.ref(middle)
    result = module.square(middle).sum()
    del middle
    assert watch() is not None or result is not None
    result.backward()
    del result
    gc.collect()
    assert watch() is None


def test_checkpointed_calls_give_the_same_gradient(module):
    from torch.utils.checkpoint import checkpoint

    x = leaf(1, 2)
    checkpoint(lambda x: module.square(module.square(x)), x, use_reentrant=False).sum().backward()
    assert x.grad.tolist() == [4, 32]


def test_autocast_changes_nothing(module):
    x = leaf(1, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = module.square(x)
    assert result.dtype == torch.float32
    result.sum().backward()
    assert x.grad.tolist() == [2, 4]


def test_grad_never_cuts_torchs_graph(module):
    for transform in (pb.grad, pb.value_and_grad):
        for call in (lambda t: t(leaf(1, 2, 3), 2.0), lambda t: t(torch.ones(3), leaf(1, 2, 3))):
            with pytest.raises(pb.GradientError) as caught:
                call(transform(module.product))
            assert caught.value.code == "no-second-derivative"
            assert "detach" in caught.value.help
    x = leaf(1, 2, 3)
    assert pb.grad(module.square)(x.detach()).tolist() == [2, 4, 6]
    with torch.no_grad():
        assert pb.grad(module.square)(x).tolist() == [2, 4, 6]


def test_grad_refuses_a_forward_mode_tangent(module):
    import torch.autograd.forward_ad as forward

    with forward.dual_level(), pytest.raises(pb.GradientError) as caught:
        pb.grad(module.square)(forward.make_dual(torch.ones(2), torch.ones(2)))
    assert caught.value.code == "not-differentiable"


@pytest.mark.parametrize(
    "make", [lambda: leaf(7, 7), lambda: leaf(7, 7) * 1, lambda: (leaf(7, 7, 7) * 1)[:2]]
)
@pytest.mark.parametrize(
    "argument", [2.0, torch.tensor([2.0, 2.0]), leaf(2, 2)], ids=["number", "tensor", "leaf"]
)
def test_a_given_result_that_requires_grad_is_not_written(module, make, argument):
    into = make()
    with pytest.raises(pb.GradientError) as caught:
        module.square(argument, _result=into)
    assert caught.value.code == "not-differentiable"
    assert into.tolist() == [7, 7]
    with torch.no_grad():
        module.square(torch.tensor([2.0, 2.0]), _result=into)
    assert into.tolist() == [4, 4]


def test_a_recorded_call_gives_torch_tensors_only(module):
    for name in ("numpy", "tensor"):
        with pytest.raises(pb.GradientError) as caught:
            module.square(leaf(1, 2), _result=name)
        assert caught.value.code == "not-differentiable"
    x = leaf(1, 2)
    module.square(x, _result="torch").sum().backward()
    assert x.grad.tolist() == [2, 4]
    with torch.no_grad():
        assert module.square(x, _result="numpy").tolist() == [1, 4]


def test_results_that_carry_no_derivative_do_not_require_grad(load):
    module = load("""
struct Hit { float t; no_diff float material; int face; };
Hit hit(float x) { Hit h; h.t = x * x; h.material = 3.0 * x; h.face = int(x); return h; }
""")
    x = leaf(1, 2)
    hit = module.hit(x)
    assert {name: field.requires_grad for name, field in hit.items()} == {
        "t": True,
        "material": False,
        "face": False,
    }
    assert hit["material"].tolist() == [3, 6]
    with pytest.raises(RuntimeError, match="require grad"):
        hit["material"].sum().backward()
    (hit["t"] + hit["material"]).sum().backward()
    assert x.grad.tolist() == [2, 4]


def test_an_integer_result_of_a_tensor_that_requires_grad_is_a_plain_tensor(load):
    module = load("int whole(float x) { return int(x); }")
    x = leaf(1.5, 2.5)
    whole = module.whole(x)
    assert (whole.tolist(), whole.requires_grad) == ([1, 2], False)
    with pytest.raises(pb.GradientError, match="no result that can have a gradient"):
        pb.grad(module.whole)(x.detach())


def test_the_refusal_of_a_no_diff_parameter_says_what_to_do(load):
    function = load("float f(float x, no_diff float y) { return x * y; }").f
    x, y = leaf(1, 2), leaf(3, 4)
    with pytest.raises(pb.GradientError) as caught:
        function(x, y)
    assert "pass x.detach()" in caught.value.help
    function(x, y.detach()).sum().backward()
    assert x.grad.tolist() == [3, 4]
