"""Who signs now: the key that the ledger names, and the keys that it follows.

The ledger names the fingerprint of its key, the file holds the key: either alone is not enough.
Whoever lays another key in the file's place cannot sign with it, and whoever writes another name
into the database has no key to it. The key changes in one transaction: the old key signs the entry
that names the new one, the ledger names it, and the file is exchanged; what of it a kill left half
done, the next deed puts right. Where several hosts work on one ledger each has a copy of the file,
and looks at each deed which key is named.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, bindparam, delete, insert, select

from cloudpemda.errors import Refused, Unreachable
from cloudpemda.ledger.audit import bound
from cloudpemda.ledger.audit.deed import Deed
from cloudpemda.ledger.audit.entries import Actor, Raw
from cloudpemda.ledger.audit.heads import HeadFile
from cloudpemda.ledger.audit.keys import KeyFile, PublicKey, Signer, new_signer
from cloudpemda.ledger.audit.ring import ROTATED, SUBJECT, Ring, ring
from cloudpemda.ledger.prepared import Prepared
from cloudpemda.ledger.schema import audit, meta
from cloudpemda.units import Instant

KEY_NAME = "audit-key"
"""Under which name the ledger keeps the fingerprint of the key that signs it."""


class Signing:
    """The key of one log."""

    def __init__(self, file: Path, head: HeadFile, *, shared: bool) -> None:
        """`file` holds it, `head` is the log's head file; `shared`: other hosts may change it."""
        self._keys = KeyFile(file)
        self._head = head
        self._shared = shared
        self._signer: Signer | None = None
        self._mark: object = None
        self._ring: tuple[Signer, Ring] | None = None

    @property
    def file(self) -> str:
        return str(self._keys.file)

    # -- which key -----------------------------------------------------------------------------
    def prepare(self) -> None:
        """Have the key at hand before the ledger's lock is taken."""
        if self._signer is None:
            self._keys.load()

    def signer(self, connection: Connection) -> Signer:
        """The site's key, made where nothing was signed yet.

        Which one it is stands in the ledger; it is looked up anew when the file has changed, and
        for each deed where other hosts may change it.
        Raises Refused `audit.key-missing` where it is gone, `audit.key-other` where another lies
        in its place, `audit.key-unusable`; Unreachable `ledger.unavailable` where none can be made.
        """
        if self._keys.mark() != self._mark:
            self._signer = None
        if self._signer is None or self._shared:
            named = _named(connection)
            if self._signer is not None and self._signer.fingerprint == named:
                return self._signer
            self._signer = self._first(connection) if named is None else self._with(named)
            self._mark = self._keys.mark()
        return self._signer

    def _with(self, fingerprint: str) -> Signer:
        signer = self._keys.holding(fingerprint)
        if signer is not None:
            return signer
        values = {"file": self.file, "wanted": fingerprint[:16]}
        if not self._keys.exists():
            raise Refused("audit.key-missing", **values)
        raise Refused("audit.key-other", **values, found=self._keys.signer().fingerprint[:16])

    def _first(self, connection: Connection) -> Signer:
        """The key of a ledger that names none: one that is new, or of an earlier release."""
        signed = connection.execute(_NEWEST_SIGNED).first()
        values = {"file": self.file, "wanted": "?"}
        if signed and not self._keys.exists():
            raise Refused("audit.key-missing", **values)
        found = self.first()
        head = self._head.read()
        known = head is not None and head.is_signed(found)
        if signed and not known and not found.signed_entry(signed.hash, signed.signature):
            raise Refused("audit.key-other", **values, found=found.fingerprint[:16])
        return found

    def first(self) -> Signer:
        """The key of the file, made where there is none: of a log that has no entry yet. Raises
        Refused `audit.key-unusable`, Unreachable `ledger.unavailable`."""
        if self._keys.exists():
            return self._keys.signer()
        try:
            return self._keys.make()
        except OSError as error:
            cause = os.strerror(error.errno or 0)
            raise Unreachable("ledger.unavailable", file=self.file, cause=cause) from error

    def name(self, connection: Connection) -> None:
        """Write into the ledger by which key it is signed from now on: this site's."""
        _name(connection, self.signer(connection))

    # -- the keys before it --------------------------------------------------------------------
    def trusted(self, connection: Connection) -> Ring | None:
        """The keys that follow from the one which proves the site's signatures; None where both of
        its files are gone."""
        public = self.public()
        return None if public is None else ring(public, rotations(connection))

    def ring(self, connection: Connection) -> Ring:
        """The same from the key that signs, looked up once for each. Raises like `signer`."""
        signer = self.signer(connection)
        if self._ring is None or self._ring[0] != signer:
            self._ring = signer, ring(signer, rotations(connection))
        return self._ring[1]

    def last(self) -> tuple[Signer, Ring] | None:
        """What signed last, and its ring, without a look at the ledger; None before `ring` was
        asked for."""
        if self._signer is None or self._ring is None or self._ring[0] != self._signer:
            return None
        return self._ring

    def public(self) -> PublicKey | None:
        """The key that proves the site's signatures; None where both of its files are gone."""
        return self._keys.public()

    # -- another key ---------------------------------------------------------------------------
    def rotate(
        self, connection: Connection, now: Instant, actor: Actor, reason: str, *, lost: bool
    ) -> tuple[PublicKey, PublicKey]:
        """A new key from the next entry on; answers with the old and the new one.

        The old key signs the entry that names the new one, and is set aside. A `lost` one cannot:
        the new key alone vouches for it. Raises Refused `audit.key-there` for a lost key that is
        not, `audit.no-public` without its public half; like `signer` where it is gone.
        """
        new = new_signer()
        old = self._lost(connection) if lost else self.signer(connection)
        signer = new if lost else self.signer(connection)
        deed = Deed(connection, now, actor, lambda _: signer)
        deed.record(
            ROTATED, None, SUBJECT,
            old=old.raw, new=new.raw, word=new.vouch_for(old), lost=lost, reason=reason,
        )  # fmt: skip
        _name(connection, new)
        with self.under(new.private_pem):
            pass  # set aside, and put back should this transaction not come to its end
        return old, new

    def _lost(self, connection: Connection) -> PublicKey:
        """The public half of a key that is lost."""
        try:
            self.signer(connection)
        except Refused:
            known = self._keys.public_alone()
            if known is None or known.fingerprint != _named(connection):
                raise Refused("audit.no-public", file=str(self._keys.public_file)) from None
            return known
        raise Refused("audit.key-there", file=self.file)

    def destroy(self, old: PublicKey) -> None:
        """Overwrite and remove a key that was set aside."""
        self._keys.destroy_aside(old.fingerprint)

    def copied(self) -> str | None:
        """The private key, for a copy of the ledger that is sealed; None where there is none."""
        return self._keys.signer().private_pem if self._keys.exists() else None

    @contextmanager
    def under(self, pem: str | None) -> Iterator[None]:
        """Sign with this key (None: the present one), for good unless what is done fails; the
        present one is set aside. In the write transaction in which the ledger comes to name it.
        Raises Refused `audit.key-unusable`."""
        self._signer = None
        with self._keys.replaced_by(pem):
            try:
                yield
            finally:
                self._signer = None


def rotations(connection: Connection) -> tuple[Raw, ...]:
    """The entries that name new keys."""
    return tuple(map(bound.as_raw, connection.execute(_ROTATIONS)))


def _name(connection: Connection, key: PublicKey) -> None:
    connection.execute(delete(meta).where(meta.c.key == KEY_NAME))
    connection.execute(insert(meta).values(key=KEY_NAME, value=key.fingerprint))


def _named(connection: Connection) -> str | None:
    """The fingerprint of the key that the ledger names."""
    found = _KEY.row(connection, {"name": KEY_NAME})
    return None if found is None else str(found[0])


_KEY = Prepared(select(meta.c.value).where(meta.c.key == bindparam("name")))
_NEWEST_SIGNED = (
    select(audit.c.hash, audit.c.signature)
    .where(audit.c.signature.is_not(None))
    .order_by(audit.c.seq.desc())
    .limit(1)
)
_ROTATIONS = bound.raw(audit).where(audit.c.subject == SUBJECT, audit.c.action == ROTATED)
