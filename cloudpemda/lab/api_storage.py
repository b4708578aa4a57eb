"""Storages over the API: their definitions, their state on each node, what they hold."""

import re
from urllib.parse import urlsplit

from cloudpemda.lab import storage as storages
from cloudpemda.lab.errors import failed, found, invalid, refuse_if
from cloudpemda.lab.qemu.drives import kind_and_owner
from cloudpemda.lab.routes import Row, route
from cloudpemda.lab.sections import File
from cloudpemda.lab.state import MIB, SHARED, Section, Storage, Task, Volume
from cloudpemda.lab.work import SlowCall, Work
from cloudpemda.lab.world import Call

MOUNTED = ("nfs", "cifs", "glusterfs", "cephfs")
DOWNLOAD = 600 * MIB  # what any file on the internet weighs here
UPLOADS = {
    "iso": (r".+\.(iso|img)", "wrong file extension"),
    "vztmpl": (r".+\.tar\.(gz|xz|zst)", "wrong file extension"),
    "import": (r"[\w.\-]+\.(ova|qcow2|raw|vmdk)", "invalid filename or wrong extension"),
}

# -- definitions ---------------------------------------------------------------------------------


def _gate(call: Call, verb: str) -> None:
    if verb in ("create", "update", "delete"):
        call.world.need_file_lock(f"{verb} storage failed", "file-storage_cfg")
    what = {"update": "storage ID", "delete": "storage"}.get(verb)
    if what and call["storage"] not in call.cluster.storages:
        raise failed(f"{verb} storage failed: {what} '{call['storage']}' does not exist")


def _check(call: Call, section: Section, verb: str) -> None:
    """Options that the type must have and may have; and what PVE derives from them."""
    kind, options = section.type, section.options
    old = call.cluster.storages.get(section.name)
    for name in storages.required_options(kind):
        refuse_if(name not in options, f"missing value for required option '{name}'")
        if old and options[name] != old.options.get(name):
            raise failed(f"update storage failed: can't change value of fixed parameter '{name}'")
    for name in options:
        known = name in storages.known_options(kind) or (old and name in old.options)
        refuse_if(not known and name != "shared", f"unexpected property '{name}'")
    options.pop("password", None)  # kept where nobody reads it
    if kind in MOUNTED:
        options.setdefault("path", f"/mnt/pve/{section.name}")
    if kind in SHARED:
        options["shared"] = "1"
    elif options.get("shared") == "0":
        del options["shared"]
    if kind == "zfspool" and call.cluster.release == "8":
        options.setdefault("mountpoint", f"/{options['pool']}")
    if "maxfiles" in options:
        options["prune-backups"] = f"keep-last={options.pop('maxfiles')}"
    for other in (section, *call.cluster.storages.values()):
        other.options.pop("priority", None)  # of `local`, while there is no file


def _leave_pools(call: Call, section: Section) -> None:
    for pool in call.cluster.pools.values():
        if section.name in pool.storages:
            pool.storages.remove(section.name)


def _visible(call: Call, section: Section) -> bool:
    path = f"/storage/{section.name}"
    return call.may(path, "Datastore.Audit", "Datastore.AllocateSpace", any_of=True)


STORAGES = File(
    path="/storage", key="storage", sections=lambda cluster: cluster.storages, make=Storage,
    prefix="{} storage failed: ",
    taken="storage ID '{}' already defined", missing="storage '{}' does not exist",
    gate=_gate, check=_check, visible=_visible, leave=_leave_pools,
    show=lambda call, section: {"priority": 0} if "priority" in section.options else {},
    elsewhere=("POST /storage", "PUT /storage/{storage}"),
).serve()  # fmt: skip


@route("POST /storage", "PUT /storage/{storage}")
def write_storage(call: Call) -> object:
    if "type" in call:
        STORAGES.create(call)
    else:
        STORAGES.update(call)
    name = call["storage"]
    return {"storage": name, "type": call.cluster.storages[name].type}


# -- on a node -----------------------------------------------------------------------------------


def _state(call: Call, storage: Storage) -> Row:
    usable = storages.available_on(storage, call.node)
    total, used, avail = storages.space(call.cluster, storage, call.node) if usable else (0, 0, 0)
    return {
        "type": storage.type, "content": ",".join(storage.content), "shared": int(storage.shared),
        "enabled": int(usable), "active": int(usable), "total": total, "used": used, "avail": avail,
    }  # fmt: skip


@route("GET /nodes/{node}/storage")
def node_storages(call: Call) -> object:
    rows, wanted = [], set(call.items_of("content"))
    for storage in call.cluster.storages.values():
        row = _state(call, storage) | {"storage": storage.name}
        if row["enabled"]:
            total, used, _ = storages.space(call.cluster, storage, call.node)
            row["used_fraction"] = used / total if total else 0
        if (
            _visible(call, storage)
            and call.get("storage", storage.name) == storage.name
            and (not wanted or wanted & set(storage.content))
            and (row["enabled"] or not call.flag("enabled"))
        ):
            rows.append(row)
    return rows


@route("GET /nodes/{node}/storage/{storage}/status")
def storage_status(call: Call) -> object:
    if call["storage"] not in call.cluster.storages:
        raise invalid({"storage": "No such storage."})
    return _state(call, call.cluster.storages[call["storage"]])


# -- volumes -------------------------------------------------------------------------------------


def _rights(volid: str, content: str, owner: object) -> list[tuple[str, str]]:
    """Paths, and the privilege on each (`a|b`: one of them), that reading a volume takes."""
    path = f"/storage/{storages.split(volid)[0]}"
    if content in UPLOADS:
        return [(path, "Datastore.AllocateSpace|Datastore.Audit")]
    if content == "backup" and owner:
        return [(path, "Datastore.AllocateSpace"), (f"/vms/{owner}", "VM.Backup")]
    if owner:
        return [(path, "Datastore.Audit"), (f"/vms/{owner}", "VM.Config.Disk")]
    return [(path, "Datastore.Allocate")]


def _may_see(call: Call, volume: Volume) -> bool:
    rights = _rights(volume.volid, volume.content, volume.vmid)
    manages = call.may(f"/storage/{call['storage']}", "Datastore.Allocate")
    return manages or all(call.may(path, *what.split("|"), any_of=True) for path, what in rights)


def _row(volume: Volume) -> Row:
    name = storages.split(volume.volid)[1]
    image, in_file = volume.content == "images", "/" in name
    row: Row = {
        "volid": volume.volid, "content": volume.content, "format": volume.format,
        "size": volume.virtual if image or volume.archive else volume.size,
    }  # fmt: skip
    if volume.ctime and (in_file or not image):
        row["ctime"] = int(volume.ctime)
    if volume.vmid:
        row["vmid"] = volume.vmid
    if image:
        row["parent"] = volume.parent or None
        row |= {"used": volume.used} if in_file else {"name": name}
    if volume.content == "backup":
        row |= {"subtype": "qemu", "notes": volume.notes.partition("\n")[0]}
        row |= {"protected": 1} if volume.protected else {}
    return row


@route("GET /nodes/{node}/storage/{storage}/content")
def content(call: Call) -> object:
    storage = storages.usable_on(call.cluster, call["storage"], call.node)
    return [
        _row(volume)
        for volume in storages.on(call.cluster, storage, call.node)
        if call.get("content", volume.content) == volume.content
        and call.whole("vmid", volume.vmid) == volume.vmid
        and _may_see(call, volume)
    ]


@route("POST /nodes/{node}/storage/{storage}/content")
def allocate(call: Call) -> SlowCall:
    """Volumes of one storage are made one at a time."""
    storage = storages.usable_on(call.cluster, call["storage"], call.node)
    name, vmid, size = call["filename"], call.whole("vmid"), call["size"]
    stem, dot, suffix = name.rpartition(".")
    told = suffix in ("raw", "qcow2", "vmdk")
    form = call.get("format", suffix if told else "raw")
    if told and form != suffix:
        raise invalid({"format": f"different storage formats ({form} != {suffix})"})
    refuse_if(form not in storages.formats(storage), f"unsupported format '{form}'")
    if storage.type in storages.FILE_BASED:
        readable = dot and suffix in storages.formats(storage) and not re.search(r"[/\s]", name)
        refuse_if(not readable, f"unable to parse volume filename '{name}'")
    elif not name.startswith(f"vm-{vmid}-"):
        raise failed(f"illegal name '{name}' - should be 'vm-{vmid}-*'")
    stem = stem if told else name.removesuffix(".subvol")
    volid = storages.full_name(storage, vmid, stem, form)
    yield storages.lock(storage, call.node)
    yield call.world.duration("allocate")
    many = int(size) * 1024 if size.isdigit() else storages.parse_size(size)
    storages.allocate(call.world, storage, call.node, vmid, many, form, volid=volid)
    return volid


def _volid(call: Call) -> str:
    name = call["volume"]
    sid, _ = storages.split(name)
    if ":" in name and sid != call["storage"]:
        raise invalid({"volume": f"storage ID mismatch ({sid} != {call['storage']})\n"})
    return name if ":" in name else f"{call['storage']}:{name}"


def _volume(call: Call) -> Volume:
    storages.usable_on(call.cluster, call["storage"], call.node)
    volid = _volid(call)
    missing = f"volume_size_info on '{volid}' failed - no format"
    volume = found(storages.find(call.cluster, volid, call.node), missing)
    if not _may_see(call, volume):
        for path, what in _rights(volid, volume.content, volume.vmid):
            call.require(path, *what.split("|"), any_of=True)
    return volume


@route("GET /nodes/{node}/storage/{storage}/content/{volume}")
def volume_info(call: Call) -> object:
    volume = _volume(call)
    path = storages.path_of(call.cluster.storages[call["storage"]], volume.volid)
    row: Row = {
        "path": path, "size": volume.virtual or volume.size, "used": volume.used or volume.size,
        "format": volume.format,
    }  # fmt: skip
    backup = {"notes": volume.notes, "protected": int(volume.protected)}
    return row | (backup if volume.content == "backup" else {})


@route("PUT /nodes/{node}/storage/{storage}/content/{volume}")
def change_volume(call: Call) -> object:
    volume, kind = _volume(call), call.cluster.storages[call["storage"]].type
    given = [name for name in ("notes", "protected") if name in call]
    if given and volume.content != "backup":
        if kind in storages.FILE_BASED:
            raise failed(f"only backups support attribute '{given[0]}'")
        raise failed(f"attribute '{given[0]}' is not supported for storage type '{kind}'")
    volume.notes = call.get("notes", volume.notes)
    volume.protected = call.flag("protected", volume.protected)
    return None


@route("DELETE /nodes/{node}/storage/{storage}/content/{volume}")
def free(call: Call) -> object:
    world, volid = call.world, _volid(call)
    storage, name = storages.storage_of(call.cluster, call["storage"]), storages.split(volid)[1]
    owner = re.search(r"(?::|(?:vm|base|qemu)[-/])(\d+)[-/]", volid)
    subject = f"{owner[1]}@{storage.name}" if owner else storage.name
    backup = name.startswith("backup/")
    if not backup:
        kind_and_owner(call.cluster, volid)
    for path, what in _rights(volid, "backup" if backup else "", backup and owner and owner[1]):
        call.require(path, what)

    def work(task: Task) -> Work:
        yield storages.lock(storage, call.node)
        yield world.duration("default")
        volume = storages.find(call.cluster, volid, call.node)
        if volume is None:
            task.log.append(f"disk image '{storages.path_of(storage, volid)}' does not exist")
        elif volume.protected:
            raise failed(f"cannot remove protected volume '{name}' on '{storage.name}'")
        storages.free(world, volid, call.node)
        task.log.append(f"Removed volume '{volid}'")

    return call.start("imgdel", subject, work)


# -- files from elsewhere ------------------------------------------------------------------------


def _target(call: Call, not_file_based: str, not_configured: str) -> tuple[Storage, str]:
    """The storage and the id of a file that is to be brought there."""
    storage, kind = storages.usable_on(call.cluster, call["storage"], call.node), call["content"]
    refuse_if(
        storage.type not in storages.FILE_BASED,
        f"can't upload to storage type '{storage.type}'{not_file_based}",
    )
    refuse_if(kind not in storage.content, f"storage '{storage.name}' {not_configured % kind}")
    name = re.sub(r"[^\w.\-]", "_", re.sub(r".*[/\\]", "", call["filename"]))
    if not re.fullmatch(UPLOADS[kind][0], name):
        raise invalid({"filename": UPLOADS[kind][1]})
    return storage, f"{storage.name}:{kind}/{name}"


def _bring(call: Call, storage: Storage, volid: str, size: int) -> Work:
    """The file is there in the end, in place of one of that name."""
    yield call.world.duration("download")
    storages.free(call.world, volid, call.node)
    kind, suffix = call["content"], volid.rpartition(".")[2]
    form = {"iso": "iso", "vztmpl": f"t{suffix}"}.get(kind, suffix)
    volume = storages.allocate(
        call.world, storage, call.node, 0, size, form, volid=volid, content=kind
    )
    volume.system = kind == "import"


@route("POST /nodes/{node}/storage/{storage}/upload")
def upload(call: Call) -> object:
    """The lab keeps no contents: the temporary file's name tells its size."""
    storage, volid = _target(call, "", "does not support '%s' content")
    refuse_if("tmpfilename" not in call, "missing temporary file name")
    size = int(call["tmpfilename"].rpartition("-")[2], 16)
    return call.start("imgcopy", "", lambda task: _bring(call, storage, volid, size))


@route("POST /nodes/{node}/storage/{storage}/download-url")
def download(call: Call) -> object:
    """All of the internet answers; nobody listens on the node itself."""
    storage, volid = _target(
        call, ", not a file based storage!", "is not configured for content-type '%s'"
    )
    url = urlsplit(call["url"])

    def work(task: Task) -> Work:
        task.log.append(f"downloading {call['url']} to {storages.path_of(storage, volid)}")
        if url.hostname == "localhost" or (url.hostname or "").startswith(("127.", "::1")):
            where = f"{url.hostname}:{url.port or (443 if url.scheme == 'https' else 80)}"
            raise failed(f"download failed: Connecting to {where}... failed: Connection refused.")
        yield from _bring(call, storage, volid, DOWNLOAD)

    return call.start("download", volid.rpartition("/")[2], work)
