"""A VM's configuration: texts by key, drives and NICs taken apart and put together again."""

import re
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cloudpemda.lab import sections
from cloudpemda.lab.errors import found, refuse_if, reject_if
from cloudpemda.lab.formats import split_list
from cloudpemda.lab.params import declared, parse_property_string
from cloudpemda.lab.routes import Row
from cloudpemda.lab.state import MIB, Vm
from cloudpemda.lab.tables import Spec, load
from cloudpemda.lab.world import Call, World, digest_of

CREATE = "POST /nodes/{node}/qemu"
DISK_KEY = re.compile(r"(ide|sata|scsi|virtio|efidisk|tpmstate|unused)\d+")
BUSES = ("ide", "scsi", "virtio", "sata")
CI_KEYS = (
    "ciuser", "cipassword", "citype", "cicustom", "ciupgrade", "nameserver", "searchdomain",
    "sshkeys",
)  # fmt: skip
SSH_KEY = re.compile(r"(ssh-(rsa|dss|ed25519)|ecdsa-sha2-\S+|sk-\S+) [A-Za-z0-9+/=]{20,}.*")


def kind_of(key: str) -> str:
    """`scsi` of `scsi3`."""
    return key.rstrip("0123456789")


def properties(text: str, default: str = "") -> dict[str, str]:
    """The parts of `a,b=c` by name; what has no name is the `default`."""
    parts = (part.partition("=") for part in text.split(",") if part)
    return {name if equals else default: value if equals else name for name, equals, value in parts}


def joined(first: str, options: Mapping[str, str]) -> str:
    """The inverse: the part without a name, and the others in order."""
    return ",".join([first, *(f"{name}={value}" for name, value in sorted(options.items()))])


# -- drives --------------------------------------------------------------------------------------


@dataclass
class Drive:
    volid: str
    options: dict[str, str] = field(default_factory=dict)

    @property
    def cloudinit(self) -> bool:
        return "cloudinit" in self.volid

    @property
    def cdrom(self) -> bool:
        return self.options.get("media") == "cdrom" or self.cloudinit

    @property
    def managed(self) -> bool:
        """It has a volume on a storage, or asks for one."""
        return ":" in self.volid

    @property
    def storage(self) -> str:
        return self.volid.partition(":")[0]

    @property
    def size(self) -> str:
        """The N of `storage:N`: GiB of a volume that is to be made."""
        wanted = re.fullmatch(r"[^/:\s]+:(\d+(\.\d+)?)", self.volid)
        return wanted[1] if wanted else ""

    def __str__(self) -> str:
        return joined(self.volid, self.options)


def parse_drive(text: str) -> Drive:
    options = properties(text, "file")
    return Drive(options.pop("file", "") or options.pop("volume", ""), options)


def drives(config: Mapping[str, str], *, unused: bool = False) -> dict[str, Drive]:
    return {
        key: parse_drive(value)
        for key, value in config.items()
        if DISK_KEY.fullmatch(key) and (unused or not key.startswith("unused"))
    }


def disks(config: Mapping[str, str]) -> dict[str, Drive]:
    """Drives that hold data: no CDs, no unused ones."""
    empty = ("none", "cdrom")
    named = drives(config).items()
    return {key: drive for key, drive in named if not drive.cdrom and drive.volid not in empty}


def volumes(config: Mapping[str, str]) -> list[str]:
    return [drive.volid for drive in drives(config, unused=True).values() if drive.managed]


def owner_of(volid: str) -> int:
    """The VM whose volume it is, by its name; 0 where the name tells none."""
    named = re.search(r"(?:vm|base)-(\d+)-[^/]*$", volid)
    return int(named[1]) if named else 0


def in_snapshot(vm: Vm, volid: str) -> bool:
    return any(volid in volumes(snapshot.config) for snapshot in vm.snapshots.values())


def add_unused(vm: Vm, volid: str) -> str:
    """Keep a volume that no drive has any more; its key."""
    kept = {value: key for key, value in vm.config.items() if kind_of(key) == "unused"}
    free = (f"unused{number}" for number in range(256) if f"unused{number}" not in vm.config)
    key = kept.get(volid) or next(free, None)
    vm.config[found(key, "Too many unused volumes - please delete them first.")] = volid
    return str(key)


# -- what a configuration says -------------------------------------------------------------------


def spec_of(release: str, key: str) -> Spec | None:
    return declared(load(release)[CREATE].params, key)


def memory_of(config: Mapping[str, str]) -> int:
    """Bytes."""
    return int(config.get("memory", "512").removeprefix("current=")) * MIB


def cpus_of(config: Mapping[str, str]) -> int:
    cores, sockets = int(config.get("cores", 1)), int(config.get("sockets", 1))
    return int(config.get("vcpus", 0)) or cores * sockets


def boot_order(config: Mapping[str, str]) -> list[str]:
    """The devices of `order=a;b`; none in the older notation."""
    return [key for key in properties(config.get("boot", "")).get("order", "").split(";") if key]


def boot_text(order: list[str]) -> str:
    return f"order={';'.join(order)}" if order else " "


def boot_disk(config: Mapping[str, str]) -> Drive | None:
    """The disk whose size PVE shows as the VM's."""
    keys = boot_order(config) or [config.get("bootdisk", "")]
    holding = disks({key: config[key] for key in keys if key in config})
    return next(iter(holding.values()), None)


def default_boot(config: Mapping[str, str]) -> str:
    """The first disk, the first CD, the first NIC."""

    def first(keys: Iterable[str]) -> list[str]:
        return sorted(keys, key=lambda key: ((*BUSES, "net").index(kind_of(key)), len(key), key))[
            :1
        ]

    bootable = {key: drive for key, drive in drives(config).items() if kind_of(key) in BUSES}
    hard = first(key for key, drive in bootable.items() if not drive.cdrom)
    optical = first(key for key, drive in bootable.items() if drive.cdrom)
    return boot_text(hard + optical + first(key for key in config if kind_of(key) == "net"))


def net_use(text: str) -> tuple[str, str]:
    """Bridge and VLAN tag of a NIC."""
    options = properties(text)
    return options.get("bridge", ""), options.get("tag", "")


def shown(release: str, config: Mapping[str, str]) -> Row:
    """The configuration as the API shows it: whole numbers and booleans as such, no password."""
    masked = {key: "**********" for key in ("cipassword",) if key in config}
    return sections.shown(release, CREATE, {**config, **masked})


def digest(vm: Vm) -> str:
    snapshots = [[one.name, one.description] for one in vm.snapshots.values()]
    return digest_of([vm.config, vm.pending, vm.pending_delete, vm.parent, snapshots])


def with_pending(vm: Vm) -> dict[str, str]:
    kept = {key: value for key, value in vm.config.items() if key not in vm.pending_delete}
    return kept | vm.pending


# -- guards --------------------------------------------------------------------------------------


def check_lock(vm: Vm, call: Call | None = None) -> None:
    """Fail when the VM is locked, unless root said `skiplock`."""
    lock = vm.config.get("lock")
    refuse_if(lock and not (call and call.flag("skiplock")), f"VM is locked ({lock})")


def check_skiplock(call: Call) -> None:
    not_root = call.flag("skiplock") and not call.is_root
    reject_if(not_root, "skiplock", "Only root may use this option.")


def check_digest(call: Call, vm: Vm) -> None:
    changed = call.get("digest", digest(vm)) != digest(vm)
    refuse_if(changed, "checksum mismatch (file change by other user?)")


def check_protection(vm: Vm, what: str) -> None:
    refuse_if(vm.config.get("protection") == "1", f"can't remove {what} - protection mode enabled")


def check_ssh_keys(text: str) -> None:
    lines = filter(None, map(str.strip, urllib.parse.unquote(text).split("\n")))
    good = all(SSH_KEY.fullmatch(line) for line in lines)
    refuse_if(not good, "SSH public key validation error ")


# -- values as PVE stores them -------------------------------------------------------------------


def normal_tags(text: str, *, in_order: bool = False) -> str:
    """Lower case, each once; sorted from the first change on."""
    tags = dict.fromkeys(tag.lower() for tag in split_list(text))
    return ";".join(tags if in_order else sorted(tags)) or " "


def stored(world: World, key: str, value: str) -> str:
    """A setting as it goes into the configuration file; a NIC gets an address."""
    spec = spec_of(world.cluster.release, key)
    if kind_of(key) == "net" and spec:
        values = parse_property_string(spec.keys, value)
        mac = values.pop("macaddr", "") or world.new_mac()
        return joined(f"{values.pop('model')}={mac.upper()}", values)
    if key == "vmgenid" and value == "1":
        return world.new_uuid()
    if key == "description":
        return value.removesuffix("\n")
    return str(int(value)) if spec and spec.type == "integer" else value
