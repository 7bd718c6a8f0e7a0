"""The formula as a Taichi kernel, in a file of its own because Taichi reads kernels from their files."""


def make(ti):
    """The kernel, once Taichi is initialized."""

    @ti.kernel
    def formula(x: ti.types.ndarray(dtype=ti.f32, ndim=1), y: ti.types.ndarray(dtype=ti.f32, ndim=1)):
        for i in x:
            v = x[i]
            y[i] = 0.5 * v * v + 0.25 * v + 0.125 + ti.sin(v) + ti.exp(-v * v)

    return formula
