"""A workload on the lab: made, resumed, taken back; judged by the lab's own state."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudpemda.apply import VmEnding
from tests.apply.rig import Rig, desired, layout, rig


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path) as found:
        yield found


def test_a_workload_is_made_protected_and_settled(lab: Rig) -> None:
    vms = [desired(number) for number in (1, 2, 3)]
    result = lab.apply(*vms)
    assert [one.ending for one in result.vms] == [VmEnding.ACTIVE] * 3, result
    assert lab.differences(*vms) == []
    state = lab.control.state()["dc"]
    assert sorted(state["vms"]) == ["10001", "10002", "10003"]
    assert {vm["status"] for vm in state["vms"].values()} == {"running"}
    assert {one["state"] for one in state["ha_resources"].values()} == {"started"}
