"""PVE's and PBS's own commands, as far as the roles call them: one program under their names.

It stands on the hosts of the bed, which have none of the vendor's packages. Each argument is
checked against the vendor's API schema, and what is made is kept in a file that the hosts share, so
that a second run of a role is a real second run. What it cannot do it refuses; it never nods.
"""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.infra.bed import MAJORS, Bed

PROGRAMS = (
    "ha-manager", "pve8to9", "pvecm", "pvesh", "pveversion", "proxmox-backup-debug",
    "proxmox-backup-manager", "zfs", "zpool",
)  # fmt: skip
HOME = "/var/lib/fake-pve"


def reference() -> Path | None:
    """Where the vendor's schemas lie, if here."""
    place = os.environ.get("CLOUDPEMDA_PVE_REFERENCE", "")
    return Path(place) if place and (Path(place) / "pve9-api.json").exists() else None


def _nodes(tree: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in tree:
        yield one
        yield from _nodes(one.get("children", []))


def _pve(place: Path, major: int) -> dict[str, Any]:
    tree = json.loads((place / f"pve{major}-api.json").read_text(encoding="utf-8"))
    return {
        node["path"]: {
            method: info.get("parameters", {}).get("properties", {})
            for method, info in node.get("info", {}).items()
        }
        for node in _nodes(tree)
        if node.get("info")
    }


def _pbs(place: Path) -> dict[str, Any]:
    """The conversion strings each level's whole path together; the last one is the path."""
    found: dict[str, Any] = {}
    for path, methods in json.loads((place / "pbs-api.openapi.json").read_text())["paths"].items():
        top = path.strip("/").partition("/")[0]
        real = path[path.rindex(f"/{top}") :]
        for method, info in methods.items():
            known = {
                one["name"]: {**one.get("schema", {}), "optional": not one.get("required")}
                for one in info.get("parameters", ())
            }
            for content in info.get("requestBody", {}).get("content", {}).values():
                schema = content.get("schema", {})
                needed = schema.get("required", ())
                for name, one in schema.get("properties", {}).items():
                    known[name] = {**one, "optional": name not in needed}
            found.setdefault(real, {})[method.upper()] = known
    return found


def install(
    bed: Bed, *, major: int | None = None, ring: bool = False, cluster: str = "",
    links: bool = True, **state: object,
) -> None:  # fmt: skip
    """The commands on all hosts, with a fresh state; `cluster` makes them its members already.
    Without `links` they lie there, and a package that is installed brings them into use."""
    place = reference()
    assert place is not None
    major = major or MAJORS[bed.release]
    here = Path(__file__).parent
    shared = bed.shared
    room = shared / "tests" / "infra" / "fake_pve"
    room.mkdir(parents=True, exist_ok=True)
    for old in shared.iterdir():
        if old.is_file():
            old.unlink()
    for part in ("arguments.py", "pools.py", "ring.py"):
        shutil.copy(here / part, room)
    shutil.copy(here / "program.py", shared / "program")
    (shared / "program").chmod(0o755)
    (shared / "pve.json").write_text(json.dumps(_pve(place, major)), encoding="utf-8")
    (shared / "pbs.json").write_text(json.dumps(_pbs(place)), encoding="utf-8")
    fresh: Mapping[str, object] = {
        "major": major,
        "ring": ring,
        "members": {
            name: {"cluster": cluster, "nodeid": number, "links": [bed.address(name)]}
            for number, name in enumerate(bed.names, 1)
            if cluster
        },
        "objects": {},
        "calls": [],
        **state,
    }
    (shared / "state.json").write_text(json.dumps(fresh), encoding="utf-8")
    brought = "; ".join(
        f"ln -sf {HOME}/program /usr/local/sbin/{name}"
        for name in PROGRAMS
        if name not in bed.brings
    )
    for name in bed.names if links else ():
        bed.run(
            name,
            f"{brought}; mkdir -p /etc/pve /etc/proxmox-backup"
            + (f"; {HOME}/program ring" if ring else ""),
        )


def set_state(bed: Bed, **state: object) -> None:
    """Something happens to what the commands see."""
    (bed.shared / "state.json").write_text(json.dumps({**_state(bed), **state}), encoding="utf-8")


def repository(bed: Bed, names: Sequence[str]) -> None:
    """Packages of both releases that these hosts, and no mirror, get updates from: proxmox-ve of 8,
    installed in its first version, and of 9, which makes a node one of 9."""
    for suite, version in (("bookworm", "8.4.1"), ("bookworm", "8.4.2"), ("trixie", "9.0.1")):
        place = bed.shared / "repository" / suite
        tree = bed.shared / "repository" / f"proxmox-ve-{version}"
        (tree / "DEBIAN").mkdir(parents=True, exist_ok=True)
        place.mkdir(exist_ok=True)
        said = (
            f"Package: proxmox-ve\nVersion: {version}\nArchitecture: all\n"
            "Maintainer: nobody <nobody@example.go.id>\nDescription: of the tests\n"
        )
        (tree / "DEBIAN/control").write_text(said)
        taken = f"{HOME}/program take-release\n" if suite == "trixie" else ""
        (tree / "DEBIAN/postinst").write_text(f"#!/bin/sh\n{taken}")
        (tree / "DEBIAN/postinst").chmod(0o755)
        package = place / f"{tree.name}.deb"
        subprocess.run(["dpkg-deb", "-b", tree, package], check=True, capture_output=True)
        data = package.read_bytes()
        entry = (f"{said}Filename: ./{package.name}\nSize: {len(data)}\n"
                 f"SHA256: {hashlib.sha256(data).hexdigest()}\n")  # fmt: skip
        (place / "Packages").write_text(entry)  # the newest of the suite
    source = f"deb [trusted=yes] file:{HOME}/repository/bookworm ./"
    for name in names:
        bed.run(
            name,
            "mkdir -p /etc/apt/kept && mv /etc/apt/sources.list* /etc/apt/kept/; "
            f"echo '{source}' > /etc/apt/sources.list; "
            f"dpkg -i {HOME}/repository/bookworm/proxmox-ve-8.4.1.deb 2>&1",
        )


def no_repository(bed: Bed, names: Sequence[str]) -> None:
    """The hosts get updates from where they got them before."""
    for name in names:
        bed.run(
            name,
            "rm -rf /etc/apt/sources.list*; mv /etc/apt/kept/* /etc/apt/; rmdir /etc/apt/kept; "
            "dpkg -P proxmox-ve 2>&1",
        )


def state(bed: Bed) -> dict[str, Any]:
    """What the commands keep."""
    return _state(bed)


def _state(bed: Bed) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((bed.shared / "state.json").read_text(encoding="utf-8"))
    return found


def calls(bed: Bed, *beginning: str) -> list[str]:
    """The writing calls so far, as `host: words`, that begin with these words."""
    wanted = " ".join(beginning)
    return [one for one in state(bed)["calls"] if one.partition(": ")[2].startswith(wanted)]
