"""The year itself: time, troubles, an operator who mends what fell, and a night every day."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random

from cloudpemda.lab.process import RunningLab
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.nightly import nightly
from tests.nights.oracle import Breach, Oracle
from tests.nights.promises import DAY, HOUR, WORKLOADS
from tests.nights.regency import OPERATOR, apply
from tests.nights.trouble import POWER, Hands, Trouble, troubles

_BEGIN, _END, _NIGHT = 0, 1, 2
_NAMING = ("vm", "where", "server", "storage")  # what a finding is about
STANDINGS = frozenset({"late", "never", "unknown", "clock-skew"})


@dataclass(frozen=True)
class Report:
    """What one night said."""

    at: float
    breaches: Mapping[Breach, float | None]  # with the age of what is left
    others: tuple[tuple[str, str], ...]  # other findings: code, of what
    code: int


@dataclass
class Year:
    """One regency, its lab and its oracle."""

    directory: Path
    lab: RunningLab
    desk: Desk
    seed: int
    days: int
    deaths: int = 20
    oracle: Oracle = field(init=False)
    hands: Hands = field(init=False)
    counted: Counter[str] = field(default_factory=Counter)
    _heard: int = 0

    def __post_init__(self) -> None:
        vms = self.lab.get("/state")["dc"]["vms"]
        classes = {key: service_class for key, (service_class, _) in WORKLOADS.items()}
        known: dict[int, tuple[str, str]] = {}
        for vmid, vm in vms.items():
            opd, name, member = vm["config"]["name"].split("-", 2)
            known[int(vmid)] = (f"{opd}/{name}/{member}", classes[f"{opd}/{name}"])
        self.oracle, self.hands = Oracle(known), Hands(self.lab)

    @property
    def struck(self) -> set[str]:
        """The VMs whose protection a hand has changed, and which nobody has mended yet."""
        return {self.oracle.vms[vmid][0] for vmid in self.hands.struck}

    @property
    def now(self) -> float:
        return float(self.lab.get("/clock")["now"])

    def listen(self) -> None:
        rows = self.lab.get(f"/events?since={self._heard}")
        self._heard += len(rows)
        self.oracle.hear(rows)

    def nights(self) -> Iterator[tuple[Report, list[Trouble]]]:
        """Each night's report, and what was going on. The oracle has heard all until then."""
        random = Random(f"{self.seed}:nights")  # noqa: S311 - repeatable, guards nothing
        start = self.now // DAY * DAY + DAY
        agenda: list[tuple[float, int, Trouble | None]] = []
        for one in troubles(self.seed, start, self.days):
            agenda += [(one.begins, _BEGIN, one), (one.ends, _END, one)]
        for day in range(self.days):
            hour = random.choice((5, 7, 9)) * HOUR + random.uniform(17, 50) * 60
            agenda.append((start + day * DAY + hour, _NIGHT, None))
        deaths = set(random.sample(range(self.days), min(self.deaths, self.days)))
        going: list[Trouble] = []
        nights = 0
        for when, what, trouble in sorted(agenda, key=lambda one: one[:2]):
            self.lab.post("/advance", {"seconds": max(0.0, when - self.now)})
            if trouble is None:
                report = self.killed_night(random) if nights in deaths else self.night()
                nights += 1
                self.listen()
                yield report, list(going)
            elif what == _BEGIN:
                self.hands.begin(trouble)
                going.append(trouble)
                self.counted[trouble.kind] += 1
            else:
                self.hands.end(trouble)
                going.remove(trouble)
                self._mend(going)

    def _mend(self, going: Iterable[Trouble]) -> None:
        """The operator makes good what is not as approved, once all nodes answer."""
        if self.hands.owed and not any(one.kind in POWER for one in going):
            self.lab.post("/advance", {"seconds": 600})
            apply(self.directory)
            self.hands.mended()

    def night(self) -> Report:
        """A night in this process."""
        night = nightly(self.desk)
        return _report(
            night.at.timestamp(),
            [(one.fault.code, one.fault.values) for one in night.findings],
            {(one.key, one.loss.value): one.attained for one in night.survey.judgements},
            int(night.code),
        )

    def killed_night(self, random: Random) -> Report:
        """The same as the timer runs it: killed while one of its requests is under way, and begun
        again; what the second call says counts."""
        hold = {"on": {"cluster": "dc", "nth": random.randint(1, 90)}, "do": "hold"}
        armed = [one for one in self.lab.get("/faults") if "on" in one]
        self._arm({**hold, "when": random.choice(("before", "after"))})
        first = self._process(subprocess.DEVNULL)
        while not self.lab.get("/holds") and first.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                first.wait(timeout=0.02)
        killed = first.poll() is None
        self.counted["killed"] += killed
        first.kill()
        first.wait()
        self.lab.post("/release", {"all": True, "answer": False})
        self._arm(*({key: one[key] for key in ("on", "do")} for one in armed))
        second = self._process(subprocess.PIPE)
        said, complaint = second.communicate()
        assert second.returncode in (0, 7), complaint.decode()
        told = json.loads(said)["data"]
        assert told["resumed"] or not killed
        return _report(
            datetime.fromisoformat(told["at"]).timestamp(),
            [(one["fault"]["code"], one["fault"]["values"]) for one in told["findings"]],
            {(one["key"], one["loss"]): one["attained"] for one in told["survey"]["judgements"]},
            second.returncode,
        )

    def _arm(self, *faults: Mapping[str, object]) -> None:
        self.lab.post("/faults", {"faults": list(faults)})

    def _process(self, out: int) -> "subprocess.Popen[bytes]":
        words = ("--site", str(self.directory), "--output", "json", "--actor", OPERATOR, "nightly")
        return subprocess.Popen(
            [sys.executable, "-m", "cloudpemda", *words],
            stdout=out, stderr=out,
        )  # fmt: skip


def _report(
    at: float,
    findings: Iterable[tuple[str, Mapping[str, object]]],
    ages: Mapping[tuple[str, str], float | None],
    code: int,
) -> Report:
    breaches: dict[Breach, float | None] = {}
    others: list[tuple[str, str]] = []
    for name, values in findings:
        room, _, rest = name.partition(".")
        loss, _, standing = rest.partition("-")
        if room == "recovery" and loss in ("node", "site") and standing in STANDINGS:
            vm = str(values["vm"])
            breaches[Breach(vm, loss, standing)] = ages.get((vm, loss))
        else:
            named = next((values[key] for key in _NAMING if key in values), "")
            others.append((name, str(named)))
    return Report(at, breaches, tuple(others), code)
