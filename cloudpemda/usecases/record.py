"""A cluster's answers written down: what the lab is measured by, from somebody's own cluster.

Only reads are sent. What the token may not see is recorded as the refusal it is. The file has one
JSON object per line, an exchange each, in the form that replaying tools take; secrets, addresses
and names are gone from it (`proxmox.disguise`). The first line is no exchange of this cluster: it
tells who logs in where the file is played back.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cloudpemda.errors import Refused
from cloudpemda.proxmox import Exchange, NoAnswer, Pve, UnsafeName
from cloudpemda.proxmox.disguise import REMOVED, Disguise

# Reads that tell how a cluster answers; none runs anything in a guest, or yields a file.
_PATHS = """
/version /cluster/status /cluster/resources /cluster/options /cluster/nextid /cluster/tasks
/cluster/config/nodes /cluster/ha/status/current /cluster/ha/status/manager_status
/cluster/ha/resources /cluster/ha/resources/{sid} /cluster/ha/groups /cluster/ha/groups/{group}
/cluster/ha/rules /cluster/ha/rules/{rule} /cluster/replication /cluster/replication/{id}
/cluster/backup /cluster/backup/{job} /cluster/backup-info/not-backed-up
/cluster/firewall/options /cluster/firewall/groups /cluster/firewall/aliases
/cluster/firewall/ipset /cluster/sdn/zones /cluster/sdn/vnets
/nodes /nodes/{node}/status /nodes/{node}/time /nodes/{node}/version /nodes/{node}/network
/nodes/{node}/network/{iface} /nodes/{node}/dns /nodes/{node}/config /nodes/{node}/storage
/nodes/{node}/storage/{storage}/status /nodes/{node}/storage/{storage}/content
/nodes/{node}/replication /nodes/{node}/tasks /nodes/{node}/tasks/{upid}/status
/nodes/{node}/tasks/{upid}/log /nodes/{node}/lxc /nodes/{node}/qemu
/nodes/{node}/qemu/{vmid}/config /nodes/{node}/qemu/{vmid}/pending
/nodes/{node}/qemu/{vmid}/status/current /nodes/{node}/qemu/{vmid}/snapshot
/nodes/{node}/qemu/{vmid}/migrate /nodes/{node}/qemu/{vmid}/firewall/options
/storage /storage/{storage} /pools /pools/{poolid} /access/roles /access/roles/{roleid}
/access/users /access/users/{userid} /access/groups /access/groups/{groupid} /access/domains
/access/domains/{realm} /access/acl /access/permissions
"""
PATHS = tuple(_PATHS.split())
# Where the names for a placeholder come from: the list, and its field.
NAMES: Mapping[str, tuple[str, str]] = {
    "node": ("/nodes", "node"),
    "vmid": ("/nodes/{node}/qemu", "vmid"),
    "upid": ("/nodes/{node}/tasks", "upid"),
    "iface": ("/nodes/{node}/network", "iface"),
    "storage": ("/storage", "storage"),
    "sid": ("/cluster/ha/resources", "sid"),
    "group": ("/cluster/ha/groups", "group"),
    "rule": ("/cluster/ha/rules", "rule"),
    "id": ("/cluster/replication", "id"),
    "job": ("/cluster/backup", "id"),
    "poolid": ("/pools", "poolid"),
    "roleid": ("/access/roles", "roleid"),
    "userid": ("/access/users", "userid"),
    "groupid": ("/access/groups", "groupid"),
    "realm": ("/access/domains", "realm"),
}
Tell = Callable[[int, int, str], None]  # done, of how many, what


@dataclass(frozen=True, slots=True)
class Recording:
    """What was written, for whoever asked for it."""

    cluster: str
    version: str
    file: str
    exchanges: int
    refused: int  # answers other than 200: mostly what the token may not see
    unanswered: int
    skipped: int  # names that may not stand in a path


class _Recorder:
    def __init__(self, pve: Pve, each: int) -> None:
        self._pve, self._each = pve, each
        self.found: list[tuple[str, Exchange]] = []
        self.unanswered = self.skipped = 0
        self._answers: dict[str, object] = {}

    def read(self, tell: Tell) -> None:
        for done, template in enumerate(PATHS):
            tell(done, len(PATHS), template)
            for parts in self._fillings(template):
                self._read(template, parts)
        tell(len(PATHS), len(PATHS), "")

    def _read(self, template: str, parts: Mapping[str, str]) -> None:
        try:
            answer = self._pve.exchange(template, **parts)
        except UnsafeName:
            self.skipped += 1
        except NoAnswer:
            self.unanswered += 1
        else:
            self.found.append((template, answer))
            if isinstance(answer.body, Mapping):
                self._answers[answer.path] = answer.body.get("data")

    def _fillings(self, template: str) -> Iterator[dict[str, str]]:
        """The values for a template's placeholders, from what was read before: some of each."""
        pending: list[dict[str, str]] = [{}]
        for name in (part[1:-1] for part in template.split("/") if part.startswith("{")):
            source, field = NAMES[name]
            pending = [
                {**parts, name: value}
                for parts in pending
                for value in self._names(source, field, parts)
            ]
        yield from pending

    def _names(self, source: str, field: str, parts: Mapping[str, str]) -> list[str]:
        for name, value in parts.items():
            source = source.replace(f"{{{name}}}", value)
        rows = self._answers.get(source)
        named = [row[field] for row in rows if field in row] if isinstance(rows, list) else []
        return [str(name) for name in named[: self._each]]


def record(pve: Pve, file: Path, *, each: int, tell: Tell) -> Recording:
    """Read the cluster and write `file` (0600), with at most `each` members of every list.

    Raises Refused `record.exists` for a file that is there, `record.not-writable` where none can
    be made, and NoAnswer if the cluster is away.
    """
    if file.exists():
        raise Refused("record.exists", file=str(file))
    if not os.access(file.parent, os.W_OK | os.X_OK):  # before reading for minutes
        raise Refused("record.not-writable", file=str(file))
    version = pve.version()
    recorder = _Recorder(pve, each)
    recorder.read(tell)
    nodes = {
        str(row["node"])
        for _, answer in recorder.found
        if answer.path == "/nodes" and isinstance(answer.body, Mapping)
        for row in answer.body.get("data") or ()
    }
    disguise = Disguise(nodes)
    for _, answer in recorder.found:
        disguise.learn(answer.body)
    rows = [_login(), *(_row(disguise, *one) for one in recorder.found)]
    _write(file, "".join(json.dumps({"seq": n, **row}) + "\n" for n, row in enumerate(rows)))
    refused = sum(answer.status != 200 for _, answer in recorder.found)
    return Recording(
        pve.name, version, str(file), len(recorder.found), refused, recorder.unanswered,
        recorder.skipped,
    )  # fmt: skip


def _row(disguise: Disguise, template: str, answer: Exchange) -> dict[str, object]:
    return {
        "section": template.split("/")[1],
        "name": template,
        "method": "GET",
        "path": "/api2/json" + disguise.path(answer.path),
        "params": None,
        "param_encoding": "query",
        "auth": "root-ticket",
        "status_code": answer.status,
        "reason": disguise.apply(answer.reason, "reason"),
        "body": disguise.apply(answer.body),
    }


def _login() -> dict[str, object]:
    """Not recorded: whom a replay logs in as."""
    return {
        "section": "auth", "name": "login ok", "method": "POST",
        "path": "/api2/json/access/ticket", "param_encoding": "form", "auth": "none",
        "params": {"username": "root@pam", "password": REMOVED}, "status_code": 200, "reason": "OK",
        "body": None, "withheld": "not recorded: for whoever plays this back",
    }  # fmt: skip


def _write(file: Path, text: str) -> None:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Refused("record.not-writable", file=str(file)) from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
