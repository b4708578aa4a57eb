"""What is refused, and that who may come in still does."""

import pytest

from tests.infra.conftest import Hosts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_the_node_drops_what_is_not_for_it_and_lets_ssh_through(hosts: Hosts) -> None:
    listen = "systemd-run --quiet --unit=listens python3 -m http.server 8123"
    hosts.bed.run("n1", listen)
    hosts.bed.wait_for("n1", "ss -ltn | grep -q :8123")
    assert hosts.bed.reaches("n1", 8123)
    wanted = {
        "limit": "n1",
        "hardening_undo_seconds": 240,
    }
    first = hosts.play("hardening.yml", **wanted)  # type: ignore[arg-type]
    assert first.rc == 0, first.output
    assert hosts.bed.reaches("n1", 22)
    assert not hosts.bed.reaches("n1", 8123)
    # Who is of the cluster is let in everywhere.
    hosts.bed.run("n2", "timeout 5 bash -c '</dev/tcp/10.77.20.1/8123'")
    second = hosts.play("hardening.yml", **wanted)  # type: ignore[arg-type]
    assert second.rc == 0, second.output
    assert second.tasks == ()
    host = hosts.on("n1")
    assert host.file("/etc/nftables.d/cloudpemda.nft").mode == 0o600
    assert host.file("/etc/ssh/sshd_config.d/10-cloudpemda.conf").mode == 0o600
    assert "passwordauthentication no" in host.check_output("sshd -T")
    assert host.service("nftables").is_enabled


def test_who_would_be_locked_out_gets_back_in(hosts: Hosts) -> None:
    done = hosts.play(
        "hardening.yml", limit="n2", site_admin_networks=["192.0.2.0/24"], hardening_undo_seconds=15
    )
    assert done.rc != 0
    assert "it drops the rules again" in done.failures["n2"]
    hosts.bed.wait_for("n2", "! nft list table inet cloudpemda 2>/dev/null")
    assert not hosts.on("n2").file("/etc/nftables.d/cloudpemda.nft").exists
    assert not hosts.on("n2").service("nftables").is_enabled
