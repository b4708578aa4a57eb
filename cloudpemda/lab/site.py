"""A running lab: its worlds, its ports, its directory; started, stopped, resumed, reset."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import secrets
import signal
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from . import backup, pki, replication
from . import layout as layouts
from .clock import Clock
from .control import Control
from .errors import LabError
from .faults import LOST, Faults
from .files import write_secret
from .ha import manager
from .server import Frontend, Listener, Reply, Values
from .state import Cluster, dump, restore_cluster
from .tasks import VANISHED
from .world import World

MAX_LINE = 65536
SECRET_WORDS = ("password", "secret", "key", "ticket", "token")


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
            world.tasks.running.clear()
            fresh = _fresh(self.layout, world.cluster.name, self.clock.now(), self.directory)
            fresh.access.key = world.cluster.access.key
            for name in Cluster.__dataclass_fields__:
                setattr(world.cluster, name, getattr(fresh, name))
        self.events.clear()
        self.requests.clear()
        self.clock.start = self.clock.now()
        self.faults.arm([])

    async def intercept(
        self,
        world: World,
        node: str,
        method: str,
        path: str,
        values: Values,
        work: Callable[[], Awaitable[Reply]],
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
        reply: Reply | None = None
        if rule is not None:
            self.events.append(
                {"at": self.clock.now(), "what": "fault", "cluster": cluster, "do": rule.action,
                 "method": method, "path": path}
            )  # fmt: skip
            if rule.action == "delay":
                await self.clock.pause(float(str(rule.values.get("seconds", 1))))
            elif rule.action == "error":
                reason = str(rule.values.get("reason", "Internal Server Error"))
                status = int(str(rule.values.get("status", 500)))
                if rule.values.get("when") == "after":
                    await work()
                reply = Reply(status, reason, {"data": None, "message": reason + "\n"})
            elif rule.action == "hold":
                after = rule.values.get("when") == "after"
                done = await work() if after else None
                answer = await self.faults.hold(rule, cluster, method, path)
                reply = done or (await work() if answer else None)
                if not answer:
                    reply = Reply(LOST, "", None)
        if reply is None:
            reply = await work()
        entry["status"], entry["user"] = reply.status, reply.user
        if rule is not None and rule.action == "lose-answer":
            reply = Reply(LOST, "", None)
        return reply


def _redacted(values: Values) -> dict[str, object]:
    return {
        name: "<redacted>"
        if any(word in name.lower() for word in SECRET_WORDS) and name != "sshkeys"
        else value
        for name, value in values.items()
    }


def _fresh(layout: layouts.Layout, name: str, now: float, directory: Path) -> Cluster:
    number = list(layout.clusters).index(name)
    password = _secret(directory / f"{name}.root-password", lambda: secrets.token_urlsafe(12))
    token = _secret(directory / f"{name}.token", _uuid)
    cluster = layouts.build(name, layout.clusters[name], number, now, password)
    layouts.grant_program(cluster, token)
    return cluster


def _uuid() -> str:
    text = secrets.token_hex(16)
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _secret(path: Path, make: Callable[[], str]) -> str:
    """The secret in a file, made when there is none."""
    if not path.exists():
        write_secret(path, make())
    return path.read_text("utf-8").strip()


# -- a site's lab in its directory ---------------------------------------------------------------


def _lock(directory: Path) -> int:
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


def _listen(port: int) -> socket.socket:
    """A listening socket on loopback: on this port when it is free, else on any."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(("127.0.0.1", port))
    except OSError:
        sock.bind(("127.0.0.1", 0))
    sock.listen(128)
    return sock


class Ports:
    """Listening servers, to be closed together."""

    def __init__(self) -> None:
        self._runners: list[web.ServerRunner] = []

    async def open(self, server: web.Server, sock: socket.socket, directory: Path | None) -> int:
        runner = web.ServerRunner(server)
        await runner.setup()
        context = pki.context(directory) if directory else None
        await web.SockSite(runner, sock, ssl_context=context).start()
        self._runners.append(runner)
        return int(sock.getsockname()[1])

    async def close(self) -> None:
        for runner in self._runners:
            await runner.cleanup()


def _remembered(ports: dict[str, object], key: str) -> int:
    return int(str(ports.get(key, 0)))


async def _serve_site(directory: Path, layout: layouts.Layout, stop: asyncio.Event) -> None:
    pki.ensure(directory)
    lab, old = load(directory, layout)
    opened, ports = Ports(), dict[str, object]()
    clusters: dict[str, object] = {}
    fingerprint = pki.fingerprint(directory)
    for name, world in lab.worlds.items():
        world.fingerprint = fingerprint
        frontend, nodes = Frontend(world), dict[str, str]()
        for node in world.cluster.nodes:
            server = web.Server(
                Listener(frontend, node, lab.intercept).handle, max_line_size=MAX_LINE
            )
            key = f"{name}/{node}"
            ports[key] = await opened.open(server, _listen(_remembered(old, key)), directory)
            nodes[node] = f"https://127.0.0.1:{ports[key]}"
        version = ".".join(world.cluster.version.split(".")[:2])
        clusters[name] = {"version": version, "fingerprint": fingerprint, "nodes": nodes}
    token = _secret(directory / "control.token", lambda: secrets.token_urlsafe(24))
    server = web.Server(Control(lab, token).handle, max_line_size=MAX_LINE)
    ports["control"] = await opened.open(server, _listen(_remembered(old, "control")), None)
    control = {"url": f"http://127.0.0.1:{ports['control']}", "token": token}
    endpoints = {"pid": os.getpid(), "control": control, "clusters": clusters}
    write_secret(directory / "endpoints.json", json.dumps(endpoints, indent=1))
    await _until_stopped(lab, stop, str(directory / "endpoints.json"))
    await opened.close()
    save(lab, directory, ports)


async def _until_stopped(lab: Lab, stop: asyncio.Event, where: str) -> None:
    """Let lab time run until it is enough; says on stderr that all ports listen."""
    print(f"listening: {where}", file=sys.stderr, flush=True)
    drive = asyncio.create_task(lab.clock.drive())
    await stop.wait()
    drive.cancel()
    with suppress(asyncio.CancelledError):
        await drive


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


def serve_site(directory: Path, layout_file: Path | None = None) -> None:
    """Serve a whole site's lab until SIGTERM or SIGINT; raises `LabError`.

    A layout given once is kept in the directory, so that later starts need none.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    descriptor = _lock(directory)
    kept = directory / "layout.yaml"
    layout = layouts.read(layout_file or (kept if kept.exists() else None))
    if layout_file is not None:
        write_secret(kept, layout_file.read_text("utf-8"))

    async def main() -> None:
        stop = asyncio.Event()
        _stop_on_signals(stop)
        await _serve_site(directory, layout, stop)

    try:
        asyncio.run(main())
    finally:
        (directory / "endpoints.json").unlink(missing_ok=True)
        os.close(descriptor)


# -- one cluster in the recordings' starting state -----------------------------------------------

# Requests came about three a second; the rest of the time flows faster than it did.
RECORDED_RATE, RECORDED_PER_REQUEST = 5.0, 0.35
RECORDED_DURATIONS = {"default": 0.3, "create": 0.5, "start": 1.0, "clone": 0.5, "import": 0.5}


def serve_recorded(
    version: str,
    listen: tuple[str, int],
    root_password: str,
    keep: Path | None,
) -> None:
    """Serve one cluster in the state PVE's recordings start from, through its first node."""
    if version not in layouts.VERSIONS:
        raise LabError("lab.no-such-version", version=version)

    async def main(directory: Path) -> None:
        stop = asyncio.Event()
        _stop_on_signals(stop)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        pki.ensure(directory)
        start = layouts.read(None).start
        lab = Lab(layouts.Layout(7, start, RECORDED_RATE, RECORDED_DURATIONS, {}), None)
        lab.clock.per_request = RECORDED_PER_REQUEST
        world = lab.add(layouts.recorded(version, start, root_password))
        world.fingerprint = pki.fingerprint(directory)
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(listen)
        sock.listen(128)
        opened = Ports()
        node = next(iter(world.cluster.nodes))
        server = web.Server(
            Listener(Frontend(world), node, lab.intercept).handle, max_line_size=MAX_LINE
        )
        await opened.open(server, sock, directory)
        await _until_stopped(lab, stop, f"https://{listen[0]}:{listen[1]}")
        await opened.close()

    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(main(keep or Path(scratch)))
