"""The machines of no cluster: built and closed like nodes, without what belongs to nodes."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.infra.conftest import Hosts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

LINE = (
    "proxmox-backup-api[7]: authentication failure; rhost=[::ffff:10.77.10.9]:50010 "
    "user=root@pam msg=authentication error"
)


@pytest.fixture
def beside(hosts: Hosts) -> Iterator[dict[str, Any]]:
    """n1 is the desk and a cluster's third vote, n2 a backup server, n3 a node."""
    hosts.undo_base()
    for name in ("n1", "n2"):
        hosts.bed.run(name, "rm -f /usr/local/sbin/pveversion /etc/apt/sources.list.d/cloudpemda-*")
    yield {
        "limit": "n1,n2",
        "groups": {"desk": ["n1"], "backup_servers": ["n2"]},
        "skip": "",
        "site_admin_networks": ["10.77.10.254"],
        "cluster_qdevice": "10.77.10.1",
    }
    hosts.reopen("n1", "n2")


def test_a_desk_and_a_backup_server_get_what_is_theirs(
    hosts: Hosts, beside: dict[str, Any]
) -> None:
    hosts.bed.run("n2", "ln -s /bin/true /usr/local/sbin/pveversion")
    refused = hosts.play("base.yml", **{**beside, "base_pve_major": 9})
    assert set(refused.failures) == {"n2"}
    for fault in ("debian 12, Debian 13 is needed", "Proxmox VE is installed here"):
        assert fault in refused.failures["n2"]
    hosts.bed.run("n2", "rm /usr/local/sbin/pveversion")
    assert refused.tasks == ()
    done = hosts.play("base.yml", **beside)
    assert done.rc == 0, done.output
    again = hosts.play("base.yml", **beside)
    assert (again.rc, again.tasks) == (0, ()), again.output
    sources = "cat /etc/apt/sources.list.d/cloudpemda-* 2>/dev/null || true"
    assert hosts.bed.run("n1", sources) == ""
    assert "debian/pbs bookworm pbs-no-subscription" in hosts.bed.run("n2", sources)
    assert hosts.on("n1").file("/etc/sysctl.d/60-cloudpemda.conf").exists


def test_they_are_closed_but_for_who_administers_and_who_backs_up(
    hosts: Hosts, beside: dict[str, Any]
) -> None:
    for port in (8006, 8007):
        for name in ("n1", "n2"):
            listen = f"systemd-run --quiet --unit=hears{port} python3 -m http.server {port}"
            hosts.bed.run(name, f"systemctl stop hears{port} listens{port}; {listen}", check=False)
            hosts.bed.wait_for(name, f"ss -ltn | grep -q :{port}")
    apart = hosts.play("hardening.yml", **{**beside, "site_admin_networks": ["192.0.2.0/24"]})
    assert set(apart.failures) == {"n1", "n2"}
    assert "you come from 10.77.10.254, which is in none of 192.0.2.0/24" in apart.failures["n1"]
    assert apart.tasks == ()
    done = hosts.play("hardening.yml", hardening_undo_seconds=240, **beside)
    assert done.rc == 0, done.output
    again = hosts.play("hardening.yml", **beside)
    assert (again.rc, again.tasks) == (0, ()), again.output
    for name in ("n1", "n2"):
        assert hosts.bed.reaches(name, 22), "who administers is kept out"
    assert not hosts.bed.reaches("n1", 8007)
    assert hosts.bed.reaches("n2", 8007)
    assert not hosts.bed.reaches("n2", 8006)
    entered = {
        (name, port): _enters(hosts, name, port) for name in ("n1", "n2") for port in (22, 8007)
    }
    assert entered == {
        ("n1", 22): True, ("n1", 8007): False,  # its vote is set up by a node
        ("n2", 22): False, ("n2", 8007): True,  # a node backs up
    }  # fmt: skip
    jail = "/etc/fail2ban/jail.d/cloudpemda.local"
    assert "cloudpemda-web" not in hosts.on("n1").file(jail).content_string
    assert "port = 8007" in hosts.on("n2").file(jail).content_string
    seen = hosts.bed.run(
        "n2",
        f"fail2ban-regex 'Nov 22 10:00:00 pbs {LINE}' /etc/fail2ban/filter.d/cloudpemda-web.conf",
    )
    assert "1 matched" in seen


def _enters(hosts: Hosts, name: str, port: int) -> bool:
    """Whether n3 reaches a port of another host."""
    address = hosts.bed.address(name)
    tried = f"timeout 15 bash -c '</dev/tcp/{address}/{port}' 2>/dev/null && echo in || echo out"
    return hosts.bed.run("n3", tried).strip() == "in"
