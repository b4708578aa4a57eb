"""ZFS as PVE's API and its own commands have it, kept in the state."""

import socket
from typing import Any

from tests.infra.fake_pve.arguments import Args, Refused

LEAST = {"single": 1, "mirror": 2, "raid10": 4, "raidz": 3, "raidz2": 4, "raidz3": 5}
Pools = dict[str, Any]


def of(state: dict[str, Any]) -> Pools:
    """The pools of this host."""
    found: Pools = state.setdefault("pools", {}).setdefault(socket.gethostname(), {})
    return found


def shown(pools: Pools) -> list[dict[str, str]]:
    return [{"name": name, "health": one["health"]} for name, one in pools.items()]


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
    pools[name] = {"health": "ONLINE", "devices": devices, "set": {}}


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
