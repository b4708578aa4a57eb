"""Whether a chain of approval can be completed by the people there are."""

from itertools import permutations
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from cloudpemda.messages import Lang, explain
from cloudpemda.rules.approvals import Chain, Stage
from cloudpemda.rules.manning import gaps_of, unfilled, warnings
from cloudpemda.rules.policy import Party
from cloudpemda.site.approvals import Authority
from cloudpemda.site.models import Person
from tests.rules.makers import NOW, person, workload
from tests.rules.test_approvals import where

ROLES: dict[Authority, tuple[str, str | None]] = {
    "opd-head": ("approver", "dinkes"),
    "diskominfo": ("reviewer", None),
    "executive": ("approver", None),
}
DEWI = person("dewi", ("reviewer", None))
HENDRA = person("hendra", ("approver", None))
TWO = {"rules": ({"name": "two", "stages": ({"who": "diskominfo", "of": 2},)},)}


def test_a_stage_needs_as_many_people_as_it_says() -> None:
    (gap,) = (one for one in gaps_of(where(DEWI, HENDRA, approvals=TWO), NOW) if one.rule == "two")
    assert (gap.kind, gap.number, gap.stage.of, gap.opds) == ("request", 1, 2, ("bkad", "dinkes"))
    yanti = person("yanti", ("reviewer", None))
    assert gaps_of(where(DEWI, HENDRA, yanti, approvals=TWO), NOW) == ()


def test_without_an_executive_no_quota_is_granted() -> None:
    (gap,) = (one for one in gaps_of(where(DEWI), NOW) if one.kind == "quota")
    assert (gap.number, gap.stage.words) == (2, "executive 1")


def test_who_asks_is_not_counted_and_whoever_hands_in_is_told() -> None:
    site = where(DEWI, HENDRA)
    asked = workload(service_class="normal")
    assert warnings(asked, site, NOW) == ()
    assert warnings(asked, site, NOW, Party("hendra", None, "Hendra")) == ()
    both = (Party("hendra", None, "Hendra"), Party("dewi", None, "Dewi"))
    (fault,) = warnings(asked, site, NOW, *both)
    assert fault.code == "policy.stage-unfilled"
    for lang in get_args(Lang):
        assert "?" not in "".join(explain(fault.code, lang, fault.values))


authorities = st.sets(st.sampled_from(sorted(ROLES)), min_size=1)
staff = st.lists(authorities, max_size=4)
chains = st.lists(
    st.builds(
        Stage, st.sets(st.sampled_from(sorted(ROLES)), min_size=1).map(tuple), st.integers(1, 2)
    ),
    min_size=1,
    max_size=3,
)


@given(held=staff, stages=chains)
def test_all_stages_are_filled_just_when_some_seating_fills_them(
    held: list[set[Authority]], stages: list[Stage]
) -> None:
    people: list[Person] = [
        person(f"p{number}", *(ROLES[one] for one in sorted(of))) for number, of in enumerate(held)
    ]
    seats = [stage.who for stage in stages for _ in range(stage.of)]
    seated = any(
        all(of.intersection(who) for of, who in zip(order, seats, strict=True))
        for order in permutations(held, len(seats))
    )
    chain = Chain("drawn", tuple(stages))
    assert (unfilled(chain, "dinkes", where(*people), NOW) == ()) == seated
