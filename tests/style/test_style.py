"""Style is a test: what reviewers would otherwise have to repeat."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "cloudpemda").rglob("*.py"))
# The lab is another world with a clock of its own; it has one place for it too.
_CLOCKS = {"cloudpemda/clock.py", "cloudpemda/lab/clock.py"}
_FORBIDDEN = frozenset(
    {
        "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today",
        "datetime.date.today", "time.time", "time.time_ns", "time.sleep", "time.monotonic",
        "time.monotonic_ns", "time.perf_counter", "time.localtime", "time.gmtime", "uuid.uuid1",
        "uuid.uuid4", "os.urandom", "os.getrandom", "random.random", "random.randint",
        "random.randrange", "random.choice", "random.choices", "random.sample", "random.shuffle",
        "random.uniform", "random.getrandbits", "random.seed", "random.SystemRandom",
        "os.system", "os.popen", "yaml.load", "yaml.unsafe_load", "pickle.loads", "pickle.load",
    }
)  # fmt: skip


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _imported(tree: ast.AST) -> dict[str, str]:
    """Name in the file → what it is, by any way of importing it."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                found[one.asname or one.name.partition(".")[0]] = (
                    one.name if one.asname else one.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    return found


def _meant(node: ast.expr, imported: dict[str, str]) -> str | None:
    """`datetime.datetime.now` for whatever the file calls it."""
    if isinstance(node, ast.Name):
        return imported.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _meant(node.value, imported)
        return None if owner is None else f"{owner}.{node.attr}"
    return None


def _forbidden(source: str, *, secrets: bool) -> list[tuple[int, str]]:
    """Line and name of each clock, die or evaluator that is reached for; called or handed on."""
    tree = ast.parse(source)
    imported = _imported(tree)
    used: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            meant = _meant(node, imported) or ""
            own_dice = meant.startswith("secrets.") and not secrets
            if meant in _FORBIDDEN or own_dice:
                used.append((node.lineno, meant))
        elif (
            isinstance(node, ast.Call)
            and not (node.args or node.keywords)
            and _meant(node.func, imported) == "random.Random"
        ):
            used.append((node.lineno, "random.Random without a seed"))
    return used


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_time_and_randomness_are_handed_in(path: Path) -> None:
    if _name(path) in _CLOCKS:
        return
    # the lab's tokens and passwords must not repeat, whatever its seed
    in_lab = _name(path).startswith("cloudpemda/lab/")
    assert _forbidden(path.read_text(), secrets=in_lab) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.sleep(1)",
        "from time import sleep\nsleep(1)",
        "import time as t\npause = t.sleep",
        "import datetime as d\nd.datetime.now(d.UTC)",
        "from datetime import datetime as when\nwhen.now()",
        "from dataclasses import field\nfrom uuid import uuid4\nx = field(default_factory=uuid4)",
        "import random\nrandom.Random().random()",
        "import secrets\nsecrets.token_hex(4)",
        "def f():\n    import os\n    return os.urandom(4)",
    ],
)
def test_no_way_of_importing_a_clock_or_dice_is_overlooked(source: str) -> None:
    assert _forbidden(source, secrets=False) != []


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
