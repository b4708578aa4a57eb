"""The same tests on PostgreSQL, with a server of our own for as long as they run."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def program(name: str) -> str:
    found = shutil.which(name) or max(
        map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), default=None
    )
    if found is None:
        pytest.skip("PostgreSQL's server is not installed (Debian: postgresql)")
    return found


@pytest.fixture
def server() -> Iterator[str]:
    """A server on a socket in its own directory; it will not run as root, so root lends a user."""
    home = Path(tempfile.mkdtemp(prefix="ledger-"))
    lent: dict[str, object] = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
        lent = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    data = home / "data"
    command = [program("initdb"), "-D", data, "-U", "cloudpemda", "-A", "trust", "-E", "UTF8"]
    subprocess.run(command, check=True, capture_output=True, cwd=home, **lent)  # type: ignore[call-overload]
    settings = ["-c", "listen_addresses=", "-k", str(home), "-c", "fsync=off"]
    settings += ["-c", "max_connections=300"]
    control = [program("pg_ctl"), "-D", data, "-w", "-l", home / "log"]
    begin = [*control, "-o", " ".join(f"'{one}'" for one in settings), "start"]
    subprocess.run(begin, check=True, capture_output=True, cwd=home, **lent)  # type: ignore[call-overload]
    try:
        yield f"postgresql+psycopg://cloudpemda@/postgres?host={home}"
    finally:
        stop = [*control, "-m", "immediate", "stop"]
        subprocess.run(stop, check=False, capture_output=True, cwd=home, **lent)  # type: ignore[call-overload]
        shutil.rmtree(home, ignore_errors=True)


def test_the_ledger_holds_on_postgresql(server: str, record_property: object) -> None:
    folder = Path(__file__).parent
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider"]
    command += ["-m", "not slow and not sqlite", str(folder)]
    environment = {**os.environ, "CLOUDPEMDA_TEST_POSTGRES": server}
    ran = subprocess.run(
        command, env=environment, capture_output=True, text=True, cwd=folder.parents[1], check=False
    )
    assert ran.returncode == 0, ran.stdout[-8000:]
    assert callable(record_property)
    record_property("told", f"on PostgreSQL: {ran.stdout.strip().splitlines()[-1]}")
