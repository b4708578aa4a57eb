"""A fresh lab per test, and a plain HTTPS client that speaks to it as any tool would."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests

from tests.labs import Control, RunningLab, running_lab
from tests.patience import PATIENCE


class Client:
    """Sends one request, answers `data`; whoever wants status and reason asks `send`."""

    def __init__(self, lab: RunningLab, node: str = "pve1", cluster: str = "dc") -> None:
        self.lab, self.base = lab, lab.url(node, cluster) + "/api2/json"
        self.headers = {"Authorization": f"PVEAPIToken={lab.token(cluster)}"}

    def send(self, method: str, path: str, /, **params: Any) -> requests.Response:
        kind = "params" if method in ("GET", "DELETE") else "data"
        return requests.request(
            method,
            self.base + path,
            headers=self.headers,
            verify=str(self.lab.ca),
            timeout=PATIENCE,
            **{kind: params},  # type: ignore[arg-type]
        )

    def __call__(self, method: str, path: str, /, **params: Any) -> Any:
        answer = self.send(method, path, **params)
        assert answer.status_code == 200, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()["data"]

    def task(self, method: str, path: str, /, **params: Any) -> str:
        """Start a task, let its time pass, answer its exit status."""
        upid = self(method, path, **params)
        return self.finish(upid)

    def finish(self, upid: str) -> str:
        node = upid.split(":")[1]
        for _ in range(100):
            status = self("GET", f"/nodes/{node}/tasks/{upid}/status")
            if status["status"] == "stopped":
                return str(status["exitstatus"])
            self.lab.control.wait(1)
        raise AssertionError(f"{upid} never ends")


@pytest.fixture(scope="session")
def one_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    with running_lab(tmp_path_factory.mktemp("lab") / "lab") as running:
        yield running


@pytest.fixture
def lab(one_lab: RunningLab) -> RunningLab:
    """A fresh lab: the session's one, reset."""
    one_lab.control.reset()
    return one_lab


@pytest.fixture
def control(lab: RunningLab) -> Control:
    return lab.control


@pytest.fixture
def root(lab: RunningLab) -> Client:
    """root@pam in person."""
    client = Client(lab)
    client.headers = {}
    login = client("POST", "/access/ticket", username="root@pam", password=lab.root_password())
    client.headers = {
        "Cookie": f"PVEAuthCookie={quote(login['ticket'], safe='')}",
        "CSRFPreventionToken": login["CSRFPreventionToken"],
    }
    return client


@pytest.fixture
def pve(lab: RunningLab) -> Client:
    return Client(lab)
