"""The lab's control port: move the clock, wait for it, script faults, and read what really
happened.
"""

import hmac
import json
from collections.abc import Callable
from typing import cast

from aiohttp import web

from cloudpemda.lab.clock import DAY
from cloudpemda.lab.errors import LabError, Refused
from cloudpemda.lab.faults import Timed, seconds_of, understood
from cloudpemda.lab.routes import Row
from cloudpemda.lab.site import KeptLab
from cloudpemda.lab.state import dump
from cloudpemda.lab.tables import RELEASES, unserved

MOST_DAYS = 400  # that the clock moves at once: a day takes a twentieth of a second, or more


class Control:
    def __init__(self, lab: KeptLab, token: str) -> None:
        self.lab, self.token = lab, token
        self.calls: dict[str, Callable[[Row], object]] = {
            "GET /clock": lambda _: {"now": lab.clock.now()},
            "GET /requests": lambda body: lab.requests[int(str(body.get("since", 0))) :],
            "GET /events": lambda body: lab.events.lines(int(str(body.get("since", 0)))),
            "GET /state": lambda _: {n: dump(world.cluster) for n, world in lab.worlds.items()},
            "GET /status": lambda _: self._status(),
            "GET /coverage": lambda _: {release: unserved(release) for release in RELEASES},
            "GET /faults": lambda _: [fault.describe() for fault in lab.faults.armed],
            "GET /holds": lambda _: lab.faults.holds(),
            "POST /faults": lambda body: lab.faults.arm(body["faults"]),
            "POST /release": self._release,
            "POST /node": lambda body: self._strike(_act(str(body.pop("action"))), body),
            "POST /outside": lambda body: self._strike("outside-change", body),
            "POST /reset": lambda _: lab.reset(),
        }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        sent = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(sent.encode(), self.token.encode()):
            return web.json_response({"error": "unauthorised"}, status=401)
        try:
            answer = await self._answer(request)
            if request.path == "/events":  # they are JSON already
                lines = ",".join(cast(list[str], answer))
                return web.Response(text=f"[{lines}]", content_type="application/json")
            return web.json_response(answer)
        except LabError as error:
            values = {name: str(value) for name, value in error.values.items()}
            told: Row = {"error": error.code, "values": values}
        except Refused as refused:
            told = {"error": "lab.pve-refused", "reason": refused.message}
        except (KeyError, ValueError, TypeError) as error:
            told = {"error": "lab.bad-request", "reason": repr(error)}
        return web.json_response(told, status=400)

    async def _answer(self, request: web.BaseRequest) -> object:
        body = {**request.query, **json.loads(await request.text() or "{}")}
        self.lab.clock.run_due()
        name = f"{request.method} {request.path}"
        if request.method != "GET":
            self.lab.changed.set()
        if name == "POST /wait":
            await self.lab.clock.pause(seconds_of(body["seconds"]))
            return {"now": self.lab.clock.now()}
        if name == "POST /advance":
            seconds = seconds_of(body["seconds"])
            if seconds > MOST_DAYS * DAY:
                raise LabError("lab.too-far", days=MOST_DAYS)
            await self.lab.clock.advance_in_steps(seconds)
            return None
        if name not in self.calls:
            raise LabError("lab.no-such-call", call=name)
        try:
            return self.calls[name](body)
        finally:
            for world in self.lab.worlds.values():
                world.stir()

    def _release(self, body: Row) -> Row:
        number = None if body.get("all") else int(str(body["id"]))
        answer = body.get("answer", True) is True
        return {"released": self.lab.faults.release(number, answer=answer)}

    def _strike(self, do: str, body: Row) -> Row:
        """What a timed fault does, now."""
        (fault,) = understood([{**body, "do": do, "at": 0}])
        if isinstance(fault, Timed):
            fault.strike(self.lab.faults.world(fault.cluster))
        return {}

    def _status(self) -> Row:
        lab, clusters = self.lab, dict[str, Row]()
        for name, world in lab.worlds.items():
            nodes = world.cluster.nodes.values()
            clusters[name] = {
                "version": world.cluster.version.replace("pbs.", "PBS "),
                "nodes": {node.name: "online" if node.online else "offline" for node in nodes},
                "vms": len(world.cluster.vms),
                "containers": len(world.cluster.containers),
                "running_tasks": len(world.tasks.running),
            }
        rate = "auto" if lab.clock.rate is None else lab.clock.rate
        return {
            "now": lab.clock.now(), "rate": rate, "requests": len(lab.requests),
            "clusters": clusters,
        }  # fmt: skip


def _act(action: str) -> str:
    """The fault that does what is asked of a node."""
    return action if action.startswith("partition") else f"node-{action}"
