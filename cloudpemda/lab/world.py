"""One simulated cluster, alive: its state, clock, dice and workers, and what really happened."""

import hashlib
import json
import random
import uuid
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from cloudpemda.lab import access
from cloudpemda.lab.clock import Clock, Rounds
from cloudpemda.lab.errors import found, refuse_if
from cloudpemda.lab.params import Params
from cloudpemda.lab.state import Cluster, Node, Storage, Task, Vm, Volume
from cloudpemda.lab.work import Scheduler, Tasks, Work

STATISTICS_EVERY = 10.0
STIRRING = ("node-", "vm-", "outside", "ha-asked")  # what every daemon may want to see at once
Note = Callable[[str, dict[str, object]], None]


class World:
    def __init__(
        self, cluster: Cluster, clock: Clock, seed: int, durations: Mapping[str, float], note: Note,
        rates: Mapping[str, float] | None = None,
    ) -> None:  # fmt: skip
        """`durations` in seconds by kind of work; `rates` in bytes (docs/lab.md, Layout)."""
        self.cluster, self.clock = cluster, clock
        self.dice = random.Random(f"{seed}:{cluster.name}")  # noqa: S311 - repeatable, guards nothing
        self.seed, self.durations, self.rates, self._note = seed, durations, rates or {}, note
        self.scheduler = Scheduler(clock)
        self.tasks = Tasks(cluster, self.scheduler, self.note)
        self.tasks.stir = self._task_over
        self.neighbours: Mapping[str, World] = {cluster.name: self}  # all of the lab, by name
        self.backup_made: Callable[[Storage, Volume], None] = lambda storage, volume: None
        self.backup_gone: Callable[[Volume], None] = lambda volume: None
        self.rounds: list[Rounds] = []  # of the daemons that look around in it
        self.fingerprint = ""

    def note(self, what: str, **values: object) -> None:
        """Write down what really happened, for tests to read."""
        self._note(what, {"cluster": self.cluster.name, **values})
        if what.startswith(STIRRING):
            self.stir()

    def _task_over(self) -> None:
        for daemon in self.rounds:
            if daemon.sees_tasks:
                daemon.stir()

    def stir(self) -> None:
        """Something has changed that a daemon may want to see."""
        for daemon in self.rounds:
            daemon.stir()

    def now(self) -> float:
        return self.clock.now()

    def duration(self, kind: str) -> float:
        return self.durations.get(kind, self.durations.get("default", 0.2))

    def share(self, what: str) -> float:
        """From 0 to 1, always the same for the same thing in the same lab."""
        return zlib.crc32(f"{self.seed}:{self.cluster.name}:{what}".encode()) / 2**32

    def new_uuid(self) -> str:
        return str(uuid.UUID(int=self.dice.getrandbits(128), version=4))

    def new_mac(self) -> str:
        prefix = self.cluster.options.get("mac_prefix", "BC:24:11")
        return prefix + "".join(f":{self.dice.randrange(256):02X}" for _ in range(3))

    def vm_on(self, node: str, vmid: int) -> Vm:
        vm = self.cluster.vms.get(vmid)
        missing = f"Configuration file 'nodes/{node}/qemu-server/{vmid}.conf' does not exist"
        return found(vm if vm and vm.node == node else None, missing)

    def taken(self, vmid: int) -> str:
        """PVE's words for an id in use, empty for a free one."""
        guest = self.cluster.guests.get(vmid)
        kind = "CT" if guest and guest.kind == "lxc" else "VM"
        return f"{kind} {vmid} already exists on node '{guest.node}'" if guest else ""

    def seen(self, vm: Vm) -> bool:
        """Whether the statistics daemon of the VM's node knows it: they look every ten seconds."""
        age = self.now() - vm.created
        return self.cluster.nodes[vm.node].online and age >= STATISTICS_EVERY

    def need_quorum(self) -> None:
        refuse_if(not self.cluster.quorate, "cluster not ready - no quorum?")

    def need_file_lock(self, prefix: str, file: str) -> None:
        """Cluster-wide files are written under a lock that only a quorate cluster gives."""
        lead = f"{prefix}: " if prefix else ""
        refuse_if(not self.cluster.quorate, f"{lead}cfs-lock '{file}' error: no quorum!")

    def need_config(self, node: str, vmid: object, process: int) -> None:
        """A VM's configuration is written beside it first, which needs a quorate cluster too."""
        file = f"/etc/pve/nodes/{node}/qemu-server/{vmid}.conf.tmp.{process}"
        refuse_if(not self.cluster.quorate, f"unable to open file '{file}' - Permission denied")


@dataclass
class Call:
    """One request that has passed authentication, permissions and parameter checks."""

    world: World
    node: str
    user: str  # root@pam, or root@pam!token
    params: Params

    def __getitem__(self, name: str) -> str:
        return self.params[name]

    def __contains__(self, name: str) -> bool:
        return name in self.params

    def get(self, name: str, default: str = "") -> str:
        return self.params.get(name, default)

    def whole(self, name: str, default: int = 0) -> int:
        return self.params.whole(name, default)

    def flag(self, name: str, default: bool = False) -> bool:
        return self.params.flag(name, default)

    def items_of(self, name: str) -> list[str]:
        return self.params.items_of(name)

    @property
    def cluster(self) -> Cluster:
        return self.world.cluster

    @property
    def here(self) -> Node:
        return self.cluster.nodes[self.node]

    @property
    def is_root(self) -> bool:
        """root@pam in person: a token of root is not."""
        return self.user == "root@pam"

    def vm(self) -> Vm:
        return self.world.vm_on(self.node, self.whole("vmid"))

    def may(self, path: str, *privileges: str, any_of: bool = False) -> bool:
        held = access.effective(self.cluster, self.user, path)
        test = any if any_of else all
        return test(privilege in held for privilege in privileges)

    def visible(self, guests: Iterable[Vm]) -> list[Vm]:
        """Those that the user may see. What no ACL entry names is judged once per pool."""
        named, pool_of = {entry.path for entry in self.cluster.access.acl}, self.cluster.pool_of
        judged: dict[str, bool] = {}

        def sees(vmid: int) -> bool:
            path = f"/vms/{vmid}"
            alike = path if path in named else pool_of.get(vmid, "")
            if alike not in judged:
                judged[alike] = self.may(path, "VM.Audit")
            return judged[alike]

        return [guest for guest in guests if sees(guest.vmid)]

    def require(self, path: str, *privileges: str, any_of: bool = False) -> None:
        access.require(self.cluster, self.user, path, privileges, any_of=any_of)

    def start(self, kind: str, subject: object, work: Callable[[Task], Work]) -> str:
        return self.world.tasks.start(self.here, kind, str(subject), self.user, work).upid


def digest_of(value: object) -> str:
    """A digest that changes with the value, as PVE computes one over a configuration file."""
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def check_digest(params: Params, actual: str, prefix: str = "") -> None:
    words = "detected modified configuration - file changed by other user? Try again."
    refuse_if(params.get("digest", actual) != actual, prefix + words)
