"""The HA engine against what PVE's HA manager does: each service's states and nodes, in order.

CLOUDPEMDA_PVE_REFERENCE names the folder with the scenarios.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.parity.few_nodes import FewNodes, Told

REFERENCE = os.environ.get("CLOUDPEMDA_PVE_REFERENCE")
LEAST = 80  # percent of the scenarios that use only what the lab serves

NOT_SERVED = {
    "auto-rebalance": "services that the manager moves of itself, to even out the load",
    "disarm": "the lab disarms the manager as a whole, not step by step",
}
# Scenarios that go another way here, and why. Who makes one go right takes it out.
OTHERWISE: dict[str, str] = {}

CHANGE = re.compile(r"service '(\S+)': state changed from '(\w+)' to '(\w+)'(?:\s+\((.*)\))?")
RECOVERY = re.compile(r"recover service '(\S+)' .* node '(\S+?)'(?: again)?")
START = re.compile(r"service status (\S+) started")
NODE = re.compile(r"node '(\S+)': state changed from '(\w+)' => '(\w+)'")
DAEMON = re.compile(r"status change (?!startup)(\w+) => (\w+)")
NO_SERVICE = ("node", "crm", "lrm", "groups")

pytestmark = pytest.mark.skipif(
    REFERENCE is None, reason="CLOUDPEMDA_PVE_REFERENCE does not name the scenarios"
)


def _scenarios(release: str) -> Iterator[dict[str, Any]]:
    path = Path(str(REFERENCE), f"ha-manager-{release}.jsonl")
    for line in path.read_text().splitlines():
        scenario = json.loads(line)
        if not any(feature in scenario["name"] for feature in NOT_SERVED):
            yield scenario


def _expected(scenario: Mapping[str, Any]) -> Iterator[tuple[int, Told]]:
    for second, _, who, text in scenario["expect"]:
        node, _, daemon = who.partition("/")
        if found := CHANGE.fullmatch(text):
            pairs = (part.split(" = ") for part in (found[4] or "").split(", ") if part)
            told = dict(pairs)
            place = (told.get("node", ""), told.get("target", ""))
            yield second, (*found.groups()[:3], *place)
        elif found := RECOVERY.match(text):
            yield second, (found[1], "recovered to", found[2])
        elif found := START.fullmatch(text):
            yield second, (found[1], "started on", node)
        elif found := NODE.fullmatch(text):
            yield second, ("node", *found.groups())
        elif text == "ha groups migration successful":
            yield second, ("groups", "migrated")
        elif found := DAEMON.fullmatch(text):
            yield second, (daemon, node, *found.groups())


def _by_service(told: Iterable[tuple[int, Told]]) -> dict[str, list[Told]]:
    found: dict[str, list[Told]] = {}
    for _, (sid, *rest) in told:
        if sid not in NO_SERVICE:
            found.setdefault(sid, []).append(tuple(rest))
    return found


def _alike(expected: list[Told], played: list[Told]) -> bool:
    """PVE does not name the node where it has not changed."""
    return len(expected) == len(played) and all(
        len(one) == len(other)
        and all(part in ("", there) for part, there in zip(one, other, strict=True))
        for one, other in zip(expected, played, strict=True)
    )


def _goes_right(scenario: Mapping[str, Any], release: str) -> bool:
    expected = _by_service(_expected(scenario))
    played = _by_service(FewNodes(scenario, release).play())
    same = expected.keys() == played.keys()
    return same and all(_alike(expected[sid], played[sid]) for sid in expected)


def _to_the_second(scenario: Mapping[str, Any], release: str) -> bool:
    expected, played = list(_expected(scenario)), FewNodes(scenario, release).play()
    same = [second for second, _ in expected] == [second for second, _ in played]
    return same and _alike([told for _, told in expected], [told for _, told in played])


@pytest.mark.parametrize("release", ["9", "8"])
def test_services_go_through_the_states_and_nodes_that_pve_leads_them_through(release: str) -> None:
    right = {scenario["name"]: _goes_right(scenario, release) for scenario in _scenarios(release)}
    wrong = {name for name, is_right in right.items() if not is_right}
    assert len(wrong) * 100 <= len(right) * (100 - LEAST), wrong


@pytest.mark.parametrize("release", ["9", "8"])
def test_whatever_services_nodes_and_daemons_do_they_do_at_pves_own_second(release: str) -> None:
    right = {one["name"]: _to_the_second(one, release) for one in _scenarios(release)}
    wrong = {name for name, is_right in right.items() if not is_right}
    assert wrong == OTHERWISE.keys() & right.keys(), "see OTHERWISE"
