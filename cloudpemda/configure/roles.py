"""Our playbooks, as they are installed: where they lie, and which variables their roles declare."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

import cloudpemda

CLUSTERS = "clusters"
"""The servers of clusters: a group for each, called as it."""

BACKUP_SERVERS = "backup_servers"
"""The group of the servers that keep backups: they are in no cluster."""

DESK = "desk"
"""The group of the machine that runs this program for the site: it is in no cluster either."""

_ALL = (BACKUP_SERVERS, CLUSTERS, DESK)

PLAYBOOKS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "preflight": (CLUSTERS,), "base": _ALL, "proxmox": (BACKUP_SERVERS, CLUSTERS),
    "network": (CLUSTERS,), "hardening": _ALL,
    "cluster": (CLUSTERS,), "backup_server": (BACKUP_SERVERS,), "storage": (CLUSTERS,),
    "access": (CLUSTERS,), "images": (CLUSTERS,), "cloudpemda": (DESK,), "monitoring": _ALL,
    "maintenance": (CLUSTERS,), "upgrade": (CLUSTERS,),
})  # fmt: skip
"""Playbook → the kinds of servers that it is for, in the order in which bare ones need them."""


LOOKS = "looks"
"""What `nodes check --reach` plays on all kinds of servers: it changes nothing."""


def kind_of(group: str) -> str:
    """Which kind of servers a group of the inventory has."""
    return group if group in {BACKUP_SERVERS, DESK} else CLUSTERS


def playbooks() -> Path:
    """Their directory: in the wheel, or beside the package in a checkout."""
    package = Path(cloudpemda.__file__).parent
    inside = package / "_playbooks"
    return inside if inside.is_dir() else package.parent / "playbooks"


@cache
def role_variables() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """Role → the variables that it declares in its argument specification, each with its rule.
    Roles of VMs (`vm_…`) are not the servers': no inventory speaks of them."""
    found = {}
    for spec in sorted(playbooks().glob("roles/*/meta/argument_specs.yml")):
        if spec.parents[1].name.startswith("vm_"):
            continue
        said = yaml.safe_load(spec.read_text())["argument_specs"]
        rules = [entry.get("options", {}) for entry in said.values()]
        found[spec.parents[1].name] = {name: rule for one in rules for name, rule in one.items()}
    return found


def role_of(variable: str) -> str | None:
    """The role that a variable belongs to by its name, longest first; None for none."""
    for role in sorted(role_variables(), key=len, reverse=True):
        if variable.startswith(f"{role.replace('-', '_')}_"):
            return role
    return None


@cache
def tags_of(playbook: str) -> frozenset[str]:
    """The tags that its plays and the tasks of their roles have; `all` means every task."""
    found = {"all"}
    for said in _said(playbooks() / f"{playbook}.yml"):
        if "tags" in said:
            tags = said["tags"]
            found.update([tags] if isinstance(tags, str) else tags)
        if "ansible.builtin.import_playbook" in said:
            found |= tags_of(said["ansible.builtin.import_playbook"].removesuffix(".yml"))
    return frozenset(found)


def _said(file: Path) -> Iterator[Mapping[str, Any]]:
    """Every mapping in a file of plays or tasks, and in the tasks of the roles that it names."""
    left: list[object] = [yaml.safe_load(file.read_text())]
    while left:
        one = left.pop()
        if isinstance(one, list):
            left.extend(one)
        if not isinstance(one, dict):
            continue
        yield one
        left.extend(one.values())
        role = one.get("role") or (one.get("ansible.builtin.include_role") or {}).get("name")
        if role is not None:
            tasks = sorted((playbooks() / "roles" / role).glob("tasks/*.yml"))
            left.extend(yaml.safe_load(task.read_text()) for task in tasks)


def group_variables() -> tuple[str, ...]:
    """The variables by which roles are told the group of the cluster that they work on."""
    named = ((role, f"{role.replace('-', '_')}_group") for role in role_variables())
    return tuple(name for role, name in named if name in role_variables()[role])
