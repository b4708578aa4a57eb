"""Policy: who may ask for what, and who may decide it."""

from dataclasses import replace
from datetime import date, datetime
from typing import get_args

import pytest

from cloudpemda.messages import Lang, explain
from cloudpemda.request.spec import DiskSpec, NicSpec, WorkloadSpec
from cloudpemda.rules import Verdict
from cloudpemda.rules.policy import Party, deciding_role, has_role, may_ask, may_decide
from cloudpemda.site.load import Site
from cloudpemda.units import Instant, MiB
from tests.rules.makers import NOW, cluster, person, service_class, site, vm, workload

HANDED_IN = Party("asep", "198703142011011003", "Asep Hidayat")


def codes(verdict: Verdict) -> list[str]:
    for fault in verdict.faults:
        for lang in get_args(Lang):
            assert "?" not in "".join(explain(fault.code, lang, fault.values))
    return [fault.code for fault in verdict.faults]


def ask(spec: WorkloadSpec, where: Site | None = None, others: int = 0) -> list[str]:
    return codes(may_ask(spec, where or site(), now=NOW, others=others))


def test_what_is_allowed_is_allowed() -> None:
    assert ask(workload(vm(public=True))) == []


def test_an_unknown_opd_may_ask_for_nothing() -> None:
    assert ask(workload(opd="dinas-lain")) == ["policy.opd-unknown"]


def test_classes_are_known_and_allowed() -> None:
    assert ask(workload(service_class="golden")) == ["policy.class-unknown"]
    assert ask(workload(service_class="critical")) == ["policy.class-not-allowed"]


def test_an_opd_without_an_allowance_gets_nothing() -> None:
    own = replace(vm(), networks=(NicSpec("bkad-app", False),))
    assert ask(workload(own, opd="bkad")) == [
        "policy.class-not-allowed",
        "policy.network-not-allowed",
    ]


def test_networks_are_known_and_allowed() -> None:
    foreign = replace(vm(), networks=(NicSpec("bkad-app", False), NicSpec("nowhere", False)))
    assert ask(workload(foreign)) == ["policy.network-not-allowed", "policy.network-unknown"]


def test_public_addresses_need_a_site_that_has_some() -> None:
    assert ask(workload(vm(public=True)), site(public=False)) == ["policy.no-public"]


def test_images_and_storage_must_be_on_a_production_cluster() -> None:
    unknown = replace(vm(), image="beos")
    assert ask(workload(unknown)) == ["policy.image-unknown"]
    recovery_only = replace(vm(), image="windows")
    assert ask(workload(recovery_only)) == ["policy.no-cluster"]
    tape = replace(vm(), disks=(DiskSpec("root", MiB(1), "tape", True),))
    assert ask(workload(tape)) == ["policy.storage-class"]


def test_one_cluster_must_have_all_that_a_workload_needs() -> None:
    split = site(clusters={"dc": cluster(ssd="zfs-a"), "dc2": cluster(hdd="zfs-b")})
    both = replace(
        vm(), disks=(DiskSpec("root", MiB(1), "ssd", True), DiskSpec("data", MiB(1), "hdd", True))
    )
    assert ask(workload(both), split) == ["policy.no-cluster"]


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        (date(2026, 11, 20), ["policy.until-past"]),
        (date(2026, 11, 21), []),
        (date(2031, 11, 20), []),
        (date(2031, 11, 21), ["policy.until-far"]),
    ],
)
def test_a_lease_ends_in_the_future_and_within_five_years(until: date, expected: list[str]) -> None:
    assert ask(workload(until=until)) == expected


def test_today_is_the_day_of_the_sites_zone() -> None:
    evening = Instant(datetime.fromisoformat("2026-11-20T18:00:00+00:00"))  # 01:00 WIB next day
    verdict = may_ask(workload(until=date(2026, 11, 21)), site(), now=evening, others=0)
    assert codes(verdict) == ["policy.until-past"]


def test_five_years_from_a_leap_day_is_a_day() -> None:
    leap = Instant(datetime.fromisoformat("2028-02-29T03:00:00+00:00"))
    assert codes(may_ask(workload(until=date(2033, 2, 28)), site(), now=leap, others=0)) == []


@pytest.mark.parametrize(("others", "expected"), [(7, []), (8, ["policy.vmids"])])
def test_the_vmid_range_has_room(others: int, expected: list[str]) -> None:
    assert ask(workload(vm(count=3)), others=others) == expected


def test_all_reasons_are_given_at_once() -> None:
    wrong = replace(
        vm(count=11, public=True),
        image="beos",
        disks=(DiskSpec("root", MiB(1), "floppy", True),),
        networks=(NicSpec("nowhere", True),),
    )
    spec = workload(wrong, service_class="golden", until=date(2020, 1, 1))
    assert ask(spec, site(public=False)) == [
        "policy.class-unknown",
        "policy.until-past",
        "policy.image-unknown",
        "policy.storage-class",
        "policy.network-unknown",
        "policy.no-public",
        "policy.vmids",
    ]


# -- who may decide --------------------------------------------------------------------------
def test_a_role_counts_for_its_opd_or_for_all() -> None:
    assert has_role(person("a", ("approver", None)), "approver", "dinkes")
    assert has_role(person("a", ("approver", "dinkes")), "approver", "dinkes")
    assert not has_role(person("a", ("approver", "bkad")), "approver", "dinkes")
    assert not has_role(person("a", ("operator", None)), "approver", "dinkes")


@pytest.mark.parametrize(
    ("approval", "role", "deciding"),
    [
        ("diskominfo", "reviewer", "reviewer"),
        ("diskominfo", "approver", "approver"),
        ("executive", "approver", "approver"),
        ("executive", "reviewer", None),
        ("opd-head", "reviewer", None),
        ("diskominfo", "operator", None),
        ("diskominfo", "requester", None),
    ],
)
def test_the_class_says_whose_decision_it_is(
    approval: str, role: str, deciding: str | None
) -> None:
    someone = person("rina", (role, None))
    wanted = service_class(approval=approval)
    assert deciding_role(someone, "dinkes", wanted) == deciding
    verdict = may_decide(someone, workload(), submitted_by=(HANDED_IN,), service_class=wanted)
    assert codes(verdict) == ([] if deciding else ["policy.no-role"])


def test_a_class_that_the_catalogue_lost_is_left_to_approvers() -> None:
    for role, expected in (("approver", []), ("reviewer", ["policy.no-role"])):
        someone = person("rina", (role, None))
        verdict = may_decide(someone, workload(), submitted_by=(HANDED_IN,), service_class=None)
        assert codes(verdict) == expected


def test_both_roles_decide_as_approver() -> None:
    both = person("rina", ("reviewer", None), ("approver", None))
    assert deciding_role(both, "dinkes", service_class()) == "approver"


@pytest.mark.parametrize(
    ("login", "more"),
    [
        ("asep", {}),
        ("asep", {"nip": "199001012015012009", "name": "Somebody Else"}),
        ("other", {"nip": "198501012010012001"}),
        ("other", {"nip": "198703142011011003"}),
        ("other", {"name": "SITI  rahmawati"}),
        ("other", {"name": "Siti Rahmawati", "nip": "199001012015012009"}),
        ("other", {"name": "\uff33iti Rahmawati", "nip": "198501012010012002"}),
        ("other", {"name": "asep HIDAYAT", "nip": "199001012015012009"}),
    ],
)
def test_nobody_decides_on_what_they_asked_for_or_handed_in(
    login: str, more: dict[str, str]
) -> None:
    """Login, NIP or name of the requester or of whoever handed it in: one of them suffices."""
    decider = person(login, ("approver", None), **more)
    verdict = may_decide(
        decider, workload(), submitted_by=(HANDED_IN,), service_class=service_class()
    )
    assert codes(verdict) == ["policy.own-request"]


def test_a_nip_counts_by_its_digits() -> None:
    decider = person("rina", ("approver", None), nip="199001012015012009")
    spaced = Party(None, "19900101 201501 2 009", "Somebody")
    verdict = may_decide(decider, workload(), submitted_by=(spaced,), service_class=service_class())
    assert codes(verdict) == ["policy.own-request"]


def test_what_is_not_known_matches_nobody() -> None:
    decider = person("rina", ("approver", None))
    nobody = Party(None, None, "Somebody")
    verdict = may_decide(decider, workload(), submitted_by=(nobody,), service_class=service_class())
    assert verdict.allowed
