"""JSON from outside, read defensively: a missing or odd field is an error with its place."""

import math
from collections.abc import Callable, Iterator, Mapping

from cloudpemda.proxmox.errors import BadAnswer

Complain = Callable[[str, object], BadAnswer]


class Row:
    """One JSON object of an answer. PVE sends numbers as text here and there: both are read."""

    def __init__(self, where: str, fields: Mapping[str, object], complain: Complain) -> None:
        self.where = where
        self._fields = fields
        self._complain = complain

    def __contains__(self, key: str) -> bool:
        return self._fields.get(key) is not None

    def items(self) -> Iterator[tuple[str, object]]:
        yield from self._fields.items()

    def wrong(self, key: str) -> BadAnswer:
        """The error to raise for this field."""
        return self._complain(f"{self.where}.{key}", self._fields.get(key))

    def text(self, key: str, default: str | None = None) -> str:
        """Text, or a number as text. Raises BadAnswer if it is missing without a default."""
        value = self._fields.get(key, default)
        if value is None:
            value = default
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self.wrong(key)
        return str(value)

    def optional(self, key: str) -> str | None:
        return self.text(key) if key in self else None

    def integer(self, key: str, default: int | None = None) -> int:
        return int(self.number(key, default))

    def number(self, key: str, default: float | None = None) -> float:
        value = self._fields.get(key)
        if value is None:
            value = default
        try:
            if isinstance(value, str | int | float) and math.isfinite(number := float(value)):
                return number
        except (ValueError, OverflowError):
            pass
        raise self.wrong(key)

    def flag(self, key: str, *, default: bool = False) -> bool:
        """PVE's booleans: 0 and 1, as number, text or JSON."""
        value = self._fields.get(key)
        if value is None or value == "":
            return default
        if value in (0, "0"):
            return False
        if value in (1, "1"):
            return True
        raise self.wrong(key)

    def words(self, key: str, separators: str = ",") -> tuple[str, ...]:
        """A list written as text, e.g. `images,rootdir`."""
        text = self.text(key, "")
        for separator in separators:
            text = text.replace(separator, " ")
        return tuple(text.split())


def row(where: str, value: object, complain: Complain) -> Row:
    """An answer that must be one object."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise complain(where, value)
    return Row(where, value, complain)


def rows(where: str, value: object, complain: Complain) -> list[Row]:
    """An answer that must be a list of objects."""
    if not isinstance(value, list):
        raise complain(where, value)
    return [row(f"{where}[{index}]", item, complain) for index, item in enumerate(value)]
