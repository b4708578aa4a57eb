"""Keep: copies of the ledger, the way back, and whether the ledger can be believed.

The ledger is the only thing of a site that no cluster can tell again. A copy is sealed with the
site's own key, so that it may lie on a storage that others can read.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from itertools import chain, count
from pathlib import Path

from cloudpemda import __version__
from cloudpemda.document.owner import give, make_directory
from cloudpemda.errors import ExitCode, Fault, InvalidInput, Refused, Unreachable
from cloudpemda.ledger import Header, Restored, sealed
from cloudpemda.report.standing import Finding
from cloudpemda.site.models import LedgerBackup
from cloudpemda.units import Instant
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.reconcile import reconcile

Tell = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Copy:
    """A copy that was written and read back."""

    file: Path
    header: Header
    removed: tuple[Path, ...]  # older ones, beyond the number that is kept


@dataclass(frozen=True)
class Verified:
    """What a look at the ledger and the clusters found."""

    entries: int  # of the audit log
    instances: int
    schema: int
    findings: tuple[Finding, ...]
    unread: tuple[str, ...]  # clusters that were not read whole

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(one.fault for one in self.findings)

    @property
    def code(self) -> ExitCode:
        if self.unread:
            return ExitCode.UNREACHABLE
        return ExitCode.FINDINGS if self.findings else ExitCode.DONE


def keygen(desk: Desk) -> Path:
    """Make the site's key for copies (mode 0600).

    For operators. Raises Refused `backup.not-set`, `backup.key-exists` (a key is never replaced:
    older copies need it), Unreachable `backup.key-unwritable`.
    """
    desk.act("operator")
    file = desk.site.path(_settings(desk).key)
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW
        with os.fdopen(os.open(file, flags, 0o600), "w", encoding="ascii") as out:
            give(out.fileno(), file.parent)
            out.write(sealed.new_key() + "\n")
            out.flush()
            os.fsync(out.fileno())
    except FileExistsError as error:
        raise Refused("backup.key-exists", file=str(file)) from error
    except OSError as error:
        cause = os.strerror(error.errno or 0)
        raise Unreachable("backup.key-unwritable", file=str(file), cause=cause) from error
    return file


def backup(
    desk: Desk, tell: Tell, *, file: Path | None = None, directory: Path | None = None
) -> Copy:
    """Copy the ledger: to `file`, or dated into `directory` or the site's own, where as many are
    kept as site.yaml says.

    For operators and the timer. Raises Refused `backup.not-set`, `backup.exists`, InvalidInput
    for a key that is none, Unreachable `backup.not-written`.
    """
    desk.act_or_system("operator")
    settings = _settings(desk)
    key = copy_key(desk, settings)
    folder = directory or _folder(desk, settings)
    target = file or dated(folder, desk.site.info.site.name, desk.clock.now())
    header = desk.ledger.backups.write(
        target, key, site=desk.site.info.site.name, program=__version__, tell=tell
    )
    removed = () if file else prune(folder, desk.site.info.site.name, settings.keep)
    return Copy(target, header, removed)


def nights_copy(desk: Desk, earlier: str | None) -> str | None:
    """The file of the night's copy; None where site.yaml asks for none. One that an `earlier` call
    of the same night made is proved to be whole rather than made once more.

    Raises as `backup`, and InvalidInput for a copy that is damaged.
    """
    settings = desk.site.info.ledger_backup
    if settings is None:
        return None
    if earlier is not None and Path(earlier).is_file():
        desk.ledger.backups.read(Path(earlier), copy_key(desk, settings))
        return earlier
    return str(backup(desk, lambda *_: None).file)


def restore(desk: Desk, file: Path, tell: Tell, *, agreed: bool) -> tuple[Restored, Verified]:
    """Put a copy in the place of the ledger, then compare it with the clusters.

    What is there is kept as a dated copy in the site's own directory. For operators. Raises
    Refused `backup.present` where something is there and nobody `agreed`, `journal.busy` while an
    apply runs, and whatever `Backups.restore` raises; nothing was changed then.
    """
    actor = desk.act("operator")
    settings = _settings(desk)
    key = copy_key(desk, settings)
    present = desk.ledger.audit.log(limit=1)
    if present and not agreed:
        desk.ledger.backups.read(file, key)  # rather say now that it is worth nothing
        raise Refused("backup.present", file=str(file), entries=present[-1].seq)
    desk.ledger.journal.require_idle()
    name = f"before-restore-{desk.site.info.site.name}"
    done = desk.ledger.backups.restore(
        file,
        key,
        site=desk.site.info.site.name,
        program=__version__,
        identity=desk.site.info.site.identity,
        keep=dated(_folder(desk, settings), name, desk.clock.now()),
        actor=actor,
        tell=tell,
    )
    return done, verify(desk)


def verify(desk: Desk) -> Verified:
    """Whether the ledger agrees with itself and with what stands on the clusters.

    Own VMs that it does not know are noted, and count from then on. After a restore this is what
    lets promises be made again, once every cluster was read whole. For operators, auditors and
    the timer.
    """
    actor = desk.act_or_system("operator", "auditor")
    own = tuple(Finding(None, fault) for fault in desk.ledger.soundness.faults())
    if any(one.fault.code == "ledger.damaged" for one in own):
        return Verified(0, 0, 0, own, ())
    seen = reconcile(desk, actor)
    newest = desk.ledger.audit.log(limit=1)
    return Verified(
        entries=newest[-1].seq if newest else 0,
        instances=len(desk.ledger.instances.list()),
        schema=desk.ledger.soundness.schema,
        findings=(*own, *seen.findings),
        unread=seen.unread,
    )


def _settings(desk: Desk) -> LedgerBackup:
    settings = desk.site.info.ledger_backup
    if settings is None:
        raise Refused("backup.not-set")
    return settings


def copy_key(desk: Desk, settings: LedgerBackup) -> bytes:
    """What copies are sealed with. Raises InvalidInput `backup.no-key`, `backup.key`."""
    if not desk.site.path(settings.key).exists():
        raise InvalidInput([Fault("backup.no-key", file=str(desk.site.path(settings.key)))])
    return sealed.key_of(desk.site.secret(settings.key), str(desk.site.path(settings.key)))


def _folder(desk: Desk, settings: LedgerBackup) -> Path:
    folder = desk.site.path(settings.directory)
    try:
        make_directory(folder)
    except OSError as error:
        cause = os.strerror(error.errno or 0)
        raise Unreachable("backup.not-written", file=str(folder), cause=cause) from error
    return folder


def dated(folder: Path, name: str, moment: Instant) -> Path:
    """A name that is free, even for two copies within one second."""
    stamp = moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    names = chain([f"{name}-{stamp}.ledger"], (f"{name}-{stamp}-{n}.ledger" for n in count(2)))
    return next(folder / one for one in names if not (folder / one).exists())


def prune(folder: Path, site: str, keep: int, ending: str = ".ledger") -> tuple[Path, ...]:
    """Remove the oldest of the dated copies; files with other names are nobody's to remove."""
    dated = re.compile(rf"{re.escape(site)}-(\d{{8}}T\d{{6}}Z)(?:-(\d+))?{re.escape(ending)}")
    found = [(match, file) for file in folder.iterdir() if (match := dated.fullmatch(file.name))]
    found.sort(key=lambda one: (one[0][1], int(one[0][2] or 1)))
    removed = tuple(file for _, file in found[:-keep])
    for file in removed:
        file.unlink()
    return removed
