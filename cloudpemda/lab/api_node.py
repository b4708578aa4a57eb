"""One node: status, settings, network, charts, tasks, and what is installed in it.

What a simulated node has no life of its own for (packages, services, disks) it answers as a plain,
healthy machine would; `tables/node.json` says what PVE's releases come with.
"""

import json
import re
from collections import Counter
from importlib import resources

from cloudpemda.lab import sdn
from cloudpemda.lab import storage as storages
from cloudpemda.lab.api_cluster import change_settings, memory_used, root_space
from cloudpemda.lab.errors import invalid
from cloudpemda.lab.guests import vm_stats
from cloudpemda.lab.routes import HANDLERS, Handler, Page, Row, Text, route
from cloudpemda.lab.sections import shown
from cloudpemda.lab.settings import CPU_MODELS
from cloudpemda.lab.state import Task
from cloudpemda.lab.tables import load
from cloudpemda.lab.work import VANISHED, Work
from cloudpemda.lab.world import Call, digest_of

UPID = re.compile(r"UPID:[^:\s]+:[0-9A-F]{8}:[0-9A-F]{8,9}:[0-9A-F]{8}:[^:\s]*:[^:\s]*:[^:\s]+:")
CLUSTER_LIST = 25  # tasks that have ended, of each node
DATA = json.loads(resources.files("cloudpemda.lab.tables").joinpath("node.json").read_bytes())
# Seconds between the points of a chart, and how many there are.
CHARTS: dict[str, dict[str, tuple[int, int]]] = DATA["charts"]
PACKAGES: dict[str, dict[str, str]] = DATA["packages"]
DISK: Row = {
    "devpath": "/dev/nvme0n1", "used": "ZFS", "size": 960 * 10**9, "model": "SIMULATED", "gpt": 1,
    "vendor": "unknown", "serial": "LAB0001", "type": "nvme", "health": "PASSED", "rpm": 0,
    "wearout": "N/A", "wwn": "unknown", "osdid": -1, "osdid-list": None, "mounted": 1,
}  # fmt: skip
NIC: Row = {
    "id": "0000:01:00.0", "class": "0x020000", "vendor": "0x8086", "device": "0x1572",
    "vendor_name": "Intel Corporation", "device_name": "Ethernet Controller X710",
    "subsystem_vendor": "0x8086", "subsystem_device": "0x0000", "iommugroup": 1,
    "subsystem_vendor_name": "Intel Corporation",
}  # fmt: skip
NO_SUBSCRIPTION: Row = {"status": "notfound", "message": "There is no subscription key"}
NO_SUBSCRIPTION |= {"serverid": "0" * 32, "url": "https://www.proxmox.com/"}
# What every node answers, by what follows `/nodes/{node}/`.
SAME_FOR_ALL: dict[str, object] = {
    "apt/update": [],
    "capabilities/qemu/cpu-flags": [
        {"name": name, "description": name, "supported-on": []} for name in DATA["cpu-flags"]
    ],
    "capabilities/qemu/machines": [
        {"id": f"pc-{kind}-{number}", "type": kind, "version": number}
        for kind in ("i440fx", "q35")
        for number in DATA["machines"]
    ],
    "disks/list": [DISK],
    "hardware/pci": [NIC],
    "hardware/usb": [],
    "netstat": [],
    "subscription": NO_SUBSCRIPTION,
    "syslog": Page([{"n": 1, "t": "-- No entries --"}], 1),
}


def _always(answer: object) -> Handler:
    return lambda call: answer


HANDLERS |= {f"GET /nodes/{{node}}/{path}": _always(same) for path, same in SAME_FOR_ALL.items()}


@route("GET /nodes/{node}/status")
def status(call: Call) -> Row:
    node, nine = call.here, call.cluster.release != "8"
    total, used, free = root_space(call.world, node)
    memory, release = memory_used(call.world, node), DATA["kernel"][call.cluster.release]
    kernel = {"sysname": "Linux", "machine": "x86_64", "release": release, "version": "#1 SMP PVE"}
    cpu: Row = {"model": "AMD EPYC", "cores": node.cpus, "cpus": node.cpus, "sockets": 1, "hvm": 1}
    cpu |= {"mhz": "2400.000", "user_hz": 100, "flags": "fpu vme svm aes"}
    ram = {"total": node.memory, "used": memory, "free": node.memory - memory}
    row: Row = {"uptime": int(call.world.now() - node.booted), "cpu": 0.01, "wait": 0, "idle": 0}
    row |= {"loadavg": ["0.05", "0.10", "0.08"], "ksm": {"shared": 0}}
    row |= {"boot-info": {"mode": "efi"}, "swap": {"total": 0, "used": 0, "free": 0}}
    row |= {"kversion": f"Linux {release} #1 SMP PVE", "current-kernel": kernel}
    row |= {"pveversion": f"pve-manager/{call.cluster.version}/f6997e698c7933ea"}
    row["cpuinfo"] = cpu | ({"family": "25", "vendor": "AuthenticAMD"} if nine else {})
    row["memory"] = ram | ({"available": node.memory - memory} if nine else {})
    return row | {"rootfs": {"total": total, "used": used, "free": free, "avail": free}}


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


def _interface(call: Call, name: str, options: dict[str, str]) -> Row:
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


@route("GET /nodes/{node}/network/{iface}")
def get_interface(call: Call) -> Row:
    options = _planned(call).get(call["iface"])
    if options is None:
        raise invalid({"iface": "interface does not exist"})
    return _interface(call, call["iface"], options)


@route("PUT /nodes/{node}/network/{iface}")
def change_interface(call: Call) -> None:
    get_interface(call)
    left_out = ("node", "iface", "delete")
    options = {key: value for key, value in call.params.items() if key not in left_out}
    call.here.network_planned = _planned(call) | {call["iface"]: options}


@route("POST /nodes/{node}/network")
def create_interface(call: Call) -> None:
    if call["iface"] in _planned(call):
        raise invalid({"iface": "interface already exists"})
    call.here.network_planned = _planned(call) | {call["iface"]: {"type": call["type"]}}
    change_interface(call)


@route("DELETE /nodes/{node}/network/{iface}")
def delete_interface(call: Call) -> None:
    get_interface(call)
    planned = _planned(call).items()
    call.here.network_planned = {n: options for n, options in planned if n != call["iface"]}


@route("PUT /nodes/{node}/network")
def apply_network(call: Call) -> str:
    def work(task: Task) -> Work:
        yield call.world.duration("default")
        call.here.network, call.here.network_planned = _planned(call), {}
        call.here.bridges = [n for n, o in call.here.network.items() if o["type"] == "bridge"]

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


@route("GET /nodes/{node}/apt/versions")
def packages(call: Call) -> list[Row]:
    installed = {"pve-manager": call.cluster.version, **PACKAGES[call.cluster.release]}
    row: Row = {"CurrentState": "Installed", "Origin": "Proxmox", "Section": "admin"}
    row |= {"Priority": "optional", "Arch": "amd64"}
    return [
        {**row, "Package": name, "Title": name, "Description": name, "Version": text}
        for name, text in installed.items()
    ]


@route("GET /nodes/{node}/capabilities/qemu/cpu")
def cpu_models(call: Call) -> list[Row]:
    vendor_of = {name: vendor for vendor, names in DATA["cpu"].items() for name in names}
    rows: list[Row] = [{"name": n, "vendor": v, "custom": 0} for n, v in vendor_of.items()]
    for model in CPU_MODELS.all(call.cluster).values():
        vendor = vendor_of.get(model.options.get("reported-model", "kvm64"), "default")
        rows.append({"name": model.name, "vendor": vendor, "custom": 1})
    return rows


@route("GET /nodes/{node}/services")
def services(call: Call) -> list[Row]:
    state = "GET /nodes/{node}/services/{service}/state"
    names = load(call.cluster.release)[state].params["service"].enum
    up: Row = {"state": "running", "active-state": "active", "unit-state": "enabled"}
    return [{**up, "service": name, "name": name, "desc": name} for name in names]


@route("GET /nodes/{node}/services/{service}/state")
def service(call: Call) -> Row:
    return next(row for row in services(call) if row["service"] == call["service"])


@route("GET /nodes/{node}/certificates/info")
def certificates(call: Call) -> list[Row]:
    row: Row = {"filename": "pve-ssl.pem", "fingerprint": call.world.fingerprint}
    return [row | {"subject": f"/OU=PVE Cluster Node/CN={call.node}"}]


@route(
    "GET /nodes/{node}/rrddata",
    "GET /nodes/{node}/qemu/{vmid}/rrddata",
    "GET /nodes/{node}/storage/{storage}/rrddata",
)
def chart(call: Call) -> list[Row]:
    """Points up to now: empty before there was anything to see."""
    world, since, memory = call.world, call.here.booted, memory_used(call.world, call.here)
    if "vmid" in call:
        since, stats = call.vm().created, vm_stats(world, call.vm())
        figures = {key: stats[key] for key in ("maxmem", "maxdisk", "disk")}
        figures["maxcpu"] = stats["cpus"]
    elif "storage" in call:
        storage = storages.storage_of(call.cluster, call["storage"])
        total, used, _ = storages.space(call.cluster, storage, call.node)
        figures = {"total": total, "used": used}
    else:
        total, used, _ = root_space(world, call.here)
        figures = {"maxcpu": call.here.cpus, "cpu": 0.01, "iowait": 0, "loadavg": 0.05}
        figures |= {"memtotal": call.here.memory, "memused": memory, "swaptotal": 0, "swapused": 0}
        figures |= {"roottotal": total, "rootused": used, "netin": 0, "netout": 0}
    step, count = CHARTS[call.cluster.release][call["timeframe"]]
    last = int(world.now()) // step * step
    times = range(last - (count - 1) * step, last + 1, step)
    return [{"time": when, **(figures if when >= since else {})} for when in times]


# -- tasks -----------------------------------------------------------------------------------------


def _task_row(task: Task) -> Row:
    row: Row = {"upid": task.upid, "node": task.node, "pid": task.pid, "pstart": task.pstart}
    row |= {"starttime": int(task.starttime), "type": task.type, "id": task.id, "user": task.user}
    return row | ({"tokenid": task.token} if task.token else {})


def _own(call: Call, task: Task) -> bool:
    return call.user == (f"{task.user}!{task.token}" if task.token else task.user)


def _find(call: Call) -> Task | None:
    if not UPID.fullmatch(call["upid"]):
        raise invalid({"upid": "unable to parse worker upid"})
    task = call.world.tasks.find(call["upid"])
    if task is None or task.node != call.node:
        return None
    if not _own(call, task):
        call.require(f"/nodes/{call.node}", "Sys.Audit")
    return task


def _known_task(call: Call) -> Task:
    task = _find(call)
    if task is None:
        raise invalid({"upid": "no such task"})
    return task


def _outcome(task: Task) -> str:
    """Of a task that has ended, by its status, as filters name it."""
    kind = "warning" if task.status.startswith("WARNINGS") else "error"
    return {"OK": "ok", VANISHED: "unknown"}.get(task.status, kind)


def _wanted(call: Call, task: Task) -> bool:
    outcomes = call.items_of("statusfilter") or [_outcome(task)]
    return (
        call.get("source", "archive") in ("all", "archive" if task.endtime else "active")
        and not (call.flag("errors") and _outcome(task) == "ok")
        and call.get("vmid", task.id) == task.id
        and call.get("typefilter", task.type) == task.type
        and call.get("userfilter") in task.user
        and call.whole("since") <= task.starttime
        and task.starttime <= call.whole("until", int(task.starttime) + 1)
        and _outcome(task) in outcomes
    )


@route("GET /nodes/{node}/tasks")
def node_tasks(call: Call) -> Page:
    every = call.may(f"/nodes/{call.node}", "Sys.Audit")
    rows = []
    for task in reversed(call.cluster.tasks):
        if task.node == call.node and (every or _own(call, task)) and _wanted(call, task):
            running: Row = {"status": "RUNNING", "saved": "0"}
            ended: Row = {"status": task.status, "endtime": int(task.endtime or 0)}
            rows.append(_task_row(task) | (ended if task.endtime else running))
    start = call.whole("start")
    return Page(rows[start : start + call.whole("limit", 50)], len(rows))


@route("GET /cluster/tasks")
def cluster_tasks(call: Call) -> list[Row]:
    """All that run, and each node's latest that have ended."""
    rows, ended = [], Counter[str]()
    every = {node for node in call.cluster.nodes if call.may(f"/nodes/{node}", "Sys.Audit")}
    for task in reversed(call.cluster.tasks):
        ended[task.node] += task.endtime is not None
        latest = task.endtime is None or ended[task.node] <= CLUSTER_LIST
        if latest and (task.node in every or _own(call, task)):
            row = _task_row(task)
            del row["pid"], row["pstart"]
            if task.endtime is not None:
                row |= {"status": task.status, "endtime": int(task.endtime), "saved": "1"}
            rows.append(row)
    return rows


@route("GET /nodes/{node}/tasks/{upid}/status")
def task_status(call: Call) -> Row:
    task = _known_task(call)
    ended = {"status": "stopped", "exitstatus": task.status}
    return _task_row(task) | ({"status": "running"} if task.endtime is None else ended)


@route("GET /nodes/{node}/tasks/{upid}/log")
def task_log(call: Call) -> object:
    task = _find(call)
    if task is None:
        row: Row = {"n": 1, "t": "unable to open file - No such file or directory"}
        return Page([row] if call.cluster.release != "8" else row, 1)
    if call.flag("download"):
        return Text("\n".join(task.log) + "\n")
    lines = task.log or ["no content"]
    start, limit = call.whole("start"), call.whole("limit", 50) or len(lines)
    shown = enumerate(lines[start : start + limit], start + 1)
    return Page([{"n": number, "t": line} for number, line in shown], len(lines))


@route("DELETE /nodes/{node}/tasks/{upid}")
def stop_task(call: Call) -> None:
    call.world.tasks.stop(_known_task(call).upid)
