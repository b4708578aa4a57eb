"""What a cluster looks like when desired VMs stand in it as PVE shows them."""

from collections.abc import Sequence
from dataclasses import replace

from cloudpemda.cluster import (
    BackupJob,
    ClusterState,
    Disk,
    HaFlavour,
    HaResource,
    HaRule,
    ReplicationJob,
    Vm,
    VmConfig,
    VmStatus,
)
from cloudpemda.plan.ha import GROUP, NODE_AFFINITY, affinity_name, ha_rules_for, sid
from cloudpemda.plan.model import DesiredVm
from cloudpemda.plan.pve_config import desired_config
from cloudpemda.units import MiB


def config_of(vm: DesiredVm, **raw: str) -> VmConfig:
    """The configuration of a VM that is as desired; `raw` overrides single keys."""
    said = dict(desired_config(vm))
    said["tags"] = said["tags"].upper().lower()  # PVE's order and case
    said["description"] += "\n"
    said["ide2"] = f"{vm.disks[0].storage}:vm-{vm.identity.vmid}-cloudinit,media=cdrom"
    said["smbios1"] = "uuid=1"
    said |= raw
    return VmConfig(
        digest="d1",
        name=vm.name,
        cores=vm.cores,
        memory=vm.memory,
        disks=tuple(
            Disk(
                disk.slot,
                disk.storage,
                f"{disk.storage}:vm-{vm.identity.vmid}-disk-{number}",
                MiB(disk.size),
                disk.backup,
                disk.replicate,
            )
            for number, disk in enumerate(vm.disks)
        ),
        nics=(),
        tags=vm.tags,
        description=said["description"],
        onboot=True,
        protection=False,
        raw={key: value for key, value in said.items() if value != "<absent>"},
    )


def live_vm(vm: DesiredVm, **raw: str) -> Vm:
    return Vm(
        vmid=vm.identity.vmid,
        node=vm.node,
        name=vm.name,
        status=VmStatus.RUNNING,
        cores=vm.cores,
        memory=vm.memory,
        template=False,
        tags=vm.tags,
        pool=vm.pool,
        lock=None,
        config=config_of(vm, **raw),
    )


def applied(state: ClusterState, vms: Sequence[DesiredVm]) -> ClusterState:
    """The state after an apply that went well."""
    groups = state.ha_flavour is HaFlavour.GROUPS
    managed = [vm for vm in vms if vm.protection.ha]
    backups = {vm.protection.backup for vm in vms if vm.protection.backup is not None}
    return replace(
        state,
        vms={**state.vms, **{vm.identity.vmid: live_vm(vm) for vm in vms}},
        pools=state.pools | {vm.pool for vm in vms},
        ha_resources={
            sid(vm.identity.vmid): HaResource(
                sid(vm.identity.vmid),
                "started",
                "started",
                vm.node,
                affinity_name(vm.identity.vmid) if groups and vm.protection.ha_nodes else None,
            )
            for vm in managed
        },
        ha_rules=tuple(
            HaRule(
                name=rule.name,
                kind=rule.kind,
                resources=frozenset() if rule.kind == GROUP else rule.resources,
                nodes=dict.fromkeys(rule.nodes, 0),
                strict=rule.kind in {GROUP, NODE_AFFINITY},
                positive=None if rule.nodes else False,
                enabled=True,
            )
            for rule in ha_rules_for(vms, state.ha_flavour)
        ),
        replication_jobs=tuple(
            ReplicationJob(
                f"{vm.identity.vmid}-{number}",
                vm.identity.vmid,
                job.target,
                job.schedule,
                True,
                False,
            )
            for vm in vms
            for number, job in enumerate(vm.protection.replication)
        ),
        backup_jobs=tuple(
            BackupJob(
                id=backup.job,
                enabled=True,
                storage=backup.storage,
                schedule=backup.schedule,
                vmids=frozenset(vm.identity.vmid for vm in vms if vm.protection.backup == backup),
                all=False,
                pool=None,
                comment="",
                prune=backup.prune,
            )
            for backup in sorted(backups, key=lambda backup: backup.job)
        ),
    )


def with_vm(state: ClusterState, vm: Vm) -> ClusterState:
    return replace(state, vms={**state.vms, vm.vmid: vm})
