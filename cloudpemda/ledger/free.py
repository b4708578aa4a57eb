"""What is free to be given: VMIDs, names in PVE, MAC addresses; asked by who gives them."""

from collections.abc import Collection
from ipaddress import IPv4Address

from sqlalchemy import Connection, func, select

from cloudpemda.clock import Entropy
from cloudpemda.errors import Refused
from cloudpemda.ledger import found
from cloudpemda.ledger.schema import instances, nics
from cloudpemda.ledger.states import InstanceState

_NAME_LIMIT = 63  # PVE wants a DNS name; a label has at most 63 characters


def lowest_vmid(
    connection: Connection, cluster: str, vmid_range: range, taken: Collection[int]
) -> int:
    used = {*taken, *found.vmids(connection, cluster)}
    used |= set(
        connection.scalars(
            select(instances.c.vmid).where(
                instances.c.cluster == cluster, instances.c.state != InstanceState.PURGED.value
            )
        )
    )
    for vmid in vmid_range:
        if vmid not in used:
            return vmid
    raise Refused(
        "ledger.vmids-exhausted", cluster=cluster, first=vmid_range[0], last=vmid_range[-1]
    )


def free_name(connection: Connection, name: str, uid: str) -> str:
    """The name itself, or a shortened one made unique where it is too long or already used:
    `a-b/c` and `a/b-c` would otherwise be the same VM to a reader of PVE's list."""
    used = connection.scalar(
        select(func.count()).where(
            instances.c.name == name, instances.c.state != InstanceState.PURGED.value
        )
    )
    used = used or found.has_name(connection, name)
    if len(name) <= _NAME_LIMIT and not used:
        return name
    return f"{name[: _NAME_LIMIT - 9].rstrip('-')}-{uid[:8]}"


def free_mac(connection: Connection, entropy: Entropy) -> str:
    """24 bits are few enough for two of some thousand cards to meet."""
    while True:
        mac = entropy.mac()
        if not connection.scalar(select(func.count()).where(nics.c.mac == mac)):
            return mac


def bounds_of(text: str) -> tuple[IPv4Address, IPv4Address]:
    first, _, last = text.partition("-")
    return IPv4Address(first.strip()), IPv4Address((last or first).strip())
