"""Asking a lab's control port: over one connection, and what comes where none is."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from cloudpemda.loopback import ControlPort, Denied, Silent
from tests.labs import RunningLab, start_lab


class Counting(BaseHTTPRequestHandler):
    """Answers any GET, and counts who came in."""

    protocol_version = "HTTP/1.1"
    came = 0

    def setup(self) -> None:
        type(self).came += 1
        super().setup()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Nothing is written to the tests' output."""


@pytest.fixture
def counting() -> Iterator[str]:
    Counting.came = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Counting) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_connection_is_kept(counting: str) -> None:
    port = ControlPort(counting, "token")
    assert [port.call("/clock") for _ in range(20)] == [{}] * 20
    assert Counting.came == 1


def test_what_the_lab_refuses_is_told_and_asked_on(lab: RunningLab) -> None:
    port = ControlPort(lab.control.url, lab.control.token)
    with pytest.raises(Denied, match=r"lab\.no-such-call"):
        port.call("/nothing")
    assert port.call("/clock").keys() == {"now"}
    with pytest.raises(Denied, match="unauthorised"):
        ControlPort(lab.control.url, "another").call("/clock")


def test_of_a_lab_that_was_killed_nothing_comes_over_a_connection_that_was_kept(
    tmp_path: Path,
) -> None:
    lab = start_lab(tmp_path / "lab")
    port = ControlPort(lab.control.url, lab.control.token)
    assert port.call("/wait", {"seconds": 1}).keys() == {"now"}
    lab.kill()
    with pytest.raises(Silent):
        port.call("/clock")
