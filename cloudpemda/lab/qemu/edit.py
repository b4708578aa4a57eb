"""Changing a VM's configuration: at once (PUT) or in a task (POST); pending where the VM is
running.
"""

import re

from cloudpemda.lab import replication
from cloudpemda.lab import storage as storages
from cloudpemda.lab.errors import Refused, failed, invalid
from cloudpemda.lab.formats import split_list
from cloudpemda.lab.qemu.config import (
    CI_KEYS,
    DISK_KEY,
    NOT_SETTINGS,
    check_digest,
    check_lock,
    check_skiplock,
    check_ssh_keys,
    drives,
    memory_of,
    normal_tags,
    parse_drive,
    spec_of,
    stored,
)
from cloudpemda.lab.qemu.drives import import_seconds, materialise, wanted
from cloudpemda.lab.qemu.privileges import check_bridges, check_drives, check_settings
from cloudpemda.lab.routes import route
from cloudpemda.lab.state import Task, Vm
from cloudpemda.lab.work import Work, config_lock
from cloudpemda.lab.world import Call, World

# Taken over by a running VM at once.
AT_ONCE = {
    "name", "onboot", "shares", "startup", "description", "protection", "hookscript", "tags",
    "lock", "template", "hotplug", "autostart", "migrate_downtime", "migrate_speed", "boot",
    "vmstatestorage",
    *CI_KEYS,
}  # fmt: skip
HOTPLUG = re.compile(r"(net|scsi|virtio|usb|unused|ipconfig)\d+")


@route("PUT /nodes/{node}/qemu/{vmid}/config")
def put_config(call: Call) -> object:
    change = Change(call)
    change.check()
    return change.at_once()


@route("POST /nodes/{node}/qemu/{vmid}/config")
def post_config(call: Call) -> object:
    change = Change(call)
    change.check()
    return call.start("qmconfig", change.vm.vmid, change.work)


class Change:
    """One change of one VM's configuration, checked before anything is done."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.settings = {k: v for k, v in call.params.items() if k not in NOT_SETTINGS}
        self.deleted = [key.removeprefix("-") for key in call.params.items_of("delete")]
        self.reverted = call.params.items_of("revert")

    @property
    def vm(self) -> Vm:
        return self.call.vm()

    def check(self) -> None:
        call = self.call
        check_skiplock(call)
        if not (self.settings or self.deleted or self.reverted):
            raise failed("no options specified")
        self._check_deleted()
        if "sshkeys" in self.settings:
            check_ssh_keys(self.settings["sshkeys"])
        check_settings(call, self.settings, self.deleted)
        check_drives(call, self.settings)
        check_bridges(call, self.settings)
        vm = call.vm()
        if "lock" not in self.deleted or not call.params.flag("skiplock"):
            check_lock(vm, call)
        check_digest(call, vm)
        self._check_values(vm)

    def _check_deleted(self) -> None:
        for key in self.deleted:
            if key in self.settings:
                raise invalid(
                    {"delete": f"you can't use '-{key}' and -delete {key}' at the same time"}
                )
            if key != "digest" and spec_of(self.call.cluster.release, key) is None:
                raise invalid({"delete": f"unknown option '{key}'"})
        for key in self.reverted:
            if spec_of(self.call.cluster.release, key) is None:
                raise invalid({"revert": f"unknown option '{key}'"})

    def _check_values(self, vm: Vm) -> None:
        for key, value in self.settings.items():
            spec = spec_of(self.call.cluster.release, key)
            if spec is not None and spec.type == "integer" and value.startswith("+"):
                fault = f"type check ('integer') failed - got '{value}'"
                raise failed(f"unable to parse value of '{key}' - {fault}")
        after = {**vm.config, **self.settings}
        if "balloon" in self.settings and int(after["balloon"]) * 1024**2 > memory_of(after):
            raise failed("balloon value too large (must be smaller than assigned memory)")
        boot = self.settings.get("boot", "")
        if "order=" in boot:
            for device in filter(None, boot.partition("order=")[2].split(",")[0].split(";")):
                if device not in after:
                    raise failed(f"invalid bootorder: device '{device}' does not exist'")
        if vm.config.get("protection") == "1":
            for key in self.deleted:
                if DISK_KEY.fullmatch(key) and key in vm.config:
                    raise failed(f"can't remove drive '{key}' - protection mode enabled")
        for one in wanted(self.settings, DISK_KEY):
            self._check_drive(vm, one.key, one.drive.volid)

    def _check_drive(self, vm: Vm, key: str, volid: str) -> None:
        if replication.blocks(self.call.world, vm, parse_drive(self.settings[key])):
            raise failed("cannot add non-replicatable volume to a replicated VM")
        if storages.split(volid)[1] == "cloudinit":
            present = [k for k, d in drives(vm.config).items() if d.cloudinit and k != key]
            if present:
                raise failed(f"{key} - cloud-init drive is already attached at '{present[0]}'")

    def at_once(self) -> Work:
        call = self.call
        yield config_lock(call.params.whole("vmid"))
        self.check()
        if not call.cluster.quorate:
            pid = call.here.next_pid
            raise failed(
                f"unable to open file '/etc/pve/nodes/{call.node}/qemu-server/"
                f"{self.vm.vmid}.conf.tmp.{pid}' - Permission denied"
            )
        self.apply(None)

    def work(self, task: Task) -> Work:
        call = self.call
        yield config_lock(call.params.whole("vmid"))
        if any(one.source for one in wanted(self.settings, DISK_KEY)):
            for key, value in self.settings.items():
                if DISK_KEY.fullmatch(key):
                    task.log.append(f"update VM {call.params['vmid']}: -{key} {value}")
        yield call.world.duration("config") + import_seconds(
            call.world, wanted(self.settings, DISK_KEY)
        )
        check_lock(self.vm, call)
        self.apply(task)

    def apply(self, task: Task | None) -> None:
        vm, world = self.vm, self.call.world
        made: list[str] = []
        values: dict[str, str] = {}
        try:
            for one in wanted(self.settings, DISK_KEY):
                values[one.key] = materialise(world, vm, one, task, made)
        except Refused:
            for volid in made:
                storages.free(world, volid, vm.node)
            raise
        for key in self.reverted:
            vm.pending.pop(key, None)
            if key in vm.pending_delete:
                vm.pending_delete.remove(key)
        for key in self.deleted:
            self._delete(vm, key)
        for key, value in self.settings.items():
            self._set(world, vm, key, values.get(key) or _value(world, key, value))
        world.note("vm-changed", vmid=vm.vmid, keys=sorted({*self.settings, *self.deleted}))

    def _delete(self, vm: Vm, key: str) -> None:
        vm.pending.pop(key, None)
        if key not in vm.config:
            return
        if vm.status != "stopped" and not (key in AT_ONCE or HOTPLUG.fullmatch(key)):
            if key not in vm.pending_delete:
                vm.pending_delete.append(key)
            return
        remove_key(self.call.world, vm, key, force=self.call.params.flag("force"))

    def _set(self, world: World, vm: Vm, key: str, value: str) -> None:
        if key in vm.pending_delete:
            vm.pending_delete.remove(key)
        if vm.status != "stopped" and not (key in AT_ONCE or HOTPLUG.fullmatch(key)):
            if vm.config.get(key) == value:
                vm.pending.pop(key, None)
            else:
                vm.pending[key] = value
            return
        old = vm.config.get(key)
        if old is not None and DISK_KEY.fullmatch(key):
            _detach_replaced(world, vm, old, value)
        if key == "description" and not value:
            vm.config.pop(key, None)
        else:
            vm.config[key] = value


def _value(world: World, key: str, value: str) -> str:
    if key == "tags":
        return normal_tags(value)
    return stored(world, world.cluster.release, key, value)


def _detach_replaced(world: World, vm: Vm, old: str, new: str) -> None:
    """A drive whose volume changes leaves the old volume behind as unused."""
    before, after = parse_drive(old), parse_drive(new)
    if before.volid == after.volid or ":" not in before.volid or before.cdrom:
        return
    add_unused(vm, before.volid)


def add_unused(vm: Vm, volid: str) -> None:
    number = next(n for n in range(256) if f"unused{n}" not in vm.config)
    vm.config[f"unused{number}"] = volid


def remove_key(world: World, vm: Vm, key: str, *, force: bool) -> None:
    """Take a key out; a disk is detached (kept as unused), an unused one destroyed."""
    value = vm.config.pop(key, None)
    if value is None or not DISK_KEY.fullmatch(key):
        return
    drive = parse_drive(value)
    if ":" not in drive.volid:
        return
    if drive.cloudinit or key.startswith("unused") or force:
        storages.free(world, drive.volid, vm.node)
    elif not drive.cdrom:
        add_unused(vm, drive.volid)


def take_over_pending(world: World, vm: Vm) -> None:
    """What a VM's start does with changes that waited for it."""
    for key in vm.pending_delete:
        remove_key(world, vm, key, force=False)
    vm.config.update(vm.pending)
    vm.pending, vm.pending_delete = {}, []


@route("PUT /nodes/{node}/qemu/{vmid}/unlink")
def unlink(call: Call) -> object:
    vm = call.vm()
    keys = split_list(call.params.get("idlist", ""))
    check_settings(call, {}, keys)
    check_lock(vm, call)
    for key in keys:
        remove_key(call.world, vm, key, force=call.params.flag("force"))
    return None
