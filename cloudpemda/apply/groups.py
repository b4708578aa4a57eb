"""Security groups that nobody uses any more go: their kinds of VM are called otherwise now."""

from collections.abc import Collection

from cloudpemda.apply.failures import meaning
from cloudpemda.apply.firewall import Firewalls
from cloudpemda.apply.tools import Tools
from cloudpemda.plan.firewall import group_comment, group_name
from cloudpemda.saga import Chain, Outcome, Retry, Step, Work


def drop_groups(kinds: Collection[str], number: str, tools: Tools) -> Outcome:
    """The groups of these kinds (`dinkes/simrs/db`) are gone, of those that are ours; the same call
    goes on where an earlier one stopped. Raises Incomplete where it was halted."""
    firewalls = Firewalls(tools.pve)

    def step(kind: str) -> Step:
        def do(_: Work) -> None:
            firewalls.drop(kind)

        def is_done(_: Work) -> bool:
            return tools.pve.firewall.groups().get(group_name(kind)) != group_comment(kind)

        return Step(f"drop {group_name(kind)}", do, is_done)

    chain = Chain(
        subject=f"{number}:groups",
        steps=tuple(map(step, sorted(kinds))),
        journal=tools.journal,
        clock=tools.clock,
        entropy=tools.entropy,
        retry=Retry(meaning),
        halted=tools.halted,
    )
    return chain.run()
