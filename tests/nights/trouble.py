"""What befalls the regency in a year: seeded, each kind several times, and undone after a while."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

import requests

from cloudpemda.lab.process import RunningLab
from tests.nights.promises import DAY, HOUR

NODES, SERVERS = ("pve1", "pve2", "pve3"), ("pbs-dc", "pbs-drc")
POWER = ("node-down", "node-down", "dark")
"""One after another: two nodes that are down are a cluster without quorum, which is `dark`."""
OTHERS = (
    "server-down", "storage-full", "job-disabled", "job-removed", "replication-disabled",
    "corrupt", "lost-answers", "sync-stalled", "clock-skew",
)  # fmt: skip
HOURS: Mapping[str, tuple[int, int]] = {  # how long each lasts, at least and at most
    "node-down": (1, 40),
    "dark": (2, 12),
    "server-down": (6, 60),
    "storage-full": (20, 70),
    "job-disabled": (20, 70),
    "job-removed": (20, 70),
    "replication-disabled": (3, 40),
    "corrupt": (24, 48),
    "lost-answers": (24, 48),
    "sync-stalled": (20, 70),
    "clock-skew": (24, 60),
}


@dataclass(frozen=True)
class Trouble:
    kind: str
    begins: float
    ends: float
    dice: int  # which of several it strikes


def troubles(seed: int, start: float, days: int) -> list[Trouble]:
    """A year of them: those of nodes one after another, the others beside them."""
    found: list[Trouble] = []
    for kinds, pause in ((POWER, 3 * DAY), (OTHERS, 1 * DAY)):
        random, now, deck = Random(f"{seed}:{kinds}"), start + 2 * DAY, list[str]()  # noqa: S311
        while True:
            if not deck:
                deck = random.sample(kinds, len(kinds))
            kind = deck.pop()
            begins = now + random.uniform(0.2, 2.5) * DAY
            ends = begins + random.uniform(*HOURS[kind]) * HOUR
            if ends > start + (days - 3) * DAY:
                break
            found.append(Trouble(kind, begins, ends, random.randrange(1 << 30)))
            now = ends + pause
    dark = [one for one in found if one.kind == "dark"]

    def seen(one: Trouble) -> bool:
        """Whether it begins and ends while the cluster answers: most are somebody's hand at it."""
        moments = (one.begins, one.ends)
        return not any(d.begins - HOUR < at < d.ends + HOUR for d in dark for at in moments)

    kept = [one for one in found if one.kind in POWER or seen(one)]
    return sorted(kept, key=lambda one: one.begins)


@dataclass
class Hands:
    """Who does it: fate at the lab's control port, a person at the cluster's own API."""

    lab: RunningLab
    owed: set[int] = field(default_factory=set)  # VMs that wait for the operator's `apply`
    _changed: dict[Trouble, set[int]] = field(default_factory=dict)  # by whom, VMIDs
    _undo: dict[Trouble, Sequence[Callable[[], object]]] = field(default_factory=dict)

    @property
    def struck(self) -> set[int]:
        """VMIDs that are not protected as approved, by somebody's hand."""
        return self.owed.union(*self._changed.values())

    def mended(self) -> None:
        self.owed.clear()

    def begin(self, one: Trouble) -> None:
        self._changed[one] = set()
        self._undo[one] = list(self._strike(one))

    def end(self, one: Trouble) -> None:
        for undo in self._undo.pop(one):
            undo()
        changed = self._changed.pop(one)
        if one.kind == "job-removed":
            self.owed |= changed

    def _strike(self, one: Trouble) -> Iterator[Callable[[], object]]:
        if one.kind in ("node-down", "dark"):
            for node in NODES if one.kind == "dark" else (NODES[one.dice % 3],):
                yield self._off("dc", node)
        elif one.kind == "server-down":
            server = SERVERS[one.dice % 2]
            yield self._off(server, server)
        elif one.kind == "sync-stalled":
            self.at_centre("PUT", "/config/sync/from-dc", schedule="yearly")
            again = partial(self.at_centre, "PUT", "/config/sync/from-dc")
            yield lambda: again(schedule="mon..sun 02:00")
        elif one.kind == "clock-skew":
            cluster, node = (("dc", NODES[one.dice % 3]), (SERVERS[1], SERVERS[1]))[one.dice % 2]
            skew = partial(self._fault, cluster=cluster, do="clock-skew", node=node)
            skew(seconds="1h")
            yield lambda: skew(seconds="0s")
        elif one.kind == "storage-full":
            self._fault(cluster="dc", do="storage-full", storage="pbs-dc")
            yield lambda: self._fault(cluster="dc", do="storage-freed", storage="pbs-dc")
        elif one.kind == "lost-answers":
            self._arm({"on": {"cluster": "dc", "every": 5 + one.dice % 5}, "do": "lose-answer"})
            yield self._arm
        elif one.kind == "corrupt":
            self._corrupt(SERVERS[one.dice % 2], one.dice)
        else:
            yield from self._meddle(one)

    def _meddle(self, one: Trouble) -> Iterator[Callable[[], object]]:
        """Somebody's hand at the jobs that protect."""
        if one.kind == "replication-disabled":
            jobs = self.ask("GET", "/cluster/replication")
            for job in jobs[one.dice % 3 :: 3]:
                path = f"/cluster/replication/{job['id']}"
                self._changed[one].add(int(job["guest"]))
                self.ask("PUT", path, disable="1")
                yield partial(self.ask, "PUT", path, disable="0")
        else:
            jobs = self.ask("GET", "/cluster/backup")
            job = sorted(jobs, key=lambda job: str(job["id"]))[one.dice % len(jobs)]
            path = f"/cluster/backup/{job['id']}"
            self._changed[one] |= {int(vmid) for vmid in job["vmid"].split(",")}
            if one.kind == "job-disabled":
                self.ask("PUT", path, enabled="0")
                yield lambda: self.ask("PUT", path, enabled="1")
            else:
                self.ask("DELETE", path)

    def _off(self, cluster: str, node: str) -> Callable[[], object]:
        def power(action: str) -> None:
            self.lab.post("/node", {"cluster": cluster, "node": node, "action": action})

        power("down")
        return lambda: power("up")

    def _corrupt(self, server: str, dice: int) -> None:
        """The newest backups of some VMs rot; the next verification finds it."""
        vms = [int(vmid) for vmid in self.lab.get("/state")["dc"]["vms"]]
        for vmid in sorted(vms)[dice % 7 :: 7]:
            self._fault(cluster=server, do="backup-corrupt", store="main", backup=f"vm/{vmid}")

    def _fault(self, **told: object) -> None:
        """A fault that strikes at once, beside what is armed."""
        self._arm({"at": "0s", **told})

    def _arm(self, *faults: Mapping[str, object]) -> None:
        self.lab.post("/faults", {"faults": list(faults)})
        self.lab.post("/advance", {"seconds": 0})

    def ask(self, method: str, path: str, **form: str) -> Any:
        """A call of the cluster's API, at the first node that answers."""
        secret = (self.lab.directory / "dc.token").read_text().strip()
        urls = self.lab.clusters["dc"]["nodes"].values()
        return self._call(urls, f"PVEAPIToken=cloudpemda@pve!apply={secret}", method, path, form)

    def at_centre(self, method: str, path: str, **form: str) -> Any:
        """A call of the recovery centre's backup server."""
        secret = (self.lab.directory / "pbs-drc.token").read_text().strip()
        urls = self.lab.servers["pbs-drc"]["nodes"].values()
        return self._call(urls, f"PBSAPIToken=cloudpemda@pbs!apply:{secret}", method, path, form)

    def _call(
        self, urls: Iterable[str], token: str, method: str, path: str, form: Mapping[str, str]
    ) -> Any:
        for url in urls:
            try:
                answer = requests.request(
                    method, f"{url}/api2/json{path}", data=form or None, timeout=600,
                    headers={"Authorization": token}, verify=str(self.lab.directory / "ca.pem"),
                )  # fmt: skip
            except requests.ConnectionError:
                continue
            assert answer.status_code == 200, f"{method} {path}: {answer.reason} {answer.text}"
            return answer.json()["data"]
        raise AssertionError("nobody answers")
