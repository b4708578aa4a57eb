"""Ports and signals: a lab's process from its start to its end."""

import asyncio
import json
import os
import secrets
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from cloudpemda.lab import layout as layouts
from cloudpemda.lab import pki
from cloudpemda.lab.control import Control
from cloudpemda.lab.errors import LabError
from cloudpemda.lab.files import write_secret
from cloudpemda.lab.server import Frontend, Listener
from cloudpemda.lab.site import Lab, keep_secret, load, lock, save

CLOSE_SECONDS = 1.0  # for requests that are still waiting when the lab stops
MAX_LINE = 65536  # bytes of a request line: PVE takes long queries


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
        runner = web.ServerRunner(server, shutdown_timeout=CLOSE_SECONDS)
        await runner.setup()
        context = pki.context(directory) if directory else None
        await web.SockSite(runner, sock, ssl_context=context).start()
        self._runners.append(runner)
        return int(sock.getsockname()[1])

    async def close(self) -> None:
        await asyncio.gather(*(runner.cleanup() for runner in self._runners))


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
    token = keep_secret(directory / "control.token", lambda: secrets.token_urlsafe(24))
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
    lab.faults.release(list(lab.faults.held), answer=False)
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
    descriptor = lock(directory)
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

# Lab seconds that a request takes, as many as it took where the recordings were made.
RECORDED_PER_REQUEST = 0.35
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
        layout = layouts.Layout(seed=7, durations=RECORDED_DURATIONS, clusters={})
        lab, start = Lab(layout, None), layout.start
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
