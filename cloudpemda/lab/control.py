"""The lab's control port: move the clock, wait for it, script faults, and read what really
happened.
"""

import hmac
import json
from collections.abc import Callable, Mapping

from aiohttp import web

from cloudpemda.lab import faults as trouble
from cloudpemda.lab.errors import LabError, Refused
from cloudpemda.lab.site import Lab
from cloudpemda.lab.state import dump

Body = Mapping[str, object]


class Control:
    def __init__(self, lab: Lab, token: str) -> None:
        self.lab, self.token = lab, token

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        sent = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(sent.encode(), self.token.encode()):
            return _json({"error": "unauthorised"}, 401)
        try:
            body = await _body(request)
            return _json(await self._answer(request, body))
        except LabError as error:
            values = {name: str(value) for name, value in error.values.items()}
            return _json({"error": error.code, "values": values}, 400)
        except Refused as refused:
            return _json({"error": "lab.pve-refused", "reason": refused.message}, 400)
        except (KeyError, ValueError, TypeError) as error:
            return _json({"error": "lab.bad-request", "reason": repr(error)}, 400)

    async def _answer(self, request: web.BaseRequest, body: Body) -> object:
        self.lab.clock.run_due()
        route = f"{request.method} {request.path}"
        if route == "POST /wait":
            await self.lab.clock.pause(trouble.seconds_of(body["seconds"]))
            return {"now": self.lab.clock.now()}
        if route == "GET /requests":
            since = int(request.query.get("since", 0))
            return self.lab.requests[since:]
        calls: dict[str, Callable[[Body], object]] = {
            "GET /clock": lambda _: {"now": self.lab.clock.now()},
            "GET /events": lambda _: self.lab.events,
            "GET /state": lambda _: {n: dump(w.cluster) for n, w in self.lab.worlds.items()},
            "GET /status": lambda _: self._status(),
            "GET /faults": lambda _: self.lab.faults.describe(),
            "GET /holds": lambda _: self.lab.faults.describe_held(),
            "POST /advance": self._advance,
            "POST /faults": self._arm,
            "POST /release": self._release,
            "POST /node": self._node,
            "POST /outside": lambda b: trouble.outside(self.lab.faults.world(b), b),
            "POST /reset": lambda _: self.lab.reset(),
        }
        if route not in calls:
            raise LabError("lab.no-such-call", call=route)
        return calls[route](body)

    def _advance(self, body: Body) -> object:
        self.lab.clock.advance(trouble.seconds_of(body["seconds"]))
        return {"now": self.lab.clock.now()}

    def _arm(self, body: Body) -> object:
        script = body["faults"]
        if not isinstance(script, list):
            raise LabError("lab.fault-invalid", error="faults is not a list")
        self.lab.faults.arm(script)
        return self.lab.faults.describe()

    def _release(self, body: Body) -> object:
        ids = list(self.lab.faults.held) if body.get("all") else [int(str(body["id"]))]
        return {"released": self.lab.faults.release(ids, answer=body.get("answer", True) is True)}

    def _node(self, body: Body) -> object:
        world = self.lab.faults.world(body)
        trouble.set_node(world, str(body["node"]), online=body["action"] == "up")
        return {}

    def _status(self) -> object:
        lab = self.lab
        return {
            "now": lab.clock.now(),
            "rate": lab.clock.rate if lab.clock.rate is not None else "auto",
            "requests": len(lab.requests),
            "clusters": {
                name: {
                    "version": world.cluster.version,
                    "nodes": {
                        n.name: "online" if n.online else "offline"
                        for n in world.cluster.nodes.values()
                    },
                    "vms": len(world.cluster.vms),
                    "running_tasks": len(world.tasks.running),
                }
                for name, world in lab.worlds.items()
            },
        }


async def _body(request: web.BaseRequest) -> dict[str, object]:
    text = await request.text()
    if not text:
        return {}
    raw = json.loads(text)
    if isinstance(raw, list):
        return {"faults": raw}
    if not isinstance(raw, dict):
        raise LabError("lab.bad-request", reason="not an object")
    return raw


def _json(value: object, status: int = 200) -> web.Response:
    return web.json_response(value, status=status)
