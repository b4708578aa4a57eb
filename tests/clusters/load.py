"""Cluster states named by situation: each YAML file here is one `ClusterState`.

A node gives cores, memory and its storages; a VM its node and size, optionally `ha`, `only` (strict
affinity), `replica` (targets). Sizes carry their unit.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from cloudpemda.cluster import (
    ClusterState,
    HaFlavour,
    HaResource,
    HaRule,
    Node,
    NodeStatus,
    ReplicationJob,
    Storage,
    Vm,
    VmStatus,
)
from cloudpemda.units import Cores, MiB, instant, parse_size

NOW = instant(1_795_300_000)


def cluster(name: str) -> ClusterState:
    """The state that `<name>.yaml` describes."""
    path = Path(__file__).parent / f"{name}.yaml"
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    flavour = HaFlavour(raw.get("ha", "rules"))
    nodes = {node: _node(node, data) for node, data in raw["nodes"].items()}
    vms = {int(vmid): _vm(int(vmid), data) for vmid, data in raw.get("vms", {}).items()}
    managed = {vmid: data for vmid, data in raw.get("vms", {}).items() if data.get("ha")}
    return ClusterState(
        name=raw.get("name", "dc"),
        taken_at=NOW,
        quorate=raw.get("quorate", True),
        ha_flavour=flavour,
        nodes=nodes,
        storages=tuple(_storages(raw)),
        vms=vms,
        pools=frozenset(raw.get("pools", ())),
        ha_resources={
            f"vm:{vmid}": HaResource(
                f"vm:{vmid}",
                "started",
                "started",
                data["node"],
                f"g{vmid}" if flavour is HaFlavour.GROUPS and "only" in data else None,
            )
            for vmid, data in managed.items()
        },
        ha_rules=(
            *(_affinity(int(v), d, flavour) for v, d in managed.items() if "only" in d),
            *(_apart(name, vmids) for name, vmids in raw.get("apart", {}).items()),
        ),
        replication_jobs=tuple(
            ReplicationJob(f"{vmid}-{number}", int(vmid), target, "*/15", True, False)
            for vmid, data in raw.get("vms", {}).items()
            for number, target in enumerate(data.get("replica", ()))
        ),
        images={volume: frozenset(seen) for volume, seen in raw.get("images", {}).items()},
    )


def _node(name: str, data: Mapping[str, Any]) -> Node:
    return Node(
        name=name,
        status=NodeStatus(data.get("status", "online")),
        cores=Cores(data["cores"]),
        memory=parse_size(data["memory"]),
        memory_used=MiB(0),
    )


def _storages(raw: Mapping[str, Any]) -> list[Storage]:
    found = [
        _storage(name, node, data, shared=False)
        for node, node_data in raw["nodes"].items()
        for name, data in node_data.get("storages", {}).items()
    ]
    for name, data in raw.get("shared", {}).items():
        found += [_storage(name, node, data, shared=True) for node in data["nodes"]]
    return found


def _storage(name: str, node: str, data: Mapping[str, Any], *, shared: bool) -> Storage:
    return Storage(
        name=name,
        node=node,
        kind=data.get("kind", "nfs" if shared else "zfspool"),
        shared=shared,
        content=frozenset(data.get("content", ("images",))),
        total=parse_size(data["total"]),
        used=parse_size(data.get("used", "0 MiB")),
        active=data.get("active", True),
    )


def _vm(vmid: int, data: Mapping[str, Any]) -> Vm:
    return Vm(
        vmid=vmid,
        node=data["node"],
        name=data.get("name", f"vm-{vmid}"),
        status=VmStatus(data.get("status", "running")),
        cores=Cores(data.get("cores", 1)),
        memory=parse_size(data.get("memory", "1 GiB")),
        template=data.get("template", False),
        tags=frozenset(),
        pool=None,
        lock=None,
    )


def _affinity(vmid: int, data: Mapping[str, Any], flavour: HaFlavour) -> HaRule:
    groups = flavour is HaFlavour.GROUPS
    return HaRule(
        name=f"g{vmid}",
        kind="group" if groups else "node-affinity",
        resources=frozenset() if groups else frozenset({f"vm:{vmid}"}),
        nodes=dict.fromkeys(data["only"], 0),
        strict=True,
        positive=None,
        enabled=True,
    )


def _apart(name: str, vmids: list[int]) -> HaRule:
    return HaRule(
        name=name,
        kind="resource-affinity",
        resources=frozenset(f"vm:{vmid}" for vmid in vmids),
        nodes={},
        strict=False,
        positive=False,
        enabled=True,
    )
