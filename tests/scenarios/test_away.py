"""What lies at the recovery centre: it is what counts when the site is lost, and it is read."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import yaml

from tests.scenarios.conftest import Office

pytestmark = pytest.mark.slow

DAY = 86400


def _at_site_loss(answer: Any) -> dict[str, Any]:
    """The judgements of the night for the loss of the site, by VM."""
    found = answer.data["survey"]["judgements"]
    return {one["key"]: one for one in found if one["loss"] == "site"}


def _power(office: Office, server: str, action: str) -> None:
    office.lab.post("/node", {"cluster": server, "node": server, "action": action})


def _edited(office: Office, **server: object) -> None:
    path = office.directory / "site.yaml"
    document = yaml.safe_load(path.read_text())
    document["backupServers"]["pbs-drc"] |= server
    path.write_text(json.dumps(document, default=str))


def _doctor(office: Office) -> dict[str, str]:
    """What failed at the recovery centre's server, with the server's words."""
    found = office.run("doctor").data["findings"]
    return {
        one["code"]: one["values"].get("text", "")
        for one in found
        if one["level"] == "fail" and one["cluster"] == "pbs-drc"
    }


def _as_backup_admin(office: Office, method: str, path: str, **form: str) -> None:
    lab = office.directory / "var" / "lab"
    told = json.loads((lab / "endpoints.json").read_text())["backup_servers"]["pbs-drc"]
    secret = (lab / "pbs-drc.token").read_text().strip()
    answer = requests.request(
        method,
        told["nodes"]["pbs-drc"] + "/api2/json" + path,
        data=form,
        headers={"Authorization": f"PBSAPIToken=cloudpemda@pbs!apply:{secret}"},
        verify=str(lab / "ca.pem"),
        timeout=600,
    )
    assert answer.status_code == 200, answer.text


@pytest.fixture(autouse=True)
def _as_it_was(office: Office) -> Iterator[None]:
    """The site's file is the next test's too."""
    path = office.directory / "site.yaml"
    text = path.read_text()
    yield
    path.write_text(text)


def test_the_copy_at_the_recovery_centre_decides(office: Office) -> None:
    office.built()
    new = _at_site_loss(office.run("nightly"))
    assert {one["standing"] for one in new.values()} == {"pending"}
    office.lab.post("/advance", {"seconds": 3 * DAY})
    good = _at_site_loss(office.run("nightly"))
    assert {one["standing"] for one in good.values()} == {"ok"}
    assert all(one["source"].startswith("pbs-drc:vm/") for one in good.values())

    shown = office.run("protect", "status")
    assert (shown.code, shown.codes) == (0, [])
    assert all(one["green"] and one["site_loss"]["verified"] for one in shown.data["vms"])
    assert [(one["opd"], one["vms"], one["green"]) for one in shown.data["opds"]] == [
        ("dinkes", 3, 3)
    ]
    page = office.text("protect", "status", "dinkes/simrs/db-1", lang="id").out
    assert "pbs-drc:vm/" in page
    assert "baik, 2026-11-2" in page
    assert office.run("protect", "status", "dinkes/simrs", actor="nina").codes == ["desk.scope"]
    assert office.run("protect", "status", "dinkes/none").codes == ["ledger.no-instance"]

    # the server there is silent: unknown, and the backups here are still known
    _power(office, "pbs-drc", "down")
    try:
        night, status = office.run("nightly"), office.run("status")
    finally:
        _power(office, "pbs-drc", "up")
    assert {one["standing"] for one in _at_site_loss(night).values()} == {"unknown"}
    assert {"survey.server-unread", "recovery.site-unknown"} <= set(night.codes)
    assert night.data["survey"]["unread"] == ["dc"]
    assert status.code == 5
    covers = [(one["backup"]["guard"], one["away"]["guard"]) for one in status.data["instances"]]
    assert set(covers) == {("ok", "unknown")}

    # it pulls no more: backups here stay young, what lies there grows old
    _as_backup_admin(office, "PUT", "/config/sync/from-dc", delete="schedule")
    assert "doctor.no-sync" in _doctor(office)
    office.lab.post("/advance", {"seconds": 3 * DAY})
    night, status = office.run("nightly"), office.run("status")
    assert {one["standing"] for one in _at_site_loss(night).values()} == {"late"}
    assert all(one["attained"] > 2 * DAY for one in _at_site_loss(night).values())
    covers = [(one["backup"]["guard"], one["away"]["guard"]) for one in status.data["instances"]]
    assert set(covers) == {("ok", "late")}
    shown = office.run("protect", "status", "--opd", "dinkes")
    assert (shown.code, set(shown.codes)) == (7, {"recovery.site-late"})
    assert not office.run("nightly").data["survey"]["unread"]


def test_doctor_says_what_a_backup_server_refuses(office: Office) -> None:
    assert office.run("doctor").code == 0
    _edited(office, datastore="nowhere")
    assert _doctor(office) == {"doctor.datastore-unread": "datastore 'nowhere' does not exist"}
    _edited(office, datastore="main", namespace="opd/dinkes")
    assert "opd/dinkes" in _doctor(office)["doctor.datastore-unread"]
    wrong = office.directory / "secrets-wrong.token"
    wrong.write_text("guessed\n")
    wrong.chmod(0o600)
    token = {"id": "cloudpemda@pbs!apply", "secret": wrong.name}
    _edited(office, namespace="", token=token)
    answer = office.run("doctor")
    assert answer.code == 7
    assert set(_doctor(office)) == {"doctor.server-down"}
    (grants,) = answer.data["commands"].values()
    assert any("acl update /datastore/main DatastoreAudit" in line for line in grants)
    assert "guessed" not in answer.out


def test_a_clock_that_is_off_at_the_recovery_centre_is_flagged(office: Office) -> None:
    skew = {"at": "1s", "do": "clock-skew", "cluster": "pbs-drc", "node": "pbs-drc", "seconds": 600}
    office.lab.post("/faults", {"faults": [skew]})
    office.lab.post("/advance", {"seconds": 10})
    night = office.run("nightly")
    (found,) = [one for one in night.data["findings"] if one["fault"]["code"].endswith("skew")]
    assert found["fault"]["values"]["where"] == "pbs-drc"
    assert 595 <= found["fault"]["values"]["seconds"] <= 605
