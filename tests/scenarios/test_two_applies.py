"""Two operators at once: each VM exactly once, and nobody is told a fault that is none."""

import json
import subprocess
import sys

from tests.scenarios.conftest import OPERATOR, Office


def _start_apply(office: Office) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable, "-m", "cloudpemda", "--site", str(office.directory), "--output", "json",
            "--actor", OPERATOR, "apply",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def test_an_apply_that_comes_late_finds_it_done(office: Office) -> None:
    """The other one read the cluster, was held up, and finds everything made meanwhile."""
    office.approved()
    held = {"on": {"method": "GET", "path": "*/cluster/resources", "nth": 1}, "do": "hold"}
    office.lab.post("/faults", {"faults": [{**held, "when": "after"}]})
    late = _start_apply(office)
    while not office.lab.get("/holds"):
        assert late.poll() is None, late.communicate()
    assert office.run("apply").code == 0
    made = office.vms()
    before = len(office.requests())
    for one in office.lab.get("/holds"):
        office.lab.post("/release", {"id": one["id"], "answer": True})
    out, err = late.communicate(timeout=120)
    assert late.returncode == 0, out + err
    assert json.loads(out)["faults"] == []
    assert sorted(office.vms()) == sorted(made)
    assert office.writes_since(before) == []
    assert office.run("request", "show", "dinkes/simrs").data["record"]["state"] == "active"
