"""The site of the simulated year: its files, its lab, and its hundred VMs, made by the product."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
import yaml

from cloudpemda.cli import main as command_line
from cloudpemda.demo import inventory
from cloudpemda.lab import process
from cloudpemda.lab.process import RunningLab
from tests.nights.promises import CLASSES, WORKLOADS
from tests.nights.trouble import Hands

OPERATOR, APPROVER = "rudi", "hendra"
REQUESTERS = {"dinkes": "siti", "disdukcapil": "asep", "bkad": "nina"}
PRUNING = {"id": "nightly", "store": "main", "schedule": "mon..sun 03:00", "keep-last": "4"}
SSH_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqSvjOssEHZ6e1Fm3N3zGxP8r4rgJ0wpQFtd+i1DJDp siti@example"
)


@contextmanager
def regency(directory: Path, seed: int) -> Iterator[RunningLab]:
    """The site in `directory` and its lab, in virtual time, without VMs yet."""
    shutil.copytree(inventory("lab"), directory, ignore=shutil.ignore_patterns("var"))
    (directory / "var").mkdir(mode=0o700)
    layout = yaml.safe_load((directory / "lab.yaml").read_text())
    layout |= {"seed": seed, "clock": {"start": "2026-11-20T01:00:00Z", "rate": "auto"}}
    layout["clusters"]["drc"]["version"] = "8.4"
    (directory / "lab.yaml").write_text(yaml.safe_dump(layout))
    _write_classes(directory / "catalogue.yaml")
    for opd in REQUESTERS:
        _write_opd(directory / "opd" / f"{opd}.yaml")
    lab, _ = process.start(directory / "var" / "lab", directory / "lab.yaml")
    try:
        # what the recovery centre pulls it keeps until it is told otherwise
        Hands(lab).at_centre("POST", "/config/prune", **PRUNING)
        yield lab
    finally:
        process.stop(lab.directory)


def _write_classes(file: Path) -> None:
    catalogue = yaml.safe_load(file.read_text())
    catalogue["serviceClasses"] = {
        name: {
            "weight": 50,
            "backup": {"every": "24h", "at": "01:00", "keep": {"daily": 3}, "factor": 1.0},
            "approval": "diskominfo",
            "rpo": {
                loss: f"{hours}h"
                for loss, hours in (("node", promise.node), ("site", promise.site))
                if hours
            },
        }
        | (
            {
                "ha": True,
                "replication": {"targets": promise.copies, "every": f"{promise.every}h"},
                "drc": {"method": "backup-sync"},
            }
            if promise.copies
            else {}
        )
        for name, promise in CLASSES.items()
    }
    file.write_text(json.dumps(catalogue))


def _write_opd(file: Path) -> None:
    told = yaml.safe_load(file.read_text())
    told["quota"] = dict.fromkeys(("instances", "vcpu", "memory", "backup"), "unlimited")
    told["quota"]["disk"] = {"ssd": "unlimited", "hdd": "unlimited"}
    told["allow"]["serviceClasses"] = list(CLASSES)
    file.write_text(json.dumps(told))


def command(directory: Path, actor: str, *words: str) -> None:
    """A command in this process, which must do what it was asked."""
    said = StringIO()
    line = ["--site", str(directory), "--output", "json", "--actor", actor, *words]
    with redirect_stdout(said), redirect_stderr(said), pytest.raises(SystemExit) as ended:
        command_line(line)
    assert not ended.value.code, said.getvalue()[-2000:]


def people(directory: Path) -> None:
    """Ask for all workloads, approve them and make them."""
    for key, (service_class, count) in WORKLOADS.items():
        opd, name = key.split("/")
        file = directory / "requests" / f"{opd}-{name}.yaml"
        file.write_text(json.dumps(_request(opd, name, service_class, count), indent=1))
        command(directory, REQUESTERS[opd], "request", "submit", str(file))
        command(directory, APPROVER, "request", "approve", key)
    apply(directory)


def apply(directory: Path) -> None:
    command(directory, OPERATOR, "apply", *WORKLOADS)


def _request(opd: str, name: str, service_class: str, count: int) -> dict[str, object]:
    requester = {
        "name": "Siti Rahmawati", "nip": "198501012010012001", "position": "Kasubag TI",
        "email": "siti@example.go.id",
    }  # fmt: skip
    vm = {
        "name": "vm", "count": count, "image": "debian-12", "cpu": 1, "memory": "1 GiB",
        "disks": [{"name": "root", "size": "10 GiB", "class": "ssd"}],
        "networks": [{"name": f"{opd}-app"}], "sshKeys": [SSH_KEY],
    }  # fmt: skip
    return {
        "apiVersion": "cloudpemda/v1",
        "kind": "VMRequest",
        "metadata": {
            "name": name, "opd": opd, "requester": requester,
            "letter": {"number": "1/2026", "date": "2026-11-19"},
        },
        "spec": {
            "purpose": "a year of nights", "serviceClass": service_class, "until": "2030-12-31",
            "vms": [vm],
        },
    }  # fmt: skip
