"""`Tensor`: memory of a device."""

import gc

import numpy as np
import pytest

import pullback as pb


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0, 3)])
def test_from_numpy_and_back(device, shape):
    x = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    tensor = pb.Tensor.from_numpy(device, x)
    assert tensor.shape == shape
    assert tensor.dtype == "float32"
    np.testing.assert_array_equal(tensor.to_numpy(), x)


@pytest.mark.parametrize("dtype", ["float16", "float64", "int8", "uint16", "int32", "uint64", "bool"])
def test_dtypes_go_round(device, dtype):
    x = np.array([0, 1, 1], dtype)
    tensor = pb.Tensor.from_numpy(device, x)
    assert tensor.dtype == dtype
    assert tensor.to_numpy().dtype == dtype
    np.testing.assert_array_equal(tensor.to_numpy(), x)


def test_from_numpy_takes_any_strides(device):
    x = np.arange(24, dtype=np.float32).reshape(4, 6)[::2, ::-3].T
    np.testing.assert_array_equal(pb.Tensor.from_numpy(device, x).to_numpy(), x)


def test_zeros_are_zeros(device):
    assert pb.Tensor.zeros(device, (2, 3), "int32").to_numpy().tolist() == [[0, 0, 0], [0, 0, 0]]
    assert pb.Tensor.empty(device, (2, 3)).shape == (2, 3)


@pytest.mark.parametrize(("shape", "dtype"), [((-1,), "float32"), ((2,), "float33"), ((2,), "complex64")])
def test_wrong_shapes_and_dtypes_are_refused(device, shape, dtype):
    with pytest.raises(pb.BindError) as caught:
        pb.Tensor.zeros(device, shape, dtype)
    assert caught.value.code == "dtype-mismatch"


def test_tensors_are_arguments_and_results(device, load):
    module = load("float f(float x, float y) { return x * y; }")
    x = pb.Tensor.from_numpy(device, np.arange(6, dtype=np.float32).reshape(2, 3))
    result = module.f(x, np.array([1, 10, 100], np.float32))
    assert isinstance(result, pb.Tensor)
    assert result.to_numpy().tolist() == [[0, 10, 200], [3, 40, 500]]
    assert module.f(result, 2, _result="numpy").tolist() == [[0, 20, 400], [6, 80, 1000]]


def test_calls_chain_without_waiting(device, load):
    module = load("float f(float x) { return x + 1.0; }")
    x = pb.Tensor.zeros(device, (1000,))
    for _ in range(50):
        x = module.f(x)
    assert (x.to_numpy() == 50).all()


def test_gradients_of_tensors_are_tensors(device, load):
    module = load("float f(float x) { return x * x; }")
    x = pb.Tensor.from_numpy(device, np.array([1, 2, 3], np.float32))
    value, gradient = pb.value_and_grad(module.f)(x)
    assert isinstance(value, pb.Tensor)
    assert gradient.to_numpy().tolist() == [2, 4, 6]


def test_results_outlive_module_and_device(load_cpu):
    device = pb.create_device(pb.DeviceType.cpu)
    module = pb.Module.load_from_source(device, "kernel.slang", "float f(float x) { return x * x; }")
    function = module.f
    tensor = function(pb.Tensor.from_numpy(device, np.array([3, 4], np.float32)))
    array = function(np.array([3, 4], np.float32))
    del device, module
    gc.collect()
    again = function(tensor)
    del function
    gc.collect()
    assert tensor.to_numpy().tolist() == [9, 16]
    assert again.to_numpy().tolist() == [81, 256]
    assert array.tolist() == [9, 16]


def test_memory_is_reused_over_many_calls(load_cpu):
    module = load_cpu("float f(float x) { return x + 1.0; }")
    x = np.zeros(1 << 20, np.float32)
    import resource

    module.f(x)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(100):
        module.f(x)
    assert (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10
    )  # KiB; 100 results are 400 MB


def test_tensors_of_another_device_are_refused(device, load_cpu):
    other = pb.create_device(pb.DeviceType.null)
    tensor = pb.Tensor.zeros(other, (3,))
    with pytest.raises(pb.BindError) as caught:
        load_cpu("float f(float x) { return x; }").f(tensor)
    assert caught.value.code == "device-mismatch"


def test_from_numpy_takes_scalars_and_keeps_them_without_dims(cpu):
    for value in (np.float32(3), np.array(3, np.float32)):
        tensor = pb.Tensor.from_numpy(cpu, value)
        assert (tensor.shape, tensor.dtype, tensor.to_numpy().tolist()) == ((), "float32", 3)


@pytest.mark.parametrize("value", [[1.0, 2.0], 3.0, None])
def test_from_numpy_refuses_what_is_not_numpys(cpu, value):
    with pytest.raises(pb.BindError, match=type(value).__name__) as caught:
        pb.Tensor.from_numpy(cpu, value)
    assert caught.value.code == "argument-type"
