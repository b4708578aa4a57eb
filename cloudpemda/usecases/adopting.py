"""What is asked of `adopt`, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

from cloudpemda.cluster import Vm
from cloudpemda.errors import ExitCode, Fault, Refused, UsageError, worst
from cloudpemda.plan.adoption import Left, Listed
from cloudpemda.request.spec import Letter, Requester
from cloudpemda.rules.quota import Usage
from cloudpemda.usecases.desk import Desk, require_opd

_POSITION = "Penanggung jawab"
_PURPOSE = "VM yang sudah berjalan sebelum dikelola cloudpemda"


@dataclass(frozen=True)
class Choice:
    """Which VMs of a cluster, by any of these; `listed` VMs are chosen too."""

    cluster: str
    pool: str | None = None
    tag: str | None = None
    node: str | None = None
    vmids: frozenset[int] = frozenset()
    listed: Mapping[int, Listed] = field(default_factory=dict)

    def takes(self, vm: Vm) -> bool:
        return (
            vm.vmid in self.vmids
            or vm.vmid in self.listed
            or (self.pool is not None and vm.pool == self.pool)
            or (self.tag is not None and self.tag.lower() in vm.tags)
            or (self.node is not None and vm.node == self.node)
        )


@dataclass(frozen=True)
class Terms:
    """What stands in the documents that are written for them."""

    opd: str
    service_class: str
    until: date
    letter: Letter
    requester: Requester
    purpose: str
    name: str | None = None  # of the workload; None: one for each VM


@dataclass(frozen=True)
class VmView:
    vmid: int
    name: str
    node: str
    key: str
    stamped: bool
    error: str | None = None


@dataclass(frozen=True)
class WorkloadView:
    key: str
    number: str | None  # None: not adopted yet
    source: str  # the request document
    vms: tuple[VmView, ...]


@dataclass(frozen=True)
class Adopting:
    """What is, or would be, adopted; what is left, and why; what goes over a limit by it."""

    cluster: str
    opd: str
    service_class: str
    workloads: tuple[WorkloadView, ...]
    left: tuple[Left, ...]
    already: tuple[VmView, ...]  # instances since an earlier run
    usage: Usage
    overage: tuple[Fault, ...]
    done: bool = False
    faults: tuple[Fault, ...] = ()
    errors: ExitCode = ExitCode.DONE

    @property
    def code(self) -> ExitCode:
        return worst([self.errors, ExitCode.FINDINGS if self.left else ExitCode.DONE])

    @property
    def reasons(self) -> Mapping[str, int]:
        """Code of a reason → how many VMs are left for it."""
        found: dict[str, int] = {}
        for one in self.left:
            for code in {fault.code for fault in one.faults}:
                found[code] = found.get(code, 0) + 1
        return MappingProxyType(dict(sorted(found.items())))


def terms_for(
    desk: Desk,
    opd: str,
    letter: tuple[str, str],
    *,
    name: str | None = None,
    service_class: str | None = None,
    until: str | None = None,
    requester: Mapping[str, str | None] = MappingProxyType({}),
) -> Terms:
    """The terms with what the site's files say where nothing was said.

    `letter` is number and date. The class is the lightest that the OPD may have, so that `apply`
    adds least; the lease ends with the next year; the requester is the OPD's first contact, with
    the NIP of people.yaml. Raises UsageError `adopt.day`, Refused `adopt.requester` where
    somebody's name, NIP or e-mail is not known.
    """
    require_opd(desk, opd)
    today = desk.clock.now().astimezone(desk.site.zone).date()
    return Terms(
        opd=opd,
        service_class=service_class or _lightest(desk, opd),
        until=day_of(until) if until else date(today.year + 1, 12, 31),
        letter=Letter(letter[0], day_of(letter[1])),
        requester=requester_of(desk, opd, requester),
        purpose=_PURPOSE,
        name=name,
    )


def _lightest(desk: Desk, opd: str) -> str:
    classes = desk.site.catalogue.service_classes
    allowed = [one for one in desk.site.opds[opd].allow.service_classes if one in classes]
    if not allowed:
        raise Refused("adopt.class", service_class="-", known=", ".join(sorted(classes)))
    return min(allowed, key=lambda one: (classes[one].weight, one))


def requester_of(desk: Desk, opd: str, said: Mapping[str, str | None]) -> Requester:
    """Who answers for a workload of an OPD: as said, else its first contact. Raises Refused
    `adopt.requester`."""
    contacts = desk.site.opds[opd].opd.contacts
    first = contacts[0] if contacts else None
    name = said.get("name") or (first.name if first else None)
    email = said.get("email")
    if not email and first is not None and first.name == name:
        email = first.email
    nips = {one.name: one.nip for one in desk.site.people if one.nip}
    nip = said.get("nip") or nips.get(name or "")
    if name and email and nip:
        return Requester(name, nip, said.get("position") or _POSITION, email)
    known = {"--requester": name, "--nip": nip, "--email": email}
    missing = ", ".join(option for option, value in known.items() if not value)
    raise Refused("adopt.requester", opd=opd, missing=missing)


def day_of(text: str) -> date:
    """Raises UsageError `adopt.day`."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError("adopt.day", text=text) from error
