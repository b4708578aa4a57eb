"""Pools: named sets of VMs and storages, up to three levels deep."""

from cloudpemda.lab.api_cluster import storage_resource
from cloudpemda.lab.errors import Refused, failed
from cloudpemda.lab.guests import vm_resource
from cloudpemda.lab.routes import route
from cloudpemda.lab.state import Pool
from cloudpemda.lab.world import Call

LOCK = "file-user_cfg"


def _pool(call: Call, prefix: str = "") -> Pool:
    pool = call.cluster.pools.get(call.params["poolid"])
    if pool is None:
        raise failed(f"{prefix}pool '{call.params['poolid']}' does not exist")
    return pool


@route("GET /pools")
def list_pools(call: Call) -> object:
    if "poolid" in call.params:
        pool = _pool(call)
        call.require(f"/pool/{pool.name}", "Pool.Audit")
        return [_content(call, pool)]
    return [
        _head(pool)
        for pool in call.cluster.pools.values()
        if call.may(f"/pool/{pool.name}", "Pool.Audit")
    ]


def _head(pool: Pool) -> dict[str, object]:
    head: dict[str, object] = {"poolid": pool.name}
    if pool.comment is not None:
        head["comment"] = pool.comment
    return head


def _content(call: Call, pool: Pool) -> dict[str, object]:
    kind = call.params.get("type")
    members: list[object] = []
    if kind in (None, "qemu"):
        for vmid in pool.vms:
            guest = call.cluster.guests.get(vmid)
            if guest is not None:
                members.append(vm_resource(call.world, guest))
    if kind in (None, "storage"):
        members += [
            storage_resource(call.world, name, node)
            for name in pool.storages
            if name in call.cluster.storages
            for node in call.cluster.nodes
        ]
    return {**_head(pool), "members": members}


@route("GET /pools/{poolid}")
def get_pool(call: Call) -> object:
    return _content(call, _pool(call))


@route("POST /pools")
def create_pool(call: Call) -> object:
    name, pools = call.params["poolid"], call.cluster.pools
    call.world.need_file_lock("create pool failed", LOCK)
    if name in pools:
        raise failed(f"create pool failed: pool '{name}' already exists")
    parent = name.rpartition("/")[0]
    if parent and parent not in pools:
        raise failed(f"create pool failed: parent '{parent}' of pool '{name}' does not exist")
    pools[name] = Pool(name, call.params.get("comment"))
    return None


@route("PUT /pools", "PUT /pools/{poolid}")
def update_pool(call: Call) -> object:
    call.world.need_file_lock("update pools failed", LOCK)
    pool = _pool(call, "update pools failed: ")
    if "comment" in call.params:
        pool.comment = call.params["comment"]
    removing = call.params.flag("delete")
    for text in call.params.items_of("vms"):
        call.require(f"/vms/{text}", "VM.Allocate")
        _change_vm(call, pool, int(text), removing)
    for name in call.params.items_of("storage"):
        call.require(f"/storage/{name}", "Datastore.Allocate")
        if removing and name not in pool.storages:
            raise failed(f"update pools failed: Storage '{name}' is not a pool member")
        if removing:
            pool.storages.remove(name)
        elif name in pool.storages:
            raise failed(f"update pools failed: Storage '{name}' is already a pool member")
        else:
            pool.storages.append(name)
    return None


def _change_vm(call: Call, pool: Pool, vmid: int, removing: bool) -> None:
    current = next((p for p in call.cluster.pools.values() if vmid in p.vms), None)
    if removing:
        if current is not pool:
            raise failed(f"update pools failed: VM {vmid} is not a pool member")
        pool.vms.remove(vmid)
        return
    if current is pool:
        raise failed(f"update pools failed: VM {vmid} is already a pool member")
    if current is not None:
        if not call.params.flag("allow-move"):
            raise failed(
                f"update pools failed: VM {vmid} belongs already to pool '{current.name}' "
                "and 'allow-move' is not set"
            )
        current.vms.remove(vmid)
    pool.vms.append(vmid)


@route("DELETE /pools", "DELETE /pools/{poolid}")
def delete_pool(call: Call) -> object:
    call.world.need_file_lock("delete pool failed", LOCK)
    pool = _pool(call, "delete pool failed: ")
    held = next(
        (f"pool '{name}'" for name in call.cluster.pools if name.startswith(pool.name + "/")), ""
    )
    if not held and pool.vms:
        held = f"VM {min(pool.vms)}"
    if not held and pool.storages:
        held = f"storage '{pool.storages[0]}'"
    if held:
        raise Refused(500, f"delete pool failed: pool '{pool.name}' is not empty (contains {held})")
    del call.cluster.pools[pool.name]
    call.cluster.access.acl = [a for a in call.cluster.access.acl if a.path != f"/pool/{pool.name}"]
    return None
