"""What the API shows of VMs: lists, status, configuration, pending changes, cloud-init."""

import hashlib
import ipaddress
import urllib.parse

from cloudpemda.lab.errors import failed
from cloudpemda.lab.guests import vm_stats
from cloudpemda.lab.qemu.config import (
    CI_KEYS,
    check_lock,
    digest,
    drives,
    shown,
    with_pending,
)
from cloudpemda.lab.qemu.machine import write_cloudinit
from cloudpemda.lab.routes import route
from cloudpemda.lab.state import Vm
from cloudpemda.lab.world import Call


@route("GET /nodes/{node}/qemu")
def list_vms(call: Call) -> object:
    rows = []
    for vm in call.cluster.vms.values():
        if vm.node == call.node and call.may(f"/vms/{vm.vmid}", "VM.Audit"):
            row = vm_stats(call.world, vm)
            if call.params.flag("full"):
                row["qmpstatus"] = vm.status
            rows.append(row)
    return rows


@route("GET /nodes/{node}/qemu/{vmid}/status/current")
def current(call: Call) -> object:
    vm = call.vm()
    row = vm_stats(call.world, vm)
    row["qmpstatus"] = vm.status
    managed = call.cluster.ha_resources.get(f"vm:{vm.vmid}")
    row["ha"] = {"managed": 0}
    if managed is not None and managed.options.get("state") != "ignored":
        shown_ha: dict[str, object] = {"managed": 1, "state": managed.state}
        if call.cluster.release == "8":
            shown_ha["group"] = managed.options.get("group")
        row["ha"] = shown_ha
    if "agent" in vm.config and vm.config["agent"] not in ("0", "enabled=0"):
        row["agent"] = 1
    if "vga" in vm.config:
        row["clipboard"] = None
    nics = [key for key in vm.config if key.startswith("net") and key[3:].isdigit()]
    if vm.status != "stopped" and nics:
        row["nics"] = {f"tap{vm.vmid}i{key[3:]}": {"netin": 0, "netout": 0} for key in nics}
    return row


@route("GET /nodes/{node}/qemu/{vmid}/config")
def get_config(call: Call) -> object:
    vm, release = call.vm(), call.cluster.release
    if "snapshot" in call.params:
        snapshot = vm.snapshots.get(call.params["snapshot"])
        if snapshot is None:
            raise failed(f"snapshot '{call.params['snapshot']}' does not exist")
        found = shown(release, snapshot.config)
        found["snaptime"] = int(snapshot.taken)
        if snapshot.parent:
            found["parent"] = snapshot.parent
        if snapshot.description:
            found["description"] = snapshot.description
    else:
        found = shown(release, vm.config if call.params.flag("current") else with_pending(vm))
        if vm.parent:
            found["parent"] = vm.parent
    return {**found, "digest": digest(vm)}


@route("GET /nodes/{node}/qemu/{vmid}/pending")
def pending(call: Call) -> object:
    vm, release = call.vm(), call.cluster.release
    rows: list[dict[str, object]] = []
    values, waiting = shown(release, vm.config), shown(release, vm.pending)
    for key, value in values.items():
        row: dict[str, object] = {"key": key, "value": value}
        if key in waiting:
            row["pending"] = waiting[key]
        if key in vm.pending_delete:
            row["delete"] = 1
        rows.append(row)
    rows += [{"key": key, "pending": value} for key, value in waiting.items() if key not in values]
    rows.append({"key": "digest", "value": digest(vm)})
    return rows


# -- cloud-init ----------------------------------------------------------------------------------


def _ci_settings(vm: Vm) -> dict[str, str]:
    config = with_pending(vm)
    return {
        key: value
        for key, value in config.items()
        if key in CI_KEYS or key.startswith("ipconfig") or key == "name"
    }


@route("GET /nodes/{node}/qemu/{vmid}/cloudinit")
def cloudinit_pending(call: Call) -> object:
    """Settings of the CD: those it holds, and those that wait to be written."""
    vm = call.vm()
    rows: list[dict[str, object]] = []
    for key, value in _ci_settings(vm).items():
        if key not in CI_KEYS or key in ("ciupgrade", "cicustom"):
            continue
        text = "**********" if key == "cipassword" else value
        rows.append({"key": key, "value": text})
    return rows


@route("PUT /nodes/{node}/qemu/{vmid}/cloudinit")
def cloudinit_update(call: Call) -> object:
    vm = call.vm()
    check_lock(vm)
    write_cloudinit(vm)
    return None


@route("GET /nodes/{node}/qemu/{vmid}/cloudinit/dump")
def cloudinit_dump(call: Call) -> object:
    vm = call.vm()
    make = {"user": user_data, "network": network_data, "meta": meta_data}
    return make[call.params["type"]](vm)


def user_data(vm: Vm) -> str:
    config = with_pending(vm)
    name = config.get("name", f"VM{vm.vmid}")
    lines = ["#cloud-config", f"hostname: {name.split('.')[0]}", "manage_etc_hosts: true"]
    if "." in name:
        lines.append(f"fqdn: {name}")
    if "ciuser" in config:
        lines.append(f"user: {config['ciuser']}")
    if "cipassword" in config:
        hashed = hashlib.sha256(config["cipassword"].encode()).hexdigest()
        lines.append(f"password: $5${hashed[:8]}${hashed[8:51]}")
    keys = [k for k in urllib.parse.unquote(config.get("sshkeys", "")).split("\n") if k.strip()]
    if keys:
        lines.append("ssh_authorized_keys:")
        lines += [f"  - {key.strip()}" for key in keys]
    lines += ["chpasswd:", "  expire: False"]
    if "ciuser" not in config:
        lines += ["users:", "  - default"]
    if config.get("ciupgrade", "1") == "1":
        lines.append("package_upgrade: true")
    return "\n".join(lines) + "\n"


def network_data(vm: Vm) -> str:
    config = with_pending(vm)
    lines = ["version: 1", "config:"]
    for key in sorted(k for k in config if k.startswith("net") and k[3:].isdigit()):
        mac = config[key].split(",")[0].partition("=")[2].lower()
        lines += [
            "    - type: physical", f"      name: eth{key[3:]}", f"      mac_address: '{mac}'",
            "      subnets:",
        ]  # fmt: skip
        lines += _subnets(config.get(f"ipconfig{key[3:]}", ""))
    names, domain = config.get("nameserver", "").split(), config.get("searchdomain", "").split()
    if names or domain:
        lines += ["    - type: nameserver", "      address:", *(f"      - '{n}'" for n in names)]
        lines += ["      search:", *(f"      - '{d}'" for d in domain)]
    return "\n".join(lines) + "\n"


def _subnets(text: str) -> list[str]:
    options = dict(part.split("=", 1) for part in text.split(",") if "=" in part)
    lines: list[str] = []
    for address, gateway, suffix in (("ip", "gw", "4"), ("ip6", "gw6", "6")):
        value = options.get(address)
        if value is None:
            continue
        if value in ("dhcp", "auto", "manual"):
            lines.append(f"      - type: {'dhcp' + suffix if value == 'dhcp' else value}")
            continue
        net = ipaddress.ip_interface(value)
        lines += [
            "      - type: static",
            f"        address: '{net.ip}'",
            f"        netmask: '{net.netmask}'",
        ]
        if gateway in options:
            lines.append(f"        gateway: '{options[gateway]}'")
    return lines


def meta_data(vm: Vm) -> str:
    text = user_data(vm) + network_data(vm)
    return f"instance-id: {hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()}\n"


@route("GET /nodes/{node}/qemu/{vmid}/feature")
def feature(call: Call) -> object:
    vm = call.vm()
    kinds = {d.volid.rpartition(".")[2] for d in drives(vm.config).values() if ":" in d.volid}
    able = call.params["feature"] == "copy" or (kinds <= {"qcow2"} and bool(kinds))
    if call.params["feature"] == "clone":
        able = vm.template
    return {"hasFeature": int(able), "nodes": [call.node]}
