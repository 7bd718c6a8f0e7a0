"""Gradients against finite differences: ``gradcheck``, ``numeric_grad`` and ``check_derivative``.

All is computed in double precision on the CPU, whatever the function's dtypes and device, so that what differs is the
derivative and not its rounding. Differences are central ones of five points: ``f'(x) = (f(x - 2h) - 8 f(x - h) + 8 f(x + h)
- f(x + 2h)) / 12h``, with ``h = eps^(1/5) max(1, |x|)``, whose error is of order ``eps^(4/5)``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pullback._native import Function

CHECKED_SIZE = 5
"""Of each dim of a whole array that is checked at random."""


def numeric_grad(
    function: Function, args: Sequence[Any] | Mapping[str, Any], argnums: int | str | None = None
) -> Any:
    """The gradient of the sum of a function's results, by finite differences.

    Args:
        function: a function of a module.
        args: its arguments, a tuple by position or a dict by name.
        argnums: the argument to differentiate by, by its number or name in ``args``; ``None`` for all.

    Returns:
        A float64 NumPy array of the argument's shape (a dict of them for a struct, and for an array of structs); for all arguments,
        a dict by parameter name. What a function writes into whole arrays counts as its results do.

    Raises:
        BindError, ShapeError: the arguments do not fit.
    """
    import numpy as np

    from pullback._differences import Call, put, summed

    call = Call(function, args)
    ones = call.cotangents(np.ones)
    gradients: dict[str, Any] = {}
    for leaf in call.differentiable():
        gradient = call.difference(leaf, ones)
        put(gradients, call.slots[leaf][0], summed(gradient, np.shape(call.leaves[leaf])))
    if argnums is None:
        return gradients
    names = list(gradients)
    if isinstance(argnums, str):
        return gradients[argnums]
    stored = call.positional[argnums]
    while isinstance(stored, dict):
        stored = next(iter(stored.values()))
    root = call.slots[stored][0].split(".")[0]
    return gradients[names[names.index(root)]]


def gradcheck(
    function: Function,
    args: Sequence[Any] | Mapping[str, Any],
    rtol: float = 1e-6,
    atol: float = 1e-8,
    seed: int = 0,
) -> bool:
    """Whether reverse mode agrees with finite differences at these arguments.

    Every float argument is checked, lane by lane (a whole array by each of its elements), for random cotangents of the results
    and of the whole arrays that the function writes. Arguments are not changed.

    Args:
        function: a function of a module.
        args: its arguments, a tuple by position or a dict by name.
        rtol: allowed difference relative to the larger of the two, besides ``atol``.
        atol: allowed difference, times the largest gradient of the argument.
        seed: of the cotangents.

    Returns:
        ``True``.

    Raises:
        GradientError: ``gradient-mismatch``, with the worst element and both gradients there; at a point where the function
            has no derivative (a tie, a pole) the two may differ by right.
    """
    import numpy as np

    from pullback._differences import Call

    call = Call(function, args)
    random = np.random.default_rng(seed)
    cotangents = call.cotangents(lambda shape: random.uniform(0.5, 1.5, shape))
    for leaf in call.differentiable():
        numeric, derived = call.difference(leaf, cotangents), call.backward(leaf, cotangents)
        with np.errstate(invalid="ignore"):
            apart = np.abs(numeric - derived)
            size = np.maximum(np.abs(numeric), np.abs(derived))
            scale = np.max(size, initial=0.0, where=np.isfinite(size))
            excess = apart - (atol * max(1.0, scale) + rtol * size)
        # NaN and infinity agree with themselves alone.
        same = (numeric == derived) | (np.isnan(numeric) & np.isnan(derived))
        excess = np.where(same, -np.inf, np.where(np.isnan(excess), np.inf, excess))
        if excess.size and excess.max() > 0:
            worst = np.unravel_index(int(excess.argmax()), excess.shape)
            path = call.slots[leaf][0]
            shown = ", ".join(map(str, worst))
            wrong = int((excess > 0).sum())
            raise call.function._mismatch(
                path.split(".")[0],
                f"the gradient by `{path}` differs from finite differences at [{shown}]",
                [
                    f"reverse mode: {derived[worst]:.9g}; differences: {numeric[worst]:.9g}",
                    f"{wrong} of {excess.size} elements differ",
                ],
            )
    return True


def check_derivative(function: Function, samples: int = 64, seed: int = 0, scale: float = 2.0) -> bool:
    """:func:`gradcheck` at random arguments: what to run on every custom derivative.

    Args:
        function: a function of a module; its first declaration is checked.
        samples: how many lanes; a whole array has 5 elements along each dim.
        seed: of the arguments.
        scale: floats are drawn from ``[-scale, scale]``, integers from 1 to 4.

    Raises:
        GradientError: as :func:`gradcheck`.
    """
    import numpy as np

    from pullback._differences import put

    random = np.random.default_rng(seed)
    args: dict[str, Any] = {}
    for path, dtype, shape, _, whole in function._widened()._input_slots():
        lanes = (samples,) if whole is None else (CHECKED_SIZE,) * whole
        size = (*lanes, *shape)
        if dtype == "bool":
            value = random.integers(0, 2, size).astype(bool)
        elif np.issubdtype(np.dtype(dtype), np.integer):
            value = random.integers(1, 5, size).astype(dtype)
        else:
            value = random.uniform(-scale, scale, size)
        put(args, path, value)
    return gradcheck(function, args, seed=seed)
