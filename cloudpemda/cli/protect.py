"""`cloudpemda protect …`: the protection of VMs, and keeping it as promised."""

from typing import TYPE_CHECKING

import click

from cloudpemda.cli.protection import status
from cloudpemda.units import show_duration

if TYPE_CHECKING:
    from rich.console import Console

    from cloudpemda.cli.frame import Frame
    from cloudpemda.usecases.converge import Converged
    from cloudpemda.usecases.window import Windows

_COLOURS = {"done": "green", "due": "yellow", "failed": "red", "left": "yellow"}


@click.group()
def protect() -> None:
    """What protects the VMs: HA, replication, backups."""


protect.add_command(status)


@protect.command(short_help="Make good what has come to differ in HA, replication, backup.")
@click.argument("keys", nargs=-1, metavar="[REQUEST]...")
@click.option("--plan", is_flag=True, help="Only show what would be put right.")
@click.pass_obj
def converge(frame: "Frame", keys: tuple[str, ...], *, plan: bool) -> None:
    """Make good what has come to differ in the HA, replication and backup of each REQUEST, or of
    all; nothing else of a VM is touched.

    Exit code 7 where something could not be put right, or only a person may.
    """
    from cloudpemda.cli.progress import Live
    from cloudpemda.usecases.converge import converge_now

    with Live(frame) as live, frame.desk() as desk:
        found = converge_now(desk, keys, live.progress, live.halted, write=not plan)
    frame.finish(found, lambda out: converged(out, frame, found), found.faults, found.code)


@protect.command(short_help="Whether backups and replications fit into the night.")
@click.pass_obj
def window(frame: "Frame") -> None:
    """Whether backups and replications fit into the nightly window, per source node, by what they
    took the last time; what would fit where they do not. Exit code 7 then."""
    from cloudpemda.usecases.window import window_now

    with frame.desk() as desk:
        found = window_now(desk)
    frame.finish(found, lambda out: _window(out, frame, found), found.faults, found.code)


def _window(out: "Console", frame: "Frame", found: "Windows") -> None:
    from cloudpemda.cli.tables import print_or, table

    out.print(frame.say("show.window", opens=found.opens, closes=found.closes))
    made = table(frame, "cluster", "node", "what", "jobs", "lasts", "state")
    for one in found.loads:
        load = one.load
        state = frame.say("show.window-over" if load.spread else "show.window-fits")
        if load.unknown:
            state = frame.say("show.window-unknown", count=len(load.unknown))
        made.add_row(
            one.cluster,
            load.node,
            load.lane.value,
            str(load.duties),
            show_duration(load.seconds),
            state,
        )
    print_or(out, made, frame.say("show.no-instances"))
    if found.outside:
        out.print(frame.say("show.window-outside", vms=", ".join(found.outside)))


def converged(out: "Console", frame: "Frame", found: "Converged") -> None:
    """Each VM whose protection differed, then how many were looked at."""
    from rich.text import Text

    for one in found.vms:
        head = Text(one.key, style="bold")
        head.append(f"  {frame.say(f'show.converge-{one.outcome}')}", _COLOURS[one.outcome])
        out.print(head)
        for what in one.what:
            out.print(Text(f"  {what}"), soft_wrap=True)
    said = "show.converge-some" if found.vms else "show.converge-none"
    if found.compared or not found.unread:
        out.print(frame.say(said, compared=found.compared, differing=len(found.vms)))
