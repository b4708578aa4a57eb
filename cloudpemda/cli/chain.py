"""The chain of a request's approval as text."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from cloudpemda.units import show_local

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from cloudpemda.cli.frame import Frame
    from cloudpemda.ledger import Decision
    from cloudpemda.usecases.by_rule import ByRule
    from cloudpemda.usecases.chain import ChainView
    from cloudpemda.usecases.expiring import Expiring


def chain_page(
    out: Console,
    frame: "Frame",
    chain: "ChainView",
    zone: "ZoneInfo",
    default: str = "show.chain-class",
) -> None:
    """Each stage with who decided in it, then who is awaited, then what counts no more.
    `default` is what names the stages where no rule does."""
    out.print()
    rule = chain.rule or frame.say(default)
    out.print(
        Text(
            frame.say("show.chain", rule=rule, decided=chain.decided, demanded=chain.demanded),
            style="bold",
        )
    )
    for number, stage in enumerate(chain.stages, start=1):
        who = frame.say("show.chain-or").join(
            frame.say(f"show.authority-{authority}") for authority in stage.who
        )
        out.print(
            frame.say(
                "show.chain-stage", number=number, who=who, have=len(stage.decisions), of=stage.of
            )
        )
        for one in stage.decisions:
            _decision(out, frame, one, zone)
    if chain.awaited:
        out.print(frame.say("show.chain-awaited", who=", ".join(chain.awaited)), soft_wrap=True)
    elif chain.waits:
        out.print(Text(frame.say("show.chain-nobody"), style="red"), soft_wrap=True)
    if chain.earlier:
        out.print(Text(frame.say("show.chain-earlier"), style="dim"))
    for one in chain.earlier:
        _decision(out, frame, one, zone)


def expiring_lines(
    out: Console, frame: "Frame", found: "Iterable[Expiring]", zone: "ZoneInfo"
) -> None:
    """What ends soon, and what to do about it."""
    for one in found:
        text = frame.say(
            f"show.{'over' if one.over else 'expiring'}-{one.what}",
            key=one.key,
            number=one.number,
            at=show_local(one.at, zone),
        )
        out.print(Text(text, style="yellow"), soft_wrap=True)


def rule_lines(out: Console, frame: "Frame", found: "Iterable[ByRule]") -> None:
    """What rules decided, or why they did not."""
    for one in found:
        code = "show.by-rule" if one.approved else "show.not-by-rule"
        why = [frame.say(fault.code, **fault.values) for fault in one.faults[:1]]
        out.print(frame.say(code, key=one.key, rule=one.rule, why="".join(why)), soft_wrap=True)


def _decision(out: Console, frame: "Frame", one: "Decision", zone: "ZoneInfo") -> None:
    code = "show.decision-rule" if one.rule else f"show.decision-{one.verdict}"
    line = frame.say(
        code,
        name=one.actor.name,
        role=one.actor.role,
        revision=one.revision,
        rule=one.rule or "",
        at=show_local(one.at, zone),
    )
    if one.behalf is not None:
        line += frame.say("show.decision-behalf", name=one.behalf.name, letter=one.letter or "-")
    out.print("  " + line, soft_wrap=True)
