"""The log as a whole: deeds are begun here, and their entries sealed, read and verified."""

import json
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Table, Text, select, type_coerce

from cloudpemda.errors import Incomplete, Refused, Unreachable
from cloudpemda.ledger.audit import bound
from cloudpemda.ledger.audit.anew import ACTIONS, anew
from cloudpemda.ledger.audit.bound import BOUND
from cloudpemda.ledger.audit.clocks import ACCEPTED, require_order
from cloudpemda.ledger.audit.deed import NEWEST_ENTRY, Deed
from cloudpemda.ledger.audit.entries import (
    ORIGIN,
    SYSTEM,
    Actor,
    Detail,
    Entry,
    entry_of,
)
from cloudpemda.ledger.audit.export import Export
from cloudpemda.ledger.audit.heads import HEAD_NAME, Head, HeadFile, Link, Tip
from cloudpemda.ledger.audit.keys import private_key
from cloudpemda.ledger.audit.links import agrees, followed, links_after
from cloudpemda.ledger.audit.ring import Ring, ring
from cloudpemda.ledger.audit.search import matching
from cloudpemda.ledger.audit.signing import Signing, rotations
from cloudpemda.ledger.audit.verify import (
    Finding,
    Walk,
    judge_head,
    judge_kept,
    judge_rows,
)
from cloudpemda.ledger.audit.vouching import unvouched
from cloudpemda.ledger.schema import audit, moment_text
from cloudpemda.ledger.store import Store
from cloudpemda.units import Instant

ADOPTED = "audit.adopt"
"""The entry that takes over what the first release wrote: unsigned, and bound to no rows."""

KEPT_HEADS = 90

_OF_THE_KEY = frozenset({"audit.no-key"})


class Audit:
    """The log: `deed` writes, `log` and `verify` read."""

    def __init__(self, store: Store, key: Path | None = None, keep_heads: int = KEPT_HEADS) -> None:
        self._store = store
        self._head = HeadFile(store.place.directory / HEAD_NAME, keep_heads)
        self.signing = Signing(
            key or store.place.directory / "audit.key", self._head, shared=store.place.file is None
        )
        self._proven: tuple[Ring, Head] | None = None  # by that ring

    # -- writing -------------------------------------------------------------------------------
    @contextmanager
    def deed(self, actor: Actor, *, set_back: bool = False) -> Iterator[Deed]:
        """A durable write transaction whose entries are sealed into the head file after it.

        Raises Refused `ledger.clock-back` where its entry would be dated before the newest one
        (unless it says that the clock was `set_back`), `audit.key-missing`, `audit.key-other` or
        `audit.key-unusable` where it cannot be signed, and Incomplete `audit.head-unwritable`
        where the deed is done but the head file cannot follow; the next deed tries again.
        """
        now = self._store.clock.now()  # before the lock: the lab's time is a network call away
        self.signing.prepare()  # before the lock, too
        with self._store.write() as connection:
            deed = Deed(connection, now, actor, self.signing.signer, set_back=set_back)
            yield deed
            deed.finish()
        if deed.recorded:
            self.seal(now, deed.links)

    def within(self, connection: Connection, now: Instant, actor: Actor) -> Deed:
        """A deed in a write transaction of the caller's, who seals after it: what must be done
        whatever the clock says."""
        return Deed(connection, now, actor, self.signing.signer, set_back=True)

    def require_able(self) -> None:
        """Raises what any deed would raise now, whatever it is about: for those who would take that
        for a fault of the thing they do it with."""
        with self._store.read() as connection:
            self.signing.signer(connection)
            newest = connection.execute(_NEWEST_MOMENT).scalar()
        require_order(self._store.clock.now(), newest or "")

    def note(
        self, actor: Actor, action: str, opd: str | None, subject: str, **details: Detail
    ) -> None:
        """Record what was done elsewhere. Raises like `deed`."""
        with self.deed(actor) as deed:
            deed.record(action, opd, subject, **details)

    def seal(self, now: Instant, links: Sequence[Link] = ()) -> None:
        """Move the head file on to the newest entry; with `links`, as far as these at least.

        One process at a time does it, and those that waited for it most often find their entries
        sealed. Raises Incomplete `audit.head-unwritable`.
        """
        try:
            with self._head.locked():
                head = self._head.read()
                if head is not None and not self._append(head, now, links):
                    self._advance(head, now)
        except OSError as error:
            raise Incomplete(
                "audit.head-unwritable", file=self._head.name, cause=os.strerror(error.errno or 0)
            ) from error

    def _append(self, head: Head, now: Instant, links: Sequence[Link]) -> bool:
        """Whether a head that this key signed names these links, or could be moved on over them:
        without a look at the log, in which they stand since the deed that wrote them."""
        signs = self.signing.last()
        if signs is None or not links:
            return False
        signer, keys = signs
        if not self._is_proven(head, keys) and not keys.signed_head(head):
            return False
        self._proven = keys, head
        if head.seq >= links[-1].seq:
            return True
        ahead = followed(head, links, keys)
        if ahead is None or ahead.seq != links[-1].seq:
            return False
        moved = Head(ahead.seq, ahead.hash, now, ahead.opds).signed(signer)
        self._proven = keys, moved
        self._head.write(moved)
        return True

    def _is_proven(self, head: Head, keys: Ring) -> bool:
        return self._proven is not None and self._proven[0] is keys and self._proven[1] is head

    def _advance(self, head: Head, now: Instant) -> None:
        """The head stays, for `verify` to find, before a log that was cut, rewritten or added to
        by others."""
        with self._store.read() as connection:
            signer, keys = self.signing.signer(connection), self.signing.ring(connection)
            sound = agrees(connection, head)
            genuine = _is_genuine(head, connection, keys)
            if not sound and _is_explained(head, connection, keys, genuine):
                self._write_anew(connection, now)
                return
            if not genuine or not sound:
                return
            # A head of the first release knows no OPD: the chains are followed from their start.
            base = head if head.at is not None else Head(0, ORIGIN)
            links = links_after(connection, base.seq)
        ahead = followed(base, links, keys, unsigned_until=head.seq)
        if ahead is not None and (ahead.seq > head.seq or head.at is None):
            self._head.write(Head(ahead.seq, ahead.hash, now, ahead.opds).signed(signer))

    # -- beginnings ----------------------------------------------------------------------------
    def begin(self, now: Instant) -> None:
        """Write the head of an empty log, before the first entry can be.

        A head that is there stays: a log was here that has vanished, and `verify` says so until
        a copy is restored. Raises Unreachable `ledger.unavailable` where it cannot be written,
        Refused `audit.key-unusable`.
        """
        signer = self.signing.first()
        try:
            with self._head.locked():
                if self._head.read() is None:
                    self._head.write(Head(0, ORIGIN, now).signed(signer))
        except OSError as error:
            raise Unreachable(
                "ledger.unavailable", file=self._head.name, cause=os.strerror(error.errno or 0)
            ) from error

    def adopt_present(self, connection: Connection, now: Instant) -> None:
        """`adopt` in the migration's transaction, with the head that lies beside the log."""
        self.adopt(connection, now, head=self._head.read())

    def adopt(self, connection: Connection, now: Instant, *, head: Head | None) -> None:
        """Take over the log of the first release: one signed entry that says where the chain and
        its head stood, bound to every row that is there.

        A head that did not agree is not made good by this: `verify` goes on finding it.
        """
        last = connection.execute(NEWEST_ENTRY).first()
        sound = head is not None and head.at is None and agrees(connection, head)
        deed = self.within(connection, now, SYSTEM)
        deed.bind_present(BOUND)
        deed.record(
            ADOPTED,
            None,
            "-",
            entries=last.seq if last else 0,
            head_seq=head.seq if head and sound else None,
            head_hash=head.hash if head and sound else None,
        )

    def bind_later(self, connection: Connection, now: Instant, version: int) -> None:
        """Bind what a ledger of an earlier version left unbound, as it stands: one entry that says
        so; none where all was bound."""
        tables = bound.bound_after(version)
        if tables:
            deed = self.within(connection, now, SYSTEM)
            deed.bind_present(tables)
            deed.record("audit.bind", None, "-", tables=[table.name for table in tables])

    def accept_clock(self, actor: Actor, reason: str) -> None:
        """Say why the clock went back: deeds go on behind an entry that is dated by it, and
        `verify` finds nothing in those before it. Raises like `note`, Refused
        `ledger.clock-not-back` where there is nothing to say."""
        with self._store.read() as connection:
            walk = Walk(self.signing.trusted(connection))
            walk.site(map(bound.as_raw, connection.execute(_RAW)))
            newest = connection.execute(_NEWEST_MOMENT).scalar()
        if not walk.set_back and not walk.ahead_of(self._store.clock.now()):
            raise Refused("ledger.clock-not-back")
        with self.deed(actor, set_back=True) as deed:
            deed.record(ACCEPTED, None, "-", reason=reason, newest=newest)

    def reanchor(self, actor: Actor, reason: str) -> None:
        """Begin a new head file, because the old one is lost or the ledger is an older copy.

        The entry says who did it, why, and where the old head stood; the old head and the kept
        ones are set aside. Raises Refused `audit.unsound` where the log itself is not whole.
        """
        with self._store.read() as connection:
            walk = Walk(self.signing.trusted(connection))
            walk.site(map(bound.as_raw, connection.execute(_RAW)))
        if walk.findings:
            raise Refused("audit.unsound", *(one.fault for one in walk.findings))
        old = self._head.read()
        with self.deed(actor) as deed:
            deed.record(
                "audit.reanchor",
                None,
                "-",
                reason=reason,
                head_seq=old.seq if old else None,
                head_hash=old.hash if old else None,
            )
        self.reseal(deed.now)

    def reseal(self, now: Instant) -> None:
        """A new head for a log that was put in the place of another one; former heads are set
        aside. Raises Incomplete `audit.head-unwritable`; until it can be written `verify` says so.
        """
        try:
            with self._head.locked(), self._store.read() as connection:
                self._write_anew(connection, now)
        except OSError as error:
            raise Incomplete(
                "audit.head-unwritable", file=self._head.name, cause=os.strerror(error.errno or 0)
            ) from error

    def _write_anew(self, connection: Connection, now: Instant) -> None:
        links = links_after(connection, 0)
        signer, keys = self.signing.signer(connection), self.signing.ring(connection)
        first = next((link.seq for link in links if link.signature is not None), 0)
        fresh = followed(Head(0, ORIGIN), links, keys, unsigned_until=first - 1)
        fresh = fresh or Head(0, ORIGIN)
        self._head.set_aside(f"until-{moment_text(now)}")
        self._head.write(Head(fresh.seq, fresh.hash, now, fresh.opds).signed(signer), anew=True)

    def rotate_key(self, actor: Actor, reason: str, *, lost: bool = False) -> tuple[str, str]:
        """Sign with a new key from now on; answers with the old and the new one's fingerprints.

        The old one is destroyed. Raises Refused `audit.unsound` where the log is not whole, and
        like `Signing.rotate`.
        """
        findings = [one for one in self.verify() if one.code not in _OF_THE_KEY]
        if findings:
            raise Refused("audit.unsound", *(one.fault for one in findings))
        now = self._store.clock.now()
        with self._store.write() as connection:
            old, new = self.signing.rotate(connection, now, actor, reason, lost=lost)
        if not lost:
            self.signing.destroy(old)
        self.seal(now)
        return old.fingerprint, new.fingerprint

    # -- reading -------------------------------------------------------------------------------
    def log(
        self,
        *,
        opds: Collection[str] | None = None,
        subject: str | None = None,
        login: str | None = None,
        role: str | None = None,
        action: str | None = None,
        workload: str | None = None,
        upid: str | None = None,
        since: Instant | None = None,
        until: Instant | None = None,
        limit: int | None = None,
    ) -> tuple[Entry, ...]:
        """The entries that match all that is given, oldest first; of more than `limit` the
        newest. `until` is excluded; `opds` None is all, those that concern no OPD included.
        `workload` (`dinkes/simrs`) is its request and its instances; `upid` a task of PVE's that
        the entry names; `login` who acted or for whom."""
        query = matching(
            opds=opds, subject=subject, login=login, role=role, action=action, workload=workload,
            upid=upid, since=since, until=until,
        ).limit(limit)  # fmt: skip
        with self._store.read() as connection:
            rows = connection.execute(query).all()
        return tuple(entry_of(row) for row in reversed(rows))

    def verify(self) -> tuple[Finding, ...]:
        """Every break of the log, its chain's first; nothing found is a sound log.

        `audit.missing` names the first missing entry, `audit.edited` an entry that is not what
        was written or was not written after its predecessor, `audit.forged` the first of entries
        that were not signed here. Of the heads: `audit.truncated` names the newest entry that one
        knows and the log has lost, `audit.rewritten` an entry that one knows with another content,
        `audit.head-missing`, `audit.head-forged` and `audit.head-rolled-back` a head file that is
        gone, not signed here, or older than a kept one; `audit.no-key` says that there is no
        key to prove any signature. Of the rows: `audit.row-changed` names the entry whose rows are
        not as it says, `audit.row-forged` rows that no entry speaks of.
        `audit.clock-back` names an entry that is dated before its predecessor, `audit.clock-behind`
        the newest one where it is dated after the present.
        """
        # The heads first: entries may be added while we look, but only behind them. The kept ones
        # before the current one, which else could look older than its own copy.
        kept = list(self._head.kept())
        head = self._head.read()
        with self._store.read() as connection:
            keys = self.signing.trusted(connection)
            genuine = head is not None and keys is not None and _is_genuine(head, connection, keys)
            proven = head.seq if head and genuine and agrees(connection, head) else 0
            walk = Walk(keys, proven)
            walk.site(map(bound.as_raw, connection.execute(_RAW)))
            rows = tuple(bound.compare(connection, walk.claims))
        findings = list(walk.findings)
        findings += [Finding("audit.no-key", walk.newest)] if keys is None else []
        findings += judge_head(head, walk, genuine=genuine or keys is None)
        findings += judge_kept(kept, head, walk, keys)
        findings += judge_rows(rows, walk, findings)
        findings += walk.set_back
        findings += walk.ahead_of(self._store.clock.now())
        return tuple(dict.fromkeys(findings))

    def require_vouched(self, number: str, vms: Collection[str], *tables: Table) -> None:
        """Raises Refused `audit.not-vouched` where one of a request's rows in these tables, or of
        its instances (which should have the keys `vms`), their cards and addresses, is not what the
        newest entry that was signed here says of it, or the log has lost what its head knows."""
        head = self._head.read()  # first: others may move it on while we look at the log
        with self._store.read() as connection:
            keys = self.signing.trusted(connection)
            if keys is None:
                raise Refused("audit.key-missing", file=self.signing.file)
            if head and _is_genuine(head, connection, keys) and not agrees(connection, head):
                raise Refused("audit.not-vouched", number=number, about=f"audit:{head.seq}")
            for label in unvouched(connection, keys, number, vms, tables):
                raise Refused("audit.not-vouched", number=number, about=label)

    def export(self, site: str, opd: str | None) -> Export:
        """The log up to its head, of the site or of one OPD alone, with what proves it.

        Raises Refused `audit.no-head` where the head file is gone, or the key.
        """
        head, key = self._head.read(), self.signing.public()
        if head is None or head.at is None or key is None:
            raise Refused("audit.no-head", file=self._head.name)
        query = _RAW.where(audit.c.seq <= head.seq)
        if opd is not None:
            query = query.where(audit.c.opd == opd)
        with self._store.read() as connection:
            entries = tuple(map(bound.as_raw, connection.execute(query)))
            keys = rotations(connection)
        return Export(site, opd, head, key.pem, entries, keys)

    def examine(self, connection: Connection, pem: str | None, version: int) -> tuple[Finding, ...]:
        """Every break of a log whose heads are elsewhere, as in a copy; `pem` is the private key
        that came with it, the site's own if none did; `version` is that of its tables."""
        later = bound.bound_after(version)
        tables = [one for one in BOUND if one not in later]
        trusted = private_key(pem) if pem else self.signing.public()
        walk = Walk(ring(trusted, rotations(connection)) if trusted else None)
        walk.site(map(bound.as_raw, connection.execute(_RAW)))
        rows = tuple(bound.compare(connection, walk.claims, tables)) if walk.any_signed else ()
        return tuple(dict.fromkeys([*walk.findings, *judge_rows(rows, walk, walk.findings)]))

    def head(self) -> Tip | None:
        """What the head file says of the site's chain; None where it is gone or is not one."""
        head = self._head.read()
        return None if head is None else Tip(head.seq, head.hash)


def _is_genuine(head: Head, connection: Connection, keys: Ring) -> bool:
    """Whether we wrote it: it is signed, or is what the first release left when `adopt` came and
    found that it agreed."""
    if head.at is not None:
        return keys.signed_head(head)
    taken = connection.execute(_ADOPTION).first()
    if taken is None or not keys.signed_entry(taken.seq, taken.hash, taken.signature):
        return False
    told = json.loads(taken.details)
    return (head.seq, head.hash) == (told["head_seq"], told["head_hash"])


def _is_explained(head: Head, connection: Connection, keys: Ring, genuine: bool) -> bool:
    """Whether the log tells why the head knows another one."""
    entries = map(bound.as_raw, connection.execute(_RAW.where(audit.c.action.in_(ACTIONS))))
    told = (anew(raw) for raw in entries if keys.wrote(raw))
    return any(one is not None and one.explains(head, genuine=genuine) for one in told)


_NEWEST_MOMENT = select(type_coerce(audit.c.at, Text)).order_by(audit.c.seq.desc()).limit(1)
_ADOPTION = (
    select(audit.c.seq, audit.c.details, audit.c.hash, audit.c.signature)
    .where(audit.c.action == ADOPTED)
    .order_by(audit.c.seq)
    .limit(1)
)
_RAW = bound.raw(audit)
