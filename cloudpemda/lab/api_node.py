"""One node: status, time, network, settings, and what its hardware and packages look like.

What a simulated node has no life of its own for (packages, services, disks) it answers as a plain,
healthy machine would.
"""

from collections.abc import Mapping

from cloudpemda.lab import sdn
from cloudpemda.lab import storage as storages
from cloudpemda.lab.api_cluster import change_settings, memory_used, root_space
from cloudpemda.lab.errors import invalid
from cloudpemda.lab.guests import vm_stats
from cloudpemda.lab.routes import HANDLERS, Handler, Page, Row, route
from cloudpemda.lab.sections import shown
from cloudpemda.lab.state import Task
from cloudpemda.lab.work import Work
from cloudpemda.lab.world import Call, digest_of

KERNELS = {"8": "6.8.12-9-pve", "9": "6.17.2-1-pve"}
# Seconds between the points of a chart, and how many there are: PVE 9 keeps finer ones than 8.
CHARTS = {
    "8": {"hour": (60, 70), "day": (1800, 70), "week": (10800, 70), "month": (43200, 70),
          "year": (604800, 70), "decade": (604800, 70)},
    "9": {"hour": (60, 60), "day": (60, 1440), "week": (1800, 336), "month": (21600, 124),
          "year": (86400, 365), "decade": (604800, 520)},
}  # fmt: skip
PACKAGES = {
    "8": {"proxmox-ve": "8.4.0", "pve-qemu-kvm": "9.2.0-7", "pve-container": "5.3.3"},
    "9": {"proxmox-ve": "9.2.0", "pve-qemu-kvm": "10.1.2-3", "pve-container": "6.0.18"},
}
SERVICES = ("corosync", "cron", "pve-cluster", "pve-firewall", "pve-ha-crm", "pve-ha-lrm",
            "pvedaemon", "pveproxy", "pvescheduler", "pvestatd", "sshd")  # fmt: skip
SERVICE = {"state": "running", "active-state": "active", "unit-state": "enabled"}
CPU_MODELS = (
    ("default", ("kvm64", "qemu64", "max", "host", "x86-64-v2-AES", "x86-64-v3", "x86-64-v4")),
    ("AuthenticAMD", ("EPYC", "EPYC-Rome", "EPYC-Milan", "EPYC-Genoa")),
    ("GenuineIntel", ("Skylake-Server", "Cascadelake-Server", "Icelake-Server")),
)
DISK: Row = {
    "devpath": "/dev/nvme0n1", "used": "ZFS", "size": 960 * 10**9, "model": "SIMULATED", "gpt": 1,
    "vendor": "unknown", "serial": "LAB0001", "type": "nvme", "health": "PASSED", "wearout": 100,
    "rpm": 0, "wwn": "unknown", "osdid": -1, "osdid-list": None, "mounted": 1,
}  # fmt: skip
# What every node answers, by what follows `/nodes/{node}/`.
SAME_FOR_ALL: dict[str, object] = {
    "apt/update": [],
    "capabilities/qemu/cpu": [
        {"name": name, "vendor": vendor, "custom": 0}
        for vendor, names in CPU_MODELS
        for name in names
    ],
    "capabilities/qemu/cpu-flags": [
        {"name": name, "description": f"Passes {name} on", "supported-on": []}
        for name in ("aes", "nested-virt", "pdpe1gb", "spec-ctrl")
    ],
    "capabilities/qemu/machines": [
        {"id": f"pc-{kind}-{number}", "type": kind, "version": number}
        for kind in ("i440fx", "q35")
        for number in ("9.2", "9.0", "8.1")
    ],
    "disks/list": [DISK],
    "hardware/pci": [],
    "hardware/usb": [],
    "netstat": [],
    "services": [{**SERVICE, "service": name, "name": name, "desc": name} for name in SERVICES],
    "subscription": {"status": "notfound", "message": "There is no subscription key"},
    "syslog": Page([{"n": 1, "t": "-- No entries --"}], 1),
}


def _always(answer: object) -> Handler:
    return lambda call: answer


for _path, _answer in SAME_FOR_ALL.items():
    HANDLERS[f"GET /nodes/{{node}}/{_path}"] = _always(_answer)


@route("GET /nodes/{node}/status")
def status(call: Call) -> Row:
    node, world, nine = call.here, call.world, call.cluster.release != "8"
    total, used, free = root_space(world, node)
    memory, release = memory_used(world, node), KERNELS[call.cluster.release]
    version = "#1 SMP PREEMPT_DYNAMIC PMX"
    cpu: Row = {"model": "AMD EPYC", "cores": node.cpus, "cpus": node.cpus, "sockets": 1, "hvm": 1}
    cpu |= {"mhz": "2400.000", "user_hz": 100, "flags": "fpu vme svm aes"}
    ram = {"total": node.memory, "used": memory, "free": node.memory - memory}
    return {
        "uptime": int(world.now() - node.booted), "cpu": 0.01, "wait": 0, "idle": 0,
        "loadavg": ["0.05", "0.10", "0.08"], "kversion": f"Linux {release} {version}",
        "current-kernel": {
            "sysname": "Linux", "machine": "x86_64", "release": release, "version": version
        },
        "pveversion": f"pve-manager/{call.cluster.version}/f6997e698c7933ea",
        "boot-info": {"mode": "efi"}, "ksm": {"shared": 0},
        "cpuinfo": cpu | ({"family": "25", "vendor": "AuthenticAMD"} if nine else {}),
        "memory": ram | ({"available": node.memory - memory} if nine else {}),
        "swap": {"total": 0, "used": 0, "free": 0},
        "rootfs": {"total": total, "used": used, "free": free, "avail": free},
    }  # fmt: skip


@route("GET /nodes/{node}/time")
def time(call: Call) -> Row:
    now = int(call.world.now() + call.here.clock_skew)
    return {"time": now, "localtime": now, "timezone": "UTC"}


# -- network: `interfaces`, and `interfaces.new` until it is applied -------------------------------


def _active(call: Call) -> dict[str, dict[str, str]]:
    """Interfaces in use: those of the layout, until a change has been applied."""
    if call.here.network:
        return call.here.network
    address = call.here.address
    bridge = {"type": "bridge", "autostart": "1", "bridge_ports": "eth0"}
    bridge |= {"bridge_stp": "off", "bridge_fd": "0"}
    first = {"cidr": f"{address}/24", "gateway": address.rpartition(".")[0] + ".254"}
    names = call.here.bridges
    found = {name: bridge | (first if name == names[0] else {}) for name in names}
    return found | {"eth0": {"type": "eth"}}


def _planned(call: Call) -> dict[str, dict[str, str]]:
    return call.here.network_planned or _active(call)


def _interface(call: Call, name: str, options: Mapping[str, str]) -> Row:
    row: Row = {"method": "manual", "method6": "manual", "families": ["inet"]}
    row |= {"priority": 3 if options["type"] == "eth" else 4}
    row |= shown(call.cluster.release, "POST /nodes/{node}/network", options)
    if "cidr" in options:
        address, _, bits = options["cidr"].partition("/")
        row |= {"method": "static", "address": address, "netmask": bits}
    return row | ({"active": 1} if name in _active(call) else {})


@route("GET /nodes/{node}/network")
def network(call: Call) -> list[Row]:
    kind = call.get("type")
    with_vnets = ("vnet", "include_sdn") if call.cluster.release != "8" else ("vnet", "any_bridge")
    vnets = sdn.interfaces(call) if kind in with_vnets else {}
    kind = {"any_bridge": "bridge", "any_local_bridge": "bridge", "include_sdn": ""}.get(kind, kind)
    rows = {n: _interface(call, n, o) for n, o in _planned(call).items()}
    rows = {n: row for n, row in rows.items() if kind in ("", row["type"])} | vnets
    return [{**row, "iface": n} for n, row in rows.items()]


def _known(call: Call, *, known: bool = True) -> str:
    name = call["iface"]
    if (name in _planned(call)) != known:
        fault = "interface does not exist" if known else "interface already exists"
        raise invalid({"iface": fault})
    return name


@route("GET /nodes/{node}/network/{iface}")
def get_interface(call: Call) -> Row:
    name = _known(call)
    return _interface(call, name, _planned(call)[name])


def _write(call: Call, name: str) -> None:
    left_out = ("node", "iface", "delete")
    options = {key: value for key, value in call.params.items() if key not in left_out}
    call.here.network_planned = _planned(call) | {name: options}


@route("POST /nodes/{node}/network")
def create_interface(call: Call) -> None:
    _write(call, _known(call, known=False))


@route("PUT /nodes/{node}/network/{iface}")
def update_interface(call: Call) -> None:
    _write(call, _known(call))


@route("DELETE /nodes/{node}/network/{iface}")
def delete_interface(call: Call) -> None:
    gone = _known(call)
    planned = _planned(call).items()
    call.here.network_planned = {name: options for name, options in planned if name != gone}


@route("PUT /nodes/{node}/network")
def apply_network(call: Call) -> str:
    def work(task: Task) -> Work:
        yield call.world.duration("default")
        call.here.network, call.here.network_planned = _planned(call), {}
        bridges = [n for n, o in call.here.network.items() if o["type"] == "bridge"]
        call.here.bridges = bridges

    return call.start("srvreload", "networking", work)


@route("DELETE /nodes/{node}/network")
def revert_network(call: Call) -> None:
    call.here.network_planned = {}


# -- settings of the node --------------------------------------------------------------------------


@route("GET /nodes/{node}/config")
def get_config(call: Call) -> Row:
    config = call.here.config
    return {**config, "digest": digest_of(config)} if config else {}


@route("PUT /nodes/{node}/config")
def put_config(call: Call) -> None:
    change_settings(call, call.here.config)


@route("GET /nodes/{node}/dns")
def dns(call: Call) -> Row:
    return {"dns1": call.here.address.rpartition(".")[0] + ".53"}


@route("GET /nodes/{node}/hosts")
def hosts(call: Call) -> Row:
    nodes = call.cluster.nodes.values()
    lines = [f"{node.address} {node.name}.lab.local {node.name}\n" for node in nodes]
    text = "".join(["127.0.0.1 localhost\n", *lines])
    return {"data": text, "digest": digest_of(text)}


# -- charts ----------------------------------------------------------------------------------------


def _chart(call: Call, since: float, figures: Row) -> list[Row]:
    """Points up to now: empty before there was anything to see."""
    step, count = CHARTS[call.cluster.release][call["timeframe"]]
    last = int(call.world.now()) // step * step
    times = range(last - (count - 1) * step, last + 1, step)
    return [{"time": when, **(figures if when >= since else {})} for when in times]


@route("GET /nodes/{node}/rrddata")
def node_chart(call: Call) -> list[Row]:
    total, used, _ = root_space(call.world, call.here)
    memory = memory_used(call.world, call.here)
    figures: Row = {"maxcpu": call.here.cpus, "cpu": 0.01, "iowait": 0, "loadavg": 0.05}
    figures |= {"memtotal": call.here.memory, "memused": memory, "swaptotal": 0, "swapused": 0}
    figures |= {"roottotal": total, "rootused": used, "netin": 0, "netout": 0}
    return _chart(call, call.here.booted, figures)


@route("GET /nodes/{node}/qemu/{vmid}/rrddata")
def vm_chart(call: Call) -> list[Row]:
    vm = call.vm()
    stats = vm_stats(call.world, vm)
    figures = {key: stats[key] for key in ("maxmem", "maxdisk", "disk")}
    return _chart(call, vm.created, figures | {"maxcpu": stats["cpus"]})


@route("GET /nodes/{node}/storage/{storage}/rrddata")
def storage_chart(call: Call) -> list[Row]:
    storage = storages.storage_of(call.cluster, call["storage"])
    total, used, _ = storages.space(call.cluster, storage, call.node)
    return _chart(call, call.here.booted, {"total": total, "used": used})


# -- the machine -----------------------------------------------------------------------------------


@route("GET /nodes/{node}/services/{service}/state")
def service(call: Call) -> Row:
    name = call["service"]
    state = SERVICE if name in SERVICES else {"state": "unknown"}
    return {"service": name, "name": name, "desc": name, **state}


@route("GET /nodes/{node}/apt/versions")
def packages(call: Call) -> list[Row]:
    installed = {"pve-manager": call.cluster.version, **PACKAGES[call.cluster.release]}
    same: Row = {"CurrentState": "Installed", "Origin": "Proxmox", "Section": "admin"}
    same |= {"Priority": "optional", "Arch": "amd64"}
    return [
        {**same, "Package": name, "Title": name, "Description": name, "Version": text}
        for name, text in installed.items()
    ]


@route("GET /nodes/{node}/certificates/info")
def certificates(call: Call) -> list[Row]:
    row: Row = {"filename": "pve-ssl.pem", "fingerprint": call.world.fingerprint}
    return [row | {"subject": f"/OU=PVE Cluster Node/CN={call.node}"}]
