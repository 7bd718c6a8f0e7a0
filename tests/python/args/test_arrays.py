"""NumPy arrays as arguments: strides of every kind, empty arrays, vectors and matrices."""

import numpy as np
import pytest

import pullback as pb


@pytest.fixture
def module(load):
    return load("""
float plus_one(float x) { return x + 1.0; }
float add(float x, float y) { return x + y; }
float3 scale(float3 v, float by) { return v * by; }
float3 transform(float3x3 m, float3 v) { return mul(m, v); }
float2x3 twice(float2x3 m) { return m + m; }
float sum4(float v[4]) { return v[0] + v[1] + v[2] + v[3]; }
int not_at_all(int x) { return ~x; }
""")


BASE = np.arange(2 * 6 * 4, dtype=np.float32).reshape(2, 6, 4)
VIEWS = {
    "contiguous": BASE,
    "transposed": BASE.T,
    "every other": BASE[:, ::2],
    "backwards": BASE[:, ::-1, ::-1],
    "one dim backwards": BASE[0, 0, ::-1],
    "middle out": np.swapaxes(BASE, 0, 1)[1:5, :, 1:3],
    "fortran": np.asfortranarray(BASE),
    "broadcast": np.broadcast_to(BASE[:, :1, :], (2, 6, 4)),
    "one number": BASE[1, 2, 3],
    "0-d": np.array(5, np.float32),
    "size one": BASE[:1, :1, :1],
    "empty": BASE[:0],
    "empty inside": BASE[:, 3:3],
}


@pytest.mark.parametrize("name", VIEWS)
def test_views_of_any_strides_are_read_in_place(module, name):
    view = VIEWS[name]
    result = module.plus_one(view)
    assert np.shape(result) == view.shape
    np.testing.assert_array_equal(result, view + 1)


@pytest.mark.parametrize("left", VIEWS)
def test_two_views_walk_independently(module, left):
    x = VIEWS[left]
    y = np.ascontiguousarray(x[..., ::-1] if x.ndim else x)
    np.testing.assert_array_equal(module.add(x, y), x + y)


def test_read_only_arrays_are_inputs(module):
    x = np.arange(4, dtype=np.float32)
    x.flags.writeable = False
    assert module.plus_one(x).tolist() == [1, 2, 3, 4]


def test_results_are_new_contiguous_writable_arrays(module):
    x = np.ones((3, 4), np.float32)
    result = module.plus_one(x.T)
    assert result.flags.c_contiguous
    assert result.flags.writeable
    assert result.flags.owndata or result.base is not None
    result[:] = 0
    assert (x == 1).all()


def test_vectors_are_the_last_dim(module):
    v = np.arange(30, dtype=np.float32).reshape(2, 5, 3)
    np.testing.assert_array_equal(module.scale(v, 2), v * 2)
    by = np.arange(5, dtype=np.float32)
    np.testing.assert_array_equal(module.scale(v, by), v * by[:, None])


def test_vectors_with_strides_between_components(module):
    v = np.arange(30, dtype=np.float32).reshape(3, 10).T
    np.testing.assert_array_equal(module.scale(v, 2), v * 2)
    np.testing.assert_array_equal(module.scale(v[::-1, ::-1], 2), v[::-1, ::-1] * 2)


def test_matrices_are_the_last_two_dims_in_row_major_order(module):
    m = np.arange(18, dtype=np.float32).reshape(2, 3, 3)
    v = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    np.testing.assert_array_equal(module.transform(m, v), np.einsum("nij,nj->ni", m, v))
    np.testing.assert_array_equal(module.transform(m.transpose(0, 2, 1), v), np.einsum("nji,nj->ni", m, v))
    assert module.twice(np.ones((4, 2, 3), np.float32)).shape == (4, 2, 3)


COLUMNS = """
StructuredBuffer<column_major float2x3> inputs;
RWStructuredBuffer<column_major float2x3> outputs;
struct Camera { column_major float2x2 view; };
cbuffer Scene { column_major float2x2 turn; Camera camera; };
float3 row(int i, int r) { return inputs[i][r]; }
void put(int i, float x) { outputs[i][1][2] = x; }
float2 turned(Camera given, float2 v) { return mul(mul(mul(turn, camera.view), given.view), v); }
"""


def by_columns(x):
    return np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)


def test_column_major_elements_are_still_rows_and_columns_of_the_array(load):
    module = load(COLUMNS)
    m = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    row = module.row.set(inputs=by_columns(m))
    np.testing.assert_array_equal(
        row(np.array([0, 1, 1], np.int32), np.array([1, 0, 1], np.int32)), m[[0, 1, 1], [1, 0, 1]]
    )
    out = by_columns(np.zeros((2, 2, 3), np.float32))
    module.put.set(outputs=out)(1, 5.0)
    assert out[1, 1, 2] == 5
    assert out.sum() == 5


def test_an_array_whose_columns_do_not_lie_together_is_refused(load):
    module = load(COLUMNS)
    row = module.row.set(inputs=np.zeros((2, 2, 3), np.float32))
    with pytest.raises(pb.ShapeError, match="columns of matrices lie together"):
        row(0, 1)


def test_uniforms_and_parameters_have_no_order(load):
    module = load(COLUMNS)
    a, b, c = (np.arange(4, dtype=np.float32).reshape(2, 2) + k for k in (1, 5, 9))
    turned = module.turned.set(Scene={"turn": a, "camera": {"view": b}})
    np.testing.assert_array_equal(turned({"view": c}, np.array([1, 2], np.float32)), a @ b @ c @ [1, 2])


def test_gradients_of_column_major_elements_are_refused(load):
    module = load("""
[Differentiable] float corner(StructuredBuffer<column_major float2x2> m, float x) { return m[0][0][1] * x; }
""")
    m = by_columns(np.ones((1, 2, 2), np.float32))
    assert module.corner(m, 3.0) == 3
    with pytest.raises(pb.GradientError, match="column-major"):
        pb.value_and_grad(module.corner, argnums="m")(m=m, x=3.0)


def test_array_parameters_take_their_size_as_last_dim(module):
    v = np.arange(8, dtype=np.float32).reshape(2, 4)
    assert module.sum4(v).tolist() == [6, 22]


@pytest.mark.parametrize("shape", [(10, 4), (10, 2), (3, 10), (10, 1), ()])
def test_a_wrong_last_dim_is_refused(module, shape):
    with pytest.raises(pb.ShapeError) as caught:
        module.scale(np.ones(shape, np.float32), 1)
    assert caught.value.code == "element-shape"


def test_many_dims_work(module):
    x = np.arange(2**9, dtype=np.float32).reshape((2,) * 9)
    order = (3, 1, 4, 0, 5, 8, 2, 6, 7)
    np.testing.assert_array_equal(module.add(x, x.transpose(order)), x + x.transpose(order))


def test_more_lanes_than_one_group_of_any_size(module):
    for lanes in (1, 255, 256, 257, 4095, 4096, 4097, 100_003):
        x = np.arange(lanes, dtype=np.int32)
        np.testing.assert_array_equal(module.not_at_all(x), ~x)


def test_memory_that_is_not_aligned_is_refused_by_name(module):
    raw = np.zeros(17, np.uint8)[1:].view(np.float32)
    with pytest.raises(pb.BindError, match="aligned") as caught:
        module.plus_one(raw)
    assert caught.value.code == "argument-type"


def test_strides_within_an_item_are_refused_by_name(module):
    records = np.zeros(4, np.dtype([("x", np.float32), ("tag", np.uint8)]))
    with pytest.raises(pb.BindError) as caught:
        module.plus_one(records["x"])
    assert caught.value.code == "argument-type"


def test_foreign_byte_order_is_refused_by_name(module):
    with pytest.raises(pb.BindError, match="f4") as caught:
        module.plus_one(np.zeros(3, ">f4"))
    assert caught.value.code == "argument-type"


@pytest.mark.parametrize("dtype", ["complex64", "datetime64[s]", "U3", object, "longdouble"])
def test_dtypes_without_a_counterpart_are_refused(module, dtype):
    with pytest.raises(pb.BindError) as caught:
        module.plus_one(np.zeros(3, dtype))
    assert caught.value.code == "argument-type"


def test_subclasses_of_ndarray_are_arrays(module, tmp_path):
    mapped = np.memmap(tmp_path / "x", np.float32, "w+", shape=(3,))
    mapped[:] = [1, 2, 3]
    assert module.plus_one(mapped).tolist() == [2, 3, 4]


def test_masked_arrays_are_refused_by_name(module, cpu):
    masked = np.ma.array(np.ones(3, np.float32), mask=[0, 1, 0])
    for call in (
        lambda: module.plus_one(masked),
        lambda: module.plus_one(np.ones(3, np.float32), _result=masked),
        lambda: pb.Tensor.from_numpy(cpu, masked),
    ):
        with pytest.raises(pb.BindError, match="masked") as caught:
            call()
        assert caught.value.code == "argument-type"
        assert "x.filled(" in caught.value.help


def test_a_result_that_no_memory_holds_is_refused(module):
    vast = np.broadcast_to(np.float32(1), (1 << 21, 1 << 21))
    with pytest.raises(pb.DeviceError) as caught:
        module.plus_one(vast)
    assert caught.value.code == "out-of-memory"
