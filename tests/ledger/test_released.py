"""A ledger written by an earlier release opens in this one, with all that was promised in it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cloudpemda.errors import Refused
from cloudpemda.ledger import InstanceState, RequestState
from cloudpemda.rules.quota import Balance
from tests.ledger.makers import BUDI, OPERATOR, RELEASED, open_at, released

pytestmark = pytest.mark.sqlite


@pytest.fixture(params=sorted(RELEASED.glob("*.sql")), ids=lambda file: file.stem)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A site whose ledger that release left behind."""
    released(tmp_path, request.param.stem)
    return tmp_path


def test_what_was_promised_still_is(site: Path) -> None:
    with open_at(site) as ledger:
        states = {record.key: record.state for record in ledger.requests.list()}
        instances = {one.key: one.state for one in ledger.instances.list()}
        health, finance = (ledger.quota.balances({opd}) for opd in ("dinkes", "bkad"))
        assert ledger.audit.verify() == ()
    assert states == {
        "dinkes/simrs": RequestState.ACTIVE,
        "dinkes/arsip": RequestState.APPROVED,
        "bkad/simda": RequestState.PENDING,
        "bkad/lama": RequestState.DENIED,
        "bkad/baru": RequestState.APPLYING,
    }
    assert instances == {
        "dinkes/simrs/db-1": InstanceState.ACTIVE,
        "dinkes/simrs/db-2": InstanceState.ACTIVE,
        "bkad/baru/app-1": InstanceState.PLANNED,
    }
    assert health["memory"] == Balance(committed=200, held=100)
    assert finance["memory"] == Balance(committed=0, held=100)


def test_its_life_goes_on(site: Path) -> None:
    with open_at(site) as ledger:
        pending = ledger.requests.get("bkad/simda")
        ledger.requests.deny(pending.key, spec_hash=pending.spec_hash, reason="x", actor=BUDI)
        (planned,) = ledger.instances.list(workload="bkad/baru")
        ledger.instances.creating(planned.uid, actor=OPERATOR)
        ledger.instances.active(planned.uid, actor=OPERATOR)
        ledger.requests.finish("bkad/baru", actor=OPERATOR)
        ledger.requests.withdraw("dinkes/arsip", actor=OPERATOR)
        assert ledger.quota.balances({"dinkes"})["memory"] == Balance(committed=200, held=0)
        assert ledger.audit.verify() == ()
    with open_at(site) as ledger:
        assert ledger.requests.get("bkad/baru").state is RequestState.ACTIVE


def test_a_ledger_that_remembers_no_identity_takes_its_sites(site: Path) -> None:
    """Version 1 had nothing to remember it in."""
    with closing(sqlite3.connect(site / "var" / "ledger.sqlite3")) as connection:
        connection.executescript(
            "DROP TABLE meta; DROP TRIGGER audit_no_replace; DROP TRIGGER postings_no_replace; "
            "DELETE FROM schema_version WHERE version >= 2"
        )
    with open_at(site, identity="login") as ledger:
        assert len(ledger.requests.list()) == 5
        assert ledger.audit.verify() == ()
    with pytest.raises(Refused, match=r"ledger\.identity"):
        open_at(site, identity="asserted")
