"""What the manager says of itself, the nodes and the services."""

from cloudpemda.lab.calendar import weekday_name
from cloudpemda.lab.routes import route
from cloudpemda.lab.state import Cluster, HaResource
from cloudpemda.lab.world import Call, digest_of


def _active_nodes(cluster: Cluster) -> set[str]:
    return {resource.node for resource in cluster.ha_resources.values()}


@route("GET /cluster/ha/status/current")
def status_current(call: Call) -> object:
    cluster, now = call.cluster, call.world.now()
    quorate = cluster.quorate
    here = call.node
    rows: list[dict[str, object]] = [
        {
            "id": "quorum",
            "type": "quorum",
            "node": here,
            "quorate": int(quorate),
            "status": "OK" if quorate else f"No quorum on node '{here}'!",
        }
    ]
    when = weekday_name(now)
    if cluster.ha_used:
        master = cluster.ha_master or cluster.online[0]
        rows.append(
            {"id": "master", "type": "master", "node": master, "timestamp": int(now),
             "status": f"{master} (active, {when})"}
        )  # fmt: skip
        if cluster.release != "8":
            rows.append(
                {"id": "fencing", "type": "fencing", "node": master, "armed-state": "armed",
                 "status": "armed (CRM watchdog active)"}
            )  # fmt: skip
        active = _active_nodes(cluster)
        for name, node in cluster.nodes.items():
            mode = "active" if name in active else "idle"
            if not node.online:
                mode = "old timestamp - dead?"
            watchdog = f", watchdog {'active' if mode == 'active' else 'standby'}"
            shown = f"{mode}{watchdog if cluster.release != '8' else ''}, {when}"
            rows.append(
                {"id": f"lrm:{name}", "type": "lrm", "node": name, "timestamp": int(now),
                 "status": f"{name} ({shown})"}
            )  # fmt: skip
    rows += [_service(cluster, resource) for resource in cluster.ha_resources.values()]
    return rows


def _service(cluster: Cluster, resource: HaResource) -> dict[str, object]:
    options = resource.options
    row: dict[str, object] = {
        "id": f"service:{resource.sid}",
        "type": "service",
        "sid": resource.sid,
        "node": resource.node,
        "state": resource.state,
        "crm_state": resource.state,
        "request_state": options.get("state", "started"),
        "max_restart": int(options.get("max_restart", 1)),
        "max_relocate": int(options.get("max_relocate", 1)),
        "status": f"{resource.sid} ({resource.node}, {resource.state})",
    }
    if cluster.release != "8":
        row["failback"] = int(options.get("failback", 1))
    for key in ("group", "comment"):
        if key in options and key == "group":
            row[key] = options[key]
    return row


@route("GET /cluster/ha/status/manager_status")
def manager_status(call: Call) -> object:
    cluster, now = call.cluster, int(call.world.now())
    services: dict[str, object] = {
        r.sid: {"node": r.node, "state": r.state, "uid": digest_of(r.sid)[:22]}
        for r in cluster.ha_resources.values()
    }
    active = _active_nodes(cluster)
    lrm: dict[str, object] = {
        name: {
            "mode": "active",
            "state": "active" if name in active else "wait_for_agent_lock",
            "results": {},
            "timestamp": now,
        }
        for name in cluster.nodes
    }
    return {
        "manager_status": {
            "master_node": cluster.ha_master or cluster.online[0],
            "node_status": {
                name: "online" if node.online else "unknown" for name, node in cluster.nodes.items()
            },
            "service_status": services,
            "timestamp": now,
        },
        "lrm_status": lrm,
        "quorum": {"node": call.node, "quorate": "1" if cluster.quorate else "0"},
    }
