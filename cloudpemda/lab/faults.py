"""Scripted trouble: on requests (lose the answer, delay, error, hold) and at instants of lab time.

A script is a list. `{on: {method, path, cluster, nth|every|probability}, do: …}` watches requests;
`{at: 40s, do: …}` happens once, that long after the lab's start. Dice are seeded: the same script
and the same requests meet the same faults.
"""

import asyncio
import itertools
import random
import re
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Annotated, Literal

from pydantic import AliasChoices, BeforeValidator, Field, TypeAdapter, ValidationError

from cloudpemda.document.fields import Strict
from cloudpemda.lab import storage as storages
from cloudpemda.lab.clock import Clock, Event
from cloudpemda.lab.errors import LabError, Refused, first_wrong
from cloudpemda.lab.guests import add_container
from cloudpemda.lab.ha.manager import ask
from cloudpemda.lab.layout import upgrade
from cloudpemda.lab.nodes import cut_off, join_again, node_of, set_node
from cloudpemda.lab.pbs import vault
from cloudpemda.lab.qemu import machine
from cloudpemda.lab.qemu.lifecycle import remove
from cloudpemda.lab.routes import Row
from cloudpemda.lab.server import Reply
from cloudpemda.lab.state import Capacity, Vm
from cloudpemda.lab.world import World

LOST = Reply(0, "", None)  # an answer that never arrives


def seconds_of(value: object) -> float:
    """Lab seconds of `40s`, `5m`, `2h` or a number."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", str(value))
    if not found:
        raise LabError("lab.fault-invalid", error=f"not a duration: {value}")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]


Seconds = Annotated[float, BeforeValidator(seconds_of)]


class Watch(Strict):
    """Which requests a fault watches, and which of those it strikes."""

    cluster: str = "*"
    node: str = "*"
    method: str = "*"
    path: str = "*"
    nth: int | None = Field(None, ge=1)
    every: int | None = Field(None, ge=1)
    probability: float | None = Field(None, ge=0, le=1)


class OnRequest(Strict):
    on: Watch
    do: Literal["lose-answer", "delay", "error", "hold"]
    seconds: Seconds = 1
    status: int = 500
    reason: str = "Internal Server Error"
    when: Literal["before", "after"] = "before"
    _seen: int = 0
    _fired: int = 0

    def describe(self) -> Row:
        return self.model_dump(exclude_unset=True) | {"seen": self._seen, "fired": self._fired}

    def strikes(self, request: Row, dice: random.Random) -> bool:
        """Whether it strikes this request; counts those that it watches."""
        on = self.on
        globs = {"cluster": on.cluster, "node": on.node, "method": on.method, "path": on.path}
        if not all(fnmatchcase(str(request[key]), glob) for key, glob in globs.items()):
            return False
        self._seen += 1
        if on.nth is not None:
            struck = self._seen == on.nth
        elif on.every is not None:
            struck = self._seen % on.every == 0
        else:
            struck = on.probability is None or dice.random() < on.probability
        self._fired += struck
        return struck


class Timed(Strict):
    """A fault that waits for its hour, or that is asked for now."""

    at: Seconds
    cluster: str = ""
    _fired: int = 0

    def describe(self) -> Row:
        return self.model_dump(exclude_unset=True) | {"fired": self._fired}

    def fall_due(self, world: World) -> None:
        self._fired += 1
        told = self.model_dump(exclude_unset=True, exclude={"at", "cluster"})
        try:
            self.strike(world)
        except (LabError, Refused) as error:  # it names what is not there (any more)
            told["failed"] = str(error)
        world.note("fault", **told)
        world.stir()

    @abstractmethod
    def strike(self, world: World) -> None:
        """Do it. Raises LabError or Refused where there is nothing to strike."""


class Power(Timed):
    do: Literal[
        "node-down", "node-up", "node-hang", "node-reboot", "node-shutdown", "node-maintenance",
        "node-maintenance-end",
    ]  # fmt: skip
    node: str

    def strike(self, world: World) -> None:
        node, do = node_of(world, self.node), self.do.removeprefix("node-")
        if do == "hang":
            node.hung = True
        elif do.startswith("maintenance"):
            verb = "disable" if do.endswith("end") else "enable"
            ask(world, f"{verb}-node-maintenance {node.name}")
        elif do in ("reboot", "shutdown"):
            node.leaving = do if node.online else ""
            world.note("node-leaving", node=node.name, to=do)
        else:
            set_node(world, self.node, online=do == "up")


class Partition(Timed):
    """A node is cut off from everybody, or can be reached again; what runs on it goes on."""

    do: Literal["partition", "partition-end"]
    node: str

    def strike(self, world: World) -> None:
        (cut_off if self.do == "partition" else join_again)(world, self.node)


class FullStorage(Timed):
    """Somebody else's data takes all that is free, or leaves."""

    do: Literal["storage-full", "storage-freed"]
    storage: str
    node: str = ""

    def strike(self, world: World) -> None:
        storage = storages.storage_of(world.cluster, self.storage)
        total, _, avail = storages.space(world.cluster, storage, self.node)
        has = storages.capacity(world.cluster, storage, self.node)
        local = self.node and not storage.shared
        key = f"{self.storage}@{self.node}" if local else self.storage
        foreign = has.foreign + avail if self.do == "storage-full" else 0
        world.cluster.capacities[key] = Capacity(total, foreign)


class ClockSkew(Timed):
    do: Literal["clock-skew"]
    node: str
    seconds: Seconds = 120

    def strike(self, world: World) -> None:
        node_of(world, self.node).clock_skew = self.seconds


class Corrupt(Timed):
    """Data of a backup rots on a backup server: the next verification of it fails."""

    do: Literal["backup-corrupt"]
    store: str
    backup: str  # `vm/100`: the newest of this group

    def strike(self, world: World) -> None:
        store = vault.store_of(world, self.store)
        held = [one for one in store.snapshots.values() if one.group == self.backup]
        if not held:
            raise LabError("lab.no-such-backup", backup=self.backup)
        max(held, key=lambda one: one.time).corrupt = True


class TaskCrash(Timed):
    do: Literal["task-crash"]
    node: str | None = None
    type: str | None = None

    def strike(self, world: World) -> None:
        for upid, (task, _) in world.tasks.running.items():
            if self.type in (None, task.type) and self.node in (None, task.node):
                world.tasks.vanish(upid)
                break


class OutsideChange(Timed):
    """Somebody else's hand: root makes, changes or deletes a guest, past every check."""

    do: Literal["outside-change"]
    action: Literal["create-vm", "create-container", "change-vm", "delete-vm", "move-vm"]
    vmid: int
    node: str | None = None
    config: Mapping[str, object] = Field({}, validation_alias=AliasChoices("config", "set"))
    delete: Sequence[str] = ()
    status: Literal["running", "stopped"] | None = None

    def strike(self, world: World) -> None:
        match self.action:
            case "create-vm" | "create-container":
                self._create(world)
            case "change-vm":
                self._change(self._there(world.cluster.guests))
            case "move-vm":  # its configuration alone, as `mv` in /etc/pve/nodes does
                vm = self._there(world.cluster.vms)
                machine.take(world, vm, node_of(world, self.node or vm.node).name)
            case "delete-vm":
                self._delete(world, self._there(world.cluster.vms))
        world.note("outside", action=self.action, vmid=self.vmid)

    def _there(self, guests: Mapping[int, Vm]) -> Vm:
        if self.vmid not in guests:
            raise LabError("lab.no-such-vm", vmid=self.vmid)
        return guests[self.vmid]

    @property
    def _settings(self) -> dict[str, str]:
        return {key: str(value) for key, value in self.config.items()}

    def _create(self, world: World) -> None:
        if self.vmid in world.cluster.guests:
            raise LabError("lab.vm-exists", vmid=self.vmid)
        node = node_of(world, self.node or world.cluster.online[0]).name
        if self.action == "create-container":
            add_container(world.cluster, self.vmid, node, self._settings, 8, world.now())
        else:
            config = {"name": f"outside-{self.vmid}", "boot": " "} | self._settings
            world.cluster.vms[self.vmid] = Vm(self.vmid, node, config, created=world.now())

    def _change(self, vm: Vm) -> None:
        vm.config.update(self._settings)
        for key in self.delete:
            vm.config.pop(key, None)
        vm.status = self.status or vm.status

    def _delete(self, world: World, vm: Vm) -> None:
        """With all its disks, those of no configuration too."""
        for volume in [one for one in world.cluster.volumes if one.vmid == vm.vmid]:
            if volume.content == "images":
                storages.free(world, volume.volid, vm.node)
        remove(world, vm)


class Upgrade(Timed):
    """The last node of a cluster has been upgraded to another version, all of them are up."""

    do: Literal["upgrade"]
    version: Literal["9.2"] = "9.2"

    def strike(self, world: World) -> None:
        upgrade(world.cluster, self.version)
        world.note("outside", action="upgrade", version=self.version)


Fault = Annotated[
    OnRequest
    | Power
    | Partition
    | FullStorage
    | ClockSkew
    | Corrupt
    | TaskCrash
    | OutsideChange
    | Upgrade,
    Field(discriminator="do"),
]
SCRIPT = TypeAdapter(list[Fault])


def understood(script: object) -> list[Fault]:
    """The faults of a script, or LabError with the first thing that is wrong with it."""
    try:
        return SCRIPT.validate_python(script)
    except ValidationError as error:
        (wrong, *_) = error.errors()
        if wrong["type"] == "union_tag_invalid":
            do, known = wrong["ctx"]["tag"], wrong["ctx"]["expected_tags"]
            raise LabError("lab.no-such-fault", do=do, known=known.replace("'", "")) from error
        raise LabError("lab.fault-invalid", error=first_wrong(error)) from error


class Faults:
    """The script that is armed, and the requests that it holds."""

    def __init__(self, clock: Clock, worlds: Mapping[str, World], seed: int) -> None:
        self.clock, self.worlds = clock, worlds
        self.dice = random.Random(f"{seed}:faults")  # noqa: S311 - repeatable, guards nothing
        self.armed: list[Fault] = []
        self._events: list[Event] = []
        self._held: dict[int, tuple[Row, asyncio.Future[bool]]] = {}
        self._ids = itertools.count(1)

    def arm(self, script: object) -> None:
        """Replace the script; raises LabError, with nothing changed, if it is not understood."""
        armed = understood(script)
        timed = [(fault, self.world(fault.cluster)) for fault in armed if isinstance(fault, Timed)]
        for fault, world in timed:
            if node := getattr(fault, "node", None):
                node_of(world, node)
        for event in self._events:
            event.cancel()
        start, at = self.clock.start, self.clock.at
        self._events = [at(start + one.at, partial(one.fall_due, world)) for one, world in timed]
        self.armed = armed

    def world(self, cluster: str) -> World:
        """The cluster of this name; the first one for none."""
        name = cluster or next(iter(self.worlds))
        if name not in self.worlds:
            raise LabError("lab.no-such-cluster", cluster=name)
        return self.worlds[name]

    async def answer(self, request: Row, work: Callable[[], Awaitable[Reply]]) -> Reply:
        """Do a request's work; the first fault that strikes it strikes before, after or instead."""
        rules = [fault for fault in self.armed if isinstance(fault, OnRequest)]
        struck = [fault for fault in rules if fault.strikes(request, self.dice)]
        if not struck:
            return await work()
        fault, told = struck[0], {key: request[key] for key in ("method", "path")}
        self.world(str(request["cluster"])).note("fault", do=fault.do, **told)
        done = await work() if fault.when == "after" or fault.do == "lose-answer" else None
        match fault.do:
            case "lose-answer":
                return LOST
            case "error":
                body: Row = {"data": None, "message": fault.reason + "\n"}
                return Reply(fault.status, fault.reason, body)
            case "delay":
                await self.clock.pause(fault.seconds)
            case "hold":
                if not await self._hold(fault, request):
                    return LOST
        return done or await work()

    async def _hold(self, fault: OnRequest, request: Row) -> bool:
        """Wait for release; whether the request is to be answered."""
        number = next(self._ids)
        told = {key: request[key] for key in ("cluster", "method", "path")}
        gate: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._held[number] = ({"id": number, "when": fault.when} | told, gate)
        try:
            return await gate
        finally:
            del self._held[number]

    def release(self, number: int | None = None, *, answer: bool) -> int:
        """Let one held request go on, or all; how many there were."""
        gates = [gate for one, (_, gate) in self._held.items() if number in (None, one)]
        for gate in gates:
            if not gate.done():
                gate.set_result(answer)
        return len(gates)

    def holds(self) -> list[Row]:
        return [told for told, _ in self._held.values()]
