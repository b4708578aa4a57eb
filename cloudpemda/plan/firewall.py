"""Who reaches a VM from outside: what a request exposes, as PVE's firewall says it.

Each kind of VM has a security group of the cluster, and a VM that exposes anything has one rule
of its own: that group. Three switches must be on for it to count: the datacenter's, the VM's, and
`firewall=1` of each NIC (which `pve_config` sets in every VM that cloudpemda made); and the service
must run on the node.

What is let in is said with networks and not with names: the group stands for itself, and nobody who
edits an IP set opens a VM.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from ipaddress import IPv4Network, collapse_addresses

from cloudpemda.cluster import Firewall, FirewallRule, VmConfig, VmFirewall
from cloudpemda.errors import Refused, Unreachable
from cloudpemda.plan.model import Aspect, DesiredFirewall, DesiredVm, Difference
from cloudpemda.request.spec import VmSpec, WorkloadSpec
from cloudpemda.site.models import FirewallSettings, Network

_LONGEST_SOURCE = 512
"""PVE's limit for the source of a rule (pve-fw-addr-spec)."""

_HOSTS_OPEN = "ACCEPT"


def group_name(kind: str) -> str:
    """The security group of one kind of VM, `dinkes/simrs/db`: PVE allows 18 characters."""
    return "cp-" + hashlib.sha256(kind.encode()).hexdigest()[:12]


def group_comment(kind: str) -> str:
    """What a security group says of itself, so that it is known to be ours."""
    return f"cloudpemda {kind}"


def kind_of(key: str) -> str:
    """The kind of VM that an instance (`dinkes/simrs/db-1`) is one of: `dinkes/simrs/db`."""
    return key.rpartition("-")[0]


def firewall_of(
    spec: WorkloadSpec,
    vm: VmSpec,
    settings: FirewallSettings,
    networks: Mapping[str, Network],
    offices: Mapping[str, Collection[str]],
) -> DesiredFirewall | None:
    """What a kind of VM exposes; None where its request says nothing of it.

    `opd` are the OPD's networks and its offices, `pemda` those of all, and what the site adds.
    """
    if vm.expose is None:
        return None
    theirs = [one.cidr for one in networks.values() if one.opd == spec.opd]
    everybody = [one.cidr for one in networks.values()]
    everybody += [cidr for several in offices.values() for cidr in several]
    sources = {
        "opd": _sources([*theirs, *offices.get(spec.opd, ())]),
        "pemda": _sources([*everybody, *settings.pemda]),
        "internet": ("",),
    }
    kind = f"{spec.key}/{vm.name}"
    return DesiredFirewall(
        group=group_name(kind),
        comment=group_comment(kind),
        rules=tuple(
            _admitting(one.protocol, one.port, source)
            for one in vm.expose
            for source in sources[one.source]
        ),
        managed=settings.datacenter == "managed",
    )


def group_rule(wanted: DesiredFirewall) -> FirewallRule:
    """The one rule that a VM has."""
    return FirewallRule("group", wanted.group, enabled=True, options=frozenset())


def nodes_of(vm: DesiredVm) -> frozenset[str]:
    """The nodes on which the VM is, or may come to be by its protection."""
    targets = (one.target for one in vm.protection.replication)
    return frozenset((vm.node, *vm.protection.ha_nodes, *targets))


def differences(
    vm: DesiredVm, node: str | None, seen: Firewall | None, cluster: str
) -> Iterator[Difference]:
    """What is to be done for a VM that exposes something; nothing for others. `node` is where it
    is, None for a VM that is not there yet.

    Raises Refused where that is for a person: the datacenter's firewall is off and the site does
    not manage it (`plan.firewall-off`) or cannot turn it on safely (`plan.firewall-lockout`), a
    group of our name is somebody else's (`plan.firewall-foreign`), or a node carries no rules out
    (`plan.firewall-node`); Unreachable (`plan.unknown`) for what was not read.
    """
    wanted, vmid = vm.firewall, vm.identity.vmid
    if wanted is None:
        return
    if seen is None or (node is not None and vmid not in seen.vms):
        raise Unreachable("plan.unknown", vm=vm.key, vmid=vmid, cluster=cluster, what="firewall")
    for one in sorted(nodes_of(vm) | {node or vm.node}):
        if not seen.nodes.get(one, True):
            raise Refused("plan.firewall-node", vm=vm.key, cluster=cluster, node=one)
    if must_enable(wanted, seen.enabled, seen.policy_in, cluster):
        yield Difference(Aspect.FIREWALL, "datacenter", "off", "on")
    yield from _group(wanted, seen, cluster)
    yield from _vm(wanted, None if node is None else seen.vms[vmid])


def must_enable(
    wanted: DesiredFirewall, enabled: bool, policy_in: str | None, cluster: str
) -> bool:
    """Whether the datacenter's firewall is off and is ours to turn on.

    Turned on, it also guards the hosts: what it would do to packets for them must be known to
    keep nobody out. Raises Refused `plan.firewall-off`, `plan.firewall-lockout`.
    """
    if enabled:
        return False
    if not wanted.managed:
        raise Refused("plan.firewall-off", cluster=cluster)
    if policy_in not in (None, _HOSTS_OPEN):
        raise Refused("plan.firewall-lockout", cluster=cluster, policy=policy_in)
    return True


def require_switches(vm: DesiredVm, config: VmConfig) -> None:
    """The NICs of an adopted VM are left as they are, so each must have its switch on already.

    Raises Refused `plan.firewall-nic`.
    """
    for nic in config.nics:
        if not nic.firewall:
            values = {"vmid": vm.identity.vmid, "nic": nic.slot, "bridge": nic.bridge}
            raise Refused("plan.firewall-nic", vm=vm.key, **values)


def require_ours(wanted: DesiredFirewall, comments: Mapping[str, str], cluster: str) -> bool:
    """Whether the security group is there. Raises Refused `plan.firewall-foreign` where it does
    not say that it is ours."""
    found = comments.get(wanted.group)
    if found is not None and found != wanted.comment:
        values = {"group": wanted.group, "comment": found[:80]}
        raise Refused("plan.firewall-foreign", cluster=cluster, **values)
    return found is not None


def missing(wanted: Iterable[FirewallRule], there: Collection[FirewallRule]) -> list[FirewallRule]:
    """The rules that a list lacks."""
    present = {_normal(rule) for rule in there}
    return [rule for rule in sorted(wanted, key=_text) if _normal(rule) not in present]


def surplus(wanted: Iterable[FirewallRule], there: Iterable[FirewallRule]) -> list[FirewallRule]:
    """The rules that must not stand in a list, the last one first: so their places stay true."""
    left = {_normal(rule) for rule in wanted}
    found: list[FirewallRule] = []
    for rule in there:
        if _normal(rule) in left:
            left.discard(_normal(rule))  # once is enough
        else:
            found.append(rule)
    return sorted(found, key=lambda rule: -rule.place)


def closed(there: VmFirewall) -> bool:
    """Whether a VM's own firewall is on and lets in only what a rule says."""
    return (there.enabled, there.policy_in, there.policy_out) == (True, "DROP", "ACCEPT")


def _group(wanted: DesiredFirewall, seen: Firewall, cluster: str) -> Iterator[Difference]:
    if not require_ours(wanted, seen.comments, cluster):
        yield Difference(Aspect.FIREWALL, wanted.group, "", wanted.comment)
    rules = seen.groups.get(wanted.group, ())
    for rule in missing(wanted.rules, rules):
        yield Difference(Aspect.FIREWALL, f"{wanted.group}.rule", "", _text(rule))
    for rule in surplus(wanted.rules, rules):
        yield Difference(Aspect.FIREWALL, f"{wanted.group}.rule", _text(rule), "")


def _vm(wanted: DesiredFirewall, there: VmFirewall | None) -> Iterator[Difference]:
    rules = () if there is None else there.rules
    own = (group_rule(wanted),)
    if there is None or not closed(there):
        shown = "off" if there is None or not there.enabled else there.policy_in
        yield Difference(Aspect.FIREWALL, "vm", shown, "on, in DROP")
    for rule in missing(own, rules):
        yield Difference(Aspect.FIREWALL, "vm.rule", "", _text(rule))
    for rule in surplus(own, rules):
        yield Difference(Aspect.FIREWALL, "vm.rule", _text(rule), "")


def _admitting(protocol: str, port: int, source: str) -> FirewallRule:
    said = {("proto", protocol), ("dport", str(port))}
    if source:
        said.add(("source", source))
    return FirewallRule("in", "ACCEPT", enabled=True, options=frozenset(said))


def _sources(cidrs: Iterable[str]) -> tuple[str, ...]:
    """Networks as the sources of as few rules as hold them; none for none."""
    lines: list[str] = []
    for network in collapse_addresses(IPv4Network(cidr) for cidr in cidrs):
        shown = str(network)
        if lines and len(lines[-1]) + len(shown) < _LONGEST_SOURCE:
            lines[-1] += f",{shown}"
        else:
            lines.append(shown)
    return tuple(lines)


def _normal(rule: FirewallRule) -> tuple[object, ...]:
    options = {
        (key, frozenset(value.split(",")) if key == "source" else value)
        for key, value in rule.options
    }
    return rule.kind, rule.action, rule.enabled, frozenset(options)


def _text(rule: FirewallRule) -> str:
    options = (f"{key}={value}" for key, value in sorted(rule.options))
    off = () if rule.enabled else ("disabled",)
    return " ".join((rule.kind, rule.action, *options, *off))
