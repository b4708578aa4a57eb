"""ZFS as PVE's API has it: kept in the state, or the real one where the host brings it."""

import os
import socket
import subprocess
from pathlib import Path
from typing import Any

from tests.infra.fake_pve.arguments import Args, Refused

REAL = Path("/usr/sbin/zpool")
LEAST = {"single": 1, "mirror": 2, "raid10": 4, "raidz": 3, "raidz2": 4, "raidz3": 5}
Pools = dict[str, Any]


def of(state: dict[str, Any]) -> Pools:
    """The pools of this host."""
    found: Pools = state.setdefault("pools", {}).setdefault(socket.gethostname(), {})
    return found


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"command '{' '.join(command)}' failed: {done.stderr.strip()}")
    return done.stdout


def shown(pools: Pools) -> list[dict[str, str]]:
    if REAL.exists():
        lines = _said("zpool", "list", "-HpPLo", "name,health").splitlines()
        pairs = [line.split("\t") for line in lines]
    else:
        pairs = [[name, one["health"]] for name, one in pools.items()]
    return [{"name": name, "health": health} for name, health in pairs]


def make(pools: Pools, given: Args) -> None:
    devices, level, name = given["devices"].split(","), given["raidlevel"], given["name"]
    if len(devices) < LEAST[level]:
        raise Refused(f"{level} needs at least {LEAST[level]} disks")
    if level == "raid10" and len(devices) % 2:
        raise Refused("raid10 needs an even number of disks")
    if name in {one["name"] for one in shown(pools)}:
        raise Refused(f"pool '{name}' already exists on node '{socket.gethostname()}'")
    if given.get("add_storage", "0") not in {"0", "false"}:
        raise Refused("the fake adds no storage to a pool")
    if REAL.exists():
        _really(name, level, devices, given)
    pools[name] = {"health": "ONLINE", "devices": devices, "set": {}}


def _really(name: str, level: str, devices: list[str], given: Args) -> None:
    """As PVE does it: unused disks, by their identity, the switch for the next start."""
    identities = {
        os.path.realpath(one): str(one) for one in sorted(Path("/dev/disk/by-id").iterdir())
    }
    for device in devices:
        if _said("lsblk", "-nro", "FSTYPE,PTTYPE", device).strip():
            raise Refused(f"device '{device}' is already in use")
    disks = [identities.get(os.path.realpath(one), one) for one in devices]
    if level == "raid10":
        layout = [
            word for at in range(0, len(disks), 2) for word in ("mirror", *disks[at : at + 2])
        ]
    else:
        layout = [*([] if level == "single" else [level]), *disks]
    _said("zpool", "create", "-o", f"ashift={given.get('ashift', '12')}", name, *layout)
    _said("zfs", "set", f"compression={given.get('compression', 'on')}", name)
    if Path("/lib/systemd/system/zfs-import@.service").exists():
        _said("systemctl", "enable", f"zfs-import@{name}.service")
    _said("udevadm", "trigger", *devices)


def zpool(pools: Pools, words: list[str]) -> None:
    if words[:1] == ["scrub"]:
        pools[words[1]]["scrubbed"] = True
    elif words == ["list", "-v", "-H", "-P", "-o", "name"]:
        for name, one in pools.items():
            print("\n".join([name, *(f"\t{disk}" for disk in one["devices"])]))
    elif words == ["list", "-H", "-o", "name,health"]:
        print("".join(f"{name}\t{one['health']}\n" for name, one in pools.items()), end="")
    else:
        raise Refused(f"zpool: the fake has no {words}")


def zfs(pools: Pools, words: list[str]) -> None:
    if words[-1] not in pools:
        raise Refused(f"cannot open '{words[-1]}': dataset does not exist")
    values = pools[words[-1]]["set"]
    if words[:1] == ["set"] and len(words) == 3:
        key, _, value = words[1].partition("=")
        values[key] = value
    elif words[:4] == ["get", "-H", "-o", "value"] and len(words) == 6:
        print(values.get(words[4], "-"))
    else:
        raise Refused(f"zfs: the fake has no {words}")
