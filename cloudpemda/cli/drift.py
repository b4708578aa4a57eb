"""`cloudpemda drift`: what differs from what was approved."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from cloudpemda.cli.frame import Frame
    from cloudpemda.report.drift import Deviation, InstanceDrift
    from cloudpemda.report.nobodys import Unowned
    from cloudpemda.usecases.drift import Drift

_COLOURS = {"harmless": "dim", "over-quota": "yellow", "unprotected": "red", "security": "red"}
_SHOWN = 60  # of a value: a key or a description is told in part, JSON has all of it


@click.command()
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--opd", help="Only this OPD's.")
@click.pass_obj
def drift(frame: "Frame", keys: tuple[str, ...], opd: str | None) -> None:
    """What differs from what was approved, of all VMs or of each KEY (dinkes/simrs, or one VM).

    Exit code 7 where anything differs, 5 where something could not be read.
    """
    from cloudpemda.usecases.drift import drift as use_case

    with frame.desk() as desk:
        found = use_case(desk, keys, opd=opd)
    frame.finish(found, lambda out: _page(out, frame, found), found.faults, found.code)


def _page(out: "Console", frame: "Frame", found: "Drift") -> None:
    for one in found.instances:
        _instance(out, frame, one)
    counts = {"compared": found.compared, "differing": len(found.instances)}
    if found.compared:
        said = "show.drift-some" if found.instances else "show.drift-none"
        out.print(frame.say(said, **counts))
    elif not found.unknown:
        out.print(frame.say("show.no-instances"))
    for code, listed in (("unknown", found.unknown), ("underway", found.underway)):
        if listed:
            out.print(frame.say(f"show.drift-{code}", keys=", ".join(listed)))
    ready = dict.fromkeys(
        one.key.rpartition("/")[0]
        for one in found.instances
        if not one.blocked and any(each.remedy == "apply" for each in one.deviations)
    )
    if ready:
        out.print(frame.say("show.drift-apply", keys=" ".join(ready)))
    if found.unowned:
        _unowned(out, frame, found.unowned)


def _instance(out: "Console", frame: "Frame", one: "InstanceDrift") -> None:
    from rich.padding import Padding
    from rich.text import Text

    from cloudpemda.cli.tables import shown_amount

    head = Text(one.key, style="bold")
    head.append(f"  {one.cluster}/{one.node or '-'} {one.vmid}  ", style="dim")
    head.append(frame.say(f"show.drift-{one.drift.value}"), style=_COLOURS[one.drift.value])
    out.print(head)
    for each in one.deviations:
        out.print(Padding(_line(frame, each), (0, 0, 0, 2)))
    if one.overage:
        what = ", ".join(f"{n} {shown_amount(n, v)}" for n, v in sorted(one.overage.items()))
        said = frame.say("show.drift-overage", what=what)
        out.print(Padding(Text(said, style="yellow"), (0, 0, 0, 2)))
    if one.blocked:
        out.print(Padding(Text(frame.say("show.drift-blocked"), style="yellow"), (0, 0, 0, 2)))


def _line(frame: "Frame", one: "Deviation") -> "Text":
    from rich.text import Text

    nothing = frame.say("show.drift-nothing")
    line = Text(one.what + "  ")
    line.append(_short(one.live) or nothing, style=_COLOURS[one.drift.value])
    line.append(" → " + (_short(one.desired) or nothing))
    line.append(f"  [{frame.say(f'show.drift-by-{one.remedy.value}')}]", style="dim")
    return line


def _short(text: str) -> str:
    from cloudpemda.messages import harmless

    told = harmless(text)
    return told if len(told) <= _SHOWN else told[: _SHOWN - 1] + "…"


def _unowned(out: "Console", frame: "Frame", found: "tuple[Unowned, ...]") -> None:
    from cloudpemda.cli.tables import table
    from cloudpemda.messages import harmless

    out.print(frame.say("show.drift-unowned"))
    shown = table(frame, "VMID", "cluster", "node", "VM", "pool")
    for one in found:
        shown.add_row(
            str(one.vmid), one.cluster, one.node, harmless(one.name) or "-", one.pool or "-"
        )
    out.print(shown)
