"""Changing a VM's configuration: who may set what, and which values go together."""

from collections.abc import Mapping

from cloudpemda.lab import sdn
from cloudpemda.lab.errors import denied, refuse_if, reject_if
from cloudpemda.lab.qemu import config as cfg
from cloudpemda.lab.qemu import drives as volumes
from cloudpemda.lab.replication.daemon import blocks
from cloudpemda.lab.routes import route
from cloudpemda.lab.state import Task, Vm
from cloudpemda.lab.tables import vm_settings
from cloudpemda.lab.work import Work, config_lock
from cloudpemda.lab.world import Call

NEEDED = {key: privilege for privilege, keys in vm_settings().privileges.items() for key in keys}
# Parameters of the calls that are no settings of the VM, and those that no log tells.
SILENT = {"node", "vmid", "digest", "background_delay", "import-working-storage"}
NO_SETTINGS = SILENT | {
    "archive", "bwlimit", "force", "ha-managed", "live-restore", "pool", "start", "storage",
    "unique", "delete", "revert", "skiplock", "idlist",
}  # fmt: skip


# -- who may set what ----------------------------------------------------------------------------


def check_settings(call: Call, settings: Mapping[str, str]) -> None:
    """Raise unless the caller may make, change or remove these settings; drives are apart."""
    for key, value in settings.items():
        kind = cfg.kind_of(key)
        if call.is_root or cfg.DISK_KEY.fullmatch(key):
            continue
        privilege = NEEDED.get(key) or NEEDED.get(kind, "")
        refuse_if(not privilege, f"only root can set '{key}' config")
        raw = kind == "hostpci" and value and "mapping=" not in value
        refuse_if(raw, f"only root can set '{key}' config for non-mapped devices")
        real = kind == "serial" and value not in ("", "socket")
        refuse_if(real, f"only root can modify '{key}' config for real devices")
        also = ["VM.Config.Network"] if privilege == "VM.Config.Cloudinit" else []
        _need(call, privilege, *also)
        if key == "startup":
            call.require("/", "Sys.Modify")


def _need(call: Call, *any_of: str) -> None:
    pool = call.get("pool")
    if not (pool and call.may(f"/pool/{pool}", *any_of, any_of=True)):
        call.require(f"/vms/{call['vmid']}", *any_of, any_of=True)


def _check_drive_rights(call: Call, settings: Mapping[str, str]) -> None:
    for drive in cfg.drives(settings, unused=True).values():
        if drive.cloudinit:
            _need(call, "VM.Config.Cloudinit")
        optical = drive.cdrom or drive.volid in ("none", "cdrom")
        _need(call, "VM.Config.CDROM" if optical else "VM.Config.Disk")


def check_bridges(call: Call, settings: Mapping[str, str]) -> None:
    """SDN.Use on the bridge of every NIC, or on its VLAN tag when there is one."""
    for key, value in settings.items():
        bridge, tag = cfg.net_use(value) if cfg.kind_of(key) == "net" else ("", "")
        path = sdn.bridge_path(call.cluster, bridge)
        if bridge and not call.may(path, "SDN.Use"):
            call.require(f"{path}/{tag}" if tag else path, "SDN.Use")


def check_pool(call: Call) -> None:
    pool = call.get("pool")
    if pool and pool not in call.cluster.pools:
        raise denied(f"pool '{pool}' does not exist")


def settings_of(call: Call) -> dict[str, str]:
    """What a call sets, checked as far as it tells by itself."""
    settings = {key: value for key, value in call.params.items() if key not in NO_SETTINGS}
    cfg.check_ssh_keys(settings.get("sshkeys", ""))
    script, there = settings.get("hookscript"), {volume.volid for volume in call.cluster.volumes}
    unknown = script is not None and script not in there
    reject_if(unknown, "hookscript", f"script '{script}' does not exist\n")
    return settings


# -- changing one --------------------------------------------------------------------------------


@route("PUT /nodes/{node}/qemu/{vmid}/config")
def put_config(call: Call) -> object:
    return Change(call, call.items_of("delete")).work()


@route("POST /nodes/{node}/qemu/{vmid}/config")
def post_config(call: Call) -> object:
    return call.start("qmconfig", call["vmid"], Change(call, call.items_of("delete")).work)


@route("PUT /nodes/{node}/qemu/{vmid}/unlink")
def unlink(call: Call) -> object:
    return Change(call, call.items_of("idlist")).work()


class Change:
    """One change of one VM's configuration, checked before anything is done."""

    def __init__(self, call: Call, deleted: list[str]) -> None:
        cfg.check_skiplock(call)
        self.call, self.deleted, self.reverted = call, deleted, call.items_of("revert")
        self.settings = settings_of(call)
        refuse_if(not (self.settings or deleted or self.reverted), "no options specified")
        named = [("revert", key) for key in self.reverted] + [("delete", key) for key in deleted]
        for word, key in named:
            both = f"you can't use '-{key}' and -{word} {key}' at the same time"
            reject_if(key in self.settings, "delete", both)
            known = cfg.spec_of(call.cluster.release, key) or cfg.DISK_KEY.fullmatch(key)
            reject_if(not known, word, f"unknown option '{key}'")
        check_settings(call, dict.fromkeys(deleted, "") | self.settings)
        volumes.check_drives(call, self.settings)
        check_bridges(call, self.settings)
        self.check()

    def check(self) -> None:
        """What the configuration itself has against it: once at once, once under the lock."""
        call, vm, settings = self.call, self.call.vm(), self.settings
        cfg.check_digest(call, vm)
        cfg.check_lock(vm, call)
        for key, value in settings.items():
            spec = cfg.spec_of(call.cluster.release, key)
            plus = spec is not None and spec.type == "integer" and value.startswith("+")
            fault = f"type check ('integer') failed - got '{value}'"
            refuse_if(plus, f"unable to parse value of '{key}' - {fault}")
        after = cfg.with_pending(vm) | settings
        balloon = int(after.get("balloon", 0)) if {"memory", "balloon"} & {*settings} else 0
        words = "balloon value too large (must be smaller than assigned memory)"
        refuse_if(balloon * 1024**2 > cfg.memory_of(after), words)
        for device in cfg.boot_order(settings):
            known = device in after and device not in self.deleted
            refuse_if(not known, f"invalid bootorder: device '{device}' does not exist'")
        going = {key: vm.config[key] for key in self.deleted if key in vm.config}
        for key, drive in cfg.drives(going, unused=True).items():
            unused = key.startswith("unused")
            cfg.check_protection(vm, f"unused disk '{drive.volid}'" if unused else f"drive '{key}'")
            if unused and cfg.owner_of(drive.volid) == vm.vmid:
                call.require(f"/storage/{drive.storage}", "Datastore.AllocateSpace")
        replaced = {key: vm.config[key] for key in settings if key in vm.config}
        for changed in (going, replaced, settings):
            _check_drive_rights(call, changed)
        for key, drive in cfg.drives(settings).items():
            stuck = blocks(call.world, vm, drive)
            refuse_if(stuck, "cannot add non-replicatable volume to a replicated VM")
            present = [k for k, d in cfg.drives(vm.config).items() if d.cloudinit and k != key]
            words = f"{key} - cloud-init drive is already attached at '{', '.join(present)}'"
            refuse_if(drive.cloudinit and present, words)

    def work(self, task: Task | None = None) -> Work:
        call, log = self.call, task.log if task else []
        yield config_lock(call.whole("vmid"))
        self.check()
        hidden = {"cipassword": "<hidden>"} if "cipassword" in call else {}
        given = sorted((call.params | hidden).items())
        told = " ".join(f"-{key} {value}" for key, value in given if key not in SILENT)
        log.append(f"update VM {call['vmid']}: {told}")
        seconds = volumes.import_seconds(call.world, self.settings)
        seconds += call.world.duration("config") if task else 0
        if seconds:
            yield seconds
        call.world.need_config(call.node, call["vmid"], call.here.next_pid)
        with volumes.freed_on_failure(call.world, call.vm()) as made:
            new = volumes.make_drives(call.world, call.vm(), self.settings, made, log)
        self._apply(call.vm(), new)

    def _apply(self, vm: Vm, new: dict[str, str]) -> None:
        """All becomes pending; what can come into force does."""
        world, deleted, settings = self.call.world, self.deleted, self.settings
        for key in [*self.reverted, *deleted, *settings]:
            if key in vm.pending_delete:
                vm.pending_delete.remove(key)
            for drive in cfg.drives({key: vm.pending.pop(key, "")}).values():
                volumes.let_go(world, vm, drive)
        order = cfg.boot_order(vm.config)
        media = [k for k, d in cfg.drives(new).items() if d.cdrom and not d.cloudinit]
        kept = [key for key in dict.fromkeys([*order, *media]) if key not in deleted]
        if order and kept != order and "boot" not in settings:
            vm.pending["boot"] = cfg.boot_text(kept)
        for key in deleted:
            if key.startswith("unused"):
                volumes.remove_key(world, vm, key)
            elif key in vm.config:
                vm.pending_delete.append(key)
        for key, value in settings.items():
            tags = cfg.normal_tags(value) if key == "tags" else ""
            vm.pending[key] = new.get(key) or tags or cfg.stored(world, key, value)
        vm.pending = {key: v for key, v in vm.pending.items() if vm.config.get(key) != v}
        plugged, force = vm.status != "stopped", self.call.flag("force")
        volumes.take_over_pending(world, vm, plugged=plugged, force=force)
        world.note("vm-changed", vmid=vm.vmid, keys=sorted({*settings, *deleted}))
