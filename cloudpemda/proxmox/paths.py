"""API paths from templates: what comes from outside is checked before it stands in a path."""

import re
from typing import NewType
from urllib.parse import quote

from cloudpemda.proxmox.errors import UnsafeName

Upid = NewType("Upid", str)

# Node names, storage and pool ids, sids, job ids and UPIDs all fit; `/`, `..`, `?`, `#`, `%`,
# spaces and control characters do not.
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@!-]{0,199}")
_SLOT = re.compile(r"\{([a-z]+)\}")
_UPID = re.compile(
    r"UPID:([A-Za-z0-9-]{1,63}):[0-9A-F]{8,9}:[0-9A-F]{8,9}:[0-9A-F]{8}:"
    r"[A-Za-z0-9_-]+:[^:\s/]*:[^:\s/]+:"
)


def fill(template: str, parts: dict[str, str | int]) -> str:
    """`/nodes/{node}/qemu/{vmid}/config` with its parts. Raises UnsafeName for a hostile one."""

    def one(found: re.Match[str]) -> str:
        value = str(parts[found[1]])
        if _SEGMENT.fullmatch(value) is None:
            raise UnsafeName("pve.name", name=found[1], text=value[:80])
        return quote(value, safe=":@!")

    return _SLOT.sub(one, template)


def parse_upid(text: object) -> Upid | None:
    """The task id if it is one; None for anything else."""
    if isinstance(text, str) and _UPID.fullmatch(text):
        return Upid(text)
    return None


def upid_node(upid: Upid) -> str:
    """The node that a task belongs to: only there it can be read."""
    return upid.split(":", 2)[1]


def upid_kind(upid: Upid) -> str:
    """What PVE calls such a task, e.g. `resize`."""
    return upid.split(":")[5]


def upid_works_on(upid: Upid, vmid: int) -> bool:
    """Whether a task may be at work on a guest: it names it, or it is a backup of several."""
    kind, subject = upid.split(":")[5:7]
    return subject == str(vmid) or (kind == "vzdump" and not subject)
