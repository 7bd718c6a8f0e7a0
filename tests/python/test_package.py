"""The package as a whole: what importing it loads, how long that takes, stubs, docstrings, the command."""

import inspect
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import pullback as pb

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=ROOT, check=False)


def test_import_loads_neither_numpy_nor_torch():
    program = "import pullback, sys; print('numpy' in sys.modules, 'torch' in sys.modules)"
    assert run("-c", program).stdout.split() == ["False", "False"]


def test_numpy_calls_do_not_import_torch():
    program = (
        "import pullback as pb, numpy as np, sys\n"
        "m = pb.Module.load_from_source(pb.create_device(pb.DeviceType.cpu), 'k', 'float f(float x) { return x + 1; }')\n"
        "print(m.f(np.ones(2, np.float32)).tolist(), pb.grad(m.f)(np.ones(2, np.float32)).tolist(), 'torch' in sys.modules)"
    )
    result = run("-c", program)
    assert result.stdout.strip() == "[2.0, 2.0] [1.0, 1.0] False", result.stderr


def test_stubs_match_the_package(tmp_path):
    # Classes in Rust have `__getattr__` as a slot without an entry of that name.
    allowed = tmp_path / "allowed"
    allowed.write_text(r"pullback\._native\.Module\.__getattr__")
    result = run(
        "-m",
        "mypy.stubtest",
        "pullback._native",
        "--mypy-config-file",
        "pyproject.toml",
        "--allowlist",
        str(allowed),
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_public_name_has_a_docstring():
    bare = []
    for name in pb.__all__:
        item = getattr(pb, name)
        members = (
            [member for member in vars(item).items() if not member[0].startswith("_")]
            if inspect.isclass(item)
            else []
        )
        for path, documented in [(name, item), *((f"{name}.{key}", value) for key, value in members)]:
            is_code = callable(documented) or inspect.isdatadescriptor(documented)
            if is_code and not inspect.getdoc(documented):
                bare.append(path)
    assert bare == []


@pytest.mark.parametrize("name", pb.__all__)
def test_public_names_say_they_come_from_pullback(name):
    assert getattr(pb, name).__module__.split(".")[0] == "pullback"


def test_doctor_lists_the_devices():
    result = run("-m", "pullback", "doctor")
    assert result.returncode == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["pullback", "cpu", "vulkan", "cuda"]


def test_check_prints_all_errors_of_a_file(tmp_path):
    file = tmp_path / "wrong.slang"
    file.write_text("float f(float x) { return y; }\nfloat g(float x) { return z; }\n")
    result = run("-m", "pullback", "check", str(file))
    assert result.returncode == 1
    assert "wrong.slang:1" in result.stderr
    assert "wrong.slang:2" in result.stderr


def test_check_prints_warnings_and_loading_gives_them_once(tmp_path, cpu):
    file = tmp_path / "unused.slang"
    file.write_text("float f(float x) { float y = 1; return x; }\n")
    result = run("-m", "pullback", "check", str(file))
    assert result.returncode == 0, result.stderr
    assert result.stderr.startswith("warning[unused-name]: `y` is never used")
    assert "ok, functions: f" in result.stdout
    with pytest.warns(UserWarning, match="unused-name") as caught:
        module = pb.Module.load_from_file(cpu, str(file))
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert module.f(1.0) == 1.0


def test_dump_prints_the_derived_function(tmp_path):
    file = tmp_path / "square.slang"
    file.write_text("float square(float x) { return x * x; }\n")
    result = run("-m", "pullback", "dump", str(file), "--stage", "vjp")
    assert result.returncode == 0, result.stderr
    assert "mul" in result.stdout


def test_explain_says_what_a_code_means():
    result = run("-m", "pullback", "explain", "shape-mismatch")
    assert result.returncode == 0
    assert "ShapeError" in result.stdout
    assert run("-m", "pullback", "explain", "no-such-code").returncode == 1


def test_a_function_named_as_a_module_attribute_is_warned_of_and_reached_as_an_item():
    device = pb.create_device(pb.DeviceType.cpu)
    source = "float name(float x) { return x + 1.0; }\nfloat other(float x) { return x; }"
    with pytest.warns(UserWarning, match=r'module\["name"\]') as caught:
        module = pb.Module.load_from_source(device, "kernel.slang", source)
    assert len(caught) == 1
    assert module.name == "kernel.slang"
    assert module["name"](1.0) == 2


def test_loading_refuses_links_to_no_module_and_unknown_options(cpu):
    source = "float f(float x) { return x; }"
    with pytest.raises(pb.BindError) as caught:
        pb.Module.load_from_source(cpu, "f.slang", source, link=["other"])
    assert (caught.value.code, bool(caught.value.help)) == ("argument-type", True)
    with pytest.raises(pb.BindError) as caught:
        pb.Module.load_from_source(cpu, "f.slang", source, options={"optimise": 3})
    assert "include_paths, defines" in caught.value.help
