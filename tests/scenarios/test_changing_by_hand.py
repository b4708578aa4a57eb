"""Changes of VMs that another hand has touched meanwhile: what is begun can always end."""

import pytest

from cloudpemda.proxmox import Pve
from cloudpemda.units import MiB
from tests.scenarios.conftest import Office
from tests.scenarios.test_changing import (
    APP,
    FILE,
    GIB,
    KEY,
    _app,
    _more_memory,
    propose,
    settled,
    used,
)


def _as_large(document: dict[str, object]) -> None:
    _more_memory(document)
    _app(document)["disks"][0]["size"] = "50 GiB"


def _grow(office: Office, cluster: Pve) -> None:
    """Somebody makes the first disk larger (40 → 50 GiB); PVE shrinks none."""
    ((vmid, vm),) = office.vms().items()
    cluster.resize_disk(vm["node"], vmid, "scsi0", MiB(50 * GIB))
    office.lab.post("/wait", {"seconds": 30})


def _proposal(office: Office) -> str:
    record = office.run("request", "show", KEY, "--offline").data["record"]
    return str(record["proposal"]["state"])


def test_a_disk_that_somebody_has_grown_hinders_no_change(office: Office, cluster: Pve) -> None:
    office.built(FILE, KEY)
    before = used(office)
    propose(office, _more_memory)
    _grow(office, cluster)

    answer = office.run("apply", KEY)

    assert answer.code == 0, answer.out
    assert _proposal(office) == "applied"
    assert used(office)["memory"] - before["memory"] == 4 * GIB
    (drifted,) = office.run("drift", KEY).data["instances"]
    assert drifted["overage"]["disk.ssd"] == 2 * 10 * GIB  # with its replica
    propose(office, _as_large)
    assert office.run("apply", KEY).code == 0
    office.run("drift")
    settled(office)


def test_a_begun_change_is_taken_back_though_somebody_has_grown_a_disk(
    office: Office, cluster: Pve
) -> None:
    office.built(FILE, KEY)
    before = used(office)
    propose(office, _more_memory)
    refused = {"do": "error", "status": 400, "reason": "Parameter verification failed."}
    on = {"method": "P*", "path": "*/config"}
    office.lab.post("/faults", {"faults": [{"on": on, **refused}]})
    assert office.run("apply", KEY).code != 0
    office.lab.post("/faults", {"faults": []})
    _grow(office, cluster)

    answer = office.run("apply", "--undo", KEY)

    assert answer.code == 0, answer.out
    assert _proposal(office) == "withdrawn"
    assert used(office) == before


def test_a_change_of_a_vm_that_is_gone_is_not_begun(office: Office) -> None:
    """Begun it could neither go on nor be taken back, and its workload could not be retired."""
    office.built(FILE, KEY)
    propose(office, _more_memory)
    (vmid,) = office.vms()
    office.lab.post("/outside", {"cluster": "dc", "action": "delete-vm", "vmid": vmid})
    office.lab.post("/wait", {"seconds": 30})

    assert office.run("apply", KEY).codes == ["plan.vanished"]

    assert _proposal(office) == "approved"
    office.run("request", "retire", KEY, "--reason", "hilang")
    gone = office.run("request", "purge", KEY, "--confirm", KEY, "--gone")
    assert gone.data["record"]["state"] == "ended", gone.out
    assert set(used(office).values()) == {0}
    assert APP not in office.text("vm", "list").out
    dc = office.lab.get("/state")["dc"]
    assert [
        one for one in dc["volumes"] if one["vmid"] == vmid and one["content"] == "images"
    ] == []
    assert (dc["replication"], dc["ha_resources"]) == ({}, {})
    assert office.run("orphans", "list").data == []


@pytest.mark.parametrize("stranger", [False, True], ids=["gone", "replaced"])
def test_a_begun_change_of_a_vm_that_is_gone_is_taken_back_and_its_workload_ends(
    office: Office, stranger: bool
) -> None:
    office.built(FILE, KEY)
    before = used(office)
    propose(office, _more_memory)
    fault = {"do": "error", "status": 400, "reason": "Parameter verification failed."}
    on = {"method": "P*", "path": "*/config"}
    office.lab.post("/faults", {"faults": [{"on": on, **fault}]})
    assert office.run("apply", KEY).code != 0
    office.lab.post("/faults", {"faults": []})
    ((vmid, vm),) = office.vms().items()
    by_hand = {"cluster": "dc", "vmid": vmid}
    office.lab.post("/outside", {**by_hand, "action": "delete-vm"})
    if stranger:
        theirs = {"node": vm["node"], "config": {"name": "lain"}}
        office.lab.post("/outside", {**by_hand, "action": "create-vm", **theirs})
    office.lab.post("/wait", {"seconds": 30})
    retire = ("request", "retire", KEY, "--reason", "hilang")
    assert office.run(*retire).codes == ["retire.changing"]

    answer = office.run("apply", "--undo", KEY)

    assert "apply.undo-lost" in answer.codes, answer.out
    assert (_proposal(office), used(office)) == ("withdrawn", before)
    office.run(*retire)
    gone = office.run("request", "purge", KEY, "--confirm", KEY, "--gone")
    assert gone.data["record"]["state"] == "ended", gone.out
    left = office.run("orphans", "list").data
    assert sum(used(office).values()) == sum(one["size"] for one in left)
    assert office.vms().keys() == ({vmid} if stranger else set())


def test_what_rests_is_charged_as_it_stands_and_a_state_that_pve_lost_is_let_go(
    office: Office, cluster: Pve
) -> None:
    office.built(FILE, KEY)
    _grow(office, cluster)
    assert office.run("vm", "snapshot", "create", APP, "before", "--reason", "uji").code == 0
    assert office.run("vm", "snapshot", "create", APP, "kept", "--reason", "uji").code == 0
    ((vmid, vm),) = office.vms().items()
    cluster.drop_snapshot(vm["node"], vmid, "before")
    office.lab.post("/wait", {"seconds": 30})
    assert office.run("request", "retire", KEY, "--reason", "selesai").code == 0
    before = used(office)

    assert office.run("vm", "snapshot", "delete", APP, "kept").codes == ["vm.state"]
    gone = office.run("vm", "snapshot", "delete", APP, "before")

    assert gone.code == 0, gone.out
    freed = before["disk.ssd"] - used(office)["disk.ssd"]
    assert freed * 3 == before["disk.ssd"]  # as much as the VM, and as the other state
    assert office.run("drift").data["charged"] == [APP]
    assert used(office)["disk.ssd"] == before["disk.ssd"] - freed + 2 * 10 * GIB
    assert office.run("drift").data["charged"] == []
