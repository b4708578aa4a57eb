"""A copy, a restore, a new key: killed at any point, the old ledger is there or the new one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cloudpemda.ledger.audit.keys import private_key
from tests.ledger import dying
from tests.ledger.makers import SITI, open_at, workload
from tests.ledger.test_kill import ROOT

pytestmark = pytest.mark.sqlite
SAMPLES = 24


def killed(work: str, base: Path, samples: int = SAMPLES) -> list[Path]:
    """The sites that are left, each killed at another point; the first one was let go on."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.ledger.dying", work, str(base), str(samples)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    assert int(done.stdout) > samples
    sites = sorted(base.glob("killed-*"), key=lambda site: int(site.name.partition("-")[2]))
    assert len(sites) == samples + 1
    return sites


def names(base: Path) -> tuple[str, ...]:
    """What is asked for there; the ledger then goes on, and its log is whole."""
    with open_at(base, seed=7) as ledger:
        told = tuple(one.spec.name for one in ledger.requests.list())
        assert all(ledger.requests.source(one.key) == "" for one in ledger.requests.list())
        ledger.requests.submit(workload(name="later"), "", SITI)
        assert ledger.audit.verify() == ()
        assert ledger.soundness.faults() == ()
    return told


def test_a_copy_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    dying.prepare(tmp_path, other_key=False)
    found = set()
    for site in killed("backup", tmp_path):
        assert names(site) == ("a", "b")
        there = (site / "copy").exists()
        assert list(site.glob(".*")) == []  # nobody would ever take it away
        found.add(there)
        with open_at(site) as ledger:
            if there:
                assert ledger.backups.read(site / "copy", dying.KEY).rows["requests"] == 2
            else:
                dying.backup(site, seed=2)
    assert found == {True, False}


@pytest.mark.parametrize("other_key", [False, True])
def test_a_restore_has_happened_or_not(tmp_path: Path, other_key: bool) -> None:
    dying.prepare(tmp_path, other_key=other_key)
    before = ("b",) if other_key else ("a", "b")
    found = {names(site) for site in killed("restore", tmp_path)}
    assert found == {before, ("a",)}


def test_a_new_key_signs_or_the_old_one_still_does(tmp_path: Path) -> None:
    dying.prepare(tmp_path, other_key=False)
    old = private_key((tmp_path / dying.SITE / "var/audit.key").read_text()).fingerprint
    found = set()
    for site in killed("rotate", tmp_path):
        assert names(site) == ("a", "b")
        key = private_key((site / "var/audit.key").read_text())
        found.add(key.fingerprint == old)
    assert found == {True, False}
