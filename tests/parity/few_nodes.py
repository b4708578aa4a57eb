"""A few nodes with power, network and watchdogs, in which the HA daemons live through a scenario.

A round takes 20 seconds; in it each node's two daemons have their turn, a second each. The first
batch of commands comes at second 20, each further one 100 s after the one before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cloudpemda.lab.formats import split_list
from cloudpemda.lab.ha import crm, lrm
from cloudpemda.lab.ha.rules import of_group
from cloudpemda.lab.ha.values import (
    Ha,
    Job,
    Load,
    NodeAffinity,
    Outcome,
    Resource,
    ResourceAffinity,
    Rule,
    Service,
)

ROUND, BATCH_EVERY, AFTER_LAST, DELAY_MORE = 20, 100, 500, 80
Told = tuple[str, ...]


@dataclass
class Machine:
    power: bool
    network: bool
    pve: str  # its version
    readable: bool = True
    leaving: str = ""  # restart, reboot or shutdown, once asked for


class FewNodes:
    """Plays one scenario; `told` is what happened at which second, in order: to the services, by
    their name, and to nodes and daemons, by `node`, `crm` and `lrm`; and to `groups`."""

    def __init__(self, scenario: Mapping[str, Any], release: str) -> None:
        self.scenario, self.time, self.ha, self.version = scenario, 0.0, Ha(), release
        self.told: list[tuple[int, Told]] = []
        hardware = scenario["hardware_status"]
        self.machines = {
            name: Machine(
                one["power"] == "on", one["network"] == "on", one.get("pve-manager-version", "9")
            )
            for name, one in hardware.items()
        }
        self.on: dict[str, set[str]] = {name: set() for name in hardware}  # what runs where
        self.config = {sid: _resource(sid, one) for sid, one in scenario["service_config"].items()}
        self.groups = {sid: one.get("group") for sid, one in scenario["service_config"].items()}
        self.loads = scenario.get("static_service_stats", {})
        self.dynamic = scenario.get("dynamic_service_stats", {})
        self.skipped = Counter[str]()  # rounds that a kind of daemon will sleep through
        self.kept: list[Rule] = []  # that were groups
        self.tried = Counter[tuple[str, str]]()
        known = scenario["manager_status"]
        self.ha.nodes |= known.get("node_status", {})
        for sid, one in known.get("service_status", {}).items():
            target = one.get("target", "")
            self.ha.services[sid] = Service(one["state"], one["node"], self.ha.ticket(), target)

    # -- what the daemons see and do ---------------------------------------------------------------

    def release(self) -> str:
        return self.version

    def now(self) -> float:
        return self.time

    def nodes(self) -> Mapping[str, bool]:
        linked = {name: one.power and one.network for name, one in self.machines.items()}
        quorate = sum(linked.values()) * 2 > len(linked)
        return {name: up and quorate for name, up in linked.items()}

    def readable(self, node: str) -> bool:
        return self.machines[node].readable

    def resources(self) -> Mapping[str, Resource]:
        return self.config

    def rules(self) -> list[Rule]:
        rules = _sections(self.scenario.get("rules_config", ""))
        found = self.kept + [_rule(one) for one in rules if one.get("disable", "0") == "0"]
        for lines in _sections(self.scenario.get("groups", "")):
            name, options = lines["group"], lines
            sids = [sid for sid, group in self.groups.items() if group == name]
            strict = options.get("restricted") == "1"
            if sids:
                found.append(of_group(name, sids, _nodes(options["nodes"]), strict))
            for sid in sids if options.get("nofailback") == "1" else []:
                if sid in self.config:
                    self.config[sid] = replace(self.config[sid], failback=False)
        return found

    def has_groups(self) -> bool:
        return self.version != "8" and bool(self.scenario.get("groups"))

    def is_nine(self, node: str) -> bool:
        number, _, candidate = self.machines[node].pve.partition("~")
        numbers = [int(part) for part in number.replace("-", ".").split(".")]
        return numbers > [9, 0, 0] or (numbers == [9, 0, 0] and int(candidate or 99) >= 16)

    def migrate_groups(self) -> None:
        self.kept = self.rules()  # they are obeyed on, as rules now
        self.scenario = {**self.scenario, "groups": "", "rules_config": ""}

    def policy(self) -> str:
        return str(self._setting("ha", "shutdown_policy", "conditional"))

    def scheduler(self) -> str:
        return str(self._setting("crs", "ha", "basic"))

    def rebalances(self) -> bool:
        return bool(self._setting("crs", "ha-rebalance-on-start", 0))

    def _setting(self, key: str, name: str, default: object) -> object:
        return self.scenario.get("datacenter.cfg", {}).get(key, {}).get(name, default)

    def capacity(self, node: str) -> Load:
        one = self.scenario["hardware_status"][node]
        return Load(one.get("maxcpu") or one["cpus"], one.get("maxmem") or one["memory"])

    def load(self, sid: str) -> Load:
        now = self.dynamic.get(sid, {}) if self.scheduler() == "dynamic" else {}
        one = self.loads.get(sid, {})
        cpus, memory = now.get("cpu", one.get("maxcpu", 0)), now.get("mem", one.get("maxmem", 0))
        return Load(float(cpus), float(memory))

    def running(self, sid: str) -> bool:
        return sid in self.on.get(self.config[sid].node, ()) if sid in self.config else False

    def perform(self, node: str, sid: str, job: Job, done: Callable[[Outcome], None]) -> None:
        starts, moves, stops = _failures(sid, node)
        if job.action == "started":
            if self._fails("start", sid, starts):
                done("failed")
                return
            self.on[node].add(sid)
            self._tell(sid, "started on", node)
        elif job.action in ("request_stop", "stopped"):
            if stops:
                done("failed")
                return
            self.on[node].discard(sid)
        elif self._fails("move", sid, moves):
            done("failed")
            return
        else:
            self.on[node].discard(sid)  # here no service arrives running
            self.config[sid] = replace(self.config[sid], node=job.target)
        done("done")

    def _fails(self, what: str, sid: str, often: int) -> bool:
        """The first so many tries fail, again and again."""
        self.tried[what, sid] += 1
        if self.tried[what, sid] <= often:
            return True
        self.tried[what, sid] = 0
        return False

    def take_over(self, sid: str, node: str) -> None:
        self.config[sid] = replace(self.config[sid], node=node)

    def ask_stopped(self, sid: str) -> None:
        self.config[sid] = replace(self.config[sid], state="stopped")

    def note(self, what: str, **values: object) -> None:
        told = {key: str(value) for key, value in values.items()}
        if what == "ha-service":
            place = (told["node"], told.get("target", ""))
            self._tell(told["sid"], told["before"], told["after"], *place)
        elif what == "ha-recover":
            self._tell(told["sid"], "recovered to", told["node"])
        elif what == "ha-groups-migrated":
            self._tell("groups", "migrated")
        elif what in ("ha-node", "ha-crm", "ha-lrm"):
            kind = what.removeprefix("ha-")
            self._tell(kind, told["node"], told["before"], told["after"])

    def _tell(self, *what: str) -> None:
        self.told.append((int(self.time), what))

    # -- time and power ----------------------------------------------------------------------------

    def play(self) -> list[tuple[int, Told]]:
        batches, due = list(self.scenario["cmdlist"]), float(ROUND)
        end = due + AFTER_LAST
        while self.time <= end:
            if self.time >= due and batches:
                batch = batches.pop(0)
                for command in batch:
                    self._command(command.split())
                delay = max((int(c.split()[1]) for c in batch if c.startswith("delay")), default=0)
                due, end = (
                    self.time + max(BATCH_EVERY, delay + DELAY_MORE),
                    self.time + AFTER_LAST + 20,
                )
            begun = self.time
            for name in sorted(self.machines):
                self._turn(name)
            self.skipped -= Counter(crm=1, lrm=1)  # those that are left
            self.time = max(self.time, begun + ROUND)
        return self.told

    def _turn(self, name: str) -> None:
        """The round of a node's daemons; then watchdogs are looked at."""
        machine, begun = self.machines[name], self.time
        if name in self.ha.crms:
            if self.skipped["crm"] <= 0 and not crm.round_of(self, name):
                del self.ha.crms[name]
                again = machine.leaving == "reboot"
                if machine.leaving in ("reboot", "shutdown"):
                    self._power(name, on=False)
                if again:
                    self._power(name, on=True)
            self.time = begun + 1
        if name in self.ha.lrms:
            if self.skipped["lrm"] <= 0 and not lrm.round_of(self, name):
                del self.ha.lrms[name]
                if machine.leaving == "restart":
                    machine.leaving = ""
                    crms = self.ha.crms.get(name)
                    self.ha.boot(name)
                    if crms is not None:
                        self.ha.crms[name] = crms
                elif name in self.ha.crms:
                    self.ha.crms[name].stopping = True
            self.time += 1
        for late in self.ha.reset_by_watchdog(self.time):
            self._power(late, on=False)

    def _power(self, name: str, *, on: bool) -> None:
        machine = self.machines[name]
        if on and name not in self.ha.crms:
            machine.power = machine.network = True
            self.ha.boot(name)
        elif not on:
            machine.power = machine.network = False
            machine.leaving = ""
            self.ha.power_off(name)
            self.on[name].clear()

    def _command(self, words: list[str]) -> None:
        kind, subject, *rest = words
        match kind:
            case "power":
                self._power(subject, on=rest == ["on"])
            case "network":
                self.machines[subject].network = rest == ["on"]
            case "cfs":
                self.machines[subject].readable = rest[-1] == "work"
            case "reboot" | "shutdown":
                self._leave(subject, kind)
            case "restart-lrm":
                self._leave(subject, "restart")
            case "crm" if rest == ["stop"]:
                self.ha.crms[subject].stopping = True
            case "crm":
                self.ha.commands.append(f"{rest[0]} {subject}")
            case "service":
                self._service(subject, *rest)
            case "pve-manager-version":
                self.machines[subject].pve = rest[-1]
            case "skip-round":
                self.skipped[subject] = int(rest[0]) if rest else 1
            case _:
                assert kind == "delay", words

    def _leave(self, name: str, why: str) -> None:
        self.machines[name].leaving = why
        lrm.ask_to_end(self, name, why)

    def _service(self, sid: str, verb: str, *arguments: str) -> None:
        if verb == "add":
            state = arguments[1] if len(arguments) > 1 else "started"
            self.config[sid] = _resource(sid, {"node": arguments[0], "state": state})
            if arguments[2:] == ("1",):
                self.on[arguments[0]].add(sid)  # it runs already
        elif verb == "delete":
            del self.config[sid]
        elif verb in ("started", "stopped", "disabled", "ignored", "enabled"):
            self.config[sid] = replace(self.config[sid], state=_state(verb))
        elif verb in ("set-static-stats", "set-dynamic-stats"):
            stats = self.loads if "static" in verb else self.dynamic
            pairs = zip(arguments[::2], arguments[1::2], strict=True)
            stats[sid] = stats.get(sid, {}) | {key: float(value) for key, value in pairs}
        elif verb == "manual-migrate":  # past HA
            self.on[self.config[sid].node].discard(sid)
            self.on[arguments[0]].add(sid)
            self.take_over(sid, arguments[0])
        elif verb not in ("lock", "unlock"):  # these keep no daemon from anything
            self.ha.commands.append(f"{verb} {sid} {arguments[0]}")


def _state(name: str | None) -> str:
    return "started" if name == "enabled" else name or "disabled"


def _resource(sid: str, one: Mapping[str, Any]) -> Resource:
    numbers = {key: int(one[key]) for key in ("max_restart", "max_relocate") if key in one}
    back = str(one.get("failback", "1")) != "0"
    return Resource(sid, one["node"], _state(one.get("state")), failback=back, **numbers)


def _failures(sid: str, node: str) -> tuple[int, int, int]:
    """How often a service of the kind `fa` fails to start and to move, and whether to stop.

    The digits of its number say so; a sixth one, that it is so on the node of that number alone.
    """
    kind, _, digits = sid.partition(":")
    start, move, stop, _, only = (int(digit) for digit in digits[1:6].ljust(5, "0"))
    if kind != "fa":
        return 0, 0, 0
    return (start, move, stop) if only in (0, int(node[-1])) else (0, 0, 0)


def _sections(text: str) -> list[dict[str, str]]:
    """Sections of a configuration file: `kind` and its name, and the options below."""
    found: list[dict[str, str]] = []
    for line in text.splitlines():
        key, _, value = line.strip().partition(" ")
        if line[:1].strip():
            found.append({key.rstrip(":"): value})
        elif key:
            found[-1][key] = value.strip()
    return found


def _nodes(text: str) -> dict[str, int]:
    parts = [part.partition(":") for part in split_list(text)]
    return {name: int(priority or 0) for name, _, priority in parts}


def _rule(lines: Mapping[str, str]) -> Rule:
    resources = frozenset(split_list(lines["resources"]))
    if "node-affinity" in lines:
        strict = lines.get("strict") == "1"
        return NodeAffinity(lines["node-affinity"], resources, _nodes(lines["nodes"]), strict)
    name, positive = lines["resource-affinity"], lines["affinity"] == "positive"
    return ResourceAffinity(name, resources, positive)
