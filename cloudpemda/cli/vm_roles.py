"""`cloudpemda vm configure`: what requests want set up inside their VMs."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from cloudpemda.cli.frame import Frame
    from cloudpemda.cli.progress import Live
    from cloudpemda.configure.runner import Told
    from cloudpemda.request.spec import WorkloadSpec
    from cloudpemda.usecases.vm_roles import Configured


@click.command(short_help="Set up inside VMs what their requests say (`roles`).")
@click.argument("keys", metavar="KEY…", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every active VM with roles.")
@click.option("--check", "rehearsal", is_flag=True, help="Change nothing, tell what would change.")
@click.option("--forget-host-key", is_flag=True, help="Take the host key that is shown now.")
@click.pass_obj
def configure(
    frame: "Frame", *, keys: tuple[str, ...], everything: bool, rehearsal: bool,
    forget_host_key: bool,
) -> None:  # fmt: skip
    """Set up the roles of VMs by KEY (dinkes/simrs/db-1, or dinkes/simrs for all of a request).

    Over ssh with the site's key (`nodes key`). A VM's host key is taken down the first time, and no
    other is taken afterwards. Run it again after a failure or Ctrl-C: what is done stays done.
    """
    from cloudpemda.cli.progress import Live
    from cloudpemda.usecases.vm_roles import configure as use_case

    with Live(frame) as live, frame.desk() as desk:
        found = use_case(
            desk, keys, telling(live), live.halted, everything=everything, rehearsal=rehearsal,
            forget_host_key=forget_host_key,
        )  # fmt: skip
    frame.finish(found, lambda out: configured(out, frame, found), found.faults, found.code)


def telling(live: "Live") -> "Told":
    """A bar per VM that names its task."""
    return lambda playbook, host, task: live.progress(host or playbook, task, playbook, 0.0)


def configured(out: "Console", frame: "Frame", found: "Configured") -> None:
    """By VM and role how it ended; whose host key is new."""
    from cloudpemda.cli.tables import table

    made = table(frame, "VM", "role", "result", "changed")
    for one in found.outcomes:
        made.add_row(one.vm, one.role, one.result, str(len(one.changed)))
    if found.outcomes:
        out.print(made)
    elif not found.faults:
        out.print(frame.say("show.roles-nowhere"), soft_wrap=True)
    if found.new_host_keys:
        vms = ", ".join(found.new_host_keys)
        out.print(frame.say("show.host-keys-seen", vms=vms), soft_wrap=True)
    if found.rehearsal:
        out.print(frame.say("show.rehearsed"))


def await_line(out: "Console", frame: "Frame", vms: "Sequence[str]") -> None:
    """Which VMs nothing was set up in yet, and the command that does."""
    if vms:
        requests = " ".join(dict.fromkeys(vm.rpartition("/")[0] for vm in vms))
        said = frame.say("show.roles-await", vms=", ".join(vms), requests=requests)
        out.print(said, soft_wrap=True)


def inside_lines(out: "Console", frame: "Frame", spec: "WorkloadSpec") -> None:
    """By kind of VM what may be reached, and what is set up inside."""
    for vm in spec.vms:
        if vm.expose is not None:
            ports = ", ".join(one.words for one in vm.expose)
            code = "show.reached" if ports else "show.reached-nowhere"
            out.print(frame.say(code, vm=vm.name, ports=ports), markup=False)
        if vm.roles:
            roles = ", ".join(role.words for role in vm.roles)
            out.print(frame.say("show.roles", vm=vm.name, roles=roles), markup=False)
