"""Nodes kept: updated one at a time behind gates, an upgrade that the checker forbids."""

from typing import Any

import pytest

from tests.infra import fake_pve
from tests.infra.conftest import Hosts

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(fake_pve.reference() is None, reason="no schemas of the vendor's API here"),
]
QUICK: dict[str, Any] = {
    "maintenance_update_cache": False,  # the hosts reach no mirror
    "maintenance_empty_seconds": 1,
    "maintenance_health_seconds": 1,
}
GUESTS = {"100": {"node": "n1", "status": "running", "name": "db"}}


def test_a_node_is_emptied_and_taken_back(hosts: Hosts) -> None:
    fake_pve.install(hosts.bed, cluster="dc", guests=GUESTS, services={"vm:100": {"node": "n1"}})
    done = hosts.play("maintenance.yml", limit="n1", **QUICK)
    assert done.rc == 0, done.output
    assert done.tasks == ()
    assert fake_pve.calls(hosts.bed, "ha-manager") == [
        f"n1: ha-manager crm-command node-maintenance {verb} n1" for verb in ("enable", "disable")
    ]
    state = fake_pve.state(hosts.bed)
    assert (state["maintenance"], state["guests"]["100"]["node"]) == ([], "n1")


def test_gates_keep_nodes_as_they_are(hosts: Hosts) -> None:
    fake_pve.install(hosts.bed, cluster="dc", offline=["n3"])
    refused = hosts.play("maintenance.yml", limit="n1,n2", **QUICK)
    assert set(refused.failures) == {"n1"}  # the next one is not even asked
    assert "n3 is away already" in refused.failures["n1"]
    assert "1 of 3 votes are left" in refused.failures["n1"]
    assert fake_pve.calls(hosts.bed) == []

    fake_pve.install(hosts.bed, cluster="dc", guests=GUESTS)
    kept = hosts.play("maintenance.yml", limit="n1,n2", **QUICK)
    assert "qemu/100 db still runs on n1: HA does not manage it" in kept.failures["n1"]

    fake_pve.install(hosts.bed, cluster="dc", down=["pveproxy"])
    ill = hosts.play("maintenance.yml", limit="n1,n2", **QUICK)
    assert set(ill.failures) == {"n1"}
    assert "service pveproxy does not run" in ill.failures["n1"]
    assert fake_pve.state(hosts.bed)["maintenance"] == ["n1"]

    says = {"n2": ["systemd-boot meta-package installed"]}
    fake_pve.install(hosts.bed, cluster="dc", majors={"n1": 9}, checker=says)
    upgrade = hosts.play("upgrade.yml")
    assert set(upgrade.failures) == {"n2"}
    assert "FAIL: systemd-boot meta-package installed" in upgrade.failures["n2"]
    assert upgrade.tasks == ()
    assert fake_pve.calls(hosts.bed) == []
    assert "trixie" not in hosts.bed.run("n3", "cat /etc/apt/sources.list")
