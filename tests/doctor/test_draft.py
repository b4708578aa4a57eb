"""A site drafted from a cluster loads at once and says what the cluster says."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from cloudpemda.proxmox import Pve, Trust, connect
from cloudpemda.site import Site, load_site
from cloudpemda.usecases.doctor import Level, diagnose
from cloudpemda.usecases.draft_site import Origin, draft
from cloudpemda.wiring import open_backup_server, open_cluster
from tests.doctor.conftest import Practice
from tests.doctor.test_doctor import as_root

TOKEN = "cloudpemda@pve!apply"


def client(practice: Practice) -> Pve:
    secret = (practice.lab.directory / "dc.token").read_text().strip()
    trust = Trust(ca=practice.lab.ca)
    return connect("dc", [practice.lab.url("pve1")], TOKEN, secret, trust, practice.clock)


def origin(practice: Practice) -> Origin:
    return Origin(practice.lab.url("pve1"), TOKEN, "secrets/dc.token", ca_file="secrets/ca.pem")


def written(files: Mapping[str, str], directory: Path) -> Site:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return load_site(directory)


def test_a_draft_loads_and_doctor_finds_it_healthy(practice: Practice, tmp_path: Path) -> None:
    pve = client(practice)
    pve.create_pool("opd-dinkes")
    pve.create_pool("Bapenda")
    drafted = tmp_path / "drafted"
    site = written(draft(pve, origin(practice), "purwakarta", "rudi"), drafted)
    cluster = site.info.clusters["dc"]
    assert dict(cluster.storages) == {"local-zfs": "local-zfs", "hdd": "tank-hdd"}
    assert cluster.backup == "pbs-dc"
    assert cluster.token.id == TOKEN
    assert {code: opd.opd.pool for code, opd in site.opds.items()} == {
        "dinkes": "opd-dinkes",
        "bapenda": "Bapenda",
    }
    image = site.catalogue.images["debian-12"]["dc"]
    assert image.import_ == "nfs:import/debian-12.qcow2"
    assert set(site.catalogue.service_classes) == {"critical", "normal"}
    assert "vmbr0" in (drafted / "site.yaml").read_text()

    (drafted / "secrets").mkdir()
    (drafted / "secrets" / "ca.pem").write_bytes(practice.lab.ca.read_bytes())
    secret = drafted / "secrets" / "dc.token"
    secret.touch(mode=0o600)
    secret.write_text((practice.lab.directory / "dc.token").read_text())
    clock = practice.clock
    report = diagnose(
        site,
        lambda name: open_cluster(site, name, clock),
        lambda name: open_backup_server(site, name, clock),
        clock,
    )
    wrong = {found.code for found in report.findings if found.level is not Level.OK}
    assert wrong == {
        "doctor.quota-unfilled",  # of its people it knows the operator alone
        "doctor.site-loss-open",  # a cluster does not tell what lies at another site
    }


def test_a_draft_never_holds_the_secret_and_changes_nothing(practice9: Practice) -> None:
    secret = (practice9.lab.directory / "dc.token").read_text().strip()
    files = draft(client(practice9), origin(practice9), "x", "rudi")
    assert secret not in "".join(files.values())
    assert practice9.lab.control.writes() == []


def test_ranges_of_vmids_avoid_the_guests_there_are(practice9: Practice, tmp_path: Path) -> None:
    pve = client(practice9)
    for pool in ("a", "b"):
        pve.create_pool(pool)
    practice9.lab.control.outside("create-vm", 10500)
    practice9.lab.control.outside("create-vm", 12000)
    site = written(draft(pve, origin(practice9), "x", "rudi"), tmp_path / "drafted")
    assert [opd.opd.vmids for opd in site.opds.values()] == ["11000-11999", "13000-13999"]


def test_templates_become_images_by_node(practice9: Practice, tmp_path: Path) -> None:
    for vmid in (9000, 9001):
        practice9.lab.control.outside(
            "create-vm", vmid, config={"name": "Ubuntu-24.04", "template": 1}
        )
    practice9.lab.control.advance(30)
    files = draft(client(practice9), origin(practice9), "x", "rudi")
    site = written(files, tmp_path / "drafted")
    template = site.catalogue.images["ubuntu-24-04"]["dc"].template
    assert template is not None
    assert set(template.values()) <= {9000, 9001}


def test_a_cluster_with_nothing_still_gives_a_site_that_loads(
    practice9: Practice, tmp_path: Path
) -> None:
    """No fitting storage, no backup, no image, no pool: the gaps are marked."""
    for storage in ("local-zfs", "tank-hdd", "nfs", "pbs-dc"):
        as_root(practice9, "DELETE", f"/storage/{storage}")
    practice9.lab.control.advance(30)
    files = draft(client(practice9), origin(practice9), "x", "rudi")
    site = written(files, tmp_path / "drafted")
    assert site.opds == {}
    assert site.info.clusters["dc"].backup is None
    assert "<none was found" in files["site.yaml"]


@pytest.mark.parametrize("hostile", ["a: b\nc", "{{ 7 * 7 }}", '"', "x\n---\n- 1", "'#"])
def test_text_from_outside_stays_text(practice9: Practice, hostile: str) -> None:
    """Whatever a name says, it stays one quoted value in the draft."""
    files = draft(client(practice9), origin(practice9), hostile, hostile)
    assert yaml.safe_load(files["site.yaml"])["site"]["name"] == hostile
    assert yaml.safe_load(files["people.yaml"])["people"][0]["login"] == hostile
