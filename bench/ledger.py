"""Holds per second with eight processes, against a bare transaction that writes the same rows.

    .venv/bin/python -m bench.ledger [--holds N] [--rounds R]

Each process approves its own share of N pending requests (two VMs with five dimensions each), one
after the other, all at the same time: `Ledger.requests.approve`, with the quota of the OPD and its
parent judged, the hold posted, the approval and the audit entry written, the head file sealed.
The bare way is SQLAlchemy Core on a copy of the same ledger: the same engine settings (WAL,
`synchronous=FULL`, foreign keys), `BEGIN IMMEDIATE`, and the very rows that the first way wrote,
with nothing read, judged, hashed or sealed. Both ways run in turn, and the median of their ratios
is reported. With `CLOUDPEMDA_TEST_POSTGRES` (see tests/ledger/databases.py) the ledger is on that
server; there the bare transactions run side by side, while ours still wait for each other.
"""

import argparse
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

from sqlalchemy import Connection, Table, insert, select, update

from cloudpemda.clock import SeededEntropy
from cloudpemda.ledger import schema
from cloudpemda.ledger.store import Store, locate
from cloudpemda.rules.quota import Link
from cloudpemda.units import Instant
from tests.ledger.databases import SERVER, ledger_url
from tests.ledger.makers import BUDI, SITI, START, ManualClock, open_at, workload

PROCESSES = 8
USAGE = {"instances": 1, "vcpu": 4, "memory": 8192, "disk.ssd": 40960, "backup": 40960}
PARENT = "dinas"
WRITTEN = (schema.postings, schema.approvals, schema.audit)

_gate: list[Barrier] = []


def _enter(gate: Barrier) -> None:
    _gate.append(gate)


def _name(number: int) -> str:
    return f"w{number}"


def prepare(base: Path, holds: int) -> None:
    with open_at(base) as ledger:
        for number in range(holds):
            ledger.requests.submit(workload(f"upt{number % PROCESSES}", _name(number)), "", SITI)


def approve_share(base: Path, share: int, holds: int) -> list[float]:
    """Seconds of each hold of one process."""
    opd, taken = f"upt{share}", []
    unlimited = dict.fromkeys(USAGE, None)
    family = frozenset(f"upt{number}" for number in range(PROCESSES)) | {PARENT}
    chain = (Link(opd, unlimited, frozenset({opd})), Link(PARENT, unlimited, family))
    with open_at(base) as ledger:
        _gate[0].wait()
        for number in range(share, holds, PROCESSES):
            spec = workload(opd, _name(number))
            begun = time.perf_counter()
            ledger.requests.approve(
                spec.key, spec_hash=spec.spec_hash, offer_digest="offer",
                offer_json='{"cluster":"dc"}', amounts={"db-1": USAGE, "db-2": USAGE}, chain=chain,
                warn_at=(80,), actor=BUDI, hold_until=Instant(START + timedelta(days=14)),
            )  # fmt: skip
            taken.append(time.perf_counter() - begun)
    return taken


def written(base: Path, before: dict[str, int]) -> list[list[tuple[str, dict[str, object]]]]:
    """The rows that each hold wrote, told apart by their request."""
    store = Store(locate(ledger_url(base), base), ManualClock(), SeededEntropy(1))
    found: dict[str, list[tuple[str, dict[str, object]]]] = {}
    with store.read() as connection:
        for table in WRITTEN:
            for row in connection.execute(select(table)).mappings():
                if table.name == "approvals" or row["seq"] > before[table.name]:
                    key = str(row["subject" if table.name == "audit" else "number"])
                    found.setdefault(key, []).append((table.name, dict(row)))
    store.close()
    return list(found.values())


def last(base: Path) -> dict[str, int]:
    store = Store(locate(ledger_url(base), base), ManualClock(), SeededEntropy(1))
    with store.read() as connection:
        newest = {
            table.name: _newest(connection, table) for table in (schema.postings, schema.audit)
        }
    store.close()
    return newest


def _newest(connection: Connection, table: Table) -> int:
    column = table.c.seq
    return connection.scalar(select(column).order_by(column.desc()).limit(1)) or 0


def write_share(base: Path, rows: list[list[tuple[str, dict[str, object]]]]) -> list[float]:
    """The same rows, and nothing else."""
    store = Store(locate(ledger_url(base), base), ManualClock(), SeededEntropy(1))
    begin = ("BEGIN",) if SERVER else ("BEGIN IMMEDIATE",)
    taken = []
    _gate[0].wait()
    for hold in rows:
        begun = time.perf_counter()
        with store._transaction(begin) as connection:
            for table in WRITTEN:
                values = [row for name, row in hold if name == table.name]
                connection.execute(insert(table), values)
            state = {"state": "approved", "updated_at": START}
            of = schema.requests.c.number == values[0]["subject"]
            connection.execute(update(schema.requests).where(of).values(state))
        taken.append(time.perf_counter() - begun)
    store.close()
    return taken


def at_once(work: Callable[..., list[float]], each: Sequence[Sequence[object]]) -> list[float]:
    context = get_context("spawn")
    gate = context.Barrier(PROCESSES, timeout=120)
    with ProcessPoolExecutor(
        PROCESSES, mp_context=context, initializer=_enter, initargs=(gate,)
    ) as pool:
        futures = [pool.submit(work, *one) for one in each]
        return [seconds for future in futures for seconds in future.result()]


def one_round(holds: int) -> tuple[list[float], list[float]]:
    with tempfile.TemporaryDirectory() as folder:
        ours, bare = Path(folder) / "ours", Path(folder) / "bare"
        ours.mkdir()
        prepare(ours, holds)
        if SERVER:
            bare.mkdir()
            prepare(bare, holds)
        else:
            shutil.copytree(ours, bare)
        before = last(ours)
        seconds = at_once(approve_share, [(ours, share, holds) for share in range(PROCESSES)])
        rows = written(ours, before)
        shares = [(bare, rows[share::PROCESSES]) for share in range(PROCESSES)]
        return seconds, at_once(write_share, shares)


def told(name: str, seconds: Sequence[float]) -> float:
    """Holds per second of eight processes that wait for each other, and the slowest hundredth."""
    rate = PROCESSES / statistics.mean(seconds)
    p99 = sorted(seconds)[int(len(seconds) * 0.99)] * 1000
    print(f"{name:>6}: {rate:7.0f} holds/s, p99 {p99:6.1f} ms")
    return rate


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--holds", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    ratios = []
    for _ in range(args.rounds):
        ours, bare = one_round(args.holds)
        ratios.append(told("ours", ours) / told("bare", bare))
    print(f"ours / bare: {statistics.median(ratios):.2f} (at least 0.5 is wanted)")


if __name__ == "__main__":
    main()
