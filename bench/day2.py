"""What day 2 costs for many VMs: resize, drift and retire, in requests and seconds.

    .venv/bin/python -m bench.day2 [--vms N] [--each M] [--no-script]

A lab in virtual time gets N VMs of class basic, M to a workload, by `apply`. Then every workload is
resized by an approved change (one vCPU and 1 GiB more), `drift` looks at all, and every workload is
retired. Beside it, on a lab of its own, a plain proxmoxer script does the same to N VMs of the same
make: it writes each configuration, reads each configuration, shuts each VM down, and waits for each
task. It asks for no identity, keeps no journal, no ledger and no quota, and reads nothing back.
Requests are those that the lab was sent for the VMs' cluster; seconds are the wall's, with the lab
on the same machine.
"""

import argparse
import contextlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from proxmoxer import ProxmoxAPI

from cloudpemda.cli import main as command_line
from cloudpemda.demo import inventory
from cloudpemda.lab import process
from cloudpemda.lab.process import RunningLab

OPD, ASKS, DECIDES = "bkad", "nina", "hendra"
MEASURED = ("resize", "drift", "retire")


@dataclass(frozen=True)
class Cost:
    """What one deed took for all VMs."""

    requests: int
    seconds: float


def ample(directory: Path) -> None:
    """Room for all of them: nodes, an OPD without limits, VMIDs, addresses."""
    lab = yaml.safe_load((directory / "lab.yaml").read_text())
    for node in lab["clusters"]["dc"]["nodes"].values():
        node.update(cpus=256, memory="2 TiB")
    lab["clusters"]["dc"]["storages"]["local-zfs"]["size"] = "20 TiB"
    lab["clusters"]["dc"]["storages"]["pbs-dc"]["size"] = "99 TiB"
    lab["clock"]["rate"] = "auto"
    (directory / "lab.yaml").write_text(yaml.safe_dump(lab))
    file = directory / "opd" / f"{OPD}.yaml"
    about = yaml.safe_load(file.read_text())
    sizes = ("instances", "vcpu", "memory", "backup")
    about["quota"] = dict.fromkeys(sizes, "unlimited") | {
        "disk": {"ssd": "unlimited", "hdd": "unlimited"}
    }
    file.write_text(json.dumps(about))


def told(directory: Path, actor: str, *words: str) -> int:
    """A command's exit code; what it says is not looked at."""
    line = ["--site", str(directory), "--output", "json", "--actor", actor, *words]
    with (
        open(directory / "var" / "told", "w", encoding="utf-8") as out,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
    ):
        try:
            command_line(line)
        except SystemExit as ended:
            return int(ended.code or 0)


def document(number: int, each: int, cores: int) -> dict[str, Any]:
    return {
        "apiVersion": "cloudpemda/v1",
        "kind": "VMRequest",
        "metadata": {
            "name": f"b{number}",
            "opd": OPD,
            "letter": {"number": "500/1/2026", "date": "2026-11-20"},
            "requester": {
                "name": "Nina Marlina", "nip": "199002202014022005", "position": "Kasubag",
                "email": "ti@example.go.id",
            },
        },
        "spec": {
            "purpose": "Ukur",
            "serviceClass": "basic",
            "until": "2027-12-31",
            "vms": [
                {
                    "name": "vm", "count": each, "image": "debian-12", "cpu": cores,
                    "memory": f"{cores} GiB",
                    "disks": [{"name": "root", "size": "10 GiB", "class": "ssd"}],
                    "networks": [{"name": f"{OPD}-app"}],
                    "sshKeys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHEtI6/NFxtsjrp0FhqG834THispg"
                                "css3k8O2ZFffCK7 nina@example"],
                }
            ],
        },
    }  # fmt: skip


def asked(directory: Path, number: int, each: int, cores: int) -> None:
    file = directory / "var" / f"b{number}.yaml"
    file.write_text(json.dumps(document(number, each, cores)))
    for actor, words in (
        (ASKS, ("request", "submit", str(file))),
        (DECIDES, ("request", "approve", f"{OPD}/b{number}")),
    ):
        assert told(directory, actor, *words) == 0, (directory / "var" / "told").read_text()


def cost(lab: RunningLab, work: Callable[[], object]) -> Cost:
    before, begun = len(lab.get("/requests")), time.perf_counter()
    work()
    took = time.perf_counter() - begun
    sent = lab.get("/requests")[before:]
    return Cost(sum(one["cluster"] == "dc" for one in sent), took)


@contextlib.contextmanager
def site(place: Path) -> Iterator[tuple[Path, RunningLab]]:
    """The lab's site with room for all, on a lab in virtual time."""
    shutil.copytree(inventory("lab"), place, ignore=shutil.ignore_patterns("var"))
    (place / "var").mkdir(mode=0o700)
    ample(place)
    lab, _ = process.start(place / "var" / "lab", place / "lab.yaml")
    try:
        yield place, lab
    finally:
        process.stop(lab.directory)


def ours(place: Path, workloads: int, each: int) -> dict[str, Cost]:
    with site(place) as (directory, lab):
        for number in range(workloads):
            asked(directory, number, each, 1)
        run(directory, "apply")
        for number in range(workloads):
            asked(directory, number, each, 2)
        found = {"resize": cost(lab, lambda: run(directory, "apply"))}
        lab.post("/wait", {"seconds": 30})
        found["drift"] = cost(lab, lambda: told(directory, "rudi", "drift"))

        def retire() -> None:
            for number in range(workloads):
                run(directory, "request", "retire", f"{OPD}/b{number}", "--reason", "ukur")

        found["retire"] = cost(lab, retire)
        return found


def run(directory: Path, *words: str) -> None:
    assert told(directory, "rudi", *words) == 0, (directory / "var" / "told").read_text()[:2000]


def script(place: Path, vms: int) -> dict[str, Cost]:
    """What a plain script does, with proxmoxer and no more thought than that."""
    with site(place) as (directory, lab):
        user, _, name = "cloudpemda@pve!apply".partition("!")
        nodes = lab.clusters["dc"]["nodes"]
        pve = ProxmoxAPI(
            nodes["pve1"].removeprefix("https://"), user=user, token_name=name,
            token_value=(directory / "var" / "lab" / "dc.token").read_text().strip(),
            verify_ssl=str(directory / "var" / "lab" / "ca.pem"), timeout=60,
        )  # fmt: skip
        there = [(pve.nodes(f"pve{number % 3 + 1}"), 13000 + number) for number in range(vms)]

        def wait(node: Any, upid: str) -> None:
            while node.tasks(upid).status.get()["status"] == "running":
                lab.post("/wait", {"seconds": 1})

        for node, vmid in there:
            wait(node, node.qemu.post(vmid=vmid, cores=1, memory=1024, scsi0="local-zfs:10"))
            wait(node, node.qemu(vmid).status.start.post())

        def resize() -> None:
            for node, vmid in there:
                node.qemu(vmid).config.put(cores=2, memory=2048)

        def look() -> None:
            for node, vmid in there:
                node.qemu(vmid).config.get()

        def retire() -> None:
            for node, vmid in there:
                wait(node, node.qemu(vmid).status.shutdown.post())
                node.qemu(vmid).config.put(onboot=0)

        works = {"resize": resize, "drift": look, "retire": retire}
        return {name: cost(lab, work) for name, work in works.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vms", type=int, default=200)
    parser.add_argument("--each", type=int, default=20, help="VMs of a workload")
    parser.add_argument("--no-script", action="store_true")
    args = parser.parse_args()
    workloads = args.vms // args.each
    count = workloads * args.each
    with tempfile.TemporaryDirectory() as folder:
        found = {"cloudpemda": ours(Path(folder) / "ours", workloads, args.each)}
        if not args.no_script:
            found["plain script"] = script(Path(folder) / "script", count)
    print(f"{count} VMs in {workloads} workloads")
    for who, costs in found.items():
        for deed in MEASURED:
            one = costs[deed]
            print(f"{who:>12} {deed:>7}: {one.seconds:6.1f} s, {one.requests / count:.1f} requests "
                  f"per VM ({one.requests})")  # fmt: skip


if __name__ == "__main__":
    main()
