"""Finding the VM a worker is about, once more, when its time has come."""

from __future__ import annotations

from ..errors import failed
from ..state import Vm
from ..world import Call


def locate(call: Call) -> Vm:
    vmid = call.params.whole("vmid")
    vm = call.cluster.vms.get(vmid)
    if vm is None or vm.node != call.node:
        raise failed(f"unable to find configuration file for VM {vmid} on node '{call.node}'")
    return vm
