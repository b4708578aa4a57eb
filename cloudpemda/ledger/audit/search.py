"""Which entries are asked for."""

import json
from collections.abc import Collection

from sqlalchemy import ColumnElement, Select, select

from cloudpemda.ledger.schema import audit, quota_requests, requests
from cloudpemda.units import Instant


def matching(
    *,
    opds: Collection[str] | None,
    subject: str | None,
    login: str | None,
    role: str | None,
    action: str | None,
    workload: str | None,
    upid: str | None,
    since: Instant | None,
    until: Instant | None,
) -> Select[tuple[object, ...]]:
    """The entries that match all that is given, newest first; `until` is excluded."""
    query: Select[tuple[object, ...]] = select(audit).order_by(audit.c.seq.desc())
    if opds is not None:
        query = query.where(audit.c.opd.in_(sorted(opds)))
    for column, value in (
        (audit.c.subject, subject),
        (audit.c.role, role),
        (audit.c.action, action),
    ):
        if value is not None:
            query = query.where(column == value)
    if login is not None:
        query = query.where((audit.c.login == login) | (audit.c.behalf == login))
    if workload is not None:
        query = query.where(_of(workload))
    if upid is not None:
        # As it stands in the details, so that no other one begins with it.
        said = json.dumps(upid, ensure_ascii=False)
        query = query.where(audit.c.details.contains(said, autoescape=True))
    if since is not None:
        query = query.where(audit.c.at >= since)
    if until is not None:
        query = query.where(audit.c.at < until)
    return query


def _of(workload: str) -> ColumnElement[bool]:
    """What is said of a workload: by its key, by its request's number, by an instance's key."""
    opd, _, name = workload.partition("/")
    numbers = select(requests.c.number).where(requests.c.opd == opd, requests.c.name == name)
    more = select(quota_requests.c.number).where(
        quota_requests.c.opd == opd, quota_requests.c.name == name
    )
    return (
        (audit.c.subject == workload)
        | audit.c.subject.startswith(f"{workload}/", autoescape=True)
        | audit.c.subject.in_(numbers)
        | audit.c.subject.in_(more)
    )
