"""Which code answers which path, and how a request's path is matched to a declared one."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from cloudpemda import lab
from cloudpemda.lab.state import Task
from cloudpemda.lab.tables import Declaration
from cloudpemda.lab.work import Work
from cloudpemda.lab.world import Call

Row = dict[str, object]
Handler = Callable[[Call], object]
Answering = TypeVar("Answering", bound=Handler)
Match = tuple[str, dict[str, str]]  # a declared name, and the path's parameters
HANDLERS: dict[str, Handler] = {}


@dataclass(frozen=True)
class Page:
    """A list of which only a part is shown: answered with the total beside the data."""

    data: object
    total: int


@dataclass(frozen=True)
class Signed:
    """Settings, answered with their digest beside them."""

    data: object
    digest: str


@dataclass(frozen=True)
class Text:
    """An answer that is no JSON: a log to download."""

    text: str


def route(*names: str) -> Callable[[Answering], Answering]:
    """Declare the handler of `METHOD /path`s; a release that lacks one answers 501."""

    def register(handler: Answering) -> Answering:
        for name in names:
            HANDLERS[name] = handler
        return handler

    return register


def task(
    name: str, kind: str, check: Callable[[Call], object]
) -> Callable[[Callable[[Call, Task], Work]], Callable[[Call, Task], Work]]:
    """Declare a call on a VM whose work a task of `kind` does.

    `check` refuses at once; a text that it answers (the UPID of another task) is the answer.
    """

    def register(work: Callable[[Call, Task], Work]) -> Callable[[Call, Task], Work]:
        def handler(call: Call) -> str:
            other = check(call)
            if isinstance(other, str):
                return other
            return call.start(kind, call["vmid"], lambda task: work(call, task))

        HANDLERS[name] = handler
        return work

    return register


def told(row: Row) -> Row:
    """A row without what is not set."""
    return {key: value for key, value in row.items() if value is not None}


@cache
def served() -> list[str]:
    """`METHOD /path` of everything served in any release: what the package's modules declare."""
    for module in pkgutil.walk_packages(lab.__path__, f"{lab.__name__}."):
        importlib.import_module(module.name)
    return sorted(HANDLERS)


class Branch:
    """One step of a path: what may follow, and which methods end here."""

    def __init__(self) -> None:
        self.below: dict[str, Branch] = {}
        self.methods: dict[str, str] = {}


class Router:
    """Matches paths as PVE does: fixed names before parameters; volumes, networks hold slashes."""

    def __init__(self, declarations: Mapping[str, Declaration]) -> None:
        self._root = Branch()
        for name in declarations:
            method, _, path = name.partition(" ")
            branch = self._root
            for part in _split(path):
                branch = branch.below.setdefault(part, Branch())
            branch.methods[method] = name

    def match(self, method: str, path: str) -> Match | None:
        """The declared name and the path's parameters, None when there is none such."""
        found: dict[str, str] = {}
        branch, parts = self._root, _split(path)
        for position, part in enumerate(parts):
            if part in branch.below:
                branch = branch.below[part]
                continue
            template = next((key for key in branch.below if key.startswith("{")), None)
            if template is None or any(letter.isspace() for letter in part):
                return None
            branch = branch.below[template]
            if template in ("{volume}", "{cidr}"):
                found[template[1:-1]] = "/".join(parts[position:])
                break
            found[template[1:-1]] = part
        name = branch.methods.get(method)
        return (name, found) if name is not None else None


def _split(path: str) -> list[str]:
    return [part for part in path.split("/") if part]
