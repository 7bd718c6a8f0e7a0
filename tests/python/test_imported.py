"""Modules in WGSL and GLSL: their bindings are set, their overrides chosen, their gradients right."""

import numpy as np
import pytest
import torch

import pullback as pb

TEXTS = {
    "kernel.wgsl": """
struct Light { color: vec3<f32>, power: f32 }
@group(0) @binding(0) var<uniform> light: Light;
@group(0) @binding(1) var<storage> table: array<f32>;
@group(0) @binding(2) var<storage> corners: array<vec3<f32>>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;
override turns: i32 = 2;
var<private> seen: f32 = 1.0;
var<workgroup> tile: array<f32, 4>;
fn lit(x: f32) -> f32 { return x * light.color.y * light.power; }
fn looked_up(x: f32, i: i32) -> f32 { return x * table[i] * table[i]; }
fn corner(i: i32) -> f32 { return corners[i].z; }
fn put(x: f32, i: i32) { sums[i] += x; }
fn power(x: f32) -> f32 {
    for (var i = 0; i < turns; i += 1) { seen *= x; }
    return seen;
}
fn met(x: f32) -> f32 { tile[0] = x; workgroupBarrier(); return tile[0]; }
@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) { sums[id.x] = met(1.0); }
""",
    "kernel.glsl": """#version 450
layout(local_size_x = 4) in;
layout(std140, binding = 0) uniform Block { vec3 color; float power; } light;
layout(std430, binding = 1) readonly buffer Table { float table[]; };
layout(std430, binding = 2) readonly buffer Corners { vec3 corners[]; };
layout(std430, binding = 3) buffer Sums { float sums[]; };
layout(constant_id = 0) const int turns = 2;
float seen = 1.0;
shared float tile[4];
float lit(float x) { return x * light.color.y * light.power; }
float looked_up(float x, int i) { return x * table[i] * table[i]; }
float corner(int i) { return corners[i].z; }
void put(float x, int i) { sums[i] += x; }
float power(float x) {
    for (int i = 0; i < turns; i++) seen *= x;
    return seen;
}
float met(float x) { tile[0] = x; barrier(); return tile[0]; }
void main() { sums[gl_GlobalInvocationID.x] = met(1.0); }
""",
}
INDICES = torch.tensor([0, 1, 1, 2], dtype=torch.int32)


@pytest.fixture(params=TEXTS)
def module(load, request):
    return load(TEXTS[request.param], request.param)


def test_a_uniform_struct_is_a_dict_and_has_a_gradient(module):
    light = {"color": torch.tensor([1.0, 2.0, 3.0]), "power": torch.tensor(5.0, requires_grad=True)}
    lit = module.lit.set(light=light)(torch.tensor([1.0, 3.0]))
    assert lit.tolist() == [10, 30]
    lit.sum().backward()
    assert light["power"].grad.item() == 8


def test_buffers_are_whole_arrays_and_have_gradients(module):
    table = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    x = torch.ones(4, requires_grad=True)
    found = module.looked_up.set(table=table)(x, INDICES)
    assert found.tolist() == [1, 4, 4, 9]
    found.sum().backward()
    assert table.grad.tolist() == [2, 8, 6]
    assert x.grad.tolist() == [1, 4, 4, 9]


def test_vectors_in_a_buffer_lie_together_whatever_the_layout(module):
    corners = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert module.corner.set(corners=corners)(np.int32([0, 1, 2])).tolist() == [2, 5, 0]
    with pytest.raises(pb.PullbackError):
        module.corner.set(corners=np.zeros((2, 4), np.float32))(0)


def test_what_is_written_is_there_afterwards(module):
    sums = np.zeros(3, np.float32)
    module.put.set(sums=sums)(np.float32([1, 2, 4]), np.int32([2, 0, 7]))
    assert sums.tolist() == [2, 0, 1]


def test_overrides_are_chosen(module):
    assert module.power(3.0) == 9
    assert module.power.constants(turns=3)(3.0) == 27
    _, gradient = pb.value_and_grad(module.power.constants({"turns": 4}), 0)(np.float32([1, 2]))
    assert gradient.tolist() == [4, 32]


@pytest.mark.parametrize(
    ("given", "code"), [({"turn": 3}, "unknown-name"), ({"turns": 1.5}, "type-mismatch")]
)
def test_wrong_overrides_are_refused(module, given, code):
    with pytest.raises(pb.PullbackError) as caught:
        module.power.constants(given)
    assert caught.value.code == code
    assert "turns" in str(caught.value)


def test_what_meets_other_lanes_is_no_function_of_elements(module):
    with pytest.raises(pb.PullbackError) as caught:
        module.met(1.0)
    assert caught.value.code == "unsupported-feature"
    assert "group" in str(caught.value)
