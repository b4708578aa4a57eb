"""An approval binds to what was offered, not to where it happened to be tried."""

import json
from dataclasses import replace

from cloudpemda.placement import (
    Exposed,
    Exposure,
    Loss,
    NPlusOne,
    Placed,
    Placement,
    PlacementPolicy,
    Score,
    place,
)
from cloudpemda.plan.desire import demands_of
from cloudpemda.plan.offer import Offer, make_offer
from cloudpemda.units import Cores, MiB
from tests.clusters.load import cluster
from tests.plan.requests import DB, setting, spec

DELTA = {"vcpu": 8, "memory": 16384, "public_ip": 2, "disk.hdd": 0}
PLACEMENT = Placement(
    "dc",
    tuple(
        Placed(f"dinkes/simrs/db-{number}", node, ("pve3",), Score(0.5, 0.25, 3))
        for number, node in ((1, "pve1"), (2, "pve2"))
    ),
    NPlusOne((Loss("pve1", 1, True),), ()),
)


def offer(placement: Placement = PLACEMENT, **changes: object) -> Offer:
    return make_offer(spec(**changes), placement, DELTA)


def test_another_node_or_figure_is_the_same_offer() -> None:
    elsewhere = replace(
        PLACEMENT,
        vms=tuple(
            replace(vm, node="pve3", targets=("pve1",), score=Score(0.9, 0.9, 1))
            for vm in PLACEMENT.vms
        ),
        n_plus_one=NPlusOne((Loss("pve1", 5, True), Loss("pve2", 0, True)), ()),
    )
    assert offer(elsewhere).digest == offer().digest


def test_another_cluster_size_network_delta_or_n_plus_one_is_another_offer() -> None:
    broken = NPlusOne((Loss("pve1", 1, fits=False),), ())
    exposed = NPlusOne((), (Exposed("dinkes/simrs/db-1", Exposure.APART),))
    others = [
        offer(replace(PLACEMENT, cluster="drc")),
        offer(replace(PLACEMENT, n_plus_one=broken)),
        offer(replace(PLACEMENT, n_plus_one=exposed)),
        offer(service_class="simple"),
        offer(vms=(replace(DB, cpu=Cores(5)),)),
        offer(vms=(replace(DB, memory=MiB(1)),)),
        offer(vms=(replace(DB, disks=DB.disks[:1]),)),
        offer(vms=(replace(DB, networks=DB.networks[:1]),)),
        offer(vms=(replace(DB, keep_apart=False),)),
        make_offer(spec(), PLACEMENT, {**DELTA, "vcpu": 9}),
    ]
    assert len({one.digest for one in others} | {offer().digest}) == len(others) + 1


def test_another_revision_is_another_offer_even_where_nothing_shown_differs() -> None:
    other = offer(vms=(replace(DB, ssh_keys=("ssh-ed25519 BBBB other@dinkes",)),))
    assert other.digest != offer().digest
    assert replace(other, spec_hash=offer().spec_hash) == offer()


def test_dimensions_that_do_not_grow_and_the_exposure_of_others_do_not_bind() -> None:
    more = replace(PLACEMENT, n_plus_one=NPlusOne((), (Exposed("other/vm/x-1", Exposure.NO_NODE),)))
    plain = replace(PLACEMENT, n_plus_one=NPlusOne((), ()))
    assert offer(more).digest == offer(plain).digest
    without = {key: value for key, value in DELTA.items() if value}
    assert make_offer(spec(), PLACEMENT, without).digest == offer().digest


def test_the_offer_as_json_has_the_trial_and_the_digest() -> None:
    data = json.loads(offer().to_json())
    assert data["offer_digest"] == offer().digest
    assert data["trial"][0] == {
        "vm": "dinkes/simrs/db-1",
        "node": "pve1",
        "replicas": ["pve3"],
        "reason": "memory=50% cpu=25% candidates=3",
    }
    (kind,) = data["vms"]
    assert (kind["count"], kind["memory_mib"], kind["public_addresses"]) == (2, 8192, 1)
    assert data["quota_delta"] == {"vcpu": 8, "memory": 16384, "public_ip": 2}


def test_a_real_placement_makes_an_offer() -> None:
    state = cluster("three-nodes-empty")
    placement = place(demands_of(spec(), setting(), {}), state, PlacementPolicy(3, MiB(8192)))
    assert isinstance(placement, Placement)
    made = make_offer(spec(), placement, DELTA)
    assert made.n_plus_one
    # the scratch disk that shall not be protected keeps HA from bringing the VMs back
    assert {why for _, why in made.exposed} == {"local-disk"}
