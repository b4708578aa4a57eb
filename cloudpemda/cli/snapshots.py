"""`cloudpemda vm snapshot …`: states of a VM to go back to."""

from typing import TYPE_CHECKING

import click

from cloudpemda.cli.asking import require_confirmed
from cloudpemda.units import MiB, show_local, show_size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from rich.console import Console

    from cloudpemda.cli.frame import Frame
    from cloudpemda.usecases.snapshots import SnapshotView

_key = click.argument("key")
_name = click.argument("name")


@click.group(short_help="States of a VM to go back to.")
def snapshot() -> None:
    """States of a VM's disks to go back to, charged to its OPD as disk."""


@snapshot.command("list", short_help="The states of a VM by KEY.")
@_key
@click.pass_obj
def list_(frame: "Frame", key: str) -> None:
    """The states of a VM by KEY: whose, until when, what they cost."""
    from cloudpemda.usecases.snapshots import snapshots

    with frame.desk() as desk:
        found = snapshots(desk, key)
        zone = desk.site.zone
    frame.finish(found, lambda out: _lines(out, frame, found, zone))


@snapshot.command(short_help="Keep the disks of a VM as they are, under NAME.")
@_key
@_name
@click.option("--reason", required=True, help="What for; the list and the night say it.")
@click.pass_obj
def create(frame: "Frame", key: str, name: str, reason: str) -> None:
    """Keep the disks of the VM KEY as they are now, under NAME. Its memory is not kept."""
    from cloudpemda.usecases.snapshots import take

    with frame.desk() as desk:
        done = take(desk, key, name, reason)
        zone = desk.site.zone
    frame.finish(done, lambda out: _lines(out, frame, (done.view,), zone), done.warnings)


@snapshot.command(short_help="Remove the state NAME of a VM.")
@_key
@_name
@click.pass_obj
def delete(frame: "Frame", key: str, name: str) -> None:
    """Remove the state NAME of the VM KEY; its disk space is given back."""
    from cloudpemda.usecases.snapshots import drop

    with frame.desk() as desk:
        drop(desk, key, name)
    frame.finish(
        {"vm": key, "name": name},
        lambda out: out.print(frame.say("show.vm-snapshot-gone", vm=key, name=name)),
    )


@snapshot.command(short_help="Make a VM as it was under NAME.")
@_key
@_name
@click.option("--yes", is_flag=True, help="Do not ask whether to lose what came since.")
@click.pass_obj
def rollback(frame: "Frame", *, key: str, name: str, yes: bool) -> None:
    """Make the VM KEY as it was under NAME: what it has written since is lost."""
    from cloudpemda.usecases.snapshots import go_back

    if not yes:
        asked = frame.say("show.vm-rollback-ask", vm=key, name=name)
        require_confirmed(frame, asked)
    with frame.desk() as desk:
        go_back(desk, key, name)
    frame.finish(
        {"vm": key, "name": name},
        lambda out: out.print(frame.say("show.vm-rolled-back", vm=key, name=name)),
    )


def _lines(
    out: "Console", frame: "Frame", found: "Sequence[SnapshotView]", zone: "ZoneInfo"
) -> None:
    """One line each: a name must be whole, to be written again."""
    if not found:
        out.print(frame.say("show.vm-no-snapshots"))
    for one in found:
        state = "" if one.there else frame.say("show.vm-snapshot-lost")
        charged = ", ".join(
            f"{name.partition('.')[2]} {show_size(MiB(size))}" for name, size in one.charged.items()
        )
        said = frame.say(
            "show.vm-snapshot",
            name=one.name,
            when=state or show_local(one.taken_at, zone),
            who=one.person or frame.say("show.vm-snapshot-foreign"),
            until="-" if one.until is None else show_local(one.until, zone),
            charged=charged or "-",
            what=one.reason,
        )
        out.print(said, soft_wrap=True)
