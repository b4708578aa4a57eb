"""`cloudpemda vm start|stop|restart`: VMs that live, switched on and off."""

from typing import TYPE_CHECKING, Any

import click

from cloudpemda.cli.asking import require_confirmed
from cloudpemda.units import show_local

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from rich.console import Console

    from cloudpemda.apply.power import Powered
    from cloudpemda.cli.frame import Frame
    from cloudpemda.report.standing import InstanceView

_keys = click.argument("keys", metavar="KEY…", nargs=-1, required=True)


@click.command(short_help="Start VMs by KEY.")
@_keys
@click.pass_obj
def start(frame: "Frame", keys: tuple[str, ...]) -> None:
    """Start VMs by KEY (dinkes/simrs/db-1); one that was stopped on purpose may run again."""
    _run(frame, "start", keys)


@click.command(short_help="Stop VMs by KEY and keep them stopped until `vm start`.")
@_keys
@click.option("--reason", required=True, help="Why; status and the night say it.")
@click.option("--hard", is_flag=True, help="Switch off; the guest is not asked.")
@click.option("--yes", is_flag=True, help="Do not ask before switching off.")
@click.pass_obj
def stop(frame: "Frame", *, keys: tuple[str, ...], reason: str, hard: bool, yes: bool) -> None:
    """Stop VMs by KEY and keep them stopped until `vm start`: neither HA nor `apply` starts them.

    The guest shuts itself down; one that does not in three minutes runs on and is told. Of a VM
    under HA, PVE switches off what has not shut down in a minute.
    """
    _confirm(frame, keys, hard=hard, yes=yes)
    _run(frame, "stop", keys, reason=reason, hard=hard)


@click.command(short_help="Restart VMs by KEY; what is pending becomes effective.")
@_keys
@click.option("--hard", is_flag=True, help="Switch off and on; the guest is not asked.")
@click.option("--yes", is_flag=True, help="Do not ask before switching off.")
@click.pass_obj
def restart(frame: "Frame", *, keys: tuple[str, ...], hard: bool, yes: bool) -> None:
    """Shut VMs down and start them again, by KEY: what is pending becomes effective."""
    _confirm(frame, keys, hard=hard, yes=yes)
    _run(frame, "restart", keys, hard=hard)


def _confirm(frame: "Frame", keys: tuple[str, ...], *, hard: bool, yes: bool) -> None:
    if hard and not yes:
        asked = frame.say("show.vm-hard-ask", vms=", ".join(keys))
        require_confirmed(frame, asked)


def _run(frame: "Frame", verb: str, keys: tuple[str, ...], **how: Any) -> None:
    from cloudpemda.apply.power import Verb
    from cloudpemda.cli.progress import Live
    from cloudpemda.usecases.power import power

    with Live(frame) as live, frame.desk() as desk:
        found = power(desk, Verb(verb), keys, live.progress, live.halted, **how)

    def shown(out: "Console") -> None:
        for one in found.vms:
            _line(out, frame, one)

    frame.finish(found.vms, shown, found.faults, found.code)


def _line(out: "Console", frame: "Frame", one: "Powered") -> None:
    if one.error is not None:
        return
    verb = one.job.verb.value
    said = f"show.vm-{verb}-already" if one.already else f"show.vm-{verb}"
    out.print(frame.say(said, vm=one.job.key), soft_wrap=True)
    for value in one.effective:
        out.print(
            frame.say(
                "show.vm-effective", vm=one.job.key, key=value.key, now=value.now or "-",
                next=value.next or "-",
            ),
            soft_wrap=True,
        )  # fmt: skip


def stop_lines(
    out: "Console", frame: "Frame", found: "Iterable[InstanceView]", zone: "ZoneInfo"
) -> None:
    """Who has stopped which VM on purpose, since when and why."""
    for one in found:
        if one.stopped is not None:
            said = frame.say(
                "show.vm-stopped-by", vm=one.key, person=one.stopped.person,
                since=show_local(one.stopped.since, zone), why=one.stopped.reason,
            )  # fmt: skip
            out.print(said, soft_wrap=True)


COMMANDS: tuple[click.Command, ...] = (start, stop, restart)
