"""A proposal that is begun: what it adds has its identity first, what it takes away stays charged
until PVE has confirmed it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudpemda.clock import SeededEntropy
from cloudpemda.errors import Refused
from cloudpemda.ledger import (
    InstanceRecord,
    InstanceState,
    Ledger,
    Pools,
    ProposalState,
    RequestRecord,
    Wanted,
)
from cloudpemda.request.spec import DiskSpec, NicSpec, WorkloadSpec
from cloudpemda.rules.quota import Balance
from cloudpemda.site.models import PublicAddresses
from cloudpemda.units import Instant, MiB
from tests.ledger.makers import (
    OPERATOR,
    SITI,
    START,
    ManualClock,
    approve,
    begin_and_finish,
    chain,
    living,
    network,
    open_at,
    revised,
    vm,
    workload,
)

ROOT, DATA = DiskSpec("root", MiB(40960), "ssd", True), DiskSpec("data", MiB(10240), "ssd", True)
DB = replace(vm("db", 2), disks=(ROOT, DATA))
APPLIED = workload("dinkes", "simrs", DB)
ARCHIVE = DiskSpec("archive", MiB(1024), "hdd", False)
LARGER = workload(
    "dinkes",
    "simrs",
    replace(
        DB,
        count=3,
        disks=(ROOT, ARCHIVE, DATA),
        networks=(NicSpec("admin", False), NicSpec("app", True)),
    ),
)
MORE = {name: {"instances": 1, "memory": 160} for name in ("db-1", "db-2", "db-3")}
LIMITS = chain(instances=None, memory=1000)
USED = {"instances": 1, "memory": 100}


def pools(admin: str = "10.10.111.0/24", public: str = "203.0.113.0/28") -> Pools:
    app = network("10.0.0.0/16", gateway="10.0.0.1")
    networks = {"app": app, "admin": network(admin, gateway="10.10.111.1")}
    return Pools(networks, PublicAddresses(cidr=public))


def wanted(spec: WorkloadSpec) -> tuple[Wanted, ...]:
    return tuple(
        Wanted(member, "dc", kind.networks, {disk.name: f"on-{disk.name}" for disk in kind.disks})
        for kind in spec.vms
        for member in kind.members
    )


def begin(
    ledger: Ledger, spec: WorkloadSpec, offer: str = "offer-1", found: Pools | None = None
) -> RequestRecord:
    return ledger.changes.begin(
        spec.key,
        spec_hash=spec.spec_hash,
        offer_digest=offer,
        wanted=wanted(spec),
        vmid_range=range(100, 10000),
        pools=found or pools(),
        taken_vmids={},
        actor=OPERATOR,
    )


def approved(
    ledger: Ledger, spec: WorkloadSpec = LARGER, more: Mapping[str, Mapping[str, int]] = MORE
) -> None:
    living(ledger, APPLIED)
    ledger.requests.submit(spec, "", SITI)
    approve(ledger, spec, more, LIMITS)


def members(ledger: Ledger) -> dict[str, InstanceRecord]:
    return {one.member: one for one in ledger.instances.list(workload=APPLIED.key)}


def memory(ledger: Ledger) -> Balance:
    return ledger.quota.balances({"dinkes"})["memory"]


def made(ledger: Ledger) -> None:
    """PVE has done all of it."""
    for one in members(ledger).values():
        if one.active_since is None:
            ledger.instances.creating(one.uid, actor=OPERATOR)
            ledger.instances.active(one.uid, actor=OPERATOR)
        else:
            ledger.instances.changing(one.uid, targets=(), actor=OPERATOR)
            ledger.changes.confirm(one.uid, actor=OPERATOR)
    ledger.changes.finish(APPLIED.key, actor=OPERATOR)


# -- beginning -------------------------------------------------------------------------------
def test_what_it_adds_is_chosen_as_it_begins_and_moves_nothing(ledger: Ledger) -> None:
    approved(ledger)
    before = members(ledger)

    record = begin(ledger, LARGER)

    assert (record.changing, record.revision, record.as_begun.spec) == (True, 1, LARGER)
    after = members(ledger)
    assert [one.state for one in after.values()] == [
        InstanceState.ACTIVE,
        InstanceState.ACTIVE,
        InstanceState.PLANNED,
    ]
    for member, was in before.items():
        one = after[member]
        assert (one.uid, one.vmid, one.name) == (was.uid, was.vmid, was.name)
        assert one.nics[0] == replace(was.nics[0], public_address=one.nics[0].public_address)
        assert [(nic.slot, nic.network) for nic in one.nics] == [(0, "app"), (1, "admin")]
        assert one.slots == {"root": 0, "data": 1, "archive": 2}
        assert one.storages["archive"] == "on-archive"
    public = [nic.public_address for one in after.values() for nic in one.nics]
    assert len({one for one in public if one is not None}) == 3
    assert after["db-3"].slots == {}, "made whole, in the order of its document"
    assert memory(ledger) == Balance(committed=200, held=280)
    assert begin(ledger, LARGER, offer="another") == record, "it goes on"
    assert members(ledger) == after
    assert ledger.soundness.faults() == ()


def test_a_plan_sees_what_begin_will_choose_and_writes_nothing(ledger: Ledger) -> None:
    approved(ledger)
    before = members(ledger)

    seen = ledger.changes.propose(
        APPLIED.key,
        wanted(LARGER),
        vmid_range=range(100, 10000),
        pools=pools(),
        taken_vmids={},
        dice=SeededEntropy(5),
    )

    assert members(ledger) == before
    begin(ledger, LARGER)
    chosen = members(ledger)
    for one in seen:
        real = chosen[one.member]
        assert (one.vmid, one.slots, one.storages) == (real.vmid, real.slots, real.storages)
        assert [nic.address for nic in one.nics] == [nic.address for nic in real.nics]


@pytest.mark.parametrize(
    "short", [pools(admin="10.10.111.0/30"), pools(public="203.0.113.0/30")], ids=["lan", "public"]
)
def test_all_of_it_is_named_or_nothing(ledger: Ledger, short: Pools) -> None:
    """Three cards, and room for one or two."""
    approved(ledger)
    before = members(ledger)

    with pytest.raises(Refused, match=r"ledger\.addresses-exhausted"):
        begin(ledger, LARGER, found=short)

    assert members(ledger) == before
    assert ledger.requests.get(APPLIED.key).change_approved


def test_another_offer_voids_it(ledger: Ledger) -> None:
    approved(ledger)

    with pytest.raises(Refused, match=r"ledger\.offer-changed"):
        begin(ledger, LARGER, offer="another")

    record = ledger.requests.get(APPLIED.key)
    assert (record.pending, record.approval is not None) == (True, True)
    assert memory(ledger) == Balance(committed=200)
    assert set(members(ledger)) == {"db-1", "db-2"}


def test_its_hold_ends_before_it_is_begun_and_not_after(ledger: Ledger, clock: ManualClock) -> None:
    approved(ledger)
    clock.moment = Instant(START + timedelta(days=15))
    with pytest.raises(Refused, match=r"ledger\.transition"):
        begin(ledger, LARGER)
    assert memory(ledger) == Balance(committed=200)

    ledger.requests.submit(LARGER, "", SITI)
    later = Instant(clock.moment + timedelta(days=1))
    approve(ledger, LARGER, MORE, LIMITS, hold_until=later)
    begin(ledger, LARGER)
    clock.moment = Instant(START + timedelta(days=400))
    assert ledger.requests.expire_holds(clock.moment) == ()
    assert memory(ledger) == Balance(committed=200, held=280)
    assert ledger.soundness.faults() == ()


@pytest.mark.parametrize("handed_in", [APPLIED, revised(LARGER)], ids=["as it was", "another"])
def test_while_it_is_made_it_takes_no_other_word(ledger: Ledger, handed_in: WorkloadSpec) -> None:
    approved(ledger)
    begin(ledger, LARGER)

    with pytest.raises(Refused, match=r"request\.change-not-yet"):
        ledger.requests.submit(handed_in, "", SITI)

    assert ledger.requests.submit(LARGER, "", SITI).changed is False
    with pytest.raises(Refused, match=r"ledger\.transition"):
        ledger.requests.withdraw(APPLIED.key, actor=SITI)


# -- the end ---------------------------------------------------------------------------------
def test_what_was_read_back_is_charged_one_by_one(ledger: Ledger) -> None:
    approved(ledger)
    begin(ledger, LARGER)
    first = members(ledger)["db-1"]

    ledger.instances.changing(first.uid, targets=("pve2",), actor=OPERATOR)
    assert memory(ledger) == Balance(committed=200, held=280)
    ledger.changes.confirm(first.uid, actor=OPERATOR)

    assert memory(ledger) == Balance(committed=260, held=220)
    with pytest.raises(Refused) as refusal:
        ledger.changes.finish(APPLIED.key, actor=OPERATOR)
    assert refusal.value.values["instances"] == "dinkes/simrs/db-2, dinkes/simrs/db-3"
    made(ledger)
    record = ledger.requests.get(APPLIED.key)
    assert (record.revision, record.spec, record.pending) == (2, LARGER, False)
    assert record.approval is not None
    assert record.approval.revision == 2
    assert memory(ledger) == Balance(committed=480)
    assert ledger.soundness.faults() == ()


def test_the_next_change_keeps_what_the_former_gave(ledger: Ledger) -> None:
    approved(ledger)
    begin(ledger, LARGER)
    made(ledger)
    slots = {name: dict(one.slots) for name, one in members(ledger).items()}
    (db,) = LARGER.vms
    logs = DiskSpec("logs", MiB(1024), "hdd", False)
    third = workload("dinkes", "simrs", replace(db, disks=(ROOT, ARCHIVE, DATA, logs)))

    ledger.requests.submit(third, "", SITI)
    approve(ledger, third, MORE, LIMITS)
    assert ledger.requests.get(APPLIED.key).approval is not None, "what it lives by is not voided"
    begin(ledger, third)

    for name, one in members(ledger).items():
        kept = slots[name] or {"root": 0, "archive": 1, "data": 2}
        assert one.slots == kept | {"logs": 3}


def test_taken_back_it_is_as_it_was(ledger: Ledger) -> None:
    approved(ledger)
    begin(ledger, LARGER)
    third = members(ledger)["db-3"]
    with pytest.raises(Refused, match=r"ledger\.instances-left"):
        ledger.changes.fail(APPLIED.key, reason="undo", actor=OPERATOR)
    ledger.instances.release(third.uid, actor=OPERATOR)
    first = members(ledger)["db-1"]
    ledger.instances.changing(first.uid, targets=(), actor=OPERATOR)
    with pytest.raises(Refused, match=r"ledger\.instances-left"):
        ledger.changes.fail(APPLIED.key, reason="undo", actor=OPERATOR)
    ledger.instances.active(first.uid, actor=OPERATOR)

    ledger.changes.fail(APPLIED.key, reason="undo", actor=OPERATOR)

    record = ledger.requests.get(APPLIED.key)
    assert record.proposal is not None
    assert (record.proposal.state, record.proposal.reason) == (ProposalState.WITHDRAWN, "undo")
    assert (record.revision, record.spec) == (1, APPLIED)
    assert memory(ledger) == Balance(committed=200)
    assert {one for record in members(ledger).values() for one in record.storages} <= {
        "root",
        "data",
    }
    assert ledger.soundness.faults() == ()
    again = ledger.requests.submit(LARGER, "", SITI)
    assert (again.revision, again.proposal) == (3, ProposalState.PENDING)


# -- what shrinks ----------------------------------------------------------------------------
def test_settling_gives_back_and_never_takes(ledger: Ledger) -> None:
    living(ledger, APPLIED)
    first = members(ledger)["db-1"]

    less = ledger.changes.settle(
        first.uid, usage={"instances": 1, "memory": 60, "vcpu": 9}, networks=(), actor=OPERATOR
    )

    assert less == {"memory": 40}
    assert memory(ledger) == Balance(committed=160)
    assert "vcpu" not in ledger.quota.balances({"dinkes"})
    assert members(ledger)["db-1"].nics == ()
    assert [one.address for one in ledger.addresses.resting()] == [first.nics[0].address]
    assert ledger.soundness.faults() == ()


@pytest.mark.parametrize("begun", [False, True])
def test_nothing_is_settled_under_a_change_that_was_judged(ledger: Ledger, begun: bool) -> None:
    approved(ledger)
    if begun:
        begin(ledger, LARGER)
    first = members(ledger)["db-1"]
    nics = tuple(NicSpec("app", False) for _ in first.nics)

    told = ledger.changes.settle(first.uid, usage={}, networks=nics, actor=OPERATOR)

    assert told is None
    assert memory(ledger) == Balance(committed=200, held=280)
    assert members(ledger)["db-1"] == first


def _ask(ledger: Ledger, size: int) -> None:
    asked = workload("dinkes", "simrs", replace(DB, memory=MiB(size * 1024)))
    ledger.requests.submit(asked, "", SITI)
    use = {"instances": 1, "memory": size}
    approve(ledger, asked, {"db-1": use, "db-2": use}, chain(instances=None, memory=500))


def _begin(ledger: Ledger, _: int) -> None:
    begin(ledger, ledger.requests.get(APPLIED.key).as_proposed.spec)


def _settle(ledger: Ledger, size: int) -> None:
    one = members(ledger)[f"db-{1 + size % 2}"]
    lives = ledger.requests.get(APPLIED.key).spec
    usage = {"instances": 1, "memory": lives.vms[0].memory // 1024}
    ledger.changes.settle(one.uid, usage=usage, networks=DB.networks, actor=OPERATOR)


def _change(ledger: Ledger, size: int) -> None:
    one = members(ledger)[f"db-{1 + size % 2}"]
    ledger.instances.changing(one.uid, targets=(), actor=OPERATOR)


def _confirm(ledger: Ledger, size: int) -> None:
    ledger.changes.confirm(members(ledger)[f"db-{1 + size % 2}"].uid, actor=OPERATOR)


def _finish(ledger: Ledger, _: int) -> None:
    ledger.changes.finish(APPLIED.key, actor=OPERATOR)


def _withdraw(ledger: Ledger, _: int) -> None:
    ledger.requests.withdraw(APPLIED.key, actor=SITI)


def _fail(ledger: Ledger, _: int) -> None:
    for one in members(ledger).values():
        if one.state is InstanceState.CHANGING:
            ledger.instances.active(one.uid, actor=OPERATOR)
    ledger.changes.fail(APPLIED.key, reason="undo", actor=OPERATOR)


STEPS: Mapping[str, Callable[[Ledger, int], None]] = {
    "ask": _ask,
    "begin": _begin,
    "change": _change,
    "confirm": _confirm,
    "settle": _settle,
    "finish": _finish,
    "fail": _fail,
    "withdraw": _withdraw,
}


@given(st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(40, 260)), max_size=14))
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_any_order_of_deeds_stays_within_the_limit(
    tmp_path_factory: pytest.TempPathFactory, deeds: list[tuple[str, int]]
) -> None:
    """A deed is done or refused; what each VM is charged is never less than what it lives by, and
    nothing is held but for a change that is approved or begun."""
    with open_at(tmp_path_factory.mktemp("ledger")) as ledger:
        living(ledger, APPLIED)
        for deed, size in deeds:
            before = memory(ledger).charged
            try:
                STEPS[deed](ledger, size)
            except Refused:
                assert deed != "settle"
            now = memory(ledger)
            assert now.charged <= max(500, before)
            record = ledger.requests.get(APPLIED.key)
            if not (record.change_approved or record.changing):
                assert now.held == 0
        assert ledger.audit.verify() == ()
        assert [one for one in ledger.soundness.faults() if one.code != "ledger.saga-left"] == []


def test_the_example_is_one_that_lives(ledger: Ledger) -> None:
    """`living` makes what `begin_and_finish` makes: two VMs with one card each."""
    ledger.requests.submit(APPLIED, "", SITI)
    approve(ledger, APPLIED, {"db-1": USED, "db-2": USED}, LIMITS)
    begin_and_finish(ledger, APPLIED)
    assert [len(one.nics) for one in members(ledger).values()] == [1, 1]
