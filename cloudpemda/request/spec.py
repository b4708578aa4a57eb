"""What a valid request means: its canonical form, which everything downstream reads.

Defaults are filled in, sizes are MiB, flavors are expanded; VMs, disks and networks are sorted by
name. Comments, key order and formatting of the document do not matter here.
"""

import hashlib
import json
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cloudpemda.request.roles import RoleSpec
from cloudpemda.units import Cores, MiB

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


ADOPTED = "adopted"
"""The image of a VM that cloudpemda did not make: nobody knows where its root disk came from."""


@dataclass(frozen=True)
class Letter:
    number: str
    date: date


@dataclass(frozen=True)
class Requester:
    name: str
    nip: str
    position: str
    email: str


@dataclass(frozen=True)
class DiskSpec:
    name: str
    size: MiB
    storage_class: str
    protect: bool


@dataclass(frozen=True)
class NicSpec:
    network: str
    public_ip: bool


@dataclass(frozen=True, order=True)
class ExposeSpec:
    """One port that may be reached, and from where: `opd`, `pemda` or `internet`."""

    port: int
    protocol: str
    source: str

    @property
    def words(self) -> str:
        """`443/tcp internet`."""
        return f"{self.port}/{self.protocol} {self.source}"


@dataclass(frozen=True)
class VmSpec:
    """One kind of VM of the workload, `count` times. The first disk is the root disk."""

    name: str
    count: int
    keep_apart: bool
    image: str
    cpu: Cores
    memory: MiB
    disks: tuple[DiskSpec, ...]
    networks: tuple[NicSpec, ...]
    ssh_keys: tuple[str, ...]
    expose: tuple[ExposeSpec, ...] | None = None  # None: its firewall is nobody's promise
    roles: tuple[RoleSpec, ...] = ()  # what is set up inside, by name

    @property
    def members(self) -> tuple[str, ...]:
        """The instances' names within the request: `db-1`, `db-2` …"""
        return tuple(f"{self.name}-{number}" for number in range(1, self.count + 1))


@dataclass(frozen=True)
class WorkloadSpec:
    """The desired state of one workload, e.g. `dinkes/simrs`."""

    opd: str
    name: str
    purpose: str
    service_class: str
    until: date
    letter: Letter
    requester: Requester
    vms: tuple[VmSpec, ...]

    @property
    def key(self) -> str:
        return f"{self.opd}/{self.name}"

    @cached_property
    def canonical_json(self) -> str:
        """One text for one meaning: sorted keys, no spaces, dates as ISO."""
        return json.dumps(
            _fields(self), sort_keys=True, separators=(",", ":"), default=_plain, ensure_ascii=False
        )

    @cached_property
    def spec_hash(self) -> str:
        """SHA-256 of the canonical form, hex."""
        return hashlib.sha256(self.canonical_json.encode()).hexdigest()


def _fields(value: "DataclassInstance") -> dict[str, object]:
    said = {field.name: getattr(value, field.name) for field in fields(value)}
    # what was handed in before there were such keys keeps its hash
    if said.get("expose", ()) is None:
        del said["expose"]
    if said.get("roles") == ():
        del said["roles"]
    return said


def _plain(value: object) -> object:
    """What JSON has no form for: a part of the spec, or a date."""
    if isinstance(value, date):
        return value.isoformat()
    assert is_dataclass(value)  # noqa: S101 - a spec holds nothing else
    assert not isinstance(value, type)  # noqa: S101
    return _fields(value)


def from_canonical_json(text: str) -> WorkloadSpec:
    """Read back what `canonical_json` wrote (the ledger keeps it)."""
    raw = json.loads(text)
    return WorkloadSpec(
        opd=raw["opd"],
        name=raw["name"],
        purpose=raw["purpose"],
        service_class=raw["service_class"],
        until=date.fromisoformat(raw["until"]),
        letter=Letter(raw["letter"]["number"], date.fromisoformat(raw["letter"]["date"])),
        requester=Requester(**raw["requester"]),
        vms=tuple(
            VmSpec(
                **{
                    **vm,
                    "disks": tuple(DiskSpec(**disk) for disk in vm["disks"]),
                    "networks": tuple(NicSpec(**nic) for nic in vm["networks"]),
                    "ssh_keys": tuple(vm["ssh_keys"]),
                    "expose": _exposed(vm.get("expose")),
                    "roles": _roles(vm.get("roles", [])),
                }
            )
            for vm in raw["vms"]
        ),
    )


def _exposed(raw: list[dict[str, Any]] | None) -> tuple[ExposeSpec, ...] | None:
    return None if raw is None else tuple(ExposeSpec(**one) for one in raw)


def _roles(raw: list[dict[str, Any]]) -> tuple[RoleSpec, ...]:
    return tuple(
        RoleSpec(one["name"], tuple((name, value) for name, value in one["settings"]))
        for one in raw
    )
