"""What a request may have set up inside its VMs: a closed list, each with few and typed settings.

A role's `revision` goes up when what it does changes: VMs that were configured by an older one are
told to await `vm configure`. The roles themselves are Ansible's (`playbooks/roles/vm_<name>`); this
room knows their names and settings only, each setting of one strict form.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

REVISIONS: Mapping[str, int] = MappingProxyType({"nginx": 1, "postgresql": 1})
"""Role → how often what it does has changed, from 1."""

DATABASE = r"[a-z][a-z0-9_]{0,30}"
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
HOST = rf"{_LABEL}(\.{_LABEL})*"
LONGEST_HOST = 253

SSH_PORT = 22


@dataclass(frozen=True, order=True)
class RoleSpec:
    """One role of a kind of VM; settings by name, as their document writes them."""

    name: str
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def words(self) -> str:
        """`postgresql (database simrs)`."""
        said = ", ".join(f"{name} {value}" for name, value in self.settings)
        return f"{self.name} ({said})" if said else self.name


def digest_of(role: RoleSpec, networks: Iterable[str]) -> str:
    """SHA-256, hex, of all that decides what the role makes of a VM in these networks (CIDR)."""
    said = [role.name, REVISIONS.get(role.name, 0), role.settings, sorted(networks)]
    return hashlib.sha256(json.dumps(said, separators=(",", ":")).encode()).hexdigest()
