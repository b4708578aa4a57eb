"""What the rest of the lab asks of HA: to manage a VM, to start it, stop it, or move it."""

from cloudpemda.lab.errors import found
from cloudpemda.lab.state import Cluster, Section, Task, Vm
from cloudpemda.lab.work import Work
from cloudpemda.lab.world import Call, World


def manage(world: World, vm: Vm, *, started: bool) -> None:
    """Put a VM under HA, as a VM's creation does when asked to."""
    sid, state = f"vm:{vm.vmid}", "started" if started else "stopped"
    world.cluster.ha_resources[sid] = Section(sid, "vm", {"state": state})
    world.cluster.ha_used = True


def state_of(cluster: Cluster, sid: str) -> str:
    """The state that the manager has given to a service; `queued` until it has seen it."""
    service = cluster.ha.services.get(sid)
    return service.state if service else "queued"


def request(call: Call, verb: str, state: str) -> str:
    """`hastart` and `hastop`: the task is over as soon as the request is filed."""

    def work(task: Task) -> Work:
        task.log.append(f"Requesting HA {verb} for VM {call['vmid']}")
        yield call.world.duration("default")
        sid = f"vm:{call['vmid']}"
        resource = found(call.cluster.ha_resources.get(sid), f"no such resource '{sid}'")
        resource.options["state"] = state
        call.world.note("ha-asked", sid=sid, state=state)

    return call.start(f"ha{verb}", call["vmid"], work)


def request_migration(call: Call, target: str) -> str:
    def work(task: Task) -> Work:
        task.log.append(f"Requesting HA migration for VM {call['vmid']} to node {target}")
        yield call.world.duration("default")
        ask(call.world, f"migrate vm:{call['vmid']} {target}")

    return call.start("hamigrate", call["vmid"], work)


def ask(world: World, command: str) -> None:
    """Leave a command for the master, who reads it in its next round."""
    world.cluster.ha.commands.append(command)
    world.note("ha-asked", command=command)
