"""The guest agent. It answers in guests that were made from an image, by cloud-init, and are up."""

from cloudpemda.lab.errors import failed
from cloudpemda.lab.qemu.config import net_use
from cloudpemda.lab.qemu.machine import agent_enabled, guest_alive
from cloudpemda.lab.routes import route
from cloudpemda.lab.state import Vm
from cloudpemda.lab.world import Call

BOOT_SECONDS = 5.0


def _guest(call: Call) -> Vm:
    vm = call.vm()
    if not agent_enabled(vm):
        raise failed("No QEMU guest agent configured")
    if vm.status == "stopped":
        raise failed(f"VM {vm.vmid} is not running")
    if not guest_alive(call.world, vm) or call.world.now() - vm.started < BOOT_SECONDS:
        raise failed("QEMU guest agent is not running")
    return vm


@route("POST /nodes/{node}/qemu/{vmid}/agent/ping")
def ping(call: Call) -> object:
    _guest(call)
    return {"result": {}}


@route("GET /nodes/{node}/qemu/{vmid}/agent/network-get-interfaces")
def interfaces(call: Call) -> object:
    vm = _guest(call)
    loop: dict[str, object] = {
        "name": "lo",
        "hardware-address": "00:00:00:00:00:00",
        "ip-addresses": [{"ip-address": "127.0.0.1", "ip-address-type": "ipv4", "prefix": 8}],
    }
    found: list[object] = [loop]
    for key, value in sorted(vm.config.items()):
        if not (key.startswith("net") and key[3:].isdigit()):
            continue
        mac = value.split(",")[0].partition("=")[2].lower()
        options = dict(
            p.split("=", 1)
            for p in vm.cloudinit.get(f"ipconfig{key[3:]}", "").split(",")
            if "=" in p
        )
        address = options.get("ip", "")
        rows: list[object] = []
        if "/" in address and net_use(value)[0]:
            ip, _, prefix = address.partition("/")
            rows = [{"ip-address": ip, "ip-address-type": "ipv4", "prefix": int(prefix)}]
        found.append({"name": f"eth{key[3:]}", "hardware-address": mac, "ip-addresses": rows})
    return {"result": found}


@route("GET /nodes/{node}/qemu/{vmid}/agent/get-osinfo")
def osinfo(call: Call) -> object:
    _guest(call)
    return {"result": {"id": "debian", "name": "Debian GNU/Linux", "version-id": "12"}}
