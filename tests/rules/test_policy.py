"""Policy: who may ask for what."""

from dataclasses import replace
from datetime import date, datetime
from typing import get_args

import pytest

from cloudpemda.messages import Lang, explain
from cloudpemda.request.roles import RoleSpec
from cloudpemda.request.spec import DiskSpec, NicSpec, WorkloadSpec
from cloudpemda.rules import Verdict
from cloudpemda.rules.policy import may_ask
from cloudpemda.site.load import Site
from cloudpemda.units import Instant, MiB
from tests.rules.makers import NOW, cluster, site, vm, workload


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
    inside = replace(vm(), roles=(RoleSpec("nginx"),))
    assert ask(workload(inside), site()) == ["policy.no-roles"]


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
