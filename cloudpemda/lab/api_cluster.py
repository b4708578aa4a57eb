"""The cluster as a whole: version, nodes, resources, status, options, free ids."""

from cloudpemda.lab import storage as storages
from cloudpemda.lab.errors import failed, invalid
from cloudpemda.lab.formats import split_list
from cloudpemda.lab.params import parse_property_string
from cloudpemda.lab.qemu.config import cpus_of, memory_of
from cloudpemda.lab.qemu.stats import disk_size, uptime
from cloudpemda.lab.routes import route
from cloudpemda.lab.state import Node, Task, Vm
from cloudpemda.lab.tables import load
from cloudpemda.lab.world import Call, World, digest_of

OPTIONS_DEFAULT_RANGE = (100, 1000000)


@route("GET /version", "GET /nodes/{node}/version")
def version(call: Call) -> object:
    full = call.cluster.version
    return {
        "version": full,
        "release": ".".join(full.split(".")[:2]),
        "repoid": "f6997e698c7933ea" if call.cluster.release != "8" else "1dd3dcd5a7aaeaf9",
    }


def _fingerprint(call: Call) -> str:
    return call.world.fingerprint


@route("GET /nodes")
def list_nodes(call: Call) -> object:
    rows = []
    for node in call.cluster.nodes.values():
        row: dict[str, object] = {
            "node": node.name,
            "id": f"node/{node.name}",
            "type": "node",
            "level": "",
            "status": "online" if node.online else "offline",
            "ssl_fingerprint": _fingerprint(call),
        }
        if call.may(f"/nodes/{node.name}", "Sys.Audit"):
            row |= node_figures(call.world, node)
        rows.append(row)
    return rows


def node_figures(world: World, node: Node) -> dict[str, object]:
    total, used, _ = root_space(world, node)
    figures: dict[str, object] = {
        "maxcpu": node.cpus,
        "maxmem": node.memory,
        "maxdisk": total,
    }
    if node.online:
        figures |= {
            "cpu": 0.01,
            "mem": memory_used(world, node),
            "disk": used,
            "uptime": int(world.now() - node.booted),
        }
    return figures


def memory_used(world: World, node: Node) -> int:
    running = (
        vm for vm in world.cluster.vms.values() if vm.node == node.name and vm.status != "stopped"
    )
    return min(node.memory, 2 * 1024**3 + sum(memory_of(vm.config) for vm in running))


def root_space(world: World, node: Node) -> tuple[int, int, int]:
    local = world.cluster.storages.get("local")
    return storages.space(world.cluster, local, node.name) if local else (0, 0, 0)


def vm_resource(world: World, vm: Vm) -> dict[str, object]:
    """A guest in `/cluster/resources`: nearly empty until the statistics have seen it."""
    row: dict[str, object] = {
        "id": f"qemu/{vm.vmid}",
        "type": "qemu",
        "vmid": vm.vmid,
        "node": vm.node,
        "status": "unknown",
    }
    for pool in world.cluster.pools.values():
        if vm.vmid in pool.vms:
            row["pool"] = pool.name
    for key in ("tags", "lock"):
        if key in vm.config:
            row[key] = vm.config[key]
    managed = world.cluster.ha_resources.get(f"vm:{vm.vmid}")
    if managed is not None:
        row["hastate"] = managed.state
    if not world.seen(vm):
        return row
    row |= {
        "status": "stopped" if vm.status == "stopped" else "running",
        "name": vm.name,
        "uptime": uptime(world, vm),
        "maxcpu": cpus_of(vm.config),
        "cpu": 0,
        "maxmem": memory_of(vm.config),
        "mem": 0,
        "maxdisk": disk_size(vm.config),
        "disk": 0,
        "diskread": 0,
        "diskwrite": 0,
        "netin": 0,
        "netout": 0,
        "template": int(vm.template),
    }
    if world.cluster.release != "8":
        row["memhost"] = 0
    return row


def storage_resource(world: World, name: str, node: str) -> dict[str, object]:
    storage = world.cluster.storages[name]
    row: dict[str, object] = {
        "id": f"storage/{node}/{name}",
        "type": "storage",
        "storage": name,
        "node": node,
        "plugintype": storage.type,
        "content": ",".join(storage.content),
        "shared": int(storage.shared),
        "status": "available",
    }
    if not world.cluster.nodes[node].online:
        return {**row, "status": "unknown"}
    total, used, _ = storages.space(world.cluster, storage, node)
    return {**row, "maxdisk": total, "disk": used}


def node_resource(world: World, node: Node, *, audit: bool) -> dict[str, object]:
    row: dict[str, object] = {
        "id": f"node/{node.name}",
        "type": "node",
        "node": node.name,
        "level": "",
        "status": "online" if node.online else "offline",
        "cgroup-mode": 2,
    }
    if audit:
        row |= node_figures(world, node)
        if world.cluster.ha_used:
            row["hastate"] = "online" if node.online else "unknown"
    return row


def _network_rows(call: Call, node: Node) -> list[dict[str, object]]:
    if not call.may("/sdn/zones/localnetwork", "SDN.Audit"):
        return []
    if call.cluster.release == "8":
        head = {"id": f"sdn/{node.name}/localnetwork", "type": "sdn", "sdn": "localnetwork"}
    else:
        head = {
            "id": f"network/{node.name}/zone/localnetwork",
            "type": "network",
            "network": "localnetwork",
            "network-type": "zone",
        }
    return [{**head, "node": node.name, "status": "ok" if node.online else "unknown"}]


@route("GET /cluster/resources")
def resources(call: Call) -> object:
    kind, world, rows = call.params.get("type"), call.world, list[object]()
    if kind is None:
        rows += [
            {"id": f"/pool/{pool.name}", "type": "pool", "pool": pool.name}
            for pool in call.cluster.pools.values()
            if call.may(f"/pool/{pool.name}", "Pool.Audit")
        ]
    if kind in (None, "vm"):
        rows += [
            vm_resource(world, vm)
            for vm in call.cluster.vms.values()
            if call.may(f"/vms/{vm.vmid}", "VM.Audit")
        ]
    if kind in (None, "node"):
        rows += [
            node_resource(world, node, audit=call.may(f"/nodes/{node.name}", "Sys.Audit"))
            for node in call.cluster.nodes.values()
        ]
    if kind in (None, "storage"):
        rows += [
            storage_resource(world, name, node)
            for name, storage in call.cluster.storages.items()
            if call.may(f"/storage/{name}", "Datastore.Audit")
            for node in call.cluster.nodes
            if storages.available_on(storage, node)
        ]
    if kind in (None, "sdn"):
        for node in call.cluster.nodes.values():
            rows += _network_rows(call, node)
    return rows


@route("GET /cluster/status")
def status(call: Call) -> object:
    rows: list[object] = [
        {
            "id": "cluster",
            "type": "cluster",
            "name": call.cluster.name,
            "nodes": len(call.cluster.nodes),
            "quorate": int(call.cluster.quorate),
            "version": len(call.cluster.nodes),
        }
    ]
    rows += [
        {
            "id": f"node/{node.name}",
            "type": "node",
            "name": node.name,
            "nodeid": node.number,
            "ip": node.address,
            "online": int(node.online),
            "local": int(node.name == call.node),
            "level": "",
        }
        for node in call.cluster.nodes.values()
    ]
    return rows


@route("GET /cluster/nextid")
def next_id(call: Call) -> object:
    if "vmid" in call.params:
        vmid = call.params.whole("vmid")
        if vmid in call.cluster.vms:
            raise invalid({"vmid": f"VM {vmid} already exists"})
        return str(vmid)
    spec = load(call.cluster.release)["PUT /cluster/options"].params["next-id"]
    chosen = parse_property_string(spec.keys, call.cluster.options.get("next-id", ""))
    lower = int(chosen.get("lower", OPTIONS_DEFAULT_RANGE[0]))
    upper = int(chosen.get("upper", OPTIONS_DEFAULT_RANGE[1]))
    for vmid in range(lower, upper):
        if vmid not in call.cluster.vms:
            return str(vmid)
    raise failed(f"unable to get any free VMID in range [{lower}, {upper - 1}]")


NESTED = ("bwlimit", "crs", "ha", "migration", "next-id", "notify", "tag-style", "u2f", "webauthn",
          "user-tag-access", "replication")  # fmt: skip


@route("GET /cluster/options")
def get_options(call: Call) -> object:
    cluster = call.cluster
    tags = sorted(split_list(cluster.options.get("registered-tags", "")))
    access = dict(
        part.split("=", 1)
        for part in cluster.options.get("user-tag-access", "").split(",")
        if "=" in part
    )
    used = {
        tag
        for vm in cluster.vms.values()
        if call.may(f"/vms/{vm.vmid}", "VM.Audit")
        for tag in split_list(vm.config.get("tags", ""))
    }
    allowed = sorted({*tags, *used, *split_list(access.get("user-allow-list", ""))})
    if not call.may("/", "Sys.Audit"):
        shown: dict[str, object] = {"allowed-tags": allowed}
        if "tag-style" in cluster.options:
            shown["tag-style"] = _nested(call, "tag-style")
        return shown
    found: dict[str, object] = {"mac_prefix": "BC:24:11", "keyboard": "en-us"}
    if cluster.release == "8" or "keyboard" not in cluster.options:
        found.pop("keyboard")
    for key, value in cluster.options.items():
        found[key] = _nested(call, key) if key in NESTED else value
    if tags:
        found["registered-tags"] = tags
    found["allowed-tags"] = allowed
    return found


def _nested(call: Call, key: str) -> object:
    spec = load(call.cluster.release)["PUT /cluster/options"].params[key]
    values = parse_property_string(spec.keys, call.cluster.options[key])
    return {
        name: split_list(value) if name == "user-allow-list" else value
        for name, value in values.items()
    }


@route("PUT /cluster/options")
def put_options(call: Call) -> object:
    call.world.need_file_lock("update datacenter options failed", "file-datacenter_cfg")
    for key in call.params.items_of("delete"):
        call.cluster.options.pop(key, None)
    for key, value in call.params.items():
        if key != "delete":
            call.cluster.options[key] = value + "\n" if key == "description" else value
    return None


@route("GET /cluster/config/nodes")
def config_nodes(call: Call) -> object:
    return [
        {
            "node": node.name,
            "name": node.name,
            "nodeid": str(node.number),
            "quorum_votes": "1",
            "ring0_addr": node.address,
        }
        for node in call.cluster.nodes.values()
    ]


@route("GET /cluster/config/join")
def config_join(call: Call) -> object:
    rows = [
        {
            "name": node.name,
            "nodeid": str(node.number),
            "pve_addr": node.address,
            "pve_fp": call.world.fingerprint,
            "quorum_votes": "1",
            "ring0_addr": node.address,
        }
        for node in call.cluster.nodes.values()
    ]
    return {
        "nodelist": rows,
        "totem": config_totem(call),
        "preferred_node": call.node,
        "config_digest": digest_of(rows),
    }


@route("GET /cluster/log")
def cluster_log(call: Call) -> object:
    """Tasks as they began and ended, the latest first."""
    lines: list[tuple[float, Task, str, int]] = []
    for task in call.cluster.tasks:
        lines.append((task.starttime, task, f"starting task {task.upid}", 6))
        if task.endtime is not None:
            severity = 6 if task.status == "OK" else 3
            lines.append((task.endtime, task, f"end task {task.upid} {task.status}", severity))
    lines.sort(key=lambda line: line[0])
    rows: list[object] = [
        {
            "uid": str(number),
            "id": f"{number}:{task.node}",
            "node": task.node,
            "pid": task.pid,
            "user": task.user,
            "tag": "pvedaemon",
            "time": int(when),
            "pri": severity,
            "msg": text,
        }
        for number, (when, task, text, severity) in enumerate(lines, 1)
        if task.user == call.user or call.may("/", "Sys.Syslog")
    ]
    return rows[::-1][: call.params.whole("max", 50)]


@route("GET /cluster/notifications/targets")
def notification_targets(call: Call) -> object:
    comment = "Send mails to root@pam's email address"
    return [{"name": "mail-to-root", "type": "sendmail", "origin": "builtin", "comment": comment}]


@route("GET /cluster/config/totem")
def config_totem(call: Call) -> dict[str, object]:
    return {
        "cluster_name": call.cluster.name,
        "config_version": str(len(call.cluster.nodes)),
        "interface": {"0": {"linknumber": "0"}},
        "ip_version": "ipv4-6",
        "link_mode": "passive",
        "secauth": "on",
        "version": "2",
    }
