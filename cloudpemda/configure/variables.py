"""The variables that a site sets for its servers: those without a default that could be right."""

import re
from ipaddress import IPv4Interface, IPv4Network
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from cloudpemda.document.fields import Email, Strict
from cloudpemda.site.fields import Address, Zone


def _interface(value: str) -> str:
    """`10.20.1.11/24`: an address in its network, not the network itself."""
    try:
        found = IPv4Interface(value)
    except ValueError:
        found = None
    if found is None or "/" not in value or found.ip == found.network.network_address:
        raise PydanticCustomError("configure.interface", "", {"value": value})
    return value


def _admins(value: str) -> str:
    """A network that may administer: never all of the world."""
    try:
        found = IPv4Network(value)
    except ValueError:
        found = None
    if found is None or found.prefixlen < 8:
        raise PydanticCustomError("configure.admin-network", "", {"value": value})
    return value


def _spelled(pattern: str, code: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if compiled.fullmatch(value) is None:
            raise PydanticCustomError(code, "", {"value": value})
        return value

    return AfterValidator(check)


Interface = Annotated[str, AfterValidator(_interface)]
AdminNetwork = Annotated[str, AfterValidator(_admins)]
Disk = Annotated[str, _spelled(r"/dev/disk/by-(id|path)/[\w.:+@-]+", "configure.disk")]
"""By identity: `/dev/sdb` may be another disk after the next start."""
Card = Annotated[str, _spelled(r"[a-z][a-z0-9]{0,14}(\.[0-9]{1,4})?", "configure.card")]
Server = Annotated[
    str, _spelled(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", "configure.server")
]


class _Plain(Strict):
    """Ansible's variables are spelled with underscores."""

    model_config = ConfigDict(alias_generator=None)
    unknown_key_code: ClassVar[str] = "configure.unknown-variable"


class Link(_Plain):
    """One network card of a node that carries corosync, migration and replication."""

    name: Card
    address: Interface
    mtu: Annotated[int, Field(ge=1280, le=9216)] | None = None


class Variables(_Plain):
    """What may be said for all servers, for those of a cluster, or for one; the nearest counts."""

    ansible_host: Server | None = None
    site_zone: Zone | None = None
    site_ntp_servers: Annotated[tuple[Server, ...], Field(min_length=2)] | None = None
    site_admin_networks: Annotated[tuple[AdminNetwork, ...], Field(min_length=1)] | None = None
    site_gateway: Address | None = None
    site_mail: Email | None = None
    pve_major: Literal[8, 9] | None = None
    pve_subscribed: bool | None = None
    node_address: Interface | None = None
    node_ports: Annotated[tuple[Card, ...], Field(min_length=1, max_length=8)] | None = None
    node_links: Annotated[tuple[Link, ...], Field(min_length=1, max_length=8)] | None = None
    node_rings: Annotated[tuple[Address, ...], Field(min_length=2, max_length=8)] | None = None
    node_pool_disks: Annotated[tuple[Disk, ...], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for name in ("node_ports", "node_rings", "node_pool_disks"):
            said = getattr(self, name) or ()
            if len(set(said)) != len(said):
                raise PydanticCustomError("configure.twice", "", {"name": name})
        return self


NEEDED = (
    "ansible_host", "site_zone", "site_ntp_servers", "site_admin_networks", "site_gateway",
    "site_mail", "pve_major", "pve_subscribed", "node_address", "node_ports", "node_links",
    "node_rings", "node_pool_disks",
)  # fmt: skip
"""What every server of a cluster must have."""

NEEDED_DESK = (
    "ansible_host", "site_zone", "site_ntp_servers", "site_admin_networks", "site_mail",
)  # fmt: skip
"""What the desk's machine must have."""

NEEDED_BACKUP_SERVER = (*NEEDED_DESK, "pve_major", "pve_subscribed")
"""What a backup server must have: its packages are Proxmox's, too."""


class Group(_Plain):
    hosts: dict[Server, Variables | None] = Field(default_factory=dict)
    vars: Variables | None = None


class All(_Plain):
    children: dict[str, Group]
    vars: Variables | None = None


class HostsFile(_Plain):
    all: All
