"""The lab's control port: move the clock, wait for it, script faults, and read what really happened."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from aiohttp import web

from . import faults as trouble
from .errors import LabError, Refused
from .state import dump

if TYPE_CHECKING:
    from .site import Lab


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
            return _json({"error": error.code, **{k: str(v) for k, v in error.values.items()}}, 400)
        except Refused as refused:
            return _json({"error": "lab.refused", "reason": refused.message}, 400)
        except (KeyError, ValueError, TypeError) as error:
            return _json({"error": "lab.bad-request", "reason": repr(error)}, 400)

    async def _answer(self, request: web.BaseRequest, body: Mapping[str, object]) -> object:
        lab = self.lab
        lab.clock.run_due()
        route = f"{request.method} {request.path}"
        if route == "GET /clock":
            return {"now": lab.clock.now()}
        if route == "POST /wait":
            await lab.clock.pause(trouble.seconds_of(body["seconds"]))
            return {"now": lab.clock.now()}
        if route == "POST /advance":
            lab.clock.advance(trouble.seconds_of(body["seconds"]))
            return {"now": lab.clock.now()}
        if route == "GET /requests":
            since = int(request.query.get("since", 0))
            return [r for r in lab.requests if int(str(r["n"])) > since]
        if route == "GET /events":
            return lab.events
        if route == "GET /state":
            return {name: dump(world.cluster) for name, world in lab.worlds.items()}
        if route == "GET /status":
            return self._status()
        return await self._change(route, body)

    async def _change(self, route: str, body: Mapping[str, object]) -> object:
        lab = self.lab
        if route == "GET /faults":
            return lab.faults.describe()
        if route == "POST /faults":
            script = body["faults"]
            if not isinstance(script, list):
                raise LabError("lab.fault-invalid", error="faults is not a list")
            lab.faults.arm(script)
            return lab.faults.describe()
        if route == "GET /holds":
            return [
                {
                    "id": h.id,
                    "when": h.when,
                    "cluster": h.cluster,
                    "method": h.method,
                    "path": h.path,
                }
                for h in lab.faults.held.values()
            ]
        if route == "POST /release":
            ids = list(lab.faults.held) if body.get("all") else [int(str(body["id"]))]
            return {"released": lab.faults.release(ids, body.get("answer", True) is True)}
        if route == "POST /node":
            world = lab.faults.world(body)
            trouble.set_node(world, str(body["node"]), online=body["action"] == "up")
            return {}
        if route == "POST /outside":
            return trouble.outside(lab.faults.world(body), body)
        if route == "POST /reset":
            lab.reset()
            return {}
        raise LabError("lab.no-such-call", call=route)

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
