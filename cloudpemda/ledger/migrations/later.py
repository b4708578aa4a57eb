"""Versions from 11 on: how what lives is changed, kept, moved and ended."""

from sqlalchemy import Connection

from cloudpemda.ledger.migrations import first
from cloudpemda.ledger.migrations.run import run

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
    run(connection, _V11)


_V12 = (
    """CREATE TABLE drains (
        cluster TEXT NOT NULL, node TEXT NOT NULL, reason TEXT NOT NULL, person TEXT NOT NULL,
        since TEXT NOT NULL, PRIMARY KEY (cluster, node))""",
)


def _v12(connection: Connection) -> None:
    """Nodes that are kept empty for maintenance."""
    run(connection, _V12)


_V13 = (
    """CREATE TABLE notices (
        what TEXT NOT NULL, subject TEXT NOT NULL, ends_at TEXT NOT NULL,
        before INTEGER NOT NULL, at TEXT NOT NULL,
        PRIMARY KEY (what, subject, ends_at, before))""",
)


def _v13(connection: Connection) -> None:
    """What was announced before it ends."""
    run(connection, _V13)


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
    run(connection, _V14)


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
    run(connection, _V15)
    run(connection, _V15_TRIGGERS[connection.dialect.name])


_V16 = ("ALTER TABLE instances ADD COLUMN slots TEXT",)


def _v16(connection: Connection) -> None:
    """Which slot each disk of a VM has, once a change has given it another disk."""
    run(connection, _V16)


_V17 = (
    """CREATE TABLE stops (
        uid TEXT NOT NULL PRIMARY KEY, person TEXT NOT NULL, reason TEXT NOT NULL,
        since TEXT NOT NULL)""",
)


def _v17(connection: Connection) -> None:
    """VMs that were stopped on purpose."""
    run(connection, _V17)


_V18 = (
    """CREATE TABLE orphans (
        cluster TEXT NOT NULL, node TEXT NOT NULL, volume TEXT NOT NULL, vmid INTEGER NOT NULL,
        uid TEXT NOT NULL, key TEXT NOT NULL, opd TEXT NOT NULL, number TEXT NOT NULL,
        dimension TEXT NOT NULL, size INTEGER NOT NULL, since TEXT NOT NULL,
        PRIMARY KEY (cluster, node, volume))""",
)


def _v18(connection: Connection) -> None:
    """What a VM that went left behind on nodes that did not answer."""
    run(connection, _V18)


_V19 = (
    """CREATE TABLE adoptions (
        uid TEXT NOT NULL, facts TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (uid))""",
)


def _v19(connection: Connection) -> None:
    """How VMs stood when they were adopted."""
    run(connection, _V19)


_V20 = (
    """CREATE TABLE vm_snapshots (
        uid TEXT NOT NULL, name TEXT NOT NULL, person TEXT NOT NULL, reason TEXT NOT NULL,
        taken_at TEXT NOT NULL, until TEXT NOT NULL, PRIMARY KEY (uid, name))""",
)


def _v20(connection: Connection) -> None:
    """States of VMs to go back to."""
    run(connection, _V20)


_V21 = (
    """CREATE TABLE restores (
        uid TEXT NOT NULL, seq INTEGER NOT NULL, backup TEXT NOT NULL, taken_at TEXT NOT NULL,
        kept TEXT NOT NULL, safety INTEGER NOT NULL, saved TEXT, person TEXT NOT NULL,
        reason TEXT NOT NULL, begun_at TEXT NOT NULL, ended_at TEXT, outcome TEXT,
        PRIMARY KEY (uid, seq))""",
)


def _v21(connection: Connection) -> None:
    """VMs that were made as a backup holds them."""
    run(connection, _V21)


_V22 = (
    """CREATE TABLE asides (
        uid TEXT NOT NULL, volume TEXT NOT NULL, disk TEXT NOT NULL, slot TEXT NOT NULL,
        why TEXT NOT NULL, dimension TEXT NOT NULL, size INTEGER NOT NULL,
        amount INTEGER NOT NULL, noted_at TEXT NOT NULL, since TEXT,
        PRIMARY KEY (uid, volume))""",
)


def _v22(connection: Connection) -> None:
    """Volumes that changes set aside: disks that were removed, and what moved ones left."""
    run(connection, _V22)


_V23 = (
    """CREATE TABLE copies (
        uid TEXT NOT NULL PRIMARY KEY, origin TEXT NOT NULL, name TEXT NOT NULL,
        backup TEXT NOT NULL, taken_at TEXT NOT NULL, person TEXT NOT NULL, reason TEXT NOT NULL,
        until TEXT NOT NULL)""",
)


def _v23(connection: Connection) -> None:
    """VMs that were restored beside the VM that they are copies of."""
    run(connection, _V23)


_V24 = (
    """CREATE TABLE night_phases (
        night TEXT NOT NULL, phase TEXT NOT NULL, began_at TEXT NOT NULL, ended_at TEXT,
        result TEXT, detail TEXT, PRIMARY KEY (night, phase))""",
)


def _v24(connection: Connection) -> None:
    """How far each night came."""
    run(connection, _V24)


_V25 = (
    """CREATE TABLE conditions (
        code TEXT NOT NULL, opd TEXT NOT NULL, about TEXT NOT NULL, since TEXT NOT NULL,
        told TEXT NOT NULL, PRIMARY KEY (code, opd, about))""",
)


def _v25(connection: Connection) -> None:
    """Since when each finding of the nights is so."""
    run(connection, _V25)


_V26 = (
    """CREATE TABLE outbox (
        channel TEXT NOT NULL, event TEXT NOT NULL, code TEXT NOT NULL, opd TEXT NOT NULL,
        about TEXT NOT NULL, since TEXT NOT NULL, told TEXT NOT NULL, tries INTEGER NOT NULL,
        delivered_at TEXT, PRIMARY KEY (channel, event, code, opd, about, since))""",
)


def _v26(connection: Connection) -> None:
    """What people are still to be told."""
    run(connection, _V26)


_V27 = (
    """CREATE TABLE vm_roles (
        uid TEXT NOT NULL, role TEXT NOT NULL, digest TEXT NOT NULL, result TEXT NOT NULL,
        at TEXT NOT NULL, person TEXT NOT NULL, PRIMARY KEY (uid, role))""",
    """CREATE TABLE vm_host_keys (
        uid TEXT NOT NULL PRIMARY KEY, host_key TEXT NOT NULL, seen_at TEXT NOT NULL)""",
)


def _v27(connection: Connection) -> None:
    """What was set up inside VMs, and the host keys that they are known by."""
    run(connection, _V27)


def _v28(_: Connection) -> None:
    """No table changes; from here on entries are bound to what stands beside the promises."""


STEPS = (
    _v11,
    _v12,
    _v13,
    _v14,
    _v15,
    _v16,
    _v17,
    _v18,
    _v19,
    _v20,
    _v21,
    _v22,
    _v23,
    _v24,
    _v25,
    _v26,
    _v27,
    _v28,
)

STANDING_BOUND = len(first.STEPS) + STEPS.index(_v28) + 1
"""The version from which on entries are bound to what instances have and what stands of people's
words: cards, addresses, states, copies, stops, drains, the pause."""
