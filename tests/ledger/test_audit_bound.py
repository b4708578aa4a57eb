"""Rows that entries are bound to: whatever is changed past the program is named."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloudpemda.ledger import Allowed, Ledger, migrations
from cloudpemda.ledger.audit import Tip
from cloudpemda.ledger.audit.bound import bound_after
from cloudpemda.ledger.audit.heads import Head
from cloudpemda.ledger.audit.keys import private_key
from cloudpemda.rules.quota import Link
from tests.ledger.databases import rows, tamper
from tests.ledger.forger import HEAD, HEADS, KEY, found, mend
from tests.ledger.makers import (
    OPERATOR,
    SITI,
    START,
    approve,
    chain,
    living,
    open_at,
    revised,
    workload,
)
from tests.ledger.test_grants import more


@pytest.fixture
def decided(ledger: Ledger, tmp_path: Path) -> Path:
    """Two requests that were approved, one of them withdrawn again."""
    for name in ("a", "b"):
        spec = workload(name=name)
        ledger.requests.submit(spec, "source", SITI)
        approve(ledger, spec, {"db-1": {"memory": 100, "vcpu": 4}}, chain(memory=None, vcpu=None))
    ledger.requests.withdraw("dinkes/b", actor=SITI)
    assert ledger.audit.verify() == ()
    return tmp_path


@pytest.mark.parametrize(
    ("forgery", "code", "about"),
    [
        ("UPDATE postings SET held = 1 WHERE seq = 2", "audit.row-changed", "postings:1-2"),
        ("DELETE FROM postings WHERE seq = 4", "audit.row-changed", "postings:3-4"),
        (
            "INSERT INTO postings SELECT 7, at, opd, number, instance, dimension, -100, 0 "
            "FROM postings WHERE seq = 1",
            "audit.row-forged",
            "postings:7",
        ),
        (
            "INSERT INTO approvals SELECT number, 2, revision, offer_digest, offer, login, person, "
            "role, at, hold_until, NULL FROM approvals WHERE number = 'R-2026-0002'",
            "audit.row-forged",
            "approvals:R-2026-0002/2",
        ),
        (
            "UPDATE requests SET state = 'active' WHERE number = 'R-2026-0001'",
            "audit.row-changed",
            "requests:R-2026-0001",
        ),
        (
            "UPDATE requests SET opd = 'bkad' WHERE number = 'R-2026-0002'",
            "audit.row-changed",
            "requests:R-2026-0002",
        ),
        (
            "INSERT INTO proposals SELECT number, revision, 'approved', NULL, updated_at "
            "FROM requests WHERE number = 'R-2026-0001'",
            "audit.row-forged",
            "proposals:R-2026-0001",
        ),
        (
            "UPDATE approvals SET login = 'siti' WHERE number = 'R-2026-0001'",
            "audit.row-changed",
            "approvals:R-2026-0001/1",
        ),
        (
            "UPDATE approvals SET voided_at = NULL WHERE number = 'R-2026-0002'",
            "audit.row-changed",
            "approvals:R-2026-0002/1",
        ),
        (
            "UPDATE revisions SET spec = replace(spec, '8192', '65536') "
            "WHERE number = 'R-2026-0001'",
            "audit.row-changed",
            "revisions:R-2026-0001/1",
        ),
    ],
)
def test_a_row_that_was_changed_past_the_program_is_named(
    decided: Path, forgery: str, code: str, about: str
) -> None:
    tamper(decided, forgery)
    with open_at(decided) as ledger:
        (finding,) = ledger.audit.verify()
    assert (finding.code, finding.about) == (code, about)


@pytest.fixture
def made(ledger: Ledger, tmp_path: Path) -> Path:
    """A workload that lives, with a proposal to change it, and a request for quota."""
    spec = workload()
    living(ledger, spec)
    ledger.requests.submit(revised(spec), "", SITI)
    ledger.grants.submit(more(), "", SITI)
    assert ledger.audit.verify() == ()
    return tmp_path


@pytest.mark.parametrize(
    ("forgery", "about", "action"),
    [
        ("UPDATE instances SET vmid = 9999 WHERE vmid = 100", "instances:", "instance.activate"),
        (
            "UPDATE instances SET state = 'purged' WHERE vmid = 101",
            "instances:",
            "instance.activate",
        ),
        ("UPDATE proposals SET state = 'approved'", "proposals:R-2026-0001", "proposal.revise"),
        ("DELETE FROM proposals", "proposals:R-2026-0001", "proposal.revise"),
        ("UPDATE requests SET state = 'applying'", "requests:R-2026-0001", "request.finish"),
        ("UPDATE quota_requests SET opd = 'bkad'", "quota_requests:Q-2026-0001", "quota.submit"),
        ("DELETE FROM instances WHERE vmid = 101", "instances:", "instance.activate"),
    ],
)
def test_a_state_that_was_changed_past_the_program_is_named_with_its_last_entry(
    made: Path, forgery: str, about: str, action: str
) -> None:
    unheld = ("addresses", "nics") if "FROM instances" in forgery else ()
    tamper(made, *(f"DELETE FROM {table}" for table in unheld), forgery)  # noqa: S608
    with open_at(made) as ledger:
        told = ledger.audit.verify()
        (finding,) = (one for one in told if one.about.startswith(about))
        entry = ledger.audit.log()[finding.seq - 1]
    assert {one.about.split(":")[0] for one in told if one is not finding} == set(unheld)
    assert finding.code == "audit.row-changed"
    assert entry.action.startswith(action)
    assert finding.about in entry.bound


@pytest.fixture
def standing(ledger: Ledger, tmp_path: Path) -> Path:
    """A workload that lives, one of its VMs stopped with a state to go back to; a node that is
    drained and a pause. Some of it has been before, and is over."""
    living(ledger, workload())
    uid = ledger.instances.list()[0].uid
    room = Allowed((Link("dinkes", {"disk.ssd": None}, frozenset({"dinkes"})),), (80, 95), 5)
    for reason in ("before", "now"):
        ledger.stops.begin(uid, reason, OPERATOR)
        ledger.drains.begin("dc", "pve1", reason, OPERATOR)
        ledger.pause.begin(reason, None, OPERATOR)
        ledger.snapshots.begin(
            uid, "a", reason=reason, until=START, usage={"disk.ssd": 1}, allowed=room,
            actor=OPERATOR,
        )  # fmt: skip
        if reason == "before":
            ledger.stops.end(uid, OPERATOR)
            ledger.drains.end("dc", "pve1", OPERATOR)
            ledger.pause.end(OPERATOR)
            ledger.snapshots.end(uid, "a", OPERATOR)
            assert ledger.audit.verify() == ()
    assert ledger.audit.verify() == ()
    return tmp_path


@pytest.mark.parametrize(
    ("forgery", "about", "action"),
    [
        (
            "UPDATE addresses SET uid = (SELECT max(uid) FROM addresses "
            "WHERE address <> '10.0.0.2') WHERE address = '10.0.0.2'",
            "addresses:app/10.0.0.2",
            "instance.claim",
        ),
        ("DELETE FROM addresses WHERE address = '10.0.0.2'", "addresses:", "instance.claim"),
        (
            "UPDATE nics SET network = 'bkad-app' WHERE uid = (SELECT min(uid) FROM nics)",
            "nics:",
            "instance.claim",
        ),
        ("UPDATE stops SET reason = 'x'", "stops:", "vm.stop"),
        ("DELETE FROM stops", "stops:", "vm.stop"),
        ("DELETE FROM drains", "drains:dc/pve1", "node.drain"),
        ("DELETE FROM meta WHERE key = 'pause'", "meta:pause", "pause.begin"),
        ("UPDATE vm_snapshots SET until = '2026-01-01T00:00:00.000000Z'", "vm_snapshots:", "vm.sn"),
        (
            "INSERT INTO rests SELECT pool, '10.0.0.9', 'bkad', uid, 'x' FROM addresses "
            "WHERE address = '10.0.0.2'",
            "rests:app/10.0.0.9",
            None,
        ),
    ],
)
def test_what_stands_beside_the_promises_is_bound_until_it_is_over(
    standing: Path, forgery: str, about: str, action: str | None
) -> None:
    tamper(standing, forgery)
    with open_at(standing) as ledger:
        (finding,) = ledger.audit.verify()
        entry = ledger.audit.log()[finding.seq - 1]
    assert finding.about.startswith(about)
    assert finding.code == ("audit.row-forged" if action is None else "audit.row-changed")
    assert action is None or (entry.action.startswith(action) and finding.about in entry.bound)


def test_what_was_ended_and_put_back_past_the_program_is_named(standing: Path) -> None:
    with open_at(standing) as ledger:
        ledger.pause.end(OPERATOR)
        assert ledger.audit.verify() == ()
    tamper(standing, "INSERT INTO meta VALUES ('pause', '{}')")
    with open_at(standing) as ledger:
        (finding,) = ledger.audit.verify()
    assert (finding.code, finding.about) == ("audit.row-changed", "meta:pause")


def test_rows_that_an_earlier_release_left_unbound_are_bound_as_they_stand(tmp_path: Path) -> None:
    with version_9():
        with open_at(tmp_path) as before:
            before.requests.submit(workload(), "", SITI)
        unbind_states(tmp_path)
    with open_at(tmp_path) as ledger:
        assert ledger.audit.verify() == ()
        (entry,) = ledger.audit.log(action="audit.bind")
        assert entry.details["tables"] == [one.name for one in bound_after(9)]
        assert set(entry.details["tables"]) > {"requests", "proposals", "addresses", "meta"}
        assert "requests:R-2026-0001" in entry.bound
    tamper(tmp_path, "UPDATE requests SET state = 'approved'")
    assert found(tmp_path) == [("audit.row-changed", entry.seq)]


def test_a_copy_of_a_ledger_with_unbound_states_is_restored(tmp_path: Path) -> None:
    with version_9():
        with open_at(tmp_path / "old") as before:
            before.requests.submit(workload(), "", SITI)
        unbind_states(tmp_path / "old")
        with open_at(tmp_path / "old") as before:
            before.backups.write(
                tmp_path / "copy", bytes(32), site="lab", program="x", tell=lambda *_: None
            )
    with open_at(tmp_path / "new") as ledger:
        ledger.backups.restore(
            tmp_path / "copy", bytes(32), site="lab", program="x", identity="login",
            keep=tmp_path / "kept", actor=OPERATOR, tell=lambda *_: None,
        )  # fmt: skip
        assert ledger.audit.verify() == ()
        assert [one.action for one in ledger.audit.log()[-2:]] == ["audit.bind", "ledger.restore"]


@contextmanager
def version_9() -> Iterator[None]:
    """Ledgers that are made in it have the tables of version 9; what later tables are needed for
    cannot be done there."""
    with pytest.MonkeyPatch.context() as earlier:
        earlier.setattr(migrations, "_MIGRATIONS", migrations._MIGRATIONS[:9])
        earlier.setattr(migrations, "NEWEST", 9)
        yield


def unbind_states(base: Path) -> None:
    """Make it what version 9 of the tables left: entries name no row of these."""
    for seq, bound in rows(base, "SELECT seq, bound FROM audit"):
        kept = {
            label: digest
            for label, digest in json.loads(str(bound)).items()
            if label.split(":")[0] not in {"requests", "proposals", "instances", "quota_requests"}
        }
        tamper(base, f"UPDATE audit SET bound = '{json.dumps(kept)}' WHERE seq = {seq}")  # noqa: S608
    mend(base, 1, only=False)
    signer = private_key((base / KEY).read_text())
    for seq, hash_ in rows(base, "SELECT seq, hash FROM audit"):
        signature = signer.sign_entry(str(hash_))
        tamper(base, f"UPDATE audit SET signature = '{signature}' WHERE seq = {seq}")  # noqa: S608
    shutil.rmtree(base / HEADS)
    ((seq, hash_, opd_hash),) = rows(
        base, "SELECT seq, hash, opd_hash FROM audit ORDER BY seq DESC LIMIT 1"
    )
    tip = Tip(int(str(seq)), str(opd_hash))
    head = Head(tip.seq, str(hash_), START, {"dinkes": tip}).signed(signer)
    (base / HEAD).write_text(head.text)
