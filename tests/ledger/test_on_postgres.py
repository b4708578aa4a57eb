"""The same tests on PostgreSQL, with a server of our own for as long as they run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ledger.servers import postgres

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_the_ledger_holds_on_postgresql(record_property: object) -> None:
    folder = Path(__file__).parent
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider"]
    command += ["-m", "not slow and not sqlite", str(folder)]
    with postgres() as server:
        ran = subprocess.run(
            command, env={**os.environ, "CLOUDPEMDA_TEST_POSTGRES": server},
            capture_output=True, text=True, cwd=folder.parents[1], check=False,
        )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-8000:]
    assert callable(record_property)
    record_property("told", f"on PostgreSQL: {ran.stdout.strip().splitlines()[-1]}")
