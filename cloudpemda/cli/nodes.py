"""`cloudpemda nodes …`: what each node carries, emptying one, taking it back."""

from typing import TYPE_CHECKING

import click

from cloudpemda.units import show_local, show_size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from rich.console import Console

    from cloudpemda.cli.frame import Frame
    from cloudpemda.ledger import Drain
    from cloudpemda.usecases.nodes import Drained, NodeView


@click.group()
def nodes() -> None:
    """The clusters' nodes: what they carry, and emptying one for maintenance."""


@nodes.command("list", short_help="Each node: VMs, memory, whether it may be lost.")
@click.pass_obj
def list_(frame: "Frame") -> None:
    """Each node with its VMs, memory, and whether its loss could be borne."""
    from cloudpemda.errors import ExitCode
    from cloudpemda.usecases.nodes import nodes as use_case

    with frame.desk() as desk:
        views, faults = use_case(desk)
        zone = desk.site.zone
    code = ExitCode.UNREACHABLE if faults else ExitCode.DONE
    frame.finish(views, lambda out: _table(out, frame, views, zone), faults, code)


@nodes.command(short_help="Move all VMs off CLUSTER/NODE and keep it empty.")
@click.argument("node", metavar="CLUSTER/NODE")
@click.option("--reason", default="", help="Why; everybody who meets the node reads it.")
@click.option("--preview", is_flag=True, help="Only show what would be moved, and where.")
@click.option("--leave-foreign", is_flag=True, help="Leave guests of others where they are.")
@click.pass_obj
def drain(frame: "Frame", *, node: str, reason: str, preview: bool, leave_foreign: bool) -> None:
    """Move all VMs off CLUSTER/NODE and keep it empty until `nodes return`."""
    from cloudpemda.cli.progress import Live
    from cloudpemda.usecases import nodes as use_cases

    if preview:
        with frame.desk() as desk:
            found = use_cases.preview(desk, node)
    else:
        with Live(frame) as live, frame.desk() as desk:
            found = use_cases.drain(
                desk, node, reason, live.progress, live.halted, leave_foreign=leave_foreign
            )
    frame.finish(found, lambda out: _drained(out, frame, found), found.faults, found.code)


@nodes.command("return", short_help="Take CLUSTER/NODE back into use.")
@click.argument("node", metavar="CLUSTER/NODE")
@click.pass_obj
def return_(frame: "Frame", node: str) -> None:
    """Take CLUSTER/NODE back into use; nothing is moved because of it."""
    from cloudpemda.usecases.nodes import take_back

    with frame.desk() as desk:
        ended = take_back(desk, node)
        zone = desk.site.zone
    code = "show.node-returned" if ended else "show.node-was-in-use"
    since = show_local(ended.since, zone) if ended else ""
    frame.finish(ended, lambda out: out.print(frame.say(code, node=node, since=since)))


def _table(out: "Console", frame: "Frame", views: "Sequence[NodeView]", zone: "ZoneInfo") -> None:
    from cloudpemda.cli.tables import table

    made = table(frame, "cluster", "node", "state", "VMs", "memory", "if lost")
    for view in views:
        state = frame.say("show.node-out") if view.drain else view.status.value
        loss = "-" if view.loss is None else frame.say(f"show.loss-{_borne(view)}")
        memory = f"{show_size(view.promised)} / {show_size(view.memory)}"
        vms = f"{view.own} + {view.others}" if view.others else str(view.own)
        made.add_row(view.cluster, view.node, state, vms, memory, loss)
    out.print(made)
    drain_lines(out, frame, [view.drain for view in views if view.drain is not None], zone)


def drain_lines(
    out: "Console", frame: "Frame", drains: "Sequence[Drain]", zone: "ZoneInfo"
) -> None:
    """Who keeps which node empty, since when and why."""
    for one in drains:
        out.print(frame.say(
            "show.node-drained", node=f"{one.cluster}/{one.node}", why=one.reason,
            person=one.person, since=show_local(one.since, zone),
        ))  # fmt: skip


def _borne(view: "NodeView") -> str:
    assert view.loss is not None  # noqa: S101 - the caller has looked
    return "borne" if view.loss.fits else "not-borne"


def _drained(out: "Console", frame: "Frame", found: "Drained") -> None:
    from cloudpemda.cli.tables import table

    where = f"{found.cluster}/{found.evacuation.node}"
    errors = {one.move.vmid: one.error for one in found.moved}
    if found.evacuation.moves:
        made = table(frame, "VM", "VMID", "to", "memory", "how")
        for move in found.evacuation.moves:
            how = "ha" if move.ha else ("alive" if move.running else "stopped")
            done = move.vmid in errors and errors[move.vmid] is None
            said = frame.say(f"show.move-{how}") + (" ✓" if done else "")
            copied = f" ({', '.join(move.copies)})" if move.copies else ""
            made.add_row(
                move.name, str(move.vmid), move.target, show_size(move.memory), said + copied
            )
        out.print(made)
    if found.evacuation.templates:
        listed = ", ".join(map(str, found.evacuation.templates))
        out.print(frame.say("show.templates-stay", vmids=listed))
    lost = [one.node for one in found.evacuation.n_plus_one.losses if not one.fits]
    said = "show.drain-n-plus-one" if not lost else "show.drain-no-n-plus-one"
    out.print(frame.say(said, node=where, nodes=", ".join(lost)))
    if not found.done:
        out.print(frame.say("show.drain-preview", node=where))
    elif found.left:
        listed = ", ".join(map(str, found.left))
        out.print(frame.say("show.drain-left", node=where, vmids=listed))
    else:
        out.print(frame.say("show.drain-empty", node=where, name=found.evacuation.node))
