"""One seeded history: OPDs ask, apply is disturbed, and everything is judged at the end."""

import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import requests
import yaml

from cloudpemda.errors import Refused
from cloudpemda.ledger import InstanceRecord, InstanceState, SagaRecord
from cloudpemda.usecases.approve import approve
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.submit import submit_file
from cloudpemda.wiring import forget_ledger, lab_ledger, open_desk
from tests.labs import Control, RunningLab
from tests.patience import PATIENCE
from tests.storm import worker
from tests.storm.judge import Judge

HA_SETTLES = 300.0  # lab seconds: a dead node is fenced, its VMs recovered and started, in less
RUN_SECONDS = PATIENCE  # real ones: a run that takes longer hangs
SETTLING_RUNS = 14
SSH_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqSvjOssEHZ6e1Fm3N3zGxP8r4rgJ0wpQFtd+i1DJDp siti@example"
)
ASKING = {
    "dinkes": ("siti", "198501012010012001", "Siti Rahmawati", ("critical", "normal", "basic")),
    "disdukcapil": ("asep", "198703142011011003", "Asep Hidayat", ("critical", "normal", "basic")),
    "bkad": ("nina", "199002202014022005", "Nina Marlina", ("normal", "basic")),
}
DECIDING = {"critical": "hendra", "normal": "dewi", "basic": "dewi"}
TEMPORARY = (
    "can't lock file '/var/lock/qemu-server/lock-1.conf' - got timeout",
    "VM is locked (backup)",
    "cfs-lock 'file-user_cfg' error: got lock request timeout",
)
WRITES = (
    ("POST", "/pools"),
    ("POST", "*/qemu"),
    ("PUT", "*/resize"),
    ("POST", "*/status/start"),
    ("POST", "/cluster/ha/resources"),
    ("POST", "/cluster/ha/rules"),
    ("POST", "/cluster/replication"),
    ("POST", "/cluster/backup"),
    ("PUT", "/cluster/backup/*"),
    ("DELETE", "*"),
)
EVENTS = (
    "kill, work dropped",
    "kill, work done",
    "kill, answer lost",
    "kill between requests",
    "ctrl-c",
    "lost answer",
    "temporary errors",
    "intruder",
    "node down",
    "storage full",
    "task crash",
    "undo",
    "undo killed",
    "two at once",
)
"""What may happen to an apply. The storm fails if one never did."""

ALSO = ("human", "VMID reclaimed", "refused over quota", "active", "undone", "resumed")
"""What must have been seen as well, as a consequence."""

_RETURNING = frozenset({InstanceState.RETIRING})
_ON_THE_WAY = frozenset({InstanceState.CREATING, InstanceState.CHANGING, *_RETURNING})


@dataclass
class History:
    """A site with its lab, one seed, and the tally of all histories."""

    seed: int
    site: Path
    lab: RunningLab
    tally: Counter[str]
    dice: random.Random = field(init=False)
    strangers: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    vms: int = 0  # approved
    runs: int = 0
    started: float = 0.0  # lab time of the reset: the fault script counts from there

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)  # noqa: S311 - a storm must repeat

    @property
    def control(self) -> Control:
        return self.lab.control

    def play(self) -> None:
        """Raises AssertionError with the seed where something does not hold."""
        try:
            self._begin()
            self._ask()
            self._disturb(EVENTS[self.seed % len(EVENTS)])
            for _ in range(self.dice.randint(0, 2)):
                self._disturb(self.dice.choice(EVENTS))
            self._heal()
            self._settle()
            Judge(self.desk, self.control, self.strangers, self.tally).judge()
        except AssertionError as error:
            said = f"{error}\n{self._told()}\n{self._journal()}"
            raise AssertionError(f"seed {self.seed}: {said}") from error

    # -- what people do --------------------------------------------------------------------
    def _begin(self) -> None:
        self.control.reset()
        self.started = self.control.now()
        forget_ledger(lab_ledger(self.site))
        self._output.unlink(missing_ok=True)

    def _ask(self) -> None:
        """One to three workloads, approved as long as the quota lasts."""
        wishes = self.dice.sample(sorted(ASKING), self.dice.randint(1, 3))
        if self.dice.random() < 0.25:
            wishes = ["bkad", "bkad", "bkad"]
        for number, opd in enumerate(wishes):
            login, _, _, classes = ASKING[opd]
            service_class = self.dice.choice(classes)
            count = self.dice.randint(1, 3)
            file = self.site / f"request-{number}.yaml"
            wish = self._request(opd, f"app{number}", service_class, count)
            file.write_text(yaml.safe_dump(wish))
            try:
                with self.desk(login) as desk:
                    key = submit_file(desk, file).key
                with self.desk(DECIDING[service_class]) as desk:
                    approve(desk, key)
            except Refused as refused:
                self.tally["refused over quota"] += refused.code.startswith("quota.")
            else:
                self.keys.append(key)
                self.vms += count

    def _request(self, opd: str, name: str, service_class: str, count: int) -> dict[str, object]:
        _, nip, person, _ = ASKING[opd]
        vms: list[dict[str, object]] = [
            {
                "name": "web",
                "count": count,
                "keepApart": count > 1 and self.dice.random() < 0.5,
                "image": "debian-12",
                "cpu": 2,
                "memory": "2 GiB",
                "disks": [{"name": "root", "size": "10 GiB", "class": "ssd"}],
                "networks": [{"name": f"{opd}-app"}],
                "sshKeys": [SSH_KEY],
            }
        ]
        return {
            "apiVersion": "cloudpemda/v1",
            "kind": "VMRequest",
            "metadata": {
                "name": name,
                "opd": opd,
                "letter": {"number": "500/1/2026", "date": date(2026, 11, 20)},
                "requester": {
                    "name": person,
                    "nip": nip,
                    "position": "Kasubag TI",
                    "email": "ti@example.go.id",
                },
            },
            "spec": {
                "purpose": "Badai uji",
                "serviceClass": service_class,
                "until": date(2027, 12, 31),
                "vms": vms,
            },
        }

    # -- what goes wrong -------------------------------------------------------------------
    def _disturb(self, event: str) -> None:
        if not self.keys:
            return
        deed: Callable[[], bool] = {
            "kill, work dropped": lambda: self._killed("before", answer=False),
            "kill, work done": lambda: self._killed("before", answer=True),
            "kill, answer lost": lambda: self._killed("after", answer=False),
            "kill between requests": lambda: self._killed("before", answer=False, method="GET"),
            "ctrl-c": self._interrupted,
            "lost answer": self._answer_lost,
            "temporary errors": self._temporary,
            "intruder": self._intruder,
            "node down": self._node_down,
            "storage full": self._storage_full,
            "task crash": self._task_crash,
            "undo": self._undo,
            "undo killed": self._undo_killed,
            "two at once": self._two_at_once,
        }[event]
        if deed():
            self.tally[event] += 1
        self.control.arm()

    def _killed(self, when: str, *, answer: bool, method: str = "[PD]*") -> bool:
        """The process dies while the nth request is open; its work is done, or is not."""
        path = "/cluster/tasks" if method == "GET" else "*"
        nth = self.dice.randint(1, 6 if method == "GET" else 7 * self.vms)
        held = self._hold(when, method, path, nth)
        if held is None:
            return False
        self._kill(held, answer=answer)
        return True

    def _kill(self, held: BaseProcess, *, answer: bool) -> None:
        held.kill()
        held.join(RUN_SECONDS)
        self.control.release(answer=answer)

    def _hold(
        self, when: str, method: str, path: str, nth: int | None, run: tuple[str, ...] = ("apply",)
    ) -> BaseProcess | None:
        """A run that stands at its nth matching request, or at all of them; None where it ended
        before."""
        on: dict[str, object] = {"method": method, "path": path}
        if nth is not None:
            on["nth"] = nth
        self.control.arm({"on": on, "do": "hold", "when": when})
        process = self._start(*run)
        waited = 0.0
        while process.is_alive() and not self.control.holds():
            process.join(0.02)
            waited += 0.02
            assert waited < RUN_SECONDS, "a run hangs"
        if self.control.holds():
            return process
        self._finish(process)
        return None

    def _interrupted(self) -> bool:
        process = self._hold("before", "[PD]*", "*", self.dice.randint(1, 6 * self.vms))
        if process is None:
            return False
        assert process.pid is not None
        os.kill(process.pid, self.dice.choice([signal.SIGINT, signal.SIGTERM]))
        self.control.release()
        code = self._finish(process)
        assert code in {0, 6}, f"an interrupted apply ended with {code}"
        return True

    def _answer_lost(self) -> bool:
        method, path = self.dice.choice(WRITES)
        on = {"method": method, "path": path, "nth": 1}
        self.control.arm({"on": on, "do": "lose-answer"})
        self._run("apply")
        return self._fired()

    def _temporary(self) -> bool:
        self.control.arm(
            {
                "on": {"method": "[PD]*", "path": "*", "probability": 0.15},
                "do": "error",
                "reason": self.dice.choice(TEMPORARY),
            }
        )
        self._run("apply")
        return self._fired()

    def _intruder(self) -> bool:
        """Somebody takes a VMID after it was chosen, and before our request arrives."""
        process = self._hold("before", "POST", "*/qemu", None)
        if process is None:
            return False
        there = self.control.vms()
        with self.desk("rudi") as desk:
            free = [one.vmid for one in desk.ledger.instances.list() if one.vmid not in there]
        for vmid in free:
            self.control.outside("create-vm", vmid, config={"description": "not yours"})
            self.strangers[vmid] = self.control.vms()[vmid]["config"]
        self.control.arm()
        self.control.release()
        self._finish(process)
        return bool(free)

    def _node_down(self) -> bool:
        node = self.dice.choice(["pve1", "pve2", "pve3"])
        seconds = self.dice.uniform(0.1, 8)
        self.control.arm({"at": self._at(seconds), "do": "node-down", "node": node})
        self._run("apply")
        fired = self._fired()
        if self.dice.random() < 0.5:
            self.control.node(node, "up")
        return fired

    def _storage_full(self) -> bool:
        self.control.arm(
            {
                "at": self._at(self.dice.uniform(0.0, 3)),
                "do": "storage-full",
                "node": self.dice.choice(["pve1", "pve2", "pve3"]),
                "storage": "local-zfs",
            }
        )
        self._run("apply")
        return self._fired()

    def _task_crash(self) -> bool:
        # when such tasks run: images are copied first
        kind, first, last = self.dice.choice(
            [
                ("qmcreate", 0.2, 2.0),
                ("qmcreate", 0.2, 2.0),
                ("resize", 2.2, 3.2),
                ("qmstart", 3, 5),
            ]
        )
        before = self._vanished()
        at = self._at(self.dice.uniform(first, last))
        self.control.arm({"at": at, "do": "task-crash", "type": kind})
        self._run("apply")
        return self._vanished() > before

    def _undo(self) -> bool:
        key = self.dice.choice(self.keys)
        if not self._begun(key):
            return False
        done = self._run("apply", "--undo", key) == 0
        with self.desk("rudi") as desk:
            vms = desk.ledger.instances.list(workload=key, purged=True)
        self.tally["undone"] += done and any(one.state is InstanceState.PURGED for one in vms)
        return done

    def _undo_killed(self) -> bool:
        key = self.dice.choice(self.keys)
        if not self._begun(key):
            return False
        answer = self.dice.random() < 0.5
        nth = self.dice.randint(1, 4)
        held = self._hold("before", "[PD]*", "*", nth, ("apply", "--undo", key))
        if held is None:
            return False
        self._kill(held, answer=answer)
        return True

    def _begun(self, key: str) -> bool:
        """An apply of this request was killed half way."""
        held = self._hold("before", "[PD]*", "*", self.dice.randint(3, 9), ("apply", key))
        if held is not None:
            self._kill(held, answer=True)
        self.control.arm()
        return held is not None

    def _two_at_once(self) -> bool:
        """One of them finds the saga in the hands of the other, or comes when all is done."""
        first, second = self._start("apply"), self._start("apply")
        return 4 in {self._finish(first), self._finish(second)}

    # -- runs ------------------------------------------------------------------------------
    def _run(self, *arguments: str) -> int:
        return self._finish(self._start(*arguments))

    def _start(self, *arguments: str) -> BaseProcess:
        self.runs += 1
        with self._output.open("a") as out:
            out.write(f"\n$ {' '.join(arguments)}\n")
        return worker.start(self.site, "rudi", arguments, self._output)

    def _finish(self, process: BaseProcess) -> int:
        process.join(RUN_SECONDS)
        assert process.exitcode is not None, "a run hangs"
        assert process.exitcode not in {1, 2}, f"a run ended with {process.exitcode}"
        return process.exitcode

    def desk(self, login: str) -> Desk:
        return open_desk(self.site, asserted=login)

    @property
    def _output(self) -> Path:
        return self.site / "told.txt"

    def _told(self) -> str:
        return self._output.read_text()[-6000:] if self._output.exists() else ""

    def _journal(self) -> str:
        """How far each instance is, for whoever must find out why."""
        with self.desk("rudi") as desk:
            lines = [str(one) for one in desk.ledger.instances.list()]
            sagas = [s for key in self.keys for s in self._sagas(desk, key)]
            for saga in sagas:
                for subject, steps in desk.ledger.journal.steps(saga.id).items():
                    lines += [f"{subject} {step}" for step in steps]
        return "\n".join(lines)

    def _sagas(self, desk: Desk, key: str) -> tuple[SagaRecord, ...]:
        return desk.ledger.journal.of_request(desk.ledger.requests.get(key).number)

    def _at(self, seconds: float) -> str:
        return f"{self.control.now() - self.started + seconds:.3f}s"

    def _fired(self) -> bool:
        return any(fault["fired"] for fault in self.control.faults())

    def _vanished(self) -> int:
        return sum(event["what"] == "task-vanished" for event in self.control.events())

    # -- the end ---------------------------------------------------------------------------
    def _heal(self) -> None:
        """Nothing disturbs any more: nodes are up, requests are released, time passes."""
        self.control.arm()
        self.control.release(answer=False)
        for node in ("pve1", "pve2", "pve3"):
            self.control.node(node, "up")
        self.control.advance(HA_SETTLES)
        if brought_back(self.lab):
            self.tally["brought back"] += 1
            self.control.advance(HA_SETTLES)

    def _settle(self) -> None:
        """Apply again until nothing changes any more; a human does what only a human can."""
        before = None
        for _ in range(SETTLING_RUNS):
            with self.desk("rudi") as desk:
                instances = desk.ledger.instances.list()
                states = {r.key: r.state for r in desk.ledger.requests.list()}
            waiting = [one for one in instances if one.state in _ON_THE_WAY]
            returning = {one.key.rpartition("/")[0] for one in instances if one.state in _RETURNING}
            stuck = [one for one in instances if one.state is InstanceState.STUCK]
            self.tally["resumed"] += bool(waiting)
            for one in stuck:
                self._human(one)
            seen = (states, {one.key: one.state for one in instances})
            if not waiting and not stuck and seen == before:
                return
            before = seen
            for key in sorted(returning):  # an undo that was begun is not turned round
                self._run("apply", "--undo", key)
            self._run("apply")
        raise AssertionError(f"not settled after {SETTLING_RUNS} runs: {before}")

    def _human(self, instance: InstanceRecord) -> None:
        """What the commands of a stuck VM say: take its protection away, unlock it, destroy it."""
        vm = self.control.vms().get(instance.vmid)
        if vm is None:
            return
        lost = any(
            event["what"] == "vm-recovered" and event["vmid"] == instance.vmid
            for event in self.control.events()
        )
        assert "lock" in vm["config"] or lost, f"{instance.key} is stuck for another reason: {vm}"
        self.tally["human"] += 1
        destroyed(self.lab, instance.vmid)


def brought_back(lab: RunningLab) -> int:
    """How many VMs a person brings back to their disks. A node died before their first replication:
    HA moved them to a node that has nothing of them, where they stand in its state `error`, or
    where they were retired."""
    dc = lab.control.state()["dc"]
    moved = 0
    for name, vm in dc["vms"].items():
        disk = vm["config"].get("scsi0", "").partition(",")[0]
        held = {one["node"] for one in dc["volumes"] if one["volid"] == disk} - {""}
        if not held or vm["node"] in held:
            continue
        under_ha = f"vm:{name}" in dc["ha_resources"]
        if under_ha:
            _ask_ha(lab, name, "disabled")
        lab.control.advance(30)
        lab.control.outside("move-vm", int(name), node=min(held))
        if under_ha:
            _ask_ha(lab, name, "started")
        moved += 1
    return moved


def _ask_ha(lab: RunningLab, vmid: str, state: str) -> None:
    resource = f"{lab.url('pve1')}/api2/json/cluster/ha/resources/vm:{vmid}"
    answer = _root(lab).put(resource, data={"state": state}, timeout=PATIENCE)
    assert answer.status_code == 200, answer.reason


def destroyed(lab: RunningLab, vmid: int) -> None:
    """Root's `pvesr delete --force`, `ha-manager remove`, `qm stop`, `qm unlock`, `qm destroy`."""
    dc, root = lab.control.state()["dc"], _root(lab)

    def ask(method: str, path: str, **data: str) -> None:
        url = f"{lab.url('pve1')}/api2/json{path}"
        answer = (
            root.delete(url, params=data, timeout=PATIENCE)
            if method == "DELETE"
            else root.request(method, url, data=data, timeout=PATIENCE)
        )
        assert answer.status_code == 200, f"{method} {path}: {answer.reason}"
        lab.control.advance(30)

    for job in dc["replication"]:
        if job.startswith(f"{vmid}-"):
            ask("DELETE", f"/cluster/replication/{job}", force="1")
    if f"vm:{vmid}" in dc["ha_resources"]:
        ask("PUT", f"/cluster/ha/resources/vm:{vmid}", state="disabled")
        ask("DELETE", f"/cluster/ha/resources/vm:{vmid}")
    path = f"/nodes/{dc['vms'][str(vmid)]['node']}/qemu/{vmid}"
    if lab.control.vms()[vmid]["status"] == "running":
        ask("POST", f"{path}/status/stop", skiplock="1")
    ask("PUT", f"{path}/config", delete="lock", skiplock="1")
    ask("DELETE", path, purge="1", **{"destroy-unreferenced-disks": "1"})


def _root(lab: RunningLab) -> requests.Session:
    """Somebody with root's password, as who runs `qm` on a node."""
    session = requests.Session()
    session.trust_env = False
    session.verify = str(lab.ca)
    answer = session.post(
        f"{lab.url('pve1')}/api2/json/access/ticket",
        data={"username": "root@pam", "password": lab.root_password()},
        timeout=PATIENCE,
    )
    data = answer.json()["data"]
    session.cookies.set("PVEAuthCookie", data["ticket"])
    session.headers["CSRFPreventionToken"] = data["CSRFPreventionToken"]
    return session
