"""The site directory as typed settings: one model per file, strict like requests.

Names refer to each other across files (a class to a storage, an OPD to its parent); `site.load`
checks those references once everything is read.
"""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from cloudpemda.document.fields import (
    CountLimit,
    Duration,
    Email,
    ImageName,
    JsonSchema,
    Line,
    Name,
    Nip,
    Size,
    SizeLimit,
    Strict,
)
from cloudpemda.site.approvals import Approvals, Authority, Delegation
from cloudpemda.site.fields import (
    Account,
    Address,
    AddressRange,
    Bridge,
    Cidr,
    Datastore,
    DrcMethod,
    Endpoint,
    Endpoints,
    Fingerprint,
    ImportVolume,
    Lan,
    LedgerUrl,
    Login,
    Namespace,
    NodeName,
    PoolId,
    PveLogin,
    Realm,
    StorageId,
    Thresholds,
    TimeOfDay,
    TokenId,
    VmidRange,
    Vnet,
    Zone,
    address_range,
    vmid_range,
)

Role = Literal["requester", "reviewer", "approver", "operator", "auditor"]


# -- site.yaml -------------------------------------------------------------------------------
class SiteInfo(Strict):
    name: Name
    zone: Zone = "Asia/Jakarta"
    language: Literal["id", "en"] = "id"
    identity: Literal["login", "asserted"] = "login"  # asserted: --actor is believed (the lab)
    clock: Literal["system", "lab"] = "system"


class Tls(Strict):
    """How the cluster proves itself: a CA file, or the certificate's SHA-256 fingerprint."""

    ca: Line | None = None
    fingerprint: Fingerprint | None = None


class Token(Strict):
    """A PVE API token; `secret` is a file relative to the site directory, never the secret."""

    id: TokenId
    secret: Line


class Overcommit(Strict):
    cpu: Annotated[float, Field(ge=1, le=16)] = 3


class Reserve(Strict):
    """Per node, kept for the host itself."""

    memory: Size


class Limits(Strict):
    """What PVE's few workers bear (FACTS: 3 workers per daemon; locks per storage)."""

    clones_per_storage: Annotated[int, Field(ge=1, le=32)] = 2
    writes_per_node: Annotated[int, Field(ge=1, le=32)] = 2


class ClusterSettings(Strict):
    role: Literal["production", "recovery"] = "production"
    endpoints: Endpoints  # lab: the embedded lab's own ports
    tls: Tls = Tls()
    token: Token
    overcommit: Overcommit = Overcommit()
    reserve: Reserve
    storages: Annotated[
        Mapping[Name, StorageId], Field(min_length=1)
    ]  # storage class → PVE storage id
    backup: StorageId | None = None  # PVE storage id that backup jobs write to
    backup_server: Name | None = None  # the one behind it; absent: the one of that storage's name
    drc_nodes: tuple[NodeName, ...] = ()  # of a stretched cluster: its nodes at the other site
    limits: Limits = Limits()


class BackupServerSettings(Strict):
    """A Proxmox Backup Server, and where on it a site's backups lie."""

    endpoint: Endpoint
    tls: Tls = Tls()
    token: Token
    datastore: Datastore
    namespace: Namespace = ""
    synced_to: Name | None = None  # the server at the recovery centre that pulls from it


class Network(Strict):
    """An OPD's private network. Addresses are given from `cidr` without gateway and reserved."""

    opd: Name
    bridge: Bridge | None = None
    vnet: Vnet | None = None  # an SDN VNet, in place of bridge and VLAN; its zone must run
    vlan: Annotated[int, Field(ge=1, le=4094)] | None = None
    cidr: Cidr
    gateway: Address
    reserved: tuple[AddressRange, ...] = ()  # "10.10.110.1-10.10.110.20" or one address
    nameservers: tuple[Address, ...] = ()
    recovery: Name | None = None  # the network of the recovery site that stands in for it

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.bridge is None) == (self.vnet is None) or (self.vnet and self.vlan):
            raise PydanticCustomError("site.network", "", {})
        return self

    @property
    def attach(self) -> str:
        """What PVE joins a NIC to: the bridge, or the VNet, which is one."""
        return self.bridge or self.vnet or ""

    @property
    def prefix(self) -> IPv4Network:
        return IPv4Network(self.cidr)

    @property
    def gateway_address(self) -> IPv4Address:
        return IPv4Address(self.gateway)

    @property
    def reserved_ranges(self) -> tuple[tuple[IPv4Address, IPv4Address], ...]:
        """First and last address of each range that is given to nobody."""
        return tuple(address_range(text) for text in self.reserved)


class PublicAddresses(Strict):
    cidr: Cidr
    reserved: tuple[AddressRange, ...] = ()

    @property
    def prefix(self) -> IPv4Network:
        return IPv4Network(self.cidr)

    @property
    def reserved_ranges(self) -> tuple[tuple[IPv4Address, IPv4Address], ...]:
        return tuple(address_range(text) for text in self.reserved)


class Defaults(Strict):
    """What holds where an OPD or a class says nothing."""

    quota: "Quota"
    hold: Duration = 14 * 86400  # type: ignore[assignment]  # an approval's hold expires after it
    warn_at: Thresholds = (80, 95)  # percent of a limit, one or several
    address_rest: Duration = 7 * 86400  # type: ignore[assignment]  # before it is given again


class Retirement(Strict):
    """How workloads end."""

    # Before the lease of a workload (`until`) ends: each of these times is announced once.
    announce: Annotated[tuple[Duration, ...], Field(min_length=1, max_length=9)] = (
        30 * 86400,  # type: ignore[assignment]
        7 * 86400,
        86400,
    )
    grace: Duration = 7 * 86400  # type: ignore[assignment]  # after the lease, before it is stopped
    quarantine: Duration = 14 * 86400  # type: ignore[assignment]  # stopped, before it is purged
    vmid_rest: Duration = 30 * 86400  # type: ignore[assignment]  # before a VMID is given again


class DrcCopies(Strict):
    """Where the night puts sealed copies of the ledger and of the site's files, at another place:
    a directory of a file system that the recovery centre exports."""

    directory: Line
    keep: Annotated[int, Field(ge=1, le=1000)] = 30  # nights
    mounted: bool = True  # it must be a file system of its own: a mount point alone takes files too


class LedgerBackup(Strict):
    """Sealed copies of the ledger, made every night and by `ledger backup`."""

    key: Line = "secrets/ledger.key"  # the name of a file, never the key
    directory: Line = "var/backups"
    keep: Annotated[int, Field(ge=1, le=1000)] = 14  # dated copies in the directory
    drc: DrcCopies | None = None


class NotifyChannel(Strict):
    """One way to people: the file (0600) of apprise's URLs, one per line, and what goes there."""

    name: Name
    urls: Line
    min: Literal["finding", "breach"] = "breach"  # breach: what endangers VMs, data or the record
    opds: tuple[Name, ...] = ()  # none: all, and the site's own
    contacts: bool = False  # to each OPD's contacts, by these mail servers (mailto://, mailtos://)


class Reports(Strict):
    """Where the nights' reports are kept, by date."""

    directory: Line = "var/reports"
    keep: Annotated[int, Field(ge=1, le=10000)] = 400  # nights


class AuditSettings(Strict):
    """What proves the audit log: the key that signs it, and how many days' heads are kept."""

    key: Line | None = None  # absent: audit.key beside the head file, in var
    keep_heads: Annotated[int, Field(ge=1, le=3650)] = 90


class VmVerbs(Strict):
    """What an OPD's requesters may do with the VMs that they have; operators may do all of it."""

    requesters: tuple[Literal["start", "stop", "restart", "snapshot", "restore"], ...] = (
        "start",
        "stop",
        "restart",
    )
    snapshots: Annotated[int, Field(ge=0, le=50)] = 3  # most of one VM; each is charged as disk
    snapshot_keep: Duration = 14 * 86400  # type: ignore[assignment]  # then the night asks
    copies: Annotated[int, Field(ge=0, le=20)] = 2  # most of one VM; each is charged like a VM
    copy_keep: Duration = 7 * 86400  # type: ignore[assignment]  # if nothing else is said


class FirewallSettings(Strict):
    """Who counts as the regency for `expose`, and who turns the datacenter's firewall on."""

    datacenter: Literal["checked", "managed"] = "checked"
    """checked: `plan` refuses what is exposed while it is off; managed: `apply` turns it on, with
    the hosts left open (input policy ACCEPT)."""
    pemda: tuple[Lan, ...] = ()  # beside all networks and offices


class PveUsers(Strict):
    """OPD staff who may look at their OPDs' pools in PVE's own pages, and change nothing."""

    realm: Realm = (
        "pve"  # of each cluster; better one that knows their passwords (ldap, ad, openid)
    )
    users: Mapping[PveLogin, Annotated[tuple[Name, ...], Field(min_length=1)]] = Field(
        default_factory=dict
    )  # login → OPDs


class CatchUp(Strict):
    """How many copies that are missing the night itself has made; 0 per night: none."""

    per_night: Annotated[int, Field(ge=0, le=1000)] = 6
    per_node: Annotated[int, Field(ge=1, le=100)] = 2
    pace: Size = 100  # type: ignore[assignment]  # a second, where nobody has measured


class ConfigureSettings(Strict):
    """How VMs are reached whose requests have roles."""

    key: Line  # private half of a key pair, 0600, relative to the site; its .pub goes to these VMs
    ssh_config: Line | None = None  # the way there, where it is not straight (ProxyJump)


class NightWindow(Strict):
    """When backups and replications have the nodes to themselves; it may pass midnight."""

    from_: TimeOfDay = Field(default="20:00", alias="from")
    until: TimeOfDay = "06:00"
    bandwidth: Size | None = None  # of one source node, per second; None: not bounded
    catch_up: CatchUp = CatchUp()

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.from_ == self.until:
            raise PydanticCustomError("site.window-empty", "", {"value": self.until})
        return self


class SiteFile(Strict):
    site: SiteInfo
    ledger: LedgerUrl = "sqlite:///var/ledger.sqlite3"
    ledger_backup: LedgerBackup | None = None  # None: no copies are made
    audit: AuditSettings = AuditSettings()
    clusters: Annotated[Mapping[Name, ClusterSettings], Field(min_length=1)]
    backup_servers: Mapping[Name, BackupServerSettings] = Field(default_factory=dict)
    networks: Mapping[Name, Network]
    public_addresses: PublicAddresses | None = None
    firewall: FirewallSettings = FirewallSettings()
    textfile: Line = "var/cloudpemda.prom"  # what the night writes for node exporter
    reports: Reports = Reports()
    notify: tuple[NotifyChannel, ...] = ()
    defaults: Defaults
    approvals: Approvals = Approvals()
    vms: VmVerbs = VmVerbs()
    pve_users: PveUsers = PveUsers()
    retirement: Retirement = Retirement()
    window: NightWindow = NightWindow()
    configure: ConfigureSettings | None = None  # None: no request gets roles

    @property
    def storage_classes(self) -> tuple[str, ...]:
        """Every storage class that some cluster has, by name."""
        return tuple(sorted({name for one in self.clusters.values() for name in one.storages}))

    def backup_server_of(self, cluster: str) -> str | None:
        """The server behind a cluster's backup storage; None where none is named. Raises KeyError
        for a cluster that is not there."""
        settings = self.clusters[cluster]
        name = settings.backup_server or settings.backup
        return name if name in self.backup_servers else None

    def recovery_server_of(self, cluster: str) -> str | None:
        """The server at the recovery centre to which a cluster's backups are copied, if any."""
        server = self.backup_server_of(cluster)
        return None if server is None else self.backup_servers[server].synced_to


# -- opd/<code>.yaml -------------------------------------------------------------------------
class Contact(Strict):
    name: Line
    email: Email


class OpdInfo(Strict):
    code: Name
    name: Line
    parent: Name | None = None
    pool: PoolId
    vmids: VmidRange  # "10000-10999"
    contacts: tuple[Contact, ...] = ()
    offices: tuple[Lan, ...] = ()  # networks of its people, who reach what is exposed to the OPD

    @property
    def vmid_range(self) -> range:
        return vmid_range(self.vmids)


class Quota(Strict):
    """Limits per dimension; None is unlimited (said as `unlimited`), 0 means none.

    A key that is absent from an OPD's file takes the site's default.
    """

    instances: CountLimit | None = None
    vcpu: CountLimit | None = None
    memory: SizeLimit | None = None
    disk: Mapping[Name, SizeLimit] = Field(default_factory=dict)
    backup: SizeLimit | None = None
    public_ip: CountLimit | None = Field(default=None, alias="public_ip")


Defaults.model_rebuild()  # it names Quota before this file has come to it


class Allow(Strict):
    """What an OPD may ask for. Empty means none of it."""

    service_classes: tuple[Name, ...] = ()
    networks: tuple[Name, ...] = ()


class OpdFile(Strict):
    opd: OpdInfo
    quota: Quota = Quota()
    allow: Allow = Allow()


# -- catalogue.yaml --------------------------------------------------------------------------
class Image(Strict):
    """Where a cluster keeps an image: one import volume, or a template on each node."""

    import_: ImportVolume | None = Field(default=None, alias="import")
    template: Mapping[str, Annotated[int, Field(ge=100)]] | None = None  # node → VMID
    user: Login = "debian"  # cloud-init's

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.import_ is None) == (self.template is None):
            raise PydanticCustomError("site.image", "", {})
        return self


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
    factor: Annotated[float, Field(ge=0, le=10)]
    at: TimeOfDay = "01:00"  # site's zone


class Drc(Strict):
    """How copies come to the recovery centre: a backup server there pulls the backups, or pvesr
    replicates to nodes of the same cluster that stand there."""

    method: DrcMethod


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
    approval: Authority = "diskominfo"  # who decides where no rule of site.yaml says so


class Catalogue(Strict):
    images: Mapping[ImageName, Mapping[Name, Image]]  # image → cluster → where
    flavors: Mapping[Name, Flavor] = Field(default_factory=dict)
    service_classes: Mapping[Name, ServiceClass]


# -- people.yaml -----------------------------------------------------------------------------
class RoleGrant(Strict):
    role: Role
    opd: Name | None = None  # None: of Diskominfo, for every OPD


class Person(Strict):
    login: Account
    name: Line
    nip: Nip | None = None
    roles: tuple[RoleGrant, ...]


class PeopleFile(Strict):
    people: tuple[Person, ...]
    delegations: tuple[Delegation, ...] = ()


FILES: Mapping[str, type[Strict]] = {
    "site": SiteFile,
    "opd": OpdFile,
    "catalogue": Catalogue,
    "people": PeopleFile,
}
"""The kinds of file of a site directory."""


def json_schema(kind: str) -> JsonSchema:
    """JSON Schema (draft 2020-12) of one of FILES, for editors. Raises KeyError."""
    schema = FILES[kind].model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
