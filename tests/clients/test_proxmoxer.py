"""proxmoxer as it is published: what scripts that work on a cluster do, done to the lab."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from proxmoxer import ProxmoxAPI, ResourceException
from proxmoxer.tools import Tasks

from tests.labs import RunningLab, layout, running_lab


@pytest.fixture(scope="module", params=["9.2", "8.4"])
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    described = layout()
    described["clock"] = {"rate": 20}  # proxmoxer waits by the clock on the wall
    described["clusters"]["dc"]["version"] = request.param
    with running_lab(tmp_path_factory.mktemp("lab"), described) as running:
        yield running


@pytest.fixture
def pve(lab: RunningLab, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)  # it would outweigh `verify_ssl`
    return connect(lab, user="root@pam", password=lab.root_password())


def connect(lab: RunningLab, **who: str) -> Any:
    address = urlsplit(lab.url("pve1")).netloc
    return ProxmoxAPI(address, verify_ssl=str(lab.ca), timeout=600, **who)


def done(pve: Any, upid: str) -> None:
    status = Tasks.blocking_status(pve, upid, timeout=600, polling_interval=0.05)
    assert status is not None
    assert status["exitstatus"] == "OK"


def test_a_password_and_a_token_let_it_in(lab: RunningLab, pve: Any) -> None:
    assert pve.version.get()["version"].startswith(("8.4", "9.2"))
    user, _, rest = lab.token().partition("!")
    name, _, secret = rest.partition("=")
    token = connect(lab, user=user, token_name=name, token_value=secret)
    assert {node["node"] for node in token.nodes.get()} == {"pve1", "pve2", "pve3"}


def test_a_vm_from_image_to_removal(pve: Any) -> None:
    node = pve.nodes("pve1")
    disk = "local-zfs:0,import-from=nfs:import/debian-12.qcow2"
    done(pve, node.qemu.create(vmid=100, name="web", memory=1024, scsi0=disk, agent=1))
    done(pve, node.qemu(100).clone.create(newid=101, full=1, name="web-2"))
    done(pve, node.qemu(101).status.start.post())
    assert node.qemu(101).status.current.get()["status"] == "running"
    done(pve, node.qemu(100).snapshot.create(snapname="before"))
    assert {one["name"] for one in node.qemu(100).snapshot.get()} == {"before", "current"}
    done(pve, node.qemu(101).migrate.create(target="pve2", online=1, **{"with-local-disks": 1}))
    assert pve.nodes("pve2").qemu(101).config.get()["name"] == "web-2"
    done(pve, pve.nodes("pve2").qemu(101).status.stop.post())
    done(pve, pve.nodes("pve2").qemu(101).delete(purge=1))
    done(pve, node.qemu(100).delete())
    assert [vm["vmid"] for vm in pve.cluster.resources.get(type="vm")] == []


def test_ha_pool_user_and_backup_job(pve: Any) -> None:
    done(pve, pve.nodes("pve3").qemu.create(vmid=200, name="db", scsi0="local-zfs:1"))
    pve.pools.create(poolid="dinkes", comment="health")
    pve.pools.put(poolid="dinkes", vms="200")
    assert [one["vmid"] for one in pve.pools("dinkes").get()["members"]] == [200]
    pve.cluster.ha.resources.create(sid="vm:200", state="started")
    assert [one["sid"] for one in pve.cluster.ha.resources.get()] == ["vm:200"]
    pve.access.users.create(userid="sri@pve", password="rahasia-sekali")
    pve.access.acl.put(path="/pool/dinkes", users="sri@pve", roles="PVEAuditor")
    assert any(one["ugid"] == "sri@pve" for one in pve.access.acl.get())
    pve.cluster.backup.create(id="nightly", vmid="200", storage="pbs-dc", schedule="21:00")
    assert pve.cluster.backup("nightly").get()["vmid"] == "200"


def test_a_refusal_arrives_as_proxmoxers_own_error(pve: Any) -> None:
    with pytest.raises(ResourceException) as refused:
        pve.nodes("pve1").qemu(99999).config.get()
    assert refused.value.status_code == 500
    assert "does not exist" in str(refused.value)
    with pytest.raises(ResourceException) as invalid:
        pve.nodes("pve1").qemu.create(vmid="x")
    assert invalid.value.errors["vmid"].startswith("type check")
