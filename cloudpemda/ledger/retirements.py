"""Retirements: a workload that lives comes to its end, or back from it.

What is retired stays charged, and its identities stay its own, until PVE has confirmed that it is
gone. Whoever retires twice changes nothing.
"""

from sqlalchemy import Row, select

from cloudpemda.errors import Refused
from cloudpemda.ledger import restores
from cloudpemda.ledger.audit import Actor, Audit, Deed
from cloudpemda.ledger.matters import itself, matter, move, void
from cloudpemda.ledger.records import RequestRecord, record
from cloudpemda.ledger.schema import instances, requests
from cloudpemda.ledger.states import (
    INSTANCE,
    InstanceEvent,
    InstanceState,
    ProposalState,
    RequestEvent,
    RequestState,
    after,
)
from cloudpemda.ledger.store import Store
from cloudpemda.plan.model import PRIMARY

_LEAVING = frozenset({RequestState.RETIRING, RequestState.RETIRED, RequestState.ENDED})
_AWAY = frozenset({InstanceState.RETIRING, InstanceState.RETIRED})
_OPEN = frozenset({ProposalState.PENDING, ProposalState.APPROVED})


class Retirements:
    """The ends of workloads. Every method is one transaction."""

    def __init__(self, store: Store, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    def begin(self, key: str, *, reason: str, actor: Actor) -> RequestRecord:
        """Enter `retiring` with every VM that is not on its way out; an open change ends, and what
        it holds returns. One that is retiring or ended already is left as it is.

        Of one that is `retired` a VM that was brought back in part is retired again. Raises
        Refused `ledger.transition`, `retire.changing`.
        """
        with self._audit.deed(actor) as deed:
            about = itself(_request(deed, key))
            restores.require_none(deed.connection, about.number)
            staying = _states(deed, about.number, but=_AWAY)
            if about.state in _LEAVING and not (staying and about.state is RequestState.RETIRED):
                if about.state is RequestState.RETIRING:
                    self._retire(deed, staying)
                return record(deed.connection, about.number)
            about.next(RequestEvent.RETIRE)
            asked = matter(deed.connection, _request(deed, key))
            if asked.proposal is ProposalState.APPLYING:
                raise Refused("retire.changing", key=about.key)
            if asked.proposal in _OPEN:
                void(deed, asked)
                move(deed, asked, RequestEvent.WITHDRAW, reason=reason)
            self._retire(deed, staying)
            move(deed, about, RequestEvent.RETIRE, reason=reason)
            return record(deed.connection, about.number)

    def _retire(self, deed: Deed, uids: tuple[str, ...]) -> None:
        for uid in uids:
            row = deed.connection.execute(select(instances).where(instances.c.uid == uid)).one()
            state = after(INSTANCE, InstanceState(row.state), InstanceEvent.RETIRE, row.key)
            deed.update(instances, instances.c.uid == uid, state=state.value, updated_at=deed.now)
            deed.record(
                "instance.retire", row.opd, row.key, uid=uid, number=row.number, state=state.value
            )

    def quarantined(self, key: str, *, actor: Actor) -> None:
        """All its VMs rest. Raises Refused `ledger.unretired` while one does not."""
        with self._audit.deed(actor) as deed:
            about = itself(_request(deed, key))
            self._refuse_left(deed, about.number, frozenset({InstanceState.RETIRED}))
            move(deed, about, RequestEvent.QUARANTINE)

    def restored(self, key: str, *, actor: Actor) -> None:
        """All its VMs live again. Raises Refused `ledger.unretired` while one does not."""
        with self._audit.deed(actor) as deed:
            about = itself(_request(deed, key))
            self._refuse_left(deed, about.number, frozenset({InstanceState.ACTIVE}))
            move(deed, about, RequestEvent.RESTORE)

    def end(self, key: str, *, actor: Actor) -> None:
        """None of its VMs is left. Raises Refused `ledger.unretired` while one is."""
        with self._audit.deed(actor) as deed:
            about = itself(_request(deed, key))
            self._refuse_left(deed, about.number, frozenset())
            void(deed, about)
            move(deed, about, RequestEvent.END)

    def _refuse_left(self, deed: Deed, number: str, fitting: frozenset[InstanceState]) -> None:
        left = _states(deed, number, but=fitting)
        if left:
            query = select(instances.c.key).where(instances.c.uid.in_(left))
            keys = ", ".join(sorted(deed.connection.scalars(query)))
            raise Refused("ledger.unretired", number=number, instances=keys)


def _request(deed: Deed, key: str) -> Row[tuple[object, ...]]:
    opd, slash, name = key.partition("/")
    query = select(requests).where(requests.c.number == key)
    if slash:
        query = select(requests).where(requests.c.opd == opd, requests.c.name == name)
    row = deed.connection.execute(query).first()
    if row is None:
        raise Refused("ledger.no-request", key=key)
    return row


def _states(deed: Deed, number: str, but: frozenset[InstanceState]) -> tuple[str, ...]:
    """The uids of a request's instances that are there, but for those in these states; copies
    have a lease of their own."""
    left_out = [state.value for state in (*but, InstanceState.PURGED)]
    return tuple(
        deed.connection.scalars(
            select(instances.c.uid)
            .where(
                instances.c.number == number,
                instances.c.role == PRIMARY,
                instances.c.state.not_in(left_out),
            )
            .order_by(instances.c.key)
        )
    )
