"""What is built is what was approved, whatever happens between reading and building."""

import json
from typing import Any

from tests.scenarios.beside import let_go, start_apply, until_held
from tests.scenarios.conftest import APPROVER, Office

OTHER_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJC other@key"
)


def _other_key(document: dict[str, Any]) -> None:
    document["spec"]["vms"][0]["sshKeys"] = [OTHER_KEY]


def test_a_revision_approved_while_apply_reads_the_cluster_is_not_mixed_up(office: Office) -> None:
    """The new revision's offer shows the same; the running apply still knows the old one."""
    office.approved("simkeu.yaml", "bkad/simkeu")
    office.lab.post(
        "/faults",
        {"faults": [{"on": {"method": "GET", "path": "/cluster/resources", "nth": 1},
                     "do": "hold"}]},
    )  # fmt: skip
    with start_apply(office, "bkad/simkeu") as running:
        until_held(office, running)
        file = office.edited("simkeu.yaml", _other_key)
        assert office.run("request", "submit", file, actor="nina").code == 0
        assert office.run("request", "approve", "bkad/simkeu", actor=APPROVER).code == 0
        let_go(office)
        out, _ = running.communicate()

    assert running.returncode == 4
    assert [fault["code"] for fault in json.loads(out)["faults"]] == ["ledger.revision-moved"]
    assert office.vms() == {}
    record = office.run("request", "show", "bkad/simkeu", "--offline").data["record"]
    assert (record["state"], record["revision"]) == ("approved", 2)
    assert office.run("apply", "bkad/simkeu").code == 0
    assert {"other%40key" in vm["config"]["sshkeys"] for vm in office.vms().values()} == {True}
