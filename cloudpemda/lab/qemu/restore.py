"""A VM as its backup holds it: made anew, or in the place of the one that stands there.

PVE destroys the disks that it is about to restore before it has anything in their place, and every
state to go back to with them: a restore that fails then has lost both. Disks that the backup left
out stay, as unused ones. A new VM of which the restore failed stays as an empty configuration.
"""

import re
import urllib.parse

from cloudpemda.lab import storage as storages
from cloudpemda.lab.errors import Refused, failed, found, invalid, refuse_if
from cloudpemda.lab.qemu import config as cfg
from cloudpemda.lab.qemu import drives as volumes
from cloudpemda.lab.qemu.config import Drive, drives
from cloudpemda.lab.qemu.edit import check_bridges
from cloudpemda.lab.routes import route
from cloudpemda.lab.state import Archive, ReplicationState, Task, Vm, Volume
from cloudpemda.lab.work import Work, config_lock
from cloudpemda.lab.world import Call


def may_overwrite(call: Call) -> bool:
    """Restoring over a VM that is there needs VM.Backup alone."""
    there = call.whole("vmid") in call.cluster.vms
    over = "archive" in call and call.flag("force") and there
    return over and call.may(f"/vms/{call['vmid']}", "VM.Backup")


def check_archive(call: Call, settings: dict[str, str]) -> None:
    """What the call alone tells: no drives beside an archive, and one that the caller may read."""
    for key in sorted(drives(settings, unused=True)):
        raise invalid({key: "option conflicts with option 'archive'"})
    volid = call["archive"]
    refuse_if(volid == "-", "pipe requires cli environment")
    sid, name = storages.split(volid)
    if not sid or not name:
        raise storages.refuse_path(call.cluster)
    _check_readable(call, volid)
    storage = storages.usable_on(call.cluster, sid, call.node)
    there = storages.find(call.cluster, volid, call.node)
    refuse_if(storage.type != "pbs" and there is None, f"can't find file '{volid}'")
    words = "live-restore is only compatible with backup images from a Proxmox Backup Server"
    refuse_if(call.flag("live-restore") and storage.type != "pbs", words)


def _check_readable(call: Call, volid: str) -> None:
    storage = storages.storage_of(call.cluster, storages.split(volid)[0])
    named = re.search(r"[:/](?:vm/|ct/|vzdump-(?:qemu|lxc)-)(\d+)[-/]", volid)
    refuse_if(named is None, f"unable to parse volume ID '{volid}'")
    call.require(f"/storage/{storage.name}", "Datastore.AllocateSpace")
    if named is not None:
        call.require(f"/vms/{named[1]}", "VM.Backup")


def begin(call: Call) -> Vm:
    """The VM that is to be as it was, under the lock `create`: a new one, or with `force` the one
    that stands on this node."""
    vmid, world = call.whole("vmid"), call.world
    lead = f"unable to restore VM {vmid} -"
    there = call.cluster.vms.get(vmid)
    over = there is not None and call.flag("force") and there.node == call.node
    taken = world.taken(vmid)
    refuse_if(taken and not over, f"{lead} {taken}")
    if there is not None:
        refuse_if("lock" in there.config, f"{lead} VM is locked ({there.config.get('lock')})")
        there.config["lock"] = "create"
        return there
    vm = Vm(vmid, call.node, {"lock": "create"}, created=world.now())
    call.cluster.vms[vmid] = vm
    return vm


class Restore:
    """One run of it."""

    def __init__(self, call: Call, vm: Vm, settings: dict[str, str]) -> None:
        self.call, self.vm, self.settings = call, vm, settings
        self.world = call.world

    def run(self, task: Task) -> Work:
        vm, lead = self.vm, f"unable to restore VM {self.vm.vmid} -"
        try:
            yield config_lock(vm.vmid)
            refuse_if(vm.config.get("protection") == "1", f"{lead} - protection mode enabled")
            refuse_if(vm.status != "stopped", f"{lead} vm is running")
            archive = self._archive()
            check_bridges(self.call, archive.config | self.settings)
            for job in self.world.cluster.replication.values():
                if job.guest == vm.vmid:
                    job.state = ReplicationState(last_try=job.state.last_try)
            self._check_storages(archive)
            config = self._with_disks(archive, task)
            yield self.world.duration("restore")
            self._finish(config, archive)
        except Refused:
            vm.config.pop("lock", None)
            raise

    def _archive(self) -> Archive:
        volid = self.call["archive"]
        volume = storages.find(self.world.cluster, volid, self.vm.node)
        archive = volume.archive if volume is not None else None
        return found(archive, f"unable to restore: backup '{volid}' cannot be opened")

    def _storage(self, drive: Drive) -> str:
        return self.call.get("storage") or drive.storage

    def _check_storages(self, archive: Archive) -> None:
        for key, drive in drives(archive.config).items():
            if key in archive.disks or drive.cloudinit:
                storage = storages.usable_on(self.world.cluster, self._storage(drive), self.vm.node)
                self.call.require(f"/storage/{storage.name}", "Datastore.AllocateSpace")
                volumes.check_content(storage)

    def _with_disks(self, archive: Archive, task: Task) -> dict[str, str]:
        """The archive's configuration with new volumes, the old ones of the same drives gone."""
        self._drop_old(archive)
        config, left_out = dict(archive.config), []
        with volumes.freed_on_failure(self.world, self.vm) as made:
            for key, drive in drives(archive.config).items():
                if key in archive.disks or drive.cloudinit:
                    volume = self._volume(key, drive, archive)
                    made.append(volume.volid)
                    config[key] = str(Drive(volume.volid, drive.options))
                    task.log.append(f"new volume ID is '{volume.volid}'")
                elif not drive.cdrom:
                    left_out.append(f"{key}: {config.pop(key)}")
        if left_out:  # the line becomes a comment, and comments are the description
            config["description"] = "\n".join([config.get("description", ""), *left_out])
        return config

    def _drop_old(self, archive: Archive) -> None:
        vm, world = self.vm, self.world
        for key, drive in drives(vm.config).items():
            if (key in archive.disks or drive.cloudinit) and cfg.owner_of(drive.volid) == vm.vmid:
                storages.free(world, drive.volid, vm.node)
        for snapshot in vm.snapshots.values():
            storages.free(world, snapshot.config.get("vmstate", ""), vm.node)
        vm.snapshots.clear()
        vm.parent = ""

    def _volume(self, key: str, drive: Drive, archive: Archive) -> Volume:
        vm, storage = self.vm, storages.storage_of(self.world.cluster, self._storage(drive))
        if drive.cloudinit:
            old = storages.full_name(storage, vm.vmid, f"vm-{vm.vmid}-cloudinit", "raw")
            storages.free(self.world, old, vm.node)
            return volumes.make_cloudinit(self.world, storage, vm)
        size = archive.disks[key]
        volume = storages.allocate(self.world, storage, vm.node, vm.vmid, size)
        volume.system, volume.holds = key in archive.systems, archive.taken
        return volume

    def _finish(self, config: dict[str, str], archive: Archive) -> None:
        """The configuration as it was, but for what was given; never the same generation id."""
        world, vm, unique = self.world, self.vm, self.call.flag("unique")
        world.need_config(vm.node, vm.vmid, self.call.here.next_pid)
        for key, value in config.items():
            if unique and cfg.kind_of(key) == "net":
                config[key] = re.sub(r"=[0-9A-Fa-f:]{17}", f"={world.new_mac()}", value, count=1)
            if unique and key == "smbios1":
                config[key] = re.sub(r"uuid=[0-9a-f-]+", f"uuid={world.new_uuid()}", value)
        if config.get("vmgenid", "0") != "0":
            config["vmgenid"] = world.new_uuid()
        config |= {key: cfg.stored(world, key, value) for key, value in self.settings.items()}
        for key, value in self.settings.items():
            if key == "tags":
                config[key] = cfg.normal_tags(value)
        vm.config, vm.pending, vm.pending_delete = config, {}, []
        named = set(cfg.volumes(config))
        place = [one for one in world.cluster.volumes if one.vmid == vm.vmid]
        for one in sorted(place, key=lambda one: one.volid):
            if one.content == "images" and one.node in ("", vm.node) and one.volid not in named:
                cfg.add_unused(vm, one.volid)
        world.note(
            "restored", vmid=vm.vmid, node=vm.node, volid=self.call["archive"],
            recovery_point=archive.taken, by=self.call.user,
        )  # fmt: skip


@route("GET /nodes/{node}/vzdump/extractconfig")
def extract_config(call: Call) -> object:
    """The archive's configuration as it stands in its file."""
    volid = call["volume"]
    storages.usable_on(call.cluster, storages.split(volid)[0], call.node)
    _check_readable(call, volid)
    volume = storages.find(call.cluster, volid, call.node)
    archive = volume.archive if volume is not None else None
    if archive is None:
        raise failed(f"unable to extract configuration of '{volid}'")
    config = dict(archive.config)
    head = [f"#{_encoded(line)}" for line in config.pop("description", "").split("\n") if line]
    lines = [f"{key}: {value}" for key, value in sorted(config.items())]
    held = [f"#qmdump#map:{key}:drive-{key}:{drive.storage}:raw:"
            for key, drive in drives(config).items() if key in archive.disks]  # fmt: skip
    return "\n".join([*head, *lines, *held]) + "\n"


def _encoded(line: str) -> str:
    """As a comment of a configuration file is: no colon, nothing beyond ASCII."""
    safe = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != ":")
    return urllib.parse.quote(line, safe=safe)
