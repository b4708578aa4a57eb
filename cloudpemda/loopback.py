"""A lab's control port on loopback: JSON there and back, over connections that are kept.

Both sides of a lab ask it hundreds of times for one VM, mostly for its clock: a connection for each
would cost them more than the answer. No proxy of the environment ever sees the port.
"""

import json
import select
from collections import deque
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

_SECONDS = 600  # of an answer: a lab may be busy with days of its own


class Silent(ConnectionError):
    """Nobody answered there, or nothing that could be understood."""


class Denied(ValueError):
    """The lab answered with what stands in its way: `detail` is its text."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class ControlPort:
    """Any number of threads may ask at once."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token
        self._idle: deque[_Connection] = deque()

    def call(self, path: str, body: object = None) -> Any:
        """The lab's answer: to a GET, or where there is a body to a POST.

        Raises Silent and Denied.
        """
        try:
            connection = self._connection()
            connection.request(
                "GET" if body is None else "POST",
                path,
                None if body is None else json.dumps(body).encode(),
                {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
            )
            with connection.getresponse() as answer:
                text = answer.read()
            self._idle.append(connection)
            if answer.status == 200:
                return json.loads(text)
        except (OSError, HTTPException, ValueError) as error:
            raise Silent(self.url) from error
        raise Denied(text[:2000].decode(errors="replace"))

    def _connection(self) -> "_Connection":
        """One that stands open, or a new one."""
        while True:
            try:
                kept = self._idle.pop()
            except IndexError:
                break
            if kept.stands():
                return kept
            kept.close()
        where = urlsplit(self.url)
        return _Connection(str(where.hostname), where.port, timeout=_SECONDS)


class _Connection(HTTPConnection):
    def __del__(self) -> None:
        self.close()  # whoever asked may go without a word

    def stands(self) -> bool:
        """Whether the other end has neither closed it nor died: either could be read."""
        if self.sock is None:
            return False
        waiting = select.poll()
        waiting.register(self.sock, select.POLLIN)
        return not waiting.poll(0)
