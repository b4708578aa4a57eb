"""Where messages end up in tests: a webhook and a mail server on loopback."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Sink:
    """What has come in, and whether it is taken."""

    port: int
    taken: list[Any] = field(default_factory=list)
    refuses: bool = False


@contextmanager
def webhook() -> Iterator[Sink]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not sink.refuses:
                sink.taken.append(json.loads(body))
            self.send_response(503 if sink.refuses else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sink = Sink(server.server_address[1])
    yield from _serving(server, sink)


@contextmanager
def mail() -> Iterator[Sink]:
    """Takes every mail: (recipients, text)."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            to: list[str] = []
            self._say("220 sink")
            while line := self.rfile.readline().decode().strip():
                word = line[:4].upper()
                if word == "RCPT":
                    to.append(line.partition("<")[2].partition(">")[0])
                if word == "DATA":
                    self._say("354 go on")
                    text = b""
                    while (part := self.rfile.readline()) != b".\r\n":
                        text += part
                    sink.taken.append((to, text.decode()))
                if word == "QUIT":
                    self._say("221 bye")
                    return
                self._say("250 ok")

        def _say(self, text: str) -> None:
            self.wfile.write(text.encode() + b"\r\n")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    sink = Sink(server.server_address[1])
    yield from _serving(server, sink)


def _serving(server: socketserver.BaseServer, sink: Sink) -> Iterator[Sink]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
