"""One seeded history of day 2: workloads are changed, stopped, retired, restored, purged, adopted,
drained away and forgotten; people put their own hands on PVE, nodes fail, processes die."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import yaml

from cloudpemda.errors import CloudpemdaError
from cloudpemda.ledger import InstanceRecord, InstanceState, RequestRecord, RequestState
from cloudpemda.usecases.plan import plan
from cloudpemda.wiring import forget_ledger
from tests.storm.hands import HANDS
from tests.storm.history import ASKING, SSH_KEY
from tests.storm.mending import FOR_GOOD, LEAVING, LETTER, Mending
from tests.storm.office import ZONE
from tests.storm.witness import Witness

GRACE = QUARANTINE = 8  # hours
REST = 36  # hours of a VMID; an address rests as long
SETTINGS = f"""
retirement:
  announce: [30d, 7d, 1d]
  grace: {GRACE}h
  quarantine: {QUARANTINE}h
  vmidRest: {REST}h
"""
_MEMORIES = ("1 GiB", "2 GiB", "3 GiB", "4 GiB")


def write_site(plain: str) -> str:
    """The site with short times, and with the one cluster of the small lab."""
    before, _, after = plain.partition("  drc:")
    rest = after[after.index("\n# Proxmox Backup Servers") :]
    head, _, tail = rest.partition("\nretirement:")
    tail = tail.partition("\n\n")[2]
    return (before + head + SETTINGS + tail).replace("addressRest: 7d", f"addressRest: {REST}h")


def prepare(site: Path) -> None:
    """Short times, one cluster, and networks that every OPD may use: workloads change hands."""
    file = site / "site.yaml"
    file.write_text(write_site(file.read_text()))
    for opd in ASKING:
        own = site / "opd" / f"{opd}.yaml"
        said = yaml.safe_load(own.read_text())
        networks = {*said["allow"]["networks"], *(f"{other}-app" for other in ASKING)}
        said["allow"]["networks"] = sorted(networks)
        own.write_text(json.dumps(said))


def requester(opd: str) -> dict[str, str]:
    _, nip, name, _ = ASKING[opd]
    return {"name": name, "nip": nip, "position": "Kasubag TI", "email": "ti@example.go.id"}


@dataclass
class Life(Mending):
    """A site with its lab, one seed, and the tally of all histories."""

    made: int = 0
    witness: Witness = field(init=False)

    DEEDS: ClassVar[dict[str, int]] = {
        "new": 2,
        "change": 6,
        "take a change back": 1,
        "retire": 4,
        "restore": 2,
        "purge": 4,
        "time": 3,
        "adopt": 2,
        "drain": 2,
        "power": 2,
        "snapshot": 2,
        "by hand": 5,
        "stranger": 1,
        "transfer": 2,
        "go back to a backup": 1,
        "copy": 2,
        "drift": 1,
        "night": 1,
        "clean": 1,
        "node": 1,
    }
    """Each deed with how often it is drawn."""

    def play(self) -> None:
        """Raises AssertionError with the seed where something does not hold."""
        try:
            self._forget()
            with self.desk("rudi") as self.reader:
                self._live()
        except Exception as error:
            said = f"{type(error).__name__}: {error}\n{self._told()}"
            raise AssertionError(f"seed {self.seed}: {said}") from error

    def _live(self) -> None:
        self.witness = Witness(self.reader, self.control, REST * 3600)
        for _ in range(self.dice.randint(1, 2)):
            self._new()
        drawn = [deed for deed, often in self.DEEDS.items() for _ in range(often)]
        for deed in self.dice.choices(drawn, k=self.dice.randint(5, 8)):
            self._do(deed)
        self._heal()
        self._put_right()
        self._judge()

    def _forget(self) -> None:
        self.control.reset()
        self.started = self.control.now()
        forget_ledger(self.site / "var" / "ledger.sqlite3")
        self._output.unlink(missing_ok=True)

    def _do(self, deed: str) -> None:
        self._say(f"# {deed}")
        work: dict[str, Callable[[], object]] = {
            "new": self._new,
            "change": self._change,
            "take a change back": self._undo_change,
            "retire": self._retire,
            "restore": self._restore,
            "purge": self._purge,
            "time": self._time,
            "adopt": self._adopt,
            "drain": self._drain,
            "power": self._power,
            "snapshot": self._snapshot,
            "by hand": self._touch,
            "stranger": self._stranger,
            "transfer": self._transfer,
            "go back to a backup": self._go_back,
            "copy": self._copy,
            "drift": lambda: self._call("rudi", "drift"),
            "night": lambda: self._call("timer", "nightly"),
            "clean": lambda: self._perform("orphans", "clean"),
            "node": self._node,
        }
        work[deed]()
        self.witness.look(self.strangers, self.grown, self.lost)

    # -- asking ----------------------------------------------------------------------------
    def _new(self) -> None:
        opd = self.dice.choice(sorted(ASKING))
        self.made += 1
        document = self._document(opd, f"app{self.made}")
        if self._asked(document):
            self.tally["new"] += self._perform("apply", f"{opd}/app{self.made}") == 0

    def _document(self, opd: str, name: str) -> dict[str, Any]:
        classes = ASKING[opd][3]
        return {
            "apiVersion": "cloudpemda/v1",
            "kind": "VMRequest",
            "metadata": {
                "name": name,
                "opd": opd,
                "letter": {"number": "500/1/2026", "date": "2026-11-20"},
                "requester": requester(opd),
            },
            "spec": {
                "purpose": "Badai uji",
                "serviceClass": self.dice.choice(classes),
                "until": self.dice.choice((FOR_GOOD, FOR_GOOD, self._day(1))),
                "vms": [
                    {
                        "name": "web",
                        "count": self.dice.choice((1, 1, 2)),
                        "image": "debian-12",
                        "cpu": self.dice.choice((1, 2)),
                        "memory": self.dice.choice(_MEMORIES),
                        "disks": [{"name": "root", "size": "10 GiB", "class": "ssd"}],
                        "networks": [{"name": f"{opd}-app"}],
                        "sshKeys": [SSH_KEY],
                    }
                ],
            },
        }

    def _day(self, later: int) -> str:
        now = datetime.fromtimestamp(self.control.now(), ZONE)
        return str(now.date() + timedelta(days=later))

    # -- changing --------------------------------------------------------------------------
    def _change(self) -> None:
        record = self._some(lambda one: one.state is RequestState.ACTIVE and not one.changing)
        if record is None or record.key not in self.documents:
            return
        document = json.loads(json.dumps(self.documents[record.key]))
        for _ in range(self.dice.choice((1, 1, 2))):
            self._altered(document)
        if not self._asked(document, "--allow-retire"):
            return
        code = self._perform("apply", record.key)
        self.tally["change"] += code == 0
        if code == 0 and not self.hurt:
            self._nothing_to_do(record.key)

    def _altered(self, document: dict[str, Any]) -> None:
        spec, (vm,) = document["spec"], document["spec"]["vms"]
        opd = document["metadata"]["opd"]
        what = self.dice.choice(("size", "size", "size", "disk", "new disk", "count", "class",
                                 "until"))  # fmt: skip
        self.tally[f"change: {what}"] += 1
        match what:
            case "size":
                vm["cpu"] = self.dice.choice((1, 2, 3))
                vm["memory"] = self.dice.choice(_MEMORIES)
            case "disk":
                size = int(vm["disks"][0]["size"].split()[0])
                vm["disks"][0]["size"] = f"{size + self.dice.randint(1, 5)} GiB"
            case "new disk":
                name = f"d{len(vm['disks'])}"
                kind = self.dice.choice(("ssd", "hdd"))
                vm["disks"].append({"name": name, "size": "2 GiB", "class": kind})
                if kind == "hdd":
                    vm["disks"][-1]["protect"] = False
            case "count":
                vm["count"] = self.dice.choice((1, 2, 3))
            case "class":
                spec["serviceClass"] = self.dice.choice(ASKING[opd][3])
            case "until":
                spec["until"] = self.dice.choice((FOR_GOOD, self._day(2)))

    def _undo_change(self) -> None:
        record = self._some(lambda one: one.changing or one.state is RequestState.APPLYING)
        if record is not None:
            self.tally["take a change back"] += self._perform("apply", "--undo", record.key) == 0

    def _nothing_to_do(self, key: str) -> None:
        """A second plan right after an apply is empty."""
        found = plan(self.reader, [key])
        assert not found.errors, f"{key}: {found.errors}"
        for one in found.planned:
            assert one.plan.settled, f"the plan of {key} is not settled: {one.plan}"

    # -- ending ----------------------------------------------------------------------------
    def _retire(self) -> None:
        record = self._some(lambda one: one.state in {RequestState.ACTIVE, RequestState.RETIRING})
        if record is not None:
            words = ("request", "retire", record.key, "--reason", "selesai")
            now = ("--now",) if self.dice.random() < 0.2 else ()
            self.tally["retire"] += self._perform(*words, *now) == 0

    def _restore(self) -> None:
        record = self._some(lambda one: one.state in LEAVING)
        if record is not None:
            self.tally["restore"] += self._perform("request", "restore", record.key) == 0

    def _purge(self) -> None:
        record = self._some(lambda one: one.state in LEAVING)
        if record is None:
            record = self._some(lambda one: one.state is RequestState.ACTIVE)
            if record is None:
                return
            self._perform("request", "retire", record.key, "--reason", "selesai")
        words = ["request", "purge", record.key, "--confirm", record.key]
        if self.dice.random() < 0.6:
            words += ["--now", "--reason", "segera"]
        else:
            self.control.advance((QUARANTINE + 1) * 3600)
        self.tally["purge"] += self._perform(*words) == 0

    def _time(self) -> None:
        """Days pass; what is due is done by the night or by an operator."""
        self.control.advance(3600 * self.dice.uniform(4, 40))
        before = self._states()
        by = self.dice.choice((("nightly",), ("leases", "run")))
        self._perform(*by, login="rudi")
        after = self._states()
        for key, state in before.items():
            if state is RequestState.ACTIVE and after[key] in LEAVING:
                self.tally["a lease ended"] += 1
            if state in LEAVING and after[key] is RequestState.ENDED:
                self.tally["a quarantine ended"] += 1

    def _states(self) -> Mapping[str, RequestState]:
        return {one.key: one.state for one in self._records()}

    # -- other verbs -----------------------------------------------------------------------
    def _adopt(self) -> None:
        opd = self.dice.choice(sorted(ASKING))
        self.made += 1
        vmid = 700 + self.made
        try:
            self._stand(vmid, opd)
        except CloudpemdaError as error:  # its node is off
            self._say(f"! not made: {error}")
            return
        if self._perform(*self._adopting(opd, vmid), login="hendra") == 0:
            self.tally["adopt"] += 1
        self.adopted[vmid] = opd

    def _transfer(self) -> None:
        record = self._some(lambda one: one.state is RequestState.ACTIVE)
        if record is None:
            return
        opd = self.dice.choice(sorted({*ASKING} - {record.opd}))
        words = ("request", "transfer", record.key, opd, *LETTER, "--reason", "lebur", "--yes")
        self.tally["transfer"] += self._perform(*words, login="hendra") == 0
        now = self.reader.ledger.requests.get(record.number)
        if record.key in self.documents:  # whatever the command has said
            document = self.documents.pop(record.key)
            document["metadata"] |= {"opd": now.opd, "requester": requester(now.opd)}
            self.documents[now.key] = document

    def _go_back(self) -> None:
        """A VM becomes what a backup of it holds."""
        one = self._instance(InstanceState.ACTIVE)
        if one is not None:
            self._wait_for_a_backup()
            words = ("vm", "restore", one.key, "--from", "latest", "--reason", "rusak", "--yes")
            self.tally["go back to a backup"] += self._perform(*words) == 0

    def _copy(self) -> None:
        one = self._instance(InstanceState.ACTIVE)
        if one is None:
            return
        name = self.dice.choice(("cek", "lagi"))
        if self.dice.random() < 0.3:
            words: tuple[str, ...] = ("vm", "copy", "delete", one.key, name, "--yes")
        else:
            self._wait_for_a_backup()
            words = ("vm", "restore", one.key, "--as-copy", name, "--reason", "uji")
        self.tally[f"copy: {words[1]}"] += self._perform(*words) == 0

    def _wait_for_a_backup(self) -> None:
        if self.dice.random() < 0.7:
            self.control.advance(26 * 3600)

    def _drain(self) -> None:
        """A node is emptied; or taken back."""
        if self.drained and self.dice.random() < 0.6:
            node = self.drained.pop()
            self._call("rudi", "nodes", "return", f"dc/{node}")
            return
        node = self.dice.choice(("pve1", "pve2", "pve3"))
        self.drained.add(node)
        words = ("nodes", "drain", f"dc/{node}", "--reason", "RAM", "--leave-foreign")
        self.tally["drain"] += self._perform(*words) in {0, 7}

    def _power(self) -> None:
        one = self._instance(InstanceState.ACTIVE)
        if one is None:
            return
        verb = self.dice.choice(("start", "stop", "restart"))
        more = {"stop": ("--reason", "uji")}.get(verb, ())
        hard = ("--hard", "--yes") if verb != "start" and self.dice.random() < 0.3 else ()
        self.tally[f"vm {verb}"] += self._perform("vm", verb, one.key, *more, *hard) == 0

    def _snapshot(self) -> None:
        one = self._instance(InstanceState.ACTIVE)
        if one is None:
            return
        verb = self.dice.choice(("create", "create", "delete", "rollback"))
        name = self.dice.choice(("pagi", "sore"))
        more = {"create": ("--reason", "uji"), "rollback": ("--yes",)}.get(verb, ())
        code = self._perform("vm", "snapshot", verb, one.key, name, *more)
        self.tally[f"snapshot {verb}"] += code == 0

    def _touch(self) -> None:
        found = [one for one in self._instances() if self._stands(one)]
        if not found:
            return
        one, what = self.dice.choice(found), self.dice.choice(HANDS)
        record = self.reader.ledger.requests.get(one.number)
        may_ask = record.key in self.documents and record.state is RequestState.ACTIVE
        if what == "grow a disk" and not may_ask:  # it could not be asked for later
            what = "grow"
        self._by_hand(one, what)

    def _stranger(self) -> None:
        found = [one for one in self._instances() if self._stands(one)]
        if found:
            self._take_a_vmid(self.dice.choice(found))

    # -- the end ---------------------------------------------------------------------------
    def _judge(self) -> None:
        """What the ledger, the clusters and the program's own recounts say of each other."""
        self.witness.look(self.strangers, self.grown, self.lost)
        records = self._records()
        for record in records:
            assert record.state in {RequestState.ACTIVE, *LEAVING, *_OVER}, record
            assert not record.changing, f"{record.key} is being changed"
            self.tally[f"ended: {record.state.value}"] += 1
        self.witness.judge(records, self.strangers)
        for login, words in (
            ("yanti", ("quota", "verify")),
            ("yanti", ("audit", "verify")),
            ("rudi", ("ledger", "verify")),
        ):
            answer = self._call(login, *words)
            codes = set(answer.codes)
            if any(one.state is InstanceState.RETIRED for one in self._instances()):
                # nobody looks for growth there, and no state is removed before the purge;
                # what a change made smaller is given back by the restore, or the purge; what grew
                # by hand is charged there, and told
                codes -= {*_OF_HANDS, "quota.verify-unsettled", "quota.verify-overgrown"}
            assert codes == set(), f"{' '.join(words)}: {answer}"
        found = self._call("rudi", "drift").data
        assert found["instances"] == [], found["instances"]

    # -- small things ----------------------------------------------------------------------
    def _some(self, fits: Callable[[RequestRecord], bool]) -> RequestRecord | None:
        found = [one for one in self._records() if fits(one)]
        return self.dice.choice(found) if found else None

    def _instance(self, *states: InstanceState) -> InstanceRecord | None:
        found = [one for one in self._instances() if one.state in states]
        return self.dice.choice(found) if found else None


_OF_HANDS = frozenset(
    {"quota.verify-copies", "quota.verify-disk", "quota.verify-resized", "quota.verify-snapshot"}
)
_OVER = frozenset(
    {
        RequestState.ENDED, RequestState.WITHDRAWN, RequestState.EXPIRED, RequestState.FAILED,
        RequestState.DENIED, RequestState.PENDING,
    }
)  # fmt: skip
