"""Views as text for people: tables, colours, one next step."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cloudpemda.cli.chain import chain_page
from cloudpemda.ledger import Submission
from cloudpemda.ledger.states import ProposalState, RequestState
from cloudpemda.messages import explain, harmless
from cloudpemda.plan.ha import Apartness
from cloudpemda.plan.model import Aspect, PlannedVm
from cloudpemda.plan.offer import Offer
from cloudpemda.report.standing import Cover, Guard, InstanceView
from cloudpemda.request.spec import WorkloadSpec
from cloudpemda.rules.quota import amount
from cloudpemda.units import instant, show_duration, show_local, show_size, show_utc
from cloudpemda.usecases.look import RequestView
from cloudpemda.usecases.quota import QuotaLine

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from cloudpemda.cli.frame import Frame
    from cloudpemda.ledger import Approval, RequestRecord
    from cloudpemda.usecases.approve import Approved
    from cloudpemda.usecases.check import Checked
    from cloudpemda.usecases.doctor import Report
    from cloudpemda.usecases.plan import Planned
    from cloudpemda.usecases.run import Applied
    from cloudpemda.usecases.status import Status
    from cloudpemda.usecases.submit import Submitted
    from cloudpemda.usecases.survey import Survey
    from cloudpemda.usecases.waiting import Waiting

_COLOURS = {
    Guard.OK: "green",
    Guard.PENDING: "yellow",
    Guard.LATE: "red",
    Guard.NEVER: "red",
    Guard.WRONG: "red",
    Guard.UNKNOWN: "magenta",
    Guard.CLOCK_SKEW: "red",
    Guard.NONE: "dim",
}


_WHOLE = frozenset(
    {
        "VM",
        "request",
        "number",
        "node",
        "address",
        "replica",
        "backup",
        "DRC",
        "VMID",
        "from",
        "until",
    }
    | {"seq", "when", "what", "rev", "OPD", "dimension"}
)
"""Columns that lose their meaning when they are wrapped or cut."""


def table(frame: "Frame", *columns: str) -> Table:
    """A table without frames: it survives a copy into a letter. Columns are named in the
    reader's language; one without a name has no header."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        name = frame.say("column." + column.lower().replace(" ", "-")) if column else ""
        made.add_column(name, header_style="bold", no_wrap=column in _WHOLE)
    return made


# -- requests --------------------------------------------------------------------------------
def checked_files(out: Console, frame: "Frame", results: "Sequence[Checked]") -> None:
    for result in results:
        if result.spec is None:
            continue
        spec = result.spec
        if not isinstance(spec, WorkloadSpec):
            code = "show.quota-sound" if not result.faults else "show.file-refused"
            out.print(frame.say(code, file=result.file, key=spec.key))
            continue
        code = "show.file-sound" if not result.faults else "show.file-refused"
        vms = sum(vm.count for vm in spec.vms)
        out.print(frame.say(code, file=result.file, key=spec.key, vms=vms))


def submissions(out: Console, frame: "Frame", done: "Sequence[Submitted]") -> None:
    for one in done:
        done_ = one.submission
        said = "show.submitted" if done_.changed else "show.unchanged"
        proposal = done_.proposal if isinstance(done_, Submission) else None
        if proposal is not None and done_.changed:
            withdrawn = proposal is ProposalState.WITHDRAWN
            said = "show.proposal-dropped" if withdrawn else "show.proposed"
        state = proposal or done_.state
        out.print(
            frame.say(
                said,
                key=one.key,
                number=done_.number,
                revision=done_.revision,
                state=state.value,
            )
        )


def request_list(out: Console, frame: "Frame", found: "Sequence[RequestRecord]") -> None:
    shown = table(frame, "number", "request", "rev", "state", "class", "VMs", "until")
    for record in found:
        shown.add_row(
            record.number,
            record.key,
            str(record.revision),
            _state(record),
            record.spec.service_class,
            str(sum(vm.count for vm in record.spec.vms)),
            str(record.spec.until),
        )
    print_or(out, shown, frame.say("show.no-requests"))


def waiting_list(out: Console, frame: "Frame", found: "Sequence[Waiting]") -> None:
    """What somebody is awaited for, and how to go on."""
    shown = table(frame, "number", "request", "rev", "decided", "purpose")
    for one in found:
        decided = f"{one.decided}/{one.demanded}"
        shown.add_row(one.number, one.key, str(one.revision), decided, harmless(one.purpose))
    print_or(out, shown, frame.say("show.nothing-waits"))
    if found:
        out.print(frame.say("show.waiting", number=found[0].number), soft_wrap=True)


def _state(record: "RequestRecord") -> str:
    """`active`, or with an open change `active (rev 2 pending)`."""
    proposal = record.proposal
    if proposal is None or not proposal.open:
        return record.state.value
    return f"{record.state.value} (rev {proposal.revision} {proposal.state.value})"


def request_page(out: Console, frame: "Frame", view: RequestView, zone: "ZoneInfo") -> None:
    from cloudpemda.cli.history import history
    from cloudpemda.cli.quota_tables import quota_refusals
    from cloudpemda.cli.vm_roles import inside_lines

    record = view.record
    out.print(Text(f"{record.key}  {record.number}  ", style="bold"), record.state.value)
    out.print(harmless(record.spec.purpose), soft_wrap=True)
    letter = record.spec.letter
    who = record.spec.requester
    out.print(frame.say("show.letter", number=letter.number, date=letter.date))
    out.print(frame.say("show.requester", name=who.name, nip=who.nip, position=who.position))
    if record.reason:
        out.print(frame.say("show.reason", reason=record.reason))
    built = record.state is RequestState.ACTIVE
    _approved(out, frame, record.approval, zone, held=not built)
    out.print()
    out.print(_asked(frame, record.spec))
    inside_lines(out, frame, record.spec)
    _changes(out, frame, view, zone)
    if record.pending or view.chain.earlier or view.chain.decided:
        chain_page(out, frame, view.chain, zone)
    if view.offer is not None:
        out.print()
        offer_page(out, frame, view.offer, view.quota)
    quota_refusals(out, frame, view.refusals, zone)
    if view.instances:
        out.print()
        shown = table(frame, "VM", "state", "cluster", "VMID", "node", "address")
        for one in view.instances:
            addresses = ", ".join(nic.address for nic in one.nics)
            shown.add_row(
                one.member, one.state.value, one.cluster, str(one.vmid), one.node or "-", addresses
            )
        out.print(shown)
    out.print()
    history(out, frame, view.history, zone)


def _approved(
    out: Console, frame: "Frame", live: "Approval | None", zone: "ZoneInfo", *, held: bool
) -> None:
    """Who approved it, and while it is not built until when its hold lasts."""
    if live is None:
        return
    actor, at = live.actor, show_local(live.at, zone)
    if held:
        until = show_local(live.hold_until, zone)
        said = frame.say("show.approval", name=actor.name, role=actor.role, at=at, until=until)
    else:
        said = frame.say("show.approval-built", name=actor.name, role=actor.role, at=at)
    out.print(said)


def _changes(out: Console, frame: "Frame", view: RequestView, zone: "ZoneInfo") -> None:
    """What a revision changes, which of it needs a restart, and what is held for it."""
    proposal = view.record.proposal
    if view.against is not None:
        state = view.record.state if proposal is None else proposal.state
        revision = view.record.revision if proposal is None else proposal.revision
        title = frame.say(
            "show.changes", revision=revision, against=view.against, state=state.value
        )
        out.print()
        out.print(Text(title, style="bold"))
        shown = table(frame, "part", "change", "before", "after", "restart")
        for one in view.changes:
            shown.add_row(
                one.subject or "-",
                frame.say(f"change.{one.what}"),
                harmless(one.before or "-"),
                harmless(one.after or "-"),
                frame.say("show.restart") if one.restart and proposal is not None else "-",
            )
        print_or(out, shown, frame.say("show.no-differences"))
    if proposal is not None and proposal.state is not ProposalState.APPLIED:
        if proposal.reason:
            out.print(frame.say("show.reason", reason=proposal.reason))
        _approved(out, frame, proposal.approval, zone, held=True)
    if view.held:
        held = ", ".join(f"{name} {shown_amount(name, value)}" for name, value in view.held.items())
        out.print(frame.say("show.held", what=held))


def _asked(frame: "Frame", spec: WorkloadSpec) -> Table:
    """What the document asks for."""
    kinds = table(frame, "VM", "count", "vCPU", "memory", "disks", "networks", "image")
    public = f" +{frame.say('show.public')}"
    for vm in spec.vms:
        disks = ", ".join(f"{d.name} {show_size(d.size)} {d.storage_class}" for d in vm.disks)
        kinds.add_row(
            vm.name,
            f"{vm.count} {frame.say('show.apart')}" if vm.keep_apart else str(vm.count),
            str(vm.cpu),
            show_size(vm.memory),
            disks,
            ", ".join(nic.network + (public if nic.public_ip else "") for nic in vm.networks),
            vm.image,
        )
    return kinds


def offer_page(out: Console, frame: "Frame", made: Offer, quota: Sequence[QuotaLine]) -> None:
    """What a reviewer decides on."""
    from cloudpemda.cli.quota_tables import limit_of

    out.print(Text(frame.say("show.offer", cluster=made.cluster), style="bold"))
    trial = table(frame, "VM", "node", "replicas", "why there")
    for vm in made.trial:
        trial.add_row(vm.key, vm.node, ", ".join(vm.targets) or "-", vm.reason or "-")
    out.print(trial)
    out.print(frame.say("show.n-plus-one" if made.n_plus_one else "show.no-n-plus-one"))
    for key, why in made.exposed:
        reason = frame.say(f"placement.exposed-{why}")
        out.print(Text(frame.say("show.exposed", vm=key, why=reason)), soft_wrap=True)
    delta = table(frame, "quota", "takes", "used", "limit")
    by_dimension = {line.dimension: line for line in quota}
    for dimension, more in sorted(made.quota_delta.items()):
        line = by_dimension.get(dimension)
        delta.add_row(
            dimension,
            shown_amount(dimension, more),
            "-" if line is None else shown_amount(dimension, line.used),
            "-" if line is None else limit_of(line),
        )
    out.print(delta)
    out.print(Text(frame.say("show.offer-digest", digest=made.digest[:16]), style="dim"))


def approval(out: Console, frame: "Frame", approved: "Approved", zone: "ZoneInfo") -> None:
    live, chain = approved.record.as_proposed.approval, approved.chain
    if live is None:
        out.print(
            frame.say(
                "show.decided",
                key=approved.record.key,
                number=approved.record.number,
                decided=chain.decided,
                demanded=chain.demanded,
                who=", ".join(chain.awaited) or frame.say("show.chain-nobody"),
            )
        )
        return
    out.print(
        frame.say(
            "show.approved" if approved.record.proposal is None else "show.change-approved",
            key=approved.record.key,
            number=approved.record.number,
            cluster=approved.offer.cluster,
            until=show_local(live.hold_until, zone),
        )
    )


# -- plan and apply --------------------------------------------------------------------------
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
        _restarts(out, frame, one.restart)
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
            frame.say("show.applied", key=one.record.key, counted=counted, state=_state(one.record))
        )
        if one.made_change:
            revision = one.record.revision
            out.print(frame.say("show.change-made", key=one.record.key, revision=revision))
        _restarts(out, frame, one.restart)


def _restarts(out: Console, frame: "Frame", found: Mapping[str, Sequence[str]]) -> None:
    """What each VM takes over only when it is started anew."""
    for vm, keys in found.items():
        said = frame.say("show.restart-needed", vm=vm, keys=", ".join(keys))
        out.print(Text(said, style="yellow"), soft_wrap=True)


# -- what there is ---------------------------------------------------------------------------
def status(out: Console, frame: "Frame", found: "Status | Survey", zone: "ZoneInfo") -> None:
    from cloudpemda.cli.quota_tables import quota_table

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
            _restarts(out, frame, {one.key: one.restart})
        if one.apart is Apartness.PLACEMENT_ONLY:
            out.print(
                Text(frame.say("show.placement-only", vm=one.key)), style="yellow", soft_wrap=True
            )


def instance_page(out: Console, frame: "Frame", one: InstanceView) -> None:
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
        "differs": harmless("; ".join(one.differences)) or "-",
        "error": harmless(one.error or "-"),
    }
    out.print(Text(one.key, style="bold"))
    for name, value in rows.items():
        shown.add_row(frame.say("column." + name), value)
    out.print(shown)


# -- the lab ---------------------------------------------------------------------------------
def lab_status(out: Console, frame: "Frame", told: Mapping[str, Any]) -> None:
    status_ = told["status"]
    now = show_utc(instant(int(status_["now"])))
    out.print(frame.say("show.lab-clock", now=now, rate=status_["rate"]))
    shown = table(frame, "cluster", "version", "node", "state", "endpoint")
    every = told["clusters"] | told.get("backup_servers", {})
    for cluster, found in every.items():
        state = status_["clusters"][cluster]
        for node, url in found["nodes"].items():
            shown.add_row(cluster, str(state["version"]), node, state["nodes"][node], url)
    out.print(shown)


def lab_coverage(out: Console, frame: "Frame", told: Mapping[str, Mapping[str, Any]]) -> None:
    for release, found in told.items():
        shown = table(frame, "release", "path", "served", "of")
        for part, (served, known) in found["parts"].items():
            shown.add_row(release, f"/{part}", str(served), str(known))
        out.print(shown)
        out.print(frame.say("show.not-served", count=len(found["unserved"]), release=release))
        for name in found["unserved"]:
            out.print(f"  {name}", highlight=False, markup=False, soft_wrap=True)


def lab_faults(out: Console, frame: "Frame", told: Sequence[Mapping[str, Any]]) -> None:
    shown = table(frame, "fault", "fired")
    for one in told:
        fault = {key: value for key, value in one.items() if key not in ("seen", "fired")}
        shown.add_row(_flow(fault)[1:-1], str(one.get("fired", 0)))
    print_or(out, shown, frame.say("show.no-faults"))


def _flow(value: object) -> str:
    """As a fault script writes it, in one line."""
    if not isinstance(value, Mapping):
        return str(int(value) if isinstance(value, float) and value.is_integer() else value)
    pairs = ", ".join(f"{key}: {_flow(inner)}" for key, inner in value.items())
    return f"{{{pairs}}}"


# -- small things ----------------------------------------------------------------------------
def keep_words(out: Console, shown: Table) -> None:
    """On a narrow terminal break cells between words, and the keys of VMs anywhere, so that
    nothing is cut off: `unk…` tells nobody a state."""
    texts = [[str(cell) for cell in (one.header, *one.cells)] for one in shown.columns]

    def widest(cells: Sequence[str], where: str) -> int:
        return max(len(part) for cell in cells for part in re.split(where, cell)) + 2

    if sum(widest(cells, "\n") for cells in texts) <= out.width:
        return
    left = out.width
    first, *others = shown.columns
    for column, cells in zip(others, texts[1:], strict=True):
        needed = widest(cells, "[ \n]")
        column.width, column.no_wrap = needed - 2, False
        left -= needed
    first.width, first.no_wrap, first.overflow = max(left - 2, 8), False, "fold"


def print_or(out: Console, shown: Table, nothing: str) -> None:
    """The table, or a line where it has no rows."""
    out.print(shown if shown.row_count else nothing)


def cover(one: Cover) -> Text:
    """A guard and the age of its copy."""
    age = "" if one.age is None else f" {show_duration(one.age)}"
    word = "-" if one.guard is Guard.NONE else one.guard.value
    return Text(word + age, style=_COLOURS[one.guard])


def evidence(one: Cover) -> Text:
    """The same, with what it is read from."""
    return cover(one) + Text(f"  {harmless(one.source)}" if one.source else "", style="dim")


def shown_amount(dimension: str, value: int) -> str:
    """A quota amount with its unit."""
    return f"{amount(dimension, value)}"


def doctor_page(out: Console, frame: "Frame", report: "Report") -> None:
    colours = {"ok": "green", "warn": "yellow", "fail": "red"}
    shown = table(frame, "", "cluster", "")
    for found in report.findings:
        what, then = explain(found.code, frame.lang, found.values)
        where = found.values.get("file")
        line = Text(f"{where}: {what}" if where and str(where) not in what else what)
        if then and found.level != "ok":
            line.append(f"\n→ {then}", style="dim")
        level = Text(found.level.value, style=colours[found.level])
        shown.add_row(level, found.cluster or "–", line)
    out.print(shown)
    for cluster, commands in report.commands.items():
        out.print()
        out.print(frame.say("show.doctor-commands", cluster=cluster))
        for command in commands:
            out.print("  " + command, soft_wrap=True)
