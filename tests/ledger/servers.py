"""A PostgreSQL server of our own for as long as a test runs."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def program(name: str) -> str:
    found = shutil.which(name) or max(
        map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), default=None
    )
    if found is None:
        pytest.skip("PostgreSQL's server is not installed (Debian: postgresql)")
    return found


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of its maintenance database. It listens on a socket in its own directory alone; it
    will not run as root, so root lends a user."""
    home = Path(tempfile.mkdtemp(prefix="ledger-"))
    lent: dict[str, object] = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
        lent = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    data = home / "data"
    command = [program("initdb"), "-D", data, "-U", "cloudpemda", "-A", "trust", "-E", "UTF8"]
    command += ["--locale=C.UTF-8", "--no-sync"]  # whatever the environment's is, it may be absent
    subprocess.run(command, check=True, capture_output=True, cwd=home, **lent)  # type: ignore[call-overload]
    settings = ["-c", "listen_addresses=", "-k", str(home), "-c", "fsync=off"]
    # Nothing here outlives the server's machine, and a test makes a database of its own.
    settings += ["-c", "full_page_writes=off", "-c", "autovacuum=off", "-c", "wal_level=minimal"]
    settings += ["-c", "max_wal_senders=0", "-c", "max_connections=300"]
    control = [program("pg_ctl"), "-D", data, "-w", "-t", "600", "-l", home / "log"]
    begin = [*control, "-o", " ".join(f"'{one}'" for one in settings), "start"]
    subprocess.run(begin, check=True, capture_output=True, cwd=home, **lent)  # type: ignore[call-overload]
    try:
        yield f"postgresql+psycopg://cloudpemda@/postgres?host={home}"
    finally:
        stop = [*control, "-m", "immediate", "stop"]
        subprocess.run(stop, check=False, capture_output=True, cwd=home, **lent)  # type: ignore[call-overload]
        shutil.rmtree(home, ignore_errors=True)
