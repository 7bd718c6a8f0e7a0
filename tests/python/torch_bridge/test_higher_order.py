"""Higher derivatives through torch, against the same functions written in torch."""

import pytest
import torch

import pullback as pb

SOURCE = """
float mixed(float a, float3 v) { return a * a * v.x * v.y + sin(v.z) * a * a * a; }
void two(float x, float y, out float s, out float c) { s = sin(x) * y; c = cos(x) * x * y * y; }
float repeated(float x, int n) { float p = 1; for (int i = 0; i < n; i++) p = sin(p * x) + p; return p; }
double precise(double a, double b) { return sin(a * b) + a * a * b; }
"""


def mixed(a, v):
    return a * a * v[..., 0] * v[..., 1] + torch.sin(v[..., 2]) * a**3


def two(x, y):
    return torch.sin(x) * y, torch.cos(x) * x * y * y


def repeated(x, n):
    p = torch.ones_like(x)
    for _ in range(n):
        p = torch.sin(p * x) + p
    return p


def uniform(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, requires_grad=True)


@pytest.fixture
def module(load):
    return load(SOURCE)


def three_orders(function, tensors):
    first = torch.autograd.grad(function(*tensors).square().sum(), tensors, create_graph=True)
    loss = sum((gradient**2).sum() for gradient in first)
    second = torch.autograd.grad(loss, tensors, create_graph=True)
    third = torch.autograd.grad(sum((gradient**2).sum() for gradient in second), tensors)
    return [*first, *second, *third]


@pytest.mark.parametrize(
    ("lanes_of_a", "lanes_of_v"), [((5,), (5,)), ((4, 1), (5,)), ((), ()), ((5,), ()), ((1,), (4,))]
)
def test_three_orders_agree_with_torch_however_arguments_are_broadcast(module, close, lanes_of_a, lanes_of_v):
    tensors = (uniform(*lanes_of_a), uniform(*lanes_of_v, 3, seed=1))
    for found, wanted in zip(three_orders(module.mixed, tensors), three_orders(mixed, tensors), strict=True):
        scale = wanted.abs().max()
        close(found / scale, wanted / scale)


@pytest.mark.parametrize("used", [(0,), (1,), (0, 1)])
def test_results_without_a_cotangent_count_as_zero(module, close, used):
    x, y = uniform(3), uniform(3, seed=1)
    found = []
    for function in (module.two, two):
        results = function(x, y)
        loss = sum(results[place].sum() for place in used)
        first = torch.autograd.grad(loss, (x, y), create_graph=True)
        found.append(torch.autograd.grad((first[0] * first[1]).sum(), (x, y)))
    for ours, theirs in zip(*found, strict=True):
        close(ours, theirs)


def test_second_derivatives_go_through_loops(module, close):
    x = uniform(6)
    found = []
    for function in (module.repeated, repeated):
        (first,) = torch.autograd.grad(function(x, 3).sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first.sum(), x)
        found.append(second / 20)
    close(*found)


def test_torchs_own_checks_pass_in_double_precision(load_cpu):
    precise = load_cpu(SOURCE).precise
    a = torch.rand(4, dtype=torch.float64, requires_grad=True)
    b = torch.rand(1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(precise, (a, b))
    assert torch.autograd.gradgradcheck(precise, (a, b))


def test_jacobians_are_recorded(module, close):
    v = uniform(4, 3)
    a = uniform(4, seed=1)
    found = torch.autograd.grad(pb.jacobian(module.mixed, "v")(a, v).square().sum(), v)[0]
    (first,) = torch.autograd.grad(mixed(a, v).sum(), v, create_graph=True)
    close(found, torch.autograd.grad(first.square().sum(), v)[0])


def test_a_backward_call_never_cuts_torchs_graph(module):
    a, v = uniform(4), uniform(4, 3, seed=1)
    cotangent = torch.ones(4, requires_grad=True)
    for given in ((a, v), (a.detach(), v)):
        with pytest.raises(pb.GradientError) as caught:
            module.mixed.bwds(*given)
        assert caught.value.code == "no-second-derivative"
    with pytest.raises(pb.GradientError):
        module.mixed.bwds(a.detach(), v.detach(), d_result=cotangent)
    with torch.no_grad():
        assert module.mixed.bwds(a, v, d_result=cotangent)["v"].shape == (4, 3)
