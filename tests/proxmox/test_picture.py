"""One picture of a cluster: few requests, and nothing unread passed off as absent."""

import json
from pathlib import Path

import pytest

from cloudpemda.cluster import HaFlavour, NodeStatus, VmStatus
from cloudpemda.proxmox import BadAnswer, NodeOffline, Pve, Trust
from cloudpemda.proxmox.transport import Transport
from tests.proxmox.bench import NODES, TOKEN, Bench
from tests.proxmox.clocks import VirtualClock
from tests.proxmox.servers import Answer, Asked, serving


def test_a_picture_costs_six_requests_and_one_per_configuration(bench: Bench) -> None:
    vmids = range(11001, 11006)
    for vmid in vmids:
        bench.create(vmid)
    bench.clock.sleep(30)
    pve = bench.client()  # a new one: it knows neither version nor flavour yet
    before = bench.mark
    state = pve.snapshot(vmids)
    asked = bench.asked(before)
    vain = 1 if bench.version == "8.4" else 0  # rules, where no HA master gives a hint
    assert len(asked) == 6 + vain + len(vmids), asked
    assert all(request.startswith("GET ") for request in asked)
    assert {vmid for vmid in vmids if state.vms[vmid].config is not None} == set(vmids)
    before = bench.mark
    pve.snapshot(vmids)
    assert len(bench.asked(before)) == 6 + len(vmids)
    before = bench.mark
    pve.snapshot(images=False)
    assert len(bench.asked(before)) == 5


def test_configurations_are_read_of_those_that_are_wanted_by_what_the_list_says(
    fresh: Bench,
) -> None:
    for vmid in (10001, 10002, 10003):
        fresh.create(vmid)
    fresh.clock.sleep(30)
    fresh.pve.snapshot()
    before = fresh.mark
    state = fresh.pve.snapshot([10001], also=lambda vm: vm.vmid == 10003, images=False)
    assert {vmid for vmid, vm in state.vms.items() if vm.config is not None} == {10001, 10003}
    assert len(fresh.asked(before)) == 5 + 2


def test_backups_are_listed_though_no_source_node_is_known(fresh: Bench) -> None:
    assert fresh.pve.freshness([], ["pbs-dc"], through=["pve2"]).unread == ()
    assert fresh.pve.freshness([], ["pbs-dc"]).unread == ("storage/pbs-dc",)
    assert fresh.pve.freshness(NODES, ["pbs-dc"], through=[]).unread == ("storage/pbs-dc",)


def test_the_flavour_of_ha_is_probed_and_then_known(bench: Bench) -> None:
    pve = bench.client()
    before = bench.mark
    expected = {"9.2": HaFlavour.RULES, "8.4": HaFlavour.GROUPS}[bench.version]
    assert [pve.ha_flavour(), pve.ha_flavour()] == [expected, expected]
    path = f"GET /cluster/ha/{expected.value}"
    assert bench.asked(before) == ["GET /version", path]
    assert pve.snapshot().ha_flavour is expected


def test_a_picture_shows_what_there_is(bench: Bench) -> None:
    bench.pve.create_pool("opd-dinkes")
    bench.create(
        10001,
        "pve2",
        name="dinkes-simrs-db-1",
        cores=2,
        tags="b;a",
        pool="opd-dinkes",
        onboot=True,
        net0="virtio=BC:24:11:00:00:01,bridge=vmbr0,tag=110,firewall=1",
    )
    bench.clock.sleep(30)
    state = bench.pve.snapshot([10001])
    assert state.quorate
    assert {name: node.status for name, node in state.nodes.items()} == dict.fromkeys(
        NODES, NodeStatus.ONLINE
    )
    assert state.nodes["pve1"].memory == 64 * 1024
    assert state.storage_at["pve2", "local-zfs"].replicable
    assert state.storage_at["pve2", "local-zfs"].total == 1024 * 1024
    assert state.storage_at["pve1", "nfs"].shared
    assert state.images == {"nfs:import/debian-12.qcow2": frozenset(NODES)}
    assert "opd-dinkes" in state.pools
    vm = state.vms[10001]
    assert (vm.node, vm.name, vm.cores, vm.memory) == ("pve2", "dinkes-simrs-db-1", 2, 512)
    assert (vm.status, vm.pool, vm.tags) == (VmStatus.STOPPED, "opd-dinkes", frozenset("ab"))
    assert vm.config is not None
    assert [(disk.slot, disk.storage, disk.size) for disk in vm.config.disks] == [
        ("scsi0", "local-zfs", 1024)
    ]
    assert vm.config.nics[0].vlan == 110
    assert vm.config.onboot


def test_a_vm_too_new_for_statistics_is_planned_with_its_real_size(bench: Bench) -> None:
    bench.create(10020, cores=4, memory=4096)
    vm = bench.client().snapshot().vms[10020]
    assert (vm.cores, vm.memory) == (4, 4096)


def test_what_a_lost_node_holds_is_unknown_and_the_rest_is_read(fresh: Bench) -> None:
    fresh.create(10001, "pve1")
    fresh.create(10003, "pve3")
    fresh.clock.sleep(30)
    fresh.lab.control.node("pve3", "down")
    fresh.clock.sleep(60)
    state = fresh.pve.snapshot([10001, 10003])
    assert state.nodes["pve3"].status is NodeStatus.OFFLINE
    assert state.vms[10003].status is VmStatus.UNKNOWN
    assert state.vms[10003].config is None
    assert state.vms[10001].status is VmStatus.STOPPED
    assert state.vms[10001].config is not None
    assert fresh.pve.freshness(NODES, ["pbs-dc"]).unread == ("node/pve3",)
    with pytest.raises(NodeOffline):
        fresh.pve.config("pve3", 10003)


def test_backups_are_read_through_any_node_that_answers(fresh: Bench) -> None:
    fresh.create(10002, "pve2")
    config = {"storage": "pbs-dc", "schedule": "*-*-* 02:00", "prune-backups": "keep-daily=7"}
    fresh.pve.create_backup_job("cloudpemda-normal", [10002], config)
    fresh.lab.control.advance(86400)
    fresh.lab.control.node("pve1", "down")
    fresh.clock.sleep(60)
    found = fresh.pve.freshness(NODES, ["pbs-dc", "nowhere"])
    assert set(found.unread) == {"node/pve1", "storage/nowhere"}
    assert len(found.backups[10002]) == 1


def test_the_age_of_replications_and_backups_costs_one_request_each(fresh: Bench) -> None:
    fresh.create(10001, "pve1")
    fresh.pve.create_replication("10001-0", "pve2", "*/15")
    config = {"storage": "pbs-dc", "schedule": "*-*-* 02:00", "prune-backups": "keep-daily=7"}
    fresh.pve.create_backup_job("cloudpemda-normal", [10001], config)
    fresh.lab.control.advance(2 * 86400)
    before = fresh.mark
    found = fresh.pve.freshness(NODES, ["pbs-dc"])
    assert len(fresh.asked(before)) == len(NODES) + 1
    run = found.replication["10001-0"]
    assert (run.source, run.target, run.failures) == ("pve1", "pve2", 0)
    assert run.last_sync is not None
    assert (fresh.clock.now() - run.last_sync).total_seconds() < 16 * 60
    taken = [backup.taken_at for backup in found.backups[10001]]
    assert len(taken) == 2
    assert taken == sorted(taken, reverse=True)
    assert found.unread == ()


def test_a_guest_that_moved_between_list_and_read_is_found_again(tmp_path: Path) -> None:
    lists: list[str] = []

    def answer(asked: Asked) -> Answer:
        path = asked.path.removeprefix("/api2/json").partition("?")[0]
        if path == "/cluster/resources":
            lists.append(path)
            node = "pve1" if len(lists) == 1 else "pve2"
            listed = [
                *({"type": "node", "node": name, "status": "online"} for name in NODES),
                {"type": "qemu", "vmid": 10001, "node": node, "status": "running", "maxmem": 2**30},
                *(
                    {"type": "qemu", "vmid": 10002, "node": "pve1", "status": "running"}
                    for _ in range(2 - len(lists))
                ),
            ]
            return _data(listed)
        if path == "/nodes/pve2/qemu/10001/config":
            return _data({"digest": "ab", "memory": "1024"})
        if path.endswith("/config"):
            text = f"Configuration file '{path}' does not exist"
            return Answer(500, json.dumps({"message": text}).encode(), text)
        return _data({"version": "9.2.11"} if path == "/version" else [])

    with serving(tmp_path / "server", answer) as server:
        trust = Trust(fingerprint=server.fingerprint)
        clock = VirtualClock()
        pve = Pve(Transport("dc", [server.url], TOKEN, "s3cret", trust, clock), clock)
        state = pve.snapshot([10001, 10002])
    assert state.vms[10001].node == "pve2"
    assert state.vms[10001].config is not None
    assert 10002 not in state.vms  # it is in no list any more: gone, not unknown
    assert len(lists) == 2


def test_the_last_word_of_a_lost_node_on_its_guests_is_not_believed(tmp_path: Path) -> None:
    listed = [
        {"type": "node", "node": "pve1", "status": "online"},
        {"type": "node", "node": "pve2", "status": "offline"},
        {"type": "qemu", "vmid": 10002, "node": "pve2", "status": "running", "maxmem": 2**30},
        {"type": "lxc", "vmid": 10003, "node": "nowhere", "status": "stopped", "maxmem": 2**30},
        {"type": "qemu", "vmid": 10004, "node": "pve1", "status": "running", "maxmem": 2**30},
    ]

    def answer(asked: Asked) -> Answer:
        if "/cluster/resources" in asked.path:
            return _data(listed)
        if "/config" in asked.path:
            return Answer(595, b"", "Connection timed out")
        return _data({"version": "9.2.11"} if "/version" in asked.path else [])

    with serving(tmp_path / "server", answer) as server:
        trust = Trust(fingerprint=server.fingerprint)
        clock = VirtualClock()
        pve = Pve(Transport("dc", [server.url], TOKEN, "s3cret", trust, clock), clock)
        state = pve.snapshot([10002, 10004])
    assert {vmid: vm.status for vmid, vm in state.vms.items()} == {
        10002: VmStatus.UNKNOWN,
        10003: VmStatus.UNKNOWN,
        10004: VmStatus.UNKNOWN,  # its node is online in the list, but does not answer
    }
    assert [asked.path for asked in server.asked if "/config" in asked.path] == [
        "/api2/json/nodes/pve1/qemu/10004/config"
    ]


def test_a_picture_with_an_odd_part_is_no_picture(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Answer:
        if "/cluster/replication" in asked.path:
            return _data([{"id": "10001-0", "guest": "many"}])
        return _data({"version": "9.2.11"} if "/version" in asked.path else [])

    with serving(tmp_path / "server", answer) as server:
        trust = Trust(fingerprint=server.fingerprint)
        clock = VirtualClock()
        pve = Pve(Transport("dc", [server.url], TOKEN, "s3cret", trust, clock), clock)
        with pytest.raises(BadAnswer) as caught:
            pve.snapshot()
    assert caught.value.values["where"] == "/cluster/replication[0].guest"


def _data(value: object) -> Answer:
    return Answer(body=json.dumps({"data": value}).encode())
