"""What all pages are made of: tables, and the cells that mean the same on each of them."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cloudpemda.messages import harmless
from cloudpemda.report.standing import Cover, Guard
from cloudpemda.rules.quota import amount
from cloudpemda.units import show_duration

if TYPE_CHECKING:
    from cloudpemda.cli.frame import Frame

_COLOURS = {
    Guard.OK: "green",
    Guard.PENDING: "yellow",
    Guard.LATE: "red",
    Guard.NEVER: "red",
    Guard.WRONG: "red",
    Guard.UNKNOWN: "magenta",
    Guard.CLOCK_SKEW: "red",
    Guard.NONE: "dim",
}

_WHOLE = frozenset(
    {
        "VM",
        "request",
        "number",
        "node",
        "address",
        "replica",
        "backup",
        "DRC",
        "VMID",
        "from",
        "until",
    }
    | {"seq", "when", "what", "rev", "OPD", "dimension"}
)
"""Columns that lose their meaning when they are wrapped or cut."""


def table(frame: "Frame", *columns: str) -> Table:
    """A table without frames: it survives a copy into a letter. Columns are named in the
    reader's language; one without a name has no header."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        name = frame.say("column." + column.lower().replace(" ", "-")) if column else ""
        made.add_column(name, header_style="bold", no_wrap=column in _WHOLE)
    return made


def keep_words(out: Console, shown: Table) -> None:
    """On a narrow terminal break cells between words, and the keys of VMs anywhere, so that
    nothing is cut off: `unk…` tells nobody a state."""
    texts = [[str(cell) for cell in (one.header, *one.cells)] for one in shown.columns]

    def widest(cells: Sequence[str], where: str) -> int:
        return max(len(part) for cell in cells for part in re.split(where, cell)) + 2

    if sum(widest(cells, "\n") for cells in texts) <= out.width:
        return
    left = out.width
    first, *others = shown.columns
    for column, cells in zip(others, texts[1:], strict=True):
        needed = widest(cells, "[ \n]")
        column.width, column.no_wrap = needed - 2, False
        left -= needed
    first.width, first.no_wrap, first.overflow = max(left - 2, 8), False, "fold"


def print_or(out: Console, shown: Table, nothing: str) -> None:
    """The table, or a line where it has no rows."""
    out.print(shown if shown.row_count else nothing)


def cover(one: Cover) -> Text:
    """A guard and the age of its copy."""
    age = "" if one.age is None else f" {show_duration(one.age)}"
    word = "-" if one.guard is Guard.NONE else one.guard.value
    return Text(word + age, style=_COLOURS[one.guard])


def evidence(one: Cover) -> Text:
    """The same, with what it is read from."""
    return cover(one) + Text(f"  {harmless(one.source)}" if one.source else "", style="dim")


def shown_amount(dimension: str, value: int) -> str:
    """A quota amount with its unit."""
    return f"{amount(dimension, value)}"
