"""Kinds of tensors: what is taken, what is refused by name, and what must never be silently wrong."""

import numpy as np
import pytest
import torch

import pullback as pb


@pytest.fixture
def square(load):
    return load("float square(float x) { return x * x; }").square


def refused(caught, *words):
    assert isinstance(caught.value, pb.PullbackError)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float32, torch.int8, torch.int16, torch.uint8, torch.bool]
)
def test_dtypes_that_fit_float_are_taken(square, dtype):
    assert square(torch.tensor([0, 1, 1]).to(dtype)).tolist() == [0, 1, 1]


@pytest.mark.parametrize("dtype", [torch.float64, torch.int32, torch.int64])
def test_dtypes_that_do_not_fit_are_refused(square, dtype):
    with pytest.raises(pb.BindError) as caught:
        square(torch.tensor([0, 1, 1]).to(dtype))
    assert caught.value.code == "dtype-mismatch"
    assert "torch.float32" in caught.value.help


@pytest.mark.parametrize("dtype", [torch.complex64, torch.float8_e5m2, torch.float8_e4m3fn])
def test_dtypes_without_a_counterpart_are_refused_by_name(square, dtype):
    with pytest.raises(pb.BindError, match=str(dtype)) as caught:
        square(torch.zeros(3).to(dtype))
    assert caught.value.code == "argument-type"


def test_bfloat16_is_stored_rounded_to_nearest_even(load):
    x = torch.randn(1000)
    function = load("float f(float x) { return x; }").f
    half = x.to(torch.bfloat16)
    assert torch.equal(function(half), half.float())


def test_functions_of_bfloat16_take_and_give_it(load):
    function = load("bfloat16_t scaled(bfloat16_t x, float y) { return x * bfloat16_t(y); }").scaled
    x = torch.randn(100).to(torch.bfloat16).requires_grad_()
    y = function(x, 1.5)
    assert y.dtype == torch.bfloat16
    assert torch.equal(y, x * 1.5)
    y.sum().backward()
    assert torch.equal(x.grad, torch.full_like(x, 1.5))
    with pytest.raises(pb.BindError) as caught:
        function(x.detach().float(), 1.5)
    assert caught.value.code == "dtype-mismatch"


def test_negated_views_are_refused_not_misread(square):
    x = torch.tensor([1 + 2j, 3 + 4j]).conj().imag
    assert x.is_neg()
    with pytest.raises(pb.BindError, match="resolve_neg") as caught:
        square(x)
    assert caught.value.code == "argument-type"
    assert square(x.resolve_neg()).tolist() == [4, 16]


def test_real_parts_of_complex_tensors_are_strided_floats(square):
    assert square(torch.tensor([1 + 2j, 3 + 4j]).real).tolist() == [1, 9]


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.zeros(3, device="meta"),
        lambda: torch.eye(3).to_sparse(),
        lambda: torch.eye(3).to_sparse_csr(),
        lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.quint8),
        lambda: torch._efficientzerotensor(3),
        lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    ],
    ids=["meta", "sparse", "sparse_csr", "quantized", "zero tensor", "nested"],
)
@pytest.mark.filterwarnings("ignore")
def test_tensors_without_dense_memory_are_refused(square, make):
    with pytest.raises(pb.BindError) as caught:
        square(make())
    assert caught.value.code == "argument-type"


def test_parameters_and_plain_subclasses_are_tensors(square):
    class Mine(torch.Tensor):
        pass

    assert square(torch.nn.Parameter(torch.tensor([2.0]))).tolist() == [4]
    assert square(torch.tensor([2.0, 3.0]).as_subclass(Mine)).tolist() == [4, 9]


def test_fake_tensors_are_refused(square):
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode(), pytest.raises((pb.BindError, RuntimeError)):
        square(torch.zeros(3))


@pytest.mark.parametrize(
    "run",
    [
        lambda f, x: torch.func.vmap(f)(x),
        lambda f, x: torch.func.grad(lambda x: f(x).sum())(x),
        lambda f, x: torch.func.jvp(f, (x,), (x,)),
        lambda f, x: torch.func.functionalize(f)(x),
    ],
    ids=["vmap", "grad", "jvp", "functionalize"],
)
def test_function_transforms_are_refused(square, run):
    with pytest.raises((pb.PullbackError, RuntimeError)):
        run(square, torch.tensor([1.0, 2.0, 3.0]))


def test_a_forward_mode_tangent_is_refused(square):
    import torch.autograd.forward_ad as forward

    x = torch.tensor([1.0, 2.0])
    with forward.dual_level():
        assert square(x).tolist() == [1, 4]
        with pytest.raises(pb.GradientError) as caught:
            square(forward.make_dual(x, torch.ones(2)))
    assert caught.value.code == "not-differentiable"


@pytest.mark.filterwarnings("ignore")
def test_calls_in_a_compiled_function_run_outside_of_the_graph(square):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    compiled = torch.compile(lambda x: square(x) + 1, backend="eager")
    for _ in range(2):
        result = compiled(x)
        assert result.tolist() == [2, 5]
    result.sum().backward()
    assert x.grad.tolist() == [2, 4]


def test_results_are_ordinary_tensors(square):
    result = square(torch.tensor([1.0, 2.0]))
    assert type(result) is torch.Tensor
    assert result.is_contiguous()
    result.add_(1)
    assert result.device == torch.device("cpu")


def test_tensors_and_numpy_arrays_mix(load):
    result = load("float f(float x, float y) { return x - y; }").f(
        torch.ones(2, 1), np.arange(3, dtype=np.float32)
    )
    assert isinstance(result, torch.Tensor)
    assert result.tolist() == [[1, 0, -1]] * 2


def test_inference_tensors_are_values(square):
    with torch.inference_mode():
        x = torch.tensor([1.0, 2.0])
    assert square(x).tolist() == [1, 4]


def test_out_tensors_are_written(load):
    function = load("void f(float x, out float y) { y = x + 1.0; }").f
    y = torch.zeros(4)
    function(torch.arange(4.0), y)
    assert y.tolist() == [1, 2, 3, 4]
    function(torch.arange(2.0), y[::2])
    assert y.tolist() == [1, 2, 2, 4]


@pytest.mark.parametrize(
    ("make", "what", "way_out"),
    [
        (lambda: torch.zeros(3, device="meta"), "a meta tensor", ""),
        (lambda: torch.eye(3).to_sparse(), "a sparse tensor (torch.sparse_coo)", "x.to_dense()"),
        (lambda: torch.eye(3).to_sparse_csr(), "a sparse tensor (torch.sparse_csr)", "x.to_dense()"),
        (
            lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.quint8),
            "a quantized tensor (torch.quint8)",
            "x.dequantize()",
        ),
        (lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]), "a nested tensor", ""),
    ],
    ids=["meta", "sparse", "sparse_csr", "quantized", "nested"],
)
@pytest.mark.filterwarnings("ignore")
def test_refusals_name_the_argument_and_the_kind_without_torchs_stack(square, make, what, way_out):
    with pytest.raises(pb.BindError) as caught:
        square(make())
    assert f"`x` is {what}" in str(caught.value)
    assert way_out in caught.value.help
    assert "frame #" not in str(caught.value)


@pytest.mark.parametrize("transform", [torch.func.vmap, lambda f: torch.func.grad(lambda x: f(x).sum())])
def test_tensors_inside_a_function_transform_are_refused_by_that_name(square, transform):
    for call in (square, pb.grad(square)):
        with pytest.raises(pb.BindError, match=r"torch\.func") as caught:
            transform(call)(torch.tensor([1.0, 2.0]))
        assert "frame #" not in str(caught.value)


def test_a_given_result_is_checked_as_an_argument_is(square):
    x = torch.tensor([1.0, 2.0])
    negated = torch.tensor([1 + 2j, 3 + 4j]).conj().imag
    for into, words in (
        (negated, "resolve_neg"),
        (torch.zeros(2, device="meta"), "a meta tensor"),
        (torch.zeros(2).to_sparse(), "a sparse tensor"),
        (torch.zeros(2, dtype=torch.complex64), "torch.complex64"),
        ((1.0, 2.0), "a tuple"),
        ({"x": np.zeros(2, np.float32)}, "a dict"),
        (1.0, "a float"),
    ):
        with pytest.raises(pb.BindError, match="`_result` is") as caught:
            square(x, _result=into)
        assert words in str(caught.value)
    assert negated.tolist() == [-2, -4]


def test_a_result_that_no_memory_holds_is_refused_without_torchs_stack(square):
    with pytest.raises(pb.DeviceError) as caught:
        square(torch.ones(1).expand(1 << 21, 1 << 21))
    assert caught.value.code == "out-of-memory"
    assert "frame #" not in str(caught.value)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="SKIPPED-DEVICE: cuda: torch sees no GPU")
def test_tensors_on_two_devices_are_refused():
    device = pb.create_torch_device(pb.DeviceType.cuda)
    function = pb.Module.load_from_source(
        device, "kernel.slang", "float f(float x, float y) { return x * y; }"
    ).f
    gpu, host = torch.ones(3, device="cuda"), torch.ones(3)
    for call in (
        lambda: function(gpu, host),
        lambda: function(host, gpu),
        lambda: function(gpu, gpu, _result=host),
    ):
        with pytest.raises(pb.BindError, match="two devices") as caught:
            call()
        assert caught.value.code == "device-mismatch"
    assert function(gpu, torch.tensor(2.0)).tolist() == [2, 2, 2]
    into = torch.zeros(3, device="cuda")
    function(1.0, np.arange(3, dtype=np.float32), _result=into)
    assert into.tolist() == [0, 1, 2]
