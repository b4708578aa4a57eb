"""Turning requested drives into volumes: `local:32`, `import-from=…`, `local:cloudinit`, `none`."""

import re
from dataclasses import dataclass

from cloudpemda.lab import storage as storages
from cloudpemda.lab.errors import failed
from cloudpemda.lab.qemu.config import Drive, parse_drive
from cloudpemda.lab.state import Storage, Task, Vm, Volume
from cloudpemda.lab.world import World

CLOUDINIT_SIZE = 4 * 1024**2
TPM_SIZE = 4 * 1024**2
EFI_SIZE = 528 * 1024


@dataclass
class Wanted:
    """One drive that a call asks for."""

    key: str
    drive: Drive

    @property
    def source(self) -> str:
        return self.drive.options.get("import-from", "")

    @property
    def new(self) -> bool:
        name = storages.split(self.drive.volid)[1]
        return bool(re.fullmatch(r"\d+(\.\d+)?|cloudinit", name))


def wanted(settings: dict[str, str], pattern: re.Pattern[str]) -> list[Wanted]:
    return [
        Wanted(key, parse_drive(value)) for key, value in settings.items() if pattern.fullmatch(key)
    ]


def import_seconds(world: World, drives: list[Wanted]) -> float:
    return sum(world.duration("import") for one in drives if one.source)


def materialise(world: World, vm: Vm, one: Wanted, log: Task | None, made: list[str]) -> str:
    """Make the volume if there is none yet; the drive as it goes into the configuration.

    What was allocated is appended to `made`, so that a failing caller can free it again.
    """
    drive, node = one.drive, vm.node
    if drive.volid in ("none", "cdrom") or drive.volid.startswith("/"):
        return str(drive)
    name, rest = storages.split(drive.volid)
    if not one.new:
        return _existing(world, vm, drive)
    storage = storages.usable_on(world.cluster, name, node)
    if rest == "cloudinit":
        return _cloudinit(world, vm, storage, drive, made)
    wanted_content = "images"
    if wanted_content not in storage.content:
        raise failed(f"storage '{name}' does not support content-type 'images'")
    options, system = dict(drive.options), False
    form = options.pop("format", "raw")
    if form not in storages.formats(storage):
        raise failed(f"storage '{name}' does not support format '{form}'")
    if one.source:
        image = _source(world, vm, one.source)
        size, system = image.virtual, image.system
        if "format" not in drive.options and one.source[0] != "/":
            form = image.format if image.format in storages.formats(storage) else "raw"
        options.pop("import-from")
    else:
        size = storages.size_in_gib(rest)
        if one.key.startswith("tpmstate"):
            size = TPM_SIZE
        elif one.key.startswith("efidisk"):
            size = EFI_SIZE
    volume = storages.allocate(world, storage, node, vm.vmid, size, form)
    volume.system = system
    made.append(volume.volid)
    options["size"] = storages.format_size(size)
    if log is not None:
        _log_made(log, storage, volume.volid, form, size, one)
    return str(Drive(volume.volid, options))


def _log_made(log: Task, storage: Storage, volid: str, form: str, size: int, one: Wanted) -> None:
    if storage.type in storages.FILE_BASED:
        path = storages.path_of(storage, volid)
        detail = f"fmt=raw size={size} preallocation=off"
        if form == "qcow2":
            detail = (
                "fmt=qcow2 cluster_size=65536 extended_l2=off preallocation=metadata "
                f"compression_type=zlib size={size} lazy_refcounts=off refcount_bits=16"
            )
        log.log.append(f"Formatting '{path}', {detail}")
    if one.source:
        log.log += transferred(size)
    text = f"{volid},size={storages.format_size(size)}"
    log.log.append(f"{one.key}: successfully created disk '{text}'")


def transferred(size: int) -> list[str]:
    whole = human(size)
    return [f"transferred 0.0 B of {whole} (0.00%)", f"transferred {whole} of {whole} (100.00%)"]


def human(size: int) -> str:
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            return f"{value:.1f} {unit}"
        value /= 1024
    return ""


def _existing(world: World, vm: Vm, drive: Drive) -> str:
    volume = storages.find(world.cluster, drive.volid, vm.node)
    if volume is None:
        name, rest = storages.split(drive.volid)
        storage = storages.storage_of(world.cluster, name)
        if storage.type in storages.FILE_BASED and "/" not in rest:
            raise failed(f"unable to parse directory volume name '{rest}'")
        raise failed(f"volume '{drive.volid}' does not exist")
    if not drive.cdrom and "size" not in drive.options:
        drive.options["size"] = storages.format_size(volume.virtual)
    return str(drive)


def _cloudinit(world: World, vm: Vm, storage: Storage, drive: Drive, made: list[str]) -> str:
    form = "qcow2" if storage.type in storages.FILE_BASED else "raw"
    volid = storages.full_name(storage, vm.vmid, f"vm-{vm.vmid}-cloudinit", form)
    if storages.find(world.cluster, volid, vm.node) is None:
        storages.allocate(world, storage, vm.node, vm.vmid, CLOUDINIT_SIZE, form, volid=volid)
        made.append(volid)
    return str(Drive(volid, {**drive.options, "media": "cdrom"}))


def _source(world: World, vm: Vm, source: str) -> Volume:
    """The disk image that is imported, named by volume id or by path."""
    if source.startswith("/"):
        images = (v for v in world.cluster.volumes if v.content == "import")
        found = next((v for v in images if _is_file(world, v.volid, source)), None)
        if found is None:
            raise failed(f"can't find file '{source}'")
        return found
    volume = storages.find(world.cluster, source, vm.node)
    if volume is None:
        storages.storage_of(world.cluster, storages.split(source)[0])
        raise failed(f"volume '{source}' does not exist")
    return volume


def _is_file(world: World, volid: str, path: str) -> bool:
    name, rest = storages.split(volid)
    storage = world.cluster.storages[name]
    base = storages.folder(storage)
    return path in (f"{base}/{rest}", f"{base}/{rest.rpartition('/')[2]}")
