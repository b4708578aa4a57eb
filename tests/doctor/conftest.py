"""The lab's own site, beside a running lab of its own."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudpemda.clock import Clock
from cloudpemda.site import Site, load_site
from cloudpemda.usecases.doctor import Report, diagnose
from cloudpemda.wiring import open_backup_server, open_cluster, site_clock
from tests.labs import RunningLab, running_lab

ROOT = Path(__file__).parents[2]

Change = Callable[[dict[str, Any]], None]


@dataclass
class Practice:
    """A site whose files a test may change, and the doctor's report on it."""

    directory: Path
    lab: RunningLab

    @property
    def site(self) -> Site:
        return load_site(self.directory)

    @property
    def clock(self) -> Clock:
        return site_clock(self.site)

    def report(self) -> Report:
        site, clock = self.site, self.clock
        return diagnose(
            site,
            lambda name: open_cluster(site, name, clock),
            lambda name: open_backup_server(site, name, clock),
            clock,
        )

    def change(self, file: str, change: Change) -> None:
        """Edit one file of the site as data."""
        path = self.directory / file
        content = yaml.safe_load(path.read_text())
        change(content)
        path.write_text(json.dumps(content))  # JSON is YAML, and quotes every text


@pytest.fixture(params=["9.2", "8.4"])
def practice(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Practice]:
    yield from _practice(tmp_path, str(request.param))


@pytest.fixture
def practice9(tmp_path: Path) -> Iterator[Practice]:
    yield from _practice(tmp_path, "9.2")


def _practice(folder: Path, version: str) -> Iterator[Practice]:
    directory = folder / "site"
    shutil.copytree(ROOT / "inventories" / "lab", directory, ignore=shutil.ignore_patterns("var"))
    described = yaml.safe_load((ROOT / "cloudpemda" / "lab" / "layout.yaml").read_text())
    described["clock"]["rate"] = "auto"
    described["clusters"]["dc"]["version"] = version
    with running_lab(directory / "var" / "lab", described) as lab:
        yield Practice(directory, lab)
