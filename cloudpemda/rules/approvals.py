"""Chains of approval: which stages decide on a request, who is entitled in them, who is awaited.

A chain is a value: the stages in order, each with whose decision it is and how many different
persons it takes. Nobody counts twice in one chain, neither by a second role nor by a second login,
and neither does whoever they stood in for.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from cloudpemda.errors import Fault
from cloudpemda.request.quota_request import QuotaSpec
from cloudpemda.request.spec import WorkloadSpec
from cloudpemda.rules.policy import Party
from cloudpemda.rules.quota import PUBLIC_IP, Usage
from cloudpemda.rules.verdict import Verdict
from cloudpemda.site.approvals import (
    ApprovalRule,
    Authority,
    AutomaticRule,
    Condition,
    DayAmount,
    Delegation,
    QuotaRule,
    Sizes,
)
from cloudpemda.site.load import Site
from cloudpemda.site.models import Person, Role, ServiceClass
from cloudpemda.units import Instant


@dataclass(frozen=True, slots=True)
class Stage:
    """`of` different persons, each by one of these authorities."""

    who: tuple[Authority, ...]
    of: int

    @property
    def words(self) -> str:
        return f"{'|'.join(self.who)} {self.of}"


@dataclass(frozen=True, slots=True)
class Chain:
    """The stages of one decision, and the rule that names them."""

    rule: str | None  # None: the service class, or for quota the default, names them
    stages: tuple[Stage, ...]

    @property
    def words(self) -> str:
        """One text for one policy: a decision under another one does not count."""
        return f"{self.rule or '-'}: " + ", ".join(stage.words for stage in self.stages)

    @property
    def counts(self) -> tuple[int, ...]:
        return tuple(stage.of for stage in self.stages)


QUOTA_DEFAULT = Chain(None, (Stage(("diskominfo",), 1), Stage(("executive",), 1)))
"""Where no rule for quota is met."""


@dataclass(frozen=True, slots=True)
class Mandate:
    """By what somebody may decide: a role of their own, or a delegation."""

    person: Person
    authority: Authority
    role: Role
    principal: Person | None = None  # on whose behalf
    delegation: Delegation | None = None

    @property
    def parties(self) -> tuple[Party, ...]:
        """Who is spent when this is used."""
        people = (self.person,) if self.principal is None else (self.person, self.principal)
        return tuple(party_of(person) for person in people)


@dataclass(frozen=True, slots=True)
class Given:
    """A decision for the request that counts: in which stage, and who is spent by it."""

    stage: int
    parties: tuple[Party, ...]


def party_of(person: Person) -> Party:
    return Party(person.login, person.nip, person.name)


# -- which chain -----------------------------------------------------------------------------
def chain_for(spec: WorkloadSpec, site: Site) -> Chain:
    """The chain of the first rule that the request meets.

    Where none does, its service class names one decider, and an executive may decide as well; a
    class that the catalogue has lost is left to executives.
    """
    service_class = site.catalogue.service_classes.get(spec.service_class)
    for rule in site.info.approvals.rules:
        if meets(rule.when, spec, service_class):
            return chain_of(rule)
    return class_chain(service_class)


def chain_of(rule: ApprovalRule | QuotaRule) -> Chain:
    """The chain that a rule of the site names."""
    return Chain(rule.name, tuple(Stage((stage.who,), stage.of) for stage in rule.stages))


def class_chain(service_class: ServiceClass | None) -> Chain:
    """The chain where no rule is met: whom the class names, or an executive."""
    who: tuple[Authority, ...] = ("executive",)
    if service_class is not None and service_class.approval != "executive":
        who = (service_class.approval, "executive")
    return Chain(None, (Stage(who, 1),))


def quota_chain(spec: QuotaSpec, site: Site) -> Chain:
    """The chain of the first rule for quota that the request meets.

    Where none does, Diskominfo decides first, who knows what there is to give, then an executive;
    the OPD's head has spoken with the letter that the document names.
    """
    for rule in site.info.approvals.quota:
        when = rule.when
        asked = _by_kind(spec.amounts)
        if (
            (when.opd is None or spec.opd in when.opd)
            and when.permanent in (None, spec.until is None)
            and (when.over is None or _exceeds(asked, when.over))
            and (when.up_to is None or not _exceeds(asked, when.up_to))
        ):
            return chain_of(rule)
    return QUOTA_DEFAULT


def meets(when: Condition, spec: WorkloadSpec, service_class: ServiceClass | None) -> bool:
    """Whether all that the condition says is so. Sizes are sums over all VMs, without copies."""
    asked = _sizes(spec)
    public = any(nic.public_ip for vm in spec.vms for nic in vm.networks)
    recovered = service_class is not None and service_class.drc is not None
    return (
        (when.service_class is None or spec.service_class in when.service_class)
        and (when.opd is None or spec.opd in when.opd)
        and when.public_ip in (None, public)
        and when.drc in (None, recovered)
        and (when.over is None or _exceeds(asked, when.over))
        and (when.up_to is None or not _exceeds(asked, when.up_to))
    )


def _sizes(spec: WorkloadSpec) -> Mapping[str, int]:
    return {
        "vcpu": sum(vm.cpu * vm.count for vm in spec.vms),
        "memory": sum(vm.memory * vm.count for vm in spec.vms),
        "disk": sum(disk.size * vm.count for vm in spec.vms for disk in vm.disks),
    }


def _exceeds(asked: Mapping[str, int], bound: Sizes) -> bool:
    return any(asked.get(name, 0) > most for name, most in bound.bounds.items())


# -- the automatic decision ------------------------------------------------------------------
def automatic_for(spec: WorkloadSpec, site: Site) -> AutomaticRule | None:
    """The first automatic rule that the request meets; its amount is judged by `within`."""
    service_class = site.catalogue.service_classes.get(spec.service_class)
    if service_class is None:
        return None
    rules = site.info.approvals.automatic
    return next((rule for rule in rules if meets(rule.when, spec, service_class)), None)


def within(amount: DayAmount, taken: Usage, wanted: Usage) -> bool:
    """Whether an OPD that was given `taken` on this day may be given `wanted` as well.

    Dimensions are quota's; disks count together over their classes, backup space is not counted.
    """
    both = (_by_kind(taken), _by_kind(wanted))
    most = {
        "instances": amount.instances,
        "vcpu": amount.vcpu,
        "memory": amount.memory,
        "disk": amount.disk,
        PUBLIC_IP: amount.public_ip,
    }
    return all(sum(one.get(name, 0) for one in both) <= limit for name, limit in most.items())


def _by_kind(usage: Usage) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for dimension, value in usage.items():
        kind = dimension.partition(".")[0]
        found[kind] = found.get(kind, 0) + value
    return found


# -- who is entitled -------------------------------------------------------------------------
def mandates(person: Person, opd: str, site: Site, at: Instant) -> tuple[Mandate, ...]:
    """All by which the person may decide for the OPD at a moment: their own, then delegated.

    A delegation passes on what the delegator has in their own right, and nothing that was
    delegated to them: it ends at its minute in the site's zone.
    """
    own = [
        Mandate(person, authority, role)
        for authority, role in _authorities(person, opd, ("approver", "reviewer"))
    ]
    local = at.astimezone(site.zone).replace(tzinfo=None)
    people = {one.login: one for one in site.people}
    for delegation in site.delegations:
        if delegation.to == person.login and delegation.covers(local, opd):
            principal = people[delegation.from_]
            own += [
                Mandate(person, authority, role, principal, delegation)
                for authority, role in _authorities(principal, opd, (delegation.role,))
            ]
    return tuple(own)


def _authorities(
    person: Person, opd: str, roles: Collection[Role]
) -> Iterator[tuple[Authority, Role]]:
    for grant in person.roles:
        if grant.role not in roles:
            continue
        if grant.role == "approver" and grant.opd in (None, opd):
            yield ("executive" if grant.opd is None else "opd-head"), "approver"
        elif grant.role == "reviewer" and grant.opd is None:
            yield "diskominfo", "reviewer"


# -- how far a chain is ----------------------------------------------------------------------
def awaited_stage(counts: Sequence[int], given: Iterable[int]) -> int | None:
    """The first stage (from 0) that lacks decisions, for the stages of those given; None: done."""
    reached = list(given)
    for stage, demanded in enumerate(counts):
        if reached.count(stage) < demanded:
            return stage
    return None


@dataclass(frozen=True, slots=True)
class Matter:
    """What is decided on, where, and how far it is."""

    spec: WorkloadSpec | QuotaSpec
    submitted_by: tuple[Party, ...]  # who handed it in, in each way in which they are known
    chain: Chain
    given: tuple[Given, ...]
    stage: int  # the awaited one
    site: Site
    at: Instant

    @property
    def askers(self) -> tuple[Party, ...]:
        requester = self.spec.requester
        return (Party(None, requester.nip, requester.name), *self.submitted_by)


def usable(person: Person, matter: Matter) -> tuple[Mandate, ...]:
    """The person's mandates for this request: none for one's own, and none on behalf of somebody
    whose request it is."""
    return tuple(
        mandate
        for mandate in mandates(person, matter.spec.opd, matter.site, matter.at)
        if not any(party.is_one_of(*matter.askers) for party in mandate.parties)
    )


def chosen(person: Person, matter: Matter) -> Mandate | None:
    """The first mandate by which the person counts in the awaited stage: nobody of it has decided
    before."""
    spent = [party for one in matter.given for party in one.parties]
    return next(
        (
            mandate
            for mandate in usable(person, matter)
            if mandate.authority in matter.chain.stages[matter.stage].who
            and not any(party.is_one_of(*spent) for party in mandate.parties)
        ),
        None,
    )


def objecting(person: Person, matter: Matter) -> Mandate | None:
    """The first mandate by which the person may deny: whoever has a say in any stage may."""
    concerned = {authority for stage in matter.chain.stages for authority in stage.who}
    return next((one for one in usable(person, matter) if one.authority in concerned), None)


def awaited(matter: Matter) -> tuple[Person, ...]:
    """Who could decide in the awaited stage now, by login."""
    found = (one for one in matter.site.people if chosen(one, matter) is not None)
    return tuple(sorted(found, key=lambda person: person.login))


def refusal(person: Person, matter: Matter) -> Verdict:
    """Why the person does not decide here; every reason names those who could.

    Never on one's own request, under no second role and no delegation: login, NIP and name each
    suffice to be the same person, since an account can be borrowed, a digit mistyped and a name
    respelled.
    """
    wanted = matter.chain.stages[matter.stage].who
    people = awaited(matter)
    values: dict[str, object] = {
        "login": person.login,
        "key": matter.spec.key,
        "opd": matter.spec.opd,
        "approval": "|".join(wanted),
        "who": named(people),
    }
    held = usable(person, matter)
    everything = mandates(person, matter.spec.opd, matter.site, matter.at)
    fits = any(one.authority in wanted for one in everything)
    own = party_of(person).is_one_of(*matter.askers)
    codes = ["policy.own-request"] if own else []
    if not fits:
        later = objecting(person, matter) is not None
        codes.append("policy.not-awaited" if later else "policy.no-role")
    elif not own:
        unspent = any(one.authority in wanted for one in held)
        codes.append("policy.decided-already" if unspent else "policy.own-delegation")
    if not people:
        codes.append("policy.nobody-left")
    return Verdict(tuple(Fault(code, MappingProxyType(values)) for code in codes))


def named(people: Iterable[Person]) -> str:
    """People for a sentence; a dash where there are none."""
    return ", ".join(f"{person.name} ({person.login})" for person in people) or "–"
