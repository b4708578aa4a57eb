"""How grave each deviation is, who puts it right, and what belongs to nobody."""

from dataclasses import replace
from typing import Any

import pytest

from cloudpemda.cluster import (
    BackupJob,
    ClusterState,
    Disk,
    HaResource,
    HaRule,
    NodeStatus,
    ReplicationJob,
    Vm,
    VmStatus,
)
from cloudpemda.errors import Fault
from cloudpemda.ledger import InstanceRecord
from cloudpemda.messages import explain
from cloudpemda.plan.ha import NODE_AFFINITY, affinity_name
from cloudpemda.report.drift import Deviation, compare, overage_of, pending
from cloudpemda.report.nobodys import Known, Territory, intruders, jobs, unowned
from cloudpemda.units import MiB
from tests.clusters.load import cluster
from tests.plan.live import applied, live_vm, with_vm
from tests.plan.values import desired
from tests.report.test_oddities import RECORD
from tests.rules.makers import service_class
from tests.rules.makers import vm as spec_vm

VMS = (desired(1), desired(2))
STATE = applied(cluster("three-nodes-empty"), VMS)
ONE = VMS[0]
MADE = frozenset(one.key for one in VMS)


def told(state: ClusterState, **overage: int) -> dict[str, tuple[str, str]]:
    """What differs of the first VM → class and remedy."""
    found, errors = compare("dinkes/simrs", VMS, state, MADE, {ONE.key: overage})
    assert errors == {}
    for one in found[ONE.key]:
        if one.fault is not None:
            readable(one.fault)
    return {one.what: (one.drift.value, one.remedy.value) for one in found[ONE.key]}


def readable(fault: Fault) -> None:
    for texts in (explain(fault.code, "en", fault.values), explain(fault.code, "id", fault.values)):
        assert all(texts)
        assert "?" not in "".join(texts)


def here(live: Vm) -> ClusterState:
    return with_vm(STATE, live)


def test_what_is_as_approved_differs_in_nothing() -> None:
    assert told(STATE) == {}


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("tags", "other", "harmless"),
        ("name", "other", "harmless"),
        ("balloon", "512", "harmless"),
        ("onboot", "0", "unprotected"),
        ("net0", "virtio=BC:24:11:00:00:01,bridge=vmbr9,firewall=1,tag=110", "security"),
        ("net0", "virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=0,tag=110", "security"),
        ("net7", "virtio=BC:24:11:00:00:09,bridge=vmbr0", "security"),
        ("ipconfig0", "ip=10.10.110.99/24", "security"),
        ("ciuser", "root", "security"),
        ("sshkeys", "ssh-ed25519%20BBBB", "security"),
        ("cipassword", "**********", "security"),
        ("cicustom", "user=local:snippets/x.yaml", "security"),
        ("hookscript", "local:snippets/x.pl", "security"),
        ("nameserver", "192.0.2.66", "security"),
        ("protection", "1", "security"),
    ],
)
def test_a_key_of_the_configuration_has_a_class(key: str, value: str, kind: str) -> None:
    assert told(here(live_vm(ONE, **{key: value}))) == {f"config: {key}": (kind, "apply")}


def test_more_cores_are_over_quota_and_fewer_are_harmless() -> None:
    grown = here(live_vm(ONE, cores="8"))
    assert told(grown, vcpu=4) == {"config: cores": ("over-quota", "apply")}
    assert told(here(live_vm(ONE, cores="2"))) == {"config: cores": ("harmless", "apply")}


def test_what_a_person_must_do_hides_nothing_else() -> None:
    there = live_vm(ONE, args="-S", ciuser="root")
    assert there.config is not None
    root, data = there.config.disks
    mine = Disk("scsi5", "local-zfs", "local-zfs:vm-10001-disk-5", MiB(1024))
    disks = (replace(root, size=MiB(root.size + 1024), backup=False), mine)
    state = here(replace(there, config=replace(there.config, disks=disks)))
    assert told(state) == {
        "config: args": ("security", "person"),
        "config: ciuser": ("security", "apply"),
        "disks: scsi1": ("unprotected", "person"),
        "disks: scsi0.size": ("over-quota", "person"),
        "flags: scsi0.backup": ("unprotected", "apply"),
        "disks: scsi5": ("over-quota", "person"),
    }
    assert data.slot == "scsi1"


def test_a_disk_of_another_vm_is_a_matter_of_security() -> None:
    there = live_vm(ONE)
    assert there.config is not None
    root, data = there.config.disks
    lent = replace(data, volume="local-zfs:vm-10002-disk-1")
    state = here(replace(there, config=replace(there.config, disks=(root, lent))))
    assert told(state) == {"disks: scsi1": ("security", "person")}


def test_protection_that_is_gone_is_named_with_what_is_not() -> None:
    other = replace(STATE.replication_jobs[1], id="10001-9", vmid=10001, target="pve2")
    state = replace(
        here(replace(live_vm(ONE), status=VmStatus.STOPPED, pool="other")),
        ha_resources={},
        replication_jobs=(other, *STATE.replication_jobs[1:]),
        backup_jobs=(),
    )
    assert told(state) == {
        "pool: member": ("security", "apply"),
        "start: status": ("unprotected", "apply"),
        "ha: resource": ("unprotected", "apply"),
        "replication: pve3": ("unprotected", "apply"),
        "replication: 10001-9": ("over-quota", "apply"),
        "backup: cloudpemda-critical": ("unprotected", "apply"),
    }


def test_a_vm_that_ha_moved_inside_its_rule_is_no_drift_and_outside_of_it_is() -> None:
    moved = here(replace(live_vm(ONE), node="pve3"))
    assert told(moved) == {}
    away = told(here(replace(live_vm(ONE), node="pve2")))
    assert away["node"] == ("harmless", "person")


def test_another_vm_under_the_vmid_and_one_that_is_gone() -> None:
    foreign = live_vm(ONE, description="mine")
    assert told(here(foreign)) == {"vm: uid": ("security", "person")}
    others = {vmid: vm for vmid, vm in STATE.vms.items() if vmid != 10001}
    assert told(replace(STATE, vms=others)) == {"vm": ("unprotected", "person")}


def test_what_was_not_read_is_no_deviation_and_hides_no_other() -> None:
    unread = replace(live_vm(ONE), config=None, status=VmStatus.UNKNOWN)
    found, errors = compare("dinkes/simrs", VMS, here(unread), MADE, {})
    assert set(errors) == {ONE.key}
    assert dict(found) == {VMS[1].key: ()}
    (name, node), *_ = STATE.nodes.items()
    lost = {**STATE.nodes, name: replace(node, status=NodeStatus.UNKNOWN)}
    others = {vmid: vm for vmid, vm in STATE.vms.items() if vmid != 10001}
    _, errors = compare("dinkes/simrs", VMS, replace(STATE, vms=others, nodes=lost), MADE, {})
    assert ONE.key in errors


def test_what_waits_for_a_restart_is_harmless_and_a_persons() -> None:
    state = here(replace(live_vm(ONE), memory=MiB(4096)))
    ((key, one),) = pending(state, [RECORD])
    assert (key, one.what, one.drift, one.remedy) == (
        ONE.key, "pending: memory", "harmless", "person",
    )  # fmt: skip


# -- what is used beyond what was approved -----------------------------------------------------
def usage(config: dict[str, Any], **classes: str) -> dict[str, int]:
    there = live_vm(ONE)
    assert there.config is not None
    root = replace(there.config.disks[0], size=MiB(10240))
    whole = {"disks": (root,), **config}
    live = replace(there, config=replace(there.config, **whole))
    made = spec_vm(cpu=4, memory=8192)
    known = {"ssd": "local-zfs", **classes}
    alone = replace(STATE, replication_jobs=())
    return dict(overage_of(alone, live, made, service_class(), known))


def test_overage_is_what_grew_in_each_dimension() -> None:
    assert usage({}) == {}
    assert usage({"cores": 6, "memory": 4096}) == {"vcpu": 2}
    extra = Disk("scsi5", "tank", "tank:vm-10001-disk-5", MiB(1024))
    root = Disk("scsi0", "local-zfs", "local-zfs:vm-10001-disk-0", MiB(10240))
    assert usage({"disks": (root, extra)}, hdd="tank") == {"disk.hdd": 1024}
    assert usage({"disks": (root, extra)}) == {"disk.tank": 1024}


def test_classes_on_one_storage_are_one() -> None:
    assert usage({}, nvme="local-zfs") == {}


def test_copies_that_nobody_asked_for_are_overage() -> None:
    job = ReplicationJob("10001-0", 10001, "pve3", "*/15", True, False)
    state = replace(STATE, replication_jobs=(job,))
    there = live_vm(ONE)
    assert there.config is not None
    root = replace(there.config.disks[0], size=MiB(10240))
    live = replace(there, config=replace(there.config, disks=(root,)))
    made = spec_vm(cpu=4, memory=8192)
    more = overage_of(state, live, made, service_class(), {"ssd": "local-zfs"})
    assert dict(more) == {"disk.ssd": 10240}


# -- what belongs to nobody --------------------------------------------------------------------
SECOND = replace(
    RECORD, uid=VMS[1].identity.uid, key=VMS[1].key, member="db-2", vmid=10002, name=VMS[1].name
)


def known(*records: InstanceRecord) -> Known:
    return Known(
        records=records or (RECORD, SECOND),
        judged=VMS,
        territories={"dinkes": Territory("opd-dinkes", range(10000, 11000))},
        jobs=frozenset({"cloudpemda-critical"}),
    )


def codes(state: ClusterState) -> list[tuple[str, str | None]]:
    found = [*intruders(state, known()), *jobs(state, known())]
    for one in found:
        readable(one.fault)
    return [(one.fault.code.removeprefix("drift."), one.opd) for one in found]


def stranger(vmid: int, **changes: Any) -> Vm:
    return replace(live_vm(ONE), vmid=vmid, config=None, **{"pool": None, **changes})


def test_what_was_made_belongs_to_somebody() -> None:
    assert codes(STATE) == []
    assert unowned(STATE, known()) == ()


def test_guests_in_our_places_are_intruders_and_others_are_listed() -> None:
    state = with_vm(STATE, stranger(700))
    state = with_vm(state, stranger(701, pool="opd-dinkes", container=True))
    state = with_vm(with_vm(state, stranger(10009)), stranger(702, template=True))
    assert [one.vmid for one in unowned(state, known())] == [700, 701, 10009]
    assert codes(state) == [("pool-stranger", "dinkes"), ("vmid-stranger", "dinkes")]


def backup(name: str, *vmids: int, pool: str | None = None) -> BackupJob:
    return BackupJob(name, True, "pbs-dc", "04:00", frozenset(vmids), False, pool, "")


def test_backup_jobs_that_nobody_asked_for() -> None:
    own = replace(STATE.backup_jobs[0], vmids=STATE.backup_jobs[0].vmids | {77})
    for job, code in (
        (backup("mine", 10001, 5), [("backup-job", "dinkes")]),
        (backup("mine", 5), []),
        (backup("mine", pool="opd-dinkes"), [("backup-job", "dinkes")]),
        (backup("cloudpemda-gold"), [("backup-leftover", None)]),
    ):
        assert codes(replace(STATE, backup_jobs=(*STATE.backup_jobs, job))) == code
    assert codes(replace(STATE, backup_jobs=(own,))) == [("backup-stranger", None)]


def rule(name: str, *resources: str) -> HaRule:
    return HaRule(name, NODE_AFFINITY, frozenset(resources), {"pve1": 0}, True, None, True)


def test_rules_that_no_workload_asks_for() -> None:
    def with_rule(one: HaRule) -> list[tuple[str, str | None]]:
        return codes(replace(STATE, ha_rules=(*STATE.ha_rules, one)))

    assert with_rule(rule("mine", "vm:10001")) == [("ha-rule", "dinkes")]
    assert with_rule(rule("mine", "vm:5")) == []
    assert with_rule(rule("cloudpemda-10500", "vm:10500")) == [("ha-rule", None)]
    assert with_rule(rule(affinity_name(10001), "vm:10001")) == [], "told with its VM"


def test_the_rules_of_what_was_not_compared_are_not_judged() -> None:
    state = replace(STATE, ha_rules=(rule("cloudpemda-10003"), rule("cloudpemda-apart-dinkes_x_y")))
    third = replace(RECORD, uid="u3", key="dinkes/x/y-1", vmid=10003)
    assert list(jobs(state, known(RECORD, SECOND, third))) == []
    assert len(list(jobs(state, known()))) == 2


def test_jobs_of_guests_that_are_gone_are_told_only_where_all_was_read() -> None:
    gone = HaResource("vm:500", "started", "started", "pve1")
    job = ReplicationJob("501-0", 501, "pve2", "*/15", True, False)
    state = replace(
        STATE,
        ha_resources={**STATE.ha_resources, gone.sid: gone},
        replication_jobs=(*STATE.replication_jobs, job, replace(job, vmid=502, removing=True)),
    )
    assert codes(state) == [("ha-leftover", None), ("replication-leftover", None)]
    (name, node), *_ = state.nodes.items()
    lost = {**state.nodes, name: replace(node, status=NodeStatus.OFFLINE)}
    assert codes(replace(state, nodes=lost)) == []


def test_the_gravest_stands_first() -> None:
    state = here(live_vm(ONE, tags="x", onboot="0", ciuser="root"))
    found, _ = compare("dinkes/simrs", VMS, state, MADE, {})
    order: list[Deviation] = list(found[ONE.key])
    assert [one.drift for one in order] == ["security", "unprotected", "harmless"]
