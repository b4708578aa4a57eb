"""Offer: what a reviewer decides on, from a trial placement on each production cluster."""

from collections.abc import Mapping

from cloudpemda.cluster import ClusterState
from cloudpemda.errors import CloudpemdaError, Fault, Refused
from cloudpemda.ledger import InstanceRecord, RequestRecord, RequestState
from cloudpemda.placement import NoFit
from cloudpemda.plan.offer import Offer, make_offer
from cloudpemda.rules.quota import growth, total
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.workload import Workload, approved_elsewhere, cluster_settings


def offer(desk: Desk, record: RequestRecord) -> Offer:
    """The offer of the first production cluster on which the request fits now; a workload that
    lives is offered its change where it lives.

    Approved requests that are not built yet must fit beside it. Raises Refused `offer.no-place`
    with each cluster's counted reasons, Unreachable where a cluster that might take it could not
    be read.
    """
    reasons: list[Fault] = []
    unread: CloudpemdaError | None = None
    for cluster, vmids in _candidates(desk, record).items():
        try:
            cluster_settings(desk, cluster)
            state = desk.cluster(cluster).snapshot(configs_for=vmids)
            return offer_on(desk, record, cluster, state)
        except Refused as error:
            reasons.extend(error.faults)
        except CloudpemdaError as error:  # unreadable: another cluster may still take it
            unread = error
    if unread is not None:
        raise unread
    raise Refused("offer.no-place", *reasons, key=record.key)


def offer_on(desk: Desk, record: RequestRecord, cluster: str, state: ClusterState) -> Offer:
    """The offer of one cluster, read as `state`. Raises Refused where it does not fit."""
    workload = Workload(desk, record, cluster)
    lives = _lives(desk, record)
    found = workload.placement(state, lives, approved_elsewhere(desk, record.key, cluster))
    if isinstance(found, NoFit):
        first, *more = found.faults
        raise Refused(first.code, *more, **first.values)
    return make_offer(record.spec, found, quota_delta(workload))


def quota_delta(workload: Workload) -> Mapping[str, int]:
    """What the request takes of its OPD's quota beyond what it uses already, per dimension."""
    used = workload.desk.ledger.quota.of_instance
    return total(
        growth(
            {
                name: balance.committed
                for name, balance in used(workload.record.instance_key(member)).items()
            },
            usage,
        )
        for member, usage in workload.usage.items()
    )


def _candidates(desk: Desk, record: RequestRecord) -> Mapping[str, set[int]]:
    """The clusters that may take it, each with the VMIDs whose configurations count there."""
    found: dict[str, set[int]] = {}
    for one in _lives(desk, record):
        found.setdefault(one.cluster, set()).add(one.vmid)
    return found or {name: set() for name in desk.production}


def _lives(desk: Desk, record: RequestRecord) -> tuple[InstanceRecord, ...]:
    """The instances of a workload that lives; what was never made may go anywhere."""
    if record.state is not RequestState.ACTIVE:
        return ()
    return desk.ledger.instances.list(workload=record.key)
