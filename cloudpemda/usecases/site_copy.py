"""Site copy: the site's files and the head of its audit log, sealed into one file and out of it.

With a copy of the ledger beside it, it is what a new machine needs to be this site. Secrets are
left out: tokens are made anew, and the key that opens the copy must lie somewhere else anyway.
"""

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cloudpemda import __version__
from cloudpemda.document.files import read_regular
from cloudpemda.errors import Fault, InvalidInput, Refused, Unreachable
from cloudpemda.ledger import sealed
from cloudpemda.ledger.store import locate
from cloudpemda.site.models import DrcCopies
from cloudpemda.units import show_utc
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.keep import copy_key, dated, prune

SITE_ENDING = ".site"

_LEFT_OUT = frozenset({"var", "secrets"})
_MOST = 1024 * 1024  # bytes of one file: what a site writes by hand is far smaller


@dataclass(frozen=True)
class SiteCopy:
    """What a sealed copy of a site holds."""

    site: str
    at: str
    program: str
    files: Mapping[str, bytes]  # path below the site directory → content


def seal_site(desk: Desk, file: Path, key: bytes) -> SiteCopy:
    """Write the copy, whole or not at all (mode 0600), and read it again before it counts.

    Raises Refused `backup.exists`, Unreachable `backup.not-written`, InvalidInput
    `backup.damaged`.
    """
    copy = SiteCopy(
        site=desk.site.info.site.name,
        at=show_utc(desk.clock.now()),
        program=__version__,
        files=dict(_files(desk)),
    )
    salt = bytes.fromhex(desk.entropy.uid() + desk.entropy.uid())
    sealed.write_new(file, _lines(copy), key, salt)
    if open_site(file, key) != copy:
        raise InvalidInput([Fault("backup.damaged", file=str(file))])
    return copy


def open_site(file: Path, key: bytes) -> SiteCopy:
    """What a copy holds, once all of it is proved to be as it was written.

    Raises InvalidInput `backup.not-one`, `backup.wrong-key`, `backup.damaged`,
    `backup.unreadable`, `backup.not-site` for a copy of a ledger.
    """
    lines = [*sealed.unseal(file, key)]
    try:
        head = json.loads(lines[0])
        if "siteFiles" not in head:
            raise InvalidInput([Fault("backup.not-site", file=str(file))])
        rows = [json.loads(line) for line in lines[1:]]
        found = {row["path"]: base64.b64decode(row["data"], validate=True) for row in rows}
        whole = all(_digest(found[row["path"]]) == row["sha256"] for row in rows)
        if not whole or len(found) != head["siteFiles"] or not all(map(_inside, found)):
            raise ValueError("files are missing or not as they were")
        return SiteCopy(str(head["site"]), str(head["at"]), str(head["program"]), found)
    except (ValueError, KeyError, TypeError, IndexError, binascii.Error) as error:
        raise InvalidInput([Fault("backup.damaged", file=str(file))]) from error


def to_drc(desk: Desk, earlier: str | None) -> str | None:
    """Copies of the ledger and of the site's files at the recovery centre: the ledger's file; None
    where site.yaml names no place there. What an `earlier` call of the same night has put there is
    proved to be whole instead.

    Raises Unreachable `backup.drc-away`, `backup.drc-not-mounted`, and as `backup`.
    """
    settings = desk.site.info.ledger_backup
    if settings is None or settings.drc is None:
        return None
    folder, key = _mounted(desk, settings.drc), copy_key(desk, settings)
    if earlier is not None and Path(earlier).is_file():
        desk.ledger.backups.read(Path(earlier), key)
        open_site(Path(earlier).with_suffix(SITE_ENDING), key)
        return earlier
    name = desk.site.info.site.name
    target = dated(folder, name, desk.clock.now())
    desk.ledger.backups.write(target, key, site=name, program=__version__, tell=lambda *_: None)
    seal_site(desk, target.with_suffix(SITE_ENDING), key)
    for ending in (target.suffix, SITE_ENDING):
        prune(folder, name, settings.drc.keep, ending)
    return str(target)


def _mounted(desk: Desk, drc: DrcCopies) -> Path:
    """The directory, if it is what it says: an empty mount point would take copies, too."""
    folder = desk.site.path(drc.directory)
    if not folder.is_dir():
        raise Unreachable("backup.drc-away", directory=str(folder))
    if drc.mounted and folder.stat().st_dev == desk.site.directory.stat().st_dev:
        raise Unreachable("backup.drc-not-mounted", directory=str(folder))
    return folder


def unpack(file: Path, key_file: Path, directory: Path) -> SiteCopy:
    """Write a copy's files into a directory that is empty or not there (0700, files 0600).

    Needs no site. Raises what `open_site` raises, InvalidInput for a key that is none, Refused
    `backup.not-empty`, Unreachable `backup.not-written`.
    """
    word = read_regular(key_file, private=True).strip().decode("ascii", "replace")
    copy = open_site(file, sealed.key_of(word, str(key_file)))
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise Refused("backup.not-empty", directory=str(directory))
        for path, content in copy.files.items():
            target = directory / path
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "wb") as out:
                out.write(content)
    except OSError as error:
        cause = os.strerror(error.errno or 0)
        raise Unreachable("backup.not-written", file=str(directory), cause=cause) from error
    return copy


def _files(desk: Desk) -> Iterator[tuple[str, bytes]]:
    """What people have written of the site, and the heads of its audit log; no links, no secrets,
    nothing hidden."""
    root = desk.site.directory
    for folder, names, files in os.walk(root):
        here = Path(folder)
        names[:] = sorted(
            name
            for name in names
            if not name.startswith(".") and not (here == root and name in _LEFT_OUT)
        )
        yield from _regular(root, [here / name for name in sorted(files)])
    heads = locate(desk.site.info.ledger, root).directory
    if heads.is_relative_to(root):
        kept = sorted((heads / "audit.heads").glob("*"))
        yield from _regular(root, [heads / "audit.head", *kept])


def _regular(root: Path, paths: list[Path]) -> Iterator[tuple[str, bytes]]:
    for path in paths:
        ours = not path.name.startswith(".") and path.is_file() and not path.is_symlink()
        if ours and path.stat().st_size <= _MOST:
            yield path.relative_to(root).as_posix(), path.read_bytes()


def _lines(copy: SiteCopy) -> Iterator[bytes]:
    head = {
        "siteFiles": len(copy.files),
        "site": copy.site,
        "at": copy.at,
        "program": copy.program,
    }
    yield json.dumps(head).encode()
    for path, content in copy.files.items():
        row = {
            "path": path,
            "sha256": _digest(content),
            "data": base64.b64encode(content).decode("ascii"),
        }
        yield json.dumps(row).encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _inside(path: object) -> bool:
    """Whether it stays below the directory that it is unpacked into."""
    parts = PurePosixPath(str(path)).parts
    return bool(parts) and not str(path).startswith("/") and ".." not in parts
