"""A site's lab: its worlds on one clock, and how they are kept in a directory between runs."""

import fcntl
import json
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

from cloudpemda.lab import backup, replication
from cloudpemda.lab import layout as layouts
from cloudpemda.lab.clock import Clock
from cloudpemda.lab.errors import LabError
from cloudpemda.lab.faults import LOST, Faults, Rule, seconds_of
from cloudpemda.lab.files import write_secret
from cloudpemda.lab.ha import manager
from cloudpemda.lab.server import Reply, Values
from cloudpemda.lab.state import Cluster, dump, restore_cluster
from cloudpemda.lab.work import VANISHED
from cloudpemda.lab.world import World

SECRET_WORDS = ("password", "secret", "key", "ticket", "token")
Work = Callable[[], Awaitable[Reply]]


class Lab:
    """All clusters of a site, on one clock."""

    def __init__(self, layout: layouts.Layout, directory: Path | None = None) -> None:
        self.layout, self.directory = layout, directory
        self.clock = Clock(layout.start, layout.rate)
        self.events: list[dict[str, object]] = []
        self.requests: list[dict[str, object]] = []
        self.worlds: dict[str, World] = {}
        self.faults = Faults(self.clock, self.worlds, layout.seed)

    def add(self, cluster: Cluster) -> World:
        world = World(cluster, self.clock, self.layout.seed, self.layout.durations, self._note)
        self.worlds[cluster.name] = world
        manager.round_of(world)
        self.clock.after(replication.TICK, lambda: replication.tick(world))
        self.clock.after(backup.TICK, lambda: backup.tick(world))
        return world

    def _note(self, what: str, values: dict[str, object]) -> None:
        self.events.append({"at": self.clock.now(), "what": what, **values})

    def reset(self) -> None:
        """Back to the beginning, in place: fresh clusters, the same ports and tokens."""
        if self.directory is None:
            raise LabError("lab.no-directory")
        for world in self.worlds.values():
            world.tasks.vanish_on()
            fresh = _fresh(self.layout, world.cluster.name, self.clock.now(), self.directory)
            fresh.access.key = world.cluster.access.key
            for name in Cluster.__dataclass_fields__:
                setattr(world.cluster, name, getattr(fresh, name))
        self.events.clear()
        self.requests.clear()
        self.clock.start = self.clock.now()
        self.faults.arm([])
        # A lab that is killed starts from its last good stop: that must not be before the reset.
        (self.directory / "state.json").unlink(missing_ok=True)

    async def intercept(
        self,
        world: World,
        node: str,
        method: str,
        path: str,
        values: Values,
        work: Work,
    ) -> Reply:
        """Every request passes here: recorded, and struck by what the fault script says."""
        cluster = world.cluster.name
        rule = self.faults.on_request(cluster, node, method, path)
        entry: dict[str, object] = {
            "n": len(self.requests) + 1,
            "cluster": cluster,
            "node": node,
            "method": method,
            "path": path,
            "params": _redacted(values),
            "time": self.clock.now(),
            "status": None,
            "user": "",
        }
        self.requests.append(entry)
        reply = await (work() if rule is None else self._struck(rule, entry, work))
        entry["status"], entry["user"] = reply.status, reply.user
        return reply

    async def _struck(self, rule: Rule, entry: dict[str, object], work: Work) -> Reply:
        """A request that a fault strikes: before or after the work, or instead of it."""
        cluster, method, path = (str(entry[key]) for key in ("cluster", "method", "path"))
        self._note("fault", {"cluster": cluster, "do": rule.action, "method": method, "path": path})
        after = rule.values.get("when") == "after"
        done = await work() if after or rule.action == "lose-answer" else None
        match rule.action:
            case "lose-answer":
                return Reply(LOST, "", None)
            case "error":
                reason = str(rule.values.get("reason", "Internal Server Error"))
                status = int(str(rule.values.get("status", 500)))
                return Reply(status, reason, {"data": None, "message": reason + "\n"})
            case "delay":
                await self.clock.pause(seconds_of(rule.values.get("seconds", 1)))
            case "hold":
                if not await self.faults.hold(rule, cluster, method, path):
                    return Reply(LOST, "", None)
        return done or await work()


def _redacted(values: Values) -> dict[str, object]:
    return {
        name: "<redacted>"
        if any(word in name.lower() for word in SECRET_WORDS) and name != "sshkeys"
        else value
        for name, value in values.items()
    }


def _fresh(layout: layouts.Layout, name: str, now: float, directory: Path) -> Cluster:
    number = list(layout.clusters).index(name)
    password = keep_secret(directory / f"{name}.root-password", lambda: secrets.token_urlsafe(12))
    token = keep_secret(directory / f"{name}.token", _uuid)
    cluster = layouts.build(name, layout.clusters[name], number, now, password)
    layouts.grant_program(cluster, token)
    return cluster


def _uuid() -> str:
    text = secrets.token_hex(16)
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def keep_secret(path: Path, make: Callable[[], str]) -> str:
    """The secret in a file, made when there is none."""
    if not path.exists():
        write_secret(path, make())
    return path.read_text("utf-8").strip()


# -- a site's lab in its directory ---------------------------------------------------------------


def lock(directory: Path) -> int:
    """Hold the directory, or say that another lab does."""
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise LabError("lab.already-running", directory=str(directory)) from None
    return descriptor


def load(directory: Path, layout: layouts.Layout) -> tuple[Lab, dict[str, object]]:
    """A lab as it was when last stopped, or a fresh one; and the ports it had."""
    saved = directory / "state.json"
    lab = Lab(layout, directory)
    ports: dict[str, object] = {}
    if saved.exists():
        raw = json.loads(saved.read_text("utf-8"))
        lab.clock.advance(float(raw["now"]) - lab.clock.now())
        ports = raw["ports"]
        lab.events.extend(raw["events"])
        for item in raw["clusters"].values():
            cluster = restore_cluster(item)
            for task in cluster.tasks:
                if task.endtime is None:
                    task.endtime, task.status = lab.clock.now(), VANISHED
            lab.add(cluster)
    for name in layout.clusters:
        if name not in lab.worlds:
            lab.add(_fresh(layout, name, lab.clock.now(), directory))
    if not saved.exists():
        lab.faults.arm(list(layout.faults))
    return lab, ports


def save(lab: Lab, directory: Path, ports: dict[str, object]) -> None:
    for world in lab.worlds.values():
        world.tasks.vanish_on()
    state = {
        "now": lab.clock.now(),
        "ports": ports,
        "events": lab.events,
        "clusters": {name: dump(world.cluster) for name, world in lab.worlds.items()},
    }
    write_secret(directory / "state.json", json.dumps(state))
