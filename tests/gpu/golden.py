"""Golden cases as calls over many lanes: the numbers of their directives in lane 0, random ones in the others."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import pullback as pb

LANES = 600
DTYPES = {
    "f16": "float16", "f32": "float32", "f64": "float64", "half": "float16", "float": "float32", "double": "float64",
    "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64", "int8_t": "int8", "int16_t": "int16", "int": "int32",
    "int64_t": "int64", "u8": "uint8", "u16": "uint16", "u32": "uint32", "u64": "uint64", "uint8_t": "uint8",
    "uint16_t": "uint16", "uint": "uint32", "uint64_t": "uint64", "bool": "bool",
}  # fmt: skip
NUMBER = re.compile(r"[-+]?(?:nan|inf|true|false|0x[0-9a-fA-F]+|\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)")


@dataclass
class Case:
    """A directive of a file: a call, or a call and its gradient."""

    file: Path
    line: int
    kind: str
    function: str
    values: list


def cases(file: Path) -> Iterator[Case]:
    """The `run`, `grad` and `kink` directives of a file."""
    for line, text in enumerate(file.read_text().splitlines(), 1):
        found = re.match(r"\s*// (run|grad|kink): ([\w.]+)(\(.*)", text)
        if found:
            values, _ = parse(found[3])
            yield Case(file, line, found[1], found[2], values)


def parse(text: str) -> tuple[list, str]:
    """Values in parentheses, where a name before a parenthesis is for readers; and the text after them."""
    values, text = [], text[1:].lstrip()
    while not text.startswith(")"):
        text = re.sub(r"^[A-Za-z_]\w*\s*\(", "(", text)
        if text.startswith("("):
            value, text = parse(text)
        else:
            found = NUMBER.match(text)
            value, text = number(found[0]), text[found.end() :].lstrip("uUlLfFh")
        values.append(value)
        text = text.lstrip().removeprefix(",").lstrip()
    return values, text[1:].lstrip()


def number(text: str) -> bool | int | float:
    """A number as it is written."""
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text, 0)
    except ValueError:
        return float(text)


def parameters(function: pb.Function) -> list[tuple[str, str, str]]:
    """Direction, name and type of each parameter of a function without overloads."""
    inside = function.signature.splitlines()[0].partition("(")[2].rpartition(") -> ")[0]
    parts, depth = [""], 0
    for character in inside:
        depth += {"{": 1, "[": 1, "<": 1, "}": -1, "]": -1, ">": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    found = [re.match(r"\s*(in|out|inout) (\w+): (.*)", part) for part in parts if part.strip()]
    return [(part[1], part[2], part[3]) for part in found]


def fields(kind: str) -> dict[str, str]:
    """Names and types of a struct's fields; empty for other types."""
    found = re.match(r"struct \w+ \{(.*)\}$", kind.strip(), re.S)
    if not found:
        return {}
    out, depth, name, text = {}, 0, "", ""
    for character in found[1] + ",":
        depth += {"{": 1, "[": 1, "<": 1, "}": -1, "]": -1, ">": -1}.get(character, 0)
        if character == ":" and depth == 0:
            name, text = text.strip(), ""
        elif character == "," and depth == 0:
            if text.strip():
                out[name] = text.strip()
            text = ""
        else:
            text += character
    return out


def dtype(kind: str) -> str:
    """NumPy's name of a type's numbers."""
    for word in re.findall(r"[a-z]+\d*(?:_t)?", kind):
        for name in (word, word.rstrip("1234")):
            if name in DTYPES:
                return DTYPES[name]
    raise ValueError(f"no numbers in {kind!r}")


def lanes(value, kind: str, random: np.random.Generator):
    """An argument over all lanes: an array, or a dict of them for a struct."""
    if names := fields(kind):
        return {
            name: lanes(part, field, random) for (name, field), part in zip(names.items(), value, strict=True)
        }
    first, name = np.array(value), dtype(kind)
    shape = (LANES, *first.shape)
    if name == "bool":
        out = random.integers(0, 2, shape).astype(bool)
    elif "int" in name:
        out = random.integers(0 if name.startswith("u") else -4, 9, shape).astype(name)
    else:
        out = random.uniform(-2, 2, shape).astype(name)
    # Directives write unsigned numbers as they are read back: wrap them, as the language does.
    out[0] = (
        first.astype(name)
        if first.dtype.kind in "fb"
        else first.astype(object).astype(np.uint64).astype(name)
        if name == "uint64"
        else first.astype(name)
    )
    return out


def arguments(case: Case, function: pb.Function) -> dict:
    """The case's arguments over all lanes, by name."""
    random = np.random.default_rng(case.line)
    taken = [(name, kind) for direction, name, kind in parameters(function) if direction != "out"]
    return {name: lanes(value, kind, random) for (name, kind), value in zip(taken, case.values, strict=True)}


def floats(function: pb.Function) -> tuple[str, ...]:
    """The parameters that a gradient can be asked of: those of floats alone, and structs of them."""
    out = []
    for direction, name, kind in parameters(function):
        leaves = [kind]
        while any(fields(leaf) for leaf in leaves):
            leaves = [part for leaf in leaves for part in (fields(leaf).values() or [leaf])]
        if direction == "in" and all("float" in dtype(leaf) for leaf in leaves):
            out.append(name)
    return tuple(out)
