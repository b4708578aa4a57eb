"""Groups, which PVE 8 has; in 9 they have become rules, and say so."""

from cloudpemda.lab.errors import failed
from cloudpemda.lab.ha.common import MIGRATED, sections_digest, update
from cloudpemda.lab.routes import route
from cloudpemda.lab.state import Section
from cloudpemda.lab.world import Call, check_digest


def _groups_gone(call: Call, verb: str) -> None:
    if call.cluster.release != "8":
        raise failed(f"cannot {verb}: {MIGRATED}")


def _group_shown(call: Call, group: Section) -> dict[str, object]:
    row: dict[str, object] = {"group": group.name, "type": "group"}
    row["digest"] = sections_digest(call.cluster.ha_groups)
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
    _check_file(call, "create")
    if "\n" in call.params.get("comment", ""):
        raise failed("property contains a line feed")
    if name in call.cluster.ha_groups:
        raise failed(f"create ha group failed: ha group ID '{name}' already defined")
    options = {k: v for k, v in call.params.items() if k not in ("group", "type")}
    call.cluster.ha_groups[name] = Section(name, "group", options)
    call.cluster.ha_used = True
    return None


def _check_file(call: Call, verb: str) -> None:
    """A group that was given no nodes breaks the file that holds them all, until it is deleted."""
    if any(not group.options["nodes"] for group in call.cluster.ha_groups.values()):
        raise failed(f"{verb} ha group failed: unknown section type ''")


@route("PUT /cluster/ha/groups/{group}")
def update_group(call: Call) -> object:
    _groups_gone(call, "update group")
    group = call.cluster.ha_groups.get(call.params["group"])
    if group is not None and group.options["nodes"]:
        _check_file(call, "update")
    if group is None or not group.options["nodes"]:
        raise failed(f"update ha group failed: no such ha group '{call.params['group']}'")
    check_digest(call.params, sections_digest(call.cluster.ha_groups), "update ha group failed: ")
    if "nodes" in call.params.items_of("delete"):
        raise failed("update ha group failed: unable to delete required option 'nodes'")
    update(group, call.params, ("group", "type"))
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
