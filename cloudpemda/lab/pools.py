"""Pools: named sets of VMs and storages, up to three levels deep."""

from typing import TypeVar

from cloudpemda.lab import access
from cloudpemda.lab.api_access import user_config
from cloudpemda.lab.api_cluster import storage_resource
from cloudpemda.lab.errors import found, refuse_if
from cloudpemda.lab.guests import vm_resource
from cloudpemda.lab.routes import Row, route, told
from cloudpemda.lab.state import Pool
from cloudpemda.lab.world import Call

Member = TypeVar("Member")


def _pool(call: Call) -> Pool:
    name = call["poolid"]
    return found(call.cluster.pools.get(name), f"pool '{name}' does not exist")


def _head(pool: Pool) -> Row:
    return told({"poolid": pool.name, "comment": pool.comment})


@route("GET /pools")
def list_pools(call: Call) -> object:
    if "poolid" in call:
        call.require(f"/pool/{call['poolid']}", "Pool.Audit")
        return [get_pool(call)]
    pools = sorted(call.cluster.pools.items())
    return [_head(pool) for name, pool in pools if call.may(f"/pool/{name}", "Pool.Audit")]


@route("GET /pools/{poolid}")
def get_pool(call: Call) -> Row:
    """A pool and what is in it; a storage as the node sees it that answers, if it can."""
    pool, kind = _pool(call), call.get("type")
    guests = [call.cluster.guests.get(vmid) for vmid in sorted(pool.vms, key=str)]
    shown = [guest for guest in guests if guest is not None and kind in ("", guest.kind)]
    members = [vm_resource(call.world, guest) for guest in shown]
    for name in sorted(pool.storages):
        storage = call.cluster.storages.get(name)
        if storage is not None and kind in ("", "storage"):
            nodes = sorted(storage.nodes) or [call.node]
            node = call.node if call.node in nodes else nodes[0]
            members.append(storage_resource(call.world, name, node))
    return {**_head(pool), "members": members}


@route("POST /pools")
def create_pool(call: Call) -> None:
    name, parent = call["poolid"], call["poolid"].rpartition("/")[0]
    with user_config(call, "create pool failed"):
        pools = call.cluster.pools
        refuse_if(name in pools, f"pool '{name}' already exists")
        orphan = parent and parent not in pools
        refuse_if(orphan, f"parent '{parent}' of pool '{name}' does not exist")
        pools[name] = Pool(name, call.params.get("comment"))


@route("PUT /pools", "PUT /pools/{poolid}")
def update_pool(call: Call) -> None:
    with user_config(call, "update pools failed"):
        pool = _pool(call)
        pool.comment = call.params.get("comment", pool.comment)
        for vmid in call.items_of("vms"):
            _may_move(call, f"/vms/{vmid}")
            if not call.flag("delete"):
                _take_from_others(call, pool, int(vmid))
            _change(call, pool.vms, int(vmid), f"VM {vmid}")
        for name in call.items_of("storage"):
            _may_move(call, f"/storage/{name}")
            _change(call, pool.storages, name, f"Storage '{name}'")


def _may_move(call: Call, path: str) -> None:
    call.require(path, *access.modifiers(path), any_of=True)


def _change(call: Call, members: list[Member], member: Member, shown: str) -> None:
    removing = call.flag("delete")
    word = "not" if removing else "already"
    refuse_if((member in members) != removing, f"{shown} is {word} a pool member")
    (members.remove if removing else members.append)(member)


def _take_from_others(call: Call, pool: Pool, vmid: int) -> None:
    """A VM is in one pool: moving it takes a word, and the right over the other pool."""
    for other in call.cluster.pools.values():
        if other is not pool and vmid in other.vms:
            stays = f"VM {vmid} belongs already to pool '{other.name}' and 'allow-move' is not set"
            refuse_if(not call.flag("allow-move"), stays)
            call.require(f"/pool/{other.name}", "Pool.Allocate")
            other.vms.remove(vmid)


@route("DELETE /pools", "DELETE /pools/{poolid}")
def delete_pool(call: Call) -> None:
    """Only an empty one; what the cluster does not know any more does not count."""
    with user_config(call, "delete pool failed") as config:
        pool, cluster = _pool(call), call.cluster
        held = [f"pool '{n}'" for n in sorted(cluster.pools) if n.startswith(f"{pool.name}/")]
        held += [f"VM {v}" for v in sorted(pool.vms, key=str) if v in cluster.guests]
        held += [f"storage '{n}'" for n in sorted(pool.storages) if n in cluster.storages]
        refuse_if(held, f"pool '{pool.name}' is not empty (contains {held[0] if held else ''})")
        del cluster.pools[pool.name]
        config.acl = [entry for entry in config.acl if entry.path != f"/pool/{pool.name}"]
