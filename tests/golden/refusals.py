"""Every refusal with example values, in both languages, with what the reader can do next."""

import string
from collections.abc import Mapping
from pathlib import Path

from cloudpemda.messages import Lang, Text, explain, texts
from cloudpemda.rules.quota import Size

FILE = Path(__file__).with_name("refusals.md")

_LANGS: tuple[Lang, ...] = ("id", "en")

TOLD = ("change.", "column.", "night.", "reply.", "show.")
"""Families of texts that tell and refuse nothing: titles, differences, what a command found."""

TOLD_ONE_BY_ONE = frozenset(
    {
        # What a check found in order, a command has done, or the demo is about to do.
        "cli.missing", "cli.no-command", "cli.no-option", "cli.usage-line",
        "demo.apply", "demo.approve", "demo.end", "demo.faulty", "demo.lab", "demo.night",
        "demo.plan", "demo.status", "demo.submit", "demo.too-big", "demo.node-dies",
        "demo.vm-lost", "demo.ha-fence", "demo.ha-fenced", "demo.vm-recovered", "demo.vm-started",
        "desk.assumed", "doctor.backup", "doctor.bridges", "doctor.clock", "doctor.clock-order",
        "doctor.endpoint",
        "doctor.firewall", "doctor.firewall-managed", "doctor.firewall-off",
        "doctor.ha-flavour", "doctor.image", "doctor.quorum", "doctor.rights", "doctor.stages",
        "doctor.datastore", "doctor.server", "doctor.storage", "doctor.sync", "doctor.verify",
        "doctor.version", "inbox.counted", "inbox.taken", "inbox.waiting",
        "lab.advanced", "lab.reset-ask", "lab.runs-already", "lab.started", "lab.stopped",
        "lab.was-not-running",
        "lab.was-reset", "record.written", "recovery.node-not-promised", "recovery.node-ok",
        "recovery.node-pending", "recovery.site-not-promised", "recovery.site-ok",
        "recovery.site-pending", "request.change-denied", "request.change-withdrawn",
        "request.denied", "request.was-withdrawn",
        # Reasons counted under `placement.no-node` and its like, which say what to do.
        "placement.cpu", "placement.disk", "placement.excluded", "placement.exposed-apart",
        "placement.exposed-local-disk", "placement.exposed-no-node", "placement.memory",
        "placement.other-site",
    }
)  # fmt: skip

EXAMPLES: Mapping[str, object] = {
    "server": "pbs-drc",
    "datastore": "main",
    "namespace": "opd/dinkes",
    "free": "80 GiB",
    "schedule": "mon..sun 02:00",
    "disks": "scsi1 (nfs): replication",
    "after": 20480, "age": "31 h", "allowed": "normal, dev", "approval": "executive",
    "argument": "dinkes/simrs", "asked": "dc2", "before": 40960, "best": "12 GiB",
    "bridge": "vmbr0", "byte": "0xff", "call": "GET /nodes", "cause": "No space left on device",
    "character": "U+200B", "choices": "debian-12, ubuntu-24.04", "cidr": "10.10.110.0/24",
    "about": "postings:12-29",
    "claimed": "bkad", "cluster": "dc", "code": "dinkes", "committed": -4, "commands":
    "\n  qm unlock 10000\n  qm destroy 10000\n", "count": 2, "days": 3650, "deepest": 20, "desired":
    "40 GiB", "detail": "nth must be at least 1", "differences": "memory, tags", "dimension":
    "memory", "directory": "/srv/site", "disk": "data", "do": "explode", "endpoint":
    "https://pve1.example.go.id:8006", "entries": 117, "error": "Address already in use",
    "event": "approve", "file": "requests/simrs.yaml", "first": 10000, "flavor": "m4",
    "folder": "dinkes", "found": 9, "gateway": "10.10.110.1", "gone": "db-2", "held": 8192,
    "host": "desk1", "image": "debian-12", "images": "debian-12", "instances":
    "dinkes/simrs/db-1", "job": "backup-dinkes", "key": "dinkes/simrs", "kind": "KeyError",
    "known": "3", "largest_kib": 256, "last": 10999, "least": 1, "left": Size(4096), "length":
    120, "limit": Size(65536), "line": 12, "listen": "0.0.0.0:8006", "live": "80 GiB", "lock":
    "backup", "log": "var/lab/log", "login": "siti", "longest": "24 months", "member": "db-1",
    "method": "POST", "missing": "memory", "mode": "0o644", "most": 32, "name": "simrs",
    "needed": Size(8192), "network": "dinkes-app", "node": "pve1", "nodes": "pve1, pve2",
    "number": "R-2026-0001", "object": "/vms/10000", "offset": 17, "opd": "dinkes", "other":
    "bkad-app", "others": "dinkes/sik.yaml", "own": 10000, "owner": "bkad", "parent": "instances",
    "path": "var", "percent": 93, "pid": 4711, "pool": "dinkes-app", "privilege": "VM.Allocate",
    "privileges": "VM.Allocate, VM.Audit", "problem": "No such option: --sitte", "range":
    "10.10.111.1-10.10.111.20", "reason": "kuota tahun ini habis", "revision": 2, "role":
    "approver", "roles": "approver", "row": 3, "rpo": "24 h", "rule": "small",
    "runs": "8 GiB", "saga": "S-1", "seconds": 42, "seq": 57, "service_class":
    "critical", "shall": "16 GiB", "short": Size(4096), "site": "purwakarta", "size": "40 GiB",
    "slot": "scsi1", "source":
    "backup/vm/10000", "state": "applying", "status": 596, "step": "start", "storage":
    "local-zfs", "storage_class": "ssd", "storage_classes": "ssd", "subject": "R-2026-0001",
    "table": "nics", "tag": "!!python/object", "text": "connection refused", "today":
    "2026-11-20", "token": "cloudpemda@pve!apply", "told": "malformed page 4", "types":
    "ssh-ed25519, ssh-rsa", "uid": "0f6e2a", "until": "2027-12-31", "upid":
    "UPID:pve1:00001234", "url": "https://lab.example:8006", "used": Size(61440), "value": "16",
    "by": "Rudi Setiawan", "user": "root@pam", "task": "vzdump", "verb": "stop",
    "version": "7.4", "vlan": 110, "vm": "dinkes/simrs/db-1", "vmid": 10000, "vmids":
    "10000-10999", "vms": 3, "volume": "local-zfs:vm-10000-disk-0", "wanted": 4, "what":
    "the memory", "where": "127.0.0.1:8006", "who":
    "Hendra Gunawan (hendra)", "word": "no",
}  # fmt: skip
"""One value for each name in a template, whatever text it stands in."""


def refusals() -> Mapping[str, Text]:
    """All texts that stop somebody, warn them, or find something wrong, by code."""
    return {
        code: text
        for code, text in sorted(texts().items())
        if not code.startswith(TOLD) and code not in TOLD_ONE_BY_ONE
    }


def golden() -> str:
    """The file as it must be."""
    lines = [
        "# Every refusal, as it is read",
        "",
        "Made by `python -m tests.golden` with example values; a test keeps it current.",
    ]
    for code, text in refusals().items():
        values = _values(text)
        lines += ["", f"## {code}", ""]
        for lang in _LANGS:
            what, then = explain(code, lang, values)
            lines += [f"- {lang}: {what}", f"  → {then}"]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _values(text: Text) -> Mapping[str, object]:
    """A name without an example stands for itself."""
    template = text.en + text.id + text.next_en + text.next_id
    names = {name for _, name, _, _ in string.Formatter().parse(template) if name}
    return {name: EXAMPLES.get(name, f"<{name}>") for name in names}
