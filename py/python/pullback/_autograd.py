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
    """Hands over the results of a call that has run, and the tensors it wrote; its backward launches the derived kernel."""

    @staticmethod
    def forward(ctx, recorded, *tensors):
        ctx.recorded = recorded
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors)
        results, constants, written = recorded.results()
        if constants:
            ctx.mark_non_differentiable(*constants)
        if written:
            ctx.mark_dirty(*written)
        return *results, *written

    @staticmethod
    def backward(ctx, *cotangents):
        tensors = _saved_tensors(ctx)
        needs = ctx.needs_input_grad
        if torch.is_grad_enabled():
            return _Backward.apply(ctx.recorded, needs, len(tensors), *tensors, *cotangents)
        return ctx.recorded.backward(tensors, needs, cotangents)


class _Backward(torch.autograd.Function):
    """The backward launch under ``create_graph=True``: its own backward launches the derivative of the lane-wise VJP."""

    @staticmethod
    def forward(ctx, recorded, needs, count, *saved):
        ctx.recorded, ctx.needs, ctx.count = recorded, needs, count
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*saved)
        return recorded.backward(saved[:count], needs, saved[count:])

    @staticmethod
    def backward(ctx, *seeds):
        saved = _saved_tensors(ctx)
        tensors, cotangents = saved[: ctx.count], saved[ctx.count :]
        derived, forms = ctx.recorded.differentiated(tensors, ctx.needs, cotangents)
        wanted = [seed for seed, needed in zip(seeds, ctx.needs, strict=True) if needed]
        of_lanes, of_memory, memory = [], [], []
        for seed, (shape, dtype, whole) in zip(wanted, forms, strict=True):
            like = {"dtype": getattr(torch, dtype), "device": tensors[0].device}
            if whole:
                # The derivative is by what is added there, whatever is there before.
                memory.append(torch.empty(shape, **like))
                of_memory.append(torch.zeros(shape, **like) if seed is None else seed)
            else:
                # It was summed where its argument was broadcast, so its cotangent is the same for all those lanes.
                of_lanes.append(None if seed is None else seed.to(like["dtype"]).expand(shape))
        wanted = (*of_lanes, *of_memory)
        present = [cotangent is not None for cotangent in cotangents]
        given = (*tensors, *(c for c in cotangents if c is not None), *memory)
        needed = ctx.needs_input_grad[3:]
        needs = (
            False,
            *needed[: ctx.count],
            *(n for n, p in zip(needed[ctx.count :], present, strict=True) if p),
            *(False for _ in memory),
        )
        if torch.is_grad_enabled():
            gradients = _Backward.apply(derived, needs, len(given), *given, *wanted)
        else:
            gradients = derived.backward(given, needs, wanted)
        of_cotangents = iter(gradients[1 + ctx.count :])
        rest = (next(of_cotangents) if p else None for p in present)
        return None, None, None, *gradients[1 : 1 + ctx.count], *rest


apply = _Forward.apply
# The same without Python's detour for function transforms: half the time of a call that has none of them open.
apply_plain = super(torch.autograd.Function, _Forward).apply
