"""What the manager says of itself, the nodes and the services; and its arming (9)."""

from cloudpemda.lab.calendar import weekday_name
from cloudpemda.lab.ha.config import vmid_of
from cloudpemda.lab.ha.values import Service
from cloudpemda.lab.routes import Row, route
from cloudpemda.lab.state import Cluster, Section
from cloudpemda.lab.world import Call, digest_of

IDLE = ("wait_for_agent_lock", "")


@route("POST /cluster/ha/status/disarm-ha", "POST /cluster/ha/status/arm-ha")
def arm(call: Call) -> None:
    """From its next round on, a disarmed manager leaves all services as they are."""
    call.world.need_quorum()
    call.cluster.ha_disarm = call.get("resource-mode")


def _node_of(cluster: Cluster, sid: str) -> str:
    guest = cluster.guests.get(vmid_of(sid))
    return guest.node if guest else ""


def _lrm(cluster: Cluster, name: str) -> tuple[str, str]:
    """State and mode that a node's local manager last told."""
    report = cluster.ha.reports.get(name)
    return (report.state, report.mode) if report else ("", "active")


@route("GET /cluster/ha/status/current")
def status_current(call: Call) -> list[Row]:
    cluster, here = call.cluster, call.node
    told = "OK" if cluster.quorate else f"No quorum on node '{here}'!"
    quorum: Row = {"quorate": int(cluster.quorate), "status": told}
    rows: list[Row] = [{"id": "quorum", "type": "quorum", "node": here} | quorum]
    if cluster.ha_used:
        rows += _managers(call)
    known, wanted = cluster.ha.services, cluster.ha_resources
    sids = sorted(known) + sorted(wanted.keys() - known.keys())
    return rows + [_service(cluster, sid, known.get(sid), wanted.get(sid)) for sid in sids]


def _managers(call: Call) -> list[Row]:
    cluster, now, nine = call.cluster, call.world.now(), call.cluster.release != "8"
    master, when = cluster.ha.master or cluster.online[0], weekday_name(now)
    leader: Row = {"timestamp": int(now), "status": f"{master} (active, {when})"}
    rows: list[Row] = [{"id": "master", "type": "master", "node": master} | leader]
    if nine:
        state = cluster.ha_armed
        told = "armed (CRM watchdog active)" if state == "armed" else state
        armed: Row = {"armed-state": state, "status": told}
        if state == "disarmed":
            armed["resource_mode"] = cluster.ha_disarm
        rows.append({"id": "fencing", "type": "fencing", "node": master} | armed)
    for name, node in cluster.nodes.items():
        state, asked = _lrm(cluster, name)
        idle = state in IDLE or cluster.ha_armed == "disarmed"
        mode = "maintenance mode" if asked == "maintenance" else "idle" if idle else state
        mode = mode if node.online else "old timestamp - dead?"
        watchdog = f", watchdog {'active' if mode == 'active' else 'standby'}" if nine else ""
        shown: Row = {"timestamp": int(now), "status": f"{name} ({mode}{watchdog}, {when})"}
        rows.append({"id": f"lrm:{name}", "type": "lrm", "node": name} | shown)
    return rows


def _service(cluster: Cluster, sid: str, seen: Service | None, wanted: Section | None) -> Row:
    options = wanted.options if wanted else {}
    node = seen.node if seen else _node_of(cluster, sid)
    frozen = cluster.ha_disarm == "freeze" and cluster.ha_armed != "armed"
    state = "freeze" if frozen else _in_words(seen, wanted)
    row: Row = {"id": f"service:{sid}", "type": "service", "sid": sid, "node": node}
    row |= {"state": state, "status": f"{sid} ({node}, {state})"}
    if seen:
        row["crm_state"] = "freeze" if frozen else seen.state
    if wanted is None:
        return row
    row["request_state"] = options.get("state", "started")
    row["max_restart"] = int(options.get("max_restart", 1))
    row["max_relocate"] = int(options.get("max_relocate", 1))
    if cluster.release != "8":
        row["failback"] = int(options.get("failback", 1))
    if "group" in options:
        row["group"] = options["group"]
    return row


def _in_words(seen: Service | None, wanted: Section | None) -> str:
    """The state as people are told it: what is asked for shows at once."""
    if wanted is None:
        return "deleting"
    asked = wanted.options.get("state", "started")
    if asked == "ignored" or seen is None:
        return "ignored" if asked == "ignored" else "queued"
    match seen.state, asked:
        case "stopped", "started":
            return "starting"
        case "stopped", "disabled":
            return "disabled"
        case "started", "stopped" | "disabled":
            return "stopping"
        case "started", _ if not seen.running:
            return "starting"
        case "error", "disabled":
            return "clearing error flag"
    return seen.state


@route("GET /cluster/ha/status/manager_status")
def manager_status(call: Call) -> Row:
    cluster, now, ha = call.cluster, int(call.world.now()), call.cluster.ha
    services = dict[str, Row]()
    for sid, one in ha.services.items():
        services[sid] = {"node": one.node, "state": one.state, "uid": _uid(one)}
        services[sid] |= {"running": 1} if one.running else {}
    reports = {
        name: {
            "state": one.state, "mode": one.mode,
            "timestamp": now if cluster.nodes[name].online else int(one.when),
        }
        for name, one in ha.reports.items()
    }  # fmt: skip
    return {
        "manager_status": {
            "master_node": ha.master or cluster.online[0], "node_status": dict(ha.nodes),
            "service_status": services, "timestamp": now,
        },
        "lrm_status": {
            name: {**one, "results": _results(cluster, name)} for name, one in reports.items()
        },
        "quorum": {"node": call.node, "quorate": "1" if cluster.quorate else "0"},
    }  # fmt: skip


def _uid(service: Service) -> str:
    return digest_of(service.ticket)[:22]


def _results(cluster: Cluster, node: str) -> Row:
    """What became of the jobs that the manager waits for."""
    results = cluster.ha.reports[node].results
    return {
        _uid(one): {
            "sid": sid, "state": one.state,
            "exit_code": {"done": 0, "running": 5}.get(results[one.ticket], 1),
        }
        for sid, one in cluster.ha.services.items()
        if one.ticket in results
    }  # fmt: skip
