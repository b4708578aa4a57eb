"""What the night tells people: once when it begins, once when it is over, and never a secret."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudpemda.usecases.night.notices import MOST_TRIES
from tests.notify.sinks import Sink, mail, webhook
from tests.scenarios.conftest import Office

SECRET = "sangat-rahasia"
_STRANGER = {"memory": "512", "tags": "cloudpemda"}


@pytest.fixture
def hook(office: Office) -> Iterator[Sink]:
    """A site whose findings go to a webhook."""
    file = office.directory / "site.yaml"
    before = file.read_text()
    with webhook() as sink:
        channels = [{"name": "kominfo", "urls": "secrets/notify.urls", "min": "finding"}]
        _site(office, notify=channels)
        _urls(office, f"# webhook\njson://x:{SECRET}@127.0.0.1:{sink.port}/?cto=600&rto=600\n")
        yield sink
    file.write_text(before)


def _site(office: Office, **more: Any) -> None:
    document = yaml.safe_load((office.directory / "site.yaml").read_text())
    (office.directory / "site.yaml").write_text(json.dumps(document | more, default=str))


def _urls(office: Office, text: str) -> Path:
    file = office.directory / "secrets/notify.urls"
    file.parent.mkdir(mode=0o700, exist_ok=True)
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(text)
    return file


def _stranger(office: Office, action: str) -> None:
    more = {"node": "pve1", "config": _STRANGER} if action == "create-vm" else {}
    office.lab.post("/outside", {"cluster": "dc", "action": action, "vmid": 99998, **more})


def test_each_condition_is_told_once_and_once_that_it_is_over(office: Office, hook: Sink) -> None:
    assert office.run("nightly").code == 0
    assert hook.taken == []
    _stranger(office, "create-vm")
    for _ in range(2):
        assert office.run("nightly").codes == ["survey.nobody"]
    (told,) = hook.taken
    assert "survey.nobody" in told["message"]
    assert "99998" in told["message"]
    _stranger(office, "delete-vm")
    for _ in range(2):
        assert office.run("nightly").code == 0
    assert len(hook.taken) == 2
    assert "99998" in hook.taken[1]["message"]


@pytest.mark.slow
def test_what_is_not_delivered_is_tried_again_and_stops_no_night(
    office: Office, hook: Sink
) -> None:
    _stranger(office, "create-vm")
    hook.refuses = True
    failed = office.run("nightly")
    assert (failed.code, failed.codes) == (7, ["survey.nobody", "notify.not-delivered"])
    assert SECRET not in failed.out + failed.err
    hook.refuses = False
    assert office.run("nightly").codes == ["survey.nobody"]
    assert len(hook.taken) == 1, "the failure itself is told of by the night's own output alone"

    _stranger(office, "delete-vm")
    hook.refuses = True
    tries = [office.run("nightly").codes for _ in range(MOST_TRIES + 1)]
    assert tries[0] == ["notify.not-delivered"]
    assert tries[-2:] == [["notify.not-delivered", "notify.given-up"], []]
    file = _urls(office, f"nonsense{SECRET}\n")
    office.lab.post("/advance", {"seconds": 60})
    _stranger(office, "create-vm")
    wrong = office.run("nightly")
    assert {"notify.not-delivered", "notify.url"} <= set(wrong.codes)
    assert SECRET not in wrong.out + wrong.err
    file.chmod(0o644)
    assert "document.not-private" in office.run("nightly").codes


@pytest.mark.slow
def test_an_opds_contacts_get_a_mail_of_what_is_theirs(office: Office, hook: Sink) -> None:
    office.built("simkeu.yaml", "bkad/simkeu")
    contacts = yaml.safe_load((office.directory / "opd/bkad.yaml").read_text())["opd"]["contacts"]
    (vmid,) = office.vms()
    with mail() as post:
        _site(office, notify=[{"name": "opd", "urls": "secrets/notify.urls", "contacts": True}])
        _urls(
            office,
            f"mailto://127.0.0.1:{post.port}?from=malam@example.go.id&mode=insecure&cto=600&rto=600",
        )
        office.lab.post("/outside", {"cluster": "dc", "action": "delete-vm", "vmid": vmid})
        _stranger(office, "create-vm")
        assert "notify.not-delivered" not in office.run("nightly").codes
    (recipients,) = {tuple(to) for to, _ in post.taken}
    assert set(recipients) <= {one["email"] for one in contacts}
    text = "".join(text for _, text in post.taken)
    assert "bkad/simkeu/app-1" in text
    assert "99998" not in text, "what is the site's own is not an OPD's"
