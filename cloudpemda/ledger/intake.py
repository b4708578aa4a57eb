"""What was taken from the inbox: per request the last document, by its meaning and its file.

A file stays where it was put, and is looked at again and again. It is handed in once: a request
that was withdrawn, that expired or that was changed by another way since must not come back
because its old file still lies there. Only a document that means something else than the last
one taken is news.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, insert, select, update

from cloudpemda.ledger.audit import Deed
from cloudpemda.ledger.schema import (
    papers,
    quota_requests,
    quota_revisions,
    requests,
    revisions,
)
from cloudpemda.ledger.store import Store
from cloudpemda.request.quota_request import QuotaSpec
from cloudpemda.request.spec import WorkloadSpec
from cloudpemda.units import Instant


@dataclass(frozen=True, slots=True)
class Paper:
    """A file in the inbox, and whose it is."""

    file: str  # in its OPD's folder
    owner: int  # uid


@dataclass(frozen=True, slots=True)
class Taken:
    """The last document that the inbox handed in for a request."""

    number: str
    file: str
    spec_hash: str
    at: Instant
    given_away: bool = False  # the request is another OPD's since, or is called otherwise


@dataclass(frozen=True, slots=True)
class Kept:
    """How much was taken in."""

    documents: int
    size: int  # characters


class Intake:
    """The book of what was taken. It is written by `Requests.submit` and `Grants.submit`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def taken(self) -> Mapping[str, Taken]:
        """By the request's key (`dinkes/simrs`)."""
        with self._store.read() as connection:
            found = connection.execute(select(papers)).all()
            keys = {
                row.number: f"{row.opd}/{row.name}"
                for row in connection.execute(
                    select(requests.c.number, requests.c.opd, requests.c.name)
                )
            }
        there = set(keys.values())
        return {
            row.key: Taken(
                row.number,
                row.file,
                row.spec_hash,
                row.at,
                given_away=row.number in keys and row.key not in there,
            )
            for row in found
        }

    def kept_since(self, opd: str, moment: Instant) -> Kept:
        """The revisions of an OPD's requests that were handed in since, by whichever way."""
        documents = size = 0
        with self._store.read() as connection:
            for owner, written in ((requests, revisions), (quota_requests, quota_revisions)):
                query = (
                    select(func.count(), func.sum(func.length(written.c.source)))
                    .join_from(written, owner, owner.c.number == written.c.number)
                    .where(owner.c.opd == opd, written.c.at >= moment)
                )
                many, long = connection.execute(query).one()
                documents, size = documents + many, size + int(long or 0)
        return Kept(documents, size)


def remember(
    deed: Deed, number: str, revision: int, spec: WorkloadSpec | QuotaSpec, paper: Paper
) -> None:
    """That this document was handed in from this file, on behalf of the requester it names."""
    values = {"number": number, "file": paper.file, "spec_hash": spec.spec_hash, "at": deed.now}
    known = deed.connection.execute(
        update(papers).where(papers.c.key == spec.key).values(values)
    ).rowcount
    if not known:
        deed.connection.execute(insert(papers).values(key=spec.key, **values))
    deed.record(
        "inbox.take",
        spec.opd,
        number,
        key=spec.key,
        revision=revision,
        spec_hash=spec.spec_hash,
        file=f"{spec.opd}/{paper.file}",
        owner=paper.owner,
        behalf=spec.requester.name,
    )
