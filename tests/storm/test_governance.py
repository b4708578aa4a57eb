"""Storms of governance: whoever asks, decides, cuts, ends or dies, nothing is promised twice.

`CLOUDPEMDA_GOVERNANCE` is the number of histories in the fast tier (4), `CLOUDPEMDA_STORM_SEED`
the first seed (1): a failure names its seed, which alone repeats that history. The slow tier plays
`CLOUDPEMDA_GOVERNANCE_SLOW` (100) in parts, and more where a kind of deed has not happened in one.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from tests import labs
from tests.ledger.servers import postgres
from tests.storm.governance import APPLY_EVENTS, Governance
from tests.storm.office import Office
from tests.storm.test_storm import described, make_site

HISTORIES = int(os.environ.get("CLOUDPEMDA_GOVERNANCE", "4"))
FIRST_SEED = int(os.environ.get("CLOUDPEMDA_STORM_SEED", "1"))
EACH = 10  # histories of a part
PARTS = int(os.environ.get("CLOUDPEMDA_GOVERNANCE_SLOW", "100")) // EACH
"""Two hundred histories take half an hour of two cores: where they are asked for."""
MORE = 3  # so many parts are played beyond, where some kind of deed has not come yet
VERSIONS = ("9.2", "8.4")
SQLITE = "sqlite:///var/ledger.sqlite3"

DEEDS = (
    "submit",
    "revise: pending",
    "revise: approved",
    "revise: active",
    "unchanged",
    "same again",
    "approve: request",
    "approve: a stage",
    "approve: change",
    "approve: by rule",
    "approve: for another",
    "deny",
    "withdraw",
    "expire: pending",
    "expire: approved",
    "ask for quota",
    "grant quota",
    "deny quota",
    "withdraw quota",
    "end a grant",
    "change a limit",
    "cut below use",
    "delegate",
    "change approvers",
    "change the policy",
    "apply",
    *APPLY_EVENTS,
    "two at once: one request",
    "two at once: two requests",
    "killed: submit",
    "killed: approve",
    "killed: deny",
    "killed: withdraw",
    "killed: grant",
    "killed: night",
    "killed: apply",
    "night",
    "recount",
    "refused: quota.exceeded",
    "refused: request.not-yours",
    "refused: ledger.transition",
    "ended: active",
    "ended: pending",
)
"""What may happen."""


def test_every_history_of_governance_ends_with_books_that_agree(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    record_property("told", told(storm(tmp_path, FIRST_SEED, HISTORIES)))


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("part", range(PARTS))
def test_many_histories_of_governance_end_so_too(
    part: int,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    record_property: Callable[[str, object], None],
) -> None:
    """… and the part that comes last sees that everything has happened in one of them."""
    first = FIRST_SEED + 1000 + part * EACH
    tally = storm(tmp_path, first, EACH, versions=VERSIONS[part % 2 :][:1])
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    # There at once with all that is in it: another worker may be reading them.
    half = tmp_path / "tally"
    half.write_text(json.dumps(tally))
    half.rename(shared / f"governance-{part}")
    done = [json.loads(file.read_text()) for file in shared.glob("governance-*")]
    if len(done) == PARTS:
        whole = sum(map(Counter, done), Counter[str]())
        for more in range(MORE):
            if all(whole[name] for name in DEEDS):
                break
            begin = FIRST_SEED + 1000 + (PARTS + more) * EACH
            whole += storm(tmp_path / f"more{more}", begin, EACH)
        assert [name for name in DEEDS if not whole[name]] == [], f"never happened in {whole}"
        record_property("told", told(whole))


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("part", range(2))
def test_histories_of_governance_end_so_on_postgresql(
    part: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with postgres() as server:
        ledgers = (f"history{number}" for number in count())

        def new_ledger() -> str:
            name = next(ledgers)
            engine = create_engine(server, isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}"))
            engine.dispose()
            return make_url(server).set(database=name).render_as_string(hide_password=False)

        first = FIRST_SEED + 2000 + part * EACH
        tally = storm(tmp_path, first, EACH, new_ledger, versions=VERSIONS[part:][:1])
    record_property("told", told(tally))


def storm(
    place: Path,
    first: int,
    histories: int,
    new_ledger: Callable[[], str] = lambda: SQLITE,
    versions: Sequence[str] = VERSIONS,
) -> Counter[str]:
    """Play that many histories; what happened how often. Each must end in order."""
    tally: Counter[str] = Counter()
    with ExitStack() as stack:
        sites: list[tuple[Office, labs.RunningLab]] = []
        for version in versions:
            site = make_site(place / f"site-{version}")
            lab = stack.enter_context(labs.running_lab(site / "var" / "lab", described(version)))
            sites.append((Office(site, SQLITE), lab))
        for seed in range(first, first + histories):
            office, lab = sites[seed % len(sites)]
            Governance(
                seed, office.directory, lab, tally, office=office, new_ledger=new_ledger
            ).play()
            tally["histories"] += 1
    return tally


def told(tally: Counter[str]) -> str:
    lines = [f"  {often:4}  {name}" for name, often in sorted(tally.items())]
    return "\n".join(["storm of governance:", *lines])
