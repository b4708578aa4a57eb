"""Machines beside the cluster: images, backup servers, monitoring."""

import hashlib
from typing import Any

import pytest

from tests.infra import fake_pve
from tests.infra.conftest import Hosts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
needs_schemas = pytest.mark.skipif(
    fake_pve.reference() is None, reason="no schemas of the vendor's API here"
)


@needs_schemas
def test_images_are_fetched_by_checksum_and_become_templates(hosts: Hosts) -> None:
    fake_pve.install(hosts.bed, cluster="dc")
    hosts.bed.run("n1", "printf image > /root/image.qcow2")
    image = {
        "name": "debian-12", "date": "20261115", "url": "file:///root/image.qcow2",
        "checksum": f"sha256:{hashlib.sha256(b'image').hexdigest()}", "vmid": {"n1": 9001},
    }  # fmt: skip
    wrong = {**image, "checksum": f"sha256:{'0' * 64}"}
    refused = hosts.play("images.yml", limit="n1", images_list=[wrong])
    assert refused.rc != 0
    host = hosts.on("n1")
    assert not host.file("/var/lib/vz/import/debian-12-20261115.qcow2").exists
    first = hosts.play("images.yml", limit="n1", images_list=[image])
    assert first.rc == 0, first.output
    hosts.settle("images.yml", limit="n1", images_list=[image])
    made = fake_pve.state(hosts.bed)["objects"]["dc"]["/nodes/n1/qemu/9001"]
    assert (made["name"], made["template"]) == ("debian-12-20261115", 1)
    newer = hosts.play("images.yml", limit="n1", images_list=[{**image, "date": "20261122"}])
    assert "VMID 9001 is debian-12-20261115 on n1, not debian-12-20261122" in newer.failures["n1"]


@needs_schemas
def test_a_backup_server_gets_its_jobs_and_the_other_ones_copies(hosts: Hosts) -> None:
    fake_pve.install(hosts.bed)
    kept = hosts.place / "secrets" / "pbs.token"
    for old in kept.parent.glob("*.token"):
        old.unlink()
    wanted: dict[str, Any] = {
        "groups": {"backup_servers": ["n3"]},
        "skip": "",
        "backup_server_secret_file": str(kept),
        "backup_server_namespaces": ["dc"],
        "backup_server_sync": {
            "host": "10.77.10.2", "fingerprint": _shown_by(hosts, "n2"),
            "auth_id": "sync@pbs!drc", "datastore": "main",
        },
        "backup_server_sync_secret": "never-shown",
    }  # fmt: skip
    other = {**wanted["backup_server_sync"], "fingerprint": ":".join(["ab"] * 32)}
    hosts.bed.run("n3", "mkdir -p /srv/backup/main && touch /srv/backup/main/of-somebody")
    refused = hosts.play(
        "backup_server.yml",
        **{**wanted, "backup_server_sync": other, "backup_server_keep": {"keep-days": 1}},
    )
    said = refused.failures["n3"]
    for fault in ("would lie on the root's file system", "holds of-somebody", "has keep-days;",
                  "keeps nothing", "10.77.10.2 shows the fingerprint"):  # fmt: skip
        assert fault in said
    assert (refused.tasks, fake_pve.calls(hosts.bed), kept.exists()) == ((), [], False)

    hosts.bed.run("n3", "mount -t tmpfs tmpfs /srv/backup")
    first = hosts.play("backup_server.yml", **wanted)
    assert first.rc == 0, first.output
    assert "never-shown" not in first.output
    assert "secret-0000" not in first.output
    assert kept.stat().st_mode & 0o777 == 0o600
    hosts.bed.run("n2", "systemctl stop shows")  # one that is known may be away
    again = hosts.play("backup_server.yml", **wanted)
    assert (again.rc, again.tasks) == (0, ()), again.output
    state = fake_pve.state(hosts.bed)
    made = state["objects"]["pbs n3"]
    assert made["/config/prune/main-keep"]["keep-daily"] == "14"
    assert made["/config/sync/main-sync"]["remote-store"] == "main"
    assert state["namespaces"] == {"main": ["dc"]}
    assert {(one["roleid"], one["path"]) for one in state["acl pbs n3"]} == {
        ("DatastoreBackup", "/datastore/main"), ("DatastoreAudit", "/datastore/main"),
        ("RemoteAudit", "/remote"), ("Audit", "/system/time"),
    }  # fmt: skip
    read = kept.parent / "n3.read.token"
    assert (read.read_text(), read.stat().st_mode & 0o777) == ("secret-00000002\n", 0o600)

    read.unlink()
    lost = hosts.play("backup_server.yml", **{**wanted, "backup_server_namespaces": ["drc"]})
    assert "token cloudpemda@pbs!read is there" in lost.failures["n3"]
    assert str(read) in lost.failures["n3"]
    assert (lost.tasks, fake_pve.state(hosts.bed)) == ((), state)


def _shown_by(hosts: Hosts, name: str) -> str:
    """The fingerprint of a certificate that a host shows on the port of backup servers."""
    hosts.bed.run(
        name,
        "cd /root && openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=pbs "
        "-keyout pbs.key -out pbs.crt 2>&1 && systemd-run --quiet --collect --unit=shows "
        "openssl s_server -accept 8007 -cert /root/pbs.crt -key /root/pbs.key -quiet",
    )
    hosts.bed.wait_for(name, "ss -ltn | grep -q :8007")
    said = hosts.bed.run(name, "openssl x509 -in /root/pbs.crt -noout -fingerprint -sha256")
    return said.strip().partition("=")[2].lower()


def test_metrics_are_handed_on_and_disks_watched(hosts: Hosts) -> None:
    hosts.bed.run("n2", "mkdir -p -m 0700 /etc/cloudpemda/regency/var")
    wanted: dict[str, Any] = {"limit": "n2", "monitoring_site": "regency"}
    refused = hosts.play(
        "monitoring.yml", skip="", monitoring_listen=":22", site_mail="noc", **wanted
    )
    for fault in ("TCP 22 is held by sshd", "monitoring_mail is noc", "the program mail is not"):
        assert fault in refused.failures["n2"]
    assert refused.tasks == ()
    hosts.bed.run("n2", "ln -s /bin/true /usr/local/bin/mail")
    first = hosts.play("monitoring.yml", skip="", **wanted)
    assert first.rc == 0, first.output
    hosts.settle("monitoring.yml", **wanted)
    host = hosts.on("n2")
    assert host.service("prometheus-node-exporter").is_running
    assert "-m noc@example.go.id" in host.file("/etc/smartd.conf").content_string
    written = "/etc/cloudpemda/regency/var/cloudpemda.prom"
    hosts.bed.run("n2", f"echo 'cloudpemda_vm_as_promised 1' > {written}")
    read = (
        "import urllib.request as u; print(u.urlopen('http://[::]:9100/metrics').read().decode())"
    )
    hosts.bed.wait_for("n2", f'python3 -c "{read}" | grep -q "^cloudpemda_vm_as_promised 1"')
