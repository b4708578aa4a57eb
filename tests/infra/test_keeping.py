"""Nodes kept: updated one at a time behind gates, an upgrade that the checker forbids."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.infra import fake_pve
from tests.infra.bed import RELEASE
from tests.infra.conftest import Hosts

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(RELEASE != "bookworm", reason="nodes of 8, which become ones of 9"),
    pytest.mark.skipif(fake_pve.reference() is None, reason="no schemas of the vendor's API here"),
]
QUICK: dict[str, Any] = {
    "maintenance_update_cache": False,  # the hosts reach no mirror
    "maintenance_empty_seconds": 1,
    "maintenance_health_seconds": 1,
}
GUESTS = {"100": {"node": "n1", "status": "running", "name": "db"}}


@pytest.fixture
def mirror(hosts: Hosts) -> Iterator[None]:
    """Packages for n1 and n2."""
    fake_pve.install(hosts.bed, cluster="dc", guests=GUESTS, services={"vm:100": {"node": "n1"}})
    fake_pve.repository(hosts.bed, ("n1", "n2"))
    yield
    fake_pve.no_repository(hosts.bed, ("n1", "n2"))


def boot(hosts: Hosts, name: str) -> str:
    hosts.bed.wait_for(name, "true")  # a connection of before the restart may still end
    return hosts.bed.run(name, "cat /proc/sys/kernel/random/boot_id")


@pytest.mark.usefixtures("mirror")
def test_a_node_is_emptied_updated_restarted_and_taken_back(hosts: Hosts) -> None:
    wanted = {**QUICK, "maintenance_update_cache": True}
    hosts.bed.run("n1", "touch /run/reboot-required")
    before = boot(hosts, "n1")
    tried = hosts.play("maintenance.yml", limit="n1", check=True, **wanted)
    assert tried.rc == 0, tried.output
    assert (boot(hosts, "n1"), fake_pve.calls(hosts.bed)) == (before, [])
    done = hosts.play("maintenance.yml", limit="n1", **wanted)
    assert done.rc == 0, done.output
    assert done.tasks == ("n1: New packages", "n1: Start it anew")
    assert boot(hosts, "n1") != before
    assert hosts.on("n1").package("proxmox-ve").version == "8.4.2"
    switched = [
        f"n1: ha-manager crm-command node-maintenance {verb} n1" for verb in ("enable", "disable")
    ]
    assert fake_pve.calls(hosts.bed, "ha-manager") == switched
    state = fake_pve.state(hosts.bed)
    assert (state["maintenance"], state["guests"]["100"]["node"]) == ([], "n1")
    hosts.settle("maintenance.yml", limit="n1", **wanted)


@pytest.mark.usefixtures("mirror")
def test_nodes_become_of_9_one_by_one_and_the_first_that_is_ill_stops_the_rest(
    hosts: Hosts,
) -> None:
    wanted = {"limit": "n1,n2", "upgrade_health_seconds": 1, **QUICK}
    fake_pve.set_state(hosts.bed, offline=["n3"])
    apart = hosts.play("upgrade.yml", **wanted)
    assert set(apart.failures) == {"n1"}
    assert "1 of 3 votes are left" in apart.failures["n1"]
    assert (apart.tasks, fake_pve.calls(hosts.bed)) == ((), [])

    fake_pve.set_state(hosts.bed, offline=[], down=["pveproxy"])
    before = boot(hosts, "n1")
    ill = hosts.play("upgrade.yml", **wanted)
    assert set(ill.failures) == {"n1"}
    assert "service pveproxy does not run" in ill.failures["n1"]
    assert boot(hosts, "n1") != before
    state = fake_pve.state(hosts.bed)
    assert (state["majors"], state["maintenance"]) == ({"n1": 9}, ["n1"])
    assert state["guests"]["100"]["node"] == "n2"
    assert not [task for task in ill.tasks if task.startswith("n2")]

    fake_pve.set_state(hosts.bed, down=[])
    rest = hosts.play("upgrade.yml", **wanted)
    assert rest.rc == 0, rest.output
    assert not [task for task in rest.tasks if task.startswith("n1")]
    switched = [one.split()[-2:] for one in fake_pve.calls(hosts.bed, "ha-manager")]
    assert switched == [["enable", "n1"], ["disable", "n1"], ["enable", "n2"], ["disable", "n2"]]
    state = fake_pve.state(hosts.bed)
    assert (state["majors"], state["maintenance"]) == ({"n1": 9, "n2": 9}, [])
    assert state["guests"]["100"]["node"] == "n1"
    assert "/trixie " in hosts.on("n2").file("/etc/apt/sources.list").content_string
    again = hosts.play("upgrade.yml", **wanted)
    assert again.rc == 0, again.output
    assert (again.tasks, len(fake_pve.calls(hosts.bed))) == ((), 4)


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

    fake_pve.install(hosts.bed, cluster="dc", maintenance=["n1"])  # by another hand
    hosts.bed.run("n1", "rm -f /var/lib/cloudpemda-in-maintenance")
    stays = hosts.play("maintenance.yml", limit="n1", **QUICK)
    assert stays.rc == 0, stays.output
    assert fake_pve.state(hosts.bed)["maintenance"] == ["n1"]

    says = {"n2": ["systemd-boot meta-package installed"]}
    fake_pve.install(hosts.bed, cluster="dc", majors={"n1": 9}, checker=says)
    upgrade = hosts.play("upgrade.yml")
    assert set(upgrade.failures) == {"n2"}
    assert "FAIL: systemd-boot meta-package installed" in upgrade.failures["n2"]
    assert upgrade.tasks == ()
    assert fake_pve.calls(hosts.bed) == []
    assert "trixie" not in hosts.bed.run("n3", "cat /etc/apt/sources.list")
