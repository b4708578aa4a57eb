"""`--check` on a host that has nothing yet: it fails nowhere, changes nothing, says what would be.

The host lacks every package that a role brings. What a rehearsal left alone is seen on it, in what
PVE's commands keep and in the files of who plays, not in Ansible's own word.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.infra import fake_pve
from tests.infra.bed import Bed, lacking
from tests.infra.conftest import Hosts

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(fake_pve.reference() is None, reason="no schemas of the vendor's API here"),
]

BROUGHT = (
    "auditd", "chrony", "corosync-qdevice", "fail2ban", "ifupdown2", "nftables", "nginx-common",
    "postgresql-common", "prometheus-node-exporter", "python3-apt", "python3-systemd",
    "python3-venv", "smartmontools", "unattended-upgrades",
)  # fmt: skip

# Units that are inactive are left out: systemd loads them when somebody looks at them, and forgets
# them when it likes. So are those that D-Bus starts for who asks, which end by themselves.
_SEEN = """
at='/etc /opt /srv /usr/local /root /var/lib/apt /var/lib/dpkg /var/lib/postgresql /var/www'
at="$at $(ls -d /var/lib/cloudpemda* /var/lib/prometheus 2>/dev/null)"
find $at -path /root/.ansible -prune -o -printf '%p %y %m %u:%g %l\\n' 2>/dev/null | sort
find $at -path /root/.ansible -prune -o -type f -exec sha256sum {} + 2>/dev/null | sort -k 2
systemctl list-unit-files --no-legend | awk '$2 != "transient"'
systemctl list-units --all --plain --no-legend --type=service,socket,timer,path |
  awk '$3 != "inactive" && !/^(user|run-|systemd-(hostnamed|localed|timedated))/ {print $1, $3}'
ip -o address show | awk '{print $2, $3, $4}'; ip -o link show | awk '{print $2, $5}'
cat /proc/sys/net/ipv4/conf/all/accept_redirects
"""


@pytest.fixture
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """One host without all that roles bring."""
    if (reason := lacking()) is not None:
        pytest.skip(reason)
    place = tmp_path_factory.mktemp("bare")
    bed = Bed(place, names=("n1",))
    purge = "apt-get -qq -y -o Dpkg::Options::=--force-unsafe-io --auto-remove purge"
    try:
        bed.start()
        bed.run("n1", f"DEBIAN_FRONTEND=noninteractive {purge} {' '.join(BROUGHT)}")
        yield Hosts(bed, place)
    finally:
        bed.stop()


@dataclass(frozen=True)
class Rehearsal:
    """A playbook, some of what it must say that it would do, and what it is told."""

    playbook: str
    says: tuple[str, ...]
    told: Mapping[str, Any] = field(default_factory=dict)
    cluster: str = ""  # whose member the host is already


NFS = {
    "id": "nfs", "type": "nfs", "server": "10.77.10.9", "export": "/srv", "content": ["iso"]
}  # fmt: skip
IMAGE = {
    "name": "debian-12", "date": "20261115", "url": "file:///etc/hostname", "vmid": {"n1": 9001},
    "checksum": "sha256:" + hashlib.sha256(b"n1\n").hexdigest(),
}  # fmt: skip
OTHER = {
    "host": "10.77.10.2", "fingerprint": ":".join(["ab"] * 32), "auth_id": "sync@pbs!drc",
    "datastore": "main",
}  # fmt: skip
NETWORK = {
    "node_ports": ["eno1"], "node_address": "10.77.30.1/24",
    "node_links": [{"name": "ring0", "address": "10.77.10.1/24"}],
}  # fmt: skip
PAIR = {
    "groups": {"pair": ["n1", "n2"]}, "cluster_group": "pair", "cluster_name": "pair",
    "cluster_qdevice": "10.77.10.99",
}  # fmt: skip
STORAGE = {
    "node_pool_disks": [], "storage_disks": ["/dev/null", "/dev/zero"], "storage_nodes": ["n1"],
    "storage_shared": [NFS],
}  # fmt: skip
_THEN = "would be installed, and what follows is done after that"
REHEARSALS = (
    Rehearsal("base", ("Packages of every node", "Time servers", "Zone")),
    Rehearsal("proxmox", ("Proxmox's packages",)),
    Rehearsal("network", ("The network as it is to be",), NETWORK),
    Rehearsal("hardening", ("Ssh by key", "Firewall of the node itself", "Packages of the guard")),
    Rehearsal("cluster", ("Member of the cluster", "Client of the third vote"), PAIR),
    Rehearsal("storage", ("Pools of the node", "Storages that all nodes share"), STORAGE, "dc"),
    Rehearsal("access", ("Role of the automation", "What user and token may do"), cluster="dc"),
    Rehearsal("images", ("Images would be fetched", "Templates"), {"images_list": [IMAGE]}, "dc"),
    Rehearsal(
        "backup_server",
        ("Datastore", "Namespaces", "What user and token may do", "When its copies are fetched"),
        {"groups": {"backup_servers": ["n1"]}, "backup_server_namespaces": ["dc"],
         "backup_server_sync": OTHER},
    ),
    Rehearsal(
        "cloudpemda",
        ("What the program needs", "An environment of its own", "Files of the site"),
        {"groups": {"desk": ["n1"]}, "cloudpemda_site": "regency",
         "cloudpemda_package": "cloudpemda"},
    ),
    Rehearsal("monitoring", ("Packages of the monitoring", "Node exporter", "Metrics of the site"),
              {"monitoring_site": "regency"}),
    Rehearsal("maintenance", ()),
    Rehearsal("upgrade", ()),
    Rehearsal("vm_nginx", (f"The nginx package {_THEN}",), {"groups": {"vms": ["n1"]}}),
    Rehearsal("vm_postgresql", (f"PostgreSQL {_THEN}",), {"groups": {"vms": ["n1"]}}),
)  # fmt: skip


def test_rehearsals_on_a_bare_host_fail_nothing_and_change_nothing(bare: Hosts) -> None:
    """One test for all: each would wait for a bare host of its own."""
    (bare.place / "site").mkdir()
    (bare.place / "site/site.yaml").write_text("site: {name: regency}\n")
    secrets = bare.place / "secrets"
    common = {
        "cloudpemda_site_files": str(bare.place / "site"),
        "access_secret_file": str(secrets / "dc.token"),
        "backup_server_secret_file": str(secrets / "pbs.token"),
    }
    fake_pve.install(bare.bed)
    site = "/etc/cloudpemda/regency"  # put there by hand, before there was an account
    bare.bed.run("n1", f"mkdir -p {site}/secrets /srv/cloudpemda && echo x > {site}/site.yaml")
    before = _seen(bare)
    amiss: dict[str, object] = {}
    for one in REHEARSALS:
        fake_pve.install(bare.bed, cluster=one.cluster)
        kept = _kept(bare)
        done = bare.play(f"{one.playbook}.yml", check=True, limit="n1", **{**common, **one.told})
        after = _seen(bare)
        found = (
            dict(done.failures) or done.rc,
            {f"n1: {task}" for task in one.says} - set(done.tasks),
            before ^ after,
            {*kept.items()} ^ {*_kept(bare).items()},
            secrets.exists(),
        )
        if any(found):
            amiss[one.playbook] = found
        before = after
    assert amiss == {}


def _seen(hosts: Hosts) -> set[str]:
    """Files, packages, units and networks of the host, a line each."""
    return set(hosts.bed.run("n1", _SEEN).splitlines())


def _kept(hosts: Hosts) -> dict[str, str]:
    """What PVE's commands keep; that they looked into nothing is nothing."""
    return {key: repr(one) for key, one in fake_pve.state(hosts.bed).items() if _some(one)}


def _some(value: object) -> bool:
    return any(map(_some, value.values())) if isinstance(value, dict) else bool(value)
