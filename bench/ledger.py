"""Holds per second with eight processes, against a bare transaction that writes the same rows.

    .venv/bin/python -m bench.ledger [--holds N] [--rounds R]

Each process approves its own share of N pending requests (two VMs with five dimensions each), one
after the other, all at the same time: `Ledger.requests.approve`, with the quota of the OPD and its
parent judged, the hold posted, the approval and the audit entry written, the head file sealed.
The bare way is SQLAlchemy Core on a copy of the same ledger: the same engine settings (WAL,
`synchronous=FULL`, foreign keys), `BEGIN IMMEDIATE`, and the very rows that the first way wrote in
every table, in one commit for each hold, with statements that are made once, and with nothing read,
judged, hashed or signed. Its processes wait as SQLite does. It is told twice: as it is, and with a
head file beside the database that each hold must reach before it counts as done, as ours does: a
block of the same size and its `fdatasync`, by one process for all that wait.

A rate is all holds by the time from the first one's beginning to the last one's end. The ways run
in turn, and the median of their ratios is reported. With `CLOUDPEMDA_TEST_POSTGRES` (see
tests/ledger/databases.py) the ledger is on that server; there the bare transactions run side by
side, while ours still wait for each other.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

from sqlalchemy import bindparam, insert, select, update

from cloudpemda.clock import SeededEntropy
from cloudpemda.ledger import Document, schema
from cloudpemda.ledger.databases import Postgres, Sqlite
from cloudpemda.ledger.store import BUSY_SECONDS, Store, locate
from cloudpemda.ledger.turns import turn
from cloudpemda.rules.quota import Link
from cloudpemda.units import Instant
from tests.ledger.databases import SERVER, ledger_url
from tests.ledger.makers import BUDI, SITI, START, ManualClock, open_at, workload

PROCESSES = 8
USAGE = {"instances": 1, "vcpu": 4, "memory": 8192, "disk.ssd": 40960, "backup": 40960}
PARENT = "dinas"
WAYS = ("ours", "bare", "bare+head")
HEAD_SIZE = 2048  # bytes, as that of ten OPDs
WRITTEN = (schema.decisions, schema.limits, schema.postings, schema.approvals, schema.audit)
INSERTS = {table.name: insert(table) for table in WRITTEN}
APPROVED = update(schema.requests).where(schema.requests.c.number == bindparam("of"))
Row = dict[str, object]
Span = tuple[float, float]
"""When a hold began and ended (seconds of a clock that all processes share)."""

_gate: list[Barrier] = []


def _enter(gate: Barrier) -> None:
    _gate.append(gate)


def _name(number: int) -> str:
    return f"w{number}"


def prepare(base: Path, holds: int) -> None:
    documents = [Document(workload(f"upt{n % PROCESSES}", _name(n)), "") for n in range(holds)]
    with open_at(base) as ledger:
        for first in range(0, holds, 50):
            ledger.requests.submit_all(documents[first : first + 50], SITI)


def approve_share(base: Path, share: int, holds: int) -> list[Span]:
    """The holds of one process."""
    opd, spans = f"upt{share}", []
    unlimited = dict.fromkeys(USAGE, None)
    family = frozenset(f"upt{number}" for number in range(PROCESSES)) | {PARENT}
    chain = (Link(opd, unlimited, frozenset({opd})), Link(PARENT, unlimited, family))
    specs = [workload(opd, _name(number)) for number in range(share, holds, PROCESSES)]
    asked = [(spec.key, spec.spec_hash) for spec in specs]
    with open_at(base) as ledger:
        for number, (key, spec_hash) in enumerate(asked):
            if number == 1:
                _gate[0].wait()
            begun = time.perf_counter()
            ledger.requests.approve(
                key, spec_hash=spec_hash, offer_digest="offer",
                offer_json='{"cluster":"dc"}', amounts={"db-1": USAGE, "db-2": USAGE}, chain=chain,
                warn_at=(80,), actor=BUDI, hold_until=Instant(START + timedelta(days=14)),
            )  # fmt: skip
            spans.append((begun, time.perf_counter()))
    return spans[1:]


def written(base: Path, before: int) -> list[dict[str, list[Row]]]:
    """Table → rows that each hold wrote, by the audit entries behind number `before`."""
    store = Store(locate(ledger_url(base), base), ManualClock(), SeededEntropy(1))
    holds: dict[str, dict[str, list[Row]]] = {}
    limits: dict[int, str] = {}
    with store.read() as connection:
        for table in reversed(WRITTEN):
            for found in connection.execute(select(table).order_by(*table.primary_key)).mappings():
                row = dict(found)
                match table.name:
                    case "audit" if row["seq"] <= before:
                        continue
                    case "audit":
                        number = str(row["subject"])
                        for label in json.loads(str(row["bound"])):
                            limits |= dict.fromkeys(_numbers(label, "limits:"), number)
                    case "limits":
                        number = limits[row["seq"]]
                    case _:
                        number = str(row["number"])
                holds.setdefault(number, {}).setdefault(table.name, []).append(row)
    store.close()
    return list(holds.values())


def _numbers(label: str, prefix: str) -> range:
    if not label.startswith(prefix):
        return range(0)
    first, _, last = label.removeprefix(prefix).partition("-")
    return range(int(first), int(last or first) + 1)


def newest(base: Path) -> int:
    """The number of the last audit entry."""
    with open_at(base) as ledger:
        return ledger.audit.log(limit=1)[0].seq


class Head:
    """A block that is on the disk before a hold counts as done, beside the bare rows."""

    def __init__(self, base: Path) -> None:
        self._lock = base / "var" / "bare.lock"
        self._handle = os.open(base / "var" / "bare.head", os.O_CREAT | os.O_RDWR, 0o600)

    def follow(self) -> None:
        """Whatever was committed before is covered by a block that was begun later."""
        committed = time.perf_counter()
        with turn(self._lock, BUSY_SECONDS):
            last = os.pread(self._handle, HEAD_SIZE, 0)
            if not last or float(last) <= committed:
                block = str(time.perf_counter()).ljust(HEAD_SIZE).encode()
                os.pwrite(self._handle, block, 0)
                os.fdatasync(self._handle)


def write_share(base: Path, holds: list[dict[str, list[Row]]], sealed: bool) -> list[Span]:
    """The same rows, and nothing else."""
    place = locate(ledger_url(base), base)
    database = Postgres(place.url) if place.file is None else Sqlite(place.file)
    engine = database.engine(BUSY_SECONDS).execution_options(compiled_cache={})  # nobody else's
    begin = "BEGIN" if SERVER else "BEGIN IMMEDIATE"
    head = Head(base) if sealed else None
    spans = []
    for number, hold in enumerate(holds):
        if number == 1:
            _gate[0].wait()
        begun = time.perf_counter()
        with engine.begin() as connection:
            connection.exec_driver_sql(begin)
            for table, rows in hold.items():
                connection.execute(INSERTS[table], rows)
            of = hold["audit"][0]["subject"]
            state = {"state": "approved", "revision": 1, "reason": None, "updated_at": START}
            connection.execute(APPROVED, {"of": of, **state})
        if head is not None:
            head.follow()
        spans.append((begun, time.perf_counter()))
    engine.dispose()
    return spans[1:]


def at_once(work: Callable[..., list[Span]], each: Sequence[Sequence[object]]) -> list[Span]:
    context = get_context("spawn")
    gate = context.Barrier(PROCESSES, timeout=120)
    with ProcessPoolExecutor(
        PROCESSES, mp_context=context, initializer=_enter, initargs=(gate,)
    ) as pool:
        futures = [pool.submit(work, *one) for one in each]
        return [span for future in futures for span in future.result()]


def one_round(holds: int) -> dict[str, list[Span]]:
    """Way → its holds."""
    with tempfile.TemporaryDirectory() as folder:
        ours, bare, sealed = (Path(folder) / way for way in WAYS)
        ours.mkdir()
        prepare(ours, holds)
        for copy in (bare, sealed):
            if SERVER:
                copy.mkdir()
                prepare(copy, holds)
            else:
                shutil.copytree(ours, copy)
        before = newest(ours)
        found = {"ours": at_once(approve_share, [(ours, one, holds) for one in range(PROCESSES)])}
        rows = written(ours, before)
        for copy in (bare, sealed):
            shares = [(copy, rows[one::PROCESSES], copy is sealed) for one in range(PROCESSES)]
            found[copy.name] = at_once(write_share, shares)
        return found


def told(name: str, spans: Sequence[Span]) -> float:
    """Holds per second of eight processes that wait for each other, and the slowest hundredth."""
    rate = len(spans) / (max(end for _, end in spans) - min(begun for begun, _ in spans))
    p99 = sorted(end - begun for begun, end in spans)[int(len(spans) * 0.99)] * 1000
    print(f"{name:>9}: {rate:7.0f} holds/s, p99 {p99:6.1f} ms", flush=True)
    return rate


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--holds", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    ratios: dict[str, list[float]] = {way: [] for way in WAYS[1:]}
    for _ in range(args.rounds):
        found = one_round(args.holds)
        rates = {way: told(way, found[way]) for way in WAYS}
        for way, several in ratios.items():
            several.append(rates["ours"] / rates[way])
    print(f"ours / bare: {statistics.median(ratios['bare']):.2f} (at least 0.5 is wanted)")
    print(f"ours / bare with a head file: {statistics.median(ratios['bare+head']):.2f}")


if __name__ == "__main__":
    main()
