"""Firewalls of the cluster, of nodes and of VMs: a file for each, served by one piece of code.

A file is lists of lines: rules in their order, aliases, IP sets and their members, and in the
cluster's file security groups and their rules. As PVE does, a VM's file is kept by the VM's number,
whether or not there is such a VM.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from cloudpemda.lab.errors import found, invalid, refuse_if
from cloudpemda.lab.routes import HANDLERS, Handler, Page, Row, route
from cloudpemda.lab.sections import shown
from cloudpemda.lab.tables import macros
from cloudpemda.lab.world import Call, check_digest, digest_of

Line = dict[str, str]
CLUSTER, VM = "/cluster/firewall", "/nodes/{node}/qemu/{vmid}/firewall"
FILES = {CLUSTER: "cluster", "/nodes/{node}/firewall": "node/{node}", VM: "vm/{vmid}"}
NO_OPTIONS = frozenset({"pos", "moveto", "rename", "delete", "digest", "force"})
REFERENCE = re.compile(r"(\+?)(dc/|guest/|sdn/)?([A-Za-z][A-Za-z0-9_-]+)")


def file_of(call: Call, base: str) -> dict[str, list[Line]]:
    name = FILES[base].format(**{**call.params, "node": call.node})
    return call.cluster.firewalls.setdefault(name, {})


def register(base: str, calls: Mapping[str, Handler]) -> None:
    """Serve calls on one file; those that change it do so under its lock."""
    lock = {CLUSTER: "firewall-cluster", VM: "firewall-vm-{vmid}"}.get(base, "firewall-host-{node}")

    def under_lock(change: Handler, call: Call) -> object:
        call.world.need_file_lock("", lock.format(**call.params))
        return change(call)

    for name, handler in calls.items():
        HANDLERS[name] = handler if name.startswith("GET ") else partial(under_lock, handler)


def reference_fault(call: Call, base: str, text: str) -> str:
    """Why a name is not that of an alias or IP set that is seen from a firewall."""
    sign, scope, name = found(REFERENCE.fullmatch(text), text).groups()
    owners = {CLUSTER} if scope == "dc/" else {base} - {CLUSTER} if scope else {CLUSTER, base}
    seen = [file_of(call, owner) for owner in owners]
    kind, wanted = ("ipset", name) if sign else ("aliases", name.lower())
    known = {line["name"] for lists in seen for line in lists.get(kind, ())}
    noun = "ipset" if sign else "alias"
    return "" if scope == "sdn/" or wanted in known else f"no such {noun} '{name}'"


def address_fault(text: str) -> str:
    """What PVE has against an address or a network; bits of the host do not matter."""
    address, _, prefix = text.partition("/")
    try:
        bits = ipaddress.ip_address(address).max_prefixlen
    except ValueError:
        return "value does not look like a valid IP address or CIDR network\n"
    longer = prefix and int(prefix) > bits
    return f"Prefix length {prefix} is longer than IP address ({bits})\n" if longer else ""


@dataclass(frozen=True)
class Lines:
    """One list of a firewall's file; its lines are known by name."""

    base: str
    path: str
    key: str
    noun: str = ""
    parent: str = ""  # what the list that holds this one calls its lines
    made_by: ClassVar[str] = "POST"

    def lines(self, call: Call) -> list[Line]:
        lists, path = file_of(call, self.base), self.path.format(**call.params)
        missing = f"no such {self.parent} '{path.partition('/')[2]}'"
        refuse_if(self.parent and path not in lists, missing)
        return lists.setdefault(path, [])

    def given(self, call: Call) -> Line:
        left_out = {*NO_OPTIONS, *re.findall(r"{(\w+)}", self.base + self.path)}
        return {key: value for key, value in call.params.items() if key not in left_out}

    def changed(self, call: Call, line: Line) -> Line:
        gone = call.items_of("delete")
        return {key: v for key, v in (line | self.given(call)).items() if key not in gone}

    def row(self, call: Call, line: Line) -> Row:
        row = shown(call.cluster.release, f"{self.made_by} {self.base}/{self.path}", line)
        if self.path == "aliases":
            row["ipversion"] = ipaddress.ip_interface(line["cidr"]).version
        return row | {"digest": digest_of(file_of(call, self.base))}

    def check_digest(self, call: Call) -> None:
        check_digest(call.params, digest_of(file_of(call, self.base)))

    def find(self, call: Call, name: str) -> Line:
        for line in self.lines(call):
            if line[self.key] in (name, name.lower()):
                return line
        raise invalid({self.key: f"no such {self.noun}"})

    def list(self, call: Call) -> list[Row]:
        return [self.row(call, x) for x in sorted(self.lines(call), key=lambda x: x[self.key])]

    def get(self, call: Call) -> Row:
        return self.row(call, self.find(call, call[self.key]))

    def create(self, call: Call) -> None:
        self._put(call, call.get("rename"), call[self.key])

    def update(self, call: Call) -> None:
        self._put(call, call[self.key], call.get("rename", call[self.key]))

    def _put(self, call: Call, old: str, new: str) -> None:
        """A line, in place of one that may have had another name."""
        self.check_digest(call)
        lines, lists = self.lines(call), file_of(call, self.base)
        new = new.lower() if self.path == "aliases" else new
        if new != old and any(line[self.key] == new for line in lines):
            raise invalid({self.key: f"{self.noun} '{new}' already exists"})
        if self.key == "cidr" and REFERENCE.fullmatch(new):
            fault = reference_fault(call, self.base, new)
            refuse_if(fault, fault)
        elif fault := address_fault(call.get("cidr", "::")):
            raise invalid({"cidr": f"invalid format - {fault}"})
        if old:
            lines.remove(self.find(call, old))
        if self.path in ("ipset", "groups"):
            lists[f"{self.path}/{new}"] = lists.pop(f"{self.path}/{old}", [])
        lines.append(self.given(call) | {self.key: new})

    def delete(self, call: Call) -> None:
        self.check_digest(call)
        name, lists = call[self.key], file_of(call, self.base)
        full = lists.get(f"{self.path}/{name}") and not call.flag("force")
        refuse_if(full, f"{self.noun} '{name}' is not empty")
        lists.pop(f"{self.path}/{name}", None)
        lines = self.lines(call)
        lines[:] = [line for line in lines if line[self.key] not in (name, name.lower())]

    def serve(self) -> None:
        here = f"{self.base}/{self.path}"
        one = f"{here}/{{{self.key}}}"
        calls: dict[str, Handler] = {
            f"GET {here}": self.list, f"POST {here}": self.create, f"DELETE {one}": self.delete,
        }  # fmt: skip
        if self.path not in ("ipset", "groups"):
            calls |= {f"GET {one}": self.get, f"PUT {one}": self.update}
        register(self.base, calls)


class Rules(Lines):
    """Rules are known by their place."""

    def at(self, call: Call) -> Line:
        rules, pos = self.lines(call), call.whole("pos")
        refuse_if(pos >= len(rules), f"no rule at position {pos}")
        return rules[pos]

    def list(self, call: Call) -> list[Row]:
        rules = enumerate(self.lines(call))
        return [self.row(call, rule) | {"pos": pos} for pos, rule in rules]

    def get(self, call: Call) -> Row:
        return self.row(call, self.at(call)) | {"pos": call["pos"]}

    def create(self, call: Call) -> None:
        rule = {"enable": "0"} | self.given(call)
        self._check(call, rule)
        self.lines(call).insert(0, rule)

    def update(self, call: Call) -> None:
        """Change a rule, or move it before the one that is at `moveto` now."""
        self.check_digest(call)
        rule, rules, pos = self.at(call), self.lines(call), call.whole("pos")
        moveto = call.whole("moveto", pos)
        if moveto != pos:
            rules.insert(moveto - (moveto > pos), rules.pop(pos))
            return
        changed = self.changed(call, rule)
        self._check(call, changed)
        rules[pos] = changed

    def delete(self, call: Call) -> None:
        self.check_digest(call)
        self.at(call)
        del self.lines(call)[call.whole("pos")]

    def _check(self, call: Call, rule: Line) -> None:
        faults, macro, grouped = {}, rule.get("macro", ""), rule["type"] == "group"
        for key in {"source", "dest"} & set(rule):
            if REFERENCE.fullmatch(rule[key]):
                faults[key] = reference_fault(call, self.base, rule[key])
            elif wrong := next(filter(address_fault, re.split("[,-]", rule[key])), ""):
                said = f"invalid IP address: Invalid chars in IP {wrong}\n"
                faults[key] = f"invalid format - {said}"
        if macro and macro.lower() not in map(str.lower, macros()):
            faults["macro"] = f"unknown macro '{macro}'"
        if grouped and self.parent:
            faults["type"] = "security groups not allowed"
        if not grouped and rule["action"] not in ("ACCEPT", "DROP", "REJECT"):
            faults["action"] = f"unknown action '{rule['action']}'"
        for key in {"dport", "sport"} & set(rule):
            if "proto" not in rule and not macro:
                faults["proto"] = f"missing property - '{key}' requires this property"
        if faults := {key: fault for key, fault in faults.items() if fault}:
            raise invalid(faults)


class Options(Lines):
    """What a firewall does as a whole: one line."""

    made_by = "PUT"

    def get(self, call: Call) -> Row:
        return self.row(call, *self.lines(call) or [{}])

    def update(self, call: Call) -> None:
        self.check_digest(call)
        lines = self.lines(call)
        lines[:] = [self.changed(call, *lines or [{}])]

    def references(self, call: Call) -> list[Row]:
        """What the rules here may name; a VM's own names hide the cluster's."""
        rows, own = dict[str, Row](), "dc" if self.base == CLUSTER else "guest"
        for base, scope in ((CLUSTER, "dc"), (self.base, own)):
            for kind, sign, path in (("ipset", "+", "ipset"), ("alias", "", "aliases")):
                for line in file_of(call, base).get(path, ()):
                    name, ref = sign + line["name"], f"{sign}{scope}/{line['name']}"
                    rows[name] = {key: line[key] for key in ("name", "comment") if key in line}
                    rows[name] |= {"type": kind, "ref": ref, "scope": scope}
        return [row for row in rows.values() if call.get("type") in ("", row["type"])]


for _base in FILES:
    Rules(_base, "rules", "pos").serve()
    _options = Options(_base, "options", "")
    _calls = {f"GET {_base}/options": _options.get, f"PUT {_base}/options": _options.update}
    register(_base, _calls)
    if _base in (CLUSTER, VM):
        Lines(_base, "aliases", "name", "alias").serve()
        Lines(_base, "ipset", "name", "IPSet").serve()
        Lines(_base, "ipset/{name}", "cidr", "address", "IPSet").serve()
        HANDLERS[f"GET {_base}/refs"] = _options.references
Lines(CLUSTER, "groups", "group", "Security group").serve()
Rules(CLUSTER, "groups/{group}", "pos", parent="security group").serve()


@route("GET /nodes/{node}/firewall/log", "GET /nodes/{node}/qemu/{vmid}/firewall/log")
def log(call: Call) -> Page:
    return Page([{"n": 1, "t": "no content"}], 1)


@route("GET /cluster/firewall/macros")
def list_macros(call: Call) -> list[Row]:
    return [{"macro": name, "descr": f"{name} traffic"} for name in macros()]
