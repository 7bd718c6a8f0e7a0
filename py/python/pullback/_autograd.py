"""The two autograd functions a recorded call goes through. Imported with the first tensor that requires grad."""

import torch

from pullback.errors import GradientError


def _refusal(code: str, message: str, help: str) -> GradientError:
    return GradientError(f"error[{code}]: {message}\n  = help: {help}", code=code, help=help)


def _saved_tensors(ctx):
    """The call's tensors; an error if one was changed in place since then, which torch's version counters tell."""
    try:
        return ctx.saved_tensors
    except RuntimeError as error:
        if "inplace operation" not in str(error):
            raise
        message = "a tensor was changed by an inplace operation between the call and its backward"
        help = "change a copy (x.clone()), or call backward() first"
        raise _refusal("modified-in-place", message, help) from error


class _Forward(torch.autograd.Function):
    """Hands over the results of a call that has run; its backward launches the derived kernel."""

    @staticmethod
    def forward(ctx, recorded, *tensors):
        ctx.recorded = recorded
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors)
        results, constants = recorded.results()
        if constants:
            ctx.mark_non_differentiable(*constants)
        return results

    @staticmethod
    def backward(ctx, *cotangents):
        tensors = _saved_tensors(ctx)
        needs = ctx.needs_input_grad
        if torch.is_grad_enabled():
            return _Backward.apply(ctx.recorded, needs, len(tensors), *tensors, *cotangents)
        return ctx.recorded.backward(tensors, needs, cotangents)


class _Backward(torch.autograd.Function):
    """The backward launch under ``create_graph=True``: what it gives cannot be differentiated again, and says so."""

    @staticmethod
    def forward(ctx, recorded, needs, count, *saved):
        return recorded.backward(saved[:count], needs, saved[count:])

    @staticmethod
    def backward(ctx, *_):
        message = "a second derivative of a Pullback call was asked for"
        help = "leave out create_graph=True, or write the first derivative as a kernel of its own"
        raise _refusal("no-second-derivative", message, help)


apply = _Forward.apply
# The same without Python's detour for function transforms: half the time of a call that has none of them open.
apply_plain = super(torch.autograd.Function, _Forward).apply
