"""Whose hands a site's files are in.

Where logins count, these files say who may do what: whoever can write one of them, or put another
in its place, can give themself any role. So each of them, and the directories that they stand in,
must belong to root or to the account that runs, and be writable by nobody else.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

from cloudpemda.errors import Fault, InvalidInput
from cloudpemda.site.load import Site


def require_own_hands(site: Site) -> None:
    """Raises InvalidInput with `site.writable` or `site.foreign` for each file or directory of the
    site that others can change. A site whose names are asserted is not looked at."""
    if site.info.site.identity == "asserted":
        return
    faults = [fault for path in _paths(site) for fault in _faults(path)]
    if faults:
        raise InvalidInput(faults)


def _paths(site: Site) -> Iterator[Path]:
    yield site.directory
    for name in ("site.yaml", "people.yaml", "catalogue.yaml"):
        yield site.directory / name
    yield site.directory / "opd"
    for code in sorted(site.opds):
        yield site.directory / "opd" / f"{code}.yaml"


def _faults(path: Path) -> Iterator[Fault]:
    try:
        found = path.stat()
    except OSError:  # moved away since it was read
        yield Fault("document.not-found", file=str(path))
        return
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        mode = f"{stat.S_IMODE(found.st_mode):04o}"
        yield Fault("site.writable", MappingProxyType({"mode": mode}), file=str(path))
    if found.st_uid not in {0, os.geteuid()}:
        yield Fault("site.foreign", MappingProxyType({"uid": found.st_uid}), file=str(path))
