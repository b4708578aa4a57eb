"""Settle: what a change made smaller is free once PVE runs without it.

Until then a VM is charged the larger of what it was and what it shall be. Apply settles what it
has changed, the night whatever was restarted since; nothing is read where nothing waits.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from cloudpemda.cluster import ClusterState
from cloudpemda.errors import CloudpemdaError, Unreachable
from cloudpemda.ledger import (
    Actor,
    InstanceRecord,
    InstanceState,
    ProposalState,
    RequestRecord,
    RequestState,
)
from cloudpemda.plan.diff import examine
from cloudpemda.plan.model import Aspect, DesiredVm, PlannedVm
from cloudpemda.plan.restart import behind
from cloudpemda.request.spec import NicSpec, VmSpec
from cloudpemda.rules.quota import MEMORY, VCPU, Balance
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.plan import desired_of, keys_made
from cloudpemda.usecases.workload import Workload, standing_placement

_MOVED_ON = frozenset({ProposalState.APPROVED, ProposalState.APPLYING})
_OPEN_ASPECTS = frozenset(
    {Aspect.CONFIG, Aspect.DISKS, Aspect.FLAGS, Aspect.REPLICATION, Aspect.BACKUP}
)
"""What of a plan says that PVE has not done all of a change yet."""


@dataclass(frozen=True)
class _Waiting:
    """One VM that is charged, or has addresses, for more than it shall have."""

    workload: Workload
    instance: InstanceRecord
    kind: VmSpec


def settle(desk: Desk, actor: Actor, keys: Collection[str] | None = None) -> tuple[str, ...]:
    """Charge what runs smaller by what it uses, of these requests or of all; answers with the VMs
    that were settled. What cannot be read now is left for the next time."""
    waiting = tuple(_waiting(desk, keys))
    settled: list[str] = []
    for cluster in sorted({one.instance.cluster for one in waiting}):
        own = [one for one in waiting if one.instance.cluster == cluster]
        try:
            state = desk.cluster(cluster).snapshot({one.instance.vmid for one in own}, images=False)
        except Unreachable:
            continue
        for number in sorted({one.instance.number for one in own}):
            these = [one for one in own if one.instance.number == number]
            settled += _settle(desk, actor, state, these)
    return tuple(settled)


def running_behind(desk: Desk, vm: DesiredVm, node: str) -> tuple[str, ...]:
    """The keys that the VM takes over only when it is started anew."""
    pve = desk.cluster(vm.identity.cluster)
    return behind(pve.config(node, vm.identity.vmid, current=True), vm)


def _waiting(desk: Desk, keys: Collection[str] | None) -> Iterator[_Waiting]:
    changed = [
        record
        for record in desk.ledger.requests.list()
        if (keys is None or record.key in keys) and _was_changed(record)
    ]
    if not changed:
        return
    charges = desk.ledger.quota.by_instance({record.opd for record in changed})
    for record in changed:
        try:
            yield from _of_request(desk, record, charges)
        except CloudpemdaError:  # the site has lost what it needs: a plan says so
            continue


def _was_changed(record: RequestRecord) -> bool:
    proposal = record.proposal
    moved_on = proposal is None or proposal.state in _MOVED_ON
    return record.state is RequestState.ACTIVE and not moved_on


def _of_request(
    desk: Desk, record: RequestRecord, charges: Mapping[str, Mapping[str, Balance]]
) -> Iterator[_Waiting]:
    members = {member: vm for vm in record.spec.vms for member in vm.members}
    for instance in desk.ledger.instances.list(workload=record.key):
        if instance.member not in members or instance.state is not InstanceState.ACTIVE:
            continue
        workload = Workload(desk, record, instance.cluster)
        usage = workload.usage[instance.member]
        charged = charges.get(instance.key, {})
        more = any(one.committed > usage.get(name, 0) for name, one in charged.items())
        kind = members[instance.member]
        wanted = {nic.network: nic.public_ip for nic in kind.networks}
        cards = any(
            nic.network not in wanted
            or (nic.public_address is not None and not wanted[nic.network])
            for nic in instance.nics
        )
        if more or cards:
            yield _Waiting(workload, instance, kind)


def _settle(
    desk: Desk, actor: Actor, state: ClusterState, waiting: Collection[_Waiting]
) -> Iterator[str]:
    """The VMs of one request."""
    workload = next(iter(waiting)).workload
    instances = desk.ledger.instances.list(workload=workload.record.key)
    members = set(workload.usage)
    own = [one for one in instances if one.member in members]
    placement = standing_placement(state.name, own, state)
    known = {one.instance.key: one for one in waiting}
    try:
        desired = desired_of(workload, state, own, placement)
    except CloudpemdaError:
        return
    these = [vm for vm in desired if vm.key in known]
    judged, _ = examine(these, state, keys_made(own))
    for planned in judged:
        one = known[planned.desired.key]
        try:
            if _is_done(planned, state) and _lower(desk, actor, one, planned.desired, state):
                yield one.instance.key
        except Unreachable:
            continue


def _is_done(planned: PlannedVm, state: ClusterState) -> bool:
    """Whether PVE has nothing left to do of what the change asked for."""
    vmid = planned.desired.identity.vmid
    removing = any(job.vmid == vmid and job.removing for job in state.replication_jobs)
    return not removing and not any(one.aspect in _OPEN_ASPECTS for one in planned.differences)


def _lower(desk: Desk, actor: Actor, one: _Waiting, vm: DesiredVm, state: ClusterState) -> bool:
    """Charge it by what runs, and free the addresses of cards that are gone."""
    instance = one.instance
    live = state.vms[instance.vmid]
    assert live.config is not None  # noqa: S101 - it was judged by it
    current = desk.cluster(state.name).config(live.node, instance.vmid, current=True)
    usage = {
        **one.workload.usage[instance.member],
        VCPU: max(one.kind.cpu, current.cores),
        MEMORY: max(one.kind.memory, current.memory),
    }
    attached = {disk.volume for disk in (*live.config.disks, *current.disks)}
    detached: list[str] = []
    for aside in desk.ledger.asides.list(uids=[instance.uid]):
        if aside.since is None and aside.volume in attached:
            # the guest has not let go of it yet: it is charged as before
            usage[aside.dimension] = usage.get(aside.dimension, 0) + aside.amount
        elif aside.since is None:
            detached.append(aside.volume)
    plugged = {nic.slot for nic in current.nics}
    wanted = {nic.network for nic in one.kind.networks}
    kept = (
        *one.kind.networks,
        *(
            NicSpec(nic.network, nic.public_address is not None)
            for nic in instance.nics
            if nic.network not in wanted and f"net{nic.slot}" in plugged
        ),
    )
    less = desk.ledger.changes.settle(
        instance.uid, usage=usage, networks=kept, detached=detached, actor=actor
    )
    return less is not None
