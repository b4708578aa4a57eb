"""The audit log as text for people: whole for who proves something, short beside a request.

Nothing is cut, whatever the width: a digest or a UPID that cannot be copied proves nothing.
"""

import json
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from cloudpemda.cli.tables import print_or, shown_amount, table
from cloudpemda.messages import harmless
from cloudpemda.units import show_local

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from cloudpemda.cli.frame import Frame
    from cloudpemda.ledger import Entry

_INDENT = "    "
_AMOUNTS = frozenset({"hold", "takes"})  # details that are quota by dimension, as JSON


def audit_entries(
    out: Console, frame: "Frame", entries: "Sequence[Entry]", zone: "ZoneInfo"
) -> None:
    """Each entry in a line of its own, its details below it."""
    for entry in entries:
        out.print(
            Text.assemble(
                (f"{entry.seq}  ", "bold"),
                f"{show_local(entry.at, zone)}  {_who(entry)}  ",
                (harmless(entry.action), "bold"),
                f"  {harmless(entry.subject)}",
            ),
            soft_wrap=True,
        )
        for told in _told(frame, entry):
            _indented(out, told)
    if not entries:
        out.print(frame.say("show.no-entries"))


def _told(frame: "Frame", entry: "Entry") -> list[str]:
    """An entry's details; a refusal by quota is told as it was then."""
    from cloudpemda.ledger.quota import REFUSED, refusal_faults

    if entry.action == REFUSED:
        return [frame.say(fault.code, **fault.values) for fault in refusal_faults(entry)]
    return [", ".join(f"{name}={_shown(name, value)}" for name, value in entry.details.items())]


def _indented(out: Console, text: str) -> None:
    """A paragraph under an entry, broken between words only."""
    for line in textwrap.wrap(
        harmless(text),
        max(out.width, len(_INDENT) + 1),
        initial_indent=_INDENT,
        subsequent_indent=_INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    ):
        out.print(Text(line), soft_wrap=True)


def history(out: Console, frame: "Frame", entries: "Sequence[Entry]", zone: "ZoneInfo") -> None:
    """What became of a request, a line for each deed: its state after it, and the reason."""
    shown = table(frame, "seq", "when", "what", "who", "rev", "state")
    for entry in entries:
        details = entry.details
        state = str(details.get("state") or details.get("ended") or "-")
        if details.get("reason"):
            state += f": {details['reason']}"
        shown.add_row(
            str(entry.seq),
            show_local(entry.at, zone),
            harmless(entry.action),
            _who(entry),
            str(details.get("revision", "-")),
            harmless(state),
        )
    print_or(out, shown, frame.say("show.no-entries"))


def _who(entry: "Entry") -> str:
    """`dewi (approver)`, or `dewi / hendra (approver)` who stands in for hendra."""
    actor = entry.actor
    return harmless(f"{' / '.join(filter(None, (actor.login, actor.behalf)))} ({actor.role})")


def _shown(name: str, value: object) -> str:
    """A detail for reading; amounts of quota have their units, lists stand in brackets."""
    if name in _AMOUNTS and isinstance(value, str):
        amounts = json.loads(value)
        told = ", ".join(f"{one} {shown_amount(one, much)}" for one, much in amounts.items())
        return f"[{told}]"
    if isinstance(value, list | tuple):
        return f"[{', '.join(str(one) for one in value)}]"
    return str(value)
