"""Software-defined networks: zones, VNets and subnets, asked for first and applied together.

What is configured waits until `PUT /cluster/sdn` makes it the running state; then a VNet is a
bridge that NICs may use, with SDN.Use on its path below its zone.
"""

import ipaddress
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

from cloudpemda.lab.errors import found, refuse_if
from cloudpemda.lab.routes import HANDLERS, Row, route
from cloudpemda.lab.sections import File, held_at, shown
from cloudpemda.lab.state import Cluster, Section, Task
from cloudpemda.lab.work import Work
from cloudpemda.lab.world import Call

ROOT = "/cluster/sdn"
INVALID = "400 Parameter verification failed.\n"
SEEN = ("SDN.Audit", "SDN.Allocate")
REQUIRED = {"vlan": ("bridge",), "qinq": ("tag", "bridge"), "evpn": ("controller", "vrf-vxlan")}
TAGGED = {"vlan": "vlan", "qinq": "vlan", "vxlan": "vxlan", "evpn": "vxlan"}  # VNets, by their zone
# Where PVE's own refusals name a line of its source, by release.
SOURCE = "at /usr/share/perl5/PVE/{} line {}."
ZONE_USED, ZONE_UNKNOWN = {"8": 159, "9": 149}, {"8": 232, "9": 326}


def vnet_path(vnet: Section) -> str:
    return f"/sdn/zones/{vnet.options['zone']}/{vnet.name}"


def bridge_path(cluster: Cluster, bridge: str) -> str:
    """Where SDN.Use is looked for, for a bridge or a VNet."""
    vnet = VNETS.all(cluster).get(bridge)
    return vnet_path(vnet) if vnet else f"/sdn/zones/localnetwork/{bridge}"


def zones_on(cluster: Cluster, node: str) -> dict[str, Section]:
    """The zones that run on a node."""
    zones = ZONES.running(cluster).items()
    return {
        name: zone for name, zone in zones if node in zone.options.get("nodes", node).split(",")
    }


def vnets_on(call: Call, zone: str = "") -> list[Section]:
    """The VNets that run on the call's node and that the caller may see."""
    zones, vnets = zones_on(call.cluster, call.node), VNETS.running(call.cluster).values()
    here = [v for v in vnets if v.options["zone"] in zones and zone in ("", v.options["zone"])]
    return [v for v in here if call.may(vnet_path(v), *SEEN, "SDN.Use", any_of=True)]


def interfaces(call: Call) -> dict[str, Row]:
    """The same VNets as network interfaces."""
    zones, rows = zones_on(call.cluster, call.node), dict[str, Row]()
    for vnet in vnets_on(call):
        options, managed = vnet.options, "ipam" in zones[vnet.options["zone"]].options
        rows[vnet.name] = {"type": "vnet", "active": "1", "ipam": int(managed)}
        rows[vnet.name]["vlanaware"] = int(options.get("vlanaware", 0))
        rows[vnet.name] |= {"comments": options["alias"]} if "alias" in options else {}
    return rows


@dataclass(frozen=True)
class Objects(File):
    """A file with two states: `pending` shows how what is configured differs from what runs."""

    taken: str = "sdn {key} object ID '{}' already defined"
    missing: str = "sdn '{}' does not exist"
    prefix: str = "{} sdn {key} object failed: "
    lock: str = "file-sdn__running-config"
    fixed: frozenset[str] = frozenset({"lock-token", "pending", "running"})

    def running(self, cluster: Cluster) -> dict[str, Section]:
        return cluster.sdn_running.get(self.path, {})

    def seen(self, call: Call) -> dict[str, Section]:
        wanted = {} if call.flag("running") else self.all(call.cluster)
        now = self.running(call.cluster)
        return now | wanted if call.flag("pending") or call.flag("running") else wanted

    def row(self, call: Call, section: Section) -> Row:
        now = self.running(call.cluster).get(section.name)
        if not call.flag("pending"):
            return super().row(call, section)
        row = super().row(call, now or Section(section.name, section.type))
        old: Mapping[str, str] = now.options if now else {}
        if section.name not in self.all(call.cluster):
            return row | {"state": "deleted", "pending": {}}
        changes = {key: value for key, value in section.options.items() if old.get(key) != value}
        changes |= {key: "deleted" for key in old if key not in section.options}
        if now and not changes:
            return row
        pending = shown(call.cluster.release, self.made_by, changes, section.type)
        return row | {"state": "changed" if now else "new", "pending": pending}

    def signature(self, call: Call, verb: str) -> Row:
        plain = not call.flag("pending") and not call.flag("running")
        return super().signature(call, verb) if plain else {"digest": None}


def _check_zone(call: Call, zone: Section, verb: str) -> None:
    for name in REQUIRED.get(zone.type, ()):
        refuse_if(name not in zone.options, f"missing value for required option '{name}'")


def _leave_zone(call: Call, zone: Section) -> None:
    where = SOURCE.format("Network/SDN/Zones/Plugin.pm", ZONE_USED[call.cluster.release])
    for vnet in VNETS.all(call.cluster).values():
        said = f"zone {zone.name} is used by vnet {vnet.name} {where}"
        refuse_if(vnet.options["zone"] == zone.name, f"delete sdn zone object failed: {said}")


def _vnet_gate(call: Call, verb: str) -> None:
    """A VNet's rights lie below its zone, which a call on it does not name."""
    vnet = VNETS.all(call.cluster).get(call.get("vnet"))
    if verb != "index" and vnet:
        privileges = SEEN if verb == "read" else SEEN[1:]
        call.require(vnet_path(vnet), *privileges, any_of=True)


def _check_vnet(call: Call, vnet: Section, verb: str) -> None:
    prefix = VNETS.failure(verb)
    where = SOURCE.format("API2/Network/SDN/Vnets.pm", ZONE_UNKNOWN[call.cluster.release])
    zone = ZONES.all(call.cluster).get(vnet.options["zone"])
    zone = found(zone, f"{prefix}cannot lookup undefined type! {where}")
    tag = TAGGED.get(zone.type)
    refuse_if(tag and "tag" not in vnet.options, f"{prefix}{INVALID}tag: missing {tag} tag\n")


def _leave_vnet(call: Call, vnet: Section) -> None:
    used = any(s.options["vnet"] == vnet.name for s in SUBNETS.all(call.cluster).values())
    said = f"{INVALID}vnet: Can't delete vnet if subnets exists\n"
    refuse_if(used, f"delete sdn vnet object failed: {said}")


def _subnet_name(call: Call, given: str) -> str:
    """Subnets are named by their zone and network: `zone-10.0.0.0-24`."""
    vnet = found(VNETS.all(call.cluster).get(call["vnet"]), f"sdn '{call['vnet']}' does not exist")
    return f"{vnet.options['zone']}-{given.replace('/', '-')}" if "/" in given else given


def _network(subnet: Section) -> dict[str, str]:
    zone, network, mask = subnet.name.split("-")
    return {"zone": zone, "network": network, "mask": mask, "cidr": f"{network}/{mask}"}


def _subnet_seen(call: Call, subnet: Section) -> bool:
    path = f"/sdn/zones/{_network(subnet)['zone']}/{call['vnet']}"
    return subnet.options["vnet"] == call["vnet"] and call.may(path, *SEEN, any_of=True)


def _check_subnet(call: Call, subnet: Section, verb: str) -> None:
    cidr, gateway = _network(subnet)["cidr"], subnet.options.get("gateway", "")
    outside = gateway and ipaddress.ip_address(gateway) not in ipaddress.ip_network(cidr)
    said = f"{INVALID}gateway: {gateway} is not in subnet {cidr}\n"
    refuse_if(outside, f"{verb} sdn subnet object failed: {said}")


ZONES = Objects(
    path=f"{ROOT}/zones", key="zone", check=_check_zone, leave=_leave_zone,
    visible=held_at("/sdn/zones", *SEEN),
)  # fmt: skip
VNETS = Objects(
    path=f"{ROOT}/vnets", key="vnet", kind="vnet", gate=_vnet_gate, check=_check_vnet,
    leave=_leave_vnet,
    visible=lambda call, vnet: call.may(vnet_path(vnet), *SEEN, any_of=True),
)  # fmt: skip
SUBNETS = Objects(
    path=f"{ROOT}/vnets/{{vnet}}/subnets", key="subnet", gate=_vnet_gate, check=_check_subnet,
    missing="sdn subnet '{}' does not exist", naming=_subnet_name,
    visible=_subnet_seen,
    show=lambda call, subnet: {**_network(subnet)},
)  # fmt: skip
IPAMS = Objects(
    path=f"{ROOT}/ipams", key="ipam", visible=held_at("/sdn/ipams", *SEEN),
    sections=lambda cluster: cluster.files.setdefault("ipams", {"pve": Section("pve", "pve")}),
)  # fmt: skip
CONTROLLERS = Objects(
    path=f"{ROOT}/controllers", key="controller", visible=held_at("/sdn/controllers", *SEEN)
)
NAMESERVERS = Objects(path=f"{ROOT}/dns", key="dns", visible=held_at("/sdn/dns", *SEEN))
for _file in (ZONES, VNETS, SUBNETS, IPAMS, CONTROLLERS, NAMESERVERS):
    _file.serve()
HANDLERS["GET /cluster/sdn/ipams/{ipam}/status"] = lambda call: []
HANDLERS["GET /cluster/sdn/fabrics/all"] = lambda call: {"fabrics": [], "nodes": []}


@route("PUT /cluster/sdn")
def apply(call: Call) -> str:
    """What is configured is what runs from now on; each node reloads its network for it."""
    call.world.need_quorum()
    kept = {path: file for path, file in call.cluster.files.items() if path.startswith(ROOT)}
    call.cluster.sdn_running = deepcopy(kept)

    def work(task: Task) -> Work:
        for node in call.cluster.online:
            task.log.append(f"{node}: reloading network config")
            yield call.world.duration("default")

    return call.start("reloadnetworkall", "", work)


@route("GET /nodes/{node}/sdn/zones")
def node_zones(call: Call) -> list[Row]:
    zones = zones_on(call.cluster, call.node)
    seen = (zone for zone in zones if call.may(f"/sdn/zones/{zone}", "SDN.Audit"))
    return [{"zone": zone, "status": "available"} for zone in seen]


@route("GET /nodes/{node}/sdn/zones/{zone}/content")
def zone_content(call: Call) -> list[Row]:
    return [{"vnet": vnet.name, "status": "available"} for vnet in vnets_on(call, call["zone"])]
