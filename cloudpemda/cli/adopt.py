"""`cloudpemda adopt`: VMs that stand on a cluster become an OPD's."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudpemda.cli.asking import confirmed
from cloudpemda.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from cloudpemda.cli.frame import Frame
    from cloudpemda.errors import Fault
    from cloudpemda.plan.adoption import Listed
    from cloudpemda.usecases.adopting import Adopting, Choice, Terms
    from cloudpemda.usecases.desk import Desk

_SHOWN = 40


@click.command(short_help="Take VMs that stand on a cluster into an OPD.")
@click.option("--cluster", required=True, help="Where they are.")
@click.option("--opd", required=True, help="Whose they are to be.")
@click.option("--pool", help="All VMs of this PVE pool.")
@click.option("--tag", help="All VMs with this tag.")
@click.option("--node", help="All VMs that are on this node.")
@click.option("--vmid", help="These VMs: 101,102.")
@click.option("--from", "file", type=click.Path(path_type=Path), help="The VMs of a list (YAML).")
@click.option("--name", help="Of the workload, up to 20 VMs each; else one for each VM.")
@click.option("--class", "service_class", help="Service class; else the OPD's lightest.")
@click.option("--until", help="Lease, 2027-12-31; else the end of next year.")
@click.option("--letter", required=True, help="Number of the letter that asks for it.")
@click.option("--letter-date", required=True, help="Its date, 2026-11-20.")
@click.option("--requester", help="Responsible person; else the OPD's first contact.")
@click.option("--nip", help="Of the responsible person; else as people.yaml has it.")
@click.option("--position", help="Of the responsible person.")
@click.option("--email", help="Of the responsible person.")
@click.option("--write", "folder", type=click.Path(path_type=Path), help="Write the documents.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.pass_obj
def adopt(
    frame: "Frame",
    *,
    cluster: str,
    opd: str,
    pool: str | None,
    tag: str | None,
    node: str | None,
    vmid: str | None,
    file: Path | None,
    name: str | None,
    service_class: str | None,
    until: str | None,
    letter: str,
    letter_date: str,
    requester: str | None,
    nip: str | None,
    position: str | None,
    email: str | None,
    folder: Path | None,
    yes: bool,
) -> None:
    """Show which VMs would become OPD's, as which workloads; with --yes, or asked, do it.

    Nothing in a VM is changed but its description and tags. What cannot be said in a request is
    left, with the reason.
    """
    from cloudpemda.cli.progress import Live
    from cloudpemda.usecases import adopt as use_case
    from cloudpemda.usecases.adopting import Choice, terms_for

    listed = _listed(file)
    chosen = _vmids(vmid)
    if not (pool or tag or node or chosen or listed):
        raise UsageError("adopt.nothing-chosen")
    choice = Choice(cluster, pool, tag, node, chosen, listed)
    with frame.desk() as desk:
        terms = terms_for(
            desk,
            opd,
            (letter, letter_date),
            name=name,
            service_class=service_class,
            until=until,
            requester={"name": requester, "nip": nip, "position": position, "email": email},
        )
        found = None if yes else _asked(frame, desk, choice, terms)
        if found is None:
            with Live(frame) as live:

                def tell(key: str, done: int, of: int) -> None:
                    live.progress("adopt", key, "done", done / of)

                found = use_case.adopt(desk, choice, terms, tell, live.halted)
    if folder is not None:
        _write(folder, found)
    frame.finish(found, lambda out: _page(out, frame, found), _told(found), found.code)


def _asked(frame: "Frame", desk: "Desk", choice: "Choice", terms: "Terms") -> "Adopting | None":
    """What would be done; None where the person who was asked wants it."""
    from cloudpemda.usecases.adopt import preview

    found = preview(desk, choice, terms)
    if frame.json or not frame.err.is_terminal or not found.workloads:
        return found
    _page(frame.err, frame, found)
    number = sum(len(one.vms) for one in found.workloads)
    said = frame.say("show.adopt-ask", vms=number, opd=found.opd)
    return None if confirmed(frame, said) else found


def _told(found: "Adopting") -> "tuple[Fault, ...]":
    return (*found.faults, *(fault for one in found.left for fault in one.faults))


def _vmids(text: str | None) -> frozenset[int]:
    words = [word.strip() for word in (text or "").split(",") if word.strip()]
    if not all(word.isdecimal() for word in words):
        raise UsageError("adopt.vmids", text=text)
    return frozenset(map(int, words))


def _listed(file: Path | None) -> "dict[int, Listed]":
    from cloudpemda.plan.adoption import Listed
    from cloudpemda.request.adopt_list import read_list

    if file is None:
        return {}
    return {one.vmid: Listed(one.workload, one.name, one.addresses) for one in read_list(file)}


def _write(folder: Path, found: "Adopting") -> None:
    """The documents, each as `<workload>.yaml`; one that is there with another text stays."""
    for one in found.workloads:
        path = folder / f"{one.key.partition('/')[2]}.yaml"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w") as out:
                out.write(one.source)
        except OSError as error:
            if not (path.is_file() and path.read_text(encoding="utf-8") == one.source):
                raise UsageError("adopt.not-written", file=str(path)) from error


def _page(out: "Console", frame: "Frame", found: "Adopting") -> None:
    from cloudpemda.cli.tables import print_or, shown_amount, table
    from cloudpemda.messages import explain

    made = table(frame, "VM", "VMID", "node", "name", "state")
    vms = [vm for one in found.workloads for vm in one.vms] + list(found.already)
    for vm in vms[:_SHOWN]:
        state = "-" if not found.done else ("✓" if vm.stamped else vm.error or "-")
        made.add_row(vm.key, str(vm.vmid), vm.node, vm.name, state)
    print_or(out, made, frame.say("show.adopt-none"))
    if len(vms) > _SHOWN:
        out.print(frame.say("show.adopt-more", more=len(vms) - _SHOWN))
    for dimension, amount in found.usage.items():
        shown = shown_amount(dimension, amount)
        out.print(frame.say("show.adopt-charge", opd=found.opd, dimension=dimension, amount=shown))
    for fault in found.overage:
        said = explain(fault.code, frame.lang, fault.values)[0]
        out.print(frame.say("show.adopt-overage", said=said), soft_wrap=True)
    for code, number in found.reasons.items():
        out.print(frame.say("show.adopt-left", vms=number, reason=code), style="yellow")
    number = sum(len(one.vms) for one in found.workloads)
    code = "show.adopted" if found.done else "show.adopt-preview"
    out.print(frame.say(code, vms=number, opd=found.opd, already=len(found.already)))
