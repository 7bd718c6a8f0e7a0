"""A call in double precision with its gradients by five-point differences and by reverse mode; for ``pullback.checks``.

Apart from ``checks`` since it needs NumPy, which importing the package does not load.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pullback._native import Function

STEP = np.finfo(np.float64).eps ** 0.2


class Call:
    """A call in double precision: the leaves of its arguments as arrays, which can be changed one by one."""

    def __init__(self, function: Function, args: Sequence[Any] | Mapping[str, Any]):
        self.function = function._widened()
        positional, named = ((), dict(args)) if isinstance(args, Mapping) else (tuple(args), {})
        self.leaves: list[Any] = []
        self.positional = [self._store(value) for value in positional]
        self.named = {name: self._store(value) for name, value in named.items()}
        inputs, self.outputs = self.function._slots(*self._arguments(self.leaves))
        self.slots = inputs
        shapes = [self.lanes(leaf) for leaf in range(len(self.leaves))]
        self.shape = np.broadcast_shapes(*shapes)

    def _store(self, value: Any) -> Any:
        """The value with numbers of leaves in the place of leaves."""
        if isinstance(value, dict):
            return {name: self._store(field) for name, field in value.items()}
        self.leaves.append(_as_numpy(value))
        return len(self.leaves) - 1

    def _arguments(self, leaves: list[Any]) -> tuple[tuple, dict]:
        def filled(stored):
            if isinstance(stored, dict):
                return {name: filled(field) for name, field in stored.items()}
            return leaves[stored]

        return tuple(map(filled, self.positional)), {
            name: filled(value) for name, value in self.named.items()
        }

    def rank(self, leaf: int) -> int:
        """How many of the leaf's dims are its parameter's own."""
        slot = self.slots[leaf]
        return 0 if slot is None else len(slot[2])

    def lanes(self, leaf: int) -> tuple[int, ...]:
        """The leaf's dims before its parameter's own."""
        shape = np.shape(self.leaves[leaf])
        return shape[: len(shape) - self.rank(leaf)]

    def differentiable(self) -> list[int]:
        """The leaves that can have a gradient."""
        return [leaf for leaf, slot in enumerate(self.slots) if slot is not None and slot[3]]

    def expanded(self, leaf: int) -> np.ndarray:
        """The leaf with an element of its own for each lane."""
        own = self.slots[leaf][2]
        value = np.asarray(self.leaves[leaf], np.float64)
        return np.broadcast_to(value, (*self.shape, *own)).copy()

    def results(self, leaf: int, value: np.ndarray) -> list[np.ndarray]:
        """The float results where the leaf has that value."""
        leaves = list(self.leaves)
        leaves[leaf] = value
        args, kwargs = self._arguments(leaves)
        found = _flat(self.function(*args, **kwargs))
        return [np.asarray(result) for result, slot in zip(found, self.outputs, strict=True) if slot[3]]

    def difference(self, leaf: int, cotangents: Sequence[np.ndarray]) -> np.ndarray:
        """The gradient of each lane by the leaf, for cotangents of the float results."""
        at = self.expanded(leaf)
        gradient = np.zeros_like(at)
        own = self.slots[leaf][2]
        for index in np.ndindex(*own):
            place = (..., *index)
            step = STEP * np.maximum(1.0, np.abs(at[place]))
            total = np.zeros(self.shape)
            for steps, weight in ((-2, 1.0), (-1, -8.0), (1, 8.0), (2, -1.0)):
                moved = at.copy()
                moved[place] += steps * step
                for result, cotangent in zip(self.results(leaf, moved), cotangents, strict=True):
                    axes = tuple(range(len(self.shape), result.ndim))
                    total += weight * (result * cotangent).sum(axis=axes)
            gradient[place] = total / (12.0 * step)
        return gradient

    def backward(self, leaf: int, cotangents: Sequence[np.ndarray]) -> np.ndarray:
        """The same by reverse mode."""
        leaves = list(self.leaves)
        leaves[leaf] = self.expanded(leaf)
        args, kwargs = self._arguments(leaves)
        outputs = [slot for slot in self.outputs if slot[3]]
        given: dict[str, Any] = {}
        for (path, *_), cotangent in zip(outputs, cotangents, strict=True):
            put(given, f"d_{path}", cotangent)
        gradients = self.function.bwds(*args, **kwargs, **given)
        return np.asarray(_get(gradients, self.slots[leaf][0]))


def _as_numpy(value: Any) -> Any:
    """An array of the value, floats in double precision; Python's own numbers as they are."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.double().numpy() if value.is_floating_point() else value.numpy()
    elif hasattr(value, "to_numpy"):
        value = value.to_numpy()
    if isinstance(value, (bool, int, float)):
        return value
    array = np.asarray(value)
    return array.astype(np.float64) if np.issubdtype(array.dtype, np.floating) else array


def _flat(result: Any) -> list:
    """The arrays of a result: those of a tuple's items or a dict's values, in order."""
    if isinstance(result, tuple):
        return [leaf for item in result for leaf in _flat(item)]
    if isinstance(result, dict):
        return [leaf for item in result.values() for leaf in _flat(item)]
    return [] if result is None else [result]


def put(target: dict, path: str, value: Any) -> None:
    first, _, rest = path.partition(".")
    if rest:
        put(target.setdefault(first, {}), rest, value)
    else:
        target[first] = value


def _get(source: dict, path: str) -> Any:
    first, _, rest = path.partition(".")
    return _get(source[first], rest) if rest else source[first]


def summed(gradient: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The gradient of an argument of that shape: summed over the dims it was broadcast in."""
    lead = gradient.ndim - len(shape)
    gradient = gradient.sum(axis=tuple(range(lead)))
    axes = tuple(dim for dim, size in enumerate(shape) if size == 1 and gradient.shape[dim] != 1)
    return gradient.sum(axis=axes, keepdims=True)
