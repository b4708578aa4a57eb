"""`python -m cloudpemda.ledger` prints `docs/states.md`: the tables as diagrams."""

import sys
from collections.abc import Iterable

from cloudpemda.ledger.states import INSTANCE, PROPOSAL, QUOTA, REQUEST, SAGA
from cloudpemda.saga import TRANSITIONS

_DOCUMENTED: tuple[tuple[str, str, Iterable[tuple[str, str, str]]], ...] = (
    ("Requests", "submitted", [(a, e, b) for (a, e), b in REQUEST.items()]),
    (
        "Proposals: changes to a workload that lives",
        "pending",
        [(a, e, b) for (a, e), b in PROPOSAL.items()],
    ),
    ("Requests for quota", "pending", [(a, e, b) for (a, e), b in QUOTA.items()]),
    ("Instances", "planned", [(a, e, b) for (a, e), b in INSTANCE.items()]),
    ("Sagas", "open", [(a, e, b) for (a, e), b in SAGA.items()]),
    ("Steps of a saga", "planned", [(a, e, b) for (a, e), b in TRANSITIONS.items()]),
)


def as_markdown() -> str:
    """`docs/states.md`: one diagram per table. What a table does not draw cannot happen."""
    lines = [
        "# States",
        "",
        "Made from the tables by `python -m cloudpemda.ledger > docs/states.md`; a test",
        "fails when they differ. A pair of state and event that is not drawn raises",
        "`ledger.transition` (for steps: `saga.transition`).",
    ]
    for title, first, moves in _DOCUMENTED:
        lines += ["", f"## {title}", "", "```mermaid", "stateDiagram-v2", f"    [*] --> {first}"]
        lines += [f"    {start} --> {end}: {event}" for start, event, end in moves]
        lines += ["```"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
