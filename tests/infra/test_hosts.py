"""What roles do to hosts without PVE's packages, seen on the hosts themselves."""

import pytest

from tests.infra.bed import MAJORS, NAMES, RELEASE
from tests.infra.conftest import Hosts

# Each test stands alone: workers boot hosts of their own.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def test_broken_preconditions_are_told_at_once_and_stop_all_before_any_change(hosts: Hosts) -> None:
    hosts.undo_base()
    other = 17 - MAJORS[hosts.bed.release]
    hosts.bed.run(
        "n1",
        "cp /etc/hosts /etc/hosts.kept; "
        "sed -i 's/.* n1.example.go.id/127.0.1.1 n1.example.go.id/' /etc/hosts",
    )
    try:
        done = hosts.play(
            "base.yml",
            skip="",
            per_host={
                "n1": {"preflight_clock_seconds": -1},
                "n2": {"node_pool_disks": ["/dev/disk/by-id/none"], "pve_major": other},
            },
        )
    finally:
        hosts.bed.run("n1", "mv /etc/hosts.kept /etc/hosts")
    assert done.rc != 0
    assert "n1 resolves to 127.0.1.1: put" in done.failures["n1"]
    assert "s off, -1 s are allowed" in done.failures["n1"]
    assert "/dev/disk/by-id/none is no disk of this node" in done.failures["n2"]
    stands = f"the site says pve_major {other}, which stands on Debian {other + 4}"
    assert stands in done.failures["n2"]
    assert set(done.failures) == {"n1", "n2"}
    assert sum(done.changed.values()) == 0
    for name in NAMES:
        assert not hosts.on(name).file("/etc/sysctl.d/60-cloudpemda.conf").exists


def test_links_are_checked(hosts: Hosts) -> None:
    wrong = {
        "node_rings": ["10.77.10.3", "10.77.99.3"],
        "preflight_mtu": 9000,
        "preflight_peers": ["10.77.10.77"],
    }
    done = hosts.play("preflight.yml", skip="", per_host={"n3": wrong})
    assert "10.77.99.3 does not answer packets" in done.failures["n1"]
    assert "10.77.20.2" not in done.failures["n1"]  # the rest of them answers on two links
    assert "10.77.10.3" not in done.failures["n1"]
    assert "10.77.99.3 is on no interface" in done.failures["n3"]
    assert "with an MTU of 1500, 9000 are needed" in done.failures["n3"]
    assert "10.77.10.77 does not answer packets of 9000 bytes" in done.failures["n3"]


def test_a_missing_variable_is_named(hosts: Hosts) -> None:
    done = hosts.play("base.yml", tags="base", limit="n1", base_ntp_servers=None)
    assert done.rc != 0
    assert "base_ntp_servers" in done.failures["n1"]


@pytest.mark.skipif(RELEASE != "bookworm", reason="sources of 8; test_trixie has those of 9")
def test_base_is_applied_once_and_leaves_what_its_readme_says(hosts: Hosts) -> None:
    hosts.undo_base()
    enterprise = "deb https://enterprise.proxmox.com/debian/pve bookworm pve-enterprise"
    hosts.bed.run("n1", f"echo '{enterprise}' > /etc/apt/sources.list.d/came-back.list")
    tried = hosts.play("base.yml", check=True)
    assert tried.rc == 0, tried.output
    assert not hosts.on("n1").file("/etc/sysctl.d/60-cloudpemda.conf").exists
    first = hosts.play("base.yml")
    assert first.rc == 0, first.output
    assert all(first.changed.get(name, 0) > 0 for name in NAMES)
    hosts.settle("base.yml")

    host = hosts.on("n1")
    came_back = host.file("/etc/apt/sources.list.d/came-back.list").content_string
    assert came_back.startswith("# off: deb https://enterprise")
    assert (
        "pve-no-subscription"
        in host.file("/etc/apt/sources.list.d/cloudpemda-pve.list").content_string
    )
    assert not host.file("/etc/apt/sources.list.d/cloudpemda-pve.sources").exists
    assert host.service("chrony").is_running
    assert host.service("chrony").is_enabled
    assert "10.77.10.254" in host.check_output("chronyc -n sources")
    assert host.file("/etc/localtime").linked_to == "/usr/share/zoneinfo/Asia/Jakarta"
    assert host.check_output("date +%Z") == "WIB"
    policy = host.check_output("apt-config dump Unattended-Upgrade::Origins-Pattern")
    assert policy.count("origin=") == 1
    assert "Debian-Security" in policy
    assert host.file("/var/log/journal").is_directory
