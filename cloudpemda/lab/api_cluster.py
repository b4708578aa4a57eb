"""The cluster as a whole: version, nodes, resources, status, options, free ids."""

from cloudpemda.lab import sdn
from cloudpemda.lab import storage as storages
from cloudpemda.lab.errors import failed, invalid
from cloudpemda.lab.formats import split_list
from cloudpemda.lab.guests import vm_resource
from cloudpemda.lab.params import parse_property_string
from cloudpemda.lab.qemu.config import memory_of
from cloudpemda.lab.routes import Row, route
from cloudpemda.lab.state import GIB, Node
from cloudpemda.lab.tables import load
from cloudpemda.lab.world import Call, World, digest_of

REPOSITORIES = {"8": "2606ac850d46da29", "9": "f6997e698c7933ea"}
FREE_IDS = {"lower": "100", "upper": "1000000"}
# What is exported of each row of `/cluster/resources`, and whether it only ever grows.
METRICS = {
    "uptime": ("uptime", "gauge"), "cpu_max": ("maxcpu", "gauge"), "cpu_current": ("cpu", "gauge"),
    "mem_total": ("maxmem", "gauge"), "mem_used": ("mem", "gauge"), "net_in": ("netin", "derive"),
    "net_out": ("netout", "derive"), "disk_total": ("maxdisk", "gauge"),
    "disk_used": ("disk", "gauge"), "disk_read": ("diskread", "derive"),
    "disk_write": ("diskwrite", "derive"),
}  # fmt: skip


@route("GET /version", "GET /nodes/{node}/version")
def version(call: Call) -> Row:
    full, repository = call.cluster.version, REPOSITORIES[call.cluster.release]
    return {"version": full, "release": full.rpartition(".")[0], "repoid": repository}


# -- nodes, storages, and all that there is --------------------------------------------------------


def memory_used(world: World, node: Node) -> int:
    guests = world.cluster.guests.values()
    running = (vm.config for vm in guests if vm.node == node.name and vm.status != "stopped")
    return min(node.memory, 2 * GIB + sum(map(memory_of, running)))


def root_space(world: World, node: Node) -> tuple[int, int, int]:
    local = world.cluster.storages.get("local")
    return storages.space(world.cluster, local, node.name) if local else (0, 0, 0)


def _node_row(call: Call, node: Node) -> Row:
    row: Row = {"node": node.name, "id": f"node/{node.name}", "type": "node", "level": ""}
    row["status"] = "online" if node.online else "offline"
    if not call.may(f"/nodes/{node.name}", "Sys.Audit"):
        return row
    total, used, _ = root_space(call.world, node)
    row |= {"maxcpu": node.cpus, "maxmem": node.memory, "maxdisk": total}
    if node.online:
        row |= {"cpu": 0.01, "mem": memory_used(call.world, node), "disk": used}
        row["uptime"] = int(call.world.now() - node.booted)
    return row


@route("GET /nodes")
def list_nodes(call: Call) -> list[Row]:
    fingerprint = {"ssl_fingerprint": call.world.fingerprint}
    return [_node_row(call, node) | fingerprint for node in call.cluster.nodes.values()]


def _node_resource(call: Call, node: Node) -> Row:
    row = _node_row(call, node) | {"cgroup-mode": 2}
    if call.cluster.ha_used and "maxcpu" in row:
        row["hastate"] = call.cluster.ha.nodes.get(node.name, "unknown")
    return row


def storage_resource(world: World, name: str, node: str) -> Row:
    storage = world.cluster.storages[name]
    row: Row = {"id": f"storage/{node}/{name}", "type": "storage", "storage": name, "node": node}
    row |= {"plugintype": storage.type, "content": ",".join(storage.content)}
    row |= {"shared": int(storage.shared), "status": "unknown"}
    if world.cluster.nodes[node].online:
        total, used, _ = storages.space(world.cluster, storage, node)
        row |= {"status": "available", "maxdisk": total, "disk": used}
    return row


def _zone_resource(call: Call, node: Node, zone: str) -> Row:
    row: Row = {"id": f"network/{node.name}/zone/{zone}", "type": "network"}
    row |= {"network": zone, "network-type": "zone"}
    if call.cluster.release == "8":
        row = {"id": f"sdn/{node.name}/{zone}", "type": "sdn", "sdn": zone}
    return row | {"node": node.name, "status": "ok" if node.online else "unknown"}


@route("GET /cluster/resources")
def resources(call: Call) -> list[Row]:
    kind, cluster, rows = call.get("type"), call.cluster, list[Row]()
    nodes, pools = cluster.nodes.values(), cluster.pools.values()
    if not kind:
        seen = [pool.name for pool in pools if call.may(f"/pool/{pool.name}", "Pool.Audit")]
        rows += [{"id": f"/pool/{name}", "type": "pool", "pool": name} for name in seen]
    if kind in ("", "vm"):
        guests, pool_of = call.visible(cluster.guests.values()), cluster.pool_of
        rows += [vm_resource(call.world, one, pool_of.get(one.vmid, "")) for one in guests]
    if kind in ("", "node"):
        rows += [_node_resource(call, node) for node in nodes]
    if kind in ("", "storage"):
        rows += [
            storage_resource(call.world, name, node)
            for name, storage in cluster.storages.items()
            if call.may(f"/storage/{name}", "Datastore.Audit")
            for node in cluster.nodes
            if storages.available_on(storage, node)
        ]
    if kind in ("", "sdn"):
        rows += [
            _zone_resource(call, node, zone)
            for node in nodes
            for zone in ("localnetwork", *sdn.zones_on(cluster, node.name))
            if call.may(f"/sdn/zones/{zone}", "SDN.Audit")
        ]
    return rows


@route("GET /cluster/metrics/export")
def export_metrics(call: Call) -> object:
    """The figures of `/cluster/resources`, as metrics of this instant."""
    now = int(call.world.now())
    return {
        "data": [
            {"id": row["id"], "metric": name, "type": kind, "value": row[key], "timestamp": now}
            for row in resources(call)
            for name, (key, kind) in METRICS.items()
            if key in row and row["type"] != "pool"
        ]
    }


@route("GET /cluster/status")
def status(call: Call) -> list[Row]:
    cluster = call.cluster
    head: Row = {"id": "cluster", "type": "cluster", "name": cluster.name}
    head |= {"nodes": len(cluster.nodes), "quorate": int(cluster.quorate)}
    rows: list[Row] = [{**head, "version": len(cluster.nodes)}]
    for node in cluster.nodes.values():
        row: Row = {"id": f"node/{node.name}", "type": "node", "name": node.name, "level": ""}
        row |= {"nodeid": node.number, "ip": node.address, "online": int(node.online)}
        rows.append(row | {"local": int(node.name == call.node)})
    return rows


@route("GET /cluster/nextid")
def next_id(call: Call) -> str:
    taken = call.cluster.guests
    if "vmid" in call:
        if call.whole("vmid") in taken:
            raise invalid({"vmid": f"VM {call['vmid']} already exists"})
        return call["vmid"]
    chosen = FREE_IDS | _nested(call, "next-id")
    lower, upper = int(chosen["lower"]), int(chosen["upper"])
    for vmid in range(lower, upper):
        if vmid not in taken:
            return str(vmid)
    raise failed(f"unable to get any free VMID in range [{lower}, {upper - 1}]")


# -- options ---------------------------------------------------------------------------------------


def _nested(call: Call, key: str) -> dict[str, str]:
    """What an option of several parts says; empty for one that has none."""
    keys = load(call.cluster.release)["PUT /cluster/options"].params[key].keys
    return parse_property_string(keys, call.cluster.options.get(key, "")) if keys else {}


def _shown(call: Call, key: str) -> object:
    parts = _nested(call, key).items()
    lists = ("user-allow-list",)
    shown = {name: split_list(value) if name in lists else value for name, value in parts}
    return shown or call.cluster.options[key]


@route("GET /cluster/options")
def get_options(call: Call) -> Row:
    cluster = call.cluster
    registered = sorted(split_list(cluster.options.get("registered-tags", "")))
    tags = {*registered, *split_list(_nested(call, "user-tag-access").get("user-allow-list", ""))}
    for guest in call.visible(cluster.guests.values()):
        tags |= {*split_list(guest.config.get("tags", ""))}
    every = call.may("/", "Sys.Audit")
    row: Row = {"mac_prefix": "BC:24:11"} if every else {}
    row |= {key: _shown(call, key) for key in cluster.options if every or key == "tag-style"}
    if every and registered:
        row["registered-tags"] = registered
    return row | {"allowed-tags": sorted(tags)}


def change_settings(call: Call, settings: dict[str, str]) -> None:
    """Set and delete what a call says, in a file that keeps its description as a comment."""
    for key in call.items_of("delete"):
        settings.pop(key, None)
    for key, value in call.params.items():
        if key not in ("node", "delete", "digest"):
            settings[key] = value + "\n" if key == "description" else value


@route("PUT /cluster/options")
def put_options(call: Call) -> None:
    call.world.need_file_lock("update datacenter options failed", "file-datacenter_cfg")
    change_settings(call, call.cluster.options)


# -- membership, log, notifications ----------------------------------------------------------------


def _members(call: Call) -> list[Row]:
    same = {"quorum_votes": "1"}
    return [
        {**same, "name": node.name, "nodeid": str(node.number), "ring0_addr": node.address}
        for node in call.cluster.nodes.values()
    ]


@route("GET /cluster/config/nodes")
def config_nodes(call: Call) -> list[Row]:
    return [{**row, "node": row["name"]} for row in _members(call)]


@route("GET /cluster/config/totem")
def config_totem(call: Call) -> Row:
    row: Row = {"cluster_name": call.cluster.name, "config_version": str(len(call.cluster.nodes))}
    row |= {"interface": {"0": {"linknumber": "0"}}, "ip_version": "ipv4-6", "secauth": "on"}
    return row | {"link_mode": "passive", "version": "2"}


@route("GET /cluster/config/join")
def config_join(call: Call) -> Row:
    mark = call.world.fingerprint
    rows = [{**row, "pve_addr": row["ring0_addr"], "pve_fp": mark} for row in _members(call)]
    row: Row = {"nodelist": rows, "totem": config_totem(call), "preferred_node": call.node}
    return row | {"config_digest": digest_of(rows)}


@route("GET /cluster/log")
def cluster_log(call: Call) -> list[Row]:
    """Tasks as they began and ended, the latest first."""
    every = call.may("/", "Sys.Syslog")
    seen = [task for task in call.cluster.tasks if every or task.user == call.user]
    lines = [(task.starttime, task, f"starting task {task.upid}", 6) for task in seen]
    for task in seen:
        if task.endtime is not None:
            severity = 6 if task.status == "OK" else 3
            lines.append((task.endtime, task, f"end task {task.upid} {task.status}", severity))
    lines.sort(key=lambda line: line[0])
    rows: list[Row] = []
    for number, (when, task, text, severity) in enumerate(lines, 1):
        row: Row = {"uid": str(number), "id": f"{number}:{task.node}", "node": task.node}
        row |= {"pid": task.pid, "user": task.user, "tag": "pvedaemon", "time": int(when)}
        rows.append(row | {"pri": severity, "msg": text})
    return rows[::-1][: call.whole("max", 50)]


@route("GET /cluster/acme/plugins")
def certificate_plugins(call: Call) -> list[Row]:
    return []


@route("GET /cluster/ceph/status", "GET /nodes/{node}/ceph/status")
def ceph_status(call: Call) -> None:
    raise failed("binary not installed: /usr/bin/ceph-mon")


@route("GET /cluster/notifications/targets")
def notification_targets(call: Call) -> list[Row]:
    comment = "Send mails to root@pam's email address"
    return [{"name": "mail-to-root", "type": "sendmail", "origin": "builtin", "comment": comment}]
