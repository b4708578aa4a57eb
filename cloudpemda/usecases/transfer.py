"""Transfer: a workload that lives is given to another OPD, with all that it has.

The ledger changes in one transaction, judged by the quota of the OPD that takes it; then the
clusters are made to say the same (`handover`). The decision is Diskominfo's or the leadership's, as
with `adopt`. Addresses stay as they are, so each network must be one that the new OPD may use.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from cloudpemda.apply import Progress
from cloudpemda.cluster import ClusterState
from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, Refused, worst
from cloudpemda.ledger import Actor, InstanceRecord, RequestRecord, RequestState, Takeover
from cloudpemda.plan.offer import Offer, make_offer
from cloudpemda.request import WorkloadSpec, read_any
from cloudpemda.request.spec import Letter, Requester
from cloudpemda.request.write import write
from cloudpemda.rules.policy import may_ask
from cloudpemda.rules.quota import Usage, chain_of, judge
from cloudpemda.usecases.adopting import day_of, requester_of
from cloudpemda.usecases.chain import decide_alone
from cloudpemda.usecases.desk import Desk, require_opd
from cloudpemda.usecases.handover import Handover, open_fault, unfinished
from cloudpemda.usecases.pause import halting, require_running
from cloudpemda.usecases.plan import cluster_of, draw_up, members_of, read_clusters
from cloudpemda.usecases.workload import Workload, standing_placement

_NOT_ASKED = frozenset({"policy.vmids", "policy.no-cluster", "policy.until-far"})
"""What stays as it is and is asked of nobody anew: VMIDs, the cluster, how long it is for."""


@dataclass(frozen=True)
class Terms:
    """To whom, by which letter, and who answers for it there."""

    opd: str
    letter: Letter
    requester: Requester
    name: str | None = None  # None: it keeps its name
    reason: str = ""


@dataclass(frozen=True)
class MovedVm:
    vmid: int
    name: str  # in PVE: it stays
    key: str
    addresses: tuple[str, ...]  # they stay


@dataclass(frozen=True)
class Transfer:
    """What is, or would be, transferred; `faults` say why not, or what is left to do."""

    number: str
    former: str  # key
    key: str
    cluster: str
    vms: tuple[MovedVm, ...]
    moved: Usage  # charged to the one until now, to the other from then on
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()
    done: bool = False
    code: ExitCode = ExitCode.DONE


def terms_for(
    desk: Desk,
    opd: str,
    letter: tuple[str, str],
    *,
    name: str | None = None,
    reason: str = "",
    requester: Mapping[str, str | None] = MappingProxyType({}),
) -> Terms:
    """The terms with what the site's files say where nothing was said; `letter` is number and date.

    Raises UsageError `adopt.day`, `look.opd`, Refused `adopt.requester` where it is not known who
    answers for it.
    """
    require_opd(desk, opd)
    said = Letter(letter[0], day_of(letter[1]))
    return Terms(opd, said, requester_of(desk, opd, requester), name or None, reason.strip())


def preview(desk: Desk, key: str, terms: Terms) -> Transfer:
    """What `transfer` would do, and what stands in its way. Reads no cluster, changes nothing.

    Raises Refused by role, `ledger.no-request`, `transfer.same-opd`, `transfer.not-active`,
    InvalidInput for a name or letter that no document may have, UsageError `look.opd`.
    """
    desk.act("operator", "reviewer", "approver", "auditor")
    require_opd(desk, terms.opd)
    record = _found(desk, key, terms)
    if _is_given(desk, record, key, terms):
        return replace(_view(desk, record, terms), done=record.number not in unfinished(desk))
    record = _standing(record, terms)
    faults, warnings = _judged(desk, record, _become(record, terms))
    code = ExitCode.REFUSED if faults else ExitCode.DONE
    return replace(_view(desk, record, terms), faults=faults, warnings=warnings, code=code)


def transfer(
    desk: Desk, key: str, terms: Terms, progress: Progress, halted: Callable[[], bool]
) -> Transfer:
    """Give a workload to another OPD; one that was given already is gone on with on the clusters,
    by an operator too, and changes nothing where nothing is left.

    By whoever may decide (Refused `transfer.not-yours`). Raises as `preview` does, Refused
    `pause.on`, `transfer.refused` with the reasons, what `Transfers.transfer` and `plan.diff`
    refuse, and Unreachable where the cluster cannot be read: then nothing was changed. What
    hinders the clusters from following stands in the faults.
    """
    require_running(desk)
    desk.ledger.found.require_reconciled()
    require_opd(desk, terms.opd)
    record = _found(desk, key, terms)
    halted = halting(desk, halted)
    if _is_given(desk, record, key, terms):
        actor = desk.act("operator", "approver", "reviewer")
        if record.number not in unfinished(desk):
            return replace(_view(desk, record, terms), done=True)
        return _carried_out(desk, actor, record, terms, progress, halted)
    record = _standing(record, terms)
    spec = _become(record, terms)
    actor, given = decide_alone(desk, spec, "transfer.not-yours")
    reasons, _ = _judged(desk, record, spec, quota=False)
    if reasons:
        raise Refused("transfer.refused", *reasons, key=record.key, opd=terms.opd)
    state = read_clusters(desk, [record])[cluster_of(record)]
    made = _offer(desk, record, spec, state)
    done = desk.ledger.transfers.transfer(
        record.key,
        record.spec_hash,
        Takeover(
            spec=spec,
            source_text=write(spec),
            offer_digest=made.digest,
            offer_json=made.to_json(),
            ballot=replace(given, revision=None),  # the hash that was read says which
            chain=chain_of(spec.opd, desk.site.opds, desk.site.effective_quota),
            warn_at=desk.site.info.defaults.warn_at,
            reason=terms.reason,
        ),
        actor,
    )
    fresh = desk.ledger.requests.get(done.number)
    ended = _carried_out(desk, actor, fresh, terms, progress, halted, state)
    return replace(ended, former=done.former, warnings=done.warnings)


def _found(desk: Desk, key: str, terms: Terms) -> RequestRecord:
    """By its key of today, or the one that it had before it was given to this OPD."""
    try:
        return desk.ledger.requests.get(key)
    except Refused:
        number = desk.ledger.transfers.given(key, terms.opd)
        if number is None:
            raise
        return desk.ledger.requests.get(number)


def _is_given(desk: Desk, record: RequestRecord, key: str, terms: Terms) -> bool:
    """Whether that OPD has it since an earlier call."""
    if record.opd != terms.opd:
        return False
    return (
        record.number in unfinished(desk) or desk.ledger.transfers.given(key, terms.opd) is not None
    )


def _standing(record: RequestRecord, terms: Terms) -> RequestRecord:
    """A workload that could be given to that OPD."""
    if record.opd == terms.opd:
        raise Refused("transfer.same-opd", key=record.key, opd=terms.opd)
    if record.state is not RequestState.ACTIVE:
        raise Refused("transfer.not-active", key=record.key, state=record.state.value)
    return record


def _become(record: RequestRecord, terms: Terms) -> WorkloadSpec:
    """What it will live by. Raises InvalidInput for words that no document may have."""
    spec = replace(
        record.spec,
        opd=terms.opd,
        name=terms.name or record.spec.name,
        letter=terms.letter,
        requester=terms.requester,
    )
    read_any(write(spec).encode(), "request transfer", {})
    return spec


def _judged(
    desk: Desk, record: RequestRecord, spec: WorkloadSpec, *, quota: bool = True
) -> tuple[tuple[Fault, ...], tuple[Fault, ...]]:
    """Why the OPD may not have it, and warnings. The ledger judges the quota once more."""
    verdict = may_ask(spec, desk.site, now=desk.clock.now(), others=0)
    faults = tuple(one for one in verdict.faults if one.code not in _NOT_ASKED)
    if not quota:
        return faults, ()
    chain = chain_of(spec.opd, desk.site.opds, desk.site.effective_quota)
    links = [link for link in chain if record.opd not in link.scope]
    moved = desk.ledger.transfers.charged(record.number)
    room = judge(desk.ledger.quota.standings(links), moved, desk.site.info.defaults.warn_at)
    return (*faults, *room.faults), room.warnings


def _offer(desk: Desk, record: RequestRecord, spec: WorkloadSpec, state: ClusterState) -> Offer:
    """What is decided on. Raises what hinders the VMs from being told to whom they belong: one
    that is gone, is somebody else's or could not be read."""
    own = desk.ledger.instances.list(workload=record.key)
    members = [one for one in own if one.member in members_of(spec)]
    draw_up(
        Workload(desk, record, state.name),
        state,
        members,
        standing_placement(state.name, members, state),
    )
    renamed = [replace(one, opd=spec.opd, key=f"{spec.key}/{one.member}") for one in members]
    placement = standing_placement(state.name, renamed, state)
    return make_offer(spec, placement, desk.ledger.transfers.charged(record.number))


def _carried_out(
    desk: Desk,
    actor: Actor,
    record: RequestRecord,
    terms: Terms,
    progress: Progress,
    halted: Callable[[], bool],
    state: ClusterState | None = None,
) -> Transfer:
    """On the clusters. What hinders it is told with what is done: the ledger says so already."""
    view = replace(_view(desk, record, terms), done=True)
    try:
        if state is None:
            state = read_clusters(desk, [record])[cluster_of(record)]
        ended = Handover(desk, actor, record, state, progress, halted).forward()
    except CloudpemdaError as error:
        faults = (open_fault(record), *error.faults)
        return replace(view, faults=faults, code=worst([error.exit_code, ExitCode.INCOMPLETE]))
    return replace(view, faults=ended.faults, code=ended.code)


def _view(desk: Desk, record: RequestRecord, terms: Terms) -> Transfer:
    given = record.opd == terms.opd
    return Transfer(
        number=record.number,
        former=record.key,
        key=record.key if given else f"{terms.opd}/{terms.name or record.spec.name}",
        cluster=cluster_of(record),
        vms=tuple(map(_moved_vm, desk.ledger.instances.list(workload=record.key))),
        moved=desk.ledger.transfers.charged(record.number),
    )


def _moved_vm(one: InstanceRecord) -> MovedVm:
    addresses = [text for nic in one.nics for text in (nic.address, nic.public_address) if text]
    return MovedVm(one.vmid, one.name, one.key, tuple(addresses))
