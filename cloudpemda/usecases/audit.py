"""Audit: read the log of deeds, prove that it is whole, and say where it begins anew.

The log is for those who decide, operate and audit; those of an OPD see its entries.
"""

from datetime import datetime

from cloudpemda.errors import Refused, UsageError
from cloudpemda.ledger import Entry, Finding
from cloudpemda.site.models import Role
from cloudpemda.units import Instant
from cloudpemda.usecases.desk import Desk, require_opd

READERS: tuple[Role, ...] = ("auditor", "reviewer", "approver", "operator")


def deeds(
    desk: Desk,
    *,
    opd: str | None = None,
    subject: str | None = None,
    login: str | None = None,
    role: str | None = None,
    action: str | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: int | None = None,
) -> tuple[Entry, ...]:
    """The newest audit entries that match and that the person may see, oldest first.

    `since` and `until` (excluded) are a date or a date with a time, in the site's zone unless
    they name another. Raises Refused `desk.role` or `desk.scope`, UsageError `look.opd` or
    `audit.moment`.
    """
    scope = desk.scope(*READERS)
    if opd is not None:
        scope.require(opd)
        require_opd(desk, opd)
    return desk.ledger.audit.log(
        opds=scope.opds if opd is None else frozenset({opd}),
        subject=subject,
        login=login,
        role=role,
        action=action,
        since=_moment(desk, since),
        until=_moment(desk, until),
        limit=limit,
    )


def verify_deeds(desk: Desk) -> tuple[int, tuple[Finding, ...]]:
    """The newest entry's number and everything that is wrong with the log. For its readers."""
    desk.scope(*READERS)
    findings = desk.ledger.audit.verify()
    newest = desk.ledger.audit.log(limit=1)
    return (newest[0].seq if newest else 0), findings


def reanchor(desk: Desk, reason: str) -> None:
    """Begin a new head file, because the old one is lost; by an operator, who says why.

    Raises Refused `desk.role`, `ledger.reason-missing`, or `audit.unsound` where the log itself
    is not whole.
    """
    actor = desk.act("operator")
    if not reason.strip():
        raise Refused("ledger.reason-missing", subject="audit.head")
    desk.ledger.audit.reanchor(actor, reason)


def _moment(desk: Desk, text: str | None) -> Instant | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError("audit.moment", text=text) from error
    return Instant(moment if moment.tzinfo else moment.replace(tzinfo=desk.site.zone))
