"""Changes that fail, are killed, or are taken back; and networks that come and go."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenarios.beside import start_apply, until_held
from tests.scenarios.conftest import Office
from tests.scenarios.test_changing import (
    APP,
    FILE,
    GIB,
    KEY,
    _app,
    _basic,
    _larger,
    _longer,
    _more_memory,
    _second,
    changed,
    propose,
    quota,
    restart,
    settled,
    used,
)

RELEASES = ("9.2", "8.4")


@pytest.fixture(autouse=True)
def second_network(office: Office) -> Iterator[None]:
    """BKAD has a second network, whose name stands before that of the first, and an address that
    the internet sees."""
    kept = {name: (office.directory / name).read_text() for name in ("site.yaml", "opd/bkad.yaml")}
    web = """  bkad-admin:
    opd: bkad
    bridge: vmbr0
    vlan: 131
    cidr: 10.10.131.0/24
    gateway: 10.10.131.1
"""
    site = kept["site.yaml"].replace("  bkad-app:\n", web + "  bkad-app:\n", 1)
    (office.directory / "site.yaml").write_text(site)
    opd = kept["opd/bkad.yaml"].replace("[bkad-app]", "[bkad-admin, bkad-app]")
    opd = re.sub("  backup: 1 TiB", "  backup: 1 TiB\n  public_ip: 2", opd)
    (office.directory / "opd/bkad.yaml").write_text(opd)
    yield
    for name, text in kept.items():
        (office.directory / name).write_text(text)


def _admin(document: dict[str, Any]) -> None:
    _app(document)["networks"] = [{"name": "bkad-app", "publicIp": True}, {"name": "bkad-admin"}]


def _everything(document: dict[str, Any]) -> None:
    _larger(document)
    _admin(document)
    _basic(document)
    _second(document)
    _app(document)["flavor"] = "m4"


def instances(office: Office) -> dict[str, dict[str, Any]]:
    found = office.run("request", "show", KEY, "--offline").data["instances"]
    return {one["key"]: one for one in found}


def proposal(office: Office) -> str:
    record = office.run("request", "show", KEY, "--offline").data["record"]
    return str(record["proposal"]["state"])


def faults(office: Office, *script: dict[str, Any]) -> None:
    office.lab.post("/faults", {"faults": list(script)})


NO_RESIZE = {
    "on": {"method": "PUT", "path": "*/resize"},
    "do": "error",
    "status": 500,
    "reason": "zfs error: out of space",
}


# -- networks --------------------------------------------------------------------------------
def test_a_card_comes_and_goes_with_its_addresses(office: Office) -> None:
    office.built(FILE, KEY)
    ((vmid, vm),) = office.vms().items()
    first = vm["config"]["net0"]

    done = changed(office, _admin)

    config = office.vms()[vmid]["config"]
    assert config["net0"] == first, "the card that was there keeps its place"
    assert "tag=131" in config["net1"]
    assert config["ipconfig1"] == "ip=10.10.131.2/24", "one default route, the first card's"
    assert sorted(done["restart"][APP]) == ["ipconfig1", "net1"]
    assert office.vms()[vmid]["cloudinit"]["ipconfig1"] == config["ipconfig1"]
    (nics,) = (one["nics"] for one in instances(office).values())
    assert [(nic["network"], nic["address"], nic["public_address"]) for nic in nics] == [
        ("bkad-app", "10.10.130.21", "203.0.113.19"),
        ("bkad-admin", "10.10.131.2", None),
    ]
    assert quota(office)["public_ip"] == (1, 0)
    settled(office)

    changed(office, _longer)

    config = office.vms()[vmid]["config"]
    assert [key for key in config if key.startswith(("net", "ipconfig"))] == ["net0", "ipconfig0"]
    (nics,) = (one["nics"] for one in instances(office).values())
    assert [(nic["network"], nic["public_address"]) for nic in nics] == [("bkad-app", None)]
    assert quota(office)["public_ip"] == (0, 0)
    settled(office)


def test_an_address_is_kept_while_the_card_cannot_be_unplugged(office: Office) -> None:
    office.built(FILE, KEY)
    (vmid,) = office.vms()
    changed(office, _admin)
    office.lab.post(
        "/outside",
        {"cluster": "dc", "action": "change-vm", "vmid": vmid, "set": {"hotplug": "disk,usb"}},
    )

    done = changed(office, _longer)

    assert "net1" in office.vms()[vmid]["config"], "it runs with it"
    assert sorted(done["restart"][APP]) == ["ipconfig1", "net1"]
    (nics,) = (one["nics"] for one in instances(office).values())
    assert [nic["address"] for nic in nics] == ["10.10.130.21", "10.10.131.2"]
    restart(office, vmid)
    office.run("nightly")
    (nics,) = (one["nics"] for one in instances(office).values())
    assert [nic["address"] for nic in nics] == ["10.10.130.21"]
    settled(office)


# -- PVE says no -----------------------------------------------------------------------------
def test_while_pve_says_no_the_ledger_is_as_it_was(office: Office) -> None:
    office.built(FILE, KEY)
    before = quota(office)
    propose(office, _larger)
    approved = quota(office)
    faults(office, NO_RESIZE)

    answer = office.run("apply", KEY)

    assert (answer.code, answer.codes[0]) == (6, "apply.vm-unfinished")
    assert quota(office) == approved
    assert {name: one for name, (one, _) in quota(office).items()} == {
        name: one for name, (one, _) in before.items()
    }
    assert (proposal(office), instances(office)[APP]["state"]) == ("applying", "changing")
    assert office.run("ledger", "verify").codes == ["ledger.saga-left"]
    office.lab.post("/wait", {"seconds": 60 * 86400})
    assert office.run("apply", KEY).code == 6, "what it holds does not expire while it is begun"
    later = office.run("request", "submit", office.edited(FILE, _longer), actor="nina")
    assert later.codes == ["request.change-not-yet"]
    assert office.run("request", "withdraw", KEY, actor="nina").codes == ["ledger.transition"]
    found = office.run("nightly")
    assert "nightly.request-changing" in found.codes

    faults(office)
    assert office.run("apply", KEY).code == 0
    assert quota(office)["disk.ssd"] == (260 * GIB, 0)
    settled(office)


def test_another_hands_vm_under_our_vmid_is_not_changed(office: Office) -> None:
    office.built(FILE, KEY)
    (vmid,) = office.vms()
    propose(office, _more_memory)
    for do in ("delete-vm", "create-vm"):
        office.lab.post("/outside", {"cluster": "dc", "action": do, "vmid": vmid})
    stranger = office.vms()[vmid]
    for verb in ("plan", "apply", "apply"):
        answer = office.run(verb, KEY)
        assert (answer.code, answer.codes[0]) == (4, "plan.identity"), verb
        assert office.vms()[vmid] == stranger
    assert proposal(office) == "approved", "what can neither go on nor back is not begun"


# -- the way back ----------------------------------------------------------------------------
def test_a_change_is_taken_back_but_for_what_destroys_data(office: Office) -> None:
    office.built(FILE, KEY)
    ((vmid, vm),) = office.vms().items()
    before = used(office)
    propose(office, _more_memory)
    assert office.run("apply", "--undo", KEY).codes == ["apply.nothing-to-undo"]
    office.run("request", "withdraw", KEY, actor="nina")

    def second_and_more(document: dict[str, Any]) -> None:
        _more_memory(document)
        _admin(document)
        _second(document)
        _app(document)["cpu"] = 5

    propose(office, second_and_more)
    faults(office, {**NO_RESIZE, "on": {"method": "PUT", "path": "*/13001/resize"}})
    answer = office.run("apply", KEY)
    assert (answer.code, answer.codes[0]) == (6, "apply.vm-failed")
    assert {key: one["state"] for key, one in instances(office).items()} == {
        APP: "active",
        f"{KEY}/app-2": "failed",
    }
    assert quota(office)["memory"] == (12 * GIB, 12 * GIB)

    answer = office.run("apply", "--undo", KEY)

    assert answer.code == 0, answer.out
    assert proposal(office) == "withdrawn"
    assert set(instances(office)) == {APP}
    assert office.vms().keys() == {vmid}
    now = office.vms()[vmid]
    assert now["config"] == vm["config"]
    assert now["pending"] == {}, "it never ran with more"
    assert used(office) == before
    settled(office)
    again = office.run("request", "submit", office.edited(FILE, second_and_more), actor="nina")
    assert again.data[0]["submission"]["proposal"] == "pending"


def test_disks_that_grew_or_came_are_not_taken_back(office: Office) -> None:
    office.built(FILE, KEY)
    (vmid,) = office.vms()

    def larger_and_second(document: dict[str, Any]) -> None:
        _larger(document)
        _app(document)["flavor"] = "m4"
        _second(document)

    propose(office, larger_and_second)
    faults(office, {**NO_RESIZE, "on": {"method": "PUT", "path": "*/13001/resize"}})
    assert office.run("apply", KEY).code == 6
    faults(office)
    stands, held = office.vms()[vmid], quota(office)

    answer = office.run("apply", "--undo", KEY)

    assert (answer.code, answer.codes) == (4, ["apply.undo-disks"])
    disks = answer.document["faults"][0]["values"]["disks"]
    assert disks == f"{APP} data 60 GiB → 90 GiB; {APP} archive + 10 GiB"
    assert office.vms()[vmid] == stands
    assert (quota(office), proposal(office)) == (held, "applying")
    assert office.run("apply", KEY).code == 0
    settled(office)


@pytest.mark.slow
def test_what_still_grows_is_not_taken_back(office: Office) -> None:
    """Whoever was killed left a task: as long as it runs the disk looks as it was before."""
    office.built(FILE, KEY)
    propose(office, _larger)
    faults(office, {"on": {"method": "PUT", "path": "*/resize"}, "do": "hold", "when": "after"})
    killed = start_apply(office, KEY)
    until_held(office, killed)
    killed.kill()
    killed.communicate()
    office.lab.post("/release", {"all": True, "answer": False})
    faults(office)
    charged = quota(office)

    early = office.run("apply", "--undo", KEY)
    assert (early.code, early.codes) == (6, ["apply.undo-running"])
    assert (quota(office), proposal(office)) == (charged, "applying")
    office.lab.post("/advance", {"seconds": 60})
    assert office.run("apply", "--undo", KEY).codes == ["apply.undo-disks"]
    assert office.run("apply", KEY).code == 0
    settled(office)


# -- killed, and answers that are lost -------------------------------------------------------
@pytest.mark.parametrize("nth", [5, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 3, 7))])
def test_an_answer_that_is_lost_makes_nothing_twice(office: Office, nth: int) -> None:
    office.built(FILE, KEY)
    propose(office, _everything)
    faults(office, {"on": {"method": "P*", "nth": nth}, "do": "lose-answer"})
    for _ in range(3):
        if office.run("apply", KEY).code == 0:
            break
    assert proposal(office) == "applied"
    faults(office)
    for vmid in office.vms():
        restart(office, vmid)
    settled(office)
    assert len(office.vms()) == 2


@pytest.mark.parametrize(
    "path",
    ["*/config", *(pytest.param(one, marks=pytest.mark.slow) for one in ("*/resize", "*/qemu"))],
)
def test_who_is_killed_goes_on(office: Office, path: str) -> None:
    office.built(FILE, KEY)
    propose(office, _everything)
    faults(office, {"on": {"method": "P*", "path": path, "nth": 1}, "do": "hold", "when": "before"})
    process = start_apply(office, KEY)
    until_held(office, process)
    process.kill()
    process.communicate()
    office.lab.post("/release", {"all": True, "answer": False})
    faults(office)

    answer = office.run("apply", KEY)

    assert answer.code == 0, answer.out
    assert {one["state"] for one in instances(office).values()} == {"active"}
    for vmid in office.vms():
        restart(office, vmid)
    settled(office)
    assert len(office.vms()) == 2
