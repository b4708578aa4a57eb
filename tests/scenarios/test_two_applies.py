"""Two operators at once: each VM exactly once, and nobody is told a fault that is none."""

import json

from tests.scenarios.beside import let_go, start_apply, start_command, until_held
from tests.scenarios.conftest import Office
from tests.scenarios.test_changing import FILE, KEY


def test_an_apply_that_comes_late_finds_it_done(office: Office) -> None:
    """The other one read the cluster, was held up, and finds everything made meanwhile."""
    office.approved()
    held = {"on": {"method": "GET", "path": "*/cluster/resources", "nth": 1}, "do": "hold"}
    office.lab.post("/faults", {"faults": [{**held, "when": "after"}]})
    late = start_apply(office)
    until_held(office, late)
    assert office.run("apply").code == 0
    made = office.vms()
    before = len(office.requests())
    let_go(office)
    out, err = late.communicate()
    assert late.returncode == 0, out + err
    assert json.loads(out)["faults"] == []
    assert sorted(office.vms()) == sorted(made)
    assert office.writes_since(before) == []
    assert office.run("request", "show", "dinkes/simrs").data["record"]["state"] == "active"


def test_an_undo_that_comes_late_takes_nothing_back(office: Office) -> None:
    """What was unfinished when the undo was asked for is active when its turn comes."""
    office.approved()
    fails = {"on": {"method": "POST", "path": "*/qemu", "every": 3}, "do": "error"}
    refused = {"status": 400, "reason": "Parameter verification failed."}
    office.lab.post("/faults", {"faults": [{**fails, **refused}]})
    assert office.run("apply").code == 6
    held = {"on": {"method": "GET", "path": "*/cluster/resources", "nth": 1}, "do": "hold"}
    office.lab.post("/faults", {"faults": [{**held, "when": "after"}]})
    late = start_apply(office, "--undo", "dinkes/simrs")
    until_held(office, late)
    assert office.run("apply").code == 0
    before = len(office.requests())
    let_go(office)
    out, err = late.communicate()
    assert late.returncode == 4, out + err
    assert [fault["code"] for fault in json.loads(out)["faults"]] == ["apply.undo-active"]
    assert office.writes_since(before) == []
    view = office.run("request", "show", "dinkes/simrs").data
    assert view["record"]["state"] == "active"
    assert {one["state"] for one in view["instances"]} == {"active"}


def test_a_purge_that_comes_late_destroys_nothing_that_lives_again(office: Office) -> None:
    """It saw a workload in quarantine; another operator brought that back and switched it off."""
    office.built(FILE, KEY)
    assert office.run("request", "retire", KEY, "--reason", "x").code == 0
    held = {"on": {"method": "GET", "path": "*/cluster/resources", "nth": 1}, "do": "hold"}
    office.lab.post("/faults", {"faults": [{**held, "when": "after"}]})
    late = start_command(
        office, "request", "purge", KEY, "--confirm", KEY, "--now", "--reason", "selesai"
    )
    until_held(office, late)
    assert office.run("request", "restore", KEY).code == 0
    (vm,) = office.run("request", "show", KEY).data["instances"]
    assert office.run("vm", "stop", vm["key"], "--reason", "dirawat").code == 0
    before, there = len(office.requests()), office.vms()
    let_go(office)
    out, err = late.communicate()
    assert late.returncode == 4, out + err
    assert [fault["code"] for fault in json.loads(out)["faults"]] == ["retire.moved-on"]
    assert (office.writes_since(before), office.vms()) == ([], there)
    assert office.run("request", "retire", KEY, "--reason", "x").code == 0
