"""`cloudpemda vm restore`: a VM as a backup of it holds it."""

from typing import TYPE_CHECKING

import click

from cloudpemda.units import show_duration, show_local

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from cloudpemda.cli.frame import Frame
    from cloudpemda.usecases.restore import Preview, Restored


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
@click.option("--yes", is_flag=True, help="Do not ask whether to lose what came since.")
@click.pass_obj
def restore(
    frame: "Frame", *, key: str, source: str | None, reason: str, no_safety: bool, preview: bool,
    give_up: bool, yes: bool,
) -> None:  # fmt: skip
    """Make the VM KEY as a backup of it holds it: what it has written since is lost to it.

    It is shut down, backed up as it stands, restored, made as approved, and started. Without --from
    a restore that was interrupted is gone on with.
    """
    from cloudpemda.cli.progress import Live
    from cloudpemda.usecases import restore as use_case

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
        click.confirm(frame.say("show.vm-restore-ask", vm=key), abort=True, err=True)
    with Live(frame) as live, frame.desk() as desk:
        done = use_case.restore(
            desk, key, source, reason, live.progress, live.halted, safety=not no_safety
        )
    _finish(frame, done, "restored")


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
