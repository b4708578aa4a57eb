"""A site's lab: its worlds on one clock, and how they are kept in a directory between runs."""

import asyncio
import re
import secrets
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from cloudpemda.lab import backup
from cloudpemda.lab import layout as layouts
from cloudpemda.lab.clock import Clock, Rounds
from cloudpemda.lab.directory import keep_secret, write_secret
from cloudpemda.lab.errors import LabError, first_wrong
from cloudpemda.lab.faults import Faults
from cloudpemda.lab.ha.drive import Stage
from cloudpemda.lab.history import History
from cloudpemda.lab.pbs import vault
from cloudpemda.lab.replication import daemon as replication
from cloudpemda.lab.routes import Row
from cloudpemda.lab.server import Reply, Values
from cloudpemda.lab.state import MIB, Cluster
from cloudpemda.lab.told import Told
from cloudpemda.lab.work import VANISHED
from cloudpemda.lab.world import World

SECRET_WORDS = ("password", "secret", "key", "ticket", "token", "otp", "challenge", "response")
SCHEDULER_SECONDS = 60.0  # between two looks at what runs by schedule
SAVE_SECONDS = 2.0  # real ones, from a change until it is kept
LEAD_SECONDS = 2.0  # real ones, that a clock which runs by itself may be ahead after a kill
Work = Callable[[], Awaitable[Reply]]


class Lab:
    """All clusters of a site, on one clock."""

    def __init__(self, layout: layouts.Layout, keep: Path | None = None) -> None:
        """`keep` is the file of its events; without one they are in memory alone."""
        self.layout = layout
        rate = layout.clock.rate
        self.clock = Clock(layout.clock.start, None if rate == "auto" else rate)
        self.told = Told()
        self.events = History(keep)
        self.requests: list[Row] = []
        self.worlds: dict[str, World] = {}
        self.faults = Faults(self.clock, self.worlds, layout.seed)
        self.changed = asyncio.Event()  # since it was saved
        self.working = 0  # requests whose work has begun

    def add(self, cluster: Cluster) -> World:
        layout = self.layout
        rates: dict[str, float] = {kind: float(size * MIB) for kind, size in layout.rates.items()}
        world = World(cluster, self.clock, layout.seed, layout.durations, self._note, rates)
        self.worlds[cluster.name] = world
        world.neighbours = self.worlds
        if cluster.backups is not None:
            here = Rounds(self.clock, SCHEDULER_SECONDS, lambda: vault.look(world))
            world.rounds = [here]
            for other in self.worlds.values():
                other.rounds += [here] * (other is not world)  # its storages may be new
            world.stir()
            return world
        replication.begin(world)
        world.backup_made = partial(vault.take_in, world)
        world.backup_gone = partial(vault.let_go, world)

        def scheduler() -> float:
            return min(replication.look(world), backup.look(world))

        world.rounds = [
            Stage(world),
            Rounds(self.clock, SCHEDULER_SECONDS, scheduler),
            *(one.rounds[0] for one in self.worlds.values() if one.cluster.backups is not None),
        ]
        world.stir()
        return world

    def _note(self, what: str, values: Row) -> None:
        self.events.add(self.clock.now(), what, values)
        self.changed.set()

    def tell(self) -> None:
        """An answer leaves: its moment is never taken back."""
        self.told.tell(self.clock.now())

    async def intercept(
        self, world: World, node: str, method: str, path: str, values: Values, work: Work
    ) -> Reply:
        """Every request passes here: recorded, and struck by what the fault script says."""
        params = {name: _redacted(name, value) for name, value in values.items()}
        request: Row = {
            "n": len(self.requests) + 1, "cluster": world.cluster.name, "node": node,
            "method": method, "path": path, "params": params, "time": self.clock.now(),
            "status": None, "user": "",
        }  # fmt: skip
        self.requests.append(request)

        async def worked() -> Reply:
            self.working += 1
            try:
                return await work()
            finally:
                self.working -= 1
                if method != "GET":
                    self.changed.set()

        reply = await self.faults.answer(request, worked)
        request["status"], request["user"] = reply.status, reply.user
        return reply


def _redacted(name: str, value: object) -> object:
    secret = name != "sshkeys" and any(word in name.lower() for word in SECRET_WORDS)
    if isinstance(value, str) and "@" in value:
        value = re.sub(r"(\w://)[^/@\s]*@", r"\1<redacted>@", value)  # who calls, in an address
    return "<redacted>" if secret or isinstance(value, dict) else value


@dataclass
class Saved:
    """What is kept of a lab. Requests are not: they are a run's own."""

    now: float
    ports: dict[str, int]  # of nodes (`dc/pve1`) and of `control`
    clusters: list[Cluster]
    written: int = 0  # bytes of events


SAVED = TypeAdapter(Saved)


class KeptLab(Lab):
    """A lab whose state is kept in a directory, over its end and over a power cut."""

    def __init__(self, layout: layouts.Layout, directory: Path) -> None:
        super().__init__(layout, directory / "events.jsonl")
        self.directory, self.kept = directory, directory / "state.json"
        self.ports: dict[str, int] = {}
        self.told = self._told()
        first = not self.kept.exists()
        if first:
            self.events.go_on(0)
            self._catch_up()
            self.clock.start = self.clock.now()
        else:
            self._load()
            self._catch_up()
        for name in (*layout.clusters, *layout.backup_servers):
            if name not in self.worlds:
                self.add(self._fresh(name))
        if first:
            self._connect()
        if first:
            self.faults.arm(layout.faults)

    def _told(self) -> Told:
        file, rate = self.directory / "told", self.clock.rate
        try:
            return Told(file, LEAD_SECONDS * (rate or 0.0))
        except ValueError as error:
            raise LabError("lab.state-unreadable", file=str(file), error=str(error)) from error

    def _catch_up(self) -> None:
        """Nobody is told an earlier moment than the lab told before it was killed.

        What falls due until then happens, as if the lab had gone on with nobody asking.
        """
        self.clock.advance(max(0.0, self.told.until - self.clock.now()))

    def _load(self) -> None:
        """Go on from the saved state; tasks that ran then have vanished."""
        try:
            saved = SAVED.validate_json(self.kept.read_bytes())
        except ValidationError as error:
            file, told = str(self.kept), first_wrong(error)
            raise LabError("lab.state-unreadable", file=file, error=told) from error
        self.clock.advance(saved.now - self.clock.now())
        self.ports = saved.ports
        self.events.go_on(saved.written)
        for cluster in saved.clusters:
            world = self.add(cluster)
            for task in cluster.tasks:
                if task.endtime is None:
                    task.endtime, task.status = self.clock.now(), VANISHED
                    world.note("task-vanished", upid=task.upid)

    def save(self) -> None:
        self.changed.clear()
        clusters = [world.cluster for world in self.worlds.values()]
        saved = Saved(self.clock.now(), self.ports, clusters, self.events.keep())
        write_secret(self.kept, SAVED.dump_json(saved).decode())

    def end(self) -> None:
        """Save it all, the clock as it stands; nobody is answered any more."""
        self.save()
        self.told.settle()

    async def keep(self) -> None:
        """Save what has changed, soon after: a lab that is killed has lost seconds, no more."""
        while True:
            await self.changed.wait()
            await asyncio.sleep(SAVE_SECONDS)
            if not self.working:
                self.save()

    def reset(self) -> None:
        """Back to the beginning, in place: fresh clusters, the same ports and tokens."""
        for world in self.worlds.values():
            world.tasks.vanish_on()
            fresh = self._fresh(world.cluster.name)
            fresh.access.key = world.cluster.access.key
            for name in Cluster.__dataclass_fields__:
                setattr(world.cluster, name, getattr(fresh, name))
        self._connect()
        self.events.go_on(0)
        self.requests.clear()
        self.clock.start = self.clock.now()
        for world in self.worlds.values():
            world.stir()
        self.faults.arm([])
        self.save()

    def _connect(self) -> None:
        """Give fresh backup servers the sync jobs of the layout."""
        for name, described in self.layout.backup_servers.items():
            for job, sync in described.sync.items():
                there = self.worlds[sync.source].cluster
                layouts.add_sync(job, sync, self.worlds[name].cluster, there)

    def _fresh(self, name: str) -> Cluster:
        uuid4 = uuid.UUID(bytes=secrets.token_bytes(16), version=4)
        token = keep_secret(self.directory / f"{name}.token", str(uuid4))
        password = keep_secret(self.directory / f"{name}.root-password", secrets.token_urlsafe(12))
        if name in self.layout.backup_servers:
            server = self.layout.backup_servers[name]
            return layouts.build_server(name, server, self.clock.now(), password, token)
        number, described = list(self.layout.clusters).index(name), self.layout.clusters[name]
        cluster = layouts.build(name, described, number, self.clock.now(), password)
        layouts.grant_program(cluster, token)
        return cluster
