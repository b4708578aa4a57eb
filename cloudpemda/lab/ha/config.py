"""HA's files: managed resources, groups (8), and rules (9) with what they may not say together."""

from functools import partial

from cloudpemda.lab.errors import failed, found, refuse_if
from cloudpemda.lab.formats import split_list
from cloudpemda.lab.ha.manager import ask
from cloudpemda.lab.ha.rules import of_group, plan_of
from cloudpemda.lab.ha.values import NodeAffinity, ResourceAffinity, Rule
from cloudpemda.lab.routes import Row, route
from cloudpemda.lab.sections import File
from cloudpemda.lab.state import Cluster, Section
from cloudpemda.lab.world import Call

MIGRATED = "ha groups have been migrated to rules"
NOT_YET = "ha groups have not been migrated to rules yet"


def full_sid(text: str) -> str:
    return text if ":" in text else f"vm:{text}"


def vmid_of(sid: str) -> int:
    name = sid.partition(":")[2]
    return int(name) if name.isdigit() else 0


def members(rule: Section) -> set[str]:
    return set(split_list(rule.options.get("resources", "")))


def node_names(text: str) -> list[str]:
    """Nodes of `pve1:2,pve2`, without their priorities."""
    return [part.partition(":")[0] for part in split_list(text)]


def forget(cluster: Cluster, sid: str) -> None:
    """Take a resource out of the rules; a rule without resources goes."""
    for rule in list(cluster.ha_rules.values()):
        left = [one for one in split_list(rule.options.get("resources", "")) if one != sid]
        rule.options["resources"] = ",".join(left)
        if not left:
            del cluster.ha_rules[rule.name]


def _migrated(cluster: Cluster) -> bool:
    """9 has no groups, but those of an upgraded cluster, until its HA manager has turned them."""
    return cluster.release != "8" and not cluster.ha_groups


def _resource_made(name: str, kind: str, options: dict[str, str]) -> Section:
    if options.get("state") == "enabled":
        options["state"] = "started"
    return Section(name, name.partition(":")[0], options)


def _resource_gate(call: Call, verb: str) -> None:
    if verb == "delete":
        sid = full_sid(call["sid"])
        missing = sid not in call.cluster.ha_resources
        refuse_if(missing, f"cannot delete service '{sid}', not HA managed!")
    if verb == "create":
        call.world.need_quorum()
        kind = full_sid(call["sid"]).partition(":")[0]
        refuse_if(call.get("type", kind) != kind, "types does not match")
    if "group" in call:
        refuse_if(_migrated(call.cluster), f"invalid parameter 'group': {MIGRATED}")
        unknown = verb == "update" and call["group"] not in call.cluster.ha_groups
        refuse_if(unknown, f"HA group '{call['group']}' does not exist")


def _check_resource(call: Call, resource: Section, verb: str) -> None:
    if verb == "update":
        return
    sid, kind = resource.name, resource.type
    refuse_if(kind not in ("vm", "ct"), f"unknown section type '{kind}'")
    guest = call.cluster.guests.get(vmid_of(sid))
    guest = found(guest, f"resource '{sid}' does not exist in cluster")
    wanted, noun = ("lxc", "container") if kind == "ct" else ("qemu", "VM")
    other = guest.kind != wanted and call.cluster.release != "8"
    refuse_if(other, f"resource '{sid}' - guest with ID {guest.vmid} is not a {noun}")
    refuse_if(guest.template, f"resource '{sid}' - unable to add template to HA")
    call.cluster.ha_used = True


def _group_fault(call: Call, resource: Section) -> Row:
    group = resource.options.get("group")
    if group is None or group in call.cluster.ha_groups:
        return {}
    return {"errors": {"group": f"group '{group}' does not exist"}}


def _leave_rules(call: Call, resource: Section) -> None:
    if call.cluster.release != "8" and call.flag("purge", default=True):
        forget(call.cluster, resource.name)


File(
    path="/cluster/ha/resources", key="sid",
    sections=lambda cluster: cluster.ha_resources,
    taken="resource ID '{}' already defined", missing="no such resource '{}'",
    prefix="{} resource failed: ", update_prefix="update resources config failed: ",
    make=_resource_made, naming=lambda call, given: full_sid(given), gate=_resource_gate,
    check=_check_resource, listed=_group_fault, leave=_leave_rules,
).serve()  # fmt: skip


def _move_resource(verb: str, call: Call) -> object:
    sid = full_sid(call["sid"])
    resource = call.cluster.ha_resources.get(sid)
    if resource is None or resource.options.get("state") == "ignored":
        raise failed(f"resource '{sid}' is not HA managed")
    told = {} if call.cluster.release == "8" else _motion(call.cluster, sid, call["node"])
    if "blocking-resources" not in told:
        ask(call.world, f"{verb} {sid} {call['node']}")
    return told or None


def _motion(cluster: Cluster, sid: str, node: str) -> Row:
    """What else moves with a resource, or keeps it from moving there (9)."""
    plan, services = plan_of(rules_of(cluster), sorted(cluster.nodes)), cluster.ha.services
    kept = [other for other in sorted(plan.apart.get(sid, ())) if other in services]
    blocking = [
        {"sid": other, "cause": "resource-affinity"}
        for other in kept
        if node in (services[other].node, services[other].target)
    ]
    kin = [other for other in sorted(plan.together.get(sid, ())) if other in services]
    told: Row = {"sid": sid, "requested-node": node}
    if blocking:
        return told | {"blocking-resources": blocking}
    return told | ({"comigrated-resources": kin} if kin else {})


for VERB in ("migrate", "relocate"):
    route(f"POST /cluster/ha/resources/{{sid}}/{VERB}")(partial(_move_resource, VERB))


def _group_gate(call: Call, verb: str) -> None:
    groups = "groups" if verb == "index" else "group"
    refuse_if(_migrated(call.cluster), f"cannot {verb} {groups}: {MIGRATED}")


def _check_group(call: Call, group: Section, verb: str) -> None:
    """A group that was given no nodes breaks the file that holds them all, until it is deleted."""
    groups = call.cluster.ha_groups
    own = verb == "update" and not groups[group.name].options["nodes"]
    refuse_if(own, f"update ha group failed: no such ha group '{group.name}'")
    broken = any(not other.options["nodes"] for other in groups.values())
    refuse_if(broken, f"{verb} ha group failed: unknown section type ''")
    call.cluster.ha_used = True


def _leave_group(call: Call, group: Section) -> None:
    for resource in call.cluster.ha_resources.values():
        used = resource.options.get("group") == group.name
        refuse_if(used, f"delete ha group failed: ha group is used by service '{resource.name}'")


File(
    path="/cluster/ha/groups", key="group", kind="group",
    sections=lambda cluster: cluster.ha_groups,
    taken="ha group ID '{}' already defined", missing="no such ha group '{}'",
    prefix="{} ha group failed: ", gate=_group_gate, check=_check_group, leave=_leave_group,
).serve()  # fmt: skip


def active(rule: Section) -> bool:
    return rule.options.get("disable") != "1"


def _has_priorities(rule: Section) -> bool:
    priorities = {p.partition(":")[2] or "0" for p in split_list(rule.options.get("nodes", ""))}
    return len(priorities) > 1


def _opposed(rule: Section, other: Section) -> bool:
    affinities = {rule.options.get("affinity"), other.options.get("affinity")}
    return affinities == {"positive", "negative"} and len(members(rule) & members(other)) > 1


def rule_faults(cluster: Cluster, rule: Section) -> list[str]:
    """What makes a rule invalid next to the others; disabled rules are as if they were not."""
    if not active(rule):
        return []
    others = [r for r in cluster.ha_rules.values() if r.name != rule.name and active(r)]
    shared = [other for other in others if members(rule) & members(other)]
    on_nodes = [other for other in shared if other.type == "node-affinity"]
    if rule.type == "node-affinity":
        clash = _has_priorities(rule) and len(shared) > len(on_nodes)
        faults = {
            "resources are referenced in other node affinity rules": on_nodes,
            "resources are in a resource affinity rule and cannot be in a node affinity rule "
            "with multiple priorities": clash,
        }
    else:
        contrary = "positive" if rule.options.get("affinity") == "negative" else "negative"
        faults = {
            "rule is ineffective as there are less than two resources": len(members(rule)) < 2,
            f"rule shares two or more resources with a {contrary} resource affinity rule": any(
                _opposed(rule, other) for other in shared
            ),
            "resources are in node affinity rules with multiple priorities": any(
                map(_has_priorities, on_nodes)
            ),
        }
    return [fault for fault, present in faults.items() if present]


def _check_rule(call: Call, rule: Section, verb: str) -> None:
    prefix = RULES.failure(verb)
    rule.options["resources"] = ",".join(map(full_sid, split_list(rule.options["resources"])))
    foreign = {"affinity"} if rule.type == "node-affinity" else {"nodes", "strict"}
    for key in sorted(foreign & set(call.params)):
        raise failed(f"{prefix}unexpected property '{key}'")
    unmanaged = ", ".join(sorted(members(rule) - set(call.cluster.ha_resources)))
    refuse_if(unmanaged, f"{prefix}cannot use unmanaged resource(s) {unmanaged}.")
    for node in node_names(rule.options.get("nodes", "")):
        unknown = node not in call.cluster.nodes
        refuse_if(unknown, f"{prefix}cannot use non-existent node(s) {node}.")
    faults = ", ".join(rule_faults(call.cluster, rule))
    refuse_if(faults, f"{prefix}400 Rule '{rule.name}' is invalid.\nresources: {faults}\n")
    call.cluster.ha_used = True


def _rule_gate(call: Call, verb: str) -> None:
    waits = bool(call.cluster.ha_groups) and verb not in ("index", "read")
    refuse_if(waits, f"{RULES.failure(verb)}{NOT_YET}")


def _rule_faults_shown(call: Call, rule: Section) -> Row:
    faults = rule_faults(call.cluster, rule)
    return {"errors": {"resources": faults}} if faults else {}


def _rule_wanted(call: Call, rule: Section) -> bool:
    return "resource" not in call or full_sid(call["resource"]) in members(rule)


RULES = File(
    path="/cluster/ha/rules", key="rule",
    sections=lambda cluster: cluster.ha_rules,
    taken="HA rule '{}' already defined", missing="no such ha rule '{}'",
    prefix="{} ha rule failed: ", update_prefix="update HA rules failed: ",
    gate=_rule_gate, check=_check_rule, visible=_rule_wanted, listed=_rule_faults_shown,
    show=lambda call, rule: {"order": [*call.cluster.ha_rules].index(rule.name) + 1},
).serve()  # fmt: skip


def rules_of(cluster: Cluster) -> list[Rule]:
    """What is to be obeyed: rules, and groups, which say the same."""
    found = [_rule_of(rule) for rule in cluster.ha_rules.values() if active(rule)]
    for group in cluster.ha_groups.values():
        resources = cluster.ha_resources.items()
        sids = [sid for sid, one in resources if one.options.get("group") == group.name]
        strict = group.options.get("restricted") == "1"
        if sids:
            found.append(of_group(group.name, sids, _priorities(group), strict))
    return found


def to_rules(cluster: Cluster) -> None:
    """Turn groups into rules `ha-group-NAME`, and what they say of failback into the resources'."""
    managed = cluster.ha_resources.values()
    for group in cluster.ha_groups.values():
        members = [one for one in managed if one.options.get("group") == group.name]
        for one in members:
            del one.options["group"]
            if group.options.get("nofailback") == "1":
                one.options["failback"] = "0"
        options = {"nodes": group.options["nodes"], "resources": ",".join(m.name for m in members)}
        options |= {"strict": "1"} if group.options.get("restricted") == "1" else {}
        options |= {key: text for key, text in group.options.items() if key == "comment"}
        if members:  # a rule without resources there cannot be
            name = f"ha-group-{group.name}"
            cluster.ha_rules[name] = Section(name, "node-affinity", options)
    for one in managed:
        one.options.pop("group", None)  # of a group that was not there
    cluster.ha_groups.clear()


def _priorities(section: Section) -> dict[str, int]:
    """Nodes of `pve1:2,pve2` by priority."""
    parts = (part.partition(":") for part in split_list(section.options.get("nodes", "")))
    return {name: int(priority or 0) for name, _, priority in parts}


def _rule_of(section: Section) -> Rule:
    resources = frozenset(members(section))
    if section.type == "node-affinity":
        strict = section.options.get("strict") == "1"
        return NodeAffinity(section.name, resources, _priorities(section), strict)
    positive = section.options.get("affinity") == "positive"
    return ResourceAffinity(section.name, resources, positive)
