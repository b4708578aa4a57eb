"""A whole site on a running lab in virtual time, driven through the command line."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudpemda.cli import main
from cloudpemda.demo import inventory
from cloudpemda.lab import process
from cloudpemda.lab.process import RunningLab
from cloudpemda.proxmox import Pve
from cloudpemda.wiring import open_desk

OPERATOR, APPROVER, REQUESTER = "rudi", "hendra", "siti"


@dataclass(frozen=True)
class Answer:
    """What one command did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        found = json.loads(self.out)
        assert set(found) == {"ok", "code", "data", "faults"}
        assert found["code"] == self.code
        return dict(found)

    @property
    def data(self) -> Any:
        return self.document["data"]

    @property
    def codes(self) -> list[str]:
        """The codes of the faults."""
        return [fault["code"] for fault in self.document["faults"]]


@dataclass(frozen=True)
class Office:
    """A site's directory, its lab, and the command line on it."""

    directory: Path
    lab: RunningLab
    call: Callable[..., Answer]

    def run(self, *words: str, actor: str = OPERATOR) -> Answer:
        """A command with JSON output."""
        return self.call(
            "--site", str(self.directory), "--output", "json", "--lang", "en",
            "--actor", actor, *words,
        )  # fmt: skip

    def text(self, *words: str, actor: str = OPERATOR, lang: str = "en") -> Answer:
        return self.call("--site", str(self.directory), "--lang", lang, "--actor", actor, *words)

    def file(self, name: str) -> str:
        return str(self.directory / "requests" / name)

    def approved(self, file: str = "simrs.yaml", key: str = "dinkes/simrs") -> None:
        """Hand in and approve an example."""
        requester = {"dinkes": "siti", "disdukcapil": "asep", "bkad": "nina"}[key.partition("/")[0]]
        assert self.run("request", "submit", self.file(file), actor=requester).code == 0
        assert self.run("request", "approve", key, actor=APPROVER).code == 0

    def built(self, file: str = "simrs.yaml", key: str = "dinkes/simrs") -> None:
        self.approved(file, key)
        answer = self.run("apply", key)
        assert answer.code == 0, answer.out

    def vms(self, cluster: str = "dc") -> dict[int, dict[str, Any]]:
        """The lab's own truth."""
        found = self.lab.get("/state")[cluster]["vms"]
        return {int(vmid): vm for vmid, vm in found.items()}

    def requests(self) -> list[dict[str, Any]]:
        return list(self.lab.get("/requests"))

    def writes_since(self, count: int) -> list[tuple[str, str]]:
        return [
            (one["method"], one["path"])
            for one in self.requests()[count:]
            if one["method"] != "GET"
        ]

    def edited(self, name: str, change: Callable[[dict[str, Any]], None]) -> str:
        """A copy of an example request with a change; its path."""
        document = yaml.safe_load((self.directory / "requests" / name).read_text())
        for part in ("letter",):
            document["metadata"][part]["date"] = str(document["metadata"][part]["date"])
        document["spec"]["until"] = str(document["spec"]["until"])
        change(document)
        target = self.directory / "requests" / f"edited-{name}"
        target.write_text(_dump(document))
        return str(target)


def _dump(document: object) -> str:
    """JSON is YAML, but strict readers want dates and words as they are: quote all but numbers."""
    return json.dumps(document, ensure_ascii=False, indent=1)


@contextmanager
def running_site(
    directory: Path, version: str = "9.2", **durations: float
) -> Iterator[tuple[Path, RunningLab]]:
    """The lab's site in `directory`, its clusters of that version, in virtual time; tasks take
    these lab seconds."""
    shutil.copytree(inventory("lab"), directory, ignore=shutil.ignore_patterns("var"))
    (directory / "var").mkdir(mode=0o700)
    layout = yaml.safe_load((directory / "lab.yaml").read_text())
    layout["clock"]["rate"] = "auto"
    layout["clock"]["start"] = "2026-11-20T01:00:00Z"
    layout["durations"] |= durations
    for cluster in layout["clusters"].values():
        cluster["version"] = version
    (directory / "lab.yaml").write_text(yaml.safe_dump(layout))
    lab, _ = process.start(directory / "var" / "lab", directory / "lab.yaml")
    yield directory, lab
    process.stop(lab.directory)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A module's `RELEASES` say which PVE its clusters are, one after the other."""
    releases = getattr(metafunc.module, "RELEASES", ())
    if releases and "_site" in metafunc.fixturenames:
        metafunc.parametrize("_site", releases, indirect=True, scope="module")


@pytest.fixture(scope="module")
def _site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, RunningLab]]:
    release = getattr(request, "param", "9.2")
    with running_site(tmp_path_factory.mktemp("site") / "lab", release) as site:
        yield site


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """The command line in this process, from its words to its exit code."""

    def run(*words: str) -> Answer:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(words)
        out, err = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return Answer(ended.value.code, out, err)

    return run


@pytest.fixture
def office(_site: tuple[Path, RunningLab], call: Callable[..., Answer]) -> Iterator[Office]:
    """A fresh lab and ledger for each test."""
    directory, lab = _site
    found = Office(directory, lab, call)
    lab.post("/faults", {"faults": []})
    assert found.run("lab", "reset").code == 0
    yield found
    for held in lab.get("/holds"):
        lab.post("/release", {"id": held["id"], "answer": False})


@pytest.fixture
def cluster(office: Office) -> Iterator[Pve]:
    """The production cluster, for what somebody else does there by its API."""
    with open_desk(office.directory, asserted=OPERATOR) as desk:
        yield desk.cluster("dc")
