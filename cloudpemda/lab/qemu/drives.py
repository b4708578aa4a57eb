"""The volumes behind a VM's drives, and changes that wait: made, let go, plugged, taken over.

A change is pending at first, as in PVE. A stopped VM takes it over at once, a running one as far as
its machine can (`hotplug`), the rest when it starts the next time.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from cloudpemda.lab import storage as storages
from cloudpemda.lab.errors import Refused, failed, found, invalid, refuse_if, reject_if
from cloudpemda.lab.qemu import config as cfg
from cloudpemda.lab.qemu.config import Drive, drives, parse_drive
from cloudpemda.lab.state import GIB, MIB, Cluster, Storage, Vm, Volume
from cloudpemda.lab.tables import vm_settings
from cloudpemda.lab.world import Call, World

CLOUDINIT_SIZE = TPM_SIZE = 4 * 1024**2
EFI_SIZES = {"4m": 528 * 1024, "2m": 128 * 1024}
FOLDERS = ("iso", "vztmpl", "snippets", "backup", "import")


def volume_of(world: World, vm: Vm, drive: Drive) -> Volume:
    volume = storages.find(world.cluster, drive.volid, vm.node)
    return found(volume, f"volume '{drive.volid}' does not exist")


# -- what a caller may use -----------------------------------------------------------------------


def check_drives(call: Call, settings: Mapping[str, str]) -> None:
    """Storages exist and take disks, names can be read, and the caller may use what is there."""
    for key, drive in drives(settings, unused=True).items():
        source = drive.options.get("import-from", "")
        syntax = "requires special syntax - use <storage ID>:0,import-from=<source>"
        reject_if(source and float(drive.size or 1), key, f"'import-from' {syntax}")
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
    wrong = f"storage '{storage.name}' does not support vm images"
    reject_if("images" not in storage.content, "storage", wrong)


def _check_volume(call: Call, key: str, drive: Drive, kinds: tuple[str, str]) -> None:
    """A volume to be used as it is, or copied: of the right kind, and one the caller may have."""
    if not drive.managed:
        if not call.is_root:
            raise storages.refuse_path(call.cluster)
        return
    kind, owner = kind_and_owner(call.cluster, drive.volid)
    path, wrong = f"/storage/{drive.storage}", "content type needs to be 'images' or 'iso'"
    if "import" in kinds:
        wrong = f"{drive.volid} has wrong type '{kind}' - needs to be 'images' or 'import'"
    reject_if(kind not in kinds, key, wrong)
    if "import" in kinds and owner:
        call.require(f"/vms/{owner}", "VM.Clone")
    elif kind != "images":
        reading = ("Datastore.Allocate", "Datastore.AllocateSpace", "Datastore.Audit")
        call.require(path, *reading, any_of=True)
    elif owner != call.whole("vmid") and not call.may(path, "Datastore.Allocate"):
        call.require(path, "Datastore.Audit")
        call.require(f"/vms/{owner}", "VM.Config.Disk")


def kind_and_owner(cluster: Cluster, volid: str) -> tuple[str, int]:
    """What a volume's name tells of it; a name that cannot be read is refused."""
    sid, name = storages.split(volid)
    storage = storages.storage_of(cluster, sid)
    if storage.type not in storages.FILE_BASED:
        family = storage.type.removesuffix("pool").removesuffix("thin")
        refuse_if(not cfg.owner_of(name), f"unable to parse {family} volume name '{name}'")
        return "images", cfg.owner_of(name)
    folder, _, file = name.partition("/")
    if file and folder in FOLDERS:
        return folder, 0
    within = re.search(r"(?:^|/)(\d+)/[^/\s]+$", name)
    return "images", int(found(within, f"unable to parse directory volume name '{name}'")[1])


# -- making them ---------------------------------------------------------------------------------


@contextmanager
def freed_on_failure(world: World, vm: Vm) -> Iterator[list[str]]:
    """The volumes noted in the list go again when what is done meanwhile fails."""
    made: list[str] = []
    try:
        yield made
    except Refused:
        for volid in made:
            storages.free(world, volid, vm.node)
        raise


def import_seconds(world: World, settings: Mapping[str, str]) -> float:
    imported = sum("import-from" in drive.options for drive in drives(settings).values())
    return imported * world.duration("import")


def make_drives(
    world: World, vm: Vm, settings: Mapping[str, str], made: list[str], log: list[str]
) -> dict[str, str]:
    """Make the volumes that settings ask for; the drives as they are stored."""
    return {
        key: str(_stored(world, vm, key, drive, made, log))
        for key, drive in drives(settings, unused=True).items()
    }


def _stored(world: World, vm: Vm, key: str, drive: Drive, made: list[str], log: list[str]) -> Drive:
    cd = storages.split(drive.volid)[1] == "cloudinit"
    if not drive.managed or drive.volid.startswith("/"):
        return drive
    if not drive.size and not cd:
        volume = volume_of(world, vm, drive)
        return Drive(drive.volid, drive.options | size_option(volume.virtual or volume.size))
    storage = storages.usable_on(world.cluster, drive.storage, vm.node)
    form, source = drive.options.pop("format", ""), drive.options.pop("import-from", "")
    if source:
        volume, lines = _imported(world, vm, storage, form, source)
    elif cd:
        volume = make_cloudinit(world, storage, vm, form)
        lines, drive.options["media"] = formatting(storage, volume), "cdrom"
    else:
        form = form or storages.default_format(storage)
        refuse_if(form not in storages.formats(storage), f"unsupported format '{form}'")
        fixed = {"tpmstate": TPM_SIZE, "efidisk": EFI_SIZES[drive.options.get("efitype", "2m")]}
        size = fixed.get(cfg.kind_of(key)) or storages.size_in_gib(drive.size)
        volume = storages.allocate(world, storage, vm.node, vm.vmid, size, form)
        lines = formatting(storage, volume)
    made.append(volume.volid)
    drive = Drive(volume.volid, drive.options | ({} if cd else size_option(volume.virtual)))
    log += [*lines, f"{key}: successfully created disk '{drive}'"]
    return drive


def make_cloudinit(world: World, storage: Storage, vm: Vm, form: str = "") -> Volume:
    form = form or ("qcow2" if storage.type in storages.FILE_BASED else "raw")
    volid = storages.full_name(storage, vm.vmid, f"vm-{vm.vmid}-cloudinit", form)
    return storages.allocate(world, storage, vm.node, vm.vmid, CLOUDINIT_SIZE, form, volid=volid)


def _imported(
    world: World, vm: Vm, storage: Storage, form: str, source: str
) -> tuple[Volume, list[str]]:
    """A copy of a disk image, which keeps its format if it can and comes from a storage."""
    image, by_path = _image(world, vm, source), source.startswith("/")
    form = usable_format(storage, form or ("" if by_path else image.format))
    copy = storages.allocate(world, storage, vm.node, vm.vmid, image.virtual, form)
    copy.system = image.system
    head = [] if by_path else [f"create full clone of drive ({source})"]
    return copy, head + copying(world, storage, copy, by_path=by_path)


def size_option(size: int) -> dict[str, str]:
    return {"size": storages.format_size(size)}


def usable_format(storage: Storage, form: str) -> str:
    return form if form in storages.formats(storage) else storages.default_format(storage)


def _image(world: World, vm: Vm, source: str) -> Volume:
    """A disk image to be imported, named by volume id or by path."""
    cluster = world.cluster
    if not source.startswith("/"):
        name, rest = storages.split(source)
        path = f"{storages.folder(storages.storage_of(cluster, name))}/{rest}"
        return found(storages.find(cluster, source, vm.node), f"failed to stat '{path}'")
    for image in cluster.volumes:
        name, rest = storages.split(image.volid)
        folder = storages.folder(cluster.storages[name]) if image.content == "import" else ""
        if folder and source in (f"{folder}/{rest}", f"{folder}/{rest.rpartition('/')[2]}"):
            return image
    raise failed(f"can't find file '{source}'")


def formatting(storage: Storage, volume: Volume) -> list[str]:
    """What the making of an image file says."""
    ahead = "metadata" if volume.format == "qcow2" else "off"
    detail = f"fmt={volume.format} size={volume.virtual} preallocation={ahead}"
    line = f"Formatting '{storages.path_of(storage, volume.volid)}', {detail}"
    return [line] if storage.type in storages.FILE_BASED else []


def copying(world: World, storage: Storage, copy: Volume, *, by_path: bool = False) -> list[str]:
    """What the copying of a disk says."""
    unit, size = ("GiB", copy.virtual / GIB) if copy.virtual >= GIB else ("MiB", copy.virtual / MIB)
    allocated = f"allocated target volume '{copy.volid}'"
    return [
        *formatting(storage, copy),
        *([] if by_path or world.cluster.release == "8" else [allocated]),
        f"transferred 0.0 B of {size:.1f} {unit} (0.00%)",
        f"transferred {size:.1f} {unit} of {size:.1f} {unit} (100.00%)",
    ]


# -- changes that wait ---------------------------------------------------------------------------


def takes_over(config: Mapping[str, str], key: str, new: str | None) -> bool:
    """Whether a running machine makes a change at once; `new` is None where the key goes."""
    kind, old, declared = cfg.kind_of(key), config.get(key), vm_settings()
    if key == "hotplug":
        return not re.search("cpu|memory", f"{old} {new}")
    if key == "balloon":
        return (old == "0") == (new == "0")
    if old is not None and new is not None:
        before, after = cfg.properties(old, "file"), cfg.properties(new, "file")
        changed = {name for name, _ in before.items() ^ after.items()}
        loose = not changed & declared.fixed or parse_drive(old).cdrom
        if (kind in cfg.BUSES and loose) or changed <= declared.in_place.get(kind, set()):
            return True
    chosen = config.get("hotplug", "1")
    features = {"0": "", "1": "network,disk,usb"}.get(chosen, chosen).split(",")
    return kind in declared.at_once or declared.features.get(kind) in features


def let_go(world: World, vm: Vm, drive: Drive, *, destroy: bool = False) -> None:
    """A drive goes: its volume stays as unused, or is destroyed; another VM's is left alone."""
    if not drive.managed or cfg.owner_of(drive.volid) != vm.vmid:
        return
    if destroy and not drive.cdrom:
        shared = cfg.volumes(vm.config).count(drive.volid) > 1
        busy = f"unable to delete '{drive.volid}' - volume is still in use (snapshot?)"
        refuse_if(shared or cfg.in_snapshot(vm, drive.volid), busy)
    if drive.cloudinit or (destroy and not drive.cdrom):
        storages.free(world, drive.volid, vm.node)
    elif not drive.cdrom:
        cfg.add_unused(vm, drive.volid)


def remove_key(world: World, vm: Vm, key: str, *, force: bool = False) -> None:
    """Take a key out; a disk is detached (kept as unused), an unused one destroyed."""
    for drive in drives({key: vm.config.get(key, "")}, unused=True).values():
        let_go(world, vm, drive, destroy=force or key.startswith("unused"))
    vm.config.pop(key, None)


def take_over_pending(world: World, vm: Vm, *, plugged: bool = False, force: bool = False) -> None:
    """Pending changes come into force; of a machine that runs on (`plugged`), those that can."""
    for key in [
        key for key in vm.pending_delete if not plugged or takes_over(vm.config, key, None)
    ]:
        vm.pending_delete.remove(key)
        words = "hotplug problem -" if plugged else f"unable to apply pending change {key} :"
        try:
            remove_key(world, vm, key, force=force)
        except Refused as refused:
            raise invalid({key: f"{words} {refused.message}\n"}) from None
    for key, value in list(vm.pending.items()):
        if not plugged or takes_over(vm.config, key, value):
            replaced = drives({key: vm.config.get(key, "")}).values()
            vm.config[key] = vm.pending.pop(key)
            for drive in replaced:
                if drive.volid != parse_drive(value).volid:
                    let_go(world, vm, drive)
    if vm.config.get("description") == "":
        del vm.config["description"]
    # What a drive has, or is to have, is no unused volume.
    needed = {drive.volid for drive in drives(vm.config | vm.pending).values()}
    for key, drive in drives(vm.config, unused=True).items():
        if key.startswith("unused") and drive.volid in needed:
            del vm.config[key]
