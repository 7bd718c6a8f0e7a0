"""Every kind of bad input: its class, its code, where it points, and one thing to do."""

import numpy as np
import pytest

import pullback as pb

GOOD = "float f(float a, float x) { return a * x; }"


def compile_error(load, source, name="kernel.slang"):
    with pytest.raises(pb.CompileError) as caught:
        load(source, name)
    return caught.value


@pytest.mark.parametrize(
    ("source", "code", "line"),
    [
        ("float f(float x) { return x + ; }", "syntax-error", 1),
        ("float f(float x) {\n    return x\n}", "syntax-error", 2),
        ("float f(float x) {\n    return y;\n}", "unknown-name", 2),
        ("float f(float x) {\n\n    return sine(x);\n}", "unknown-name", 3),
        ("struct S { float a; };\nfloat f(S s) { return s; }", "type-mismatch", 2),
        ("float f(float x) { return x; }\nfloat g(float x) { return f(x, x); }", "no-overload", 2),
        ("float f(float x) {\n    1.0 = x;\n    return x;\n}", "not-assignable", 2),
        ("float f(float x) {\n    if (x > 0.0) return x;\n}", "missing-return", 3),
        ("float f(float x) { break; return x; }", "invalid-control-flow", 1),
        ("float f(float x) { return g(x); }\nfloat g(float x) { return f(x); }", "recursive-call", 1),
        ('#include "nowhere.slang"\nfloat f(float x) { return x; }', "preprocessor-error", 1),
        ("float f(float x) { float x2; float x2; return x; }", "duplicate-name", 1),
    ],
)
def test_compile_errors_have_a_code_and_a_place(load_cpu, source, code, line):
    error = compile_error(load_cpu, source)
    assert error.code == code
    file, found, column = error.spans[0]
    assert file == "kernel.slang"
    assert found == line
    assert column >= 1
    assert f"error[{code}]" in str(error)
    assert f"kernel.slang:{found}:{column}" in str(error)


def test_wgsl_errors_have_a_code_and_a_place(load_cpu):
    error = compile_error(load_cpu, "fn f(x: f32) -> f32 {\n    return y;\n}", "kernel.wgsl")
    assert error.code in ("invalid-wgsl", "unknown-name")
    assert error.spans[0][:2] == ("kernel.wgsl", 2)


def test_all_errors_of_a_file_come_at_once(load_cpu):
    source = "float f(float x) { return a; }\nfloat g(float x) { return b; }\nfloat h(float x) { return c; }"
    error = compile_error(load_cpu, source)
    assert [line for _, line, _ in error.spans] == [1, 2, 3]


def test_an_unknown_function_suggests_the_nearest_name(load_cpu):
    module = load_cpu(GOOD.replace(" f(", " polynomial("))
    with pytest.raises(pb.UnknownFunctionError, match="polynomial") as caught:
        module.polynomal(1, 2)
    assert caught.value.code == "unknown-function"
    assert isinstance(caught.value, AttributeError)
    assert not hasattr(module, "polynomal")
    assert module.find_function("polynomal") is None
    assert module.find_function("polynomial") is not None


def test_a_missing_file_says_which(cpu, tmp_path):
    with pytest.raises(pb.DeviceError, match=r"nowhere\.slang") as caught:
        pb.Module.load_from_file(cpu, tmp_path / "nowhere.slang")
    assert caught.value.code == "file-not-found"
    assert caught.value.help


def test_a_file_that_is_not_text_is_an_error(cpu, tmp_path):
    path = tmp_path / "bytes.slang"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(pb.PullbackError):
        pb.Module.load_from_file(cpu, path)


def call_errors():
    x = np.zeros(4, np.float32)
    return {
        "missing-argument": (pb.BindError, lambda f: f(x)),
        "unknown-argument": (pb.BindError, lambda f: f(x, x, z=1)),
        "unknown-argument ": (pb.BindError, lambda f: f(x, x, x)),
        "unknown-argument  ": (pb.BindError, lambda f: f(x, x, a=1)),
        "argument-type": (pb.BindError, lambda f: f("1", x)),
        "dtype-mismatch": (pb.BindError, lambda f: f(1, np.zeros(4))),
        "shape-mismatch": (pb.ShapeError, lambda f: f(x, np.zeros(3, np.float32))),
        "broadcast-output": (pb.ShapeError, lambda f: f(1, x, _result=np.zeros(1, np.float32))),
    }


@pytest.mark.parametrize("code", call_errors())
def test_wrong_calls_are_refused_by_code(load, code):
    function = load(GOOD).f
    kind, call = call_errors()[code]
    with pytest.raises(kind) as caught:
        call(function)
    error = caught.value
    assert error.code == code.strip()
    assert error.help
    assert f"help: {error.help}" in str(error)
    assert function(2, 3) == 6  # the function still works


def test_messages_point_into_the_kernel(load_cpu):
    with pytest.raises(pb.ShapeError) as caught:
        load_cpu("\n\n" + GOOD).f(np.zeros(4, np.float32), np.zeros(3, np.float32))
    assert caught.value.spans[0][:2] == ("kernel.slang", 3)
    assert "^" in str(caught.value) or "-" in str(caught.value)


def test_all_wrong_arguments_are_told_at_once(load_cpu):
    with pytest.raises(pb.BindError) as caught:
        load_cpu(GOOD).f(np.zeros(3), z=np.zeros(3))
    text = str(caught.value)
    assert "dtype-mismatch" in text
    assert "unknown-argument" in text
    assert "missing-argument" in text


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("CompileError", Exception),
        ("BindError", TypeError),
        ("ShapeError", ValueError),
        ("GradientError", RuntimeError),
        ("DeviceError", RuntimeError),
        ("UnknownFunctionError", AttributeError),
        ("InternalError", RuntimeError),
    ],
)
def test_exceptions_are_of_the_builtin_kinds_too(name, base):
    assert issubclass(getattr(pb, name), pb.PullbackError)
    assert issubclass(getattr(pb, name), base)


def test_an_ambiguous_call_lists_its_candidates(load_cpu):
    module = load_cpu("int f(int x, float y) { return 1; }\nint f(float x, int y) { return 2; }")
    with pytest.raises(pb.BindError) as caught:
        module.f(1, 1)
    assert caught.value.code == "ambiguous-call"
    assert str(caught.value).count("candidate") == 2


def test_no_fitting_overload_says_why_each_does_not(load_cpu):
    module = load_cpu("int f(int x) { return 1; }\nint f(float3 x) { return 2; }")
    with pytest.raises(pb.BindError) as caught:
        module.f("text" and {"a": 1})
    assert str(caught.value).count("not f(") == 2


def test_errors_leave_the_users_arrays_alone(load_cpu):
    module = load_cpu("void f(inout float x, out float y, float z) { x = z; y = z; }")
    x, y = np.arange(4, dtype=np.float32), np.arange(4, dtype=np.float32)
    for z in (np.zeros(3, np.float32), np.zeros(4), "z"):
        with pytest.raises(pb.PullbackError):
            module.f(x, y, z)
    with pytest.raises(pb.PullbackError):
        module.f(x, y)
    assert x.tolist() == [0, 1, 2, 3]
    assert y.tolist() == [0, 1, 2, 3]


def test_types_that_cannot_come_from_outside_are_named(load_cpu):
    module = load_cpu("struct S { float x; };\nfloat f(S many[2]) { return many[0].x; }")
    with pytest.raises(pb.BindError) as caught:
        module.f(1)
    assert caught.value.code == "argument-type"
    assert "many" in str(caught.value)


@pytest.mark.parametrize("options", [{"unknown": 1}, {"defines": 3}, {"include_paths": 3}])
def test_wrong_options_are_type_errors(cpu, options):
    with pytest.raises(TypeError):
        pb.Module.load_from_source(cpu, "kernel.slang", GOOD, options)


def test_defines_and_include_paths_reach_the_preprocessor(cpu, tmp_path):
    (tmp_path / "helper.slang").write_text("float helper(float x) { return x * SCALE; }\n")
    options = {"defines": {"SCALE": "3.0"}, "include_paths": [tmp_path]}
    source = '#include "helper.slang"\nfloat f(float x) { return helper(x); }'
    module = pb.Module.load_from_source(cpu, "kernel.slang", source, options)
    assert module.f(2) == 6


def test_devices_that_are_not_there_say_so():
    for kind in (pb.DeviceType.vulkan, pb.DeviceType.cuda):
        try:
            pb.create_device(kind)
        except pb.DeviceError as error:
            assert error.code in ("no-driver", "no-device", "unsupported-by-device")
            assert error.help


@pytest.mark.parametrize("argument", [None, 3, "cpu"])
def test_a_wrong_device_argument_is_a_type_error(argument):
    with pytest.raises(TypeError):
        pb.Module.load_from_source(argument, "kernel.slang", GOOD)
    with pytest.raises(TypeError):
        pb.Device(argument)
