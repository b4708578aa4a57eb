"""Who may ask for what, and when two are the same person. Who decides stands in `approvals`.

A request is measured against what its OPD is allowed, the catalogue and the production clusters.
All reasons are given at once.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from zoneinfo import ZoneInfo

from cloudpemda.errors import Fault
from cloudpemda.request.spec import ADOPTED, VmSpec, WorkloadSpec
from cloudpemda.rules.verdict import Verdict
from cloudpemda.site.load import Site
from cloudpemda.site.models import ClusterSettings, OpdFile
from cloudpemda.units import Instant

LONGEST_LEASE_YEARS = 5


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody as far as they are known: what is None is not, and matches nobody."""

    login: str | None
    nip: str | None
    name: str

    def is_one_of(self, *others: "Party") -> bool:
        """Whether a login, a NIP or a name is the same."""
        return any(self._marks & other._marks for other in others)

    @property
    def _marks(self) -> frozenset[tuple[str, str]]:
        marks = {("login", self.login), ("nip", _digits(self.nip)), ("name", _folded(self.name))}
        return frozenset((kind, mark) for kind, mark in marks if mark)


def _digits(nip: str | None) -> str:
    """A NIP without what people write between its groups."""
    return "".join(sign for sign in nip or "" if sign.isdecimal())


def _folded(name: str) -> str:
    """A name without case, width, spacing and the look of an emoji."""
    plain = unicodedata.normalize("NFKC", name).replace("\ufe0f", "")
    return " ".join(plain.casefold().split())


def may_ask(spec: WorkloadSpec, site: Site, *, now: Instant, others: int) -> Verdict:
    """May this OPD ask for this? `others` is how many VMs it has in other workloads."""
    opd = site.opds.get(spec.opd)
    if opd is None:
        return Verdict((_fault("policy.opd-unknown", "metadata.opd", opd=spec.opd),))
    today = now.astimezone(ZoneInfo(site.info.site.zone)).date()
    return Verdict(
        (
            *_service_class_faults(spec, opd, site),
            *_lease_faults(spec, today),
            *(fault for vm in spec.vms for fault in _vm_faults(vm, opd, site)),
            *_cluster_faults(spec, site),
            *_vmid_faults(spec, opd, others),
        )
    )


# -- what is asked for -----------------------------------------------------------------------
def _service_class_faults(spec: WorkloadSpec, opd: OpdFile, site: Site) -> Iterator[Fault]:
    wanted, path = spec.service_class, "spec.serviceClass"
    if wanted not in site.catalogue.service_classes:
        known = _listed(site.catalogue.service_classes)
        yield _fault("policy.class-unknown", path, service_class=wanted, known=known)
    elif wanted not in opd.allow.service_classes:
        yield _fault(
            "policy.class-not-allowed",
            path,
            service_class=wanted,
            opd=spec.opd,
            allowed=_listed(opd.allow.service_classes),
        )


def _lease_faults(spec: WorkloadSpec, today: date) -> Iterator[Fault]:
    if spec.until <= today:
        yield _fault("policy.until-past", "spec.until", until=str(spec.until), today=str(today))
    longest = _years_later(today, LONGEST_LEASE_YEARS)
    if spec.until > longest:
        yield _fault("policy.until-far", "spec.until", until=str(spec.until), longest=str(longest))


def _years_later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return day.replace(year=day.year + years, day=28)


def _vm_faults(vm: VmSpec, opd: OpdFile, site: Site) -> Iterator[Fault]:
    path = f"spec.vms[{vm.name}]"
    if vm.image not in site.catalogue.images and vm.image != ADOPTED:
        known = _listed(site.catalogue.images)
        yield _fault("policy.image-unknown", f"{path}.image", image=vm.image, known=known)
    known_classes = {name for cluster in _production(site).values() for name in cluster.storages}
    for name in dict.fromkeys(disk.storage_class for disk in vm.disks):
        if name not in known_classes:
            yield _fault(
                "policy.storage-class",
                f"{path}.disks",
                storage_class=name,
                known=_listed(known_classes),
            )
    for nic in vm.networks:
        if nic.network not in site.info.networks:
            yield _fault(
                "policy.network-unknown",
                f"{path}.networks",
                network=nic.network,
                allowed=_listed(opd.allow.networks),
            )
        elif nic.network not in opd.allow.networks:
            yield _fault(
                "policy.network-not-allowed",
                f"{path}.networks",
                network=nic.network,
                opd=opd.opd.code,
                owner=site.info.networks[nic.network].opd,
                allowed=_listed(opd.allow.networks),
            )
        if nic.public_ip and site.info.public_addresses is None:
            yield _fault("policy.no-public", f"{path}.networks", network=nic.network)
    if vm.roles and site.info.configure is None:
        yield _fault("policy.no-roles", f"{path}.roles")


def _cluster_faults(spec: WorkloadSpec, site: Site) -> Iterator[Fault]:
    """A workload is placed on one cluster: one must have all its images and storage classes."""
    images = {vm.image for vm in spec.vms} & site.catalogue.images.keys()
    classes = {disk.storage_class for vm in spec.vms for disk in vm.disks}
    known = {name for cluster in _production(site).values() for name in cluster.storages}
    for name, cluster in _production(site).items():
        has_images = all(name in site.catalogue.images[image] for image in images)
        if has_images and (classes & known) <= cluster.storages.keys():
            return
    yield _fault(
        "policy.no-cluster",
        "spec.vms",
        images=_listed(images),
        storage_classes=_listed(classes & known),
    )


def _vmid_faults(spec: WorkloadSpec, opd: OpdFile, others: int) -> Iterator[Fault]:
    wanted, size = sum(vm.count for vm in spec.vms), len(opd.opd.vmid_range)
    if wanted + others > size:
        yield _fault(
            "policy.vmids",
            "spec.vms",
            opd=spec.opd,
            wanted=wanted,
            left=max(0, size - others),
            vmids=opd.opd.vmids,
        )


def _production(site: Site) -> Mapping[str, ClusterSettings]:
    return {
        name: cluster
        for name, cluster in site.info.clusters.items()
        if cluster.role == "production"
    }


def _listed(names: Iterable[str]) -> str:
    """Names for a sentence; a dash where there is none."""
    return ", ".join(sorted(names)) or "–"


def _fault(code: str, path: str | None, **values: object) -> Fault:
    return Fault(code, MappingProxyType(values), path=path)
