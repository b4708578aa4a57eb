"""Holds per second with eight processes, against a bare transaction that writes the same rows.

    .venv/bin/python -m bench.ledger [--holds N] [--rounds R]

Each process approves its own share of N pending requests (two VMs with five dimensions each), one
after the other, all at the same time: `Ledger.requests.approve`, with the quota of the OPD and its
parent judged, the hold posted, the approval and the audit entry written, the head file sealed.
The bare way is SQLAlchemy Core on a copy of the same ledger: the same engine settings (WAL,
`synchronous=FULL`, foreign keys), `BEGIN IMMEDIATE`, and the very rows that the first way wrote in
every table, in one commit for each hold, with statements that are made once, and with nothing read,
judged, hashed or sealed: the second `fsync`, for the head file, is ours alone. Its processes wait
as SQLite does. Both ways run in turn, and the median of their ratios is reported. With
`CLOUDPEMDA_TEST_POSTGRES` (see tests/ledger/databases.py) the ledger is on that server; there the
bare transactions run side by side, while ours still wait for each other.
"""

import argparse
import json
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
from cloudpemda.ledger import schema
from cloudpemda.ledger.databases import Postgres, Sqlite
from cloudpemda.ledger.store import BUSY_SECONDS, Store, locate
from cloudpemda.rules.quota import Link
from cloudpemda.units import Instant
from tests.ledger.databases import SERVER, ledger_url
from tests.ledger.makers import BUDI, SITI, START, ManualClock, open_at, workload

PROCESSES = 8
USAGE = {"instances": 1, "vcpu": 4, "memory": 8192, "disk.ssd": 40960, "backup": 40960}
PARENT = "dinas"
WRITTEN = (schema.decisions, schema.limits, schema.postings, schema.approvals, schema.audit)
INSERTS = {table.name: insert(table) for table in WRITTEN}
APPROVED = update(schema.requests).where(schema.requests.c.number == bindparam("of"))
Row = dict[str, object]

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


def write_share(base: Path, holds: list[dict[str, list[Row]]]) -> list[float]:
    """The same rows, and nothing else."""
    place = locate(ledger_url(base), base)
    database = Postgres(place.url) if place.file is None else Sqlite(place.file)
    engine = database.engine(BUSY_SECONDS)
    begin = ("BEGIN",) if SERVER else ("BEGIN IMMEDIATE",)
    taken = []
    _gate[0].wait()
    for hold in holds:
        begun = time.perf_counter()
        connection = engine.connect().execution_options(ledger_begin=begin)
        with connection, connection.begin():
            for table, rows in hold.items():
                connection.execute(INSERTS[table], rows)
            of = hold["audit"][0]["subject"]
            state = {"state": "approved", "revision": 1, "reason": None, "updated_at": START}
            connection.execute(APPROVED, {"of": of, **state})
        taken.append(time.perf_counter() - begun)
    engine.dispose()
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
        before = newest(ours)
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
