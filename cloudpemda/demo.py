"""The guided tour: starts a lab and walks through the use cases as four people would.

It shows what the program does and decides nothing itself. Whoever narrates (the command line) is
handed in, so that the tour knows no terminal.
"""

import shutil
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, Incomplete, UsageError, worst
from cloudpemda.lab import process
from cloudpemda.lab.process import RunningLab
from cloudpemda.usecases.apply import apply
from cloudpemda.usecases.approve import Approved, approve
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.nightly import Night, nightly
from cloudpemda.usecases.plan import Planned, plan
from cloudpemda.usecases.run import Applied
from cloudpemda.usecases.submit import Submitted, submit_file
from cloudpemda.usecases.survey import Survey, survey
from cloudpemda.wiring import open_desk

_PACKAGED = Path(__file__).parent / "data" / "inventories"
_CHECKOUT = Path(__file__).parents[1] / "inventories"
_MARK = ".cloudpemda-demo"

_REQUESTERS = (("siti", "simrs.yaml"), ("asep", "siak.yaml"), ("nina", "simkeu.yaml"))
_NIGHT_SECONDS = 26 * 3600
_UNTIL_RECOVERED = 600
# What really happened when a node died, as the lab wrote it down.
_TOLD = ("vm-lost", "ha-fence", "ha-fenced", "vm-recovered", "vm-started")


class Applying(Protocol):
    """What an apply needs of its audience."""

    def progress(self, key: str, step: str, state: str, fraction: float) -> None: ...

    def halted(self) -> bool: ...


class Narrator(Protocol):
    """Who shows the tour to somebody."""

    def chapter(self, code: str, **values: object) -> None: ...

    def refused(self, faults: Sequence[Fault]) -> None: ...

    def submitted(self, done: Submitted) -> None: ...

    def approved(self, done: Approved, desk: Desk) -> None: ...

    def planned(self, done: Sequence[Planned]) -> None: ...

    def applying(self) -> AbstractContextManager[Applying]: ...

    def applied(self, done: Sequence[Applied]) -> None: ...

    def night(self, done: Night) -> None: ...

    def happened(self, seconds: float, code: str, **values: object) -> None: ...

    def status(self, found: Survey, desk: Desk) -> None: ...


@dataclass(frozen=True)
class Toured:
    """How the tour ended."""

    survey: Survey
    night: Night
    code: ExitCode


def inventory(name: str) -> Path:
    """An example site that ships with the program."""
    return (_PACKAGED if _PACKAGED.is_dir() else _CHECKOUT) / name


def tour(directory: Path, narrator: Narrator) -> Toured:
    """Walk through the main job in `directory`, which is made, or made afresh.

    Raises UsageError `demo.directory` where something else is there, Incomplete where an apply
    did not come to its end.
    """
    _prepare(directory)
    lab, _ = process.start(directory / "var" / "lab", directory / "lab.yaml")
    try:
        narrator.chapter("demo.lab", clusters=", ".join(lab.clusters))
        return _walk(directory, lab, narrator)
    finally:
        process.stop(lab.directory)


def _prepare(directory: Path) -> None:
    """A fresh copy of the lab's site; a directory that is not the demo's own is left alone."""
    if directory.exists() and not (directory / _MARK).exists() and any(directory.iterdir()):
        raise UsageError("demo.directory", directory=str(directory))
    if directory.exists():
        process.stop(directory / "var" / "lab")
        shutil.rmtree(directory)
    shutil.copytree(inventory("lab"), directory, ignore=shutil.ignore_patterns("var"))
    (directory / _MARK).touch()
    (directory / "var").mkdir(mode=0o700)


def _walk(directory: Path, lab: RunningLab, narrator: Narrator) -> Toured:
    requests = directory / "requests"
    narrator.chapter("demo.submit")
    keys = []
    for login, file in _REQUESTERS:
        with open_desk(directory, asserted=login) as desk:
            done = submit_file(desk, requests / file)
        narrator.submitted(done)
        keys.append(done.key)
    for code, login, file in (
        ("demo.faulty", "siti", "faulty.yaml"),
        ("demo.too-big", "nina", "too-big.yaml"),
    ):
        narrator.chapter(code, file=file)
        with open_desk(directory, asserted=login) as desk:
            _expect_refusal(desk, requests / file, narrator)
    narrator.chapter("demo.approve")
    with open_desk(directory, asserted="hendra") as desk:
        for key in keys:
            narrator.approved(approve(desk, key), desk)
    with open_desk(directory, asserted="rudi") as desk:
        return _build(desk, lab, narrator)


def _expect_refusal(desk: Desk, file: Path, narrator: Narrator) -> None:
    try:
        narrator.submitted(submit_file(desk, file))
    except CloudpemdaError as error:
        narrator.refused(error.faults)


def _build(desk: Desk, lab: RunningLab, narrator: Narrator) -> Toured:
    narrator.chapter("demo.plan")
    narrator.planned(plan(desk).planned)
    narrator.chapter("demo.apply")
    with narrator.applying() as audience:
        applied = apply(desk, (), audience.progress, audience.halted)
    narrator.applied(applied)
    code = worst(one.code for one in applied)
    if code is not ExitCode.DONE:
        raise Incomplete("demo.unfinished", directory=str(desk.site.directory))
    narrator.chapter("demo.night")
    lab.post("/advance", {"seconds": _NIGHT_SECONDS})
    night = nightly(desk)
    narrator.night(night)
    narrator.chapter("demo.status")
    found = survey(desk)
    narrator.status(found, desk)
    _lose_a_node(lab, narrator)
    narrator.chapter("demo.end", directory=str(desk.site.directory))
    return Toured(found, night, worst([code, night.code]))


def _lose_a_node(lab: RunningLab, narrator: Narrator) -> None:
    """The node with the most VMs of the first cluster dies; what HA and replication make of it."""
    cluster = next(iter(lab.clusters))
    vms = lab.get("/state")[cluster]["vms"]
    count = Counter(vm["node"] for vm in vms.values() if vm["status"] == "running")
    node = min(count, key=lambda name: (-count[name], name))
    power, seen = {"cluster": cluster, "node": node}, len(lab.get("/events"))
    narrator.chapter("demo.node-dies", node=node, cluster=cluster)
    lab.post("/node", {**power, "action": "down"})
    lab.post("/advance", {"seconds": _UNTIL_RECOVERED})
    events = [one for one in lab.get(f"/events?since={seen}") if one["cluster"] == cluster]
    died = events[0]["at"]
    for event in events:
        if event["what"] in _TOLD:
            name = vms.get(str(event.get("vmid")), {}).get("config", {}).get("name", "")
            copies = [at for at in event.get("recovery_points", {}).values() if at is not None]
            old = int(died - min(copies, default=died)) // 60
            place = event.get("target") or event["node"]
            code = f"demo.{event['what']}"
            narrator.happened(event["at"] - died, code, name=name, node=place, minutes=old)
    lab.post("/node", {**power, "action": "up"})
