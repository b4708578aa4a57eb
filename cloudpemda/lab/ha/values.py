"""What the HA daemons are told, and what they know: plain values, kept over a lab's end.

Each node has two daemons. The cluster's manager (`Crm`) is one at a time the master, by a lock; it
decides. The local one (`Lrm`) acts on its own node's services, while it holds its node's lock.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Literal, Protocol

ROUND = 10.0  # seconds between two rounds of a daemon
FENCE_DELAY = 60.0  # a node must be gone this long before it is fenced
LOCK_SECONDS = 120.0  # a lock that is not renewed this long may be taken by another
WATCHDOG_SECONDS = 60.0  # a node that does not renew what its watchdog guards is reset
MASTER_IDLE_ROUNDS = {"8": 89, "9": 90}  # without any service, until the master steps down
GROUPS_FIRST, GROUPS_AGAIN = 3, 6  # rounds of a master, until it tries to turn groups into rules
LOCAL_IDLE_ROUNDS = 60  # without a service on its node, until a local manager gives its lock back

MASTER_LOCK = "ha_manager_lock"
Outcome = Literal["done", "failed", "running"]
"""What became of a job; `running`: it was to be placed before its start, and runs already."""


def agent_lock(node: str) -> str:
    return f"ha_agent_{node}_lock"


@dataclass(frozen=True)
class Resource:
    """A managed service as the configuration has it. `kind` is `vm`, `ct` or another."""

    sid: str
    node: str
    state: str = "started"  # started, stopped, disabled, ignored
    max_restart: int = 1
    max_relocate: int = 1
    failback: bool = True

    @property
    def kind(self) -> str:
        return self.sid.partition(":")[0]

    @property
    def wanted(self) -> str:
        """The state to go on to from where nothing is under way."""
        return "started" if self.state == "started" else "request_stop"


@dataclass(frozen=True)
class NodeAffinity:
    """Where services shall run: nodes by priority. What groups of PVE 8 say is the same."""

    name: str
    resources: frozenset[str]
    nodes: Mapping[str, int]
    strict: bool = False


@dataclass(frozen=True)
class ResourceAffinity:
    """Services that shall be together on a node, or apart."""

    name: str
    resources: frozenset[str]
    positive: bool


Rule = NodeAffinity | ResourceAffinity


@dataclass(frozen=True)
class Load:
    """CPUs and bytes of memory: what a node has, or a service takes."""

    cpus: float = 0.0
    memory: float = 0.0


@dataclass
class Service:
    """A service as the manager sees it."""

    state: str
    node: str
    ticket: int  # changes when what is asked of the local manager does; results name it
    target: str = ""
    timeout: int | None = None
    command: list[str] = field(default_factory=list)
    failed_nodes: list[str] = field(default_factory=list)
    running: bool = False  # it was seen to have started
    maintenance_node: str = ""  # where it goes back to when that node's maintenance is over


@dataclass
class Lock:
    node: str
    renewed: float


@dataclass
class Job:
    """What a local manager does, or will do in its next round, for a service."""

    action: str  # the service's state that asks for it
    ticket: int | None  # None: nobody waits for the result
    target: str = ""
    timeout: int | None = None


@dataclass
class Crm:
    state: str = "wait_for_quorum"
    idle_rounds: int = 0
    stopping: bool = False


@dataclass
class Lrm:
    state: str = "wait_for_agent_lock"
    mode: str = "active"  # active, maintenance, restart, shutdown
    idle_rounds: int = 0
    stopping: bool = False
    unclean: bool = False  # a service would not stop when the node was to: the lock is kept
    tries: dict[str, int] = field(default_factory=dict)  # failed starts here, by service
    jobs: dict[str, Job] = field(default_factory=dict)  # to begin
    busy: dict[str, Job] = field(default_factory=dict)  # begun
    results: dict[int, Outcome] = field(default_factory=dict)


@dataclass
class Report:
    """What a local manager last told the cluster."""

    state: str
    mode: str
    when: float
    results: dict[int, Outcome] = field(default_factory=dict)


@dataclass
class Ha:
    """All that the daemons of a cluster know. Nodes are online, unknown, fence or maintenance."""

    master: str = ""
    nodes: dict[str, str] = field(default_factory=dict)
    last_online: dict[str, float] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    maintenance: list[str] = field(default_factory=list)  # asked for
    commands: list[str] = field(default_factory=list)  # to the master, unread
    locks: dict[str, Lock] = field(default_factory=dict)
    watchdogs: dict[str, float] = field(default_factory=dict)  # by `node/crm` or `/lrm`: renewed
    reports: dict[str, Report] = field(default_factory=dict)
    crms: dict[str, Crm] = field(default_factory=dict)  # of nodes that are up
    lrms: dict[str, Lrm] = field(default_factory=dict)
    tickets: int = 0
    groups_in: int = 0  # rounds until the master next tries to turn groups into rules
    groups_stay: str = ""  # what kept it from doing so the last time

    def ticket(self) -> int:
        self.tickets += 1
        return self.tickets

    def boot(self, node: str) -> None:
        self.crms[node], self.lrms[node] = Crm(), Lrm()

    def power_off(self, node: str) -> None:
        """The daemons are gone with their node; the locks stay until they are too old."""
        self.crms.pop(node, None)
        self.lrms.pop(node, None)
        for daemon in ("crm", "lrm"):
            self.watchdogs.pop(f"{node}/{daemon}", None)

    def picture(self) -> object:
        """All that can make the next round another than the last: not how often it went well."""
        told = [
            (sid, one.state, one.node, one.target, one.command, one.failed_nodes,
             one.maintenance_node, one.running)
            for sid, one in self.services.items()
        ]  # fmt: skip
        lrms = [
            (name, one.state, one.mode, one.idle_rounds, one.stopping, dict(one.tries),
             list(one.jobs), list(one.busy), self._pending(one.results))
            for name, one in self.lrms.items()
        ]  # fmt: skip
        modes = [(name, report.mode) for name, report in self.reports.items()]
        crms = [(name, one.state, one.idle_rounds) for name, one in self.crms.items()]
        asked = (list(self.commands), list(self.maintenance), self.groups_in)
        return deepcopy((self.nodes, told, lrms, modes, crms, asked))

    def _pending(self, results: Mapping[int, Outcome]) -> list[int]:
        """Results that the master will make something of."""
        return [
            one.ticket
            for one in self.services.values()
            if one.ticket in results
            and not (one.state in ("stopped", "started") and results[one.ticket] == "done")
        ]

    def renew(self, *, since: float, now: float) -> None:
        """What was renewed since then goes on being so until now."""
        for lock in self.locks.values():
            lock.renewed = now if lock.renewed >= since else lock.renewed
        for times in (self.watchdogs, self.last_online):
            times |= {key: now for key, when in times.items() if when >= since}
        for report in self.reports.values():
            report.when = now if report.when >= since else report.when

    def next_moment(self, since: float) -> float | None:
        """When the next of what nobody has renewed since then runs out; None: nothing will.

        What ran out since then is answered too: not every daemon has had its turn after that.
        """
        renewed = [(lock.renewed, LOCK_SECONDS) for lock in self.locks.values()]
        renewed += [(when, WATCHDOG_SECONDS) for when in self.watchdogs.values()]
        renewed += [(when, FENCE_DELAY) for when in self.last_online.values()]
        ends = [when + span + 1 for when, span in renewed if when < since]
        return min((end for end in ends if end >= since), default=None)

    def reset_by_watchdog(self, now: float) -> list[str]:
        """Nodes whose watchdog was not renewed in time."""
        late = [who for who, when in self.watchdogs.items() if now - when > WATCHDOG_SECONDS]
        return sorted({who.partition("/")[0] for who in late})


class Surroundings(Protocol):
    """What the daemons live in: a simulated cluster, or a test's few nodes."""

    @property
    def ha(self) -> Ha: ...

    def release(self) -> str: ...  # 8 or 9
    def now(self) -> float: ...
    def nodes(self) -> Mapping[str, bool]:
        """All nodes, and whether each is in the quorate part of the cluster."""

    def readable(self, node: str) -> bool:
        """Whether the node's cluster filesystem answers."""

    def resources(self) -> Mapping[str, Resource]: ...
    def rules(self) -> list[Rule]: ...
    def has_groups(self) -> bool:
        """Whether there are groups that 9 turns into rules."""

    def is_nine(self, node: str) -> bool:
        """Whether a node's PVE is new enough for groups to go."""

    def migrate_groups(self) -> None: ...
    def policy(self) -> str:
        """What a node's shutdown means: freeze, failover, migrate, conditional."""

    def scheduler(self) -> str: ...  # basic, static, dynamic
    def rebalances(self) -> bool:
        """Whether a service is placed anew before it is started."""

    def capacity(self, node: str) -> Load: ...
    def load(self, sid: str) -> Load: ...
    def running(self, sid: str) -> bool: ...
    def perform(self, node: str, sid: str, job: Job, done: Callable[[Outcome], None]) -> None:
        """Start, stop or move a service; `done` is called now or later, unless the node dies."""

    def take_over(self, sid: str, node: str) -> None:
        """Move the configuration of a service, and nothing else, off a node that is fenced."""

    def ask_stopped(self, sid: str) -> None:
        """Write into the configuration that the service shall be stopped."""

    def note(self, what: str, **values: object) -> None: ...
