"""Whatever is sent to whatever is served, the lab answers as a PVE server, never as a program."""

from __future__ import annotations

import random
import re
from typing import Any
from urllib.parse import quote

import pytest
import requests

from cloudpemda.lab.routes import served
from cloudpemda.lab.tables import load
from tests.labs import Control, RunningLab

from .conftest import Client

ODD = (
    "", "0", "-1", "99999999999999999999", "1.5", "٣", "ä€", "a,b", "a=b", "=", ",;", " ", "\0",
    "\r\n", "x" * 300, "../..", "root@pam!t", "100", "999", "pve1", "PVE1", "pve9", "local",
    "local-zfs:1", "local-zfs:vm-100-disk-0", "local:iso/x.iso", "none", "cloudinit", "*",
    "virtio,bridge=vmbr0",
    "vm:100", "[]", "null", "nan", "100-0", "first", "*/5", "keep-last=x", "::/0", "vmbr0", "%s",
    "1G", "UPID:pve1:00000001:00000001:00000001:qmstart:100:root@pam:",
)  # fmt: skip
BODIES: tuple[object, ...] = (None, [], {}, [1], {"a": 1}, True, 1.5, 1e300)
LIKELY = {
    "node": "pve1",
    "vmid": "100",
    "storage": "local-zfs",
    "snapname": "first",
    "sid": "vm:100",
}


@pytest.mark.parametrize("seed", range(3))
def test_odd_parameters_get_pves_answers(
    root: Client, lab: RunningLab, control: Control, seed: int
) -> None:
    dice = random.Random(seed)  # noqa: S311 - repeatable, guards nothing
    table, session = load("9"), requests.Session()
    names = [name for name in served() if name in table and "/access/" not in name]
    root.task("POST", "/nodes/pve1/qemu", vmid=100, scsi0="local-zfs:1")
    root.task("POST", "/nodes/pve1/qemu/100/snapshot", snapname="first")

    def value(name: str) -> str:
        return LIKELY[name] if name in LIKELY and dice.random() < 0.8 else dice.choice(ODD)

    for name in dice.choices(names, k=300):
        method, _, path = name.partition(" ")
        path = re.sub(r"\{(\w+)\}", lambda found: quote(value(found[1]), safe=""), path)
        sent: dict[str, Any] = {
            key.replace("[n]", "0"): value(key)
            for key, spec in table[name].options(value("type")).items()
            if not spec.optional or dice.random() < 0.2
        }
        how = "params" if method in ("GET", "DELETE") else dice.choice(("data", "json"))
        if how == "json":
            sent |= {key: dice.choice(BODIES) for key in sent if dice.random() < 0.1}
        body: Any = {how: sent, "headers": root.headers, "verify": str(lab.ca), "timeout": 30}
        answer = session.request(method, root.base + path, **body)
        said = f"{method} {path} {sent}: {answer.status_code} {answer.reason} {answer.text[:300]}"
        assert answer.status_code in (200, 400, 403, 500, 501, 595, 596), said
        assert answer.reason != "Internal Server Error", said
        assert "json" in answer.headers.get("content-type", "json") or answer.ok, said
    assert control.call("GET", "/status")
