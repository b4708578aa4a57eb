"""Bare Debian becomes a node, and a backup server: key, kernel, restart, the vendor's packages."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.infra import fake_pve
from tests.infra.bed import RELEASE, Bed, lacking
from tests.infra.conftest import Hosts
from tests.infra.mirror import KERNEL, Mirror

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(fake_pve.reference() is None, reason="no schemas of the vendor's API here"),
]
KEY = {
    "bookworm": "/etc/apt/trusted.gpg.d/proxmox-release-bookworm.gpg",
    "trixie": "/usr/share/keyrings/proxmox-archive-keyring.gpg",
}[RELEASE]
BARE = "linux-image-6.1.0-42-amd64 linux-image-amd64 os-prober"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hosts, dict[str, Any]]]:
    """Two servers with nothing of the vendor's: n1 becomes a node, n2 a backup server."""
    if (reason := lacking()) is not None:
        pytest.skip(reason)
    place = tmp_path_factory.mktemp("bare")
    bed = Bed(place, names=("n1", "n2"))
    mirror = Mirror(place / "mirror", RELEASE)
    mirror.make()
    try:
        bed.start()
        with mirror.serve(bed):
            for name in bed.names:
                mirror.bare(bed, name)
            fake_pve.install(bed, links=False)
            wanted = {
                "groups": {"backup_servers": ["n2"]},
                "base_keyring": KEY,
                **mirror.told,
                "per_host": {"n1": mirror.source("pve"), "n2": mirror.source("pbs")},
                "skip": "",
            }
            yield Hosts(bed, place), wanted
    finally:
        bed.stop()


def installed(hosts: Hosts, name: str, packages: str) -> list[str]:
    shown = hosts.bed.run(
        name, f"dpkg-query -W -f '${{Package}} ${{db:Status-Status}}\\n' {packages}", check=False
    )
    return [line.split()[0] for line in shown.splitlines() if line.endswith(" installed")]


def test_bare_debian_becomes_a_node_and_a_backup_server_through_all_that_stops_it(
    bare: tuple[Hosts, dict[str, Any]],
) -> None:
    """One test of two parts: another worker, which might play the second, has no node for it."""
    hosts, wanted = bare
    _becomes(hosts, wanted)
    _goes_on(hosts, {**wanted, "limit": "n1"})


def _becomes(hosts: Hosts, wanted: dict[str, Any]) -> None:
    """A node, and a backup server."""
    forged = hosts.play("base.yml", **{**wanted, "base_key_checksum": "sha256:" + "0" * 64})
    assert set(forged.failures) == {"n1", "n2"}
    assert "did not match" in forged.failures["n1"]
    assert not hosts.on("n1").file(KEY).exists
    assert forged.tasks == ()
    base = hosts.play("base.yml", **wanted)
    assert base.rc == 0, base.output
    assert hosts.on("n1").file(KEY).mode == 0o644

    full = hosts.play("proxmox.yml", proxmox_boot_mib=10**9, **wanted)
    assert set(full.failures) == {"n1"}  # a backup server keeps its kernel
    assert "MiB are free at /boot, Proxmox VE needs 1000000000" in full.failures["n1"]
    assert full.tasks == ()

    tried = hosts.play("proxmox.yml", check=True, **wanted)
    assert tried.rc == 0, tried.output
    assert {"n1: Proxmox's packages", "n2: Proxmox's packages"} <= set(tried.tasks)
    assert installed(hosts, "n1", "proxmox-ve postfix") == []

    made = hosts.play("proxmox.yml", **wanted)
    assert made.rc == 0, made.output
    hosts.bed.wait_for("n1", "true")  # the connection of before the restart may still end
    assert hosts.bed.run("n1", "uname -r").strip() == KERNEL
    assert installed(hosts, "n1", "proxmox-ve pve-manager") == ["proxmox-ve", "pve-manager"]
    assert installed(hosts, "n1", BARE) == []
    assert hosts.bed.run("n1", "cat /etc/postfix/main.cf") == (
        "# Internet Site\ninet_interfaces = loopback-only\n"
    )
    assert "n2: Start into it" not in made.tasks
    assert installed(hosts, "n2", "proxmox-backup-server") == ["proxmox-backup-server"]
    assert installed(hosts, "n2", BARE) == BARE.split()
    for name in hosts.bed.names:
        hosts.bed.run(name, "apt-get -qq update 2>&1")  # no source asks for a subscription
        found = hosts.bed.run(name, "apt-get update --print-uris")
        assert "enterprise" not in found
    hosts.settle("proxmox.yml", **wanted)
    again = hosts.play("base.yml", **wanted)
    assert (again.rc, again.tasks) == (0, ()), again.output


def _goes_on(hosts: Hosts, on_node: dict[str, Any]) -> None:
    """What was interrupted goes on, and another kernel stops it."""
    hosts.bed.run("n1", "apt-get -qq -y install linux-image-amd64 2>&1")
    hosts.bed.run("n1", "dpkg -P proxmox-ve && echo pve-manager unpacked >/dev/null")
    # Debian's kernel is the newer one: it is started again.
    hosts.bed.run("n1", "mv /usr/bin/started-anew /usr/bin/not-started")
    amiss = hosts.play("proxmox.yml", **on_node)
    assert "Proxmox VE is installed and Debian's kernel" in amiss.failures["n1"]
    assert amiss.tasks == ()
    hosts.bed.run("n1", "dpkg -P pve-manager")
    again = hosts.play("proxmox.yml", **on_node)
    assert "again, not Proxmox's kernel" in again.failures["n1"]
    assert installed(hosts, "n1", "proxmox-ve pve-manager") == []
    hosts.bed.run("n1", "mv /usr/bin/not-started /usr/bin/started-anew")
    # A name that leads to 127.0.1.1 leaves the vendor's package half installed.
    hosts.bed.run("n1", "sed -i 's/^10.77.10.1 /127.0.1.1 /' /etc/hosts")
    half = hosts.play("proxmox.yml", **{**on_node, "skip": "preflight"})
    assert set(half.failures) == {"n1"}
    assert installed(hosts, "n1", "pve-manager") == []
    stopped = hosts.play("proxmox.yml", **on_node)
    assert "resolves to 127.0.1.1" in stopped.failures["n1"]
    hosts.bed.run("n1", "sed -i 's/^127.0.1.1 /10.77.10.1 /' /etc/hosts")
    subscribed = {**on_node, "base_subscribed": True}
    done = hosts.play("proxmox.yml", **subscribed)
    assert done.rc == 0, done.output
    assert "enterprise" in hosts.bed.run("n1", "apt-get update --print-uris")
    assert "no-subscription" not in hosts.bed.run("n1", "cat /etc/apt/sources.list.d/*")
    assert installed(hosts, "n1", f"proxmox-ve pve-manager {BARE}") == ["proxmox-ve", "pve-manager"]
    hosts.settle("proxmox.yml", **subscribed)
