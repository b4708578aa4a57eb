"""What befalls a command, and what others do to VMs on PVE's own page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudpemda.ledger import InstanceRecord, RequestRecord
from cloudpemda.units import MiB
from cloudpemda.usecases.desk import Desk
from tests.storm.history import RUN_SECONDS, TEMPORARY, WRITES
from tests.storm.line import Line

FATES = (
    *("plain",) * 10,
    "killed, work dropped",
    "killed, work done",
    "killed, answer lost",
    "killed at a statement",
    "lost answer",
    "refused by PVE",
    "temporary errors",
    "node down",
    "task crash",
)
"""What befalls a command; mostly nothing."""
HANDS = (
    "grow", "grow a disk", "no HA", "no replication", "no backup", "another tag", "switch off",
    "lock", "protect", "delete",
)  # fmt: skip
"""What others do to a VM of ours."""
_TASKS = ("qmcreate", "resize", "qmstart", "qmstop", "qmshutdown", "qmdestroy", "qmigrate",
          "qmsnapshot", "qmdelsnapshot", "qmrollback", "imgdel")  # fmt: skip
_WAITS = 60  # of ten seconds
_LOCKS = ("backup", "snapshot", "migrate")


@dataclass
class Hands(Line):
    """Commands that are disturbed, and hands that know nothing of cloudpemda."""

    adopted: dict[int, str] = field(default_factory=dict)  # VMID → OPD
    grown: set[str] = field(default_factory=set)  # uids of VMs that somebody has made larger
    disks: set[str] = field(default_factory=set)  # those of them whose first disk is 20 GiB now
    lost: set[str] = field(default_factory=set)  # uids of VMs that somebody has deleted
    reader: Desk = field(init=False)  # for whoever looks
    hurt: bool = False  # whether anybody has touched a VM, or a node is off

    # -- what befalls a command ------------------------------------------------------------
    def _perform(self, *words: str, login: str = "rudi") -> int:
        """A command that writes to a cluster; its exit code, -9 where it was killed."""
        fate = self.dice.choice(FATES)
        if fate == "plain":
            return self._call(login, *words).code
        self._say(f"! {fate}")
        played: dict[str, Callable[[], tuple[int, bool]]] = {
            "killed, work dropped": lambda: self._dies(login, words, "before", answer=False),
            "killed, work done": lambda: self._dies(login, words, "before", answer=True),
            "killed, answer lost": lambda: self._dies(login, words, "after", answer=False),
            "killed at a statement": lambda: self._dies_at_statement(login, words),
            "lost answer": lambda: self._meets(login, words, self._an_answer_lost()),
            "refused by PVE": lambda: self._meets(login, words, self._a_refusal()),
            "temporary errors": lambda: self._meets(login, words, self._a_bad_hour()),
            "node down": lambda: self._loses_a_node(login, words),
            "task crash": lambda: self._loses_a_task(login, words),
        }
        code, happened = played[fate]()
        self.tally[fate] += happened
        self.control.arm()
        return code

    def _dies(
        self, login: str, words: tuple[str, ...], when: str, *, answer: bool
    ) -> tuple[int, bool]:
        """The process dies while its nth writing request is open."""
        on = {"method": "[PD]*", "path": "*", "nth": self.dice.choice((1, 1, 2, 3, 5, 8))}
        self.control.arm({"on": on, "do": "hold", "when": when})
        process = self._begun_deed(login, *words)
        waited = 0.0
        while process.is_alive() and not self.control.holds():
            process.join(0.02)
            waited += 0.02
            assert waited < RUN_SECONDS, "a run hangs"
        if not self.control.holds():
            return self._ended(process), False
        self._kill(process, answer=answer)
        return -9, True

    def _dies_at_statement(self, login: str, words: tuple[str, ...]) -> tuple[int, bool]:
        code = self._ended(self._begun_deed(login, *words, dies_at=self.dice.randint(5, 120)))
        return code, code == -9

    def _meets(
        self, login: str, words: tuple[str, ...], fault: Mapping[str, Any]
    ) -> tuple[int, bool]:
        self.control.arm(fault)
        code = self._call(login, *words).code
        return code, self._fired()

    def _an_answer_lost(self) -> Mapping[str, Any]:
        method, path = self.dice.choice((*WRITES, *_MORE_WRITES))
        return {"on": {"method": method, "path": path, "nth": 1}, "do": "lose-answer"}

    def _a_refusal(self) -> Mapping[str, Any]:
        method, path = self.dice.choice((*WRITES, *_MORE_WRITES))
        on = {"method": method, "path": path, "nth": self.dice.randint(1, 2)}
        return {"on": on, "do": "error", "status": 400, "reason": "Parameter verification failed."}

    def _a_bad_hour(self) -> Mapping[str, Any]:
        on = {"method": "[PD]*", "path": "*", "probability": 0.15}
        return {"on": on, "do": "error", "reason": self.dice.choice(TEMPORARY)}

    def _loses_a_node(self, login: str, words: tuple[str, ...]) -> tuple[int, bool]:
        node = self.dice.choice(("pve1", "pve2", "pve3"))
        at = self._at(self.dice.uniform(0.0, 4))
        self.control.arm({"at": at, "do": "node-down", "node": node})
        code = self._call(login, *words).code
        fired = self._fired()
        self.hurt = True
        if self.dice.random() < 0.6:
            self.control.node(node, "up")
        return code, fired

    def _loses_a_task(self, login: str, words: tuple[str, ...]) -> tuple[int, bool]:
        before = self._vanished()
        self.control.arm(
            *(
                {"at": self._at(self.dice.uniform(0.1, 3)), "do": "task-crash", "type": kind}
                for kind in _TASKS
            )
        )
        code = self._call(login, *words).code
        self.hurt = True
        return code, self._vanished() > before

    def _node(self) -> None:
        """A node loses power, or all are back."""
        self.hurt = True
        if self.dice.random() < 0.5:
            self.control.node(self.dice.choice(("pve1", "pve2", "pve3")), "down")
            self.control.advance(30)
        else:
            for node in ("pve1", "pve2", "pve3"):
                self.control.node(node, "up")
            self.control.advance(120)

    # -- hands -----------------------------------------------------------------------------
    def _by_hand(self, one: InstanceRecord, what: str) -> None:
        """Somebody does that to a VM of ours which stands there."""
        self._say(f"! {what}: {one.key} {one.vmid}")
        self.hurt = True
        vm = self.control.vms()[one.vmid]
        try:
            self._touched(one, vm, what)
        except Exception as error:  # noqa: BLE001 - PVE says no to a hand, too
            self._say(f"! not done: {error}")
            return
        self.tally[f"by hand: {what}"] += 1

    def _touched(self, one: InstanceRecord, vm: Mapping[str, Any], what: str) -> None:
        def put(**more: Any) -> None:
            self.control.outside("change-vm", one.vmid, **more)

        if what in {"grow", "grow a disk"}:
            self.grown.add(one.uid)
        if what == "grow a disk":
            self.disks.add(one.uid)
        match what:
            case "grow":
                cores = str(int(vm["config"].get("cores", 1)) + 1)
                put(set={"cores": cores, "memory": "5120"})
            case "another tag":
                put(set={"tags": "milik-saya"})
            case "switch off":
                put(status="stopped")
            case "lock":
                put(set={"lock": self.dice.choice(_LOCKS)})
            case "protect":
                put(set={"protection": "1"})
            case "delete":
                self._delete(one)
            case _:
                self._asked_of_pve(one.vmid, vm["node"], what)
        self.control.advance(15)

    def _asked_of_pve(self, vmid: int, node: str, what: str) -> None:
        pve = self.reader.cluster("dc")
        match what:
            case "grow a disk":
                pve.resize_disk(node, vmid, "scsi0", MiB(20 * 1024))
            case "no HA":
                pve.remove_ha_resource(vmid)
            case "no replication":
                for job in pve.replication_jobs():
                    if job.vmid == vmid:
                        pve.delete_replication(job.id)
                self.control.advance(120)
            case "no backup":
                for backup in pve.backup_jobs():
                    left = sorted(backup.vmids - {vmid})
                    if len(left) < len(backup.vmids) and left:
                        pve.update_backup_job(backup.id, left, {})

    def _delete(self, one: InstanceRecord) -> bool:
        """Whether it was this hand. PVE keeps it waiting for as long as a task works on the VM,
        one of a run that was killed, too; that task may have destroyed it."""
        for _ in range(_WAITS):
            if not self.control.running_tasks():
                break
            self.control.advance(10)
        if not self._stands(one):
            return False
        self.lost.add(one.uid)
        self.control.outside("delete-vm", one.vmid)
        return True

    def _take_a_vmid(self, one: InstanceRecord) -> None:
        """Somebody deletes a VM of ours, and makes another under its VMID."""
        self._say(f"! a stranger takes {one.key} {one.vmid}")
        if not self._delete(one):
            self._say("! not done: it is gone already")
            return
        self.hurt = True
        said = f"cloudpemda uid=0123456789abcdef role=primary instance={one.key}"
        self.control.outside("create-vm", one.vmid, config={"description": said})
        self.strangers[one.vmid] = self.control.vms()[one.vmid]["config"]
        self.control.advance(15)
        self.tally["a stranger under our VMID"] += 1

    def _stand(self, vmid: int, opd: str) -> None:
        """A VM that somebody made by hand, long ago. Raises PveError where PVE does not do it."""
        vlan = {"dinkes": 110, "disdukcapil": 120, "bkad": 130}[opd]
        with self.desk("rudi") as desk:
            desk.cluster("dc").create_vm(
                self._online(),
                vmid,
                {
                    "name": f"lama-{vmid}",
                    "cores": 1,
                    "memory": 1024,
                    "scsi0": "local-zfs:4",
                    "net0": f"virtio=02:00:00:00:{vmid // 100:02X}:{vmid % 100:02X},"
                    f"bridge=vmbr0,tag={vlan}",
                    "description": "Server lama",
                },
            )
        self.control.advance(20)
        self.control.outside("change-vm", vmid, status="running")
        self.control.advance(20)

    def _online(self) -> str:
        nodes = self.control.state()["dc"]["nodes"]
        return str(self.dice.choice(sorted(name for name, one in nodes.items() if one["online"])))

    # -- looking ---------------------------------------------------------------------------
    def _stands(self, one: InstanceRecord) -> bool:
        vm = self.control.vms().get(one.vmid)
        return vm is not None and f"uid={one.uid} " in f"{vm['config'].get('description', '')} "

    def _carries_none(self, vmid: int) -> bool:
        vm = self.control.vms().get(vmid)
        return vm is not None and "uid=" not in vm["config"].get("description", "")

    def _gone_by_hand(self, record: RequestRecord) -> bool:
        return any(one.uid in self.lost for one in self._instances(record.key))

    def _left(self, kind: str, number: str | None = None) -> bool:
        """Whether a saga of that kind did not come to its end, of a request or of any."""
        sagas = self.reader.ledger.journal.unfinished()
        return any(one.kind == kind and number in (None, one.number) for one in sagas)

    def _records(self) -> tuple[RequestRecord, ...]:
        return self.reader.ledger.requests.list()

    def _instances(self, workload: str | None = None) -> tuple[InstanceRecord, ...]:
        return self.reader.ledger.instances.list(workload=workload)


_MORE_WRITES = (
    ("POST", "*/status/shutdown"),
    ("PUT", "/cluster/ha/resources/*"),
    ("DELETE", "/cluster/ha/*"),
    ("DELETE", "/cluster/replication/*"),
    ("DELETE", "*/qemu/*"),
    ("POST", "*/config"),
    ("POST", "*/migrate"),
    ("POST", "*/snapshot"),
    ("DELETE", "*/content/*"),
)
