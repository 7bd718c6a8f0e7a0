"""Whole arrays of structs: NumPy's structured arrays, a dict of arrays, plain numbers, bytes, and our own tensors."""

import numpy as np
import pytest
import torch

import pullback as pb

SOURCE = """
struct Ray { float3 origin; float3 direction; };
struct Material { float3 colour; no_diff float gloss; };
struct Particle { bool on; float3 position; double mass; Material[2] layers; };
float along(StructuredBuffer<Ray> rays, int i, float t)
{
    float3 p = rays[i].origin + t * rays[i].direction;
    return dot(p, p);
}
float shade(StructuredBuffer<Particle> of, int i)
{
    return of[i].on ? float(of[i].mass) * of[i].layers[1].colour.z * of[i].layers[1].gloss : 0;
}
void moved(RWStructuredBuffer<Ray> rays, int i, float t) { rays[i].origin = rays[i].origin + t * rays[i].direction; }
void aimed(StructuredBuffer<Ray> rays, RWStructuredBuffer<Ray> to, int i)
{
    Ray ray;
    ray.origin = 2 * rays[i].origin;
    ray.direction = rays[i].origin + rays[i].direction;
    to[i] = ray;
}
void sorted(RWStructuredBuffer<Particle> of, int i) { of[i].on = !of[i].on; of[i].mass = i; }
float depth(Ray ray) { return ray.origin.z; }
uniform float unused;
StructuredBuffer<Ray> scene;
float from_scene(int i) { return scene[i].direction.x * scene[i].direction.x; }
"""
RAY = np.dtype([("origin", "f4", 3), ("direction", "f4", 3)])
INDICES = np.array([0, 2, 2, 7], np.int32)
T = np.array([0.5, 1.0, 2.0, 3.0], np.float32)


def a_few_rays() -> np.ndarray:
    rays = np.zeros(3, RAY)
    rays["origin"] = np.arange(9).reshape(3, 3)
    rays["direction"] = np.arange(9)[::-1].reshape(3, 3)
    return rays


def expected() -> np.ndarray:
    rays = a_few_rays()[[0, 2, 2]]
    points = rays["origin"] + T[:3, None] * rays["direction"]
    return np.append((points**2).sum(axis=1), 0)


def expected_gradient() -> np.ndarray:
    rays, gradient = a_few_rays(), np.zeros(3, RAY)
    for i, t in zip(INDICES[:3], T, strict=False):
        point = rays["origin"][i] + t * rays["direction"][i]
        gradient["origin"][i] += 2 * point
        gradient["direction"][i] += 2 * t * point
    return gradient


@pytest.fixture
def module(load):
    return load(SOURCE)


def by_field(rays: np.ndarray, convert) -> dict:
    return {name: convert(np.ascontiguousarray(rays[name])) for name in rays.dtype.names}


def structured(found) -> np.ndarray:
    """Rays in any of the forms, as a structured array."""
    if isinstance(found, dict):
        rays = np.zeros(found["origin"].shape[0], RAY)
        for name, field in found.items():
            rays[name] = field.to_numpy() if isinstance(field, pb.Tensor) else np.asarray(field)
        return rays
    found = found.to_numpy() if isinstance(found, pb.Tensor) else np.asarray(found)
    return found if found.dtype.names else found.view(RAY)[:, 0]


FORMS = {
    "structured": lambda rays, device: rays,
    "aligned": lambda rays, device: rays.astype(np.dtype(RAY.descr, align=True)),
    "dict of NumPy arrays": lambda rays, device: by_field(rays, lambda x: x),
    "dict of views": lambda rays, device: {"origin": rays["origin"], "direction": rays["direction"]},
    "dict of torch tensors": lambda rays, device: by_field(rays, torch.from_numpy),
    "dict of our tensors": lambda rays, device: by_field(rays, lambda x: pb.Tensor.from_numpy(device, x)),
    "floats": lambda rays, device: rays.view(np.float32).reshape(-1, 6),
    "torch floats": lambda rays, device: torch.from_numpy(rays.view(np.float32).reshape(-1, 6)),
    "bytes": lambda rays, device: rays.view(np.uint8).reshape(-1, 24),
    "torch bytes": lambda rays, device: torch.from_numpy(rays.view(np.uint8).reshape(-1, 24)),
    "our tensor": lambda rays, device: pb.Tensor.from_numpy(device, rays),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_an_array_of_structs_is_read(module, device, form):
    found = module.along(FORMS[form](a_few_rays(), device), INDICES, T, _result="numpy")
    np.testing.assert_allclose(found, expected(), rtol=1e-6)


@pytest.mark.parametrize("form", [form for form in FORMS if "bytes" not in form])
@pytest.mark.parametrize("deterministic", [False, True])
def test_gradients_come_in_the_form_of_the_array(module, device, form, deterministic):
    along = module.along.deterministic() if deterministic else module.along
    gradient = structured(along.bwds(FORMS[form](a_few_rays(), device), INDICES, T)["rays"])
    for name in RAY.names:
        np.testing.assert_allclose(gradient[name], expected_gradient()[name], rtol=1e-6)


def test_a_module_tells_the_dtype_of_its_structs(module):
    assert module.structs == ["Material", "Particle", "Ray"]
    assert module.Ray.dtype == RAY
    assert (module.Ray.__name__, module["Ray"].itemsize) == ("Ray", 24)
    dtype = module.Particle.dtype
    assert dtype.itemsize == 56
    assert dtype.fields["mass"][1] == 16
    assert dtype["layers"].shape == (2,)
    assert dtype["layers"].base["colour"].shape == (3,)
    assert "mass: float64 at 16" in repr(module.Particle)


def test_structs_in_structs_with_gaps_are_read_and_have_gradients(module):
    of = np.zeros(2, module.Particle.dtype)
    of["on"], of["mass"] = [True, False], 5
    of["layers"]["colour"][:, 1, 2], of["layers"]["gloss"] = 7, 10
    lanes = np.array([0, 1, 0], np.int32)
    value, gradient = pb.value_and_grad(module.shade)(of, lanes)
    assert value.tolist() == [350, 0, 350]
    assert gradient.dtype.names == ("position", "mass", "layers")
    assert gradient["mass"].tolist() == [140, 0]
    assert gradient["layers"]["colour"][0, 1].tolist() == [0, 0, 100]
    assert gradient["layers"].dtype.names == ("colour",)


def test_fields_of_structs_in_structs_are_dicts_in_dicts(module):
    of = {
        "on": np.array([True, False]),
        "position": np.zeros((2, 3), np.float32),
        "mass": torch.tensor([5.0, 5.0], dtype=torch.float64, requires_grad=True),
        "layers": {
            "colour": torch.full((2, 2, 3), 7.0, requires_grad=True),
            "gloss": torch.full((2, 2), 10.0),
        },
    }
    module.shade(of, torch.tensor([0, 1, 0], dtype=torch.int32)).sum().backward()
    assert of["mass"].grad.tolist() == [140, 0]
    assert of["layers"]["colour"].grad[0].tolist() == [[0, 0, 0], [0, 0, 100]]
    assert of["layers"]["colour"].grad[1].count_nonzero() == 0


@pytest.mark.parametrize("form", [form for form in FORMS if form != "dict of views"])
def test_what_is_written_reaches_the_users_arrays(module, device, form):
    given = FORMS[form](a_few_rays(), device)
    module.moved(given, np.array([0, 2, 7], np.int32), 2.0)
    wanted = a_few_rays()
    wanted["origin"][[0, 2]] += 2 * wanted["direction"][[0, 2]]
    np.testing.assert_array_equal(structured(given), wanted)


def test_fields_that_are_no_floats_are_written_too(module):
    of = np.zeros(3, module.Particle.dtype)
    of["layers"]["gloss"] = 3
    module.sorted(of, np.array([0, 2], np.int32))
    assert of["on"].tolist() == [True, False, True]
    assert of["mass"].tolist() == [0, 0, 2]
    assert (of["layers"]["gloss"] == 3).all()
    fields = {
        "on": torch.tensor([True, True]),
        "position": torch.zeros(2, 3),
        "mass": torch.ones(2, dtype=torch.float64),
    }
    fields["layers"] = {"colour": torch.zeros(2, 2, 3), "gloss": torch.zeros(2, 2)}
    module.sorted(fields, 1)
    assert fields["on"].tolist() == [True, False]


def test_torch_sees_fields_changed_in_place(module):
    start = torch.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    rays = {"origin": start * 1, "direction": torch.ones(1, 3)}
    to = {"origin": torch.zeros(1, 3), "direction": torch.zeros(1, 3)}
    module.aimed(rays, to, torch.tensor([0], dtype=torch.int32))
    assert to["origin"].tolist() == [[2, 4, 6]]
    (to["origin"].sum() + 10 * to["direction"].sum()).backward()
    assert start.grad.tolist() == [[12, 12, 12]]


def test_only_one_written_field_may_count(module):
    start = torch.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    to = {"origin": torch.zeros(1, 3), "direction": torch.zeros(1, 3)}
    module.aimed({"origin": start, "direction": torch.ones(1, 3)}, to, torch.tensor([0], dtype=torch.int32))
    to["direction"].sum().backward()
    assert start.grad.tolist() == [[1, 1, 1]]


def test_cotangents_of_written_structs(module):
    rays, to, d_to = a_few_rays(), np.zeros(3, RAY), np.zeros(3, RAY)
    d_to["origin"], d_to["direction"] = 1, 10
    found = module.aimed.bwds(rays, to, INDICES[:2], d_to=d_to)
    assert found["rays"]["origin"].tolist() == [[12] * 3, [0] * 3, [12] * 3]
    assert found["rays"]["direction"].tolist() == [[10] * 3, [0] * 3, [10] * 3]
    assert found["to"]["origin"].tolist() == [[0] * 3, [1] * 3, [0] * 3]
    fields, d_fields = by_field(to, np.copy), by_field(d_to, np.copy)
    again = module.aimed.bwds(rays, fields, INDICES[:2], d_to=d_fields)
    np.testing.assert_array_equal(again["rays"], found["rays"])
    np.testing.assert_array_equal(again["to"]["origin"], found["to"]["origin"])


def test_a_buffer_of_structs_may_be_a_global(module):
    assert module.from_scene.set(scene=a_few_rays())(INDICES[:2]).tolist() == [64, 4]
    direction = torch.tensor([[3.0, 0.0, 0.0]], requires_grad=True)
    module.from_scene.set(scene={"origin": torch.zeros(1, 3), "direction": direction})(0).backward()
    assert direction.grad.tolist() == [[6, 0, 0]]


def test_a_tensor_of_structs(module, device):
    rays = pb.Tensor.zeros(device, [2], module.Ray)
    assert rays.shape == (2,)
    assert rays.dtype.dtype == RAY
    assert rays.to_numpy().dtype == RAY
    assert not rays.to_numpy()["origin"].any()
    module.moved(pb.Tensor.from_numpy(device, a_few_rays()), 0, 1.0)
    with pytest.raises(pb.PullbackError, match="structs of modules"):
        pb.Tensor.zeros(device, [2], "Ray")


def test_an_empty_array_of_structs(module):
    none = np.zeros(0, RAY)
    assert module.along(none, INDICES, T).tolist() == [0, 0, 0, 0]
    assert module.along.bwds(none, INDICES, T)["rays"].shape == (0,)
    fields = {"origin": torch.zeros(0, 3), "direction": torch.zeros(0, 3)}
    assert module.along(fields, 0, 1.0).item() == 0


def no_rays(**fields) -> np.ndarray:
    return np.zeros(3, np.dtype([(name, *of) for name, of in fields.items()]))


WRONG = {
    "another field": (no_rays(origin=("f4", 3), towards=("f4", 3)), "dtype-mismatch", "towards"),
    "another order": (no_rays(direction=("f4", 3), origin=("f4", 3)), "dtype-mismatch", "given:"),
    "another dtype": (no_rays(origin=("f8", 3), direction=("f8", 3)), "dtype-mismatch", "astype"),
    "another shape": (no_rays(origin=("f4", 4), direction=("f4", 2)), "dtype-mismatch", "given:"),
    "no counterpart": (no_rays(origin=("c8", 3), direction=("f4", 3)), "argument-type", "origin"),
    "doubles": (np.zeros((3, 6)), "dtype-mismatch", "float32 numbers of shape (..., 6)"),
    "five floats": (np.zeros((3, 5), np.float32), "element-shape", "(6,)"),
    "a number": (1.0, "argument-type", "takes a whole array"),
    "a field of numbers": (
        {"origin": (0, 0, 0), "direction": np.zeros((1, 3), np.float32)},
        "argument-type",
        "rays.origin",
    ),
    "a field missing": ({"origin": np.zeros((1, 3), np.float32)}, "missing-field", "direction"),
    "a field too many": (
        by_field(a_few_rays(), np.copy) | {"up": np.zeros(3)},
        "unknown-field",
        "its fields are",
    ),
    "lengths": (
        {"origin": np.zeros((2, 3), "f4"), "direction": np.zeros((3, 3), "f4")},
        "shape-mismatch",
        "rays.direction",
    ),
    "a field's dtype": (
        {"origin": np.zeros((2, 3)), "direction": np.zeros((2, 3), "f4")},
        "dtype-mismatch",
        "rays.origin",
    ),
    "a field's shape": (
        {"origin": np.zeros((2, 2), "f4"), "direction": np.zeros((2, 3), "f4")},
        "element-shape",
        "rays.origin",
    ),
    "every other one": (np.zeros(6, RAY)[::2], "element-shape", "contiguous"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_refused_at_the_parameter(module, case):
    given, code, text = WRONG[case]
    with pytest.raises(pb.PullbackError) as caught:
        module.along(given, 0, 1.0)
    assert caught.value.code == code, str(caught.value)
    assert text in str(caught.value)
    if case != "no counterpart":
        assert "StructuredBuffer<Ray> rays" in str(caught.value)


def test_bytes_have_no_gradient(module):
    rays = a_few_rays().view(np.uint8).reshape(-1, 24)
    assert set(module.along.bwds(rays, INDICES, T)) == {"t"}
    with pytest.raises(pb.GradientError, match="given as bytes"):
        pb.grad(module.along, "rays")(rays, INDICES, T)
    start = {"origin": torch.ones(1, 3, requires_grad=True), "direction": torch.ones(1, 3)}
    with pytest.raises(pb.GradientError, match="does not flow through memory"):
        module.aimed(start, torch.zeros(1, 24, dtype=torch.uint8), 0)


def test_fields_on_one_memory_are_not_written(module):
    numbers = np.zeros((3, 3), np.float32)
    with pytest.raises(pb.BindError) as caught:
        module.moved({"origin": numbers, "direction": numbers}, 0, 1.0)
    assert caught.value.code == "overlapping-output"
    numbers.flags.writeable = False
    with pytest.raises(pb.BindError) as caught:
        module.moved({"origin": numbers, "direction": numbers}, 0, 1.0)
    assert caught.value.code == "read-only-output"


def test_a_struct_by_value_says_how_structs_are_passed(module):
    with pytest.raises(pb.BindError, match=r'\{"origin": x\["origin"\], "direction": x\["direction"\]\}'):
        module.depth(a_few_rays())
    rays = a_few_rays()
    assert module.depth({"origin": rays["origin"], "direction": rays["direction"]}).tolist() == [2, 5, 8]


def test_one_struct_is_no_array(module):
    with pytest.raises(pb.BindError, match="a single struct of NumPy's"):
        module.along(a_few_rays()[0], 0, 1.0)
    with pytest.raises(pb.BindError, match="for whole arrays"):
        module.along(a_few_rays().tolist(), 0, 1.0)


def test_what_no_diff_fields_in_memory_hold_has_no_derivative(load):
    module = load("""
struct Cell { no_diff float seen; float2 value; };
float local(float x) { Cell cell; cell.seen = x * x; cell.value.x = x; return cell.seen + cell.value.x; }
float kept(float x, RWStructuredBuffer<Cell> cells)
{
    cells[0].seen = x * x;
    cells[0].value.x = x;
    return cells[0].seen + cells[0].value.x;
}
""")
    x, cells = np.array([3], np.float32), np.zeros(1, module.Cell.dtype)
    assert module.local.bwds(x)["x"].tolist() == [1]
    gradient = module.kept.bwds(x, cells, d_result=np.ones(1, np.float32), d_cells=cells.copy())
    assert gradient["x"].tolist() == [1]


def test_tensors_of_structs_have_strides(load):
    source = "struct Ray { float3 origin; float3 direction; };\nimport slangpy;\n"
    module = load(source + "float at(Tensor<Ray, 2> rays, int i, int j) { return rays[i, j].direction.y; }")
    rays = np.zeros((2, 3), RAY)
    rays["direction"][..., 1] = np.arange(6).reshape(2, 3)
    i, j = np.array([0, 1, 1], np.int32), np.array([2, 0, 1], np.int32)
    assert module.at(rays, i, j).tolist() == [2, 3, 4]
    assert module.at(rays.T, j, i).tolist() == [2, 3, 4]
    assert module.at(rays[::-1], 1 - i, j).tolist() == [2, 3, 4]
    gradient = module.at.bwds(rays, i, j)["rays"]
    assert gradient["direction"][..., 1].tolist() == [[0, 0, 1], [1, 1, 0]]
    fields = {"origin": torch.zeros(3, 2, 3).transpose(0, 1), "direction": torch.tensor(rays["direction"])}
    assert module.at(fields, i, j).tolist() == [2, 3, 4]
    with pytest.raises(pb.ShapeError, match="a tensor of 2 dims"):
        module.at(rays[0], 0, 0)
