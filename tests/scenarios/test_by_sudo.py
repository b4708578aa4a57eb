"""Root works on a site whose var/ is the services' account's, as people do on the desk by sudo."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudpemda.configure.runner import alone, run_directory
from tests.scenarios.conftest import Answer

NOBODY = 65534


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
def test_what_root_makes_on_the_desk_locks_the_night_out_of_nothing(
    call: Callable[..., Answer], tmp_path: Path
) -> None:
    site = tmp_path / "site"
    assert call("init", str(site)).code == 0
    file = site / "site.yaml"
    text = file.read_text().replace("https://pve1.example.go.id:8006", "https://127.0.0.1:1")
    file.write_text(text.replace("      - https://pve2.example.go.id:8006\n", ""))
    for name in ("var", "secrets"):
        os.chown(site / name, NOBODY, NOBODY)
    for words in (("pause", "--reason", "x"), ("resume",), ("ledger", "keygen"),
                  ("ledger", "backup")):  # fmt: skip
        answer = call("--site", str(site), *words)
        assert answer.code == 0, (words, answer)
    assert call("--site", str(site), "nightly").code == 7
    made = [one for name in ("var", "secrets") for one in (site / name).rglob("*")]
    assert {"audit.head", "ledger.sqlite3", "nightly", "ledger.key"} <= {one.name for one in made}
    assert [one for one in made if one.lstat().st_uid != NOBODY] == []
    assert any(one.suffix == ".html" for one in made)
    assert any(one.suffix == ".ledger" for one in made)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
def test_where_root_played_a_playbook_the_account_plays_the_next(tmp_path: Path) -> None:
    os.chown(tmp_path, NOBODY, NOBODY)
    place = tmp_path / "run"
    with alone(place), run_directory(place):
        pass
    assert {one.name for one in (place, *place.iterdir())} == {"run", "nodes.lock"}
    assert {one.lstat().st_uid for one in (place, *place.iterdir())} == {NOBODY}
