"""Requests as pages: what was handed in, what is asked, offered, changed and approved."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cloudpemda.cli.chain import chain_page
from cloudpemda.cli.history import history
from cloudpemda.cli.quota_tables import limit_of, quota_refusals
from cloudpemda.cli.tables import print_or, shown_amount, table
from cloudpemda.cli.vm_roles import inside_lines
from cloudpemda.ledger import Submission
from cloudpemda.ledger.states import ProposalState, RequestState
from cloudpemda.messages import harmless
from cloudpemda.plan.offer import Offer
from cloudpemda.request.spec import WorkloadSpec
from cloudpemda.units import show_local, show_size
from cloudpemda.usecases.look import RequestView
from cloudpemda.usecases.quota import QuotaLine

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from cloudpemda.cli.frame import Frame
    from cloudpemda.ledger import Approval, RequestRecord
    from cloudpemda.usecases.approve import Approved
    from cloudpemda.usecases.check import Checked
    from cloudpemda.usecases.submit import Submitted
    from cloudpemda.usecases.waiting import Waiting


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
            state_of(record),
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


def state_of(record: "RequestRecord") -> str:
    """`active`, or with an open change `active (rev 2 pending)`."""
    proposal = record.proposal
    if proposal is None or not proposal.open:
        return record.state.value
    return f"{record.state.value} (rev {proposal.revision} {proposal.state.value})"


def request_page(out: Console, frame: "Frame", view: RequestView, zone: "ZoneInfo") -> None:
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
                revision=approved.decided,
                decided=chain.decided,
                demanded=chain.demanded,
                who=", ".join(chain.awaited) or frame.say("show.chain-nobody"),
            ),
            soft_wrap=True,
        )
        return
    out.print(
        frame.say(
            "show.approved" if approved.record.proposal is None else "show.change-approved",
            key=approved.record.key,
            number=approved.record.number,
            revision=approved.decided,
            cluster=approved.offer.cluster,
            until=show_local(live.hold_until, zone),
        ),
        soft_wrap=True,
    )
