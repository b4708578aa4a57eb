"""HTTP as PVE speaks it: envelope, form and JSON bodies, reason phrases, tickets, proxied nodes.

The order of a call is PVE's: who is it (401), is there such a method (501), may they (403), is it
for another node (595 when that one is down), are the parameters as declared (400), and only then
the work. Whoever waits for it, a proxy or a client, waits thirty seconds: then it goes on unseen.
"""

import asyncio
import json
import re
import urllib.parse
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass

from aiohttp import BodyPartReader, web

from cloudpemda.lab import access
from cloudpemda.lab.errors import Refused, denied, invalid, unauthorised
from cloudpemda.lab.errors import found as present
from cloudpemda.lab.params import check_params
from cloudpemda.lab.routes import (
    HANDLERS,
    Handler,
    Match,
    Page,
    Router,
    Row,
    Signed,
    Text,
    served,
)
from cloudpemda.lab.state import Node
from cloudpemda.lab.tables import load
from cloudpemda.lab.work import SlowCall
from cloudpemda.lab.world import Call, World

LOGIN_DELAY = 3.0
PROXY_SECONDS = 30.0
MAX_FORM = 512 * 1024  # bytes
FORMATS = ("json", "extjs", "html", "png")
ROOTS = ("version", "cluster", "nodes", "storage", "access", "pools")
METHODS = ("GET", "POST", "PUT", "DELETE")


@dataclass
class Reply:
    status: int
    reason: str
    body: Row | None
    user: str = ""
    text: str = ""


Values = dict[str, object]
Intercept = Callable[
    [World, str, str, str, Values, Callable[[], Awaitable[Reply]]], Awaitable[Reply]
]


def parse_pairs(text: str) -> Values:
    """A form or query; a repeated field becomes a list, which every type check refuses."""
    found = urllib.parse.parse_qs(text.replace(";", "&"), keep_blank_values=True)
    found.pop("_dc", None)  # what browsers send against caches
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def parse_json(text: str) -> Values:
    """A body of JSON; numbers are the texts that Perl makes of them, `2.0` is `2`."""
    try:
        raw = json.loads(text, parse_int=str, parse_float=lambda digits: f"{float(digits):.15g}")
    except (ValueError, RecursionError):
        text = "malformed JSON string, neither tag, array, object, number, string or atom"
        raise Refused(500, text, empty=True) from None
    if not isinstance(raw, dict):
        where = "at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 957."
        raise Refused(500, f"Not a HASH reference {where}", empty=True)
    return {name: value for name, value in raw.items() if value is not None}


class Frontend:
    """Answers for one cluster through any of its nodes."""

    def __init__(self, world: World, handlers: Mapping[str, Handler] = HANDLERS) -> None:
        self.world, self.handlers = world, handlers
        self._learn()

    def _learn(self) -> None:
        """What the cluster's release declares."""
        self.release = self.world.cluster.release
        served()  # all are declared by now
        known = set(self.handlers)
        declared = load(self.release).items()
        self.table = {name: found for name, found in declared if name in known or found.index}
        self.router = Router(self.table)
        self.privileges = access.all_privileges(self.release)

    async def answer(
        self, local: str, method: str, path: str, values: Values | Refused, headers: dict[str, str]
    ) -> Reply:
        """`local` is the node the request came in on; `path` is below the format, decoded.

        What is wrong with a body (`values`) is said to those alone who may speak.
        """
        if self.release != self.world.cluster.release:  # it was upgraded
            self._learn()
        user, matched = "", self.router.match(method, path)
        try:
            user = self._who(method, matched, headers)
            if isinstance(values, Refused):
                raise values
            if matched is None:
                data = _root(method, path)
            else:
                data = self._run(local, path, matched, values, user)
            if isinstance(data, Generator):
                data = await self._drive(data)
        except Refused as refused:
            return _refusal(refused, user)
        if isinstance(data, Text):
            return Reply(200, "OK", None, user, data.text)
        beside: Row = {"total": data.total} if isinstance(data, Page) else {}
        if isinstance(data, Signed):
            beside = {"digest": data.digest}
        data = data.data if isinstance(data, Page | Signed) else data
        return Reply(200, "OK", {"data": data, **beside}, user)

    async def _drive(self, work: SlowCall) -> object:
        """Wait for a call that takes lab time; in virtual time the waiting moves the clock."""
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()

        def end(result: object, error: Refused | None) -> None:
            if done.done():
                return  # nobody waits for it any more
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)

        process = self.world.scheduler.run(work, end, [])
        clock = self.world.clock
        patience = clock.after(PROXY_SECONDS, lambda: end(None, timed_out()))
        while clock.hurries and not done.done() and clock.step():
            pass
        try:
            return await done
        except asyncio.CancelledError:
            self.world.scheduler.drop(process)
            raise
        finally:
            patience.cancel()

    def _who(self, method: str, matched: Match | None, headers: dict[str, str]) -> str:
        keys, now = self.world.cluster.access, self.world.now()
        header, ticket = headers.get("authorization", ""), _cookie(headers.get("cookie", ""))
        if header.startswith("PVEAPIToken") and not ticket:
            return access.by_token(keys, header, now)
        if matched and self.table[matched[0]].user == "world":
            return ""
        ticket = ticket or header.removeprefix("PVEAuthCookie=")
        if not ticket:
            raise unauthorised("No ticket")
        return access.by_ticket(keys, ticket, headers.get("csrfpreventiontoken"), method, now)

    def _run(self, local: str, path: str, matched: Match, values: Values, user: str) -> object:
        name, found = matched
        declaration = self.table[name]
        if twice := values.keys() & found.keys():
            raise invalid(dict.fromkeys(twice, "duplicate parameter (already defined in URI)"))
        both = {**values, **found}
        if "!" in user and not declaration.tokens:
            raise denied(f"URI '{path}' not available with API token, need proper ticket.\n")
        if user != "root@pam" and not (declaration.user or declaration.check):
            raise denied("user != root@pam")  # what declares no permission is root's, in person
        if declaration.check and declaration.user != "all":
            access.Check(self.world.cluster, user, both).run(declaration.check)
        node, nodes = found.get("node", local), self.world.cluster.nodes
        node = local if node == "localhost" else node
        if declaration.proxied and node != local and self._reach(node).hung:
            return _no_answer()
        params = check_params(declaration, both, self.release, self.privileges)
        if declaration.index:
            return [{declaration.index: child} for child in declaration.children]
        return self.handlers[name](Call(self.world, node if node in nodes else local, user, params))

    def _reach(self, name: str) -> Node:
        """Another node, to which a call is proxied."""
        nodes = self.world.cluster.nodes
        if name not in nodes and name.lower() in nodes:
            wrong = "error:0A000086:SSL routines::certificate verify failed"
            raise Refused(596, wrong, empty=True)
        reason = f"failed to get address info for: {name}: Name or service not known"
        node = present(nodes.get(name), f"hostname lookup '{name}' failed - {reason}")
        if not node.online:
            raise Refused(595, "No route to host", empty=True)
        return node


def _root(method: str, path: str) -> object:
    """What is answered where no path is declared."""
    if method != "GET" or path != "/":
        raise Refused(501, f"Method '{method} {path}' not implemented")
    return [{"subdir": name} for name in ROOTS]


def timed_out() -> Refused:
    return Refused(596, "Connection timed out", empty=True)


def _no_answer() -> SlowCall:
    """A node that took the connection and is silent."""
    yield PROXY_SECONDS
    raise timed_out()


def _refusal(refused: Refused, user: str) -> Reply:
    if refused.empty:
        return Reply(refused.status, refused.reason, None, user)
    ended = refused.message if refused.status == 501 else refused.message.rstrip("\n") + "\n"
    errors = {"errors": refused.errors} if refused.errors else {}
    return Reply(refused.status, refused.reason, {"data": None, "message": ended, **errors}, user)


def _cookie(header: str) -> str:
    pairs = (part.strip().partition("=") for part in header.split(";"))
    found = (urllib.parse.unquote(value) for name, _, value in pairs if name == "PVEAuthCookie")
    return next(found, "")


class Listener:
    """One node's port: turns HTTP into calls of the frontend, by way of the lab's faults."""

    def __init__(self, frontend: Frontend, node: str, intercept: Intercept) -> None:
        self.frontend, self.node, self.intercept = frontend, node, intercept

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        world = self.frontend.world
        here = world.cluster.nodes[self.node]
        if here.hung:
            await world.clock.pause(PROXY_SECONDS)
        if here.hung or not here.online:
            _cut(request)
        path = urllib.parse.unquote(request.raw_path.split("?", 1)[0])
        prefix = re.match(r"/+api2/+([^/]+)", path)
        if prefix is None or _is_odd(request):
            return _turned_away(request, path)
        form, parts = prefix[1], path[prefix.end() :].split("/")
        rest = "/" + "/".join(filter(None, parts))
        values: Values | Refused
        try:
            values = await _values(request, rest)
        except Refused as refused:
            values = refused
        headers = {name.lower(): value for name, value in request.headers.items()}

        async def work() -> Reply:
            world.clock.advance(world.clock.per_request)
            reply = await self.frontend.answer(self.node, request.method, rest, values, headers)
            if request.method != "GET":
                world.stir()
            world.clock.run_due()
            return reply

        shown = {} if isinstance(values, Refused) else values
        reply = await self.intercept(world, self.node, request.method, rest, shown, work)
        if reply.status == 401:
            await world.clock.pause(LOGIN_DELAY)
        if reply.status == 0:
            _cut(request)
        return _respond(form, rest, reply)


def _is_odd(request: web.BaseRequest) -> bool:
    return request.method not in METHODS or bool(request.headers.get("Transfer-Encoding"))


def _turned_away(request: web.BaseRequest, path: str) -> web.Response:
    """What is no call of the API is told before anybody asks who calls."""
    if request.method not in METHODS:
        return web.Response(status=501, reason=f"method '{request.method}' not available")
    if coding := request.headers.get("Transfer-Encoding"):
        known = "chunked transfer encoding not supported"
        wrong = known if coding == "chunked" else f"Unknown transfer encoding '{coding}'"
        return web.Response(status=501, reason=wrong)
    if path.startswith("/api2"):
        return web.Response(status=501, reason="no such uri")
    return web.Response(status=500, reason=_line(f"no such file '{path}'"))


def _cut(request: web.BaseRequest) -> None:
    """Close the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    raise asyncio.CancelledError


async def _values(request: web.BaseRequest, path: str) -> Values:
    query, size = parse_pairs(request.query_string), request.content_length or 0
    if request.method not in ("POST", "PUT"):
        if size:
            raise Refused(501, f"Unexpected content for method '{request.method}'", empty=True)
        return query
    given = request.headers.get("Content-Type", "")
    kind = given.split(";")[0].strip().lower()
    if kind == "multipart/form-data" and path.endswith("/upload"):
        return {**await _upload(request), **query}
    if size > MAX_FORM:
        raise Refused(501, "for data too large", empty=True)
    text = (await request.read()).decode("utf-8", "replace")
    if kind == "application/json":
        return {**parse_json(text), **query}
    if kind not in ("", "application/x-www-form-urlencoded", "application/octet-stream"):
        raise Refused(506, f"upload 'Content-Type '{given}' not implemented", empty=True)
    return {**parse_pairs(text), **query}


async def _upload(request: web.BaseRequest) -> Values:
    """An upload's fields. The file itself is let go: its temporary name tells its size."""
    values: Values = {}
    try:
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader) and part.filename:
                size = 0
                while chunk := await part.read_chunk():
                    size += len(chunk)
                name = f"/var/tmp/pveupload-{size:x}"  # noqa: S108 - of no file
                values |= {"filename": part.filename, "tmpfilename": name}
            elif isinstance(part, BodyPartReader):
                values[part.name or ""] = await part.text()
    except ValueError:
        raise Refused(501, "upload failed", empty=True) from None
    return values


def _line(reason: str) -> str:
    """A reason as a status line can hold it: values that it quotes may have control characters."""
    return re.sub(r"[\x00-\x1f\x7f]", " ", reason)


def _respond(form: str, path: str, reply: Reply) -> web.Response:
    if form not in FORMATS and reply.body is not None:
        return web.Response(status=501, reason=_line(f"no formatter for uri {path}, {form}"))
    status, reason, body = reply.status, _line(reply.reason), reply.body
    if body is None:
        return web.Response(status=status, reason=reason, text=reply.text or None)
    if form in ("html", "png"):
        return web.Response(status=status, reason=reason, text="", content_type=f"text/{form}")
    if form == "extjs":
        body = {**body, "success": int(status == 200)}
        if status != 200:
            body["status"] = status
        status, reason = 200, "OK"
    return web.Response(
        status=status,
        reason=reason,
        text=json.dumps(body, separators=(",", ":")),
        content_type="application/json",
    )
