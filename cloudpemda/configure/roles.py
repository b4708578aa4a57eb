"""Our playbooks, as they are installed: where they lie, and which variables their roles declare."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml

import cloudpemda

PLAYBOOKS = (
    "preflight", "base", "network", "hardening", "cluster", "storage", "access", "images",
    "monitoring", "maintenance", "upgrade",
)  # fmt: skip
"""Those for the servers of a cluster, in the order in which bare ones need them."""


def playbooks() -> Path:
    """Their directory: in the wheel, or beside the package in a checkout."""
    package = Path(cloudpemda.__file__).parent
    inside = package / "_playbooks"
    return inside if inside.is_dir() else package.parent / "playbooks"


@cache
def role_variables() -> Mapping[str, frozenset[str]]:
    """Role → names of the variables that it declares in its argument specification."""
    found = {}
    for spec in sorted(playbooks().glob("roles/*/meta/argument_specs.yml")):
        said = yaml.safe_load(spec.read_text())["argument_specs"]
        names = {name for entry in said.values() for name in entry.get("options", {})}
        found[spec.parents[1].name] = frozenset(names)
    return found


def role_of(variable: str) -> str | None:
    """The role that a variable belongs to by its name, longest first; None for none."""
    for role in sorted(role_variables(), key=len, reverse=True):
        if variable.startswith(f"{role.replace('-', '_')}_"):
            return role
    return None


def group_variables() -> tuple[str, ...]:
    """The variables by which roles are told the group of the cluster that they work on."""
    named = ((role, f"{role.replace('-', '_')}_group") for role in role_variables())
    return tuple(name for role, name in named if name in role_variables()[role])
