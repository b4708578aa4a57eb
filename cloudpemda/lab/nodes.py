"""Nodes that lose their power or their network, and get it back; and what becomes of their guests.

The cluster sees no difference: a node is `online` or not. A node that is cut off runs on, until its
own watchdog resets it: then, and not before, may another have what HA ran there. What HA does not
know goes on running; and if somebody takes its configuration meanwhile, it may run twice.
"""

from cloudpemda.lab.errors import LabError
from cloudpemda.lab.qemu import machine
from cloudpemda.lab.state import Node
from cloudpemda.lab.world import World

BOOT_PATIENCE = 60.0  # seconds that a node waits for quorum before it starts its guests


def node_of(world: World, name: str) -> Node:
    if name not in world.cluster.nodes:
        raise LabError("lab.no-such-node", node=name)
    return world.cluster.nodes[name]


def set_node(world: World, name: str, *, online: bool) -> None:
    """A node loses power, or comes back. Its workers vanish and its guests are off."""
    node = node_of(world, name)
    node.hung, node.leaving = False, ""
    if runs(node) == online:
        return
    node.strays.clear()
    quorate = world.cluster.quorate
    if node.cut:
        node.cut = "up" if online else "down"
    else:
        node.online = online
    for other in world.neighbours.values() if world.cluster.backups is not None else ():
        lost = other.cluster.lost_servers
        lost[:] = [one for one in lost if one != node.address] + [node.address] * (not online)
    world.note("node-up" if online else "node-down", node=name)
    if online:
        node.booted = world.now()
        _start_guests(world, node, quorate)
        return
    world.tasks.vanish_on(name)
    for vm in world.cluster.guests.values():
        if vm.node == name and vm.status != "stopped":
            vm.status, vm.started, vm.pid = "stopped", 0.0, 0
            world.note("vm-lost", vmid=vm.vmid, node=name)


def _start_guests(world: World, new: Node, was_quorate: bool) -> None:
    """What is to start with its node does so once there is quorum; a minute that is waited for."""
    cluster, since = world.cluster, world.now() - BOOT_PATIENCE
    if not cluster.quorate:
        return
    at_last = [new] if was_quorate else cluster.nodes.values()  # who has quorum now, and had none
    names = {node.name for node in at_last if node.online and node.booted >= since}
    for vm in cluster.guests.values():
        managed = f"vm:{vm.vmid}" in cluster.ha_resources
        starts = vm.config.get("onboot") == "1" and vm.status == "stopped" and not vm.template
        if vm.node in names and starts and not managed and not vm.config.get("lock"):
            machine.run(world, vm)


def runs(node: Node) -> bool:
    return node.online or node.cut == "up"


def cut_off(world: World, name: str) -> None:
    """Nobody reaches a node, and it reaches nobody. Its workers fail, its guests run on."""
    node = node_of(world, name)
    if world.cluster.backups is not None:
        raise LabError("lab.no-such-cluster", cluster=world.cluster.name)
    if node.cut:
        return
    node.cut, node.hung, node.leaving = "up" if node.online else "down", False, ""
    node.online = False
    world.note("node-cut", node=name)
    world.tasks.vanish_on(name)


def join_again(world: World, name: str) -> None:
    """Its network is back; with power it is one of the cluster again."""
    node = node_of(world, name)
    if not node.cut:
        return
    quorate = world.cluster.quorate
    node.online, node.cut = node.cut == "up", ""
    world.note("node-joined", node=name)
    _start_guests(world, node, quorate)
