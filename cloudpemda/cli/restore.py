"""`cloudpemda vm restore` and `vm copy`: a VM as a backup of it holds it, or a copy beside it."""

from typing import TYPE_CHECKING

import click

from cloudpemda.cli.asking import require_confirmed
from cloudpemda.units import show_duration, show_local

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from rich.console import Console

    from cloudpemda.cli.frame import Frame
    from cloudpemda.usecases.restore import Preview, Restored
    from cloudpemda.usecases.vm_copies import Copied, CopyView


@click.command(short_help="Make a VM as a backup of it holds it.")
@click.argument("key")
@click.option(
    "--from", "source", metavar="WHICH",
    help="latest, a volume of `vm backups`, or a moment: the newest one up to then.",
)  # fmt: skip
@click.option("--reason", default="", help="Why; the record and the night say it.")
@click.option("--no-safety", is_flag=True, help="Do not back up first what stands there now.")
@click.option("--preview", is_flag=True, help="Only say what would be done.")
@click.option("--give-up", is_flag=True, help="End a restore that was begun; go on as it stands.")
@click.option("--as-copy", "name", metavar="NAME", help="A VM beside it, unplugged and off.")
@click.option("--until", metavar="DAY", help="Until when a copy is wanted; 7 days if not said.")
@click.option("--yes", is_flag=True, help="Do not ask whether to lose what came since.")
@click.pass_obj
def restore(
    frame: "Frame", *, key: str, source: str | None, reason: str, no_safety: bool, preview: bool,
    give_up: bool, name: str | None, until: str | None, yes: bool,
) -> None:  # fmt: skip
    """Make the VM KEY as a backup of it holds it: what it has written since is lost to it.

    It is shut down, backed up as it stands, restored, made as approved, and started. Without --from
    a restore that was interrupted is gone on with.
    """
    from cloudpemda.cli.progress import Live
    from cloudpemda.usecases import restore as use_case

    if name is not None:
        _copy(frame, key, source, name, reason, until)
    if give_up:
        with Live(frame) as live, frame.desk() as desk:
            _finish(frame, use_case.give_up(desk, key, live.progress, live.halted), "given-up")
    if preview or not yes:
        with frame.desk() as desk:
            seen = use_case.preview(desk, key, source)
            zone = desk.site.zone
        if preview:
            frame.finish(seen, lambda out: out.print("\n".join(lines(frame, seen, zone))))
        click.echo("\n".join(lines(frame, seen, zone)), err=True)
        require_confirmed(frame, frame.say("show.vm-restore-ask", vm=key))
    with Live(frame) as live, frame.desk() as desk:
        done = use_case.restore(
            desk, key, source, reason, live.progress, live.halted, safety=not no_safety
        )
    _finish(frame, done, "restored")


def _copy(
    frame: "Frame", key: str, source: str | None, name: str, reason: str, until: str | None
) -> None:
    from cloudpemda.cli.progress import Live
    from cloudpemda.usecases.vm_copies import copy as use_case

    with Live(frame) as live, frame.desk() as desk:
        zone = desk.site.zone
        done = use_case(
            desk, key, source or "latest", name, reason, live.progress, live.halted, until=until
        )
    _copied(frame, done, zone)


@click.group(name="copy", short_help="Copies of VMs, made from backups.")
def copies() -> None:
    """Copies of VMs that `vm restore --as-copy` made: off, unplugged, charged to their OPD."""


@copies.command("list", short_help="The copies of the VM KEY, or all.")
@click.argument("key", required=False)
@click.pass_obj
def list_(frame: "Frame", key: str | None) -> None:
    """The copies of the VM KEY, or all: where, of when, until when, what they cost."""
    from cloudpemda.usecases.vm_copies import copies as use_case

    with frame.desk() as desk:
        found = use_case(desk, key)
        zone = desk.site.zone

    def shown(out: "Console") -> None:
        if not found:
            out.print(frame.say("show.vm-no-copies"))
        for one in found:
            out.print(_copy_line(frame, one, zone), soft_wrap=True)

    frame.finish(found, shown)


@copies.command(short_help="Destroy the copy NAME of a VM.")
@click.argument("key")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask before it is destroyed.")
@click.pass_obj
def delete(frame: "Frame", *, key: str, name: str, yes: bool) -> None:
    """Destroy the copy NAME of the VM KEY; what it is charged is given back."""
    from cloudpemda.cli.progress import Live
    from cloudpemda.usecases.vm_copies import drop, named

    if not yes:
        with frame.desk() as desk:
            found, zone = named(desk, key, name), desk.site.zone
        click.echo(_copy_line(frame, found, zone), err=True)
        require_confirmed(frame, frame.say("show.vm-copy-ask", vm=key, name=name))
    with Live(frame) as live, frame.desk() as desk:
        done = drop(desk, key, name, live.progress, live.halted)
        zone = desk.site.zone
    if done.view is not None:
        _copied(frame, done, zone)
    frame.finish(
        {"vm": key, "name": name},
        lambda out: out.print(frame.say("show.vm-copy-gone", vm=key, name=name)),
    )


def _copied(frame: "Frame", done: "Copied", zone: "ZoneInfo") -> None:
    def shown(out: "Console") -> None:
        if done.view is not None:
            out.print(_copy_line(frame, done.view, zone), soft_wrap=True)

    frame.finish(done, shown, done.faults, done.code)


def _copy_line(frame: "Frame", one: "CopyView", zone: "ZoneInfo") -> str:
    from cloudpemda.rules.quota import amount

    charged = ", ".join(f"{name} {amount(name, size)}" for name, size in one.charged.items())
    return frame.say(
        "show.vm-copy", key=one.key, vmid=one.vmid, place=f"{one.cluster}/{one.node}",
        taken=show_local(one.taken_at, zone), until=show_local(one.until, zone), who=one.person,
        what=one.reason, charged=charged or "-",
    )  # fmt: skip


def lines(frame: "Frame", seen: "Preview", zone: "ZoneInfo") -> list[str]:
    """What would be done, a line for each thing that somebody may not expect."""
    taken = show_local(seen.backup.taken_at, zone)
    values = {"vm": seen.vm, "backup": seen.backup.volume, "taken": taken}
    told = [frame.say("show.vm-restore", age=show_duration(seen.age), **values)]
    if seen.under_way:
        told.append(frame.say("show.vm-restore-under-way"))
    if seen.runs:
        told.append(frame.say("show.vm-restore-runs"))
    if seen.others:
        told.append(frame.say("show.vm-restore-others", what=", ".join(seen.others)))
    if seen.kept:
        told.append(frame.say("show.vm-restore-kept", what=", ".join(seen.kept)))
    if seen.backup.verified is not True:
        told.append(frame.say("show.vm-restore-unverified"))
    return told


def _finish(frame: "Frame", done: "Restored", what: str) -> None:
    code = f"show.vm-restore-{what}" if done.done else "show.vm-restore-not-done"
    values = {"vm": done.vm, "backup": done.backup, "saved": done.saved or "-"}
    frame.finish(
        done, lambda out: out.print(frame.say(code, **values), soft_wrap=True),
        done.faults, done.code,
    )  # fmt: skip
