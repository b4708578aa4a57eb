"""Several `apply` at once: disjoint requests in parallel, the same one once, on both databases."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.ledger.servers import postgres
from tests.scenarios.beside import start_apply, until_held
from tests.scenarios.conftest import Office

EXAMPLES = {
    "simrs.yaml": "dinkes/simrs", "siak.yaml": "disdukcapil/siak", "simkeu.yaml": "bkad/simkeu",
}  # fmt: skip


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def many(request: pytest.FixtureRequest, office: Office) -> Iterator[Office]:
    """The office with its ledger on one database or the other."""
    if request.param == "sqlite":
        yield office
        return
    file = office.directory / "site.yaml"
    before = file.read_text()
    with postgres() as server:
        engine = create_engine(server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("CREATE DATABASE ledger"))
        engine.dispose()
        url = make_url(server).set(database="ledger").render_as_string(hide_password=False)
        lines = [
            f'ledger: "{url}"' if line.startswith("ledger:") else line
            for line in before.splitlines()
        ]
        file.write_text("\n".join(lines) + "\n")
        try:
            assert "postgresql+psycopg" in file.read_text()
            yield office
        finally:
            file.write_text(before)


def _ended(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Its exit code and the codes of what it was told."""
    out, err = process.communicate()
    assert out, err
    return process.returncode, [fault["code"] for fault in json.loads(out)["faults"]]


def _creations(office: Office) -> list[str]:
    return [
        one["path"]
        for one in office.requests()
        if one["method"] == "POST" and one["path"].endswith("/qemu")
    ]


def _assert_made_once(office: Office, *keys: str) -> None:
    """Each instance of the requests is one VM, and nothing else is there."""
    known = []
    for key in keys:
        view = office.run("request", "show", key).data
        assert view["record"]["state"] == "active"
        known += view["instances"]
    assert {one["state"] for one in known} == {"active"}
    vms = {vmid for cluster in ("dc", "drc") for vmid in office.vms(cluster)}
    assert sorted(vms) == sorted(one["vmid"] for one in known)
    assert len(_creations(office)) == len(known)
    addresses = [nic["address"] for one in known for nic in one["nics"]]
    assert len(addresses) == len(set(addresses))
    assert office.run("audit", "verify").code == 0


def test_one_goes_on_while_another_is_held_up(many: Office) -> None:
    """Disjoint requests do not wait for each other: no lock is kept over work on a cluster."""
    for file, key in EXAMPLES.items():
        many.approved(file, key)
    held = {"on": {"method": "POST", "path": "*/qemu", "nth": 1}, "do": "hold"}
    many.lab.post("/faults", {"faults": [{**held, "when": "before"}]})
    slow = start_apply(many, "dinkes/simrs")
    until_held(many, slow)

    assert many.run("apply", "disdukcapil/siak").code == 0
    assert many.run("apply", "bkad/simkeu").code == 0

    assert slow.poll() is None
    assert many.run("request", "show", "dinkes/simrs").data["record"]["state"] == "applying"
    (one,) = many.lab.get("/holds")
    many.lab.post("/release", {"id": one["id"], "answer": True})
    assert _ended(slow) == (0, [])
    _assert_made_once(many, *EXAMPLES.values())


def test_the_same_request_is_applied_once(many: Office) -> None:
    """Whoever does not get it is told who has it; nobody makes a second VM."""
    many.approved()
    endings = [_ended(process) for process in [start_apply(many, "dinkes/simrs") for _ in range(4)]]

    assert (0, []) in endings
    others = Counter(codes[0] for code, codes in endings if code != 0)
    assert set(others) <= {"journal.busy"}, endings
    _assert_made_once(many, "dinkes/simrs")
    before = len(many.requests())
    assert many.run("apply").code == 0
    assert many.writes_since(before) == []


def test_all_at_once_make_everything_once(many: Office) -> None:
    """Three operators, each asking for all that is approved."""
    for file, key in EXAMPLES.items():
        many.approved(file, key)
    endings = [_ended(process) for process in [start_apply(many) for _ in range(3)]]

    told = {code for _, codes in endings for code in codes}
    assert told <= {"journal.busy"}, endings
    assert many.run("apply").code == 0
    _assert_made_once(many, *EXAMPLES.values())
