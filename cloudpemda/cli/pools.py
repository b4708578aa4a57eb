"""`cloudpemda pools`: the OPDs' pools in PVE, and who may look at them."""

from typing import TYPE_CHECKING

import click

from cloudpemda.cli.asking import confirmed

if TYPE_CHECKING:
    from rich.console import Console

    from cloudpemda.cli.frame import Frame
    from cloudpemda.usecases.desk import Desk
    from cloudpemda.usecases.pools import Pools


@click.group()
def pools() -> None:
    """The OPDs' pools on the clusters, and who may look at them."""


@pools.command(short_help="Bring pools, their VMs and their readers in step.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.pass_obj
def sync(frame: "Frame", *, yes: bool) -> None:
    """Show what the OPDs' pools lack and who may look at them (`pveUsers`); with --yes do it.

    Who stands in a pool and in no ledger is listed, and left there.
    """
    from cloudpemda.usecases.pools import sync as use_case

    with frame.desk() as desk:
        found = None if yes else _asked(frame, desk)
        if found is None:
            found = use_case(desk, lambda: False)
    frame.finish(found, lambda out: _page(out, frame, found), found.faults, found.code)


def _asked(frame: "Frame", desk: "Desk") -> "Pools | None":
    """What would be done; None where the person who was asked wants it."""
    from cloudpemda.usecases.pools import preview

    found = preview(desk)
    if frame.json or not frame.err.is_terminal or not found.steps:
        return found
    _page(frame.err, frame, found)
    said = frame.say("show.pools-ask", steps=found.steps)
    return None if confirmed(frame, said) else found


def _page(out: "Console", frame: "Frame", found: "Pools") -> None:
    for one in found.clusters:
        for step in one.steps:
            values = {"cluster": one.cluster, "subject": step.subject, "what": step.what}
            text = frame.say(f"show.pools-{step.deed.value}", **values)
            out.print(text, soft_wrap=True)
        for guest in one.strangers:
            said = {"cluster": one.cluster, "vmid": guest.vmid, "name": guest.name}
            text = frame.say("show.pools-stranger", pool=guest.pool, opd=guest.opd, **said)
            out.print(text, style="yellow", soft_wrap=True)
    done = all(one.done for one in found.clusters)
    code = "show.pools-settled"
    if found.steps:
        code = "show.pools-done" if done else "show.pools-preview"
    if not found.faults:
        out.print(frame.say(code), soft_wrap=True)
