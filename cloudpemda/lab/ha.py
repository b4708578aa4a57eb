"""High availability: managed resources, groups (8) or rules (9), and a manager that makes them so.

The manager looks every ten seconds: it starts what should be started, stops what should be stopped, and
carries out migrations. Fencing and recovery from a lost node are not modelled yet.
"""

from __future__ import annotations

from collections.abc import Mapping

from .calendar import weekday_name
from .errors import Refused, failed
from .formats import split_list
from .qemu import machine
from .routes import route
from .state import Cluster, HaResource, Section, Task, Vm
from .tasks import Work
from .world import Call, World, check_digest, digest_of

ROUND = 10.0
MIGRATED = "ha groups have been migrated to rules"
STATES = {"started": "started", "enabled": "started", "stopped": "stopped", "disabled": "stopped"}


def _sid(text: str) -> str:
    return text if ":" in text else f"vm:{text}"


def _vmid(sid: str) -> int:
    name = sid.partition(":")[2]
    return int(name) if name.isdigit() else 0


def _resources_digest(cluster: Cluster) -> str:
    return digest_of([[r.sid, r.options] for r in cluster.ha_resources.values()])


def _rules_digest(cluster: Cluster) -> str:
    return digest_of([[r.name, r.type, r.options] for r in cluster.ha_rules.values()])


def _groups_digest(cluster: Cluster) -> str:
    return digest_of([[g.name, g.options] for g in cluster.ha_groups.values()])


def manage(world: World, vm: Vm, *, started: bool) -> None:
    """Put a VM under HA, as a VM's creation does when asked to."""
    sid = f"vm:{vm.vmid}"
    state = "started" if started else "stopped"
    world.cluster.ha_resources[sid] = HaResource(sid, {"state": state}, node=vm.node)
    world.cluster.ha_used = True


def forget(cluster: Cluster, sid: str) -> None:
    """Take a resource out of the rules; a rule without resources goes."""
    for rule in list(cluster.ha_rules.values()):
        members = split_list(rule.options.get("resources", ""))
        if sid in members:
            members.remove(sid)
            rule.options["resources"] = ",".join(members)
            if not members:
                del cluster.ha_rules[rule.name]


# -- the manager ---------------------------------------------------------------------------------


def round_of_manager(world: World) -> None:
    cluster = world.cluster
    if cluster.quorate and cluster.ha_used:
        if cluster.ha_master not in cluster.online:
            cluster.ha_master = cluster.online[0]
        for resource in list(cluster.ha_resources.values()):
            _tend(world, resource)
    world.clock.after(ROUND, lambda: round_of_manager(world))


def _tend(world: World, resource: HaResource) -> None:
    vm = world.cluster.vms.get(_vmid(resource.sid))
    wanted = resource.options.get("state", "started")
    if vm is None:
        resource.state = "error"
        return
    resource.node = vm.node
    if not world.cluster.nodes[vm.node].online or wanted == "ignored" or resource.state == "error":
        if wanted == "disabled":
            resource.state = "stopped"
        return
    if resource.command and _carry_out(world, resource, vm):
        return
    goal = STATES.get(wanted, "started")
    if resource.state in ("starting", "stopping"):
        _settle(vm, resource, goal)
    elif goal == "started":
        _make_started(world, resource, vm)
    elif vm.status == "stopped":
        resource.state = "stopped"
    else:
        resource.state = "request_stop"
        world.tasks.start(
            world.cluster.nodes[vm.node],
            "qmstop",
            str(vm.vmid),
            "root@pam",
            lambda t: _stop(world, vm),
        )


def _settle(vm: Vm, resource: HaResource, goal: str) -> None:
    running = vm.status != "stopped"
    if running == (goal == "started"):
        resource.state = goal


def _make_started(world: World, resource: HaResource, vm: Vm) -> None:
    if vm.status != "stopped":
        resource.state = "started"
    elif not vm.config.get("lock"):
        resource.state = "starting"
        node = world.cluster.nodes[vm.node]
        work = lambda task: _start(world, vm)  # noqa: E731
        world.tasks.start(node, "qmstart", str(vm.vmid), "root@pam", work)


def _start(world: World, vm: Vm) -> Work:
    machine.check_startable(world, vm, skiplock=False)
    yield world.duration("start")
    machine.check_startable(world, vm, skiplock=False)
    machine.run(world, vm)


def _stop(world: World, vm: Vm) -> Work:
    yield world.duration("stop")
    machine.halt(world, vm)


def _carry_out(world: World, resource: HaResource, vm: Vm) -> bool:
    """A migration that was asked for; True while it takes the manager's turn."""
    from .qemu import migrate

    target, resource.command = resource.command, ""
    if target == vm.node or target not in world.cluster.online or not _allowed(world, vm, target):
        return False
    migrate.move(world, vm, target)
    resource.node = target
    return True


def _allowed(world: World, vm: Vm, node: str) -> bool:
    """Whether strict rules, or a restricted group, let the VM run there."""
    cluster, sid = world.cluster, f"vm:{vm.vmid}"
    for rule in cluster.ha_rules.values():
        strict = rule.type == "node-affinity" and rule.options.get("strict") == "1"
        if (
            strict
            and rule.options.get("disable") != "1"
            and sid in split_list(rule.options["resources"])
        ):
            return node in _node_names(rule.options["nodes"])
    group = cluster.ha_groups.get(cluster.ha_resources[sid].options.get("group", ""))
    if group is not None and group.options.get("restricted") == "1":
        return node in _node_names(group.options["nodes"])
    return True


def _node_names(text: str) -> list[str]:
    return [part.partition(":")[0] for part in split_list(text)]


def request(call: Call, verb: str, state: str) -> str:
    """`hastart` and `hastop`: the task is over as soon as the request is filed."""
    sid = f"vm:{call.params['vmid']}"

    def work(task: Task) -> Work:
        task.log.append(f"Requesting HA {verb} for VM {call.params['vmid']}")
        yield call.world.duration("default")
        resource = call.cluster.ha_resources.get(sid)
        if resource is None:
            raise failed(f"no such resource '{sid}'")
        resource.options["state"] = state

    return call.start(f"ha{verb}", call.params["vmid"], work)


def request_migration(call: Call, target: str) -> str:
    sid = f"vm:{call.params['vmid']}"

    def work(task: Task) -> Work:
        task.log.append(f"Requesting HA migration for VM {call.params['vmid']} to node {target}")
        yield call.world.duration("default")
        if sid in call.cluster.ha_resources:
            call.cluster.ha_resources[sid].command = target

    return call.start("hamigrate", call.params["vmid"], work)


# -- resources -----------------------------------------------------------------------------------


def _shown(call: Call, resource: HaResource) -> dict[str, object]:
    row: dict[str, object] = {"sid": resource.sid, "type": resource.sid.partition(":")[0]}
    row["digest"] = _resources_digest(call.cluster)
    for key, value in resource.options.items():
        row[key] = int(value) if key.startswith("max_") or key == "failback" else value
    group = resource.options.get("group")
    if group is not None and group not in call.cluster.ha_groups:
        row["errors"] = {"group": f"group '{group}' does not exist"}
    return row


def _resource(call: Call, prefix: str = "") -> HaResource:
    sid = _sid(call.params["sid"])
    found = call.cluster.ha_resources.get(sid)
    if found is None:
        raise failed(f"{prefix}no such resource '{sid}'")
    return found


@route("GET /cluster/ha/resources")
def list_resources(call: Call) -> object:
    kind = call.params.get("type")
    return [
        _shown(call, r)
        for r in call.cluster.ha_resources.values()
        if kind is None or r.sid.startswith(kind + ":")
    ]


@route("GET /cluster/ha/resources/{sid}")
def get_resource(call: Call) -> object:
    return _shown(call, _resource(call))


@route("POST /cluster/ha/resources")
def add_resource(call: Call) -> object:
    call.world.need_quorum()
    sid, params, cluster = _sid(call.params["sid"]), call.params, call.cluster
    kind = sid.partition(":")[0]
    if "type" in params and params["type"] != kind:
        raise failed("types does not match")
    if kind not in ("vm", "ct"):
        raise failed(f"unknown resource type '{kind}'")
    if "group" in params and cluster.release != "8":
        raise failed(f"invalid parameter 'group': {MIGRATED}")
    vm = cluster.vms.get(_vmid(sid))
    if vm is None:
        raise failed(f"resource '{sid}' does not exist in cluster")
    if kind == "ct":
        raise failed(f"resource '{sid}' - guest with ID {vm.vmid} is not a container")
    if vm.template:
        raise failed(f"resource '{sid}' - unable to add template to HA")
    if sid in cluster.ha_resources:
        raise failed(f"create resource failed: resource ID '{sid}' already defined")
    options = {k: v for k, v in params.items() if k not in ("sid", "type")}
    options.setdefault("state", "started")
    if options["state"] == "enabled":
        options["state"] = "started"
    cluster.ha_resources[sid] = HaResource(sid, options, node=vm.node)
    cluster.ha_used = True
    return None


@route("PUT /cluster/ha/resources/{sid}")
def update_resource(call: Call) -> object:
    params, cluster = call.params, call.cluster
    if "group" in params:
        if cluster.release != "8":
            raise failed(f"invalid parameter 'group': {MIGRATED}")
        if params["group"] not in cluster.ha_groups:
            raise failed(f"update resource failed: group '{params['group']}' does not exist")
    resource = _resource(call, "update resource failed: ")
    check_digest(params, _resources_digest(cluster), "update resource failed: ")
    for key in params.items_of("delete"):
        resource.options.pop(key, None)
    for key, value in params.items():
        if key not in ("sid", "delete", "digest", "type"):
            resource.options[key] = value
    if resource.options.get("state") == "disabled" and resource.state == "error":
        resource.state = "stopped"
    return None


@route("DELETE /cluster/ha/resources/{sid}")
def delete_resource(call: Call) -> object:
    sid = _sid(call.params["sid"])
    if sid not in call.cluster.ha_resources:
        raise failed(f"cannot delete service '{sid}', not HA managed!")
    del call.cluster.ha_resources[sid]
    if call.cluster.release != "8" and call.params.flag("purge", default=True):
        forget(call.cluster, sid)
    return None


@route("POST /cluster/ha/resources/{sid}/migrate", "POST /cluster/ha/resources/{sid}/relocate")
def move_resource(call: Call) -> object:
    sid = _sid(call.params["sid"])
    resource = call.cluster.ha_resources.get(sid)
    if resource is None:
        raise failed(f"cannot migrate service '{sid}', not HA managed!")
    resource.command = call.params["node"]
    if call.cluster.release == "8":
        return None
    return {"sid": sid, "requested-node": call.params["node"]}


# -- groups (8) ----------------------------------------------------------------------------------


def _groups_gone(call: Call, verb: str) -> None:
    if call.cluster.release != "8":
        raise failed(f"cannot {verb}: {MIGRATED}")


def _group_shown(call: Call, group: Section) -> dict[str, object]:
    row: dict[str, object] = {"group": group.name, "type": "group"}
    row["digest"] = _groups_digest(call.cluster)
    for key, value in group.options.items():
        row[key] = int(value) if key in ("restricted", "nofailback") else value
    return row


@route("GET /cluster/ha/groups")
def list_groups(call: Call) -> object:
    _groups_gone(call, "index groups")
    return [_group_shown(call, group) for group in call.cluster.ha_groups.values()]


@route("GET /cluster/ha/groups/{group}")
def get_group(call: Call) -> object:
    _groups_gone(call, "read group")
    group = call.cluster.ha_groups.get(call.params["group"])
    if group is None:
        raise failed(f"no such ha group '{call.params['group']}'")
    return _group_shown(call, group)


@route("POST /cluster/ha/groups")
def create_group(call: Call) -> object:
    _groups_gone(call, "create group")
    name = call.params["group"]
    if name in call.cluster.ha_groups:
        raise failed(f"create ha group failed: ha group ID '{name}' already defined")
    options = {k: v for k, v in call.params.items() if k not in ("group", "type")}
    call.cluster.ha_groups[name] = Section(name, "group", options)
    call.cluster.ha_used = True
    return None


@route("PUT /cluster/ha/groups/{group}")
def update_group(call: Call) -> object:
    _groups_gone(call, "update group")
    group = call.cluster.ha_groups.get(call.params["group"])
    if group is None:
        raise failed(f"update ha group failed: no such ha group '{call.params['group']}'")
    check_digest(call.params, _groups_digest(call.cluster), "update ha group failed: ")
    _update(group, call.params, ("group", "type"))
    return None


@route("DELETE /cluster/ha/groups/{group}")
def delete_group(call: Call) -> object:
    _groups_gone(call, "delete group")
    name = call.params["group"]
    for resource in call.cluster.ha_resources.values():
        if resource.options.get("group") == name:
            raise failed(f"delete ha group failed: ha group is used by service '{resource.sid}'")
    call.cluster.ha_groups.pop(name, None)
    return None


def _update(section: Section, params: Mapping[str, str], fixed: tuple[str, ...]) -> None:
    for key in split_list(params.get("delete", "")):
        section.options.pop(key, None)
    for key, value in params.items():
        if key not in (*fixed, "delete", "digest"):
            section.options[key] = value


# -- rules (9) -----------------------------------------------------------------------------------


def _rule_shown(call: Call, rule: Section, order: int) -> dict[str, object]:
    row: dict[str, object] = {"rule": rule.name, "type": rule.type, "order": order}
    row["digest"] = _rules_digest(call.cluster)
    for key, value in rule.options.items():
        row[key] = int(value) if key in ("strict", "disable") else value
    return row


def _rule_faults(cluster: Cluster, rule: Section) -> list[str]:
    """What makes a rule invalid next to the others."""
    members = set(split_list(rule.options.get("resources", "")))
    others = [r for r in cluster.ha_rules.values() if r.name != rule.name]
    faults: list[str] = []
    if rule.type == "node-affinity":
        if any(r.type == "node-affinity" and members & _members(r) for r in others):
            faults.append("resources are referenced in other node affinity rules")
        if _has_priorities(rule) and any(
            r.type == "resource-affinity" and members & _members(r) for r in others
        ):
            faults.append(
                "resources are in a resource affinity rule and cannot be in a node affinity rule "
                "with multiple priorities"
            )
        return faults
    if len(members) < 2:
        faults.append("rule is ineffective as there are less than two resources")
    opposite = "positive" if rule.options.get("affinity") == "negative" else "negative"
    for other in others:
        if other.type == "resource-affinity" and other.options.get("affinity") == opposite:
            if len(members & _members(other)) >= 2:
                faults.append(
                    f"rule shares two or more resources with a {opposite} resource affinity rule"
                )
    if any(
        r.type == "node-affinity" and _has_priorities(r) and members & _members(r) for r in others
    ):
        faults.append("resources are in node affinity rules with multiple priorities")
    return faults


def _members(rule: Section) -> set[str]:
    return set(split_list(rule.options.get("resources", "")))


def _has_priorities(rule: Section) -> bool:
    priorities = {p.partition(":")[2] or "0" for p in split_list(rule.options.get("nodes", ""))}
    return len(priorities) > 1


def _check_rule(call: Call, rule: Section, verb: str) -> None:
    unmanaged = sorted(m for m in _members(rule) if m not in call.cluster.ha_resources)
    if unmanaged:
        raise failed(
            f"{verb} ha rule failed: cannot use unmanaged resource(s) {', '.join(unmanaged)}."
        )
    for node in _node_names(rule.options.get("nodes", "")):
        if node not in call.cluster.nodes:
            raise failed(f"{verb} ha rule failed: cannot use unknown node(s) {node}.")
    faults = _rule_faults(call.cluster, rule)
    if faults:
        raise Refused(
            500,
            f"{verb} ha rule failed: 400 Rule '{rule.name}' is invalid.\nresources: {', '.join(faults)}\n",
        )


@route("GET /cluster/ha/rules")
def list_rules(call: Call) -> object:
    kind, resource = call.params.get("type"), call.params.get("resource")
    rows = []
    for order, rule in enumerate(call.cluster.ha_rules.values(), 1):
        if kind not in (None, rule.type) or (resource and _sid(resource) not in _members(rule)):
            continue
        row = _rule_shown(call, rule, order)
        faults = [] if rule.options.get("disable") == "1" else _rule_faults(call.cluster, rule)
        if faults:
            row["errors"] = {"resources": faults}
        rows.append(row)
    return rows


@route("GET /cluster/ha/rules/{rule}")
def get_rule(call: Call) -> object:
    for order, rule in enumerate(call.cluster.ha_rules.values(), 1):
        if rule.name == call.params["rule"]:
            return _rule_shown(call, rule, order)
    raise failed(f"no such ha rule '{call.params['rule']}'")


@route("POST /cluster/ha/rules")
def create_rule(call: Call) -> object:
    name = call.params["rule"]
    if name in call.cluster.ha_rules:
        raise failed(f"create ha rule failed: HA rule '{name}' already exists")
    options = {k: v for k, v in call.params.items() if k not in ("rule", "type")}
    options["resources"] = ",".join(_sid(s) for s in split_list(options["resources"]))
    rule = Section(name, call.params["type"], options)
    _check_rule(call, rule, "create")
    call.cluster.ha_rules[name] = rule
    call.cluster.ha_used = True
    return None


@route("PUT /cluster/ha/rules/{rule}")
def update_rule(call: Call) -> object:
    rule = call.cluster.ha_rules.get(call.params["rule"])
    if rule is None:
        raise failed(f"update HA rules failed: no such ha rule '{call.params['rule']}'")
    check_digest(call.params, _rules_digest(call.cluster), "update HA rules failed: ")
    changed = Section(rule.name, rule.type, dict(rule.options))
    foreign = {"affinity"} if rule.type == "node-affinity" else {"nodes", "strict"}
    for key in foreign & set(call.params):
        raise failed(f"update HA rules failed: unexpected property '{key}'")
    _update(changed, call.params, ("rule", "type"))
    _check_rule(call, changed, "update")
    call.cluster.ha_rules[rule.name] = changed
    return None


@route("DELETE /cluster/ha/rules/{rule}")
def delete_rule(call: Call) -> object:
    call.cluster.ha_rules.pop(call.params["rule"], None)
    return None


# -- status --------------------------------------------------------------------------------------


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
