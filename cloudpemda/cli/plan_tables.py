"""Plans as pages, and what came of applying them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from cloudpemda.cli.request_tables import state_of
from cloudpemda.cli.tables import table
from cloudpemda.messages import harmless
from cloudpemda.plan.model import Aspect, PlannedVm

if TYPE_CHECKING:
    from cloudpemda.cli.frame import Frame
    from cloudpemda.usecases.plan import Planned
    from cloudpemda.usecases.run import Applied


def plans(out: Console, frame: "Frame", planned: "Sequence[Planned]") -> None:
    if not planned:
        out.print(frame.say("show.nothing-approved"))
    for one in planned:
        plan = one.plan
        out.print(Text(f"{plan.workload} → {plan.cluster}", style="bold"))
        if plan.settled and not one.retires:
            out.print(frame.say("show.no-changes"))
            continue
        shown = table(frame, "VM", "VMID", "node", "replicas", "address", "to do", "why there")
        for vm in plan.vms:
            desired = vm.desired
            shown.add_row(
                desired.key.rpartition("/")[2],
                str(desired.identity.vmid),
                desired.node,
                ", ".join(job.target for job in desired.protection.replication) or "-",
                ", ".join(nic.address for nic in desired.nics),
                _to_do(vm),
                vm.reason or "-",
            )
        out.print(shown)
        restarts_needed(out, frame, one.restart)
        for wanted in one.desired:
            for disk in wanted.leaves:
                said = frame.say("show.plan-disk-leaves", vm=wanted.key, disk=disk.name)
                out.print(Text(said, style="yellow"), soft_wrap=True)
        for gone in one.retires:
            said = frame.say("show.plan-retires", vm=gone)
            out.print(Text(said, style="yellow"), soft_wrap=True)
        out.print(Text(frame.say("show.plan-digest", digest=plan.digest[:16]), style="dim"))


def _to_do(vm: PlannedVm) -> str:
    """`create config disks start ha replication backup`, or the single keys that differ."""
    if vm.settled:
        return "-"
    if any(one.aspect is Aspect.CREATE for one in vm.differences):
        return " ".join(dict.fromkeys(one.aspect.value for one in vm.differences))
    return harmless(
        ", ".join(f"{one.key}: {one.live or '-'} → {one.desired or '-'}" for one in vm.differences)
    )


def applied(out: Console, frame: "Frame", done: "Sequence[Applied]") -> None:
    if not done:
        out.print(frame.say("show.nothing-approved"))
    for one in done:
        if one.record.state == "failed" and not one.faults:
            out.print(frame.say("show.undone", key=one.record.key))
            continue
        if one.result is None:
            if not one.faults:
                out.print(frame.say("show.apply-settled", key=one.record.key))
            continue
        if one.taken_back:
            out.print(frame.say("show.change-undone", key=one.record.key))
            continue
        endings = [vm.ending.value for vm in one.result.vms]
        counted = ", ".join(f"{endings.count(name)} {name}" for name in dict.fromkeys(endings))
        out.print(
            frame.say(
                "show.applied", key=one.record.key, counted=counted, state=state_of(one.record)
            )
        )
        if one.made_change:
            revision = one.record.revision
            out.print(frame.say("show.change-made", key=one.record.key, revision=revision))
        restarts_needed(out, frame, one.restart)


def restarts_needed(out: Console, frame: "Frame", found: Mapping[str, Sequence[str]]) -> None:
    """What each VM takes over only when it is started anew."""
    for vm, keys in found.items():
        said = frame.say("show.restart-needed", vm=vm, keys=", ".join(keys))
        out.print(Text(said, style="yellow"), soft_wrap=True)
