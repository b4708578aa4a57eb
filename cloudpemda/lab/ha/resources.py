"""Managed resources over the API."""

from cloudpemda.lab.errors import failed
from cloudpemda.lab.ha.common import MIGRATED, forget, full_sid, resources_digest, vmid_of
from cloudpemda.lab.routes import route
from cloudpemda.lab.state import HaResource
from cloudpemda.lab.world import Call, check_digest


def _shown(call: Call, resource: HaResource) -> dict[str, object]:
    row: dict[str, object] = {"sid": resource.sid, "type": resource.sid.partition(":")[0]}
    row["digest"] = resources_digest(call.cluster)
    for key, value in resource.options.items():
        row[key] = int(value) if key.startswith("max_") or key == "failback" else value
    return row


def _listed(call: Call, resource: HaResource) -> dict[str, object]:
    row = _shown(call, resource)
    group = resource.options.get("group")
    if group is not None and group not in call.cluster.ha_groups:
        row["errors"] = {"group": f"group '{group}' does not exist"}
    return row


def _resource(call: Call, prefix: str = "") -> HaResource:
    sid = full_sid(call.params["sid"])
    found = call.cluster.ha_resources.get(sid)
    if found is None:
        raise failed(f"{prefix}no such resource '{sid}'")
    return found


@route("GET /cluster/ha/resources")
def list_resources(call: Call) -> object:
    kind = call.params.get("type")
    return [
        _listed(call, r)
        for r in call.cluster.ha_resources.values()
        if kind is None or r.sid.startswith(kind + ":")
    ]


@route("GET /cluster/ha/resources/{sid}")
def get_resource(call: Call) -> object:
    return _shown(call, _resource(call))


@route("POST /cluster/ha/resources")
def add_resource(call: Call) -> object:
    call.world.need_quorum()
    sid, params, cluster = full_sid(call.params["sid"]), call.params, call.cluster
    kind = sid.partition(":")[0]
    if "type" in params and params["type"] != kind:
        raise failed("types does not match")
    if kind not in ("vm", "ct"):
        raise failed(f"unknown section type '{kind}'")
    if "group" in params and cluster.release != "8":
        raise failed(f"invalid parameter 'group': {MIGRATED}")
    vm = cluster.vms.get(vmid_of(sid))
    if vm is None:
        raise failed(f"resource '{sid}' does not exist in cluster")
    if kind == "ct" and cluster.release != "8":
        raise failed(f"resource '{sid}' - guest with ID {vm.vmid} is not a container")
    if vm.template:
        raise failed(f"resource '{sid}' - unable to add template to HA")
    if sid in cluster.ha_resources:
        raise failed(f"create resource failed: resource ID '{sid}' already defined")
    options = {k: v for k, v in params.items() if k not in ("sid", "type")}
    if options.get("state") == "enabled":
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
            raise failed(f"HA group '{params['group']}' does not exist")
    resource = _resource(call, "update resource failed: ")
    check_digest(params, resources_digest(cluster), "update resources config failed: ")
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
    sid = full_sid(call.params["sid"])
    if sid not in call.cluster.ha_resources:
        raise failed(f"cannot delete service '{sid}', not HA managed!")
    del call.cluster.ha_resources[sid]
    if call.cluster.release != "8" and call.params.flag("purge", default=True):
        forget(call.cluster, sid)
    return None


@route("POST /cluster/ha/resources/{sid}/migrate", "POST /cluster/ha/resources/{sid}/relocate")
def move_resource(call: Call) -> object:
    sid = full_sid(call.params["sid"])
    resource = call.cluster.ha_resources.get(sid)
    if resource is None or resource.options.get("state") == "ignored":
        raise failed(f"resource '{sid}' is not HA managed")
    resource.command = call.params["node"]
    if call.cluster.release == "8":
        return None
    return {"sid": sid, "requested-node": call.params["node"]}
