"""PVE's rows → the nouns of `cluster`, one function per noun, pure."""

import math
import re
from collections.abc import Mapping
from datetime import UTC
from types import MappingProxyType

from cloudpemda.cluster import (
    Backup,
    BackupJob,
    Disk,
    HaResource,
    HaRule,
    Nic,
    Node,
    NodeStatus,
    ReplicationJob,
    ReplicationRun,
    ServerJob,
    Storage,
    Vm,
    VmConfig,
    VmSnapshot,
    VmStatus,
)
from cloudpemda.proxmox.rows import Row
from cloudpemda.units import Cores, Instant, MiB, instant

_MIB = 1024 * 1024
_DISK_SLOT = re.compile(r"(?:scsi|virtio|sata|ide)\d{1,2}|efidisk0|tpmstate0")
_NIC_SLOT = re.compile(r"net\d{1,2}")
_MAC = re.compile(r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}")
_GUEST = re.compile(r"[1-9][0-9]{2,8}")
_PBS_UPID = re.compile(
    r"UPID:[^:\s]+:[0-9A-Fa-f]{8}:[0-9A-Fa-f]{8,9}:[0-9A-Fa-f]{8,16}:([0-9A-Fa-f]{8}):.*"
)
_DISK_SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMGT]?)")
_SIZE_BYTES = MappingProxyType({"": 1, "K": 1024, "M": _MIB, "G": 1024 * _MIB, "T": _MIB * _MIB})


def mib_down(size: float) -> MiB:
    """What there is, in whole MiB."""
    return MiB(int(size) // _MIB)


def mib_up(size: float) -> MiB:
    """What is taken, in whole MiB: a rest counts."""
    return MiB(-(-int(size) // _MIB))


def node(row: Row) -> Node:
    """A `type: node` row. The HA manager says `maintenance` in `hastate`; PVE has no other."""
    status = {"online": NodeStatus.ONLINE, "offline": NodeStatus.OFFLINE}.get(
        row.text("status", "unknown"), NodeStatus.UNKNOWN
    )
    if status is NodeStatus.ONLINE and row.text("hastate", "") == "maintenance":
        status = NodeStatus.MAINTENANCE
    return Node(
        name=row.text("node"),
        status=status,
        cores=Cores(row.integer("maxcpu", 0)),
        memory=mib_down(row.number("maxmem", 0)),
        memory_used=mib_up(row.number("mem", 0)),
    )


def storage(row: Row) -> Storage:
    return Storage(
        name=row.text("storage"),
        node=row.text("node"),
        kind=row.text("plugintype", ""),
        shared=row.flag("shared"),
        content=frozenset(row.words("content")),
        total=mib_down(row.number("maxdisk", 0)),
        used=mib_up(row.number("disk", 0)),
        active=row.text("status", "unknown") == "available",
    )


def vm_status(text: str) -> VmStatus:
    """`paused`, `prelaunch`, `postmigrate` and the like have a process: running."""
    if text == "stopped":
        return VmStatus.STOPPED
    return VmStatus.UNKNOWN if text in {"", "unknown"} else VmStatus.RUNNING


def vm(row: Row) -> Vm:
    """A `qemu` or `lxc` row. A new VM has neither name nor sizes until PVE's statistics ran."""
    return Vm(
        vmid=row.integer("vmid"),
        node=row.text("node"),
        name=row.text("name", ""),
        status=vm_status(row.text("status", "")),
        cores=Cores(math.ceil(row.number("maxcpu", 0))),
        memory=mib_up(row.number("maxmem", 0)),
        template=row.flag("template"),
        tags=tags(row.text("tags", "")),
        pool=row.optional("pool"),
        lock=row.optional("lock"),
        container=row.text("type") == "lxc",
    )


def tags(text: str) -> frozenset[str]:
    return frozenset(text.replace(",", ";").replace(" ", ";").split(";")) - {""}


def vm_config(row: Row) -> VmConfig:
    """The answer of `GET config` (pending values included, as PVE does)."""
    raw = {key: str(value) for key, value in row.items() if isinstance(value, str | int | float)}
    disks = [
        found
        for slot in sorted(raw)
        if _DISK_SLOT.fullmatch(slot) and (found := _disk(row, slot)) is not None
    ]
    memory = raw.get("memory", "512").removeprefix("current=").partition(",")[0]
    if not memory.isdigit():
        raise row.wrong("memory")
    return VmConfig(
        digest=row.text("digest"),
        name=row.text("name", ""),
        cores=Cores(row.integer("cores", 1) * row.integer("sockets", 1)),
        memory=MiB(int(memory)),
        disks=tuple(disks),
        nics=tuple(_nic(row, slot) for slot in sorted(raw) if _NIC_SLOT.fullmatch(slot)),
        tags=tags(row.text("tags", "")),
        description=row.text("description", ""),
        onboot=row.flag("onboot"),
        protection=row.flag("protection"),
        raw=MappingProxyType(raw),
    )


def _disk(row: Row, slot: str) -> Disk | None:
    """One disk; None for CD-ROMs, the cloud-init drive and empty drives."""
    volume, options = _options(row.text(slot))
    volume = options.get("file", volume)
    if options.get("media") == "cdrom" or volume == "none" or volume.endswith("cloudinit"):
        return None
    size = _DISK_SIZE.fullmatch(options.get("size", "0"))
    if size is None:
        raise row.wrong(slot)
    where, colon, _ = volume.partition(":")
    return Disk(
        slot=slot,
        storage=where if colon else "",
        volume=volume,
        size=mib_up(float(size[1]) * _SIZE_BYTES[size[2]]),
        backup=options.get("backup", "1") != "0",
        replicate=options.get("replicate", "1") != "0",
    )


def _nic(row: Row, slot: str) -> Nic:
    _, options = _options(row.text(slot))
    model, mac = options.get("model", ""), options.get("macaddr", "")
    for key, value in options.items():
        if _MAC.fullmatch(value) and key != "macaddr":
            model, mac = key, value
    vlan = options.get("tag", "")
    if vlan and not vlan.isdigit():
        raise row.wrong(slot)
    return Nic(
        slot=slot,
        model=model,
        mac=mac.upper(),
        bridge=options.get("bridge", ""),
        vlan=int(vlan) if vlan else None,
        firewall=options.get("firewall", "0") == "1",
    )


def _options(text: str) -> tuple[str, dict[str, str]]:
    """`local:vm-1-disk-0,size=4G` → the part without a key, and the options by key."""
    bare, options = "", {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if equals:
            options[key.strip()] = value.strip()
        else:
            bare = bare or part.strip()
    return bare, options


def ha_resource(row: Row) -> HaResource:
    """A `type: service` row of the HA status. While it is being removed nothing is requested."""
    return HaResource(
        sid=row.text("sid"),
        requested=row.text("request_state", ""),
        state=row.text("state", ""),
        node=row.optional("node"),
        group=row.optional("group"),
    )


def ha_rule(row: Row) -> HaRule:
    """A rule of 9. One with errors is ignored by the HA manager, so it is not enabled."""
    errors = errors_text(row)
    affinity = row.optional("affinity")
    return HaRule(
        name=row.text("rule"),
        kind=row.text("type"),
        resources=frozenset(row.words("resources")),
        nodes=_priorities(row),
        strict=row.flag("strict"),
        positive=None if affinity is None else affinity == "positive",
        enabled=not row.flag("disable") and errors is None,
        digest=row.optional("digest"),
        errors=errors,
    )


def ha_group(row: Row) -> HaRule:
    """A group of 8 as the node affinity that it amounts to."""
    return HaRule(
        name=row.text("group"),
        kind="group",
        resources=frozenset(),
        nodes=_priorities(row),
        strict=row.flag("restricted"),
        positive=None,
        enabled=True,
        digest=row.optional("digest"),
    )


def errors_text(row: Row) -> str | None:
    """`{"resources": ["rule is ineffective …"]}` as one line; None without errors."""
    for key, value in row.items():
        if key == "errors" and value:
            if not isinstance(value, dict):
                return str(value)
            return "; ".join(
                f"{name}: {', '.join(map(str, why)) if isinstance(why, list) else why}"
                for name, why in sorted(value.items())
            )
    return None


def _priorities(row: Row) -> Mapping[str, int]:
    """`pve1:2,pve2` → node and priority; 0 where none is given."""
    found: dict[str, int] = {}
    for word in row.words("nodes"):
        name, _, priority = word.partition(":")
        if priority and not priority.isdigit():
            raise row.wrong("nodes")
        found[name] = int(priority or 0)
    return MappingProxyType(found)


def replication_job(row: Row) -> ReplicationJob:
    return ReplicationJob(
        id=row.text("id"),
        vmid=row.integer("guest"),
        target=row.text("target"),
        schedule=row.text("schedule", "*/15"),
        enabled=not row.flag("disable"),
        removing="remove_job" in row,
    )


def replication_run(row: Row, asked: str) -> ReplicationRun:
    """What node `asked` says of a job. 0 for a moment means: never."""
    return ReplicationRun(
        id=row.text("id"),
        vmid=row.integer("guest"),
        source=row.text("source", asked),
        target=row.text("target"),
        last_sync=moment(row, "last_sync"),
        last_try=moment(row, "last_try"),
        duration=row.number("duration", 0),
        failures=row.integer("fail_count", 0),
        error=row.optional("error"),
    )


def moment(row: Row, key: str) -> Instant | None:
    """Epoch seconds as a moment; None for 0 and for nothing."""
    epoch = row.number(key, 0)
    if epoch <= 0:
        return None
    try:
        return instant(epoch)
    except (ValueError, OverflowError, OSError) as error:
        raise row.wrong(key) from error


def backup_job(row: Row) -> BackupJob:
    schedule = row.text("schedule", "")
    if not schedule and "starttime" in row:  # the form of jobs made before 7.1
        schedule = f"{row.text('dow', '')} {row.text('starttime')}".strip()
    vmids = row.words("vmid", ",; ")
    if not all(word.isdigit() for word in vmids):
        raise row.wrong("vmid")
    return BackupJob(
        id=row.text("id"),
        enabled=row.flag("enabled", default=True),
        storage=row.text("storage", "local"),
        schedule=schedule,
        vmids=frozenset(map(int, vmids)),
        all=row.flag("all"),
        pool=row.optional("pool"),
        comment=row.text("comment", ""),
        prune=",".join(sorted(_listed(row, "prune-backups"))),
        mode=row.text("mode", "snapshot"),
        node=row.optional("node"),
        exclude_path=",".join(_listed(row, "exclude-path")),
    )


def _listed(row: Row, key: str) -> tuple[str, ...]:
    """What PVE sends as an object or a list of its parts here, as one text there."""
    for name, value in row.items():
        if name == key and isinstance(value, dict):
            return tuple(f"{part}={said}" for part, said in value.items())
        if name == key and isinstance(value, list):
            return tuple(map(str, value))
    return row.words(key)


def backup(row: Row, storage_id: str) -> Backup | None:
    """One volume of a backup storage; None for one that belongs to no guest."""
    if "vmid" not in row:
        return None
    taken = moment(row, "ctime")
    if taken is None:
        raise row.wrong("ctime")
    verified, verified_at = _verification(row)
    return Backup(
        storage=storage_id,
        volume=row.text("volid"),
        vmid=row.integer("vmid"),
        taken_at=taken,
        size=row.integer("size", 0),
        verified=verified,
        verified_at=verified_at,
    )


def backup_snapshot(row: Row, server: str) -> Backup | None:
    """A snapshot of a backup server as the backup of a VM; None for what is none of a VM, and for
    one without a size: it has no manifest yet, so that nothing could be restored from it."""
    number = row.text("backup-id")
    if row.text("backup-type") != "vm" or not _GUEST.fullmatch(number) or "size" not in row:
        return None
    taken = moment(row, "backup-time")
    if taken is None:
        raise row.wrong("backup-time")
    verified, verified_at = _verification(row)
    return Backup(
        storage=server,
        volume=f"{server}:vm/{number}/{taken.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        vmid=int(number),
        taken_at=taken,
        size=row.integer("size"),
        verified=verified,
        verified_at=verified_at,
    )


def _verification(row: Row) -> tuple[bool | None, Instant | None]:
    """What the last verification said, and when it began: that stands in its task's id alone."""
    for key, value in row.items():
        if key == "verification" and isinstance(value, dict):
            state = {"ok": True, "failed": False}.get(str(value.get("state")))
            began = _PBS_UPID.fullmatch(str(value.get("upid", "")))
            return state, instant(int(began[1], 16)) if state is not None and began else None
    return None, None


def server_job(row: Row) -> ServerJob:
    """A sync or verification job of a backup server, with how it last ended."""
    return ServerJob(
        id=row.text("id"),
        store=row.text("store"),
        namespace=row.text("ns", ""),
        schedule=row.text("schedule", ""),
        remote=row.text("remote", ""),
        remote_store=row.text("remote-store", ""),
        ended_at=moment(row, "last-run-endtime"),
        state=row.text("last-run-state", ""),
    )


def vm_snapshot(found: Row) -> VmSnapshot:
    """A row of a VM's list of snapshots."""
    return VmSnapshot(
        name=found.text("name"),
        taken_at=instant(found.number("snaptime", 0)),
        description=found.text("description", ""),
        parent=found.optional("parent"),
        memory=found.flag("vmstate"),
    )
