"""No secret in anything that is written, at DEBUG, in good days and bad ones."""

import os
from collections.abc import Iterator
from pathlib import Path

from tests.scenarios.conftest import Answer, Office


def _secrets(office: Office) -> list[str]:
    """The token secrets and root passwords of the lab's clusters, from their own files."""
    found = [path.read_text().strip() for path in office.lab.directory.glob("*.token")]
    found += [path.read_text().strip() for path in office.lab.directory.glob("*.root-password")]
    assert len(found) >= 4
    assert all(len(secret) >= 12 for secret in found)
    return [*found, office.lab.port.token]


def _written(office: Office) -> Iterator[Path]:
    """Everything below the site but the files whose purpose is to hold a secret."""
    lab = office.lab.directory
    for path in office.directory.rglob("*"):
        keeper = path.parent == lab and (
            path.suffix in (".token", ".root-password", ".pem", ".json", ".key")
        )
        if path.is_file() and not keeper:
            yield path


def test_no_secret_is_written_anywhere(office: Office) -> None:
    said: list[Answer] = []

    def debug(*words: str, actor: str = "rudi") -> None:
        site = ("--site", str(office.directory), "--lang", "en")
        said.append(office.call(*site, "--debug", "--actor", actor, *words))

    debug("doctor")
    debug("request", "submit", office.file("simrs.yaml"), actor="siti")
    debug("request", "approve", "dinkes/simrs", actor="hendra")
    debug("plan")
    office.lab.post(
        "/faults",
        {"faults": [{"on": {"method": "POST", "path": "*/qemu", "nth": 1}, "do": "lose-answer"}]},
    )
    debug("apply")
    for node in ("pve1", "pve2", "pve3"):
        office.lab.post("/node", {"cluster": "dc", "node": node, "action": "down"})
    debug("status")
    debug("nightly")
    for node in ("pve1", "pve2", "pve3"):
        office.lab.post("/node", {"cluster": "dc", "node": node, "action": "up"})
    assert [answer.code for answer in said] == [0, 0, 0, 0, 0, 5, 7]
    log = "".join(answer.out + answer.err for answer in said)
    assert "POST" in log, "the debug log was not on: the search would prove nothing"
    for secret in _secrets(office):
        assert secret not in log
        for path in _written(office):
            assert secret.encode() not in path.read_bytes(), path


def test_a_bug_shows_no_secret_in_its_traceback(office: Office) -> None:
    """Frames hold the client; its repr must not hold the token."""
    from cloudpemda.site import load_site
    from cloudpemda.wiring import open_cluster, site_clock

    site = load_site(office.directory)
    pve = open_cluster(site, "dc", site_clock(site))
    shown = repr(pve) + repr(vars(pve)) + repr(site)
    for secret in _secrets(office):
        assert secret not in shown


def test_a_secret_that_others_can_read_is_refused(office: Office) -> None:
    token = office.lab.directory / "dc.token"
    token.chmod(0o644)
    try:
        answer = office.run("doctor")
    finally:
        token.chmod(0o600)
    assert answer.code == 3
    assert "document.not-private" in {one["code"] for one in answer.data["findings"]}


def test_no_process_has_a_secret_among_its_arguments(office: Office) -> None:
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = process.read_bytes()
        except OSError:
            continue  # it ended meanwhile
        if str(os.getpid()) != process.parent.name:
            assert not any(secret.encode() in words for secret in _secrets(office)), words
