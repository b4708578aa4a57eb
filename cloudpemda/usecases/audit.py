"""Audit: read the log of deeds, prove that it is whole, and say where it begins anew.

The log is for those who decide, operate and audit; those of an OPD see its entries.
"""

import csv
import os
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Literal

from cloudpemda.errors import Fault, InvalidInput, Refused, Unreachable, UsageError
from cloudpemda.ledger import Entry, Finding
from cloudpemda.ledger.audit.export import judge, read_csv, read_json_lines
from cloudpemda.ledger.audit.keys import public_key
from cloudpemda.site.models import Role
from cloudpemda.units import Instant, day_of, read_local
from cloudpemda.usecases.desk import Desk, require_opd

Form = Literal["jsonl", "csv"]
READERS: tuple[Role, ...] = ("auditor", "reviewer", "approver", "operator")


def deeds(
    desk: Desk,
    *,
    opd: str | None = None,
    subject: str | None = None,
    login: str | None = None,
    role: str | None = None,
    action: str | None = None,
    workload: str | None = None,
    upid: str | None = None,
    at: str | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: int | None = None,
) -> tuple[Entry, ...]:
    """The newest audit entries that match and that the person may see, oldest first.

    `since` and `until` (excluded) are a date or a date with a time, in the site's zone unless
    they name another; `at` is one day, from midnight to midnight there. Raises Refused `desk.role`
    or `desk.scope`, UsageError `look.opd`, `audit.moment` or `audit.at-alone`.
    """
    scope = desk.scope(*READERS)
    if opd is not None:
        scope.require(opd)
        require_opd(desk, opd)
    if at is not None and (since is not None or until is not None):
        raise UsageError("audit.at-alone")
    first, end = (_moment(desk, since), _moment(desk, until)) if at is None else _day(desk, at)
    return desk.ledger.audit.log(
        opds=scope.opds if opd is None else frozenset({opd}),
        subject=subject,
        login=login,
        role=role,
        action=action,
        workload=workload,
        upid=upid,
        since=first,
        until=end,
        limit=limit,
    )


def verify_deeds(desk: Desk) -> tuple[int, tuple[Finding, ...]]:
    """The newest entry's number and everything that is wrong with the log. For its readers."""
    desk.scope(*READERS)
    findings = desk.ledger.audit.verify()
    newest = desk.ledger.audit.log(limit=1)
    return (newest[0].seq if newest else 0), findings


@dataclass(frozen=True)
class Exported:
    """What went into a file, or, without one, the text itself."""

    entries: int
    newest: int  # the last entry's number in its chain
    fingerprint: str  # of the key that proves it
    files: tuple[str, ...]
    text: str | None


def export_deeds(desk: Desk, file: Path | None, form: Form, opd: str | None) -> Exported:
    """Write the log, or one OPD's, into a new file (0600), with what proves it; into none: `text`.

    A CSV file has its proof beside it. Raises Refused `desk.role`, `desk.scope`,
    `audit.export-exists` or `audit.no-head`, Unreachable `audit.export-unwritten`.
    """
    scope = desk.scope(*READERS)
    if opd is not None:
        scope.require(opd)
        require_opd(desk, opd)
    elif scope.opds is not None:
        raise Refused("audit.export-scope", login=desk.login)
    made = desk.ledger.audit.export(desk.site.info.site.name, opd)
    text = made.csv() if form == "csv" else "".join(line + "\n" for line in made.json_lines())
    written: dict[Path, str] = {}
    if file is not None:
        written[file] = text
        if form == "csv":
            written[_proof_of(file)] = made.proof + "\n"
    for path, content in written.items():
        _write_new(path, content)
    tip = made.head.opds.get(opd) if opd else made.head
    return Exported(
        len(made.entries),
        tip.seq if tip else 0,
        public_key(made.key).fingerprint,
        tuple(map(str, written)),
        text if file is None else None,
    )


@dataclass(frozen=True)
class Verified:
    """What an export proves."""

    site: str
    opd: str | None
    entries: int
    at: Instant | None  # when its head was signed
    fingerprint: str
    own_key: bool  # only the key that came with it was there to verify by
    findings: tuple[Finding, ...]


def verify_export(file: Path, key: Path | None) -> Verified:
    """Check an export by a public key, or by the one that came with it. Needs no site.

    Raises InvalidInput for files that cannot be read, are no export or no key.
    """
    text = _read(file)
    try:
        if _proof_of(file).exists():
            found = read_csv(text, _read(_proof_of(file)))
        else:
            found = read_json_lines(text)
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise InvalidInput([Fault("audit.no-export", file=str(file))]) from error
    try:
        trusted = public_key(_read(key)) if key else public_key(found.key)
    except ValueError as error:
        raise InvalidInput([Fault("audit.no-public-key", file=str(key))]) from error
    return Verified(
        site=found.site,
        opd=found.opd,
        entries=len(found.entries),
        at=found.head.at,
        fingerprint=trusted.fingerprint,
        own_key=key is None,
        findings=judge(found, trusted),
    )


def _proof_of(file: Path) -> Path:
    return file.with_name(file.name + ".proof")


def _read(file: Path) -> str:
    try:
        with file.open(encoding="utf-8", newline="") as source:
            return source.read()
    except FileNotFoundError as error:
        raise InvalidInput([Fault("document.not-found", file=str(file))]) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput([Fault("document.unreadable", file=str(file))]) from error


def _write_new(file: Path, text: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(file, flags, 0o600), "w", encoding="utf-8", newline="") as out:
            out.write(text)
    except FileExistsError as error:
        raise Refused("audit.export-exists", file=str(file)) from error
    except OSError as error:
        cause = os.strerror(error.errno or 0)
        raise Unreachable("audit.export-unwritten", file=str(file), cause=cause) from error


def reanchor(desk: Desk, reason: str) -> None:
    """Begin a new head file, because the old one is lost; by an operator, who says why.

    Raises Refused `desk.role`, `ledger.reason-missing`, or `audit.unsound` where the log itself
    is not whole.
    """
    actor = desk.act("operator")
    if not reason.strip():
        raise Refused("ledger.reason-missing", subject="audit.head")
    desk.ledger.audit.reanchor(actor, reason)


def accept_clock(desk: Desk, reason: str) -> None:
    """Say why the clock went back: it was ahead, and was put right. By an operator.

    Raises Refused `desk.role`, `ledger.reason-missing`, or `ledger.clock-not-back`.
    """
    actor = desk.act("operator")
    if not reason.strip():
        raise Refused("ledger.reason-missing", subject="audit.clock")
    desk.ledger.audit.accept_clock(actor, reason)


def rotate_key(desk: Desk, reason: str, *, lost: bool) -> tuple[str, str]:
    """Sign the log with a new key; answers with the old and the new one's fingerprints. By an
    operator, who says why.

    Raises Refused `desk.role`, `ledger.reason-missing`, or what `Audit.rotate_key` refuses.
    """
    actor = desk.act("operator")
    if not reason.strip():
        raise Refused("ledger.reason-missing", subject="audit.key")
    return desk.ledger.audit.rotate_key(actor, reason, lost=lost)


def _day(desk: Desk, text: str) -> tuple[Instant, Instant]:
    said = _said(desk, text)
    if isinstance(said, datetime):
        raise UsageError("audit.moment", text=text)
    return day_of(said, desk.site.zone)


def _moment(desk: Desk, text: str | None) -> Instant | None:
    if text is None:
        return None
    said = _said(desk, text)
    return Instant(said) if isinstance(said, datetime) else day_of(said, desk.site.zone)[0]


def _said(desk: Desk, text: str) -> date | Instant:
    try:
        return read_local(text, desk.site.zone)
    except ValueError as error:
        raise UsageError("audit.moment", text=text) from error
