"""Faults that concern several places of a request, or places that are not built yet.

They are looked for in the plain values, not in the model, because the model does not exist where
one field is wrong, and all faults of a document are to be told at once. What is malformed here is
passed over: the model says so.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from cloudpemda.document import DocumentPath, Source, shown
from cloudpemda.errors import Fault
from cloudpemda.request.roles import REVISIONS, SSH_PORT
from cloudpemda.request.spec import ADOPTED

NOT_YET_KEYS = ("keepTogether", "startAfter", "checks")

LONGEST_PVE_NAME = 63
"""A VM's name in PVE is a DNS label (RFC 1123)."""


@dataclass
class Complaints:
    """What was found, and the places of which the model need not speak any more."""

    source: Source
    faults: list[Fault] = field(default_factory=list)
    silent_at: set[DocumentPath] = field(default_factory=set)

    def add(self, code: str, path: DocumentPath, *, at_key: bool = False, **values: object) -> None:
        self.faults.append(self.source.fault(code, path, at_key=at_key, **values))


def complain(source: Source, flavors: Collection[str]) -> Complaints:
    """Every fault of the document's meaning; `flavors` are those that the catalogue knows."""
    found = Complaints(source)
    _equal_names(found, ("spec", "vms"))
    for index, vm in _mappings(source, ("spec", "vms")):
        here: DocumentPath = ("spec", "vms", index)
        _not_yet(found, here, vm)
        _size(found, here, vm, flavors)
        _equal_names(found, (*here, "disks"))
        _equal_names(found, (*here, "networks"))
        _root_disk(found, here)
        _keys(found, here, vm)
        _exposed(found, here, vm)
        _roles(found, here, vm)
        _pve_name(found, here, vm)
    return found


def _mappings(source: Source, path: DocumentPath) -> Iterator[tuple[int, dict[str, object]]]:
    entries = source.get(*path)
    if isinstance(entries, tuple):
        for index, entry in enumerate(entries):
            if isinstance(entry, dict):
                yield index, entry


def _equal_names(found: Complaints, path: DocumentPath) -> None:
    first: dict[str, int] = {}
    for index, entry in _mappings(found.source, path):
        name = entry.get("name")
        if not isinstance(name, str):
            continue
        here: DocumentPath = (*path, index, "name")
        if name in first:
            line = found.source.values_at[(*path, first[name], "name")][0]
            found.add("request.equal-names", here, name=shown(name), line=line)
        else:
            first[name] = index


def _not_yet(found: Complaints, here: DocumentPath, vm: dict[str, object]) -> None:
    for key in NOT_YET_KEYS:
        if key in vm:
            found.add("request.not-yet", (*here, key), at_key=True, key=key)
            found.silent_at.add((*here, key))


def _size(
    found: Complaints, here: DocumentPath, vm: dict[str, object], flavors: Collection[str]
) -> None:
    flavor = vm.get("flavor")
    if flavor is None:
        missing = [key for key in ("cpu", "memory") if vm.get(key) is None]
        if missing:
            found.add("request.no-size", here, missing=", ".join(missing))
        return
    for key in ("cpu", "memory"):
        if key in vm:
            found.add("request.two-sizes", (*here, key), at_key=True, key=key)
    if isinstance(flavor, str) and flavor not in flavors:
        known = ", ".join(sorted(flavors)) or "-"
        found.add("request.unknown-flavor", (*here, "flavor"), flavor=shown(flavor), known=known)
        found.silent_at.add((*here, "flavor"))


def _root_disk(found: Complaints, here: DocumentPath) -> None:
    disks = [disk for _, disk in _mappings(found.source, (*here, "disks"))]
    if disks and not any(disk.get("name") == "root" for disk in disks):
        found.add("request.no-root-disk", (*here, "disks"))


def _keys(found: Complaints, here: DocumentPath, vm: dict[str, object]) -> None:
    """Who may log in; of an adopted VM nobody of us decides that."""
    if vm.get("image") == ADOPTED:
        return
    if "sshKeys" not in vm:
        found.add("document.missing", (*here, "sshKeys"), key="sshKeys")
    elif vm["sshKeys"] == ():
        found.add("document.too-few", (*here, "sshKeys"), value=shown(()), least=1)


def _exposed(found: Complaints, here: DocumentPath, vm: dict[str, object]) -> None:
    """Only what has a public address is reached from the internet."""
    if any(nic.get("publicIp") is True for _, nic in _mappings(found.source, (*here, "networks"))):
        return
    for index, one in _mappings(found.source, (*here, "expose")):
        if one.get("from") == "internet":
            found.add("request.not-public", (*here, "expose", index, "from"))


def _roles(found: Complaints, here: DocumentPath, vm: dict[str, object]) -> None:
    """Roles are set up over ssh, in VMs that we made; their settings go with them."""
    roles = vm.get("roles")
    listed = roles if isinstance(roles, tuple) else ()
    for name in REVISIONS:
        if name in vm and name not in listed:
            found.add("request.role-missing", (*here, name), at_key=True, role=name)
    if not listed:
        return
    if vm.get("image") == ADOPTED:
        found.add("request.roles-adopted", (*here, "roles"), at_key=True)
    if "expose" in vm and not any(
        _lets_us_in(one) for _, one in _mappings(found.source, (*here, "expose"))
    ):
        found.add("request.roles-need-ssh", (*here, "roles"), at_key=True)


def _lets_us_in(one: dict[str, object]) -> bool:
    port = (one.get("port"), one.get("protocol", "tcp"))
    return port == (SSH_PORT, "tcp") and one.get("from") in ("pemda", "internet")


def _pve_name(found: Complaints, here: DocumentPath, vm: dict[str, object]) -> None:
    count = vm.get("count", 1)
    parts = (
        found.source.get("metadata", "opd"),
        found.source.get("metadata", "name"),
        vm.get("name"),
        count if isinstance(count, int) else 1,
    )
    if not all(isinstance(part, str | int) for part in parts):
        return
    name = "-".join(map(str, parts))
    if len(name) > LONGEST_PVE_NAME:
        found.add(
            "request.name-too-long",
            (*here, "name"),
            length=len(name),
            most=LONGEST_PVE_NAME,
            name=shown(name),
        )
