"""Gradients as functions: ``grad`` and ``value_and_grad``."""

from collections.abc import Callable, Sequence

from pullback._native import Function


def value_and_grad(function: Function, argnums: int | str | Sequence[int | str] = 0) -> Callable:
    """A function that gives ``function``'s result and the gradient of its sum, in one launch.

    Args:
        function: a function of a module.
        argnums: parameters to differentiate by, by number (from the end if negative) or name; one, or a tuple or list.

    Returns:
        A callable with ``function``'s arguments that returns ``(value, gradient)``. The value is what ``function``
        returns. The gradient of an argument has the argument's shape, dtype and library (a dict for a struct given as
        one); where the argument was broadcast it is summed, in a fixed order. A tuple of gradients for several ``argnums``.

    Raises:
        GradientError: from the call, where there is no derivative (``no-derivative``), or where an argument can
            have none (``not-differentiable``), or requires grad while torch records (``no-second-derivative``).
    """
    several = isinstance(argnums, (tuple, list))
    wanted = tuple(argnums) if several else (argnums,)

    def call(*args, **kwargs):
        value, gradients = function._value_and_grad(wanted, args, kwargs)
        return value, (tuple(gradients) if several else gradients[0])

    return call


def grad(function: Function, argnums: int | str | Sequence[int | str] = 0) -> Callable:
    """As :func:`value_and_grad`, but the callable returns the gradient alone."""
    both = value_and_grad(function, argnums)

    def call(*args, **kwargs):
        return both(*args, **kwargs)[1]

    return call
