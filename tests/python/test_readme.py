"""The Python programs of the README run, one after the other in one session, and print what it says."""

import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_python_programs_of_the_readme_print_what_it_says(monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / "README.md").read_text(), re.S | re.M)
    programs = [place for place, (language, _) in enumerate(blocks) if language == "python"]
    assert programs
    session = {"__name__": "readme"}
    for place in programs:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(blocks[place][1], "README.md", "exec"), session)
        if printed.getvalue():
            assert blocks[place + 1] == ("", printed.getvalue())
