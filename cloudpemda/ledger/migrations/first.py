"""Versions 1 to 10: requests, quota, decisions, the audit log and what it is bound to."""

import hashlib
import json

from sqlalchemy import Connection, text

from cloudpemda.ledger.migrations.run import run

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
    run(connection, _V1)
    run(connection, _V1_GUARDS[connection.dialect.name])


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
    run(connection, _V2)
    run(connection, _V2_GUARDS[connection.dialect.name])


_V3 = (
    """CREATE TABLE intake (
        number TEXT NOT NULL PRIMARY KEY REFERENCES requests (number), file TEXT NOT NULL,
        spec_hash TEXT NOT NULL, at TEXT NOT NULL)""",
)


def _v3(connection: Connection) -> None:
    """Which document of the inbox was taken last."""
    run(connection, _V3)


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
    run(connection, _V4)


_V5 = (
    """CREATE TABLE found (
        cluster TEXT NOT NULL, vmid INTEGER NOT NULL, uid TEXT NOT NULL, key TEXT NOT NULL,
        opd TEXT, name TEXT NOT NULL, usage TEXT NOT NULL, noted_at TEXT NOT NULL,
        PRIMARY KEY (cluster, vmid))""",
)


def _v5(connection: Connection) -> None:
    """VMs of ours that the ledger does not know, as after the restore of an older copy."""
    run(connection, _V5)


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
    run(connection, _V6)


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
    run(connection, _V7)
    run(connection, _V7_OPEN[connection.dialect.name])
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
    run(connection, _V7_GUARDS[connection.dialect.name])


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
    run(connection, _V8)
    run(connection, _V8_GUARDS[connection.dialect.name])


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
    run(connection, _V9)


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
    run(connection, _V10_GUARDS[connection.dialect.name])


STEPS = (_v1, _v2, _v3, _v4, _v5, _v6, _v7, _v8, _v9, _v10)
SIGNED = STEPS.index(_v7) + 1
"""The version from which on every audit entry is signed."""
STATES_BOUND = STEPS.index(_v10) + 1
"""The version from which on entries are bound to how far each thing is in its life."""
