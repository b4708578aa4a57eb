"""The ledger is lost, an older copy comes back, and the clusters have gone on meanwhile."""

import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.scenarios.conftest import APPROVER, REQUESTER, Office

KEY = "secrets/ledger.key"


@pytest.fixture
def kept(office: Office) -> Iterator[Office]:
    """A site that makes copies, and has its key."""
    file = office.directory / "site.yaml"
    before = file.read_text()
    document = yaml.safe_load(before)
    document["ledgerBackup"] = {"key": KEY, "keep": 2}
    file.write_text(yaml.safe_dump(document))
    shutil.rmtree(office.directory / "secrets", ignore_errors=True)
    shutil.rmtree(office.directory / "var/backups", ignore_errors=True)
    assert office.run("ledger", "keygen").code == 0
    yield office
    file.write_text(before)


def backup(office: Office, name: str = "copy.ledger") -> str:
    target = office.directory / "var" / name
    target.unlink(missing_ok=True)
    answer = office.run("ledger", "backup", str(target))
    assert answer.code == 0, answer.out
    return str(target)


def test_a_key_is_made_once_and_shown_to_nobody(kept: Office) -> None:
    key = kept.directory / KEY
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    again = kept.run("ledger", "keygen")
    assert (again.code, again.codes) == (4, ["backup.key-exists"])
    written = kept.text("--debug", "ledger", "backup")
    assert written.code == 0
    assert key.read_text().strip() not in written.out + written.err
    key.chmod(0o640)
    assert kept.run("ledger", "backup").codes == ["document.not-private"]
    key.chmod(0o600)
    key.write_text("a word\n")
    assert kept.run("ledger", "backup").code == 3


def test_without_a_word_in_the_sites_file_it_says_what_to_write(office: Office) -> None:
    answer = office.text("ledger", "backup")
    assert answer.code == 4
    assert "ledgerBackup: {key: secrets/ledger.key, keep: 14}" in answer.err


@pytest.mark.parametrize("words", [("keygen",), ("backup",), ("restore", "x", "--yes")])
def test_only_operators_keep(kept: Office, words: tuple[str, ...]) -> None:
    for actor in (REQUESTER, APPROVER):
        assert kept.run("ledger", *words, actor=actor).codes == ["desk.role"]
    assert kept.run("ledger", "verify", actor=REQUESTER).codes == ["desk.role"]


def test_dated_copies_are_kept_as_many_as_the_site_says(kept: Office) -> None:
    folder = kept.directory / "var/backups"
    folder.mkdir(exist_ok=True)
    (folder / "lab-notes.txt").write_text("not ours to remove")
    names = []
    for hours in ("1h", "0s", "1h", "1h"):
        assert kept.run("lab", "advance", hours).code == 0
        names.append(Path(kept.run("ledger", "backup").data["file"]).name)
    assert len(set(names)) == 4
    assert sorted(one.name for one in folder.iterdir()) == [*names[2:], "lab-notes.txt"]


def test_a_lost_ledger_comes_back_as_it_was(kept: Office) -> None:
    kept.built()
    before = kept.run("status").data
    copy = backup(kept)
    for file in (kept.directory / "var").glob("ledger.sqlite3*"):
        file.unlink()
    assert kept.run("request", "list").data == []

    answer = kept.run("ledger", "restore", copy)
    assert (answer.code, answer.codes) == (0, [])
    assert answer.data["restored"]["kept"] is None
    after = kept.run("status").data
    assert [one["key"] for one in after["instances"]] == [one["key"] for one in before["instances"]]
    assert kept.run("audit", "verify").code == 0
    assert kept.run("ledger", "verify").code == 0
    assert kept.run("plan").code == 0


def test_what_is_there_is_never_replaced_unasked(kept: Office) -> None:
    copy = backup(kept)
    kept.approved()
    refused = kept.run("ledger", "restore", copy)
    assert (refused.code, refused.codes) == (4, ["backup.present"])
    assert [one["state"] for one in kept.run("request", "list").data] == ["approved"]


def without_data(document: dict[str, Any]) -> None:
    for vm in document["spec"]["vms"]:
        del vm["disks"][1:]


def test_an_older_copy_is_compared_with_the_clusters_by_uid(kept: Office) -> None:
    kept.approved("siak.yaml", "disdukcapil/siak")
    copy = backup(kept)
    kept.built()  # after the copy: three VMs that it knows nothing of
    lines = {(q["opd"], q["dimension"]): q for q in kept.run("quota", "show").data}
    used = lines["dinkes", "vcpu"]["committed"]

    answer = kept.run("ledger", "restore", copy, "--yes")
    assert answer.code == 7
    assert sorted(set(answer.codes)) == ["reconcile.found", "reconcile.hold"]
    found = [one for one in answer.document["faults"] if one["code"] == "reconcile.found"]
    assert {one["values"]["vm"] for one in found} == {
        f"dinkes/simrs/{member}" for member in ("app-1", "db-1", "db-2")
    }
    assert all("qm destroy" in one["next"] for one in found)
    kept_file = Path(answer.data["restored"]["kept"])
    assert kept_file.name.startswith("before-restore-lab-")

    # they count, and nobody gets their place
    lines = {(q["opd"], q["dimension"]): q for q in kept.run("quota", "show").data}
    assert lines["dinkes", "vcpu"]["committed"] == used
    assert lines["dinkes", "instances"]["committed"] == 3
    told = set(kept.run("quota", "verify").codes)
    assert "quota.verify-found" in told
    assert "quota.verify-foreign" not in told
    again = kept.run("request", "submit", kept.file("simrs.yaml"), actor=REQUESTER)
    assert "quota.disk" in again.codes
    small = kept.edited("simrs.yaml", without_data)
    assert kept.run("request", "submit", small, actor=REQUESTER).code == 0
    approval = kept.run("request", "approve", "dinkes/simrs", actor=APPROVER)
    assert (approval.code, approval.codes) == (4, ["ledger.made-already"])

    # the log is whole and tells of the gap
    assert kept.run("audit", "verify").code == 0
    entry = kept.run("audit", "log", "--action", "ledger.restore").data[-1]
    assert entry["details"]["set_aside_entry"] > entry["details"]["last_entry"]

    # and the way back is open
    back = kept.run("ledger", "restore", str(kept_file), "--yes")
    assert (back.code, back.codes) == (7, ["reconcile.hold"])
    assert kept.run("ledger", "verify").code == 0
    assert kept.run("ledger", "verify").data["instances"] == 3


def test_a_found_vm_that_is_taken_away_counts_no_more(kept: Office) -> None:
    copy = backup(kept)
    kept.built("simkeu.yaml", "bkad/simkeu")
    restored = kept.run("ledger", "restore", copy, "--yes")
    assert restored.codes == ["reconcile.found"]
    vmid = restored.document["faults"][0]["values"]["vmid"]
    assert "survey.nobody" in kept.run("nightly").codes
    kept.lab.post("/outside", {"cluster": "dc", "action": "delete-vm", "vmid": vmid})
    assert kept.run("ledger", "verify").code == 0
    assert all(line["committed"] == 0 for line in kept.run("quota", "show", "bkad").data)
    gone = kept.run("audit", "log", "--action", "found.gone").data
    assert [one["subject"] for one in gone] == ["bkad/simkeu/app-1"]
    kept.built("simkeu.yaml", "bkad/simkeu")


def test_vms_that_went_after_the_copy_are_told_and_stay_charged(kept: Office) -> None:
    kept.built()
    copy = backup(kept)
    vmid = min(one["vmid"] for one in kept.run("status").data["instances"])
    kept.lab.post("/outside", {"cluster": "dc", "action": "delete-vm", "vmid": vmid})
    answer = kept.run("ledger", "restore", copy, "--yes")
    assert (answer.code, answer.codes) == (7, ["reconcile.absent"])
    lines = {(q["opd"], q["dimension"]): q for q in kept.run("quota", "show").data}
    assert lines["dinkes", "instances"]["committed"] == 3


def test_a_cluster_that_was_not_read_lets_nothing_be_promised(kept: Office) -> None:
    kept.approved()
    copy = backup(kept)
    kept.lab.post("/node", {"cluster": "dc", "action": "down", "node": "pve2"})
    answer = kept.run("ledger", "restore", copy, "--yes")
    assert answer.code == 5
    assert "reconcile.unread" in answer.codes
    assert kept.run("apply").codes == ["ledger.unreconciled"]
    assert [one["state"] for one in kept.run("request", "list").data] == ["approved"]
    assert "ledger.unreconciled" in kept.run("nightly").codes

    kept.lab.post("/node", {"cluster": "dc", "action": "up", "node": "pve2"})
    kept.lab.post("/wait", {"seconds": 120})
    assert "ledger.unreconciled" not in kept.run("ledger", "verify").codes
    assert kept.run("apply").code == 0


def test_the_night_brings_ledger_and_site_to_the_recovery_centre(
    kept: Office, tmp_path: Path
) -> None:
    document = yaml.safe_load((kept.directory / "site.yaml").read_text())
    away = tmp_path / "drc"
    document["ledgerBackup"]["drc"] = {"directory": str(away), "keep": 1, "mounted": False}
    (kept.directory / "site.yaml").write_text(yaml.safe_dump(document))
    night = kept.run("nightly")
    assert (night.code, night.codes) == (7, ["nightly.no-drc-copy", "backup.drc-away"])
    away.mkdir()
    night = kept.run("nightly")
    assert (night.code, kept.run("nightly").data["drc_copy"]) == (0, night.data["drc_copy"])
    ledger, site = sorted(away.iterdir())
    assert (ledger.suffix, site.suffix) == (".ledger", ".site")
    assert kept.run("ledger", "restore", str(ledger), "--yes").code == 0

    key, home = str(kept.directory / KEY), tmp_path / "home"
    assert kept.run("ledger", "unpack", str(site), str(home), "--key", key).code == 0
    for name in ("site.yaml", "opd/dinkes.yaml"):
        assert (home / name).read_bytes() == (kept.directory / name).read_bytes()
    assert (home / "var/audit.head").is_file()
    assert not (home / "secrets").exists()
    for wrong, code in ((ledger, "backup.not-site"), (site, "backup.not-empty")):
        assert kept.run("ledger", "unpack", str(wrong), str(home), "--key", key).codes == [code]
    assert kept.run("nightly").code == 0  # the ledger that came back knew of no copy
    (site,) = away.glob("*.site")
    site.write_bytes(site.read_bytes()[:-1] + b"x")
    night = kept.run("nightly")
    assert (night.code, night.codes) == (7, ["nightly.no-drc-copy", "backup.damaged"])
    document["ledgerBackup"]["drc"]["mounted"] = True
    document["ledgerBackup"]["drc"]["directory"] = "var"
    (kept.directory / "site.yaml").write_text(yaml.safe_dump(document))
    assert "backup.drc-not-mounted" in kept.run("nightly").codes


def test_the_night_makes_a_copy_and_says_when_it_cannot(kept: Office) -> None:
    night = kept.run("nightly")
    assert night.code == 0
    assert Path(night.data["copy"]).exists()
    assert kept.run("nightly").data["copy"] == night.data["copy"], "not made twice in one night"
    assert len(list(Path(night.data["copy"]).parent.iterdir())) == 1
    (kept.directory / KEY).unlink()
    night = kept.run("nightly")
    assert night.code == 7
    assert night.codes[0] == "nightly.no-copy"
    assert night.data["copy"] is None
