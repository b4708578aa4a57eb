"""Submit: take in an OPD's document. Checks everything, holds nothing: that is for approvals."""

from dataclasses import dataclass, replace
from pathlib import Path

from cloudpemda.document.files import read_regular
from cloudpemda.errors import Fault, Refused
from cloudpemda.ledger import Actor, Paper, Submission
from cloudpemda.request import WorkloadSpec, placed, read_bytes
from cloudpemda.rules import Verdict
from cloudpemda.rules.policy import may_ask
from cloudpemda.rules.quota import Standing, chain_of, growth, judge, total, usage_of
from cloudpemda.usecases.by_rule import ByRule, decide_by_rule
from cloudpemda.usecases.desk import Desk


@dataclass(frozen=True)
class Submitted:
    """One file that was taken in."""

    file: str
    key: str
    submission: Submission
    warnings: tuple[Fault, ...]
    by_rule: ByRule | None = None  # a rule of the site that is about it, and what came of it


def submit_file(desk: Desk, file: Path, *, allow_retire: bool = False) -> Submitted:
    """Read, judge and record one request file.

    Only what was read is recorded: the file is opened once. Quota is judged as it stands now;
    nothing is held, and `approve` judges again; a rule of the site may do so at once. Raises
    InvalidInput with all faults, Refused where the actor's role, policy or quota says no.
    """
    data = read_regular(file)
    spec = read_bytes(data, str(file), desk.site.catalogue.flavors)
    actor = desk.act("requester", "operator", opd=spec.opd)
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
    warnings = judged(desk, spec, data, name)
    try:
        submission = desk.ledger.requests.submit(
            spec, data.decode(), actor, allow_retire=allow_retire, paper=paper
        )
    except Refused as error:
        head, *points = error.faults
        raise Refused(head.code, *placed(points, data, name), **head.values) from error
    return Submitted(name, spec.key, submission, warnings)


def judged(desk: Desk, spec: WorkloadSpec, data: bytes, name: str) -> tuple[Fault, ...]:
    """What policy and quota warn of in a document. Raises Refused where they say no."""
    verdict = may_ask(spec, desk.site, now=desk.clock.now(), others=_other_vms(desk, spec))
    if not verdict.allowed:
        faults = placed(verdict.faults, data, name)
        raise Refused("request.not-allowed", *faults, key=spec.key, file=name)
    quota = quota_verdict(desk, spec)
    if not quota.allowed:
        raise Refused("quota.exceeded", *quota.faults, subject=spec.key, opd=spec.opd)
    return (*verdict.warnings, *quota.warnings)


def quota_verdict(desk: Desk, spec: WorkloadSpec) -> Verdict:
    """May what this workload would take beyond its present charge be added now?"""
    service_class = desk.site.catalogue.service_classes[spec.service_class]
    charged = desk.ledger.quota.of_instance
    more = [
        growth(
            {name: one.charged for name, one in charged(f"{spec.key}/{member}").items()},
            usage_of(vm, service_class),
        )
        for vm in spec.vms
        for member in vm.members
    ]
    chain = [
        Standing(link.opd, link.limits, desk.ledger.quota.balances(link.scope))
        for link in chain_of(spec.opd, desk.site.opds, desk.site.effective_quota)
    ]
    return judge(chain, total(more), desk.site.info.defaults.warn_at)


def _other_vms(desk: Desk, spec: WorkloadSpec) -> int:
    """How many VMs the OPD has beside this workload."""
    own = f"{spec.key}/"
    return sum(not key.startswith(own) for key in desk.ledger.instances.keys(spec.opd))
