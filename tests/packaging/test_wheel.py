"""What works in the checkout works after `pip install` in an empty directory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**clean, "HOME": str(cwd)},
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program in an environment of its own, from the wheel; the path of its command."""
    place = tmp_path_factory.mktemp("wheel")
    _run(
        sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
        "--wheel-dir", place, ROOT, cwd=place,
    )  # fmt: skip
    (wheel,) = place.glob("*.whl")
    _run(sys.executable, "-m", "venv", place / "venv", cwd=place)
    _run(
        place / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet",
        "--disable-pip-version-check", "--constraint", ROOT / "constraints.txt", wheel, cwd=place,
    )  # fmt: skip
    return place / "venv" / "bin" / "cloudpemda"


@pytest.mark.slow
def test_the_demo_runs_twice_from_the_wheel_in_an_empty_directory(
    installed: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        answer = _run(installed, "--output", "json", "demo", cwd=tmp_path)
        document = json.loads(answer.stdout)
        assert document["ok"] is True
        instances = document["data"]["instances"]
        assert len(instances) >= 6
        for one in instances:
            guards = {one[name]["guard"] for name in ("ha", "replication", "backup")}
            assert guards <= {"ok", "none"}, one
            assert one["addresses"]
        assert "to its replica of" in answer.stderr  # of a VM whose node died


@pytest.mark.slow
def test_units_and_example_sites_are_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    _run(installed, "nightly", "--units", tmp_path, cwd=tmp_path)
    assert "ExecStart=" in (tmp_path / "cloudpemda-nightly@.service").read_text()
    assert "OnCalendar=" in (tmp_path / "cloudpemda-nightly@.timer").read_text()
    _run(installed, "init", tmp_path / "site", cwd=tmp_path)
    assert (tmp_path / "site" / "site.yaml").exists()
    (playbooks,) = installed.parents[1].glob("lib/python*/site-packages/cloudpemda/_playbooks")
    for needed in ("base.yml", "ansible.cfg", "library/node_probe.py", "roles/base/tasks/main.yml"):
        assert (playbooks / needed).is_file(), needed
