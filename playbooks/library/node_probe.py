"""Looks at a node before anything is changed; changes nothing itself.

All that is wrong is told at once, each with what to do next. A thing that could not be looked at
is None and a fault, never "absent".
"""

import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import which
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.machine import clock, release
from ansible.module_utils.vendor_api import guests
from ansible.module_utils.zfs_limits import memory, unfit

DOCUMENTATION = r"""
module: node_probe
short_description: Look at a node before it is built
description: Reads names, clock, links, ports, guests and disks of a node. Changes nothing.
options:
  name: {description: The node's name., type: str, required: true}
  sent: {description: The controller's clock when the task was sent, seconds., type: float, required: true}
  rings: {description: Own address on each corosync link., type: list, elements: str, required: true}
  peers: {description: Addresses of the other nodes., type: list, elements: str, default: []}
  mtu: {description: Bytes that must pass every link unbroken., type: int, default: 1500}
  disks: {description: Disks that a pool will be made of., type: list, elements: str, default: []}
  pool: {description: The pool that may already be on them., type: str, default: ''}
  arc_gib: {description: Most memory of the pool's cache in GiB; left out without a pool., type: int}
  cards: {description: Network cards that the inventory names., type: list, elements: str, default: []}
  connections: {description: Whether the links are looked at., type: bool, default: true}
  looking: {description: Whether what later steps bring is told apart., type: bool, default: false}
  pve_major: {description: Release of Proxmox VE to be here., type: int, required: true}
  latency_ms: {description: Longest mean round trip., type: float, default: 5}
  clock_seconds: {description: How far the clock may be off., type: float, default: 30}
author: cloudpemda
"""  # noqa: E501

PORTS = range(5405, 5413)
"""UDP ports that corosync's links may use."""


def said(*command: str) -> str | None:
    """What a command printed; None when it is not there or failed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def resolved(name: str) -> list[str]:
    """IPv4 and IPv6 addresses of a name, as the node itself sees them."""
    try:
        return sorted({str(one[4][0]) for one in socket.getaddrinfo(name, None)})
    except OSError:
        return []


def links(rings: list[str]) -> list[dict[str, object]]:
    """Each own address with the interface that holds it and that interface's MTU."""
    shown = json.loads(said("ip", "-json", "address", "show") or "[]")
    held = {
        address["local"]: (link["ifname"], link["mtu"])
        for link in shown
        for address in link.get("addr_info", ())
    }
    return [
        {"address": ring, "interface": held.get(ring, (None, None))[0],
         "mtu": held.get(ring, (None, None))[1]}
        for ring in rings
    ]  # fmt: skip


def cards() -> list[str]:
    """Names of this node's network cards and of what is built on them, their other names too."""
    shown = json.loads(said("ip", "-json", "link", "show") or "[]")
    named = [name for link in shown for name in (link["ifname"], *link.get("altnames", ()))]
    return sorted(set(named) - {"lo"})


def latency(peer: str, mtu: int) -> dict[str, object]:
    """Mean round trip in ms of packets as big as the link must carry; None when none came back."""
    out = said("ping", "-n", "-q", "-c", "3", "-i", "0.2", "-W", "2", "-M", "do",
               "-s", str(mtu - 28), peer)  # fmt: skip
    found = re.search(r"= [\d.]+/([\d.]+)/", out or "")
    return {"address": peer, "ms": float(found.group(1)) if found else None}


def ports() -> list[dict[str, object]]:
    """Who else holds a port of corosync."""
    held = []
    for line in (said("ss", "-Hulnp") or "").splitlines():
        words = line.split()
        port = words[3].rpartition(":")[2] if len(words) > 3 else ""
        if port.isdigit() and int(port) in PORTS and "corosync" not in line:
            held.append({"port": int(port), "by": words[-1]})
    return held


def members(pool: str) -> list[str] | None:
    """Disks of the pool of that name that is in use here, as /dev names them; none without one,
    None when pools cannot be looked at."""
    if not pool or which("zpool") is None:
        return []
    listed = said("zpool", "list", "-v", "-H", "-P", "-o", "name")
    if listed is None:
        return None
    found, within = [], False
    for line in listed.splitlines():
        word = line.split()[0] if line.split() else ""
        if not line.startswith("\t"):
            within = word == pool
        elif within and word.startswith("/dev/"):
            found.append(whole(Path(word).resolve()))
    return found


def whole(device: Path) -> str:
    """The disk that a partition is part of; a disk itself stays."""
    place = Path("/sys/class/block", device.name)
    return str(device.parent / place.resolve().parent.name if (place / "partition").exists()
               else device)  # fmt: skip


def disk(path: str, pool: str, held: list[str] | None) -> dict[str, object]:
    """Whether a disk is there, of the pool already, and what is on it that would be lost."""
    seen = {"path": path, "there": Path(path).is_block_device(), "own": False, "unused": False}
    if not seen["there"]:
        return {**seen, "holds": []}
    if held is None:
        return {**seen, "holds": ["what cannot be said: zpool list fails"]}
    if str(Path(path).resolve()) in held:
        return {**seen, "own": True, "holds": []}
    out = said("lsblk", "--json", "-o", "NAME,TYPE,FSTYPE,LABEL,PTTYPE,MOUNTPOINTS", path)
    if out is None:
        return {**seen, "holds": ["cannot be looked at"]}
    holds: list[str] = []
    todo = list(json.loads(out)["blockdevices"])
    while todo:
        one = todo.pop()
        todo += one.get("children", ())
        if one.get("fstype") == "zfs_member":
            holds.append(f"the pool {one.get('label')}")
            seen["unused"] = seen["unused"] or one.get("label") == pool
        holds += [str(one[key]) for key in ("fstype", "pttype") if one.get(key)]
        holds += [str(at) for at in one.get("mountpoints") or () if at]
    return {**seen, "holds": sorted(set(holds))}


def itself(node: dict[str, Any], asked: dict[str, Any]) -> Iterator[str]:
    """What is wrong with name, clock and release."""
    short = asked["name"].partition(".")[0]
    if node["hostname"].partition(".")[0] != short:
        yield (
            f"the host calls itself {node['hostname']}, the inventory {asked['name']}: correct one "
            f"of them (hostnamectl hostname {short})"
        )
    loopback = [one for one in node["resolved"] if one == "::1" or one.startswith("127.")]
    if loopback or not node["resolved"]:
        names = " ".join(dict.fromkeys((asked["name"], short)))
        yield (
            f"{node['hostname']} resolves to {', '.join(node['resolved']) or 'nothing'}: put "
            f'"{asked["rings"][0]} {names}" into its /etc/hosts, and take the name out of the '
            "lines of 127.0.0.1, 127.0.1.1 and ::1"
        )
    yield from clock(node["clock_off_seconds"], asked["clock_seconds"])
    wanted = asked["pve_major"]
    if node["debian"] != str(wanted + 4) or node["pve_major"] not in {None, wanted}:
        yield (
            f"Debian {node['debian'] or '?'} with Proxmox VE {node['pve_major'] or 'not installed'}"
            f", the site says pve_major {wanted}, which stands on Debian {wanted + 4}: correct "
            "pve_major, or install the other release"
        )


def connections(node: dict[str, Any], asked: dict[str, Any]) -> Iterator[str]:
    """What is wrong between this node and the others."""
    absent = [one for one in asked["cards"] if one not in node["cards"]]
    if absent:
        yield (
            f"{', '.join(absent)} is no network card of this server, which has "
            f"{', '.join(node['cards']) or 'none'}: correct node_ports and node_links"
        )
    for link in node["links"]:
        if link["interface"] is None:
            yield (
                f"{link['address']} is on no interface: correct node_rings in the inventory, or "
                "the host's /etc/network/interfaces"
            )
        elif link["mtu"] < asked["mtu"]:
            yield (
                f"{link['address']} is on {link['interface']} with an MTU of {link['mtu']}, "
                f"{asked['mtu']} are needed: raise it there and on the switch"
            )
    for peer in node["peers"]:
        if peer["ms"] is None:
            what = f"does not answer packets of {asked['mtu']} bytes"
        elif peer["ms"] > asked["latency_ms"]:
            what = f"answers after {peer['ms']} ms, {asked['latency_ms']:g} ms are allowed"
        else:
            continue
        yield (
            f"{peer['address']} {what}: look at cables, VLAN and MTU of the switch ports between "
            "the two"
        )
    for port in node["ports"]:
        yield f"UDP {port['port']} is corosync's and held by {port['by']}: stop that program"


def contents(node: dict[str, Any], asked: dict[str, Any]) -> Iterator[str]:
    """What would be lost."""
    if node["guests"] and not node["member"]:
        yield (
            f"{', '.join(node['guests'])} would be lost when the node joins: back them up, remove "
            "them, restore them after the join"
        )
    for one in node["disks"]:
        if not one["there"]:
            yield f"{one['path']} is no disk of this node: correct node_pool_disks"
        elif one["holds"]:
            pool = asked["pool"]
            back = f" (zpool import {pool} takes it into use again)" if one["unused"] else ""
            yield (
                f"{one['path']} holds {', '.join(one['holds'])}{back}: correct node_pool_disks; if "
                f"its contents may go, wipe it yourself (wipefs -a {one['path']})"
            )
        elif node["pool_disks"] and not one["own"]:
            yield (
                f"{one['path']} is not in the pool {asked['pool']} that this node has already, on "
                f"{', '.join(node['pool_disks'])}: correct node_pool_disks, or change the pool "
                f"yourself (zpool status {asked['pool']}; zpool replace, zpool add)"
            )


def awaited(pve_major: int | None, lacking: list[str]) -> Iterator[str]:
    """What later steps bring."""
    if pve_major is None:
        yield "Proxmox VE is not installed yet: the playbook proxmox does that"
    if lacking:
        yield (
            f"{', '.join(lacking)} is on no interface yet: the playbook network brings what the "
            "inventory says. Look once more after it: then the links between the nodes are tried"
        )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "sent": {"type": "float", "required": True},
            "rings": {"type": "list", "elements": "str", "required": True},
            "peers": {"type": "list", "elements": "str", "default": []},
            "mtu": {"type": "int", "default": 1500},
            "disks": {"type": "list", "elements": "str", "default": []},
            "pool": {"type": "str", "default": ""},
            "arc_gib": {"type": "int"},
            "cards": {"type": "list", "elements": "str", "default": []},
            "connections": {"type": "bool", "default": True},
            "looking": {"type": "bool", "default": False},
            "pve_major": {"type": "int", "required": True},
            "latency_ms": {"type": "float", "default": 5.0},
            "clock_seconds": {"type": "float", "default": 30.0},
        },
        supports_check_mode=True,
    )
    asked = module.params
    version = said("pveversion")
    found = re.match(r"pve-manager/(\d+)", version or "")
    held = members(asked["pool"]) if asked["disks"] else []
    own = links(asked["rings"]) if asked["connections"] else []
    lacking = [str(link["address"]) for link in own if link["interface"] is None]
    built = Path("/etc/network/interfaces.before-cloudpemda").exists()
    early = bool(asked["looking"] and lacking and not built)
    peers = asked["peers"] if asked["connections"] and not early else []
    with ThreadPoolExecutor(max_workers=8) as several:  # ten nodes on two links are 18 peers
        answers = list(several.map(lambda peer: latency(peer, asked["mtu"]), peers))
    node = {
        "hostname": socket.gethostname(),
        "clock_off_seconds": time.time() - asked["sent"],
        "resolved": resolved(socket.gethostname()),
        "links": [] if early else own,
        "peers": answers,
        "cards": cards(),
        "ports": ports(),
        "guests": guests(),
        "member": Path("/etc/pve/corosync.conf").exists(),
        "disks": [disk(path, asked["pool"], held) for path in asked["disks"]],
        "pool_disks": held or [],
        "debian": release().get("VERSION_ID", ""),
        "pve_major": int(found.group(1)) if found else None,
    }
    later = [*awaited(node["pve_major"], lacking if early else [])] if asked["looking"] else []
    faults = [*itself(node, asked), *connections(node, asked), *contents(node, asked)]
    if asked["arc_gib"] is not None:
        faults += unfit(asked["arc_gib"], memory())
    module.exit_json(changed=False, node=node, faults=faults, later=later)


if __name__ == "__main__":
    main()
