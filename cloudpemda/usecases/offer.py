"""Offer: what a reviewer decides on, from a trial placement on each production cluster."""

from collections.abc import Mapping

from cloudpemda.cluster import ClusterState
from cloudpemda.errors import CloudpemdaError, Fault, Refused
from cloudpemda.ledger import RequestRecord
from cloudpemda.placement import NoFit
from cloudpemda.plan.offer import Offer, make_offer
from cloudpemda.rules.quota import total
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.workload import Workload, approved_elsewhere


def offer(desk: Desk, record: RequestRecord) -> Offer:
    """The offer of the first production cluster on which the request fits now.

    Approved requests that are not built yet must fit beside it. Raises Refused `offer.no-place`
    with each cluster's counted reasons, Unreachable where a cluster that might take it could not
    be read.
    """
    reasons: list[Fault] = []
    unread: CloudpemdaError | None = None
    for cluster in desk.production:
        try:
            return offer_on(desk, record, cluster, desk.cluster(cluster).snapshot())
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
    found = workload.placement(state, (), approved_elsewhere(desk, record.key, cluster))
    if isinstance(found, NoFit):
        first, *more = found.faults
        raise Refused(first.code, *more, **first.values)
    return make_offer(record.spec, found, quota_delta(workload))


def quota_delta(workload: Workload) -> Mapping[str, int]:
    """What the request takes of its OPD's quota, per dimension."""
    return total(workload.usage.values())
