"""What the manager says of itself, the nodes and the services; and its arming (9)."""

from cloudpemda.lab.calendar import weekday_name
from cloudpemda.lab.ha.config import vmid_of
from cloudpemda.lab.routes import Row, route
from cloudpemda.lab.state import Cluster, HaResource
from cloudpemda.lab.world import Call, digest_of


@route("POST /cluster/ha/status/disarm-ha", "POST /cluster/ha/status/arm-ha")
def arm(call: Call) -> None:
    """From its next round on, a disarmed manager leaves all services as they are."""
    call.world.need_quorum()
    call.cluster.ha_disarm = call.get("resource-mode")


def _node_of(cluster: Cluster, resource: HaResource) -> str:
    guest = cluster.guests.get(vmid_of(resource.name))
    return guest.node if guest else ""


def _active_nodes(cluster: Cluster) -> set[str]:
    return {_node_of(cluster, resource) for resource in cluster.ha_resources.values()}


@route("GET /cluster/ha/status/current")
def status_current(call: Call) -> list[Row]:
    cluster, here = call.cluster, call.node
    told = "OK" if cluster.quorate else f"No quorum on node '{here}'!"
    quorum: Row = {"quorate": int(cluster.quorate), "status": told}
    rows: list[Row] = [{"id": "quorum", "type": "quorum", "node": here} | quorum]
    if cluster.ha_used:
        rows += _managers(call)
    return rows + [_service(cluster, resource) for resource in cluster.ha_resources.values()]


def _managers(call: Call) -> list[Row]:
    cluster, now, nine = call.cluster, call.world.now(), call.cluster.release != "8"
    master, when = cluster.ha_master or cluster.online[0], weekday_name(now)
    leader: Row = {"timestamp": int(now), "status": f"{master} (active, {when})"}
    rows: list[Row] = [{"id": "master", "type": "master", "node": master} | leader]
    if nine:
        state = cluster.ha_armed
        told = "armed (CRM watchdog active)" if state == "armed" else state
        armed: Row = {"armed-state": state, "status": told}
        if state == "disarmed":
            armed["resource_mode"] = cluster.ha_disarm
        rows.append({"id": "fencing", "type": "fencing", "node": master} | armed)
    active = set[str]() if cluster.ha_armed == "disarmed" else _active_nodes(cluster)
    for name, node in cluster.nodes.items():
        mode = "active" if name in active else "idle"
        mode = mode if node.online else "old timestamp - dead?"
        watchdog = f", watchdog {'active' if mode == 'active' else 'standby'}" if nine else ""
        shown: Row = {"timestamp": int(now), "status": f"{name} ({mode}{watchdog}, {when})"}
        rows.append({"id": f"lrm:{name}", "type": "lrm", "node": name} | shown)
    return rows


def _service(cluster: Cluster, resource: HaResource) -> Row:
    options, sid, node = resource.options, resource.name, _node_of(cluster, resource)
    frozen = cluster.ha_disarm == "freeze" and cluster.ha_armed != "armed"
    state = "freeze" if frozen else resource.state
    row: Row = {
        "id": f"service:{sid}", "type": "service", "sid": sid, "node": node, "state": state,
        "crm_state": state, "request_state": options.get("state", "started"),
        "max_restart": int(options.get("max_restart", 1)),
        "max_relocate": int(options.get("max_relocate", 1)), "status": f"{sid} ({node}, {state})",
    }  # fmt: skip
    if cluster.release != "8":
        row["failback"] = int(options.get("failback", 1))
    if "group" in options:
        row["group"] = options["group"]
    return row


@route("GET /cluster/ha/status/manager_status")
def manager_status(call: Call) -> Row:
    cluster, now, active = call.cluster, int(call.world.now()), _active_nodes(call.cluster)
    services = {
        sid: {"node": _node_of(cluster, one), "state": one.state, "uid": digest_of(sid)[:22]}
        for sid, one in cluster.ha_resources.items()
    }
    states = {name: "active" if name in active else "wait_for_agent_lock" for name in cluster.nodes}
    return {
        "manager_status": {
            "master_node": cluster.ha_master or cluster.online[0],
            "node_status": {
                name: "online" if node.online else "unknown" for name, node in cluster.nodes.items()
            },
            "service_status": services,
            "timestamp": now,
        },
        "lrm_status": {
            name: {"mode": "active", "state": state, "results": {}, "timestamp": now}
            for name, state in states.items()
        },
        "quorum": {"node": call.node, "quorate": "1" if cluster.quorate else "0"},
    }
