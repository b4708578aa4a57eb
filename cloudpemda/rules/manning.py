"""Whether a chain of approval can be completed by the people there are.

A chain needs as many different persons as its stages demand together, each entitled in the stage
they decide in. A stage that nobody can fill keeps its requests waiting until they expire, so it is
told when a site is looked at, and to whoever hands such a request in.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from cloudpemda.errors import Fault
from cloudpemda.request.quota_request import QuotaSpec
from cloudpemda.request.spec import WorkloadSpec
from cloudpemda.rules.approvals import (
    QUOTA_DEFAULT,
    Chain,
    Stage,
    chain_for,
    chain_of,
    class_chain,
    mandates,
    party_of,
    quota_chain,
)
from cloudpemda.rules.policy import Party
from cloudpemda.site.load import Site
from cloudpemda.units import Instant


@dataclass(frozen=True, slots=True)
class Gap:
    """A stage that the people there are cannot fill, for these OPDs."""

    kind: str  # "request", or "quota"
    rule: str  # the rule's name; the service class where no rule names the stages
    number: int  # of the stage, from 1
    stage: Stage
    opds: tuple[str, ...]


def gaps_of(site: Site, at: Instant) -> tuple[Gap, ...]:
    """Every stage of the site's policy that some OPD's requests could not pass at this moment."""
    found: dict[tuple[str, str, int, Stage], list[str]] = {}
    for opd in sorted(site.opds):
        for kind, rule, chain in _chains(opd, site):
            for index in unfilled(chain, opd, site, at):
                found.setdefault((kind, rule, index + 1, chain.stages[index]), []).append(opd)
    return tuple(Gap(*what, tuple(opds)) for what, opds in found.items())


def warnings(
    spec: WorkloadSpec | QuotaSpec, site: Site, at: Instant, *submitters: Party
) -> tuple[Fault, ...]:
    """`policy.stage-unfilled` for each stage of this request's chain that cannot be filled: not
    by who asks, and not by who hands it in."""
    chain = chain_for(spec, site) if isinstance(spec, WorkloadSpec) else quota_chain(spec, site)
    askers = (Party(None, spec.requester.nip, spec.requester.name), *submitters)
    return tuple(
        Fault("policy.stage-unfilled", _values(index + 1, chain.stages[index]))
        for index in unfilled(chain, spec.opd, site, at, *askers)
    )


def unfilled(chain: Chain, opd: str, site: Site, at: Instant, *askers: Party) -> tuple[int, ...]:
    """The stages (from 0) without enough persons who are none of `askers`, each counted once.

    As many seats as can be are filled, those of earlier stages first (augmenting paths).
    """
    entitled = {
        person.login: {
            mandate.authority
            for mandate in mandates(person, opd, site, at)
            if not any(party.is_one_of(*askers) for party in mandate.parties)
        }
        for person in site.people
        if not party_of(person).is_one_of(*askers)
    }
    seats = [index for index, stage in enumerate(chain.stages) for _ in range(stage.of)]
    fits = [
        [who for who, of in entitled.items() if of.intersection(chain.stages[index].who)]
        for index in seats
    ]
    taken: dict[str, int] = {}
    empty = (seats[seat] for seat in range(len(seats)) if not _seat(seat, fits, taken, set()))
    return tuple(dict.fromkeys(empty))


def _seat(seat: int, fits: Sequence[Sequence[str]], taken: dict[str, int], tried: set[str]) -> bool:
    """Fill a seat, moving those who sit already where they fit elsewhere."""
    for who in fits[seat]:
        if who in tried:
            continue
        tried.add(who)
        if who not in taken or _seat(taken[who], fits, taken, tried):
            taken[who] = seat
            return True
    return False


def _chains(opd: str, site: Site) -> Iterator[tuple[str, str, Chain]]:
    """Every chain that a request of this OPD may meet, with its rule."""
    approvals = site.info.approvals
    for rule in approvals.rules:
        if rule.when.opd is None or opd in rule.when.opd:
            yield "request", rule.name, chain_of(rule)
    for name in site.opds[opd].allow.service_classes:
        if name in site.catalogue.service_classes:
            yield "request", name, class_chain(site.catalogue.service_classes[name])
    for quota_rule in approvals.quota:
        if quota_rule.when.opd is None or opd in quota_rule.when.opd:
            yield "quota", quota_rule.name, chain_of(quota_rule)
    yield "quota", "-", QUOTA_DEFAULT


def _values(number: int, stage: Stage) -> Mapping[str, object]:
    values = {"stage": number, "approval": "|".join(stage.who), "of": stage.of}
    return MappingProxyType(values)
