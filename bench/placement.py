"""Placement against a benchmark instance: value reached, time taken, and the referee's word.

    CLOUDPEMDA_BENCH=<folder with instances/, best-known.json, check.py> \
        python bench/placement.py [INSTANCE …]

`place` knows one question: does this set fit? For `max_value` the VM that found no node is left
out, and the question is asked again.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from cloudpemda.cluster import ClusterState, HaFlavour, Node, NodeStatus, Storage
from cloudpemda.placement import (
    DiskDemand,
    ImageDemand,
    NoFit,
    Placement,
    PlacementPolicy,
    VmDemand,
    place,
)
from cloudpemda.units import Cores, MiB, instant

IMAGE = "bench:import/image.qcow2"


def state_of(instance: dict[str, Any]) -> ClusterState:
    """The instance's nodes as a cluster; existing VMs are given as demands that already fit."""
    nodes = instance["nodes"]
    shared = instance["shared_storage"]
    content = frozenset({"images"})
    storages = [
        Storage(name, node["name"], "zfspool", False, content, MiB(gib * 1024), MiB(0), True)
        for node in nodes
        for name, gib in node["storage"].items()
    ]
    storages += [
        Storage(name, node["name"], "rbd", True, content, MiB(gib * 1024), MiB(0), True)
        for node in nodes
        for name, gib in shared.items()
    ]
    ram = instance["policy"]["ram_overcommit"]
    names = [node["name"] for node in nodes]
    return ClusterState(
        name=instance["name"],
        taken_at=instant(0),
        quorate=True,
        ha_flavour=HaFlavour.RULES,
        nodes={
            node["name"]: Node(
                node["name"],
                NodeStatus.ONLINE,
                Cores(node["cores"]),
                MiB(int(node["ram_mib"] * ram)),
                MiB(0),
            )
            for node in nodes
        },
        storages=tuple(storages),
        vms={},
        pools=frozenset(),
        images={IMAGE: frozenset(names)},
    )


def demand_of(vm: dict[str, Any], shared: dict[str, int]) -> VmDemand:
    replicated = bool(vm["replicate"]) and vm["storage_class"] not in shared
    return VmDemand(
        key=vm["name"],
        cores=Cores(vm["cpu"]),
        memory=MiB(vm["ram_mib"]),
        disks=(DiskDemand(vm["storage_class"], MiB(vm["disk_gib"] * 1024)),),
        image=ImageDemand(import_volume=IMAGE),
        ha=replicated,
        replicas=1 if replicated else 0,
        apart=vm["anti_affinity"],
    )


def solve(instance: dict[str, Any]) -> tuple[Placement, int]:
    """The placement of what fits, and how often it was asked."""
    if instance["existing"]:
        raise SystemExit(f"{instance['name']}: instances with existing VMs are not read yet")
    state = state_of(instance)
    policy = PlacementPolicy(instance["policy"]["cpu_overcommit"], MiB(0))
    demands = [demand_of(vm, instance["shared_storage"]) for vm in instance["vms"]]
    asked = 0
    while True:
        asked += 1
        outcome = place(demands, state, policy)
        if isinstance(outcome, Placement):
            return outcome, asked
        demands = without(demands, outcome)


def without(demands: list[VmDemand], refusal: NoFit) -> list[VmDemand]:
    return [demand for demand in demands if demand.key != refusal.key]


def referee(root: Path, name: str, placement: Placement) -> dict[str, Any]:
    """What the independent checker says of the solution."""
    solution = {vm.key: [vm.node, vm.targets[0] if vm.targets else None] for vm in placement.vms}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(solution, file)
        file.flush()
        said = subprocess.run(
            [sys.executable, root / "check.py", root / "instances" / f"{name}.json", file.name],
            capture_output=True,
            text=True,
            check=False,
        )
    if said.returncode != 0:
        raise SystemExit(f"{name}: {said.stdout}{said.stderr}")
    answer: dict[str, Any] = json.loads(said.stdout)
    return answer


def main(names: list[str]) -> None:
    root = Path(os.environ["CLOUDPEMDA_BENCH"])
    known = json.loads((root / "best-known.json").read_text())["instances"]
    for name in names:
        instance = json.loads((root / "instances" / f"{name}.json").read_text())
        begin = time.process_time()
        placement, asked = solve(instance)
        seconds = time.process_time() - begin
        found = referee(root, name, placement)
        best = known[name]
        ratio = found["value"] / best["best_known"]
        print(
            f"{name}: value {found['value']} of {best['best_known']} ({ratio:.3f}),"
            f" first fit {best['first_fit']}, placed {found['placed']} of {best['vms']},"
            f" max utilisation {found['max_util']}, asked {asked} times, {seconds:.2f} s"
        )


if __name__ == "__main__":
    main(sys.argv[1:] or ["gov-small-planted-s11"])
