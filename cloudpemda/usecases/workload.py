"""One request with all that its clusters, the catalogue and the ledger say about it.

What offer, plan and apply share: which demands it makes, what others were promised, what is
placed already, and what it costs.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

from cloudpemda.cluster import ClusterState
from cloudpemda.errors import Refused
from cloudpemda.ledger import (
    Aside,
    InstanceRecord,
    InstanceState,
    RequestRecord,
    RequestState,
    Why,
)
from cloudpemda.placement import (
    DiskDemand,
    NoFit,
    NPlusOne,
    Placed,
    Placement,
    PlacementPolicy,
    Promise,
    Residence,
    Score,
    VmDemand,
    place,
)
from cloudpemda.plan.desire import Setting, apart_group, demands_of, instance_key
from cloudpemda.plan.model import LeavingDisk
from cloudpemda.request.spec import VmSpec, WorkloadSpec
from cloudpemda.rules.quota import Usage, usage_of
from cloudpemda.site.models import ClusterSettings, OpdInfo
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.site_key import public_half

_REPLACEABLE = frozenset({InstanceState.PLANNED, InstanceState.FAILED})
"""States in which nothing of an instance is in PVE, so that it may be placed afresh."""


@dataclass(frozen=True)
class Workload:
    """A request on one cluster. `lived` is what it lives by while `record` is the change to it."""

    desk: Desk
    record: RequestRecord
    cluster: str
    lived: WorkloadSpec | None = None

    @property
    def spec(self) -> WorkloadSpec:
        return self.record.spec

    @cached_property
    def setting(self) -> Setting:
        return setting(self.desk, self.spec.opd, self.cluster)

    @cached_property
    def usage(self) -> Mapping[str, Usage]:
        """Member (`db-1`) → what it is charged, by the one formula."""
        service_class = self.setting.service_class(self.spec.service_class)
        return MappingProxyType(
            {member: usage_of(vm, service_class) for vm in self.spec.vms for member in vm.members}
        )

    def fresh(self, member: str) -> frozenset[str]:
        """The disks that a member need not have yet, because a change has just approved them; none
        of a member that the change adds or takes away."""
        before = None if self.lived is None else _kind_in(self.lived, member)
        after = _kind_in(self.spec, member)
        if before is None or after is None:
            return frozenset()
        return frozenset({disk.name for disk in after.disks} - {disk.name for disk in before.disks})

    def leaves(self, record: InstanceRecord, beside: Collection[Aside]) -> tuple[LeavingDisk, ...]:
        """The disks that a change takes from a member: those that what it lived by has, and those
        that PVE was not seen without yet."""
        wanted = {disk.name for disk in kind_of(self.spec, record.member).disks}
        found = {
            one.disk: one.slot
            for one in beside
            if one.why is Why.REMOVED and one.since is None and one.disk not in wanted
        }
        before = None if self.lived is None else _kind_in(self.lived, record.member)
        for number, disk in enumerate(() if before is None else before.disks):
            if disk.name not in wanted:
                adopted = record.found.slot_of(disk.name) if record.found else None
                slot = adopted or f"scsi{record.slots.get(disk.name, number)}"
                found.setdefault(disk.name, slot)
        return tuple(LeavingDisk(name, slot) for name, slot in sorted(found.items()))

    def placement(
        self,
        state: ClusterState,
        records: Collection[InstanceRecord],
        together_with: Collection[RequestRecord] = (),
    ) -> Placement | NoFit:
        """Where its VMs are or go, under everything that others were promised.

        What is in PVE, or may be, stays where it was placed, with further targets where its class
        has come to want more; the rest is placed afresh.
        `together_with` are approved requests without a place yet: they must fit beside it.
        """
        kept = {record.key: record for record in records if record.state not in _REPLACEABLE}
        stay = {key: placed(record, state) for key, record in kept.items()}
        residences = residences_of(kept.values(), state)
        own = [
            demand
            for demand in demands_of(self.spec, self.setting, residences)
            if demand.key not in kept or demand.key in residences
        ]
        others = [demand for other in together_with for demand in self._demands_of(other, state)]
        policy = self._policy(but={demand.key for demand in own})
        found = place([*own, *others], state, policy)
        stranger = isinstance(found, NoFit) and found.key not in {demand.key for demand in own}
        if stranger and self.record.approval is not None:
            # Room was lost since. What is promised here is as good as what is promised there.
            found = place(own, state, policy)
        if isinstance(found, NoFit):
            return found
        chosen = {vm.key: vm for vm in found.vms}
        places = []
        for key in (instance_key(self.spec, member) for member in self.usage):
            place_ = chosen.get(key) or stay[key]
            lives = key in stay  # nothing was chosen but targets
            places.append(replace(place_, score=stay[key].score) if lives else place_)
        return Placement(found.cluster, tuple(places), found.n_plus_one)

    def _demands_of(self, other: RequestRecord, state: ClusterState) -> tuple[VmDemand, ...]:
        records = self.desk.ledger.instances.list(workload=other.key)
        kept = {one.key: one for one in records if one.state not in _REPLACEABLE}
        residences = residences_of(kept.values(), state)
        try:
            demands = demands_of(
                other.spec, setting(self.desk, other.opd, self.cluster), residences
            )
        except Refused:  # the site lacks what it needs: it can be made nowhere, so it takes no room
            return ()
        return tuple(one for one in demands if one.key not in kept or one.key in residences)

    def _policy(self, but: Collection[str]) -> PlacementPolicy:
        return policy(self.desk, self.cluster, but)


def policy(desk: Desk, cluster: str, but: Collection[str] = ()) -> PlacementPolicy:
    """What placement keeps to on a cluster: its reserves, the nodes that are kept empty, and what
    was promised to everybody `but` these instances. Raises Refused `plan.cluster`."""
    settings = cluster_settings(desk, cluster)
    return PlacementPolicy(
        overcommit=settings.overcommit.cpu,
        reserve=settings.reserve.memory,
        excluded=frozenset(drain.node for drain in desk.ledger.drains.list(cluster)),
        promised=tuple(p for p in promises(desk, cluster) if p.key not in but),
    )


def setting(desk: Desk, opd: str, cluster: str) -> Setting:
    """The cluster and the site's files that give an OPD's specification its meaning there.

    Raises Refused (`plan.opd`, `plan.cluster`) where the site has lost them since the ledger got
    them.
    """
    return Setting(
        cluster=cluster,
        settings=cluster_settings(desk, cluster),
        catalogue=desk.site.catalogue,
        networks=desk.site.info.networks,
        pool=opd_info(desk, opd).pool,
        firewall=desk.site.info.firewall,
        offices={code: one.opd.offices for code, one in desk.site.opds.items()},
        site_key=public_half(desk.site),
    )


def opd_info(desk: Desk, opd: str) -> OpdInfo:
    """Raises Refused `plan.opd` for an OPD that only the ledger knows."""
    if opd not in desk.site.opds:
        raise Refused("plan.opd", opd=opd)
    return desk.site.opds[opd].opd


def cluster_settings(desk: Desk, cluster: str) -> ClusterSettings:
    """Raises Refused `plan.cluster` for a cluster that only the ledger knows."""
    found = desk.site.info.clusters.get(cluster)
    if found is None:
        raise Refused("plan.cluster", cluster=cluster)
    return found


def promises(desk: Desk, cluster: str) -> tuple[Promise, ...]:
    """What the ledger has given to instances on this cluster, whether PVE shows it or not."""
    requests = {record.number: record for record in desk.ledger.requests.list()}
    return tuple(
        _promise(
            desk, record, spec_in_force(desk, requests[record.number], record.member), record.node
        )
        for record in desk.ledger.instances.list(cluster=cluster)
        if record.node is not None and record.state not in _REPLACEABLE
    )


def _promise(desk: Desk, record: InstanceRecord, spec: WorkloadSpec, node: str) -> Promise:
    vm = kind_of(spec, record.member)
    service_class = desk.site.catalogue.service_classes.get(spec.service_class)
    return Promise(
        key=record.key,
        vmid=record.vmid,
        node=node,
        cores=vm.cpu,
        memory=vm.memory,
        disks=tuple(
            DiskDemand(record.storages[disk.name], disk.size, disk.protect) for disk in vm.disks
        ),
        targets=record.targets,
        ha=service_class is None or service_class.ha,  # a class that is gone may have promised it
        apart=apart_group(spec, vm),
    )


def spec_in_force(desk: Desk, request: RequestRecord, member: str) -> WorkloadSpec:
    """What a member is made by now: a change once it was begun; of a member that a change took
    away, and that is not gone yet, the last revision that had it."""
    for spec in (request.as_begun.spec, request.spec):
        if _kind_in(spec, member) is not None:
            return spec
    for revision in range(request.revision - 1, 0, -1):
        spec = desk.ledger.requests.spec(request.number, revision)
        if _kind_in(spec, member) is not None:
            return spec
    return request.spec


def kind_of(spec: WorkloadSpec, member: str) -> VmSpec:
    """The kind of VM that `db-1` is one of. Raises Refused `workload.member`."""
    found = _kind_in(spec, member)
    if found is None:
        raise Refused("workload.member", key=spec.key, member=member)
    return found


def _kind_in(spec: WorkloadSpec, member: str) -> VmSpec | None:
    return next((vm for vm in spec.vms if member in vm.members), None)


def placed(record: InstanceRecord, state: ClusterState) -> Placed:
    """The place of an instance that may be in PVE: as read, else as recorded."""
    live = state.vms.get(record.vmid)
    node = live.node if live is not None else record.node
    assert node is not None, f"{record.key} is {record.state} without a node"  # noqa: S101
    nodes = (record.node, *record.targets)
    # HA turns the direction round: whoever is not the source is a target.
    targets = tuple(one for one in nodes if one is not None and one != node)
    return Placed(record.key, node, targets[: len(record.targets)], Score(0, 0, 0))


def residences_of(
    records: Collection[InstanceRecord], state: ClusterState
) -> Mapping[str, Residence]:
    """Where instances live that the cluster shows, by key."""
    shown = [record for record in records if record.vmid in state.vms]
    places = [placed(record, state) for record in shown]
    return {
        record.key: Residence(record.vmid, place.node, place.targets)
        for record, place in zip(shown, places, strict=True)
    }


def standing_placement(
    cluster: str, records: Collection[InstanceRecord], state: ClusterState
) -> Placement:
    """Where instances that may be in PVE are, without asking where they could go."""
    return Placement(cluster, tuple(placed(record, state) for record in records), NPlusOne((), ()))


def approved_elsewhere(desk: Desk, but: str, cluster: str) -> tuple[RequestRecord, ...]:
    """Approved requests for this cluster that have no place yet, and those that live there with
    an approved or begun change, as they shall be."""
    return tuple(
        record
        for record in map(_as_approved, desk.ledger.requests.list())
        if record is not None
        and record.key != but
        and record.approval is not None
        and record.approval.offer.get("cluster") == cluster
    )


def _as_approved(record: RequestRecord) -> RequestRecord | None:
    if record.change_approved or record.changing:
        return record.as_proposed
    return record if record.state is RequestState.APPROVED else None
