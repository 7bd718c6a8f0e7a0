"""Globals given by `set`, and whole arrays, whose gathers have gradients."""

import numpy as np
import pytest
import torch

import pullback as pb

SOURCE = """
uniform float scale;
StructuredBuffer<float> table;
float scaled(float x) { return x * scale; }
float looked_up(float x, int i) { return x * table[i] * table[i]; }
float picked(StructuredBuffer<float> values, int i, float x) { return values[i] * x; }
float gathered(StructuredBuffer<float> values, int i) { return values[i] * values[i]; }
"""
INDICES = torch.tensor([0, 1, 1, 2], dtype=torch.int32)


@pytest.fixture
def module(load):
    return load(SOURCE)


def test_a_uniform_is_one_value_for_all_lanes(module):
    x = np.array([1, 2], np.float32)
    assert module.scaled.set(scale=3.0)(x).tolist() == [3, 6]
    assert module.scaled.set({"scale": 4.0})(x).tolist() == [4, 8]


def test_set_gives_a_new_function(module):
    tripled = module.scaled.set(scale=3.0)
    assert tripled.set(scale=5.0)(2.0) == 10
    assert tripled(2.0) == 6


def test_a_global_without_a_value_is_refused_with_its_place(module):
    with pytest.raises(pb.BindError) as caught:
        module.scaled(1.0)
    assert caught.value.code == "missing-argument"
    assert "uniform float scale" in str(caught.value)


def test_what_is_no_global_is_refused(module):
    with pytest.raises(pb.PullbackError):
        module.scaled.set(size=3.0)(1.0)


def test_gradients_reach_uniforms(module):
    scale = torch.tensor(3.0, requires_grad=True)
    module.scaled.set(scale=scale)(torch.tensor([1.0, 2.0, 4.0])).sum().backward()
    assert scale.grad.item() == 7


def test_gradients_of_gathers_add_up_where_lanes_meet(module):
    values = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    module.gathered(values, INDICES).sum().backward()
    assert values.grad.tolist() == [2, 8, 6]
    table = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    module.looked_up.set(table=table)(torch.ones(4), INDICES).sum().backward()
    assert table.grad.tolist() == [2, 8, 6]


def test_many_lanes_on_few_elements_agree_with_double_precision(module):
    random = np.random.default_rng(0)
    values = random.uniform(-1, 1, 7).astype(np.float32)
    indices = random.integers(0, 7, 20_000).astype(np.int32)
    _, gradient = pb.value_and_grad(module.gathered, 0)(values, indices)
    wanted = 2 * values.astype(np.float64) * np.bincount(indices, minlength=7)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-4)


@pytest.fixture
def collisions():
    """Numbers whose sum hangs on the order, and the few elements that they meet in."""
    random = np.random.default_rng(1)
    x = (random.uniform(-1, 1, 30_000) * np.exp2(random.uniform(-12, 12, 30_000))).astype(np.float32)
    return random.integers(0, 3, 30_000).astype(np.int32), x


def test_deterministic_gradients_have_the_same_bits_in_any_order(module, collisions):
    indices, x = collisions
    table = np.array([0.5, 1, 2], np.float32)
    gradient = pb.grad(module.picked.deterministic(), "values")
    wanted = np.bincount(indices, weights=x, minlength=3)
    first = gradient(table, indices, x)
    np.testing.assert_array_equal(first, wanted.astype(np.float32))
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(x))
        np.testing.assert_array_equal(first, gradient(table, indices[order], x[order]))
    backward = module.picked.deterministic().bwds(table, indices, x)
    np.testing.assert_array_equal(first, backward["values"])


def test_torchs_setting_asks_for_deterministic_gradients(module, collisions):
    indices, x = map(torch.from_numpy, collisions)
    values = torch.ones(3, requires_grad=True)
    torch.use_deterministic_algorithms(True)
    try:
        report = module.picked.explain_gradient(values.detach(), indices, x)
        module.picked(values, indices, x).sum().backward()
    finally:
        torch.use_deterministic_algorithms(False)
    assert report.arguments["values"] == "added up atomically in fixed point, exactly, so in any order"
    wanted = np.bincount(indices, weights=x, minlength=3).astype(np.float32)
    np.testing.assert_array_equal(values.grad, wanted)
    report = module.picked.explain_gradient(values.detach(), indices, x)
    assert report.arguments["values"] == "added up atomically, in no fixed order"


def test_globals_have_deterministic_gradients(module):
    table = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    module.looked_up.set(table=table).deterministic()(torch.ones(4), INDICES).sum().backward()
    assert table.grad.tolist() == [2, 8, 6]


@pytest.mark.parametrize("index", [-1, 3, 1000])
def test_outside_of_an_array_values_and_gradients_are_zero(module, index):
    values = np.array([1, 2, 3], np.float32)
    value, gradient = pb.value_and_grad(module.gathered, 0)(values, np.array([index, 1], np.int32))
    assert value.tolist() == [0, 4]
    assert gradient.tolist() == [0, 4, 0]


SECOND = """
import slangpy;
float mixed(StructuredBuffer<float> table, Tensor<float, 2> weights, int i, float x)
{
    float t = table[i], w = weights[i, 1];
    return t * t * t * x * x + w * w * t + sin(w * x) + weights[0, i];
}
float untouched(StructuredBuffer<float> table, float x) { return x * x; }
float looped(StructuredBuffer<float> table, int n, float x)
{
    float sum = x;
    for (int i = 0; i < n; i++) sum = sum * table[i % 3] + table[(i + 1) % 3] * x;
    return sum;
}
struct Pair { float a; float b; };
float paired(StructuredBuffer<Pair> pairs, int i, float x) { return pairs[i].a * pairs[i].a * pairs[i].b * x; }
"""


def mixed(table, weights, i, x):
    t, w = table[i.long()], weights[i.long(), 1]
    return t**3 * x * x + w * w * t + torch.sin(w * x) + weights[0, i.long()]


def looped(table, n, x):
    total = x
    for i in range(n):
        total = total * table[i % 3] + table[(i + 1) % 3] * x
    return total


def arrays(*shapes):
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(shape, generator=generator, requires_grad=True) for shape in shapes]


def second_order(function, tensors):
    """Gradients, and those of a function of the gradients."""
    first = torch.autograd.grad(function().square().sum(), tensors, create_graph=True)
    loss = sum((gradient * gradient.detach().cos() + gradient**2).sum() for gradient in first)
    return [*first, *torch.autograd.grad(loss, tensors)]


def test_second_derivatives_by_whole_arrays_agree_with_torch(load):
    module = load(SECOND)
    table, weights, x = arrays(3, (3, 3), 4)
    tensors = (table, weights, x)
    found = second_order(lambda: module.mixed(table, weights, INDICES, x), tensors)
    wanted = second_order(lambda: mixed(table, weights, INDICES, x), tensors)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one.detach(), other.detach(), rtol=2e-3, atol=2e-3)


def test_second_derivatives_of_loops_over_whole_arrays_agree_with_torch(load):
    module = load(SECOND)
    tensors = table, x = arrays(3, 4)
    found = second_order(lambda: module.looped(table, 5, x), tensors)
    wanted = second_order(lambda: looped(table, 5, x), tensors)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one.detach(), other.detach(), rtol=1e-4)


@pytest.mark.parametrize("constant", ["table", "x"])
def test_second_derivatives_beside_constants(load, constant):
    module = load(SECOND)
    table, weights, x = arrays(3, (3, 3), 4)
    (table if constant == "table" else x).requires_grad_(False)
    tensors = [tensor for tensor in (table, weights, x) if tensor.requires_grad]
    found = second_order(lambda: module.mixed(table, weights, INDICES, x), tensors)
    wanted = second_order(lambda: mixed(table, weights, INDICES, x), tensors)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one.detach(), other.detach(), rtol=2e-3, atol=2e-3)


def test_third_derivatives_by_whole_arrays_are_refused(load):
    values = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    first = torch.autograd.grad(load(SOURCE).gathered(values, INDICES).sum(), values, create_graph=True)
    second = torch.autograd.grad(first[0].square().sum(), values, create_graph=True)
    with pytest.raises(pb.GradientError) as caught:
        second[0].sum().backward()
    assert caught.value.code == "no-second-derivative"


def test_second_derivatives_by_fields_of_structs_are_refused(load):
    pairs = dict(zip("ab", arrays(3, 3), strict=True))
    result = load(SECOND).paired(pairs, INDICES, torch.ones(4))
    (first,) = torch.autograd.grad(result.sum(), pairs["a"], create_graph=True)
    with pytest.raises(pb.PullbackError, match=r"`pairs.a` is a whole array"):
        first.sum().backward()


def test_structs_as_floats_have_second_derivatives(load):
    module = load(SECOND)
    pairs, x = arrays((3, 2), 4)
    found = second_order(lambda: module.paired(pairs, INDICES, x), (pairs, x))
    of = INDICES.long()
    wanted = second_order(lambda: pairs[of, 0] ** 2 * pairs[of, 1] * x, (pairs, x))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one.detach(), other.detach(), rtol=1e-4)


def test_hessians_by_lanes_see_whole_arrays_as_constants(load):
    module = load(SECOND)
    table, weights, x = arrays(3, (3, 3), 4)
    with torch.no_grad():
        hessian = pb.hessian(module.mixed, "x")(table, weights, INDICES, x)
        product = pb.hvp(module.mixed, "x")(torch.full((4,), 2.0), table, weights, INDICES, x)
    t, w = table.detach()[INDICES.long()], weights.detach()[INDICES.long(), 1]
    wanted = 2 * t**3 - w * w * torch.sin(w * x.detach())
    np.testing.assert_allclose(hessian, wanted, rtol=2e-3, atol=1e-3)
    np.testing.assert_allclose(product, 2 * wanted, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("transform", [pb.hessian, pb.jacobian, lambda f, by: pb.hvp(f, by)])
def test_derivatives_lane_by_lane_are_not_by_whole_arrays(module, transform):
    values = np.ones(3, np.float32)
    args = (values, np.int32(0)) if transform in (pb.hessian, pb.jacobian) else (values, values, np.int32(0))
    with pytest.raises(pb.PullbackError, match="`values` is a whole array") as caught:
        transform(module.gathered, "values")(*args)
    assert "StructuredBuffer<float> values" in str(caught.value)


def test_forward_mode_takes_tangents_of_whole_arrays(module):
    values, d_values = np.array([1, 2, 3], np.float32), np.array([1, 10, 100], np.float32)
    lanes = INDICES.numpy()
    value, tangent = module.gathered.fwds(values, lanes, d_values=d_values)
    assert value.tolist() == [1, 4, 4, 9]
    assert tangent.tolist() == [2, 40, 40, 600]
    x = np.array([1, 1, 1, 1], np.float32)
    _, tangent = module.picked.fwds(values, lanes, x, d_values=d_values, d_x=2 * x)
    assert tangent.tolist() == [3, 14, 14, 106]
    _, tangent = module.picked.fwds(values, lanes, x, d_x=2 * x)
    assert tangent.tolist() == [2, 4, 4, 6]
    with pytest.raises(pb.BindError, match="d_values"):
        module.gathered.fwds(values, lanes)
    with pytest.raises(pb.BindError, match="`d_values` is float32, but got float64") as caught:
        module.picked.fwds(values, lanes, x, d_values=d_values.astype(np.float64))
    assert "StructuredBuffer<float> values" in str(caught.value)


def test_forward_and_reverse_mode_agree_by_whole_arrays(load):
    module = load(SECOND)
    table, weights, x = (tensor.detach() for tensor in arrays(3, (3, 3), 4))
    d_table, d_weights, d_x = (tensor.detach().cos() for tensor in arrays(3, (3, 3), 4))
    _, tangent = module.mixed.fwds(table, weights, INDICES, x, d_table=d_table, d_weights=d_weights, d_x=d_x)
    gradients = module.mixed.bwds(table, weights, INDICES, x)
    by_reverse = (gradients["table"] * d_table).sum() + (gradients["weights"] * d_weights).sum()
    by_reverse += (gradients["x"] * d_x).sum()
    np.testing.assert_allclose(tangent.sum(), by_reverse, rtol=2e-3)


def test_tangents_of_strided_tensors_have_their_strides(load):
    module = load(SECOND)
    table, weights, x = (tensor.detach() for tensor in arrays(3, (3, 3), 4))
    d_table, d_weights = torch.ones(3), torch.arange(9.0).reshape(3, 3)
    call = module.mixed.fwds
    _, wanted = call(table, weights, INDICES, x, d_table=d_table, d_weights=d_weights)
    columns, d_columns = weights.t().contiguous().t(), d_weights.t().contiguous().t()
    _, found = call(table, columns, INDICES, x, d_table=d_table, d_weights=d_columns)
    np.testing.assert_array_equal(found, wanted)
    with pytest.raises(pb.ShapeError, match="`d_weights` is no array like `weights`") as caught:
        call(table, columns, INDICES, x, d_table=d_table, d_weights=d_weights)
    assert "same shape and strides" in str(caught.value)
    with pytest.raises(pb.ShapeError, match="`d_table` is no array like `table`"):
        call(table, weights, INDICES, x, d_table=torch.ones(2), d_weights=d_weights)


def test_tangents_of_structs(load):
    module = load(SECOND)
    pairs = np.array([(2, 3), (5, 7)], module.Pair.dtype)
    d_pairs = np.array([(1, 10), (0, 1)], module.Pair.dtype)
    _, tangent = module.paired.fwds(pairs, np.array([0, 1], np.int32), 1.0, d_pairs=d_pairs)
    assert tangent.tolist() == [2 * 2 * 3 + 4 * 10, 25]
    fields = {name: pairs[name].copy() for name in "ab"}
    d_fields = {name: d_pairs[name].copy() for name in "ab"}
    _, again = module.paired.fwds(fields, np.array([0, 1], np.int32), 1.0, d_pairs=d_fields)
    assert again.tolist() == tangent.tolist()


def test_gradcheck_goes_through_whole_arrays(load):
    module = load(SECOND)
    table, weights, x = (tensor.detach() for tensor in arrays(3, (3, 3), 4))
    assert pb.gradcheck(module.mixed, (table, weights, INDICES, x))
    assert pb.gradcheck(module.looped, {"table": table.numpy(), "n": 4, "x": 0.5})
    pairs = np.array([(2, 3), (5, 7)], module.Pair.dtype)
    assert pb.gradcheck(module.paired, (pairs, np.array([0, 1, 1], np.int32), x[:3]))
    gradients = pb.numeric_grad(module.paired, (pairs, np.array([0, 1, 1], np.int32), 1.0))
    np.testing.assert_allclose(gradients["pairs"]["a"], [12, 140])
    for name in ("mixed", "looped", "paired"):
        assert pb.check_derivative(module[name])


def test_gradcheck_finds_a_wrong_derivative_by_a_whole_array(load):
    source = """
[BackwardDerivative(wrong)]
float squared(float x) { return x * x; }
void wrong(inout DifferentialPair<float> x, float d) { x = diffPair(x.p, 3 * x.p * d); }
float f(StructuredBuffer<float> table, int i) { return squared(table[i]); }
"""
    with pytest.raises(pb.GradientError, match="the gradient by `table` differs"):
        pb.gradcheck(load(source).f, (np.ones(3, np.float32), np.int32(1)))
