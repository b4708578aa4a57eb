"""What no plan says of a cluster: VMs that nobody owns, second copies of ours, no quorum."""

from collections.abc import Collection, Iterator

from cloudpemda.cluster import ClusterState, Vm, VmStatus
from cloudpemda.errors import Fault
from cloudpemda.ledger import InstanceRecord, InstanceState
from cloudpemda.plan.desire import TAG
from cloudpemda.plan.diff import stamp
from cloudpemda.report.standing import Finding

_NOT_THERE = frozenset({InstanceState.PLANNED, InstanceState.FAILED, InstanceState.PURGED})


def owned(cluster: str, records: Collection[InstanceRecord]) -> frozenset[int]:
    """The VMIDs on a cluster under which the ledger may have a VM."""
    return frozenset(
        record.vmid
        for record in records
        if record.cluster == cluster and record.state not in _NOT_THERE
    )


def is_stray(vm: Vm, owned_here: Collection[int]) -> bool:
    """Whether a VM calls itself ours under a VMID that the ledger gave to none of ours."""
    return TAG in vm.tags and vm.vmid not in owned_here


def strangers(state: ClusterState, records: Collection[InstanceRecord]) -> Iterator[Finding]:
    """Second copies of our VMs, and VMs with our tag that the ledger does not know.

    `records` are all that the ledger has, `state` was read with the configurations of strays. A
    copy has the addresses of the original and may write where it writes, whatever its role says.
    """
    by_uid = {record.uid: record for record in records}
    ours = owned(state.name, records)
    for vmid, vm in sorted(state.vms.items()):
        said = {} if vm.config is None else stamp(vm.config)
        record = by_uid.get(said.get("uid", ""))
        values = {"vmid": vmid, "cluster": state.name, "node": vm.node}
        if record is not None and (record.cluster, record.vmid) != (state.name, vmid):
            values |= {"vm": record.key, "uid": record.uid, "role": said.get("role", "-")}
            values |= {"own": f"{record.cluster}/{record.vmid}"}
            yield Finding(record.opd, Fault("survey.copy", values))
        elif record is None and is_stray(vm, ours) and (said or not vm.template):
            values |= {"uid": said.get("uid", "-")}
            yield Finding(None, Fault("survey.nobody", values))


def oddities(state: ClusterState, records: Collection[InstanceRecord]) -> Iterator[Finding]:
    """No quorum, and of each of these instances what is configured but not in effect."""
    if not state.quorate:
        yield Finding(None, Fault("survey.no-quorum", {"cluster": state.name}))
    for record in records:
        vm = state.vms.get(record.vmid)
        if vm is None or vm.config is None or vm.status is not VmStatus.RUNNING:
            continue
        # PVE's status tells what a process runs with, `config` what is written for its next start
        for key, runs, shall in (
            ("cores", vm.cores, vm.config.cores),
            ("memory", vm.memory, vm.config.memory),
        ):
            if runs != shall:
                values = {"vm": record.key, "key": key, "runs": runs, "shall": shall}
                yield Finding(record.opd, Fault("survey.pending", values))
