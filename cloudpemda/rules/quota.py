"""The one formula from a VM to quota, and the one judgement over an OPD and its parents.

Dimensions are `instances`, `vcpu`, `memory` (MiB), `disk.<storage class>` (MiB), `backup` (MiB)
and `public_ip`. Amounts are whole numbers; an absent dimension is 0. What an OPD may have at a
moment is the limit of the site's files raised by the grants that are in force then.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from types import MappingProxyType

from cloudpemda.errors import Fault
from cloudpemda.request.spec import VmSpec
from cloudpemda.rules.verdict import Verdict
from cloudpemda.site.models import OpdFile, ServiceClass
from cloudpemda.units import show_size

Usage = Mapping[str, int]
"""Dimension → amount."""

Limits = Mapping[str, int | None]
"""Dimension → limit; None is unlimited, 0 is none, and absent is none."""

Thresholds = Sequence[int]
"""Percentages of a limit from which it is said that it comes near."""

INSTANCES = "instances"
VCPU = "vcpu"
MEMORY = "memory"
BACKUP = "backup"
PUBLIC_IP = "public_ip"
DISK = "disk."


def disk_dimension(storage_class: str) -> str:
    return DISK + storage_class


class Size(int):
    """A number of MiB that a text shows in readable units, while JSON keeps the number."""

    def __format__(self, spec: str) -> str:
        return format(show_size(int(self)), spec)


def amount(dimension: str, value: int) -> int:
    """The value as texts shall show it: sizes with their unit, everything else as a number."""
    sized = dimension in {MEMORY, BACKUP} or dimension.startswith(DISK)
    return Size(value) if sized else value


def usage_of(vm: VmSpec, service_class: ServiceClass) -> Usage:
    """What ONE instance of `vm` costs (design, section 4.2).

    A replicated disk is charged once per copy, in its own storage class; one that the OPD does not
    want protected has no copies. Backup is the protected
    disks times the class's factor, rounded up to a whole MiB.
    """
    copies = 1 + (service_class.replication.targets if service_class.replication else 0)
    usage: dict[str, int] = {
        INSTANCES: 1,
        VCPU: vm.cpu,
        MEMORY: vm.memory,
        PUBLIC_IP: sum(nic.public_ip for nic in vm.networks),
    }
    for disk in vm.disks:
        dimension = disk_dimension(disk.storage_class)
        usage[dimension] = usage.get(dimension, 0) + disk.size * (copies if disk.protect else 1)
    if service_class.backup is not None:
        # A fraction of the decimal text: 1.1 as a binary float would cost a MiB now and then.
        factor = Fraction(str(service_class.backup.factor))
        usage[BACKUP] = ceil(sum(disk.size for disk in vm.disks if disk.protect) * factor)
    return MappingProxyType({name: value for name, value in usage.items() if value})


def total(usages: Iterable[Usage]) -> Usage:
    """The sum per dimension."""
    found: dict[str, int] = {}
    for usage in usages:
        for dimension, value in usage.items():
            found[dimension] = found.get(dimension, 0) + value
    return MappingProxyType(found)


def growth(before: Usage, after: Usage) -> Usage:
    """What `after` takes beyond `before`; dimensions that shrink or stay are left out."""
    more = {name: value - before.get(name, 0) for name, value in after.items()}
    return MappingProxyType({name: value for name, value in more.items() if value > 0})


def raised(limits: Limits, granted: Usage) -> Limits:
    """The limits with what is granted on top of them; what is unlimited stays so."""
    found = dict(limits)
    for dimension, more in granted.items():
        limit = found.get(dimension, 0)
        found[dimension] = None if limit is None else limit + more
    return MappingProxyType(found)


def reached(charged: int, limit: int | None, warn_at: Thresholds) -> int | None:
    """The highest threshold (percent) that `charged` has come to; None for none of them."""
    if limit is None or charged <= 0:
        return None
    return max((at for at in warn_at if charged * 100 >= limit * at), default=None)


def overage(charged: int, limit: int | None) -> int:
    """By how much `charged` stands above the limit: never by admitted growth, but after a limit
    was cut or a grant has ended."""
    return 0 if limit is None else max(0, charged - limit)


@dataclass(frozen=True, slots=True)
class Balance:
    """What is promised (held) and what is there (committed), in one dimension."""

    committed: int = 0
    held: int = 0

    @property
    def charged(self) -> int:
        return self.committed + self.held


@dataclass(frozen=True, slots=True)
class Link:
    """One OPD of a chain: its limits, and the OPDs whose use counts against them."""

    opd: str
    limits: Limits  # of the site's files, without grants
    scope: frozenset[str]  # itself and everything below it


@dataclass(frozen=True, slots=True)
class Standing:
    """One OPD of a chain with its limits and what its scope uses now."""

    opd: str
    limits: Limits  # with the grants that are in force
    balances: Mapping[str, Balance]


def chain_of(
    opd: str, opds: Mapping[str, OpdFile], limits_of: Callable[[str], Limits]
) -> tuple[Link, ...]:
    """The OPD and its parents, own first, each with its limits and scope.

    The parents of the site's files form a tree (`site.load` refuses cycles and unknown parents).
    """
    links: list[Link] = []
    current: str | None = opd
    while current is not None:
        links.append(Link(current, limits_of(current), scope_of(current, opds)))
        current = opds[current].opd.parent
    return tuple(links)


def scope_of(opd: str, opds: Mapping[str, OpdFile]) -> frozenset[str]:
    """The OPD and all that stand below it."""
    found = {opd}
    while True:
        below = {code for code, file in opds.items() if file.opd.parent in found} - found
        if not below:
            return frozenset(found)
        found |= below


def judge(chain: Sequence[Standing], wanted: Usage, warn_at: Thresholds) -> Verdict:
    """May `wanted` be added for the first OPD of the chain, seen by it and by each parent?

    `wanted` is growth: zero and negative amounts are not judged. A growth that ends at or above
    one of `warn_at` is allowed with a warning that names the highest.
    """
    growing = {name: value for name, value in sorted(wanted.items()) if value > 0}
    faults: list[Fault] = []
    warnings: list[Fault] = []
    for standing in chain:
        for dimension, needed in growing.items():
            limit = standing.limits.get(dimension, 0)
            if limit is None:
                continue
            used = standing.balances.get(dimension, Balance()).charged
            if used + needed > limit:
                faults.append(_exceeded(standing.opd, dimension, needed, used, limit))
            elif (threshold := reached(used + needed, limit, warn_at)) is not None:
                warnings.append(_near(standing.opd, dimension, used + needed, limit, threshold))
    return Verdict(tuple(faults), tuple(warnings))


def code_of(dimension: str) -> str:
    """The code of a refusal in this dimension: `quota.memory`, `quota.disk`, `quota.public-ip`."""
    family = "disk" if dimension.startswith(DISK) else dimension
    return "quota." + family.replace("_", "-")


def _exceeded(opd: str, dimension: str, needed: int, used: int, limit: int) -> Fault:
    # An overage (limit cut, adoption) leaves nothing, not less than nothing.
    left = max(0, limit - used)
    return Fault(
        code_of(dimension),
        MappingProxyType(
            {
                "opd": opd,
                "dimension": dimension,
                "storage_class": dimension.removeprefix(DISK),
                "needed": amount(dimension, needed),
                "left": amount(dimension, left),
                "used": amount(dimension, used),
                "limit": amount(dimension, limit),
                "short": amount(dimension, used + needed - limit),
            }
        ),
        path=dimension,
    )


def _near(opd: str, dimension: str, used: int, limit: int, threshold: int) -> Fault:
    return Fault(
        "quota.near",
        MappingProxyType(
            {
                "opd": opd,
                "dimension": dimension,
                "used": amount(dimension, used),
                "limit": amount(dimension, limit),
                "percent": used * 100 // limit,
                "threshold": threshold,
            }
        ),
        path=dimension,
    )
