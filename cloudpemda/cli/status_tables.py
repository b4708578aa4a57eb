"""What there is as pages: VMs with their protection, and the quota they use."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from cloudpemda.cli.plan_tables import restarts_needed
from cloudpemda.cli.quota_tables import quota_table
from cloudpemda.cli.tables import cover, evidence, keep_words, print_or, table
from cloudpemda.messages import harmless
from cloudpemda.plan.ha import Apartness
from cloudpemda.report.standing import InstanceView, RoleView
from cloudpemda.units import show_local

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from cloudpemda.cli.frame import Frame
    from cloudpemda.usecases.status import Status
    from cloudpemda.usecases.survey import Survey


def status(out: Console, frame: "Frame", found: "Status | Survey", zone: "ZoneInfo") -> None:
    instances(out, frame, found.instances)
    out.print()
    quota_table(out, frame, [line for line in found.quota if line.used])
    out.print()
    said = "show.offline" if found.offline else "show.as-of"
    out.print(Text(frame.say(said, at=show_local(found.at, zone)), style="dim"))


def instances(out: Console, frame: "Frame", found: Sequence[InstanceView]) -> None:
    shown = table(frame, "VM", "state", "node", "address", "HA", "replica", "backup", "DRC")
    for one in found:
        addresses = [*one.addresses, *one.public_addresses]
        where = one.node or f"{one.cluster}?"
        state = one.state.value
        if one.running != "running":
            state += f" ({one.running})"
        shown.add_row(
            one.key,
            Text(state, style="" if one.state == "active" else "yellow"),
            f"{where}/{one.vmid}",
            "\n".join(addresses) or "-",
            cover(one.ha),
            cover(one.replication),
            cover(one.backup),
            cover(one.away),
        )
    keep_words(out, shown)
    print_or(out, shown, frame.say("show.no-instances"))
    for one in found:
        if one.differences:
            out.print(
                Text(frame.say("show.differs", vm=one.key, what="; ".join(one.differences))),
                style="red",
                soft_wrap=True,
            )
        if one.restart:
            restarts_needed(out, frame, {one.key: one.restart})
        if one.apart is Apartness.PLACEMENT_ONLY:
            out.print(
                Text(frame.say("show.placement-only", vm=one.key)), style="yellow", soft_wrap=True
            )


def instance_page(out: Console, frame: "Frame", one: InstanceView, zone: "ZoneInfo") -> None:
    shown = table(frame, "", "")
    rows: dict[str, str | Text] = {
        "cluster-vmid": f"{one.cluster}/{one.vmid}",
        "name": one.name,
        "request": one.number,
        "class": one.service_class,
        "state": f"{one.state.value}, {one.running}",
        "node": one.node or "-",
        "address": ", ".join((*one.addresses, *one.public_addresses)) or "-",
        "ha": evidence(one.ha),
        "replica": evidence(one.replication),
        "backup": evidence(one.backup),
        "drc": evidence(one.away),
        "apart": one.apart.value if one.apart is not None else "-",
        "restart": ", ".join(one.restart) or "-",
        "roles": "; ".join(_role(frame, role, zone) for role in one.roles) or "-",
        "differs": harmless("; ".join(one.differences)) or "-",
        "error": harmless(one.error or "-"),
    }
    out.print(Text(one.key, style="bold"))
    for name, value in rows.items():
        shown.add_row(frame.say("column." + name), value)
    out.print(shown)


def _role(frame: "Frame", one: RoleView, zone: "ZoneInfo") -> str:
    at = "-" if one.at is None else show_local(one.at, zone)
    return frame.say(f"show.role-{one.standing}", role=one.role, at=at, person=one.person or "-")
