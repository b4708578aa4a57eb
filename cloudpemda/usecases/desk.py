"""The desk: a site with its live objects, and the person who sits at it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from cloudpemda.clock import Clock, Entropy
from cloudpemda.errors import Refused, UsageError
from cloudpemda.ledger import SYSTEM, Actor, Ledger
from cloudpemda.proxmox import BackupServer, Pve
from cloudpemda.rules.quota import scope_of
from cloudpemda.site import Site
from cloudpemda.site.models import Person, Role


@dataclass(frozen=True)
class Scope:
    """The OPDs that somebody may read about; `opds` None is all, those of former files included."""

    login: str
    opds: frozenset[str] | None

    def covers(self, opd: str) -> bool:
        return self.opds is None or opd in self.opds

    def require(self, opd: str) -> None:
        """Raises Refused `desk.scope` for an OPD outside of it."""
        if not self.covers(opd):
            raise Refused("desk.scope", login=self.login, opd=opd)


@dataclass(frozen=True)
class Desk:
    """Everything that a use case may need. `wiring` builds it; nothing here is global."""

    site: Site
    ledger: Ledger
    clock: Clock
    entropy: Entropy
    login: str
    person: Person | None  # None: nobody in people.yaml has this login
    connect: Callable[[str], Pve]
    connect_backup_server: Callable[[str], BackupServer]
    assumed: bool = False  # nobody was named: who acts was chosen by `wiring`
    _clusters: dict[str, Pve] = field(default_factory=dict)
    _servers: dict[str, BackupServer] = field(default_factory=dict)

    def cluster(self, name: str) -> Pve:
        """The client of a cluster, made when it is first asked for."""
        if name not in self._clusters:
            self._clusters[name] = self.connect(name)
        return self._clusters[name]

    def backup_server(self, name: str) -> BackupServer:
        """The client of a backup server, made when it is first asked for."""
        if name not in self._servers:
            self._servers[name] = self.connect_backup_server(name)
        return self._servers[name]

    @property
    def production(self) -> tuple[str, ...]:
        """The names of the clusters that new VMs are made on."""
        return tuple(
            name
            for name, settings in self.site.info.clusters.items()
            if settings.role == "production"
        )

    def act(self, *roles: Role, opd: str | None = None) -> Actor:
        """Who acts, in the first of `roles` that they hold for `opd`.

        A role without an OPD is Diskominfo's and holds for every OPD. Raises Refused
        `desk.unknown-person` or `desk.role`.
        """
        if self.person is None:
            raise Refused("desk.unknown-person", login=self.login)
        for role in roles:
            for grant in self.person.roles:
                if grant.role == role and grant.opd in (None, opd):
                    return Actor(self.person.login, self.person.name, role)
        raise Refused("desk.role", login=self.login, roles=", ".join(roles), opd=opd or "*")

    def scope(self, *roles: Role) -> Scope:
        """What the person may read about, by whichever of `roles` they hold, or by any role.

        A role without an OPD is Diskominfo's and opens all; one of an OPD opens it and its
        children. Raises Refused `desk.unknown-person` (the timer reads nothing but its night) or
        `desk.role`.
        """
        if self.person is None:
            raise Refused("desk.unknown-person", login=self.login)
        held = [grant.opd for grant in self.person.roles if not roles or grant.role in roles]
        if not held:
            raise Refused("desk.role", login=self.login, roles=", ".join(roles) or "*", opd="*")
        if None in held:
            return Scope(self.login, None)
        opds = self.site.opds
        below = (scope_of(opd, opds) for opd in held if opd is not None)
        return Scope(self.login, frozenset().union(*below))

    def act_or_system(self, *roles: Role) -> Actor:
        """The same, but a login that is no person is the timer: `system`, which approves nothing.

        A person without the role is refused all the same.
        """
        return SYSTEM if self.person is None else self.act(*roles)

    def close(self) -> None:
        self.ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def require_opd(desk: Desk, opd: str) -> None:
    """Raises UsageError `look.opd` for an OPD that the site has no file of."""
    if opd not in desk.site.opds:
        raise UsageError("look.opd", opd=opd, known=", ".join(sorted(desk.site.opds)))
