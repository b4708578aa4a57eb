"""The lab against recordings of real clusters: how many of its answers are PVE's.

CLOUDPEMDA_PVE_REFERENCE names the folder with the recordings and the replay tool.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

REFERENCE = os.environ.get("CLOUDPEMDA_PVE_REFERENCE")
CORE = (
    "auth", "storage", "qemu", "qemu-config", "cloudinit", "lifecycle", "clone", "import", "lock",
    "delete", "tasks", "pools", "cluster",
)  # fmt: skip
# What protects and who may: further than the main job needs, and not to be lost.
WIDER = (
    "access", "access-more", "snapshot", "migrate", "backup", "privileges", "replication",
    "encoding", "token-vs-root", "ha", "ha-setup", "ha-groups", "ha-group-resources",
    "ha-group-migrate", "ha-group-states", "role-8", "role-8-replication", "role-8-ha",
    "role-8-token",
)  # fmt: skip
# Percent of judged exchanges that must match in answer and in shape. Raised as the lab grows.
LEAST = {"9.2": (99, 99), "8.4": (99, 99)}
# Each core section alone.
LEAST_SECTION = 90
# Everything else that was recorded.
LEAST_OTHER = 95

pytestmark = pytest.mark.skipif(
    REFERENCE is None, reason="CLOUDPEMDA_PVE_REFERENCE does not name the recordings"
)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _recorded(version: str) -> Iterator[str]:
    port = _free_port()
    command = [
        sys.executable, "-m", "cloudpemda.lab", "serve", "--state", "recorded",
        "--version", version, "--listen", f"127.0.0.1:{port}", "--root-password", "secret-of-root",
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        assert process.stderr.readline().startswith("listening")
        yield f"https://127.0.0.1:{port}/api2/json"
    finally:
        process.terminate()
        process.wait(600)
        process.stderr.close()


@pytest.fixture(scope="module", params=["9.2", "8.4"])
def replayed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, dict[str, list[dict[str, object]]]]:
    """Version, and judged exchanges by section."""
    version = str(request.param)
    reference = Path(str(REFERENCE))
    (recording,) = reference.glob(f"recordings-{version}.*.jsonl")
    report = tmp_path_factory.mktemp("replay") / "report.jsonl"
    with _recorded(version) as base:
        subprocess.run(
            [
                sys.executable, str(reference / "replay.py"), "--base", base, "--password",
                "secret-of-root", "--report", str(report), "--show", "0", str(recording),
            ],
            check=True,
            timeout=600,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
    sections: dict[str, list[dict[str, object]]] = defaultdict(list)
    for line in report.read_text().splitlines():
        row = json.loads(line)
        assert "skipped" not in row, row
        sections[row["section"]].append(row)
    return version, sections


def _rate(rows: list[dict[str, object]], what: str) -> float:
    return 100 * sum(bool(row[what]) for row in rows) / len(rows)


@pytest.mark.parametrize("what", ["answer", "shape"])
def test_core_sections_match_the_recordings(
    replayed: tuple[str, dict[str, list[dict[str, object]]]], what: str
) -> None:
    version, sections = replayed
    rows = [row for name in CORE for row in sections[name]]
    wrong = [(row["seq"], row["name"]) for row in rows if not row[what]]
    least = LEAST[version][what == "shape"]
    assert _rate(rows, what) >= least, wrong
    poor = {name: _rate(sections[name], what) for name in CORE}
    assert {name: rate for name, rate in poor.items() if rate < LEAST_SECTION} == {}


@pytest.mark.parametrize("what", ["answer", "shape"])
def test_wider_sections_match_the_recordings(
    replayed: tuple[str, dict[str, list[dict[str, object]]]], what: str
) -> None:
    version, sections = replayed
    rows = [row for name in WIDER for row in sections.get(name, ())]
    wrong = [(row["seq"], row["name"]) for row in rows if not row[what]]
    assert _rate(rows, what) >= LEAST[version][what == "shape"], wrong


@pytest.mark.parametrize("what", ["answer", "shape"])
def test_all_that_was_recorded_matches_but_for_the_recording_machine(
    replayed: tuple[str, dict[str, list[dict[str, object]]]], what: str
) -> None:
    version, sections = replayed
    rows = [row for name, found in sections.items() if name not in (*CORE, *WIDER) for row in found]
    wrong = [(row["seq"], row["name"]) for row in rows if not row[what]]
    assert _rate(rows, what) >= LEAST_OTHER, (version, wrong)
