"""`cloudpemda request transfer`: a workload goes to another OPD."""

from typing import TYPE_CHECKING

import click

from cloudpemda.cli.asking import confirmed

if TYPE_CHECKING:
    from rich.console import Console

    from cloudpemda.cli.frame import Frame
    from cloudpemda.usecases.desk import Desk
    from cloudpemda.usecases.transfer import Terms, Transfer


@click.command(short_help="Give KEY and all that it has to another OPD.")
@click.argument("key")
@click.argument("opd")
@click.option("--letter", required=True, help="Number of the letter that orders it.")
@click.option("--letter-date", required=True, help="Its date, 2026-11-20.")
@click.option("--name", help="What it is called there; else as now.")
@click.option("--reason", default="", help="Why, for the record of both OPDs.")
@click.option("--requester", help="Responsible person there; else the OPD's first contact.")
@click.option("--nip", help="Of the responsible person; else as people.yaml has it.")
@click.option("--position", help="Of the responsible person.")
@click.option("--email", help="Of the responsible person.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.pass_obj
def transfer(
    frame: "Frame",
    *,
    key: str,
    opd: str,
    letter: str,
    letter_date: str,
    name: str | None,
    reason: str,
    requester: str | None,
    nip: str | None,
    position: str | None,
    email: str | None,
    yes: bool,
) -> None:
    """Show what would go to OPD; with --yes, or asked, do it: quota, VMs, addresses, backups.

    VMs run on under their names, numbers and addresses. The same command goes on where it was
    stopped.
    """
    from cloudpemda.cli.progress import Live
    from cloudpemda.usecases.transfer import terms_for
    from cloudpemda.usecases.transfer import transfer as use_case

    with frame.desk() as desk:
        terms = terms_for(
            desk, opd, (letter, letter_date), name=name, reason=reason,
            requester={"name": requester, "nip": nip, "position": position, "email": email},
        )  # fmt: skip
        found = None if yes else _asked(frame, desk, key, terms)
        if found is None:
            with Live(frame) as live:
                found = use_case(desk, key, terms, live.progress, live.halted)
    frame.finish(found, lambda out: _page(out, frame, found), found.faults, found.code)


def _asked(frame: "Frame", desk: "Desk", key: str, terms: "Terms") -> "Transfer | None":
    """What would be done; None where the person who was asked wants it."""
    from cloudpemda.usecases.transfer import preview

    found = preview(desk, key, terms)
    if frame.json or not frame.err.is_terminal or found.faults or found.done:
        return found
    _page(frame.err, frame, found)
    said = frame.say("show.transfer-ask", former=found.former, key=found.key)
    return None if confirmed(frame, said) else found


def _page(out: "Console", frame: "Frame", found: "Transfer") -> None:
    from cloudpemda.cli.tables import shown_amount, table
    from cloudpemda.messages import explain

    made = table(frame, "VM", "VMID", "name", "address")
    for vm in found.vms:
        made.add_row(vm.key, str(vm.vmid), vm.name, ", ".join(vm.addresses) or "-")
    out.print(made)
    amounts = [f"{name} {shown_amount(name, one)}" for name, one in found.moved.items()]
    opds = [one.partition("/")[0] for one in (found.former, found.key)]
    values = {"former": opds[0], "opd": opds[1], "amounts": ", ".join(amounts)}
    if opds[0] != opds[1]:
        out.print(frame.say("show.transfer-charge", **values), soft_wrap=True)
    for warning in found.warnings:
        said = explain(warning.code, frame.lang, warning.values)[0]
        out.print(said, style="yellow", soft_wrap=True)
    code = "show.transfer-preview" if not found.faults else "show.transfer-refused"
    if found.done:
        code = "show.transfer-done" if not found.faults else "show.transfer-open"
    out.print(frame.say(code, former=found.former, key=found.key), soft_wrap=True)
