"""What each night must say, from the lab's log of what really happened and from the promises alone.

Nothing of the program is imported here. By definition:

- A VM's data that is left when its node is lost is the replica of the oldest recovery point among
  those that its class promises. What a run of replication has brought to a node counts from that
  run on. When HA has taken a VM away from a lost node, nothing counts until it has been replicated
  from where it is now: what the lost node still has is from before.
- What is left when the site is lost is the newest backup on the recovery centre's server that was
  neither pruned nor failed its verification there, as old as what it holds, not as its arrival.
- `late`: that is older than promised. `never`: there is none, and the VM is older than the promise.
- `unknown`: who would have to say it cannot be asked: the VM's own node for its replicas, the
  recovery centre's server for what lies on it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.nights.promises import CLASSES, HOUR

CLUSTER, SERVER = "dc", "pbs-drc"
TOLERANCE = 60  # seconds that clocks may disagree
_ON_SERVER = frozenset({"backup-stored", "backup-removed", "verified"})


class Breach(NamedTuple):
    """One VM that is not as recoverable as its class promises."""

    vm: str
    loss: str  # node, site
    standing: str  # late, never, unknown


@dataclass
class Machine:
    """One VM of the regency."""

    key: str
    service_class: str
    node: str
    made_at: float
    replicas: dict[str, float] = field(default_factory=dict)  # replication job → recovery point
    backups: dict[float, bool] = field(default_factory=dict)  # recovery point → good so far


@dataclass
class Oracle:
    """The truth so far; `vms` are the regency's by VMID: key and class."""

    vms: Mapping[int, tuple[str, str]]
    machines: dict[int, Machine] = field(default_factory=dict)
    down: set[tuple[str, str]] = field(default_factory=set)  # cluster, node
    skewed: dict[str, float] = field(default_factory=dict)  # `dc/pve1`, or a server → seconds
    counted: dict[str, int] = field(default_factory=dict)  # events by name

    def hear(self, events: Iterable[Mapping[str, Any]]) -> None:
        """What has happened since, in order."""
        for event in events:
            what = str(event["what"])
            self.counted[what] = self.counted.get(what, 0) + 1
            if what in ("node-down", "node-up"):
                place = (event["cluster"], event["node"])
                (self.down.add if what == "node-down" else self.down.discard)(place)
            elif what == "fault" and event["do"] == "clock-skew":
                cluster, node = event["cluster"], event["node"]
                where = node if cluster == node else f"{cluster}/{node}"
                self.skewed[where] = event["seconds"]
            elif event["cluster"] == SERVER and what in _ON_SERVER:
                self._on_server(what, event)
            elif event["cluster"] == CLUSTER and event.get("vmid") in self.vms:
                self._in_cluster(what, event)

    def _in_cluster(self, what: str, event: Mapping[str, Any]) -> None:
        vmid = event["vmid"]
        if what == "vm-created":
            key, service_class = self.vms[vmid]
            self.machines[vmid] = Machine(key, service_class, event["node"], event["at"])
            return
        machine = self.machines.get(vmid)
        if machine is None:  # its disks are made first
            return
        if what == "vm-moved":
            machine.node = event["target"]
        elif what == "vm-recovered":
            machine.node = event["target"]
            machine.replicas.clear()
        elif what == "replicated":
            machine.replicas[event["job"]] = event["recovery_point"]
        elif what == "replication-removed":
            machine.replicas.pop(event["job"], None)

    def _on_server(self, what: str, event: Mapping[str, Any]) -> None:
        kind, _, vmid = str(event["backup"]).partition("/")
        machine = self.machines.get(int(vmid)) if kind == "vm" else None
        if machine is None or event.get("origin", CLUSTER) != CLUSTER:
            return
        point = event["recovery_point"]
        if what == "backup-stored":
            machine.backups[point] = True
        elif what == "backup-removed":
            machine.backups.pop(point, None)
        elif what == "verified":
            machine.backups[point] = event["state"] == "ok"

    @property
    def wrong_clocks(self) -> set[str]:
        """The clocks that can be read and are wrong."""
        off = {where for where, seconds in self.skewed.items() if abs(seconds) > TOLERANCE}
        dark = {node if cluster == node else f"{cluster}/{node}" for cluster, node in self.down}
        return off - dark

    # -- judging -------------------------------------------------------------------------------
    def breaches(self, now: float, nodes: Iterable[str]) -> dict[Breach, float | None]:
        """All that a night must name at this moment, and the age in seconds of what is left."""
        answering = [node for node in nodes if (CLUSTER, node) not in self.down]
        stored = (SERVER, SERVER) not in self.down
        found: dict[Breach, float | None] = {}
        for one in self.machines.values():
            promise = CLASSES[one.service_class]
            replicas = sorted(one.replicas.values())
            left = replicas[0] if len(replicas) >= promise.copies > 0 else None
            good = [point for point, fine in one.backups.items() if fine]
            told = one.node in answering
            if promise.node is not None:
                found |= _judged(one, "node", promise.node, left, now, known=told)
            if promise.site is not None:
                found |= _judged(one, "site", promise.site, max(good, default=None), now,
                                 known=stored)  # fmt: skip
        return found


def _judged(
    one: Machine, loss: str, hours: float, left: float | None, now: float, *, known: bool
) -> dict[Breach, float | None]:
    if not known:
        return {Breach(one.key, loss, "unknown"): None}
    if left is None:
        young = now - one.made_at <= hours * HOUR
        return {} if young else {Breach(one.key, loss, "never"): None}
    late = now - left > hours * HOUR
    return {Breach(one.key, loss, "late"): now - left} if late else {}
