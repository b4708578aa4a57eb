"""Submit: take in an OPD's document. Checks everything, holds nothing."""

from dataclasses import dataclass
from pathlib import Path

from cloudpemda.document.files import read_regular
from cloudpemda.errors import Fault, Refused
from cloudpemda.ledger import Submission
from cloudpemda.request import WorkloadSpec, read_bytes
from cloudpemda.rules.policy import may_ask
from cloudpemda.usecases.desk import Desk


@dataclass(frozen=True)
class Submitted:
    """One file that was taken in."""

    file: str
    key: str
    submission: Submission
    warnings: tuple[Fault, ...]


def submit_file(desk: Desk, file: Path) -> Submitted:
    """Read, judge and record one request file.

    Only what was read is recorded: the file is opened once. Raises InvalidInput with all faults,
    Refused where policy or the actor's role says no.
    """
    data = read_regular(file)
    spec = read_bytes(data, str(file), desk.site.catalogue.flavors)
    actor = desk.act("requester", "operator", opd=spec.opd)
    verdict = may_ask(spec, desk.site, now=desk.clock.now(), others=_other_vms(desk, spec))
    if not verdict.allowed:
        raise Refused("request.not-allowed", *verdict.faults, key=spec.key, file=str(file))
    submission = desk.ledger.requests.submit(spec, data.decode(), actor)
    return Submitted(str(file), spec.key, submission, verdict.warnings)


def _other_vms(desk: Desk, spec: WorkloadSpec) -> int:
    """How many VMs the OPD has beside this workload."""
    own = f"{spec.key}/"
    return sum(
        not record.key.startswith(own) for record in desk.ledger.instances.list(opd=spec.opd)
    )
