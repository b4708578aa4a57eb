"""What a changed document changes: each difference once, with its kind, and nothing silently."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudpemda.messages import texts
from cloudpemda.request.change import Change, What, changes, refusals
from cloudpemda.request.spec import (
    DiskSpec,
    Letter,
    NicSpec,
    Requester,
    VmSpec,
    WorkloadSpec,
    from_canonical_json,
)
from cloudpemda.rules.quota import growth, usage_of
from cloudpemda.units import Cores, MiB
from tests.rules.makers import service_class

GIB = 1024
ROOT, DATA = DiskSpec("root", MiB(40 * GIB), "ssd", True), DiskSpec("data", MiB(1500), "hdd", False)
APP = VmSpec(
    name="app",
    count=2,
    keep_apart=False,
    image="debian-12",
    cpu=Cores(4),
    memory=MiB(8 * GIB),
    disks=(ROOT, DATA),
    networks=(NicSpec("lan", False),),
    ssh_keys=("ssh-ed25519 AAAA siti@dinkes",),
)
SPEC = WorkloadSpec(
    opd="dinkes",
    name="simrs",
    purpose="Sistem rumah sakit",
    service_class="normal",
    until=date(2027, 12, 31),
    letter=Letter("417", date(2026, 11, 20)),
    requester=Requester("Siti", "198501012010012001", "Kasubag TI", "siti@dinkes.example"),
    vms=(APP,),
)


def _app(**values: object) -> WorkloadSpec:
    return replace(SPEC, vms=(replace(APP, **values),))  # type: ignore[arg-type]


ONE_CHANGE = [
    (_app(cpu=Cores(6)), Change(What.CPU, "app", "4", "6", grows=True), True),
    (_app(cpu=Cores(2)), Change(What.CPU, "app", "4", "2"), True),
    (_app(memory=MiB(8193)), Change(What.MEMORY, "app", "8 GiB", "8193 MiB", grows=True), True),
    (_app(memory=MiB(GIB)), Change(What.MEMORY, "app", "8 GiB", "1 GiB"), True),
    (_app(count=3), Change(What.MEMBER_ADDED, "app-3", grows=True), False),
    (_app(count=1), Change(What.MEMBER_REMOVED, "app-2"), False),
    (_app(image="debian-13"), Change(What.IMAGE, "app", "debian-12", "debian-13"), True),
    (_app(keep_apart=True), Change(What.APART, "app", "false", "true"), False),
    (_app(ssh_keys=("k1", *APP.ssh_keys)), Change(What.KEYS, "app", "1", "2 (1 new)"), True),
    (_app(ssh_keys=("k1",)), Change(What.KEYS, "app", "1", "1 (1 new)"), True),
    (
        _app(disks=(ROOT, replace(DATA, size=MiB(2 * GIB)))),
        Change(What.DISK_GROWN, "app/data", "1500 MiB", "2 GiB", grows=True),
        False,
    ),
    (
        _app(disks=(ROOT, replace(DATA, size=MiB(1499)))),
        Change(What.DISK_SHRUNK, "app/data", "1500 MiB", "1499 MiB"),
        False,
    ),
    (
        _app(disks=(ROOT, replace(DATA, storage_class="ssd"))),
        Change(What.DISK_CLASS, "app/data", "hdd", "ssd", grows=True),
        False,
    ),
    (
        _app(disks=(ROOT, replace(DATA, protect=True))),
        Change(What.DISK_PROTECTION, "app/data", "false", "true", grows=True),
        False,
    ),
    (_app(disks=(ROOT,)), Change(What.DISK_REMOVED, "app/data", before="1500 MiB hdd"), False),
    (
        _app(disks=(ROOT, DATA, replace(DATA, name="logs"))),
        Change(What.DISK_ADDED, "app/logs", after="1500 MiB hdd", grows=True),
        False,
    ),
    (
        _app(networks=(NicSpec("lan", False), NicSpec("web", True))),
        Change(What.NETWORK_ADDED, "app/web", after="web +public", grows=True),
        True,
    ),
    (
        _app(networks=(NicSpec("lan", True),)),
        Change(What.PUBLIC_ADDRESS, "app/lan", "false", "true", grows=True),
        False,
    ),
    (
        replace(SPEC, vms=(APP, replace(APP, name="web"))),
        Change(What.VM_ADDED, "web", after="2", grows=True),
        False,
    ),
    (
        replace(SPEC, service_class="critical"),
        Change(What.CLASS, "", "normal", "critical", grows=True),
        False,
    ),
    (
        replace(SPEC, until=date(2027, 6, 30)),
        Change(What.LEASE, "", "2027-12-31", "2027-06-30"),
        False,
    ),
    (
        replace(SPEC, purpose="SIMRS"),
        Change(What.PURPOSE, "", "Sistem rumah sakit", "SIMRS"),
        False,
    ),
    (
        replace(SPEC, letter=Letter("418", date(2026, 11, 20))),
        Change(What.LETTER, "", "417 (2026-11-20)", "418 (2026-11-20)"),
        False,
    ),
]


@pytest.mark.parametrize(("after", "expected", "restart"), ONE_CHANGE)
def test_one_difference_is_one_change(after: WorkloadSpec, expected: Change, restart: bool) -> None:
    assert changes(SPEC, after) == (expected,)
    assert expected.restart is restart


def test_what_is_taken_away_is_known_by_its_name() -> None:
    web = replace(SPEC, vms=(replace(APP, name="web", count=3),))
    assert changes(SPEC, web) == (
        Change(What.VM_REMOVED, "app", before="2"),
        Change(What.VM_ADDED, "web", after="3", grows=True),
    )
    moved = _app(networks=(NicSpec("web", False),))
    assert [one.what for one in changes(SPEC, moved)] == [
        What.NETWORK_REMOVED,
        What.NETWORK_ADDED,
    ]


def test_a_new_responsible_person_is_shown_whole() -> None:
    other = replace(SPEC, requester=replace(SPEC.requester, nip="198501012010012002"))
    (change,) = changes(SPEC, other)
    assert change.what is What.REQUESTER
    assert change.before != change.after


def test_another_workload_is_no_change_of_this_one() -> None:
    with pytest.raises(ValueError, match="dinkes/sisda"):
        changes(SPEC, replace(SPEC, name="sisda"))


def test_every_kind_of_change_has_a_name_for_people() -> None:
    assert {f"change.{what}" for what in What} <= texts().keys()


def test_each_refusal_names_its_place() -> None:
    small = replace(ROOT, size=MiB(GIB), storage_class="hdd")
    worse = _app(image="debian-13", count=1, disks=(small, replace(DATA, name="logs")))
    rootless = _app(disks=(replace(ROOT, name="system"), DATA))
    found = refusals(SPEC, worse, allow_retire=False)
    assert [(one.code, one.path) for one in found] == [
        ("request.image-changes", "spec.vms[app].image"),
        ("request.disk-shrinks", "spec.vms[app].disks[root].size"),
        ("request.retires", "spec.vms"),
    ]
    assert found[2].values["gone"] == "app-2, app/data"
    assert found[:2] == refusals(SPEC, worse, allow_retire=True)
    (refused,) = refusals(SPEC, rootless, allow_retire=True)
    assert (refused.code, refused.path) == (
        "request.root-disk-stays", "spec.vms[app].disks[root]",
    )  # fmt: skip


# -- any two documents ---------------------------------------------------------------------------
_ROOTS = [
    DiskSpec("root", MiB(size), kind, protect)
    for size in (GIB, 1500)
    for kind in ("ssd", "hdd")
    for protect in (True, False)
]
_DISKS = [
    (root, *more) for root in _ROOTS for more in ((), *((replace(d, name="data"),) for d in _ROOTS))
]
_LAN, _WEB = ([NicSpec(name, public) for public in (True, False)] for name in ("lan", "web"))
_NICS = [
    *((nic,) for nic in (*_LAN, *_WEB)),
    *((first, second) for first in _LAN for second in _WEB),
]


def _vm(name: str) -> st.SearchStrategy[VmSpec]:
    return st.builds(
        VmSpec,
        name=st.just(name),
        count=st.integers(1, 3),
        keep_apart=st.booleans(),
        image=st.sampled_from(["debian-12", "debian-13"]),
        cpu=st.integers(1, 3).map(Cores),
        memory=st.sampled_from([MiB(GIB), MiB(1500)]),
        disks=st.sampled_from(_DISKS),
        networks=st.sampled_from(_NICS),
        ssh_keys=st.sampled_from([("a",), ("b",), ("a", "b")]),
    )


SPECS = st.builds(
    WorkloadSpec,
    opd=st.just("dinkes"),
    name=st.just("simrs"),
    purpose=st.sampled_from(["a", "b"]),
    service_class=st.sampled_from(["critical", "basic"]),
    until=st.sampled_from([date(2027, 1, 1), date(2028, 1, 1)]),
    letter=st.sampled_from([SPEC.letter, Letter("418", date(2026, 11, 20))]),
    requester=st.sampled_from([SPEC.requester, replace(SPEC.requester, name="Budi")]),
    vms=st.tuples(_vm("app")) | st.tuples(_vm("db")) | st.tuples(_vm("app"), _vm("db")),
)

CLASSES = {
    "critical": service_class(targets=1, factor=1.5),
    "basic": service_class(),
}


@given(SPECS, SPECS)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_is_listed_only_where_nothing_differs(
    before: WorkloadSpec, after: WorkloadSpec
) -> None:
    assert (changes(before, after) == ()) is (before.spec_hash == after.spec_hash)
    assert changes(before, from_canonical_json(before.canonical_json)) == ()
    assert len({(one.what, one.subject) for one in changes(before, after)}) == len(
        changes(before, after)
    )


@given(SPECS, SPECS)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_comes_one_way_goes_the_other(before: WorkloadSpec, after: WorkloadSpec) -> None:
    there, back = changes(before, after), changes(after, before)
    for plus, minus in (
        (What.VM_ADDED, What.VM_REMOVED),
        (What.MEMBER_ADDED, What.MEMBER_REMOVED),
        (What.DISK_ADDED, What.DISK_REMOVED),
        (What.DISK_GROWN, What.DISK_SHRUNK),
        (What.NETWORK_ADDED, What.NETWORK_REMOVED),
    ):
        added = {one.subject for one in there if one.what is plus}
        assert added == {one.subject for one in back if one.what is minus}


@given(SPECS, SPECS)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_quota_grows_only_by_a_change_that_says_so(
    before: WorkloadSpec, after: WorkloadSpec
) -> None:
    def usage(spec: WorkloadSpec) -> dict[str, dict[str, int]]:
        return {
            member: dict(usage_of(vm, CLASSES[spec.service_class]))
            for vm in spec.vms
            for member in vm.members
        }

    was = usage(before)
    grown = [name for name, wanted in usage(after).items() if growth(was.get(name, {}), wanted)]
    if grown:
        assert any(one.grows for one in changes(before, after))


@given(SPECS, SPECS)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whoever_loses_nothing_is_not_refused(before: WorkloadSpec, after: WorkloadSpec) -> None:
    kinds = {one.what for one in changes(before, after)}
    meant = {one.code for one in refusals(before, after, allow_retire=True)}
    assert ("request.disk-shrinks" in meant) is (What.DISK_SHRUNK in kinds)
    assert ("request.image-changes" in meant) is (What.IMAGE in kinds)
    lost = kinds & {What.VM_REMOVED, What.MEMBER_REMOVED}
    roots = {vm.name: f"{vm.name}/{vm.disks[0].name}" for vm in before.vms}
    disks = {one.subject for one in changes(before, after) if one.what is What.DISK_REMOVED}
    assert ("request.root-disk-stays" in meant) is bool(disks & set(roots.values()))
    careful = {one.code for one in refusals(before, after, allow_retire=False)}
    gone = bool(lost) or bool(disks - set(roots.values()))
    assert careful - meant == ({"request.retires"} if gone else set())
