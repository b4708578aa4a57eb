"""One node: status, time, network, configuration."""

from cloudpemda.lab.api_cluster import memory_used, root_space
from cloudpemda.lab.errors import invalid
from cloudpemda.lab.routes import route
from cloudpemda.lab.world import Call, digest_of


@route("GET /nodes/{node}/status")
def status(call: Call) -> object:
    node, world = call.here, call.world
    total, used, free = root_space(world, node)
    memory = memory_used(world, node)
    release = "6.17.2-1-pve" if call.cluster.release != "8" else "6.8.12-9-pve"
    kernel = {"sysname": "Linux", "machine": "x86_64", "release": release, "version": "#1 SMP PVE"}
    cpu: dict[str, object] = {
        "model": "AMD EPYC", "cores": node.cpus, "cpus": node.cpus, "sockets": 1,
        "mhz": "2400.000", "hvm": 1, "user_hz": 100, "flags": "fpu vme svm aes",
    }  # fmt: skip
    ram = {"total": node.memory, "used": memory, "free": node.memory - memory}
    if call.cluster.release != "8":
        cpu |= {"family": "25", "vendor": "AuthenticAMD"}
        ram["available"] = node.memory - memory
    return {
        "uptime": int(world.now() - node.booted),
        "cpu": 0.01,
        "wait": 0,
        "idle": 0,
        "loadavg": ["0.05", "0.10", "0.08"],
        "kversion": f"Linux {release} #1 SMP PVE",
        "current-kernel": kernel,
        "pveversion": f"pve-manager/{call.cluster.version}/f6997e698c7933ea",
        "boot-info": {"mode": "efi"},
        "cpuinfo": cpu,
        "memory": ram,
        "swap": {"total": 0, "used": 0, "free": 0},
        "rootfs": {"total": total, "used": used, "free": free, "avail": free},
        "ksm": {"shared": 0},
    }


@route("GET /nodes/{node}/time")
def time(call: Call) -> object:
    now = int(call.world.now() + call.here.clock_skew)
    return {"time": now, "localtime": now, "timezone": "UTC"}


def _bridge(call: Call, name: str) -> dict[str, object]:
    address = call.here.address
    row: dict[str, object] = {
        "type": "bridge",
        "active": 1,
        "autostart": 1,
        "method": "manual",
        "method6": "manual",
        "families": ["inet"],
        "priority": 4,
        "bridge_ports": "eth0",
        "bridge_stp": "off",
        "bridge_fd": "0",
    }
    if name == call.here.bridges[0]:
        row |= {
            "method": "static",
            "address": address,
            "netmask": "24",
            "cidr": f"{address}/24",
            "gateway": address.rpartition(".")[0] + ".254",
        }
    return row


def _interfaces(call: Call) -> dict[str, dict[str, object]]:
    found = {name: _bridge(call, name) for name in call.here.bridges}
    found["eth0"] = {
        "type": "eth",
        "active": 1,
        "method": "manual",
        "method6": "manual",
        "families": ["inet"],
        "priority": 3,
    }
    return found


@route("GET /nodes/{node}/network")
def network(call: Call) -> object:
    kind = call.params.get("type")
    rows = []
    for name, row in _interfaces(call).items():
        bridge = row["type"] == "bridge"
        if (
            kind is None
            or kind == row["type"]
            or (bridge and kind in ("any_bridge", "any_local_bridge"))
        ):
            rows.append({**row, "iface": name})
    return rows


@route("GET /nodes/{node}/network/{iface}")
def interface(call: Call) -> object:
    found = _interfaces(call).get(call.params["iface"])
    if found is None:
        raise invalid({"iface": "interface does not exist"})
    return found


@route("GET /nodes/{node}/lxc")
def containers(call: Call) -> object:
    return []


@route("GET /nodes/{node}/config")
def get_config(call: Call) -> object:
    config = call.here.config
    return {**config, "digest": digest_of(config)} if config else {}


@route("PUT /nodes/{node}/config")
def put_config(call: Call) -> object:
    for key in call.params.items_of("delete"):
        call.here.config.pop(key, None)
    for key, value in call.params.items():
        if key not in ("node", "delete", "digest"):
            call.here.config[key] = value + "\n" if key == "description" else value
    return None


@route("GET /nodes/{node}/dns")
def dns(call: Call) -> object:
    return {"dns1": call.here.address.rpartition(".")[0] + ".53"}
