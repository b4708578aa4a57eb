"""Copies, restores and new keys, killed at every point: a file touched, a statement sent.

Run as a program: it makes the work once to count its points, then again from the same beginning
for each of some points, in a process of its own that is killed there.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, event

from tests.ledger.makers import OPERATOR, SITI, open_at, workload

KEY = bytes(range(32))
SITE = "site"
_FILES = frozenset({"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"})
_passed = 0


def silent(done: int, of: int, what: str) -> None: ...


def backup(base: Path, seed: int = 1) -> None:
    with open_at(base, seed=seed) as ledger:
        ledger.backups.write(base / "copy", KEY, site="lab", program="x", tell=silent)


def restore(base: Path) -> None:
    with open_at(base) as ledger:
        ledger.backups.restore(
            base / "older", KEY, site="lab", program="x", identity="login", keep=base / "kept",
            actor=OPERATOR, tell=silent,
        )  # fmt: skip


def rotate(base: Path) -> None:
    with open_at(base) as ledger:
        ledger.audit.rotate_key(OPERATOR, "x")


def prepare(base: Path, *, other_key: bool) -> None:
    """A site with two requests, and a copy with the first alone; of another site's key or not."""
    site = base / SITE
    before = base / "before" if other_key else site
    with open_at(before) as ledger:
        ledger.requests.submit(workload(name="a"), "", SITI)
        site.mkdir(exist_ok=True)
        ledger.backups.write(site / "older", KEY, site="lab", program="x", tell=silent)
    with open_at(site) as ledger:
        ledger.requests.submit(workload(name="b"), "", SITI)


def killed_at(point: int, work: Callable[[], None]) -> int:
    """How many points it passed, in a process of its own that dies at this one."""
    inlet, outlet = os.pipe()
    child = os.fork()
    if child == 0:
        _die_at(point)
        work()
        os.write(outlet, str(_passed).encode())
        os._exit(0)
    os.close(outlet)
    _, status = os.waitpid(child, 0)
    told = os.read(inlet, 20)
    os.close(inlet)
    if not told and (not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL):
        raise SystemExit(f"point {point} ended with {status}")
    return int(told or point)


def _die_at(point: int) -> None:
    def step() -> None:
        global _passed  # noqa: PLW0603
        _passed += 1
        if _passed == point:
            os.kill(os.getpid(), signal.SIGKILL)

    def touched(name: str, more: tuple[object, ...]) -> None:
        if name in _FILES or (name == "open" and isinstance(more[2], int) and more[2] & 3):
            step()

    sys.addaudithook(touched)
    event.listen(Engine, "before_cursor_execute", lambda *_: step())
    event.listen(Engine, "commit", lambda *_: step())


def main(work: str, base: Path, samples: int) -> None:
    do: Callable[[Path], None] = globals()[work]

    def run(point: int) -> int:
        copy = base / f"killed-{point}"
        shutil.copytree(base / SITE, copy)
        return killed_at(point, lambda: do(copy))

    total = run(0)
    for point in sorted({1 + total * number // samples for number in range(samples)}):
        run(point)
    print(total)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
