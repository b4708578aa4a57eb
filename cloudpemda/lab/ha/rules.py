"""Rules, which PVE 9 has: node and resource affinity, and when they contradict each other."""

from cloudpemda.lab.errors import Refused, failed
from cloudpemda.lab.formats import split_list
from cloudpemda.lab.ha.common import full_sid, members, node_names, sections_digest, update
from cloudpemda.lab.routes import route
from cloudpemda.lab.state import Cluster, Section
from cloudpemda.lab.world import Call, check_digest


def _rule_shown(call: Call, rule: Section, order: int) -> dict[str, object]:
    row: dict[str, object] = {"rule": rule.name, "type": rule.type, "order": order}
    row["digest"] = sections_digest(call.cluster.ha_rules)
    for key, value in rule.options.items():
        row[key] = int(value) if key in ("strict", "disable") else value
    return row


def _rule_faults(cluster: Cluster, rule: Section) -> list[str]:
    """What makes a rule invalid next to the others; disabled rules are as if they were not."""
    own = members(rule)
    others = [r for r in cluster.ha_rules.values() if r.name != rule.name and not _disabled(r)]
    if _disabled(rule):
        return []
    faults: list[str] = []
    if rule.type == "node-affinity":
        if any(r.type == "node-affinity" and own & members(r) for r in others):
            faults.append("resources are referenced in other node affinity rules")
        if _has_priorities(rule) and any(
            r.type == "resource-affinity" and own & members(r) for r in others
        ):
            faults.append(
                "resources are in a resource affinity rule and cannot be in a node affinity rule "
                "with multiple priorities"
            )
        return faults
    if len(own) < 2:
        faults.append("rule is ineffective as there are less than two resources")
    opposite = "positive" if rule.options.get("affinity") == "negative" else "negative"
    for other in others:
        against = other.type == "resource-affinity" and other.options.get("affinity") == opposite
        if against and len(own & members(other)) >= 2:
            faults.append(
                f"rule shares two or more resources with a {opposite} resource affinity rule"
            )
    if any(r.type == "node-affinity" and _has_priorities(r) and own & members(r) for r in others):
        faults.append("resources are in node affinity rules with multiple priorities")
    return faults


def _disabled(rule: Section) -> bool:
    return rule.options.get("disable") == "1"


def _has_priorities(rule: Section) -> bool:
    priorities = {p.partition(":")[2] or "0" for p in split_list(rule.options.get("nodes", ""))}
    return len(priorities) > 1


def _check_rule(call: Call, rule: Section, verb: str) -> None:
    unmanaged = sorted(m for m in members(rule) if m not in call.cluster.ha_resources)
    if unmanaged:
        raise failed(
            f"{verb} ha rule failed: cannot use unmanaged resource(s) {', '.join(unmanaged)}."
        )
    for node in node_names(rule.options.get("nodes", "")):
        if node not in call.cluster.nodes:
            raise failed(f"{verb} ha rule failed: cannot use non-existent node(s) {node}.")
    faults = _rule_faults(call.cluster, rule)
    if faults:
        raise Refused(
            500,
            f"{verb} ha rule failed: 400 Rule '{rule.name}' is invalid.\n"
            f"resources: {', '.join(faults)}\n",
        )


@route("GET /cluster/ha/rules")
def list_rules(call: Call) -> object:
    kind, resource = call.params.get("type"), call.params.get("resource")
    rows = []
    for order, rule in enumerate(call.cluster.ha_rules.values(), 1):
        if kind not in (None, rule.type) or (resource and full_sid(resource) not in members(rule)):
            continue
        row = _rule_shown(call, rule, order)
        faults = _rule_faults(call.cluster, rule)
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
        raise failed(f"create ha rule failed: HA rule '{name}' already defined")
    options = {k: v for k, v in call.params.items() if k not in ("rule", "type")}
    options["resources"] = ",".join(full_sid(s) for s in split_list(options["resources"]))
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
    check_digest(call.params, sections_digest(call.cluster.ha_rules), "update HA rules failed: ")
    changed = Section(rule.name, rule.type, dict(rule.options))
    foreign = {"affinity"} if rule.type == "node-affinity" else {"nodes", "strict"}
    for key in foreign & set(call.params):
        raise failed(f"update HA rules failed: unexpected property '{key}'")
    update(changed, call.params, ("rule", "type"))
    _check_rule(call, changed, "update")
    call.cluster.ha_rules[rule.name] = changed
    return None


@route("DELETE /cluster/ha/rules/{rule}")
def delete_rule(call: Call) -> object:
    call.cluster.ha_rules.pop(call.params["rule"], None)
    return None
