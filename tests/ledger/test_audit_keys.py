"""The key of the log changes hands: old entries stay proven, and no other key gets in."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from cloudpemda.errors import Refused
from cloudpemda.ledger import Ledger
from cloudpemda.ledger.audit.export import judge, read_json_lines
from cloudpemda.ledger.audit.keys import new_signer, private_key, public_key
from tests.ledger.databases import tamper
from tests.ledger.forger import HEAD, HEADS, KEY, found, head_of, mend
from tests.ledger.makers import OPERATOR, SITI, ManualClock, open_at, workload

PUBLIC = KEY.with_suffix(".pub")


def deed(ledger: Ledger, name: str) -> None:
    ledger.requests.submit(workload(name=name), "", SITI)


def rotate(ledger: Ledger, *, lost: bool = False) -> tuple[str, str]:
    return ledger.audit.rotate_key(OPERATOR, "an employee left", lost=lost)


@pytest.fixture
def rotated(ledger: Ledger, tmp_path: Path) -> Path:
    """Two deeds under each of three keys."""
    for number in range(3):
        deed(ledger, f"a{number}")
        deed(ledger, f"b{number}")
        if number < 2:
            rotate(ledger)
    assert ledger.audit.verify() == ()
    return tmp_path


def test_the_log_goes_on_under_a_new_key_and_the_old_one_is_destroyed(
    ledger: Ledger, tmp_path: Path, clock: ManualClock
) -> None:
    deed(ledger, "a")
    before = (tmp_path / KEY).read_text()
    old, new = rotate(ledger)
    assert old == private_key(before).fingerprint
    assert private_key((tmp_path / KEY).read_text()).fingerprint == new
    assert public_key((tmp_path / PUBLIC).read_text()).fingerprint == new
    secret = before.splitlines()[1]
    files = [file for file in (tmp_path / "var").rglob("*") if file.is_file()]
    assert not [file for file in files if secret.encode() in file.read_bytes()]
    clock.sleep(86400)
    deed(ledger, "b")
    assert ledger.audit.verify() == ()
    assert head_of(tmp_path)["seq"] == 3
    entry = ledger.audit.log(action="audit.rotate-key")[0]
    assert (entry.actor, entry.details["reason"]) == (OPERATOR, "an employee left")


def test_each_key_proves_only_its_own_entries(rotated: Path) -> None:
    assert found(rotated) == []
    tamper(
        rotated,
        "UPDATE audit SET signature = (SELECT other.signature FROM audit AS other "
        "WHERE other.seq = 8) WHERE seq = 2",
    )
    (rotated / HEAD).unlink()
    shutil.rmtree(rotated / HEADS)
    assert ("audit.forged", 2) in found(rotated)


@pytest.mark.parametrize("seq", [2, 5, 8])
def test_an_edit_under_any_of_the_keys_is_named(rotated: Path, seq: int) -> None:
    tamper(rotated, f"UPDATE audit SET login = 'x' WHERE seq = {seq}")  # noqa: S608
    assert found(rotated) == [("audit.edited", seq)]


def test_whoever_has_the_database_alone_gets_no_key_of_theirs_in(
    ledger: Ledger, tmp_path: Path
) -> None:
    """An entry that names a key of theirs, chained as it should be, vouched for by that key."""
    deed(ledger, "a")
    rotate(ledger)
    mine, old = new_signer(), public_key((tmp_path / PUBLIC).read_text())
    told = {
        "old": old.raw, "new": mine.raw, "word": mine.vouch_for(old), "lost": False, "reason": "x",
    }  # fmt: skip
    tamper(
        tmp_path,
        "INSERT INTO audit (seq, at, login, person, role, action, opd, subject, details, "  # noqa: S608
        "previous, hash, behalf, bound, opd_seq, opd_previous, opd_hash, signature) "
        f"SELECT 3, at, login, person, role, action, opd, subject, '{json.dumps(told)}', hash, '', "
        "behalf, bound, opd_seq, opd_previous, opd_hash, signature FROM audit WHERE seq = 2",
    )
    mend(tmp_path, 3, only=False)
    assert found(tmp_path) == [("audit.forged", 3)]


@pytest.mark.parametrize("opd", [None, "dinkes"])
def test_an_export_is_proven_by_any_of_the_keys(
    ledger: Ledger, tmp_path: Path, opd: str | None
) -> None:
    deed(ledger, "a")
    first = public_key((tmp_path / PUBLIC).read_text())
    rotate(ledger)
    deed(ledger, "b")
    export = read_json_lines("\n".join(ledger.audit.export("lab", opd).json_lines()))
    assert judge(export, first) == ()
    assert judge(export, None) == ()
    assert [one.code for one in judge(export, new_signer())][:1] == ["audit.forged"]


def test_a_process_reads_the_key_once_for_its_deeds(tmp_path: Path) -> None:
    with open_at(tmp_path):
        pass
    opened: list[Path] = []
    watching = True

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event == "open" and str(arguments[0]) == str(tmp_path / KEY):
            opened.append(tmp_path / KEY)

    sys.addaudithook(watch)  # none can be taken away again
    with open_at(tmp_path) as ledger:
        deed(ledger, "a")
        deed(ledger, "b")
    watching = False
    assert len(opened) == 1


def test_a_process_that_lives_on_signs_with_the_new_key(tmp_path: Path) -> None:
    with open_at(tmp_path) as one, open_at(tmp_path) as other:
        deed(one, "a")
        deed(other, "b")
        rotate(one)
        deed(other, "c")
        deed(one, "d")
    assert found(tmp_path) == []


def test_what_a_killed_rotation_left_behind_is_put_right(ledger: Ledger, tmp_path: Path) -> None:
    """The new key lies in its place, and the ledger has not come to name it."""
    deed(ledger, "a")
    old, new = private_key((tmp_path / KEY).read_text()), new_signer()
    (tmp_path / KEY).rename((tmp_path / KEY).with_suffix(f".until-{old.fingerprint[:8]}"))
    (tmp_path / KEY).write_text(new.private_pem)
    (tmp_path / KEY).chmod(0o600)
    with open_at(tmp_path) as again:
        deed(again, "b")
    assert private_key((tmp_path / KEY).read_text()).fingerprint == old.fingerprint
    assert found(tmp_path) == []


# -- a lost key ------------------------------------------------------------------------------
def test_a_lost_key_is_followed_by_one_that_vouches_for_it_alone(
    ledger: Ledger, tmp_path: Path
) -> None:
    deed(ledger, "a")
    first = public_key((tmp_path / PUBLIC).read_text())
    with pytest.raises(Refused, match=r"audit\.key-there"):
        rotate(ledger, lost=True)
    (tmp_path / KEY).unlink()
    with pytest.raises(Refused, match=r"audit\.key-missing"):
        rotate(ledger)
    rotate(ledger, lost=True)
    deed(ledger, "b")
    assert found(tmp_path) == []
    (told,) = ledger.audit.log(action="audit.rotate-key")
    assert told.details["lost"] is True
    export = ledger.audit.export("lab", None)
    assert judge(export, None) == ()
    # Who trusts the lost key alone is told from where on it says nothing.
    assert [(one.code, one.seq) for one in judge(export, first)] == [
        ("audit.forged", 2),
        ("audit.head-forged", 3),
    ]


def test_without_the_public_half_the_past_is_not_given_up(ledger: Ledger, tmp_path: Path) -> None:
    deed(ledger, "a")
    (tmp_path / KEY).unlink()
    kept = (tmp_path / PUBLIC).read_text()
    (tmp_path / PUBLIC).unlink()
    with pytest.raises(Refused, match=r"audit\.no-public"):
        rotate(ledger, lost=True)
    (tmp_path / PUBLIC).write_text(new_signer().pem)
    with pytest.raises(Refused):
        rotate(ledger, lost=True)
    (tmp_path / PUBLIC).write_text(kept)
    rotate(ledger, lost=True)
    assert found(tmp_path) == []


def test_a_log_that_is_not_whole_gets_no_new_key(ledger: Ledger, tmp_path: Path) -> None:
    deed(ledger, "a")
    deed(ledger, "b")
    key = (tmp_path / KEY).read_text()
    tamper(tmp_path, "UPDATE audit SET login = 'x' WHERE seq = 1")
    with pytest.raises(Refused, match=r"audit\.unsound"):
        rotate(ledger)
    assert (tmp_path / KEY).read_text() == key
