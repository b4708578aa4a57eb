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

    def fault(self, code: str, path: Path, /, *, at_key: bool = False, **values: object) -> Fault:
        """A fault at the value of `path` (or at its key); the nearest ancestor's place where the
        document has no such value."""
        places = self.keys_at if at_key and path in self.keys_at else self.values_at
        place = path
        while place and place not in places:
            place = place[:-1]
            places = self.values_at
        line, column = places.get(place, (1, 1))
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
