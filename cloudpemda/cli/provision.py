"""`cloudpemda plan` and `cloudpemda apply`."""

from typing import TYPE_CHECKING

import click

from cloudpemda.errors import ExitCode, worst

if TYPE_CHECKING:
    from rich.console import Console

    from cloudpemda.cli.frame import Frame


@click.command()
@click.argument("requests", nargs=-1)
@click.pass_obj
def plan(frame: "Frame", requests: tuple[str, ...]) -> None:
    """Show what apply would make for REQUESTS (all approved ones if none is named)."""
    from cloudpemda.cli.plan_tables import plans
    from cloudpemda.plan.diff import plan_to_data
    from cloudpemda.usecases.plan import plan as use_case

    with frame.desk() as desk:
        found = use_case(desk, requests)
    data = [
        plan_to_data(one.plan) | {"restart": one.restart, "retires": one.retires}
        for one in found.planned
    ]
    frame.finish(data, lambda out: plans(out, frame, found.planned), found.faults, found.code)


@click.command()
@click.argument("requests", nargs=-1)
@click.option("--undo", is_flag=True, help="Take back what an unfinished apply left.")
@click.option("--configure", is_flag=True, help="Then set up inside the VMs what they ask for.")
@click.pass_obj
def apply(frame: "Frame", *, requests: tuple[str, ...], undo: bool, configure: bool) -> None:
    """Build REQUESTS (all approved ones if none is named), or continue where it stopped."""
    from cloudpemda.cli.plan_tables import applied
    from cloudpemda.cli.progress import Live
    from cloudpemda.cli.vm_roles import await_line, configured, telling
    from cloudpemda.plan.diff import plan_to_data
    from cloudpemda.usecases import vm_roles as roles
    from cloudpemda.usecases.apply import apply as use_case

    with Live(frame) as live, frame.desk() as desk:
        done = use_case(desk, requests, live.progress, live.halted, undo=undo)
        waiting = roles.awaiting(desk, [one.record.key for one in done])
        inside = None
        if configure and waiting:
            inside = roles.configure(
                desk, waiting, telling(live), live.halted, patience=roles.FIRST_BOOT_ATTEMPTS
            )
            waiting = roles.awaiting(desk, [one.record.key for one in done])
    data = [
        {
            "request": one.record.key,
            "state": one.record.state,
            "revision": one.record.revision,
            "restart": one.restart,
            "awaiting": [vm for vm in waiting if vm.rpartition("/")[0] == one.record.key],
            "plan": None if one.planned is None else plan_to_data(one.planned.plan),
            "vms": [
                {"vm": vm.vm.key, "ending": vm.ending, "step": vm.step, "commands": vm.commands}
                for vm in (one.result.vms if one.result else ())
            ],
        }
        for one in done
    ]
    faults = [fault for one in done for fault in one.faults]
    stopped = [ExitCode.INCOMPLETE] if live.halted() else []
    if inside is not None:
        faults += inside.faults
        stopped.append(inside.code)
    code = worst([*stopped, *(one.code for one in done)])

    def text(out: "Console") -> None:
        if done or not live.halted():  # who is stopped before the first has not seen what there is
            applied(out, frame, done)
        if inside is not None:
            configured(out, frame, inside)
        await_line(out, frame, waiting)

    frame.finish(data, text, faults, code)
