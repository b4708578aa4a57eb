"""What is refused, and that who may come in still does."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.infra.conftest import Hosts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture
def reopened(hosts: Hosts) -> Iterator[None]:
    yield
    hosts.reopen("n1")


@pytest.mark.usefixtures("reopened")
def test_the_node_drops_what_is_not_for_it_and_shuts_out_who_guesses(hosts: Hosts) -> None:
    for port in (8006, 8123):
        listen = f"systemd-run --quiet --unit=listens{port} python3 -m http.server {port}"
        hosts.bed.run("n1", f"{listen}; rm -f /etc/fail2ban/jail.d/cloudpemda.local")
        hosts.bed.wait_for("n1", f"ss -ltn | grep -q :{port}")
    assert hosts.bed.reaches("n1", 8123)
    wanted: dict[str, Any] = {
        "limit": "n1",
        "hardening_undo_seconds": 240,
        "site_admin_networks": ["10.77.10.254"],
        "hardening_other_networks": ["10.77.10.3"],
        "hardening_cluster_networks": ["10.77.20.0/24"],
    }
    tried = hosts.play("hardening.yml", check=True, **wanted)
    assert tried.rc == 0, tried.output
    assert not hosts.on("n1").file("/etc/fail2ban/jail.d/cloudpemda.local").exists
    first = hosts.play("hardening.yml", **wanted)
    assert first.rc == 0, first.output
    assert hosts.bed.reaches("n1", 22)
    assert not hosts.bed.reaches("n1", 8123)
    # Who is of the cluster is let in everywhere.
    hosts.bed.run("n2", "timeout 15 bash -c '</dev/tcp/10.77.20.1/8123'")
    hosts.settle("hardening.yml", **wanted)
    host = hosts.on("n1")
    assert host.file("/etc/nftables.d/cloudpemda.nft").mode == 0o600
    assert host.file("/etc/ssh/sshd_config.d/10-cloudpemda.conf").mode == 0o600
    assert "passwordauthentication no" in host.check_output("sshd -T")
    assert host.service("nftables").is_enabled

    assert _enters(hosts, 8006)
    said = "; ".join(
        f'echo "authentication failure; rhost=::ffff:{address} user=root@pam msg=no"'
        for address in ("10.77.10.254", "10.77.10.3")
    )
    hosts.bed.run(
        "n1",
        "systemd-run --quiet --wait --collect --unit=pvedaemon -p SyslogIdentifier=pvedaemon "
        f"sh -c 'for i in 1 2 3 4 5 6; do {said}; done'",
    )
    hosts.bed.wait_for("n1", "fail2ban-client status cloudpemda-web | grep -q 10.77.10.3")
    assert not _enters(hosts, 8006)
    assert _enters(hosts, 22)
    # Who is shut out within a connection hears nothing more of it.
    guess = (
        "timeout 60 ssh -o BatchMode=yes -o ConnectTimeout=60 -o StrictHostKeyChecking=no "
        "-o UserKnownHostsFile=/dev/null nobody-here@"
    )
    for _ in range(6):
        hosts.bed.outside(*f"{guess}{hosts.bed.address('n1')}".split())
    guesses = f"for i in 1 2 3 4 5 6; do {guess}10.77.10.1; done"
    hosts.bed.run("n3", f"systemd-run --quiet --collect --unit=guesses sh -c '{guesses}'")
    hosts.bed.wait_for("n1", "fail2ban-client status sshd | grep -q 10.77.10.3")
    hosts.bed.run("n3", "systemctl stop guesses", check=False)
    assert not _enters(hosts, 22)
    banned = host.check_output("fail2ban-client banned")
    assert "10.77.10.254" not in banned  # who administers guessed as often
    assert hosts.bed.reaches("n1", 8006)


def _enters(hosts: Hosts, port: int) -> bool:
    """Whether n3 reaches a port of n1."""
    tried = f"timeout 15 bash -c '</dev/tcp/10.77.10.1/{port}' 2>/dev/null && echo in || echo out"
    return hosts.bed.run("n3", tried).strip() == "in"


def test_who_would_be_locked_out_gets_back_in(hosts: Hosts) -> None:
    done = hosts.play(
        "hardening.yml", limit="n2", site_admin_networks=["192.0.2.0/24"], hardening_undo_seconds=30
    )
    assert done.rc != 0
    assert "it drops the rules again" in done.failures["n2"]
    hosts.bed.wait_for("n2", "! nft list table inet cloudpemda 2>/dev/null")
    assert not hosts.on("n2").file("/etc/nftables.d/cloudpemda.nft").exists
    assert not hosts.on("n2").service("nftables").is_enabled
