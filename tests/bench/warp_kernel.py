"""The formula as a Warp kernel, in a file of its own because Warp reads kernels from their files."""

import warp as wp


@wp.kernel
def formula(x: wp.array(dtype=float), y: wp.array(dtype=float)):
    """Writes the formula of each element."""
    i = wp.tid()
    v = x[i]
    y[i] = 0.5 * v * v + 0.25 * v + 0.125 + wp.sin(v) + wp.exp(-v * v)
