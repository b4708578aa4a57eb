"""Finding the VM a worker is about, once more, when its time has come."""

from cloudpemda.lab.errors import failed
from cloudpemda.lab.state import Vm
from cloudpemda.lab.world import Call


def locate(call: Call) -> Vm:
    vmid = call.params.whole("vmid")
    vm = call.cluster.vms.get(vmid)
    if vm is None or vm.node != call.node:
        raise failed(f"unable to find configuration file for VM {vmid} on node '{call.node}'")
    return vm
