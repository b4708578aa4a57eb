"""What the API shows of VMs: lists, status, configuration, pending changes, cloud-init."""

import hashlib
import ipaddress
import urllib.parse

from cloudpemda.lab.guests import vm_stats
from cloudpemda.lab.ha.manager import state_of
from cloudpemda.lab.qemu.config import CI_KEYS, check_lock, digest, properties, shown, with_pending
from cloudpemda.lab.qemu.lifecycle import VM, able, described, snapshot_of
from cloudpemda.lab.qemu.machine import nics, write_cloudinit
from cloudpemda.lab.routes import Row, route
from cloudpemda.lab.state import Vm
from cloudpemda.lab.world import Call


@route("GET /nodes/{node}/qemu")
def list_vms(call: Call) -> object:
    seen = call.visible(vm for vm in call.cluster.vms.values() if vm.node == call.node)
    return [
        vm_stats(call.world, vm) | ({"qmpstatus": vm.status} if call.flag("full") else {})
        for vm in seen
    ]


@route(f"GET {VM}/status/current")
def current(call: Call) -> object:
    vm = call.vm()
    row = vm_stats(call.world, vm) | {"qmpstatus": vm.status, "ha": {"managed": 0}}
    managed = call.cluster.ha_resources.get(f"vm:{vm.vmid}")
    if managed is not None and managed.options.get("state") != "ignored":
        group = {"group": managed.options.get("group")} if call.cluster.release == "8" else {}
        row["ha"] = {"managed": 1, "state": state_of(call.cluster, managed.name), **group}
    if vm.config.get("agent", "0") not in ("0", "enabled=0"):
        row["agent"] = 1
    if "vga" in vm.config:
        row["clipboard"] = None
    cards = [f"tap{vm.vmid}i{number}" for number in nics(vm.config)]
    if vm.status != "stopped" and cards:
        row["nics"] = {card: {"netin": 0, "netout": 0} for card in cards}
    return row


@route(f"GET {VM}/config")
def get_config(call: Call) -> object:
    vm, release = call.vm(), call.cluster.release
    if "snapshot" in call:
        snapshot = snapshot_of(vm, call["snapshot"])
        return shown(release, snapshot.config) | described(snapshot) | {"digest": digest(vm)}
    row = shown(release, vm.config if call.flag("current") else with_pending(vm))
    return row | ({"parent": vm.parent} if vm.parent else {}) | {"digest": digest(vm)}


@route(f"GET {VM}/pending")
def pending(call: Call) -> object:
    vm, release = call.vm(), call.cluster.release
    values, waiting = shown(release, vm.config), shown(release, vm.pending)
    rows: list[Row] = [{"key": "digest", "value": digest(vm)}]
    for key in {**values, **waiting}:
        row: Row = {"key": key}
        row |= {"value": values[key]} if key in values else {}
        row |= {"pending": waiting[key]} if key in waiting else {}
        rows.append(row | ({"delete": 1} if key in vm.pending_delete else {}))
    return rows


@route(f"GET {VM}/feature")
def feature(call: Call) -> object:
    vm, wanted = call.vm(), call["feature"]
    has = able(call.world, vm) if wanted == "snapshot" else wanted == "copy" or vm.template
    return {"hasFeature": int(has), "nodes": [call.node]}


# -- cloud-init ----------------------------------------------------------------------------------


@route(f"GET {VM}/cloudinit")
def cloudinit_pending(call: Call) -> object:
    """Settings of the CD: those it holds, and those that wait to be written."""
    hidden = {"cipassword": "**********"}
    return [
        {"key": key, "value": hidden.get(key, value)}
        for key, value in with_pending(call.vm()).items()
        if key in CI_KEYS and key not in ("ciupgrade", "cicustom")
    ]


@route(f"PUT {VM}/cloudinit")
def cloudinit_update(call: Call) -> object:
    vm = call.vm()
    check_lock(vm)
    write_cloudinit(vm)
    return None


@route(f"GET {VM}/cloudinit/dump")
def cloudinit_dump(call: Call) -> object:
    make = {"user": _user_data, "network": _network_data, "meta": _meta_data}[call["type"]]
    return make(call.vm())


def _user_data(vm: Vm) -> str:
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
        lines += ["ssh_authorized_keys:", *(f"  - {key.strip()}" for key in keys)]
    lines += ["chpasswd:", "  expire: False"]
    if "ciuser" not in config:
        lines += ["users:", "  - default"]
    if config.get("ciupgrade", "1") == "1":
        lines.append("package_upgrade: true")
    return "\n".join(lines) + "\n"


def _network_data(vm: Vm) -> str:
    config = with_pending(vm)
    lines = ["version: 1", "config:"]
    for number, nic in nics(config).items():
        lines += ["    - type: physical", f"      name: eth{number}"]
        lines += [f"      mac_address: '{nic['mac']}'", "      subnets:"]
        lines += _subnets(properties(config.get(f"ipconfig{number}", "")))
    names, domain = config.get("nameserver", "").split(), config.get("searchdomain", "").split()
    if names or domain:
        lines += ["    - type: nameserver", "      address:", *(f"      - '{n}'" for n in names)]
        lines += ["      search:", *(f"      - '{d}'" for d in domain)]
    return "\n".join(lines) + "\n"


def _subnets(options: dict[str, str]) -> list[str]:
    lines: list[str] = []
    for address, gateway, suffix in (("ip", "gw", "4"), ("ip6", "gw6", "6")):
        value = options.get(address)
        if value in ("dhcp", "auto", "manual"):
            lines.append(f"      - type: {'dhcp' + suffix if value == 'dhcp' else value}")
        elif value is not None:
            net = ipaddress.ip_interface(value)
            lines += ["      - type: static", f"        address: '{net.ip}'"]
            lines.append(f"        netmask: '{net.netmask}'")
            if gateway in options:
                lines.append(f"        gateway: '{options[gateway]}'")
    return lines


def _meta_data(vm: Vm) -> str:
    text = _user_data(vm) + _network_data(vm)
    return f"instance-id: {hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()}\n"
