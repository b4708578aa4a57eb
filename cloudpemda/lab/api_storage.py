"""Storages over the API: their definitions, their state on each node, what they hold."""

import re

from cloudpemda.lab import storage as storages
from cloudpemda.lab.errors import failed, invalid
from cloudpemda.lab.routes import route
from cloudpemda.lab.state import Storage, Task, Volume
from cloudpemda.lab.work import Work
from cloudpemda.lab.world import Call, check_digest, digest_of

LOCK = "file-storage_cfg"
# What each type must have, and what it may have beside the common options.
REQUIRED = {
    "dir": ("path",), "nfs": ("server", "export"), "zfspool": ("pool",), "lvm": ("vgname",),
    "lvmthin": ("vgname", "thinpool"), "glusterfs": ("volume",),
    "pbs": ("server", "datastore"), "cifs": ("server", "share"),
}  # fmt: skip
FILE_OPTIONS = (
    "path", "is_mountpoint", "mkdir", "create-base-path", "create-subdirs", "preallocation",
    "format", "max-protected-backups", "prune-backups", "maxfiles", "content-dirs",
    "snapshot-as-volume-chain",
)  # fmt: skip
OWN = {
    "dir": FILE_OPTIONS,
    "nfs": (*FILE_OPTIONS, "options"),
    "cifs": (*FILE_OPTIONS, "username", "password", "domain", "subdir", "options", "smbversion"),
    "zfspool": ("sparse", "blocksize", "mountpoint", "zfs-base-path"),
    "lvm": ("base", "saferemove", "saferemove_throughput", "tagged_only",
            "snapshot-as-volume-chain"),
    "lvmthin": (),
    "glusterfs": (*FILE_OPTIONS, "server", "server2", "transport"),
    "pbs": ("username", "password", "fingerprint", "namespace", "port", "encryption-key",
            "master-pubkey", "prune-backups", "max-protected-backups"),
}  # fmt: skip
COMMON = ("content", "nodes", "disable", "shared", "bwlimit")
WHOLE = ("priority", "shared", "disable", "sparse", "is_mountpoint", "mkdir", "port", "maxfiles")


def _digest(call: Call) -> str:
    return digest_of([[s.name, s.type, s.options] for s in call.cluster.storages.values()])


def _shown(call: Call, storage: Storage) -> dict[str, object]:
    row: dict[str, object] = {"storage": storage.name, "type": storage.type}
    row["digest"] = _digest(call)
    for key, value in storage.options.items():
        if key != "password":
            row[key] = int(value) if key in WHOLE else value
    return row


@route("GET /storage")
def list_storages(call: Call) -> object:
    kind = call.params.get("type")
    return [
        _shown(call, storage)
        for storage in call.cluster.storages.values()
        if kind in (None, storage.type)
        and call.may(
            f"/storage/{storage.name}", "Datastore.Audit", "Datastore.AllocateSpace", any_of=True
        )
    ]


@route("GET /storage/{storage}")
def get_storage(call: Call) -> object:
    return _shown(call, storages.storage_of(call.cluster, call.params["storage"]))


@route("POST /storage")
def create_storage(call: Call) -> object:
    name, kind = call.params["storage"], call.params["type"]
    options = {k: v for k, v in call.params.items() if k not in ("storage", "type")}
    for needed in REQUIRED.get(kind, ()):
        if needed not in options:
            raise failed(f"missing value for required option '{needed}'")
    for key in options:
        if key not in (*COMMON, *REQUIRED.get(kind, ()), *OWN.get(kind, (key,))):
            raise failed(f"unexpected property '{key}'")
    call.world.need_file_lock("create storage failed", LOCK)
    if name in call.cluster.storages:
        raise failed(f"create storage failed: storage ID '{name}' already defined")
    _fill_in(call, name, kind, options)
    call.cluster.storages[name] = Storage(name, kind, options)
    _forget_implicit(call)
    return {"storage": name, "type": kind}


def _fill_in(call: Call, name: str, kind: str, options: dict[str, str]) -> None:
    """What PVE derives from a definition and then shows as if it had been given."""
    if kind in ("nfs", "cifs", "glusterfs", "cephfs"):
        options.setdefault("path", f"/mnt/pve/{name}")
    if kind in ("nfs", "cifs", "glusterfs", "cephfs", "pbs"):
        options["shared"] = "1"
    elif options.get("shared") == "0":
        del options["shared"]
    if kind == "zfspool" and call.cluster.release == "8":
        options.setdefault("mountpoint", f"/{options['pool']}")
    if "maxfiles" in options:
        options["prune-backups"] = f"keep-last={options.pop('maxfiles')}"


def _forget_implicit(call: Call) -> None:
    """Before the first write there is no file: PVE makes `local` up, with a priority."""
    for storage in call.cluster.storages.values():
        storage.options.pop("priority", None)


@route("PUT /storage/{storage}")
def update_storage(call: Call) -> object:
    name = call.params["storage"]
    storage = call.cluster.storages.get(name)
    if storage is None:
        raise failed(f"update storage failed: storage ID '{name}' does not exist")
    check_digest(call.params, _digest(call), "update storage failed: ")
    known = (*COMMON, *OWN.get(storage.type, ()), *REQUIRED.get(storage.type, ()))
    for key in call.params.items_of("delete"):
        if key not in known:
            raise failed(f"update storage failed: no such option '{key}'")
        storage.options.pop(key, None)
    for key, value in call.params.items():
        if key in ("storage", "delete", "digest"):
            continue
        if key in REQUIRED.get(storage.type, ()) and value != storage.options.get(key):
            raise failed(f"update storage failed: can't change value of fixed parameter '{key}'")
        storage.options[key] = value
    _forget_implicit(call)
    return {"storage": name, "type": storage.type}


@route("DELETE /storage/{storage}")
def delete_storage(call: Call) -> object:
    name = call.params["storage"]
    if name not in call.cluster.storages:
        raise failed(f"delete storage failed: storage '{name}' does not exist")
    del call.cluster.storages[name]
    for pool in call.cluster.pools.values():
        if name in pool.storages:
            pool.storages.remove(name)
    return None


# -- on a node -----------------------------------------------------------------------------------


def _state(call: Call, storage: Storage) -> dict[str, object]:
    usable = storages.available_on(storage, call.node)
    total, used, avail = storages.space(call.cluster, storage, call.node) if usable else (0, 0, 0)
    row: dict[str, object] = {
        "type": storage.type,
        "content": ",".join(storage.content),
        "shared": int(storage.shared),
        "enabled": int(usable),
        "active": int(usable),
        "total": total,
        "used": used,
        "avail": avail,
    }
    return row


@route("GET /nodes/{node}/storage")
def node_storages(call: Call) -> object:
    rows = []
    for storage in call.cluster.storages.values():
        if not call.may(
            f"/storage/{storage.name}", "Datastore.Audit", "Datastore.AllocateSpace", any_of=True
        ):
            continue
        if "storage" in call.params and storage.name != call.params["storage"]:
            continue
        wanted = call.params.items_of("content")
        if wanted and not set(wanted) & set(storage.content):
            continue
        row = {**_state(call, storage), "storage": storage.name}
        if call.params.flag("enabled") and not row["enabled"]:
            continue
        if row["enabled"] and isinstance(row["used"], int) and isinstance(row["total"], int):
            row["used_fraction"] = row["used"] / row["total"] if row["total"] else 0
        rows.append(row)
    return rows


@route("GET /nodes/{node}/storage/{storage}/status")
def storage_status(call: Call) -> object:
    storage = call.cluster.storages.get(call.params["storage"])
    if storage is None:
        raise invalid({"storage": "No such storage."})
    return _state(call, storage)


def _content_row(volume: Volume) -> dict[str, object]:
    row: dict[str, object] = {
        "volid": volume.volid,
        "content": volume.content,
        "format": volume.format,
        "size": volume.virtual if volume.content == "images" else volume.size,
    }
    by_file = "/" in storages.split(volume.volid)[1]
    if volume.ctime and (by_file or volume.content != "images"):
        row["ctime"] = int(volume.ctime)
    if volume.vmid:
        row["vmid"] = volume.vmid
    if volume.content == "images":
        row["parent"] = volume.parent or None
        if by_file:
            row["used"] = volume.used
        else:
            row["name"] = storages.split(volume.volid)[1]
    if volume.content == "backup":
        row |= {"subtype": "qemu", "notes": volume.notes}
        if volume.protected:
            row["protected"] = 1
    return row


@route("GET /nodes/{node}/storage/{storage}/content")
def content(call: Call) -> object:
    storage = storages.usable_on(call.cluster, call.params["storage"], call.node)
    kind, vmid = call.params.get("content"), call.params.whole("vmid")
    return [
        _content_row(volume)
        for volume in storages.on(call.cluster, storage, call.node)
        if kind in (None, volume.content)
        and vmid in (0, volume.vmid)
        and (
            not volume.vmid
            or call.may(f"/storage/{storage.name}", "Datastore.Allocate")
            or call.may(f"/vms/{volume.vmid}", "VM.Audit")
        )
    ]


@route("POST /nodes/{node}/storage/{storage}/content")
def allocate(call: Call) -> object:
    storage = storages.usable_on(call.cluster, call.params["storage"], call.node)
    call.require(f"/storage/{storage.name}", "Datastore.AllocateSpace")
    name, vmid = call.params["filename"], call.params.whole("vmid")
    form = call.params.get("format") or (name.rpartition(".")[2] if "." in name else "raw")
    text = call.params["size"]
    size = storages.parse_size(text) if not text.isdigit() else int(text) * 1024
    stem = name.rpartition(".")[0] or name
    volid = storages.full_name(storage, vmid, stem, form)
    storages.allocate(call.world, storage, call.node, vmid, size, form, volid=volid)
    return volid


def _volid(call: Call) -> str:
    name = call.params["volume"]
    return name if ":" in name else f"{call.params['storage']}:{name}"


@route("DELETE /nodes/{node}/storage/{storage}/content/{volume}")
def free(call: Call) -> object:
    volid = _volid(call)
    storage = storages.storage_of(call.cluster, call.params["storage"])
    found = storages.find(call.cluster, volid, call.node)
    owner = re.search(r"(?:vm|base)-(\d+)-|vm/(\d+)/|qemu-(\d+)-", volid)
    number = next((part for part in owner.groups() if part), "") if owner else ""
    if found is not None and found.content == "backup":
        if not call.may(f"/storage/{storage.name}", "Datastore.Allocate"):
            call.require(f"/vms/{found.vmid}", "VM.Backup")
    else:
        call.require(f"/storage/{storage.name}", "Datastore.Allocate")

    def work(task: Task) -> Work:
        yield call.world.duration("default")
        if storages.find(call.cluster, volid, call.node) is None:
            task.log.append(f"disk image '{storages.path_of(storage, volid)}' does not exist")
        storages.free(call.world, volid, call.node)
        task.log.append(f"Removed volume '{volid}'")

    folder = re.match(r"(\d+)/", storages.split(volid)[1])
    subject = f"{folder[1] if folder else number}@{storage.name}"
    return call.start("imgdel", subject, work)
