"""`roles` of a request: the site's key goes in with its VMs, and what is not set up is told."""

from typing import Any
from urllib.parse import unquote

import pytest

from cloudpemda.ledger import RoleOutcome, RoleResult
from cloudpemda.usecases.vm_roles import awaiting, wanted
from cloudpemda.wiring import open_desk
from tests.scenarios.conftest import APPROVER, OPERATOR, Office

KEY, VM = "bkad/simkeu", "bkad/simkeu/app-1"


def _with_roles(document: dict[str, Any]) -> None:
    document["spec"]["vms"][0] |= {"roles": ["postgresql"], "postgresql": {"database": "simkeu"}}


def test_what_awaits_is_told_until_it_is_set_up_and_the_lab_is_never_connected_to(
    office: Office,
) -> None:
    file = office.edited("simkeu.yaml", _with_roles)
    assert office.run("request", "submit", file, actor="nina").code == 0
    assert office.run("request", "approve", KEY, actor=APPROVER).code == 0
    assert "plan.no-site-key" in office.run("apply", KEY).codes
    assert office.run("nodes", "key", actor="nina").codes == ["desk.role"]
    made = office.run("nodes", "key").data
    assert office.run("nodes", "key").codes == ["configure.key-exists"]
    assert (office.directory / "secrets/site-key").stat().st_mode & 0o777 == 0o600
    nothing = office.text("vm", "configure", "--all")
    assert "no active VM has `roles`" in nothing.out
    shown = office.text("request", "show", KEY).out
    assert "postgresql (database simkeu)" in shown

    built = office.run("apply", KEY)
    assert built.code == 0, built.out
    assert built.data[0]["awaiting"] == [VM]
    (vm,) = office.vms().values()
    keys = unquote(vm["config"]["sshkeys"]).splitlines()
    assert made["public"] in keys
    assert len(keys) == 2
    assert office.run("plan", KEY).data[0]["vms"][0]["differences"] == []

    assert "survey.roles-awaiting" in office.run("status").codes
    tried = office.run("vm", "configure", VM)
    assert (tried.code, tried.codes) == (5, ["configure.vm-in-lab"])
    assert office.run("vm", "configure", "--all", KEY).code == 2
    assert office.run("vm", "configure", VM, actor="nina").codes == ["desk.role"]
    assert office.run("vm", "configure", "bkad/simkeu/app-9").codes == ["ledger.no-instance"]
    assert office.run("pause", "--reason", "x").code == 0
    assert office.run("vm", "configure", VM).codes == ["pause.on"]


@pytest.mark.slow
def test_what_was_set_up_after_the_backup_awaits_again_once_it_is_restored(office: Office) -> None:
    office.run("nodes", "key")  # or it is there
    file = office.edited("simkeu.yaml", _with_roles)
    assert office.run("request", "submit", file, actor="nina").code == 0
    assert office.run("request", "approve", KEY, actor=APPROVER).code == 0
    assert office.run("apply", KEY).code == 0
    office.lab.post("/advance", {"seconds": 86400})
    with open_desk(office.directory, asserted=OPERATOR) as desk:
        (one,) = wanted(desk, desk.ledger.instances.list())
        done = RoleOutcome(one.role.name, one.digest, RoleResult.DONE)
        desk.ledger.vm_roles.note(one.vm.uid, [done], None, desk.act("operator"))
        assert awaiting(desk, [KEY]) == ()
    assert "survey.roles-awaiting" not in office.run("status").codes
    (shown,) = office.run("vm", "show", VM).data["roles"]
    assert (shown["role"], shown["standing"], shown["person"]) == (
        "postgresql",
        "done",
        "Rudi Setiawan",
    )
    assert "by Rudi Setiawan" in office.text("vm", "show", VM).out
    assert office.run("vm", "restore", VM, "--from", "latest", "--reason", "x", "--yes").code == 0
    assert "survey.roles-awaiting" in office.run("status").codes


@pytest.mark.slow
def test_what_was_set_up_after_a_snapshot_awaits_again_once_the_vm_goes_back(
    office: Office,
) -> None:
    office.run("nodes", "key")  # or it is there
    file = office.edited("simkeu.yaml", _with_roles)
    assert office.run("request", "submit", file, actor="nina").code == 0
    assert office.run("request", "approve", KEY, actor=APPROVER).code == 0
    assert office.run("apply", KEY).code == 0
    snapshot = ("vm", "snapshot")
    assert office.run(*snapshot, "create", VM, "before", "--reason", "v2").code == 0
    with open_desk(office.directory, asserted=OPERATOR) as desk:
        (one,) = wanted(desk, desk.ledger.instances.list())
        done = RoleOutcome(one.role.name, one.digest, RoleResult.DONE)
        desk.ledger.vm_roles.note(one.vm.uid, [done], None, desk.act("operator"))
        assert awaiting(desk, [KEY]) == ()
    assert office.run(*snapshot, "rollback", VM, "before", "--yes").code == 0
    (shown,) = office.run("vm", "show", VM).data["roles"]
    assert (shown["standing"], shown["at"]) == ("awaiting", None)
