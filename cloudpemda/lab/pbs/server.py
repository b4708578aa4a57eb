"""What is different in a backup server's HTTP: its token's header; errors are plain text."""

from collections.abc import Mapping

from cloudpemda.lab.errors import Refused
from cloudpemda.lab.params import FALSE, TRUE
from cloudpemda.lab.pbs.routes import PBS
from cloudpemda.lab.routes import Handler, Match
from cloudpemda.lab.server import Frontend, Reply, Values
from cloudpemda.lab.world import World


class PbsFrontend(Frontend):
    def __init__(self, world: World, handlers: Mapping[str, Handler] = PBS) -> None:
        super().__init__(world, handlers)

    async def answer(
        self, local: str, method: str, path: str, values: Values | Refused, headers: dict[str, str]
    ) -> Reply:
        given = headers.get("authorization", "")
        if given.startswith("PBSAPIToken="):  # with a colon before the secret
            who, _, secret = given.partition("=")[2].partition(":")
            headers = {**headers, "authorization": f"PVEAPIToken={who}={secret}"}
        elif given.startswith("PVEAPIToken"):
            headers = {name: text for name, text in headers.items() if name != "authorization"}
        reply = await super().answer(local, method, path, values, headers)
        return reply if reply.status == 200 else _plain(reply, path)

    def _run(self, local: str, path: str, matched: Match, values: Values, user: str) -> object:
        """Flags may be words, too."""
        specs = self.table[matched[0]].params
        read = {"1": TRUE, "0": FALSE}
        for name, value in values.items():
            if name in specs and specs[name].type == "boolean":
                words = [digit for digit, some in read.items() if str(value).lower() in some]
                values = {**values, name: words[0] if words else value}
        return super()._run(local, path, matched, values, user)


def _plain(reply: Reply, path: str) -> Reply:
    body = reply.body or {}
    text = str(body.get("message", reply.reason)).strip()
    if reply.status == 401:
        return Reply(401, "Unauthorized", None, reply.user, "authentication failed - check login")
    if reply.status == 403:
        return Reply(403, "Forbidden", None, reply.user, text)
    if reply.status == 501:
        return Reply(404, "Not Found", None, reply.user, f"Path '/api2/json{path}' not found.")
    if reply.status == 596:
        return reply
    errors = body.get("errors")
    if isinstance(errors, dict):
        lines = [f"'{name}': {fault}" for name, fault in errors.items()]
        text = f"parameter verification failed - {lines[0]}"
        if len(lines) > 1:
            text = "parameter verification failed:\n" + "\n".join(f"- {line}" for line in lines)
    return Reply(400, "Bad Request", None, reply.user, text)
