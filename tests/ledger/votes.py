"""What is asked for and decided in the ledger's state machine, in the model's words and in the
ledger's."""

from hypothesis import strategies as st

from cloudpemda.ledger import Actor, Ballot
from cloudpemda.ledger.decisions import ALONE as DECIDES_ALONE
from cloudpemda.request import QuotaSpec
from cloudpemda.request.spec import WorkloadSpec
from tests.ledger.makers import BUDI, vm, workload
from tests.ledger.model import ALONE, CHAINS, Matter, Word, addition, awaited
from tests.ledger.test_grants import more

Drawn = tuple[str, str, str | None, int | None]
PEOPLE = {
    login: Actor(login, f"Pejabat {login}", "approver") for login in ("head", "hendra", "agus")
}
WORDS = st.tuples(
    st.sampled_from(["q: b 1", "q: b 1", "r: b 2", "s: a 1, b 2", "s: a 1, b 2"]),
    st.sampled_from(sorted(PEOPLE)),
    st.sampled_from([None, None, None, "dewi", "hendra"]),  # who decides in their place
    st.sampled_from([None, None, None, 0, 1]),  # the stage; None is the awaited one
)


def document(key: str, variant: int) -> WorkloadSpec:
    opd, _, name = key.partition("/")
    return workload(opd, name, vm("db", 2), purpose=f"Tujuan {variant}")


def addendum(opd: str, variant: int) -> QuotaSpec:
    found = addition(variant)
    return more(opd=opd, memory=found["memory"], vcpu=found["vcpu"])


def word_of(
    drawn: tuple[str, str, str | None, int | None], about: Matter | None, offer: str
) -> Word:
    """Mostly in the stage that is awaited."""
    name, login, instead, stage = drawn
    if stage is None:
        stage = awaited(about.given if about else (), name) or 0
    return Word(frozenset({login, instead or login}), stage, name, offer, by=instead or login)


def cast(word: Word) -> tuple[Actor, Ballot]:
    """The word in the ledger's terms."""
    if word == ALONE:
        return BUDI, DECIDES_ALONE
    behalf = next((PEOPLE[one] for one in word.people - {word.by}), None)
    actor = PEOPLE.get(word.by) or Actor(word.by, f"Pejabat {word.by}", "reviewer")
    letter = None if behalf is None else "800/1"
    ballot = Ballot(
        word.stage, CHAINS[word.chain], word.chain, "executive", behalf=behalf, letter=letter
    )
    return actor, ballot
