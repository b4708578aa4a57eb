"""The OPDs' pools are kept in step, and those who are named look at theirs, and at nothing else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from cloudpemda.lab.process import RunningLab
from cloudpemda.proxmox.rights import user_commands
from tests.scenarios.conftest import Office, running_site
from tests.scenarios.test_adopt import adopt, settle, stand
from tests.scenarios.test_expose import as_root

TOKEN = "cloudpemda@pve!apply"


@pytest.fixture(scope="module", params=["9.2", pytest.param("8.4", marks=pytest.mark.slow)])
def _site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, RunningLab]]:
    with running_site(tmp_path_factory.mktemp("site") / "lab", str(request.param)) as site:
        yield site


def pools(office: Office) -> dict[str, tuple[str, list[int]]]:
    """Pool → its comment and VMs."""
    found = office.lab.get("/state")["dc"]["pools"]
    return {name: (pool["comment"], sorted(pool["vms"])) for name, pool in found.items()}


def cluster(office: Office, *words: str) -> dict[str, Any]:
    answer = office.run("pools", "sync", *words)
    assert answer.code in (0, 7), answer.out
    return dict(answer.data["clusters"][0]) | {"exit": answer.code, "codes": answer.codes}


def test_pools_are_made_named_and_filled_with_what_is_ours(office: Office) -> None:
    for vmid in (501, 502, 503):
        stand(office, vmid)
    settle(office)
    assert adopt(office, "--vmid", "501,503", "--yes").code == 0
    as_root(office, "POST", "/pools", poolid="opd-bkad", comment="dari vendor lama")
    as_root(office, "POST", "/pools", poolid="opd-dinkes", comment="cloudpemda")
    as_root(office, "PUT", "/pools", poolid="opd-dinkes", vms="502")
    # somebody else's VM stands where one of ours did
    office.lab.post("/outside", {"cluster": "dc", "vmid": 503, "action": "delete-vm"})
    stand(office, 503, name="orang-lain")
    settle(office)
    before = pools(office)

    assert office.run("pools", "sync", "--yes", actor="siti").codes == ["desk.role"]
    assert office.run("pools", "sync", "--yes", actor="dewi").codes == ["desk.role"]
    seen = len(office.requests())
    shown = cluster(office)
    assert office.writes_since(seen) == []
    assert pools(office) == before

    said = office.text("pools", "sync", lang="id")
    assert "dc: ke pool opd-dinkes: dinkes/lama-501-local/vm-1" in said.out, said.out
    done = cluster(office, "--yes")
    assert done["steps"] == shown["steps"]
    assert (done["exit"], done["codes"]) == (7, ["pools.not-ours"])
    assert [(one["vmid"], one["pool"]) for one in done["strangers"]] == [(502, "opd-dinkes")]
    after = pools(office)
    assert after["opd-dinkes"] == ("cloudpemda: Dinas Kesehatan (dinkes)", [501, 502])
    assert after["opd-bkad"][0] == "dari vendor lama"
    assert after["opd-rsud"][0] == "cloudpemda: UPT Rumah Sakit Umum Daerah (rsud)"
    assert all(503 not in vms for _, vms in after.values())

    seen = len(office.requests())
    assert cluster(office, "--yes")["steps"] == []
    asked = office.requests()[seen:]
    assert {one["method"] for one in asked} == {"GET"}
    assert len(asked) <= 6 + 1 + 1 + 1, (
        "the list, /pools, /access/users, and the VM that is no more"
    )
    told = {one["action"] for one in office.run("audit", "log", "--opd", "dinkes").data}
    assert {"pool.comment", "pool.move"} <= told
    assert office.run("audit", "verify").code == 0


def _name(office: Office, users: dict[str, list[str]]) -> None:
    file = office.directory / "site.yaml"
    document = yaml.safe_load(file.read_text())
    document["pveUsers"] = {"realm": "pve", "users": users}
    file.write_text(yaml.safe_dump(document, sort_keys=False))


def _allow(office: Office) -> None:
    """What `doctor` tells an administrator to run."""
    for line in user_commands(TOKEN):
        words = line.partition(" || ")[0].replace("'", "").split()
        if words[1] == "role":
            as_root(office, "POST", "/access/roles", roleid=words[3], privs=words[5])
        else:
            _, _, _, path, kind, who, _, roles = words
            form = {kind.lstrip("-"): who, "roles": roles}
            as_root(office, "PUT", "/access/acl", path=path, **form)


def granted(office: Office) -> set[tuple[str, str, str]]:
    """What people, not tokens or services, may do where."""
    acl = office.lab.get("/state")["dc"]["access"]["acl"]
    return {
        (one["path"], one["who"], one["role"])
        for one in acl
        if one["kind"] == "user" and not one["who"].startswith(("cloudpemda", "root"))
    }


class Reader:
    """Somebody at PVE's own pages."""

    def __init__(self, office: Office, user: str) -> None:
        self._url = next(iter(office.lab.clusters["dc"]["nodes"].values())) + "/api2/json"
        self._verify = str(office.lab.directory / "ca.pem")
        login = {"username": user, "password": "rahasia-sekali"}
        self.ticket = self._call("POST", "/access/ticket", login)

    def _call(self, method: str, path: str, form: dict[str, str], **more: Any) -> Any:
        return requests.request(
            method, self._url + path, data=form, verify=self._verify, timeout=600, **more
        )

    def ask(self, method: str, path: str) -> Any:
        found = self.ticket.json()["data"]
        return self._call(
            method, path, {}, cookies={"PVEAuthCookie": found["ticket"]},
            headers={"CSRFPreventionToken": found["CSRFPreventionToken"]},
        )  # fmt: skip


def test_people_of_an_opd_look_at_its_pool_and_at_nothing_else(office: Office) -> None:
    for vmid in (501, 502):
        stand(office, vmid)
    settle(office)
    assert adopt(office, "--vmid", "501", "--yes").code == 0
    site = (office.directory / "site.yaml").read_text()
    try:
        as_root(office, "POST", "/access/users", userid="asep@pve", comment="admin lama")
        _name(office, {"siti": ["dinkes"], "asep": ["disdukcapil"]})
        lacking = office.run("doctor")
        assert "doctor.rights-missing" in {one["code"] for one in lacking.data["findings"]}
        assert cluster_code(office) != 0
        _allow(office)
        rights = [one["code"] for one in office.run("doctor").data["findings"]
                  if one["cluster"] == "dc"]  # fmt: skip
        assert "doctor.rights" in rights

        done = cluster(office, "--yes")
        assert (done["exit"], done["codes"]) == (7, ["pools.user-foreign"])
        as_root(office, "PUT", "/access/password", userid="siti@pve", password="rahasia-sekali")
        assert granted(office) == {("/pool/opd-dinkes", "siti@pve", "PVEAuditor")}
        siti = Reader(office, "siti@pve")
        seen = siti.ask("GET", "/cluster/resources").json()["data"]
        assert {(one["type"], one.get("vmid", one.get("pool"))) for one in seen} == {
            ("node", None), ("pool", "opd-dinkes"), ("qemu", 501),
        }, "PVE tells everybody what its nodes are called"  # fmt: skip
        assert siti.ask("GET", "/nodes/pve1/qemu/501/config").status_code == 200
        assert siti.ask("GET", "/nodes/pve1/qemu/502/config").status_code == 403
        assert siti.ask("POST", "/nodes/pve1/qemu/501/status/stop").status_code == 403

        _name(office, {"asep": ["disdukcapil"]})
        assert "pools.user-left" in office.run("nightly").codes
        assert cluster(office, "--yes")["codes"] == ["pools.user-foreign"]
        assert Reader(office, "siti@pve").ticket.status_code == 401
        assert granted(office) == set()
        sent = [one for one in office.requests() if one["path"].startswith("/access/users/")]
        assert not [one for one in sent if one["path"].endswith("asep@pve")]

        _name(office, {"siti": ["dinkes"]})
        assert cluster(office, "--yes")["exit"] == 0
        assert Reader(office, "siti@pve").ticket.status_code == 200
    finally:
        (office.directory / "site.yaml").write_text(site)


def cluster_code(office: Office) -> int:
    """Without the rights it says so, and what it can do is done."""
    answer = office.run("pools", "sync", "--yes")
    assert "pools.left" in answer.codes
    assert pools(office)["opd-dinkes"][1] == [501]
    return answer.code
