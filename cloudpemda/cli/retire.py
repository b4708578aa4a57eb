"""`cloudpemda request retire|restore|purge` and `orphans`: the end of a workload."""

from typing import TYPE_CHECKING

import click

from cloudpemda.units import show_local, show_size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from rich.console import Console

    from cloudpemda.cli.frame import Frame
    from cloudpemda.ledger import Orphan
    from cloudpemda.usecases.leases import Lease, LeasesRun
    from cloudpemda.usecases.leaving import Retired


@click.command(short_help="Stop all VMs of KEY and keep them in quarantine.")
@click.argument("key")
@click.option("--reason", default="", help="Why; the OPD reads it.")
@click.option("--now", is_flag=True, help="Purge at once, without quarantine.")
@click.pass_obj
def retire(frame: "Frame", *, key: str, reason: str, now: bool) -> None:
    """Stop all VMs of KEY and keep them in quarantine; `request restore` brings them back."""
    from cloudpemda.cli.progress import Live
    from cloudpemda.usecases.retire import retire as use_case

    with Live(frame) as live, frame.desk() as desk:
        done = use_case(desk, key, reason, live.progress, live.halted, now=now)
        zone = desk.site.zone
    _finish(frame, done, zone)


@click.command(short_help="Bring KEY back from quarantine.")
@click.argument("key")
@click.option("--member", help="Only this VM (db-2), which an approved change asks for again.")
@click.pass_obj
def restore(frame: "Frame", key: str, member: str | None) -> None:
    """Bring KEY back from quarantine, protected as its class promises.

    A VM that a change took away comes back by a change that asks for it again: hand the document in
    with it, have it approved, then --member db-2 applies it with the VM that rests.
    """
    from cloudpemda.cli.progress import Live
    from cloudpemda.usecases.apply import bring_back
    from cloudpemda.usecases.retire import restore as use_case

    if member is not None:
        with Live(frame) as live, frame.desk() as desk:
            back = bring_back(desk, key, member, live.progress, live.halted)
        said = "not-back" if back.code else "back"
        values = {"key": back.record.key, "member": member}
        frame.finish(
            {"key": back.record.key, "member": member, "revision": back.record.revision},
            lambda out: out.print(frame.say(f"show.member-{said}", **values)),
            back.faults, back.code,
        )  # fmt: skip
    with Live(frame) as live, frame.desk() as desk:
        done = use_case(desk, key, live.progress, live.halted)
        zone = desk.site.zone
    _finish(frame, done, zone)


@click.command(short_help="Destroy what is in quarantine of KEY.")
@click.argument("key")
@click.option("--confirm", required=True, metavar="KEY", help="KEY once more: nothing undoes it.")
@click.option("--now", is_flag=True, help="Before the quarantine is over; needs a reason.")
@click.option("--reason", default="", help="Why now, for the record.")
@click.option("--gone", is_flag=True, help="Release VMs that another hand has removed.")
@click.pass_obj
def purge(frame: "Frame", *, key: str, confirm: str, now: bool, reason: str, gone: bool) -> None:
    """Destroy the VMs of KEY that are in quarantine. Their backups stay for their time."""
    from cloudpemda.cli.progress import Live
    from cloudpemda.usecases.purge import purge as use_case

    with Live(frame) as live, frame.desk() as desk:
        done = use_case(
            desk, key, live.progress, live.halted,
            confirm=confirm, at_once=reason if now else None, gone=gone,
        )  # fmt: skip
        zone = desk.site.zone
    _finish(frame, done, zone)


@click.group()
def orphans() -> None:
    """What purged VMs left behind on nodes that were off."""


@orphans.command("list", short_help="Each volume that may still be there.")
@click.pass_obj
def list_(frame: "Frame") -> None:
    """Each volume that may still be there; it stays charged."""
    from cloudpemda.usecases.orphans import orphans as use_case

    with frame.desk() as desk:
        found = use_case(desk)
        zone = desk.site.zone
    frame.finish(found, lambda out: orphan_lines(out, frame, found, zone))


@orphans.command(short_help="Delete those that nobody has.")
@click.pass_obj
def clean(frame: "Frame") -> None:
    """Delete those whose node answers, and that certainly nobody has."""
    from cloudpemda.cli.progress import Live
    from cloudpemda.usecases.orphans import clean as use_case

    with Live(frame) as live, frame.desk() as desk:
        done = use_case(desk, live.halted)
    said = {"cleaned": len(done.cleaned), "left": len(done.left)}
    frame.finish(
        done, lambda out: out.print(frame.say("show.orphans-cleaned", **said)),
        done.faults, done.code,
    )  # fmt: skip


@click.group(invoke_without_command=True)
@click.pass_context
def leases(ctx: click.Context) -> None:
    """Who has VMs until when, and what is due."""
    from cloudpemda.usecases.leases import leases as use_case

    if ctx.invoked_subcommand is not None:
        return
    frame: Frame = ctx.obj
    with frame.desk() as desk:
        found = use_case(desk)
        zone = desk.site.zone
    frame.finish(found, lambda out: _lease_table(out, frame, found, zone))


@leases.command(short_help="Stop, purge and clean what is due.")
@click.pass_obj
def run(frame: "Frame") -> None:
    """Announce, stop, purge and clean what is due; the night does the same."""
    from cloudpemda.cli.chain import expiring_lines
    from cloudpemda.cli.progress import Live
    from cloudpemda.usecases.leases import run as use_case

    with Live(frame) as live, frame.desk() as desk:
        done = use_case(desk, live.progress, live.halted)
        zone = desk.site.zone

    def shown(out: "Console") -> None:
        expiring_lines(out, frame, done.announced, zone)
        leases_done(out, frame, done)

    frame.finish(done, shown, [one.fault for one in done.findings], done.code)


def leases_done(out: "Console", frame: "Frame", done: "LeasesRun") -> None:
    """What a run stopped, purged and cleaned; nothing where it did nothing."""
    for code, keys in (("stopped", done.retired), ("ended", done.ended)):
        if keys:
            text = frame.say(f"show.leases-{code}", keys=", ".join(keys))
            out.print(text, soft_wrap=True)
    if done.cleaned:
        out.print(frame.say("show.leases-cleaned", count=done.cleaned))


def _lease_table(
    out: "Console", frame: "Frame", found: "Sequence[Lease]", zone: "ZoneInfo"
) -> None:
    from cloudpemda.cli.tables import table

    made = table(frame, "request", "until", "stage", "stop", "purge")
    for one in found:
        moments = [
            "-" if at is None else show_local(at, zone) for at in (one.stop_at, one.purge_at)
        ]
        made.add_row(one.key, str(one.until), frame.say(f"show.lease-{one.stage}"), *moments)
    out.print(made)


def orphan_lines(
    out: "Console", frame: "Frame", found: "Sequence[Orphan]", zone: "ZoneInfo"
) -> None:
    """One line each; that there is none is said too."""
    if not found:
        out.print(frame.say("show.no-orphans"))
    for one in found:
        text = frame.say(
            "show.orphan",
            volume=one.volume,
            place=f"{one.cluster}/{one.node}",
            size=show_size(one.size),
            vm=one.key,
            since=show_local(one.since, zone),
        )
        out.print(text, soft_wrap=True)


def _finish(frame: "Frame", done: "Retired", zone: "ZoneInfo") -> None:
    until = "-" if done.purge_at is None else show_local(done.purge_at, zone)
    code = f"show.request-{done.record.state.value}"
    values = {"key": done.record.key, "count": len(done.instances), "until": until}
    frame.finish(
        done, lambda out: out.print(frame.say(code, **values), soft_wrap=True),
        done.faults, done.code,
    )  # fmt: skip
