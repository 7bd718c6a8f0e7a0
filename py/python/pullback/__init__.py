"""Differentiable array functions from shader code.

Load functions written in Slang or WGSL and call them on NumPy arrays, torch tensors or numbers. A call runs the function
once per element of the arguments' broadcast shape, on the CPU, Vulkan or CUDA; every float function has a derivative.

    import pullback as pb

    device = pb.create_device()
    module = pb.Module.load_from_file(device, "example.slang")
    y = module.polynomial(a=2, b=8, c=-1, x=x)
"""

from pullback._native import Device, DeviceType, Function, Module, Struct, Tensor
from pullback.checks import check_derivative, gradcheck, numeric_grad
from pullback.devices import create_device, create_torch_device
from pullback.errors import (
    BindError,
    CompileError,
    DeviceError,
    GradientError,
    InternalError,
    PullbackError,
    ShapeError,
    UnknownFunctionError,
)
from pullback.transforms import grad, hessian, hvp, jacobian, value_and_grad

__version__ = "0.1.0"

__all__ = [
    "BindError",
    "CompileError",
    "Device",
    "DeviceError",
    "DeviceType",
    "Function",
    "GradientError",
    "InternalError",
    "Module",
    "PullbackError",
    "ShapeError",
    "Struct",
    "Tensor",
    "UnknownFunctionError",
    "check_derivative",
    "create_device",
    "create_torch_device",
    "grad",
    "gradcheck",
    "hessian",
    "hvp",
    "jacobian",
    "numeric_grad",
    "value_and_grad",
]
