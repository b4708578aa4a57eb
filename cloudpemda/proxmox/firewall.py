"""PVE's firewall as typed calls: the datacenter's switch, security groups, and those of VMs."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import TypeVar

from cloudpemda.cluster import Firewall, FirewallRule, VmFirewall
from cloudpemda.proxmox.errors import BadAnswer, NodeOffline, NotFound, PveError
from cloudpemda.proxmox.rows import Row, row, rows
from cloudpemda.proxmox.transport import Transport

_READERS = 4
_NO_MATTER = frozenset({"action", "comment", "digest", "enable", "ipversion", "pos", "type"})
_SERVICE = "pve-firewall"

_OPTIONS = "/cluster/firewall/options"
_GROUPS = "/cluster/firewall/groups"
_GROUP = "/cluster/firewall/groups/{group}"
_VM_OPTIONS = "/nodes/{node}/qemu/{vmid}/firewall/options"
_VM_RULES = "/nodes/{node}/qemu/{vmid}/firewall/rules"

_Key = TypeVar("_Key")
_Found = TypeVar("_Found")


class FirewallCalls:
    """The firewall of one cluster. Safe for many threads; every method may raise PveError.

    Rules are known by their place, so what deletes one takes the digest that its list had:
    Changed is raised if another hand was faster.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def read(self, vms: Mapping[int, str], groups: Iterable[str], nodes: Iterable[str]) -> Firewall:
        """The firewall as it is now, with these VMs (VMID → node), groups and nodes.

        Two requests, one per group that is there and per node, two per VM. A VM or node that does
        not answer is left out: unknown.
        """
        options = self.options()
        comments = self.groups()
        wanted = sorted(comments.keys() & set(groups))
        with ThreadPoolExecutor(_READERS) as readers:
            ruled = _each(readers, wanted, self.group_rules)
            guests = _each(readers, sorted(vms), lambda vmid: self.vm(vms[vmid], vmid))
            services = _each(readers, sorted(set(nodes)), self.runs_on)
        for group in wanted:
            if isinstance(failed := ruled[group], PveError):
                raise failed
        return Firewall(
            enabled=options.integer("enable", 0) != 0,
            policy_in=options.optional("policy_in"),
            comments=comments,
            groups=MappingProxyType(_sound(ruled)),
            vms=MappingProxyType(_sound(guests)),
            nodes=MappingProxyType(_sound(services)),
        )

    # -- the cluster -----------------------------------------------------------------------
    def options(self) -> Row:
        """The datacenter's options: `enable`, `policy_in`, `digest`; what is not set lacks."""
        return self._row(_OPTIONS)

    def enable(self, policy_in: str, digest: str | None) -> None:
        """Switch the datacenter's firewall on, with what it does to packets for the hosts."""
        form = {"enable": "1", "policy_in": policy_in}
        self._transport.write(
            "PUT", _OPTIONS, form | ({} if digest is None else {"digest": digest})
        )

    def groups(self) -> Mapping[str, str]:
        """Security group → its comment."""
        found = self._rows(_GROUPS)
        return MappingProxyType({one.text("group"): one.text("comment", "") for one in found})

    def create_group(self, group: str, comment: str) -> None:
        """A taken name is refused as WrongParameter or Exists."""
        self._transport.write("POST", _GROUPS, {"group": group, "comment": comment})

    def delete_group(self, group: str) -> None:
        """Raises OtherError for one that has rules. That VMs name it does not hinder PVE."""
        self._transport.delete(_GROUP, group=group)

    def group_rules(self, group: str) -> tuple[FirewallRule, ...]:
        return tuple(map(_rule, self._rows(_GROUP, group=group)))

    def add_group_rule(self, group: str, rule: FirewallRule) -> None:
        """Before the others."""
        self._transport.write("POST", _GROUP, _form(rule), group=group)

    def delete_group_rule(self, group: str, rule: FirewallRule) -> None:
        template = f"{_GROUP}/{{pos}}"
        self._transport.delete(template, {"digest": rule.digest}, group=group, pos=rule.place)

    # -- nodes -----------------------------------------------------------------------------
    def runs_on(self, node: str) -> bool:
        """Whether the service that carries out the rules runs on a node."""
        template = "/nodes/{node}/services/{service}/state"
        return self._row(template, node=node, service=_SERVICE).text("state") == "running"

    # -- VMs -------------------------------------------------------------------------------
    def vm(self, node: str, vmid: int) -> VmFirewall:
        options = self._row(_VM_OPTIONS, node=node, vmid=vmid)
        return VmFirewall(
            enabled=options.flag("enable"),
            policy_in=options.text("policy_in", "DROP"),
            policy_out=options.text("policy_out", "ACCEPT"),
            rules=tuple(map(_rule, self._rows(_VM_RULES, node=node, vmid=vmid))),
        )

    def close_vm(self, node: str, vmid: int) -> None:
        """Switch a VM's firewall on: what no rule lets in stays out, what it sends goes out."""
        form = {"enable": "1", "policy_in": "DROP", "policy_out": "ACCEPT"}
        self._transport.write("PUT", _VM_OPTIONS, form, node=node, vmid=vmid)

    def add_vm_rule(self, node: str, vmid: int, rule: FirewallRule) -> None:
        """Before the others."""
        self._transport.write("POST", _VM_RULES, _form(rule), node=node, vmid=vmid)

    def delete_vm_rule(self, node: str, vmid: int, rule: FirewallRule) -> None:
        template, query = f"{_VM_RULES}/{{pos}}", {"digest": rule.digest}
        self._transport.delete(template, query, node=node, vmid=vmid, pos=rule.place)

    # -- the transport ---------------------------------------------------------------------
    def _row(self, template: str, **parts: str | int) -> Row:
        answer = self._transport.get(template, None, **parts)
        return row(template, answer, self._transport.bad_answer)

    def _rows(self, template: str, **parts: str | int) -> list[Row]:
        answer = self._transport.get(template, None, **parts)
        return rows(template, answer, self._transport.bad_answer)


def _rule(found: Row) -> FirewallRule:
    return FirewallRule(
        kind=found.text("type"),
        action=found.text("action"),
        enabled=found.integer("enable", 0) != 0,
        options=frozenset(
            (key, found.text(key)) for key, _ in found.items() if key not in _NO_MATTER
        ),
        place=found.integer("pos"),
        digest=found.text("digest", ""),
    )


def _form(rule: FirewallRule) -> dict[str, str]:
    said = {"type": rule.kind, "action": rule.action, "enable": str(int(rule.enabled))}
    return said | dict(rule.options)


def _each(
    readers: ThreadPoolExecutor, asked: Iterable[_Key], read: Callable[[_Key], _Found]
) -> dict[_Key, _Found | PveError]:
    def one(key: _Key) -> _Found | PveError:
        try:
            return read(key)
        except BadAnswer:
            raise
        except (NodeOffline, NotFound) as error:
            return error

    keys = list(asked)
    return dict(zip(keys, readers.map(one, keys), strict=True))


def _sound(found: Mapping[_Key, _Found | PveError]) -> dict[_Key, _Found]:
    return {key: value for key, value in found.items() if not isinstance(value, PveError)}
