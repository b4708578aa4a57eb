"""What the lab does not serve, it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloudpemda.cli import main
from tests.labs import Control

from .conftest import Client


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main([*words, "lab", "status", "--coverage"])
    assert ended.value.code in (None, 0)
    return capsys.readouterr().out


@pytest.mark.parametrize(("lang", "word"), [("en", "that no lab serves"), ("id", "tidak dilayani")])
def test_coverage_needs_no_lab(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lang: str, word: str
) -> None:
    told = run(capsys, "--site", str(tmp_path), "--lang", lang)
    assert word in told
    assert "  GET /nodes/{node}/ceph/osd\n" in told


def test_coverage_counts_each_part_of_the_api(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(run(capsys, "--site", str(tmp_path), "--output", "json"))["data"]
    for release in ("8", "9"):
        parts = found[release]["parts"]
        assert set(parts) == {"access", "cluster", "nodes", "pools", "storage", "version"}
        assert parts["version"] == [1, 1]
        lacking = sum(known - served for served, known in parts.values())
        assert lacking == len(found[release]["unserved"])


def test_what_is_listed_as_not_served_answers_501(pve: Client, control: Control) -> None:
    lacking = control.call("GET", "/coverage")["9"]
    assert len(lacking) > 100
    for name in lacking:
        method, _, path = name.partition(" ")
        path = path.replace("{node}", "pve1").replace("{vmid}", "100")
        if "{" not in path:
            assert pve.send(method, path).status_code == 501, name
