"""What roles define through PVE's API, against the fake: made once, compared by value, kept."""

from typing import Any

import pytest

from tests.infra import fake_pve
from tests.infra.conftest import Hosts

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(fake_pve.reference() is None, reason="no schemas of the vendor's API here"),
]
PBS = {
    "id": "pbs-dc", "type": "pbs", "server": "10.20.1.31", "datastore": "main",
    "username": "pve@pbs!dc", "content": ["backup"], "fingerprint": ":".join(["ab"] * 32),
}  # fmt: skip
STORAGE: dict[str, Any] = {
    "node_pool_disks": [],  # the hosts have no disks of their own to look at
    "storage_disks": ["/dev/null", "/dev/zero"],
    "storage_nodes": ["n1", "n2"],
    "storage_boot_image": False,
    "storage_shared": [PBS],
    "storage_secrets": {"pbs-dc": "never-shown"},
}


def test_pools_and_storages_are_made_once(hosts: Hosts) -> None:
    fake_pve.install(hosts.bed, cluster="dc")
    tried = hosts.play("storage.yml", limit="n1", check=True, **STORAGE)
    assert tried.rc == 0, tried.output
    assert fake_pve.calls(hosts.bed) == []
    first = hosts.play("storage.yml", limit="n1,n2", **STORAGE)
    assert first.rc == 0, first.output
    assert "never-shown" not in first.output
    hosts.settle("storage.yml", limit="n1,n2", **STORAGE)
    state = fake_pve.state(hosts.bed)
    assert state["pools"]["n2"]["tank"]["devices"] == ["/dev/null", "/dev/zero"]
    assert fake_pve.calls(hosts.bed, "create /nodes/n1/disks/zfs")[0].endswith("--compression on")
    storages = state["objects"]["dc"]
    assert storages["/storage/tank"]["nodes"] == "n1,n2"
    assert storages["/storage/pbs-dc"]["password"] == "never-shown"
    host = hosts.on("n1")
    assert host.service("cloudpemda-scrub-tank.timer").is_enabled
    assert host.service("cloudpemda-scrub-tank.timer").is_running
    hosts.bed.run("n1", "systemctl start cloudpemda-scrub-tank.service")
    assert fake_pve.state(hosts.bed)["pools"]["n1"]["tank"]["scrubbed"]
    assert "zfs_arc_max=1073741824" in host.file("/etc/modprobe.d/zfs.conf").content_string

    other = {**STORAGE, "storage_shared": [{**PBS, "datastore": "other"}]}
    refused = hosts.play("storage.yml", limit="n1", **other)
    assert "has datastore 'main', the inventory says 'other'" in refused.failures["n1"]


def test_the_automation_gets_the_least_and_its_secret_is_kept(hosts: Hosts) -> None:
    fake_pve.install(hosts.bed, cluster="dc")
    kept = hosts.place / "secrets" / "dc.token"
    kept.unlink(missing_ok=True)
    wanted: dict[str, Any] = {"limit": "n1", "access_secret_file": str(kept)}
    tried = hosts.play("access.yml", check=True, **wanted)
    assert tried.rc == 0, tried.output
    assert fake_pve.calls(hosts.bed) == []
    first = hosts.play("access.yml", **wanted)
    assert first.rc == 0, first.output
    assert kept.read_text() == "secret-00000001\n"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    assert "secret-0000" not in first.output
    hosts.settle("access.yml", **wanted)
    entries = fake_pve.state(hosts.bed)["acl pve dc"]
    assert [one["ugid"] for one in entries] == ["cloudpemda@pve", "cloudpemda@pve!apply"]

    kept.unlink()
    before = fake_pve.state(hosts.bed)
    lost = hosts.play("access.yml", skip="", access_paths=["/", "/vms"], **wanted)
    said = f"the file of its secret, {kept} on the machine that runs this, is not"
    assert f"token cloudpemda@pve!apply is there, and {said}" in lost.failures["n1"]
    assert "set access_renew: true" in lost.failures["n1"]
    assert (lost.tasks, fake_pve.state(hosts.bed), kept.exists()) == ((), before, False)
    renewed = hosts.play("access.yml", access_renew=True, **wanted)
    assert renewed.rc == 0, renewed.output
    assert kept.read_text() == "secret-00000002\n"
