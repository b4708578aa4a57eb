"""Submit: take in an OPD's document. Checks everything, holds nothing: that is for approvals."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from cloudpemda.document.files import read_regular
from cloudpemda.errors import Fault, Refused
from cloudpemda.ledger import Actor, Paper, QuotaSubmission, RequestState, Submission
from cloudpemda.ledger.quota import EXCEEDED
from cloudpemda.request import QuotaSpec, WorkloadSpec, placed, read_any
from cloudpemda.request.spec import ADOPTED, VmSpec
from cloudpemda.rules.approvals import party_of
from cloudpemda.rules.manning import warnings as unfilled_stages
from cloudpemda.rules.policy import may_ask
from cloudpemda.rules.quota import Usage, growth, total, usage_of
from cloudpemda.usecases.by_rule import ByRule, decide_by_rule
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.quota import note_limits, quota_verdict
from cloudpemda.usecases.quota_requests import submit_quota

_LIVES = frozenset({RequestState.ACTIVE, RequestState.RETIRING, RequestState.RETIRED})


@dataclass(frozen=True)
class Submitted:
    """One file that was taken in."""

    file: str
    key: str
    submission: Submission | QuotaSubmission
    warnings: tuple[Fault, ...]
    by_rule: ByRule | None = None  # a rule of the site that is about it, and what came of it


def submit_file(desk: Desk, file: Path, *, allow_retire: bool = False) -> Submitted:
    """Read, judge and record one request file, for VMs or for quota.

    Only what was read is recorded: the file is opened once. Quota is judged as it stands now;
    nothing is held, and `approve` judges again; a rule of the site may do so at once. Raises
    InvalidInput with all faults, Refused where the actor's role, policy or quota says no.
    """
    data = read_regular(file)
    spec = read_any(data, str(file), desk.site.catalogue.flavors)
    if isinstance(spec, QuotaSpec):
        done_quota = submit_quota(desk, spec, data, str(file))
        return Submitted(str(file), spec.key, done_quota, _unfilled(desk, spec, desk.login))
    actor = desk.act("requester", "operator", opd=spec.opd)
    note_limits(desk, actor)
    done = hand_in(desk, spec, data, str(file), actor, allow_retire=allow_retire)
    return replace(done, by_rule=decide_by_rule(desk, spec.key))


def hand_in(
    desk: Desk,
    spec: WorkloadSpec,
    data: bytes,
    name: str,
    actor: Actor,
    paper: Paper | None = None,
    *,
    allow_retire: bool = False,
) -> Submitted:
    """Judge and record a document that was read; `name` is what faults call it.

    Whether the actor may ask for this OPD is the caller's question. Raises Refused where policy
    or quota says no, and where a workload that lives cannot be changed so
    (`request.change-refused`): what takes VMs or disks away needs `allow_retire`.
    """
    try:
        warnings = judged(desk, spec, data, name, actor)
    except Refused as error:
        if error.code == EXCEEDED:
            desk.ledger.quota.refuse(spec.opd, spec.key, error.faults[1:], actor)
        raise
    try:
        submission = desk.ledger.requests.submit(
            spec, data.decode(), actor, allow_retire=allow_retire, paper=paper
        )
    except Refused as error:
        head, *points = error.faults
        raise Refused(head.code, *placed(points, data, name), **head.values) from error
    return Submitted(name, spec.key, submission, warnings)


def judged(
    desk: Desk, spec: WorkloadSpec, data: bytes, name: str, actor: Actor
) -> tuple[Fault, ...]:
    """What policy and quota warn of in a document that `actor` hands in. Raises Refused where they
    say no."""
    verdict = may_ask(spec, desk.site, now=desk.clock.now(), others=_other_vms(desk, spec))
    faults = (*verdict.faults, *_made_by_others(desk, spec))
    if faults:
        faults = placed(faults, data, name)
        raise Refused("request.not-allowed", *faults, key=spec.key, file=name)
    quota = quota_verdict(desk, spec.opd, _growth(desk, spec))
    if not quota.allowed:
        raise Refused("quota.exceeded", *quota.faults, subject=spec.key, opd=spec.opd)
    return (*verdict.warnings, *quota.warnings, *_unfilled(desk, spec, actor.login))


def _unfilled(desk: Desk, spec: WorkloadSpec | QuotaSpec, login: str) -> tuple[Fault, ...]:
    """The stages that nobody could decide in, when this person hands it in."""
    givers = (party_of(one) for one in desk.site.people if one.login == login)
    return unfilled_stages(spec, desk.site, desk.clock.now(), *givers)


def _made_by_others(desk: Desk, spec: WorkloadSpec) -> Iterator[Fault]:
    """VMs that say that they were adopted, where none was: nothing could be made of that."""
    asked = [vm for vm in spec.vms if vm.image == ADOPTED]
    if not asked:
        return
    known: dict[str, VmSpec] = {}
    with suppress(Refused):
        record = desk.ledger.requests.get(spec.key)
        if record.state in _LIVES:
            known = {vm.name: vm for vm in record.spec.vms if vm.image == ADOPTED}
    for vm in asked:
        if vm.name not in known or vm.count > known[vm.name].count:
            values = MappingProxyType({"vm": vm.name, "image": ADOPTED})
            yield Fault("policy.image-adopted", values, path=f"spec.vms[{vm.name}].image")


def _growth(desk: Desk, spec: WorkloadSpec) -> Usage:
    """What this workload would take beyond its present charge, what was grown by hand included."""
    service_class = desk.site.catalogue.service_classes[spec.service_class]
    charged = desk.ledger.quota.of_instance
    by_hand = desk.ledger.overages.by_instance([spec.opd])  # charged, too
    return total(
        growth(
            by_hand.get(key, {}),
            growth(
                {name: one.charged for name, one in charged(key).items()},
                usage_of(vm, service_class),
            ),
        )
        for vm in spec.vms
        for key in (f"{spec.key}/{member}" for member in vm.members)
    )


def _other_vms(desk: Desk, spec: WorkloadSpec) -> int:
    """How many VMs the OPD has beside this workload."""
    own = f"{spec.key}/"
    return sum(not key.startswith(own) for key in desk.ledger.instances.keys(spec.opd))
