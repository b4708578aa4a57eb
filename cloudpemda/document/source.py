"""A document that was read: its plain values, where each of them stands, what is wrong with it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cloudpemda.errors import Fault

Step = str | int
Path = tuple[Step, ...]
"""Keys and indexes from the root to a value: `("spec", "vms", 0, "name")`."""

Position = tuple[int, int]
"""Line and column, both counted from 1; columns count characters."""

MOST_FAULTS = 50
"""Told of one document: who sees fifty will not read the fifty-first."""

_MORE = "document.too-many-faults"
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Source:
    """One document. `readable` is False where no values could be made of the text at all."""

    name: str
    data: object
    faults: tuple[Fault, ...]
    readable: bool
    values_at: Mapping[Path, Position]
    keys_at: Mapping[Path, Position]
    faulty: frozenset[Path]  # where `faults` stand; nothing more is said about what is below

    def place(self, path: Path, *, at_key: bool = False) -> Position:
        """Line and column of the value of `path` (or of its key); those of the nearest ancestor
        where the document has no such value."""
        if at_key and path in self.keys_at:
            return self.keys_at[path]
        while path and path not in self.values_at:
            path = path[:-1]
        return self.values_at.get(path, (1, 1))

    def fault(self, code: str, path: Path, /, *, at_key: bool = False, **values: object) -> Fault:
        """A fault at `place(path)`; `values` fill the text of `code`."""
        line, column = self.place(path, at_key=at_key)
        return Fault(
            code, MappingProxyType(values), self.name, line, column, show_path(path) or None
        )

    def get(self, *path: Step) -> object:
        """The plain value at `path`; None where there is none."""
        found = self.data
        for step in path:
            if isinstance(found, dict):
                found = found.get(step)
            elif isinstance(found, tuple) and isinstance(step, int) and step < len(found):
                found = found[step]
            else:
                return None
        return found


def show_path(path: Path) -> str:
    """As people write it: `spec.vms[0].name`; keys are text from outside, shown as such."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{shown(step)}" if text else shown(step)
    return text


def shown(value: object) -> str:
    """A value as a message may repeat it: one short printable line, and never a private key."""
    if isinstance(value, dict):
        return "{…}"
    if isinstance(value, tuple):
        return "[…]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = str(value)
    if "PRIVATE KEY" in text:
        return "…"
    text = "".join(letter if letter.isprintable() else "·" for letter in text[: _SHOWN + 1])
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def in_order(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Faults by file and by their place in the text."""
    return tuple(
        sorted(faults, key=lambda fault: (fault.file or "", fault.line or 0, fault.column or 0))
    )


def first_of(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """The first MOST_FAULTS of one document, in order; one more says that there are others."""
    ordered = in_order(faults)
    told = [fault for fault in ordered if fault.code != _MORE]
    untold = [*told[MOST_FAULTS:], *(fault for fault in ordered if fault.code == _MORE)]
    if not untold:
        return ordered
    first = in_order(untold)[0]
    more = Fault(
        _MORE, MappingProxyType({"most": MOST_FAULTS}), first.file, first.line, first.column
    )
    return (*told[:MOST_FAULTS], more)
