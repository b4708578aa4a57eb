"""A lab per version, and clients of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.labs import running_lab
from tests.proxmox.bench import Bench, described


@pytest.fixture(scope="module", params=["9.2", "8.4"])
def bench(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """One cluster of each version, shared by the tests of a module."""
    version = str(request.param)
    with running_lab(tmp_path_factory.mktemp("lab") / version, described(version)) as lab:
        yield Bench(lab, version)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Bench]:
    """A cluster of 9.2 for one test alone, to be broken at will."""
    with running_lab(tmp_path / "lab", described("9.2")) as lab:
        yield Bench(lab, "9.2")
