"""Every typed call against a simulated cluster of 8.4 and of 9.2, over HTTPS."""

from dataclasses import replace

import pytest

from cloudpemda.cluster import HaFlavour, HaRule, VmStatus
from cloudpemda.proxmox import (
    AnswerLost,
    Changed,
    Exists,
    NoAnswer,
    NoQuorum,
    NotFound,
    Param,
    PveError,
    TaskFailed,
    WrongParameter,
)
from cloudpemda.units import MiB
from tests.proxmox.bench import Bench


def test_a_pool_is_made_once(bench: Bench) -> None:
    bench.pve.create_pool("opd-bkad", "BKAD")
    with pytest.raises(Exists):
        bench.pve.create_pool("opd-bkad")
    bench.create(10101)
    bench.pve.move_to_pool("opd-bkad", [10101])
    assert bench.pve.snapshot().vms[10101].pool == "opd-bkad"


def test_a_vm_from_image_to_destruction(bench: Bench) -> None:
    """Import, change with the digest, grow, start, stop, destroy: each read back."""
    pve = bench.pve
    bench.done(
        pve.create_vm(
            "pve1",
            10201,
            {
                "name": "dinkes-web-1",
                "scsi0": "local-zfs:0,import-from=nfs:import/debian-12.qcow2",
                "scsihw": "virtio-scsi-single",
                "ide2": "local-zfs:cloudinit",
                "description": "cloudpemda uid=0a role=primary",
                "memory": 1024,
                "onboot": True,
                "serial0": "socket",
                "ipconfig0": "ip=10.10.110.21/24,gw=10.10.110.1",
            },
        )
    )
    assert pve.locate(10201) == "pve1"
    with pytest.raises(Exists):
        pve.create_vm("pve2", 10201, {"memory": 512})
    with pytest.raises(NotFound):
        pve.config("pve2", 10201)

    config = pve.config("pve1", 10201)
    assert (config.name, config.memory, config.onboot) == ("dinkes-web-1", 1024, True)
    assert "uid=0a" in config.description
    assert [(disk.slot, disk.size) for disk in config.disks] == [("scsi0", 2048)]

    changes: dict[str, Param] = {"memory": 2048, "scsi1": "local-zfs:4,backup=0"}
    bench.done(pve.set_config("pve1", 10201, changes, delete=["onboot"], digest=config.digest))
    with pytest.raises(Changed):
        pve.set_config("pve1", 10201, {"memory": 4096}, digest=config.digest)
    bench.done(pve.resize_disk("pve1", 10201, "scsi0", MiB(10 * 1024)))
    changed = pve.config("pve1", 10201, current=True)
    assert (changed.memory, changed.onboot) == (2048, False)
    assert [(disk.slot, disk.size, disk.backup) for disk in changed.disks] == [
        ("scsi0", 10 * 1024, True),
        ("scsi1", 4 * 1024, False),
    ]
    assert len(pve.volumes("pve1", "local-zfs", 10201)) == 3
    with pytest.raises(TaskFailed) as caught:
        bench.done(pve.resize_disk("pve1", 10201, "scsi0", MiB(1024)))
    assert "shrink" in str(caught.value.values["text"])
    assert "TASK ERROR" in caught.value.log[-1]

    bench.done(pve.start("pve1", 10201))
    assert pve.vm_status("pve1", 10201) is VmStatus.RUNNING
    bench.done(pve.stop("pve1", 10201))
    assert pve.vm_status("pve1", 10201) is VmStatus.STOPPED
    bench.done(pve.destroy("pve1", 10201))
    assert pve.locate(10201) is None
    assert pve.volumes("pve1", "local-zfs", 10201) == frozenset()


def test_a_clone_carries_its_name_and_description_from_the_first_moment(bench: Bench) -> None:
    bench.create(10301, name="template", description="the template's")
    bench.lab.control.outside("change-vm", 10301, config={"template": 1})
    upid = bench.pve.clone_vm(
        "pve1",
        10301,
        10302,
        name="clone",
        description="cloudpemda uid=0b role=primary",
        storage="local-zfs",
    )
    bench.done(upid)
    config = bench.pve.config("pve1", 10302)
    assert (config.name, config.description.strip()) == ("clone", "cloudpemda uid=0b role=primary")


def test_a_wrong_parameter_is_named(bench: Bench) -> None:
    with pytest.raises(WrongParameter) as caught:
        bench.pve.create_vm("pve1", 10401, {"nonsense": 1, "memory": "much"})
    assert set(caught.value.errors) == {"nonsense", "memory"}


def test_ha_resource_and_rule_are_made_read_back_and_removed(bench: Bench) -> None:
    pve, vmid = bench.pve, 10501
    bench.create(vmid)
    bench.done(pve.start("pve1", vmid))
    groups = pve.ha_flavour() is HaFlavour.GROUPS
    rule = HaRule(
        name=f"cloudpemda-{vmid}",
        kind="group" if groups else "node-affinity",
        resources=frozenset() if groups else frozenset({f"vm:{vmid}"}),
        nodes={"pve1": 0, "pve2": 0},
        strict=True,
        positive=None,
        enabled=True,
    )
    if groups:
        pve.create_ha_rule(rule)
        pve.add_ha_resource(vmid, group=rule.name)
    else:
        pve.add_ha_resource(vmid)
        pve.create_ha_rule(rule)
    with pytest.raises(Exists):
        pve.add_ha_resource(vmid)
    bench.clock.sleep(30)
    resource = pve.ha_resources()[f"vm:{vmid}"]
    assert (resource.requested, resource.state, resource.node) == ("started", "started", "pve1")
    assert resource.group == (rule.name if groups else None)

    live = _rule(bench, rule.name)
    assert replace(live, digest=None, nodes=dict(live.nodes)) == rule
    pve.update_ha_rule(replace(live, nodes={"pve1": 0, "pve3": 0}))
    assert set(_rule(bench, rule.name).nodes) == {"pve1", "pve3"}
    with pytest.raises(Changed):
        pve.update_ha_rule(replace(live, nodes={"pve1": 0}))

    pve.set_ha_resource(vmid, state="disabled")
    bench.clock.sleep(60)
    assert pve.ha_resources()[f"vm:{vmid}"].state == "disabled", "as PVE words it"
    pve.remove_ha_resource(vmid)
    bench.clock.sleep(30)
    assert f"vm:{vmid}" not in pve.ha_resources()
    with pytest.raises(NotFound):
        pve.remove_ha_resource(vmid)
    pve.delete_ha_rule(rule)
    assert rule.name not in {found.name for found in pve.ha_rules()}


def _rule(bench: Bench, name: str) -> HaRule:
    return next(rule for rule in bench.pve.ha_rules() if rule.name == name)


def test_a_rule_without_nodes_is_never_sent(bench: Bench) -> None:
    """8 takes an empty group and then refuses every later write of that file."""
    before = bench.mark
    for kind in ("group", "node-affinity"):
        rule = HaRule("x", kind, frozenset({"vm:1"}), {}, True, None, True)
        with pytest.raises(ValueError, match="no nodes"):
            bench.pve.create_ha_rule(rule)
    assert bench.asked(before) == []


def test_members_are_kept_apart_by_a_rule_of_9(fresh: Bench) -> None:
    for vmid, node in ((10001, "pve1"), (10002, "pve2")):
        fresh.create(vmid, node)
        fresh.pve.add_ha_resource(vmid)
    apart = HaRule(
        "apart", "resource-affinity", frozenset({"vm:10001", "vm:10002"}), {}, False, False, True
    )
    fresh.pve.create_ha_rule(apart)
    (live,) = fresh.pve.ha_rules()
    assert replace(live, digest=None, nodes={}) == apart


def test_a_replication_job_comes_and_goes(bench: Bench) -> None:
    pve = bench.pve
    bench.create(10601)
    pve.create_replication("10601-0", "pve2", "*/15")
    with pytest.raises(Exists):
        pve.create_replication("10601-0", "pve2", "*/15")
    (job,) = [job for job in pve.replication_jobs() if job.vmid == 10601]
    assert (job.target, job.schedule, job.enabled, job.removing) == ("pve2", "*/15", True, False)
    bench.clock.sleep(3600)
    run = pve.freshness(["pve1"], []).replication["10601-0"]
    assert run.last_sync is not None
    pve.update_replication("10601-0", "*/30")
    (job,) = [job for job in pve.replication_jobs() if job.vmid == 10601]
    assert (job.schedule, job.enabled) == ("*/30", True)
    pve.delete_replication("10601-0")
    bench.clock.sleep(3600)
    assert "10601-0" not in {job.id for job in pve.replication_jobs()}


def test_a_backup_job_is_shared_changed_and_removed(bench: Bench) -> None:
    pve = bench.pve
    config = {"storage": "pbs-dc", "schedule": "02:00", "prune-backups": "keep-daily=7"}
    pve.create_backup_job("cloudpemda-basic", [10701], config)
    with pytest.raises(Exists):
        pve.create_backup_job("cloudpemda-basic", [10701], config)
    pve.update_backup_job("cloudpemda-basic", [10702, 10701], {"schedule": "03:00"})
    (job,) = [job for job in pve.backup_jobs() if job.id == "cloudpemda-basic"]
    assert (job.vmids, job.schedule, job.storage) == (frozenset({10701, 10702}), "03:00", "pbs-dc")
    with pytest.raises(ValueError, match="empty"):
        pve.update_backup_job("cloudpemda-basic", [], {})
    pve.delete_backup_job("cloudpemda-basic")
    with pytest.raises(NotFound):
        pve.delete_backup_job("cloudpemda-basic")


def test_nodes_tell_their_time_and_their_bridges(bench: Bench) -> None:
    skew = bench.pve.node_time("pve2") - bench.clock.now()
    assert abs(skew.total_seconds()) <= 1
    assert bench.pve.bridges("pve2") == {"vmbr0"}


def test_the_token_knows_its_own_rights(bench: Bench) -> None:
    assert {"VM.Allocate", "VM.Audit"} <= bench.pve.permissions("/vms")
    assert "Permissions.Modify" not in bench.pve.permissions("/vms")


def test_a_lost_answer_can_be_decided_by_looking(fresh: Bench) -> None:
    fresh.lab.control.arm({"on": {"method": "POST", "path": "*/qemu"}, "do": "lose-answer"})
    with pytest.raises(AnswerLost):
        fresh.pve.create_vm("pve1", 10001, {"description": "uid=0c", "scsi0": "local-zfs:1"})
    fresh.clock.sleep(30)
    assert "uid=0c" in fresh.pve.config("pve1", 10001).description
    posts = [r for r in fresh.lab.control.writes() if r["path"].endswith("/qemu")]
    assert len(posts) == 1


def test_one_dead_node_of_three_hinders_nobody(fresh: Bench) -> None:
    fresh.lab.control.node("pve1", "down")
    fresh.clock.sleep(30)
    assert fresh.pve.snapshot().quorate
    fresh.pve.create_pool("opd-x")  # goes to the endpoint that answered last
    assert "opd-x" in fresh.pve.snapshot().pools


def test_a_cluster_without_quorum_reads_and_refuses_writes(fresh: Bench) -> None:
    fresh.lab.control.node("pve1", "down")
    fresh.lab.control.node("pve2", "down")
    fresh.clock.sleep(60)
    assert not fresh.pve.snapshot().quorate
    with pytest.raises(NoQuorum):
        fresh.pve.create_pool("opd-x")


def test_a_cluster_that_is_gone_is_unreachable(fresh: Bench) -> None:
    pve = fresh.pve
    for node in ("pve1", "pve2", "pve3"):
        fresh.lab.control.node(node, "down")
    with pytest.raises(NoAnswer) as caught:
        pve.snapshot()
    assert isinstance(caught.value, PveError)
    assert caught.value.code == "pve.unreachable"
