"""Opening devices."""

import os
import sys

from pullback._native import Device, DeviceType, add_library_path
from pullback.errors import DeviceError


def _find_libraries() -> None:
    """Tells the native half where pip puts NVRTC."""
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for folder in dict.fromkeys([own, *(path for path in sys.path if path.endswith("site-packages"))]):
        if os.path.isdir(os.path.join(folder, "nvidia")):
            add_library_path(folder)


def create_device(
    type: DeviceType = DeviceType.automatic, include_paths=(), gradient_convention: str = "torch"
) -> Device:
    """Opens a device.

    Args:
        type: which kind; ``automatic`` takes CUDA, else Vulkan on a real GPU, else the CPU.
        include_paths: folders searched for modules and what they include.
        gradient_convention: what derivatives are at ties, kinks and poles, for modules that do not say it themselves
            (``options={"gradient_convention": ...}``): ``"torch"``, subgradients and infinities as in PyTorch, or ``"slang"``, whose
            library differs near the singular points of ``sqrt``, ``rcp``, ``pow`` and ``fmod``.

    Raises:
        BindError: ``unknown-argument``, for another convention.
        DeviceError: ``no-driver`` or ``no-device``, when the kind asked for is not there.
    """
    _find_libraries()
    return Device(type, list(include_paths), gradient_convention)


def create_torch_device(
    type: DeviceType = DeviceType.automatic, include_paths=(), gradient_convention: str = "torch"
) -> Device:
    """Opens a device to be used with torch tensors.

    A CUDA device uses torch's own context and its current stream; the CPU and Vulkan devices work in place on CPU tensors
    (Vulkan where the driver can import host memory, else on a copy).

    Raises:
        DeviceError: as :func:`create_device`.
    """
    device = create_device(type, include_paths, gradient_convention)
    torch = sys.modules.get("torch")
    if device.type is DeviceType.cuda and torch is not None:
        try:
            torch.cuda.init()
        except (AssertionError, RuntimeError) as error:
            help = "install a torch that is built for CUDA"
            message = f"error[no-driver]: torch has no CUDA: {error}\n  = help: {help}"
            raise DeviceError(message, code="no-driver", help=help) from error
    return device
