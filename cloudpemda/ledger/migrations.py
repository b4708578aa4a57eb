"""How a ledger came to its tables: numbered functions, each run once, all in one transaction.

A migration is never edited once it has been released, so it spells its tables out instead of
reading them from `schema`, which moves on. A ledger of a newer program is refused: an older one
would not know what the newer one relies on.
"""

import hashlib
import json
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, insert, inspect, select, text
from sqlalchemy.sql.functions import max as sql_max

from cloudpemda.errors import Refused
from cloudpemda.ledger import schema
from cloudpemda.units import Instant


def migrate(connection: Connection, now: Instant, until: int | None = None) -> None:
    """Bring the ledger to the newest version, or to `until`. Raises Refused `ledger.newer`.

    Runs inside the caller's write transaction: all of it happens, or none.
    """
    found = version_of(connection)
    if found > NEWEST:
        raise Refused("ledger.newer", found=found, known=NEWEST)
    if found == 0:
        _run(connection, _VERSION_TABLE)
    for version, step in enumerate(_MIGRATIONS[found:until], start=found + 1):
        step(connection)
        connection.execute(insert(schema.schema_version).values(version=version, applied_at=now))


def version_of(connection: Connection) -> int:
    """The newest migration that was run; 0 for a database that is not a ledger yet."""
    if not inspect(connection).has_table("schema_version"):
        return 0
    return connection.scalar(select(sql_max(schema.schema_version.c.version))) or 0


def _run(connection: Connection, statements: Sequence[str]) -> None:
    for statement in statements:
        # Texts sort as bytes on every database: moments and keys are compared as text.
        sorting = connection.dialect.name == "postgresql" and statement.startswith("CREATE TABLE")
        spelt = statement.replace(" TEXT", ' TEXT COLLATE "C"') if sorting else statement
        connection.execute(text(spelt))


_VERSION_TABLE = (
    "CREATE TABLE schema_version (version INTEGER NOT NULL PRIMARY KEY, applied_at TEXT NOT NULL)",
)

_V1 = (
    """CREATE TABLE requests (
        number TEXT NOT NULL PRIMARY KEY, opd TEXT NOT NULL, name TEXT NOT NULL,
        revision INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT, updated_at TEXT NOT NULL,
        UNIQUE (opd, name))""",
    """CREATE TABLE revisions (
        number TEXT NOT NULL REFERENCES requests (number), revision INTEGER NOT NULL,
        spec_hash TEXT NOT NULL, spec TEXT NOT NULL, source TEXT NOT NULL,
        login TEXT NOT NULL, person TEXT NOT NULL, role TEXT NOT NULL, at TEXT NOT NULL,
        PRIMARY KEY (number, revision))""",
    """CREATE TABLE approvals (
        number TEXT NOT NULL REFERENCES requests (number), seq INTEGER NOT NULL,
        revision INTEGER NOT NULL, offer_digest TEXT NOT NULL, offer TEXT NOT NULL,
        login TEXT NOT NULL, person TEXT NOT NULL, role TEXT NOT NULL, at TEXT NOT NULL,
        hold_until TEXT NOT NULL, voided_at TEXT,
        PRIMARY KEY (number, seq),
        FOREIGN KEY (number, revision) REFERENCES revisions (number, revision))""",
    "CREATE UNIQUE INDEX approvals_live ON approvals (number) WHERE voided_at IS NULL",
    """CREATE TABLE postings (
        seq INTEGER NOT NULL PRIMARY KEY, at TEXT NOT NULL, opd TEXT NOT NULL,
        number TEXT NOT NULL REFERENCES requests (number), instance TEXT NOT NULL,
        dimension TEXT NOT NULL, held INTEGER NOT NULL, committed INTEGER NOT NULL)""",
    "CREATE INDEX postings_balance ON postings (opd, dimension, held, committed)",
    "CREATE INDEX postings_instance ON postings (instance, dimension, held, committed)",
    """CREATE TABLE instances (
        uid TEXT NOT NULL PRIMARY KEY, key TEXT NOT NULL, opd TEXT NOT NULL,
        number TEXT NOT NULL REFERENCES requests (number), member TEXT NOT NULL,
        name TEXT NOT NULL, cluster TEXT NOT NULL, vmid INTEGER NOT NULL, role TEXT NOT NULL,
        state TEXT NOT NULL, node TEXT, storages TEXT NOT NULL, targets TEXT NOT NULL,
        error TEXT, active_since TEXT, updated_at TEXT NOT NULL)""",
    "CREATE UNIQUE INDEX instances_key ON instances (key) WHERE state <> 'purged'",
    "CREATE UNIQUE INDEX instances_name ON instances (name) WHERE state <> 'purged'",
    "CREATE UNIQUE INDEX instances_vmid ON instances (cluster, vmid) WHERE state <> 'purged'",
    """CREATE TABLE nics (
        uid TEXT NOT NULL REFERENCES instances (uid), slot INTEGER NOT NULL,
        network TEXT NOT NULL, mac TEXT NOT NULL UNIQUE, PRIMARY KEY (uid, slot))""",
    """CREATE TABLE addresses (
        pool TEXT NOT NULL, address TEXT NOT NULL, uid TEXT NOT NULL, slot INTEGER NOT NULL,
        PRIMARY KEY (pool, address),
        FOREIGN KEY (uid, slot) REFERENCES nics (uid, slot))""",
    "CREATE INDEX addresses_uid ON addresses (uid)",
    """CREATE TABLE sagas (
        id TEXT NOT NULL PRIMARY KEY, number TEXT NOT NULL REFERENCES requests (number),
        kind TEXT NOT NULL, plan_digest TEXT NOT NULL, state TEXT NOT NULL,
        started_at TEXT NOT NULL, owner TEXT, heartbeat TEXT NOT NULL)""",
    """CREATE UNIQUE INDEX sagas_unfinished ON sagas (number, kind)
        WHERE state IN ('open', 'stuck')""",
    """CREATE TABLE steps (
        saga TEXT NOT NULL REFERENCES sagas (id), subject TEXT NOT NULL, name TEXT NOT NULL,
        seq INTEGER NOT NULL, state TEXT NOT NULL, upid TEXT, error TEXT, at TEXT NOT NULL,
        PRIMARY KEY (saga, subject, name))""",
    """CREATE TABLE audit (
        seq INTEGER NOT NULL PRIMARY KEY, at TEXT NOT NULL, login TEXT NOT NULL,
        person TEXT NOT NULL, role TEXT NOT NULL, action TEXT NOT NULL, opd TEXT,
        subject TEXT NOT NULL, details TEXT NOT NULL, previous TEXT NOT NULL,
        hash TEXT NOT NULL)""",
    "CREATE INDEX audit_subject ON audit (subject)",
    "CREATE INDEX audit_opd ON audit (opd)",
)

_V1_GUARDS = {
    "sqlite": (
        """CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
            BEGIN SELECT RAISE(ABORT, 'audit entries are append-only'); END""",
        """CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
            BEGIN SELECT RAISE(ABORT, 'audit entries are append-only'); END""",
        """CREATE TRIGGER postings_no_update BEFORE UPDATE ON postings
            BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END""",
        """CREATE TRIGGER postings_no_delete BEFORE DELETE ON postings
            BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END""",
    ),
    "postgresql": (
        """CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$""",
        """CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
            FOR EACH STATEMENT EXECUTE FUNCTION append_only()""",
        """CREATE TRIGGER postings_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON postings
            FOR EACH STATEMENT EXECUTE FUNCTION append_only()""",
    ),
}


def _v1(connection: Connection) -> None:
    """Everything that the first release knows."""
    _run(connection, _V1)
    _run(connection, _V1_GUARDS[connection.dialect.name])


_V2 = ("CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)",)

_V2_GUARDS = {
    "postgresql": (),  # its INSERT … ON CONFLICT is an UPDATE to the guards above
    # SQLite replaces a row (INSERT OR REPLACE) without asking the triggers of a deletion.
    "sqlite": (
        """CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit
            WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq)
            BEGIN SELECT RAISE(ABORT, 'audit entries are append-only'); END""",
        """CREATE TRIGGER postings_no_replace BEFORE INSERT ON postings
            WHEN EXISTS (SELECT 1 FROM postings WHERE seq = NEW.seq)
            BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END""",
    ),
}


def _v2(connection: Connection) -> None:
    """What the ledger remembers of its site; no replacing of what is only added to."""
    _run(connection, _V2)
    _run(connection, _V2_GUARDS[connection.dialect.name])


_V3 = (
    """CREATE TABLE intake (
        number TEXT NOT NULL PRIMARY KEY REFERENCES requests (number), file TEXT NOT NULL,
        spec_hash TEXT NOT NULL, at TEXT NOT NULL)""",
)


def _v3(connection: Connection) -> None:
    """Which document of the inbox was taken last."""
    _run(connection, _V3)


_V4 = (
    """CREATE TABLE proposals (
        number TEXT NOT NULL PRIMARY KEY REFERENCES requests (number),
        revision INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT, updated_at TEXT NOT NULL,
        FOREIGN KEY (number, revision) REFERENCES revisions (number, revision))""",
    # What a workload lives by stays approved while a change to it is.
    "DROP INDEX approvals_live",
    """CREATE UNIQUE INDEX approvals_live ON approvals (number, revision)
        WHERE voided_at IS NULL""",
)


def _v4(connection: Connection) -> None:
    """Changes to workloads that live."""
    _run(connection, _V4)


_V5 = (
    """CREATE TABLE found (
        cluster TEXT NOT NULL, vmid INTEGER NOT NULL, uid TEXT NOT NULL, key TEXT NOT NULL,
        opd TEXT, name TEXT NOT NULL, usage TEXT NOT NULL, noted_at TEXT NOT NULL,
        PRIMARY KEY (cluster, vmid))""",
)


def _v5(connection: Connection) -> None:
    """VMs of ours that the ledger does not know, as after the restore of an older copy."""
    _run(connection, _V5)


_V6 = (
    """CREATE TABLE decisions (
        number TEXT NOT NULL REFERENCES requests (number), seq INTEGER NOT NULL,
        revision INTEGER NOT NULL, stage INTEGER NOT NULL, verdict TEXT NOT NULL,
        policy TEXT NOT NULL, offer_digest TEXT, authority TEXT NOT NULL, login TEXT NOT NULL,
        person TEXT NOT NULL, role TEXT NOT NULL, behalf_login TEXT, behalf_person TEXT,
        letter TEXT, rule TEXT, takes TEXT NOT NULL, at TEXT NOT NULL, voided_at TEXT,
        PRIMARY KEY (number, seq),
        FOREIGN KEY (number, revision) REFERENCES revisions (number, revision))""",
    """CREATE UNIQUE INDEX decisions_live ON decisions (number, revision, login)
        WHERE voided_at IS NULL""",
    """INSERT INTO decisions (number, seq, revision, stage, verdict, policy, offer_digest,
            authority, login, person, role, takes, at)
        SELECT number, 1, revision, 0, 'approve', '-', offer_digest, '', login, person, role,
            '{}', at FROM approvals WHERE voided_at IS NULL""",
)


def _v6(connection: Connection) -> None:
    """Decisions of their own: an approval may take several. One live approval was one decision."""
    _run(connection, _V6)


_V7 = (
    "ALTER TABLE audit ADD COLUMN behalf TEXT",
    "ALTER TABLE audit ADD COLUMN bound TEXT",
    "ALTER TABLE audit ADD COLUMN opd_seq INTEGER",
    "ALTER TABLE audit ADD COLUMN opd_previous TEXT",
    "ALTER TABLE audit ADD COLUMN opd_hash TEXT",
    "ALTER TABLE audit ADD COLUMN signature TEXT",
    "DROP INDEX audit_opd",
    "CREATE UNIQUE INDEX audit_opd ON audit (opd, opd_seq)",
)

_V7_OPEN = {
    "sqlite": ("DROP TRIGGER audit_no_update",),
    "postgresql": ("DROP TRIGGER audit_no_change ON audit",),
}

_V7_GUARDS = {
    "sqlite": _V1_GUARDS["sqlite"][:1],
    "postgresql": _V1_GUARDS["postgresql"][1:2],
}


def _v7(connection: Connection) -> None:
    """A chain for each OPD: every entry that there is gets its place in it, and nothing else of
    it changes. The guard is off for as long as the transaction."""
    _run(connection, _V7)
    _run(connection, _V7_OPEN[connection.dialect.name])
    last: dict[str, tuple[int, str]] = {}
    entries = connection.execute(
        text("SELECT seq, opd, hash FROM audit WHERE opd IS NOT NULL ORDER BY seq")
    ).all()
    for seq, opd, hash_ in entries:
        number, previous = last.get(opd, (0, "0" * 64))
        link = json.dumps(
            [opd, number + 1, previous, hash_], separators=(",", ":"), ensure_ascii=False
        )
        last[opd] = (number + 1, hashlib.sha256(link.encode()).hexdigest())
        connection.execute(
            text(
                "UPDATE audit SET opd_seq = :place, opd_previous = :previous, opd_hash = :link "
                "WHERE seq = :seq"
            ),
            {"place": number + 1, "previous": previous, "link": last[opd][1], "seq": seq},
        )
    _run(connection, _V7_GUARDS[connection.dialect.name])


_V8 = (
    """CREATE TABLE limits (
        seq INTEGER NOT NULL PRIMARY KEY, at TEXT NOT NULL, opd TEXT NOT NULL,
        dimension TEXT NOT NULL, amount INTEGER)""",
    "CREATE INDEX limits_opd ON limits (opd, seq)",
    """CREATE TABLE quota_requests (
        number TEXT NOT NULL PRIMARY KEY, opd TEXT NOT NULL, name TEXT NOT NULL,
        revision INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT, updated_at TEXT NOT NULL,
        UNIQUE (opd, name))""",
    """CREATE TABLE quota_revisions (
        number TEXT NOT NULL REFERENCES quota_requests (number), revision INTEGER NOT NULL,
        spec_hash TEXT NOT NULL, spec TEXT NOT NULL, source TEXT NOT NULL,
        login TEXT NOT NULL, person TEXT NOT NULL, role TEXT NOT NULL, at TEXT NOT NULL,
        PRIMARY KEY (number, revision))""",
    """CREATE TABLE grants (
        number TEXT NOT NULL, revision INTEGER NOT NULL, dimension TEXT NOT NULL,
        opd TEXT NOT NULL, amount INTEGER NOT NULL,
        starts_at TEXT NOT NULL, ends_at TEXT, ended_at TEXT,
        letter_number TEXT NOT NULL, letter_date TEXT NOT NULL,
        login TEXT NOT NULL, person TEXT NOT NULL, role TEXT NOT NULL, at TEXT NOT NULL,
        PRIMARY KEY (number, revision, dimension),
        FOREIGN KEY (number, revision) REFERENCES quota_revisions (number, revision))""",
    "CREATE INDEX grants_opd ON grants (opd)",
)

_V8_GUARDS = {
    "sqlite": (
        """CREATE TRIGGER limits_no_update BEFORE UPDATE ON limits
            BEGIN SELECT RAISE(ABORT, 'limits are append-only'); END""",
        """CREATE TRIGGER limits_no_delete BEFORE DELETE ON limits
            BEGIN SELECT RAISE(ABORT, 'limits are append-only'); END""",
        """CREATE TRIGGER limits_no_replace BEFORE INSERT ON limits
            WHEN EXISTS (SELECT 1 FROM limits WHERE seq = NEW.seq)
            BEGIN SELECT RAISE(ABORT, 'limits are append-only'); END""",
        """CREATE TRIGGER grants_no_delete BEFORE DELETE ON grants
            BEGIN SELECT RAISE(ABORT, 'grants are kept'); END""",
    ),
    "postgresql": (
        """CREATE TRIGGER limits_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON limits
            FOR EACH STATEMENT EXECUTE FUNCTION append_only()""",
        """CREATE TRIGGER grants_no_delete BEFORE DELETE OR TRUNCATE ON grants
            FOR EACH STATEMENT EXECUTE FUNCTION append_only()""",
    ),
}


def _v8(connection: Connection) -> None:
    """Limits as they were seen, and what was granted on top of them."""
    _run(connection, _V8)
    _run(connection, _V8_GUARDS[connection.dialect.name])


_V9 = (
    """CREATE TABLE papers (
        key TEXT NOT NULL PRIMARY KEY, number TEXT NOT NULL, file TEXT NOT NULL,
        spec_hash TEXT NOT NULL, at TEXT NOT NULL)""",
    """INSERT INTO papers (key, number, file, spec_hash, at)
        SELECT requests.opd || '/' || requests.name, intake.number, intake.file,
            intake.spec_hash, intake.at
        FROM intake JOIN requests ON requests.number = intake.number""",
    "DROP TABLE intake",
)


def _v9(connection: Connection) -> None:
    """The inbox takes requests for quota too: what it took is known by key."""
    _run(connection, _V9)


_V10_GUARDS = {
    "sqlite": tuple(
        f"""CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
            BEGIN SELECT RAISE(ABORT, '{table} are kept'); END"""
        for table in ("requests", "proposals", "instances", "quota_requests")
    ),
    "postgresql": tuple(
        f"""CREATE TRIGGER {table}_no_delete BEFORE DELETE OR TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION append_only()"""
        for table in ("requests", "proposals", "instances", "quota_requests")
    ),
}


def _v10(connection: Connection) -> None:
    """Rows that tell how far something is are bound to entries, and none is ever deleted."""
    _run(connection, _V10_GUARDS[connection.dialect.name])


_V11 = (
    """CREATE TABLE decisions_on_both (
        number TEXT NOT NULL, seq INTEGER NOT NULL,
        revision INTEGER NOT NULL, stage INTEGER NOT NULL, verdict TEXT NOT NULL,
        policy TEXT NOT NULL, offer_digest TEXT, authority TEXT NOT NULL, login TEXT NOT NULL,
        person TEXT NOT NULL, role TEXT NOT NULL, behalf_login TEXT, behalf_person TEXT,
        letter TEXT, rule TEXT, takes TEXT NOT NULL, at TEXT NOT NULL, voided_at TEXT,
        PRIMARY KEY (number, seq))""",
    """INSERT INTO decisions_on_both (number, seq, revision, stage, verdict, policy, offer_digest,
            authority, login, person, role, behalf_login, behalf_person, letter, rule, takes, at,
            voided_at)
        SELECT number, seq, revision, stage, verdict, policy, offer_digest, authority, login,
            person, role, behalf_login, behalf_person, letter, rule, takes, at, voided_at
        FROM decisions""",
    "DROP TABLE decisions",
    "ALTER TABLE decisions_on_both RENAME TO decisions",
    """CREATE UNIQUE INDEX decisions_live ON decisions (number, revision, login)
        WHERE voided_at IS NULL""",
)


def _v11(connection: Connection) -> None:
    """Requests for quota are decided by chains too: a decision is known by either's number."""
    _run(connection, _V11)


_V12 = (
    """CREATE TABLE drains (
        cluster TEXT NOT NULL, node TEXT NOT NULL, reason TEXT NOT NULL, person TEXT NOT NULL,
        since TEXT NOT NULL, PRIMARY KEY (cluster, node))""",
)


def _v12(connection: Connection) -> None:
    """Nodes that are kept empty for maintenance."""
    _run(connection, _V12)


_V13 = (
    """CREATE TABLE notices (
        what TEXT NOT NULL, subject TEXT NOT NULL, ends_at TEXT NOT NULL,
        before INTEGER NOT NULL, at TEXT NOT NULL,
        PRIMARY KEY (what, subject, ends_at, before))""",
)


def _v13(connection: Connection) -> None:
    """What was announced before it ends."""
    _run(connection, _V13)


_V14 = (
    """CREATE TABLE rests (
        pool TEXT NOT NULL, address TEXT NOT NULL, opd TEXT NOT NULL, key TEXT NOT NULL,
        released_at TEXT NOT NULL, PRIMARY KEY (pool, address))""",
    """CREATE TABLE sightings (
        cluster TEXT NOT NULL, address TEXT NOT NULL, vmid INTEGER NOT NULL, name TEXT NOT NULL,
        noted_at TEXT NOT NULL, PRIMARY KEY (cluster, address, vmid))""",
)


def _v14(connection: Connection) -> None:
    """Addresses that rest after their release, and those that strangers use."""
    _run(connection, _V14)


_V15 = (
    """CREATE TABLE balances (
        opd TEXT NOT NULL, dimension TEXT NOT NULL,
        committed INTEGER NOT NULL, held INTEGER NOT NULL,
        PRIMARY KEY (opd, dimension))""",
    """INSERT INTO balances (opd, dimension, committed, held)
        SELECT opd, dimension, sum(committed), sum(held) FROM postings GROUP BY opd, dimension""",
    "CREATE INDEX approvals_due ON approvals (hold_until) WHERE voided_at IS NULL",
)

_V15_TRIGGERS = {
    "sqlite": (
        """CREATE TRIGGER postings_summed AFTER INSERT ON postings BEGIN
            INSERT INTO balances (opd, dimension, committed, held)
            VALUES (NEW.opd, NEW.dimension, NEW.committed, NEW.held)
            ON CONFLICT (opd, dimension) DO UPDATE SET
                committed = balances.committed + excluded.committed,
                held = balances.held + excluded.held; END""",
    ),
    "postgresql": (
        """CREATE FUNCTION sum_postings() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO balances (opd, dimension, committed, held)
            SELECT opd, dimension, sum(committed), sum(held) FROM added
            GROUP BY opd, dimension ORDER BY opd, dimension
            ON CONFLICT (opd, dimension) DO UPDATE SET
                committed = balances.committed + excluded.committed,
                held = balances.held + excluded.held;
            RETURN NULL; END $$""",
        """CREATE TRIGGER postings_summed AFTER INSERT ON postings
            REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION sum_postings()""",
    ),
}


def _v15(connection: Connection) -> None:
    """Running totals: what an OPD is charged is read, and not summed up again for every hold."""
    _run(connection, _V15)
    _run(connection, _V15_TRIGGERS[connection.dialect.name])


_V16 = ("ALTER TABLE instances ADD COLUMN slots TEXT",)


def _v16(connection: Connection) -> None:
    """Which slot each disk of a VM has, once a change has given it another disk."""
    _run(connection, _V16)


_V17 = (
    """CREATE TABLE stops (
        uid TEXT NOT NULL PRIMARY KEY, person TEXT NOT NULL, reason TEXT NOT NULL,
        since TEXT NOT NULL)""",
)


def _v17(connection: Connection) -> None:
    """VMs that were stopped on purpose."""
    _run(connection, _V17)


_V18 = (
    """CREATE TABLE orphans (
        cluster TEXT NOT NULL, node TEXT NOT NULL, volume TEXT NOT NULL, vmid INTEGER NOT NULL,
        uid TEXT NOT NULL, key TEXT NOT NULL, opd TEXT NOT NULL, number TEXT NOT NULL,
        dimension TEXT NOT NULL, size INTEGER NOT NULL, since TEXT NOT NULL,
        PRIMARY KEY (cluster, node, volume))""",
)


def _v18(connection: Connection) -> None:
    """What a VM that went left behind on nodes that did not answer."""
    _run(connection, _V18)


_V19 = (
    """CREATE TABLE adoptions (
        uid TEXT NOT NULL, facts TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (uid))""",
)


def _v19(connection: Connection) -> None:
    """How VMs stood when they were adopted."""
    _run(connection, _V19)


_V20 = (
    """CREATE TABLE vm_snapshots (
        uid TEXT NOT NULL, name TEXT NOT NULL, person TEXT NOT NULL, reason TEXT NOT NULL,
        taken_at TEXT NOT NULL, until TEXT NOT NULL, PRIMARY KEY (uid, name))""",
)


def _v20(connection: Connection) -> None:
    """States of VMs to go back to."""
    _run(connection, _V20)


_V21 = (
    """CREATE TABLE restores (
        uid TEXT NOT NULL, seq INTEGER NOT NULL, backup TEXT NOT NULL, taken_at TEXT NOT NULL,
        kept TEXT NOT NULL, safety INTEGER NOT NULL, saved TEXT, person TEXT NOT NULL,
        reason TEXT NOT NULL, begun_at TEXT NOT NULL, ended_at TEXT, outcome TEXT,
        PRIMARY KEY (uid, seq))""",
)


def _v21(connection: Connection) -> None:
    """VMs that were made as a backup holds them."""
    _run(connection, _V21)


_V22 = (
    """CREATE TABLE asides (
        uid TEXT NOT NULL, volume TEXT NOT NULL, disk TEXT NOT NULL, slot TEXT NOT NULL,
        why TEXT NOT NULL, dimension TEXT NOT NULL, size INTEGER NOT NULL,
        amount INTEGER NOT NULL, noted_at TEXT NOT NULL, since TEXT,
        PRIMARY KEY (uid, volume))""",
)


def _v22(connection: Connection) -> None:
    """Volumes that changes set aside: disks that were removed, and what moved ones left."""
    _run(connection, _V22)


_V23 = (
    """CREATE TABLE copies (
        uid TEXT NOT NULL PRIMARY KEY, origin TEXT NOT NULL, name TEXT NOT NULL,
        backup TEXT NOT NULL, taken_at TEXT NOT NULL, person TEXT NOT NULL, reason TEXT NOT NULL,
        until TEXT NOT NULL)""",
)


def _v23(connection: Connection) -> None:
    """VMs that were restored beside the VM that they are copies of."""
    _run(connection, _V23)


_MIGRATIONS: tuple[Callable[[Connection], None], ...] = (
    _v1, _v2, _v3, _v4, _v5, _v6, _v7, _v8, _v9, _v10, _v11, _v12, _v13, _v14, _v15, _v16, _v17,
    _v18, _v19, _v20, _v21, _v22, _v23,
)  # fmt: skip
NEWEST = len(_MIGRATIONS)
SIGNED = _MIGRATIONS.index(_v7) + 1
"""The version from which on every audit entry is signed."""
STATES_BOUND = _MIGRATIONS.index(_v10) + 1
"""The version from which on entries are bound to the rows of `BOUND_LATER`."""
