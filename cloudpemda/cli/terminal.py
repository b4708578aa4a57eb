"""The console that people see: rich, without signs that a terminal would obey.

What is shown comes from OPDs, from PVE and from arguments. A control sign in it could set the
window's title or wipe the line before it, a direction sign could make it read as something else.
Colours and cursor moves are rich's own, and do not travel inside of texts.
"""

import unicodedata
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

_OBEYED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_INSTEAD = "\N{REPLACEMENT CHARACTER}"


class Terminal(Console):
    """A console on which a text is only ever shown."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The segments of anything that is printed; all ways of printing lead through here."""
        for segment in super().render(renderable, options):
            if segment.control is None and not segment.text.isprintable():
                yield Segment(harmless(segment.text), segment.style)
            else:
                yield segment


def harmless(text: str) -> str:
    """The text with a mark in place of each sign that a terminal would obey, line ends aside."""
    return "".join(
        _INSTEAD if sign != "\n" and unicodedata.category(sign) in _OBEYED else sign
        for sign in text
    )
