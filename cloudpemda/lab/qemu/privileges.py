"""Which privilege each setting of a VM needs, and the settings that only root in person may make."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import failed, invalid
from ..storage import refuse_path, split, storage_of
from ..world import Call
from .config import DISK_KEY, parse_drive

CPU = {"cores", "sockets", "cpu", "cpulimit", "cpuunits", "numa", "smp", "vcpus", "affinity"}
MEMORY = {"memory", "balloon", "shares", "hugepages", "keephugepages", "allow-ksm"}
CLOUDINIT = {"ciuser", "cipassword", "citype", "cicustom", "ciupgrade", "sshkeys"}
NETWORK = {"nameserver", "searchdomain"}
HARDWARE = {
    "audio0",
    "bios",
    "boot_splash",
    "machine",
    "rng0",
    "scsihw",
    "vga",
    "watchdog",
    "spice_enhancements",
    "arch",
    "amd-sev",
    "intel-tdx",
}
POWER = {"onboot", "startup", "autostart"}
ROOT_ONLY = {"args", "lock"}


def needed(key: str) -> str:
    if key in CPU or re.fullmatch(r"numa\d+", key):
        return "VM.Config.CPU"
    if key in MEMORY:
        return "VM.Config.Memory"
    if key in CLOUDINIT:
        return "VM.Config.Cloudinit"
    if key in NETWORK or re.fullmatch(r"(net|ipconfig)\d+", key):
        return "VM.Config.Network"
    if key in HARDWARE or re.fullmatch(r"(hostpci|usb|serial|parallel)\d+", key):
        return "VM.Config.HWType"
    if key == "vmstate":
        return "VM.Snapshot"
    return "VM.Config.Options"


def check_settings(call: Call, settings: dict[str, str], deleted: Iterable[str] = ()) -> None:
    """Raise unless the caller may make these settings on this VM."""
    vmid = call.params["vmid"]
    pool = call.params.get("pool", "")
    for key in [*settings, *deleted]:
        value = settings.get(key, "")
        _check_root_only(call, key, value)
        if DISK_KEY.fullmatch(key):
            cdrom = "media=cdrom" in value or value.startswith(("none", "cdrom"))
            _need(call, vmid, pool, "VM.Config.CDROM" if cdrom else "VM.Config.Disk")
        elif key in CLOUDINIT and call.may(f"/vms/{vmid}", "VM.Config.Network"):
            continue
        elif key in POWER:
            _need(call, vmid, pool, "VM.Config.Options")
        elif key not in ("lock", "args"):
            _need(call, vmid, pool, needed(key))
    _check_hookscript(call, settings.get("hookscript"))


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
        if drive.volid.startswith("/") or source.startswith("/"):
            if not call.is_root:
                raise refuse_path(value)
        if drive.volid in ("none", "cdrom") or ":" not in drive.volid:
            continue
        name, rest = split(drive.volid)
        storage_of(call.cluster, name)
        if drive.cdrom:
            continue
        if source and rest != "0":
            raise invalid(
                {
                    key: "'import-from' requires special syntax - use <storage ID>:0,import-from=<source>"
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
