"""Nothing is built by rows that were written into the database past the program."""

from pathlib import Path

import pytest

from cloudpemda.errors import Refused
from cloudpemda.ledger import Ledger
from tests.ledger.databases import tamper
from tests.ledger.makers import living, open_at, workload
from tests.ledger.test_transfers import ROOM, give, loaded

KEY, OTHER = "dinsos/rs", "dinkes/lain"


@pytest.fixture
def given(ledger: Ledger, tmp_path: Path) -> Path:
    """A workload with two VMs that has another OPD since it was made, and one beside it."""
    give(ledger, loaded(ledger), "dinsos", ROOM, "rs")
    living(ledger, workload(name="lain"))
    for key in (KEY, OTHER):
        ledger.requests.require_vouched(key)
    return tmp_path


@pytest.mark.parametrize(
    ("forgery", "about"),
    [
        ("UPDATE nics SET network = 'bkad-app' WHERE uid = {uid}", "nics:"),
        ("INSERT INTO nics SELECT uid, 7, 'bkad-app', 'x' FROM nics WHERE uid = {uid}", "nics:"),
        ("DELETE FROM nics WHERE uid = {uid}", "nics:"),
        ("UPDATE addresses SET address = '10.0.9.9' WHERE uid = {uid}", "addresses:app/10.0.9.9"),
        ("DELETE FROM addresses WHERE uid = {uid}", "addresses:app/10.0.0.2"),
        ("UPDATE instances SET node = 'pve3' WHERE uid = {uid}", "instances:"),
        ("UPDATE instances SET number = 'R-2026-0009' WHERE uid = {uid}", "addresses:app/10.0.0.2"),
    ],
)
def test_what_a_vm_has_is_what_its_entries_say(given: Path, forgery: str, about: str) -> None:
    first = "(SELECT uid FROM addresses WHERE address = '10.0.0.2')"
    tamper(given, forgery.format(uid=first))
    with open_at(given) as ledger:
        with pytest.raises(Refused, match=r"audit\.not-vouched") as refused:
            ledger.requests.require_vouched(KEY)
        ledger.requests.require_vouched(OTHER)
    assert str(refused.value.faults[0].values["about"]).startswith(about)
