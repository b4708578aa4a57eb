"""Pools, users and what they may see, as typed calls. No call here knows a password."""

from collections.abc import Mapping
from types import MappingProxyType

from cloudpemda.cluster import AclEntry, PveUser
from cloudpemda.proxmox.rows import Row, rows
from cloudpemda.proxmox.transport import Transport


class AccessCalls:
    """Safe for many threads; every method may raise PveError.

    PVE leaves out of its lists what the token may not see, and says nothing of it.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def pools(self) -> Mapping[str, str]:
        """Pool → its comment."""
        return MappingProxyType(
            {one.text("poolid"): one.text("comment", "") for one in self._rows("/pools")}
        )

    def comment_pool(self, pool: str, comment: str) -> None:
        self._transport.write("PUT", "/pools", {"poolid": pool, "comment": comment})

    def users(self) -> tuple[PveUser, ...]:
        return tuple(
            PveUser(one.text("userid"), one.flag("enable", default=True), one.text("comment", ""))
            for one in self._rows("/access/users")
        )

    def create_user(self, userid: str, comment: str) -> None:
        """Without a password: the realm says who they are, or an administrator gives one.

        A taken name is refused as Exists.
        """
        self._transport.write("POST", "/access/users", {"userid": userid, "comment": comment})

    def enable_user(self, userid: str, *, enabled: bool) -> None:
        form = {"enable": str(int(enabled))}
        self._transport.write("PUT", "/access/users/{userid}", form, userid=userid)

    def acl(self) -> tuple[AclEntry, ...]:
        """Entries of users alone, not of groups or tokens."""
        found = (one for one in self._rows("/access/acl") if one.text("type") == "user")
        return tuple(
            AclEntry(one.text("path"), one.text("ugid"), one.text("roleid")) for one in found
        )

    def grant(self, entry: AclEntry, *, away: bool = False) -> None:
        """Give a user a role on a path and nothing below it, or take it away."""
        form = {"path": entry.path, "users": entry.userid, "roles": entry.role, "propagate": "0"}
        self._transport.write("PUT", "/access/acl", form | ({"delete": "1"} if away else {}))

    def _rows(self, template: str) -> list[Row]:
        answer = self._transport.get(template, None)
        return rows(template, answer, self._transport.bad_answer)
