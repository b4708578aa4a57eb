"""Which code answers which path, and how a request's path is matched to a declared one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .tables import Declaration
from .world import Call

Handler = Callable[[Call], object]
HANDLERS: dict[str, Handler] = {}


@dataclass(frozen=True)
class Page:
    """A list of which only a part is shown: answered with the total beside the data."""

    data: object
    total: int


def route(*names: str) -> Callable[[Handler], Handler]:
    """Declare the handler of `METHOD /path`s; a release that lacks one answers 501."""

    def register(handler: Handler) -> Handler:
        for name in names:
            HANDLERS[name] = handler
        return handler

    return register


class Router:
    """Matches paths as PVE does: fixed names before parameters; a volume name may hold slashes."""

    def __init__(self, declarations: Mapping[str, Declaration]) -> None:
        self._tree: dict[str, object] = {}
        for name in declarations:
            method, _, path = name.partition(" ")
            node = self._tree
            for part in _split(path):
                child = node.setdefault(part, {})
                assert isinstance(child, dict)
                node = child
            node[f" {method}"] = name

    def match(self, method: str, path: str) -> tuple[str, dict[str, str]] | None:
        """The declared name and the path's parameters, None when there is none such."""
        found: dict[str, str] = {}
        node: object = self._tree
        parts = _split(path)
        for position, part in enumerate(parts):
            assert isinstance(node, dict)
            if part in node:
                node = node[part]
                continue
            template = next((key for key in node if key.startswith("{")), None)
            if template is None:
                return None
            if template == "{volume}":
                found["volume"] = "/".join(parts[position:])
                node = node[template]
                break
            if any(letter.isspace() for letter in part):
                return None
            found[template[1:-1]] = part
            node = node[template]
        assert isinstance(node, dict)
        name = node.get(f" {method}")
        return (name, found) if isinstance(name, str) else None


def _split(path: str) -> list[str]:
    return [part for part in path.split("/") if part]
