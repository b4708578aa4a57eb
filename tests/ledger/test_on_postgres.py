"""The same tests on PostgreSQL, with a server of our own for as long as they run."""

import os
import socket
import socketserver
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import make_url

from cloudpemda.clock import SeededEntropy
from cloudpemda.errors import Incomplete
from cloudpemda.ledger import open_ledger
from tests.ledger.makers import SITI, ManualClock, workload
from tests.ledger.servers import postgres

pytestmark = pytest.mark.slow


def test_the_ledger_holds_on_postgresql(record_property: object) -> None:
    folder = Path(__file__).parent
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider"]
    command += ["--dist", "loadfile"]  # or the crowd of twenty processes would gather twice
    command += ["-m", "not slow and not sqlite", str(folder)]
    with postgres() as server:
        ran = subprocess.run(
            command, env={**os.environ, "CLOUDPEMDA_TEST_POSTGRES": server},
            capture_output=True, text=True, cwd=folder.parents[1], check=False,
        )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-8000:]
    assert callable(record_property)
    record_property("told", f"on PostgreSQL: {ran.stdout.strip().splitlines()[-1]}")


class Wire(socketserver.ThreadingUnixStreamServer):
    """A server's socket once more; armed, it passes one COMMIT on and loses the answer."""

    daemon_threads = True

    def __init__(self, directory: Path, server: str) -> None:
        super().__init__(str(directory / ".s.PGSQL.5432"), Passing)
        self.beyond = f"{server}/.s.PGSQL.5432"
        self.armed = threading.Event()


class Passing(socketserver.BaseRequestHandler):
    """One connection, to and fro."""

    server: Wire

    def handle(self) -> None:
        client, lost = self.request, threading.Event()
        with socket.socket(socket.AF_UNIX) as beyond:
            beyond.connect(self.server.beyond)
            back = threading.Thread(target=self._back, args=(beyond, lost))
            back.start()
            with suppress(OSError):
                while data := client.recv(65536):
                    if self.server.armed.is_set() and b"COMMIT" in data:
                        self.server.armed.clear()
                        lost.set()
                    beyond.sendall(data)
            with suppress(OSError):
                beyond.shutdown(socket.SHUT_RDWR)
            back.join()

    def _back(self, beyond: socket.socket, lost: threading.Event) -> None:
        with suppress(OSError):
            while (data := beyond.recv(65536)) and not lost.is_set():
                self.request.sendall(data)
        with suppress(OSError):
            self.request.shutdown(socket.SHUT_RDWR)


def test_a_lost_answer_is_no_promise_that_nothing_was_done(tmp_path: Path) -> None:
    with postgres() as url:
        home = make_url(url).query["host"]
        through = make_url(url).update_query_dict({"host": str(tmp_path)}).render_as_string()
        with Wire(tmp_path, str(home)) as wire:
            threading.Thread(target=wire.serve_forever, daemon=True).start()
            with open_ledger(
                through, tmp_path, ManualClock(), SeededEntropy(1), identity="login"
            ) as ledger:
                wire.armed.set()
                with pytest.raises(Incomplete, match=r"ledger\.unsure"):
                    ledger.requests.submit(workload(), "", SITI)
                again = ledger.requests.submit(workload(), "", SITI)
                assert (again.number, again.revision, again.changed) == ("R-2026-0001", 1, False)
                assert ledger.audit.verify() == ()
            wire.shutdown()
