"""Derivatives as functions: ``grad``, ``value_and_grad``, ``jacobian``, ``hessian`` and ``hvp``."""

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


def _results(function: Function, args, kwargs) -> list:
    """What a call returns, as a list."""
    result = function(*args, **kwargs)
    return list(result) if isinstance(result, tuple) else [result]


def _filled(numbers, results):
    """The results in the place of their numbers, in dicts as the numbers are."""
    if isinstance(numbers, dict):
        return {name: _filled(below, results) for name, below in numbers.items()}
    return results[numbers]


def jacobian(function: Function, argnums: int | str | Sequence[int | str] = 0) -> Callable:
    """A function that gives the Jacobian of each lane: one array, the call's shape, then the result's dims, then the parameter's.

    It is made of JVPs or VJPs, whichever are fewer, in one launch that shares the primal. Where an argument is shared by
    several lanes, each lane has its own Jacobian. With torch, it is recorded like any call.

    Args:
        function: a function of a module with one result that is no struct.
        argnums: parameters to differentiate by, as for :func:`value_and_grad`.

    Raises:
        GradientError: from the call, as for :func:`value_and_grad`.
    """
    several = isinstance(argnums, (tuple, list))
    wanted = tuple(argnums) if several else (argnums,)

    def call(*args, **kwargs):
        derived, numbers, _ = function._derived("jacobian", wanted, args, kwargs)
        results = _results(derived, args, kwargs)
        jacobians = tuple(_filled(number, results) for number in numbers)
        return jacobians if several else jacobians[0]

    return call


def hessian(function: Function, argnum: int | str = 0) -> Callable:
    """A function that gives the Hessian of each lane: the call's shape, then the parameter's dims twice.

    Args:
        function: a function of a module with one result; of a result with several components, the sum is meant.
        argnum: the parameter to differentiate by, which is no struct and no whole array.

    Raises:
        GradientError: from the call, as for :func:`value_and_grad`.
    """

    def call(*args, **kwargs):
        gradient, _, _ = function._derived("gradient", (argnum,), args, kwargs)
        derived, _, _ = gradient._derived("jacobian", (argnum,), args, kwargs)
        return derived(*args, **kwargs)

    return call


def hvp(function: Function, argnums: int | str | Sequence[int | str] = 0) -> Callable:
    """A function that gives the product of each lane's Hessian with a vector, by forward over reverse mode.

    Args:
        function: a function of a module with one result; of a result with several components, the sum is meant.
        argnums: parameters to differentiate by, as for :func:`value_and_grad`.

    Returns:
        A callable of the vector, then ``function``'s arguments: ``hvp(f)(v, x)``. The vector is like the argument (a tuple
        of such for several ``argnums``), and so is what it gives.

    Raises:
        GradientError: from the call, as for :func:`value_and_grad`.
    """
    several = isinstance(argnums, (tuple, list))
    wanted = tuple(argnums) if several else (argnums,)

    def call(vector, *args, **kwargs):
        gradient, numbers, names = function._derived("gradient", wanted, args, kwargs)
        vectors = vector if several else (vector,)
        if len(vectors) != len(names):
            raise TypeError(
                f"hvp takes {len(names)} vectors, one per argument of argnums, not {len(vectors)}"
            )
        tangents = {f"d_{name}": given for name, given in zip(names, vectors, strict=True)}
        results = _results(gradient.fwds, args, {**kwargs, **tangents})
        products = results[len(results) // 2 :]
        given = tuple(_filled(number, products) for number in numbers)
        return given if several else given[0]

    return call
