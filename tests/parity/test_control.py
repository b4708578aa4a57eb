"""Recorded sections that need power over nodes and clock, played with the lab's own."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from cloudpemda.lab import access, layout
from cloudpemda.lab.clock import Clock
from cloudpemda.lab.nodes import set_node
from cloudpemda.lab.server import Frontend, Reply
from cloudpemda.lab.world import World

REFERENCE = os.environ.get("CLOUDPEMDA_PVE_REFERENCE")
START = 1795290000.0
PASSWORD = "secret-of-root"

pytestmark = pytest.mark.skipif(
    REFERENCE is None, reason="CLOUDPEMDA_PVE_REFERENCE does not name the recordings"
)
Row = dict[str, object]


class Player:
    """Sends recorded requests to a cluster in the recordings' state, without a network between."""

    def __init__(self, version: str) -> None:
        cluster = layout.recorded(version, START, PASSWORD)
        self.clock = Clock(START, None)
        self.world = World(cluster, self.clock, 1, {"default": 0.1}, lambda *_: None)
        self.frontend = Frontend(self.world)
        self.renew()

    def renew(self) -> None:
        keys, now = self.world.cluster.access, self.clock.now()
        self.headers = {
            "cookie": f"PVEAuthCookie={access.make_ticket(keys, 'root@pam', now)}",
            "csrfpreventiontoken": access.make_csrf(keys, "root@pam", now),
        }

    def send(self, method: str, path: str, values: Row | None = None) -> Reply:
        answer = self.frontend.answer("pve1", method, path, dict(values or {}), self.headers)
        reply = asyncio.run(answer)
        self.clock.advance(20)
        self.renew()
        return reply

    def play(self, row: Row) -> Reply:
        params = row["params"]
        values = dict(params) if isinstance(params, dict) else {}
        if "password" in values:
            values["password"] = PASSWORD
        return self.send(str(row["method"]), str(row["path"]).removeprefix("/api2/json"), values)


def rows(version: str, section: str) -> list[Row]:
    (recording,) = Path(str(REFERENCE)).glob(f"recordings-{version}.*.jsonl")
    found = [json.loads(line) for line in recording.read_text().splitlines()]
    wanted = [row for row in found if row["section"].startswith(section)]
    assert wanted
    # Tasks are named by ids that only the recorded cluster knew.
    return [row for row in wanted if "/tasks/UPID" not in row["path"] and row["status_code"]]


@pytest.mark.parametrize("version", ["9.2", "8.4"])
def test_a_node_that_is_killed_is_answered_for_as_recorded(version: str) -> None:
    player = Player(version)
    player.send("POST", "/nodes/pve1/qemu", {"vmid": 104})
    for row in rows(version, "node-offline"):
        if row["name"] == "offline node status":
            set_node(player.world, "pve3", online=False)
        reply = player.play(row)
        assert reply.status == row["status_code"], row["name"]
        assert (reply.body is None) == (row["body"] is None), row["name"]


@pytest.mark.parametrize("version", ["9.2", "8.4"])
def test_a_cluster_without_quorum_answers_as_recorded(version: str) -> None:
    player = Player(version)
    player.send("POST", "/access/users", {"userid": "alice@pve"})
    player.send("POST", "/nodes/pve1/qemu", {"vmid": 104})
    for node in ("pve2", "pve3"):
        set_node(player.world, node, online=False)
    for row in rows(version, "no-quorum"):
        reply = player.play(row)
        want = str(row["reason"]).partition(".tmp.")[0]
        assert (reply.status, reply.reason.partition(".tmp.")[0]) == (row["status_code"], want), row


def test_tickets_expire_and_their_users_may_be_gone() -> None:
    player = Player("9.2")
    now, keys = player.clock.now(), player.world.cluster.access
    old = access.make_ticket(keys, "root@pam", now - 3 * 3600)
    gone = access.make_ticket(keys, "nobody@pve", now)
    for ticket in (old, gone):
        player.headers = {"cookie": f"PVEAuthCookie={ticket}"}
        reply = player.send("GET", "/version")
        assert (reply.status, reply.reason) == (401, "Authentication failed!")
    player.headers["csrfpreventiontoken"] = access.make_csrf(keys, "root@pam", now - 3 * 3600)
    reply = player.send("POST", "/pools", {"poolid": "ecsrf"})
    assert (reply.status, reply.reason) == (401, "Permission denied - invalid csrf token")
