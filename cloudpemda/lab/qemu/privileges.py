"""Which privilege each setting of a VM needs, and the settings that are root's alone."""

import re
from collections.abc import Iterable

from cloudpemda.lab.errors import failed, invalid
from cloudpemda.lab.qemu.config import DISK_KEY, parse_drive
from cloudpemda.lab.storage import refuse_path, split, storage_of
from cloudpemda.lab.world import Call

BY_KEY = {
    "VM.Config.CPU": "cores sockets cpu cpulimit cpuunits numa smp vcpus affinity",
    "VM.Config.Memory": "memory balloon shares hugepages keephugepages allow-ksm",
    "VM.Config.Cloudinit": "ciuser cipassword citype cicustom ciupgrade sshkeys",
    "VM.Config.Network": "nameserver searchdomain",
    "VM.Config.HWType": "audio0 bios machine rng0 scsihw vga watchdog spice_enhancements arch "
    "amd-sev intel-tdx",
    "VM.Snapshot": "vmstate",
}
BY_NUMBERED_KEY = {
    "VM.Config.CPU": "numa",
    "VM.Config.Network": "net|ipconfig",
    "VM.Config.HWType": "hostpci|usb|serial|parallel",
}
ROOT_ONLY = ("args", "lock")


def needed(key: str) -> str:
    for privilege, keys in BY_KEY.items():
        if key in keys.split():
            return privilege
    for privilege, names in BY_NUMBERED_KEY.items():
        if re.fullmatch(rf"({names})\d+", key):
            return privilege
    return "VM.Config.Options"


def check_settings(call: Call, settings: dict[str, str], deleted: Iterable[str] = ()) -> None:
    """Raise unless the caller may make these settings on this VM."""
    vmid = call.params["vmid"]
    pool = call.params.get("pool", "")
    _check_hookscript(call, settings.get("hookscript"))
    for key in [*settings, *deleted]:
        value = settings.get(key, "")
        _check_root_only(call, key, value)
        if DISK_KEY.fullmatch(key):
            cdrom = "media=cdrom" in value or value.startswith(("none", "cdrom"))
            _need(call, vmid, pool, "VM.Config.CDROM" if cdrom else "VM.Config.Disk")
            continue
        privilege = needed(key)
        # Whoever may set a VM's network may set its cloud-init too.
        if privilege == "VM.Config.Cloudinit" and call.may(f"/vms/{vmid}", "VM.Config.Network"):
            continue
        if key not in ROOT_ONLY:
            _need(call, vmid, pool, privilege)


def _need(call: Call, vmid: str, pool: str, privilege: str) -> None:
    if pool and call.may(f"/pool/{pool}", privilege):
        return
    call.require(f"/vms/{vmid}", privilege)


def _check_root_only(call: Call, key: str, value: str) -> None:
    if call.is_root:
        return
    if key in ROOT_ONLY:
        raise failed(f"only root can set '{key}' config")
    if key.startswith("hostpci") and "mapping=" not in value and value:
        raise failed(f"only root can set '{key}' config for non-mapped devices")
    if re.fullmatch(r"(serial|parallel)\d+", key) and value.startswith("/dev/"):
        raise failed(f"only root can modify '{key}' config for real devices")


def _check_hookscript(call: Call, script: str | None) -> None:
    if script is None:
        return
    if not any(volume.volid == script for volume in call.cluster.volumes):
        raise invalid({"hookscript": f"script '{script}' does not exist\n"})


def check_drives(call: Call, settings: dict[str, str]) -> None:
    """Storages exist, the caller may allocate on them, and paths are root's alone."""
    for key, value in settings.items():
        if not DISK_KEY.fullmatch(key):
            continue
        drive = parse_drive(value)
        source = drive.options.get("import-from", "")
        by_path = drive.volid.startswith("/") or source.startswith("/")
        if by_path and not call.is_root:
            raise refuse_path(call.cluster)
        if drive.volid in ("none", "cdrom") or ":" not in drive.volid:
            continue
        name, rest = split(drive.volid)
        storage_of(call.cluster, name)
        if drive.cdrom:
            continue
        if source and rest != "0":
            raise invalid(
                {
                    key: "'import-from' requires special syntax - use "
                    "<storage ID>:0,import-from=<source>"
                }
            )
        if re.fullmatch(r"\d+(\.\d+)?|cloudinit", rest):
            call.require(f"/storage/{name}", "Datastore.AllocateSpace")
        elif not source:
            _check_volume(call, drive.volid)


def _check_volume(call: Call, volid: str) -> None:
    """An existing volume of this very VM, or the right to allocate on its storage."""
    name, _ = split(volid)
    if f"-{call.params['vmid']}-" not in volid:
        call.require(
            f"/storage/{name}", "Datastore.Allocate" if not call.is_root else "Datastore.Audit"
        )


def check_bridges(call: Call, settings: dict[str, str]) -> None:
    """SDN.Use on the bridge of every NIC, with its VLAN tag when there is one."""
    if call.user == "root@pam":
        return
    for key, value in settings.items():
        if re.fullmatch(r"net\d+", key):
            options = dict(p.split("=", 1) for p in value.split(",") if "=" in p)
            bridge, tag = options.get("bridge"), options.get("tag")
            if bridge:
                path = f"/sdn/zones/localnetwork/{bridge}"
                if not call.may(path, "SDN.Use"):
                    call.require(f"{path}/{tag}" if tag else path, "SDN.Use")
