"""How the lab carries a thousand VMs: `python -m bench.lab [--vms N] [--rounds N]`.

A lab in real time gets N VMs with a disk each, spread over three nodes and forty pools. Then, over
HTTPS on a connection that is kept, with cloudpemda's own token, `/cluster/resources` is read again
and again. Beside its median stand what `json.dumps` needs for the same answer, and a bare aiohttp
handler that sends the same bytes over HTTPS from a process of its own: no lab can be faster than
both together. Last, the lab is stopped and started again: until it listens, and its memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from aiohttp import web

from cloudpemda.lab.directory import certified
from tests.labs import RunningLab, layout, running_lab, start_lab

POOLS = 40


def session(lab: RunningLab) -> requests.Session:
    found = requests.Session()
    found.headers["Authorization"] = f"PVEAPIToken={lab.token()}"
    found.verify, found.trust_env = str(lab.ca), False  # its authority alone
    return found


def people(lab: RunningLab, api: requests.Session, count: int) -> None:
    """Make the VMs, as a client would."""
    for number in range(POOLS):
        _ask(api, lab, "POST", "/pools", poolid=f"opd-{number}")
    for number in range(count):
        node = f"pve{number % 3 + 1}"
        _ask(
            api, lab, "POST", f"/nodes/{node}/qemu", vmid=10000 + number, name=f"vm-{number}",
            memory=2048, cores=2, scsi0="local-zfs:1", net0="virtio,bridge=vmbr0,tag=110",
            boot="order=scsi0", pool=f"opd-{number % POOLS}", ipconfig0="ip=dhcp", tags="opd",
        )  # fmt: skip


def _ask(api: requests.Session, lab: RunningLab, method: str, path: str, **values: Any) -> Any:
    answer = api.request(method, lab.url("pve1") + "/api2/json" + path, data=values, timeout=60)
    assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.reason}"
    return answer.json()["data"]


def median_ms(work: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def serve_bare(directory: Path, body: bytes, port: Any) -> None:
    """The least that an aiohttp server can do for the same answer."""

    async def handle(request: web.BaseRequest) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    async def main() -> None:
        runner = web.ServerRunner(web.Server(handle))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certified(directory)[0])
        await site.start()
        port.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(main())


def bare_ms(lab: RunningLab, body: bytes, rounds: int) -> float:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=serve_bare, args=(lab.directory, body, there), daemon=True
    )
    process.start()
    try:
        api, url = session(lab), f"https://127.0.0.1:{here.recv()}/"
        return median_ms(lambda: api.get(url, timeout=60).content, rounds)
    finally:
        process.terminate()
        process.join()


def memory_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vms", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=30)
    asked = parser.parse_args()
    described = layout(clock={"rate": 1}, durations={"default": 0})
    with tempfile.TemporaryDirectory() as scratch:
        where = Path(scratch) / "lab"
        with running_lab(where, described) as lab:
            api = session(lab)
            people(lab, api, asked.vms)
            lab.control.wait(10)
            url = lab.url("pve1") + "/api2/json/cluster/resources"
            answer = api.get(url, timeout=60)
            named = [row for row in answer.json()["data"] if row["type"] == "qemu" and row["name"]]
            assert len(named) == asked.vms
            ours = median_ms(lambda: api.get(url, timeout=60).content, asked.rounds)
            dumps = median_ms(lambda: json.dumps(answer.json()), asked.rounds)
            dumps -= median_ms(answer.json, asked.rounds)
            bare = bare_ms(lab, answer.content, asked.rounds)
        began = time.perf_counter()
        again = start_lab(where)
        until = time.perf_counter() - began
        memory = memory_mib(again.process.pid)
        again.stop()
    least = dumps + bare
    print(f"{asked.vms} VMs, {len(answer.content) // 1024} KiB an answer")
    print(
        f"/cluster/resources  {ours:7.1f} ms   {ours / least:.1f} times json.dumps + bare aiohttp"
    )
    print(f"json.dumps          {dumps:7.1f} ms")
    print(f"bare aiohttp, HTTPS {bare:7.1f} ms")
    print(f"start until listening {until:.2f} s, memory at its most {memory:.0f} MiB")


if __name__ == "__main__":
    main()
