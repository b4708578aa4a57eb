"""A VM's configuration: texts by key, drives and NICs taken apart and put together again."""

import re
import urllib.parse
from dataclasses import dataclass, field

from cloudpemda.lab import storage as storages
from cloudpemda.lab.errors import Refused, failed, invalid
from cloudpemda.lab.formats import split_list
from cloudpemda.lab.params import declared, parse_property_string
from cloudpemda.lab.state import MIB, Vm
from cloudpemda.lab.tables import Spec, load
from cloudpemda.lab.world import Call, World, digest_of

DISK_KEY = re.compile(r"(ide|sata|scsi|virtio|efidisk|tpmstate|unused)\d+")
BUSES = ("ide", "scsi", "virtio", "sata")
CREATE = "POST /nodes/{node}/qemu"
# Parameters of the call that are no settings of the VM.
NOT_SETTINGS = {
    "node", "vmid", "archive", "bwlimit", "force", "ha-managed", "import-working-storage",
    "live-restore", "pool", "start", "storage", "unique", "delete", "digest", "revert", "skiplock",
    "background_delay",
}  # fmt: skip
CI_KEYS = (
    "ciuser", "cipassword", "citype", "cicustom", "ciupgrade", "nameserver", "searchdomain",
    "sshkeys",
)  # fmt: skip


@dataclass
class Drive:
    volid: str
    options: dict[str, str] = field(default_factory=dict)

    @property
    def cdrom(self) -> bool:
        return self.options.get("media") == "cdrom"

    @property
    def cloudinit(self) -> bool:
        return "cloudinit" in self.volid

    def __str__(self) -> str:
        return ",".join([self.volid, *(f"{k}={v}" for k, v in sorted(self.options.items()))])


def spec_of(release: str, key: str) -> Spec | None:
    return declared(load(release)[CREATE].params, key)


def parse_drive(text: str) -> Drive:
    volid = ""
    options: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals:
            volid = part
        elif name in ("file", "volume"):
            volid = value
        else:
            options[name] = value
    return Drive(volid, options)


def drives(config: dict[str, str], *, unused: bool = False) -> dict[str, Drive]:
    return {
        key: parse_drive(value)
        for key, value in config.items()
        if DISK_KEY.fullmatch(key) and (unused or not key.startswith("unused"))
    }


def disks(config: dict[str, str]) -> dict[str, Drive]:
    """Drives that hold data: no CDs, no unused ones."""
    return {
        key: drive
        for key, drive in drives(config).items()
        if not drive.cdrom and drive.volid not in ("none", "cdrom") and not drive.cloudinit
    }


def volumes(config: dict[str, str]) -> list[str]:
    return [d.volid for d in drives(config, unused=True).values() if ":" in d.volid]


def memory_of(config: dict[str, str]) -> int:
    """Bytes."""
    return int(config.get("memory", "512").removeprefix("current=")) * MIB


def cpus_of(config: dict[str, str]) -> int:
    return int(config.get("vcpus", 0)) or int(config.get("cores", 1)) * int(
        config.get("sockets", 1)
    )


def boot_disk(config: dict[str, str]) -> Drive | None:
    """The disk whose size PVE shows as the VM's."""
    found = disks(config)
    boot = config.get("boot", "")
    if "order=" in boot:
        for device in boot.partition("order=")[2].split(",")[0].split(";"):
            if device in found:
                return found[device]
        return None
    return found.get(config.get("bootdisk", "")) if "bootdisk" in config else None


def default_boot(config: dict[str, str]) -> str:
    found = drives(config)
    ordered = sorted(
        (key for key in found if key.rstrip("0123456789") in BUSES),
        key=lambda key: (BUSES.index(key.rstrip("0123456789")), int(re.sub(r"\D", "", key))),
    )
    order = [key for key in ordered if not found[key].cdrom and not found[key].cloudinit][:1]
    order += [key for key in ordered if found[key].cdrom or found[key].cloudinit][:1]
    order += sorted(
        (key for key in config if re.fullmatch(r"net\d+", key)), key=lambda k: int(k[3:])
    )[:1]
    return f"order={';'.join(order)}" if order else " "


def shown(release: str, config: dict[str, str], *, mask: bool = True) -> dict[str, object]:
    """The configuration as the API shows it: whole numbers and booleans as such, no password."""
    found: dict[str, object] = {}
    for key, value in config.items():
        spec = spec_of(release, key)
        if mask and key == "cipassword":
            found[key] = "**********"
        elif spec is not None and spec.type in ("integer", "boolean"):
            found[key] = int(value)
        else:
            found[key] = value
    return found


def digest(vm: Vm) -> str:
    return digest_of(
        [vm.config, vm.pending, vm.pending_delete, vm.parent,
         [s.name for s in vm.snapshots.values()], [s.description for s in vm.snapshots.values()]]
    )  # fmt: skip


def with_pending(vm: Vm) -> dict[str, str]:
    merged = {key: value for key, value in vm.config.items() if key not in vm.pending_delete}
    return {**merged, **vm.pending}


def check_lock(vm: Vm, call: Call | None = None) -> None:
    """Fail when the VM is locked, unless root said `skiplock`."""
    lock = vm.config.get("lock")
    if lock and not (call is not None and call.params.flag("skiplock")):
        raise failed(f"VM is locked ({lock})")


def check_skiplock(call: Call) -> None:
    if call.params.flag("skiplock") and not call.is_root:
        raise invalid({"skiplock": "Only root may use this option."})


def check_digest(call: Call, vm: Vm) -> None:
    if "digest" in call.params and call.params["digest"] != digest(vm):
        raise Refused(500, "checksum mismatch (file change by other user?)")


# -- values as PVE stores them -------------------------------------------------------------------


def tags_at_creation(text: str) -> str:
    """Lower case, each once, in the order given: what 9 makes of a new VM's tags (8: nothing)."""
    return ";".join(dict.fromkeys(tag.lower() for tag in split_list(text)))


def normal_tags(text: str) -> str:
    """Lower case, each once, sorted: how PVE keeps tags from the first change on."""
    tags = sorted({tag.lower() for tag in split_list(text)})
    return ";".join(tags) if tags else " "


def net_value(world: World, text: str, keys: dict[str, Spec]) -> str:
    """A NIC with its MAC address filled in."""
    values = parse_property_string(keys, text)
    model = values.pop("model")
    mac = values.pop("macaddr", "") or world.new_mac()
    return ",".join([f"{model}={mac.upper()}", *(f"{k}={v}" for k, v in sorted(values.items()))])


def net_use(text: str) -> tuple[str, str]:
    """Bridge and VLAN tag of a NIC."""
    options = dict(part.split("=", 1) for part in text.split(",") if "=" in part)
    return options.get("bridge", ""), options.get("tag", "")


def check_ssh_keys(text: str) -> None:
    for line in urllib.parse.unquote(text).split("\n"):
        if line.strip() and not re.match(
            r"(ssh-(rsa|dss|ed25519)|ecdsa-sha2-\S+|sk-\S+) [A-Za-z0-9+/=]{20,}", line.strip()
        ):
            raise failed("SSH public key validation error ")


def stored(world: World, release: str, key: str, value: str) -> str:
    """A setting as it goes into the configuration file."""
    if key.startswith("net") and key[3:].isdigit():
        spec = spec_of(release, key)
        return net_value(world, value, spec.keys if spec else {})
    if key == "description":
        return value.removesuffix("\n")
    if key == "vmgenid" and value == "1":
        return world.new_uuid()
    if key == "smbios1" and "uuid=" not in value:
        return value
    spec = spec_of(release, key)
    if spec is not None and spec.type == "integer":
        return str(int(value))
    return value


def storage_name(volid: str) -> str:
    return storages.split(volid)[0]
