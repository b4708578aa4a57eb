"""The console that people see: rich, without signs that a terminal would obey.

What is shown comes from OPDs, from PVE and from arguments. A control sign in it could set the
window's title or wipe the line before it, a direction sign could make it read as something else.
Colours and cursor moves are rich's own, and do not travel inside of texts.
"""

from collections.abc import Iterable

from rich.console import (
    Console,
    ConsoleOptions,
    HighlighterType,
    JustifyMethod,
    OverflowMethod,
    RenderableType,
)
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from cloudpemda.messages import harmless


class Terminal(Console):
    """A console on which a text is only ever shown."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The segments of anything that is printed; all ways of printing lead through here."""
        for segment in super().render(renderable, options):
            if segment.control is None and not segment.text.isprintable():
                yield Segment(harmless(segment.text, keep="\n"), segment.style)
            else:
                yield segment

    def render_str(
        self,
        text: str,
        *,
        style: str | Style = "",
        justify: JustifyMethod | None = None,
        overflow: OverflowMethod | None = None,
        emoji: bool | None = None,
        markup: bool | None = None,
        highlight: bool | None = None,
        highlighter: HighlighterType | None = None,
    ) -> Text:
        """A plain text, before rich drops some signs of it and measures the rest."""
        return super().render_str(
            harmless(text, keep="\n"),
            style=style,
            justify=justify,
            overflow=overflow,
            emoji=emoji,
            markup=markup,
            highlight=highlight,
            highlighter=highlighter,
        )
