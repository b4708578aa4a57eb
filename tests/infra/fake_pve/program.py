#!/usr/bin/python3
"""The program behind PVE's names on a test host; see the package's own words.

There it lies beside the part of the package that it needs, which Python finds by its place.
"""

import fcntl
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.infra.fake_pve import pools, ring
from tests.infra.fake_pve.arguments import Args, Refused, checked, options

HOME = Path(os.environ.get("FAKE_PVE", "/var/lib/fake-pve"))
ME = socket.gethostname()
METHODS = {"get": "GET", "create": "POST", "set": "PUT", "delete": "DELETE"}


@contextmanager
def kept() -> Iterator[dict[str, Any]]:
    """The state, locked, written back when all went well."""
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = json.loads((HOME / "state.json").read_text())
        yield state
        made = HOME / "state.new"
        made.write_text(json.dumps(state, indent=1))
        made.replace(HOME / "state.json")


class Node:
    """This host, alone or in its cluster."""

    def __init__(self, state: dict[str, Any], product: str = "pve") -> None:
        self.state = state
        self.member = state["members"].get(ME, {})
        self.cluster = self.member.get("cluster", "")
        owner = f"pbs {ME}" if product == "pbs" else self.cluster or f"node {ME}"
        self.objects = state["objects"].setdefault(owner, {})
        self.product = product

    def members(self) -> dict[str, dict[str, Any]]:
        return {
            name: one
            for name, one in self.state["members"].items()
            if one["cluster"] == self.cluster != ""
        }

    def quorum(self) -> tuple[bool, set[str]]:
        """Whether quorate, and who is seen; of the real ring where there is one."""
        members = self.members()
        if not self.state["ring"]:
            online = set(members) - set(self.state.get("offline", ()))
            return len(online) * 2 > len(members), online
        quorate, seen = ring.quorum()
        return quorate, {name for name, one in members.items() if one["nodeid"] in seen}

    def may_write(self) -> None:
        if self.cluster and not self.quorum()[0]:
            raise Refused("cluster not ready - no quorum?")

    def status(self) -> list[dict[str, Any]]:
        quorate, online = self.quorum()
        found: list[dict[str, Any]] = [
            {"type": "node", "id": f"node/{name}", "name": name, "nodeid": one["nodeid"],
             "online": int(name in online), "local": int(name == ME), "ip": one["links"][0]}
            for name, one in sorted(self.members().items())
        ]  # fmt: skip
        if not self.cluster:
            return [{"type": "node", "id": f"node/{ME}", "name": ME, "nodeid": 0, "online": 1,
                     "local": 1}]  # fmt: skip
        return [
            {"type": "cluster", "id": "cluster", "name": self.cluster, "nodes": len(found),
             "quorate": int(quorate), "version": len(found)},
            *found,
        ]  # fmt: skip

    def call(self, method: str, path: str, given: Args) -> Any:
        schema = json.loads((HOME / f"{self.product}.json").read_text())
        known, own = checked(schema, path, method, given)
        if "node" in own and own["node"] not in self.members() and own["node"] != ME:
            raise Refused(f"500 hostname lookup '{own['node']}' failed")
        special = SPECIAL.get((method, known))
        if method != "GET":
            self.may_write()
        if special is not None:
            return special(self, path, own, given)
        return self.generic(schema, method, known, path, given)

    def generic(
        self, schema: dict[str, Any], method: str, known: str, path: str, given: Args
    ) -> Any:
        if method == "POST":
            keys = [one for one in schema if re.fullmatch(re.escape(known) + r"/\{[^}/]+\}", one)]
            if not keys:
                raise Refused(f"the fake has no way to create below {path}")
            key = keys[0][len(known) + 2 : -1]
            where = f"{path}/{given[key]}"
            if where in self.objects:
                raise Refused(f"500 create failed: '{given[key]}' already exists")
            self.objects[where] = dict(given)
            return None
        if method == "GET" and not known.endswith("}"):
            depth = path.count("/") + 1
            return [
                one for where, one in sorted(self.objects.items())
                if where.startswith(f"{path}/") and where.count("/") == depth
            ]  # fmt: skip
        if path not in self.objects:
            raise Refused(f"500 '{path.rpartition('/')[2]}' does not exist")
        if method == "GET":
            return self.objects[path]
        if method == "DELETE":
            del self.objects[path]
            return None
        for name in filter(None, given.pop("delete", "").split(",")):
            self.objects[path].pop(name, None)
        self.objects[path].update(given)
        return None


def _options(node: Node, path: str, own: Args, given: Args) -> Any:
    kept_ones = node.objects.setdefault(path, {})
    for name in filter(None, given.pop("delete", "").split(",")):
        kept_ones.pop(name, None)
    kept_ones.update(given)


def _read_options(node: Node, path: str, own: Args, given: Args) -> Any:
    """Property strings come back in parts, as the API gives them."""
    return {"allowed-tags": []} | {
        key: dict(part.split("=", 1) for part in text.split(",")) if "=" in text else text
        for key, text in node.objects.get(path, {}).items()
    }


def _grant(node: Node, path: str, own: Args, given: Args) -> Any:
    entries = node.state.setdefault(f"acl {node.product} {node.cluster or ME}", [])
    pairs = [("user", given.get("users", "")), ("token", given.get("tokens", ""))]
    if node.product == "pbs":
        pairs = [("token" if "!" in given["auth-id"] else "user", given["auth-id"])]
    for kind, who in pairs:
        for one in filter(None, who.split(",")):
            user, _, token = one.partition("!")
            if f"/access/users/{user}" not in node.objects:
                raise Refused(f"500 ACL update failed: no such user ('{user}')")
            if token and f"/access/users/{user}/token/{token}" not in node.objects:
                raise Refused(f"500 ACL update failed: no such token '{one}'")
            for role in (given.get("roles") or given["role"]).split(","):
                entry = {"path": given["path"], "ugid": one, "roleid": role, "propagate": 1}
                entry["ugid_type" if node.product == "pbs" else "type"] = kind
                if entry not in entries:
                    entries.append(entry)


def _acl(node: Node, path: str, own: Args, given: Args) -> Any:
    return node.state.get(f"acl {node.product} {node.cluster or ME}", [])


def _token(node: Node, path: str, own: Args, given: Args) -> Any:
    if f"/access/users/{own['userid']}" not in node.objects:
        raise Refused(f"500 no such user ('{own['userid']}')")
    if path in node.objects:
        raise Refused("400 Parameter verification failed.\ntokenid: Token already exists.")
    name = own.get("tokenid", own.get("token-name", ""))
    node.objects[path] = {"tokenid": name, **given}
    number = node.state["secrets"] = node.state.get("secrets", 0) + 1
    return {"full-tokenid": f"{own['userid']}!{name}", "value": f"secret-{number:08d}"}


def _pools(node: Node, path: str, own: Args, given: Args) -> Any:
    return pools.shown(pools.of(node.state))


def _make_pool(node: Node, path: str, own: Args, given: Args) -> Any:
    if own["node"] != ME:
        raise Refused("the fake makes pools on its own node only")
    pools.make(pools.of(node.state), given)


def _ha(node: Node, path: str, own: Args, given: Args) -> Any:
    quorate, online = node.quorum()
    resting = node.state.get("maintenance", [])
    mode = {name: "maintenance mode" if name in resting else "active" for name in node.members()}
    return [
        {"type": "quorum", "id": "quorum", "node": ME, "quorate": int(quorate),
         "status": "OK" if quorate else "No quorum!"},
        {"type": "master", "id": "master", "node": min(online, default=ME),
         "status": f"{min(online, default=ME)} (active, Sat Nov 21 20:21:24 2026)"},
        *({"type": "lrm", "id": f"lrm:{name}", "node": name,
           "status": f"{name} ({mode[name]}, Sat Nov 21 20:21:24 2026)"} for name in sorted(mode)),
        *({"type": "service", "id": f"service:{sid}", "sid": sid, "node": one["node"],
           "state": one.get("state", "started")}
          for sid, one in sorted(node.state.get("services", {}).items())),
    ]  # fmt: skip


def _resources(node: Node, path: str, own: Args, given: Args) -> Any:
    _, online = node.quorum()
    return [
        *({"type": "node", "id": f"node/{name}", "node": name,
           "status": "online" if name in online else "offline"} for name in node.members()),
        *({"type": "qemu", "id": f"qemu/{vmid}", "vmid": int(vmid), **one}
          for vmid, one in node.state.get("guests", {}).items()),
        *({"type": "qemu", "id": f"qemu/{one['vmid']}", "vmid": int(one["vmid"]),
           "name": one["name"], "node": where.split("/")[2], "status": "stopped",
           "template": one.get("template", 0)}
          for where, one in node.objects.items() if "/qemu/" in where),
    ]  # fmt: skip


def _make_vm(node: Node, path: str, own: Args, given: Args) -> Any:
    where = f"{path}/{given['vmid']}"
    if any(one.rpartition("/")[2] == given["vmid"] for one in node.objects if "/qemu/" in one):
        raise Refused(f"500 unable to create VM {given['vmid']}: VM already exists")
    for value in given.values():
        found = re.search(r"import-from=([^,]+)", value)
        if found and not Path(found.group(1)).is_file():
            raise Refused(f"500 import-from: {found.group(1)} does not exist")
    node.objects[where] = {**given, "template": 0}


def _template(node: Node, path: str, own: Args, given: Args) -> Any:
    node.objects[path.removesuffix("/template")]["template"] = 1


def _status(node: Node, path: str, own: Args, given: Args) -> Any:
    return node.status()


def _services(node: Node, path: str, own: Args, given: Args) -> Any:
    down = node.state.get("down", [])
    return [
        {"service": name, "name": name, "state": "dead" if name in down else "running",
         "active-state": "inactive" if name in down else "active"}
        for name in ("corosync", "pve-cluster", "pvedaemon", "pveproxy", "pvestatd")
    ]  # fmt: skip


def _namespaces(node: Node, path: str, own: Args, given: Args) -> Any:
    held = node.state.setdefault("namespaces", {}).setdefault(own["store"], [])
    return [{"ns": one} for one in ["", *held]]


def _make_namespace(node: Node, path: str, own: Args, given: Args) -> Any:
    name = "/".join(filter(None, (given.get("parent", ""), given["name"])))
    if f"/config/datastore/{own['store']}" not in node.objects:
        raise Refused(f"no such datastore '{own['store']}'")
    held = node.state.setdefault("namespaces", {}).setdefault(own["store"], [])
    if name in held:
        raise Refused(f"namespace '{name}' already exists")
    held.append(name)


SPECIAL: dict[tuple[str, str], Callable[[Node, str, Args, Args], Any]] = {
    ("GET", "/cluster/status"): _status,
    ("GET", "/cluster/options"): _read_options,
    ("PUT", "/cluster/options"): _options,
    ("GET", "/access/acl"): _acl,
    ("PUT", "/access/acl"): _grant,
    ("POST", "/access/users/{userid}/token/{tokenid}"): _token,
    ("POST", "/access/users/{userid}/token/{token-name}"): _token,
    ("GET", "/nodes/{node}/disks/zfs"): _pools,
    ("POST", "/nodes/{node}/disks/zfs"): _make_pool,
    ("GET", "/cluster/ha/status/current"): _ha,
    ("GET", "/cluster/resources"): _resources,
    ("POST", "/nodes/{node}/qemu"): _make_vm,
    ("POST", "/nodes/{node}/qemu/{vmid}/template"): _template,
    ("GET", "/nodes/{node}/services"): _services,
    ("GET", "/admin/datastore/{store}/namespace"): _namespaces,
    ("POST", "/admin/datastore/{store}/namespace"): _make_namespace,
}


def pvesh(words: list[str], product: str = "pve") -> None:
    plain, given = options(words)
    if len(plain) != 2 or plain[0] not in METHODS:
        raise Refused(f"usage: get|create|set|delete PATH, not {plain}")
    shape = given.pop("output-format", "text")
    method = METHODS[plain[0]]
    with kept() as state:
        if method != "GET":
            shown = " ".join(f"--{key} {value}" for key, value in given.items())
            state["calls"].append(f"{ME}: {plain[0]} {plain[1]} {shown}".rstrip())
        found = Node(state, product).call(method, plain[1], given)
    if found is not None:
        print(json.dumps(found) if shape == "json" else found)


def debug(words: list[str]) -> None:
    if words[:1] != ["api"]:
        raise Refused(f"usage: proxmox-backup-debug api, not {words}")
    pvesh(words[1:], "pbs")


def pvecm(words: list[str]) -> None:
    plain, given = options(words)
    if plain[:1] == ["status"]:
        with kept() as state:
            _show_votes(state)
        return
    schema = json.loads((HOME / "pve.json").read_text())
    with kept() as state:
        state["calls"].append(f"{ME}: pvecm {' '.join(words)}")
        if plain[0] == "qdevice":
            _qdevice(state, plain)
            return
        links = [given[f"link{n}"] for n in range(8) if f"link{n}" in given]
        addresses = [one.partition(",")[0].removeprefix("address=") for one in links]
        if ME in state["members"]:
            raise Refused("* authentication key '/etc/corosync/authkey' already exists")
        if plain[0] == "create":
            checked(schema, "/cluster/config", "POST", {**given, "clustername": plain[1]})
            name = plain[1]
            state["objects"][name] = state["objects"].pop(f"node {ME}", {})
        else:
            name = _joined(state, schema, plain, given)
        number = 1 + sum(one["cluster"] == name for one in state["members"].values())
        state["members"][ME] = {"cluster": name, "nodeid": number, "links": addresses}
        Path("/etc/pve/corosync.conf").write_text(f"cluster_name: {name}\n")
        if state["ring"]:
            if plain[0] == "create":
                found = [re.search(r"priority=(\d+)", one) for one in links]
                state["priorities"] = [int(one.group(1)) if one else 1 for one in found]
            ring.spread(HOME, state, name)
        wrong = state.get("says it failed", False)
    if wrong:  # after it joined: pvecm does that
        raise Refused("unable to add node: command failed")


def _joined(state: dict[str, Any], schema: dict[str, Any], plain: list[str], given: Args) -> str:
    """The cluster of the node that is asked to let this one in; its ssh must be open already."""
    if given.pop("use_ssh", "0") != "1":
        raise Refused("Please enter superuser (root) password for peer:")
    checked(schema, "/cluster/config/join", "POST",
            {**given, "hostname": plain[1], "password": "-",
             "fingerprint": ":".join(["AA"] * 32)})  # fmt: skip
    subprocess.run(["ssh", "-o", "BatchMode=yes", plain[1], "true"], check=True)
    found = {one["cluster"] for one in state["members"].values() if plain[1] in one["links"]}
    if len(found) != 1:
        raise Refused(f"no cluster at {plain[1]}")
    return str(found.pop())


def _show_votes(state: dict[str, Any]) -> None:
    """`pvecm status`: who votes, and whether each sees the third place, where there is one."""
    node = Node(state)
    if not node.cluster:
        raise Refused("Error: Corosync config '/etc/pve/corosync.conf' does not exist")
    quorate, online = node.quorum()
    third = state.get("qdevice")
    unseen = set(online) if third in state.get("silent", ()) else set()
    print(f"Cluster information\nName:             {node.cluster}\n")
    print(f"Quorate:          {'Yes' if quorate else 'No'}\n\nMembership information")
    print("    Nodeid      Votes" + ("    Qdevice Name" if third else " Name"))
    for name, one in sorted(node.members().items()):
        if name in online:
            flags = f"{'NA,NV,NMW' if name in unseen else 'A,V,NMW':>10} " if third else ""
            local = " (local)" if name == ME else ""
            print(f"0x{one['nodeid']:08x}          1 {flags}{one['links'][0]}{local}")
    if third:
        print(f"0x00000000          {'0' if unseen else '1'}            Qdevice"
              + (" (votes 1)" if unseen else ""))  # fmt: skip


def _qdevice(state: dict[str, Any], plain: list[str]) -> None:
    if plain[1:2] != ["setup"] or len(plain) != 3:
        raise Refused("usage: pvecm qdevice setup ADDRESS")
    if state.get("qdevice"):
        raise Refused("QDevice already configured!")
    members = Node(state).members()
    if len(members) % 2:
        raise Refused("Clusters with an odd node count are not officially supported!")
    if any(plain[2] in one["links"] for one in members.values()):
        raise Refused("QDevice host may not be a cluster node")
    state["qdevice"] = plain[2]


def ha_manager(words: list[str]) -> None:
    plain, _ = options(words)
    if plain[:2] != ["crm-command", "node-maintenance"] or plain[2] not in {"enable", "disable"}:
        raise Refused(f"ha-manager: the fake has no {plain}")
    with kept() as state:
        node = Node(state)
        node.may_write()
        if plain[3] not in node.members():
            raise Refused(f"no such node: {plain[3]}")
        state["calls"].append(f"{ME}: ha-manager {' '.join(words)}")
        resting = set(state.get("maintenance", []))
        others = sorted(node.quorum()[1] - resting - {plain[3]})
        if plain[2] == "enable":
            resting.add(plain[3])
            for one in state.get("services", {}).values():
                if one["node"] == plain[3] and others and not one.get("stays"):
                    one["came from"], one["node"] = one["node"], others[0]
        else:
            resting.discard(plain[3])
            for one in state.get("services", {}).values():
                if one.get("came from") == plain[3]:
                    one["node"] = one.pop("came from")
        for sid, one in state.get("services", {}).items():
            guest = state.get("guests", {}).get(sid.partition(":")[2])
            if guest is not None:
                guest["node"] = one["node"]
        state["maintenance"] = sorted(resting)


def zpool(words: list[str]) -> None:
    with kept() as state:
        pools.zpool(pools.of(state), words)


def zfs(words: list[str]) -> None:
    with kept() as state:
        pools.zfs(pools.of(state), words)


def version(words: list[str]) -> None:
    with kept() as state:
        major = state.get("majors", {}).get(ME, state["major"])
    print(f"pve-manager/{major}.{4 if major == 8 else 2}.1/0123456789abcdef (running kernel: 6.8)")


def take_release() -> None:
    """What the packages of the next release do."""
    with kept() as state:
        state.setdefault("majors", {})[ME] = 9


def checker(words: list[str]) -> None:
    with kept() as state:
        failures = state.get("checker", {}).get(ME, [])
    print("= CHECKING VERSION INFORMATION FOR PVE PACKAGES =\nPASS: all fine")
    for one in failures:
        print(f"FAIL: {one}")
    print(f"= SUMMARY =\nTOTAL:    {1 + len(failures)}\nFAILURES: {len(failures)}")


MAIN: dict[str, Callable[[list[str]], None]] = {
    "ha-manager": ha_manager,
    "proxmox-backup-debug": debug,
    "pve8to9": checker,
    "pvecm": pvecm,
    "pvesh": pvesh,
    "pveversion": version,
    "zfs": zfs,
    "zpool": zpool,
}


def main() -> int:
    name, words = Path(sys.argv[0]).name, sys.argv[1:]
    if name == "program":
        own: dict[str, Callable[[], None]] = {
            "ring": lambda: ring.watch(HOME, ME),
            "take-ring": lambda: ring.take(HOME, ME),
            "take-release": take_release,
        }
        own[words[0]]()
        return 0
    try:
        MAIN[name](words)
    except Refused as said:
        print(said, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
