"""Desired against live: what would change, in each way that a cluster can differ."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from cloudpemda.cluster import (
    ClusterState,
    Disk,
    HaFlavour,
    HaRule,
    NodeStatus,
    Vm,
    VmConfig,
    VmStatus,
)
from cloudpemda.errors import Refused, Unreachable
from cloudpemda.plan.diff import basis_digest, diff, examine, plan_to_data
from cloudpemda.plan.model import Aspect, Plan, Protection
from cloudpemda.units import Cores, MiB
from tests.clusters.load import cluster
from tests.plan.live import applied, live_vm, with_vm
from tests.plan.values import desired, readable

VMS = (desired(1), desired(2))
EMPTY = cluster("three-nodes-empty")
DONE = applied(EMPTY, VMS)


def plan(live: ClusterState) -> Plan:
    return diff("dinkes/simrs", VMS, live, {"dinkes/simrs/db-1": "memory=14%"})


def found(live: ClusterState, number: int = 0) -> set[tuple[Aspect, str]]:
    return {(d.aspect, d.key) for d in plan(live).vms[number].differences}


def changed(change: Callable[[Vm], Vm]) -> ClusterState:
    """DONE with another first VM."""
    return with_vm(DONE, change(DONE.vms[10001]))


def config(change: Callable[[VmConfig], VmConfig]) -> ClusterState:
    def within(vm: Vm) -> Vm:
        assert vm.config is not None
        return replace(vm, config=change(vm.config))

    return changed(within)


def raw(**keys: str) -> ClusterState:
    return with_vm(DONE, live_vm(VMS[0], **keys))


def test_what_was_applied_is_settled() -> None:
    assert plan(DONE).settled
    groups = replace(EMPTY, ha_flavour=HaFlavour.GROUPS)
    assert plan(applied(groups, VMS)).settled


def test_a_vm_that_is_missing_needs_everything() -> None:
    aspects = {difference.aspect for difference in plan(EMPTY).vms[0].differences}
    assert aspects == set(Aspect) - {Aspect.POOL, Aspect.FIREWALL, Aspect.FLAGS}
    bare = replace(EMPTY, pools=frozenset())
    assert (Aspect.POOL, "pool") in found(bare)


def test_one_of_two_missing_leaves_the_other_settled_but_for_what_they_share() -> None:
    only_second = applied(EMPTY, VMS[1:])
    assert found(only_second, 1) == {(Aspect.HA, "cloudpemda-apart-dinkes_simrs_db")}


@pytest.mark.parametrize(
    ("live", "difference"),
    [
        (raw(memory="4096"), (Aspect.CONFIG, "memory")),
        (raw(cores="2"), (Aspect.CONFIG, "cores")),
        (raw(tags="cloudpemda"), (Aspect.CONFIG, "tags")),
        (raw(onboot="0"), (Aspect.CONFIG, "onboot")),
        (raw(name="other"), (Aspect.CONFIG, "name")),
        (raw(sshkeys="<absent>"), (Aspect.CONFIG, "sshkeys")),
        (raw(ipconfig0="ip=dhcp"), (Aspect.CONFIG, "ipconfig0")),
        (raw(hookscript="local:snippets/x"), (Aspect.CONFIG, "hookscript")),
        (raw(net1="virtio=0,bridge=vmbr1"), (Aspect.CONFIG, "net1")),
        (raw(ide2="none,media=cdrom"), (Aspect.DISKS, "ide2")),
        (changed(lambda vm: replace(vm, pool=None)), (Aspect.POOL, "member")),
        (changed(lambda vm: replace(vm, status=VmStatus.STOPPED)), (Aspect.START, "status")),
        (changed(lambda vm: replace(vm, lock="clone")), (Aspect.CREATE, "lock")),
        (config(lambda c: replace(c, disks=c.disks[:1])), (Aspect.DISKS, "scsi1")),
        (config(lambda c: replace(c, disks=(replace(c.disks[0], size=MiB(2048)), c.disks[1]))),
         (Aspect.DISKS, "scsi0.size")),
        (config(lambda c: replace(c, disks=(c.disks[0], replace(c.disks[1], backup=False)))),
         (Aspect.FLAGS, "scsi1.backup")),
        (config(lambda c: replace(c, disks=(c.disks[0], replace(c.disks[1], replicate=False)))),
         (Aspect.FLAGS, "scsi1.replicate")),
        (config(lambda c: replace(c, disks=(c.disks[0], replace(c.disks[1], storage="nfs")))),
         (Aspect.DISKS, "scsi1.storage")),
    ],
)  # fmt: skip
def test_each_thing_that_differs_is_found_and_nothing_else(
    live: ClusterState, difference: tuple[Aspect, str]
) -> None:
    assert found(live) == {difference}
    assert found(live, 1) == set()


def test_a_backup_lock_is_no_difference_and_a_vm_without_status_is_not_stopped() -> None:
    assert found(changed(lambda vm: replace(vm, lock="backup"))) == set()
    assert found(changed(lambda vm: replace(vm, status=VmStatus.UNKNOWN))) == set()


def test_ha_that_is_missing_off_or_in_error_is_found() -> None:
    resources = dict(DONE.ha_resources)
    gone = replace(DONE, ha_resources={"vm:10002": resources["vm:10002"]})
    assert (Aspect.HA, "resource") in found(gone)
    for change, key in (({"requested": "ignored"}, "resource"), ({"state": "error"}, "state")):
        odd = {**resources, "vm:10001": replace(resources["vm:10001"], **change)}
        assert found(replace(DONE, ha_resources=odd)) == {(Aspect.HA, key)}


def test_a_rule_that_pve_disabled_is_found_for_each_vm_that_it_names() -> None:
    def off(rule: HaRule) -> HaRule:
        return replace(rule, enabled=False) if "apart" in rule.name else rule

    live = replace(DONE, ha_rules=tuple(map(off, DONE.ha_rules)))
    assert found(live) == found(live, 1) == {(Aspect.HA, "cloudpemda-apart-dinkes_simrs_db")}


def test_on_8_a_resource_must_name_its_group() -> None:
    live = applied(replace(EMPTY, ha_flavour=HaFlavour.GROUPS), VMS)
    alone = replace(live.ha_resources["vm:10001"], group=None)
    live = replace(live, ha_resources={**live.ha_resources, "vm:10001": alone})
    assert found(live) == {(Aspect.HA, "group")}


def test_where_ha_moved_a_vm_is_no_difference_and_neither_is_the_turned_replication() -> None:
    jobs = tuple(
        replace(job, target="pve1") if job.vmid == 10001 else job for job in DONE.replication_jobs
    )
    moved = replace(changed(lambda vm: replace(vm, node="pve3")), replication_jobs=jobs)
    assert found(moved) == set()
    not_turned_yet = changed(lambda vm: replace(vm, node="pve3"))
    assert found(not_turned_yet) == set()


def test_replication_that_is_missing_off_late_or_elsewhere_is_found() -> None:
    job, other = DONE.replication_jobs

    def live(*jobs: object) -> ClusterState:
        return replace(DONE, replication_jobs=(*jobs, other))  # type: ignore[arg-type]

    assert found(live()) == {(Aspect.REPLICATION, "pve3")}
    assert found(live(replace(job, removing=True))) == {(Aspect.REPLICATION, "pve3")}
    assert found(live(replace(job, enabled=False))) == {(Aspect.REPLICATION, "10001-0")}
    assert found(live(replace(job, schedule="daily"))) == {(Aspect.REPLICATION, "10001-0")}
    elsewhere = live(replace(job, target="pve2"))
    assert found(elsewhere) == {(Aspect.REPLICATION, "pve3"), (Aspect.REPLICATION, "10001-0")}


def test_backup_membership_schedule_storage_and_switch_are_found() -> None:
    (job,) = DONE.backup_jobs
    name = "cloudpemda-critical"
    assert found(replace(DONE, backup_jobs=())) == {(Aspect.BACKUP, name)}
    without = replace(job, vmids=frozenset({10002}))
    assert found(replace(DONE, backup_jobs=(without,))) == {(Aspect.BACKUP, name)}
    for change in ({"enabled": False}, {"schedule": "daily"}, {"storage": "x"}):
        odd = replace(job, **change)
        key = f"{name}.{next(iter(change))}"
        assert found(replace(DONE, backup_jobs=(odd,))) == {(Aspect.BACKUP, key)}


def test_what_it_was_protected_by_before_a_change_is_found() -> None:
    """The job of its former class, its former node affinity, its former keep-apart group; what
    others have made is theirs."""
    (job,) = DONE.backup_jobs
    former = replace(job, id="cloudpemda-normal", vmids=frozenset({10001, 777}))
    theirs = replace(former, id="weekly")
    assert found(replace(DONE, backup_jobs=(job, former, theirs))) == {
        (Aspect.BACKUP, "cloudpemda-normal")
    }
    assert found(replace(DONE, backup_jobs=(job, former, theirs)), 1) == set()
    apart = next(rule for rule in DONE.ha_rules if "apart" in rule.name)
    old = replace(apart, name="cloudpemda-apart-dinkes_simrs_app")
    hand = replace(apart, name="by-hand")
    live = replace(DONE, ha_rules=(*DONE.ha_rules, old, hand))
    assert found(live) == found(live, 1) == {(Aspect.HA, old.name)}
    bare = tuple(replace(vm, protection=Protection(False, (), None, (), None)) for vm in VMS)
    live = replace(DONE, ha_resources={}, replication_jobs=(), backup_jobs=(theirs,))
    for vm in diff("dinkes/simrs", bare, live, {}).vms:
        own = f"cloudpemda-{vm.desired.identity.vmid}"
        assert {one.key for one in vm.differences} == {own, apart.name}


def test_only_a_disk_that_a_change_brings_may_be_absent_from_a_vm_that_was_made() -> None:
    root, data = VMS[0].disks
    logs = replace(data, name="logs", slot="scsi2")
    made = {VMS[0].key}
    brought = replace(VMS[0], disks=(root, data, replace(logs, fresh=True)))
    (vm,) = diff("dinkes/simrs", (brought,), DONE, {}, made).vms
    assert {one.key for one in vm.differences if one.aspect is Aspect.DISKS} == {"scsi2"}
    lost = replace(VMS[0], disks=(root, data, logs))
    with pytest.raises(Refused, match=r"plan\.disk-missing"):
        diff("dinkes/simrs", (lost,), DONE, {}, made)


def test_a_disk_that_would_have_to_shrink_is_refused() -> None:
    bigger = config(lambda c: replace(c, disks=(replace(c.disks[0], size=MiB(81920)), c.disks[1])))
    with pytest.raises(Refused) as refusal:
        plan(bigger)
    assert readable(refusal.value).code == "plan.shrink"
    assert refusal.value.values["live"] == "80 GiB"


# -- identity --------------------------------------------------------------------------------
STRANGER = with_vm(DONE, live_vm(VMS[0], description="somebody's own"))


def test_a_vmid_that_somebody_took_is_told_so_that_another_can_be_claimed() -> None:
    with pytest.raises(Refused) as refusal:
        plan(STRANGER)
    assert readable(refusal.value).code == "plan.vmid-taken"


@pytest.mark.parametrize(
    "description",
    [
        "",
        "somebody's own",
        "cloudpemda uid=uid-2 role=primary instance=dinkes/simrs/db-1",
        "cloudpemda uid=uid-1 role=drill instance=dinkes/simrs/db-1",
        "x cloudpemda uid=uid-1 role=primary",
        "first line\ncloudpemda uid=uid-1 role=primary",
    ],
)
def test_another_vm_in_the_place_of_one_that_was_made_is_never_touched(description: str) -> None:
    live = with_vm(DONE, live_vm(VMS[0], description=description))
    with pytest.raises(Refused) as refusal:
        diff("dinkes/simrs", VMS, live, {}, made=["dinkes/simrs/db-1"])
    assert readable(refusal.value).code == "plan.identity"


# -- unknown is not absent -------------------------------------------------------------------
def node(state: ClusterState, status: NodeStatus) -> ClusterState:
    return replace(
        state, nodes={**state.nodes, "pve1": replace(state.nodes["pve1"], status=status)}
    )


@pytest.mark.parametrize(
    "live",
    [
        node(EMPTY, NodeStatus.UNKNOWN),
        replace(EMPTY, quorate=False),
        node(DONE, NodeStatus.UNKNOWN),
        node(DONE, NodeStatus.OFFLINE),
        changed(lambda vm: replace(vm, config=None)),
        changed(lambda vm: replace(vm, node="gone")),
    ],
)
def test_what_cannot_be_read_is_never_planned_as_new(live: ClusterState) -> None:
    with pytest.raises(Unreachable) as unreachable:
        plan(live)
    assert readable(unreachable.value).code == "plan.unknown"


def test_a_desired_vm_of_another_cluster_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="cluster"):
        plan(replace(DONE, name="drc"))


# -- the digest ------------------------------------------------------------------------------
def test_the_basis_moves_with_what_the_plan_rests_on() -> None:
    base = basis_digest(VMS, DONE)
    (job,) = DONE.backup_jobs
    for moved in (
        EMPTY,
        changed(lambda vm: replace(vm, node="pve3")),
        changed(lambda vm: replace(vm, status=VmStatus.STOPPED)),
        config(lambda c: replace(c, digest="d2")),
        replace(DONE, ha_rules=DONE.ha_rules[:1]),
        replace(DONE, ha_resources={}),
        replace(DONE, replication_jobs=()),
        replace(DONE, backup_jobs=(replace(job, enabled=False),)),
        replace(DONE, backup_jobs=(replace(job, prune="keep-last=1"),)),
        node(DONE, NodeStatus.MAINTENANCE),
    ):
        assert basis_digest(VMS, moved) != base


def test_the_basis_stays_while_others_come_and_figures_move() -> None:
    other = replace(live_vm(desired(7)), vmid=999)
    storages = tuple(replace(storage, used=MiB(5)) for storage in DONE.storages)
    (job,) = DONE.backup_jobs
    more = replace(job, vmids=job.vmids | {999})
    live = replace(with_vm(DONE, other), storages=storages, backup_jobs=(more,))
    assert basis_digest(VMS, live) == basis_digest(VMS, DONE)
    assert plan(live).digest == plan(DONE).digest


def test_how_full_the_nodes_are_does_not_move_the_digest() -> None:
    told = diff("dinkes/simrs", VMS, DONE, {VMS[0].key: "memory=99%"})
    assert told.vms[0].reason == "memory=99%"
    assert told.digest == plan(DONE).digest


def test_the_digest_covers_the_desired_state_too() -> None:
    more = (replace(VMS[0], cores=Cores(8)), VMS[1])
    assert diff("dinkes/simrs", more, DONE, {}).digest != diff("dinkes/simrs", VMS, DONE, {}).digest


def test_the_plan_as_data_names_vm_place_reason_and_each_difference() -> None:
    data = plan_to_data(plan(raw(memory="4096")))
    assert data["settled"] is False
    told = data["vms"]
    assert isinstance(told, list)
    first, second = told
    assert (first["vm"], first["node"], first["reason"]) == (
        "dinkes/simrs/db-1",
        "pve1",
        "memory=14%",
    )
    assert first["differences"] == [
        {"aspect": "config", "key": "memory", "live": "4096", "desired": "8192"}
    ]
    assert second["settled"] is True


def test_a_disk_added_by_hand_does_not_hide_ours() -> None:
    extra = Disk("scsi7", "local-zfs", "local-zfs:x", MiB(1), True, True)
    live = config(lambda c: replace(c, disks=(extra, *c.disks)))
    assert found(live) == set()


def test_what_keeps_vms_apart_is_not_judged_without_all_of_them() -> None:
    """One member could not be read: the rule over both is neither wrong nor in the way."""
    unread = replace(DONE.vms[10001], config=None, status=VmStatus.UNKNOWN)
    keys = {one.key for one in VMS}
    judged, errors = examine(VMS, with_vm(DONE, unread), keys)
    assert set(errors) == {VMS[0].key}
    assert [one.settled for one in judged] == [True] * (len(VMS) - 1)
