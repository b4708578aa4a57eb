"""Desired against live: what would change, and the digest of what was seen.

Unknown is not absent: what could not be read raises Unreachable, and is never planned as new. A VM
whose description does not carry our uid is never planned to be changed.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType

from cloudpemda.cluster import (
    BackupJob,
    ClusterState,
    Disk,
    HaFlavour,
    HaResource,
    NodeStatus,
    ReplicationJob,
    Vm,
    VmConfig,
    VmStatus,
)
from cloudpemda.errors import CloudpemdaError, Refused, Unreachable
from cloudpemda.plan import firewall
from cloudpemda.plan.byhand import check_by_hand
from cloudpemda.plan.ha import (
    WantedRule,
    affinity_name,
    ha_rules_for,
    is_apart_name,
    requested_states,
    sid,
)
from cloudpemda.plan.model import (
    Aspect,
    DesiredDisk,
    DesiredVm,
    Difference,
    Identity,
    Plan,
    PlannedVm,
    bounded,
)
from cloudpemda.plan.pve_config import (
    CLOUD_INIT_SLOT,
    backup_job_changes,
    desired_config,
    flag_changes,
    is_own_job,
    same_value,
    unwanted,
)
from cloudpemda.units import show_size

HALF_MADE = frozenset({"create", "clone"})


def diff(
    workload: str,
    desired: Sequence[DesiredVm],
    live: ClusterState,
    reasons: Mapping[str, str],
    made: Collection[str] = (),
) -> Plan:
    """The plan from `live` (read with the configurations of these VMs) to `desired`.

    `reasons` says by key why placement chose the node; `made` names the instances that are known
    to have been created. Raises Unreachable (`plan.unknown`) for what could not be read; Refused
    (`plan.vanished`) where a VM that was made is not there any more, (`plan.identity`) where
    another one is under its VMID, (`plan.vmid-taken`) where that happened before it was made,
    (`plan.shrink`, `plan.disk-in-snapshot`) for a disk, for a VM that was made what only a person
    may put right (`check_by_hand`), and what `firewall.differences` refuses.
    """
    planned = differing(desired, live, made, reasons)
    return Plan(workload, live.name, planned, basis_digest(desired, live))


def differing(
    desired: Sequence[DesiredVm],
    live: ClusterState,
    made: Collection[str] = (),
    reasons: Mapping[str, str] = MappingProxyType({}),
) -> tuple[PlannedVm, ...]:
    """What differs of each VM, for whoever applies nothing: a plan without the digest of what it
    rests on. Raises as `diff`."""
    rules = ha_rules_for(desired, live.ha_flavour)
    planned = []
    for vm in desired:
        present = standing(vm, live, frozenset(made))
        config = None if present is None else present.config
        if config is not None and vm.key in made:
            check_by_hand(vm, config)
        differences = (
            *_pool(vm, present, live),
            *_creation(vm, present),
            *_config(vm, config),
            *_disks(vm, config),
            *firewall_differences(vm, present, live),
            *_power(vm, present),
            *_ha(vm, live, rules),
            *_replication(vm, present, live),
            *_backup(vm, live),
        )
        shown = tuple(replace(one, live=bounded(one.live)) for one in differences)
        planned.append(PlannedVm(vm, shown, reasons.get(vm.key, "")))
    return tuple(planned)


def examine(
    desired: Sequence[DesiredVm], live: ClusterState, made: Collection[str]
) -> tuple[tuple[PlannedVm, ...], Mapping[str, CloudpemdaError]]:
    """What differs of the VMs that can be judged, and by key why the others cannot: the trouble of
    one VM hides no other."""
    with suppress(Refused, Unreachable):  # most nights everything can be
        return differing(desired, live, made), {}
    errors: dict[str, CloudpemdaError] = {}
    judged: list[DesiredVm] = []
    for vm in desired:
        try:
            differing((vm,), live, made)
        except (Refused, Unreachable) as error:
            errors[vm.key] = error
        else:
            judged.append(vm)
    # once more all together: the rules that keep VMs apart concern several
    planned = differing(judged, live, made)
    return (silent_on_apartness(planned) if errors else planned), errors


def silent_on_apartness(planned: Sequence[PlannedVm]) -> tuple[PlannedVm, ...]:
    """What differs of some VMs of a workload but for the rules that keep them apart: those concern
    the ones that could not be judged, too."""

    def concerns_others(one: Difference) -> bool:
        return one.aspect is Aspect.HA and is_apart_name(one.key)

    return tuple(
        replace(vm, differences=tuple(d for d in vm.differences if not concerns_others(d)))
        for vm in planned
    )


def carries(config: VmConfig, identity: Identity) -> bool:
    """Whether a VM's description is stamped with this uid and role (`DesiredVm.description`)."""
    said = stamp(config)
    return said.get("uid") == identity.uid and said.get("role") == identity.role


def stamp(config: VmConfig) -> Mapping[str, str]:
    """What a VM's description says of itself: `uid`, `role`, `instance`; empty for a VM that
    cloudpemda did not stamp. Anybody may have written it, at any length."""
    first = config.description.partition("\n")[0].split()
    if first[:1] != ["cloudpemda"]:
        return {}
    parts = (word.partition("=") for word in first[1:])
    return {bounded(key): bounded(value) for key, _, value in parts}


def being_made(config: VmConfig) -> bool:
    """Whether a VM is on its way and PVE does not show its description yet: whose it is cannot be
    said before its making has ended."""
    return config.raw.get("lock") in HALF_MADE and not config.description


def plan_to_data(plan: Plan) -> dict[str, object]:
    """The plan, JSON-ready, with its digest."""
    return {
        "workload": plan.workload,
        "cluster": plan.cluster,
        "settled": plan.settled,
        "basis": plan.basis,
        "digest": plan.digest,
        "vms": [
            {
                "vm": vm.desired.key,
                "name": vm.desired.name,
                "vmid": vm.desired.identity.vmid,
                "uid": vm.desired.identity.uid,
                "node": vm.desired.node,
                "replicas": [job.target for job in vm.desired.protection.replication],
                "reason": vm.reason,
                "settled": vm.settled,
                "differences": [
                    {
                        "aspect": difference.aspect.value,
                        "key": difference.key,
                        "live": difference.live,
                        "desired": difference.desired,
                    }
                    for difference in vm.differences
                ],
            }
            for vm in plan.vms
        ],
    }


# -- what is there ---------------------------------------------------------------------------
def standing(vm: DesiredVm, live: ClusterState, made: Collection[str]) -> Vm | None:
    """The VM as it was read; None where it is not made yet. Raises as `diff` does for one that is
    gone, is somebody else's, or could not be read."""
    if vm.identity.cluster != live.name:
        raise ValueError(f"{vm.key} belongs to cluster {vm.identity.cluster}, not {live.name}")
    there = live.vms.get(vm.identity.vmid)
    if there is None:
        unread = [n.name for n in live.nodes.values() if n.status is NodeStatus.UNKNOWN]
        if not live.quorate:
            raise _unknown(vm, live, "no quorum")
        if unread:
            raise _unknown(vm, live, ", ".join(sorted(unread)))
        if vm.key in made:
            # Made anew it would be empty under its old name, and its backups would be pruned for
            # those of an empty disk. A token that lost VM.Audit sees the same.
            raise Refused("plan.vanished", vm=vm.key, vmid=vm.identity.vmid, cluster=live.name)
        return None
    config = _readable(vm, there, live)
    if carries(config, vm.identity) or being_made(config):
        return there
    raise Refused(
        "plan.identity" if vm.key in made else "plan.vmid-taken",
        vm=vm.key,
        vmid=vm.identity.vmid,
        cluster=live.name,
        found=stamp(config).get("uid", "-"),
    )


def _readable(vm: DesiredVm, there: Vm, live: ClusterState) -> VmConfig:
    node = live.nodes.get(there.node)
    if node is None or not node.answers or there.config is None:
        raise _unknown(vm, live, there.node)
    return there.config


def _unknown(vm: DesiredVm, live: ClusterState, what: str) -> Unreachable:
    return Unreachable(
        "plan.unknown", vm=vm.key, vmid=vm.identity.vmid, cluster=live.name, what=what
    )


# -- what differs ----------------------------------------------------------------------------
def _pool(vm: DesiredVm, present: Vm | None, live: ClusterState) -> Iterator[Difference]:
    if vm.pool not in live.pools:
        yield Difference(Aspect.POOL, "pool", "", vm.pool)
    elif present is not None and present.pool != vm.pool:
        yield Difference(Aspect.POOL, "member", present.pool or "", vm.pool)


def _creation(vm: DesiredVm, present: Vm | None) -> Iterator[Difference]:
    if present is None:
        yield Difference(Aspect.CREATE, "vm", "", f"{vm.node}/{vm.identity.vmid}")
    elif present.lock in HALF_MADE:
        yield Difference(Aspect.CREATE, "lock", present.lock or "", "")


def _config(vm: DesiredVm, config: VmConfig | None) -> Iterator[Difference]:
    raw: Mapping[str, str] = {} if config is None else config.raw
    for key, value in desired_config(vm).items():
        there = raw.get(key, "")
        if not same_value(key, there, value):
            yield Difference(Aspect.CONFIG, key, there, value)
    leaves = {disk.slot for disk in vm.leaves}
    for key in unwanted(vm, raw):
        if key in leaves:
            continue  # told with the disks
        yield Difference(Aspect.CONFIG, key, raw[key], "")


def _disks(vm: DesiredVm, config: VmConfig | None) -> Iterator[Difference]:
    raw: Mapping[str, str] = {} if config is None else config.raw
    present = {} if config is None else {disk.slot: disk for disk in config.disks}
    for disk in vm.disks:
        there = present.get(disk.slot)
        if there is None:
            wanted = disk.kept or f"{disk.storage} {show_size(disk.size)}"
            yield Difference(Aspect.DISKS, disk.slot, "", wanted)
        else:
            yield from _disk(vm, disk, there, in_snapshot="parent" in raw)
    for leaving in vm.leaves:
        if leaving.slot in present:
            yield Difference(Aspect.DISKS, leaving.slot, present[leaving.slot].volume, "")
    cloud_init = raw.get(CLOUD_INIT_SLOT, "")
    # one that was found has cloud-init or not, as it was found
    if vm.found is None and "cloudinit" not in cloud_init:
        yield Difference(Aspect.DISKS, CLOUD_INIT_SLOT, cloud_init, "cloudinit")


def _disk(
    vm: DesiredVm, disk: DesiredDisk, there: Disk, *, in_snapshot: bool
) -> Iterator[Difference]:
    """Raises Refused `plan.shrink`, and `plan.disk-in-snapshot`: PVE moves no disk that a
    vm_snapshot holds."""
    live, desired = show_size(there.size), show_size(disk.size)
    if there.size > disk.size:
        raise Refused("plan.shrink", vm=vm.key, disk=disk.name, live=live, desired=desired)
    if there.size < disk.size:
        yield Difference(Aspect.DISKS, f"{disk.slot}.size", live, desired)
    if there.storage != disk.storage:
        if in_snapshot:
            values = {"vm": vm.key, "disk": disk.name, "storage": disk.storage}
            raise Refused("plan.disk-in-snapshot", **values)
        yield Difference(Aspect.DISKS, f"{disk.slot}.storage", there.storage, disk.storage)
    for flag, is_set, wish in flag_changes(vm, disk, there):
        yield Difference(Aspect.FLAGS, f"{disk.slot}.{flag}", str(int(is_set)), str(int(wish)))


def firewall_differences(
    vm: DesiredVm, present: Vm | None, live: ClusterState
) -> Iterator[Difference]:
    """`firewall.differences` of a VM as it was read, its NICs included."""
    node = None if present is None else present.node
    config = None if present is None else present.config
    if vm.firewall is not None and vm.found is not None and config is not None:
        firewall.require_switches(vm, config)
    return firewall.differences(vm, node, live.firewall, live.name)


def _power(vm: DesiredVm, present: Vm | None) -> Iterator[Difference]:
    if not vm.running:
        return  # one that runs all the same is left alone: the night tells of it
    # a VM made seconds ago has no status yet: PVE's statistics come every ten seconds
    if present is None or present.status is VmStatus.STOPPED:
        yield Difference(Aspect.START, "status", "" if present is None else "stopped", "running")


def _ha(vm: DesiredVm, live: ClusterState, rules: Sequence[WantedRule]) -> Iterator[Difference]:
    name, affinity = sid(vm.identity.vmid), affinity_name(vm.identity.vmid)
    resource = live.ha_resources.get(name)
    if not vm.protection.ha:
        if resource is not None:
            yield Difference(Aspect.HA, "resource", resource.requested, "")
        yield from _stale_rules(name, live, affinity, frozenset())
        return
    yield from _ha_resource(vm, resource)
    if live.ha_flavour is HaFlavour.GROUPS:
        wanted = affinity if vm.protection.ha_nodes else ""
        group = "" if resource is None else resource.group or ""
        if group != wanted:
            yield Difference(Aspect.HA, "group", group, wanted)
    yield from _missing_rules(name, live, rules)
    yield from _stale_rules(name, live, affinity, frozenset(rule.name for rule in rules))


def _ha_resource(vm: DesiredVm, resource: HaResource | None) -> Iterator[Difference]:
    wanted_states = requested_states(vm)
    if resource is None or resource.requested not in wanted_states:
        there = "" if resource is None else resource.requested
        yield Difference(Aspect.HA, "resource", there, wanted_states[0])
    elif resource.state == "error":
        yield Difference(Aspect.HA, "state", "error", "started")


def _missing_rules(
    name: str, live: ClusterState, rules: Sequence[WantedRule]
) -> Iterator[Difference]:
    """Rules that shall hold the VM and that are not there, or say otherwise."""
    present = {rule.name: rule for rule in live.ha_rules}
    for rule in rules:
        if name not in rule.resources:
            continue
        found = present.get(rule.name)
        if found is None or not rule.met_by(found):
            state = "" if found is None else (found.errors or "different")
            members = ",".join(sorted(rule.nodes or rule.resources))
            yield Difference(Aspect.HA, rule.name, state, members)


def _stale_rules(
    name: str, live: ClusterState, affinity: str, wanted: frozenset[str]
) -> Iterator[Difference]:
    """Rules and groups of our own names that hold the VM and that it needs no longer."""
    for rule in live.ha_rules:
        own = rule.name == affinity or (is_apart_name(rule.name) and name in rule.resources)
        if own and rule.name not in wanted:
            there = ",".join(sorted(rule.nodes or rule.resources))
            yield Difference(Aspect.HA, rule.name, there, "")


def _replication(vm: DesiredVm, present: Vm | None, live: ClusterState) -> Iterator[Difference]:
    """HA and live migration turn a replication round: the nodes count, not their direction."""
    schedules = {job.target: job.schedule for job in vm.protection.replication}
    node = vm.node if present is None else present.node
    if schedules and node in schedules:
        schedules[vm.node] = schedules.pop(node)
    jobs = {job.target: job for job in _jobs(vm, live)}
    turning = jobs.pop(node, None)  # points at its own node: PVE turns it round at its next run
    for target, schedule in sorted(schedules.items()):
        job = jobs.pop(target, None)
        if job is None:
            job, turning = turning, None
        if job is None:
            yield Difference(Aspect.REPLICATION, target, "", schedule)
        elif not job.enabled or job.schedule != schedule:
            there = job.schedule if job.enabled else "disabled"
            yield Difference(Aspect.REPLICATION, job.id, there, schedule)
    for job in jobs.values():
        yield Difference(Aspect.REPLICATION, job.id, f"{job.target} {job.schedule}", "")


def _jobs(vm: DesiredVm, live: ClusterState) -> list[ReplicationJob]:
    found = [job for job in live.replication_jobs if job.vmid == vm.identity.vmid]
    return [job for job in found if not job.removing]


def _backup(vm: DesiredVm, live: ClusterState) -> Iterator[Difference]:
    wanted = vm.protection.backup
    for one in live.backup_jobs:
        other = wanted is None or one.id != wanted.job
        if other and is_own_job(one.id) and vm.identity.vmid in one.vmids:
            yield Difference(Aspect.BACKUP, one.id, f"{one.storage} {one.schedule}", "")
    if wanted is None:
        return
    job = _job(wanted.job, live)
    if job is None or vm.identity.vmid not in job.vmids:
        yield Difference(Aspect.BACKUP, wanted.job, "", f"{wanted.storage} {wanted.schedule}")
        return
    for key, there, wish in backup_job_changes(job, wanted):
        yield Difference(Aspect.BACKUP, f"{wanted.job}.{key}", there, wish)


def _job(name: str, live: ClusterState) -> BackupJob | None:
    return next((job for job in live.backup_jobs if job.id == name), None)


# -- what was seen ---------------------------------------------------------------------------
def basis_digest(desired: Sequence[DesiredVm], live: ClusterState) -> str:
    """SHA-256 over what the plan rests on: the affected instances as read, and whether the chosen
    nodes may take VMs. Free figures, clocks and other people's VMs are left out."""
    seen = {
        "cluster": live.name,
        "flavour": live.ha_flavour.value,
        "nodes": {
            node: live.nodes[node].status.value if node in live.nodes else "absent"
            for vm in desired
            for node in (vm.node, *(job.target for job in vm.protection.replication))
        },
        "vms": {str(vm.identity.vmid): _seen(vm, live) for vm in desired},
    }
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


def _seen(vm: DesiredVm, live: ClusterState) -> object:
    there = live.vms.get(vm.identity.vmid)
    name = sid(vm.identity.vmid)
    resource = live.ha_resources.get(name)
    names = {rule.name for rule in ha_rules_for([vm], live.ha_flavour)}
    wanted = vm.protection.backup
    job = None if wanted is None else _job(wanted.job, live)
    firewall_ = (
        [] if vm.firewall is None else [str(one) for one in firewall_differences(vm, there, live)]
    )
    return {
        "firewall": firewall_,
        "there": there is not None,
        "node": there.node if there else None,
        "status": there.status.value if there else None,
        "pool": there.pool if there else None,
        "config": there.config.digest if there and there.config else None,
        "ha": [resource.requested, resource.group] if resource else None,
        "rules": [
            [rule.name, sorted(rule.resources), sorted(rule.nodes), rule.enabled]
            for rule in live.ha_rules
            if name in rule.resources or rule.name in names
        ],
        "replication": sorted([j.id, j.target, j.schedule, j.enabled] for j in _jobs(vm, live)),
        "backup": [vm.identity.vmid in job.vmids, *backup_job_changes(job, wanted)]
        if job and wanted
        else None,
    }
