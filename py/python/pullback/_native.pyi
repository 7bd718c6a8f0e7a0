"""Types of the native half."""

import os
from collections.abc import Sequence
from typing import Any, ClassVar, TypeAlias, final

import numpy as np

__all__ = [
    "BackwardFunction",
    "Device",
    "DeviceType",
    "Function",
    "GradientExplanation",
    "Module",
    "RecordedCall",
    "Struct",
    "Tensor",
    "add_library_path",
    "error_codes",
]

_Slot: TypeAlias = tuple[str, str, list[int], bool, int | None]

@final
class DeviceType:
    """Which kind of device. ``automatic`` takes CUDA, else Vulkan on a real GPU, else the CPU."""

    automatic: ClassVar[DeviceType]
    cpu: ClassVar[DeviceType]
    vulkan: ClassVar[DeviceType]
    cuda: ClassVar[DeviceType]
    null: ClassVar[DeviceType]
    def __eq__(self, other: object) -> bool: ...
    def __ne__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...
    def __int__(self) -> int: ...

@final
class Device:
    """An open device.

    Raises:
        DeviceError: ``no-driver`` or ``no-device``, when the kind asked for is not there.
    """

    def __new__(
        cls,
        type: DeviceType = ...,
        include_paths: Sequence[str | os.PathLike[str]] = ...,
        gradient_convention: str = ...,
    ) -> Device: ...
    @property
    def type(self) -> DeviceType:
        """The kind of device this is (never ``automatic``)."""
    @property
    def name(self) -> str:
        """What the driver calls it."""
    def synchronize(self) -> None:
        """Waits until all work submitted is done."""

@final
class Module:
    """A compiled source file; its functions and structs are its attributes, and its items by name."""

    @staticmethod
    def load_from_file(
        device: Device,
        path: str | os.PathLike[str],
        options: dict[str, Any] | None = None,
        link: Sequence[Any] | None = None,
    ) -> Module:
        """Compiles a ``.slang``, ``.hlsl`` or ``.wgsl`` file.

        Args:
            options: ``include_paths`` (folders), ``defines`` (a dict of names to texts) and ``gradient_convention`` (``"torch"`` or
                ``"slang"``; the device's without it).
            link: modules, loaded before, that define what this file declares ``extern``.

        Raises:
            CompileError: everything that is wrong with the file, each with its place; what is ``extern`` and defined by none
                of the linked modules, or by two.
            DeviceError: ``file-not-found``.
        """
    @staticmethod
    def load_from_source(
        device: Device,
        name: str,
        source: str,
        options: dict[str, Any] | None = None,
        link: Sequence[Any] | None = None,
    ) -> Module:
        """Compiles a text; the extension of ``name`` says its language (Slang without one)."""
    def find_function(self, name: str) -> Function | None:
        """The function of that name, or the instance ``f<float>`` of a generic one; ``None`` where there is none."""
    def require_function(self, name: str) -> Function:
        """The function of that name, or the instance ``f<float>`` of a generic one, compiled at the first request.

        Raises:
            UnknownFunctionError: there is none; the nearest name is suggested.
            CompileError: the generic function does not take these arguments.
        """
    def __getattr__(self, name: str) -> Any: ...
    def __getitem__(self, name: str) -> Any:
        """The function of that name (a :class:`Function`, as of ``require_function``), or else the :class:`Struct`:
        ``module["f<float>"]``, ``module["Ray"]``.

        Raises:
            UnknownFunctionError: there is neither.
        """
    @property
    def functions(self) -> list[str]:
        """Names of all functions."""
    @property
    def structs(self) -> list[str]:
        """Names of the structs that functions take, by value or in arrays."""
    @property
    def name(self) -> str:
        """The file's name."""
    @property
    def ir(self) -> str:
        """The compiled functions, as text."""

@final
class Function:
    """A function of a module.

    A call runs it once per lane. An array's last dims are the parameter's own (``(..., 3)`` for a ``float3``); the leading
    dims are lanes, broadcast from the right as in NumPy. Numbers, and tuples of numbers for vectors, are the same for every
    lane; a struct takes a dict with one entry per field. Arrays convert only without loss, Python numbers to the
    parameter's dtype.

    A ``Tensor<T, D>`` parameter (and its kin) takes an array of D dims whole, whatever its strides, of exactly the dtype of T; so does a
    buffer, which takes an array's elements in C order. Such arrays have no lanes: every lane may read and write all of them.
    Where T is a struct, the array is a NumPy array of ``module.T.dtype`` or a ``Tensor`` of it; a dict of arrays, one per field, each
    of shape ``(n, ...)`` with the field's own dims last, packed for the call (and unpacked after one that writes); numbers of shape
    ``(n, k)`` for structs of k numbers of one dtype; or bytes of shape ``(n, size)``, which have no gradient. A gradient comes in the
    same form.

    The result has the call's shape followed by the result type's own dims, in the library of the arguments: torch if any is a
    tensor of torch's, else ``Tensor`` if any is one, else NumPy (a plain number when there are no dims). ``_result`` asks for
    another (``'numpy'``, ``'torch'``, ``'tensor'``), or gives the array to write. ``out`` parameters may be left out, and
    are then returned after the result.

    If a torch argument requires grad, and grad mode is on, torch records the call, and ``backward`` launches the derived kernel.

    Raises:
        BindError: the arguments do not fit the parameters.
        ShapeError: their shapes do not fit together.
        GradientError: a gradient is needed that cannot be given.
    """

    __name__: str
    @property
    def signature(self) -> str:
        """The declarations that share the name, one per line."""
    def __call__(self, *args: Any, _result: Any = None, **kwargs: Any) -> Any: ...
    def set(self, values: dict[str, Any] | None = None, /, **kwargs: Any) -> Function:
        """The function with these values for the globals that it uses; this one stays as it is.

        A uniform takes one value for all lanes, a buffer a whole array (its count is the array's number of elements), a
        ``cbuffer`` or ``ParameterBlock`` a dict of its fields. Torch tensors among them get their gradients like arguments.
        """
    def constants(self, values: dict[str, Any] | None = None, /, **kwargs: Any) -> Function:
        """The function with these values for link-time constants of its module; this one stays as it is.

        A link-time constant is declared ``extern static const`` (or ``export static const``), with its default. It takes a number,
        a vector a tuple of numbers. The function is compiled for them once: the same values again cost a look-up.

        Raises:
            CompileError: no link-time constant has the name (``unknown-name``, ``not-constant``), or its type not the
                value (``type-mismatch``): a float for an integer, an integer out of range. Each with its place.
            BindError: a value is no number.
        """
    def deterministic(self) -> Function:
        """The function with gradients that are equal from run to run, those of whole arrays too; this one stays as it is.

        Lanes that meet in an element of a whole array add to it in fixed point, which has no order. That takes 104 bytes for each
        float32 of the array, and 712 for each float64. All other gradients are summed in a fixed order anyway. With tensors of
        torch's, ``torch.use_deterministic_algorithms(True)`` asks for it as well.
        """
    @property
    def fwds(self) -> Function:
        """The JVP, lane by lane: takes the function's arguments, then their tangents, and gives its results, then theirs.

        The tangent of ``x`` is ``d_x``; one left out is zero. The tangent of the result comes after the results. Tangents with more
        lanes than the arguments are several tangents at once. It is a function: call it, differentiate it.

        The tangent of a whole array is an array like it, of the same shape, strides and dtype: those of all whole arrays are given, or
        of none, which are constant then. Where the function writes an array, the tangents of what it writes are written into
        the array's tangent.
        """
    @property
    def bwds(self) -> BackwardFunction:
        """The backward launch: takes the function's arguments and cotangents, and gives the gradients."""
    def explain_gradient(self, *args: Any, **kwargs: Any) -> GradientExplanation:
        """How the gradients by every float array among the arguments are made, and what they cost; nothing runs."""
    def _derived(
        self, kind: str, argnums: tuple[int | str, ...], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Function, list[Any], list[str]]: ...
    def _widened(self) -> Function: ...
    def _slots(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[list[_Slot | None], list[_Slot], list[str]]: ...
    def _input_slots(self) -> list[_Slot]: ...
    def _mismatch(self, param: str, message: str, notes: list[str]) -> Exception: ...
    def _value_and_grad(
        self, argnums: tuple[int | str, ...], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, list[Any]]: ...
    def dump(self, stage: str = "ir") -> str:
        """The IR of a stage, as text: ``ir`` (as written), ``flat``, ``vjp`` or ``jvp``."""

@final
class BackwardFunction:
    """The backward launch of a function."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Gradients by parameter name, of every float array among the arguments.

        Each has its argument's shape, dtype and library; where the argument was broadcast, it is summed in a fixed order.
        ``d_result`` (and ``d_name`` for an ``out`` parameter) is the cotangent of the result, of the result's shape and dtype;
        without any, all are ones. For a whole array that the function writes, ``d_name`` is the cotangent of what it leaves there,
        of the array's shape and dtype, and must be given; the array's own gradient is by what the function found there.

        Raises:
            BindError: the cotangent of a written array is missing (``missing-argument``), or names nothing that the function gives.
            GradientError: there is no derivative (``no-derivative``).
        """

@final
class GradientExplanation:
    """How the gradients of a call are made and what they cost; ``str()`` of it is a report."""

    @property
    def arguments(self) -> dict[str, str]:
        """By path of an argument: how its gradient is accumulated over the lanes."""
    @property
    def loops(self) -> list[dict[str, Any]]:
        """Per loop, outer before inner: ``place``, ``depth``, ``trips``, ``state_words``, ``strategy``, ``bytes_per_lane``."""
    @property
    def bytes_per_lane(self) -> int:
        """What all loops together store in each lane."""
    @property
    def statements(self) -> int:
        """Statements of the function in scalar form."""
    @property
    def derived_statements(self) -> int | None:
        """Statements of its reverse derivative; ``None`` where that is refused."""
    @property
    def refused(self) -> str | None:
        """Why there is no gradient, as the error that asking for it raises says it; ``None`` where there is one."""

@final
class Struct:
    """A struct of a module: how it lies in memory, where functions take arrays of it."""

    __name__: str
    @property
    def dtype(self) -> np.dtype[np.void]:
        """NumPy's dtype with the same fields in the same places: ``np.zeros(n, module.Ray.dtype)`` is an array of rays.

        Raises:
            BindError: a field is of bfloat16, which NumPy has not.
        """
    @property
    def itemsize(self) -> int:
        """The size of one struct in bytes."""

@final
class Tensor:
    """A C-contiguous array in a device's memory."""

    @staticmethod
    def empty(device: Device, shape: Sequence[int], dtype: str | Struct | None = None) -> Tensor:
        """An uninitialized tensor; ``dtype`` by NumPy's name (float32 without one), or a struct of a module."""
    @staticmethod
    def zeros(device: Device, shape: Sequence[int], dtype: str | Struct | None = None) -> Tensor:
        """A tensor of zeros."""
    @staticmethod
    def from_numpy(device: Device, array: np.ndarray | np.generic) -> Tensor:
        """A copy of a NumPy array or scalar, of its shape and dtype, structured ones too."""
    def to_numpy(self) -> np.ndarray:
        """A copy as a NumPy array, after all launches that write the tensor."""
    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes per dimension."""
    @property
    def dtype(self) -> str | Struct:
        """NumPy's name of the dtype, or the struct that the elements are."""

@final
class RecordedCall:
    """A call between its forward and its backward launch; for ``pullback._autograd``."""

    def results(self) -> tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]] | None: ...
    def backward(
        self, tensors: tuple[Any, ...], needs: tuple[bool, ...], cotangents: tuple[Any, ...]
    ) -> tuple[Any, ...]: ...
    def differentiated(
        self, tensors: tuple[Any, ...], needs: tuple[bool, ...], cotangents: tuple[Any, ...]
    ) -> tuple[RecordedCall, list[tuple[list[int], str, bool]]]: ...

def add_library_path(path: str | os.PathLike[str]) -> None:
    """Adds a folder where NVRTC is looked for."""

def error_codes() -> list[tuple[str, str, str]]:
    """``(code, exception, meaning)`` of every error."""
