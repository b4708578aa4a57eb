"""Ports and signals: a lab's process from its start to its end."""

import asyncio
import json
import os
import secrets
import signal
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from cloudpemda.lab import layout as layouts
from cloudpemda.lab.control import Control
from cloudpemda.lab.directory import certified, held, keep_secret, write_secret
from cloudpemda.lab.errors import LabError
from cloudpemda.lab.pbs.server import PbsFrontend
from cloudpemda.lab.server import Frontend, Listener
from cloudpemda.lab.site import KeptLab, Lab

CLOSE_SECONDS = 1.0  # for requests that are still waiting when the lab stops
MAX_LINE = 65536  # bytes of a request line: PVE takes long queries
# Lab seconds that a request takes, as many as it took where the recordings were made.
RECORDED_PER_REQUEST = 0.35
RECORDED_DURATIONS = {"default": 0.3, "create": 0.5, "start": 1.0, "clone": 0.5, "import": 0.5}
Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Ports:
    """The listening ports of a lab, to be closed together."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self.tls, self.fingerprint = certified(directory)
        self.lab = lab
        self._runners: list[web.ServerRunner] = []
        for world in lab.worlds.values():
            world.fingerprint = self.fingerprint

    async def open(self, handle: Handle, port: socket.socket, *, plain: bool = False) -> int:
        async def answered(request: web.BaseRequest) -> web.StreamResponse:
            answer = await handle(request)
            self.lab.tell()
            return answer

        server = web.Server(answered, max_line_size=MAX_LINE)
        runner = web.ServerRunner(server, shutdown_timeout=CLOSE_SECONDS)
        await runner.setup()
        await web.SockSite(runner, port, ssl_context=None if plain else self.tls).start()
        self._runners.append(runner)
        return int(port.getsockname()[1])

    async def open_node(self, frontend: Frontend, node: str, port: socket.socket) -> int:
        return await self.open(Listener(frontend, node, self.lab.intercept).handle, port)

    async def serve(self, where: str, *chores: Coroutine[None, None, None]) -> None:
        """Let lab time run, and do the chores, until SIGTERM or SIGINT."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        print(f"listening: {where}", file=sys.stderr, flush=True)
        running = (stop.wait(), self.lab.clock.drive(), *chores)
        tasks = [asyncio.ensure_future(one) for one in running]
        ended, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        self.lab.faults.release(answer=False)
        for task in others:
            task.cancel()
        await asyncio.gather(*(runner.cleanup() for runner in self._runners))
        for task in ended:
            task.result()  # a chore ends by itself only where the program is wrong


def _near(port: int) -> socket.socket:
    """A listening socket on loopback: on this port when it is free, else on any."""
    with suppress(OSError):
        return socket.create_server(("127.0.0.1", port), backlog=128)
    return socket.create_server(("127.0.0.1", 0), backlog=128)


def serve_site(directory: Path, layout_file: Path | None = None) -> None:
    """Serve a whole site's lab in the foreground until SIGTERM or SIGINT.

    `directory` holds its state, certificates and tokens. A layout given once is kept there, so that
    later starts need none. Raises LabError for a bad layout, a state that it cannot read, or a
    directory in which a lab runs already.
    """
    with held(directory):
        kept = directory / "layout.yaml"
        layout = layouts.read(layout_file or (kept if kept.exists() else None))
        if layout_file is not None:
            write_secret(kept, layout_file.read_text("utf-8"))
        try:
            asyncio.run(_serve_kept(directory, layout))
        finally:
            (directory / "endpoints.json").unlink(missing_ok=True)


async def _serve_kept(directory: Path, layout: layouts.Layout) -> None:
    lab = KeptLab(layout, directory)
    ports, clusters, servers = Ports(lab, directory), dict[str, object](), dict[str, object]()
    for name, world in lab.worlds.items():
        backups, nodes = world.cluster.backups is not None, dict[str, str]()
        frontend = PbsFrontend(world) if backups else Frontend(world)
        for node in world.cluster.nodes:
            key = f"{name}/{node}"
            lab.ports[key] = await ports.open_node(frontend, node, _near(lab.ports.get(key, 0)))
            nodes[node] = f"https://127.0.0.1:{lab.ports[key]}"
        version = ".".join(world.cluster.version.removeprefix("pbs.").split(".")[:2])
        told = {"version": version, "fingerprint": ports.fingerprint, "nodes": nodes}
        (servers if backups else clusters)[name] = told
    token = keep_secret(directory / "control.token", secrets.token_urlsafe(24))
    handle, port = Control(lab, token).handle, _near(lab.ports.get("control", 0))
    lab.ports["control"] = await ports.open(handle, port, plain=True)
    control = {"url": f"http://127.0.0.1:{lab.ports['control']}", "token": token}
    endpoints = {"pid": os.getpid(), "control": control, "clusters": clusters}
    endpoints |= {"backup_servers": servers} if servers else {}
    write_secret(directory / "endpoints.json", json.dumps(endpoints, indent=1))
    await ports.serve(str(directory / "endpoints.json"), lab.keep())
    lab.end()


def serve_recorded(
    version: str, host: str, port: int, root_password: str, directory: Path | None = None
) -> None:
    """Serve one cluster, `version` 8.4 or 9.2, in the state that PVE's recordings start from.

    All nodes answer through the first one's port. `directory` keeps the certificates.
    """
    if version not in layouts.VERSIONS:
        raise LabError("lab.no-such-version", version=version)
    try:
        listening = socket.create_server((host, port), backlog=128)
    except (OSError, OverflowError) as error:
        where, told = f"{host}:{port}", getattr(error, "strerror", None) or str(error)
        reason = told.partition(" (while ")[0]  # what else it says is the address again
        raise LabError("lab.cannot-listen", where=where, error=reason) from error

    async def serve(directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Requests alone move the clock: two replays see the same cluster, however loaded we are.
        still = layouts.ClockLayout(rate="auto")
        lab = Lab(layouts.Layout(seed=7, clock=still, durations=RECORDED_DURATIONS, clusters={}))
        lab.clock.per_request = RECORDED_PER_REQUEST
        world = lab.add(layouts.recorded(version, lab.clock.now(), root_password))
        ports, node = Ports(lab, directory), next(iter(world.cluster.nodes))
        await ports.open_node(Frontend(world), node, listening)
        await ports.serve(f"https://{host}:{port}")

    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(serve(directory or Path(scratch)))
