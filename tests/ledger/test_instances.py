"""Instances: identity before action, given once, and returned when PVE has confirmed."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudpemda.clock import SeededEntropy
from cloudpemda.errors import Refused
from cloudpemda.ledger import InstanceRecord, InstanceState, Ledger, Pools, RequestState
from cloudpemda.request.spec import WorkloadSpec
from cloudpemda.rules.quota import Balance
from cloudpemda.site.models import Network
from tests.ledger.makers import (
    OPERATOR,
    SITI,
    applying,
    network,
    open_at,
    pools,
    vm,
    wanted,
    workload,
)


def claim(
    ledger: Ledger,
    spec: WorkloadSpec,
    *,
    vmids: range = range(10000, 10100),
    where: Pools | None = None,
    taken: Mapping[str, set[int]] | None = None,
    cluster: str = "dc",
) -> tuple[InstanceRecord, ...]:
    return ledger.instances.claim(
        spec.key,
        wanted(spec, cluster),
        vmid_range=vmids,
        pools=where or pools(),
        taken_vmids=taken or {},
        actor=OPERATOR,
    )


def test_an_identity_is_whole_before_anything_is_made(ledger: Ledger) -> None:
    spec = workload()
    applying(ledger, spec)

    first, second = claim(ledger, spec)

    assert (first.key, first.name) == ("dinkes/simrs/db-1", "dinkes-simrs-db-1")
    assert (first.vmid, second.vmid) == (10000, 10001)
    assert first.state is InstanceState.PLANNED
    assert first.identity.role == "primary"
    assert [nic.address for nic in (*first.nics, *second.nics)] == ["10.10.110.2", "10.10.110.3"]
    assert first.nics[0].mac.startswith("BC:24:11:")
    assert len({first.uid, second.uid, first.nics[0].mac, second.nics[0].mac}) == 4
    assert ledger.instances.get(first.uid) == first


def test_asking_again_gives_the_same_identities(ledger: Ledger) -> None:
    spec = workload()
    applying(ledger, spec)
    before = claim(ledger, spec)
    ledger.instances.creating(before[0].uid, actor=OPERATOR)

    again = claim(ledger, spec, taken={"dc": {10000, 10001}})

    assert [one.identity for one in again] == [one.identity for one in before]
    assert [one.nics for one in again] == [one.nics for one in before]


def test_only_a_request_that_is_applied_gets_identities(ledger: Ledger) -> None:
    spec = workload()
    ledger.requests.submit(spec, "", SITI)
    with pytest.raises(Refused, match=r"ledger\.transition"):
        claim(ledger, spec)
    assert ledger.instances.list() == ()


def test_a_proposal_is_what_a_claim_would_give_and_writes_nothing(ledger: Ledger) -> None:
    spec = workload()
    ledger.requests.submit(spec, "", SITI)
    entries = ledger.audit.log()

    def propose() -> tuple[InstanceRecord, ...]:
        return ledger.instances.propose(
            spec.key,
            wanted(spec),
            vmid_range=range(10000, 10100),
            pools=pools(),
            taken_vmids={"dc": {10000}},
            dice=SeededEntropy(5),
        )

    proposed = propose()

    assert propose() == proposed
    assert ledger.instances.list() == ()
    assert ledger.audit.log() == entries
    applying(ledger, spec)
    claimed = claim(ledger, spec, taken={"dc": {10000}})
    assert [(one.name, one.vmid, one.nics[0].address) for one in claimed] == [
        (one.name, one.vmid, one.nics[0].address) for one in proposed
    ]
    assert propose() == claimed


def test_vmids_seen_in_use_or_given_on_that_cluster_are_left_alone(ledger: Ledger) -> None:
    first, second, third = (workload(name=name) for name in ("a", "b", "c"))
    for spec in (first, second, third):
        applying(ledger, spec)
    large = pools(network("10.10.110.0/24"))

    claim(ledger, first, where=large)
    on_dc = claim(ledger, second, taken={"dc": {10002, 10004}, "drc": {10003}}, where=large)
    elsewhere = claim(ledger, third, cluster="drc", where=large)

    assert [one.vmid for one in on_dc] == [10003, 10005]
    assert [one.vmid for one in elsewhere] == [10000, 10001]


def test_all_members_get_an_identity_or_none(ledger: Ledger) -> None:
    spec = workload()
    applying(ledger, spec)

    with pytest.raises(Refused, match=r"ledger\.vmids-exhausted"):
        claim(ledger, spec, vmids=range(10000, 10001))
    with pytest.raises(Refused, match=r"ledger\.addresses-exhausted"):
        claim(ledger, spec, where=pools(network("10.10.110.0/30")))

    assert ledger.instances.list() == ()
    assert len(claim(ledger, spec)) == 2


def test_a_network_that_the_site_no_longer_has_is_named(ledger: Ledger) -> None:
    spec = workload()
    applying(ledger, spec)
    with pytest.raises(Refused, match=r"ledger\.no-network") as refusal:
        claim(ledger, spec, where=Pools({}, None))
    assert refusal.value.values == {"network": "app"}
    assert ledger.instances.list() == ()


def test_sixteen_public_addresses_serve_fourteen_and_refuse_cleanly(ledger: Ledger) -> None:
    spec = workload("dinkes", "web", vm("web", 15, public=True))
    applying(ledger, spec)
    wide = network("10.10.110.0/24")
    with pytest.raises(Refused, match=r"ledger\.addresses-exhausted") as refusal:
        claim(ledger, spec, where=pools(wide, "203.0.113.16/28"))
    assert refusal.value.values["pool"] == "@public"
    assert ledger.instances.list() == ()

    fits = workload("dinkes", "web2", vm("web", 14, public=True))
    applying(ledger, fits)
    public = [
        one.nics[0].public_address
        for one in claim(ledger, fits, where=pools(wide, "203.0.113.16/28"))
    ]
    assert len(set(public)) == 14
    assert not {"203.0.113.16", "203.0.113.31", None} & set(public)


@settings(max_examples=30, deadline=None)
@given(
    seen=st.sets(st.integers(1, 62)),
    low=st.integers(1, 62),
    width=st.integers(0, 20),
    counts=st.lists(st.integers(1, 6), min_size=1, max_size=5),
)
def test_no_address_is_given_that_is_not_free(
    tmp_path_factory: pytest.TempPathFactory,
    seen: set[int],
    low: int,
    width: int,
    counts: list[int],
) -> None:
    """Never the gateway, the network's own, a reserved or a seen one, and none twice."""
    high = min(62, low + width)
    net: Network = network("10.10.110.0/26", reserved=(f"10.10.110.{low}-10.10.110.{high}",))
    barred = {0, 1, 63, *seen, *range(low, high + 1)}
    where = pools(net, taken=frozenset(f"10.10.110.{last}" for last in seen))
    given_out: list[int] = []
    with open_at(tmp_path_factory.mktemp("site")) as ledger:
        for number, count in enumerate(counts):
            spec = workload("dinkes", f"w{number}", vm("db", count))
            applying(ledger, spec)
            left = 64 - len(barred) - len(given_out)
            if count > left:
                with pytest.raises(Refused, match=r"ledger\.addresses-exhausted"):
                    claim(ledger, spec, where=where)
                continue
            given_out += [
                int(nic.address.rpartition(".")[2])
                for one in claim(ledger, spec, where=where)
                for nic in one.nics
            ]
    assert len(set(given_out)) == len(given_out)
    assert not barred & set(given_out)


def test_a_vmid_that_somebody_took_is_replaced_and_the_rest_stays(ledger: Ledger) -> None:
    spec = workload()
    applying(ledger, spec)
    first, _ = claim(ledger, spec)
    ledger.instances.creating(first.uid, actor=OPERATOR)

    moved = ledger.instances.reclaim_vmid(
        first.uid, vmid_range=range(10000, 10100), taken={10002}, actor=OPERATOR
    )

    assert moved.vmid == 10003
    assert (moved.uid, moved.nics, moved.state) == (first.uid, first.nics, InstanceState.CREATING)


def test_a_vm_that_lives_keeps_its_vmid(ledger: Ledger) -> None:
    spec = workload()
    applying(ledger, spec)
    first, _ = claim(ledger, spec)
    ledger.instances.creating(first.uid, actor=OPERATOR)
    ledger.instances.active(first.uid, actor=OPERATOR)

    with pytest.raises(Refused, match=r"ledger\.transition"):
        ledger.instances.reclaim_vmid(
            first.uid, vmid_range=range(10000, 10100), taken=set(), actor=OPERATOR
        )
    assert ledger.instances.get(first.uid).vmid == 10000


def test_a_planned_instance_follows_its_plan_to_another_cluster(ledger: Ledger) -> None:
    spec = workload()
    applying(ledger, spec)
    first, second = claim(ledger, spec)
    ledger.instances.creating(second.uid, actor=OPERATOR)

    moved, stayed = claim(ledger, spec, cluster="dc2", taken={"dc2": {10000}})

    assert (moved.uid, moved.cluster, moved.vmid) == (first.uid, "dc2", 10001)
    assert stayed.identity == second.identity


def test_names_are_dns_labels_and_unique(ledger: Ledger) -> None:
    long = workload("o" * 30, "w" * 30, vm("v" * 20, 1))
    twin, other = workload("a-b", "c", vm("d", 1)), workload("a", "b-c", vm("d", 1))
    names = []
    for spec in (long, twin, other):
        applying(ledger, spec)
        names += [one.name for one in claim(ledger, spec)]
    assert len(set(names)) == 3
    assert all(len(name) <= 63 for name in names)
    assert names[1] == "a-b-c-d-1"


def test_what_becomes_active_turns_its_own_hold_into_use(ledger: Ledger) -> None:
    spec = workload()
    applying(ledger, spec, memory=70)
    first, second = claim(ledger, spec)

    ledger.instances.creating(first.uid, actor=OPERATOR)
    ledger.instances.active(first.uid, actor=OPERATOR)
    ledger.instances.active(first.uid, actor=OPERATOR)

    assert ledger.quota.balances({"dinkes"})["memory"] == Balance(committed=70, held=70)
    assert ledger.quota.of_instance(first.key)["memory"] == Balance(committed=70, held=0)
    assert ledger.quota.of_instance(second.key)["memory"] == Balance(committed=0, held=70)

    ledger.instances.creating(second.uid, actor=OPERATOR)
    ledger.instances.active(second.uid, actor=OPERATOR)
    ledger.requests.finish(spec.key, actor=OPERATOR)
    assert ledger.requests.get(spec.key).state is RequestState.ACTIVE
    assert ledger.quota.balances({"dinkes"}) == {
        "instances": Balance(2, 0),
        "memory": Balance(140, 0),
    }


def test_a_failed_creation_keeps_identity_and_hold_for_the_next_try(ledger: Ledger) -> None:
    spec = workload()
    applying(ledger, spec, memory=70)
    first, _ = claim(ledger, spec)
    ledger.instances.place(
        first.uid, node="pve1", storages={"root": "local-zfs"}, targets=("pve2",), actor=OPERATOR
    )
    ledger.instances.creating(first.uid, actor=OPERATOR)

    failed = ledger.instances.failed(first.uid, error="storage is full", actor=OPERATOR)

    assert (failed.state, failed.error) == (InstanceState.FAILED, "storage is full")
    assert failed.identity == first.identity
    assert ledger.quota.of_instance(first.key)["memory"].held == 70
    again = ledger.instances.place(
        first.uid, node="pve3", storages={"root": "tank"}, targets=(), actor=OPERATOR
    )
    assert (again.node, again.storages, again.targets, again.error) == (
        "pve3",
        {"root": "tank"},
        (),
        None,
    )


def test_what_may_be_in_pve_is_not_placed_elsewhere(ledger: Ledger) -> None:
    spec = workload()
    applying(ledger, spec)
    first, _ = claim(ledger, spec)
    ledger.instances.creating(first.uid, actor=OPERATOR)
    with pytest.raises(Refused, match=r"ledger\.transition"):
        ledger.instances.place(first.uid, node="pve2", storages={}, targets=(), actor=OPERATOR)


def test_releasing_returns_everything_and_twice_is_no_more(ledger: Ledger) -> None:
    spec = workload()
    applying(ledger, spec, memory=70)
    first, second = claim(ledger, spec)
    ledger.instances.creating(first.uid, actor=OPERATOR)
    ledger.instances.active(first.uid, actor=OPERATOR)
    ledger.instances.retiring(first.uid, actor=OPERATOR)
    assert ledger.quota.balances({"dinkes"})["memory"] == Balance(committed=70, held=70)

    gone = ledger.instances.release(first.uid, actor=OPERATOR)
    entries = len(ledger.audit.log())
    assert ledger.instances.release(first.uid, actor=OPERATOR) == gone
    assert len(ledger.audit.log()) == entries

    assert gone.state is InstanceState.PURGED
    assert ledger.quota.balances({"dinkes"})["memory"] == Balance(committed=0, held=70)
    assert [one.key for one in ledger.instances.list()] == [second.key]
    assert len(ledger.instances.list(purged=True)) == 2

    fresh, kept = claim(ledger, spec)
    assert fresh.uid != first.uid
    assert (fresh.vmid, fresh.nics[0].address) == (first.vmid, first.nics[0].address)
    assert kept == second


def test_a_living_vm_is_not_released_without_being_retired(ledger: Ledger) -> None:
    spec = workload()
    applying(ledger, spec)
    first, _ = claim(ledger, spec)
    ledger.instances.creating(first.uid, actor=OPERATOR)
    ledger.instances.active(first.uid, actor=OPERATOR)
    with pytest.raises(Refused, match=r"ledger\.transition"):
        ledger.instances.release(first.uid, actor=OPERATOR)


def test_lists_filter_by_workload_opd_and_cluster(ledger: Ledger) -> None:
    large = pools(network("10.10.110.0/24"))
    for opd, name, cluster in (("dinkes", "a", "dc"), ("dinkes", "b", "drc"), ("bkad", "a", "dc")):
        spec = workload(opd, name, vm("db", 1))
        applying(ledger, spec)
        claim(ledger, spec, cluster=cluster, where=large)

    def keys(**filters: str) -> list[str]:
        return [one.key for one in ledger.instances.list(**filters)]  # type: ignore[arg-type]

    assert keys() == ["bkad/a/db-1", "dinkes/a/db-1", "dinkes/b/db-1"]
    assert keys(workload="dinkes/a") == ["dinkes/a/db-1"]
    assert keys(opd="dinkes") == ["dinkes/a/db-1", "dinkes/b/db-1"]
    assert keys(opd="dinkes", cluster="drc") == ["dinkes/b/db-1"]


def test_a_ledger_in_another_folder_knows_nothing_of_this_one(
    ledger: Ledger, tmp_path: Path
) -> None:
    applying(ledger, workload())
    with open_at(tmp_path / "other") as other:
        assert other.requests.list() == ()
