"""VMs that stood there before: taken in with what they are, changed in nothing but their stamp."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudpemda.lab.process import RunningLab
from tests.scenarios.beside import let_go, start_command, until_held
from tests.scenarios.conftest import APPROVER, Answer, Office, running_site

LETTER = ("--letter", "800/12/2026", "--letter-date", "2026-11-01")
STAMP = ("description", "tags")


@pytest.fixture(scope="module", params=["9.2", "8.4"])
def _site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, RunningLab]]:
    with running_site(tmp_path_factory.mktemp("site") / "lab", str(request.param)) as site:
        yield site


def config_of(vmid: int, **more: str) -> dict[str, str]:
    return {
        "name": f"Lama_{vmid}.local",
        "cores": "2",
        "sockets": "2",
        "memory": "4096",
        "scsihw": "lsi",
        "virtio0": f"local-zfs:vm-{vmid}-disk-0,size=20G",
        "sata1": f"tank-hdd:vm-{vmid}-disk-1,backup=0,size=5G",
        "boot": "order=virtio0;net0",
        "net1": f"e1000=02:00:00:00:{vmid // 100:02X}:{vmid % 100:02X},bridge=vmbr0,tag=110",
        "smbios1": f"uuid=00000000-0000-4000-8000-{vmid:012d}",
        "description": "Server lama\njangan dimatikan",
        "tags": "lama",
        **more,
    }


def stand(office: Office, vmid: int, *, node: str = "pve1", **more: str) -> None:
    """A VM that somebody made by hand."""
    config = config_of(vmid, **more)
    outside = {"cluster": "dc", "vmid": vmid, "node": node}
    office.lab.post("/outside", {**outside, "action": "create-vm", "config": config})
    office.lab.post("/outside", {**outside, "action": "change-vm", "status": "running"})


def settle(office: Office) -> None:
    """PVE lists the state of a new VM after ten seconds."""
    assert office.run("lab", "advance", "30s").code == 0


def adopt(office: Office, *words: str, actor: str = APPROVER) -> Answer:
    return office.run("adopt", "--cluster", "dc", "--opd", "dinkes", *LETTER, *words, actor=actor)


def config(office: Office, vmid: int) -> dict[str, Any]:
    return dict(office.vms()[vmid]["config"])


def bare(office: Office, vmid: int) -> dict[str, Any]:
    return {key: value for key, value in config(office, vmid).items() if key not in STAMP}


def test_vms_that_stand_there_become_instances(office: Office, tmp_path: Path) -> None:
    for vmid in (501, 502):
        stand(office, vmid)
    before = {vmid: bare(office, vmid) for vmid in (501, 502)}
    seen = len(office.requests())
    shown = adopt(office, "--vmid", "501,502", "--name", "lama", actor="rudi")
    assert shown.code == 0, shown.out
    assert office.writes_since(seen) == []
    assert office.run("request", "list").data == []

    done = adopt(office, "--vmid", "501,502", "--name", "lama", "--yes", "--write", str(tmp_path))
    assert done.code == 0, done.out
    assert [vm["stamped"] for vm in done.data["workloads"][0]["vms"]] == [True, True]
    assert {vmid: bare(office, vmid) for vmid in (501, 502)} == before
    text = config(office, 501)["description"]
    assert text.startswith("cloudpemda uid=")
    assert text.rstrip("\n").endswith("Server lama\njangan dimatikan")
    assert set(config(office, 501)["tags"].split(";")) == {
        "lama", "cloudpemda", "opd-dinkes", "class-basic",
    }  # fmt: skip

    assert office.run("request", "check", str(tmp_path / "lama.yaml")).code == 0
    document = yaml.safe_load((tmp_path / "lama.yaml").read_text())
    disks = document["spec"]["vms"][0]["disks"]
    assert [(disk["name"], disk["size"], disk["class"]) for disk in disks] == [
        ("root", "20 GiB", "ssd"), ("sata1", "5 GiB", "hdd"),
    ]  # fmt: skip
    assert document["spec"]["vms"][0]["cpu"] == 4

    found = office.run("vm", "list", "--opd", "dinkes").data
    assert [one["vmid"] for one in found] == [501, 502]
    used = {one["dimension"]: one["committed"] for one in office.run("quota", "show").data
            if one["opd"] == "dinkes"}  # fmt: skip
    assert (used["instances"], used["vcpu"], used["disk.ssd"]) == (2, 8, 2 * 20 * 1024)
    assert office.run("audit", "verify").code == 0


def test_adopting_twice_changes_nothing(office: Office) -> None:
    stand(office, 501)
    assert adopt(office, "--vmid", "501", "--yes").code == 0
    seen, entries = len(office.requests()), len(office.run("audit", "log").data)
    again = adopt(office, "--vmid", "501", "--yes")
    assert (again.code, again.data["workloads"]) == (0, [])
    assert [one["vmid"] for one in again.data["already"]] == [501]
    assert office.writes_since(seen) == []
    assert len(office.run("audit", "log").data) == entries


def test_the_plan_shows_only_what_the_class_adds(office: Office) -> None:
    stand(office, 501)
    assert adopt(office, "--vmid", "501", "--name", "lama", "--yes").code == 0
    settle(office)
    before = bare(office, 501)
    (planned,) = office.run("plan", "dinkes/lama").data
    differences = {(one["aspect"], one["key"]) for one in planned["vms"][0]["differences"]}
    assert differences == {("pool", "pool"), ("backup", "cloudpemda-basic")}

    done = office.run("apply", "dinkes/lama")
    assert done.code == 0, done.out
    assert bare(office, 501) == before
    assert [one["settled"] for one in office.run("plan", "dinkes/lama").data] == [True]
    assert office.run("quota", "verify").code == 0


REASONS = {
    "adopt.template": {"template": "1"},
    "adopt.nic": {"net1": "virtio=02:00:00:00:00:09,bridge=vmbr0,tag=999"},
    "adopt.nic-twice": {"net2": "virtio=02:00:00:00:00:09,bridge=vmbr0,tag=110"},
    "adopt.storage": {"virtio0": "nfs:600/vm-600-disk-0.raw,size=20G"},
    "plan.roots-key": {"hostpci0": "0000:01:00"},
    "adopt.description": {"description": "x" * 8000},
    "adopt.address": {"ipconfig1": "ip=10.10.110.1/24"},
    "document.too-small": {"memory": "256"},
}


def test_what_cannot_be_said_is_left_with_its_reason(office: Office) -> None:
    for vmid, more in enumerate(REASONS.values(), start=600):
        stand(office, vmid, **more)
    office.lab.post(
        "/outside", {"cluster": "dc", "action": "create-container", "vmid": 650, "node": "pve1"}
    )
    stand(office, 651)
    settle(office)
    seen = len(office.requests())
    answer = adopt(office, "--node", "pve1", "--vmid", "699", "--yes")
    assert answer.code == 7
    left = {one["vmid"]: [fault["code"] for fault in one["faults"]] for one in answer.data["left"]}
    expected = {vmid: [code] for vmid, code in enumerate(REASONS, start=600)}
    assert left == expected | {
        650: ["adopt.container"], 699: ["adopt.no-such-vm"],
    }  # fmt: skip
    assert [vm["vmid"] for one in answer.data["workloads"] for vm in one["vms"]] == [651]
    assert {path for _, path in office.writes_since(seen)} == {"/nodes/pve1/qemu/651/config"}


def test_what_stands_above_a_limit_is_charged_and_blocks_growth(office: Office) -> None:
    for vmid in range(501, 513):  # dinkes may have 10
        stand(office, vmid)
    done = adopt(office, "--tag", "lama", "--yes")
    assert done.code == 0, done.out
    assert "quota.instances" in [one["code"] for one in done.data["overage"]]
    lines = {one["dimension"]: one for one in office.run("quota", "show").data
             if one["opd"] == "dinkes"}  # fmt: skip
    assert (lines["instances"]["committed"], lines["instances"]["over"]) == (12, 2)
    refused = office.run("request", "submit", office.file("simrs.yaml"), actor="siti")
    assert "quota.instances" in refused.codes


def test_addresses_are_recorded_and_conflicts_refused(office: Office, tmp_path: Path) -> None:
    stand(office, 501, ipconfig1="ip=10.10.110.30/24,gw=10.10.110.1")
    stand(office, 502, ipconfig1="ip=10.10.110.30/24,gw=10.10.110.1")
    stand(office, 503)
    listed = tmp_path / "vms.yaml"
    listed.write_text(
        "vms:\n  - {vmid: 501}\n  - {vmid: 502}\n"
        "  - {vmid: 503, workload: arsip, name: db, addresses: {dinkes-app: 10.10.110.31}}\n"
    )
    done = adopt(office, "--from", str(listed), "--yes")
    assert done.code == 7
    assert done.codes == ["adopt.address-taken"]
    assert [vm["key"] for one in done.data["workloads"] for vm in one["vms"]] == [
        "dinkes/lama-501-local/vm-1", "dinkes/arsip/db-1",
    ]  # fmt: skip
    given = {one["address"] for one in office.run("ip", "list").data["lines"]
             if one["state"] == "given"}  # fmt: skip
    assert {"10.10.110.30", "10.10.110.31"} <= given


def test_only_who_may_decide_adopts(office: Office) -> None:
    stand(office, 501)
    for actor, code in (("rudi", "adopt.not-yours"), ("siti", "adopt.not-yours")):
        answer = adopt(office, "--vmid", "501", "--yes", actor=actor)
        assert (answer.code, answer.codes) == (4, [code])
    assert office.run("request", "list").data == []
    assert "cloudpemda" not in config(office, 501)["description"]
    assert adopt(office, "--vmid", "501", "--yes", actor="dewi").code == 0


def test_an_adoption_that_was_killed_is_gone_on_with(office: Office) -> None:
    for vmid in (501, 502, 503):
        stand(office, vmid)
    held = {"on": {"method": "POST", "path": "*/config", "nth": 2}, "do": "hold", "when": "after"}
    office.lab.post("/faults", {"faults": [held]})
    words = ("--cluster", "dc", "--opd", "dinkes", *LETTER, "--tag", "lama", "--yes")
    running = start_command(office, "adopt", *words, actor=APPROVER)
    until_held(office, running)
    running.kill()
    running.communicate()
    let_go(office)
    done = adopt(office, "--tag", "lama", "--yes", actor="rudi")
    assert done.code == 0, done.out
    assert [vm["stamped"] for vm in done.data["already"]] == [True, True, True]
    assert all("uid=" in config(office, vmid)["description"] for vmid in (501, 502, 503))
    assert office.run("ledger", "verify").code == 0


def test_a_killed_adoption_of_a_vm_that_another_hand_deletes_is_over_with_its_end(
    office: Office,
) -> None:
    stand(office, 501)
    held = {"on": {"method": "POST", "path": "*/config", "nth": 1}, "do": "hold", "when": "after"}
    office.lab.post("/faults", {"faults": [held]})
    words = ("--cluster", "dc", "--opd", "dinkes", *LETTER, "--name", "lama", "--vmid", "501")
    running = start_command(office, "adopt", *words, "--yes", actor=APPROVER)
    until_held(office, running)
    running.kill()
    running.communicate()
    let_go(office)
    office.lab.post("/outside", {"cluster": "dc", "action": "delete-vm", "vmid": 501})
    key = "dinkes/lama"
    office.run("request", "retire", key, "--reason", "hilang", actor="rudi")
    done = office.run("request", "purge", key, "--confirm", key, "--gone", actor="rudi")
    assert done.code == 0, done.out
    assert office.run("ledger", "verify").code == 0


def test_a_vmid_that_got_another_vm_is_never_stamped(office: Office) -> None:
    stand(office, 501)
    held = {"on": {"method": "POST", "path": "*/config", "nth": 1}, "do": "hold", "when": "before"}
    office.lab.post("/faults", {"faults": [held]})
    words = ("--cluster", "dc", "--opd", "dinkes", *LETTER, "--vmid", "501", "--yes")
    running = start_command(office, "adopt", *words, actor=APPROVER)
    until_held(office, running)
    running.kill()
    running.communicate()
    office.lab.post("/outside", {"cluster": "dc", "action": "delete-vm", "vmid": 501})
    stand(office, 501, smbios1="uuid=00000000-0000-4000-8000-999999999999", name="another")
    before = config(office, 501)
    let_go(office)
    answer = adopt(office, "--vmid", "501", "--yes")
    assert "apply.foreign" in answer.codes, answer.out
    assert config(office, 501) == before


def test_the_image_of_adopted_vms_cannot_be_asked_for(office: Office) -> None:
    def change(document: dict[str, Any]) -> None:
        document["spec"]["vms"][0]["image"] = "adopted"

    answer = office.run("request", "submit", office.edited("simrs.yaml", change), actor="siti")
    assert answer.codes == ["request.not-allowed", "policy.image-adopted"]
    assert json.dumps(office.run("request", "list").data) == "[]"


def test_a_vm_that_was_stopped_stays_so(office: Office) -> None:
    stand(office, 501)
    outside = {"cluster": "dc", "action": "change-vm", "vmid": 501, "status": "stopped"}
    office.lab.post("/outside", outside)
    settle(office)
    assert adopt(office, "--vmid", "501", "--name", "lama", "--yes").code == 0
    assert office.run("apply", "dinkes/lama").code == 0
    assert office.vms()[501]["status"] == "stopped"
    (shown,) = office.run("vm", "list").data
    assert shown["stopped"] is not None


def test_an_adopted_vm_can_grow(office: Office, tmp_path: Path) -> None:
    stand(office, 501)
    folder = str(tmp_path)
    assert adopt(office, "--vmid", "501", "--name", "lama", "--yes", "--write", folder).code == 0
    settle(office)
    assert office.run("apply", "dinkes/lama").code == 0
    document = (tmp_path / "lama.yaml").read_text()
    (tmp_path / "lama.yaml").write_text(document.replace("memory: 4 GiB", "memory: 6 GiB"))
    handed = office.run("request", "submit", str(tmp_path / "lama.yaml"), actor="siti")
    assert handed.code == 0, handed.out
    assert office.run("request", "approve", "dinkes/lama", actor="dewi").code == 0
    before = bare(office, 501)
    done = office.run("apply", "dinkes/lama")
    assert done.code in (0, 7), done.out
    after = bare(office, 501)
    changed = {key for key in before | after if before.get(key) != after.get(key)}
    assert changed <= {"memory", "digest"}
    assert office.vms()[501].get("pending", {}).get("memory", after["memory"]) in ("6144", 6144)


def test_a_vm_of_a_lost_ledger_keeps_its_uid(office: Office) -> None:
    uid = "0123456789abcdef0123456789abcdef"
    text = f"cloudpemda uid={uid} role=primary instance=dinkes/simrs/db-1\nManaged by cloudpemda."
    stand(office, 501, description=f"{text} Do not edit this text.", tags="cloudpemda;opd-dinkes")
    assert adopt(office, "--vmid", "501", "--name", "simrs", "--yes").code == 0
    first = config(office, 501)["description"].partition("\n")[0]
    assert first == f"cloudpemda uid={uid} role=primary instance=dinkes/simrs/lama-501-local-1"
    assert config(office, 501)["description"].count("Managed by cloudpemda.") == 1


def test_two_cards_of_one_address_are_not_both_adopted(office: Office) -> None:
    card = "virtio=02:00:00:00:00:77,bridge=vmbr0,tag=110"
    stand(office, 501, net1=card)
    stand(office, 502, net1=card)
    done = adopt(office, "--tag", "lama", "--yes")
    assert (done.code, done.codes) == (7, ["adopt.mac-taken"])
    again = adopt(office, "--tag", "lama", "--yes")
    assert ([one["vmid"] for one in again.data["already"]], again.codes) == (
        [501], ["adopt.mac-taken"],
    )  # fmt: skip


@pytest.mark.slow
def test_three_hundred_in_one_go(office: Office) -> None:
    for vmid in range(2000, 2300):
        stand(office, vmid, node=f"pve{1 + vmid % 3}")
    seen = len(office.requests())
    done = adopt(office, "--tag", "lama", "--name", "lama", "--yes")
    assert done.code == 0, done.out
    assert [len(one["vms"]) for one in done.data["workloads"]] == [20] * 15
    assert all(vm["stamped"] for one in done.data["workloads"] for vm in one["vms"])
    # per VM: read, read again, written, its task, read back; and a look at the cluster
    assert len(office.requests()) - seen <= 6 * 300 + 20
    assert len(office.writes_since(seen)) == 300
    again = adopt(office, "--tag", "lama", "--name", "lama", "--yes")
    assert (again.code, len(again.data["already"]), again.data["workloads"]) == (0, 300, [])
    assert office.run("audit", "verify").code == 0
