"""`cloudpemda protect …`: the protection of VMs, and keeping it as promised."""

from typing import TYPE_CHECKING

import click

from cloudpemda.cli.protection import status

if TYPE_CHECKING:
    from rich.console import Console

    from cloudpemda.cli.frame import Frame
    from cloudpemda.usecases.converge import Converged

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
