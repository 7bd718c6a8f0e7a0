"""Tensor parameters: an array is passed whole, whatever its strides, and every lane finds elements by N indices."""

import numpy as np
import pytest
import torch

import pullback as pb

SOURCE = """
import slangpy;
float at(Tensor<float, 2> t, int i, int j) { return t[i, j]; }
float by_vector(ITensor<float, 2> t, int2 p) { return t[p]; }
float by_array(ITensor<float, 2> t, int i, int j) { return t[{ i, j }]; }
int total(Tensor<int, 3> t)
{
    int sum = 0;
    for (int i = 0; i < t.shape[0]; i++)
        for (int j = 0; j < t.shape[1]; j++)
            for (int k = 0; k < t.getShape()[2]; k++) sum += t[i, j, k];
    return sum;
}
void transposed(ITensor<float, 2> t, IRWTensor<float, 2> u, int i, int j) { u[j, i] = t[i, j]; }
void counted(AtomicTensor<float, 1> t, int i) { t.add(i, 1.0); }
float squares(IDiffTensor<float, 2> t, int i)
{
    float sum = 0;
    for (int j = 0; j < t.shape[1]; j++) sum += t[i, j] * t[i, j];
    return sum;
}
float picked(Tensor<float3, 1> colours, int i, float3 by) { return dot(colours[i], by); }
void activated(int i, IDiffTensor<float, 1> x, IWDiffTensor<float, 1> y) { y[i] = max(0.0, x[i]); }
void squared_in_place(IRWTensor<float, 1> t, int i) { t[i] = t[i] * t[i]; }
float sampled(ITensor<float, 2> t, float2 p) { return t.sample(p); }
"""
X = np.arange(24, dtype=np.float32).reshape(4, 6)
ROWS, COLUMNS = np.indices((2, 3), dtype=np.int32)


@pytest.fixture
def module(load):
    return load(SOURCE)


LAYOUTS = {
    "contiguous": X,
    "transposed": X.T,
    "every other column": X[:, ::2],
    "from the end": X[::-1, ::-2],
    "one row for all": np.broadcast_to(X[0], (4, 6)),
    "a column": X[:, 1:2],
    "of a Fortran array": np.asfortranarray(X),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read_by_its_indices(module, layout):
    x = LAYOUTS[layout]
    wanted = np.zeros((2, 3), np.float32)
    there = x[:2, :3]
    wanted[: there.shape[0], : there.shape[1]] = there
    assert module.at(x, ROWS, COLUMNS).tolist() == wanted.tolist()
    assert module.at(torch.from_numpy(x.copy())[:, :], ROWS, COLUMNS).tolist() == wanted.tolist()


def test_vectors_are_indices_the_other_way_around(module):
    assert module.by_vector(X, (4, 1)) == X[1, 4]
    assert module.by_array(X, 1, 4) == X[1, 4]


@pytest.mark.parametrize("index", [(-1, 0), (4, 0), (0, -1), (0, 6), (2**31 - 1, 0), (-(2**31), 5)])
def test_outside_of_any_dim_is_zero(module, index):
    assert module.at(X + 1, *index) == 0


def test_an_empty_tensor_has_no_elements(module):
    assert module.at(np.zeros((0, 3), np.float32), 0, 0) == 0
    assert module.total(np.zeros((2, 0, 3), np.int32)) == 0


def test_elements_have_the_parameters_type(module):
    assert module.total(np.ones((2, 3, 4), np.int32)) == 24
    colours = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert module.picked(colours, 1, (1.0, 0.0, 10.0)) == 53
    with pytest.raises(pb.PullbackError) as caught:
        module.total(np.ones((2, 3, 4), np.float32))
    assert caught.value.code == "dtype-mismatch"


def test_the_arrays_rank_is_the_parameters(module):
    with pytest.raises(pb.PullbackError) as caught:
        module.at(X[0], 0, 0)
    assert caught.value.code == "element-shape"
    assert "Tensor<float, 2> t" in str(caught.value)


def test_writes_go_where_the_array_lies(module):
    u = np.full((3, 4), -1, np.float32)
    module.transposed(X, u[:, ::-2], ROWS, COLUMNS)
    assert u[:, ::-2].tolist() == X[:2, :3].T.tolist()
    assert (u[:, ::2] == -1).all()


def test_what_cannot_be_written_is_refused(module):
    for target, code in [
        (np.broadcast_to(np.float32(0), (3, 2)), "read-only-output"),
        (X.T, "overlapping-output"),
        (np.lib.stride_tricks.as_strided(X.copy(), (3, 2), (4, 4)), "overlapping-output"),
    ]:
        with pytest.raises(pb.BindError) as caught:
            module.transposed(X, target, ROWS, COLUMNS)
        assert caught.value.code == code
        assert "IRWTensor<float, 2> u" in str(caught.value)


def test_many_lanes_add_to_one_element(module):
    counts = np.zeros(3, np.float32)
    module.counted(counts, np.arange(3000, dtype=np.int32) % 3)
    assert counts.tolist() == [1000, 1000, 1000]


def test_a_tensor_of_our_own_is_passed_like_an_array(module, device):
    t = pb.Tensor.from_numpy(device, X)
    assert module.at(t, 2, 3).to_numpy() == X[2, 3]


def test_gradients_reach_what_lanes_read(module):
    t = torch.from_numpy(X.copy()).requires_grad_()
    rows = torch.tensor([0, 2, 2], dtype=torch.int32)
    module.squares(t, rows).sum().backward()
    wanted = 2 * X * np.array([1, 0, 2, 0], np.float32)[:, None]
    assert t.grad.tolist() == wanted.tolist()


def test_gradients_agree_with_differences(load_cpu):
    source = "import slangpy;\ndouble f(Tensor<double, 2> t, float2 p, double y) { double s = t.sample(p); return s * s * y; }"
    f = load_cpu(source).f
    x = np.random.default_rng(1).uniform(-1, 1, (3, 4))
    p = np.float32([[0.4, 0.6], [0.1, 0.9], [0.7, 0.2]])
    y = np.array([1.0, -2.0, 3.0])
    _, (of_x, of_y) = pb.value_and_grad(f, ("t", "y"))(t=x, p=p, y=y)
    wanted = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = 1e-5
        wanted[index] = ((f(x + step, p, y) - f(x - step, p, y)) / 2e-5).sum()
    np.testing.assert_allclose(of_x, wanted, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(of_y, f(x, p, np.ones(3)), rtol=1e-12)


def test_a_position_has_a_gradient(module):
    x = torch.arange(12.0).reshape(3, 4)
    p = torch.tensor([0.4, 0.6], requires_grad=True)
    module.sampled(x, p).backward()
    # One column is 1 more than the one before, and is a quarter of the width; one row is 4, and a third of the height.
    np.testing.assert_allclose(p.grad, [4, 12], rtol=1e-5)


def test_the_gradient_of_a_strided_tensor_asks_for_a_copy(module):
    t = torch.from_numpy(X.copy()).requires_grad_()
    with pytest.raises(pb.GradientError) as caught:
        module.squares(t.t(), torch.tensor([0], dtype=torch.int32)).sum().backward()
    assert "contiguous" in str(caught.value)
    module.squares(t.t().contiguous(), torch.tensor([0], dtype=torch.int32)).sum().backward()
    assert t.grad[:, 0].tolist() == (2 * X[:, 0]).tolist()


def test_what_is_written_brings_its_cotangent(module):
    x, y = torch.tensor([1.0, -2.0, 3.0], requires_grad=True), torch.zeros(3)
    lanes = torch.arange(3, dtype=torch.int32)
    module.activated(lanes, x, y)
    assert y.tolist() == [1, 0, 3]
    (y * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert x.grad.tolist() == [1, 0, 100]


def test_a_derivative_that_a_write_would_lose_is_refused_in_the_program(module):
    t = np.ones(3, np.float32)
    with pytest.raises(pb.GradientError) as caught:
        module.squared_in_place.bwds(t, 0, d_t=t)
    assert caught.value.code == "no-derivative"
    assert "t[i] = t[i] * t[i]" in str(caught.value)
