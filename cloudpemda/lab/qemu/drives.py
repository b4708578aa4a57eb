"""The volumes behind a VM's drives, and changes that wait: made, plugged, let go, taken over.

A change is pending at first, as in PVE. A stopped VM takes it over at once, a running one as far as
its machine can (`hotplug`), the rest when it starts the next time.
"""

import re

from cloudpemda.lab import storage as storages
from cloudpemda.lab.errors import Refused, found, invalid, refuse_if
from cloudpemda.lab.qemu import config as cfg
from cloudpemda.lab.qemu.config import Drive, drives, owner_of
from cloudpemda.lab.state import Storage, Vm, Volume
from cloudpemda.lab.world import Call, World

CLOUDINIT_SIZE = 4 * 1024**2
TPM_SIZE = 4 * 1024**2
EFI_SIZES = {"4m": 528 * 1024, "2m": 128 * 1024}
FOLDERS = ("iso", "vztmpl", "snippets", "backup", "import")


def volume_of(world: World, vm: Vm, drive: Drive) -> Volume:
    volume = storages.find(world.cluster, drive.volid, vm.node)
    return found(volume, f"volume '{drive.volid}' does not exist")


# -- what a caller may use -----------------------------------------------------------------------


def check_drives(call: Call, settings: dict[str, str]) -> None:
    """Storages exist and take disks, names can be read, and the caller may use what is there."""
    for key, drive in drives(settings, unused=True).items():
        source = drive.options.get("import-from", "")
        if source and (not drive.size or float(drive.size)):
            syntax = "requires special syntax - use <storage ID>:0,import-from=<source>"
            raise invalid({key: f"'import-from' {syntax}"})
        if drive.volid == "cdrom":
            call.require("/", "Sys.Console")
        elif drive.size and not drive.cdrom:
            call.require(f"/storage/{drive.storage}", "Datastore.AllocateSpace")
            check_content(storages.storage_of(call.cluster, drive.storage))
        elif drive.volid != "none" and storages.split(drive.volid)[1] != "cloudinit":
            _check_volume(call, key, drive, ("images", "iso"))
        if source:
            _check_volume(call, key, Drive(source), ("images", "import"))


def check_content(storage: Storage) -> None:
    if "images" not in storage.content:
        raise invalid({"storage": f"storage '{storage.name}' does not support vm images"})


def _check_volume(call: Call, key: str, drive: Drive, kinds: tuple[str, str]) -> None:
    """A volume to be used as it is, or copied: of the right kind, and one the caller may have."""
    if not drive.managed:
        if not call.is_root:
            raise storages.refuse_path(call.cluster)
        return
    kind, owner = _kind_and_owner(call, drive)
    if kind not in kinds:
        wrong = f"{drive.volid} has wrong type '{kind}' - needs to be 'images' or 'import'"
        raise invalid(
            {key: wrong if "import" in kinds else "content type needs to be 'images' or 'iso'"}
        )
    path = f"/storage/{drive.storage}"
    if "import" in kinds and owner:
        call.require(f"/vms/{owner}", "VM.Clone")
    elif kind != "images":
        reading = ("Datastore.Allocate", "Datastore.AllocateSpace", "Datastore.Audit")
        call.require(path, *reading, any_of=True)
    elif owner != call.whole("vmid") and not call.may(path, "Datastore.Allocate"):
        call.require(path, "Datastore.Audit")
        call.require(f"/vms/{owner}", "VM.Config.Disk")


def _kind_and_owner(call: Call, drive: Drive) -> tuple[str, int]:
    """What a volume's name tells of it; a name that cannot be read is refused."""
    storage, name = storages.storage_of(call.cluster, drive.storage), storages.split(drive.volid)[1]
    folder = name.partition("/")[0]
    if storage.type not in storages.FILE_BASED:
        family = storage.type.removesuffix("pool").removesuffix("thin")
        refuse_if(not owner_of(name), f"unable to parse {family} volume name '{name}'")
        return "images", owner_of(name)
    if folder in FOLDERS and folder != name:
        return folder, 0
    within = re.search(r"(?:^|/)(\d+)/[^/\s]+$", name)
    return "images", int(found(within, f"unable to parse directory volume name '{name}'")[1])


# -- making them ---------------------------------------------------------------------------------


def import_seconds(world: World, settings: dict[str, str]) -> float:
    imported = [d for d in drives(settings).values() if "import-from" in d.options]
    return len(imported) * world.duration("import")


def make_drives(
    world: World, vm: Vm, settings: dict[str, str], log: list[str], made: list[str] | None = None
) -> dict[str, str]:
    """Make the volumes that settings ask for: all or none; the drives as they are stored."""
    made = [] if made is None else made
    try:
        wanted = drives(settings, unused=True)
        return {key: str(_made(world, vm, key, wanted[key], log, made)) for key in wanted}
    except Refused:
        for volid in made:
            storages.free(world, volid, vm.node)
        raise


def _made(world: World, vm: Vm, key: str, drive: Drive, log: list[str], made: list[str]) -> Drive:
    if not drive.managed or drive.volid.startswith("/"):
        return drive
    to_make_cd = storages.split(drive.volid)[1] == "cloudinit"
    if not drive.size and not to_make_cd:
        volume = volume_of(world, vm, drive)
        return Drive(drive.volid, drive.options | size_option(volume.virtual or volume.size))
    storage = storages.usable_on(world.cluster, drive.storage, vm.node)
    options = dict(drive.options)
    form, source = options.pop("format", ""), options.pop("import-from", "")
    if to_make_cd:
        volume = make_cloudinit(world, storage, vm, form)
        options["media"], lines = "cdrom", formatting(storage, volume)
    elif source:
        volume, lines = _imported(world, vm, storage, form, source)
    else:
        form = form or storages.default_format(storage)
        supported = form in storages.formats(storage)
        refuse_if(not supported, f"unsupported format '{form}'")
        fixed = {"tpmstate": TPM_SIZE, "efidisk": EFI_SIZES[options.get("efitype", "2m")]}
        size = fixed.get(key.rstrip("0"), storages.size_in_gib(drive.size))
        volume = storages.allocate(world, storage, vm.node, vm.vmid, size, form)
        lines = formatting(storage, volume)
    made.append(volume.volid)
    drive = Drive(volume.volid, options if to_make_cd else options | size_option(volume.virtual))
    log += [*lines, f"{key}: successfully created disk '{drive}'"]
    return drive


def size_option(size: int) -> dict[str, str]:
    return {"size": storages.format_size(size)}


def make_cloudinit(world: World, storage: Storage, vm: Vm, form: str = "") -> Volume:
    form = form or ("qcow2" if storage.type in storages.FILE_BASED else "raw")
    volid = storages.full_name(storage, vm.vmid, f"vm-{vm.vmid}-cloudinit", form)
    return storages.allocate(world, storage, vm.node, vm.vmid, CLOUDINIT_SIZE, form, volid=volid)


def _imported(
    world: World, vm: Vm, storage: Storage, form: str, source: str
) -> tuple[Volume, list[str]]:
    """A copy of a disk image, named by volume id or by path."""
    cluster = world.cluster
    if source.startswith("/"):
        images = (one for one in cluster.volumes if one.content == "import")
        image = next((one for one in images if source in _paths(world, one)), None)
        image = found(image, f"can't find file '{source}'")
    else:
        origin = storages.storage_of(cluster, storages.split(source)[0])
        path = f"{storages.folder(origin)}/{storages.split(source)[1]}"
        image = found(storages.find(cluster, source, vm.node), f"failed to stat '{path}'")
        form = form or image.format
    form = form if form in storages.formats(storage) else storages.default_format(storage)
    copy = storages.allocate(world, storage, vm.node, vm.vmid, image.virtual, form)
    copy.system = image.system
    lines = [*formatting(storage, copy), *transferred(image.virtual)]
    if not source.startswith("/"):
        lines.insert(-2, f"allocated target volume '{copy.volid}'")
        lines.insert(0, f"create full clone of drive ({source})")
    return copy, lines


def _paths(world: World, image: Volume) -> tuple[str, str]:
    name, rest = storages.split(image.volid)
    folder = storages.folder(world.cluster.storages[name])
    return f"{folder}/{rest}", f"{folder}/{rest.rpartition('/')[2]}"


def formatting(storage: Storage, volume: Volume) -> list[str]:
    """What the making of an image file says."""
    detail = f"fmt={volume.format} size={volume.virtual} preallocation=off"
    if volume.format == "qcow2":
        detail = (
            "fmt=qcow2 cluster_size=65536 extended_l2=off preallocation=metadata "
            f"compression_type=zlib size={volume.virtual} lazy_refcounts=off refcount_bits=16"
        )
    line = f"Formatting '{storages.path_of(storage, volume.volid)}', {detail}"
    return [line] if storage.type in storages.FILE_BASED else []


def transferred(size: int) -> list[str]:
    whole, unit = float(size), "B"
    for bigger in ("KiB", "MiB", "GiB", "TiB"):
        if whole >= 1024:
            whole, unit = whole / 1024, bigger
    text = f"{whole:.1f} {unit}"
    return [f"transferred 0.0 B of {text} (0.00%)", f"transferred {text} of {text} (100.00%)"]


def let_go(world: World, vm: Vm, key: str, drive: Drive, *, destroy: bool = False) -> None:
    """A drive is gone: its volume stays as unused, or is destroyed; another VM's is left alone."""
    if not drive.managed or owner_of(drive.volid) != vm.vmid:
        return
    if drive.cloudinit:
        storages.free(world, drive.volid, vm.node)
    elif destroy and not drive.cdrom:
        busy = f"unable to delete '{drive.volid}' - volume is still in use (snapshot?)"
        refuse_if(cfg.in_use(vm, drive.volid, but=key), busy)
        storages.free(world, drive.volid, vm.node)
    elif not drive.cdrom:
        cfg.add_unused(vm, drive.volid)


# -- pending changes -----------------------------------------------------------------------------

# Keys that change nothing in the machine; features that let others be changed while it runs.
AT_ONCE = {
    "name", "onboot", "shares", "startup", "description", "protection", "hookscript", "tags",
    "lock", "migrate_downtime", "migrate_speed", "vmstatestorage", "cpulimit", "cpuunits",
    *cfg.CI_KEYS,
}  # fmt: skip
FEATURES = {"tablet": "usb", "usb": "usb", "vcpus": "cpu", "memory": "memory", "net": "network"}
FEATURES |= {"scsi": "disk", "virtio": "disk"}
# What of a NIC or of the agent can change in place; what of a disk cannot.
IN_PLACE = {
    "net": {"bridge", "tag", "trunks", "firewall", "link_down", "rate"},
    "agent": {"fstrim_cloned_disks", "freeze-fs-on-backup", "guest-fsfreeze"},
}
FIXED = {"file", "aio", "cache", "discard", "iothread", "queues", "ro", "ssd", "product", "vendor"}


def takes_over(config: dict[str, str], key: str, new: str | None) -> bool:
    """Whether a running machine makes a change at once; `new` is None where the key goes."""
    kind, old = cfg.kind_of(key), config.get(key)
    chosen = config.get("hotplug", "1")
    features = {"0": "", "1": "network,disk,usb"}.get(chosen, chosen).split(",")
    if key == "hotplug":
        return not re.search("cpu|memory", f"{old} {new}")
    if key == "balloon":
        return (old == "0") == (new == "0")
    if old is not None and new is not None:
        before, after = cfg.properties(old, "file"), cfg.properties(new, "file")
        changed = {name for name, _ in before.items() ^ after.items()}
        if kind in cfg.BUSES and (not changed & FIXED or cfg.parse_drive(old).cdrom):
            return True
        if changed <= IN_PLACE.get(kind, set()):
            return True
    at_once = key in AT_ONCE or kind in ("ipconfig", "unused")
    return at_once or FEATURES.get(kind) in features


def remove_key(world: World, vm: Vm, key: str, *, force: bool = False) -> None:
    """Take a key out; a disk is detached (kept as unused), an unused one destroyed."""
    value = vm.config.get(key)
    if value is not None and cfg.DISK_KEY.fullmatch(key):
        destroy = force or key.startswith("unused")
        let_go(world, vm, key, cfg.parse_drive(value), destroy=destroy)
    vm.config.pop(key, None)


def take_over_pending(world: World, vm: Vm, *, plugged: bool = False, force: bool = False) -> None:
    """Pending changes come into force; of a machine that runs on (`plugged`), those that can."""
    for key in [k for k in vm.pending_delete if not plugged or takes_over(vm.config, k, None)]:
        vm.pending_delete.remove(key)
        words = "hotplug problem -" if plugged else f"unable to apply pending change {key} :"
        try:
            remove_key(world, vm, key, force=force)
        except Refused as refused:
            raise invalid({key: f"{words} {refused.message}\n"}) from None
    for key, value in list(vm.pending.items()):
        if plugged and not takes_over(vm.config, key, value):
            continue
        old = vm.config.get(key, "")
        vm.config[key] = vm.pending.pop(key)
        replaced = cfg.drives({key: old}).get(key)
        if replaced is not None and replaced.volid != cfg.parse_drive(value).volid:
            let_go(world, vm, key, replaced)
        if key == "description" and not value:
            del vm.config[key]
    cfg.drop_reused(vm)
