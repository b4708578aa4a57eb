"""A workload that lives, and the changed document that its OPD hands in."""

from pathlib import Path
from typing import Any

from tests.scenarios.conftest import APPROVER, Office

KEY, FILE, OPD = "bkad/simkeu", "simkeu.yaml", "nina"
GIB = 1024


def _larger(document: dict[str, Any]) -> None:
    (app,) = document["spec"]["vms"]
    app["flavor"] = "l8"
    app["disks"][1]["size"] = "90 GiB"
    app["disks"].append({"name": "logs", "size": "10 GiB", "class": "hdd", "protect": False})


def _second_vm(document: dict[str, Any]) -> None:
    document["spec"]["vms"][0]["count"] = 2


def _huge(document: dict[str, Any]) -> None:
    app = document["spec"]["vms"][0]
    del app["flavor"]
    app["cpu"], app["memory"] = 8, "60 GiB"


def _smaller_disk(document: dict[str, Any]) -> None:
    document["spec"]["vms"][0]["disks"][1]["size"] = "59 GiB"


def _renamed(document: dict[str, Any]) -> None:
    document["spec"]["vms"][0]["name"] = "web"


def _quota(office: Office, opd: str = "bkad") -> dict[str, tuple[int, int]]:
    lines = office.run("quota", "show", opd).data
    return {line["dimension"]: (line["committed"], line["held"]) for line in lines}


def _submit(office: Office, change: Any, *words: str) -> Any:
    return office.run("request", "submit", *words, office.edited(FILE, change), actor=OPD)


def test_a_change_is_proposed_offered_approved_and_waits_beside_what_lives(office: Office) -> None:
    office.built(FILE, KEY)
    used, vms = _quota(office), office.vms()

    answer = _submit(office, _larger)
    assert answer.code == 0, answer.out
    assert answer.data[0]["submission"]["proposal"] == "pending"
    assert _quota(office) == used

    view = office.run("request", "show", KEY, actor=APPROVER).data
    assert (view["record"]["state"], view["record"]["revision"], view["against"]) == (
        "active",
        1,
        1,
    )
    assert {(one["what"], one["subject"]): one["restart"] for one in view["changes"]} == {
        ("cpu", "app"): True,
        ("memory", "app"): True,
        ("disk-grown", "app/data"): False,
        ("disk-added", "app/logs"): False,
    }
    delta = {
        "vcpu": 4,
        "memory": 8 * GIB,
        "disk.ssd": 60 * GIB,
        "disk.hdd": 10 * GIB,
        "backup": 36 * GIB,
    }
    assert view["offer"]["quota_delta"] == delta
    assert {one["key"]: (one["node"], one["reason"]) for one in view["offer"]["trial"]} == {
        f"{KEY}/app-1": (next(iter(vms.values()))["node"], "")
    }
    found = office.run("request", "list", "--state", "pending").data
    assert [(one["key"], one["state"]) for one in found] == [(KEY, "active")]
    page = office.text("request", "show", KEY, "--offline").out
    assert page.index("Changes of revision 2 against 1 (pending)") < page.index("awaited: ")
    assert "the hold lasts" not in page
    assert "active (rev 2 pending)" in office.text("request", "list").out

    answer = office.run("request", "approve", KEY, actor=APPROVER)
    assert answer.code == 0, answer.out
    assert {name: held for name, (_, held) in _quota(office).items() if held} == delta
    assert {name: committed for name, (committed, _) in _quota(office).items()} == {
        name: committed for name, (committed, _) in used.items()
    }
    page = office.text("request", "show", KEY, lang="id").out
    assert "ditahan untuknya: backup 36 GiB" in page
    assert page.count("nyalakan ulang") == 3  # the column, vCPU and memory
    assert office.vms() == vms

    status = office.run("status").data["instances"]
    assert [(one["key"], one["differences"]) for one in status] == [(f"{KEY}/app-1", [])]

    answer = office.run("request", "withdraw", KEY, actor=OPD)
    assert answer.code == 0, answer.out
    assert _quota(office) == used
    assert office.run("apply", KEY).code == 0
    assert office.vms() == vms


def test_a_change_whose_approver_lost_the_role_waits_again(office: Office) -> None:
    """It is asked where the change is taken up: `plan` says so, `apply` voids it."""
    office.built(FILE, KEY)
    used = _quota(office)
    assert _submit(office, _second_vm).code == 0
    assert office.run("request", "approve", KEY, actor=APPROVER).code == 0
    people = office.directory / "people.yaml"
    kept = people.read_text()
    people.write_text(kept.replace("[{role: approver}]", "[{role: auditor}]"))
    try:
        assert office.run("plan", KEY).codes == ["plan.approver-removed"]
        before = len(office.requests())
        applied = office.run("apply", KEY)
        assert (applied.code, applied.codes) == (4, ["ledger.approver-removed"])
        assert office.writes_since(before) == []
        record = office.run("request", "show", KEY, "--offline").data["record"]
        assert (record["state"], record["proposal"]["state"]) == ("active", "pending")
        assert _quota(office) == used
        assert office.run("apply", KEY).code == 0, "what lives goes on"
    finally:
        people.write_text(kept)


def test_a_second_vm_is_offered_beside_the_first(office: Office) -> None:
    office.built(FILE, KEY)
    assert _submit(office, _second_vm).code == 0

    offer = office.run("request", "show", KEY, actor=APPROVER).data["offer"]
    assert {one["key"] for one in offer["trial"]} == {f"{KEY}/app-1", f"{KEY}/app-2"}
    assert offer["quota_delta"]["instances"] == 1
    assert office.run("request", "approve", KEY, actor=APPROVER).code == 0
    assert _quota(office)["instances"] == (1, 1)

    # An edit gives back what was held, and handing in what lives ends the change.
    assert _submit(office, _larger).data[0]["submission"]["revision"] == 3
    assert _quota(office)["instances"] == (1, 0)
    answer = office.run("request", "submit", office.file(FILE), actor=OPD)
    assert answer.data[0]["submission"]["proposal"] == "withdrawn"
    record = office.run("request", "show", KEY, "--offline").data["record"]
    assert (record["state"], record["revision"]) == ("active", 1)
    again = office.run("request", "submit", office.file(FILE), actor=OPD)
    assert again.data[0]["submission"]["changed"] is False


def test_the_room_for_an_approved_change_is_given_to_nobody_else(office: Office) -> None:
    """Each node has 56 GiB. 40, 40 and 8 fit after the loss of one node; 40, 40 and 32 do not."""

    def _wide(document: dict[str, Any]) -> None:
        document["spec"]["vms"] = document["spec"]["vms"][:1]
        document["spec"]["vms"][0]["memory"] = "40 GiB"

    def _grown(document: dict[str, Any]) -> None:
        app = document["spec"]["vms"][0]
        del app["flavor"]
        app["cpu"], app["memory"] = 4, "32 GiB"

    office.built(FILE, KEY)
    wide = office.edited("simrs.yaml", _wide)
    assert office.run("request", "submit", wide, actor="siti").code == 0
    assert office.run("request", "show", "dinkes/simrs", actor=APPROVER).data["offer"]
    assert _submit(office, _grown).code == 0
    assert office.run("request", "approve", KEY, actor=APPROVER).code == 0

    answer = office.run("request", "approve", "dinkes/simrs", actor=APPROVER)

    assert (answer.code, answer.codes[0]) == (4, "offer.no-place")
    assert office.run("request", "withdraw", KEY, actor=OPD).code == 0
    assert office.run("request", "approve", "dinkes/simrs", actor=APPROVER).code == 0


def test_what_cannot_be_done_to_a_living_vm_is_said_with_its_place(office: Office) -> None:
    office.built(FILE, KEY)
    for change, code, key in (
        (_smaller_disk, "request.disk-shrinks", '"size": "59 GiB"'),
        (_renamed, "request.retires", '"vms"'),
    ):
        file = office.edited(FILE, change)
        answer = office.run("request", "submit", file, actor=OPD)
        assert (answer.code, answer.codes) == (4, ["request.change-refused", code])
        fault = answer.document["faults"][1]
        assert key in Path(file).read_text().splitlines()[fault["line"] - 1]
    assert office.run("request", "show", KEY, "--offline").data["record"]["proposal"] is None

    meant = _submit(office, _renamed, "--allow-retire")
    assert meant.data[0]["submission"]["proposal"] == "pending"
    changes = office.run("request", "show", KEY, "--offline").data["changes"]
    assert [(one["what"], one["subject"]) for one in changes] == [
        ("vm-removed", "app"),
        ("vm-added", "web"),
    ]


def test_a_change_beyond_quota_is_refused_by_what_grows(office: Office) -> None:
    office.built(FILE, KEY)

    answer = _submit(office, _huge)

    assert (answer.code, answer.codes) == (4, ["quota.exceeded", "quota.memory"])
    record = office.run("request", "show", KEY, "--offline").data["record"]
    assert record["proposal"] is None


def test_a_denied_change_leaves_the_workload_alone(office: Office) -> None:
    office.built(FILE, KEY)
    assert _submit(office, _larger).code == 0
    mine = office.run("request", "deny", KEY, "--reason", "no", actor=OPD)
    assert (mine.code, mine.codes[0]) == (4, "request.not-yours")

    answer = office.run("request", "deny", KEY, "--reason", "belum perlu", actor=APPROVER)

    assert answer.code == 0
    record = answer.data
    assert (record["state"], record["proposal"]["state"]) == ("active", "denied")
    assert "belum perlu" in office.text("request", "show", KEY, "--offline").out
    assert office.run("plan", KEY).code == 0
    assert office.run("request", "approve", KEY, actor=APPROVER).codes == ["ledger.transition"]


def test_an_edit_of_what_waits_shows_what_it_changes(office: Office) -> None:
    """Nothing is made yet: compared with the revision before."""
    assert office.run("request", "submit", office.file(FILE), actor=OPD).code == 0
    first = office.run("request", "show", KEY, "--offline").data
    assert (first["against"], first["changes"]) == (None, [])
    assert _submit(office, _renamed).code == 0  # no flag: nothing lives that could be lost

    view = office.run("request", "show", KEY, "--offline").data
    assert view["against"] == 1
    assert {one["what"] for one in view["changes"]} == {"vm-removed", "vm-added"}
