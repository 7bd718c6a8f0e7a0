"""Arrays that functions write: their cotangents reach what was written, by ``bwds`` and through torch."""

import numpy as np
import pytest
import torch

import pullback as pb

SOURCE = """
void scattered(StructuredBuffer<float> from, RWStructuredBuffer<float> to, int i) {
    for (int k = 0; k < 2; k++) to[2 * i + k] = from[i] * from[i + k]; }
void overwritten(float x, RWStructuredBuffer<float> to, int i) { to[i] = x * x; to[i] = 3 * x; }
void added_to(float x, RWStructuredBuffer<float> to, int i) { to[i] += x * x; }
float both(float x, RWStructuredBuffer<float> to, int i) { to[i] = x * x; return 5 * x; }
void splat(float position, float amount, RWStructuredBuffer<float> bins) {
    int bin = (int)floor(position);
    float part = position - bin;
    InterlockedAddF32(bins[bin], amount * (1 - part));
    InterlockedAddF32(bins[bin + 1], amount * part); }
void splat_atomic(float position, float amount, RWStructuredBuffer<Atomic<float>> bins) {
    int bin = (int)floor(position);
    float part = position - bin;
    bins[bin] += amount * (1 - part);
    bins[bin + 1].add(amount * part); }
float loaded(float x, RWStructuredBuffer<Atomic<float>> bins) { return x * bins[0].load(); }
void squared_in_place(RWStructuredBuffer<float> to, int i) { to[i] = to[i] * to[i]; }
"""
FROM = np.array([2, 3, 5], np.float32)
D_TO = np.array([1, 10, 100, 1000, 7, 8], np.float32)
INDICES = np.array([0, 1], np.int32)


@pytest.fixture
def module(load):
    return load(SOURCE)


def test_the_cotangent_of_a_written_array_is_given_by_its_name(module):
    to = np.zeros(6, np.float32)
    module.scattered(FROM, to, INDICES)
    assert to.tolist() == [4, 6, 9, 15, 0, 0]
    found = module.scattered.bwds(FROM, to, INDICES, d_to=D_TO)
    assert found["from"].tolist() == [34, 5620, 3000]
    assert found["to"].tolist() == [0, 0, 0, 0, 7, 8]
    assert D_TO.tolist() == [1, 10, 100, 1000, 7, 8]


def test_a_missing_cotangent_of_a_written_array_is_asked_for(module):
    with pytest.raises(pb.BindError, match="d_to=") as caught:
        module.scattered.bwds(FROM, np.zeros(6, np.float32), INDICES)
    assert caught.value.code == "missing-argument"


def test_a_cotangent_is_like_its_array(module):
    with pytest.raises(pb.PullbackError, match="the cotangent of `to` is float32"):
        module.scattered.bwds(FROM, np.zeros(6, np.float32), INDICES, d_to=np.zeros(5, np.float32))


def test_what_a_call_has_overwritten_is_not_read_again(module):
    to = np.ones(2, np.float32)
    with pytest.raises(pb.GradientError, match="loads again from memory") as caught:
        module.squared_in_place.bwds(to, 0, d_to=to)
    assert caught.value.code == "no-derivative"


def test_torch_sees_what_is_written_in_place(module):
    source = torch.tensor(FROM, requires_grad=True)
    to = torch.zeros(6)
    module.scattered(source, to, torch.tensor(INDICES))
    assert to.tolist() == [4, 6, 9, 15, 0, 0]
    (to * torch.tensor(D_TO)).sum().backward()
    assert source.grad.tolist() == [34, 5620, 3000]


def test_torch_sums_along_chains_of_writes(module):
    x = torch.tensor([4.0], requires_grad=True)
    start = torch.tensor([0.5, 0.25], requires_grad=True)
    to = start * 2
    module.added_to(x, to, torch.tensor([0], dtype=torch.int32))
    result = (to * torch.tensor([10.0, 20.0])).sum()
    result.backward()
    assert to.tolist() == [17, 0.5]
    assert x.grad.tolist() == [2 * 4 * 10]
    assert start.grad.tolist() == [20, 40]


def test_results_and_written_arrays_have_cotangents_together(module):
    x = torch.tensor([4.0], requires_grad=True)
    to = torch.zeros(2)
    result = module.both(x, to, torch.tensor([1], dtype=torch.int32))
    (result.sum() + 100 * to[1]).backward()
    assert x.grad.tolist() == [5 + 100 * 2 * 4]
    x.grad = None
    result = module.overwritten(x, torch.zeros(2), 1)
    assert result is None


def test_a_leaf_that_requires_grad_is_not_written(module):
    x = torch.tensor([4.0], requires_grad=True)
    to = torch.zeros(2, requires_grad=True)
    with pytest.raises(pb.PullbackError, match="leaf"):
        module.added_to(x, to, 0)
    assert to.tolist() == [0, 0]


def test_what_torch_cannot_record_is_not_written(module):
    x = torch.tensor([4.0], requires_grad=True)
    to = np.zeros(2, np.float32)
    with pytest.raises(pb.PullbackError, match="torch tensor"):
        module.added_to(x, to, 0)
    assert to.tolist() == [0, 0]


def test_second_derivatives_of_written_arrays_are_refused(module):
    x = torch.tensor([4.0], requires_grad=True)
    to = torch.zeros(2)
    module.added_to(x, to, 0)
    (first,) = torch.autograd.grad(to.sum(), x, create_graph=True)
    with pytest.raises(pb.GradientError) as caught:
        first.sum().backward()
    assert caught.value.code == "no-second-derivative"


@pytest.mark.parametrize("splat", ["splat", "splat_atomic"])
def test_atomic_additions_bring_cotangents_where_lanes_meet(module, splat):
    position = torch.tensor([0.25, 1.5, 1.75, 9.0], requires_grad=True)
    amount = torch.tensor([1.0, 2.0, 4.0, 8.0], requires_grad=True)
    bins = torch.zeros(4)
    module[splat](position, amount, bins)
    assert bins.tolist() == [0.75, 2.25, 4, 0]
    (bins * torch.tensor([1.0, 10.0, 100.0, 1000.0])).sum().backward()
    assert position.grad.tolist() == [9, 180, 360, 0]
    assert amount.grad.tolist() == [0.75 + 2.5, 5 + 50, 2.5 + 75, 0]


def test_what_an_atomic_operation_gives_has_no_derivative(module):
    with pytest.raises(pb.GradientError) as caught:
        module.loaded(torch.tensor([2.0], requires_grad=True), torch.tensor([3.0]))
    assert caught.value.code == "no-derivative"
    assert "which lane came first decides" in str(caught.value)


def test_gradients_for_ones_write_nothing_again(load):
    module = load("""
float counted(float x, RWStructuredBuffer<int> counts, int i) { counts[i] += 1; return x * x; }
""")
    counts = np.zeros(2, np.int32)
    x = np.array([3, 4], np.float32)
    assert module.counted(x, counts, INDICES).tolist() == [9, 16]
    assert module.counted.bwds(x, counts, INDICES)["x"].tolist() == [6, 8]
    assert module.counted.bwds(x, counts, INDICES, d_result=x)["x"].tolist() == [18, 32]
    assert counts.tolist() == [1, 1]


def test_one_of_several_written_arrays_may_count(load):
    source = """
void both(float x, RWStructuredBuffer<float> a, RWStructuredBuffer<float> b, int i) { a[i] = x * x; b[i] = 3 * x; }
"""
    x, a, b = torch.tensor([4.0], requires_grad=True), torch.zeros(1), torch.zeros(1)
    load(source).both(x, a, b, torch.tensor([0], dtype=torch.int32))
    b.sum().backward()
    assert x.grad.tolist() == [3]


def test_tangents_are_written_beside_values(module):
    to, d_to = np.array([0.5, 0.25], np.float32), np.array([1, 2], np.float32)
    x = np.array([4], np.float32)
    assert module.added_to.fwds(x, to, np.zeros(1, np.int32), d_x=10 * x, d_to=d_to) is None
    assert (to.tolist(), d_to.tolist()) == ([16.5, 0.25], [1 + 2 * 4 * 40, 2])
    d_from, d_to = np.array([1, 0, 0], np.float32), np.zeros(6, np.float32)
    module.scattered.fwds(FROM, np.zeros(6, np.float32), INDICES, d_from=d_from, d_to=d_to)
    assert d_to.tolist() == [4, 3, 0, 0, 0, 0]


def test_gradcheck_sees_what_is_written(module):
    bins = np.array([0.5, 0.25, 1, 2], np.float32)
    assert pb.gradcheck(module.splat, (np.array([0.25, 1.5], np.float32), np.array([1, 2], np.float32), bins))
    assert pb.gradcheck(module.scattered, (FROM, np.zeros(6, np.float32), INDICES))
    assert pb.gradcheck(module.added_to, (np.array([4, 5], np.float32), bins, INDICES))


def test_a_deterministic_gradient_of_a_written_array_is_refused(module):
    with pytest.raises(pb.GradientError, match=r"leave deterministic\(\) out"):
        module.scattered.deterministic().bwds(FROM, np.zeros(6, np.float32), INDICES, d_to=D_TO)


def test_integers_in_structs_are_not_written_where_there_are_gradients(load):
    module = load("""
struct Star { float2 position; int hits; };
void whole(RWStructuredBuffer<Star> to, float2 by, int i) { Star star; star.position = by; star.hits = i; to[i] = star; }
void floats(RWStructuredBuffer<Star> to, float2 by, int i) { to[i].position = by; }
""")
    to, d_to = np.zeros(2, module.Star.dtype), np.zeros(2, module.Star.dtype)
    by, d_to["position"] = np.float32([[1, 1], [2, 2]]), [1, 10]
    assert module.floats.bwds(to, by, INDICES, d_to=d_to)["by"].tolist() == [[1, 10], [1, 10]]
    with pytest.raises(pb.GradientError, match="no floats are written where there are derivatives"):
        module.whole.bwds(to, by, INDICES, d_to=d_to)
