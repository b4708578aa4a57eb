"""Style is a test: what reviewers would otherwise have to repeat."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "cloudpemda").rglob("*.py"))
# The lab is another world with a clock of its own; it has one place for it too.
_CLOCKS = {"cloudpemda/clock.py", "cloudpemda/lab/clock.py"}
_FORBIDDEN_CALLS = {
    ("datetime", "now"), ("datetime", "utcnow"), ("date", "today"), ("time", "time"),
    ("time", "sleep"), ("time", "monotonic"), ("uuid", "uuid4"), ("os", "urandom"),
    ("random", "random"), ("random", "randint"), ("random", "choice"),
    ("os", "system"), ("yaml", "load"), ("pickle", "loads"),
}  # fmt: skip


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_time_and_randomness_are_handed_in(path: Path) -> None:
    if _name(path) in _CLOCKS:
        return
    used = [
        (node.lineno, node.func.attr)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and (node.func.value.id, node.func.attr) in _FORBIDDEN_CALLS
    ]
    assert used == []


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    long = [
        (node.name, length)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (length := (node.end_lineno or 0) - node.lineno + 1) > 70
    ]
    assert long == []


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_a_file_is_one_thing(path: Path) -> None:
    if "lab/tables" in _name(path):  # parameter tables: data
        return
    assert len(path.read_text().splitlines()) <= 600, "is a room missing?"


def test_every_room_tells_its_theory() -> None:
    for init in sorted((ROOT / "cloudpemda").glob("*/__init__.py")):
        assert ast.get_docstring(ast.parse(init.read_text())), f"{_name(init)} has no docstring"
