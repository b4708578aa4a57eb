"""The site that is accepted: `pytest tests/acceptance --site DIR`, else the lab's."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudpemda.site import Site, load_site
from tests.acceptance.command import Command

LAB = Path(__file__).parents[2] / "inventories" / "lab"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--site", default="", help="site directory to accept; else the lab's")


@pytest.fixture(scope="module")
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A site on which one person may play all parts. The lab is started, and stopped again."""
    named = request.config.getoption("--site", default="")
    if named:
        found = load_site(Path(named))
        if found.info.site.identity != "asserted":
            pytest.skip(f"{named}: one run plays all parts, which takes `identity: asserted`")
        yield found
        return
    directory = tmp_path_factory.mktemp("acceptance") / "site"
    shutil.copytree(LAB, directory, ignore=shutil.ignore_patterns("var"))
    # Its time passes by being waited for: no limit of the program's is over on a slow machine, and
    # no answer that takes seconds there looks like a clock that is off.
    layout = directory / "lab.yaml"
    layout.write_text(re.sub(r"(?m)^  rate: \d+", "  rate: auto", layout.read_text()))
    assert Command(directory)("rudi", "lab", "start").code == 0
    try:
        yield load_site(directory)
    finally:
        Command(directory)("rudi", "lab", "stop")
