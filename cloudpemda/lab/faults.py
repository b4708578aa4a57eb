"""Scripted trouble: on requests (lose the answer, delay, error, hold) and at instants of lab time.

A script is a list. `{on: {method, path, cluster, nth|every|probability}, do: …}` watches requests;
`{at: 40s, do: …}` happens once, that long after the lab's start. Dice are seeded: the same script
and the same requests meet the same faults.
"""

import asyncio
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from cloudpemda.lab import storage as storages
from cloudpemda.lab.clock import Clock, Event
from cloudpemda.lab.errors import LabError
from cloudpemda.lab.qemu import machine
from cloudpemda.lab.qemu.lifecycle import remove
from cloudpemda.lab.state import Capacity, Vm
from cloudpemda.lab.world import World

ON_KEYS = {"cluster", "method", "path", "node", "nth", "every", "probability"}
ON_VALUES = {"seconds", "status", "reason", "when"}
ON_ACTIONS = ("lose-answer", "delay", "error", "hold")
AT_ACTIONS = ("node-down", "node-up", "storage-full", "clock-skew", "task-crash", "outside-change")
AT_VALUES = {"cluster", "node", "storage", "seconds", "type", "action", "vmid"}
AT_VALUES |= {"config", "set", "delete", "status"}
LOST = 0  # the status of an answer that never arrives


@dataclass
class Rule:
    """A fault that waits for requests."""

    on: dict[str, object]
    action: str
    values: dict[str, object]
    seen: int = 0
    fired: int = 0

    def matches(self, cluster: str, node: str, method: str, path: str) -> bool:
        wanted = (("cluster", cluster), ("node", node), ("method", method), ("path", path))
        return all(
            fnmatchcase(actual, str(self.on[key])) for key, actual in wanted if key in self.on
        )

    def fires(self, dice: random.Random) -> bool:
        self.seen += 1
        if "nth" in self.on:
            hit = self.seen == int(str(self.on["nth"]))
        elif "every" in self.on:
            hit = self.seen % int(str(self.on["every"])) == 0
        elif "probability" in self.on:
            hit = dice.random() < float(str(self.on["probability"]))
        else:
            hit = True
        self.fired += hit
        return hit

    def describe(self) -> dict[str, object]:
        return {
            "on": self.on,
            "do": self.action,
            "seen": self.seen,
            "fired": self.fired,
            **self.values,
        }


@dataclass
class Timed:
    """A fault that waits for its hour."""

    at: float
    action: str
    values: dict[str, object]
    event: Event
    fired: int = 0

    def describe(self) -> dict[str, object]:
        return {"at": self.at, "do": self.action, "fired": self.fired, **self.values}


@dataclass
class Held:
    """A request that is kept open until it is released."""

    id: int
    when: str
    cluster: str
    method: str
    path: str
    gate: asyncio.Future[bool]


def seconds_of(value: object) -> float:
    """Lab seconds of `40s`, `5m`, `2h` or a number."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", str(value))
    if not found:
        raise LabError("lab.fault-invalid", error=f"not a duration: {value}")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]


class Faults:
    def __init__(self, clock: Clock, worlds: Mapping[str, World], seed: int) -> None:
        self.clock, self.worlds = clock, worlds
        self.dice = random.Random(f"{seed}:faults")  # noqa: S311 - repeatable, guards nothing
        self.rules: list[Rule] = []
        self.timed: list[Timed] = []
        self.held: dict[int, Held] = {}
        self._next_hold = 0

    def arm(self, script: list[Mapping[str, object]]) -> None:
        """Replace the script; raises LabError, with nothing changed, if it is not understood."""
        rules = [self._rule(item) for item in script if "on" in item]
        timed = [self._parse_timed(item) for item in script if "on" not in item]
        for old in self.timed:
            old.event.cancel()
        self.rules, self.timed = rules, []
        for at, action, values in timed:
            self._arm_timed(at, action, values)

    def _rule(self, item: Mapping[str, object]) -> Rule:
        on = item["on"]
        action = str(item.get("do"))
        if not isinstance(on, dict) or set(on) - ON_KEYS or action not in ON_ACTIONS:
            raise LabError("lab.fault-invalid", error=f"{dict(item)}")
        values = {key: value for key, value in item.items() if key not in ("on", "do")}
        if set(values) - ON_VALUES:
            raise LabError("lab.fault-invalid", error=f"{dict(item)}")
        return Rule(dict(on), action, values)

    def _parse_timed(self, item: Mapping[str, object]) -> tuple[float, str, dict[str, object]]:
        action = str(item.get("do"))
        if "at" not in item or action not in AT_ACTIONS:
            raise LabError("lab.fault-invalid", error=f"{dict(item)}")
        values = {key: value for key, value in item.items() if key not in ("at", "do")}
        if set(values) - AT_VALUES:
            raise LabError("lab.fault-invalid", error=f"{dict(item)}")
        return seconds_of(item["at"]), action, values

    def _arm_timed(self, at: float, action: str, values: dict[str, object]) -> None:
        def strike() -> None:
            timed.fired += 1
            self.strike(action, values)

        timed = Timed(at, action, values, self.clock.at(self.clock.start + at, strike))
        self.timed.append(timed)

    def describe(self) -> list[dict[str, object]]:
        return [rule.describe() for rule in self.rules] + [timed.describe() for timed in self.timed]

    def on_request(self, cluster: str, node: str, method: str, path: str) -> Rule | None:
        """The first fault that strikes this request; every matching one counts it as seen."""
        struck: Rule | None = None
        for rule in self.rules:
            if (
                rule.matches(cluster, node, method, path)
                and rule.fires(self.dice)
                and struck is None
            ):
                struck = rule
        return struck

    async def hold(self, rule: Rule, cluster: str, method: str, path: str) -> bool:
        """Wait for release; whether the request is to be answered."""
        self._next_hold += 1
        gate: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        when = str(rule.values.get("when", "before"))
        held = Held(self._next_hold, when, cluster, method, path, gate)
        self.held[held.id] = held
        try:
            return await gate
        finally:
            self.held.pop(held.id, None)

    def release(self, ids: list[int], *, answer: bool) -> int:
        """Let held requests go on; how many there were."""
        found = [held for held in self.held.values() if held.id in ids]
        for held in found:
            if not held.gate.done():
                held.gate.set_result(answer)
        return len(found)

    def describe_held(self) -> list[dict[str, object]]:
        return [
            {"id": h.id, "when": h.when, "cluster": h.cluster, "method": h.method, "path": h.path}
            for h in self.held.values()
        ]

    # -- what strikes at an instant ------------------------------------------------------------

    def strike(self, action: str, values: Mapping[str, object]) -> None:
        world = self.world(values)
        if action in ("node-down", "node-up"):
            set_node(world, str(values["node"]), online=action == "node-up")
        elif action == "storage-full":
            _fill(world, str(values["storage"]), str(values.get("node", "")))
        elif action == "clock-skew":
            world.cluster.nodes[str(values["node"])].clock_skew = seconds_of(
                values.get("seconds", 120)
            )
        elif action == "task-crash":
            kind = values.get("type")
            for upid, (task, _) in list(world.tasks.running.items()):
                if kind in (None, task.type) and values.get("node") in (None, task.node):
                    world.tasks.vanish(upid)
                    break
        elif action == "outside-change":
            outside(world, values)
        world.note("fault", do=action, **{k: v for k, v in values.items() if k != "cluster"})

    def world(self, values: Mapping[str, object]) -> World:
        name = str(values.get("cluster", next(iter(self.worlds))))
        if name not in self.worlds:
            raise LabError("lab.no-such-cluster", cluster=name)
        return self.worlds[name]


def set_node(world: World, name: str, *, online: bool) -> None:
    """A node loses power, or comes back. Its workers vanish and its guests are off."""
    if name not in world.cluster.nodes:
        raise LabError("lab.no-such-node", node=name)
    node = world.cluster.nodes[name]
    if node.online == online:
        return
    node.online = online
    world.note("node-up" if online else "node-down", node=name)
    if online:
        node.booted = world.now()
        for vm in world.cluster.vms.values():
            if vm.node == name and vm.config.get("onboot") == "1" and not vm.template:
                managed = f"vm:{vm.vmid}" in world.cluster.ha_resources
                if not managed and not vm.config.get("lock"):
                    machine.run(world, vm)
        return
    world.tasks.vanish_on(name)
    for vm in world.cluster.vms.values():
        if vm.node == name and vm.status != "stopped":
            vm.status, vm.started, vm.pid = "stopped", 0.0, 0
            world.note("vm-lost", vmid=vm.vmid, node=name)


def _fill(world: World, name: str, node: str) -> None:
    storage = storages.storage_of(world.cluster, name)
    total, _, avail = storages.space(world.cluster, storage, node)
    has = storages.capacity(world.cluster, storage, node)
    key = f"{name}@{node}" if node and not storage.shared else name
    world.cluster.capacities[key] = Capacity(total, has.foreign + avail)


def outside(world: World, values: Mapping[str, object]) -> dict[str, object]:
    """Somebody else's hand: root makes, changes or deletes a VM, past every check."""
    action = values.get("action")
    vmid = int(str(values.get("vmid", 0)))
    cluster = world.cluster
    if action == "create-vm":
        if vmid in cluster.vms:
            raise LabError("lab.vm-exists", vmid=vmid)
        node = str(values.get("node", cluster.online[0]))
        config = {"name": f"outside-{vmid}", "boot": " "} | _settings(values)
        cluster.vms[vmid] = Vm(vmid, node, config, created=world.now())
    elif vmid not in cluster.vms:
        raise LabError("lab.no-such-vm", vmid=vmid)
    elif action == "delete-vm":
        remove(world, cluster.vms[vmid])
    elif action == "change-vm":
        config = cluster.vms[vmid].config
        config.update(_settings(values))
        deleted = values.get("delete", [])
        for key in deleted if isinstance(deleted, (list, tuple)) else [deleted]:
            config.pop(str(key), None)
        status = values.get("status")
        if status in ("running", "stopped"):
            cluster.vms[vmid].status = str(status)
    else:
        raise LabError("lab.fault-invalid", error=f"no such action: {action}")
    world.note("outside", action=action, vmid=vmid)
    return {"vmid": vmid}


def _settings(values: Mapping[str, object]) -> dict[str, str]:
    raw = values.get("config", values.get("set", {}))
    if not isinstance(raw, dict):
        raise LabError("lab.fault-invalid", error="config is not a table")
    return {str(key): str(value) for key, value in raw.items()}
