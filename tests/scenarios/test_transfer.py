"""A workload changes its OPD, through the command line: nothing of it stops or moves."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.scenarios.beside import let_go, start_command, until_held
from tests.scenarios.conftest import APPROVER, Answer, Office, running_site
from tests.scenarios.test_expose import groups

KEY, NEW = "dinkes/simrs", "disdukcapil/simrs"
LETTER = ("--letter", "800/99/Setda/2026", "--letter-date", "2026-11-20")


def _edit(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    document = yaml.safe_load(file.read_text())
    change(document)
    file.write_text(yaml.safe_dump(document, sort_keys=False))


@pytest.fixture(params=["9.2", pytest.param("8.4", marks=pytest.mark.slow)])
def office(
    request: pytest.FixtureRequest, tmp_path: Path, call: Callable[..., Answer]
) -> Iterator[Office]:
    with running_site(tmp_path / "lab", request.param) as (directory, lab):
        managed = {"datacenter": "managed"}
        _edit(directory / "site.yaml", lambda d: d.update(firewall=managed))
        yield Office(directory, lab, call)


def shared(office: Office) -> None:
    """The network may be used by the other OPD too."""
    _edit(
        office.directory / "opd/disdukcapil.yaml",
        lambda d: d["allow"]["networks"].append("dinkes-app"),
    )


def roomy(office: Office) -> None:
    more = {"disk": {"ssd": "2 TiB"}, "public_ip": 2}
    _edit(office.directory / "opd/disdukcapil.yaml", lambda d: d["quota"].update(more))


def transfer(office: Office, *words: str, actor: str = APPROVER, key: str = KEY) -> Answer:
    return office.run("request", "transfer", key, "disdukcapil", *LETTER, *words, actor=actor)


def _exposing(document: dict[str, Any]) -> None:
    db, _ = document["spec"]["vms"]
    db["expose"] = [{"port": 5432, "from": "opd"}]


def built(office: Office) -> None:
    file = office.edited("simrs.yaml", _exposing)
    assert office.run("request", "submit", file, actor="siti").code == 0
    assert office.run("request", "approve", KEY, actor=APPROVER).code == 0
    answer = office.run("apply", KEY)
    assert answer.code == 0, answer.out


def used(office: Office, opd: str) -> dict[str, int]:
    lines = office.run("quota", "show", opd).data
    return {one["dimension"]: one["committed"] for one in lines if one["committed"]}


def told(office: Office) -> dict[int, tuple[str, str, str]]:
    """VMID → what PVE says of whose it is: pool, tags, stamp."""
    state = office.lab.get("/state")["dc"]
    pools = {vmid: name for name, pool in state["pools"].items() for vmid in pool["vms"]}
    return {
        int(vmid): (
            pools.get(int(vmid), "-"),
            vm["config"]["tags"],
            vm["config"]["description"].splitlines()[0].rpartition(" ")[2],
        )
        for vmid, vm in state["vms"].items()
        if 10000 <= int(vmid) < 11000
    }


def comments(office: Office) -> list[str]:
    """What the security groups say of themselves."""
    cluster = office.lab.get("/state")["dc"]["firewalls"]["cluster"]
    return sorted(one["comment"] for one in cluster["groups"])


def test_all_that_it_has_goes_to_the_other_opd(office: Office) -> None:
    built(office)
    was, before = told(office), used(office, "dinkes")
    addresses = {
        one["address"] for one in office.run("ip", "list", "--opd", "dinkes").data["lines"]
    }
    assert len(addresses) == 4

    seen = len(office.requests())
    for actor, codes in (
        ("siti", ["transfer.not-yours"]),
        ("rudi", ["transfer.not-yours"]),
        (APPROVER, ["transfer.refused", *["policy.network-not-allowed"] * 2]),
    ):
        refused = transfer(office, "--yes", actor=actor)
        assert (refused.code, refused.codes) == (4, codes)
    shared(office)
    refused = transfer(office, "--yes")
    assert (refused.code, refused.codes) == (4, ["quota.exceeded", "quota.disk"])
    assert office.writes_since(seen) == []
    assert (told(office), used(office, "disdukcapil")) == (was, {})
    roomy(office)

    shown = transfer(office)
    assert (shown.code, shown.data["done"], shown.data["moved"]) == (0, False, before)
    said = office.text("request", "transfer", KEY, "disdukcapil", *LETTER, actor=APPROVER)
    assert "dinkes/simrs would become disdukcapil/simrs" in said.out
    done = transfer(office, "--yes", "--reason", "Perbup 7/2026")
    assert done.code == 0, done.out
    assert (used(office, "dinkes"), used(office, "disdukcapil")) == ({}, before)
    tags = "class-critical;cloudpemda;opd-disdukcapil"
    assert told(office) == {
        vmid: ("opd-disdukcapil", tags, stamp.replace("=dinkes/", "=disdukcapil/"))
        for vmid, (_, _, stamp) in was.items()
    }
    assert all(vm["status"] == "running" for vm in office.vms().values() if vm["vmid"] > 10000)
    assert groups(office) == {"db": {("tcp", "5432", "10.10.120.0/24")}}
    assert comments(office) == ["cloudpemda disdukcapil/simrs/db"]
    found = office.run("ip", "list", "--opd", "disdukcapil").data["lines"]
    assert {one["address"] for one in found} == addresses
    assert {one["letter"] for one in found} == {"800/99/Setda/2026 (2026-11-20)"}

    for line in (f"plan {NEW}", "drift", "quota verify", "audit verify"):
        answer = office.run(*line.split())
        assert answer.code == 0, (line, answer.out)
    assert office.run("plan", NEW).data[0]["settled"]
    assert office.run("vm", "backups", f"{NEW}/db-1", actor="asep").code == 0

    seen, entries = len(office.requests()), len(office.run("audit", "log").data)
    for again in (transfer(office, "--yes"), transfer(office, "--yes", actor="rudi")):
        assert (again.code, again.data["done"], again.data["key"]) == (0, True, NEW)
    assert office.writes_since(seen) == []
    assert len(office.run("audit", "log").data) == entries

    number = office.run("request", "show", NEW, actor="asep").data["record"]["number"]
    denied: tuple[tuple[tuple[str, ...], str], ...] = (
        (("request", "show", number), "desk.scope"),
        (("request", "withdraw", number), "desk.role"),
        (("vm", "stop", f"{NEW}/db-1", "--reason", "x"), "desk.role"),
        (("vm", "backups", f"{NEW}/db-1"), "desk.scope"),
        (("request", "show", KEY), "ledger.no-request"),
    )
    for words, code in denied:
        assert office.run(*words, actor="siti").codes == [code], words
    assert office.run("vm", "restart", f"{NEW}/app-1", actor="asep").code == 0


@pytest.mark.slow
@pytest.mark.parametrize("office", ["9.2"], indirect=True)
def test_killed_after_the_ledger_it_is_told_and_gone_on_with(office: Office) -> None:
    """Nothing on the cluster was written yet; a VMID that got another VM meanwhile is left."""
    inbox = office.directory / "inbox"
    (inbox / "dinkes").mkdir(parents=True, mode=0o700)
    edited = Path(office.edited("simrs.yaml", _exposing))
    (inbox / "dinkes/simrs.yaml").write_text(edited.read_text())
    assert office.run("request", "inbox", str(inbox)).code == 0
    assert office.run("request", "approve", KEY, actor=APPROVER).code == 0
    assert office.run("apply", KEY).code == 0
    shared(office)
    roomy(office)
    held = {"on": {"method": "PUT", "path": "*/pools"}, "do": "hold"}
    office.lab.post("/faults", {"faults": [held]})
    words = ("request", "transfer", KEY, "disdukcapil", *LETTER, "--yes")
    killed = start_command(office, *words, actor=APPROVER)
    until_held(office, killed)
    killed.kill()
    killed.communicate()
    let_go(office, answer=False)
    office.lab.post("/faults", {"faults": []})
    assert used(office, "dinkes") == {}

    told_of = office.run("drift")
    assert (told_of.code, told_of.codes) == (7, ["transfer.unfinished"])
    left = {one["key"]: one["drift"] for one in told_of.data["instances"]}
    assert left == dict.fromkeys([f"{NEW}/app-1", f"{NEW}/db-1", f"{NEW}/db-2"], "security")
    assert not office.run("plan", NEW).data[0]["settled"]
    assert office.run("ledger", "verify").codes == ["ledger.saga-left"]

    taken = office.run("request", "inbox", str(inbox))
    assert taken.codes == ["inbox.given-away"]
    assert "dialihkan ke OPD lain" in (inbox / "dinkes/simrs.balasan.txt").read_text()

    # its former name is somebody's again, before the group of that name was dropped
    built(office)
    vmid = min(told(office))
    other = {"cluster": "dc", "vmid": vmid, "node": "pve1"}
    kept = office.lab.get("/state")["dc"]["vms"][str(vmid)]["config"]["description"]
    for description, code in (("Milik orang lain", 4), (kept, 0)):
        change = {"action": "change-vm", "set": {"description": description}}
        office.lab.post("/outside", {**other, **change})
        seen = len(office.requests())
        went_on = office.run("apply", NEW)
        assert went_on.code == code, went_on.out
        if code:
            assert went_on.codes == ["plan.identity"]
            assert office.writes_since(seen) == []
    assert office.run("request", "inbox", str(inbox)).codes == []
    assert office.run("drift").codes == []
    assert office.run("plan", NEW).data[0]["settled"]
    assert office.run("ledger", "verify").code == 0
    assert comments(office) == ["cloudpemda dinkes/simrs/db", "cloudpemda disdukcapil/simrs/db"]
    again = transfer(office, "--yes", actor="rudi")
    assert (again.code, again.codes) == (4, ["transfer.not-yours"]), "it is another one now"


@pytest.mark.slow
@pytest.mark.parametrize("office", ["9.2"], indirect=True)
def test_going_on_too_late_starts_nothing_that_is_in_quarantine_since(office: Office) -> None:
    built(office)
    shared(office)
    roomy(office)
    words = ("request", "transfer", KEY, "disdukcapil", *LETTER, "--yes")
    at = (("PUT", "*/pools", "before"), ("GET", "*/cluster/resources", "after"))
    for method, path, when in at:
        held = {"on": {"method": method, "path": path, "nth": 1}, "do": "hold", "when": when}
        office.lab.post("/faults", {"faults": [held]})
        late = start_command(office, *words, actor=APPROVER)
        until_held(office, late)
        if method == "PUT":
            late.kill()
            late.communicate()
            let_go(office, answer=False)
    retired = office.run("request", "retire", NEW, "--reason", "selesai")
    assert (retired.code, retired.data["record"]["state"]) == (0, "retired"), retired.out
    before = len(office.requests())
    let_go(office, answer=False)
    out, err = late.communicate()
    assert late.returncode == 0, out + err
    assert office.writes_since(before) == []
    assert {vm["status"] for vm in office.vms().values() if not vm.get("template")} == {"stopped"}
