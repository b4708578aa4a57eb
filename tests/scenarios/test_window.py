"""Whether backups and replications fit into the night, by what they took on the clusters."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scenarios.conftest import Answer, Office, running_site

_TAKES = 120.0


@pytest.mark.slow
def test_a_window_that_is_too_short_is_told_with_what_would_fit(
    tmp_path: Path, call: Callable[..., Answer]
) -> None:
    with running_site(tmp_path / "lab", backup=_TAKES) as (directory, lab):
        office = Office(directory, lab, call)
        office.built()
        fresh = office.run("protect", "window")
        assert fresh.code == 0
        assert {one["load"]["lane"] for one in fresh.data["loads"]} == {"backup", "replication"}
        new = [one["load"] for one in fresh.data["loads"] if one["load"]["lane"] == "backup"]
        assert sum(len(one["unknown"]) for one in new) == sum(one["duties"] for one in new) == 3

        lab.post("/advance", {"seconds": 26 * 3600})
        loads = [one["load"] for one in office.run("protect", "window").data["loads"]]
        backups = {one["node"]: one for one in loads if one["lane"] == "backup"}
        homes = [vm["node"] for vmid, vm in office.vms().items() if 10000 <= vmid < 11000]
        for node, load in backups.items():
            assert load["unknown"] == []
            took = load["seconds"] / homes.count(node)
            assert took == pytest.approx(_TAKES, abs=10)
        assert office.run("nightly").code == 0

        path = directory / "site.yaml"
        narrow = 'window: {from: "00:58", until: "01:01"}'  # the backups begin at 01:00
        path.write_text(re.sub(r"(?m)^# window: .*$", narrow, path.read_text()))
        answer = office.run("protect", "window")
        said = ["window.late" if homes.count(node) == 1 else "window.full" for node in backups]
        assert (answer.code, sorted(answer.codes)) == (7, sorted(said))
        assert "begin by 00:5" in office.text("protect", "window").err
        assert set(said) <= set(office.run("nightly").codes)
