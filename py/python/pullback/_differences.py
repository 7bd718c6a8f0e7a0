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
        self.slots, self.outputs, self.left = self.function._slots(*self._arguments(self.leaves))
        shapes = [self.lanes(leaf) for leaf in range(len(self.leaves))]
        self.shape = np.broadcast_shapes(*shapes)

    def _store(self, value: Any) -> Any:
        """The value with numbers of leaves in the place of leaves."""
        if isinstance(value, dict):
            return {name: self._store(field) for name, field in value.items()}
        value = _as_numpy(value)
        if isinstance(value, np.ndarray) and value.dtype.names:
            return {name: self._store(value[name]) for name in value.dtype.names}
        self.leaves.append(value)
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
        """How many of the leaf's dims are its parameter's own: all of a whole array's."""
        slot = self.slots[leaf]
        if slot is None:
            return 0
        return len(slot[2]) if slot[4] is None else np.ndim(self.leaves[leaf])

    def lanes(self, leaf: int) -> tuple[int, ...]:
        """The leaf's dims before its parameter's own."""
        shape = np.shape(self.leaves[leaf])
        return shape[: len(shape) - self.rank(leaf)]

    def differentiable(self) -> list[int]:
        """The leaves that can have a gradient."""
        return [leaf for leaf, slot in enumerate(self.slots) if slot is not None and slot[3]]

    def own(self, leaf: int) -> tuple[int, ...]:
        """The leaf's dims that are its parameter's own."""
        shape = np.shape(self.leaves[leaf])
        return shape if self.is_whole(leaf) else tuple(self.slots[leaf][2])

    def is_whole(self, leaf: int) -> bool:
        """Whether the leaf is an array for all lanes."""
        return self.slots[leaf][4] is not None

    def expanded(self, leaf: int) -> np.ndarray:
        """The leaf with an element of its own for each lane; a whole array as it is."""
        lanes = () if self.is_whole(leaf) else self.shape
        value = np.asarray(self.leaves[leaf], np.float64)
        return np.broadcast_to(value, (*lanes, *self.own(leaf))).copy()

    def cotangents(self, make) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """For each float result, and each whole array that is written, what ``make`` makes of its shape."""
        of_results = [make((*self.shape, *slot[2])) for slot in self.outputs if slot[3]]
        return of_results, [make(np.shape(self.leaves[leaf])) for leaf in self._left_leaves()]

    def _left_leaves(self) -> list[int]:
        paths = [slot and slot[0] for slot in self.slots]
        return [paths.index(path) for path in self.left]

    def results(self, leaf: int, value: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """The float results where the leaf has that value, and what is left in whole arrays."""
        leaves = [np.copy(one) if slot and slot[4] is not None else one for one, slot in self._leaves()]
        leaves[leaf] = np.copy(value)
        args, kwargs = self._arguments(leaves)
        found = _flat(self.function(*args, **kwargs))
        of_results = [np.asarray(result) for result, slot in zip(found, self.outputs, strict=True) if slot[3]]
        return of_results, [leaves[left] for left in self._left_leaves()]

    def _leaves(self):
        return zip(self.leaves, self.slots, strict=True)

    def difference(self, leaf: int, cotangents: tuple[list[np.ndarray], list[np.ndarray]]) -> np.ndarray:
        """The gradient of each lane by the leaf, or of all lanes by a whole array, for these cotangents."""
        at = self.expanded(leaf)
        gradient = np.zeros_like(at)
        # Lanes meet in whole arrays: then each number is changed on its own.
        apart = not self.is_whole(leaf) and not self.left
        lanes = self.shape if apart else ()
        for index in np.ndindex(*at.shape[len(lanes) :]):
            place = (..., *index)
            step = STEP * np.maximum(1.0, np.abs(at[place]))
            total = np.zeros(lanes)
            for steps, weight in ((-2, 1.0), (-1, -8.0), (1, 8.0), (2, -1.0)):
                moved = at.copy()
                moved[place] += steps * step
                of_results, left = self.results(leaf, moved)
                for result, cotangent in zip(of_results, cotangents[0], strict=True):
                    axes = tuple(range(len(lanes), result.ndim))
                    total += weight * (result * cotangent).sum(axis=axes)
                for array, cotangent in zip(left, cotangents[1], strict=True):
                    total += weight * (array * cotangent).sum()
            gradient[place] = total / (12.0 * step)
        return gradient

    def backward(self, leaf: int, cotangents: tuple[list[np.ndarray], list[np.ndarray]]) -> np.ndarray:
        """The same by reverse mode."""
        leaves = list(self.leaves)
        leaves[leaf] = self.expanded(leaf)
        args, kwargs = self._arguments(leaves)
        paths = [slot[0] for slot in self.outputs if slot[3]]
        given: dict[str, Any] = {}
        for path, cotangent in zip(paths + self.left, cotangents[0] + cotangents[1], strict=True):
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
