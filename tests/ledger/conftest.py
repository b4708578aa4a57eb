"""A ledger of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudpemda.ledger import Ledger
from tests.ledger.databases import drop_all
from tests.ledger.makers import ManualClock, open_at


@pytest.fixture(autouse=True)
def _databases_are_dropped() -> Iterator[None]:
    """A test's databases on a server go with it: together they are gigabytes."""
    yield
    drop_all()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: ManualClock) -> Iterator[Ledger]:
    with open_at(tmp_path, clock) as opened:
        yield opened
