"""What a reviewer decides on: a trial placement, without what may change until it is applied.

The digest covers the revision (its `spec_hash`), cluster, class, the kinds of VMs with sizes,
networks and public addresses, the quota delta and the N+1 result. Node, VMID and free figures are
shown, but left out of the digest: another node under `apply` is fine, another offer voids the
approval.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cloudpemda.placement import Placement
from cloudpemda.plan.desire import instance_key
from cloudpemda.request.spec import WorkloadSpec
from cloudpemda.units import Cores, MiB


@dataclass(frozen=True)
class OfferedDisk:
    name: str
    size: MiB
    storage_class: str
    protected: bool


@dataclass(frozen=True)
class OfferedKind:
    """One kind of VM of the request, `count` times."""

    name: str
    count: int
    apart: bool
    image: str
    cores: Cores
    memory: MiB
    disks: tuple[OfferedDisk, ...]
    networks: tuple[str, ...]
    public_addresses: int  # per VM
    expose: tuple[str, ...] | None  # "443/tcp internet"; None: nothing is said of it
    roles: tuple[str, ...] = ()  # "postgresql (database simrs)"


@dataclass(frozen=True)
class Trial:
    """Where a VM would go if it were applied now: shown, never promised."""

    key: str
    node: str
    targets: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Offer:
    workload: str
    spec_hash: str  # of the revision that it was made for
    cluster: str
    service_class: str
    kinds: tuple[OfferedKind, ...]
    quota_delta: Mapping[str, int]  # dimension → growth
    n_plus_one: bool
    exposed: tuple[tuple[str, str], ...]  # instances that HA could not bring back, and why
    trial: tuple[Trial, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of what the approval binds to, hex."""
        text = json.dumps(self._binding(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_data(self) -> dict[str, object]:
        """Everything, JSON-ready, with the digest."""
        return {
            **self._binding(),
            "trial": [
                {
                    "vm": vm.key,
                    "node": vm.node,
                    "replicas": list(vm.targets),
                    "reason": vm.reason,
                }
                for vm in self.trial
            ],
            "offer_digest": self.digest,
        }

    def to_json(self) -> str:
        return json.dumps(self.to_data(), sort_keys=True, ensure_ascii=False)

    def _binding(self) -> dict[str, object]:
        return {
            "workload": self.workload,
            "spec_hash": self.spec_hash,
            "cluster": self.cluster,
            "service_class": self.service_class,
            "vms": [_kind_data(kind) for kind in self.kinds],
            "quota_delta": {key: value for key, value in self.quota_delta.items() if value},
            "n_plus_one": self.n_plus_one,
            "exposed": [{"vm": key, "why": why} for key, why in self.exposed],
        }


def make_offer(spec: WorkloadSpec, placement: Placement, quota_delta: Mapping[str, int]) -> Offer:
    """The offer for a workload as it would be placed now; `placement` covers its instances."""
    keys = [instance_key(spec, member) for vm in spec.vms for member in vm.members]
    placed = [placement.of(key) for key in keys]
    return Offer(
        workload=spec.key,
        spec_hash=spec.spec_hash,
        cluster=placement.cluster,
        service_class=spec.service_class,
        kinds=tuple(
            OfferedKind(
                name=vm.name,
                count=vm.count,
                apart=vm.keep_apart,
                image=vm.image,
                cores=vm.cpu,
                memory=vm.memory,
                disks=tuple(
                    OfferedDisk(disk.name, disk.size, disk.storage_class, disk.protect)
                    for disk in vm.disks
                ),
                networks=tuple(nic.network for nic in vm.networks),
                public_addresses=sum(nic.public_ip for nic in vm.networks),
                expose=None if vm.expose is None else tuple(one.words for one in vm.expose),
                roles=tuple(role.words for role in vm.roles),
            )
            for vm in spec.vms
        ),
        quota_delta=MappingProxyType(dict(quota_delta)),
        n_plus_one=placement.n_plus_one.holds,
        exposed=tuple(
            (exposed.key, exposed.why.value)
            for exposed in placement.n_plus_one.exposed
            if exposed.key in keys
        ),
        trial=tuple(
            # where it lives already nothing was chosen
            Trial(vm.key, vm.node, vm.targets, vm.score.words if vm.score.candidates else "")
            for vm in placed
        ),
    )


def _kind_data(kind: OfferedKind) -> dict[str, object]:
    # an offer that was made before there were such keys keeps its digest
    exposed = {} if kind.expose is None else {"expose": list(kind.expose)}
    roles = {"roles": list(kind.roles)} if kind.roles else {}
    return {
        **exposed,
        **roles,
        "name": kind.name,
        "count": kind.count,
        "apart": kind.apart,
        "image": kind.image,
        "cores": kind.cores,
        "memory_mib": kind.memory,
        "disks": [
            {
                "name": disk.name,
                "size_mib": disk.size,
                "class": disk.storage_class,
                "protected": disk.protected,
            }
            for disk in kind.disks
        ],
        "networks": list(kind.networks),
        "public_addresses": kind.public_addresses,
    }
