"""Check a request file offline: schema, catalogue and policy, all faults at once."""

from dataclasses import dataclass
from pathlib import Path

from cloudpemda.document.files import read_regular
from cloudpemda.errors import CloudpemdaError, ExitCode, Fault
from cloudpemda.request import QuotaSpec, WorkloadSpec, placed, read_any
from cloudpemda.rules.granting import may_ask_quota
from cloudpemda.rules.policy import may_ask
from cloudpemda.site import Site
from cloudpemda.units import Instant


@dataclass(frozen=True)
class Checked:
    """What is to be said about one file."""

    file: str
    spec: WorkloadSpec | QuotaSpec | None
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]
    code: ExitCode


def check_file(site: Site, file: Path, now: Instant) -> Checked:
    """Never raises for what the file says: the faults are the answer.

    Offline nothing is known of the OPD's other VMs; `submit` counts them against its VMIDs.
    """
    try:
        data = read_regular(file)
        spec = read_any(data, str(file), site.catalogue.flavors)
    except CloudpemdaError as error:
        return Checked(str(file), None, error.faults, (), error.exit_code)
    if isinstance(spec, QuotaSpec):
        verdict = may_ask_quota(spec, site, now=now)
    else:
        verdict = may_ask(spec, site, now=now, others=0)
    code = ExitCode.DONE if verdict.allowed else ExitCode.REFUSED
    faults = placed(verdict.faults, data, str(file))
    return Checked(str(file), spec, faults, verdict.warnings, code)
