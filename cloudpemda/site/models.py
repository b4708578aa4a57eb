"""The site directory as typed settings: one model per file, strict like requests.

Names refer to each other across files (a class to a storage, an OPD to its parent); `site.load`
checks those references once everything is read.
"""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal

from pydantic import Field

from cloudpemda.document.fields import Duration, Name, Size, Strict

Role = Literal["requester", "reviewer", "approver", "operator", "auditor"]


# -- site.yaml -------------------------------------------------------------------------------
class SiteInfo(Strict):
    name: Name
    zone: str = "Asia/Jakarta"
    language: Literal["id", "en"] = "id"
    identity: Literal["login", "asserted"] = "login"  # asserted: --actor is believed (the lab)
    clock: Literal["system", "lab"] = "system"


class Tls(Strict):
    """How the cluster proves itself: a CA file, or the certificate's SHA-256 fingerprint."""

    ca: str | None = None
    fingerprint: str | None = None


class Token(Strict):
    """A PVE API token; `secret` is a file relative to the site directory, never the secret."""

    id: str
    secret: str


class Overcommit(Strict):
    cpu: Annotated[float, Field(ge=1, le=16, strict=False)] = 3


class Reserve(Strict):
    """Per node, kept for the host itself."""

    memory: Size


class Limits(Strict):
    """What PVE's few workers bear (FACTS: 3 workers per daemon; locks per storage)."""

    clones_per_storage: Annotated[int, Field(ge=1, le=32)] = 2
    writes_per_node: Annotated[int, Field(ge=1, le=32)] = 2


class ClusterSettings(Strict):
    role: Literal["production", "recovery"] = "production"
    endpoints: tuple[str, ...] | Literal["lab"]  # lab: the embedded lab's own ports
    tls: Tls = Tls()
    token: Token
    overcommit: Overcommit = Overcommit()
    reserve: Reserve
    storages: Mapping[Name, str]  # storage class → PVE storage id
    backup: str | None = None  # PVE storage id that backup jobs write to
    limits: Limits = Limits()


class Network(Strict):
    """An OPD's private network. Addresses are given from `cidr` without gateway and reserved."""

    opd: Name
    bridge: str
    vlan: Annotated[int, Field(ge=1, le=4094)] | None = None
    cidr: str
    gateway: str
    reserved: tuple[str, ...] = ()  # "10.10.110.1-10.10.110.20" or one address
    nameservers: tuple[str, ...] = ()
    recovery: str | None = None

    @property
    def prefix(self) -> IPv4Network:
        return IPv4Network(self.cidr)

    @property
    def gateway_address(self) -> IPv4Address:
        return IPv4Address(self.gateway)


class PublicAddresses(Strict):
    cidr: str
    reserved: tuple[str, ...] = ()


class Defaults(Strict):
    """What holds where an OPD or a class says nothing."""

    quota: "Quota"
    hold: Duration = 14 * 86400  # type: ignore[assignment]  # an approval's hold expires after it
    warn_at: Annotated[int, Field(ge=1, le=100)] = 80  # percent of a limit


class SiteFile(Strict):
    site: SiteInfo
    ledger: str = "sqlite:///var/ledger.sqlite3"
    clusters: Mapping[Name, ClusterSettings]
    networks: Mapping[str, Network]
    public_addresses: PublicAddresses | None = None
    textfile: str = "var/cloudpemda.prom"  # what the night writes for node exporter
    defaults: Defaults


# -- opd/<code>.yaml -------------------------------------------------------------------------
class Contact(Strict):
    name: str
    email: str


class OpdInfo(Strict):
    code: Name
    name: str
    parent: Name | None = None
    pool: str
    vmids: str  # "10000-10999"
    contacts: tuple[Contact, ...] = ()

    @property
    def vmid_range(self) -> range:
        first, _, last = self.vmids.partition("-")
        return range(int(first), int(last) + 1)


class Quota(Strict):
    """Limits per dimension; None is unlimited (said as `unlimited`), 0 means none.

    A key that is absent from an OPD's file takes the site's default.
    """

    instances: int | Literal["unlimited"] | None = None
    vcpu: int | Literal["unlimited"] | None = None
    memory: Size | Literal["unlimited"] | None = None
    disk: Mapping[Name, Size | Literal["unlimited"]] = Field(default_factory=dict)
    backup: Size | Literal["unlimited"] | None = None
    public_ip: int | Literal["unlimited"] | None = Field(default=None, alias="public_ip")


class Allow(Strict):
    """What an OPD may ask for. Empty means none of it."""

    service_classes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()


class OpdFile(Strict):
    opd: OpdInfo
    quota: Quota = Quota()
    allow: Allow = Allow()


# -- catalogue.yaml --------------------------------------------------------------------------
class Image(Strict):
    """Where a cluster keeps an image: one import volume, or a template on each node."""

    import_: str | None = Field(default=None, alias="import")  # "nfs:import/debian-12.qcow2"
    template: Mapping[str, int] | None = None  # node → VMID
    user: str = "debian"  # cloud-init login


class Flavor(Strict):
    cpu: Annotated[int, Field(ge=1, le=256)]
    memory: Size


class ReplicationPolicy(Strict):
    targets: Annotated[int, Field(ge=1, le=3)]
    every: Duration


class Keep(Strict):
    last: Annotated[int, Field(ge=0)] = 0
    daily: Annotated[int, Field(ge=0)] = 0
    weekly: Annotated[int, Field(ge=0)] = 0
    monthly: Annotated[int, Field(ge=0)] = 0
    yearly: Annotated[int, Field(ge=0)] = 0


class BackupPolicy(Strict):
    every: Duration
    keep: Keep
    factor: Annotated[float, Field(ge=0, le=10, strict=False)]
    at: str = "01:00"  # site's zone


class Drc(Strict):
    method: Literal["backup-sync", "stretched"]


class Rpo(Strict):
    """How much work may be lost, per kind of loss."""

    node: Duration | None = None
    site: Duration | None = None


class ServiceClass(Strict):
    weight: Annotated[int, Field(ge=0, le=1000)]
    ha: bool = False
    replication: ReplicationPolicy | None = None
    backup: BackupPolicy | None = None
    drc: Drc | None = None
    rpo: Rpo = Rpo()
    rto: Duration | None = None
    approval: Literal["opd-head", "diskominfo", "executive"] = "diskominfo"


class Catalogue(Strict):
    images: Mapping[str, Mapping[Name, Image]]  # image → cluster → where
    flavors: Mapping[str, Flavor] = Field(default_factory=dict)
    service_classes: Mapping[Name, ServiceClass]


# -- people.yaml -----------------------------------------------------------------------------
class RoleGrant(Strict):
    role: Role
    opd: Name | None = None  # None: of Diskominfo, for every OPD


class Person(Strict):
    login: str
    name: str
    nip: str | None = None
    roles: tuple[RoleGrant, ...]


class PeopleFile(Strict):
    people: tuple[Person, ...]
