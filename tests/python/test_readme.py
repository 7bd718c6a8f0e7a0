"""The Python programs of the README run, and print what it says."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PROGRAMS = re.findall(r"```python\n(.*?)```", README.read_text(), re.S) if README.is_file() else []


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_python_programs_of_the_readme_run(program, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.chdir(ROOT / "samples" / "01_polynomial")
    exec(compile(program, "README.md", "exec"), {"__name__": "readme"})
