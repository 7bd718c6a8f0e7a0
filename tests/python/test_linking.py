"""Link-time constants, linked modules, and instances of generic functions by name."""

import numpy as np
import pytest
import torch

import pullback as pb

POWER = """
extern static const int N = 2;
extern static const float2 SCALE = { 1, 0 };
extern static const bool NEGATED = false;
static const int FIXED = 3;
uniform float bias;
float power(float x)
{
    float y = SCALE.x;
    for (int i = 0; i < N; i++) y *= x;
    return NEGATED ? -y : y;
}
float biased(float x) { return power(x) + bias; }
"""


@pytest.fixture
def power(load):
    return load(POWER).power


def test_constants_have_defaults_and_are_given_by_name(power):
    assert power(3.0) == 9
    assert power.constants({"N": 3})(3.0) == 27
    assert power.constants(N=3, NEGATED=True)(3.0) == -27
    assert power.constants(SCALE=(0.5, 1.0))(3.0) == 4.5


def test_constants_add_up_and_leave_the_function_as_it_is(power):
    assert power.constants(N=3).constants(NEGATED=True).constants(N=1)(3.0) == -3
    assert power(3.0) == 9


def test_constants_and_globals_are_given_together(load):
    biased = load(POWER).biased
    assert biased.constants(N=3).set(bias=1.0)(2.0) == 9
    assert biased.set(bias=1.0).constants(N=3)(2.0) == 9


def test_gradients_are_of_the_function_with_its_constants(power):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    power.constants(N=3)(x).sum().backward()
    assert x.grad.tolist() == [3, 12]
    _, gradient = pb.value_and_grad(power.constants(N=np.int32(4)), 0)(np.float32([1, 2]))
    assert gradient.tolist() == [4, 32]


@pytest.mark.parametrize(
    ("given", "code", "place"),
    [
        ({"N": 2.5}, "type-mismatch", "extern static const int N"),
        ({"N": 2**40}, "type-mismatch", "extern static const int N"),
        ({"NEGATED": 1}, "type-mismatch", "extern static const bool NEGATED"),
        ({"M": 1}, "unknown-name", "let M = 1"),
        ({"FIXED": 4}, "not-constant", "static const int FIXED = 3"),
    ],
)
def test_wrong_constants_are_refused_with_their_place(power, given, code, place):
    with pytest.raises(pb.CompileError) as caught:
        power.constants(given)
    assert caught.value.code == code
    assert place in str(caught.value)


def test_what_is_no_number_is_no_constant(power):
    with pytest.raises(pb.PullbackError):
        power.constants(N=np.zeros(3))
    with pytest.raises(pb.PullbackError):
        power.fwds.constants(N=1)


GENERIC = """
T twice<T : IFloat>(T x) { return x + x; }
float sum<let N : int>(float x[N]) { float s = 0; for (int i = 0; i < N; i++) s += x[i]; return s; }
"""


def test_instances_are_asked_for_by_name(load):
    module = load(GENERIC)
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert module["twice<float3>"](x).tolist() == (2 * x).tolist()
    assert module["sum<3>"](x).tolist() == [3, 12]
    assert module.require_function("sum< 2 >")((1.0, 2.0)) == 3
    assert module.find_function("twice<float>")(1.5) == 3
    leaf = torch.tensor([1.0, 2.0], requires_grad=True)
    module["twice<float>"](leaf).sum().backward()
    assert leaf.grad.tolist() == [2, 2]


def test_instances_that_cannot_be_are_refused(load_cpu):
    module = load_cpu(GENERIC)
    with pytest.raises(pb.CompileError) as caught:
        module["twice<int>"]
    assert "`T` cannot be `int`" in str(caught.value)
    with pytest.raises(pb.PullbackError) as caught:
        module["thrice<float>"]
    assert caught.value.code == "unknown-function"
    assert module.find_function("thrice<float>") is None


MAIN = "extern float weight(float x);\nextern static const int N;\nfloat weighted(float x) { return N * weight(x); }\n"
WEIGHTS = "export float weight(float x) { return x * x; }\nexport static const int N = 10;\n"


def test_a_linked_module_defines_what_is_extern(device, load, tmp_path):
    weights = load(WEIGHTS, "weights.slang")
    module = pb.Module.load_from_source(device, "main.slang", MAIN, link=[weights])
    assert module.weighted(3.0) == 90
    assert module.weighted.constants(N=2)(3.0) == 18
    file = tmp_path / "main.slang"
    file.write_text(MAIN)
    assert pb.Module.load_from_file(device, file, link=(weights,)).weighted(1.0) == 10


def test_what_no_module_or_two_define_is_refused_with_its_places(cpu, load_cpu):
    with pytest.raises(pb.CompileError) as caught:
        pb.Module.load_from_source(cpu, "main.slang", MAIN)
    assert "extern float weight" in str(caught.value)
    assert "extern static const int N" in str(caught.value)
    link = [load_cpu(WEIGHTS, "a.slang"), load_cpu(WEIGHTS, "b.slang")]
    with pytest.raises(pb.CompileError) as caught:
        pb.Module.load_from_source(cpu, "main.slang", MAIN, link=link)
    assert "a.slang:1" in str(caught.value)
    assert "b.slang:1" in str(caught.value)
    with pytest.raises(pb.PullbackError):
        pb.Module.load_from_source(cpu, "main.slang", MAIN, link=["weights.slang"])
