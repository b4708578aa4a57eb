"""`ip list`: who has which address and by which letter, what is left, and what strangers use."""

from typing import Any

from tests.scenarios.conftest import Office


def _stranger(office: Office, vmid: int, address: str) -> None:
    made = {"cluster": "dc", "action": "create-vm", "vmid": vmid, "node": "pve1"}
    office.lab.post("/outside", made)
    change = {"cluster": "dc", "action": "change-vm", "vmid": vmid}
    office.lab.post("/outside", {**change, "set": {"ipconfig0": f"gw=10.0.0.1,ip={address}/24"}})


def _pool(data: Any, name: str) -> dict[str, Any]:
    return next(dict(one) for one in data["pools"] if one["pool"] == name)


def test_each_address_has_an_owner_a_purpose_and_a_letter(office: Office) -> None:
    empty = office.run("ip", "list")
    assert (empty.code, empty.data["lines"]) == (0, [])
    free = _pool(empty.data, "dinkes-app")
    office.built()
    found = office.run("ip", "list").data
    own = {nic["address"] for vm in office.run("request", "show", "dinkes/simrs").data["instances"]
           for nic in vm["nics"]}  # fmt: skip
    assert own == {line["address"] for line in found["lines"] if line["pool"] == "dinkes-app"}
    for line in found["lines"]:
        assert (line["state"], line["opd"]) == ("given", "dinkes")
        assert "500.12.3" in line["letter"]
        assert line["purpose"]
    left = _pool(found, "dinkes-app")
    assert left["given"] == len(own)
    assert left["hosts"] == free["hosts"] == 254
    told = office.text("ip", "list", "--network", "dinkes-app", lang="id")
    assert told.code == 0
    page = told.out
    assert [a for a in own if a not in page] == [], page


def test_an_address_of_ours_on_a_strangers_vm_is_a_conflict(office: Office) -> None:
    office.built()
    (own, *_) = office.run("ip", "list").data["lines"]
    _stranger(office, 777, own["address"])
    assert office.run("ip", "list").code == 0
    seen = office.run("ip", "list", "--check")
    assert (seen.code, seen.codes) == (7, ["ip.conflict"])
    assert seen.document["faults"][0]["values"]["vm"] == own["vm"]
    assert "ip.conflict" in office.run("nightly").codes
    office.lab.post("/outside", {"cluster": "dc", "action": "delete-vm", "vmid": 777})
    assert office.run("ip", "list", "--check").code == 0


def test_a_new_vm_gets_no_address_that_a_stranger_uses(office: Office) -> None:
    office.approved()
    wanted = {vm["vm"]: vm for vm in office.run("plan", "dinkes/simrs").data[0]["vms"]}
    assert wanted
    _stranger(office, 777, "10.10.110.21")
    assert office.run("ip", "list", "--check").code == 0
    assert office.run("apply", "dinkes/simrs").code == 0
    given = {line["address"] for line in office.run("ip", "list").data["lines"]
             if line["state"] == "given"}  # fmt: skip
    assert "10.10.110.21" not in given
    assert "10.10.110.22" in given


def test_staff_see_their_own_and_only_operators_look(office: Office) -> None:
    office.built()
    office.built("simkeu.yaml", "bkad/simkeu")
    mine = office.run("ip", "list", actor="siti").data
    assert {line["opd"] for line in mine["lines"]} == {"dinkes"}
    assert mine["pools"] == []
    assert office.run("ip", "list", "--opd", "bkad", actor="siti").codes == ["desk.scope"]
    assert office.run("ip", "list", "--check", actor="siti").codes == ["desk.role"]
    unknown = office.run("ip", "list", "--network", "nowhere")
    assert (unknown.code, unknown.codes) == (2, ["ip.pool"])
