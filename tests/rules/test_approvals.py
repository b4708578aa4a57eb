"""Chains of approval: which stages, who is entitled in them, and that nobody counts twice."""

from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any, get_args

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from cloudpemda.messages import Lang, explain
from cloudpemda.request.spec import WorkloadSpec
from cloudpemda.rules import Verdict
from cloudpemda.rules.approvals import (
    Chain,
    Given,
    Mandate,
    Matter,
    Stage,
    automatic_for,
    awaited,
    awaited_stage,
    chain_for,
    chosen,
    mandates,
    objecting,
    refusal,
    within,
)
from cloudpemda.rules.policy import Party
from cloudpemda.site.approvals import Approvals, Authority, DayAmount, Delegation
from cloudpemda.site.load import Site
from cloudpemda.site.models import Catalogue, Person
from cloudpemda.units import Instant
from tests.rules.makers import NOW, person, site, vm, workload

HANDED_IN = Party("asep", "198703142011011003", "Asep Hidayat")
HEAD = person("head", ("approver", "dinkes"))
DEWI = person("dewi", ("reviewer", None))
HENDRA = person("hendra", ("approver", None))
AGUS = person("agus", ("approver", None))
SITE_MINUTE = "2026-11-20 08:00"  # NOW in the site's zone


def codes(verdict: Verdict) -> list[str]:
    for fault in verdict.faults:
        for lang in get_args(Lang):
            assert "?" not in "".join(explain(fault.code, lang, fault.values))
    return [fault.code for fault in verdict.faults]


def where(
    *people: Person,
    delegations: tuple[Delegation, ...] = (),
    approvals: dict[str, Any] | None = None,
    **classes: dict[str, Any],
) -> Site:
    """A site with these people, rules and service classes."""
    plain = site()
    catalogue = Catalogue.model_validate(
        {
            "images": {},
            "service_classes": {
                "normal": {"weight": 1},
                "critical": {
                    "weight": 9,
                    "approval": "executive",
                    "drc": {"method": "backup-sync"},
                },
                **classes,
            },
        }
    )
    info = plain.info.model_copy(
        update={"approvals": Approvals.model_validate(approvals or {}, by_alias=True)}
    )
    return replace(plain, info=info, catalogue=catalogue, people=people, delegations=delegations)


def standing_in(
    of: str, to: str, since: str = SITE_MINUTE, until: str = "2026-11-27 16:00", **more: Any
) -> Delegation:
    values = {
        "from": of,
        "to": to,
        "as": "plh",
        "role": "approver",
        "letter": {"number": "800/12/2026", "date": "2026-11-19"},
        "since": since,
        "until": until,
    }
    return Delegation.model_validate({**values, **more}, by_alias=True)


def matter(
    there: Site,
    chain: Chain,
    *given: Given,
    spec: WorkloadSpec | None = None,
    at: Instant = NOW,
) -> Matter:
    stage = awaited_stage(chain.counts, (one.stage for one in given))
    return Matter(spec or workload(), (HANDED_IN,), chain, given, stage or 0, there, at)


ONE = Chain(None, (Stage(("executive",), 1),))


# -- which chain -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("approval", "who"),
    [
        ("opd-head", ("opd-head", "executive")),
        ("diskominfo", ("diskominfo", "executive")),
        ("executive", ("executive",)),
    ],
)
def test_without_a_rule_the_class_says_who_decides_alone(
    approval: str, who: tuple[str, ...]
) -> None:
    there = where(normal={"weight": 1, "approval": approval})
    assert chain_for(workload(), there) == Chain(None, (Stage(who, 1),))  # type: ignore[arg-type]


def test_a_class_that_the_catalogue_lost_is_left_to_executives() -> None:
    assert chain_for(workload(service_class="gone"), where()) == ONE


RULES = {
    "rules": (
        {
            "name": "public",
            "when": {"publicIp": True},
            "stages": ({"who": "opd-head"}, {"who": "executive", "of": 2}),
        },
        {"name": "large", "when": {"over": {"vcpu": 8, "memory": "16 GiB"}},
         "stages": ({"who": "executive"},)},
        {"name": "small", "when": {"upTo": {"vcpu": 2}}, "stages": ({"who": "opd-head"},)},
        {"name": "recovered", "when": {"drc": True}, "stages": ({"who": "executive"},)},
        {"name": "theirs", "when": {"opd": ("bkad",), "serviceClass": ("normal",)},
         "stages": ({"who": "diskominfo"},)},
    )
}  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "rule"),
    [
        (workload(vm(public=True, cpu=64)), "public"),
        (workload(vm(cpu=3, count=3)), "large"),
        (workload(vm(cpu=1, memory=20 * 1024)), "large"),
        (workload(vm(cpu=2)), "small"),
        (workload(vm(cpu=4), service_class="critical"), "recovered"),
        (workload(vm(cpu=4), opd="bkad"), "theirs"),
        (workload(vm(cpu=4), opd="bkad", service_class="gone"), None),
        (workload(vm(cpu=8)), None),
    ],
)
def test_the_first_rule_that_holds_decides(spec: WorkloadSpec, rule: str | None) -> None:
    assert chain_for(spec, where(approvals=RULES)).rule == rule


def test_a_rules_stages_stand_in_their_order() -> None:
    chain = chain_for(workload(vm(public=True)), where(approvals=RULES))
    assert chain.stages == (Stage(("opd-head",), 1), Stage(("executive",), 2))
    assert chain.words == "public: opd-head 1, executive 2"


@pytest.mark.parametrize(
    ("given", "stage"), [((), 0), ((0,), 1), ((1,), 0), ((0, 1), 1), ((0, 1, 1), None)]
)
def test_the_first_stage_that_lacks_a_decision_is_awaited(
    given: tuple[int, ...], stage: int | None
) -> None:
    assert awaited_stage((1, 2), given) == stage


# -- who is entitled -------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("role", "opd", "authority"),
    [
        ("approver", "dinkes", "opd-head"),
        ("approver", None, "executive"),
        ("reviewer", None, "diskominfo"),
        ("approver", "bkad", None),
        ("reviewer", "dinkes", None),
        ("operator", None, None),
        ("requester", "dinkes", None),
        ("auditor", None, None),
    ],
)
def test_a_grant_is_an_authority(role: str, opd: str | None, authority: str | None) -> None:
    found = mandates(person("a", (role, opd)), "dinkes", where(), NOW)
    assert [one.authority for one in found] == ([] if authority is None else [authority])


def test_a_stage_awaits_those_of_its_authority_by_name() -> None:
    there = where(DEWI, HENDRA, AGUS, HEAD)
    assert awaited(matter(there, ONE)) == (AGUS, HENDRA)
    two = Chain("r", (Stage(("opd-head",), 1), Stage(("diskominfo",), 1)))
    assert awaited(matter(there, two)) == (HEAD,)
    assert awaited(matter(there, two, Given(0, (Party("head", None, "Head"),)))) == (DEWI,)


def test_refusals_name_who_could() -> None:
    there = where(DEWI, HENDRA, HEAD)
    (fault,) = refusal(DEWI, matter(there, ONE)).faults
    assert (fault.code, fault.values["who"]) == ("policy.no-role", "Hendra (hendra)")
    assert codes(refusal(DEWI, matter(where(DEWI), ONE))) == [
        "policy.no-role",
        "policy.nobody-left",
    ]


def test_whose_turn_comes_later_waits_but_may_deny() -> None:
    chain = Chain("r", (Stage(("diskominfo",), 1), Stage(("executive",), 1)))
    now = matter(where(DEWI, HENDRA), chain)
    assert chosen(HENDRA, now) is None
    assert codes(refusal(HENDRA, now)) == ["policy.not-awaited"]
    denier = objecting(HENDRA, now)
    assert denier is not None
    assert denier.authority == "executive"


def test_who_has_decided_does_not_count_again_under_another_role() -> None:
    both = person("rina", ("reviewer", None), ("approver", None))
    chain = Chain("r", (Stage(("diskominfo",), 1), Stage(("executive",), 1)))
    now = matter(where(both, HENDRA), chain, Given(0, (Party("rina", None, "Rina"),)))
    assert chosen(both, now) is None
    assert codes(refusal(both, now)) == ["policy.decided-already"]
    assert awaited(now) == (HENDRA,)


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
    """Login, NIP or name of the requester or of whoever handed it in: one of them suffices; and
    neither does who stands in for them, nor they for another."""
    own = person(login, ("approver", None), **more)
    there = where(
        own,
        DEWI,
        HENDRA,
        delegations=(standing_in(login, "dewi"), standing_in("hendra", login)),
    )
    now = matter(there, ONE)
    assert chosen(own, now) is None
    assert objecting(own, now) is None
    assert codes(refusal(own, now)) == ["policy.own-request"]
    assert chosen(DEWI, now) is None
    assert codes(refusal(DEWI, now)) == ["policy.own-delegation"]


def test_a_nip_counts_by_its_digits() -> None:
    decider = person("rina", ("approver", None), nip="199001012015012009")
    spaced = Party(None, "19900101 201501 2 009", "Somebody")
    now = replace(matter(where(decider), ONE), submitted_by=(spaced,))
    assert codes(refusal(decider, now)) == ["policy.own-request", "policy.nobody-left"]


def test_what_is_not_known_matches_nobody() -> None:
    decider = person("rina", ("approver", None))
    nobody = Party(None, None, "Somebody")
    now = replace(matter(where(decider), ONE), submitted_by=(nobody,))
    assert chosen(decider, now) is not None


# -- delegations -----------------------------------------------------------------------------
@pytest.mark.parametrize(("minutes", "entitled"), [(-1, False), (0, True), (59, True), (60, False)])
def test_a_delegation_begins_and_ends_to_the_minute_in_the_sites_zone(
    minutes: int, *, entitled: bool
) -> None:
    hour = standing_in("hendra", "dewi", since=SITE_MINUTE, until="2026-11-20 09:00")
    there = where(DEWI, HENDRA, delegations=(hour,))
    at = Instant(NOW + timedelta(minutes=minutes))
    found = chosen(DEWI, matter(there, ONE, at=at))
    assert (found is not None) == entitled
    if found is not None:
        assert (found.principal, found.authority) == (HENDRA, "executive")


def test_a_delegation_passes_on_one_role_for_its_opd() -> None:
    for_bkad = standing_in("hendra", "dewi", opd="bkad")
    there = where(DEWI, HENDRA, delegations=(for_bkad,))
    assert [one.principal for one in mandates(DEWI, "bkad", there, NOW)] == [None, HENDRA]
    assert [one.principal for one in mandates(DEWI, "dinkes", there, NOW)] == [None]


def test_what_was_delegated_to_somebody_is_not_passed_on() -> None:
    there = where(
        DEWI,
        HENDRA,
        AGUS,
        delegations=(standing_in("hendra", "dewi"), standing_in("dewi", "agus", role="reviewer")),
    )
    found = mandates(AGUS, "dinkes", there, NOW)
    assert [one.authority for one in found] == ["executive", "diskominfo"]
    assert found[1].principal == DEWI


def test_somebody_and_their_stand_in_count_once() -> None:
    two = Chain("r", (Stage(("executive",), 2),))
    there = where(DEWI, HENDRA, AGUS, delegations=(standing_in("hendra", "dewi"),))
    dewi = chosen(DEWI, matter(there, two))
    assert dewi is not None
    after = matter(there, two, Given(0, dewi.parties))
    assert codes(refusal(HENDRA, after)) == ["policy.decided-already"]
    assert awaited(after) == (AGUS,)


# -- any sequence of decisions ---------------------------------------------------------------
LOGINS = ("a", "b", "c", "d")
GRANTS = tuple(product(("approver", "reviewer"), (None, "dinkes")))


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Site, Chain]:
    people = [
        person(login, *draw(st.lists(st.sampled_from(GRANTS), max_size=3, unique=True)))
        for login in LOGINS
    ]
    pairs = st.tuples(st.sampled_from(LOGINS), st.sampled_from(LOGINS))
    delegations = [
        standing_in(of, to, role=draw(st.sampled_from(("approver", "reviewer"))))
        for of, to in draw(st.lists(pairs, max_size=3))
        if of != to
    ]
    authorities = st.sampled_from(get_args(Authority))
    stages = draw(st.lists(st.tuples(authorities, st.integers(1, 3)), min_size=1, max_size=3))
    chain = Chain("r", tuple(Stage((who,), of) for who, of in stages))
    return where(*people, delegations=tuple(delegations)), chain


@settings(max_examples=300, deadline=None)
@drawn(worlds(), st.lists(st.sampled_from(LOGINS), max_size=14))
def test_fewer_persons_than_demanded_never_complete_a_chain(
    world: tuple[Site, Chain], tries: list[str]
) -> None:
    there, chain = world
    people = {one.login: one for one in there.people}
    given: tuple[Given, ...] = ()
    used: list[tuple[int, Mandate]] = []
    for login in tries:
        stage = awaited_stage(chain.counts, (one.stage for one in given))
        if stage is None:
            break
        mandate = chosen(people[login], matter(there, chain, *given))
        assert (mandate is None) == bool(refusal_of(people[login], there, chain, given))
        if mandate is not None:
            used.append((stage, mandate))
            given = (*given, Given(stage, mandate.parties))
    for stage, mandate in used:
        assert mandate.authority in chain.stages[stage].who
        assert (mandate.principal or mandate.person).roles
    deciders = {mandate.person.login for _, mandate in used}
    holders = {(mandate.principal or mandate.person).login for _, mandate in used}
    assert len(deciders) == len(holders) == len(used)
    complete = awaited_stage(chain.counts, (one.stage for one in given)) is None
    assert complete == (len(used) == sum(chain.counts))


def refusal_of(who: Person, there: Site, chain: Chain, given: tuple[Given, ...]) -> list[str]:
    """Whether they are among the awaited, told the other way round."""
    now = matter(there, chain, *given)
    return [] if who in awaited(now) else codes(refusal(who, now))


# -- by a rule -------------------------------------------------------------------------------
AMOUNT = DayAmount.model_validate(
    {"instances": 2, "vcpu": 4, "memory": "8 GiB", "disk": "100 GiB"}, by_alias=True
)


def test_a_rule_gives_what_it_names_and_no_more() -> None:
    one = {"instances": 1, "vcpu": 2, "memory": 4096, "disk.ssd": 51200, "backup": 10**9}
    assert within(AMOUNT, {}, one)
    assert within(AMOUNT, one, one)
    assert not within(AMOUNT, {**one, "instances": 2}, one)
    assert not within(AMOUNT, one, {**one, "disk.hdd": 1})
    assert not within(AMOUNT, {}, {**one, "public_ip": 1})


def test_an_automatic_rule_is_the_first_that_the_request_meets() -> None:
    per_day = {"instances": 1, "vcpu": 1, "memory": "1 GiB", "disk": "1 GiB"}
    there = where(
        approvals={
            "automatic": (
                {"name": "first", "when": {"upTo": {"vcpu": 1}}, "perDay": per_day},
                {"name": "second", "when": {"upTo": {"vcpu": 2}}, "perDay": per_day},
            )
        }
    )
    found = automatic_for(workload(vm(cpu=2)), there)
    assert found is not None
    assert found.name == "second"
    assert automatic_for(workload(vm(cpu=3)), there) is None
    assert automatic_for(workload(vm(cpu=1), service_class="gone"), there) is None
